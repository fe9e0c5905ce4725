"""The order in which files of tests run, where somebody asks for another one."""

from __future__ import annotations

import random
from collections.abc import Iterable
from pathlib import Path


def shuffled(files: Iterable[Path], seed: str) -> dict[Path, int]:
    """The place of each file: the same for the same files and seed, on every process."""
    order = sorted(set(files))
    random.Random(seed).shuffle(order)
    return {file: place for place, file in enumerate(order)}
