"""Submissions whose cells have lost, swapped or forged their names, graded in one batch.

For each rule by which an answer is found there is a row of somebody honest, who keeps their
points, and one of somebody who plays with the rule and gains none.
"""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import nbformat
import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell
from nbgrader.api import Gradebook
from nbgrader.apps import NbGraderAPI

from hub.grading.pipeline.batch import autograde
from tests.grading.conftest import pristine  # noqa: F401
from tests.grading.tiny_course import (
    ASSIGNMENT,
    NOTEBOOK,
    ONLY_HIDDEN_FAILS,
    RIGHT_DOUBLE,
    RIGHT_SQUARE,
    answered,
    cell_named,
    course_config,
    released,
    submit,
)

pytestmark = pytest.mark.kernel

FENCED_ESSAY = "Because of\n\n```python\ndef double(x): ...\n```"
ESCAPES = "\x1b]0;owned\x07\x1b[31m`</code><script>alert(1)</script>\u202e\r\n# heading"


def _without_metadata(root: Path) -> NotebookNode:
    notebook = answered(root)
    for cell in notebook.cells:
        cell.metadata = {}
    return notebook


def _without_names(root: Path) -> NotebookNode:
    notebook = _without_metadata(root)
    for number, cell in enumerate(notebook.cells):
        cell.id = f"other-{number}"
    return notebook


def _merged(root: Path) -> NotebookNode:
    notebook = answered(root, double=f"{RIGHT_DOUBLE}\n\n{RIGHT_SQUARE}")
    notebook.cells.remove(cell_named(notebook, "square"))
    return notebook


def _merged_above_the_stub(root: Path) -> NotebookNode:
    stub = cell_named(released(root), "square").source
    return answered(root, double=f"{RIGHT_DOUBLE}\n\n{RIGHT_SQUARE}", square=stub)


def _merged_into_a_test(root: Path) -> NotebookNode:
    notebook = answered(root)
    test = cell_named(notebook, "square_test")
    test.source = f"{RIGHT_SQUARE}\n\n{test.source}"
    notebook.cells.remove(cell_named(notebook, "square"))
    return notebook


def _exchanged(root: Path, one: str, other: str, **answers: str) -> NotebookNode:
    """Two cells that carry each other's names and ids."""
    notebook = answered(root, **answers)
    first, second = cell_named(notebook, one), cell_named(notebook, other)
    first.metadata, second.metadata = second.metadata, first.metadata
    first.id, second.id = second.id, first.id
    return notebook


def _exchanged_names(root: Path) -> NotebookNode:
    return _exchanged(root, "double", "square")


def _exchanged_ids(root: Path) -> NotebookNode:
    notebook = _exchanged_names(root)
    for cell in notebook.cells:
        cell.metadata = {}
    return notebook


def _exchanged_with_the_essay(root: Path) -> NotebookNode:
    return _exchanged(root, "double", "why")


def _became_text(root: Path, **texts: str) -> NotebookNode:
    """Answer cells turned into markdown cells."""
    notebook = answered(root, **texts)
    for name in texts:
        cell = cell_named(notebook, name)
        cell.cell_type = "markdown"
        del cell["outputs"], cell["execution_count"]
    return notebook


def _markdown(root: Path) -> NotebookNode:
    return _became_text(root, double=RIGHT_DOUBLE, square=f"```\n{RIGHT_SQUARE}\n```")


def _markdown_with_words(root: Path) -> NotebookNode:
    double = f"This doubles:\n\n```python\n{RIGHT_DOUBLE}\n```\nIt prints\n```\n6\n```"
    return _became_text(root, double=double, square=f"~~~ {{.python}}\n{RIGHT_SQUARE}\n~~~\n")


def _markdown_without_names(root: Path) -> NotebookNode:
    other = RIGHT_SQUARE.replace("(x)", "(x: int) -> int")
    notebook = _became_text(root, square=f"```python\n{other}\n```")
    cell_named(notebook, "square").update(metadata={}, id="other")
    return notebook


def _essay_with_code(root: Path) -> NotebookNode:
    return answered(root, why=FENCED_ESSAY)


def _copies(root: Path) -> NotebookNode:
    """A right answer between a wrong copy above and a wrong copy below the tests."""
    notebook = answered(root)
    for folder in (0, len(notebook.cells)):
        other = copy.deepcopy(cell_named(notebook, "double"))
        other.source = "def double(x):\n    return -x"
        notebook.cells.insert(folder, other)
    return notebook


def _essay_beside(root: Path) -> NotebookNode:
    notebook = answered(root, why=cell_named(released(root), "why").source)
    notebook.cells.append(new_markdown_cell("My essay, in a cell of its own."))
    return notebook


def _essay_deleted(root: Path) -> NotebookNode:
    notebook = answered(root)
    notebook.cells.remove(cell_named(notebook, "why"))
    return notebook


def _essay_untouched(root: Path) -> NotebookNode:
    return answered(root, why=cell_named(released(root), "why").source)


def _wrong(root: Path) -> NotebookNode:
    return answered(root, double=ONLY_HIDDEN_FAILS)


def _exchanged_and_wrong(root: Path) -> NotebookNode:
    return _exchanged(root, "double", "square", double=ONLY_HIDDEN_FAILS)


def _names_swapped(root: Path) -> NotebookNode:
    """The hidden test calls itself an answer, and an empty cell the hidden test."""
    notebook = _wrong(root)
    cell_named(notebook, "double_test_2").metadata.nbgrader.grade_id = "square"
    forged = new_code_cell("pass", metadata={"nbgrader": {"grade_id": "double_test_2"}})
    notebook.cells.append(forged)
    return notebook


def _ids_swapped(root: Path) -> NotebookNode:
    notebook = _wrong(root)
    for cell in notebook.cells:
        cell.metadata = {}
    for cell in notebook.cells:
        cell.id = {"double_test_2": "square_test", "square_test": "double_test_2"}.get(
            cell.id, cell.id
        )
    notebook.cells.append(new_code_cell("pass", id="double_test_2"))
    return notebook


def _texts_forged(root: Path) -> NotebookNode:
    """No names; the text of a test as an answer, and a right answer after every test."""
    notebook = _wrong(root)
    for number, cell in enumerate(notebook.cells):
        cell.metadata, cell.id = {}, f"other-{number}"
    test = new_code_cell(cell_named(released(root), "double_test_2").source)
    notebook.cells = [test, *notebook.cells, new_code_cell(RIGHT_DOUBLE)]
    return notebook


def _many_copies(root: Path) -> NotebookNode:
    notebook = _wrong(root)
    forged = copy.deepcopy(cell_named(notebook, "double_test_2"))
    forged.source = "pass"
    forged.metadata.nbgrader.update(points=100, grade=False, solution=True, locked=False)
    notebook.cells = [*(copy.deepcopy(forged) for _ in range(50)), *notebook.cells]
    return notebook


def _nothing_done_and_deleted(root: Path) -> NotebookNode:
    notebook = released(root)
    notebook.cells = [cell for cell in notebook.cells if "def " not in cell.source]
    return notebook


def _escapes(root: Path) -> NotebookNode:
    notebook = answered(root)
    notebook.cells.append(new_code_cell("1", metadata={"nbgrader": {"grade_id": ESCAPES}}))
    return notebook


def _flood_of_cells(root: Path) -> bytes:
    notebook = json.loads(json.dumps(answered(root)))
    notebook["cells"] += [{}] * 100_000
    return json.dumps(notebook).encode()


def _stray_bytes(root: Path) -> bytes:
    return json.dumps(answered(root), indent=1).encode() + b"\n}\x00\x1b[2J stray"


def _conflict(root: Path) -> bytes:
    text = json.dumps(answered(root), indent=1)
    line = next(line for line in text.splitlines(True) if "return x + x" in line)
    theirs = line.replace("x + x", "3")
    marked = f"<<<<<<< HEAD\n{line}=======\n{theirs}>>>>>>> anna\n"
    return text.replace(line, marked).encode()


# What is submitted, and the points by tests that it is worth.
Submitted = dict[str, tuple[Callable[[Path], NotebookNode | bytes], int]]
HONEST: Submitted = {
    "conflict": (_conflict, 5),
    "copies": (_copies, 5),
    "essay_beside": (_essay_beside, 5),
    "essay_with_code": (_essay_with_code, 5),
    "exchanged_ids": (_exchanged_ids, 5),
    "exchanged_names": (_exchanged_names, 5),
    "exchanged_with_essay": (_exchanged_with_the_essay, 5),
    "essay_deleted": (_essay_deleted, 5),
    "essay_untouched": (_essay_untouched, 5),
    "markdown": (_markdown, 5),
    "markdown_no_names": (_markdown_without_names, 5),
    "markdown_with_words": (_markdown_with_words, 5),
    "merged": (_merged, 5),
    "merged_above_stub": (_merged_above_the_stub, 5),
    "merged_into_test": (_merged_into_a_test, 5),
    "no_metadata": (_without_metadata, 5),
    "no_names": (_without_names, 5),
    "stray_bytes": (_stray_bytes, 5),
}
CHEATS: Submitted = {
    "all_deleted": (_nothing_done_and_deleted, 0),
    "escapes": (_escapes, 5),
    "exchanged_and_wrong": (_exchanged_and_wrong, 3),
    "flood_of_cells": (_flood_of_cells, 5),
    "ids_swapped": (_ids_swapped, 3),
    "many_copies": (_many_copies, 3),
    "names_swapped": (_names_swapped, 3),
    "texts_forged": (_texts_forged, 3),
}
SUBMITTED = {**HONEST, **CHEATS}


@dataclass
class GradedClass:
    root: Path
    lines: list[str]
    scores: dict[str, float]
    waiting: set[str]

    def notebook(self, student: str) -> NotebookNode:
        path = self.root / "autograded" / student / ASSIGNMENT / f"{NOTEBOOK}.ipynb"
        return nbformat.read(path, as_version=4)

    def report(self, student: str) -> list[str]:
        return list(self.notebook(student).cells[0].metadata.get("logitlab", {}).get("report", []))

    def feedback(self, student: str) -> str:
        return (self.root / "feedback" / student / ASSIGNMENT / f"{NOTEBOOK}.html").read_text()


def _submit_under_other_names(root: Path) -> None:
    def put(student: str, **files: NotebookNode) -> None:
        folder = submit(root, student, answered(root))
        (folder / f"{NOTEBOOK}.ipynb").unlink()
        for name, notebook in files.items():
            path = folder / f"{name.replace('__', '/')}.ipynb"
            path.parent.mkdir(exist_ok=True)
            path.write_text(json.dumps(notebook))

    scratch = nbformat.v4.new_notebook(cells=[new_code_cell("1")])
    put("renamed", **{f"{NOTEBOOK} (1)": answered(root), "scratch": scratch})
    put("in_a_folder", **{f"work__{NOTEBOOK}-anna": answered(root), "copy": released(root)})
    put("two_names", **{"first": answered(root), "second": _wrong(root)})


@pytest.fixture(name="graded", scope="module")
def _graded(
    pristine: Path,  # noqa: F811
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[GradedClass]:
    root = Path(shutil.copytree(pristine, tmp_path_factory.mktemp("class") / "course"))
    for student, (make, _) in SUBMITTED.items():
        submit(root, student, cast("NotebookNode | bytes", make(root)))
    _submit_under_other_names(root)
    config = course_config(root)
    lines = list(autograde(root, ASSIGNMENT, config=config))
    result = NbGraderAPI(config=config).generate_feedback(ASSIGNMENT)
    assert result["success"], result
    with Gradebook(f"sqlite:///{root / 'gradebook.db'}", "tiny") as gradebook:
        found = gradebook.assignment_submissions(ASSIGNMENT)
        scores = {submission.student.id: submission.score for submission in found}
        waiting = {submission.student.id for submission in found if submission.needs_manual_grade}
    yield GradedClass(root, lines, scores, waiting)


@pytest.mark.parametrize("student", sorted(HONEST))
def test_a_right_answer_keeps_its_points_whatever_became_of_its_cell(
    graded: GradedClass, student: str
) -> None:
    assert graded.scores[student] == HONEST[student][1]


@pytest.mark.parametrize("student", sorted(CHEATS))
def test_nothing_is_gained_by_forging_names_ids_or_copies(
    graded: GradedClass, student: str
) -> None:
    assert graded.scores[student] == CHEATS[student][1]


def test_every_essay_that_may_be_there_waits_for_a_person_and_no_other(graded: GradedClass) -> None:
    graded_students = {*SUBMITTED, "renamed", "in_a_folder"}
    assert graded.waiting == graded_students - {"essay_untouched", "all_deleted"}


def test_an_essay_keeps_its_code_as_it_was_written(graded: GradedClass) -> None:
    assert cell_named(graded.notebook("essay_with_code"), "why").source == FENCED_ESSAY
    assert cell_named(graded.notebook("exchanged_with_essay"), "why").source == "Because."


def test_given_cells_and_tests_are_the_released_ones_in_their_order(graded: GradedClass) -> None:
    given = [cell for cell in released(graded.root).cells if "nbgrader" in cell.metadata]
    for student in SUBMITTED:
        found = [cell for cell in graded.notebook(student).cells if "nbgrader" in cell.metadata]
        assert [cell.metadata.nbgrader.grade_id for cell in found] == [
            cell.metadata.nbgrader.grade_id for cell in given
        ]
        for ours, theirs in zip(found, given, strict=True):
            assert ours.metadata.nbgrader.get("points") == theirs.metadata.nbgrader.get("points")
            if not theirs.metadata.nbgrader.solution:
                assert "pass" not in ours.source


@pytest.mark.parametrize(
    ("student", "words"),
    [
        ("conflict", "markers of a git conflict (`<<<<<<< HEAD` in line"),
        ("copies", "3 cells named `double`; the last one before its test"),
        ("essay_beside", "other cells may be the answer: `My essay, in a cell of its own.`"),
        ("exchanged_ids", "`double`, `square` had each other's names"),
        ("exchanged_names", "`double`, `square` had each other's names"),
        ("exchanged_with_essay", "known by the place where they stood: `why`"),
        ("flood_of_cells", "those after the first 5,000 were left out"),
        ("in_a_folder", "`work/tiny-anna.ipynb` contains its cells"),
        ("markdown", "`double` had become a markdown cell; it was made a code cell again."),
        ("markdown", "a code cell again, without the fences around its code"),
        ("merged", "`square` was missing; an empty one was put in its place"),
        ("merged_above_stub", "`square` was left as it was given, but an earlier cell of yours"),
        ("no_metadata", "known by their ids"),
        ("no_names", "known by their text"),
        ("renamed", "`tiny (1).ipynb` contains its cells"),
        ("stray_bytes", "after the notebook in the file (`} [2J stray`); they were left out"),
    ],
)
def test_the_owner_is_reported_what_was_done(graded: GradedClass, student: str, words: str) -> None:
    assert words in " ".join(graded.report(student))
    assert words in "\n".join(graded.lines)


def test_two_notebooks_that_could_be_the_one_wait_for_a_person(graded: GradedClass) -> None:
    assert "two_names" not in graded.scores
    assert "several notebooks contain its cells: `first.ipynb`, `second.ipynb`" in graded.lines[-1]


def test_a_flood_of_cells_makes_few_sentences_and_a_small_notebook(graded: GradedClass) -> None:
    assert len(graded.report("flood_of_cells")) <= 61
    path = graded.root / "autograded" / "flood_of_cells" / ASSIGNMENT / f"{NOTEBOOK}.ipynb"
    assert path.stat().st_size < 1_000_000
    assert len(graded.feedback("flood_of_cells")) < 5_000_000


def test_names_of_cells_act_on_no_terminal_and_no_page(graded: GradedClass) -> None:
    report = " ".join(graded.report("escapes")) + "\n".join(graded.lines)
    assert not any(character in report for character in "\x1b\x07\r\u202e")
    assert "`]0;owned [31m'</code><script>alert(1)</…` is not part of this assignment" in report
    assert "<script>alert(1)" not in graded.feedback("escapes")
