"""`python -m tests.bench.plain`: nbgrader's demonstration course, graded by plain nbgrader and with
the wheel `logitlab-grading`.

A fresh environment gets nbgrader and the wheel. The course is what `nbgrader quickstart` makes;
its students hand in what the two students of nbgrader's manual did. The same `nbgrader autograde`
is timed without and with our lines in nbgrader_config.py, with one BLAS thread, for a small class
and a larger one, and scores are compared cell by cell. The small class pays, as every class does,
for imports and for the instructor's notebook.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import click

from tests.grading.demo_course import (
    Cost,
    Environment,
    autograde,
    configured,
    hand_in,
    make_course,
    scores,
)


@click.command(help=__doc__)
@click.option("--few", default=2, show_default=True, help="Students of the small class.")
@click.option("--many", default=30, show_default=True, help="Students of the larger class.")
def main(few: int, many: int) -> None:
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        environment = Environment(Path(folder))
        small, large = (_both(environment, Path(folder), count) for count in (few, many))
    click.echo(f"{'nbgrader autograde ps1':28}  nbgrader   ours  nbgrader/ours")
    for count, (theirs, ours) in ((few, small), (many, large)):
        _row(f"{count} students, wall s", theirs.wall, ours.wall)
        _row(f"{count} students, CPU s", theirs.cpu, ours.cpu)
    more = many - few
    further = [(large[side].cpu - small[side].cpu) / more for side in (0, 1)]
    _row("a further student, CPU s", *further)


def _row(what: str, theirs: float, ours: float) -> None:
    click.echo(f"{what:28}  {theirs:8.2f}  {ours:5.2f}  {theirs / ours:13.1f}")


def _both(environment: Environment, folder: Path, students: int) -> tuple[Cost, Cost]:
    """What a class costs nbgrader, and us. Raises ClickException where a score differs."""
    root = folder / f"{students}"
    root.mkdir()
    course = make_course(environment, root)
    hand_in(environment, course, students)
    ours = configured(course)
    costs = autograde(environment, course)[0], autograde(environment, ours)[0]
    stock, found = scores(environment, course), scores(environment, ours)
    cells = sorted(stock.keys() | found)
    if differing := [cell for cell in cells if stock.get(cell) != found.get(cell)]:
        raise click.ClickException(f"scores differ: {', '.join(differing)}")
    click.echo(f"{students} students: the same scores in {len(stock)} cells")
    return costs


if __name__ == "__main__":
    main()
