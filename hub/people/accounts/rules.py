"""Who may see the course's people, and give whom a new way in."""

from __future__ import annotations

from hub.core.settings import Settings


def role(settings: Settings, name: str) -> str | None:
    """What `name` is in the course, the most that it is; None for nobody of it."""
    people = settings.people
    if name in people.admins:
        return "admin"
    if name in people.instructors:
        return "instructor"
    return "student" if name in people.students else None


def may_see_people(settings: Settings, actor: str) -> bool:
    return role(settings, actor) in ("admin", "instructor")


def may_issue_link(settings: Settings, actor: str, target: str) -> bool:
    """Admins for everybody of the course; instructors for those who are students and no more.

    Who has a link for somebody can become them, so it never leads upwards.
    """
    for_whom = role(settings, target)
    if role(settings, actor) == "admin":
        return for_whom is not None
    return role(settings, actor) == "instructor" and for_whom == "student"
