"""How much time code has used: the clock that limits of student code go by.

A limit in wall time punishes who is graded while the machine is busy. The kernel counts for each
thread how long it ran and how long it was ready to run and had to wait for a processor
(`/proc/PID/task/TID/schedstat`, the run delay; no rights are needed). The wait is not charged:
a loop and a sleep are charged their whole time, on a busy machine and on a quiet one.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

Pids = Callable[[], Iterable[int]]

TICK_SECONDS = 0.25
"""How long a clock may go unread: what a thread that ended in between had waited is lost."""

_CORES = len(os.sched_getaffinity(0))


@dataclass(frozen=True)
class ThreadTimes:
    """Seconds that one thread has run and has been ready without running."""

    ran: float
    waited: float


def charged(wall: float, ran: float, waited: float, cores: int) -> float:
    """What is charged for `wall` seconds, in which all threads together ran and waited so long.

    One thread is charged all but its wait. Several threads that stand in each other's way wait
    too: the share of waiting in their time is not charged, but never less than they ran, spread
    over all cores, so that no code makes its clock stand still by crowding itself out. Pure.
    """
    if ran + waited <= 0:
        return wall
    stalled = min(waited, wall * waited / (ran + waited))
    return min(wall, max(wall - stalled, ran / cores))


class CodeClock:
    """Seconds used, since it was made, by the processes that `pids` names.

    Where the kernel does not count waiting (it is built without CONFIG_SCHED_INFO) these are
    seconds of wall time.
    """

    def __init__(self, pids: Pids, cores: int = _CORES) -> None:
        self._pids, self._cores = pids, cores
        self._used = 0.0
        self._at = time.monotonic()
        self._threads = _times(pids())
        self.active = 0.0
        """Seconds that its threads ran or wanted to, all together, until the last reading."""

    def at_most(self) -> float:
        """As `used`, but too much while the machine is busy; not exact for longer than a tick."""
        now = time.monotonic()
        return self._used + now - self._at if now - self._at < TICK_SECONDS else self.used()

    def used(self) -> float:
        """Seconds charged until now."""
        now, threads = time.monotonic(), _times(self._pids())
        wall = now - self._at
        if wall > 0:
            ran = waited = 0.0
            for thread, times in threads.items():
                before = self._threads.get(thread, ThreadTimes(0.0, 0.0))
                ran += max(0.0, times.ran - before.ran)
                waited += max(0.0, times.waited - before.waited)
            self._used += charged(wall, ran, waited, self._cores)
            self.active += ran + waited
        self._at, self._threads = now, threads
        return self._used


@dataclass(frozen=True)
class Deadline:
    """The moment at which the code of a clock will have used up its time."""

    clock: CodeClock
    at: float
    """In seconds of the clock."""

    @classmethod
    def after(cls, seconds: float, clock: CodeClock) -> Deadline:
        return cls(clock, clock.used() + seconds)

    def remaining(self) -> float:
        """Seconds that are left, of the clock's; 0 or less where it has passed.

        So much wall time at least is left too. Cheap enough to be asked at every message.
        """
        left = self.at - self.clock.at_most()
        return left if left > 0 else self.at - self.clock.used()


def process_tree(*roots: int) -> Pids:
    """The processes `roots` and all that descend from them now."""

    def pids() -> Iterable[int]:
        found, todo = [], list(roots)
        while todo:
            pid = todo.pop()
            found.append(pid)
            todo += _children(pid)
        return found

    return pids


def _children(pid: int) -> list[int]:
    try:
        tasks = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return []
    found: list[int] = []
    for task in tasks:
        try:
            listed = Path(f"/proc/{pid}/task/{task}/children").read_text()
        except OSError:
            continue
        found += map(int, listed.split())
    return found


def _times(pids: Iterable[int]) -> dict[tuple[int, int], ThreadTimes]:
    found = {}
    for pid in pids:
        try:
            tasks = os.listdir(f"/proc/{pid}/task")
        except OSError:
            continue
        for task in tasks:
            try:
                fields = Path(f"/proc/{pid}/task/{task}/schedstat").read_bytes().split()
            except OSError:
                continue
            found[pid, int(task)] = ThreadTimes(int(fields[0]) / 1e9, int(fields[1]) / 1e9)
    return found
