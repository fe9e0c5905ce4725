"""Who may see a course's people, and make links for whom."""

from __future__ import annotations

from collections.abc import Sequence

from hub.core.settings import Settings


def role(settings: Settings, name: str) -> str | None:
    """The highest role of `name` in the course; None if it is not in it."""
    people = settings.people
    if name in people.admins:
        return "admin"
    if name in people.instructors:
        return "instructor"
    return "student" if name in people.students else None


def highest_role(courses: Sequence[Settings], name: str) -> str | None:
    """The highest role of `name` in any of `courses`; None if it is in none."""
    held = {role(course, name) for course in courses}
    return next((each for each in ("admin", "instructor", "student") if each in held), None)


def may_see_people(course: Settings, courses: Sequence[Settings], actor: str) -> bool:
    """Whether `actor` may see the people of `course`, one of the hub's `courses`."""
    return highest_role(courses, actor) == "admin" or role(course, actor) == "instructor"


def may_issue_link(course: Settings, courses: Sequence[Settings], actor: str, target: str) -> bool:
    """Admins for everybody in the course; its instructors for those who are only students.

    Whoever has a link for somebody can become them, in every course of the hub, so links never
    grant more rights: an instructor of another course, or an admin, is not a student here.
    """
    if role(course, target) is None:
        return False
    if highest_role(courses, actor) == "admin":
        return True
    return role(course, actor) == "instructor" and highest_role(courses, target) == "student"
