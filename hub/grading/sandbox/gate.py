"""How many notebooks are executed at once: as many as want a processor, and those that sleep.

Somebody's notebook that sleeps until its time limit, or waits for input, would hold up everybody
behind it. So only executions that want a processor count, and the others lend their place, as long
as there is memory for more. Which of the two an execution is shows after a moment: until then twice
as many may run.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from hub.grading.sandbox.run import Busy

MOST_LENT = 32
"""Executions that may sleep at once, for each that may be busy."""

SPARE_MEMORY = 0.2  # of all memory, below which no place is lent


MOST_BEGINNING = 2
"""Executions, for each that may be busy, that may be busy or have not shown yet what they are."""


def is_open(
    workers: int, busy: int, beginning: int, sleeping: int, room: Callable[[], bool]
) -> bool:
    """Whether one more execution may begin.

    workers: how many may want a processor at once.
    busy, beginning, sleeping: the executions that do, that have just begun, and that do not.
    room: whether there is memory for more than `workers`.
    """
    if busy >= workers or busy + beginning >= MOST_BEGINNING * workers:
        return False
    if busy + beginning + sleeping < workers:
        return True
    return sleeping < MOST_LENT * workers and room()


class ExecutionLimiter:
    """Lets executions begin while `is_open` says so."""

    def __init__(self, workers: int, room: Callable[[], bool]) -> None:
        self._workers, self._room = workers, room
        self._count: Counter[bool | None] = Counter()  # busy, sleeping, not known yet
        self._moved = threading.Condition()

    @property
    def sleeping(self) -> int:
        """The executions that have begun and do not want a processor."""
        with self._moved:
            return self._count[False]

    @contextmanager
    def turn(self) -> Iterator[Busy]:
        """Wait for a turn; what it gives is told whether the execution is busy."""
        with self._moved:
            self._moved.wait_for(self._is_open)
            self._count[None] += 1
        known: bool | None = None

        def tell(now: bool) -> None:
            nonlocal known
            with self._moved:
                self._count[known] -= 1
                self._count[now] += 1
                known = now
                self._moved.notify_all()

        try:
            yield tell
        finally:
            with self._moved:
                self._count[known] -= 1
                self._moved.notify_all()

    def _is_open(self) -> bool:
        count = self._count
        return is_open(self._workers, count[True], count[None], count[False], self._room)


def memory_to_spare() -> bool:
    """Whether this machine, and the container that this process is in, has memory left."""
    memory = psutil.virtual_memory()
    if memory.available < SPARE_MEMORY * memory.total:
        return False
    try:
        most = int(Path("/sys/fs/cgroup/memory.max").read_text())
        used = int(Path("/sys/fs/cgroup/memory.current").read_text())
    except (OSError, ValueError):  # no limit, or no such file outside of a container
        return True
    return used < (1 - SPARE_MEMORY) * most
