"""*Validate*, `nbgrader validate` and grading give the same verdict on the same notebook."""

from __future__ import annotations

import copy
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from nbgrader.api import Gradebook

from hub.core.course_folder import open_course
from hub.core.environment import Environment
from hub.jupyterhub.configuration.jupyterlab import write_files

pytestmark = pytest.mark.kernel

NOTEBOOK = "cases"
SCRIPTS = Path(sys.executable).parent
RIGHT = "def f_{0}(x):\n    return x + x"
EQUAL_TO_ALL = (
    "class Equal_{0}(int):\n    __eq__ = lambda self, other: True\n    __hash__ = None\n"
    "def f_{0}(x):\n    return Equal_{0}()"
)
CANNOT_CROSS = (
    "your code gave an object"  # begins what is told of a value that cannot be handed over
)

Edit = Callable[[list[NotebookNode], str], None]


def _at(cells: list[NotebookNode], name: str) -> int:
    marks = [cell.metadata.get("nbgrader", {}).get("grade_id") for cell in cells]
    return marks.index(name)


def _answer(text: str) -> Edit:
    def edit(cells: list[NotebookNode], case: str) -> None:
        cells[_at(cells, case)].source = text.format(case)

    return edit


def _copied(offset: int) -> Edit:
    def edit(cells: list[NotebookNode], case: str) -> None:
        folder = _at(cells, case)
        stub = copy.deepcopy(cells[folder])
        stub.source = "# YOUR CODE HERE\nraise NotImplementedError()"
        cells.insert(folder + offset, stub)

    return edit


def _given_renamed(cells: list[NotebookNode], case: str) -> None:
    cells[_at(cells, f"{case}_given")].metadata.nbgrader.grade_id = "mine"


def _wrong_and_test_deleted(cells: list[NotebookNode], case: str) -> None:
    _answer("def f_{0}(x):\n    return 0")(cells, case)
    del cells[_at(cells, f"{case}_test")]


def _wrong_and_test_changed(cells: list[NotebookNode], case: str) -> None:
    _answer("def f_{0}(x):\n    return 0")(cells, case)
    cells[_at(cells, f"{case}_test")].source = "assert True"


def _scratch_cell_raises(cells: list[NotebookNode], case: str) -> None:
    cells.insert(_at(cells, case) + 1, new_code_cell("1 / 0"))


def _told_to_skip(cells: list[NotebookNode], case: str) -> None:
    for name in (case, f"{case}_test"):
        cells[_at(cells, name)].metadata.tags = ["skip-execution"]


def _split(cells: list[NotebookNode], case: str) -> None:
    """As JupyterLab splits a cell: the first half keeps the metadata."""
    offset = _at(cells, case)
    cells[offset].source = "two = 2"
    cells.insert(offset + 1, new_code_cell(f"def f_{case}(x):\n    return two * x"))


def _duplicate_ids(cells: list[NotebookNode], case: str) -> None:
    cells[_at(cells, case)].id = cells[_at(cells, f"{case}_test")].id


def _metadata_gone(cells: list[NotebookNode], case: str) -> None:
    positions = [_at(cells, case), _at(cells, f"{case}_test")]
    for offset in positions:
        cells[offset].metadata = NotebookNode()


def _metadata_damaged(cells: list[NotebookNode], case: str) -> None:
    cells[_at(cells, f"{case}_test")].metadata.nbgrader = NotebookNode(grade_id=f"{case}_test")


def _became_text(cells: list[NotebookNode], case: str) -> None:
    offset = _at(cells, case)
    old = cells[offset]
    cells[offset] = new_markdown_cell(old.source, metadata=old.metadata)


# The edit, and whether the test then passes; None: as grading says, whatever that is.
CASES: dict[str, tuple[Edit, bool | None]] = {
    "right": (lambda cells, case: None, True),
    "wrong": (_answer("def f_{0}(x):\n    return 0"), False),
    "stub": (_answer("# YOUR CODE HERE\nraise NotImplementedError()"), False),
    "copied_above": (_copied(0), True),
    "copied_below": (_copied(1), True),
    "given_renamed": (_given_renamed, True),
    "test_deleted": (_wrong_and_test_deleted, False),
    "test_changed": (_wrong_and_test_changed, False),
    "warns": (
        _answer(
            "import sys, warnings\ndef f_{0}(x):\n    warnings.warn('odd')\n"
            "    print('careful', file=sys.stderr)\n    return 2 * x"
        ),
        True,
    ),
    "split": (_split, True),
    "equal_to_all": (_answer(EQUAL_TO_ALL), False),
    "odd": (_answer("import datetime\ndef f_{0}(x):\n    return datetime.date(2027, 1, 1)"), False),
    "slow": (_answer("def f_{0}(x):\n    while True:\n        pass"), False),
    "scratch_raises": (_scratch_cell_raises, True),
    "skipped": (_told_to_skip, True),
    "duplicate_ids": (_duplicate_ids, True),
    "metadata_gone": (_metadata_gone, None),
    "metadata_damaged": (_metadata_damaged, True),
    "became_text": (_became_text, True),
    "raises": (_answer("def f_{0}(x):\n    raise RuntimeError('no')"), False),
    "undefined": (_answer("f_{0} = undefined_{0}"), False),
}
# Of the assignment whose tests run in the student's kernel.
IN_KERNEL: dict[str, tuple[Edit, bool | None]] = {
    "kernel_right": (lambda cells, case: None, True),
    "kernel_half": (_answer("def f_{0}(x):\n    return None"), False),
    "kernel_equal_to_all": (_answer(EQUAL_TO_ALL), True),
}


# Of an assignment whose release was made before releases said anything of names.
BEFORE: dict[str, tuple[Edit, bool | None]] = {
    "before_right": (lambda cells, case: None, True),
    "before_equal_to_all": (_answer(EQUAL_TO_ALL), False),
}
ASSIGNMENTS = {"cases": CASES, "in-kernel": IN_KERNEL, "before": BEFORE}


def _source(cases: Iterable[str]) -> NotebookNode:
    def marked(text: str, name: str, **marks: Any) -> NotebookNode:
        plain = {"grade": False, "solution": False, "locked": False, "task": False}
        metadata = {"nbgrader": {"schema_version": 3, "grade_id": name, **plain, **marks}}
        return new_code_cell(text, metadata=metadata, id=name.replace("_", "-"))

    cells = []
    for case in cases:
        body = "    ### BEGIN SOLUTION\n    return 2 * x\n    ### END SOLUTION"
        test = f"assert f_{case}(n_{case}) == 4, 'twice 2 is 4'"
        if case == "kernel_half":
            test = f"0.5 if f_{case}(n_{case}) is None else 1"
        cells += [
            marked(f"n_{case} = 2", f"{case}_given", locked=True),
            marked(f"def f_{case}(x):\n{body}", case, solution=True),
            marked(test, f"{case}_test", grade=True, locked=True, points=1),
        ]
    return new_notebook(cells=cells)


@dataclass
class Outcome:
    """What one way of judging said: the cases that passed, the verdict, sentences and texts of what
    failed, and the report."""

    passed: set[str]
    verdict: str
    failed: str
    told: str


@dataclass
class Student:
    """A student with notebooks of all cases, in a course whose exchange is a local folder."""

    course: Path
    home: Path
    environment: dict[str, str]

    def notebook(self, assignment: str = "cases") -> Path:
        return self.home / assignment / f"{NOTEBOOK}.ipynb"

    def run(self, *words: str) -> str:
        done = subprocess.run(
            words, env=self.environment, cwd=self.home, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def button(self, assignment: str = "cases") -> Outcome:
        notebook = str(self.notebook(assignment))
        answer = json.loads(self.run(sys.executable, "-m", "hub.singleuser.validation", notebook))
        assert answer["success"]
        value = answer["value"]
        for each in value.get("failed", []):
            assert each["raw_error"].startswith(each["sentence"])
        failed = "\n".join(f"{c['sentence']}\n{c['source']}" for c in value.get("failed", []))
        passed = _not_in(failed, assignment)
        return Outcome(passed, value["verdict"], failed, "\n".join(value.get("report", [])))

    def terminal(self) -> Outcome:
        output = self.run(str(SCRIPTS / "nbgrader"), "validate", f"cases/{NOTEBOOK}.ipynb")
        results, _, report = output.partition("About this notebook:")
        verdict, _, failed = results.partition("\n")
        return Outcome(_not_in(failed, "cases"), verdict, failed, report)

    def graded(self, assignment: str = "cases") -> Outcome:
        folder = self.course / "submitted" / "alice" / assignment
        folder.mkdir(parents=True)
        (folder / f"{NOTEBOOK}.ipynb").write_bytes(self.notebook(assignment).read_bytes())
        (folder / "timestamp.txt").write_text("2027-01-01 10:00:00 UTC")
        report = self.run(*_logitlab("autograde", assignment, "--course", str(self.course)))
        with Gradebook(f"sqlite:///{self.course / 'gradebook.db'}", "mechinterp") as book:
            grades = book.find_submission(assignment, "alice").notebooks[0].grades
            passed = {grade.name.removesuffix("_test") for grade in grades if grade.score == 1}
        path = self.course / "autograded" / "alice" / assignment / f"{NOTEBOOK}.ipynb"
        cells = nbformat.read(path, as_version=4).cells
        outputs = [output for cell in cells for output in cell.get("outputs", [])]
        errors = [output.evalue for output in outputs if output.output_type == "error"]
        return Outcome(passed, "", "\n".join(errors), report)


def _logitlab(*words: str) -> list[str]:
    return [str(SCRIPTS / "logitlab"), *words]


def _not_in(failed: str, assignment: str) -> set[str]:
    return {case for case in ASSIGNMENTS[assignment] if f"f_{case}(n_" not in failed}


def _words(text: str) -> str:
    return " ".join(text.split())


@pytest.fixture(scope="module")
def student(tmp_path_factory: pytest.TempPathFactory) -> Student:
    root, home = tmp_path_factory.mktemp("course"), tmp_path_factory.mktemp("home")
    environment = {
        "PATH": os.pathsep.join([str(SCRIPTS), os.environ["PATH"]]),
        "HOME": str(home),
        "JUPYTERHUB_USER": "alice",
        "JUPYTER_CONFIG_PATH": str(home / ".config"),
    }
    student = Student(root, home, environment)
    student.run(*_logitlab("course", "new", str(root)))
    settings = root / "course.yaml"
    text = settings.read_text().replace("cell_seconds: 60", "cell_seconds: 3")
    in_kernel = "assignments: {in-kernel: {tests: in_kernel}}"
    settings.write_text(text.replace("assignments: {}", in_kernel))
    for name, cases in ASSIGNMENTS.items():
        (root / "source" / name).mkdir()
        nbformat.write(_source(cases), root / "source" / name / f"{NOTEBOOK}.ipynb")
    student.run(*_logitlab("generate", *ASSIGNMENTS, "--course", str(root)))
    old = root / "release" / "before" / f"{NOTEBOOK}.ipynb"
    released = json.loads(old.read_text())
    del released["metadata"]["logitlab"]
    old.write_text(json.dumps(released))
    student.run(*_logitlab("release", "--hand-out", *ASSIGNMENTS, "--course", str(root)))
    folder = open_course(root, Environment())
    write_files("student", folder, home / ".config")
    with (home / ".config" / "nbgrader_config.py").open("a") as config:
        config.write(f"c.Exchange.local_store = {str(folder.exchange)!r}\n")
    student.run(str(SCRIPTS / "nbgrader"), "fetch_assignment", "cases")
    for name in ("in-kernel", "before"):  # what a fetch gives, without the start of a process
        shutil.copytree(root / "release" / name, home / name)
    for name, cases in ASSIGNMENTS.items():
        path = student.notebook(name)
        notebook = nbformat.read(path, as_version=4)
        notebook.metadata["kernelspec"] = {"name": "julia-1.10", "display_name": "Julia"}
        notebook.metadata["logitlab"] = {"names": ["n_right"], "classes": []}  # the student's own
        for case, (edit, _) in cases.items():
            _answer(RIGHT)(notebook.cells, case)
            edit(notebook.cells, case)
        path.write_text(json.dumps(notebook))
    return student


@pytest.fixture(scope="module")
def outcomes(student: Student) -> dict[str, Outcome]:
    return {
        "the button": student.button(),
        "nbgrader validate": student.terminal(),
        "grading": student.graded(),
    }


@pytest.mark.parametrize("case", CASES)
def test_validate_in_the_browser_and_in_a_terminal_agrees_with_grading(
    outcomes: dict[str, Outcome], case: str
) -> None:
    verdicts = {way: case in outcome.passed for way, outcome in outcomes.items()}
    assert len(set(verdicts.values())) == 1, verdicts
    expected = CASES[case][1]
    assert expected in (None, verdicts["grading"])


def test_tests_run_in_the_students_kernel_where_grading_runs_them_there(student: Student) -> None:
    right = {case for case, (_, passes) in IN_KERNEL.items() if passes}
    assert student.button("in-kernel").passed == right
    assert student.graded("in-kernel").passed == right


def test_a_release_made_before_is_validated_in_the_students_kernel_and_graded_as_any(
    student: Student,
) -> None:
    assert student.button("before").passed == {"before_right", "before_equal_to_all"}
    assert student.graded("before").passed == {"before_right"}


def test_the_verdict_comes_first_and_says_that_hidden_tests_run_later(
    outcomes: dict[str, Outcome],
) -> None:
    for way in ("the button", "nbgrader validate"):
        failed = len(CASES) - len(outcomes[way].passed)
        said = f"{failed} of {len(CASES)} visible tests failed; hidden tests run when it is graded."
        assert outcomes[way].verdict == said


def test_each_failure_begins_with_a_sentence_that_names_the_cell_to_blame(
    outcomes: dict[str, Outcome],
) -> None:
    for way in ("the button", "nbgrader validate"):
        failed = _words(outcomes[way].failed)
        assert "The test `wrong_test` of `wrong` failed: twice 2 is 4." in failed, way
        assert (
            "The cell `undefined` failed: NameError: name 'undefined_undefined' is not defined. "
            "So the test `undefined_test` failed: NameError" in failed
        )


def test_a_value_that_cannot_be_handed_over_is_told_in_the_words_of_grading(
    outcomes: dict[str, Outcome],
) -> None:
    (said,) = (line for line in outcomes["grading"].failed.splitlines() if CANNOT_CROSS in line)
    for way in ("the button", "nbgrader validate"):
        assert _words(said) in _words(outcomes[way].failed), way


def test_repairs_are_reported_in_the_same_words_as_in_the_feedback(
    outcomes: dict[str, Outcome],
) -> None:
    for way, outcome in outcomes.items():
        assert "`test_deleted_test` was missing" in outcome.told, way
        assert "`test_changed_test` does not have its released text" in outcome.told


def test_a_notebook_is_checked_against_itself_without_the_exchange_and_that_is_reported(
    student: Student, tmp_path: Path
) -> None:
    away = (student.home / ".config" / "nbgrader_config.py").read_text()
    (tmp_path / "nbgrader_config.py").write_text(away.replace("c.Exchange.local_store", "_"))
    kept = ["right", "wrong", "copied_above", "copied_below", "warns", "test_changed"]
    notebook = nbformat.read(student.notebook(), as_version=4)
    notebook.metadata["logitlab"] = {"names": [f"f_{case}" for case in kept], "classes": []}
    notebook.cells = [
        cell
        for cell in notebook.cells
        if cell.metadata.get("nbgrader", {}).get("grade_id", "")
        in {f"{case}{part}" for case in kept for part in ("", "_given", "_test")}
    ]
    environment = {**student.environment, "JUPYTER_CONFIG_PATH": str(tmp_path)}
    alone = Student(student.course, tmp_path, environment)
    alone.notebook().parent.mkdir()
    alone.notebook().write_text(json.dumps(notebook))
    outcome = alone.terminal()
    assert "checked against itself" in outcome.told
    assert set(kept) - outcome.passed == {"wrong"}
    assert "assert True" in outcome.failed, "a changed test is no passed test"


def test_a_file_that_is_not_a_notebook_fails_validation(student: Student, tmp_path: Path) -> None:
    broken = Student(student.course, tmp_path, student.environment)
    broken.notebook().parent.mkdir()
    broken.notebook().write_text(student.notebook().read_text()[:5000])
    outcome = broken.terminal()
    assert "not a notebook" in outcome.told
    assert not outcome.passed
