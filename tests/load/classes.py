"""Classes of submissions whose points are known before anybody grades them."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell

from tests.grading.tiny_course import submit
from tests.grading.trust_course import BREAKS, SLIPS, answered

WRONG = "def f2(x):\n    return x"
SLEEP = "import time\ntime.sleep(1e6)"


def honest(root: Path, count: int, wrong_every: int = 10) -> dict[str, float]:
    """Right submissions of the small notebook, every tenth with one wrong answer: the points."""
    points: dict[str, float] = {}
    for number in range(count):
        student = f"s{number:04}"
        wrong = number % wrong_every == wrong_every - 1
        answers = {"f2": WRONG} if wrong else {}
        submit(root, student, answered(root, own=None, **answers))
        points[student] = 2.0 if wrong else 3.0
    return points


def breakers(root: Path, count: int) -> dict[str, float]:
    """Right answers with a cell that breaks given cells, or takes the process along."""
    ways = [*BREAKS.values(), *(slip for slip, _ in SLIPS.values())]
    points: dict[str, float] = {}
    for number in range(count):
        student = f"b{number:04}"
        submit(root, student, answered(root, own={"f1_test": ways[number % len(ways)]}))
        points[student] = 3.0
    return points


def half_asleep(root: Path, count: int, asleep: bool) -> dict[str, float]:
    """Right submissions; every second one, from the first, sleeps in a cell of its own."""
    points: dict[str, float] = {}
    for number in range(count):
        own = {"given-1": SLEEP} if asleep and number % 2 == 0 else None
        submit(root, f"s{number:04}", answered(root, own=own))
        points[f"s{number:04}"] = 3.0
    return points


def awake(count: int) -> Iterator[str]:
    return (f"s{number:04}" for number in range(1, count, 2))


def references(root: Path, assignment: str, notebook: str, count: int) -> dict[str, float]:
    """The reference of a shipped assignment, handed in so often: all points of its tests."""
    source = nbformat.read(root / "source" / assignment / f"{notebook}.ipynb", as_version=4)
    released = nbformat.read(root / "release" / assignment / f"{notebook}.ipynb", as_version=4)
    answers = {c.metadata.nbgrader.grade_id: c.source for c in source.cells if _is_answer(c)}
    full = sum(
        cell.metadata.nbgrader.get("points", 0)
        for cell in released.cells
        if _marks(cell).get("grade") and not _marks(cell).get("solution")
    )
    book = copy.deepcopy(released)
    for cell in book.cells:
        if _is_answer(cell):
            cell.source = answers[cell.metadata.nbgrader.grade_id]
    book.cells.append(new_code_cell("'mine'", id="mine"))
    points: dict[str, float] = {}
    for number in range(count):
        folder = submit(root, f"s{number:04}", book, assignment=assignment, name=notebook)
        assert folder.is_dir()
        points[f"s{number:04}"] = float(full)
    return points


def _marks(cell: NotebookNode) -> dict:
    return cell.metadata.get("nbgrader", {})


def _is_answer(cell: NotebookNode) -> bool:
    return bool(_marks(cell).get("solution")) and not _marks(cell).get("grade")
