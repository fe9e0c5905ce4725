"""When assignments are due: one row each, from the first release on, within a transaction."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from hub.exchange.errors import NotFound
from hub.exchange.records import UPGRADED, DueDate, DueRow, ReleaseRow

Dates = Mapping[tuple[str, str], datetime]
"""By course and assignment, in UTC."""


def due_of(session: Session, course: str, assignment: str) -> datetime | None:
    """When an assignment is due for everybody, in UTC; None: never, or never released."""
    row = session.get(DueRow, (course, assignment))
    return row.due if row else None


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
    row = session.get(DueRow, (course, assignment))
    if row is None:
        raise NotFound(
            f"{assignment!r} was never released in {course}, so the exchange has no date for it.",
            f"Write `due:` under `assignments: {assignment}:` in course.yaml; it counts from the "
            "first release on. Or check the name.",
        )
    row.due, row.set_by, row.set_at = due, by, at
    session.flush()
    return _shown(row)


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


def _shown(row: DueRow) -> DueDate:
    return DueDate(row.course, row.assignment, row.due, row.set_by or UPGRADED, row.set_at)
