"""Process trees on Linux: keep one together, and end all of it."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import math
import os
import signal
import time
from pathlib import Path
from typing import Any, Protocol

import psutil

from hub.facts import env
from hub.facts.limits import MIB
from hub.grading.sandbox.limits import ExecutionLimits
from hub.grading.sandbox.trouble import Kind, how_it_ended

MOST_FILES = 50_000  # counting them takes half a second

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans() -> None:
    """Make this process the parent of every descendant whose own parent has died.

    A student's process that forks twice and calls setsid stays in our tree. This process
    also ends with its parent, and its memory and descriptors, which hold the tests, are closed
    to other processes of the same user (not to root).
    """
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)
    _prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    hide_memory()


def hide_memory() -> None:
    """Close /proc/PID/{mem,environ,fd,cwd,…} of this process to others of its user (not to root).

    What it starts is as open as ever.
    """
    _prctl(_PR_SET_DUMPABLE, 0)


def show_memory() -> None:
    """Open them again: a process that is forked from one that hides them hides them too."""
    _prctl(_PR_SET_DUMPABLE, 1)


def _prctl(option: int, value: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
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


class Process(Protocol):
    """A child of ours, as `subprocess.Popen` has it."""

    pid: int
    returncode: Any

    def poll(self) -> int | None: ...


def has_ended(process: Process) -> tuple[Kind, str] | None:
    """How a process that ran cells ended, as in `how_it_ended`; None while it lives."""
    soft, hard, used = _computing(process.pid)  # gone once its end is taken note of
    if process.poll() is None:
        return None
    if process.returncode == -signal.SIGXCPU:
        return how_it_ended(process.returncode, soft - 1)  # the kernel adds one as it sends that
    at_limit = process.returncode == -signal.SIGKILL and used > hard - 0.5
    return how_it_ended(process.returncode, hard if at_limit else None)


def _computing(pid: int) -> tuple[float, float, float]:
    """Soft and hard limit of computing time of a process, and what it has used; seconds."""
    try:
        lines = Path(f"/proc/{pid}/limits").read_text().splitlines()
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return math.inf, math.inf, 0.0
    report = next(line for line in lines if line.startswith("Max cpu time")).split()
    soft, hard = (float(report[at].replace("unlimited", "inf")) for at in (3, 4))
    return soft, hard, (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class LimitWatch:
    """Says when the processes of one execution together pass a limit.

    shared: bytes of memory that each of them has from the process that they were forked from.
    """

    def __init__(self, limits: ExecutionLimits, folder: Path, shared: int = 0) -> None:
        self._limits, self._folder, self._shared = limits, folder, shared
        self._next_count = 0.0

    def beyond(self, tree: list[int]) -> str | None:
        """Which limit is passed, to follow "because "; None if none is."""
        limits = self._limits
        if len(tree) > limits.processes:
            return f"more than {limits.processes} processes were started"
        own = sum(max(0, private_memory(pid) - self._shared) for pid in tree)
        if own > 2 * limits.memory_mib * MIB:
            return f"all processes together used more than {2 * limits.memory_mib} MiB of memory"
        return self._files_beyond(time.monotonic())

    def _files_beyond(self, now: float) -> str | None:
        if now < self._next_count:
            return None
        try:
            size = size_below(self._folder)
        except TooManyFiles:
            return f"it wrote more than {MOST_FILES} files, or folders too deep"
        # A big tree is counted less often: at most a tenth of the time goes into it.
        self._next_count = now + max(0.5, 10 * (time.monotonic() - now))
        if size > self._limits.files_mib * MIB:
            return f"the files that the notebook wrote took more than {self._limits.files_mib} MiB"
        return None


def private_memory(process: int) -> int:
    """Resident memory that no file stands behind, bytes."""
    try:
        lines = Path(f"/proc/{process}/status").read_text().splitlines()
    except OSError:
        return 0
    wanted = (line.split() for line in lines if line.startswith(("RssAnon:", "RssShmem:")))
    return sum(int(fields[1]) * 1024 for fields in wanted)


class TooManyFiles(Exception):
    """A tree has more files, or is deeper, than can be counted while it is written."""


def size_below(folder: Path) -> int:
    """Bytes on the disk in and below `folder`, where student code changes it meanwhile.

    A folder that is swapped for a link while it is read makes the sum wrong for whoever swapped
    it, and nothing else: files are only measured.

    Raises:
        TooManyFiles: there are more than MOST_FILES, or paths longer than the system takes.
    """
    total, seen, todo = 0, 0, [str(folder)]
    while todo:
        try:
            with os.scandir(todo.pop()) as entries:
                for entry in entries:
                    seen += 1
                    total += entry.stat(follow_symlinks=False).st_blocks * 512
                    if entry.is_dir(follow_symlinks=False):
                        todo.append(entry.path)
        except OSError as error:
            if error.errno == errno.ENAMETOOLONG:
                raise TooManyFiles from error
        if seen > MOST_FILES:
            raise TooManyFiles
    return total


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
        return process.environ().get(env.EXECUTION) == marker
    except (psutil.Error, OSError):
        return False
