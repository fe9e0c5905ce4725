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
import socket
import subprocess
import sys
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


class TemplateGone(Exception):
    """The template process ended."""


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
    """One template process, and the socket to it."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-s", "-m", "hub.grading.template", str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                cwd="/",
                env={**environment, env.EXECUTION: "0" * MARKER_LENGTH},
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
            )
        self._socket = ours
        self._lock = threading.Lock()
        self._imported: set[str] = set()
        self._runs: Counter[tuple[str, ...]] = Counter()

    def start_worker(
        self,
        mode: str,
        limits: Mapping[str, Any],
        users: Sequence[int],
        released: tuple[str, ...],
        folder: Path,
        environment: Mapping[str, str],
        descriptors: Sequence[int],
    ) -> ForkedWorker | None:
        """Fork a worker; None where that is not safe.

        mode, limits, users: see `worker.run`; without `control`, which is the last descriptor.
        released: the released cells of its notebook, which every submission of it has. What they
            import is imported before, and from the second run on also what that imports when it is
            first used.
        descriptors: its standard ones, and the control of `users`.

        Raises TemplateGone.
        """
        if new := sorted(set(imported_by(released)) - self._imported):
            self._ask("import", modules=new)
            self._imported |= set(new)
        with self._lock:
            self._runs[released] += 1
            rehearse = self._runs[released] == 2
        if rehearse:
            self._rehearse(released, folder.parent, users)
        answer = self._ask(
            "fork",
            descriptors,
            mode=mode,
            limits=dict(limits),
            users=list(users),
            folder=str(folder),
            environment=dict(environment),
        )
        if why := answer.get("unsafe"):
            log.warning("a notebook runs in processes of its own: %s", why)
            return None
        return ForkedWorker(self, answer["pid"], answer["shared"])

    def _rehearse(self, released: tuple[str, ...], scratch: Path, users: Sequence[int]) -> None:
        self._ask("rehearse", cells=list(released), scratch=str(scratch), users=list(users))

    def reap(self, pid: int) -> None:
        with suppress(TemplateGone):
            self._ask("reap", pid=pid)

    def end(self) -> None:
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._process.wait()

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


def start_worker(environment: Mapping[str, str], *arguments: Any) -> ForkedWorker | None:
    """As `Template.start_worker`, of this process's template; None also where there is none.

    environment: of the template, if it is to be started.
    """
    global _template
    for _ in range(2):
        with _lock:
            if _template is None:
                _template = Template(environment)
            asked = _template
        try:
            return asked.start_worker(*arguments)
        except TemplateGone as gone:
            log.warning("the template process is started again: %s", gone)
            with _lock:
                if _template is asked:
                    _template = None
            asked.end()
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
