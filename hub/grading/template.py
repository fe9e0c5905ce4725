"""The template process: `python -m hub.grading.template DESCRIPTOR`. Workers are forked from it.

It imports once what each of them would import, and reads nothing of a student's. Whoever started it
asks over the socket DESCRIPTOR, one message at a time, JSON with descriptors beside it; see
`hub.grading.sandbox.templates`, which speaks to it. It ends when that socket is closed. From it a
process is forked for each notebook, which has also run the given cells before the first answer, and
which is asked in the same way.
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
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

# What every worker and its processes import.
import hub.grading.isolation.judge
import hub.grading.isolation.session
import hub.grading.isolation.student
from hub.facts import env
from hub.grading import worker
from hub.grading.isolation.prefix import CannotShare, Prefix
from hub.grading.isolation.shell import NotebookShell
from hub.grading.sandbox.confine import confine
from hub.grading.sandbox.forking import MARKER_LENGTH, fork
from hub.grading.sandbox.landlock import confined_options
from hub.grading.sandbox.processes import hide_memory, private_memory
from hub.grading.sandbox.run import ANY_SCRATCH, students_environment
from hub.grading.sandbox.templates import MESSAGE_LIMIT, MOST_DESCRIPTORS
from hub.grading.sandbox.users import Users

IDLE_SECONDS = 600.0  # without a request, after which it ends: it takes 0.4 GiB
REHEARSAL_SECONDS = 120.0

del hub


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    serve(socket.socket(fileno=int(sys.argv[1])))


def serve(connection: socket.socket, prefix: Prefix | None = None) -> None:
    """Answer until the connection is closed, or nobody has asked for long.

    prefix: the given cells that this process has run for those that are forked from it.
    """
    hide_memory()
    while select.select([connection], [], [], IDLE_SECONDS)[0] or _has_children():
        message, descriptors, _, _ = socket.recv_fds(connection, MESSAGE_LIMIT, MOST_DESCRIPTORS)
        if not message:
            return
        request = json.loads(message)
        do = globals()[f"do_{request.pop('do')}"]
        answer = do(descriptors, prefix, **request) if do is do_fork else do(descriptors, **request)
        for descriptor in descriptors:
            os.close(descriptor)
        connection.sendall(json.dumps(answer).encode())


def _has_children() -> bool:
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def do_import(_: list[int], modules: list[str]) -> dict[str, Any]:
    """Import modules that are not imported yet, up to the first that breaks off in the middle.

    That one is named: what it has left here would break it for every worker too.
    """
    for name in modules:
        if name in sys.modules:
            continue
        try:
            importlib.import_module(name)
        except ModuleNotFoundError as error:
            if error.name is None or not name.startswith(error.name):
                return {"broken": name, "why": repr(error)}
        except Exception as error:
            return {"broken": name, "why": repr(error)}
    return {}


def do_rehearse(
    _: list[int], cells: list[str], scratch: str, users: list[int], left_out: list[str]
) -> dict[str, Any]:
    """Import what running a notebook's released cells imports, as libraries do at their first use.

    The cells run in a process that ends, as the student process does: here nothing is left of them.
    left_out: modules that are known to break off.
    """
    ours, theirs = os.pipe()
    imported: dict[str, Any] = {}
    folder = Path(scratch, "tmp")
    if users:
        student, tests = users
        options = {**Users(student, tests, -1).as_student(), "preexec_fn": confine}
    else:
        options = {"preexec_fn": partial(_confine_to, Path(scratch))}
    process = fork(
        partial(_rehearse, cells, theirs, frozenset(sys.modules)),
        folder=folder,
        environment=students_environment(Path(scratch)),
        descriptors=(theirs,),
        **options,
    )
    os.close(theirs)
    with open(ours) as names:
        if select.select([names], [], [], REHEARSAL_SECONDS)[0]:
            found = names.read().split()
            imported = do_import([], [name for name in found if name not in left_out])
    # One with a user of its own may not be killed from here, and ends with that user's others.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    for _tick in range(100):
        if process.poll() is not None:
            break
        time.sleep(0.01)
    return imported


def _confine_to(scratch: Path) -> None:
    if restrict := confined_options(scratch).get("preexec_fn"):
        restrict()


def _rehearse(cells: list[str], answers: int, before: frozenset[str]) -> None:
    shell = NotebookShell()
    for number, text in enumerate(cells, 1):
        shell.run(text, number)
    new = (name for name in sys.modules if name not in before)
    os.write(answers, "\n".join(new).encode())


def do_run(
    descriptors: list[int], folder: str, cells: list[list[str]], isolated: bool, users: list[int]
) -> dict[str, Any]:
    """Fork a process that runs given cells and serves at the socket in `descriptors`; its number.

    Its first message there says whether submissions can be forked from it, or `why` not.
    """
    process = fork(
        partial(
            _run_and_serve, descriptors[0], [(name, text) for name, text in cells], isolated, users
        ),
        folder=Path(folder),
        environment={
            **students_environment(ANY_SCRATCH),
            "TMPDIR": str(Path(folder).parent / "tmp"),  # tempfile takes no path through a link
            env.EXECUTION: "0" * MARKER_LENGTH,
        },
        descriptors=descriptors,
    )
    return {"pid": process.pid}


def _run_and_serve(
    descriptor: int, cells: list[tuple[str, str]], isolated: bool, users: list[int]
) -> None:
    connection = socket.socket(fileno=descriptor)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    why = None
    try:
        with _as_student(users):
            prefix = Prefix(cells, isolated)
    except CannotShare as error:
        why = str(error)
    except BaseException as error:
        why = f"the given cells before the first answer failed ({error!r})"[:500]
    connection.sendall(json.dumps({"why": why}).encode())
    if why is None:
        serve(connection, prefix)


@contextmanager
def _as_student(users: list[int]) -> Iterator[None]:
    """Act as the student's user within the block, where there are users: what the cells open is
    theirs."""
    if users:
        os.setegid(users[0])
        os.seteuid(users[0])
    try:
        yield
    finally:
        if users:
            os.seteuid(0)
            os.setegid(0)


def do_fork(
    descriptors: list[int],
    prefix: Prefix | None,
    folder: str,
    environment: dict[str, str],
    limits: dict[str, Any],
    users: list[int],
) -> dict[str, Any]:
    """Fork a worker: its number, and the bytes of memory that it shares with this process.

    descriptors: its standard ones, and where there are users, `control`.
    """
    if threads := len(os.listdir("/proc/self/task")) - 1:
        return {"unsafe": f"{threads} threads were started by what was imported"}
    gc.collect()
    gc.freeze()
    control = descriptors[3:]
    process = fork(
        partial(worker.run, limits, [*users, *control], forked=True, prefix=prefix),
        folder=Path(folder),
        environment=environment,
        descriptors=control,
        standard=(descriptors[0], descriptors[1], descriptors[2]),
    )
    return {"pid": process.pid, "shared": private_memory(os.getpid())}


def do_reap(_: list[int], pid: int) -> dict[str, Any]:
    """Take note of a child's end, after which its number may be another's."""
    with suppress(ChildProcessError):
        os.waitpid(pid, 0)
    return {}


if __name__ == "__main__":
    main()
