"""Smeared keys: a head finds at a position what stands there, and what stands just before.

With them one layer can do what otherwise takes two (Olsson et al. 2022, "In-context Learning and
Induction Heads", Argument 2: the architecture was changed to see whether induction follows).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

Hooks = list[tuple[str | Callable[..., Any], Callable[..., Any]]]


def smearing(share: float) -> Hooks:
    """Hooks with which the keys of layer 0 are `k_t + share * k_{t-1}`; none if `share` is 0."""

    def smear(keys: Tensor, hook: object) -> Tensor:  # [batch pos head d_head]
        before = torch.cat([torch.zeros_like(keys[:, :1]), keys[:, :-1]], dim=1)
        return keys + share * before

    return [("blocks.0.attn.hook_k", smear)] if share else []
