"""Commands about grades: make them, and write them to a file."""

from __future__ import annotations

from pathlib import Path

import click

from hub.cli.running import check_gradebook, in_course, say
from hub.core.course_folder import CourseFolder


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
    from hub.grading.pipeline.batch import autograde
    from hub.jupyterhub.configuration.jupyterlab import grader_config

    check_gradebook(folder)
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


@click.command()
@click.argument("target", type=click.Path(path_type=Path, dir_okay=False), default="grades.csv")
@in_course
def export(target: Path, folder: CourseFolder) -> None:
    """Write the course's grades to TARGET as CSV: a row per student and assignment, in UTC."""
    from hub.grading.pipeline.export import export_csv

    check_gradebook(folder)
    late = folder.settings.late
    export_csv(
        folder.gradebook_url,
        folder.settings.course.id,
        target,
        late.policy,
        late.percent_per_day,
        folder.root,
    )
    click.echo(f"{target}: written")
