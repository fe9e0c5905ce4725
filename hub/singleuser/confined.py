"""Becomes a student's server, confined to what is theirs: `python -I -m hub.singleuser.confined`.

Without containers all servers run under the account of the hub. Landlock, which needs no root,
keeps a student's to their home, the libraries and the models. Where the account may make
namespaces too, all else is mounted read-only, the course, the account's home and `/run` are empty
but for what is theirs, and the server has terminals, shared memory, `/proc` and mostly `/tmp` of
its own: Landlock does nothing for metadata, sockets in folders and limits of processes. The
network stays. Where it is missing or too old, the server is not confined; `describe` says so.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import pwd
import signal
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from hub.grading.sandbox.landlock import (
    FILES_SINCE,
    READ,
    READ_DIR,
    TRUNCATE,
    USE,
    WRITE,
    WRITE_FILE,
    confine_server,
    for_all,
    landlock_version,
)

NEW_MOUNTS, NEW_IPC, NEW_USER, NEW_PIDS = 0x00020000, 0x08000000, 0x10000000, 0x20000000
NO_SUID, NO_DEVICES, NO_PROGRAMS = 2, 4, 8  # mount(2)
READ_ONLY, REMOUNT, BIND, RECURSIVE, SLAVE = 1, 32, 4096, 16384, 1 << 19
MOUNT_SETATTR, HERE, AND_BELOW = 442, -100, 0x8000  # mount_setattr(2)
PARENT_DEATH_SIGNAL, DROP_OF_BOUNDING_SET, AMBIENT, CLEAR_ALL = 1, 24, 47, 4  # prctl(2)
CAPABILITIES_VERSION = 0x20080522  # capset(2)
# Of /proc, what belongs to the machine: root's servers could change it.
OF_THE_MACHINE = ("sys", "sysrq-trigger", "irq", "bus", "fs")
TMP = Path("/tmp")
# Where names are looked up.
OF_RUN = (Path("/run/systemd/resolve"), Path("/run/nscd"), Path("/run/nslcd"))
TERMINALS = (Path("/dev/ptmx"), Path("/dev/pts"), Path("/dev/tty"))


@dataclass(frozen=True)
class View:
    """What of the file system a server has.

    own: what is theirs to change; the first is their home.
    kept: what they read, which stays where a folder is emptied.
    emptied: folders in which there is nothing else.
    tmp: what is to be its /tmp, if it is to have one of its own.
    """

    own: tuple[Path, ...] = ()
    kept: tuple[Path, ...] = ()
    emptied: tuple[Path, ...] = ()
    tmp: Path | None = None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, required=True, help="theirs to change")
    parser.add_argument("--tmp", type=Path, required=True, help="theirs for temporary files")
    parser.add_argument("--read", type=Path, action="append", default=[], help="theirs to read")
    parser.add_argument("--hide", type=Path, action="append", default=[], help="nothing of theirs")
    parser.add_argument("command", nargs="+")
    given = parser.parse_args()
    if landlock_version() >= FILES_SINCE:
        kept = [path for path, allowed in for_all() if allowed != READ_DIR]
        needed = [path.resolve() for path in (given.home, given.tmp, *given.read, *kept)]
        account = Path(pwd.getpwuid(os.getuid()).pw_dir)
        view = View(
            own=(given.home, given.tmp),
            kept=(*given.read, *kept, *OF_RUN),
            emptied=(Path("/run"), account, *given.hide),
            # What is below it would be hidden by a /tmp of their own.
            tmp=None if any(path.is_relative_to(TMP) for path in needed) else given.tmp,
        )
        own = namespaces_work(view)
        if own:
            _enter_namespaces(view)
        if not (own and view.tmp):
            os.environ["TMPDIR"] = str(given.tmp)
        confine_server(_rules(given.home, given.tmp, given.read, own))
        _drop_capabilities()
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
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
    if namespaces:
        return "Students' servers are kept to their own files and processes."
    return (
        "Students' servers open their own files only, but can change the permissions of others, "
        "use this account's sockets and terminals, and see and end its processes: it may not make "
        "namespaces here."
    )


def namespaces_work(view: View | None = None) -> bool:
    """Whether this machine lets its account make namespaces, and mount in them what is needed."""
    pid = os.fork()
    if pid:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    status = 1
    try:
        _unshare()
        inner = os.fork()
        if not inner:
            _mount(view or View())
            os._exit(0)
        status = os.waitstatus_to_exitcode(os.waitpid(inner, 0)[1])
    except OSError:
        pass
    finally:
        os._exit(min(abs(status), 1))


def _enter_namespaces(view: View) -> None:
    """Go on as a process in namespaces of its own, which end with this one.

    Two others wait: this one, which the hub knows and signals, and the first of the new
    namespace, which every orphan in it becomes a child of.
    """
    _unshare()
    _fork_and_relay()
    _libc().prctl(PARENT_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
    _mount(view)
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


def _mount(view: View) -> None:
    """Mount what is their own. Raises OSError."""
    plain = NO_SUID | NO_PROGRAMS
    _mounted(None, "/", None, RECURSIVE | SLAVE)
    _set_read_only(Path("/"), AND_BELOW)
    for path in view.own:
        _mounted(path, path, None, BIND)
        _set_writable(path)
    for folder in sorted(view.emptied):
        _empty(folder, (*view.own, *view.kept))
    if view.own:
        os.chdir(view.own[0])  # from the mount that is read-only now
    _mounted("proc", "/proc", "proc", plain | NO_DEVICES)
    for name in OF_THE_MACHINE:
        path = Path("/proc", name)
        if path.exists():
            _mounted(path, path, None, BIND)
            _mounted(None, path, None, BIND | REMOUNT | READ_ONLY | plain | NO_DEVICES)
    _mounted("devpts", "/dev/pts", "devpts", plain, "newinstance,ptmxmode=0666,mode=620")
    if not os.path.islink("/dev/ptmx"):
        _mounted("/dev/pts/ptmx", "/dev/ptmx", None, BIND)
    _mounted("shm", "/dev/shm", "tmpfs", NO_SUID | NO_DEVICES, "mode=1777")
    if view.tmp:
        _mounted(view.tmp, TMP, None, BIND)
        _set_writable(TMP)


def _empty(folder: Path, kept: Iterable[Path]) -> None:
    """Mount an empty folder in its place, in which only those of `kept` are that were there."""
    folder = folder.resolve()
    inside = sorted({path.resolve() for path in kept if path.exists()})
    if (
        folder == Path("/")
        or not folder.is_dir()
        or any(folder.is_relative_to(path) for path in inside)
    ):
        return
    inside = [path for path in inside if path.is_relative_to(folder)]
    outermost = [p for p in inside if not any(p != o and p.is_relative_to(o) for o in inside)]
    held = [(path, os.open(path, os.O_PATH | os.O_CLOEXEC)) for path in outermost]
    kinds = {path: path.is_dir() for path in outermost}
    _mounted("empty", folder, "tmpfs", NO_SUID | NO_DEVICES | NO_PROGRAMS, "mode=755")
    for path, descriptor in held:
        (path if kinds[path] else path.parent).mkdir(parents=True, exist_ok=True)
        if not kinds[path]:
            path.touch()
        _mounted(f"/proc/self/fd/{descriptor}", path, None, BIND | RECURSIVE)
        os.close(descriptor)
    _set_read_only(folder)


class _MountAttributes(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_uint64) for name in ("set", "clear", "propagation", "userns"))


def _set_read_only(path: Path, flags: int = 0) -> None:
    _set_attributes(path, _MountAttributes(set=READ_ONLY), flags)


def _set_writable(path: Path) -> None:
    _set_attributes(path, _MountAttributes(clear=READ_ONLY), 0)


def _set_attributes(path: Path, attributes: _MountAttributes, flags: int) -> None:
    size = ctypes.c_size_t(ctypes.sizeof(attributes))
    where = (HERE, os.fsencode(path), ctypes.c_uint(flags))
    done = _libc().syscall(MOUNT_SETATTR, *where, ctypes.byref(attributes), size)
    _checked(done, f"mount_setattr {path}")


def _drop_capabilities() -> None:
    """Root's servers keep none: with them `/proc/sys`, devices and modules are one call away."""
    libc, number = _libc(), 0
    while libc.prctl(DROP_OF_BOUNDING_SET, number, 0, 0, 0) == 0:
        number += 1
    libc.prctl(AMBIENT, CLEAR_ALL, 0, 0, 0)
    header, none = (ctypes.c_uint32 * 2)(CAPABILITIES_VERSION, 0), (ctypes.c_uint32 * 6)()
    _checked(libc.capset(ctypes.byref(header), ctypes.byref(none)), "capset")


def _mounted(
    source: Path | str | None, target: Path | str, kind: str | None, flags: int, data: str = ""
) -> None:
    texts = [None if text is None else os.fsencode(text) for text in (source, target, kind)]
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
