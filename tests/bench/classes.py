"""`python -m tests.bench.classes`: how long a class waits for its grades, beside nbgrader.

Classes of growing size hand in the same assignment (see tests.bench.grading). Each side grades
them and makes the feedback pages by its own commands, with one BLAS thread; wall seconds, and what
a submission of the largest class took. nbgrader takes one after the other, so that its largest
classes, which would take hours, are reckoned from two smaller ones: such figures are marked with ~.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import click

from tests.bench.course import GPT2_SHAPED, Course


@click.command(help=__doc__)
@click.argument("assignments", nargs=-1)
@click.option("--sizes", default="10,30,100,300", show_default=True, help="Submissions in a class.")
@click.option("--nbgraders", default="2,8", show_default=True, help="Classes nbgrader grades.")
def main(assignments: tuple[str, ...], sizes: str, nbgraders: str) -> None:
    os.environ["OMP_NUM_THREADS"] = "1"
    ours, theirs = ([int(size) for size in text.split(",")] for text in (sizes, nbgraders))
    for name in assignments or (GPT2_SHAPED, "05-mathematical-framework", "start"):
        click.echo(f"{name}, wall s\n{'class':>6}  nbgrader      ours  nbgrader/ours  ours each")
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            course = Course(Path(folder), name)
            walls = {size: course.nbgraders(size).wall for size in theirs}
            few, many = min(theirs), max(theirs)
            each = (walls[many] - walls[few]) / (many - few)
            for size in ours:
                wall = course.ours(size).wall
                stock = walls.get(size, walls[few] + (size - few) * each)
                mark = " " if size in walls else "~"
                click.echo(
                    f"{size:6}  {mark}{stock:7.0f}  {wall:8.1f}  {stock / wall:13.1f}"
                    f"  {wall / size:9.2f}"
                )


if __name__ == "__main__":
    main()
