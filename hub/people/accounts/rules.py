"""Who may see a course's people, and give whom a new way in."""

from __future__ import annotations

from collections.abc import Sequence

from hub.core.settings import Settings


def role(settings: Settings, name: str) -> str | None:
    """What `name` is in the course, the most that it is; None for nobody of it."""
    people = settings.people
    if name in people.admins:
        return "admin"
    if name in people.instructors:
        return "instructor"
    return "student" if name in people.students else None


def highest_role(courses: Sequence[Settings], name: str) -> str | None:
    """The most that `name` is in any of `courses`; None for nobody of them."""
    held = {role(course, name) for course in courses}
    return next((each for each in ("admin", "instructor", "student") if each in held), None)


def may_see_people(course: Settings, courses: Sequence[Settings], actor: str) -> bool:
    """Whether `actor` sees the people of `course`, one of the hub's `courses`."""
    return highest_role(courses, actor) == "admin" or role(course, actor) == "instructor"


def may_issue_link(course: Settings, courses: Sequence[Settings], actor: str, target: str) -> bool:
    """Admins for everybody of the course; its instructors for those who are students and no more.

    Who has a link for somebody can become them, in every course of the hub, so it never leads
    upwards: who instructs another course, or administers the hub, is no student here.
    """
    if role(course, target) is None:
        return False
    if highest_role(courses, actor) == "admin":
        return True
    return role(course, actor) == "instructor" and highest_role(courses, target) == "student"
