"""A busy machine, and processes of the grading that are killed meanwhile."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

WORKER, TEMPLATE = "hub.grading.worker", "hub.grading.template"
EXECUTOR = "hub.services.executor"


@contextmanager
def load(processes: int) -> Iterator[None]:
    """So many processes that want a processor all the time.

    Each in a session of its own, as kernels are: Linux shares processors out by session.
    """
    command = [sys.executable, "-c", "while True: pass"]
    loops = [subprocess.Popen(command, start_new_session=True) for _ in range(processes)]
    try:
        yield
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


class Killer(threading.Thread):
    """Kills one process of this grading every `seconds`, at random, until it is stopped.

    kinds: modules that processes run, of which one is chosen each time.
    """

    def __init__(self, seconds: float, kinds: tuple[str, ...], seed: int) -> None:
        super().__init__(daemon=True)
        self.killed: dict[str, int] = dict.fromkeys(kinds, 0)
        self._seconds, self._kinds, self._random = seconds, kinds, random.Random(seed)
        self._over = threading.Event()

    def run(self) -> None:
        while not self._over.wait(self._seconds * self._random.uniform(0.5, 1.5)):
            kind = self._random.choice(self._kinds)
            if victims := workers() if kind == WORKER else processes_of(kind):
                with suppress(psutil.Error):
                    self._random.choice(victims).kill()
                    self.killed[kind] += 1

    def stop(self) -> None:
        self._over.set()
        self.join()


def workers() -> list[psutil.Process]:
    """The workers, forked or started afresh, and what they are forked from.

    Not the processes that run cells: one that is killed alone looks like a cell that took all of
    the memory.
    """
    # What is forked from a template has its command line, but a folder of its own.
    found = {process.pid: folder_of(process) for process in processes_of(TEMPLATE)}
    templates = ("notebook-", "logitlab-template-")
    forked = [
        process
        for process in processes_of(TEMPLATE)
        if process.pid in found
        and _runs_no_cells(found[process.pid], found.get(_parent(process), Path()), templates)
    ]
    return [*forked, *processes_of(WORKER)]


def _runs_no_cells(folder: Path, parents: Path, templates: tuple[str, ...]) -> bool:
    if folder.name == "work":  # a student process's, too
        return folder.parent.name.startswith(templates)
    return parents.name != "tests"  # which is a worker's folder, and its judge process's


def folder_of(process: psutil.Process) -> Path:
    try:
        return Path(process.cwd())
    except psutil.Error:
        return Path()


def _parent(process: psutil.Process) -> int:
    try:
        return process.ppid()
    except psutil.Error:
        return 0


def processes_of(module: str) -> list[psutil.Process]:
    """What this process, or a child of it, has started with `python -m MODULE`."""
    found = []
    for process in psutil.Process().children(recursive=True):
        try:
            command = process.cmdline()
        except psutil.Error:
            continue
        if "-m" in command and command[command.index("-m") + 1 :][:1] == [module]:
            found.append(process)
    return found
