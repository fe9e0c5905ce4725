"""`prove` finds every way in which tests and answers can be wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.authoring.notebook import notebook_to_text, text_to_notebook
from hub.grading.execute import Limits
from hub.grading.trials import (
    Answer,
    AnswersError,
    Part,
    in_turn,
    only_what_tests,
    read_answers,
    split_tests,
)
from hub.prove import NotProved, Outcome, Row, counting, judge, prove, table, total
from tests.grading.tiny_course import source_notebook

ANSWERS = """# %% [wrong] double: adds two
def double(x):
    return x + 2


# %% [wrong] double: right for three only
def double(x):
    return 6


# %% [right] double: a sum
def double(x):
    return x + x
"""
LIMITS = Limits(cell_seconds=5, total_seconds=60)


@pytest.fixture(name="source")
def _source(tmp_path: Path) -> Path:
    folder = tmp_path / "ps1"
    folder.mkdir()
    (folder / "tiny.py").write_text(notebook_to_text(source_notebook()))
    (folder / "answers.py").write_text(ANSWERS)
    return folder


def test_an_assignment_in_order_is_proved(source: Path) -> None:
    lines = list(prove(source, workers=2, limits=LIMITS))
    row = next(line for line in lines if line.startswith("double "))
    # points, wrong, by visible, by hidden, missed, right kept
    assert row.split()[1:7] == ["3", "2", "1", "2", "0", "1/1"]
    assert not [line for line in lines if line.startswith("FAULT")]
    assert lines[-1].startswith("tiny, tests together: 5 points, 2/2 wrong caught, 1/1 right kept")
    assert lines[-1].endswith("s, ok")


def test_a_missed_wrong_answer_and_a_lost_right_one_are_faults(source: Path) -> None:
    bad = "# %% [wrong] square: it is right\ndef square(x):\n    return x * x\n"
    bad += "\n\n# %% [right] square: it is wrong\ndef square(x):\n    return abs(x) * x\n"
    (source / "answers.py").write_text(bad)
    lines: list[str] = []
    with pytest.raises(NotProved, match="2 of the proofs failed"):
        for line in prove(source, workers=2, limits=LIMITS):
            lines.append(line)
    faults = [line for line in lines if line.startswith("FAULT")]
    assert len(faults) == 2
    assert any("it is right: is not caught by a hidden test" in fault for fault in faults)
    assert any("it is wrong: fails square_test-hidden" in fault for fault in faults)


def test_answers_are_read_with_their_titles(tmp_path: Path) -> None:
    path = tmp_path / "answers.py"
    path.write_text(ANSWERS)
    assert read_answers(path)[1] == Answer(
        "wrong", "double", "right for three only", "def double(x):\n    return 6"
    )
    assert read_answers(tmp_path / "none.py") == []


def test_an_answer_with_a_broken_header_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "answers.py"
    path.write_text("# %% [wrnog] double: x\npass\n")
    with pytest.raises(AnswersError, match="1 cell"):
        read_answers(path)


def test_an_answer_to_no_exercise_is_refused(source: Path) -> None:
    (source / "answers.py").write_text("# %% [wrong] triple: x\npass\n")
    with pytest.raises(AnswersError, match="triple"):
        list(prove(source, workers=2, limits=LIMITS))


def test_test_cells_are_split_into_a_visible_and_a_hidden_half() -> None:
    parts, tests = split_tests(source_notebook())
    assert {name: (test.exercise, test.points, test.hidden) for name, test in tests.items()} == {
        "double_test": ("double", 1, False),
        "double_test_2": ("double", 1, False),
        "double_test_2-hidden": ("double", 1, True),
        "square_test": ("square", 1, False),
        "square_test-hidden": ("square", 1, True),
    }
    hidden = [c.source for c in parts.cells if c.id.endswith("-hidden")]
    assert all("assert" in source and "HIDDEN" not in source for source in hidden)


def test_only_what_decides_about_an_exercise_is_run() -> None:
    parts, _ = split_tests(source_notebook())
    names = [c.metadata.nbgrader.grade_id for c in only_what_tests(parts, "square").cells]
    assert names == ["released-1", "double", "square", "square_test", "square_test-hidden"]


TESTS = {
    "f_test": Part("f_test", "f", 1, hidden=False),
    "f_test_2": Part("f_test_2", "f", 2, hidden=True),
    "g_test": Part("g_test", "g", 3, hidden=True),
    "together": Part("together", None, 1, hidden=True),
}


@pytest.mark.parametrize(
    ("kind", "failed", "faults"),
    [
        ("reference", set(), 0),
        ("reference", {"g_test"}, 1),
        ("stub", set(TESTS), 0),
        ("stub", {"f_test", "g_test", "together"}, 1),
        ("stub", {"f_test", "f_test_2", "together"}, 1),
        ("broken", {"f_test", "f_test_2", "together"}, 0),
        ("broken", {"f_test", "f_test_2", "g_test"}, 1),
        ("wrong", {"f_test_2"}, 0),
        ("wrong", {"f_test"}, 1),
        ("wrong", set(), 1),
        ("right", set(), 0),
        ("right", {"f_test"}, 1),
    ],
)
def test_each_kind_of_answer_has_its_own_rule(kind: str, failed: set[str], faults: int) -> None:
    exercise = None if kind in ("reference", "stub") else "f"
    answer = Answer(kind, exercise, "title")  # type: ignore[arg-type]
    outcome = Outcome(answer, dict.fromkeys(failed, "why"), set(TESTS) - failed, 1.0)
    rows = judge(["f", "g"], TESTS, [outcome])
    assert sum(len(row.faults) for row in rows) == faults
    assert len(list(table("t", rows))) == 6 + faults
    assert [row.points for row in rows] == [3, 3, 1]


def test_the_fixture_survives_the_percent_format() -> None:
    again = text_to_notebook(notebook_to_text(source_notebook()))
    assert [cell.source for cell in again.cells] == [
        cell.source for cell in source_notebook().cells
    ]


def test_the_table_fits_a_terminal_of_100_columns() -> None:
    fault = "a title of some length: fails a_test (AssertionError: " + "many words " * 20 + ")"
    rows = [Row("an_exercise_with_quite_a_long_name", 100, 10, 10, 10, 10, 10, 9999, [fault] * 10)]
    lines = list(table("tiny, tests together", rows))
    assert max(map(len, lines)) <= 100
    assert sum(line.startswith("FAULT  an_exercise") for line in lines) == 10
    assert total("tiny, tests apart", rows, 7.4) == (
        "tiny, tests apart: 100 points, 10/10 wrong caught, 10/10 right kept, 7 s, 10 FAULTS"
    )


def test_answers_are_tried_in_turn_each_after_the_reference() -> None:
    parts, _ = split_tests(source_notebook())
    listed = [Answer("wrong", "square", "a", "A"), Answer("right", "square", "b", "B")]
    trial = in_turn(parts, "square", listed)
    block = ["square", "square_test", "square_test-hidden"]
    names = [cell.metadata.nbgrader.grade_id for cell in trial.notebook.cells]
    assert names == ["released-1", "double", *block, *block, *block, *block]
    assert trial.tries == (0, 0, 0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3)
    assert [answer.kind for answer in trial.answers] == ["control", "wrong", "control", "right"]
    solutions = [c.source for c in trial.notebook.cells if c.id.startswith("square-")]
    assert (solutions[1], solutions[3]) == ("A", "B")
    assert "return x * x" in solutions[0] and solutions[0] == solutions[2]


@pytest.mark.parametrize(
    ("controls", "counted", "again"),
    [
        ("passes passes passes", "a b c", ""),
        ("passes passes fails", "a b", "c"),
        ("passes fails fails", "a", "b c"),
        ("passes fails passes", "a", "b c"),
        ("fails fails fails", "control a b c", ""),
    ],
)
def test_what_is_seen_after_a_failing_reference_does_not_count(
    controls: str, counted: str, again: str
) -> None:
    found = []
    for control, title in zip(controls.split(), "abc", strict=True):
        failed = {"f_test": "why"} if control == "fails" else {}
        found.append(Outcome(Answer("control", "f", "control"), failed, set()))
        found.append(Outcome(Answer("wrong", "f", title, "the same text"), {}, set()))
    outcomes, rest = counting(found)
    assert [outcome.answer.title for outcome in outcomes] == counted.split()
    assert [answer.title for answer in rest] == again.split()


def test_answers_that_leave_something_behind_change_no_other_verdict(source: Path) -> None:
    spoiler = "def double(x):\n    global SIZE\n    SIZE = 4\n    return 6\n\n\n"
    right = "# %% [right] double: a sum\ndef double(x):\n    return x + x\n\n\n"
    (source / "answers.py").write_text(
        f"# %% [wrong] double: spoils the given size\n{spoiler}{right}"
        f"# %% [wrong] double: spoils it again\n{spoiler}{right}"
    )
    lines = list(prove(source, workers=2, limits=LIMITS))
    again = [line for line in lines if "left something behind" in line]
    assert [line.split("'")[1] for line in again] == ["spoils the given size", "spoils it again"]
    assert not [line for line in lines if line.startswith("FAULT")]
    assert "2/2 wrong caught, 2/2 right kept" in lines[-1]


def test_a_wrong_reference_is_a_fault_and_no_reason_to_try_again(source: Path) -> None:
    text = (source / "tiny.py").read_text()
    (source / "tiny.py").write_text(text.replace("assert square(3) == 9", "assert square(3) == 8"))
    (source / "answers.py").write_text("# %% [wrong] square: x\ndef square(x):\n    return x\n" * 2)
    lines: list[str] = []
    with pytest.raises(NotProved):
        for line in prove(source, workers=2, limits=LIMITS):
            lines.append(line)
    assert not [line for line in lines if "left something behind" in line]
    assert any("FAULT  square: the reference before other answers: fails" in x for x in lines)


def test_tests_that_cannot_run_apart_are_named(source: Path) -> None:
    text = (source / "tiny.py").read_text()
    (source / "tiny.py").write_text(text.replace("assert square(3) == 9", "assert nobody(3) == 9"))
    with pytest.raises(NotProved, match=r"cannot run apart.*nobody"):
        list(prove(source, tests="apart", workers=2, limits=LIMITS))
