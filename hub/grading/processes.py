"""Process trees on Linux: keep one together, and end all of it."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import time

import psutil

MARKER = "LOGITLAB_EXECUTION"

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans() -> None:
    """Make this process the parent of every descendant whose own parent has died.

    A student's process that forks twice and calls setsid stays in our tree. This process
    also ends with its parent, and its memory and descriptors, which hold the tests, are closed
    to other processes of the same user (not to root).
    """
    libc = ctypes.CDLL(None, use_errno=True)
    for option, value in (
        (_PR_SET_CHILD_SUBREAPER, 1),
        (_PR_SET_PDEATHSIG, signal.SIGKILL),
        (_PR_SET_DUMPABLE, 0),
    ):
        if libc.prctl(option, value, 0, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), f"prctl({option}) failed")


def descendants(pid: int) -> list[psutil.Process]:
    """Every living descendant of `pid`, zombies left out."""
    try:
        tree = psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []
    return [process for process in tree if _alive(process)]


def end_tree(pid: int, marker: str | None = None) -> None:
    """Kill every descendant of `pid`, which must adopt orphans, then `pid` itself.

    The descendants are stopped before they are killed, so that none forks away meanwhile.
    Processes that carry `marker` in their environment are killed too: they are what is left
    where `pid` was killed by one of its own descendants.
    """
    for _ in range(50):
        tree = descendants(pid)
        if not tree:
            break
        for process in tree:
            _signal(process, signal.SIGSTOP)
        for process in tree:
            _signal(process, signal.SIGKILL)
        time.sleep(0.01)
    if pid != os.getpid():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    if marker is not None:
        for process in psutil.process_iter():
            if _carries(process, marker) and process.pid not in (pid, os.getpid()):
                _signal(process, signal.SIGKILL)


def _alive(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _signal(process: psutil.Process, number: int) -> None:
    with contextlib.suppress(psutil.Error):
        process.send_signal(number)


def _carries(process: psutil.Process, marker: str) -> bool:
    try:
        return process.environ().get(MARKER) == marker
    except (psutil.Error, OSError):
        return False
