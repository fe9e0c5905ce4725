"""What is installed: one marker per step, inside the virtual environment.

A marker holds the fingerprint of what the step installed (the hash of its lock file, mostly) and
is written only after the step succeeded. So a second run costs a few file reads, a changed lock
reruns its step, and a new virtual environment starts from scratch.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from hub.facts import files

ROOT = Path(__file__).resolve().parents[3]
PROXY = ROOT / "hub" / "host" / "proxy"
TARGETS = {
    "server": ("venv", "uv", "server", "project", "proxy"),
    "notebook": ("venv", "uv", "server", "project", "proxy", "torch", "notebook"),
    "dev": ("venv", "uv", "server", "project", "proxy", "containers", "dev"),
}
TARGETS["all"] = (*TARGETS["notebook"], "containers", "dev")


@dataclass(frozen=True)
class InstallTarget:
    """Where to install: the virtual environment, and the requested torch build, if any."""

    venv: Path
    torch_backend: str = ""

    @property
    def python(self) -> Path:
        return self.venv / "bin" / "python"

    @property
    def records(self) -> Path:
        return self.venv / "logitlab"

    @property
    def progress(self) -> Path:
        return self.records / "notebook.progress"


def pinned_torch() -> str:
    """The version of torch that requirements/torch.txt pins, as '2.13.0'."""
    lines = (ROOT / "requirements" / "torch.txt").read_text().splitlines()
    return next(line for line in lines if line.startswith("torch==")).split("==")[1].strip()


def fingerprint(step: str, target: InstallTarget) -> str:
    """What the marker of `step` must contain for the step to be up to date."""
    if step == "venv":
        return str(target.venv)
    if step == "torch":
        return f"{pinned_torch()} {target.torch_backend}".strip()
    files = {
        "uv": ROOT / "requirements" / "uv.txt",
        "project": ROOT / "pyproject.toml",
        "proxy": PROXY / "package-lock.json",
    }
    content = files.get(step, ROOT / "requirements" / f"{step}.lock").read_bytes()
    location = str(ROOT) if step == "project" else ""  # an editable install of this checkout
    return hashlib.sha256(content + location.encode()).hexdigest()


def is_done(step: str, target: InstallTarget) -> bool:
    try:
        written = (target.records / f"{step}.done").read_text()
    except OSError:
        return False
    if was_interrupted(step, target):
        return False
    if step == "torch" and not target.torch_backend:  # any build of the pinned version will do
        return written.split()[:1] == [pinned_torch()]
    return written == fingerprint(step, target)


def outstanding(steps: tuple[str, ...], target: InstallTarget) -> tuple[str, ...]:
    """The `steps` that are still to do, in order; all of them if the environment has been moved
    or its Python is gone (so that its `python` is a dangling link)."""
    if not is_done("venv", target) or not target.python.exists():
        return steps
    return tuple(step for step in steps if not is_done(step, target))


def was_interrupted(step: str, target: InstallTarget) -> bool:
    return (target.records / f"{step}.started").exists()


def mark_started(step: str, target: InstallTarget) -> None:
    target.records.mkdir(parents=True, exist_ok=True)
    (target.records / f"{step}.started").touch()


def mark_done(step: str, target: InstallTarget) -> None:
    marker = target.records / f"{step}.done"
    files.replace(marker, fingerprint(step, target), durable=False)
    (target.records / f"{step}.started").unlink(missing_ok=True)


def notebook_ready(venv: Path) -> bool:
    """True once everything that notebooks import is installed in `venv`."""
    return not outstanding(TARGETS["notebook"], InstallTarget(venv.resolve()))


def notebook_progress(venv: Path) -> str:
    """The last line of progress of installing the notebook libraries; '' before the first."""
    try:
        return InstallTarget(venv).progress.read_text().strip().rpartition("\n")[2]
    except OSError:
        return ""
