"""The kernel template: `python -m hub.singleuser.warm_kernels.template DESCRIPTOR SERVER`.

It imports what notebooks import, one module after the other and only while a processor is idle, so
that it never slows the start of a class. At any time it is asked over the socket DESCRIPTOR to fork
a kernel, which then imports the rest itself, if need be. It runs no cell, has one thread and never
touches CUDA. It ends with the process SERVER, and after a while without a kernel.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from hub.grading.sandbox.forking import fork

MESSAGE_LIMIT = 200_000  # bytes of a request
IDLE_SECONDS = 1800.0  # without a kernel, after which it ends: it takes 0.4 GiB
PAUSE = 0.25  # seconds between two looks at the processors
SLICE = 0.3  # seconds after which no further module is begun before it looks again
MOST_PAUSES = 80  # on a machine that is always busy, after which it goes on all the same

# In the order in which the first notebook needs them.
MODULES = (
    "ipykernel.kernelapp",
    "ipykernel.zmqshell",
    "numpy",
    "torch",
    "einops",
    "jaxtyping",
    "plotly.graph_objects",
    "course.checks",
    "course.drawings",
    "course.plots",
    "course.viewer",
    "course.models",
    "transformer_lens",
    "ipywidgets",
)


class ZMQInteractiveShell:
    """What libraries see that ask, when they are imported, whether they are in a notebook."""

    config: ClassVar[dict[str, dict]] = {"IPKernelApp": {}}


ZMQInteractiveShell.__module__ = "ipykernel.zmqshell"


@contextmanager
def as_in_a_notebook() -> Iterator[None]:
    """Libraries imported within the block choose what they choose in a notebook."""
    import IPython

    before = IPython.get_ipython
    shell: Any = ZMQInteractiveShell
    IPython.get_ipython = IPython.core.getipython.get_ipython = shell
    try:
        yield
    finally:
        IPython.get_ipython = IPython.core.getipython.get_ipython = before


class Imports:
    """The modules that are still to be imported, and those that later use of them imports."""

    def __init__(self, modules: tuple[str, ...] = MODULES) -> None:
        self._left = deque(modules)
        self._rehearsed = False
        self._pauses = 0
        self._before = _processor_times()

    def __len__(self) -> int:
        return len(self._left) + (not self._rehearsed)

    def go_on(self) -> None:
        """Import one more, or several small ones, if a processor is idle."""
        before, self._before = self._before, _processor_times()
        if not _idle(before, self._before) and self._pauses < MOST_PAUSES:
            self._pauses += 1
            return
        if not self._left:
            self._rehearsed = True
            self._left.extend(_imported_by_use())
            return
        until = time.monotonic() + SLICE
        while self._left:
            # A library that cannot be imported is told of in the notebook that wants it.
            with as_in_a_notebook(), suppress(Exception):
                importlib.import_module(self._left.popleft())
            if time.monotonic() >= until:
                break


def _processor_times() -> tuple[int, int]:
    """Ticks of all processors since the machine started: idle ones, and all."""
    try:
        fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]
    except OSError:
        return 0, 0
    ticks = [int(field) for field in fields]
    return ticks[3], sum(ticks)


def _idle(before: tuple[int, int], after: tuple[int, int]) -> bool:
    """Whether at least half a processor was idle between two looks at their times."""
    idle, all_ = after[0] - before[0], after[1] - before[1]
    return all_ <= 0 or idle / all_ * (os.cpu_count() or 1) >= 0.5


def _imported_by_use() -> list[str]:
    """The modules that the first use of what was imported imports, found in a process that ends."""
    ours, theirs = os.pipe()

    def use() -> None:
        before = {*sys.modules}
        with suppress(Exception):
            _rehearse()
        os.write(theirs, "\n".join(name for name in sys.modules if name not in before).encode())

    process = fork(use, folder=Path("/"), environment=dict(os.environ), descriptors=(theirs,))
    os.close(theirs)
    with open(ours) as names:
        found = names.read().split()
    process.wait()
    return found


def _rehearse() -> None:
    """Compute, show and fail as a notebook does."""
    from IPython.core.formatters import DisplayFormatter
    from IPython.core.ultratb import VerboseTB

    from course.warm_up import warm_up

    for drawn in warm_up():
        DisplayFormatter().format(drawn)
    try:
        raise ValueError
    except ValueError:
        VerboseTB().text(*sys.exc_info())


class KernelForker:
    """Forks kernels, which stay its children until their server has taken note of their end."""

    def __init__(self, connection: socket.socket, server: int) -> None:
        self._connection = connection
        self._server = server
        self._kernels: set[int] = set()
        self._used = time.monotonic()
        self._nothing = os.open(os.devnull, os.O_RDONLY)
        self._threads = _threads()

    def serve(self, imports: Imports) -> None:
        """Import and answer, until the server has ended or nobody has used a kernel for long."""
        while self._wanted():
            seconds = PAUSE if imports else IDLE_SECONDS
            if not select.select([self._connection], [], [], seconds)[0]:
                if imports:
                    imports.go_on()
                    if "torch" not in sys.modules:
                        # NumPy's BLAS has some, which it ends before a fork.
                        self._threads = _threads()
                continue
            message = self._connection.recv(MESSAGE_LIMIT)
            if not message:
                return
            request = json.loads(message)
            if "left" in request:
                answer: dict[str, Any] = {"left": len(imports)}
            else:
                answer = self._reap(**request) if "pid" in request else self._fork(**request)
            self._connection.sendall(json.dumps(answer).encode())

    def _wanted(self) -> bool:
        if any(_runs(pid) for pid in self._kernels):
            self._used = time.monotonic()
        return time.monotonic() - self._used < IDLE_SECONDS

    def _fork(
        self, arguments: list[str], folder: str, environment: dict[str, str]
    ) -> dict[str, Any]:
        self._used = time.monotonic()
        if (found := _threads()) > self._threads:
            return {"why": f"imports have started threads ({found})"}
        gc.collect()
        gc.freeze()  # so that collections in kernels write to none of the pages that all share
        process = fork(
            partial(run_kernel, arguments, self._server),
            folder=Path(folder),
            # ipykernel's own watch of its parent would end it with this process: see _end_with.
            environment={**environment, "JPY_PARENT_PID": "1"},
            standard=(self._nothing, 1, 2),
        )
        self._kernels.add(process.pid)
        return {"pid": process.pid}

    def _reap(self, pid: int) -> dict[str, Any]:
        self._kernels.discard(pid)
        try:
            _, status = os.waitpid(pid, 0)
        except ChildProcessError:
            return {"status": 1}
        return {"status": os.waitstatus_to_exitcode(status)}


def _threads() -> int:
    return len(os.listdir("/proc/self/task"))


def _runs(pid: int) -> bool:
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None


def run_kernel(arguments: list[str], server: int) -> None:
    """Be the kernel that `python -m ipykernel_launcher ARGUMENTS` is, until the server ends."""
    threading.Thread(target=_end_with, args=(server,), daemon=True).start()
    from ipykernel.kernelapp import IPKernelApp

    signal.signal(signal.SIGPIPE, signal.SIG_IGN)  # as Python does when it starts
    sys.argv = ["ipykernel_launcher", *arguments]
    IPKernelApp.launch_instance(arguments)


def _end_with(server: int) -> None:
    try:
        ended = os.pidfd_open(server)
    except ProcessLookupError:
        os._exit(1)
    select.select([ended], [], [])
    os._exit(1)


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Control-C at the server's terminal
    del sys.path[0]  # the folder in which this was started
    descriptor, server = sys.argv[1:]
    connection = socket.socket(fileno=int(descriptor))
    KernelForker(connection, int(server)).serve(Imports())


if __name__ == "__main__":
    main()
