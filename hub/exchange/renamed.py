"""A course whose id was changed: what the exchange keeps under the old one is seen by nobody."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import create_engine, func, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from hub.exchange.database import DATABASE_FILE
from hub.exchange.records import ReleaseRow, SubmissionRow


@dataclass(frozen=True)
class Kept:
    """How many releases and submissions of one course are kept."""

    course: str
    releases: int
    submissions: int


def kept(session: Session) -> list[Kept]:
    """What is kept of each course, whether it is served or not."""
    releases, submissions = (
        dict(session.execute(select(table.course, func.count()).group_by(table.course)).all())
        for table in (ReleaseRow, SubmissionRow)
    )
    return [
        Kept(course, releases.get(course, 0), submissions.get(course, 0))
        for course in sorted(releases.keys() | submissions.keys())
    ]


def kept_in(folder: Path) -> list[Kept]:
    """`kept` of an exchange in `folder`, read beside whatever uses it and changed in nothing."""
    file = folder.resolve() / DATABASE_FILE
    if not file.is_file():
        return []
    engine = create_engine(f"sqlite:///file:{file}?mode=ro&uri=true")
    try:
        with Session(engine) as session:
            return kept(session)
    except OperationalError:  # its first start has made no tables yet
        return []
    finally:
        engine.dispose()


def warning(course: str, served: Collection[str], found: Iterable[Kept]) -> str:
    """What an instructor of `course` must know and do where its id was changed; "" where not.

    Silent as soon as something was released under the new id: then it is meant. `served` are the
    courses that the exchange serves: what is kept of another of them is no trace of `course`.
    """
    found = list(found)
    if any(one.course == course and one.releases for one in found):
        return ""
    lost = [one for one in found if one.course not in served]
    if not lost:
        return ""
    what = "; ".join(
        f"{one.course!r} has {one.releases} release(s) and {one.submissions} submission(s)"
        for one in lost
    )
    return (
        f"Nothing was released in the course {course!r}, but under another id: {what}. They are "
        f"kept, and nobody sees them. If course.id was changed by mistake, write `id: "
        f"{lost[0].course}` into course.yaml again and start the server anew. If {course!r} is "
        "meant, hand the assignments out again: `logitlab release --hand-out NAME`, or Release in "
        "the formgrader; what was submitted before stays under the old id."
    )
