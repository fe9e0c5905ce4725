"""Becomes a student's server, confined to what is theirs: `python -I -m hub.singleuser.confined`.

Without containers all servers run under the account of the hub. Landlock, which needs no root,
keeps a student's to their home, the libraries and the models. Where the kernel allows namespaces
too, the server has terminals, shared memory, `/proc` and mostly `/tmp` of its own. The network
stays. Where Landlock is missing or too old, the server is not confined; `describe` says so.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

from hub.grading.sandbox.landlock import (
    FILES_SINCE,
    PACKAGES,
    READ,
    READ_DIR,
    SCOPES_SINCE,
    TRUNCATE,
    USE,
    WRITE,
    WRITE_FILE,
    confine_server,
    landlock_version,
)

NEW_MOUNTS, NEW_IPC, NEW_USER, NEW_PIDS = 0x00020000, 0x08000000, 0x10000000, 0x20000000
NO_SUID, NO_DEVICES, NO_PROGRAMS = 2, 4, 8  # mount(2)
READ_ONLY, REMOUNT, BIND, RECURSIVE, PRIVATE = 1, 32, 4096, 16384, 1 << 18
PARENT_DEATH_SIGNAL = 1  # prctl(2)
# Of /proc, what belongs to the machine: root's servers could change it.
OF_THE_MACHINE = ("sys", "sysrq-trigger", "irq", "bus", "fs")
TMP = Path("/tmp")
TERMINALS = (Path("/dev/ptmx"), Path("/dev/pts"), Path("/dev/tty"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, required=True, help="theirs to change")
    parser.add_argument("--tmp", type=Path, required=True, help="theirs for temporary files")
    parser.add_argument("--read", type=Path, action="append", default=[], help="theirs to read")
    parser.add_argument("command", nargs="+")
    given = parser.parse_args()
    if landlock_version() >= FILES_SINCE:
        needed = (given.home, given.tmp, *given.read, PACKAGES, Path(sys.prefix))
        # What is below it would be hidden by a /tmp of their own.
        hidden = any(path.is_relative_to(TMP) for path in needed)
        over = None if hidden else given.tmp
        own = namespaces_work(over)
        if own:
            _enter_namespaces(over)
        if not (own and over):
            os.environ["TMPDIR"] = str(given.tmp)
        confine_server(_rules(given.home, given.tmp, given.read, own))
    os.execvp(given.command[0], given.command)


def _rules(home: Path, tmp: Path, read: list[Path], own: bool) -> Iterator[tuple[Path, int]]:
    """own: whether /proc has nobody else's processes, so that they may write there: a peak of
    memory is set back so (`course.calls.cost`)."""
    yield from ((path, WRITE) for path in (home, tmp))
    yield from ((path, READ) for path in read)
    yield from ((path, USE | READ_DIR) for path in TERMINALS)
    if own:
        yield Path("/proc"), READ | WRITE_FILE | TRUNCATE
        if tmp.samefile(TMP):
            yield TMP, WRITE


def describe(version: int, namespaces: bool) -> str:
    """How far students' servers are confined here, in a sentence for whoever starts the hub."""
    if version < FILES_SINCE:
        return (
            "Not protected here: students' servers run under your account and can read and change "
            "all its files, grades too (Linux from 5.19, with Landlock, forbids it)."
        )
    lacks = [] if namespaces else ["write to this account's terminals", "see its processes"]
    lacks += [] if version >= SCOPES_SINCE or namespaces else ["end them"]
    if lacks:
        return f"Students' servers are kept to their own files, but can {' and '.join(lacks)}."
    return "Students' servers are kept to their own files and processes."


def namespaces_work(tmp: Path | None = None) -> bool:
    """Whether this machine lets its account make namespaces, and mount in them what is needed."""
    pid = os.fork()
    if pid:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    status = 1
    try:
        _unshare()
        inner = os.fork()
        if not inner:
            _mount(tmp)
            os._exit(0)
        status = os.waitstatus_to_exitcode(os.waitpid(inner, 0)[1])
    except OSError:
        pass
    finally:
        os._exit(min(abs(status), 1))


def _enter_namespaces(tmp: Path | None) -> None:
    """Go on as a process in namespaces of its own, which end with this one.

    tmp: what is to be its /tmp, if it is to have one of its own.

    Two others wait: this one, which the hub knows and signals, and the first of the new
    namespace, which every orphan in it becomes a child of.
    """
    _unshare()
    _fork_and_relay()
    _libc().prctl(PARENT_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
    _mount(tmp)
    _fork_and_relay()


def _unshare() -> None:
    """New namespaces, as root or in a namespace of users with this one only. Raises OSError."""
    user, group = os.geteuid(), os.getegid()
    flags = NEW_MOUNTS | NEW_IPC | NEW_PIDS
    if _libc().unshare(flags) == 0:
        return
    _checked(_libc().unshare(flags | NEW_USER), "unshare")
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
    Path("/proc/self/gid_map").write_text(f"{group} {group} 1")


def _mount(tmp: Path | None) -> None:
    """Mount what is their own. Raises OSError."""
    plain = NO_SUID | NO_PROGRAMS
    _mounted(None, "/", None, RECURSIVE | PRIVATE)
    _mounted("proc", "/proc", "proc", plain | NO_DEVICES)
    for name in OF_THE_MACHINE:
        path = f"/proc/{name}"
        if os.path.exists(path):
            _mounted(path, path, None, BIND)
            _mounted(None, path, None, BIND | REMOUNT | READ_ONLY | plain | NO_DEVICES)
    _mounted("devpts", "/dev/pts", "devpts", plain, "newinstance,ptmxmode=0666,mode=620")
    if not os.path.islink("/dev/ptmx"):
        _mounted("/dev/pts/ptmx", "/dev/ptmx", None, BIND)
    _mounted("shm", "/dev/shm", "tmpfs", NO_SUID | NO_DEVICES, "mode=1777")
    if tmp:
        _mounted(str(tmp), str(TMP), None, BIND)


def _mounted(source: str | None, target: str, kind: str | None, flags: int, data: str = "") -> None:
    texts = [text.encode() if text else None for text in (source, target, kind)]
    done = _libc().mount(*texts, ctypes.c_ulong(flags), data.encode() or None)
    _checked(done, f"mount {target}")


def _checked(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _fork_and_relay() -> None:
    """Return in a child; this process hands signals on to it and ends as it ends."""
    pid = os.fork()
    if pid:
        _relay(pid)


def _relay(child: int) -> NoReturn:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda received, _: os.kill(child, received))
    while True:
        pid, status = os.wait()
        if pid == child:
            code = os.waitstatus_to_exitcode(status)
            os._exit(code if code >= 0 else 128 - code)


if __name__ == "__main__":
    main()
