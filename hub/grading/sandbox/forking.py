"""Processes that are forked from one that has imported what they need, instead of started afresh.

What `subprocess.Popen` does between its fork and its exec is done here, without the exec.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable, Collection, Mapping
from functools import cache
from pathlib import Path

from hub.facts import env
from hub.grading.sandbox.processes import show_memory

MARKER_LENGTH = 32


class ForkedProcess:
    """A child of this process; `pid` and `returncode` as in `subprocess.Popen`."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """Its status once it has ended, negative for a signal; None while it runs."""
        if self.returncode is None:
            self._take(os.WNOHANG)
        return self.returncode

    def wait(self) -> int:
        while self.returncode is None:
            self._take(0)
        return self.returncode

    def _take(self, options: int) -> None:
        pid, status = os.waitpid(self.pid, options)
        if pid:
            self.returncode = os.waitstatus_to_exitcode(status)


def fork(
    run: Callable[[], None],
    *,
    folder: Path,
    environment: Mapping[str, str],
    descriptors: Collection[int] = (),
    standard: tuple[int, int, int] | None = None,
    user: int | None = None,
    group: int | None = None,
    extra_groups: Collection[int] | None = None,
    umask: int = -1,
    preexec_fn: Callable[[], None] | None = None,
) -> ForkedProcess:
    """Fork a process that calls `run` and ends when that returns.

    It is the leader of a session, has `descriptors`, and `standard` as its descriptors 0 to 2
    (default: /dev/null), and no other. Its memory is open to its user, as a new program's is. The
    other keywords are those of `subprocess.Popen`.

    This process must have one thread: others would not be in the child, nor give back their locks.
    """
    pid = os.fork()
    if pid:
        return ForkedProcess(pid)
    status = 1
    try:
        os.setsid()
        _redirect(standard)
        for number in (signal.SIGINT, signal.SIGCHLD, signal.SIGPIPE):
            signal.signal(number, signal.SIG_DFL)
        os.chdir(folder)
        if umask >= 0:
            os.umask(umask)
        if extra_groups is not None:
            os.setgroups(list(extra_groups))
        if group is not None:
            os.setresgid(group, group, group)
        if user is not None:
            os.setresuid(user, user, user)
        show_memory()
        if preexec_fn is not None:
            preexec_fn()
        _close_but(descriptors)
        use_environment(environment)
        draw_other_random_numbers()
        run()
        status = 0
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def _redirect(standard: tuple[int, int, int] | None) -> None:
    null = os.open(os.devnull, os.O_RDWR)
    for number, given in enumerate(standard or (null, null, null)):
        os.dup2(given, number)


def _close_but(descriptors: Collection[int]) -> None:
    kept = sorted({2, *descriptors})
    for before, after in zip(kept, [*kept[1:], os.sysconf("SC_OPEN_MAX")], strict=True):
        os.closerange(before + 1, after)
    for descriptor in descriptors:
        os.set_inheritable(descriptor, False)


def use_environment(environment: Mapping[str, str]) -> None:
    """Make `environment` that of this process, also for libraries that have read it before.

    Its marker can be read by other processes too, in /proc.
    """
    marker = environment.get(env.EXECUTION, "")
    if marker:
        _write_marker(marker)
    os.environ.clear()
    os.environ.update(environment)
    tempfile.tempdir = None
    renderers = sys.modules.get("plotly.io")
    if renderers is not None and (chosen := environment.get("PLOTLY_RENDERER")):
        renderers.renderers.default = chosen
    pictures = sys.modules.get("matplotlib")
    if pictures is not None and (backend := environment.get("MPLBACKEND")):
        pictures.use(backend)


def _write_marker(marker: str) -> None:
    """Write it over the one with which this program was started: /proc shows that memory."""
    if len(marker) != MARKER_LENGTH:
        raise ValueError("this is no marker")
    ctypes.memmove(_marker_address(), marker.encode(), MARKER_LENGTH)


@cache
def _marker_address() -> int:
    """Where this program's start has put its marker; asked before the environment is changed."""
    libc = ctypes.CDLL(None)
    libc.getenv.restype = ctypes.c_void_p
    address = libc.getenv(env.EXECUTION.encode())
    if address is None:
        raise ValueError("this program was started without a marker")
    return address


def draw_other_random_numbers() -> None:
    """Seed the generators of NumPy and torch anew; Python does so with its own at a fork."""
    if (numpy := sys.modules.get("numpy")) is not None:
        numpy.random.seed()
    if (torch := sys.modules.get("torch")) is not None:
        torch.seed()
