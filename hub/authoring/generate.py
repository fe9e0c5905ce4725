"""nbgrader's own ways to generate an assignment, made to do what `logitlab generate` does.

nbgrader 0.9 writes an assignment of any name into the gradebook, copies every file of its source
folder to `release/`, solutions included, and goes on where a hook of its configuration fails.
"""

from __future__ import annotations

from pathlib import Path

from nbgrader.converters import GenerateAssignment
from nbgrader.converters.base import NbGraderException

from hub.authoring.errors import AuthoringError
from hub.authoring.register import release_in_course


class CourseGenerateAssignment(GenerateAssignment):
    """Generates the whole assignment, also where it is there already."""

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
    """Let `nbgrader generate_assignment` and nbgrader's Python interface generate with this class;
    called by the `nbgrader_config.py` of the formgrader's server.

    nbgrader 0.9 names its class in the code and not in the configuration.
    """
    from nbgrader.apps import api, generateassignmentapp

    for module in (api, generateassignmentapp):
        module.GenerateAssignment = CourseGenerateAssignment
