"""Counts failed attempts, in bounded memory."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable

MOST_KEYS = 20_000


class Throttle:
    """Allows `limit` attempts in a row for each key, then none for `seconds`."""

    def __init__(
        self, limit: int, seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.limit, self.seconds, self._clock = limit, seconds, clock
        self._attempts: OrderedDict[Hashable, tuple[int, float]] = OrderedDict()

    def locked(self, key: Hashable) -> bool:
        """Whether `key` has to wait."""
        count, last = self._attempts.get(key, (0, 0.0))
        return count >= self.limit and self._clock() - last < self.seconds

    def attempt(self, key: Hashable) -> bool:
        """Count an attempt of `key` before its outcome is known, so that simultaneous ones all
        count. Returns False, without counting, if it has to wait."""
        if self.locked(key):
            return False
        count, last = self._attempts.pop(key, (0, 0.0))
        now = self._clock()
        count = 0 if now - last >= self.seconds else count
        self._attempts[key] = (count + 1, now)
        if len(self._attempts) > MOST_KEYS:
            self._attempts.popitem(last=False)
        return True

    def forgive(self, key: Hashable) -> None:
        """Forget the attempts of `key`, as the last one succeeded."""
        self._attempts.pop(key, None)
