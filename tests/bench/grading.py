"""`python -m tests.bench.grading`: what grading one more submission costs, beside nbgrader.

A class is handed in: the reference with a comment in every answer, a third of the class with half
of the exercises left as stubs. Each side grades it and makes the feedback pages by its own
commands, a smaller class and a larger one, and the difference is what a further submission costs:
CPU seconds of all processes, with one BLAS thread. The floor is what has to run, all cells of the
notebook, in one process that has run them before. nbgrader grades the same release in a course
folder of its own.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

import click

from tests.bench.course import STUBS_EVERY, Cost, Course


@click.command(help=__doc__)
@click.argument("assignments", nargs=-1)
@click.option("--more", default=9, show_default=True, help="Submissions that are counted.")
@click.option("--stock/--no-stock", default=True, help="Grade with nbgrader too.")
def main(assignments: tuple[str, ...], more: int, stock: bool) -> None:
    os.environ["OMP_NUM_THREADS"] = "1"
    chosen = assignments or ("start", "05-mathematical-framework", "06-induction-heads")
    click.echo(
        f"{'CPU s a further submission':28}  nbgrader   ours  floor  nbgrader/ours  ours/floor"
    )
    for name in chosen:
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            course = Course(Path(folder), name)
            ours = further(course.ours, 6, more)
            theirs = further(course.nbgraders, 1, STUBS_EVERY) if stock else 0
            floor = course.floor()
        click.echo(
            f"{name:28}  {theirs:8.2f}  {ours:5.2f}  {floor:5.2f}  {theirs / ours:13.1f}"
            f"  {ours / floor:10.1f}"
        )


def further(grade: Callable[[int], Cost], few: int, more: int) -> float:
    """CPU seconds of a further submission, from a class of `few` and one with `more` of them."""
    return (grade(few + more).cpu - grade(few).cpu) / more


if __name__ == "__main__":
    main()
