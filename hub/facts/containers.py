"""Names that the engine knows the containers of a deployment by, and where its databases are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hub.facts import container_paths

# Labels of each person's container.
PROJECT_LABEL = "logitlab.project"
USER_LABEL = "logitlab.user"
COURSE_LABEL = "logitlab.course"  # its id; containers of earlier versions have none
GPU_LABEL = "logitlab.gpu"  # a device's UUID
NO_GPU = "cpu"

# What a container of a person runs, before arguments; a grader's and everybody else's.
GRADERS_COMMAND = ["python", "-m", "hub.containers", "formgrader"]
PERSONS_COMMAND = ["jupyterhub-singleuser"]

CPU_PERIOD = 100_000  # microseconds, of which a container may use its cores' share

# The DNS server for names that no container has: an address where nobody listens. Otherwise an
# engine before 26 forwards queries to a resolver on the host's loopback, as on Ubuntu, and
# with them whatever data a student puts into a name (CVE-2024-29018).
NO_RESOLVER = "127.0.0.1"


def database_url(name: str) -> str:
    """SQLAlchemy URL of one of the deployment's databases; the socket knows who connects."""
    return f"postgresql+psycopg:///{name}?host={container_paths.DATABASE}"


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


def network(project: str) -> str:
    """The network of students' containers."""
    return f"{project}_students"


def volume(project: str, name: str) -> str:
    return f"{project}_{name}"


def image(name: str, tag: str) -> str:
    return f"logitlab/{name}:{tag}"
