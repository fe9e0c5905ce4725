"""The order in which test files run: the heaviest first, unless --shuffle is given."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import pytest

SECONDS = {"slow": 15, "hub": 10, "browser": 10, "kernel": 5, "docker": 4}
"""About how long a test with this marker takes; of several, the longest counts."""
OTHERS = 0.1


def shuffled(files: Iterable[Path], seed: str) -> dict[Path, int]:
    """The place of each file: the same for the same files and seed, on every process."""
    order = sorted(set(files))
    random.Random(seed).shuffle(order)
    return {file: position for position, file in enumerate(order)}


def heaviest_first(items: list[pytest.Item]) -> None:
    """Sort tests by the weight of their files, so that no process is left with one at the end."""
    weights: dict[Path, float] = defaultdict(float)
    for item in items:
        marked = (cost for name, cost in SECONDS.items() if item.get_closest_marker(name))
        weights[item.path] += max(marked, default=OTHERS)
    items.sort(key=lambda item: -weights[item.path])
