"""Room on a disk, asked for before something large is written."""

from __future__ import annotations

import shutil
from pathlib import Path

from hub.facts.errors import UserError


class NoRoom(UserError):
    """The disk has too little room; the message says how much is needed."""


def free_mb(path: Path) -> int:
    """MB free on the disk of `path`, or of the folder above it that is there and open to us.

    Raises NoRoom where that cannot be found out.
    """
    for folder in (path, *path.absolute().parents):
        try:
            return shutil.disk_usage(folder).free // 1_000_000
        except (FileNotFoundError, PermissionError):
            continue
    raise NoRoom(f"Cannot determine the free space of the disk of {path}.")


def check_room(free: float, needed: float, folder: Path, what: str, fix: str) -> None:
    """Raise NoRoom where `needed` more MB do not fit on the disk of `folder`, which has `free`.

    what: what needs them, as the subject of a sentence.
    fix: what to do about it.
    """
    if free < needed:
        raise NoRoom(
            f"{what} needs about {size(needed)} on the disk of {folder}, which has {size(free)} "
            "free.",
            fix,
        )


def size(mb: float) -> str:
    """MB for people."""
    return f"{mb / 1000:.1f} GB" if mb >= 1000 else f"{mb:.0f} MB"
