"""What a course holds: its assignments and, in the gradebook, its students."""

from __future__ import annotations

from collections.abc import Iterator

from hub.authoring import catalogue
from hub.authoring.gradebook import open_gradebook
from hub.course_folder import CourseFolder


def add_assignments(folder: CourseFolder, names: list[str]) -> Iterator[str]:
    """Put shipped assignments into the course, with the due dates of its settings."""
    settings = folder.settings
    due = {name: when for name in names if (when := settings.due_utc(name))}
    yield from catalogue.add(
        folder.root, names, course_id=settings.course.id, db_url=folder.gradebook_url, due=due
    )
    yield from enrol(folder)


def enrol(folder: CourseFolder) -> Iterator[str]:
    """Put the students of `course.yaml` into the gradebook; who is there already stays."""
    settings = folder.settings
    with open_gradebook(folder.gradebook_url, settings.course.id) as gradebook:
        known = {student.id for student in gradebook.students}
        new = [name for name in settings.people.students if name not in known]
        for name in new:
            # Without a name the formgrader calls everybody "None, None".
            gradebook.update_or_create_student(name, last_name=name, first_name="")
    if new:
        yield f"gradebook: {len(new)} student(s) added"
