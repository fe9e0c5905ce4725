"""The tables of the exchange, and how their rows are shown to clients."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, DateTime, ForeignKey, String, UniqueConstraint
from sqlalchemy.engine import Dialect
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import TypeDecorator

NEVER = "none"  # in place of a time, in a request for no due date
UPGRADED = ""  # in place of who set a due date: it was there before the upgrade


class UtcDateTime(TypeDecorator[datetime]):
    """A time in UTC, timezone-aware in Python, naive in the database (SQLite has no zones)."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return None if value is None else value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        return None if value is None else value.replace(tzinfo=UTC)


class Base(DeclarativeBase):
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy reads it from the class
        datetime: UtcDateTime,
        list[str]: JSON,
        dict[str, str]: JSON,
        str: String(255),
    }


class ReleaseRow(Base):
    """What students can fetch now: one row per assignment."""

    __tablename__ = "releases"
    course: Mapped[str] = mapped_column(primary_key=True)
    assignment: Mapped[str] = mapped_column(primary_key=True)
    sha256: Mapped[str] = mapped_column(index=True)
    size: Mapped[int]
    notebooks: Mapped[list[str]]
    released_at: Mapped[datetime]
    released_by: Mapped[str]


class DueRow(Base):
    """When an assignment is due, from its first release on, also after it was withdrawn.

    set_by: who decided it; UPGRADED for what an older version left; NULL where that is still to be
        completed (`hub.exchange.due_dates.settle`).
    """

    __tablename__ = "due_dates"
    course: Mapped[str] = mapped_column(primary_key=True)
    assignment: Mapped[str] = mapped_column(primary_key=True)
    due: Mapped[datetime | None]
    set_by: Mapped[str | None]
    set_at: Mapped[datetime]


class ExtensionRow(Base):
    """A due date of one student. NULL once it was taken back, so that copies of it are undone."""

    __tablename__ = "extensions"
    course: Mapped[str] = mapped_column(primary_key=True)
    assignment: Mapped[str] = mapped_column(primary_key=True)
    student: Mapped[str] = mapped_column(primary_key=True)
    due: Mapped[datetime | None]
    set_by: Mapped[str]
    set_at: Mapped[datetime]


class SubmissionRow(Base):
    """One submission. Written once, never changed, never removed."""

    __tablename__ = "submissions"
    __table_args__ = (
        UniqueConstraint("student", "key"),
        UniqueConstraint("course", "assignment", "student", "received_at"),
    )
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    receipt: Mapped[str] = mapped_column(unique=True)
    course: Mapped[str]
    assignment: Mapped[str]
    student: Mapped[str]
    key: Mapped[str]
    sha256: Mapped[str] = mapped_column(index=True)
    size: Mapped[int]
    files: Mapped[int]
    notebooks: Mapped[list[str]]
    received_at: Mapped[datetime]


class FeedbackRow(Base):
    """The feedback on one submission; later feedback replaces it."""

    __tablename__ = "feedback"
    receipt: Mapped[str] = mapped_column(ForeignKey("submissions.receipt"), primary_key=True)
    sha256: Mapped[str] = mapped_column(index=True)
    size: Mapped[int]
    files: Mapped[dict[str, str]]  # name: SHA-256, so that a client knows what it already has
    released_at: Mapped[datetime]
    released_by: Mapped[str]
    score: Mapped[float | None]
    max_score: Mapped[float | None]
    late_penalty: Mapped[float | None]


@dataclass(frozen=True)
class DueDate:
    """When an assignment is due (None: never), and who decided that when. Times in UTC."""

    course: str
    assignment: str
    due: datetime | None
    set_by: str
    set_at: datetime

    def as_json(self) -> dict[str, Any]:
        return {
            "course": self.course,
            "assignment": self.assignment,
            "due": time_text(self.due),
            "set_by": self.set_by,
            "set_at": time_text(self.set_at),
        }


@dataclass(frozen=True)
class Extension:
    """A due date of one student (None: taken back), and who decided that when. Times in UTC."""

    course: str
    assignment: str
    student: str
    due: datetime | None
    set_by: str
    set_at: datetime

    def as_json(self) -> dict[str, Any]:
        return {
            "course": self.course,
            "assignment": self.assignment,
            "student": self.student,
            "due": time_text(self.due),
            "set_by": self.set_by,
            "set_at": time_text(self.set_at),
        }


@dataclass(frozen=True)
class Release:
    """A released assignment. `size` in bytes; `due` and `released_at` in UTC.

    title: in words, from its notebook; its name where that has none. points: what it gives.
    extended: whether `due` is an extension, of the student who was given this.
    """

    course: str
    assignment: str
    sha256: str
    size: int
    notebooks: list[str]
    due: datetime | None
    released_at: datetime
    title: str
    points: float
    extended: bool = False

    def as_json(self) -> dict[str, Any]:
        return {
            "course": self.course,
            "assignment": self.assignment,
            "extended": self.extended,
            "title": self.title,
            "points": self.points,
            "sha256": self.sha256,
            "bytes": self.size,
            "notebooks": self.notebooks,
            "due": time_text(self.due),
            "released_at": time_text(self.released_at),
        }


@dataclass(frozen=True)
class Points:
    """What a submission got of `max_score`, before it loses `late_penalty` points."""

    score: float
    max_score: float
    late_penalty: float = 0.0

    @property
    def final(self) -> float:
        return max(0.0, self.score - self.late_penalty)


@dataclass(frozen=True)
class Feedback:
    """Feedback on one submission; `files` maps each page's name to its SHA-256.

    points: None where the grader gave none, as while an answer waits for a person.
    """

    receipt: str
    sha256: str
    size: int
    files: dict[str, str]
    released_at: datetime
    points: Points | None = None

    def as_json(self) -> dict[str, Any]:
        return {
            "sha256": self.sha256,
            "bytes": self.size,
            "files": self.files,
            "released_at": time_text(self.released_at),
            "points": self.points and asdict(self.points),
        }


@dataclass(frozen=True)
class Submission:
    """A submission as described by its receipt. Times are the server's, in UTC."""

    receipt: str
    course: str
    assignment: str
    student: str
    sha256: str
    size: int
    files: int
    notebooks: list[str]
    received_at: datetime
    due: datetime | None
    feedback: Feedback | None = None

    @property
    def late(self) -> bool:
        return self.due is not None and self.received_at > self.due

    def as_json(self) -> dict[str, Any]:
        return {
            "receipt": self.receipt,
            "course": self.course,
            "assignment": self.assignment,
            "student": self.student,
            "sha256": self.sha256,
            "bytes": self.size,
            "files": self.files,
            "notebooks": self.notebooks,
            "received_at": time_text(self.received_at),
            "due": time_text(self.due),
            "late": self.late,
            "feedback": self.feedback and self.feedback.as_json(),
        }


def time_text(time: datetime | None) -> str | None:
    """ISO 8601 in UTC with microseconds, e.g. ``2027-03-01T22:00:00.000000+00:00``."""
    return None if time is None else time.astimezone(UTC).isoformat(timespec="microseconds")


def parse_time(text: str) -> datetime:
    """An ISO 8601 time with its offset (``…Z`` or ``…+01:00``) in UTC; raises ValueError."""
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError(f"{text!r} has no UTC offset; write e.g. 2027-03-01T22:00:00Z")
    try:
        return time.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"{text!r} is before the first or after the last year") from None
