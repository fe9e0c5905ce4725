"""Detects a course id that was changed after something was released under the old one."""

from __future__ import annotations

from hub.core.course_folder import CourseFolder
from hub.exchange.client.transport import HttpTransport
from hub.exchange.errors import Refusal
from hub.exchange.renamed import kept_in, warning


def changed_id(course: str, folder: CourseFolder) -> str:
    """What to do if it was changed; "" if not, or if the exchange cannot be read.

    course: its current id.
    folder: whose exchange is read when not on one of the hub's servers.
    """
    url, token = folder.environment.exchange_url, folder.environment.hub_token
    if not (url and token):
        return warning(course, {course}, kept_in(folder.exchange))
    try:
        records = HttpTransport(url, token).courses()
    except Refusal:
        return ""
    return next((one.get("warning", "") for one in records if one["course"] == course), "")
