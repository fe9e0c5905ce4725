"""The live course: the folder outside the checkout that holds everything people change."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from hub.core.environment import Environment
from hub.core.roster.file import read_roster
from hub.core.roster.merge import with_roster
from hub.core.roster.student import Student
from hub.core.settings import Settings, load_settings
from hub.facts.errors import UserError

EXAMPLE = Path(__file__).with_name("course.example.yaml")


class CourseFolderError(UserError):
    """The folder is not, or cannot become, a course folder; the message says how to fix it."""


@dataclass(frozen=True)
class CourseFolder:
    """Where each thing of a course lives.

    root: absolute.
    environment: what the process that uses it was told; some of it may lie elsewhere.
    """

    root: Path
    environment: Environment = Environment()  # noqa: RUF009 (frozen)

    def reread(self) -> CourseFolder:
        """The same course, with its settings and roster as they are now."""
        return CourseFolder(self.root, self.environment)

    @cached_property
    def settings(self) -> Settings:
        """`course.yaml`, with the roster's students among its people."""
        return with_roster(load_settings(self.settings_file), self.roster)

    @cached_property
    def roster(self) -> tuple[Student, ...]:
        return read_roster(self.roster_file)

    @property
    def roster_file(self) -> Path:
        """In the folder that the environment names, else in the course's `people/`."""
        return (self.environment.people or self.root / "people") / "roster.csv"

    @property
    def settings_file(self) -> Path:
        return self.root / "course.yaml"

    @property
    def source(self) -> Path:
        return self.root / "source"

    @property
    def release(self) -> Path:
        return self.root / "release"

    @property
    def submitted(self) -> Path:
        return self.root / "submitted"

    @property
    def autograded(self) -> Path:
        return self.root / "autograded"

    @property
    def feedback(self) -> Path:
        return self.root / "feedback"

    @property
    def gradebook_url(self) -> str:
        """SQLAlchemy URL: the environment's, else SQLite in the course folder."""
        return self.environment.gradebook or f"sqlite:///{self.root / 'gradebook.db'}"

    @property
    def server(self) -> Path:
        """State of the running server: hub database, exchange, homes, logs. Not for editing."""
        return self.root / "server"

    @property
    def hub_database_url(self) -> str:
        """SQLAlchemy URL: the environment's, else SQLite among the server's state."""
        kept = f"sqlite:///{self.server / 'jupyterhub.sqlite'}"
        return self.environment.hub_database or kept

    @property
    def exchange(self) -> Path:
        """The exchange's data: releases, submissions, feedback."""
        return self.server / "exchange"


def courses_of(hub: CourseFolder) -> tuple[CourseFolder, ...]:
    """The courses of the hub that keeps its state in the course folder `hub`, its first course.

    The one place that says how many there are: one, so far. Whoever asks takes any number.
    """
    return (hub,)


def default_root(environment: Environment) -> Path:
    """The course that the environment names, else the demonstration course in the user's data."""
    if environment.course:
        return environment.course.expanduser().resolve()
    data = environment.data_folder or Path.home() / ".local" / "share"
    return data / "logitlab" / "demo"


def open_course(root: Path, environment: Environment) -> CourseFolder:
    """The course folder at `root`; raises CourseFolderError if there is none."""
    folder = CourseFolder(root.expanduser().resolve(), environment)
    if not folder.settings_file.is_file():
        raise CourseFolderError(
            f"{folder.root} is not a course folder (it has no course.yaml).",
            f"Make one with `logitlab course new {folder.root}`, or name another with --course.",
        )
    return folder


def new_course(root: Path) -> Iterator[str]:
    """Create a course folder at `root`; existing files are kept. Yields progress."""
    folder = CourseFolder(root.expanduser().resolve())
    try:
        folder.root.mkdir(parents=True, exist_ok=True)
        if folder.settings_file.exists():
            yield f"{folder.settings_file}: kept"
        else:
            shutil.copyfile(EXAMPLE, folder.settings_file)
            yield f"{folder.settings_file}: written; edit it to name the course and its people"
        for made in (folder.source, folder.release):
            made.mkdir(exist_ok=True)
        # Tokens, cookies and submissions are here: nobody else on the machine may read them.
        folder.server.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise CourseFolderError(
            f"{folder.root}: {error.strerror}.", "Choose another folder."
        ) from error
    load_settings(folder.settings_file)
