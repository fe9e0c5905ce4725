"""The parent: starts the student process and the judge process, sends the cells through the
judge process in order, assembles the notebook."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nbformat import NotebookNode

import course
import hub
from hub.facts import env
from hub.grading.isolation.conversation import DEAF
from hub.grading.isolation.modes import TestMode
from hub.grading.isolation.values import BadValue, Decoder, Encoder
from hub.grading.isolation.wire import Channel, Closed, Malformed, TimedOut
from hub.grading.sandbox.clock import CodeClock, Deadline, process_tree
from hub.grading.sandbox.forking import ForkedProcess, fork
from hub.grading.sandbox.limits import ReferenceTimes
from hub.grading.sandbox.outputs import checked_outputs, first_error, remarked
from hub.grading.sandbox.processes import has_ended
from hub.grading.sandbox.trouble import NO_ANSWER, Trouble, not_interrupted, out_of_time
from hub.grading.sandbox.users import Users, make_expendable

if TYPE_CHECKING:
    from hub.grading.isolation.prefix import CellRecord, Prefix

ANSWER_SECONDS = 10.0
"""Seconds after a cell's deadline that the judge process has to answer; it watches its own
deadlines."""

END_SECONDS = 5.0
"""Time for the student process to end once it has closed its socket, of its own clock."""

END_TICK_SECONDS = 0.02

START_SECONDS = 120.0
"""Time for the student process and the judge process to start, of their own clock. A disk that
was not asked before is slow."""

OUTPUT_LOST = (
    "This cell ran, but what it printed and showed could not be read: something in it, or in an "
    "earlier cell, changed how Python shows things."
)

Process = subprocess.Popen[bytes] | ForkedProcess
Launch = Callable[..., Process]

NO_YARDSTICK = ReferenceTimes()
NOTHING_SHARED: Mapping[int, CellRecord] = {}

# What the processes inherit of the environment: nothing that names the server or holds a secret.
ENVIRONMENT = (
    *("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "VIRTUAL_ENV"),
    *("OMP_NUM_THREADS", "MKL_NUM_THREADS", "TOKENIZERS_PARALLELISM", env.MODELS),
    *(env.DEVICE, "JE_ARROW_MALLOC_CONF"),
    *("HF_HUB_OFFLINE", "HF_HOME", "CUDA_VISIBLE_DEVICES", "MPLCONFIGDIR"),
    *("NBGRADER_EXECUTION", "PLOTLY_RENDERER"),
    env.EXECUTION,  # by which they are found and ended when student code killed their parent
)


@dataclass(frozen=True)
class CellRun:
    """One code cell that has run.

    index: its position among all cells of the notebook.
    count: its position among the cells that have run, from 1.
    outputs: nbformat outputs, as yet unbelieved.
    seconds: that it has used.
    problem: what went wrong with the cell beside ordinary errors, to follow its name in a sentence.
    slow: it was stopped at its time limit.
    trouble: what went wrong here that is no error of a cell.
    """

    index: int
    count: int
    outputs: list[dict[str, Any]]
    seconds: float = 0.0
    problem: str | None = None
    slow: bool = False
    trouble: Trouble | None = None


def run_cells(
    notebook: NotebookNode,
    mode: TestMode,
    *,
    cell_seconds: float,
    total_seconds: float,
    given_seconds: Callable[[str], float] = NO_YARDSTICK.budget,
    left_out: Collection[int] = (),
    shared: Mapping[int, CellRecord] = NOTHING_SHARED,
    pair: ProcessPair | None = None,
) -> Iterator[CellRun]:
    """Execute a notebook in the student process and the judge process.

    Yields each code cell that is not blank when it has run, up to the first trouble that ends all.
    What has the index -1 is no cell: first that the processes are ready, last that there is no time
    for another cell.
    Outputs are those of the student process, but for a test that ran in the judge process: if it
    failed it has an error with its traceback, else none.

    notebook: a submission with its given cells and tests restored.
    mode: where its tests run.
    cell_seconds: time for each cell; what runs longer is interrupted, then killed.
    total_seconds: time for all of the student's cells and the tests together.
    given_seconds: the time of a given cell that uses nothing of the student's, by its name; it is
        not part of `total_seconds`.
    left_out: positions of cells that are not run.
    shared: by position, the given cells that were run before both processes were forked.
    pair: the two processes; started here, the student's in the current folder, if None.

    Raises MismatchError, if a given cell or test of `notebook` is not the instructor's.
    """
    cells = [(i, cell) for i, cell in enumerate(notebook.cells) if cell.cell_type == "code"]
    for _, cell in cells:
        mode.check(cell)
    with nullcontext(pair) if pair else own_processes() as pair:
        yield CellRun(-1, 0, [], trouble=(trouble := pair.start()))
        if trouble is not None:
            return
        pair.adopt([name for index, cell in cells if index in shared for name in mode.stores(cell)])
        left, count = total_seconds, 0
        for index, cell in cells:
            if index in left_out or not cell.source.strip():
                continue
            count += 1
            if (record := shared.get(index)) is not None:
                yield CellRun(index, count, record.outputs, record.seconds)
                continue
            given = mode.is_given(index, cell)
            seconds = given_seconds(cell.metadata.nbgrader.grade_id) if given else cell_seconds
            over = Trouble("time", index, out_of_time(total_seconds))
            if not given and left <= 0:
                yield CellRun(-1, 0, [], trouble=over)
                return
            ran = pair.run(index, cell, count, mode, seconds if given else min(seconds, left))
            if not given and ran.slow and left < seconds and ran.trouble is None:
                ran = replace(ran, problem=None, slow=False, trouble=over)
            left -= 0.0 if given else ran.seconds
            yield ran
            if ran.trouble is not None and ran.trouble.kind != "given":
                return


@dataclass
class ProcessPair:
    """The student process and the judge process, running."""

    student: Process
    judge: Process
    channel: Channel
    clock: CodeClock

    def start(self) -> Trouble | None:
        """Wait until both processes are ready, so that no cell pays for their start."""
        answer = self._ask("start", (START_SECONDS,), START_SECONDS)
        if answer is None or not answer["alive"]:
            return Trouble("grading", None, "the processes that run a notebook did not start")
        return None

    def adopt(self, stores: list[str]) -> None:
        """Tell both processes which names given cells have bound before they were forked."""
        if stores:
            self._ask("adopt", (stores, ANSWER_SECONDS), ANSWER_SECONDS)

    def run(
        self, index: int, cell: NotebookNode, count: int, mode: TestMode, seconds: float
    ) -> CellRun:
        """Run one cell, which may use `seconds`."""
        kind, payload = mode.request(cell, count, seconds)
        answer = self._ask(kind, payload, seconds)
        if answer is None:
            gone = Trouble("grading", index, "a process of the grading ended")
            stopped = [error("CellStopped", gone.message)]
            return CellRun(index, count, stopped, seconds, trouble=gone)
        outputs = self._outputs(kind, answer)
        problem = remarked(outputs)
        trouble: Trouble | None = None
        if answer["slow"]:
            problem = f"was stopped after {seconds:.3g} s, its time limit"
            if kind != "test":
                outputs.append(error("CellTimeout", f"This cell {problem}."))
        if not answer["alive"]:
            problem, end = None, self._end_of_student(index, answer["killed"], seconds)
            trouble = end
            if kind != "test" or not outputs:  # what ended here has passed no test
                outputs.append(error("CellStopped", end.message))
        elif mode.is_given(index, cell) and (failed := answer["given"] or first_error(outputs)):
            trouble = Trouble("given", index, failed)
        slow = answer["slow"]
        return CellRun(index, count, outputs, answer["seconds"], problem, slow, trouble)

    def _outputs(self, kind: str, answer: dict[str, Any]) -> list[dict[str, Any]]:
        if kind == "test":
            return [error(*answer["error"])] if answer["error"] else []
        if answer["outputs"] is not None:
            return parsed(answer["outputs"])
        ran = answer["alive"] and not answer["slow"]
        return [error("OutputLost", OUTPUT_LOST)] if ran else []

    def _ask(self, kind: str, payload: tuple, seconds: float) -> dict[str, Any] | None:
        """The judge process's answer, or None if it gives none."""
        deadline = Deadline.after(seconds + ANSWER_SECONDS, self.clock)
        with suppress(Closed, TimedOut, Malformed, BadValue):
            encoder = Encoder()
            tree = encoder.encode(payload)
            self.channel.send([kind, tree], encoder.blobs, deadline)
            tree, blobs = self.channel.receive(deadline)
            return Decoder(blobs).decode(tree)
        return None

    def _end_of_student(self, index: int, killed: str, seconds: float) -> Trouble:
        if killed == DEAF:
            return Trouble("deaf", index, not_interrupted(seconds))
        if killed:
            return Trouble("ended", index, f"it broke the rules of grading: {killed}")
        deadline = Deadline.after(END_SECONDS, self.clock)
        ended = None
        while (ended := has_ended(self.student)) is None and deadline.remaining() > 0:
            time.sleep(END_TICK_SECONDS)
        kind, message = ended or NO_ANSWER
        return Trouble(kind, index, message)


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
        return [error("OutputLost", OUTPUT_LOST)]
    return checked_outputs(claimed)


@dataclass(frozen=True)
class ProcessSetup:
    """Where the student process and the judge process run, and as whom.

    student: the student process's folder.
    judge: the judge process's folder, an empty one.
    environment: what the student process finds in its environment besides what it inherits.
    users: of the two processes; ours if None. This process must be root then.
    options: keywords of Popen that keep the student process to what is its own.
    launch: how the two are started: `start` or `start_forked`.
    """

    student: Path
    judge: Path
    environment: Mapping[str, str]
    users: Users | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    launch: Launch = field(default_factory=lambda: start)


@contextmanager
def own_processes() -> Iterator[ProcessPair]:
    """The student process in the current folder, the judge process in a temporary one."""
    with tempfile.TemporaryDirectory(prefix="grading-") as scratch:
        settings, empty = Path(scratch, "ipython"), Path(scratch, "judge")
        settings.mkdir()
        empty.mkdir()
        setup = ProcessSetup(Path.cwd(), empty, {"IPYTHONDIR": str(settings)})
        with processes(setup) as pair:
            yield pair


@contextmanager
def processes(setup: ProcessSetup) -> Iterator[ProcessPair]:
    """The student process and the judge process, ended with all that they started when the block
    ends."""
    users = setup.users
    to_student, to_judge = socket.socketpair()
    parent_end, judge_end = socket.socketpair()
    student = setup.launch(
        "student",
        [to_judge.fileno()],
        setup.student,
        setup.environment,
        **setup.options,
    )
    make_expendable(student.pid)
    process = users.control if users else os.pidfd_open(student.pid)
    judge = setup.launch(
        "judge",
        [judge_end.fileno(), to_student.fileno(), process],
        setup.judge,
        {"MPLBACKEND": "agg", "PLOTLY_RENDERER": "json"},
        [student.pid, int(users is not None)],
        **(users.as_tests() if users else {}),
    )
    for sock in (to_student, to_judge, judge_end):
        sock.close()
    try:
        clock = CodeClock(process_tree(student.pid, judge.pid))
        yield ProcessPair(student, judge, Channel(parent_end), clock)
    finally:
        parent_end.close()
        os.close(process)
        if users is None:  # another user's processes are left to the executor
            for started in (judge, student):
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
    command = [sys.executable, "-P", "-s", "-m", f"hub.grading.isolation.{module}"]
    return subprocess.Popen(
        [*command, *map(str, (*descriptors, *arguments))],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        pass_fds=descriptors,
        cwd=folder,
        env={**inherited(), **more},
        start_new_session=True,
        **options,
    )


def start_forked(
    module: str,
    descriptors: list[int],
    folder: Path,
    more: Mapping[str, str],
    arguments: Sequence[int] = (),
    *,
    prefix: Prefix | None = None,
    **options: Any,
) -> ForkedProcess:
    """As `start`, from this process, which has one thread and has imported the module.

    prefix: the cells that this process has run.
    """
    main = sys.modules[f"hub.grading.isolation.{module}"].main
    return fork(
        partial(main, [*descriptors, *arguments], prefix),
        folder=folder,
        environment={**inherited(), **more},
        descriptors=descriptors,
        **options,
    )


def inherited() -> dict[str, str]:
    """Of our environment, what the two processes have."""
    environment = {name: os.environ[name] for name in ENVIRONMENT if name in os.environ}
    roots = {str(Path(package.__file__ or "").parents[1]) for package in (course, hub)}
    return {**environment, "PYTHONPATH": os.pathsep.join(sorted(roots))}
