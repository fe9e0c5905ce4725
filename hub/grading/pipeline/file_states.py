"""Whether files are as they were when they were read, without reading them again."""

from __future__ import annotations

import os
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

import nbformat
from nbformat import NotebookNode

FileState = tuple[str, int, int, int]
"""Path of a file, its inode, size, and the time at which it was written, nanoseconds."""

FileStates = frozenset[FileState]


def file_states(*folders: Path) -> FileStates:
    """A value that changes whenever a file in or below these folders is written or replaced."""
    found = set()
    for top in folders:
        for folder, _, names in os.walk(top):
            for name in names:
                with suppress(OSError):  # a link that leads nowhere, or a file that has just gone
                    found.add(_state(Path(folder, name)))
    return frozenset(found)


def read_once(path: Path) -> NotebookNode:
    """A notebook of the course; read again once it is written. Nobody may change what this returns.

    Raises as `nbformat.read`.
    """
    return _read(_state(path))


@lru_cache(maxsize=16)
def _read(state: FileState) -> NotebookNode:
    return nbformat.read(state[0], as_version=4)


def _state(path: Path) -> FileState:
    status = path.stat()
    return str(path), status.st_ino, status.st_size, status.st_mtime_ns
