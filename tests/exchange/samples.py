"""Archives and uploads for tests."""

from __future__ import annotations

import hashlib
import uuid
from datetime import UTC, datetime

from hub.exchange import archive
from hub.exchange.records import Feedback, Points, Release, Submission
from hub.exchange.store import Store

COURSE, ASSIGNMENT = "mechinterp", "06-induction-heads"


def packed(files: dict[str, bytes]) -> bytes:
    """The exchange's archive of `files`, without any check, so that tests can make bad ones."""
    parts = []
    for path in sorted(files):
        data = files[path]
        parts += [archive.header(path, len(data)), data, bytes(-len(data) % archive.BLOCK)]
    return b"".join(parts) + archive.END


def notebook(text: str = "") -> bytes:
    return packed({"induction-heads.ipynb": b'{"cells": [], "text": "%s"}' % text.encode()})


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def key() -> str:
    return str(uuid.uuid4())


def release(store: Store, data: bytes | None = None, **options) -> Release:
    data = notebook("released") if data is None else data
    upload = store.begin_upload("prof")
    try:
        upload.write(data)
        due, options = options.pop("due", None), {"by": "prof", "force": True, **options}
        made = store.release(COURSE, ASSIGNMENT, upload, sha256(data), due=due, **options)
        if due not in (None, made.due):  # it was released before
            store.set_due(COURSE, ASSIGNMENT, due, by="prof")
        return store.release_of(COURSE, ASSIGNMENT)
    finally:
        upload.close()


def submit(
    store: Store, data: bytes, student: str = "alice", with_key: str | None = None
) -> Submission:
    upload = store.begin_upload(student)
    try:
        upload.write(data)
        return store.submit(COURSE, ASSIGNMENT, student, with_key or key(), upload, sha256(data))
    finally:
        upload.close()


def give_feedback(
    store: Store,
    submission: Submission,
    data: bytes | None = None,
    points: Points | None = None,
) -> Feedback:
    data = packed({"induction-heads.html": b"<p>well done"}) if data is None else data
    upload = store.begin_upload("prof")
    try:
        upload.write(data)
        return store.put_feedback(
            COURSE,
            submission.receipt,
            upload,
            sha256(data),
            student=submission.student,
            assignment=submission.assignment,
            by="prof",
            points=points,
        )
    finally:
        upload.close()


class Clock:
    """A clock that stands still until a test moves it."""

    def __init__(self) -> None:
        self.now = datetime(2027, 3, 1, 12, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now
