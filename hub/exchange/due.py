"""Due dates and extensions without a browser: what stands, changes, and the gradebook's copy.

Reaches the exchange as `hub.exchange.hand_out` does.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from pydantic import TypeAdapter, ValidationError
from sqlalchemy import create_engine
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from hub.core.course_folder import CourseFolder
from hub.core.settings import CourseSettings
from hub.exchange.client.transport import HttpTransport, Record
from hub.exchange.database import DATABASE_FILE
from hub.exchange.due_dates import due_dates
from hub.exchange.due_settings import Stored, differences, time_in
from hub.exchange.gradebook_dates import copy_to, has_gradebook
from hub.exchange.hand_out import exchange_of
from hub.exchange.records import parse_time
from hub.facts.errors import UserError

_TIME: TypeAdapter[datetime] = TypeAdapter(datetime)


class NoDate(UserError):
    """What was given or looked for is no due date; the message says what to write."""


def read_date(text: str, course: CourseSettings) -> datetime:
    """A date and time, read as in course.yaml, in UTC. Raises NoDate."""
    try:
        time = _TIME.validate_python(text)
    except ValidationError:
        time = None
    if time is None or ":" not in text:
        raise NoDate(
            f"{text!r} is not a date and a time.",
            f"Write them as 2027-02-01 23:59, in the course's time zone ({course.timezone}).",
        )
    return course.in_utc(time)


def show_due(folder: CourseFolder, name: str) -> Iterator[str]:
    """Say when an assignment is due. Raises HandOutError or Refusal where nobody can say."""
    settings, zone = folder.settings, folder.settings.course.zone
    with exchange_of(folder) as (transport, remarks):
        yield from remarks
        stored = _stored(transport.due_dates(settings.course.id))
    if name in stored:
        yield _line(folder, name, stored[name])
        yield from differences(settings.due_dates, {name: stored[name]}, zone)
    elif due := settings.due_utc(name):
        yield f"{name}: not released yet. Then it is due {time_in(zone, due)}, as in course.yaml"
    else:
        yield f"{name}: not released yet, and without a date in course.yaml"


def set_due(folder: CourseFolder, name: str, due: datetime | None) -> Iterator[str]:
    """Change when an assignment is due, for everybody and at once; None: never.

    Raises HandOutError or Refusal.
    """
    with exchange_of(folder) as (transport, remarks):
        yield from remarks
        course = folder.settings.course.id
        before = transport.all_submissions(course, name)
        record = transport.set_due(course, name, due.isoformat() if due else None)
        extensions = transport.extensions(course)
        after = transport.all_submissions(course, name)
    yield _line(folder, name, due)
    if has_gradebook(folder):
        yield from copy_to(folder, [record], extensions)
    yield from _old_feedback(folder, name, before, after)


def show_extensions(folder: CourseFolder, name: str) -> Iterator[str]:
    """Say who has an extension. Raises HandOutError or Refusal."""
    course = folder.settings.course
    with exchange_of(folder) as (transport, remarks):
        yield from remarks
        extensions = transport.extensions(course.id)
    own = [one for one in extensions if one["assignment"] == name and one["due"]]
    for one in own:
        due = time_in(course.zone, parse_time(one["due"]))
        yield f"{name}: {one['student']} has until {due}, from {one['set_by']}"
    if not own:
        yield f"{name}: nobody has an extension"


def extend(
    folder: CourseFolder, name: str, students: list[str], due: datetime | None
) -> Iterator[str]:
    """Give students a due date of their own, at once; None takes it back.

    Raises NoDate for somebody who is no student of the course, before anything is changed;
    HandOutError or Refusal.
    """
    course, people = folder.settings.course, folder.settings.people
    if unknown := [student for student in students if student not in people.students]:
        raise NoDate(
            f"Not a student of {course.id}: {', '.join(unknown)}.",
            "Check the names; nobody's extension was changed.",
        )
    time = due.isoformat() if due else None
    with exchange_of(folder) as (transport, remarks):
        yield from remarks
        before = transport.all_submissions(course.id, name)
        for student in students:
            transport.extend(course.id, name, student, time)
            text = f"has until {time_in(course.zone, due)}" if due else "has no extension any more"
            yield f"{name}: {student} {text}"
        records = transport.due_dates(course.id), transport.extensions(course.id)
        after = transport.all_submissions(course.id, name)
    if has_gradebook(folder):
        yield from copy_to(folder, *records)
    yield from _old_feedback(folder, name, before, after)


def due_in_settings(folder: CourseFolder, name: str) -> datetime:
    """The date in course.yaml, in UTC. Raises NoDate."""
    due = folder.settings.due_utc(name)
    if due is None:
        raise NoDate(
            f"course.yaml has no due date for {name}.",
            f"For no due date: `logitlab due {name} --none`.",
        )
    return due


def refresh(folder: CourseFolder) -> Iterator[str]:
    """Bring the gradebook's dates and penalties up to date with the exchange, if there is one.

    Yields what to know: that it cannot be reached, or that a date from before an upgrade was kept.
    """
    known = folder.environment.exchange_url or (folder.exchange / DATABASE_FILE).exists()
    if not known or not has_gradebook(folder):
        return
    try:
        with exchange_of(folder) as (transport, remarks):
            yield from remarks
            course = folder.settings.course.id
            records = transport.due_dates(course), transport.extensions(course)
    except UserError as error:
        yield (
            "warning: the exchange could not be asked for due dates, so that those of the last "
            f"time count: {error.message}"
        )
        return
    yield from copy_to(folder, *records)


def settings_differ(folder: CourseFolder) -> list[str]:
    """A sentence for each date in course.yaml that is not the exchange's; [] if nobody can say."""
    settings = folder.settings
    return list(differences(settings.due_dates, _readable(folder), settings.course.zone))


def _readable(folder: CourseFolder) -> Stored:
    """The exchange's dates, read-only, even while something else uses its database."""
    course, environment = folder.settings.course.id, folder.environment
    if environment.exchange_url and environment.hub_token:
        transport = HttpTransport(environment.exchange_url, environment.hub_token)
        try:
            return _stored(transport.due_dates(course))
        except UserError:
            return {}
    file = folder.exchange.resolve() / DATABASE_FILE
    if not file.is_file():
        return {}
    engine = create_engine(f"sqlite:///file:{file}?mode=ro&uri=true")
    try:
        with Session(engine) as session:
            return {one.assignment: one.due for one in due_dates(session, course)}
    except OperationalError:  # not upgraded yet, or without tables
        return {}
    finally:
        engine.dispose()


def _stored(records: list[Record]) -> Stored:
    return {one["assignment"]: one["due"] and parse_time(one["due"]) for one in records}


def _old_feedback(
    folder: CourseFolder, name: str, before: list[Record], after: list[Record]
) -> Iterator[str]:
    """What to do about feedback whose penalty is another one since.

    before, after: the submissions, around the change.
    """
    if folder.settings.late.policy == "none":
        return
    old = {
        now["student"]
        for then, now in zip(before, after, strict=False)
        if now["feedback"] and then["due"] != now["due"] and (then["late"] or now["late"])
    }
    if old:
        yield (
            f"{name}: the feedback that {', '.join(sorted(old))} got shows the penalty of before. "
            f"Release it again: `logitlab feedback --hand-out {name}`"
        )


def _line(folder: CourseFolder, name: str, due: datetime | None) -> str:
    text = time_in(folder.settings.course.zone, due)
    over = " (which has passed)" if due and due < datetime.now(UTC) else ""
    return f"{name}: {'due ' if due else ''}{text}{over}"
