"""Releasing an assignment to students without a browser."""

from __future__ import annotations

import fcntl
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hub.course_folder import CourseFolder
from hub.exchange import archive
from hub.exchange.limits import MIB, Limits
from hub.exchange.store import Store


class PublishError(Exception):
    """The assignment cannot be released now; the message says what to do."""


def is_running(folder: CourseFolder) -> bool:
    """Whether a server runs on this course (it holds the lock that `serve` takes)."""
    try:
        with (folder.server / "serve.lock").open("r+", encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def publish_in_process(folder: CourseFolder, names: list[str]) -> Iterator[str]:
    """Put `release/<name>` into the exchange of a course whose server does not run."""
    if is_running(folder):
        raise PublishError(
            "The course's server runs: release the assignment in the formgrader, or with "
            "`nbgrader release_assignment NAME` in a terminal of the formgrader's JupyterLab."
        )
    store = Store(folder.exchange, limits=exchange_limits(folder))
    try:
        for name in names:
            yield _publish(store, folder.release / name, name, folder)
    finally:
        store.close()


def exchange_limits(folder: CourseFolder) -> Limits:
    """The exchange's limits in bytes, from the course's settings in MiB."""
    limits = folder.settings.exchange
    return Limits(
        submission_bytes=limits.submission_mib * MIB,
        file_bytes=limits.file_mib * MIB,
        files=limits.files,
        quota_bytes=limits.quota_mib * MIB,
    )


def _publish(store: Store, release: Path, name: str, folder: CourseFolder) -> str:
    if not release.is_dir():
        raise PublishError(f"{release} is not there: `logitlab release {name}` makes it.")
    settings = folder.settings
    upload = store.begin_upload(settings.course.grader)
    try:
        files = archive.files_in(release, lambda path, entry: False)
        packed = _Hashed(upload)
        archive.pack(files, packed, store.limits)  # type: ignore[arg-type]  # only written to
        kept = store.release(
            settings.course.id,
            name,
            upload,
            packed.sha256.hexdigest(),
            by=settings.course.grader,
            due=settings.due_utc(name),
            force=True,
        )
    finally:
        upload.close()
    return f"{name}: released to students ({kept.size} bytes)"


class _Hashed:
    """A writer into an upload that keeps the SHA-256 of what went through it."""

    def __init__(self, upload: Any) -> None:
        self._upload = upload
        self.sha256 = hashlib.sha256()

    def write(self, data: bytes) -> int:
        self.sha256.update(data)
        self._upload.write(data)
        return len(data)
