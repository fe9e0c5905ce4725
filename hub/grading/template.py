"""The template process: `python -m hub.grading.template DESCRIPTOR`. Workers are forked from it.

It imports once what each of them would import, and reads nothing of a student's. Whoever started it
asks over the socket DESCRIPTOR, one message at a time, JSON with descriptors beside it; see
`hub.grading.sandbox.templates`, which speaks to it. It ends when that socket is closed.
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
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

# What every worker and its processes import.
import hub.grading.isolation.judge
import hub.grading.isolation.session
import hub.grading.isolation.student
from hub.grading import worker
from hub.grading.isolation.shell import NotebookShell
from hub.grading.sandbox.confine import confine
from hub.grading.sandbox.forking import fork
from hub.grading.sandbox.landlock import confined_options
from hub.grading.sandbox.processes import hide_memory, private_memory
from hub.grading.sandbox.run import students_environment
from hub.grading.sandbox.templates import MESSAGE_LIMIT, MOST_DESCRIPTORS
from hub.grading.sandbox.users import Users

IDLE_SECONDS = 600.0  # without a request, after which it ends: it takes 0.4 GiB
REHEARSAL_SECONDS = 120.0

del hub


def main() -> None:
    connection = socket.socket(fileno=int(sys.argv[1]))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    hide_memory()
    while select.select([connection], [], [], IDLE_SECONDS)[0] or _has_workers():
        message, descriptors, _, _ = socket.recv_fds(connection, MESSAGE_LIMIT, MOST_DESCRIPTORS)
        if not message:
            return
        request = json.loads(message)
        answer = globals()[f"do_{request.pop('do')}"](descriptors, **request)
        for descriptor in descriptors:
            os.close(descriptor)
        connection.sendall(json.dumps(answer).encode())


def _has_workers() -> bool:
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


def do_fork(
    descriptors: list[int],
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
        partial(worker.run, limits, [*users, *control], forked=True),
        folder=Path(folder),
        environment=environment,
        descriptors=control,
        standard=(descriptors[0], descriptors[1], descriptors[2]),
    )
    return {"pid": process.pid, "shared": private_memory(os.getpid())}


def do_reap(_: list[int], pid: int) -> dict[str, Any]:
    """Take note of a worker's end, after which its number may be another's."""
    with suppress(ChildProcessError):
        os.waitpid(pid, 0)
    return {}


if __name__ == "__main__":
    main()
