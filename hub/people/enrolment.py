"""Adds the course's students to the gradebook."""

from __future__ import annotations

from collections.abc import Iterator

from hub.core.course_folder import CourseFolder
from hub.core.gradebook import open_gradebook
from hub.core.roster.student import Student


def enrol(folder: CourseFolder) -> Iterator[str]:
    """Add the course's students to the gradebook, with the roster's names if it has them.

    Existing students stay, even if they have left the course.
    """
    settings = folder.settings
    listed = {one.username: one for one in folder.roster}
    added = renamed = 0
    with open_gradebook(folder.gradebook_url, settings.course.id) as gradebook:
        known = {student.id: student for student in gradebook.students}
        for name in settings.people.students:
            row = _gradebook_row(listed.get(name), name)
            if name not in known:
                added += 1
            elif name in listed and any(
                getattr(known[name], key) != value for key, value in row.items()
            ):
                renamed += 1
            else:
                continue
            gradebook.update_or_create_student(name, **row)
    if added:
        yield f"gradebook: {added} student(s) added"
    if renamed:
        yield f"gradebook: {renamed} student(s) renamed"


def _gradebook_row(listed: Student | None, name: str) -> dict[str, str | None]:
    listed = listed or Student(name)
    return {
        "last_name": listed.last_name or None,
        "first_name": listed.first_name or None,
        "email": listed.email or None,
        "lms_user_id": listed.lms_id or None,
    }
