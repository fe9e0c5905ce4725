"""Can this machine run the installation? Decisions on plain data, which the shell gathers."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hub.host.install.errors import InstallError

OLDEST = (3, 11)
NEWEST = (3, 13)
NEEDED = "LogitLab needs Python 3.11, 3.12 or 3.13"
PROBE = (
    "import importlib.util as u, sys; "
    "print('%d.%d.%d' % sys.version_info[:3], bool(u.find_spec('ensurepip')))"
)


@dataclass(frozen=True)
class Interpreter:
    """A Python found on this machine, and whether it can make virtual environments."""

    path: str
    version: tuple[int, ...]
    has_venv: bool

    @property
    def named(self) -> str:
        return f"Python {'.'.join(map(str, self.version))} ({self.path})"


def fits(version: tuple[int, ...]) -> bool:
    return OLDEST <= version[:2] <= NEWEST


def choose_python(found: list[Interpreter]) -> Interpreter:
    """The first suitable interpreter of `found`, which begins with the installer's own.

    Raises InstallError with the first one's problem and its fix.
    """
    for interpreter in found:
        if fits(interpreter.version) and interpreter.has_venv:
            return interpreter
    for interpreter in found:
        if fits(interpreter.version):
            package = "python3" if interpreter is found[0] else _package(interpreter)
            raise InstallError(
                f"{interpreter.named} cannot make virtual environments (no ensurepip).",
                f"On Debian or Ubuntu: sudo apt-get install {package}-venv git make",
            )
    first = found[0]
    verdict = "old" if first.version[:2] < OLDEST else "new"
    raise InstallError(
        f"{first.named} is too {verdict}: {NEEDED}, and none is on PATH.",
        "Install one (with its venv module) and run: make serve PYTHON=/path/to/python3.13",
    )


def _package(interpreter: Interpreter) -> str:
    return f"python{interpreter.version[0]}.{interpreter.version[1]}"


def interpreters() -> list[Interpreter]:
    """The Python that runs this, then python3.13, 3.12 and 3.11 from PATH."""
    named = (shutil.which(f"python3.{minor}") for minor in range(NEWEST[1], OLDEST[1] - 1, -1))
    found = (probe(path) for path in [sys.executable, *named] if path)
    return [interpreter for interpreter in found if interpreter]


def probe(path: str | Path) -> Interpreter | None:
    """Query the Python at `path`; None if it does not run."""
    try:
        answer = subprocess.run(
            [str(path), "-c", PROBE], capture_output=True, text=True, timeout=30, check=True
        ).stdout.split()
        version = tuple(int(part) for part in answer[0].split("."))
    except (OSError, subprocess.SubprocessError, ValueError, IndexError):
        return None
    return Interpreter(str(path), version, answer[1] == "True")


def check_writable(folder: Path) -> None:
    """Raise InstallError if this user cannot create files in `folder` or its nearest parent."""
    existing = nearest_existing(folder)
    if not os.access(existing, os.W_OK | os.X_OK):
        raise InstallError(
            f"No permission to write in {existing}.",
            "Clone LogitLab into a folder of your own (no root needed), or take ownership of this "
            "one with chown.",
        )


def check_home(environment: Mapping[str, str]) -> None:
    """Raise InstallError if the package installers have nowhere to keep their caches."""
    home = Path(environment.get("HOME") or "/nonexistent")
    cache = Path(environment.get("XDG_CACHE_HOME") or home / ".cache")
    if not os.access(nearest_existing(cache), os.W_OK | os.X_OK) or not home.is_dir():
        raise InstallError(
            f"The home folder {home} is not writable.", "Set HOME to a folder of your own."
        )


def check_venv_folder(venv: Path) -> None:
    """Raise InstallError if `venv` holds something that is not a virtual environment."""
    if not venv.exists():
        return
    names = {path.name for path in venv.iterdir()}
    if names and not names & {"pyvenv.cfg", "logitlab"}:
        raise InstallError(
            f"{venv} exists but is not a virtual environment.",
            "Choose another folder: make serve VENV=/path/to/a/new/folder",
        )


def nearest_existing(folder: Path) -> Path:
    return next(path for path in [folder, *folder.parents] if path.exists())
