"""Tests that cannot run isolated are reported to the instructor, and nobody is scored."""

from __future__ import annotations

import copy
import re
from pathlib import Path

import nbformat
import pytest
from click.testing import CliRunner
from nbformat import NotebookNode
from nbformat.v4 import new_output
from nbgrader.api import Gradebook
from nbgrader.apps import NbGraderAPI

from hub.cli import main
from hub.core.course_folder import new_course
from hub.grading.pipeline.batch import BatchError, autograde
from hub.grading.pipeline.execute import Execution, ExecutionLimits
from hub.grading.pipeline.job import Job
from hub.grading.pipeline.reference import Reference, ReferenceFails
from tests.grading.tiny_course import (
    ASSIGNMENT,
    GIVEN,
    NOTEBOOK,
    answered,
    cell_named,
    course_config,
    make_course,
    settings,
    source_notebook,
    submit,
)

pytestmark = pytest.mark.kernel

WAY_OUT = "`tests: in_kernel` for this assignment in course.yaml"
FAKES = "so student code can fake its score"


def source(**texts: str) -> NotebookNode:
    notebook = source_notebook()
    for name, text in texts.items():
        cell_named(notebook, name.replace("_1", "-1")).source = text
    return notebook


def made(folder: Path, notebook: NotebookNode, **answers: str) -> Path:
    """A course of that notebook, with a submission of alice."""
    make_course(folder / "course", source=notebook)
    submit(folder / "course", "alice", answered(folder / "course", **answers))
    return folder / "course"


def graded(root: Path, **sections) -> list[str]:
    sections["grading"] = {"cell_seconds": 30, **sections.pop("grading", {})}
    return list(autograde(root, ASSIGNMENT, config=course_config(root, settings(**sections))))


def score(root: Path) -> float | None:
    with Gradebook(f"sqlite:///{root / 'gradebook.db'}", "tiny") as gradebook:
        found = gradebook.assignment_submissions(ASSIGNMENT)
        return float(found[0].score) if found else None


NOT_FITTING = {
    "a name that nothing binds": (
        "assert double(nobody) == 6",
        "double_test uses nobody, which nothing binds before it",
    ),
    "a value that does not cross": (
        "from pathlib import Path\nassert double(Path('x')) == 'xx'",
        r"double_test \(NotPlainData: .*PosixPath",
    ),
    "a released file": (
        "assert open('data.txt').read() and double(3) == 6",
        r"double_test \(FileNotFoundError",
    ),
}


@pytest.mark.parametrize(("test", "expected"), NOT_FITTING.values(), ids=NOT_FITTING)
def test_a_test_that_cannot_run_isolated_is_named_with_a_fix_and_nobody_is_scored(
    tmp_path: Path, test: str, expected: str
) -> None:
    reference = (
        "def double(x):\n    ### BEGIN SOLUTION\n"
        "    return 2 * (x if isinstance(x, int) else str(x))\n    ### END SOLUTION"
    )
    root = made(tmp_path, source(double_test=test, double=reference))
    with pytest.raises(BatchError, match=expected) as error:
        graded(root)
    assert WAY_OUT in str(error.value) and FAKES.removeprefix("so ") in str(error.value)
    assert score(root) is None


def test_an_assignment_can_run_its_tests_in_kernel_and_that_is_reported(
    tmp_path: Path,
) -> None:
    root = made(tmp_path, source(double_test="assert open('data.txt').read() and double(3) == 6"))
    lines = graded(root, assignments={ASSIGNMENT: {"tests": "in_kernel"}})
    assert lines[0] == (
        "ps1: its tests run in the student's kernel (`tests: in_kernel`), "
        "so student code can fake its score"
    )
    assert score(root) == 5


def test_isolated_tests_get_no_warning_about_faked_scores(tmp_path: Path) -> None:
    root = made(tmp_path, source_notebook())
    assert FAKES not in "\n".join(graded(root))
    assert score(root) == 5


@pytest.mark.parametrize("grading", [{}, {"tests": "in_kernel"}], ids=["isolated", "in_kernel"])
def test_the_formgraders_log_names_tests_that_cannot_run_isolated_or_can_be_faked(
    tmp_path: Path, grading: dict
) -> None:
    root = made(tmp_path, source(double_test="assert double(nobody) == 6"))
    config = course_config(root, settings(grading={"cell_seconds": 30, **grading}))
    log = NbGraderAPI(config=config).autograde(ASSIGNMENT, "alice")["log"]
    assert ("double_test uses nobody" in log and WAY_OUT in log) is not bool(grading)
    assert (FAKES in log) is bool(grading)


def test_a_missing_instructors_notebook_is_reported_with_the_fix(
    tmp_path: Path,
) -> None:
    root = made(tmp_path, source_notebook())
    (root / "source" / ASSIGNMENT / f"{NOTEBOOK}.ipynb").unlink()
    with pytest.raises(
        BatchError, match=r"tiny.ipynb is missing.*`logitlab notebook ps1`"
    ) as error:
        graded(root)
    assert WAY_OUT in str(error.value)
    assert score(root) is None
    graded(root, grading={"tests": "in_kernel"})
    assert score(root) == 5


def test_a_damaged_instructors_notebook_is_reported(tmp_path: Path) -> None:
    root = made(tmp_path, source_notebook())
    (root / "source" / ASSIGNMENT / f"{NOTEBOOK}.ipynb").write_text("{")
    with pytest.raises(BatchError, match=r"tiny.ipynb cannot be read"):
        graded(root)


def test_a_source_that_was_changed_after_its_release_is_reported(tmp_path: Path) -> None:
    root = made(tmp_path, source_notebook())
    notebook = source(double_test="assert double(SIZE) == 6 and True")
    nbformat.write(notebook, root / "source" / ASSIGNMENT / f"{NOTEBOOK}.ipynb")
    with pytest.raises(BatchError, match=r"'double_test'.*`logitlab generate ps1`"):
        graded(root)
    assert score(root) is None


@pytest.mark.parametrize("tests", ["isolated", "in_kernel"])
def test_a_failing_reference_keeps_everybody_unscored_until_its_cause_is_gone(
    tmp_path: Path, tests: str
) -> None:
    flag = tmp_path / "flag"
    root = made(
        tmp_path,
        source(
            double_test=f"import os\nassert not os.path.exists({str(flag)!r}), 'flag'\n"
            "assert double(3) == 6"
        ),
    )
    flag.touch()
    for _ in range(2):
        with pytest.raises(BatchError, match=r"reference itself fails double_test .*flag"):
            graded(root, grading={"tests": tests})
        assert score(root) is None
    flag.unlink()
    graded(root, grading={"tests": tests})
    assert score(root) == 5


@pytest.fixture(name="runs")
def _runs(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The executions of references, which here only say that `square_test` fails if it says so."""
    runs: list[str] = []

    def run(job: Job) -> Execution:
        runs.append(job.tests)
        executed = copy.deepcopy(job.notebook)
        test = cell_named(executed, "square_test")
        if "fails" in test.source:
            test.outputs = [new_output("error", ename="E", evalue="no", traceback=[])]
        return Execution(executed, [], 0.0)

    monkeypatch.setattr(Job, "run", run)
    return runs


def test_a_reference_is_executed_with_and_without_answers_and_shared_once_a_version(
    tmp_path: Path, runs: list[str]
) -> None:
    path = tmp_path / "tiny.ipynb"

    def checked(notebook: NotebookNode) -> None:
        nbformat.write(notebook, path)
        Reference(
            ASSIGNMENT, path, {}, ExecutionLimits(), tmp_path / "passed", "isolated"
        ).yardstick()

    for _ in range(2):
        checked(source_notebook())
    assert runs == ["isolated"] * 3
    checked(source(square="def square(x):\n    return x**2"))
    assert runs == ["isolated"] * 6
    for _ in range(2):
        with pytest.raises(ReferenceFails, match="the reference itself fails square_test"):
            checked(source(square_test="assert square(3) == 9  # fails"))
    assert runs == [*["isolated"] * 6, *["isolated", "isolated", "in_kernel"] * 2]


def test_no_return_value_or_submission_holds_up_another_student(tmp_path: Path) -> None:
    root = made(tmp_path, source_notebook(), double="def double(x):\n    return object()")
    folder = submit(root, "bob", answered(root))
    (folder / "warnings.py").write_text("raise SystemExit")
    submit(root, "carol", answered(root))
    lines = graded(root)
    assert "ps1: 3 of 3 submissions graded" in lines
    assert [line.split()[1] for line in lines[-3:]] == ["2/9", "5/9", "5/9"]


def test_a_release_warns_of_tests_that_cannot_run_isolated(tmp_path: Path) -> None:
    list(new_course(tmp_path))
    folder = tmp_path / "source" / ASSIGNMENT
    folder.mkdir()
    nbformat.write(source(released_1=GIVEN + "\nX = 1"), folder / f"{NOTEBOOK}.ipynb")

    def released() -> str:
        done = CliRunner().invoke(main, ["generate", ASSIGNMENT, "--course", str(tmp_path)])
        assert done.exit_code == 0, done.output
        return done.output

    assert "warning" not in released()
    text = folder / f"{NOTEBOOK}.py"
    written = text.read_text()
    text.write_text(written.replace("assert double(SIZE) == 6", "assert double(SIZE) == unbound"))
    assert re.search(r"warning: .*double_test uses unbound, which nothing binds", released())
    course = tmp_path / "course.yaml"
    course.write_text(course.read_text().replace("tests: isolated", "tests: in_kernel"))
    assert "uses unbound" not in released()
