"""Commands about a course as a whole: make it, fill it, check it, serve it."""

from __future__ import annotations

from pathlib import Path

import click

from hub.cli.running import check_gradebook, course_folder, current_environment, in_course, say
from hub.core.course_folder import CourseFolder, default_root, open_course
from hub.core.settings import old_spellings
from hub.facts.signals import end_in_order


@click.command()
@click.option("--course", type=click.Path(path_type=Path, file_okay=False), help="Course folder.")
def serve(course: Path | None) -> None:
    """Run the course server on this machine, without Docker or root.

    Without --course, serves the demonstration course, which is created on the first start.
    """
    from hub.demo import demo_course
    from hub.serve import serve

    end_in_order()
    environment = current_environment()
    root = course or default_root(environment)
    try:
        if course is None:
            say(demo_course(root, environment))
        say(serve(open_course(root, environment)))
    except KeyboardInterrupt:
        click.echo("\nStopped. All data is kept; `make serve` starts it again.")


@click.group()
def course() -> None:
    """Create a course folder and add assignments to it."""


@course.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
def new(folder: Path) -> None:
    """Create a course folder at FOLDER. Safe to repeat."""
    from hub.core.course_folder import new_course

    say(new_course(folder))


@course.command()
@click.argument("assignments", nargs=-1)
@click.option("--course", type=click.Path(path_type=Path, file_okay=False), help="Course folder.")
def add(assignments: tuple[str, ...], course: Path | None) -> None:
    """Add shipped ASSIGNMENTS to the course and register them in its gradebook.

    Keeps whatever an instructor has changed. Without ASSIGNMENTS, lists those available.
    """
    from hub.authoring import catalogue
    from hub.authoring.contents import add_assignments

    if not assignments:
        say(catalogue.available())
        return
    folder = course_folder(course)
    check_gradebook(folder)
    say(add_assignments(folder, list(assignments)))


@click.command()
@in_course
def check(folder: CourseFolder) -> None:
    """Check course.yaml, and that assignments are graded as their sources say.

    Reports each problem with its line number.
    """
    from nbgrader.coursedir import CourseDirectory

    from hub.authoring.released import not_released
    from hub.exchange.course_id import changed_id
    from hub.exchange.due import settings_differ
    from hub.facts.names import assignment_name_fault
    from hub.jupyterhub.configuration.jupyterlab import grader_config

    course = folder.settings.course.id
    click.echo(f"{folder.settings_file}: course {course}: OK")
    say(old_spellings(folder.settings_file))
    if report := changed_id(course, folder):
        say([f"warning: {report}"])
    say(f"warning: {sentence}" for sentence in settings_differ(folder))
    for written in sorted(path.name for path in folder.source.glob("[!._]*") if path.is_dir()):
        say([" ".join(fault)] if (fault := assignment_name_fault(written)) else [])
    coursedir = CourseDirectory(config=grader_config(folder))
    for released in sorted(path for path in folder.release.glob("*") if path.is_dir()):
        say(not_released(coursedir, released.name))
