"""Due dates in the formgrader: one that an instructor enters, and the gradebook's copy."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any

from nbgrader.apps.api import NbGraderAPI
from nbgrader.utils import parse_utc

from hub.core.course_folder import CourseFolder
from hub.core.environment import Environment
from hub.core.gradebook import open_gradebook
from hub.core.settings import SettingsError, load_settings
from hub.exchange.client.transport import HttpTransport
from hub.exchange.due import refresh
from hub.exchange.errors import InvalidName
from hub.exchange.gradebook_dates import due_in_gradebook

ENVIRONMENT = "logitlab_environment"  # key of the server's settings


def copied_due_dates(settings: dict[str, Any], root: str) -> list[str]:
    """Bring the gradebook of the course folder `root` up to date; what to know about that."""
    folder = CourseFolder(Path(root), settings[ENVIRONMENT])
    try:
        return list(refresh(folder)) if folder.environment.exchange_url else []
    except SettingsError as error:
        return [str(error)]


def zone_of(root: str) -> tzinfo:
    """The time zone of the course in the folder `root`; UTC where that has no settings.

    Raises SettingsError if they have mistakes.
    """
    file = Path(root, "course.yaml")
    return load_settings(file).course.zone if file.is_file() else UTC


def entered_date(body: dict[str, Any], zone: tzinfo) -> datetime | None:
    """The date in what the page's dialog sends, in UTC; None: no due date. Raises InvalidName.

    zone: in which it is read, unless it comes with an offset.
    """
    date, offset = body.get("duedate_notimezone"), body.get("duedate_timezone")
    if not date:
        return None
    try:
        if offset:
            return parse_utc(f"{date} {offset}").replace(tzinfo=UTC)
        return datetime.fromisoformat(date).replace(tzinfo=zone).astimezone(UTC)
    except (ValueError, OverflowError):
        raise InvalidName(f"{date!r} is not a date.", "Choose one in the calendar.") from None


def in_utc(due: datetime | None) -> dict[str, str | None]:
    """A date as nbgrader's handler reads it."""
    if due is None:
        return {"duedate_notimezone": None, "duedate_timezone": None}
    return {"duedate_notimezone": f"{due:%Y-%m-%dT%H:%M:%S}", "duedate_timezone": "+0000"}


class CourseApi(NbGraderAPI):
    """nbgrader's, which shows due dates in the course's zone with its offset on that date.

    In UTC while course.yaml has mistakes.
    """

    def get_assignment(
        self, assignment_id: str, released: set[str] | None = None
    ) -> dict[str, Any] | None:
        found: dict[str, Any] | None = super().get_assignment(assignment_id, released=released)
        if found and found["duedate"]:
            due = datetime.fromisoformat(found["duedate"]).replace(tzinfo=UTC)
            try:
                local = due.astimezone(zone_of(self.coursedir.root))
            except SettingsError:
                return found
            found["display_duedate"] = local.strftime(self.timestamp_format)
            found["duedate_notimezone"] = local.replace(tzinfo=None).isoformat()
            found["duedate_timezone"] = f"{local:%z}"
        return found


def move_due_date(
    environment: Environment, course: str, db_url: str, name: str, due: datetime | None
) -> None:
    """Change the exchange's date of an assignment that was released, if somebody edited it.

    The page sends the date it shows with everything else that it saves, so that only one that
    differs from the gradebook's was edited. Raises Refusal; nothing was changed then.
    """
    url, token = environment.exchange_url, environment.hub_token
    if not (url and token):
        return
    with open_gradebook(db_url, course) as gradebook:
        if due == due_in_gradebook(gradebook, name):
            return
    exchange = HttpTransport(url, token)
    if any(one["assignment"] == name for one in exchange.due_dates(course)):
        exchange.set_due(course, name, due.isoformat() if due else None)
