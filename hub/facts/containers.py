"""Names that the engine knows the containers of a deployment by, and where its databases are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

# Labels of each person's container.
PROJECT_LABEL = "logitlab.project"
USER_LABEL = "logitlab.user"
COURSE_LABEL = "logitlab.course"  # its id; containers of earlier versions have none
GPU_LABEL = "logitlab.gpu"  # a device's UUID
NO_GPU = "cpu"

DATABASE_FOLDER = "/run/postgresql"  # of PostgreSQL's socket


def database_url(name: str) -> str:
    """SQLAlchemy URL of one of the deployment's databases; the socket knows who connects."""
    return f"postgresql+psycopg:///{name}?host={DATABASE_FOLDER}"


@dataclass(frozen=True)
class CourseStorage:
    """Volumes and database of one course of a deployment.

    suffix: "" for the hub's first course, whose volumes were there before there could be others
        and cannot be renamed by the engine; for another, what all its names end in.
    """

    suffix: str = ""

    @classmethod
    def of(cls, course: str, courses: Sequence[str]) -> CourseStorage:
        """That of `course`. courses: the hub's, by their ids, its first one first."""
        return cls("" if course == courses[0] else f"_{course}")

    @property
    def folder(self) -> str:
        """The volume of the course folder."""
        return f"course{self.suffix}"

    @property
    def people(self) -> str:
        """The volume of the roster."""
        return f"people{self.suffix}"

    @property
    def config(self) -> str:
        """The volume with the configuration of the grader's server."""
        return f"config_grader{self.suffix}"

    @property
    def gradebook_url(self) -> str:
        return database_url(f"gradebook{self.suffix}")


FIRST_COURSE = CourseStorage()

# In the volume of the guard's socket, which the hub has read-only: the ids of the hub's courses, a
# line each, its first one first. `setup` writes it.
COURSES_FILE = "/run/guard/courses"


def network(project: str) -> str:
    """The network of students' containers."""
    return f"{project}_students"


def volume(project: str, name: str) -> str:
    return f"{project}_{name}"


def image(name: str, tag: str) -> str:
    return f"logitlab/{name}:{tag}"
