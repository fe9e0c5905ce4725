"""When assignments are due: one row each, from the first release on, and one per extension.

Functions of a transaction.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from hub.exchange.errors import Conflict, NotFound
from hub.exchange.records import (
    UPGRADED,
    DueDate,
    DueRow,
    Extension,
    ExtensionRow,
    ReleaseRow,
)

Dates = Mapping[tuple[str, str], datetime]
"""By course and assignment, in UTC."""


NOBODY = ""  # in place of a student: without anybody's extension


class Deadlines:
    """When the assignments of a course are due, for whom.

    student: whose extensions are read; everybody's where there is none.
    """

    def __init__(self, session: Session, course: str, student: str | None = None) -> None:
        dates = select(DueRow).where(DueRow.course == course)
        own = select(ExtensionRow).where(ExtensionRow.course == course)
        if student is not None:
            own = own.where(ExtensionRow.student == student)
        self._due = {row.assignment: row.due for row in session.scalars(dates)}
        self._own = {(row.assignment, row.student): row.due for row in session.scalars(own)}

    def due(self, assignment: str, student: str | None = None) -> datetime | None:
        """In UTC, for a student or for everybody; None: never, or never released.

        An extension gives nobody less time than everybody has.
        """
        due = self._due.get(assignment)
        own = self._own.get((assignment, student)) if student is not None else None
        return due if due is None or own is None else max(due, own)

    def is_extended(self, assignment: str, student: str | None) -> bool:
        return self.due(assignment, student) != self.due(assignment)


def due_dates(session: Session, course: str) -> list[DueDate]:
    """All of a course, by assignment."""
    query = select(DueRow).where(DueRow.course == course).order_by(DueRow.assignment)
    return [_shown(row) for row in session.scalars(query)]


def begin(
    session: Session, course: str, assignment: str, due: datetime | None, *, by: str, at: datetime
) -> None:
    """Give an assignment its date at its first release; at a later one nothing changes."""
    if session.get(DueRow, (course, assignment)) is None:
        session.add(DueRow(course=course, assignment=assignment, due=due, set_by=by, set_at=at))


def change(
    session: Session, course: str, assignment: str, due: datetime | None, *, by: str, at: datetime
) -> DueDate:
    """Raises NotFound before the first release."""
    row = _released_once(session, course, assignment)
    row.due, row.set_by, row.set_at = due, by, at
    session.flush()
    return _shown(row)


def extensions(session: Session, course: str) -> list[Extension]:
    """All of a course, by assignment and student, also those that were taken back."""
    query = select(ExtensionRow).where(ExtensionRow.course == course)
    query = query.order_by(ExtensionRow.assignment, ExtensionRow.student)
    return [_extension(row) for row in session.scalars(query)]


def extend(
    session: Session,
    course: str,
    assignment: str,
    student: str,
    due: datetime | None,
    *,
    by: str,
    at: datetime,
) -> Extension:
    """Give a student a due date of their own, also before they submit; None takes it back.

    Raises NotFound before the first release, and for one to take back that was never given;
    Conflict if everybody has as much time.
    """
    everybody = _released_once(session, course, assignment).due
    row = session.get(ExtensionRow, (course, assignment, student))
    if due is None and row is None:
        raise NotFound(f"{student} has no extension of {assignment}.", "Check the names.")
    if due is not None and (everybody is None or due <= everybody):
        raise Conflict(
            f"{assignment} is due for everybody "
            + (f"at {everybody:%Y-%m-%d %H:%M} UTC." if everybody else "never."),
            "Give a later date.",
        )
    row = row or ExtensionRow(course=course, assignment=assignment, student=student)
    row.due, row.set_by, row.set_at = due, by, at
    session.add(row)
    session.flush()
    return _extension(row)


def settle(session: Session, courses: Collection[str], settings: Dates) -> list[DueDate]:
    """Store what an older version showed because of `course.yaml`; returns what that changed.

    That version let dates in `course.yaml` override stored ones for ever, so only who knows the
    settings can complete what it left. Each assignment is completed once; later a date that
    differs in `course.yaml` changes nothing.
    """
    query = select(DueRow).where(DueRow.set_by.is_(None), DueRow.course.in_(courses))
    changed = []
    for row in session.scalars(query).all():
        key = (row.course, row.assignment)
        if key not in settings and session.get(ReleaseRow, key) is None:
            session.delete(row)  # withdrawn without a date: its next release is its first again
            continue
        row.set_by = UPGRADED
        if row.due != (due := settings.get(key, row.due)):
            row.due = due
            changed.append(_shown(row))
    session.flush()
    return changed


def _released_once(session: Session, course: str, assignment: str) -> DueRow:
    row = session.get(DueRow, (course, assignment))
    if row is None:
        raise NotFound(
            f"{assignment!r} was never released in {course}, so the exchange has no date for it.",
            f"Write `due:` under `assignments: {assignment}:` in course.yaml; it counts from the "
            "first release on. Or check the name.",
        )
    return row


def _extension(row: ExtensionRow) -> Extension:
    return Extension(row.course, row.assignment, row.student, row.due, row.set_by, row.set_at)


def _shown(row: DueRow) -> DueDate:
    return DueDate(row.course, row.assignment, row.due, row.set_by or UPGRADED, row.set_at)
