"""Bytes on disk, named by their SHA-256, that either exist completely or not at all.

An upload is written to ``incoming/``, hashed and measured on the way, and flushed to disk.
`keep` then renames it to ``blobs/ab/ab…``; only after that does the store's transaction make it
visible. A crash in between leaves a file in ``incoming/`` or a blob with an *intent* beside it,
and the next start removes both. Only blobs with an intent are ever removed, so a store opened
with the wrong database deletes nothing that was acknowledged.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import logging
import os
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from hub.exchange.errors import DiskFull, InvalidArchive, TooLarge, TooManyUploads
from hub.exchange.limits import ExchangeLimits, size_text
from hub.facts.files import sync_directory

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Blob:
    """A stored upload: its SHA-256 in hexadecimal and its size in bytes."""

    sha256: str
    size: int


def disk_full() -> DiskFull:
    return DiskFull(
        "The course server's disk is full, so nothing was stored.",
        "Tell your instructor, and submit again once there is space.",
    )


@contextmanager
def _room_on_disk() -> Iterator[None]:
    """Turns the operating system's ENOSPC and EDQUOT into DiskFull."""
    try:
        yield
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise disk_full() from error
        raise


class Upload:
    """One file on its way in. `write` it, `finish` it, and always `close` it."""

    def __init__(self, path: Path, limit: int, closed: Callable[[], None]) -> None:
        self.path = path
        self.file: BinaryIO = open(path, "xb+")  # noqa: SIM115 - closed by close()
        self._limit = limit
        self._closed = closed
        self._digest = hashlib.sha256()
        self._size = 0

    def write(self, chunk: bytes) -> None:
        """Add bytes. Raises TooLarge beyond the limit, DiskFull if there is no space."""
        if self._size + len(chunk) > self._limit:
            raise TooLarge(
                f"The upload is larger than {size_text(self._limit)}.",
                "Clear large outputs, or remove files that do not belong to the assignment.",
            )
        with _room_on_disk():
            self.file.write(chunk)
        self._digest.update(chunk)
        self._size += len(chunk)

    def finish(self, expected: str) -> Blob:
        """Flush to disk. Raises InvalidArchive if the SHA-256 of the bytes is not `expected`."""
        sha256 = self._digest.hexdigest()
        if sha256 != expected:
            raise InvalidArchive(
                f"The upload arrived with SHA-256 {sha256}, not {expected}.",
                "It was damaged in transit; send it again.",
            )
        with _room_on_disk():
            self.file.flush()
            os.fsync(self.file.fileno())
        return Blob(sha256, self._size)

    def close(self) -> None:
        """Close the file, and remove it if it was not kept. Safe to call twice."""
        if not self.file.closed:
            try:
                self.file.close()
            except OSError:  # flushing to a full disk; the file is removed anyway
                log.warning("could not flush %s while removing it", self.path)
            self.path.unlink(missing_ok=True)
            self._closed()


class Blobs:
    """The folder of blobs, with a lock that shows whether anybody else is using it."""

    def __init__(self, folder: Path, limits: ExchangeLimits) -> None:
        self.folder = folder
        self._limits = limits
        self._incoming = folder / "incoming"
        self._incoming.mkdir(parents=True, exist_ok=True)
        for first in range(256):
            (folder / "blobs" / f"{first:02x}").mkdir(parents=True, exist_ok=True)
        for directory in (folder / "blobs", folder):
            sync_directory(directory)
        self._uploads: Counter[str] = Counter()
        self._counting = threading.Lock()
        self._lock = open(folder / "lock", "a+b")  # noqa: SIM115 - held while the store is open

    def begin(self, owner: str) -> Upload:
        """A new upload by `owner`. Raises TooManyUploads beyond the limit of simultaneous ones."""
        with self._counting:
            if self._uploads[owner] >= self._limits.uploads_at_once:
                raise TooManyUploads(
                    f"{self._limits.uploads_at_once} of your uploads are still in progress.",
                    "Wait for them to finish, then try again.",
                )
            self._uploads[owner] += 1

        def closed() -> None:
            with self._counting:
                self._uploads[owner] -= 1

        path = self._incoming / f"{uuid.uuid4().hex}.part"
        try:
            with _room_on_disk():
                return Upload(path, self._limits.submission_bytes, closed)
        except BaseException:
            closed()
            raise

    def path(self, sha256: str) -> Path:
        return self.folder / "blobs" / sha256[:2] / sha256

    def keep(self, upload: Upload, blob: Blob) -> Path:
        """Move a finished upload into place. Remove the returned intent after the commit."""
        intent = self._incoming / f"{blob.sha256}.{uuid.uuid4().hex}.intent"
        with _room_on_disk():
            intent.touch()
            # This replaces an older blob of the same name: the new bytes have just been checked.
            os.replace(upload.path, self.path(blob.sha256))
            sync_directory(self.path(blob.sha256).parent)
        return intent

    def sweep(self, is_referenced: Callable[[str], bool]) -> int:
        """Remove what interrupted uploads left behind, if nobody else uses the folder.

        Returns the number of files removed, and holds a shared lock on the folder from then on.
        """
        removed = 0
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            fcntl.flock(self._lock, fcntl.LOCK_SH)
            return removed
        for path in self._incoming.iterdir():
            sha256 = path.name.partition(".")[0]
            if path.suffix == ".intent" and not is_referenced(sha256):
                self.path(sha256).unlink(missing_ok=True)
            path.unlink()
            removed += 1
        fcntl.flock(self._lock, fcntl.LOCK_SH)
        return removed

    def close(self) -> None:
        self._lock.close()
