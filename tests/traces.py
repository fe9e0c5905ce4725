"""Changes to its process that a test could leave behind for later tests."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGCHLD, signal.SIGPIPE, signal.SIGUSR1)
LIMITS = ("RLIMIT_AS", "RLIMIT_CPU", "RLIMIT_FSIZE", "RLIMIT_NOFILE", "RLIMIT_NPROC")
LINUX = sys.platform == "linux"
LIBC = ctypes.CDLL(None)
PRCTL = {"no new privileges": 39, "child subreaper": 37}  # PR_GET_…, prctl(2)
GET_DUMPABLE, SET_DUMPABLE = 3, 4


@dataclass(frozen=True)
class Traces:
    """The state of this process.

    lasting: by name, what cannot be put back, or is not changed by anything that may be.
    """

    environment: Mapping[str, str]
    folder: str
    umask: int
    path: tuple[str, ...]
    handlers: Mapping[signal.Signals, Any]
    dumpable: int
    lasting: Mapping[str, Any]

    @classmethod
    def now(cls) -> Traces:
        umask = os.umask(0o077)
        os.umask(umask)
        return cls(
            dict(os.environ),
            os.getcwd(),
            umask,
            tuple(sys.path),
            {number: signal.getsignal(number) for number in SIGNALS},
            LIBC.prctl(GET_DUMPABLE, 0, 0, 0, 0) if LINUX else 1,
            dict(_lasting()),
        )

    def restore(self) -> list[str]:
        """Put back what can be, as programs that run in a test's process change it; the names of
        what else has changed."""
        for name in os.environ.keys() - self.environment.keys() - {"PYTEST_CURRENT_TEST"}:
            del os.environ[name]
        os.environ.update(self.environment)
        os.chdir(self.folder)
        os.umask(self.umask)
        sys.path[:] = self.path
        for number, handler in self.handlers.items():
            signal.signal(number, handler)
        if LINUX:
            LIBC.prctl(SET_DUMPABLE, self.dumpable, 0, 0, 0)  # who grades hides its memory
        now = dict(_lasting())
        return [name for name, before in self.lasting.items() if now[name] != before]


def _lasting() -> Iterator[tuple[str, Any]]:
    for limit in LIMITS:
        yield limit, resource.getrlimit(getattr(resource, limit))
    if LINUX:
        yield from ((name, _prctl(option)) for name, option in PRCTL.items())


def _prctl(option: int) -> int:
    value = ctypes.c_int()
    pointer = ctypes.byref(value) if option == PRCTL["child subreaper"] else 0
    answer: int = LIBC.prctl(option, pointer, 0, 0, 0)
    return value.value if pointer else answer
