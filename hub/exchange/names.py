"""Which names the exchange accepts. The client and the service both check with this module.

A name that passes can be a path under somebody else's folder without leaving it,
hiding in it, colliding with another name on any common file system, or being read as
configuration by a program that the instructor runs there.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from pathlib import Path

from hub.exchange.errors import InvalidName
from hub.facts.names import IDENTIFIER_RULE, is_identifier

COMPONENT_BYTES = 100  # the size of a field of a ustar header
PATH_BYTES = 155  # so that every path can be split between the two fields

# Written by the exchange itself beside the files of a collected submission.
RECEIPT_FILE = "receipt.json"
TIMESTAMP_FILE = "timestamp.txt"
WRITTEN_BY_THE_EXCHANGE = frozenset({RECEIPT_FILE, TIMESTAMP_FILE, "submission_secret.txt"})

# nbgrader and Jupyter, run in that folder, would read these as configuration or database.
READ_BY_THE_GRADER = frozenset(
    {
        "gradebook.db",
        "nbgrader_config.py",
        "nbgrader_config.json",
        "jupyter_config.py",
        "jupyter_config.json",
        "jupyter_nbconvert_config.py",
        "jupyter_nbconvert_config.json",
        "ipython_config.py",
        "ipython_kernel_config.py",
    }
)

# Control, format (bidirectional overrides, zero width), surrogate, private, line separators.
_UNPRINTABLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_KEY = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_RECEIPT = re.compile(r"[0-9a-f]{32}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


def _folded(name: str) -> str:
    """A form that is equal for names that some common file system takes for the same file."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFKC", name).casefold())


RESERVED = frozenset(_folded(name) for name in WRITTEN_BY_THE_EXCHANGE | READ_BY_THE_GRADER)


def _identifier(kind: str, name: str) -> str:
    if not is_identifier(name):
        raise InvalidName(
            f"The exchange does not accept the {kind} name {name!r}.", f"Use {IDENTIFIER_RULE}."
        )
    return name


def check_course(name: str) -> str:
    """`name` if it can name a course; raises InvalidName otherwise."""
    return _identifier("course", name)


def check_assignment(name: str) -> str:
    """`name` if it can name an assignment; raises InvalidName otherwise."""
    return _identifier("assignment", name)


def check_key(key: str) -> str:
    """`key` if it is a lower-case UUID, as the client makes for each submission."""
    if not _KEY.fullmatch(key):
        raise InvalidName(
            f"{key!r} is not a submission key.",
            "Send a lower-case UUID, a new one for each submission.",
        )
    return key


def check_receipt(receipt: str) -> str:
    """`receipt` if it has the form of a receipt number; raises InvalidName otherwise."""
    if not _RECEIPT.fullmatch(receipt):
        raise InvalidName(f"{receipt!r} is not a receipt number.", "Copy it from your receipt.")
    return receipt


def check_sha256(digest: str) -> str:
    """`digest` if it is a SHA-256 in lower-case hexadecimal; raises InvalidName otherwise."""
    if not _SHA256.fullmatch(digest):
        raise InvalidName(
            f"{digest!r} is not a SHA-256.", "Send 64 hexadecimal digits in lower case."
        )
    return digest


def _component_fault(name: str) -> str | None:
    """What is wrong with one component of a path, or None."""
    if name in ("", ".", ".."):
        return "has an empty, '.' or '..' part"
    if name.startswith("."):
        return "has a part that begins with a dot"
    if "\\" in name or "/" in name:
        return "has a slash or backslash inside a part"
    if any(unicodedata.category(character) in _UNPRINTABLE for character in name):
        return "has a control or invisible character"
    if unicodedata.normalize("NFC", name) != name:
        return "is not in Unicode's composed form (NFC)"
    if name != name.strip() or name.endswith("."):
        return "has a part that begins or ends with a space or ends with a dot"
    if len(name.encode()) > COMPONENT_BYTES:
        return f"has a part longer than {COMPONENT_BYTES} bytes"
    return None


def check_student(name: str) -> str:
    """`name` if it can be a user's folder in a course; raises InvalidName otherwise."""
    fault = _component_fault(name)
    if fault is None and any(character in "*?[]{}" for character in name):
        fault = "has a character with a special meaning in file patterns"
    if fault is not None:
        raise InvalidName(
            f"The user name {name!r} {fault}, so it cannot name a folder.",
            "Ask the administrator for an account with another name.",
        )
    return name


def check_path(path: str) -> str:
    """`path` if it is the relative path of a regular file that the exchange accepts.

    Raises InvalidName with the path and its fault.
    """
    parts = path.split("/")
    fault = next((fault for part in parts if (fault := _component_fault(part))), None)
    if fault is None and len(path.encode()) > PATH_BYTES:
        fault = f"is longer than {PATH_BYTES} bytes"
    if fault is None and any(_folded(part) in RESERVED for part in parts):
        fault = "has a name that is reserved for the course server"
    if fault is not None:
        raise InvalidName(f"The path {path!r} {fault}.", "Rename the file or remove it.")
    return path


def composed(files: Mapping[str, Path]) -> dict[str, Path]:
    """`files` under names in Unicode's composed form, as some systems decompose them.

    Raises InvalidName for two that differ only in that.
    """
    found: dict[str, str] = {}
    for path in files:
        name = unicodedata.normalize("NFC", path)
        if name in found:
            raise _collision(path, found[name])
        found[name] = path
    return {name: files[path] for name, path in found.items()}


def check_paths(paths: Iterable[str]) -> list[str]:
    """All of `paths`, each checked, if they can coexist in one folder on any file system.

    Raises InvalidName for a bad path, for two that differ only in case or Unicode form, and for
    one that is both a file and a folder.
    """
    checked = []
    files: dict[str, str] = {}
    folders: dict[str, str] = {}
    for path in paths:
        checked.append(check_path(path))
        parts = path.split("/")
        for depth in range(1, len(parts)):
            folder = "/".join(parts[:depth])
            other = folders.setdefault(_folded(folder), folder)
            if other != folder:
                raise _collision(folder, other)
        if _folded(path) in files:
            raise _collision(path, files[_folded(path)])
        files[_folded(path)] = path
    both = files.keys() & folders.keys()
    if both:
        name = min(both)
        raise _collision(files[name], folders[name] + "/")
    return checked


def _collision(one: str, other: str) -> InvalidName:
    return InvalidName(
        f"The paths {one!r} and {other!r} would be the same file on some computers.",
        "Rename one of them.",
    )
