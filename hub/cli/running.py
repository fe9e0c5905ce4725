"""What the commands share: their course folder, their output and their errors."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from functools import wraps
from pathlib import Path
from typing import Any

import click

from hub.core.course_folder import CourseFolder, default_root, open_course
from hub.core.environment import Environment
from hub.facts.errors import UserError
from hub.facts.text import printable


class CommandFailed(click.ClickException):
    """An error and its fix, printed without a traceback."""

    def format_message(self) -> str:
        return printable(super().format_message())


def say(lines: Iterable[str]) -> None:
    """Print progress as it happens, even to a pipe, so that no line can control the terminal."""
    for line in lines:
        click.echo(printable(line))
        sys.stdout.flush()


class Commands(click.Group):
    """Shows every UserError as a message and exits with status 1."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except UserError as error:
            raise CommandFailed(error.shown) from error


def in_course(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the option `--course` and, as `folder`, the course folder it names."""

    @click.option(
        "--course",
        type=click.Path(path_type=Path, file_okay=False),
        help="Course folder; default: this folder if it has a course.yaml, else "
        "$LOGITLAB_COURSE, else the demonstration course.",
    )
    @wraps(command)
    def run(course: Path | None, *args: Any, **kwargs: Any) -> Any:
        return command(*args, folder=course_folder(course), **kwargs)

    return run


def current_environment() -> Environment:
    """What this command was told from outside."""
    return click.get_current_context().ensure_object(Environment)


def course_folder(named: Path | None) -> CourseFolder:
    here = Path.cwd() if Path("course.yaml").is_file() else None
    environment = current_environment()
    folder = open_course(named or here or default_root(environment), environment)
    _ = folder.settings  # report mistakes in course.yaml before doing anything
    return folder


def check_gradebook(folder: CourseFolder) -> None:
    """For commands that open it: one of another version would end in a traceback, or be changed."""
    from hub.core.gradebook import GRADEBOOK

    GRADEBOOK.check(folder.gradebook_url)
