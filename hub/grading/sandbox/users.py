"""Users of one execution, where the executor gives it users of its own.

Student code then runs under one numeric id and what judges it under another, so that neither the
memory, the files nor the processes of the one are open to the other. Without users everything
runs as whoever calls.
"""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from hub.grading.sandbox.processes import adopt_orphans

INTERRUPT, KILL = b"i", b"k"


@dataclass(frozen=True)
class Users:
    """Numeric user ids, each also the id of a group of its own.

    student: runs the student process.
    tests: runs the worker and the judge process.
    control: descriptor to which one byte is written to have the student's processes signalled:
        the user `tests` may not do that itself.
    """

    student: int
    tests: int
    control: int

    def as_student(self) -> dict[str, Any]:
        """Keywords with which `subprocess.Popen` starts a process as the student's user."""
        return {
            "user": self.student,
            "group": self.student,
            "extra_groups": [],
            "umask": 0o077,
            # A fork bomb's hundreds of processes must not keep from running what ends them.
            "preexec_fn": partial(os.nice, 19),
        }

    def as_tests(self) -> dict[str, Any]:
        """The same for the user that judges."""
        return {
            "user": self.tests,
            "group": self.tests,
            "extra_groups": [],
            "umask": 0o077,
        }

    def become_tests(self) -> None:
        """Make this process, which may choose its user, one of the user that judges, for good."""
        os.setgroups([])
        os.setresgid(self.tests, self.tests, self.tests)
        os.setresuid(self.tests, self.tests, self.tests)
        os.umask(0o077)


def drop_rights(users: Users | None) -> None:
    """Become the user that judges, where there are users."""
    if users is not None:
        users.become_tests()
        adopt_orphans()  # again: the kernel forgets it with the old user


def make_expendable(pid: int) -> None:
    """Let process `pid` be the first to go when the machine has no memory left.

    Asked of the process after its start: one that hides its memory from its user, as a worker
    does, may not change its own. A wish only: a kernel that does not grant it stops nothing.
    """
    with suppress(OSError):
        Path(f"/proc/{pid}/oom_score_adj").write_text("1000")


class SignalTarget(Protocol):
    """How the process that runs student code is signalled."""

    def interrupt(self) -> None: ...

    def kill(self) -> None: ...


class OwnProcess:
    """A process of our own user, by its pidfd."""

    def __init__(self, pidfd: int) -> None:
        self._pidfd = pidfd

    def interrupt(self) -> None:
        signal.pidfd_send_signal(self._pidfd, signal.SIGINT)

    def kill(self) -> None:
        signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)


class OthersProcess:
    """Processes of another user: the executor signals them, it is asked by a byte."""

    def __init__(self, control: int) -> None:
        self._control = control

    def interrupt(self) -> None:
        os.write(self._control, INTERRUPT)

    def kill(self) -> None:
        os.write(self._control, KILL)
