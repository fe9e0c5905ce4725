"""Samples long lists of checks, by a seed such as a commit's hash. Pure.

Over many commits everything gets its turn, and checking a commit again checks the same.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Sample:
    """share: of each list, above 0 and at most 1; rounded up, so that no list is left out.

    whole: names of the assignments that are checked completely, because they were changed.
    """

    share: Fraction
    seed: str = ""
    whole: frozenset[str] = frozenset()

    @classmethod
    def parse(cls, share: str, seed: str = "", whole: Iterable[str] = ()) -> Sample:
        """From command-line strings: share is a fraction such as "1/4". Raises ValueError."""
        try:
            part = Fraction(share)
        except (ValueError, ZeroDivisionError):
            part = Fraction(0)
        if not 0 < part <= 1:
            raise ValueError(
                f"{share!r} is not a share: expected a fraction such as 1/4, at most 1"
            )
        return cls(part, seed, frozenset(whole))

    def of(
        self, items: Iterable[T], name: Callable[[T], str], list_of: Callable[[T], Hashable]
    ) -> list[T]:
        """The sampled `items`, in order; chosen by name, not by position.

        list_of: which list an item belongs to; each list is sampled.
        """
        known = list(items)
        digests = [hashlib.sha256(f"{self.seed}\0{name(one)}".encode()).digest() for one in known]
        lists: dict[Hashable, list[int]] = {}
        for number, item in enumerate(known):
            lists.setdefault(list_of(item), []).append(number)
        chosen = [
            number
            for one in lists.values()
            for number in sorted(one, key=digests.__getitem__)[: math.ceil(len(one) * self.share)]
        ]
        return [known[number] for number in sorted(chosen)]


ALL = Sample(Fraction(1))
