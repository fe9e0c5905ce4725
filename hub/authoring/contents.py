"""Adds shipped assignments to a course."""

from __future__ import annotations

from collections.abc import Iterator

from hub.authoring import catalogue
from hub.core.course_folder import CourseFolder
from hub.people.enrolment import enrol


def add_assignments(folder: CourseFolder, names: list[str]) -> Iterator[str]:
    """Add shipped assignments to the course, with the due dates of its settings."""
    settings = folder.settings
    due = {name: when for name in names if (when := settings.due_utc(name))}
    yield from catalogue.add(
        folder.root, names, course_id=settings.course.id, db_url=folder.gradebook_url, due=due
    )
    yield from enrol(folder)
