"""Replacing a file so that a reader, or a start after a crash, sees the old one or the new one."""

from __future__ import annotations

import os
import secrets
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def replacing(
    path: Path, *, mode: int | None = None, owner: int | None = None, durable: bool = True
) -> Iterator[BinaryIO]:
    """A file to write that takes the place of `path` once the block has ended without an error.

    mode: its permissions; None: those of any new file of this process. Where it is given, nobody
        else can open the file before it is complete.
    owner: the uid, and gid, that it is given to; None: this process's.
    durable: whether it is on the disk when this returns, also where the power fails then. What is
        made again when it is lost can do without, and does not wait for a busy disk.

    Raises OSError; `path` is as it was then.
    """
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    descriptor = os.open(partial, flags, 0o666 if mode is None else 0o600)
    try:
        with open(descriptor, "wb") as file:
            yield file
            file.flush()
            if owner is not None:
                os.fchown(descriptor, owner, owner)
            if mode is not None:
                os.fchmod(descriptor, mode)
            if durable:
                os.fsync(descriptor)
        os.replace(partial, path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    if durable:
        sync_directory(path.parent)


def replace(
    path: Path,
    content: str | bytes,
    *,
    mode: int | None = None,
    owner: int | None = None,
    durable: bool = True,
) -> None:
    """Make `content` (text: as UTF-8) that of the file at `path`; for the rest see `replacing`."""
    with replacing(path, mode=mode, owner=owner, durable=durable) as file:
        file.write(content.encode() if isinstance(content, str) else content)


def sync_directory(path: Path) -> None:
    """Put the names in `path` on the disk: a rename is safe only after this."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def unpack(archive: tarfile.TarFile, folder: Path) -> None:
    """Unpack an archive of files and folders below `folder`, and nothing else of it.

    What Python's own filter `data` does, which 3.11 has since 3.11.4 only; Debian 12 is older.

    Raises ValueError for an archive that holds links, devices or paths out of the folder.
    """
    if hasattr(tarfile, "data_filter"):
        archive.extractall(folder, filter="data")
        return
    for member in archive:
        parts = Path(member.name).parts
        if not (member.isreg() or member.isdir()) or member.name.startswith("/") or ".." in parts:
            raise ValueError(f"{member.name}: neither a file nor a folder below this one")
    archive.extractall(folder)
