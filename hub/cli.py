"""The command line `logitlab`: thin commands over functions that yield their progress."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterable
from functools import wraps
from pathlib import Path
from typing import Any

import click

from hub.course_folder import CourseFolder, CourseFolderError, default_root, open_course
from hub.settings import SettingsError

REPOSITORY = Path(__file__).parent.parent


class Refused(click.ClickException):
    """An error with what to do about it, printed without a traceback."""


def say(lines: Iterable[str]) -> None:
    """Print progress as it happens, also into a pipe."""
    for line in lines:
        click.echo(line)
        sys.stdout.flush()


def refusing(*errors: type[Exception]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Turn the named errors (and wrong settings) into a message and exit status 1."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(command)
        def run(*args: Any, **kwargs: Any) -> Any:
            try:
                return command(*args, **kwargs)
            except (SettingsError, CourseFolderError, *errors) as error:
                raise Refused(str(error)) from error

        return run

    return decorate


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
        here = Path.cwd() if Path("course.yaml").is_file() else None
        try:
            folder = open_course(course or here or default_root())
        except CourseFolderError as error:
            raise Refused(str(error)) from error
        return command(*args, folder=folder, **kwargs)

    return run


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="logitlab")
def main() -> None:
    """LogitLab: a course server for mechanistic interpretability."""
    # nbgrader starts `alembic` and `jupyter` by name, also where the venv is not activated.
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"


@main.command()
@click.option("--course", type=click.Path(path_type=Path, file_okay=False), help="Course folder.")
def serve(course: Path | None) -> None:
    """Run the course server on this machine, without Docker or root.

    Without --course this is the demonstration course, made on the first start.
    """
    from hub.demo import demo_course
    from hub.serve import ServeError, serve

    # Ctrl-C and a plain `kill` both end in an orderly stop.
    signal.signal(signal.SIGTERM, signal.default_int_handler)

    @refusing(ServeError)
    def run() -> None:
        root = course or default_root()
        if course is None:
            say(demo_course(root))
        say(serve(open_course(root)))

    try:
        run()
    except KeyboardInterrupt:
        click.echo("\nStopped. Everything is kept; `make serve` continues where it was.")


@main.group()
def course() -> None:
    """Make a course folder and put assignments into it."""


@course.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
@refusing()
def new(folder: Path) -> None:
    """Make FOLDER a course folder. Repeating it changes nothing."""
    from hub.course_folder import new_course

    say(new_course(folder))


@course.command()
@click.argument("assignments", nargs=-1)
@in_course
def add(assignments: tuple[str, ...], folder: CourseFolder) -> None:
    """Put shipped ASSIGNMENTS into the course and register them in its gradebook.

    What an instructor has changed is kept. Without ASSIGNMENTS: say which there are.
    """
    from hub.authoring import AuthoringError, catalogue

    if not assignments:
        say(sorted(catalogue.available()))
        return

    @refusing(AuthoringError)
    def run() -> None:
        say(catalogue.add(folder.root, assignments, folder.settings))

    run()


@main.command()
@in_course
@refusing()
def check(folder: CourseFolder) -> None:
    """Check course.yaml; say what is wrong, with line numbers."""
    click.echo(f"{folder.settings_file}: course {folder.settings.course.id}: in order")
