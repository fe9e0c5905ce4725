"""How many notebooks are executed at once: as many as want a processor, and those that sleep.

Somebody's notebook that sleeps until its time limit, or waits for input, would hold up everybody
behind it. So only executions that want a processor count, and the others lend their place, as long
as there is memory for more.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from hub.grading.sandbox.run import Busy

MOST_LENT = 32
"""Executions that may sleep at once, for each that may be busy."""

SPARE_MEMORY = 0.2  # of all memory, below which no place is lent


class ExecutionLimiter:
    """Lets executions begin while fewer than `workers` are busy.

    room: says whether there is memory for one more, while others sleep.
    """

    def __init__(self, workers: int, room: Callable[[], bool]) -> None:
        self._workers, self._room = workers, room
        self._busy = self._inside = 0
        self._moved = threading.Condition()

    @contextmanager
    def turn(self) -> Iterator[Busy]:
        """Wait for a turn; what it gives is told whether the execution is busy."""
        with self._moved:
            self._moved.wait_for(self._is_open)
            self._busy += 1
            self._inside += 1
        busy = True

        def tell(now: bool) -> None:
            nonlocal busy
            with self._moved:
                self._busy += now - busy
                busy = now
                self._moved.notify_all()

        try:
            yield tell
        finally:
            with self._moved:
                self._busy -= busy
                self._inside -= 1
                self._moved.notify_all()

    def _is_open(self) -> bool:
        if self._busy >= self._workers:
            return False
        lent = self._inside - self._busy
        return lent == 0 or (lent < MOST_LENT * self._workers and self._room())


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
