"""Who is in a course: merges the people of course.yaml and of the roster."""

from __future__ import annotations

from collections.abc import Sequence

from hub.core.roster.student import Student
from hub.core.settings import PeopleSettings, Settings


def with_roster(settings: Settings, roster: Sequence[Student]) -> Settings:
    """`settings` with the roster's students among its people.

    course.yaml overrides the roster: its instructors, grader and admins are not students
    through the roster, whoever wrote that.
    """
    people = settings.people
    named = {*people.admins, *people.instructors, *people.students, settings.course.grader}
    students = [*people.students, *(one.username for one in roster if one.username not in named)]
    merged = PeopleSettings(admins=people.admins, instructors=people.instructors, students=students)
    return settings.model_copy(update={"people": merged})


def everybody(*courses: Settings) -> list[str]:
    """Each person's name once: admins, then instructors, then students of all `courses`."""
    people = [course.people for course in courses]
    names = [
        *(name for each in people for name in each.admins),
        *(name for each in people for name in each.instructors),
        *(name for each in people for name in each.students),
    ]
    return list(dict.fromkeys(names))
