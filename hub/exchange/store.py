"""What the exchange keeps: releases, submissions and feedback of each course.

The store trusts its caller about identity (see `access`). It promises that what a call returned is
on disk, that a submission never changes, and that a crash leaves all of a change or none of it.
One process serves a store; in local mode several short-lived ones may share it on SQLite.
"""

from __future__ import annotations

import hashlib
import logging
import uuid
from collections.abc import Callable, Collection
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from hub.exchange import archive, due_dates, names
from hub.exchange.blobs import Blobs, Upload
from hub.exchange.database import DATABASE_FILE, Database
from hub.exchange.due_dates import NOBODY, Dates, Deadlines
from hub.exchange.errors import Conflict, InvalidName, NotFound, Refusal, TooLarge
from hub.exchange.headings import Heading, heading
from hub.exchange.limits import ExchangeLimits, size_text
from hub.exchange.records import (
    DueDate,
    Extension,
    Feedback,
    FeedbackRow,
    Points,
    Release,
    ReleaseRow,
    Submission,
    SubmissionRow,
)
from hub.exchange.renamed import CourseCounts, kept

log = logging.getLogger(__name__)

HEADINGS = 1000  # releases of which a store remembers what they say of themselves


def utc_now() -> datetime:
    return datetime.now(UTC)


class Store:
    """The exchange in `folder` and `database` (a SQLAlchemy URL, by default SQLite in `folder`).

    `upgraded` is a line about what opening it did to older tables, "" if nothing.

    Raises ServiceAway if the database does not answer, SchemaError if its tables are from a
    newer LogitLab or could not be upgraded.
    """

    def __init__(
        self,
        folder: Path,
        *,
        database: str | None = None,
        limits: ExchangeLimits | None = None,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self.limits = limits or ExchangeLimits()
        self._clock = clock
        self._blobs = Blobs(Path(folder), self.limits)
        # Read when first asked for, not kept at release: so releases of older versions have one.
        self._heading = lru_cache(HEADINGS)(self._read_heading)
        try:
            self._database = Database(database or f"sqlite:///{Path(folder) / DATABASE_FILE}")
        except BaseException:
            self._blobs.close()
            raise
        self.upgraded = self._database.upgraded
        with self._database.write() as session:
            removed = self._blobs.sweep(lambda sha256: _is_referenced(session, sha256))
        if removed:
            log.info("store swept leftovers=%d", removed)

    def close(self) -> None:
        self._database.close()
        self._blobs.close()

    def begin_upload(self, owner: str) -> Upload:
        """Where `owner`'s bytes go until a call below takes them; always close it."""
        return self._blobs.begin(owner)

    def now(self) -> datetime:
        """The time that counts for everybody."""
        return self._clock()

    def blob_path(self, sha256: str) -> Path:
        return self._blobs.path(sha256)

    def kept(self) -> list[CourseCounts]:
        """What is kept of each course."""
        with self._database.read() as session:
            return kept(session)

    # Releases

    def release(
        self,
        course: str,
        assignment: str,
        upload: Upload,
        sha256: str,
        *,
        by: str,
        due: datetime | None = None,
        force: bool = False,
    ) -> Release:
        """Let students fetch the uploaded archive. `due` counts at the first release only.

        Raises Conflict if it is already released, unless `force`.
        """
        names.check_course(course)
        names.check_assignment(assignment)
        blob = upload.finish(sha256)
        members = archive.read(upload.file, self.limits)
        with self._database.write() as session:
            old = session.get(ReleaseRow, (course, assignment))
            if old is not None and old.sha256 == blob.sha256:
                # Repeated, perhaps because the response was lost.
                return self._release(Deadlines(session, course, NOBODY), old)
            if old is not None and not force:
                raise Conflict(
                    f"{assignment} is already released in {course}.",
                    "Release it with --force to replace it; students who fetched it keep their "
                    "copy.",
                )
            replaced = old.sha256 if old else None
            intent = self._blobs.keep(upload, blob)
            row = old or ReleaseRow(course=course, assignment=assignment)
            row.sha256, row.size, row.notebooks = blob.sha256, blob.size, _notebooks(members)
            row.released_at, row.released_by = self._clock(), by
            session.add(row)
            due_dates.begin(session, course, assignment, due, by=by, at=row.released_at)
            session.flush()
            kept = self._release(Deadlines(session, course, NOBODY), row)
        intent.unlink()
        self._drop_unreferenced(replaced)
        log.info(
            "released course=%s assignment=%s by=%s bytes=%d sha256=%s due=%s",
            *(course, assignment, by, blob.size, blob.sha256, kept.due),
        )
        return kept

    def unrelease(self, course: str, assignment: str, *, by: str) -> Release:
        """Withdraw a release. Submissions, feedback and the due date are kept."""
        with self._database.write() as session:
            row = _released(session, course, assignment)
            gone = self._release(Deadlines(session, course, NOBODY), row)
            session.delete(row)
        self._drop_unreferenced(gone.sha256)
        log.info("unreleased course=%s assignment=%s by=%s", course, assignment, by)
        return gone

    def releases(self, course: str, *, student: str | None = None) -> list[Release]:
        """All releases of a course, by assignment, with the due dates of `student`."""
        query = select(ReleaseRow).where(ReleaseRow.course == course)
        with self._database.read() as session:
            dates = Deadlines(session, course, student or NOBODY)
            rows = session.scalars(query.order_by(ReleaseRow.assignment))
            return [self._release(dates, row, student) for row in rows]

    def release_of(self, course: str, assignment: str) -> Release:
        """One release; raises NotFound."""
        with self._database.read() as session:
            row = _released(session, course, assignment)
            return self._release(Deadlines(session, course, NOBODY), row)

    def _release(self, dates: Deadlines, row: ReleaseRow, student: str | None = None) -> Release:
        found = self._heading(row.sha256)
        return Release(
            course=row.course,
            assignment=row.assignment,
            sha256=row.sha256,
            size=row.size,
            notebooks=list(row.notebooks),
            due=dates.due(row.assignment, student),
            extended=dates.is_extended(row.assignment, student),
            released_at=row.released_at,
            title=found.title or row.assignment,
            points=found.points,
        )

    def _read_heading(self, sha256: str) -> Heading:
        try:
            with open(self.blob_path(sha256), "rb") as file:
                members = archive.read(file, self.limits)
                return heading(
                    b"".join(archive.contents(file, member))
                    for member in members
                    if _is_notebook(member)
                )
        except (OSError, Refusal):  # fetching says what is wrong with it
            return Heading()

    # Due dates

    def due_dates(self, course: str) -> list[DueDate]:
        """Of all assignments of a course that were ever released, by assignment."""
        with self._database.read() as session:
            return due_dates.due_dates(session, course)

    def set_due(self, course: str, assignment: str, due: datetime | None, *, by: str) -> DueDate:
        """Change when an assignment is due, for everybody and at once; None: never.

        Raises NotFound before its first release.
        """
        with self._database.write() as session:
            kept = due_dates.change(session, course, assignment, due, by=by, at=self._clock())
        log.info("due course=%s assignment=%s by=%s due=%s", course, assignment, by, kept.due)
        return kept

    def extensions(self, course: str) -> list[Extension]:
        """Of a course, by assignment and student, also those that were taken back."""
        with self._database.read() as session:
            return due_dates.extensions(session, course)

    def extend(
        self, course: str, assignment: str, student: str, due: datetime | None, *, by: str
    ) -> Extension:
        """Give a student a due date of their own, at once; see `due_dates.extend`."""
        names.check_student(student)
        with self._database.write() as session:
            kept = due_dates.extend(
                session, course, assignment, student, due, by=by, at=self._clock()
            )
        log.info(
            "extended course=%s assignment=%s student=%s by=%s due=%s",
            *(course, assignment, student, by, due),
        )
        return kept

    def settle(self, courses: Collection[str], settings: Dates) -> list[DueDate]:
        """Complete, once, the due dates that an older version left; see `due_dates.settle`."""
        with self._database.write() as session:
            changed = due_dates.settle(session, courses, settings)
        for one in changed:
            log.info(
                "due course=%s assignment=%s by=course.yaml due=%s",
                *(one.course, one.assignment, one.due),
            )
        return changed

    # Submissions

    def check_room(self, course: str, student: str, size: int) -> None:
        """Raise TooLarge if `size` more bytes exceed the student's quota in the course."""
        with self._database.read() as session:
            self._check_room(session, course, student, size)

    def used_bytes(self, course: str, student: str) -> int:
        with self._database.read() as session:
            return _used_bytes(session, course, student)

    def has_key(self, student: str, key: str) -> bool:
        """Whether a submission by the student with this key is already stored."""
        with self._database.read() as session:
            return _with_key(session, student, key) is not None

    def submit(
        self, course: str, assignment: str, student: str, key: str, upload: Upload, sha256: str
    ) -> Submission:
        """Store a submission; returns its receipt, valid from this moment on.

        The same `key` with the same bytes returns the first receipt. Raises Conflict for a key
        used for something else, NotFound if the assignment is not released, TooLarge beyond the
        quota.
        The time of a submission is the moment at which all of it has arrived and been checked.
        """
        names.check_student(student)
        names.check_key(key)
        blob = upload.finish(sha256)
        members = archive.read(upload.file, self.limits)
        with self._database.write() as session:
            again = _with_key(session, student, key)
            if again is not None:
                if (again.course, again.assignment, again.sha256) != (course, assignment, sha256):
                    raise Conflict(
                        "This submission key was already used for another submission.",
                        "Make a new key for each submission; reuse a key only to repeat the same "
                        "one.",
                    )
                return _submission(Deadlines(session, course, student), again)
            _released(session, course, assignment)
            self._check_room(session, course, student, blob.size)
            intent = self._blobs.keep(upload, blob)
            row = SubmissionRow(
                receipt=uuid.uuid4().hex,
                course=course,
                assignment=assignment,
                student=student,
                key=key,
                sha256=blob.sha256,
                size=blob.size,
                files=len(members),
                notebooks=_notebooks(members),
                received_at=self._free_time(session, course, assignment, student),
            )
            session.add(row)
            session.flush()
            receipt = _submission(Deadlines(session, course, student), row)
        intent.unlink()
        log.info(
            "submitted course=%s assignment=%s student=%s receipt=%s bytes=%d sha256=%s late=%s",
            *(course, assignment, student, receipt.receipt, blob.size, blob.sha256, receipt.late),
        )
        return receipt

    def submissions(
        self, course: str, *, assignment: str | None = None, student: str | None = None
    ) -> list[Submission]:
        """Submissions in the order in which they arrived, with their feedback if released."""
        query = (
            select(SubmissionRow, FeedbackRow)
            .outerjoin(FeedbackRow, FeedbackRow.receipt == SubmissionRow.receipt)
            .where(SubmissionRow.course == course)
        )
        if assignment is not None:
            query = query.where(SubmissionRow.assignment == assignment)
        if student is not None:
            query = query.where(SubmissionRow.student == student)
        with self._database.read() as session:
            dates = Deadlines(session, course, student)
            rows = session.execute(query.order_by(SubmissionRow.number))
            return [_submission(dates, row, feedback) for row, feedback in rows]

    def submission(self, course: str, receipt: str) -> Submission:
        """One submission by its receipt number; raises NotFound."""
        with self._database.read() as session:
            row = _submitted(session, course, receipt)
            dates = Deadlines(session, course, row.student)
            return _submission(dates, row, session.get(FeedbackRow, receipt))

    def _check_room(self, session: Session, course: str, student: str, size: int) -> None:
        used, quota = _used_bytes(session, course, student), self.limits.quota_bytes
        if used + size > quota:
            raise TooLarge(
                f"Your submissions in {course} would take {size_text(used + size)} together; "
                f"your quota is {size_text(quota)}, of which {size_text(used)} is used.",
                "Clear large outputs before you submit, or ask your instructor for more space.",
            )

    def _free_time(self, session: Session, course: str, assignment: str, student: str) -> datetime:
        """Now, or the next free microsecond, as nbgrader tells submissions apart by time."""
        time = self._clock()
        taken = set(
            session.scalars(
                select(SubmissionRow.received_at).where(
                    SubmissionRow.course == course,
                    SubmissionRow.assignment == assignment,
                    SubmissionRow.student == student,
                    SubmissionRow.received_at >= time,
                )
            )
        )
        while time in taken:
            time += timedelta(microseconds=1)
        return time

    # Feedback

    def put_feedback(
        self,
        course: str,
        receipt: str,
        upload: Upload,
        sha256: str,
        *,
        student: str,
        assignment: str,
        by: str,
        points: Points | None = None,
    ) -> Feedback:
        """Release feedback, an archive of HTML pages, and `points` on exactly one submission.

        `student` and `assignment` must be that submission's, or it raises Conflict: a receipt
        number swapped along the way cannot show one student another's feedback.
        """
        blob = upload.finish(sha256)
        members = archive.read(upload.file, self.limits)
        files = {}
        for member in members:
            if "/" in member.path or not member.path.endswith(".html"):
                raise InvalidName(
                    f"{member.path!r} is not a feedback page.",
                    "Feedback consists of .html pages only.",
                )
            digest = hashlib.sha256()
            for chunk in archive.contents(upload.file, member):
                digest.update(chunk)
            files[member.path] = digest.hexdigest()
        with self._database.write() as session:
            about = _submitted(session, course, receipt)
            if (about.student, about.assignment) != (student, assignment):
                raise Conflict(
                    f"Receipt {receipt} is not for {student}'s {assignment}.",
                    "Collect, grade and generate the feedback again.",
                )
            old = session.get(FeedbackRow, receipt)
            replaced = old.sha256 if old else None
            intent = self._blobs.keep(upload, blob)
            row = old or FeedbackRow(receipt=receipt)
            row.sha256, row.size, row.files = blob.sha256, blob.size, files
            row.released_at, row.released_by = self._clock(), by
            row.score = points.score if points else None
            row.max_score = points.max_score if points else None
            row.late_penalty = points.late_penalty if points else None
            session.add(row)
            session.flush()
            kept = _feedback(row)
        intent.unlink()
        self._drop_unreferenced(replaced)
        log.info(
            "feedback course=%s assignment=%s student=%s receipt=%s by=%s bytes=%d sha256=%s",
            *(course, assignment, student, receipt, by, blob.size, blob.sha256),
        )
        return kept

    def feedback_page(self, feedback: Feedback, name: str) -> bytes:
        """One page of a feedback; raises NotFound if it has none of that name."""
        with open(self.blob_path(feedback.sha256), "rb") as file:
            for member in archive.read(file, self.limits):
                if member.path == name:
                    return b"".join(archive.contents(file, member))
        raise NotFound(
            f"There is no page {name!r} in this feedback.", "Open it from the course's page."
        )

    def _drop_unreferenced(self, sha256: str | None) -> None:
        """Remove the bytes of something replaced, unless something else still uses them."""
        if sha256 is not None:
            with self._database.write() as session:
                if not _is_referenced(session, sha256):
                    self._blobs.path(sha256).unlink(missing_ok=True)


def _is_referenced(session: Session, sha256: str) -> bool:
    tables = (ReleaseRow, SubmissionRow, FeedbackRow)
    return any(
        session.scalars(select(table.sha256).where(table.sha256 == sha256).limit(1)).first()
        for table in tables
    )


def _with_key(session: Session, student: str, key: str) -> SubmissionRow | None:
    query = select(SubmissionRow).where(SubmissionRow.student == student, SubmissionRow.key == key)
    return session.scalars(query).one_or_none()


def _used_bytes(session: Session, course: str, student: str) -> int:
    query = select(func.coalesce(func.sum(SubmissionRow.size), 0)).where(
        SubmissionRow.course == course, SubmissionRow.student == student
    )
    return int(session.scalars(query).one())


def _released(session: Session, course: str, assignment: str) -> ReleaseRow:
    row = session.get(ReleaseRow, (course, assignment))
    if row is None:
        raise NotFound(
            f"There is no released assignment {assignment!r} in {course}.",
            "Run `nbgrader list` to see what is released.",
        )
    return row


def _submitted(session: Session, course: str, receipt: str) -> SubmissionRow:
    query = select(SubmissionRow).where(
        SubmissionRow.course == course, SubmissionRow.receipt == receipt
    )
    row = session.scalars(query).one_or_none()
    if row is None:
        raise NotFound(f"There is no submission {receipt!r} in {course}.", "Check the receipt.")
    return row


def _submission(
    dates: Deadlines, row: SubmissionRow, feedback: FeedbackRow | None = None
) -> Submission:
    return Submission(
        receipt=row.receipt,
        course=row.course,
        assignment=row.assignment,
        student=row.student,
        sha256=row.sha256,
        size=row.size,
        files=row.files,
        notebooks=list(row.notebooks),
        received_at=row.received_at,
        due=dates.due(row.assignment, row.student),
        feedback=_feedback(feedback) if feedback else None,
    )


def _notebooks(members: list[archive.Member]) -> list[str]:
    """Names, without suffix, of the notebooks at the top level: nbgrader's notebook ids."""
    return [member.path[: -len(".ipynb")] for member in members if _is_notebook(member)]


def _is_notebook(member: archive.Member) -> bool:
    return member.path.endswith(".ipynb") and "/" not in member.path


def _feedback(row: FeedbackRow) -> Feedback:
    return Feedback(
        receipt=row.receipt,
        sha256=row.sha256,
        size=row.size,
        files=dict(row.files),
        released_at=row.released_at,
        points=_points(row),
    )


def _points(row: FeedbackRow) -> Points | None:
    if row.score is None or row.max_score is None:
        return None
    return Points(row.score, row.max_score, row.late_penalty or 0.0)
