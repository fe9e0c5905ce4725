"""Courses whose id was changed: nobody sees what the exchange keeps under the old id."""

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
class CourseCounts:
    """The number of releases and submissions kept of one course."""

    course: str
    releases: int
    submissions: int


def kept(session: Session) -> list[CourseCounts]:
    """What is kept of each course, whether the exchange serves it or not."""
    releases, submissions = (
        dict(session.execute(select(table.course, func.count()).group_by(table.course)).all())
        for table in (ReleaseRow, SubmissionRow)
    )
    return [
        CourseCounts(course, releases.get(course, 0), submissions.get(course, 0))
        for course in sorted(releases.keys() | submissions.keys())
    ]


def kept_in(folder: Path) -> list[CourseCounts]:
    """`kept` of an exchange in `folder`, read-only, even while something else uses it."""
    file = folder.resolve() / DATABASE_FILE
    if not file.is_file():
        return []
    engine = create_engine(f"sqlite:///file:{file}?mode=ro&uri=true")
    try:
        with Session(engine) as session:
            return kept(session)
    except OperationalError:  # its first start has not created tables yet
        return []
    finally:
        engine.dispose()


def warning(course: str, served: Collection[str], found: Iterable[CourseCounts]) -> str:
    """What an instructor of `course` must know and do if its id was changed; "" if it was not.

    Silent once something was released under the new id, which is then intended. `served` are the
    courses that the exchange serves: what it keeps of the others of these is not of `course`.
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
        f"Nothing was released in the course {course!r}, but there is work under another id: "
        f"{what}. It is "
        f"kept, but nobody sees it. If course.id was changed by mistake, set `id: "
        f"{lost[0].course}` in course.yaml again and restart the server. If {course!r} is "
        "intended, hand the assignments out again: `logitlab release --hand-out NAME`, or Release "
        "in "
        "the formgrader; earlier submissions stay under the old id."
    )
