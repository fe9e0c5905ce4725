"""The gradebook's copy of due dates, by which nbgrader computes who was late.

The exchange's dates are what counts. They are copied whenever something is about to be read from
the gradebook, so that a date that was moved reaches penalties and exports at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any

from nbgrader.api import Assignment, Gradebook, MissingEntry
from sqlalchemy import make_url

from hub.core.course_folder import CourseFolder
from hub.core.gradebook import open_gradebook
from hub.exchange.due_settings import time_in
from hub.exchange.records import UPGRADED
from hub.grading.pipeline.late import refresh_penalties

Record = Mapping[str, Any]
"""A due date as the exchange sends it."""


@dataclass
class Copied:
    """changed: assignments whose copy was another date; kept: sentences about those left alone."""

    changed: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)


def copy_to(
    folder: CourseFolder, records: Iterable[Record], extensions: Iterable[Record] = ()
) -> Iterator[str]:
    """`copy_due_dates` into the course's gradebook, and recompute penalties if one changed."""
    course, late = folder.settings.course, folder.settings.late
    with open_gradebook(folder.gradebook_url, course.id) as gradebook:
        copied = copy_due_dates(gradebook, records, extensions, course.zone)
        if copied.changed:
            refresh_penalties(gradebook, late.policy, late.percent_per_day, course.zone)
    yield from copied.kept


def copy_due_dates(
    gradebook: Gradebook,
    records: Iterable[Record],
    extensions: Iterable[Record] = (),
    zone: tzinfo = UTC,
) -> Copied:
    """Make the gradebook's dates those of `records`, and its extensions those of `extensions`.

    Before an upgrade, a date that an instructor moved in the formgrader changed penalties and left
    the exchange's as it was. Grades stay as they are until somebody says which of the two it is.
    """
    copied = Copied()
    for record in records:
        try:
            assignment = gradebook.find_assignment(record["assignment"])
        except MissingEntry:
            continue
        due = _naive(record["due"])
        if assignment.duedate == due:
            continue
        if record["set_by"] == UPGRADED and assignment.submissions:
            copied.kept.append(_kept(assignment, due, zone))
            continue
        assignment.duedate = due
        copied.changed.append(assignment.name)
    for extension in extensions:
        if _copy_extension(gradebook, extension):
            copied.changed.append(extension["assignment"])
    gradebook.db.commit()
    return copied


def _copy_extension(gradebook: Gradebook, extension: Record) -> bool:
    """Whether that changed it. Only who has been graded has one there; see `refresh`."""
    try:
        submission = gradebook.find_submission(extension["assignment"], extension["student"])
    except MissingEntry:
        return False
    due, own = submission.assignment.duedate, _naive(extension["due"])
    more = own - due if own and due and own > due else None
    if submission.extension == more:
        return False
    submission.extension = more
    return True


def has_gradebook(folder: CourseFolder) -> bool:
    """Whether there is one; opening it would make it."""
    url = make_url(folder.gradebook_url)
    return url.get_backend_name() != "sqlite" or Path(url.database or "").exists()


def due_in_gradebook(gradebook: Gradebook, assignment: str) -> datetime | None:
    """The date that was entered in the formgrader, for the first release."""
    try:
        due = gradebook.find_assignment(assignment).duedate
    except MissingEntry:
        return None
    return due.replace(tzinfo=UTC) if due else None


def _kept(assignment: Assignment, due: datetime | None, zone: tzinfo) -> str:
    def words(time: datetime | None) -> tuple[str, str]:
        if time is None:
            return "no due date", "--none"
        aware = time.replace(tzinfo=UTC)
        return time_in(zone, aware), f"'{aware.astimezone(zone):%Y-%m-%d %H:%M:%S}'"

    (graded, keep), (seen, take) = words(assignment.duedate), words(due)
    return (
        f"{assignment.name}: grades go by {graded}, as before the upgrade; students see {seen}. "
        f"Choose: `logitlab due {assignment.name} {keep}` or "
        f"`logitlab due {assignment.name} {take}`"
    )


def _naive(due: str | None) -> datetime | None:
    """As nbgrader keeps it: UTC without a zone."""
    return datetime.fromisoformat(due).astimezone(UTC).replace(tzinfo=None) if due else None
