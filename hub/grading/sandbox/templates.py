"""The template processes of this process (`hub.grading.template`), from which workers are forked.

The first is started at the first run, and again where it has ended; it ends with this process, and
after a while without a run. From it one is forked for a notebook that runs again, to run its first
given cells. What they say is believed: they run no student's code.
"""

from __future__ import annotations

import atexit
import hashlib
import json
import logging
import os
import select
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections import Counter, OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import course
import hub
from hub.facts import env
from hub.facts.cell_roles import CellRole, role
from hub.grading.sandbox.forking import MARKER_LENGTH
from hub.grading.sandbox.landlock import STUDENTS_FOLDERS

log = logging.getLogger(__name__)

MESSAGE_LIMIT = 1_000_000  # bytes; of a message's descriptors, MOST_DESCRIPTORS
MOST_DESCRIPTORS = 4
MOST_SHARED = 100_000  # characters of released cells that are rehearsed, or run for all
MOST_FILES_SHARED = 64 * 2**20  # bytes beside a notebook whose first cells are run for all
MOST_NOTEBOOKS = 2  # whose first cells are kept, as a loaded model may be among what they bind
MOST_STARTS = 3  # of a template for one worker, which is started afresh then
CELLS_SECONDS = 300.0  # for the given cells that are run for all
WORK = STUDENTS_FOLDERS[0]


class TemplateGone(Exception):
    """The template process ended, or is of no use any more."""


@dataclass(frozen=True)
class NotebookFacts:
    """What all submissions of a notebook have in common.

    released: the text of its released cells.
    imports: the modules that they import, and that the instructor's cells to play with do.
    first: names and texts of the given cells before all others, if they do the same in each.
    isolated: whether the judge process runs them too.
    """

    released: tuple[str, ...]
    imports: tuple[str, ...]
    first: tuple[tuple[str, str], ...]
    isolated: bool


@dataclass(frozen=True)
class WorkerSetup:
    """How a worker is to run.

    limits, users: see `worker.run`; without `control`, which is the last descriptor.
    folder: its folder; the student's work is in `work` beside it.
    descriptors: its standard ones, and the control of `users`.
    """

    limits: Mapping[str, Any]
    users: Sequence[int]
    folder: Path
    environment: Mapping[str, str]
    descriptors: Sequence[int]


class ForkedWorker:
    """A worker that was forked from a template: `pid` and `wait` as in `subprocess.Popen`.

    shared: bytes of memory that it and its processes have from the template.
    """

    def __init__(self, template: Forker, pid: int, shared: int) -> None:
        self.pid, self.shared = pid, shared
        self._template = template
        # The template keeps its number until we say that its end was noted.
        self._pidfd = os.pidfd_open(pid)
        self._ended = False

    def wait(self, timeout: float | None = None) -> None:
        """Wait for its end. Raises subprocess.TimeoutExpired."""
        if self._ended:
            return
        found, _, _ = select.select([self._pidfd], [], [], timeout)
        if not found:
            raise subprocess.TimeoutExpired("worker", timeout or 0)
        self._ended = True
        os.close(self._pidfd)
        self._template.reap(self.pid)


class Forker:
    """A process from which workers are forked, and the socket to it."""

    def __init__(self, folder: Path, connection: socket.socket) -> None:
        self._folder, self._socket = folder, connection
        self._lock = threading.Lock()
        self._workers = 0
        self._retired = self._ended = False

    def fork(self, setup: WorkerSetup) -> ForkedWorker | None:
        """Fork a worker; None where that is not safe. Raises TemplateGone."""
        with self._lock:
            if self._retired:
                raise TemplateGone("it was replaced")
            self._workers += 1
        try:
            answer = self._ask(
                "fork",
                setup.descriptors,
                limits=dict(setup.limits),
                users=list(setup.users),
                folder=str(setup.folder),
                environment=dict(setup.environment),
            )
            if why := answer.get("unsafe"):
                log.warning("a notebook runs in processes of its own: %s", why)
            else:
                return ForkedWorker(self, answer["pid"], answer["shared"])
        except BaseException:
            self._one_less()
            raise
        self._one_less()
        return None

    def reap(self, pid: int) -> None:
        """Let the number of a worker that has ended be another's."""
        with suppress(TemplateGone):
            self._ask("reap", pid=pid)
        self._one_less()

    def _one_less(self) -> None:
        with self._lock:
            self._workers -= 1
            last = self._retired and not self._workers
        if last:
            self.end()

    def retire(self) -> None:
        """End it once it has no workers."""
        with self._lock:
            self._retired, last = True, not self._workers
        if last:
            self.end()

    def end(self) -> None:
        """End it and its workers."""
        with self._lock:
            if self._ended:
                return
            self._ended = True
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _wait(self) -> None:
        raise NotImplementedError

    def _ask(self, do: str, descriptors: Sequence[int] = (), **more: Any) -> dict[str, Any]:
        message = json.dumps({"do": do, **more}).encode()
        with self._lock:
            try:
                socket.send_fds(self._socket, [message], list(descriptors))
                return self._answer()
            except OSError as error:
                raise TemplateGone(str(error)) from error

    def _answer(self) -> dict[str, Any]:
        answer = self._socket.recv(MESSAGE_LIMIT)
        if not answer:
            raise TemplateGone("the template process ended")
        found: dict[str, Any] = json.loads(answer)
        return found


class NotebookTemplate(Forker):
    """A process that has run the first given cells of one notebook."""

    def __init__(
        self, template: Template, connection: socket.socket, folder: Path, pid: int
    ) -> None:
        super().__init__(folder, connection)
        self._parent, self._pidfd, self._pid = template, os.pidfd_open(pid), pid

    def wait_for_cells(self) -> str | None:
        """Why no worker can be forked from it; None if one can. Raises TemplateGone."""
        self._socket.settimeout(CELLS_SECONDS)
        try:
            why: str | None = self._answer()["why"]
        except TimeoutError:
            return f"the given cells before the first answer take more than {CELLS_SECONDS:.0f} s"
        except OSError as error:
            raise TemplateGone(str(error)) from error
        self._socket.settimeout(None)
        return why

    def _wait(self) -> None:
        # Where its cells do not end it does not see that the socket is closed.
        if not select.select([self._pidfd], [], [], 1.0)[0]:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(self._pid, 9)
            select.select([self._pidfd], [], [], 10.0)
        os.close(self._pidfd)
        with suppress(TemplateGone):
            self._parent._ask("reap", pid=self._pid)


class Template(Forker):
    """The process that has imported what notebooks import.

    environment: of the template.
    scratch: where it has a folder of its own.
    """

    def __init__(self, environment: Mapping[str, str], scratch: Path) -> None:
        folder = Path(tempfile.mkdtemp(prefix="logitlab-template-", dir=scratch))
        make_folders(folder)
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-s", "-m", "hub.grading.template", str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                cwd=folder / WORK,
                env={**environment, env.EXECUTION: "0" * MARKER_LENGTH},
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )
        super().__init__(folder, ours)
        self.version = code_version()
        self._imported: set[str] = set()
        self._runs: Counter[tuple[str, ...]] = Counter()
        self._notebooks: OrderedDict[str, NotebookTemplate | None] = OrderedDict()

    def start_worker(self, notebook: NotebookFacts, setup: WorkerSetup) -> ForkedWorker | None:
        """Fork a worker; None where that is not safe.

        What its notebook's `imports` names is imported before, and from the second run on also what
        that imports when it is first used; then its first cells have been run, too.

        Raises TemplateGone.
        """
        released = notebook.released
        if new := sorted(set(notebook.imports) - self._imported - _broken):
            self._import("import", modules=new)
            self._imported |= set(new)
        with self._lock:
            self._runs[released] += 1
            second = self._runs[released] == 2 and sum(map(len, released)) < MOST_SHARED
        if second:
            self._import(
                "rehearse",
                cells=list(released),
                scratch=str(setup.folder.parent),
                users=list(setup.users),
                left_out=sorted(_broken),
            )
        if (shared := self._of_notebook(notebook, setup)) is not None:
            try:
                return shared.fork(setup)
            except TemplateGone as gone:
                log.warning("the first cells of a notebook run in this submission: %s", gone)
                self._forget(shared)
        return self.fork(setup)

    def _of_notebook(self, notebook: NotebookFacts, setup: WorkerSetup) -> NotebookTemplate | None:
        """The process that has run the first cells of a notebook, forked at its second run."""
        work = setup.folder.parent / WORK
        with self._lock:
            again = self._runs[notebook.released] > 1
        size = sum(len(text) for _, text in notebook.first)
        if not (again and notebook.first and size < MOST_SHARED):
            return None
        if (key := _key(notebook, work)) is None:
            return None
        with self._lock:
            if key in self._notebooks:
                self._notebooks.move_to_end(key)
                return self._notebooks[key]
            self._notebooks[key] = None  # until the cells have run
        found = self._run_first(notebook, setup, work)
        with self._lock:
            self._notebooks[key] = found
            kept = [name for name, one in self._notebooks.items() if one is not None]
            replaced = [self._notebooks.pop(name) for name in kept[:-MOST_NOTEBOOKS]]
        for one in replaced:
            if one is not None:
                one.retire()
        return found

    def _forget(self, notebook: NotebookTemplate) -> None:
        with self._lock:
            for key, one in list(self._notebooks.items()):
                if one is notebook:
                    del self._notebooks[key]
        notebook.retire()

    def _run_first(
        self, notebook: NotebookFacts, setup: WorkerSetup, work: Path
    ) -> NotebookTemplate | None:
        folder = Path(tempfile.mkdtemp(prefix="notebook-", dir=self._folder))
        make_folders(folder)
        shutil.copytree(work, folder / WORK, dirs_exist_ok=True)
        if setup.users:
            give(folder, setup.users[0])
            self._folder.chmod(0o711)  # they pass through it
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            answer = self._ask(
                "run",
                [theirs.fileno()],
                folder=str(folder / WORK),
                cells=[list(cell) for cell in notebook.first],
                isolated=notebook.isolated,
                users=list(setup.users),
            )
        found = NotebookTemplate(self, ours, folder, answer["pid"])
        try:
            why = found.wait_for_cells()
        except TemplateGone as gone:
            why = str(gone)
        if why is None:
            if setup.users:
                give(folder, 0)
            return found
        log.warning("the first cells of a notebook run in each submission: %s", why)
        found.end()
        return None

    def end(self) -> None:
        with self._lock:
            notebooks = [one for one in self._notebooks.values() if one is not None]
            self._notebooks.clear()
        for one in notebooks:
            one.end()
        super().end()

    def retire(self) -> None:
        with self._lock:
            notebooks = [one for one in self._notebooks.values() if one is not None]
            self._notebooks.clear()
        for one in notebooks:
            one.retire()
        super().retire()

    def _wait(self) -> None:
        self._process.wait()

    def _import(self, do: str, **more: Any) -> None:
        answer = self._ask(do, **more)
        if name := answer.get("broken"):
            _broken.add(name)
            raise TemplateGone(f"importing {name} failed ({answer['why']})")


_lock = threading.Lock()
_template: Template | None = None
_broken: set[str] = set()  # modules whose import breaks off in the middle


def start_worker(
    environment: Mapping[str, str], scratch: Path, notebook: NotebookFacts, setup: WorkerSetup
) -> ForkedWorker | None:
    """As `Template.start_worker`, of this process's template; None also where there is none.

    environment, scratch: of the template, if it is to be started.
    """
    global _template
    for _ in range(MOST_STARTS):
        with _lock:
            if _template is not None and _template.version != code_version():
                _template.retire()
                _template = None
            if _template is None:
                _template = Template(environment, scratch)
            asked = _template
        try:
            return asked.start_worker(notebook, setup)
        except TemplateGone as gone:
            log.warning("the template process is started again: %s", gone)
            with _lock:
                if _template is asked:
                    _template = None
            asked.retire()
    return None


def _end() -> None:
    if _template is not None:
        _template.end()


atexit.register(_end)


def code_version() -> str:
    """Another one whenever what a template imports of ours, or torch, has changed on the disk."""
    found = hashlib.sha256(_torch_version().encode())
    for package in (course, hub):
        for path in sorted(Path(package.__path__[0]).rglob("*.py")):
            with suppress(OSError):
                facts = path.stat()
                found.update(f"{path} {facts.st_size} {facts.st_mtime_ns}".encode())
    return found.hexdigest()


def _torch_version() -> str:
    try:
        return version("torch")
    except PackageNotFoundError:
        return "none"


def _key(notebook: NotebookFacts, work: Path) -> str | None:
    """Names the first cells of a notebook, with the files beside it; None if these are too large.

    Nothing of the student's is among the files: `NotebookFacts.first` would be empty.
    """
    found = hashlib.sha256(json.dumps([notebook.first, notebook.isolated]).encode())
    left = MOST_FILES_SHARED
    for path in sorted(work.rglob("*")):
        found.update(f"{path.relative_to(work)}\0{path.is_file()}\0".encode())
        if path.is_file():
            left -= path.stat().st_size
            if left < 0:
                return None
            found.update(hashlib.sha256(path.read_bytes()).digest())
    return found.hexdigest()


def make_folders(folder: Path) -> None:
    for name in STUDENTS_FOLDERS:
        (folder / name).mkdir(mode=0o700, exist_ok=True)


def give(folder: Path, user: int) -> None:
    """Give a folder and all that is in it to a user and the group of the same number."""
    for path in (folder, *folder.rglob("*")):
        os.lchown(path, user, user)


def texts(cells: Iterable[Mapping[str, Any]], *roles: CellRole) -> tuple[str, ...]:
    """The texts of the code cells that have one of these roles."""
    return tuple(
        cell["source"] for cell in cells if cell["cell_type"] == "code" and role(cell) in roles
    )
