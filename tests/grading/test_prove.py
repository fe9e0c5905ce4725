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
    alone,
    in_turn,
    only_what_tests,
    read_answers,
    split_tests,
)
from hub.prove import NotProved, Outcome, judge, prove, table
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
    assert len(list(table("t", rows, 1.0))) == 6 + faults
    assert [row.points for row in rows] == [3, 3, 7]


def test_the_fixture_survives_the_percent_format() -> None:
    again = text_to_notebook(notebook_to_text(source_notebook()))
    assert [cell.source for cell in again.cells] == [
        cell.source for cell in source_notebook().cells
    ]


def test_answers_are_tried_in_turn_in_one_notebook_and_alone_if_need_be() -> None:
    parts, _ = split_tests(source_notebook())
    listed = [Answer("wrong", "square", "a", "A"), Answer("right", "square", "b", "B")]
    trial = in_turn(parts, "square", [*listed, Answer("control", "square", "c")])
    block = ["square", "square_test", "square_test-hidden"]
    names = [cell.metadata.nbgrader.grade_id for cell in trial.notebook.cells]
    assert names == ["released-1", "double", *block, *block, *block]
    assert trial.tries == (0, 0, 0, 0, 0, 1, 1, 1, 2, 2, 2)
    solutions = [c.source for c in trial.notebook.cells if c.id.startswith("square-")]
    assert solutions[:2] == ["A", "B"]
    assert "return x * x" in solutions[2]
    assert trial.has_control
    singles = list(alone(trial, parts))
    assert [single.answers for single in singles] == [(listed[0],), (listed[1],)]
    assert not any(single.has_control for single in singles)


def test_an_answer_that_leaves_something_behind_changes_no_other_verdict(source: Path) -> None:
    spoiler = "def double(x):\n    global SIZE\n    SIZE = 4\n    return 6\n"
    (source / "answers.py").write_text(
        f"# %% [wrong] double: spoils the given size\n{spoiler}\n\n"
        "# %% [right] double: a sum\ndef double(x):\n    return x + x\n"
    )
    lines = list(prove(source, workers=2, limits=LIMITS))
    assert "double: answers disturb each other, so each alone" in lines
    assert not [line for line in lines if line.startswith("FAULT")]


def test_tests_that_cannot_run_apart_are_named(source: Path) -> None:
    text = (source / "tiny.py").read_text()
    (source / "tiny.py").write_text(text.replace("assert square(3) == 9", "assert nobody(3) == 9"))
    with pytest.raises(NotProved, match=r"cannot run apart.*nobody"):
        list(prove(source, tests="apart", workers=2, limits=LIMITS))
