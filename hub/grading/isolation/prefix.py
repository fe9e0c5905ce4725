"""The given cells before a student's first, run once for all submissions of a notebook.

A process that is forked from the template runs them, for the student process and for the judge
process, and each submission's processes are forked from it. What cannot be shared so is found and
named: then every submission runs them itself.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import os
import pickle
import random
import select
import signal
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from hub.grading.isolation.judge import compiled, new_main
from hub.grading.isolation.shell import NotebookShell
from hub.grading.isolation.student import as_json
from hub.grading.sandbox.forking import draw_other_random_numbers, fork
from hub.grading.sandbox.outputs import checked_outputs, first_error

SCOUT_SECONDS = 120.0

Cells = Sequence[tuple[str, str]]
"""Names and texts of cells."""


@dataclass(frozen=True)
class CellRecord:
    """A cell that was run for all.

    text: of the cell.
    outputs: nbformat outputs.
    seconds: that it has used.
    """

    text: str
    outputs: list[dict[str, Any]]
    seconds: float


class CannotShare(Exception):
    """These cells have to run in each submission; the message says why."""


class Prefix:
    """The state after a notebook's first given cells, as both processes of a submission have it."""

    def __init__(self, cells: Cells, isolated: bool) -> None:
        """Run the cells in the current folder.

        isolated: whether the judge process runs them too.

        Raises CannotShare.
        """
        _load_models()
        scouted = _scouted(cells)
        draw_other_random_numbers()
        self._shell = NotebookShell()
        before = _Surroundings()
        self.cells = tuple(_run(self._shell, cells))
        self._seeded = {
            name: state
            for name, state in _random_states().items()
            if _digest(state) == scouted.get(name)
        }
        self._main = new_main()
        if isolated:
            self._run_as_judge(cells)
        before.check(self._shell.names)

    def _run_as_judge(self, cells: Cells) -> None:
        """Run the cells where the judge process does: in a folder without files."""
        folder = os.getcwd()
        with tempfile.TemporaryDirectory(dir="..") as empty:
            os.chdir(empty)
            try:
                for name, text in cells:
                    exec(compiled(name, text), vars(self._main))
            except Exception as error:
                raise CannotShare(
                    f"the given cell {name} failed in the judge process ({error!r})"
                ) from error
            finally:
                os.chdir(folder)

    def for_student(self) -> NotebookShell:
        """The shell, in the student process that has just been forked."""
        self._shell.adopt()
        self._draw_as_seeded()
        return self._shell

    def for_judge(self) -> ModuleType:
        """The main module, in the judge process that has just been forked."""
        sys.modules["__main__"] = self._main
        sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: SIM115 (for as long as it lives)
        sys.path[:] = [entry for entry in sys.path if entry]
        self._draw_as_seeded()
        return self._main

    def _draw_as_seeded(self) -> None:
        """Let the generators that the cells have seeded on purpose go on from there."""
        for name, state in self._seeded.items():
            if name == "random":
                random.setstate(state)
            elif name == "numpy":
                sys.modules["numpy"].random.set_state(state)
            else:
                sys.modules["torch"].set_rng_state(state)


def _load_models() -> None:
    """Load the course's models where its notebooks use them: all, whichever the tests use, so that
    what is loaded says nothing about hidden tests."""
    if {"course.models", "transformer_lens.model_bridge"} <= sys.modules.keys():
        sys.modules["course.models"].load_small()


def _run(shell: NotebookShell, cells: Cells) -> Iterable[CellRecord]:
    for number, (name, text) in enumerate(cells, 1):
        began = time.monotonic()
        outputs = checked_outputs(json.loads(as_json(shell.run(text, number))))
        if failed := first_error(outputs):
            raise CannotShare(f"the given cell {name} failed ({failed})")
        yield CellRecord(text, outputs, time.monotonic() - began)


class _Surroundings:
    """What the cells must leave as it was, since each submission has its own."""

    def __init__(self) -> None:
        self._folder = os.getcwd()
        self._files = self._listed()
        self._environment = dict(os.environ)
        self._mask = _umask()
        self._held = _descriptors()
        self._shared_memory = _shared_memory()
        self._registered = _registered()

    def check(self, names: Mapping[str, Any]) -> None:
        """Raises CannotShare."""
        for why, changed in (
            ("changed the working folder", os.getcwd() != self._folder),
            ("wrote files", self._listed() != self._files),
            ("changed the environment", dict(os.environ) != self._environment),
            ("changed the mask of new files", _umask() != self._mask),
            ("left files open", _descriptors() - self._held),
            ("left threads", len(os.listdir("/proc/self/task")) > 1),
            ("left processes", _has_children()),
            ("left tasks", any(not task.done() for task in _tasks())),
            ("initialised CUDA", _uses_cuda()),
            ("register what is called later", _registered() != self._registered),
            ("share memory with other processes", _shared_memory() != self._shared_memory),
            ("keep the path of their folder", _names_folder(names, self._folder)),
            ("import modules from their folder", _imports_from(self._folder)),
        ):
            if changed:
                raise CannotShare(f"the given cells before the first answer {why}")

    def _listed(self) -> list[tuple[str, int, int]]:
        """Everything in the folders that student code may write to, but for caches of libraries."""
        found = []
        scratch = Path(self._folder).parent
        for top in (Path(self._folder), scratch / "tmp", scratch / "home"):
            for path in sorted(top.rglob("*")):
                cache = top.name == "home" and path.relative_to(top).parts[0].startswith(".")
                if "__pycache__" not in path.parts and not cache:
                    facts = path.lstat()
                    found.append((str(path), facts.st_size, facts.st_mtime_ns))
        return found


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _descriptors() -> frozenset[str]:
    found = set()
    for name in os.listdir("/proc/self/fd"):
        with suppress(OSError):
            found.add(f"{name} {os.readlink(f'/proc/self/fd/{name}')}")
    return frozenset(one for one in found if "/proc/" not in one)


def _has_children() -> bool:
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def _tasks() -> set[asyncio.Task[Any]]:
    with suppress(RuntimeError):
        return asyncio.all_tasks(asyncio.get_event_loop_policy().get_event_loop())
    return set()


def _uses_cuda() -> bool:
    torch = sys.modules.get("torch")
    return torch is not None and torch.cuda.is_initialized()


def _shared_memory() -> frozenset[str]:
    """The mapped memory into which all processes that are forked from this one write."""
    lines = (line.split() for line in Path("/proc/self/maps").read_text().splitlines())
    return frozenset(
        fields[0] for fields in lines if fields[1].startswith("rw") and "s" in fields[1]
    )


def _registered() -> dict[str, int]:
    """How much is kept for the whole process: cells that add to it would do so for both sides."""
    loggers = [logging.getLogger(), *logging.root.manager.loggerDict.values()]
    found = {"handlers": sum(len(getattr(logger, "handlers", ())) for logger in loggers)}
    if "torch" in sys.modules:
        hooks = vars(sys.modules["torch.nn.modules.module"])
        found |= {
            name: len(kept)
            for name, kept in hooks.items()
            if name.startswith("_global_") and isinstance(kept, dict)
        }
    if (pyplot := sys.modules.get("matplotlib.pyplot")) is not None:
        found["figures"] = len(pyplot.get_fignums())
    return found


def _names_folder(names: Mapping[str, Any], folder: str) -> bool:
    scratch = str(Path(folder).parent)
    kept = [value for value in list(names.values()) if isinstance(value, str | Path)]
    return any(scratch in str(value) for value in (*kept, *sys.path))


def _imports_from(folder: str) -> bool:
    modules = [vars(module) for module in list(sys.modules.values()) if module is not None]
    places = [str(place) for names in modules for place in (names.get("__path__") or ())]
    places += [str(names.get("__file__")) for names in modules]
    return any(place.startswith(folder) for place in places)


# Random numbers ----------------------------------------------------------------------------------


def _random_states() -> dict[str, Any]:
    """The states of the generators that libraries share."""
    states: dict[str, Any] = {"random": random.getstate()}
    if (numpy := sys.modules.get("numpy")) is not None:
        states["numpy"] = numpy.random.get_state()
    if (torch := sys.modules.get("torch")) is not None:
        states["torch"] = torch.get_rng_state()
    return states


def _digest(state: Any) -> str:
    plain = state.tolist() if hasattr(state, "tolist") else state
    return hashlib.sha256(pickle.dumps(plain)).hexdigest()


def _scouted(cells: Cells) -> dict[str, str]:
    """Digests of the generators after the cells, in another process with other random numbers.

    One that is the same there and here was seeded on purpose. Raises CannotShare.
    """
    ours, theirs = os.pipe()

    def scout() -> None:
        shell = NotebookShell()
        for number, (_, text) in enumerate(cells, 1):
            shell.run(text, number)
        found = (f"{name} {_digest(state)}" for name, state in _random_states().items())
        os.write(theirs, "\n".join(found).encode())

    process = fork(scout, folder=Path.cwd(), environment=dict(os.environ), descriptors=(theirs,))
    os.close(theirs)
    try:
        with open(ours) as answer:
            if not select.select([answer], [], [], SCOUT_SECONDS)[0]:
                raise CannotShare("the given cells before the first answer take too long")
            lines = answer.read().splitlines()
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    return dict(line.split(" ", 1) for line in lines)
