"""The parent: starts S and T, sends the cells through T in order, assembles the notebook."""

from __future__ import annotations

import copy
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

import course
import hub
from hub.grading.apart.manifest import Manifest, ManifestError, read
from hub.grading.apart.values import BadValue, Decoder, Encoder
from hub.grading.apart.wire import Channel, Closed, Malformed, TimedOut
from hub.grading.processes import MARKER
from hub.grading.roles import role
from hub.grading.users import Users, drop_rights, make_expendable

__all__ = ["ManifestError", "MismatchError", "run_apart"]

PATIENCE = 10.0
"""Seconds after a cell's deadline that T has to answer; it watches its own deadlines."""

START_SECONDS = 60.0
"""Time for S and T to start."""

# What the processes inherit of the environment: nothing that names the server or holds a secret.
ENVIRONMENT = (
    *("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "VIRTUAL_ENV"),
    *("OMP_NUM_THREADS", "MKL_NUM_THREADS", "TOKENIZERS_PARALLELISM", "COURSE_MODELS"),
    "COURSE_DEVICE",
    *("HF_HUB_OFFLINE", "HF_HOME", "CUDA_VISIBLE_DEVICES", "MPLCONFIGDIR"),
    *("NBGRADER_EXECUTION", "PLOTLY_RENDERER"),
    MARKER,  # by which they are found and ended when student code killed their parent
)


class MismatchError(ValueError):
    """A given cell or a test of the notebook is not that of the instructor's notebook."""


def run_apart(
    notebook: NotebookNode,
    source: NotebookNode,
    *,
    cell_seconds: float,
    total_seconds: float,
    places: Places | None = None,
) -> NotebookNode:
    """Execute a notebook with the student's cells and the test cells in two processes.

    Args:
        notebook: a submission with its given cells and tests restored.
        source: the instructor's notebook, with reference solutions.
        cell_seconds: time for each cell; what runs longer is interrupted, then killed.
        total_seconds: time for all cells together.
        places: where the processes run; the student's in the current folder if None.

    Returns:
        A copy of `notebook` with new outputs: those of the student's process for all cells but the
        tests; a failed test has an error with its traceback, any other test has no output.

    Raises:
        ManifestError: `source` breaks the rules that let its tests run apart.
        MismatchError: a given cell or test of `notebook` is not the one in `source`.
    """
    manifest = read(source)
    executed = copy.deepcopy(notebook)
    cells = [cell for cell in executed.cells if cell.cell_type == "code"]
    for cell in cells:
        check(cell, manifest)
    with nullcontext(places) if places else here() as where, processes(where) as pair:
        pair.start()
        end = time.monotonic() + total_seconds
        for number, cell in enumerate(cells, 1):
            seconds = min(cell_seconds, end - time.monotonic())
            cell.outputs = nbformat.from_dict(pair.outputs(cell, number, manifest, seconds))
            cell.execution_count = number
    return executed


def check(cell: NotebookNode, manifest: Manifest) -> None:
    """Refuse a cell of ours whose text is not ours."""
    if role(cell) not in ("released", "test"):
        return
    name = cell.metadata.nbgrader.grade_id
    try:
        text = manifest.cell(name).text
    except KeyError:
        raise MismatchError(f"the instructor's notebook has no cell {name!r}") from None
    if text.strip() != cell.source.strip():
        raise MismatchError(f"cell {name!r} is not that of the instructor's notebook")


@dataclass
class Pair:
    """S and T, running."""

    student: subprocess.Popen
    trusted: subprocess.Popen
    channel: Channel
    usable: bool = True
    """T answers."""

    def start(self) -> None:
        """Wait until both processes are ready, so that no cell pays for their start."""
        self._ask("start", (START_SECONDS,), START_SECONDS)

    def outputs(
        self, cell: NotebookNode, number: int, manifest: Manifest, seconds: float
    ) -> list[dict[str, Any]]:
        """Run one cell and return its nbformat outputs."""
        if not cell.source.strip():
            return []
        if seconds <= 0:
            return [
                error("OutOfTime", "the notebook used up the time it has; this cell did not run")
            ]
        kind, payload = request(cell, number, manifest, seconds)
        answer = self._ask(kind, payload, seconds)
        if answer is None:
            return [error("GradingStopped", "the process that runs the tests stopped answering")]
        if kind == "test":
            return [error(*answer["error"])] if answer["error"] else []
        outputs = [] if answer["outputs"] is None else parsed(answer["outputs"])
        if answer["slow"]:
            outputs.append(error("CellTimeout", f"the cell ran longer than {seconds:.0f} seconds"))
        if not answer["alive"]:
            outputs.append(error("ProcessEnded", self._end_of_student()))
        return outputs

    def _ask(self, kind: str, payload: tuple, seconds: float) -> dict[str, Any] | None:
        """T's answer, or None if it gives none: then it is not asked again."""
        deadline = time.monotonic() + seconds + PATIENCE
        if self.usable:
            with suppress(Closed, TimedOut, Malformed, BadValue):
                encoder = Encoder()
                tree = encoder.encode(payload)
                self.channel.send([kind, tree], encoder.blobs, deadline)
                tree, blobs = self.channel.receive(deadline)
                return Decoder(blobs).decode(tree)
        self.usable = False
        return None

    def _end_of_student(self) -> str:
        with suppress(subprocess.TimeoutExpired):
            self.student.wait(5)
        code = self.student.returncode
        how = (
            "" if code is None else f" (by signal {-code})" if code < 0 else f" (exit code {code})"
        )
        return f"the process that runs your cells has ended{how}; it cannot run this cell"


def request(
    cell: NotebookNode, number: int, manifest: Manifest, seconds: float
) -> tuple[str, tuple]:
    """What T is asked to do with a cell: a method's name and its arguments."""
    if role(cell) in ("solution", "student"):
        return "student", (cell.source, number, seconds)
    facts = manifest.cell(cell.metadata.nbgrader.grade_id)
    if facts.role == "test":
        wanted = sorted(manifest.wanted(facts.name))
        classes = sorted(manifest.student_classes)
        return "test", (facts.name, facts.text, wanted, classes, seconds)
    if manifest.runs_apart(facts):
        return "given", (facts.name, facts.text, sorted(facts.stores), number, seconds)
    return "student", (facts.text, number, seconds)


def error(name: str, message: str, traceback: list[str] | None = None) -> dict[str, Any]:
    """An nbformat output that marks a cell as failed."""
    lines = traceback or [f"{name}: {message}"]
    return {"output_type": "error", "ename": name, "evalue": message, "traceback": lines}


def parsed(encoded: bytes) -> list[dict[str, Any]]:
    """The outputs that the student's process claims for a cell, those that are nbformat outputs."""
    try:
        claimed = json.loads(encoded)
    except (ValueError, RecursionError):
        claimed = None
    if not isinstance(claimed, list):
        return [error("BadOutput", "the outputs of this cell could not be read")]
    return [output for output in claimed if is_output(output)]


def is_output(output: Any) -> bool:
    """Whether a JSON value is an nbformat output."""
    try:
        nbformat.validate(output, ref="output", version=4)
    except nbformat.ValidationError:
        return False
    return isinstance(output, dict)


@dataclass(frozen=True)
class Places:
    """Where S and T run, and as whom.

    student: S's folder.
    trusted: T's folder, an empty one.
    environment: what S finds in its environment besides what it inherits.
    users: of the two processes; ours if None. This process, which must be root then, becomes the
        user of the trusted one.
    """

    student: Path
    trusted: Path
    environment: Mapping[str, str]
    users: Users | None = None


@contextmanager
def here() -> Iterator[Places]:
    """S in the current folder, T in a temporary one."""
    with tempfile.TemporaryDirectory(prefix="grading-") as scratch:
        settings, empty = Path(scratch, "ipython"), Path(scratch, "trusted")
        settings.mkdir()
        empty.mkdir()
        yield Places(Path.cwd(), empty, {"IPYTHONDIR": str(settings)})


@contextmanager
def processes(places: Places) -> Iterator[Pair]:
    """S and T, ended with all that they started when the block ends."""
    users = places.users
    to_student, to_trusted = socket.socketpair()
    parent_end, trusted_end = socket.socketpair()
    student = start(
        "student",
        [to_trusted.fileno()],
        places.student,
        places.environment,
        **(users.as_student() if users else {}),
    )
    make_expendable(student.pid)
    process = users.control if users else os.pidfd_open(student.pid)
    trusted = start(
        "trusted",
        [trusted_end.fileno(), to_student.fileno(), process],
        places.trusted,
        {"MPLBACKEND": "agg", "PLOTLY_RENDERER": "json"},
        [student.pid, int(users is not None)],
        **(users.as_tests() if users else {}),
    )
    for sock in (to_student, to_trusted, trusted_end):
        sock.close()
    drop_rights(users)
    try:
        yield Pair(student, trusted, Channel(parent_end))
    finally:
        parent_end.close()
        os.close(process)
        if users is None:  # another user's processes are left to the executor
            for started in (trusted, student):
                with suppress(ProcessLookupError):
                    os.killpg(started.pid, signal.SIGKILL)
                started.wait()


def start(
    module: str,
    descriptors: list[int],
    folder: Path,
    more: Mapping[str, str],
    arguments: Sequence[int] = (),
    **options: Any,
) -> subprocess.Popen:
    """A process that runs a module of this package and holds `descriptors` and nothing else of us.

    Its command line has the descriptors and then `arguments`; `more` joins its environment, and
    `options` go to Popen.

    It finds this package and `course`, but imports nothing from its folder at the start.
    """
    environment = {name: os.environ[name] for name in ENVIRONMENT if name in os.environ}
    roots = {str(Path(package.__file__ or "").parents[1]) for package in (course, hub)}
    environment["PYTHONPATH"] = os.pathsep.join(sorted(roots))
    command = [sys.executable, "-P", "-s", "-m", f"hub.grading.apart.{module}"]
    return subprocess.Popen(
        [*command, *map(str, (*descriptors, *arguments))],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        pass_fds=descriptors,
        cwd=folder,
        env={**environment, **more},
        start_new_session=True,
        **options,
    )
