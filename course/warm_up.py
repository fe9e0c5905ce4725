"""Uses once what the first cells of notebooks use, so that libraries import what they put off."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import torch

from course import drawings, plots, viewer
from course.checks import check_close
from course.models import model


def warm_up() -> list[Any]:
    """Run a small model with hooks; what a notebook would show of it."""
    net = model("induction-2l2h")
    tokens = torch.tensor([[64, 1, 2, 3, 1, 2]])
    with net.hooks(fwd_hooks=[("blocks.0.attn.hook_pattern", lambda pattern, hook: pattern)]):
        logits, cache = net.run_with_cache(tokens)
    logits.sum().backward()
    with suppress(AssertionError):
        check_close(logits, logits + 1, "warm_up")
    pattern, words = cache["pattern", 0][0].detach(), ["⊢", *"abcab"]
    return [
        drawings.arcs(words, pattern[0, -1], prediction="c"),
        plots.attention_heads(pattern, words),
        viewer.attention(pattern, words),
    ]
