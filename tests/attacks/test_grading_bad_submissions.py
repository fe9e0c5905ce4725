"""One class with every kind of bad submission in it, graded in one batch.

Each costs only its owner, earns nothing that was not solved, and is told to its owner in words.
"""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell
from nbgrader.api import Gradebook
from nbgrader.apps import NbGraderAPI

from hub.grading.pipeline.batch import autograde
from tests.grading.conftest import pristine  # noqa: F401
from tests.grading.tiny_course import (
    ASSIGNMENT,
    HIDDEN_SECRET,
    NOTEBOOK,
    ONLY_HIDDEN_FAILS,
    answered,
    cell_named,
    course_config,
    submit,
)

pytestmark = pytest.mark.kernel

WARNS = "import sys\nwarnings.warn('careful')\ndef double(x):\n    warnings.warn('again')\n" + (
    "    print('hello', file=sys.stderr)\n    return 2 * x"
)
FORGER = (
    "def _forge(*_):\n    from IPython import get_ipython\n"
    "    get_ipython().displayhook(2.0)\n"
    "get_ipython().events.register('pre_run_cell', _forge)\n" + ONLY_HIDDEN_FAILS
)
SPY = "print(open('../../../source/ps1/tiny.ipynb').read())\ndef double(x):\n    return 2 * x"
SCRIPT = "<script>alert('text')</script> <img src=x onerror=alert(1)>"
HTML_OUTPUT = (
    "from IPython.display import HTML\nHTML(\"<script>alert('output')</script><b>ok</b>\")"
)


def _wrong_test_tagged(root: Path) -> nbformat.NotebookNode:
    notebook = answered(root, double=ONLY_HIDDEN_FAILS)
    for cell in notebook.cells:
        cell.metadata["tags"] = ["skip-execution"]
    return notebook


def _wrong_test_edited(root: Path) -> nbformat.NotebookNode:
    notebook = answered(root, double=ONLY_HIDDEN_FAILS)
    cell_named(notebook, "double_test_2").source = "pass"
    return notebook


def _wrong_test_deleted(root: Path) -> nbformat.NotebookNode:
    notebook = answered(root, double=ONLY_HIDDEN_FAILS)
    notebook.cells.remove(cell_named(notebook, "double_test_2"))
    return notebook


def _copied_test_cell(root: Path) -> nbformat.NotebookNode:
    notebook = answered(root)
    notebook.cells.append(copy.deepcopy(cell_named(notebook, "double_test")))
    return notebook


def _newer_schema(root: Path) -> nbformat.NotebookNode:
    notebook = answered(root)
    for cell in notebook.cells:
        if "nbgrader" in cell.metadata:
            cell.metadata.nbgrader.schema_version = 99
    return notebook


def _more_points(root: Path) -> nbformat.NotebookNode:
    notebook = answered(root, double=ONLY_HIDDEN_FAILS)
    cell_named(notebook, "double_test").metadata.nbgrader.update(points=100, locked=False)
    return notebook


def _scripts(root: Path) -> nbformat.NotebookNode:
    notebook = answered(root, why=SCRIPT)
    notebook.cells += [new_markdown_cell(SCRIPT), new_code_cell(HTML_OUTPUT)]
    return notebook


# Who submits what, and the points that are theirs (of 5 by tests; "why" is graded by hand).
EXPECTED = {
    "aa_right": 5,
    "broken_json": 0,
    "copied_test": 5,
    "deleted_test": 3,
    "edited_test": 3,
    "exits": 2,  # of the other exercise
    "flood": 5,
    "forger": 3,
    "loops": 3,
    "more_points": 3,
    "newer_schema": 5,
    "only_hidden_fails": 3,
    "scripts": 5,
    "skip_tag": 3,
    "spy": 2,
    "unnamed": 5,
    "warns": 5,
    "zz_right": 5,
}


def _submit_all(root: Path) -> None:
    loop = "def square(x):\n    while x < 0:\n        pass\n    return x * x"
    double = {
        "only_hidden_fails": ONLY_HIDDEN_FAILS,
        "exits": "import os\nos._exit(3)",
        "flood": "print('a' * 30_000_000)\ndef double(x):\n    return 2 * x",
        "forger": FORGER,
        "spy": SPY,
        "warns": WARNS,
    }
    for student, text in double.items():
        submit(root, student, answered(root, double=text))
    submit(root, "loops", answered(root, square=loop))
    submit(root, "broken_json", json.dumps(answered(root)).encode()[:-100])
    made = {
        "aa_right": answered,
        "copied_test": _copied_test_cell,
        "deleted_test": _wrong_test_deleted,
        "edited_test": _wrong_test_edited,
        "more_points": _more_points,
        "newer_schema": _newer_schema,
        "scripts": _scripts,
        "skip_tag": _wrong_test_tagged,
        "zz_right": answered,
    }
    for student, make in made.items():
        submit(root, student, make(root))
    folder = submit(root, "unnamed", answered(root))
    (folder / f"{NOTEBOOK}.ipynb").rename(folder / "Untitled.ipynb")


@dataclass
class GradedClass:
    root: Path
    lines: list[str]
    scores: dict[str, float]

    def report(self, student: str) -> list[str]:
        """The report in words on top of a student's autograded notebook."""
        path = self.root / "autograded" / student / ASSIGNMENT / f"{NOTEBOOK}.ipynb"
        first = nbformat.read(path, as_version=4).cells[0]
        return list(first.metadata.get("logitlab", {}).get("report", []))

    def feedback(self, student: str) -> str:
        return (self.root / "feedback" / student / ASSIGNMENT / f"{NOTEBOOK}.html").read_text()


@pytest.fixture(name="graded", scope="module")
def _graded(
    pristine: Path,  # noqa: F811
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[GradedClass]:
    root = Path(shutil.copytree(pristine, tmp_path_factory.mktemp("class") / "course"))
    _submit_all(root)
    config = course_config(root)
    lines = list(autograde(root, ASSIGNMENT, config=config))
    result = NbGraderAPI(config=config).generate_feedback(ASSIGNMENT)
    assert result["success"], result
    with Gradebook(f"sqlite:///{root / 'gradebook.db'}", "tiny") as gradebook:
        scores = {
            submission.student.id: submission.score
            for submission in gradebook.assignment_submissions(ASSIGNMENT)
        }
    yield GradedClass(root, lines, scores)


@pytest.mark.parametrize("student", sorted(EXPECTED))
def test_each_has_the_points_that_are_theirs(graded: GradedClass, student: str) -> None:
    assert graded.scores[student] == EXPECTED[student]


def test_the_table_names_every_student_and_how_many_were_graded(graded: GradedClass) -> None:
    table = "\n".join(graded.lines)
    assert f"{len(EXPECTED)} of {len(EXPECTED)} submissions graded" in table
    assert all(f"  {student}" in table for student in EXPECTED)


def test_an_endless_loop_costs_only_the_cell_it_is_in(graded: GradedClass) -> None:
    assert graded.report("loops") == [
        "The cell `square_test` was stopped after 3 s, its time limit."
    ]


@pytest.mark.parametrize(
    ("student", "words"),
    [
        ("broken_json", "JSON breaks off or is damaged"),
        ("copied_test", "2 cells named `double_test`"),
        ("deleted_test", "`double_test_2` was missing; it was put back"),
        (
            "edited_test",
            "`double_test_2` does not have its released text",
        ),
        (
            "exits",
            "was left out, because it ended the process that runs your cells (exit status 3)",
        ),
        ("flood", "`double` printed too much: the rest was cut"),
        ("newer_schema", "version 99 of the grading metadata"),
        ("unnamed", "There was no `tiny.ipynb`; `Untitled.ipynb` contains its cells"),
    ],
)
def test_the_owner_is_reported(graded: GradedClass, student: str, words: str) -> None:
    assert words in " ".join(graded.report(student))
    assert words.replace("`", "") in _plain(graded.feedback(student))
    assert words in "\n".join(graded.lines)


def _plain(page: str) -> str:
    return page.replace("<code>", "").replace("</code>", "").replace("&#10;", " ")


def test_a_good_submission_has_no_report(graded: GradedClass) -> None:
    assert graded.report("aa_right") == []
    assert "About your submission" not in graded.feedback("aa_right")


def test_a_warning_costs_nothing_and_stays_visible(graded: GradedClass) -> None:
    page = graded.feedback("warns")
    assert "UserWarning: careful" in page
    # What a test made the student's code say may tell the test.
    assert "UserWarning: again" not in page


def test_hidden_tests_are_in_nobodys_feedback(graded: GradedClass) -> None:
    for student in EXPECTED:
        page = graded.feedback(student)
        assert HIDDEN_SECRET not in page, student
        assert "secret_value" not in page, student


def test_a_failed_hidden_test_shows_its_authors_message(graded: GradedClass) -> None:
    assert "double fails on a large number" in graded.feedback("only_hidden_fails")


def test_no_script_of_a_student_is_in_feedback(graded: GradedClass) -> None:
    page = graded.feedback("scripts")
    assert "<script" not in page
    assert "onerror" not in page
    assert "<b>ok</b>" in page
    assert "default-src 'none'" in page


def test_the_formgraders_page_of_a_submission_has_no_script_of_the_student(
    graded: GradedClass,
) -> None:
    from nbconvert.exporters import HTMLExporter

    path = graded.root / "autograded" / "scripts" / ASSIGNMENT / f"{NOTEBOOK}.ipynb"
    page, _ = HTMLExporter(config=course_config(graded.root)).from_filename(str(path))
    assert "<script>alert(" not in page
    assert "<img src=x" not in page
    assert "<b>ok</b>" in page


def test_a_flood_does_not_make_thirty_megabytes_of_files(graded: GradedClass) -> None:
    assert len(graded.feedback("flood")) < 200_000
    path = graded.root / "autograded" / "flood" / ASSIGNMENT / f"{NOTEBOOK}.ipynb"
    assert path.stat().st_size < 17 * 1024 * 1024


def test_the_sources_cannot_be_reached_from_where_cells_run(graded: GradedClass) -> None:
    page = graded.feedback("spy")
    assert "FileNotFoundError" in page
    assert "BEGIN SOLUTION" not in page


def test_nothing_executed_is_left_lying_about(graded: GradedClass) -> None:
    assert not list((graded.root / "server").rglob("*.ipynb"))
