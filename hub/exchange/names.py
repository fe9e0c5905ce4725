"""Which names the exchange takes. The client and the service both check, with this module.

A name that passes here can be a path under a folder of somebody else's without leaving it,
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

COMPONENT_BYTES = 100  # what one field of a ustar header holds
PATH_BYTES = 155  # so that every path can be split between the two fields of a ustar header

# Written by the exchange itself beside the files of a collected submission.
RECEIPT_FILE = "receipt.json"
TIMESTAMP_FILE = "timestamp.txt"
WRITTEN_BY_THE_EXCHANGE = frozenset({RECEIPT_FILE, TIMESTAMP_FILE, "submission_secret.txt"})

# Read as configuration, or as its database, by nbgrader and Jupyter run in that folder.
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
    """The form in which two names are one file on some common file system."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFKC", name).casefold())


RESERVED = frozenset(_folded(name) for name in WRITTEN_BY_THE_EXCHANGE | READ_BY_THE_GRADER)


def _identifier(kind: str, name: str) -> str:
    if not is_identifier(name):
        raise InvalidName(
            f"The {kind} name {name!r} is not one the exchange takes.", f"Use {IDENTIFIER_RULE}."
        )
    return name


def check_course(name: str) -> str:
    """`name` if it can name a course; raises InvalidName otherwise."""
    return _identifier("course", name)


def check_assignment(name: str) -> str:
    """`name` if it can name an assignment; raises InvalidName otherwise."""
    return _identifier("assignment", name)


def check_key(key: str) -> str:
    """`key` if it is a UUID in lower case, as the client makes one for each submission."""
    if not _KEY.fullmatch(key):
        raise InvalidName(
            f"{key!r} is not a submission key.",
            "Send a UUID in lower case, new for each submission.",
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
    """`name` if the Hub user of that name can have a folder in a course; raises InvalidName."""
    fault = _component_fault(name)
    if fault is None and any(character in "*?[]{}" for character in name):
        fault = "has a character that means something in file patterns"
    if fault is not None:
        raise InvalidName(
            f"The user name {name!r} {fault}, so it cannot name a folder.",
            "Ask the administrator for an account with another name.",
        )
    return name


def check_path(path: str) -> str:
    """`path` if it is a relative path of a plain file that the exchange takes.

    Raises InvalidName, with the path and what is wrong with it.
    """
    parts = path.split("/")
    fault = next((fault for part in parts if (fault := _component_fault(part))), None)
    if fault is None and len(path.encode()) > PATH_BYTES:
        fault = f"is longer than {PATH_BYTES} bytes"
    if fault is None and any(_folded(part) in RESERVED for part in parts):
        fault = "has a name that is reserved for the course server"
    if fault is not None:
        raise InvalidName(f"The path {path!r} {fault}.", "Rename the file or take it out.")
    return path


def composed(files: Mapping[str, Path]) -> dict[str, Path]:
    """`files` by names in Unicode's composed form; some systems give them decomposed.

    Raises InvalidName for two that differ in nothing else.
    """
    found: dict[str, str] = {}
    for path in files:
        name = unicodedata.normalize("NFC", path)
        if name in found:
            raise _collision(path, found[name])
        found[name] = path
    return {name: files[path] for name, path in found.items()}


def check_paths(paths: Iterable[str]) -> list[str]:
    """All of `paths`, each checked, if they can live in one folder on any file system.

    Raises InvalidName for a bad path, for two that differ only in case or Unicode form, and for
    one that is a file in one place and a folder in another.
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
