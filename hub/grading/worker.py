"""The process that executes one notebook, forked from the template or started afresh as
`python -m hub.grading.worker ARGUMENTS`, which are those of `run` as JSON.

Reads the request (JSON) from standard input and writes one JSON line a finished cell to
standard output, so that what has run is kept even if this process is killed. It starts the student
process and the judge process, and is the parent of whatever they leave behind. The executor starts
it as root and names the users that those two and this process become (see `users`); it is root no
longer when the first cell runs.
"""

from __future__ import annotations

import json
import os
import resource
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hub.facts.limits import MIB
from hub.grading.sandbox.confine import confine
from hub.grading.sandbox.landlock import confined_options
from hub.grading.sandbox.limits import ExecutionLimits, ReferenceTimes
from hub.grading.sandbox.outputs import OutputBudget
from hub.grading.sandbox.processes import adopt_orphans, end_tree
from hub.grading.sandbox.run import students_environment
from hub.grading.sandbox.users import Users, drop_rights

if TYPE_CHECKING:
    from hub.grading.isolation.modes import TestMode
    from hub.grading.isolation.prefix import CellRecord, Prefix
    from hub.grading.isolation.session import ProcessPair

SPARE_THREADS = 256  # that an honest notebook's libraries may start besides its processes

Send = Callable[[dict[str, Any]], None]


def main() -> None:
    run(**json.loads(sys.argv[1]), forked=False)


def run(
    limits: Mapping[str, Any],
    users: Sequence[int],
    *,
    forked: bool,
    prefix: Prefix | None = None,
) -> None:
    """Serve one request.

    limits: those of the request, as `ExecutionLimits` has them.
    users: student, tests and control of `Users`, or none.
    forked: whether this process has imported already what those that it starts need, and has one
        thread.
    prefix: the given cells that it has run.
    """
    own = Users(*users) if users else None
    if own is not None:
        confine()
    # What is started inherits descriptors 0 to 2: neither the request nor the results are there.
    requests, lines = os.dup(0), os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    # Where cells were run before, these are their outputs'.
    sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__
    adopt_orphans()
    _limit_resources(ExecutionLimits(**limits), own)

    def send(line: dict[str, Any]) -> None:
        lines.write(json.dumps(line) + "\n")
        lines.flush()

    def receive() -> dict[str, Any]:
        with open(requests, "rb") as text:
            return json.load(text)

    try:
        _serve(receive, own, send, forked, prefix)
        send({"finished": True})
    finally:
        if own is None:
            end_tree(os.getpid())


def _limit_resources(limits: ExecutionLimits, users: Users | None) -> None:
    """Limit what this process may use, and each that it starts."""
    memory = limits.memory_mib * MIB
    resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
    resource.setrlimit(resource.RLIMIT_FSIZE, (limits.files_mib * MIB,) * 2)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if users is not None:
        # Counts threads, and all of a user, so only for users that nobody else has.
        most = limits.processes + SPARE_THREADS
        resource.setrlimit(resource.RLIMIT_NPROC, (most, most))


def _serve(
    receive: Callable[[], dict[str, Any]],
    users: Users | None,
    send: Send,
    forked: bool,
    prefix: Prefix | None,
) -> None:
    from hub.grading.isolation.session import ProcessSetup, processes, start, start_forked

    scratch = Path.cwd().parent  # a worker is started in one of its folders
    setup = ProcessSetup(
        student=scratch / "work",
        judge=scratch / "tests",
        environment=students_environment(scratch),
        users=users,
        options=users.as_student() if users else confined_options(scratch),
        launch=partial(start_forked, prefix=prefix) if forked else start,
    )
    # The request, which has the tests, is read when the student process is there: it must not
    # inherit them.
    with processes(setup) as pair:
        request = receive()
        drop_rights(users)
        _run_pair(request, pair, send, prefix.cells if prefix else ())


def _run_pair(
    request: dict[str, Any], pair: ProcessPair, send: Send, shared: Sequence[CellRecord]
) -> None:
    from nbformat import from_dict

    from hub.grading.isolation.modes import MismatchError
    from hub.grading.isolation.session import run_cells

    limits = ExecutionLimits(**request["limits"])
    budget = OutputBudget(limits.output_bytes)
    try:
        for ran in run_cells(
            from_dict(request["notebook"]),
            _mode(request),
            cell_seconds=limits.cell_seconds,
            total_seconds=limits.total_seconds,
            given_seconds=ReferenceTimes.from_data(request["yardstick"]).budget,
            left_out=request["left_out"],
            shared=dict(zip(request["prefix"], shared, strict=False)),
            pair=pair,
        ):
            if ran.index < 0:
                send({"ready": ran.trouble is None})
            else:
                send(
                    {
                        "cell": ran.index,
                        "outputs": budget.kept(ran.outputs),
                        "execution_count": ran.count,
                        "seconds": round(ran.seconds, 3),
                    }
                )
            if ran.problem:
                send({"problem": ran.problem, "cell": ran.index, "slow": ran.slow})
            if ran.trouble:
                send({"trouble": asdict(ran.trouble)})
    except MismatchError as error:
        send({"refused": str(error)})
        return
    if budget.cut:
        most = f"{limits.output_mib:g} MiB"
        send({"problem": f"The output was cut: a notebook may print at most {most}."})


def _mode(request: dict[str, Any]) -> TestMode:
    from hub.facts.manifest import Manifest
    from hub.grading.isolation.modes import InKernel, Isolated

    if request["tests"] == "isolated":
        return Isolated(Manifest.from_data(request["manifest"]), request["seed"])
    return InKernel(frozenset(request["given"]))


if __name__ == "__main__":
    main()
