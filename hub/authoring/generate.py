"""Makes nbgrader's own ways to generate an assignment do what `logitlab generate` does.

nbgrader 0.9 writes an assignment of any name into the gradebook, copies every file of its source
folder to `release/`, solutions included, and carries on if a configured hook fails.
"""

from __future__ import annotations

from pathlib import Path

from nbgrader.converters import GenerateAssignment
from nbgrader.converters.base import NbGraderException

from hub.authoring.errors import AuthoringError
from hub.authoring.register import release_in_course


class CourseGenerateAssignment(GenerateAssignment):
    """Generates the whole assignment, even if it already exists."""

    def start(self) -> None:
        course = self.coursedir
        try:
            for line in release_in_course(
                Path(course.root),
                course.assignment_id,
                course_id=course.course_id,
                db_url=course.db_url,
            ):
                self.log.info(line)
        except AuthoringError as error:
            self.log.error("%s", error)
            raise NbGraderException(f"{course.assignment_id} was not generated") from error


def in_nbgrader() -> None:
    """Make `nbgrader generate_assignment` and nbgrader's Python API generate with this class;
    called by the `nbgrader_config.py` of the formgrader's server.

    nbgrader 0.9 names its class in the code, not in the configuration.
    """
    from nbgrader.apps import api, generateassignmentapp

    for module in (api, generateassignmentapp):
        module.GenerateAssignment = CourseGenerateAssignment
