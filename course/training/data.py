"""Sequences to train and to measure on: blocks of random tokens, repeated."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

from course.training.recipes import BOS, N_CTX, VOCAB


def periodic_rows(
    n: int, shortest: int, longest: int, generator: Generator, length: int = N_CTX
) -> Tensor:
    """Rows that start with BOS and then repeat a block of random tokens until they are full.

    The block's length is drawn for each row, uniformly over `shortest..longest`: a model that
    copies from one fixed distance cannot predict such text.

    Returns: int64 `[n pos]`, `pos` = `length`.
    """
    period = torch.randint(shortest, longest + 1, (n, 1), generator=generator)
    block = torch.randint(0, VOCAB, (n, longest), generator=generator)
    folder = torch.arange(length - 1) % period
    return _after_bos(block.gather(1, folder))


def random_rows(n: int, generator: Generator) -> Tensor:
    """Rows that start with BOS and do not repeat: int64 `[n pos]`, `pos` = 49."""
    return _after_bos(torch.randint(0, VOCAB, (n, N_CTX - 1), generator=generator))


def _after_bos(tokens: Tensor) -> Tensor:
    return torch.cat([torch.full((len(tokens), 1), BOS), tokens], dim=1)
