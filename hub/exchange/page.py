"""The course's page: a person's assignments with dates, hand-ins and receipts, as HTML.

Without scripts. Everything that people chose is escaped by the templates.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from hub.exchange.access import INSTRUCTOR, Access
from hub.exchange.limits import size_text
from hub.exchange.overview import CourseInfo, date_text, distance_text, points_text, rows, total
from hub.exchange.records import Submission
from hub.facts.names import grader_of

PAGES = Path(__file__).parent / "pages"
_STYLE = Markup((PAGES / "style.css").read_text(encoding="utf-8"))

_templates = Environment(
    loader=FileSystemLoader(PAGES), autoescape=True, undefined=StrictUndefined, trim_blocks=True
)
_templates.filters |= {"size": size_text, "points": points_text}


def page(access: Access, infos: Mapping[str, CourseInfo], hub: str, now: datetime) -> str:
    """The whole page of a person.

    infos: what is known of each course; one that is not in it goes by its id.
    hub: the hub's part of the address, such as `/hub/`.
    """
    courses = [
        _course(access, each, infos.get(each["course"]) or CourseInfo(each["course"]), hub, now)
        for each in access.courses()
    ]
    return _templates.get_template("course.html").render(
        style=_STYLE, name=access.caller.name, hub=hub, courses=courses
    )


def error_page(message: str, fix: str, hub: str) -> str:
    """A page that says what is wrong and what to do about it."""
    return _templates.get_template("error.html").render(
        style=_STYLE, message=message, fix=fix, hub=hub
    )


def _course(
    access: Access, course: dict[str, Any], info: CourseInfo, hub: str, now: datetime
) -> dict[str, Any]:
    name = course["course"]
    grader = quote(grader_of(name))
    instructs = INSTRUCTOR in course["roles"]
    found = rows(access.assignments(name), access.my_submissions(name), info.first)
    return {
        "title": info.title,
        "zone": info.zone.key,
        "feedback": partial(_feedback_links, name),
        "open": partial(_open_link, hub, name),
        "next": next((row.assignment for row in found if row.released and not row.last), ""),
        "date": partial(date_text, zone=info.zone, now=now),
        "distance": partial(distance_text, zone=info.zone, now=now),
        "rows": found,
        "total": total(found),
        "formgrader": f"{hub}spawn/{grader}?next=/user/{grader}/formgrader" if instructs else "",
        "warning": course["warning"],
    }


def _open_link(hub: str, course: str, assignment: str) -> str:
    """Starts the person's server if need be; `hub.singleuser.opening` does the rest there."""
    query = urlencode({"course": course, "assignment": assignment})
    return f"{hub}user-redirect/logitlab/open?{query}"


def _feedback_links(course: str, submission: Submission) -> list[tuple[str, str]]:
    """Name and address, below this page's, of each page of a submission's feedback."""
    pages = sorted(submission.feedback.files) if submission.feedback else []
    return [
        (page.removesuffix(".html"), f"feedback/{course}/{submission.receipt}/{quote(page)}")
        for page in pages
    ]
