"""The template process of this process (`hub.grading.template`), from which its workers are forked.

It is started at the first run, and again where it has ended; it ends with this process, and after a
while without a run. What it says is believed: it runs no student's code.
"""

from __future__ import annotations

import ast
import atexit
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
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from hub.facts import env
from hub.facts.cell_roles import role
from hub.grading.sandbox.forking import MARKER_LENGTH

log = logging.getLogger(__name__)

MESSAGE_LIMIT = 1_000_000  # bytes; of a message's descriptors, MOST_DESCRIPTORS
MOST_DESCRIPTORS = 4
MOST_REHEARSED = 100_000  # characters of released cells
MOST_STARTS = 3  # of a template for one worker, which is started afresh then
FOLDERS = ("work", "home", "tmp")  # of a template, as of a worker


class TemplateGone(Exception):
    """The template process ended, or is of no use any more."""


class ForkedWorker:
    """A worker that was forked from the template: `pid` and `wait` as in `subprocess.Popen`.

    shared: bytes of memory that it and its processes have from the template.
    """

    def __init__(self, template: Template, pid: int, shared: int) -> None:
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


class Template:
    """One template process, and the socket to it.

    environment: of the template.
    scratch: where it has a folder of its own.
    """

    def __init__(self, environment: Mapping[str, str], scratch: Path) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="logitlab-template-", dir=scratch))
        for name in FOLDERS:
            (self._folder / name).mkdir()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-s", "-m", "hub.grading.template", str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                cwd=self._folder / FOLDERS[0],
                env={**environment, env.EXECUTION: "0" * MARKER_LENGTH},
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )
        self._socket = ours
        self._lock = threading.Lock()
        self._imported: set[str] = set()
        self._runs: Counter[tuple[str, ...]] = Counter()
        self._workers = 0
        self._retired = False

    def start_worker(
        self,
        limits: Mapping[str, Any],
        users: Sequence[int],
        released: tuple[str, ...],
        folder: Path,
        environment: Mapping[str, str],
        descriptors: Sequence[int],
    ) -> ForkedWorker | None:
        """Fork a worker; None where that is not safe.

        limits, users: see `worker.run`; without `control`, which is the last descriptor.
        released: the released cells of its notebook, which every submission of it has. What they
            import is imported before, and from the second run on also what that imports when it is
            first used.
        descriptors: its standard ones, and the control of `users`.

        Raises TemplateGone.
        """
        if new := sorted(set(imported_by(released)) - self._imported - _broken):
            self._import("import", modules=new)
            self._imported |= set(new)
        with self._lock:
            self._runs[released] += 1
            rehearse = self._runs[released] == 2 and sum(map(len, released)) < MOST_REHEARSED
        if rehearse:
            self._import(
                "rehearse",
                cells=list(released),
                scratch=str(folder.parent),
                users=list(users),
                left_out=sorted(_broken),
            )
        answer = self._ask(
            "fork",
            descriptors,
            limits=dict(limits),
            users=list(users),
            folder=str(folder),
            environment=dict(environment),
        )
        if why := answer.get("unsafe"):
            log.warning("a notebook runs in processes of its own: %s", why)
            return None
        with self._lock:
            self._workers += 1
        return ForkedWorker(self, answer["pid"], answer["shared"])

    def _import(self, do: str, **more: Any) -> None:
        answer = self._ask(do, **more)
        if name := answer.get("broken"):
            _broken.add(name)
            raise TemplateGone(f"importing {name} failed ({answer['why']})")

    def reap(self, pid: int) -> None:
        """Let the number of a worker that has ended be another's."""
        with suppress(TemplateGone):
            self._ask("reap", pid=pid)
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
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _ask(self, do: str, descriptors: Sequence[int] = (), **more: Any) -> dict[str, Any]:
        message = json.dumps({"do": do, **more}).encode()
        with self._lock:
            try:
                socket.send_fds(self._socket, [message], list(descriptors))
                answer = self._socket.recv(MESSAGE_LIMIT)
            except OSError as error:
                raise TemplateGone(str(error)) from error
        if not answer:
            raise TemplateGone("the template process ended")
        found: dict[str, Any] = json.loads(answer)
        return found


_lock = threading.Lock()
_template: Template | None = None
_broken: set[str] = set()  # modules whose import breaks off in the middle


def start_worker(
    environment: Mapping[str, str], scratch: Path, *arguments: Any
) -> ForkedWorker | None:
    """As `Template.start_worker`, of this process's template; None also where there is none.

    environment, scratch: of the template, if it is to be started.
    """
    global _template
    for _ in range(MOST_STARTS):
        with _lock:
            if _template is None:
                _template = Template(environment, scratch)
            asked = _template
        try:
            return asked.start_worker(*arguments)
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


def released_cells(cells: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    """The text of a notebook's released code cells."""
    return tuple(
        cell["source"] for cell in cells if cell["cell_type"] == "code" and role(cell) == "released"
    )


def imported_by(cells: Iterable[str]) -> list[str]:
    """The modules that these cells import."""
    found: set[str] = set()
    for text in cells:
        with suppress(SyntaxError, ValueError):
            for node in ast.walk(ast.parse(_without_magics(text))):
                if isinstance(node, ast.Import):
                    found.update(alias.name for alias in node.names)
                elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                    found.add(node.module)
    return sorted(found)


def _without_magics(text: str) -> str:
    lines = text.splitlines()
    return "\n".join("pass" if line.startswith(("%", "!")) else line for line in lines)
