"""What *Validate* says: the sentence first, with the cell that is to blame."""

from __future__ import annotations

import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from hub.grading.sandbox.outputs import error_output
from hub.singleuser.validation.verdict import sentence, verdict
from tests.grading.tiny_course import marks

TEST = "assert double(SIZE) == 6, 'double(3) must be 6'"


def _notebook(*cells: tuple[str, str, tuple[str, str] | None]) -> NotebookNode:
    """Of (name, text, error): an answer, a test if its name ends so, or an own cell without one."""
    made = []
    for name, text, error in cells:
        test = name.endswith("_test")
        kind = {"grade": True, "locked": True, "points": 1} if test else {"solution": True}
        cell = new_code_cell(text, metadata=marks(name, **kind) if name else {})
        cell.outputs = [NotebookNode(error_output(*error))] if error else []
        made.append(cell)
    return new_notebook(cells=made)


def _said(*cells: tuple[str, str, tuple[str, str] | None]) -> str:
    return sentence(_notebook(*cells), len(cells) - 1)


def test_a_failed_check_is_told_in_its_authors_words_with_the_answer_that_it_tests() -> None:
    failed = ("AssertionError", "double(3) must be 6")
    assert _said(("double", "def double(x): ...", None), ("double_test", TEST, failed)) == (
        "The test `double_test` of `double` failed: double(3) must be 6."
    )


def test_a_cell_before_it_that_failed_is_to_blame() -> None:
    assert _said(
        ("double", "double = lamda x: 2 * x", ("SyntaxError", "invalid syntax")),
        ("other", "1 / 0", ("ZeroDivisionError", "division by zero")),
        ("double_test", TEST, ("NameError", "name 'double' is not defined")),
    ) == (
        "The cell `double` failed: SyntaxError: invalid syntax. So the test `double_test` failed: "
        "NameError: name 'double' is not defined."
    )


def test_an_answer_that_binds_nothing_is_to_blame_for_the_test_that_is_named_for_it() -> None:
    assert _said(
        ("double", "raise NotImplementedError()", ("NotImplementedError", "")),
        ("double_test", TEST, ("NameError", "name 'double' is not defined")),
    ).startswith("The cell `double` failed: NotImplementedError (not written yet). So the test")


def test_a_cell_of_the_students_own_is_to_blame_for_a_name_that_an_answer_lacks() -> None:
    assert _said(
        ("", "factor = undefined + 2", ("NameError", "name 'undefined' is not defined")),
        ("double", "def double(x): return factor * x", None),
        ("double_test", TEST, ("NameError", "name 'factor' is not defined")),
    ).startswith("Cell 1 of the notebook (`factor = undefined + 2`) failed: NameError: name 'undef")


def test_a_question_for_a_person_is_no_test_and_is_told_if_it_has_no_answer() -> None:
    question = new_markdown_cell(
        "YOUR ANSWER HERE", metadata=marks("why", grade=True, solution=True)
    )
    said = sentence(new_notebook(cells=[question]), 0)
    assert said == "The question `why` has no answer yet."


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (("NotImplementedError", ""), "failed: NotImplementedError (not written yet)."),
        (("ValueError", "two\n\nlines"), "failed: ValueError: two lines."),
        (
            ("NotPlainData", "your code returned a set of objects"),
            "failed: your code returned a set of objects.",
        ),
        (
            ("NotRun", "This cell was not run. It was left out, because it left."),
            "was not run. It was left out, because it left.",
        ),
        (None, "failed: it passed some of its checks, not all."),
    ],
)
def test_an_error_is_told_in_one_sentence(error: tuple[str, str] | None, said: str) -> None:
    assert _said(("f_test", "f()", error)) == f"The test `f_test` {said}"


@pytest.mark.parametrize(
    ("passed", "failed", "hidden", "said"),
    [
        (2, 0, False, "Visible tests passed; hidden tests run when it is graded."),
        (2, 1, False, "1 of 3 visible tests failed; hidden tests run when it is graded."),
        (2, 0, True, "Tests passed, hidden ones too."),
        (0, 2, True, "2 of 2 tests failed."),
        (
            0,
            0,
            False,
            "There is no visible test in this notebook; hidden tests run when it is graded.",
        ),
    ],
)
def test_the_verdict_says_that_hidden_tests_run_later(
    passed: int, failed: int, hidden: bool, said: str
) -> None:
    assert verdict(passed, failed, hidden) == said
