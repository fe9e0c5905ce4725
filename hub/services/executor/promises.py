"""What the machine must provide for the executor's promises to hold; one sentence per failure."""

from __future__ import annotations

import multiprocessing
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

from hub.grading.sandbox.confine import CannotConfine, confine
from hub.grading.sandbox.run import PACKAGES
from hub.services.executor.boxes import SHARED_FOLDERS

# Numbers from capabilities(7): to give scratch folders away, to inspect and remove them, and
# to start an execution as its own user. Killing processes needs none: it is done as their user.
NEEDED = {"CAP_CHOWN": 0, "CAP_DAC_OVERRIDE": 1, "CAP_SETGID": 6, "CAP_SETUID": 7}

ANSWERS = ("source", "course/training", "tests", "docker")
DOCKER_SOCKETS = ("/var/run/docker.sock", "/run/docker.sock")
SECRETS = ("TOKEN", "SECRET", "PASSWORD", "CRYPT", "DATABASE", "CREDENTIAL")


def unkept(environ: Iterable[str]) -> list[str]:
    """What is missing or excessive here; empty if all promises hold.

    environ: the names of the process's environment variables.
    """
    return [*_rights(), *_network(), *_doors(environ), *_writable(), *_answers(), *_confinement()]


def _rights() -> Iterator[str]:
    if os.geteuid() != 0:
        yield "it does not run as root, so executions have no users of their own"
    lines = Path("/proc/self/status").read_text().splitlines()
    held = next(int(line.split()[1], 16) for line in lines if line.startswith("CapEff:"))
    for name, number in NEEDED.items():
        if not held >> number & 1:
            yield f"the capability {name} is missing (cap_add)"
    if more := held & ~sum(1 << number for number in NEEDED.values()):
        numbers = [str(number) for number in range(64) if more >> number & 1]
        yield f"capabilities that it does not need: {', '.join(numbers)} (cap_drop: ALL)"


def _network() -> Iterator[str]:
    lines = Path("/proc/self/net/dev").read_text().splitlines()[2:]
    others = sorted({line.partition(":")[0].strip() for line in lines} - {"lo"})
    others = [
        name
        for name in others
        if (Path("/sys/class/net") / name / "device").exists()
        or name.startswith(("eth", "docker", "br-", "veth", "wl"))
    ]
    if others:
        yield f"there is a network: {', '.join(others)} (network_mode: none)"


def _doors(environ: Iterable[str]) -> Iterator[str]:
    for socket in DOCKER_SOCKETS:
        if os.path.exists(socket):
            yield f"{socket} exists"
    for name in environ:
        if any(word in name.upper() for word in SECRETS):
            yield f"the environment has {name}"


def _writable() -> Iterator[str]:
    """Folders other than the scratch folders in which executions could leave something."""
    if os.access("/etc", os.W_OK) and not os.statvfs("/").f_flag & os.ST_RDONLY:
        yield "the root file system is writable (read_only: true)"
    for line in Path("/proc/self/mounts").read_text().splitlines():
        where, kind = line.split()[1:3]
        if kind in ("proc", "sysfs", "cgroup", "cgroup2", "devpts") or where in SHARED_FOLDERS:
            continue
        if where == "/" or where.startswith(("/proc/", "/sys/")):
            continue
        try:
            mode, flags = os.stat(where).st_mode, os.statvfs(where).f_flag
        except OSError:
            continue
        if stat.S_ISDIR(mode) and mode & stat.S_IWOTH and not flags & os.ST_RDONLY:
            yield f"{where} is writable by executions (mount it with mode=0755)"


def _answers() -> Iterator[str]:
    for name in ANSWERS:
        if found := next(_open_files(PACKAGES / name), None):
            yield f"{found} is readable by executions (it holds answers: mode 0640)"


def _open_files(folder: Path) -> Iterator[Path]:
    """The files in and below `folder` that are world-readable."""
    try:
        if not folder.is_dir() or not folder.stat().st_mode & stat.S_IXOTH:
            return
        for path in folder.iterdir():
            if path.is_dir():
                yield from _open_files(path)
            elif path.lstat().st_mode & stat.S_IROTH:
                yield path
    except OSError:
        return


def _confinement() -> Iterator[str]:
    ours, theirs = multiprocessing.Pipe(duplex=False)
    child = multiprocessing.get_context("fork").Process(target=_try_to_confine, args=(theirs,))
    child.start()
    child.join(30)
    message = ours.recv() if ours.poll() else f"the trial exited with {child.exitcode}"
    if message:
        yield f"system calls cannot be filtered: {message}"


def _try_to_confine(answer: multiprocessing.connection.Connection) -> None:
    try:
        confine()
        answer.send("")
    except CannotConfine as error:
        answer.send(str(error))
