"""Runs one notebook's worker in a scratch folder, and ends all that it started.

Used by `execute` in this process, and by the executor, which gives each run users of its own.
What the worker says comes back as bytes that nobody has believed yet.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from course.models import models_folders
from hub.facts import env
from hub.grading.sandbox.clock import CodeClock, process_tree
from hub.grading.sandbox.landlock import PACKAGES, STUDENTS_FOLDERS
from hub.grading.sandbox.limits import ExecutionLimits, ReferenceTimes
from hub.grading.sandbox.processes import LimitWatch, descendants, end_tree, hide_memory
from hub.grading.sandbox.templates import (
    ForkedWorker,
    NotebookFacts,
    WorkerSetup,
    start_worker,
)
from hub.grading.sandbox.transport import WorkerSocket
from hub.grading.sandbox.trouble import Kind

GRACE_SECONDS = 180  # for the start of the processes and their end, on top of all cells' time
TICK_SECONDS = 0.25
LOG_BYTES = 500  # of what the worker wrote to stderr last

IDLE_AFTER_SECONDS = 0.25
IDLE_SHARE = 0.1  # of that time: who wants a processor for less is waiting for something else

Busy = Callable[[bool], None]

# Of the scratch folder's folders, the one that belongs to what judges.
TESTS_FOLDER = "tests"

# The scratch folder of whoever reads it: for what libraries read once, in the template.
ANY_SCRATCH = Path("/proc/self/cwd/..")


@dataclass(frozen=True)
class RunOutcome:
    """The outcome of a run.

    lines: what the worker wrote; `hub.grading.pipeline.execute` reads it.
    stopped: kind and words of the trouble for which the worker had to be ended, or ended; None if
        its lines say it.
    seconds: wall time.
    """

    lines: bytes
    stopped: tuple[Kind, str] | None
    seconds: float


@dataclass(frozen=True)
class WorkerRequest:
    """A request to a worker, and what is to be known of it outside.

    text: the request as JSON, as the worker reads it.
    notebook: what it has in common with others.
    limits: those of the request.
    most: bytes that are kept of the answer.
    given_seconds: what all its given cells may use.
    """

    text: bytes
    notebook: NotebookFacts
    limits: ExecutionLimits
    most: int
    given_seconds: float

    @classmethod
    def of(cls, request: Mapping[str, Any], text: bytes) -> WorkerRequest:
        """Raises ValueError, TypeError or KeyError where it is none."""
        limits, cells = ExecutionLimits(**request["limits"]), request["notebook"]["cells"]
        return cls(
            text=text,
            notebook=NotebookFacts(
                released=tuple(request["released"]),
                imports=tuple(request["imports"]),
                first=tuple(
                    (cells[at]["metadata"]["nbgrader"]["grade_id"], cells[at]["source"])
                    for at in request["prefix"]
                ),
                isolated=request["tests"] == "isolated",
            ),
            limits=limits,
            most=4 * limits.output_bytes + 100_000 * (len(cells) + 10),
            given_seconds=ReferenceTimes.from_data(request["yardstick"]).all_given_seconds,
        )


def run_here(
    request: Mapping[str, Any],
    files: Mapping[str, Path],
    limits: ExecutionLimits,
    models: Path | None = None,
    busy: Busy = lambda busy: None,
) -> RunOutcome:
    """Run a request (see `worker`) as the user who calls, in a temporary folder.

    models: a folder of checkpoints that is tried before all others.
    busy: told whenever the processes begin or cease to want a processor.

    This process's memory, environment and descriptors are closed to other processes of the same
    user from here on: student code is one of them.
    """
    hide_memory()
    with tempfile.TemporaryDirectory(prefix="logitlab-", ignore_cleanup_errors=True) as scratch:
        make_folders(Path(scratch))
        for name, path in files.items():
            if not path.is_symlink() and path.is_file() and (target := inside(scratch, name)):
                shutil.copyfile(path, target)
        marker = secrets.token_hex(16)
        environment = {env.EXECUTION: marker}
        if models is not None:
            folders = [models.resolve(), *models_folders()]
            environment[env.MODELS] = os.pathsep.join(map(str, folders))
        asked = WorkerRequest.of(request, json.dumps(request).encode())
        with worker(asked, Path(scratch), environment) as running:
            try:
                running.wait(
                    limits,
                    lambda: [one.pid for one in descendants(running.process.pid)],
                    given_seconds=asked.given_seconds,
                    busy=busy,
                )
            finally:
                end_tree(running.process.pid, marker)
                running.process.wait()
            return running.answer()


def make_folders(scratch: Path) -> None:
    for name in (*STUDENTS_FOLDERS, TESTS_FOLDER):
        (scratch / name).mkdir(mode=0o700)


def inside(scratch: Path | str, name: str) -> Path | None:
    """Where the file `name` goes in a scratch folder; None for a name that leads out of it."""
    relative = PurePosixPath(name)
    if relative.is_absolute() or ".." in relative.parts or not relative.name or "\0" in name:
        return None
    target = Path(scratch, "work", relative)
    target.parent.mkdir(parents=True, exist_ok=True)
    return target


class Activity:
    """Tells when processes begin or cease to want a processor, from their clock."""

    def __init__(self, clock: CodeClock, busy: Busy) -> None:
        self._clock, self._busy = clock, busy
        self._reported: bool | None = None
        self._since, self._before = time.monotonic(), clock.active

    def report(self) -> None:
        """Say whether they did since it was last asked, if that is news."""
        now = time.monotonic()
        wall = now - self._since
        if wall < IDLE_AFTER_SECONDS:
            return
        wanted = self._clock.active - self._before > IDLE_SHARE * wall
        self._since, self._before = now, self._clock.active
        if wanted != self._reported:
            self._reported = wanted
            self._busy(wanted)


class RunningWorker:
    """A worker, the line to it, and the line on which its stderr comes.

    shared: bytes of memory that it and its processes share with the one that it was forked from.
    """

    def __init__(
        self,
        process: subprocess.Popen[bytes] | ForkedWorker,
        scratch: Path,
        results: WorkerSocket,
        log: WorkerSocket,
    ) -> None:
        self.process = process
        self._shared = process.shared if isinstance(process, ForkedWorker) else 0
        self._scratch, self._results, self._log = scratch, results, log
        self._stopped: tuple[Kind, str] | None = None
        self._started = time.monotonic()

    def wait(
        self,
        limits: ExecutionLimits,
        tree: Callable[[], list[int]],
        cancelled: Callable[[], bool] = lambda: False,
        *,
        given_seconds: float = 0.0,
        busy: Busy = lambda busy: None,
    ) -> None:
        """Wait for the worker to end, or for a limit to be passed by the processes of `tree`.

        given_seconds: what all given cells together may use.
        busy: as in `run_here`.
        """
        watch = LimitWatch(limits, self._scratch, self._shared)
        clock = CodeClock(process_tree(self.process.pid))
        activity = Activity(clock, busy)
        most = limits.total_seconds + given_seconds + GRACE_SECONDS
        while self._stopped is None:
            try:
                self.process.wait(timeout=TICK_SECONDS)
                return
            except subprocess.TimeoutExpired:
                pass
            used = clock.used()
            activity.report()
            if cancelled():
                self._stopped = "grading", "nobody waits for the outcome any more"
            elif used > most:
                self._stopped = "grading", f"the notebook was not finished after {most:.0f} s"
            elif passed := watch.beyond(tree()):
                self._stopped = "limit", passed

    def answer(self) -> RunOutcome:
        """What the worker, which has ended, wrote; also where it was killed."""
        self._results.close()
        self._log.close()
        stopped = self._stopped or ("grading", _last_output(self._log.received()))
        return RunOutcome(self._results.received(), stopped, time.monotonic() - self._started)


@contextmanager
def worker(
    asked: WorkerRequest,
    scratch: Path,
    environment: Mapping[str, str],
    users: tuple[int, ...] = (),
) -> Iterator[RunningWorker]:
    """A worker that is sent a request.

    users: student, tests and control of the worker's `Users`; none if it has no users of its own.
    """
    results, log = WorkerSocket(asked.most, asked.text), WorkerSocket(LOG_BYTES, newest=True)
    theirs = results.theirs.fileno()
    environment = {**students_environment(scratch), **own_environment(scratch), **environment}
    try:
        process = _start_worker(
            asked, scratch, environment, users, (theirs, theirs, log.theirs.fileno())
        )
        results.start()
        log.start()
        yield RunningWorker(process, scratch, results, log)
    finally:
        results.close()
        log.close()


def _start_worker(
    asked: WorkerRequest,
    scratch: Path,
    environment: Mapping[str, str],
    users: tuple[int, ...],
    standard: tuple[int, int, int],
) -> subprocess.Popen[bytes] | ForkedWorker:
    """Fork a worker from the template; start it afresh where that is unsafe."""
    folder = scratch / TESTS_FOLDER
    *ids, control = users or (None,)
    descriptors = standard if control is None else (*standard, control)
    template = students_environment(ANY_SCRATCH)
    limits = asked.limits.as_data()
    setup = WorkerSetup(limits, ids, folder, environment, descriptors)
    forked = start_worker(template, scratch.parent, asked.notebook, setup)
    if forked is not None:
        return forked
    arguments = {"limits": limits, "users": users}
    return subprocess.Popen(
        [sys.executable, "-P", "-s", "-m", "hub.grading.worker", json.dumps(arguments)],
        stdin=standard[0],
        stdout=standard[1],
        stderr=standard[2],
        pass_fds=descriptors[3:],
        cwd=folder,
        env=environment,
        start_new_session=True,
    )


def students_environment(scratch: Path) -> dict[str, str]:
    """What student code may see: nothing of the grader's own environment but the models."""
    environment = {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), "/usr/bin", "/bin"]),
        "PYTHONPATH": str(PACKAGES),
        "HOME": str(scratch / "home"),
        "TMPDIR": str(scratch / "tmp"),
        "USER": "student",  # its number has no name
        "LANG": "C.UTF-8",
        "LC_ALL": "C.UTF-8",
        "OMP_NUM_THREADS": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "HF_HUB_OFFLINE": "1",
        # Its thread would not be in a forked process.
        "JE_ARROW_MALLOC_CONF": "background_thread:false",
        # Cells that ask for a device get the CPU: a process that uses CUDA cannot be forked.
        "CUDA_VISIBLE_DEVICES": "",
        # Figures as data: the default of Plotly puts 4.8 MB of script into the output as well.
        "PLOTLY_RENDERER": "plotly_mimetype",
        "NBGRADER_EXECUTION": "autograde",
    }
    # Named, as a job's own data folder holds none.
    environment[env.MODELS] = os.pathsep.join(map(str, models_folders()))
    if device := os.environ.get(env.DEVICE):
        environment[env.DEVICE] = device
    return environment


def own_environment(scratch: Path) -> dict[str, str]:
    """Where it differs for the worker and the judge process of isolated tests."""
    own = str(scratch / TESTS_FOLDER)
    return {"HOME": own, "TMPDIR": own}


def _last_output(log: bytes) -> str:
    lines = log.decode("utf-8", "replace").strip().splitlines()
    return "the process that ran the notebook ended early" + (f" ({lines[-1]})" if lines else "")
