"""Boxes: users and a scratch folder for one execution at a time, and their cleanup."""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hub.grading.sandbox.run import (
    STUDENTS_FOLDERS,
    TESTS_FOLDER,
    Busy,
    RunOutcome,
    WorkerRequest,
    make_folders,
    worker,
)
from hub.grading.sandbox.users import INTERRUPT, KILL

log = logging.getLogger(__name__)

STUDENT_IDS, TESTS_IDS, SENDER_IDS = 30_000, 40_000, 50_000
SHARED_FOLDERS = ("/dev/shm", "/dev/mqueue")  # files left there are found by their owner's id
CLEAR_SECONDS = 20.0

# Sends a signal to all processes of a user. Its own real id is one that no student code has, so
# that nobody can signal it; the kernel signals all at once, so that none can fork away.
SENDER = """
import os, sys
user, sender, number = map(int, sys.argv[1:])
os.setgroups([])
os.setresgid(sender, sender, sender)
os.setresuid(sender, user, sender)
os.kill(-1, number)
"""


class NotClean(Exception):
    """A process of an execution cannot be killed: the box must not be used again."""


@dataclass(frozen=True)
class Box:
    """Runs one execution at a time. `scratch` holds the folders of all boxes."""

    number: int
    scratch: Path

    @property
    def ids(self) -> tuple[int, int]:
        """The users of the student process and of the judge process."""
        return STUDENT_IDS + self.number, TESTS_IDS + self.number

    def folder(self) -> Path:
        """A new folder for an execution; student code can find no other."""
        path = self.scratch / f"{self.number}-{secrets.token_hex(8)}"
        path.mkdir(mode=0o700)
        make_folders(path)
        return path

    def give(self, path: Path) -> None:
        """Give the content of `path` to the users of this box."""
        student, tests = self.ids
        for name in STUDENTS_FOLDERS:
            for folder, _, files in os.walk(path / name, topdown=False):
                for file in files:
                    os.lchown(os.path.join(folder, file), student, student)
                os.lchown(folder, student, student)
        os.lchown(path / TESTS_FOLDER, tests, tests)
        os.chmod(path, 0o711)  # both pass through it to their own folders

    def run(
        self,
        path: Path,
        asked: WorkerRequest,
        cancelled: Callable[[], bool],
        busy: Busy,
    ) -> RunOutcome:
        """Run a request in the prepared folder `path`; see `Running.wait`."""
        self.give(path)
        student, tests = self.ids
        heard, control = os.pipe()
        try:
            with (
                open(heard, "rb", buffering=0) as asks,
                worker(asked, path, {}, (student, tests, control)) as running,
            ):
                os.close(control)
                control = -1
                serving = threading.Thread(target=self._serve_signals, args=(asks,), daemon=True)
                serving.start()
                try:
                    running.wait(
                        asked.limits,
                        lambda: processes_of(student, tests),
                        cancelled,
                        given_seconds=asked.given_seconds,
                        busy=busy,
                    )
                finally:
                    self.end(running.process.pid)
                    running.process.wait()
                    serving.join(CLEAR_SECONDS)
                return running.answer()
        finally:
            if control >= 0:
                os.close(control)

    def _serve_signals(self, asks: Any) -> None:
        """Signal the student's processes for each byte received, until the other end is closed."""
        while asked := asks.read(1):
            if asked == INTERRUPT:
                self._send(self.ids[0], signal.SIGINT)
            elif asked == KILL:
                self._send(self.ids[0], signal.SIGKILL)

    def end(self, leader: int | None = None) -> None:
        """Kill every process of this box's users, and `leader`, which may still be root.

        Raises NotClean if one survives.
        """
        if leader is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(leader, signal.SIGKILL)
        deadline = time.monotonic() + CLEAR_SECONDS
        while left := processes_of(*self.ids):
            if time.monotonic() > deadline:
                raise NotClean(f"processes {left} cannot be killed")
            for user in self.ids:
                self._send(user, signal.SIGKILL)

    def _send(self, user: int, number: signal.Signals) -> None:
        sender = SENDER_IDS + self.number
        subprocess.run(
            [sys.executable, "-I", "-S", "-c", SENDER, *map(str, (user, sender, int(number)))],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=CLEAR_SECONDS,
            check=False,
        )

    def clear(self) -> None:
        """Remove everything that this box's executions left. Raises NotClean."""
        self.end()
        for path in self.scratch.glob(f"{self.number}-*"):
            remove(path)
        for shared in map(Path, SHARED_FOLDERS):
            for path in shared.iterdir() if shared.is_dir() else ():
                if path.lstat().st_uid in self.ids:
                    remove(path)


def processes_of(*users: int) -> list[int]:
    """The live processes with one of the ids as their real, effective or saved user."""
    return [int(name) for name in os.listdir("/proc") if name.isdigit() and _has(name, users)]


def _has(process: str, users: tuple[int, ...]) -> bool:
    try:
        lines = Path("/proc", process, "status").read_text(errors="replace").splitlines()
    except OSError:
        return False  # it has ended
    fields = dict(line.split(":", 1) for line in lines if ":" in line)
    ids = {int(number) for number in fields["Uid"].split()}
    return bool(ids & set(users)) and not fields["State"].strip().startswith("Z")


def remove(path: Path) -> None:
    """Remove a tree of any depth without following links (rm works with descriptors).

    Raises NotClean if something remains.
    """
    done = subprocess.run(
        ["rm", "-rf", "--one-file-system", "--", str(path)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    if done.returncode != 0 or os.path.lexists(path):
        raise NotClean(f"{path} cannot be removed: {done.stderr.decode(errors='replace')[-200:]}")
