"""Due dates in the formgrader: one that an instructor enters, and the gradebook's copy."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from nbgrader.utils import parse_utc

from hub.core.course_folder import CourseFolder
from hub.core.environment import Environment
from hub.core.gradebook import open_gradebook
from hub.exchange.client.transport import HttpTransport
from hub.exchange.due import refresh
from hub.exchange.errors import InvalidName
from hub.exchange.gradebook_dates import due_in_gradebook

ENVIRONMENT = "logitlab_environment"  # key of the server's settings


def copied_due_dates(settings: dict[str, Any], root: str) -> list[str]:
    """Bring the gradebook of the course folder `root` up to date; what to know about that."""
    folder = CourseFolder(Path(root), settings[ENVIRONMENT])
    return list(refresh(folder)) if folder.environment.exchange_url else []


def entered_date(body: dict[str, Any]) -> datetime | None:
    """The date in what the page's dialog sends, in UTC; None: no due date. Raises InvalidName."""
    date, zone = body.get("duedate_notimezone"), body.get("duedate_timezone")
    if not date:
        return None
    try:
        return parse_utc(f"{date} {zone or ''}".strip()).replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        raise InvalidName(f"{date!r} is not a date.", "Choose one in the calendar.") from None


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
