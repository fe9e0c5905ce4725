"""The judge process. It runs given cells and test cells, and passes the student's cells on.

It is given PARENT, STUDENT, PROCESS, PID and OTHER: the
descriptors of its sockets to the parent and to the student process, and of the student process as a
process; the student process's id; and 1 if the student process has another user (then PROCESS is
where to request signals for the student process), else 0. It compiles only text of the
instructor's notebook. Its answer to the parent is a dict for each cell:

    outputs   the student process's outputs of the cell, as JSON; None if it sent none
    alive     whether the student process can take further requests
    killed    why it was killed by this process; see `Conversation.killed`
    slow      whether the cell was interrupted or ended at its deadline
    seconds   that the cell has used (see `hub.grading.sandbox.clock`)
    error     for a test cell that failed: name, message and traceback
    given     for a given cell that failed here: the error message
"""

from __future__ import annotations

import ctypes
import importlib
import linecache
import os
import random
import secrets
import signal
import socket
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from types import CodeType, FrameType, ModuleType
from typing import TYPE_CHECKING, Any

from course import calls
from hub.facts.cell_names import imported_by
from hub.grading.isolation.conversation import SLOW, Conversation
from hub.grading.isolation.errors import BoundaryError, TooSlow
from hub.grading.isolation.handles import marked
from hub.grading.isolation.services import AcrossProcesses
from hub.grading.isolation.values import Decoder, Encoder
from hub.grading.isolation.wire import Channel, Closed
from hub.grading.sandbox.clock import TICK_SECONDS, CodeClock, Deadline, process_tree
from hub.grading.sandbox.users import OthersProcess, OwnProcess, SignalTarget

if TYPE_CHECKING:
    from hub.grading.isolation.prefix import Prefix

ALARM_DELAY = 3.0
"""Seconds after a cell's deadline at which a test that hangs on its own is stopped."""

OUTPUT_LIMIT = 16 * 2**20  # bytes

TRACEBACK_LIMIT = 20_000  # characters

PR_SET_DUMPABLE = 4  # prctl(2)

ORDINARY = calls.InProcess()


class JudgeProcess:
    """Carries out the parent's requests, one cell at a time."""

    def __init__(
        self,
        conversation: Conversation,
        services: AcrossProcesses,
        clock: CodeClock,
        main: ModuleType,
    ) -> None:
        """`clock` runs while the student process's tree or this process does."""
        self._conversation = conversation
        self._clock = clock
        self._deadline = Deadline(clock, 0.0)
        self._began = 0.0
        self._services = services
        self._names = vars(main)
        self._failed_given: list[tuple[str, str]] = []  # names of cells, and their errors

    def do_start(self, seconds: float) -> dict[str, Any]:
        """Wait until the student process answers."""
        self._start_cell(seconds)
        with suppress(BoundaryError):
            self._conversation.request("adopt", ([],))
        return self._answer()

    def do_adopt(self, stores: list[str], seconds: float) -> dict[str, Any]:
        """Take note of the names that given cells have bound before both processes were forked."""
        self._start_cell(seconds)
        with suppress(BoundaryError):
            self._conversation.request("adopt", (stores,))
        self._give(stores)
        return self._answer()

    def do_student(self, text: str, number: int, seconds: float) -> dict[str, Any]:
        """Let the student process run a cell of the student's, or a given cell that uses the
        student's names."""
        return self._in_student(text, number, [], seconds)

    def do_given(
        self, name: str, text: str, stores: list[str], number: int, seconds: float
    ) -> dict[str, Any]:
        """Run a given cell in both processes at once."""
        failed_before = len(self._failed_given)
        answer = self._in_student(text, number, stores, seconds, name)
        if len(self._failed_given) > failed_before:
            answer["given"] = self._failed_given[-1][1]
        self._give(stores)
        return answer

    def _give(self, stores: list[str]) -> None:
        for stored in stores:
            if stored in self._names:
                self._conversation.give(stored, self._names[stored])

    def do_test(
        self,
        name: str,
        text: str,
        wanted: list[str],
        classes: list[str],
        seed: int,
        seconds: float,
    ) -> dict[str, Any]:
        """Run a test cell here, on the student's work there, with random numbers from `seed`."""
        conversation, error = self._conversation, None
        self._start_cell(seconds)
        for module in imported_by([text]):  # or its random numbers would not be seeded
            with suppress(Exception):  # the cell itself tells
                importlib.import_module(module)
        ORDINARY.seed(seed)
        _seed_secrets(seed)
        calls.backend = self._services
        try:
            with self._alarm():
                self._look_up(wanted, classes)
                exec(compiled(name, text), self._names)
        except BaseException as raised:
            error = raised
        finally:
            calls.backend = ORDINARY
            conversation.end_cell()
        error = conversation.failure or error
        answer = self._answer()
        answer["slow"] = isinstance(error, TooSlow)
        if error is not None:
            for failed, why in self._failed_given:
                error.add_note(f"the given cell {failed} had failed in the judge process: {why}")
            answer["error"] = rendered(error)
        return answer

    def _in_student(
        self, text: str, number: int, stores: list[str], seconds: float, also: str | None = None
    ) -> dict[str, Any]:
        """Let the student process run a cell, and meanwhile run it here under the name `also`,
        if that is given."""
        conversation = self._conversation
        self._start_cell(seconds)
        begun, outputs, slow = None, None, False
        with suppress(BoundaryError):  # `alive` reports a dead student process
            begun = conversation.begin("cell", (text, number, stores))
        if also is not None:
            self._execute_given(also, text)
        if begun is not None:
            try:
                outputs = conversation.finish(begun)
            except TooSlow:
                outputs, slow = conversation.late_answer, True
            except (BoundaryError, Exception):
                outputs = None
        conversation.end_cell()
        answer = self._answer()
        if type(outputs) is bytes and len(outputs) <= OUTPUT_LIMIT:
            answer["outputs"] = outputs
        answer["slow"] = slow
        return answer

    def _start_cell(self, seconds: float) -> None:
        self._began = self._clock.used()
        self._deadline = Deadline(self._clock, self._began + seconds)
        self._conversation.start_cell(self._deadline)

    def _answer(self) -> dict[str, Any]:
        return {
            "outputs": None,
            "alive": self._conversation.alive,
            "killed": self._conversation.killed,
            "slow": False,
            "seconds": self._clock.used() - self._began,
            "error": None,
            "given": None,
        }

    def _execute_given(self, name: str, text: str) -> None:
        try:
            with self._alarm():
                exec(compiled(name, text), self._names)
        except BaseException as error:
            self._failed_given.append((name, f"{type(error).__name__}: {error}"[:300]))

    def _look_up(self, wanted: list[str], classes: list[str]) -> None:
        """Rebind the student's names: to copies of data, and to handles of anything else."""
        values = self._conversation.request("look_up", (wanted,))
        if type(values) is not dict or not values.keys() <= set(wanted):
            self._conversation.distrust("it gave names that were not asked for")
        for name in wanted:
            self._names.pop(name, None)
        for name, value in values.items():
            self._names[name] = marked(value, makes_objects=True) if name in classes else value

    @contextmanager
    def _alarm(self) -> Iterator[None]:
        """Stop code here that runs too long after the cell's deadline."""

        over = Deadline(self._clock, self._deadline.at + ALARM_DELAY)

        def stop(signum: int, frame: FrameType | None) -> None:
            if (left := over.remaining()) > 0:  # the machine was busy, so there is time left
                signal.setitimer(signal.ITIMER_REAL, left)
                return
            failure = TooSlow(SLOW)
            self._conversation.failure = self._conversation.failure or failure
            raise failure

        signal.signal(signal.SIGALRM, stop)
        signal.setitimer(signal.ITIMER_REAL, max(TICK_SECONDS, over.remaining()))
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)


def _seed_secrets(seed: int) -> None:
    """Let what a test draws from `secrets` follow from its seed too: it stays as secret as that."""
    drawn = random.Random(f"secrets {seed}")
    for name, replacement in (
        ("choice", drawn.choice),
        ("randbits", drawn.getrandbits),
        ("randbelow", drawn.randrange),
        ("token_bytes", lambda nbytes=None: drawn.randbytes(32 if nbytes is None else nbytes)),
    ):
        setattr(secrets, name, replacement)


def new_main() -> ModuleType:
    """A main module in which given cells and tests run; this process's from now on."""
    main = ModuleType("__main__")
    vars(main)["display"] = lambda *args, **kwargs: None
    sys.modules["__main__"] = main
    return main


def compiled(name: str, text: str) -> CodeType:
    """The code of one of our cells, whose text tracebacks can find."""
    file = f"<cell {name}>"
    linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
    return compile(text, file, "exec", dont_inherit=True)


def rendered(error: BaseException) -> list:
    """Name, message and traceback lines of an error, with the frames of cells only."""
    summary = traceback.TracebackException.from_exception(error)
    seen: traceback.TracebackException | None = summary
    while seen is not None:
        cells = [frame for frame in seen.stack if frame.filename.startswith("<cell ")]
        seen.stack = traceback.StackSummary.from_list(cells)
        seen = seen.__cause__ or seen.__context__
    text = "".join(summary.format())[:TRACEBACK_LIMIT]
    return [type(error).__name__, str(error), text.splitlines()]


def closed_to_others() -> None:
    """Close this process's memory and descriptors to processes of the same user (not to root)."""
    if ctypes.CDLL(None).prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        raise OSError("prctl failed")


def main(arguments: Sequence[int], prefix: Prefix | None = None) -> None:
    """Serve the parent at the descriptors in `arguments`.

    prefix: the cells that have been run, if this process was forked from one that ran them.
    """
    parent, student, process, pid, other = arguments
    closed_to_others()
    channel = Channel(socket.socket(fileno=parent))
    signals: SignalTarget = OthersProcess(process) if other else OwnProcess(process)
    conversation = Conversation(Channel(socket.socket(fileno=student)), signals)
    clock = CodeClock(process_tree(pid, os.getpid()))
    module = prefix.for_judge() if prefix else new_main()
    judge = JudgeProcess(conversation, AcrossProcesses(conversation, pid), clock, module)
    while True:
        try:
            (kind, tree), blobs = channel.receive()
        except Closed:
            return
        answer = getattr(judge, f"do_{kind}")(*Decoder(blobs).decode(tree))
        encoder = Encoder()
        channel.send(encoder.encode(answer), encoder.blobs)


if __name__ == "__main__":
    main(list(map(int, sys.argv[1:])))
