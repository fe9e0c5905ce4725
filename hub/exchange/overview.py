"""What a person's course page says: their assignments in order, with dates and hand-ins. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from hub.exchange.records import Points, Release, Submission

FIRST = ("start",)
UTC = ZoneInfo("UTC")


@dataclass(frozen=True)
class CourseInfo:
    """What `course.yaml` says of a course to its people.

    first: assignments that come before the others, in this order.
    """

    title: str
    zone: ZoneInfo = UTC
    first: Sequence[str] = FIRST


@dataclass(frozen=True)
class Row:
    """One assignment of one person. `submissions` are that person's, the newest first.

    extended: whether `due` is that person's own.
    """

    assignment: str
    title: str
    points: float
    due: datetime | None
    extended: bool
    released: bool
    notebooks: Sequence[str]
    submissions: Sequence[Submission]

    @property
    def last(self) -> Submission | None:
        return self.submissions[0] if self.submissions else None

    @property
    def graded(self) -> Submission | None:
        """The newest of which feedback was released."""
        return next((each for each in self.submissions if each.feedback), None)

    @property
    def result(self) -> Points | None:
        return self.graded.feedback.points if self.graded and self.graded.feedback else None


def total(rows: Iterable[Row]) -> Points | None:
    """The sum of what is graded so far; None if nothing is."""
    results = [row.result for row in rows if row.result]
    if not results:
        return None
    return Points(sum(each.final for each in results), sum(each.max_score for each in results))


def rows(
    releases: Iterable[Release], submissions: Iterable[Submission], first: Sequence[str] = FIRST
) -> list[Row]:
    """A row for each release, and for what was handed in of an assignment since withdrawn.

    submissions: one person's, in the order in which they arrived.
    """
    own: dict[str, list[Submission]] = {}
    for submission in submissions:
        own.setdefault(submission.assignment, []).insert(0, submission)
    released = {release.assignment: release for release in releases}
    names = sorted({*released, *own}, key=lambda name: _position(name, first))
    return [_row(name, released.get(name), own.get(name, [])) for name in names]


def _row(name: str, release: Release | None, submissions: list[Submission]) -> Row:
    # A submission's own date is also right for somebody who was given another one.
    due = submissions[0].due if submissions else release.due if release else None
    return Row(
        assignment=name,
        title=release.title if release else name,
        points=release.points if release else 0.0,
        due=due,
        extended=release is not None and release.extended,
        released=release is not None,
        notebooks=release.notebooks if release else [],
        submissions=submissions,
    )


def _position(name: str, first: Sequence[str]) -> tuple[int, list[str | int]]:
    """Named ones first; then by name, with 10 after 9."""
    place = first.index(name) if name in first else len(first)
    return place, [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]


def date_text(time: datetime, zone: ZoneInfo, now: datetime) -> str:
    """A time in the course's zone: `Mon 1 Feb, 23:59`, with the year where it is another."""
    local = time.astimezone(zone)
    year = "" if local.year == now.astimezone(zone).year else f" {local.year}"
    return f"{local:%a} {local.day} {local:%b}{year}, {local:%H:%M}"


def distance_text(time: datetime, zone: ZoneInfo, now: datetime) -> str:
    """How far away a time is: `in 12 days` of the zone's calendar, `in 5 hours`, `3 days ago`."""
    away = abs(time - now)
    if away < timedelta(minutes=1):
        return "now"
    if away < timedelta(hours=2):
        count, unit = int(away / timedelta(minutes=1)), "minute"
    elif away < timedelta(hours=36):
        count, unit = int(away / timedelta(hours=1)), "hour"
    else:
        days = time.astimezone(zone).date() - now.astimezone(zone).date()
        count, unit = abs(days.days), "day"
    amount = f"{count} {unit}{'' if count == 1 else 's'}"
    return f"in {amount}" if time > now else f"{amount} ago"


def points_text(points: float) -> str:
    """`51`, `51.5`: as many decimals as are needed, at most two."""
    return f"{points:.2f}".rstrip("0").rstrip(".")
