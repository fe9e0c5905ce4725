"""A test corrected in the source but not generated is reported wherever it is graded."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from click.testing import CliRunner
from nbgrader.apps import NbGraderAPI

from hub.cli import main
from hub.grading.pipeline.batch import autograde
from tests.grading.tiny_course import (
    ASSIGNMENT,
    NOTEBOOK,
    answered,
    cell_named,
    course_config,
    settings,
    source_notebook,
    submit,
)

pytestmark = pytest.mark.kernel

CHANGED = f"{ASSIGNMENT}: {NOTEBOOK}.ipynb is not graded as its source says"


def correct(course: Path, cell: str, old: str, new: str) -> None:
    """Change a text in one cell of the source notebook, and release nothing."""
    source = source_notebook()
    chosen = cell_named(source, cell)
    assert old in chosen.source
    chosen.source = chosen.source.replace(old, new)
    nbformat.write(source, course / "source" / ASSIGNMENT / f"{NOTEBOOK}.ipynb")


def report(course: Path, tests: str) -> str:
    config = course_config(course, settings(grading={"tests": tests}))
    return "\n".join(autograde(course, ASSIGNMENT, config=config))


@pytest.mark.parametrize("tests", ["in_kernel", "isolated"])
def test_a_corrected_test_that_was_not_released_is_named_with_the_fix(
    course: Path, tests: str
) -> None:
    assert CHANGED not in report(course, tests)
    correct(course, "square_test", "square(-2)", "square(-3)")  # in its hidden part
    assert f"{CHANGED}: test cell `square_test` has changed" in report(course, tests)
    assert f"`logitlab generate {ASSIGNMENT}`" in report(course, tests)
    config = course_config(course)
    assert NbGraderAPI(config=config).generate_assignment(ASSIGNMENT)["success"]
    assert CHANGED not in report(course, tests)


@pytest.mark.parametrize(
    ("cell", "old", "new", "named"),
    [
        ("released-1", "SIZE = 3", "SIZE = 4", "given cell `released-1` has changed"),
        ("why", "An essay", "A model answer", None),
        ("double", "return 2 * x", "return x + x", None),
    ],
)
def test_given_text_counts_and_a_reference_solution_does_not(
    course: Path, cell: str, old: str, new: str, named: str | None
) -> None:
    correct(course, cell, old, new)
    output = report(course, "in_kernel")
    assert named in output if named else CHANGED not in output


def test_points_changed_in_the_source_are_a_difference(course: Path) -> None:
    source = source_notebook()
    cell_named(source, "double_test").metadata.nbgrader.points = 3
    nbformat.write(source, course / "source" / ASSIGNMENT / f"{NOTEBOOK}.ipynb")
    assert "test cell `double_test` has changed" in report(course, "in_kernel")


def test_the_formgraders_log_names_changes_since_the_release(course: Path) -> None:
    correct(course, "square_test", "square(-2)", "square(-3)")
    submit(course, "alice", answered(course))
    config = course_config(course, settings(grading={"tests": "in_kernel"}))
    result = NbGraderAPI(config=config).autograde(ASSIGNMENT, "alice")
    assert CHANGED in result["log"]


def test_logitlab_check_names_changes_in_either_half_of_a_notebook(tmp_path: Path) -> None:
    def logitlab(*words: str) -> str:
        done = CliRunner().invoke(main, [*words, "--course", str(tmp_path)])
        assert done.exit_code == 0, done.output
        return done.output

    CliRunner().invoke(main, ["course", "new", str(tmp_path)])
    logitlab("course", "add", "start")
    assert "not graded as its source says" not in logitlab("check")
    text = tmp_path / "source" / "start" / "start.py"
    text.write_text(text.read_text().replace("assert ", "assert True and ", 1))
    assert "test cell `likeliest_test` has changed" in logitlab("check")
    logitlab("generate", "start")
    assert "not graded as its source says" not in logitlab("check")
