"""Commands about grades: make them, and write them to a file."""

from __future__ import annotations

from pathlib import Path

import click

from hub.cli.running import CommandFailed, check_gradebook, in_course, say
from hub.core.course_folder import CourseFolder
from hub.facts.text import printable


@click.command()
@click.argument("assignment")
@click.option("--student", "students", multiple=True, help="This student only; repeatable.")
@click.option("--workers", type=click.IntRange(1), help="Notebooks executed at once.")
@click.option("--force", is_flag=True, help="Also regrade submissions that are already graded.")
@in_course
def autograde(
    assignment: str,
    students: tuple[str, ...],
    workers: int | None,
    force: bool,
    folder: CourseFolder,
) -> None:
    """Grade the collected submissions of ASSIGNMENT in parallel, each in its own sandbox.

    The formgrader's Autograde button does the same for one student. Submissions that cannot
    be graded are listed at the end; all others are graded, and manual grades are kept.
    """
    from hub.exchange.due import refresh
    from hub.grading.pipeline.batch import autograde
    from hub.jupyterhub.configuration.jupyterlab import grader_config

    check_gradebook(folder)
    say(refresh(folder))
    configured = folder.settings.grading.workers
    workers = workers or (None if configured == "auto" else configured)

    lines = autograde(
        folder.root,
        assignment,
        list(students) or None,
        workers,
        force,
        grader_config(folder),
    )
    say(lines)
    say(refresh(folder))  # extensions of those who are in the gradebook only since now


@click.command()
@click.argument("target", type=click.Path(path_type=Path, dir_okay=False), default="grades.csv")
@in_course
def export(target: Path, folder: CourseFolder) -> None:
    """Write the course's grades to TARGET as CSV: a row per student and assignment, in UTC."""
    from hub.exchange.due import refresh
    from hub.grading.pipeline.export import export_csv

    check_gradebook(folder)
    say(refresh(folder))
    late = folder.settings.late
    export_csv(
        folder.gradebook_url,
        folder.settings.course.id,
        target,
        late.policy,
        late.percent_per_day,
        folder.root,
        folder.settings.course.zone,
    )
    click.echo(f"{target}: written")


@click.command()
@click.argument("assignment")
@click.option("--new", is_flag=True, help="Replace it: tests draw other inputs from then on.")
@in_course
def seed(assignment: str, new: bool, folder: CourseFolder) -> None:
    """Show the secret seed from which the isolated tests of ASSIGNMENT draw their inputs.

    It is made once, so that everybody is judged on the same inputs, also when graded again. Do not
    show it to students before the last due date.
    """
    from hub.grading.pipeline.seeds import new_seed, seed_of

    if not (folder.source / assignment).is_dir():
        raise CommandFailed(f"There is no assignment {printable(assignment)} in {folder.source}.")
    if new:
        new_seed(folder.root, assignment)
        again = f"logitlab autograde {printable(assignment)} --force"
        click.echo(f"Earlier points were given with the old seed: {again}", err=True)
    click.echo(seed_of(folder.root, assignment))
