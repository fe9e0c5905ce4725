"""What can go wrong with a run besides errors in cells: as data, and in words for students."""

from __future__ import annotations

import math
import signal
from dataclasses import dataclass
from typing import Literal

Kind = Literal["ended", "timer", "killed", "deaf", "limit", "time", "given", "grading"]
"""
ended    the process that runs the student's cells ended by itself: it left, or it crashed
timer    a timer or a limit ended that process which this cell or one before it had set
killed   that process was ended from outside, as the system does where memory runs out
deaf     a cell could not be interrupted at its time limit
limit    all processes together passed a limit
time     the time of the whole notebook was over; the cell at which that was need not be to blame
given    a given cell failed that uses nothing of the student's
grading  a process of the grading itself did not start, or ended
"""

KINDS: frozenset[str] = frozenset(Kind.__args__)  # type: ignore[attr-defined]


class CannotGrade(Exception):
    """A notebook could not be graded, through no fault of the student's; the message says why.

    The machine, or what is given, fails by itself: the same may work a moment later.
    """


@dataclass(frozen=True)
class Trouble:
    """What went wrong at one cell. All kinds but `given` end the run there.

    cell: its position among all cells of the notebook; None before the first.
    message: what happened, to follow "because " in a sentence for the student, without full stop.
    """

    kind: Kind
    cell: int | None
    message: str


NO_ANSWER: tuple[Kind, str] = (
    "killed",
    "the process that runs your cells stopped answering",
)

CANNOT_ANSWER = 79
"""Exit status of the process that runs a student's cells, where it cannot answer any more."""

_CRASHES = frozenset(
    {signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGTRAP, signal.SIGSYS}
)
_TIMERS = frozenset({signal.SIGALRM, signal.SIGVTALRM, signal.SIGPROF})


def how_it_ended(returncode: int, used_up: float | None = None) -> tuple[Kind, str]:
    """Kind and words for a process that ran cells and is gone. No number of a signal is told.

    used_up: its limit of computing time (RLIMIT_CPU), seconds, if it had used that up; infinity
        where the size is not known.
    """
    if returncode == CANNOT_ANSWER:
        return "ended", (
            "it closed what the process that runs your cells answers through, as `os.closerange` "
            "does"
        )
    if returncode >= 0:
        status = f" (exit status {returncode})" if returncode else ", as `os._exit` does"
        return "ended", f"it ended the process that runs your cells{status}"
    number = -returncode
    if used_up is not None:
        size = "" if used_up == math.inf else f", {used_up:.0f} s"
        return "timer", (
            "the process that runs your cells had used up the limit of computing time that was set "
            f"in it (RLIMIT_CPU{size})"
        )
    if number in _TIMERS:
        return "timer", "a timer that was set in the process that runs your cells ended it"
    if number in _CRASHES:
        return "ended", "it crashed the process that runs your cells, in code that is not Python"
    if number == signal.SIGABRT:
        return "ended", (
            "it made the process that runs your cells give up, in code that is not Python or by "
            "closing files that this process needs, as `os.closerange` does"
        )
    if number == signal.SIGKILL:
        return "killed", (
            "the process that runs your cells was ended from outside, most often because memory "
            "ran out"
        )
    return "killed", (
        "the process that runs your cells was asked to end, as `os.kill` does and the system does "
        "not"
    )


def out_of_time(seconds: float) -> str:
    return f"the time for the whole notebook, {seconds:.3g} s, was over"


def not_interrupted(seconds: float) -> str:
    return f"it did not stop when it was interrupted at its time limit of {seconds:.3g} s"
