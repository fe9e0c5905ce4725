"""Landlock: what a process and all that it starts may open and signal, without root (landlock(7)).

Where student code runs under the account that grades, `confined_options` keeps it to its own
folders. What the kernel here cannot forbid, `not_protected` says in words.
"""

from __future__ import annotations

import ctypes
import os
import stat
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from course.models import models_folders

PACKAGES = Path(__file__).parents[3]  # where `hub` and `course` are imported from

SET_NO_NEW_PRIVS = 38  # prctl(2)
CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446  # the same numbers on all machines
RULE_PATH_BENEATH = 1

# Versions. Older ones forbid every move between folders, which honest programs make.
FILES_SINCE, TRUNCATE_SINCE, DEVICES_SINCE, SCOPES_SINCE = 2, 3, 5, 6
SCOPE_ABSTRACT_SOCKETS, SCOPE_SIGNALS = 1, 2

EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
CHANGE_FOLDER = 0x3FF0  # make, remove and move whatever stands in a folder: bits 4 to 13
TRUNCATE, CONTROL_DEVICE = 1 << 14, 1 << 15
OF_A_FILE = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | CONTROL_DEVICE

READ = EXECUTE | READ_FILE | READ_DIR
WRITE = READ | WRITE_FILE | CHANGE_FOLDER | TRUNCATE
USE = READ_FILE | WRITE_FILE | CONTROL_DEVICE

# `/proc` shows who runs, but nothing of a process outside: its memory, environment, descriptors
# and folders are closed to whoever could not trace it.
SYSTEM = (
    *("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/nix/store", "/etc", "/proc", "/sys"),
    *("/var/cache/fontconfig", "/run/systemd/resolve"),
)
# No terminal: whoever grades may be reading or typing at one.
DEVICES = ("null", "zero", "full", "random", "urandom", "dri", "kfd")
STUDENTS_FOLDERS = ("work", "home", "tmp")


class CannotConfine(Exception):
    """This machine lacks what confines student code; the message says what."""


class _Ruleset(ctypes.Structure):
    _fields_ = (
        ("files", ctypes.c_uint64),
        ("network", ctypes.c_uint64),
        ("scopes", ctypes.c_uint64),
    )


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32))


def landlock_version() -> int:
    """The kernel's version of Landlock, 0 where it has none or may not be asked."""
    return max(0, ctypes.CDLL(None).syscall(CREATE_RULESET, None, ctypes.c_size_t(0), 1))


def not_protected(version: int) -> list[str]:
    """What graded code may do under the account that grades, where Landlock has this version."""
    if version < FILES_SINCE:
        return ["read and change every file of the account that grades", _ENDING]
    emptying = ["empty files of that account"] if version < TRUNCATE_SINCE else []
    return [*emptying, *([_ENDING] if version < SCOPES_SINCE else [])]


_ENDING = "end the processes that grade"


def describe(version: int) -> str:
    """The same in a sentence, for whoever starts a server without containers or grades there."""
    if lacks := not_protected(version):
        return (
            f"Not protected here: graded code can {' and '.join(lacks)} "
            "(Linux from 6.12, with Landlock, forbids it)."
        )
    return "Graded code is kept to its own folder, and signals no other process."


def close_scopes() -> None:
    """No abstract socket and no signal leads out of what this process starts from now on.

    Raises CannotConfine. For versions from SCOPES_SINCE, after PR_SET_NO_NEW_PRIVS.
    """
    ruleset = _ruleset(_Ruleset(0, 0, SCOPE_ABSTRACT_SOCKETS | SCOPE_SIGNALS))
    _restrict_self(ctypes.CDLL(None, use_errno=True), ruleset)
    os.close(ruleset)


def confined_options(scratch: Path) -> dict[str, Any]:
    """Keywords with which `subprocess.Popen` starts student code in the folder `scratch` so that
    it opens nothing else of its account and signals nobody else; none where Landlock is too old.

    A descriptor stays open for them. Raises CannotConfine where Landlock refuses.
    """
    version = landlock_version()
    if version < FILES_SINCE:
        return {}
    known = _known_to(version)
    ruleset = _filled(version, [(scratch / name, WRITE) for name in STUDENTS_FOLDERS])
    return {"preexec_fn": _restricting(ruleset, (WRITE_FILE | TRUNCATE) & known)}


def confine_server(rules: Iterable[tuple[Path, int]]) -> None:
    """Keep this process, and the server that it becomes, to what `rules` allow below which path,
    to what graded code may open, and to its own processes.

    Raises CannotConfine. For versions from FILES_SINCE.
    """
    version = landlock_version()
    _restricting(_filled(version, rules), (WRITE_FILE | TRUNCATE) & _known_to(version))()


def _filled(version: int, rules: Iterable[tuple[Path, int]]) -> int:
    """A ruleset of `rules` and of what all student code may open."""
    known = _known_to(version)
    scopes = SCOPE_ABSTRACT_SOCKETS | SCOPE_SIGNALS if version >= SCOPES_SINCE else 0
    ruleset = _ruleset(_Ruleset(known, 0, scopes))
    for path, allowed in (*rules, *for_all()):
        _allow(ruleset, path, allowed & known)
    return ruleset


def _known_to(version: int) -> int:
    known = EXECUTE | WRITE_FILE | READ_FILE | READ_DIR | CHANGE_FOLDER
    known |= TRUNCATE if version >= TRUNCATE_SINCE else 0
    return known | (CONTROL_DEVICE if version >= DEVICES_SINCE else 0)


def for_all() -> Iterator[tuple[Path, int]]:
    """What all student code may do below which path, for those that there are."""
    yield Path("/dev/shm"), WRITE
    for device in (*(Path("/dev", name) for name in DEVICES), *Path("/dev").glob("nvidia*")):
        yield device, USE | READ_DIR
    yield PACKAGES, READ_DIR  # or nothing in it is found; it may hold more than packages
    for path in (*map(Path, SYSTEM), PACKAGES / "hub", PACKAGES / "course", *_libraries()):
        yield path, READ
    for folder in models_folders():
        yield from ((path, READ) for path in (folder, *_linked(folder)))


def _libraries() -> Iterable[Path]:
    """Where this Python and its packages lie, in a checkout's environment or anywhere."""
    folders = {sys.prefix, sys.base_prefix, sys.exec_prefix, sys.base_exec_prefix}
    imported = {path for path in sys.path if Path(path).name in ("site-packages", "dist-packages")}
    return [Path(path).resolve() for path in sorted(folders | imported)]


def _linked(folder: Path) -> set[Path]:
    """What the checkpoints of a folder link to."""
    entries = [path for pattern in ("*", "*/*", "*/*/*") for path in folder.glob(pattern)]
    return {path.resolve() for path in entries if path.is_symlink()}


def _ruleset(attributes: _Ruleset) -> int:
    """A descriptor of a new ruleset. Raises CannotConfine."""
    libc = ctypes.CDLL(None, use_errno=True)
    size = ctypes.c_size_t(ctypes.sizeof(attributes) if attributes.scopes else 8)
    ruleset = libc.syscall(CREATE_RULESET, ctypes.byref(attributes), size, 0)
    if ruleset < 0:
        raise CannotConfine(f"landlock_create_ruleset: {os.strerror(ctypes.get_errno())}")
    return ruleset


def _allow(ruleset: int, path: Path, allowed: int) -> None:
    try:
        parent = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # what is not there needs no rule
    try:
        if not stat.S_ISDIR(os.fstat(parent).st_mode):
            allowed &= OF_A_FILE
        rule = _PathBeneath(allowed, parent)
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.syscall(ADD_RULE, ruleset, RULE_PATH_BENEATH, ctypes.byref(rule), 0) != 0:
            raise CannotConfine(f"landlock_add_rule {path}: {os.strerror(ctypes.get_errno())}")
    finally:
        os.close(parent)


def _restricting(ruleset: int, of_itself: int) -> Callable[[], None]:
    """What a new process calls before it becomes another program: a few calls of the kernel.

    of_itself: what it may do below its own /proc/PID, such as to set its peak of memory back
        (`course.calls.cost`).
    """
    libc = ctypes.CDLL(None, use_errno=True)

    def restrict() -> None:
        _allow(ruleset, Path("/proc/self"), of_itself)
        if libc.prctl(SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
            raise CannotConfine("prctl(PR_SET_NO_NEW_PRIVS) failed")
        _restrict_self(libc, ruleset)

    return restrict


def _restrict_self(libc: ctypes.CDLL, ruleset: int) -> None:
    if libc.syscall(RESTRICT_SELF, ruleset, 0) != 0:
        raise CannotConfine(f"landlock_restrict_self: {os.strerror(ctypes.get_errno())}")
