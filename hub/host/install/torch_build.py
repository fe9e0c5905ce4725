"""Which build of torch to install, and from where.

torch is in no lock file: its builds for different hardware have different local versions
(2.13.0+cpu, 2.13.0+cu130), which an index may or may not have. Any build of the pinned version
will do, so an installed one is kept.
"""

from __future__ import annotations

import platform
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from hub.facts.disk import check_room, size
from hub.host.install import commands
from hub.host.install.errors import InstallError
from hub.host.install.state import ROOT, InstallTarget, pinned_torch

ANSWER_SECONDS = 20  # timeout of the index of CPU builds, before we do without it
SAID = ("Downloading", "Installing", "Installed", "Successfully")


@dataclass(frozen=True)
class Build:
    """A way to get torch. `backend` is uv's name for the index, or '' for pip's own choice."""

    backend: str
    download: str
    disk_mb: int  # peak use on the environment's disk
    may_be_missing: bool = False  # its index may not answer; the next build is then tried


CPU = Build("cpu", "the CPU build, about 200 MB", 1000, may_be_missing=True)
PIP = Build("", "up to 2.7 GB if pip finds only the CUDA build", 12000)


def ways(installed: str, backend: str, nvidia: bool, system: str) -> list[Build]:
    """How to get torch, best first; empty if the installed build is to be kept.

    `installed` is the version that `import torch` reports, '' if it cannot be imported;
    `backend` is the build that the caller requires ('cpu', 'cu130', 'auto'), '' if none.
    """
    version, _, local = installed.partition("+")
    if version == pinned_torch() and backend in ("", local):
        return []
    if backend:
        size = CPU if backend == "cpu" else PIP
        return [Build(backend, f"the {backend} build", size.disk_mb)]
    return [CPU, PIP] if system == "Linux" and not nvidia else [PIP]


def importable(python: Path) -> str:
    """The version of torch that `python` can import, '' if it cannot."""
    code = "import torch; print(torch.__version__)"
    try:
        answer = subprocess.run(
            [str(python), "-c", code], capture_output=True, text=True, timeout=300, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return answer.stdout.strip()


def has_nvidia() -> bool:
    """Is an NVIDIA driver loaded?"""
    return Path("/proc/driver/nvidia/version").exists() or bool(shutil.which("nvidia-smi"))


def ways_here(target: InstallTarget) -> list[Build]:
    return ways(importable(target.python), target.torch_backend, has_nvidia(), platform.system())


def install(target: InstallTarget, free: int, again: bool, keep_open: int | None) -> Iterator[str]:
    """Install torch into `target`; `again` reinstalls what an interrupt may have left incomplete.

    Raises InstallError if no build could be installed or the disk is too small for the last one.
    """
    options = ways_here(target)
    if not options:
        yield f"torch {pinned_torch()} is already installed: kept"
        return
    for build in options:
        if build.may_be_missing and not _answers(build, target):
            yield (
                "the index of CPU builds of torch does not answer: using pip's choice of torch "
                "instead"
            )
            continue
        check_room(
            free,
            build.disk_mb,
            target.venv,
            f"torch ({build.download}) while it installs",
            "Free some space, or choose the small build, if its index can be reached: "
            "make serve TORCH_BACKEND=cpu",
        )
        yield f"torch {pinned_torch()}: downloads {build.download}; {size(free)} free"
        yield from (_with_uv if build.backend else _with_pip)(build, target, again, keep_open)
        if not importable(target.python):
            raise InstallError(
                f"torch {pinned_torch()} was installed but cannot be imported.",
                f"Run {target.python} -c 'import torch'",
            )
        return


def _uv_command(build: Build, target: InstallTarget) -> list[str | Path]:
    return [
        *(target.venv / "bin" / "uv", "pip", "install", "--python", target.python),
        *("--torch-backend", build.backend, "-c", ROOT / "requirements" / "notebook.lock"),
        f"torch=={pinned_torch()}",
    ]


def _answers(build: Build, target: InstallTarget) -> bool:
    """Does uv find this build? Installs nothing, and does not wait long."""
    try:
        subprocess.run(
            [str(part) for part in [*_uv_command(build, target), "--dry-run"]],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=ANSWER_SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return True


def _with_uv(
    build: Build, target: InstallTarget, again: bool, keep_open: int | None
) -> Iterator[str]:
    reinstall = ["--reinstall-package", "torch"] if again or importable(target.python) else []
    command = [*_uv_command(build, target), *reinstall]
    yield from commands.run(command, cwd=ROOT, say=SAID, keep_open=keep_open)


def _with_pip(
    build: Build, target: InstallTarget, again: bool, keep_open: int | None
) -> Iterator[str]:
    """Install with pip, which honours a site's folders of wheels. It is silent while downloading
    without a terminal, so the growth of its scratch folder is shown instead."""
    scratch = target.records / "scratch"  # not /tmp, which may be a small tmpfs
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)

    seen = 0.0

    def grown() -> str:
        nonlocal seen
        before, seen = seen, _megabytes(scratch)
        return f"torch: {seen:.0f} MB downloaded" if seen > before else "torch: unpacking"

    try:
        yield from commands.run(
            [
                *(target.python, "-m", "pip", "install", f"torch=={pinned_torch()}"),
                *("-c", ROOT / "requirements" / "notebook.lock"),
                *(["--force-reinstall"] if again else []),
            ],
            cwd=ROOT,
            extra_env={"TMPDIR": str(scratch)},
            say=SAID,
            keep_open=keep_open,
            heartbeat=grown,
        )
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _megabytes(folder: Path) -> float:
    """Size of the files in `folder`, some of which may vanish during the walk."""
    total = 0
    for path in folder.rglob("*"):
        with suppress(FileNotFoundError):
            total += path.stat().st_size
    return total / 1e6
