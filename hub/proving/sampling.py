"""A part of a long list that is checked now, chosen by a seed such as a commit's hash. Pure.

Over many commits everything has its turn, and a commit that is checked again is checked alike.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Sample:
    """share: of each list, above 0 and at most 1; rounded up, so that none is left out altogether.

    whole: names of the assignments of which all is checked, because they were changed.
    """

    share: Fraction
    seed: str = ""
    whole: frozenset[str] = frozenset()

    @classmethod
    def parse(cls, share: str, seed: str = "", whole: Iterable[str] = ()) -> Sample:
        """From words as of a command line: share is such as "1/3". Raises ValueError."""
        try:
            part = Fraction(share)
        except (ValueError, ZeroDivisionError):
            part = Fraction(0)
        if not 0 < part <= 1:
            raise ValueError(f"{share!r} is no share: a fraction such as 1/3, at most 1")
        return cls(part, seed, frozenset(whole))

    def of(self, items: Collection[T], name: Callable[[T], str]) -> list[T]:
        """Those of `items` that are checked, in their order; by their names, not their places."""

        def place(item: T) -> bytes:
            return hashlib.sha256(f"{self.seed}\0{name(item)}".encode()).digest()

        first = sorted(map(place, items))[: math.ceil(len(items) * self.share)]
        return [item for item in items if place(item) in first]


ALL = Sample(Fraction(1))
