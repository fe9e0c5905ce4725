"""`python -m tests.bench.grading`: what grading one more submission costs, beside nbgrader.

A class is handed in: the reference with a comment in every answer, a third of the class with half
of the exercises left as stubs. Each side grades it and makes the feedback pages by its own
commands, a smaller class and a larger one, and the difference is what a further submission costs:
CPU seconds of all processes, with one BLAS thread. The floor is what has to run, all cells of the
notebook, in one process that has run them before. nbgrader grades the same release in a course
folder of its own.
"""

from __future__ import annotations

import copy
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import nbformat
from nbformat import NotebookNode

from hub.authoring.contents import add_assignments
from hub.core.course_folder import new_course, open_course
from hub.core.environment import Environment
from hub.facts.cell_roles import marks, role
from tests.grading.tiny_course import submit

STUBS_EVERY = 3  # submission
LOGITLAB = (sys.executable, "-c", "from hub.cli import main; main()")
NBGRADER = (sys.executable, "-m", "nbgrader")
NBGRADER_CONFIG = """\
c = get_config()
c.CourseDirectory.course_id = "bench"
c.CourseDirectory.root = {root!r}
c.ExecutePreprocessor.timeout = 600
c.ClearSolutions.code_stub = {{"python": "pass"}}
"""
FLOOR = """
import json, resource, sys
from hub.grading.isolation.shell import NotebookShell
def used():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime
cells = json.load(open(sys.argv[1]))
result = open(sys.argv[2], "w")
shell = NotebookShell()
for _ in range(2):
    before = used()
    for number, text in enumerate(cells, 1):
        shell.run(text, number)
result.write(str(used() - before))
"""


@dataclass(frozen=True)
class Cost:
    """Of grading: CPU seconds of a further submission, and wall seconds of the larger class."""

    cpu: float
    wall: float


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
            theirs = further(course.nbgraders, 1, STUBS_EVERY) if stock else None
            floor = course.floor()
        click.echo(
            f"{name:28}  {theirs.cpu if theirs else 0:8.2f}  {ours.cpu:5.2f}  {floor:5.2f}"
            f"  {theirs.cpu / ours.cpu if theirs else 0:13.1f}  {ours.cpu / floor:10.1f}"
        )


def further(grade: Callable[[int], None], few: int, more: int) -> Cost:
    """The cost of a further submission, from a class of `few` and one with `more` of them."""
    costs = []
    for count in (few, few + more):
        before, began = used_by_ended(), time.monotonic()
        grade(count)
        costs.append(Cost(used_by_ended() - before, time.monotonic() - began))
    small, large = costs
    return Cost((large.cpu - small.cpu) / more, large.wall)


class Course:
    """A course folder with one shipped assignment, released, and copies of it to grade."""

    def __init__(self, folder: Path, assignment: str) -> None:
        self._folder, self._assignment = folder, assignment
        self._root = folder / "course"
        list(new_course(self._root))
        list(add_assignments(open_course(self._root, Environment()), [assignment]))
        (source,) = (self._root / "source" / assignment).glob("*.ipynb")
        self._notebook = source.stem
        self._source = nbformat.read(source, as_version=4)
        self._released = nbformat.read(
            self._root / "release" / assignment / source.name, as_version=4
        )

    def ours(self, count: int) -> None:
        """Grade a class of so many as LogitLab's instructor does."""
        root = self._class("ours", count)
        for command in ("autograde", "feedback"):
            run([*LOGITLAB, command, self._assignment, "--course", str(root)], root)

    def nbgraders(self, count: int) -> None:
        """Grade a class of so many as nbgrader's instructor does."""
        root = self._class("nbgrader", count)
        for name in ("gradebook.db", "nbgrader_config.py", "course.yaml"):
            (root / name).unlink(missing_ok=True)
        (root / "nbgrader_config.py").write_text(NBGRADER_CONFIG.format(root=str(root)))
        shutil.rmtree(root / "release")
        run([*NBGRADER, "generate_assignment", self._assignment], root)
        for command in ("autograde", "generate_feedback"):
            run([*NBGRADER, command, self._assignment], root)

    def floor(self) -> float:
        """CPU seconds of all cells of the reference in a process that has run them before."""
        cells = self._folder / "cells.json"
        answer = self._folder / "floor"
        texts = [cell.source for cell in self._source.cells if cell.cell_type == "code"]
        cells.write_text(json.dumps(texts))
        run([sys.executable, "-c", FLOOR, str(cells), str(answer)], self._folder)
        return float(answer.read_text())

    def _class(self, name: str, count: int) -> Path:
        """A copy of the course in which so many have submitted."""
        root = self._folder / f"{name}-{count}"
        shutil.copytree(self._root, root)
        for number in range(count):
            submit(
                root,
                f"s{number:04}",
                self._submission(number),
                assignment=self._assignment,
                name=self._notebook,
            )
        return root

    def _submission(self, number: int) -> NotebookNode:
        answers = {marks(c).name: c.source for c in self._source.cells if is_answer(c)}
        stubs = set(sorted(answers)[::2]) if number % STUBS_EVERY == STUBS_EVERY - 1 else set()
        book = copy.deepcopy(self._released)
        for cell in book.cells:
            name = marks(cell).name
            if is_answer(cell) and name not in stubs:
                cell.source = f"{answers[name]}\n# {number}"
        return book


def is_answer(cell: NotebookNode) -> bool:
    return cell.cell_type == "code" and role(cell) == "solution"


def run(command: Sequence[str], folder: Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise click.ClickException(
            f"{' '.join(command[-3:])}: {done.stdout}\n{done.stderr}"[-2000:]
        )


def used_by_ended() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


if __name__ == "__main__":
    main()
