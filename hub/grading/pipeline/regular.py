"""Whether what lies in `submitted/` can be read: files and folders, and nothing that hangs or ends.

The exchange takes nothing else, but people put submissions there by hand. nbgrader copies whatever
it finds, a device too.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from hub.grading.pipeline.report import quoted
from hub.grading.sandbox.trouble import CannotGrade

KINDS = {
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFDIR: "a folder",
}


def check_regular(submission: Path) -> None:
    """Raise CannotGrade for what is no regular file, and for a notebook that is a link to a file
    elsewhere."""
    for folder, folders, names in os.walk(submission):
        notebooks = [
            name for name in folders if name.endswith(".ipynb") and folder == f"{submission}"
        ]
        for name in sorted([*names, *notebooks]):
            if odd := _oddity(Path(folder, name)):
                where = Path(folder, name).relative_to(submission)
                raise CannotGrade(
                    f"{quoted(where)} in the submission's folder is {odd}, not a file. Remove "
                    f"it or put the file there ({submission})"
                )


def _oddity(path: Path) -> str | None:
    """What `path` is, if it is no regular file that can be taken."""
    try:
        kind = stat.S_IFMT(path.stat().st_mode)
    except OSError:
        return "a link that leads nowhere" if path.is_symlink() else "nothing that can be read"
    if kind != stat.S_IFREG:
        return KINDS.get(kind, "something else")
    if path.suffix == ".ipynb" and path.is_symlink():
        # Links within the submission are made where a notebook has another name.
        inside = path.resolve().is_relative_to(path.parent.resolve())
        return None if inside else "a link to a file elsewhere"
    return None
