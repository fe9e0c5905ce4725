"""Uses once what the first cells of notebooks use, so that libraries import what they put off.

A course server runs it in a process that ends, and then imports the same in the process from which
it forks kernels. Nothing is shown and nothing is kept.
"""

from __future__ import annotations

import torch
from IPython.core.formatters import DisplayFormatter
from IPython.core.ultratb import VerboseTB

from course import drawings, plots, viewer
from course.checks import check_close
from course.models import model


def warm_up() -> None:
    """Run a small model with hooks, draw its attention, and format an error as a notebook does."""
    net = model("induction-2l2h")
    tokens = torch.tensor([[64, 1, 2, 3, 1, 2]])
    with net.hooks(fwd_hooks=[("blocks.0.attn.hook_pattern", lambda pattern, hook: pattern)]):
        logits, cache = net.run_with_cache(tokens)
    logits.sum().backward()
    pattern, words = cache["pattern", 0][0].detach(), ["⊢", *"abcab"]
    show = DisplayFormatter().format
    show(drawings.arcs(words, pattern[0, -1], prediction="c"))
    show(plots.attention_heads(pattern, words))
    show(viewer.attention(pattern, words))
    try:
        check_close(logits, logits + 1, "warm_up")
    except AssertionError as error:
        VerboseTB().text(type(error), error, error.__traceback__)
