"""`prove` reports unfair exercises by itself, as far as a machine can see them."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.authoring.notebook import notebook_to_text
from hub.grading.pipeline.execute import ExecutionLimits
from hub.verification.answers import Answer
from hub.verification.batches import Outcome, Seen, weigh
from hub.verification.fairness import (
    caught_too_little,
    is_own_error,
    listed_too_little,
    unclear_messages,
    words_of,
)
from hub.verification.prove import judge, prove
from hub.verification.trials import SplitTest, Trial
from tests.grading.tiny_course import source_notebook

WRONG = Answer("wrong", "double", "adds two", "def double(x):\n    return x + 2")
TESTS = {
    "double_test": SplitTest("double_test", "double", 1, hidden=False),
    "square_test": SplitTest("square_test", "square", 1, hidden=True),
}


@pytest.mark.parametrize(
    ("kind", "title", "faults"),
    [
        ("right", "typed from the text alone, a sum", 0),
        ("right", "a sum", 1),
        ("wrong", "typed from the text alone, a sum", 1),
    ],
)
def test_an_exercise_wants_a_right_answer_typed_from_the_text_alone(kind, title, faults) -> None:
    assert len(list(listed_too_little("double", [Answer(kind, "double", title)]))) == faults
    assert len(list(listed_too_little("square", [Answer(kind, "double", title)]))) == 1


@pytest.mark.parametrize(("wrong", "visibly", "faults"), [(0, 0, 0), (4, 2, 0), (5, 2, 1)])
def test_visible_tests_catch_half_of_the_wrong_answers(wrong, visibly, faults) -> None:
    assert len(list(caught_too_little(wrong, visibly))) == faults


@pytest.mark.parametrize(
    ("message", "faults"),
    [
        ("double(3) must be 6", 0),
        ("all numbers are to be doubled", 1),
        ("455 of 455 entries are wrong: expected another shape, got (2, 3)", 1),
        ("", 1),
        ("wrong: on SIZE", 0),
    ],
)
def test_a_message_names_something_of_its_exercise(message: str, faults: int) -> None:
    outcome = Outcome(WRONG, {"double_test": f"AssertionError: {message}"}, set())
    words = {"double": words_of(source_notebook())["double"] | {"size"}}
    found = list(unclear_messages([outcome, outcome], TESTS, words))
    assert len(found) == faults
    assert all(exercise == "double" and "adds two" in fault for exercise, fault in found)


def test_words_of_an_exercise_are_those_of_its_text_and_its_cell_without_the_solution() -> None:
    words = words_of(source_notebook())
    assert {"double", "doubling"} <= words["double"]
    assert "doubling" not in words["square"]
    assert "solution" not in words["square"]


def error(ename: str, evalue: str, *frames: str) -> dict[str, object]:
    """As IPython writes it, coloured."""
    lines = [f"Cell \x1b[32mIn[3]\x1b[39m, line 1{frame}\n----> 1 x" for frame in frames]
    return {"ename": ename, "evalue": evalue, "traceback": lines}


@pytest.mark.parametrize(
    ("output", "own"),
    [
        (error("AttributeError", "'int' has no 'shape'", ""), True),
        (error("AttributeError", "'int' has no 'shape'", "", ", in helper(y)"), True),
        (error("TypeError", "no sum", "", ", in \x1b[36mdouble\x1b[34m(x)"), False),
        (error("TypeError", "no sum", "", ", in double.<locals>.inner(x)"), False),
        (error("TypeError", "double() takes 1 argument but 2 were given", ""), False),
        (error("AssertionError", "double(3) must be 6", ""), False),
        (error("NotImplementedError", "", ""), False),
        (error("CellTimeout", "This cell was stopped", ""), False),
    ],
)
def test_an_error_outside_the_answers_functions_is_the_tests_own(output, own: bool) -> None:
    answer = "def double(x):\n    def inner(x):\n        return x + 2\n    return inner(x)"
    assert is_own_error(output, answer) is own


def test_an_error_of_a_tests_own_is_reported_once() -> None:
    outcomes = [
        Outcome(
            WRONG,
            {"double_test": f"AttributeError: 'int' has no {n}"},
            set(),
            leaked=frozenset({"double_test"}),
        )
        for n in (1, 2)
    ]
    found = list(unclear_messages(outcomes, TESTS, {"double": {"shape"}}))
    assert [fault.split(" (")[0] for _, fault in found] == [
        "double_test ends with an error of its own"
    ]


def test_a_cell_over_its_time_limit_is_one_fault_and_not_one_of_every_exercise() -> None:
    """What comes after it was not run, with the reference as with any answer."""
    reason = "NotRun: This cell was not run. The notebook was stopped after 600 s."
    stopped = {"double_test": "TooSlow: double took 120 s.", "square_test": reason}
    right = Answer("right", "square", "a power", "def square(x):\n    return x**2")
    trial = Trial(((), (right,), ()), (), source_notebook(), source_notebook())
    seen = [Seen(dict(stopped)), Seen(dict.fromkeys(TESTS, reason)), Seen()]
    outcomes = weigh(trial, seen, TESTS).counted
    rows = judge(["double", "square"], TESTS, outcomes)
    assert [len(row.faults) for row in rows] == [1, 0, 1]
    assert "1 of its tests were not run" in rows[-1].faults[0]

    reference = Answer("reference", None, "reference")
    alone = Trial(((reference,),), (), source_notebook(), source_notebook())
    (outcome,) = weigh(alone, [Seen(dict.fromkeys(TESTS, reason))], TESTS).counted
    assert len(judge(["double", "square"], TESTS, [outcome])[-1].faults) == 1


@pytest.mark.kernel
def test_prove_reports_each_kind(tmp_path: Path) -> None:
    folder = tmp_path / "ps1"
    folder.mkdir()
    text = notebook_to_text(source_notebook())
    text = text.replace("assert square(3) == 9\n", "assert square(3).bit_length() == 4\n")
    (folder / "tiny.py").write_text(text)
    (folder / "answers.py").write_text(
        "# %% [wrong] square: a word\ndef square(x):\n    return 'nine'\n"
        "\n# %% [wrong] double: 6\ndef double(x):\n    return 6\n"
        "\n# %% [right] double: typed from the text alone\ndef double(x):\n    return x + x\n"
    )
    lines = list(prove(folder, workers=1, limits=ExecutionLimits(20, 120)))
    shown = " ".join(" ".join(lines).split())
    assert "WARNING double: its visible tests catch 0 of 1 wrong answers" in shown
    assert "WARNING square: answers.py lists no right answer" in shown
    assert "WARNING square: square_test ends with an error of its own (AttributeError" in shown
    assert "WARNING square: square_test-hidden names nothing of the exercise" in shown
    assert "4 warnings" in lines[-1] and lines[-1].endswith("s, ok")
