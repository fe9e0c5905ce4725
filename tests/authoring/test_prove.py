"""`prove` finds every way in which tests and answers can be wrong."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell

from hub.authoring.notebook import notebook_to_text, text_to_notebook
from hub.grading.pipeline.execute import ExecutionLimits, Tests
from hub.verification.answers import Answer, AnswersError, read_answers
from hub.verification.batches import Again, Outcome, Seen, weigh
from hub.verification.prove import ExerciseRow, NotProved, judge, prove, table, total
from hub.verification.trials import (
    BATCH_PAIRS_OF_A_TRIAL,
    Batches,
    Group,
    SplitTest,
    Trial,
    groups,
    split_tests,
)
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
LIMITS = ExecutionLimits(cell_seconds=20, total_seconds=120)


@pytest.fixture(name="source")
def _source(tmp_path: Path) -> Path:
    folder = tmp_path / "ps1"
    folder.mkdir()
    (folder / "tiny.py").write_text(notebook_to_text(source_notebook()))
    (folder / "answers.py").write_text(ANSWERS)
    return folder


@pytest.mark.kernel
def test_an_assignment_in_order_is_proved(source: Path) -> None:
    lines = list(prove(source, workers=2, limits=LIMITS))
    row = next(line for line in lines if line.startswith("double "))
    # points, wrong ones caught by visible and by hidden tests and missed, right ones kept
    assert row.split()[1:6] == ["3", "1", "2", "0", "1/1"]
    assert not [line for line in lines if line.startswith("FAULT")]
    assert lines[-1].startswith(
        "tiny, tests in the kernel: 5 points, 2/2 wrong caught, 1/1 right kept"
    )
    assert lines[-1].endswith("s, ok")


@pytest.mark.kernel
def test_a_missed_wrong_answer_and_a_lost_right_one_are_faults(source: Path) -> None:
    bad = "# %% [wrong] square: it is right\ndef square(x):\n    return x * x\n"
    bad += "\n\n# %% [right] square: it is wrong\ndef square(x):\n    return abs(x) * x\n"
    (source / "answers.py").write_text(bad)
    lines: list[str] = []
    with pytest.raises(NotProved, match="2 proofs failed"):
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


def _given(name: str, text: str) -> NotebookNode:
    marks = {"schema_version": 3, "grade_id": name, "grade": False, "locked": True}
    return new_code_cell(text, id=name, metadata={"nbgrader": {**marks, "solution": False}})


def test_only_what_decides_about_points_is_in_a_round() -> None:
    notebook = source_notebook()
    shown, used, end = (
        _given("shown", "six = double(SIZE)\nprint(six)"),
        _given("used", "four = double(2)"),
        _given("end", "print(square(9))"),
    )
    square_test = notebook.cells[6]
    square_test.source = "assert square(four) == 16\n" + square_test.source
    notebook.cells[5:5] = [shown, used, new_code_cell("double(9)", id="play")]
    notebook.cells.append(end)
    parts, _ = split_tests(notebook)
    rounds = Batches.of(parts, [])
    names = [cell.metadata.nbgrader.grade_id for cell in rounds.source.cells]
    double = ["double", "double_test", "double_test_2", "double_test_2-hidden"]
    assert names == ["released-1", *double, "used", "square", "square_test", "square_test-hidden"]
    assert rounds.start == 1
    right = Answer("right", "square", "uses six", "def square(x):\n    return x * x * six / 6")
    names = [cell.metadata.nbgrader.grade_id for cell in Batches.of(parts, [right]).source.cells]
    assert "shown" in names


TESTS = {
    "f_test": SplitTest("f_test", "f", 1, hidden=False),
    "f_test_2": SplitTest("f_test_2", "f", 2, hidden=True),
    "g_test": SplitTest("g_test", "g", 3, hidden=True),
    "together": SplitTest("in_kernel", None, 1, hidden=True),
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
    assert len(list(table("t", rows))) == 7 + faults
    assert [row.points for row in rows] == [3, 3, 1]


def test_the_fixture_survives_the_percent_format() -> None:
    again = text_to_notebook(notebook_to_text(source_notebook()))
    assert [cell.source for cell in again.cells] == [
        cell.source for cell in source_notebook().cells
    ]


def test_the_table_fits_a_terminal_of_100_columns() -> None:
    fault = "a title of some length: fails a_test (AssertionError: " + "many words " * 20 + ")"
    rows = [
        ExerciseRow(
            "an_exercise_with_quite_a_long_name", 100, 10, 10, 10, 10, 10, faults=[fault] * 10
        )
    ]
    lines = list(table("tiny, tests in the kernel", rows))
    assert max(map(len, lines)) <= 100
    assert sum(line.startswith("FAULT  an_exercise") for line in lines) == 10
    assert total("tiny, tests isolated", rows, 7.4) == (
        "tiny, tests isolated: 100 points, 10/10 wrong caught, 10/10 right kept, 7 s, 10 FAULTS"
    )


WRONG = {name: Answer("wrong", name[0], name, f"text {name}") for name in ("f1", "f2", "g1", "g2")}


@settings(deadline=None)
@given(st.lists(st.integers(1, 30), max_size=20))
def test_rounds_have_each_answer_once_and_mix_answers_with_the_reference(
    sizes: list[int],
) -> None:
    answers = [
        Answer("wrong", f"e{exercise}", f"{number}", "the same text")
        for exercise, size in enumerate(sizes)
        for number in range(size)
    ]
    found = groups(answers)
    assert found == groups(answers)
    assert len(found) == 2 * max(sizes, default=0)
    key = lambda answer: (answer.exercise, int(answer.title))  # noqa: E731
    assert sorted((a for group in found for a in group), key=key) == sorted(answers, key=key)
    tried = [[answer.exercise for answer in group] for group in found]
    for names in tried:
        assert len(names) == len(set(names))
        assert len(names) < len(sizes) or len(sizes) == 1
    for number, (names, after) in enumerate(pairwise(tried), 1):
        if number % (2 * BATCH_PAIRS_OF_A_TRIAL):  # else they are not of one notebook
            assert not set(names) & set(after)


@settings(deadline=None, max_examples=20)
@given(st.integers(2, 20))
def test_any_two_exercises_are_in_different_halves_at_some_time(count: int) -> None:
    names = [f"e{number}" for number in range(count)]
    answers = [
        Answer("wrong", name, f"{number}")
        for name in names
        for number in range(BATCH_PAIRS_OF_A_TRIAL * 5)
    ]
    tried = [{answer.exercise for answer in group} for group in groups(answers)]
    assert all(
        any(one in group and other not in group for group in tried)
        for one in names
        for other in names
        if one != other
    )


def test_neighbours_are_mixed_in_the_first_rounds() -> None:
    first, second = groups([Answer("wrong", name, name) for name in "abcde"])
    assert [answer.title for answer in first] == ["a", "c", "e"]
    assert [answer.title for answer in second] == ["b", "d"]


def test_each_batch_replaces_the_solutions_of_its_group_only() -> None:
    parts, _ = split_tests(source_notebook())
    rounds = Batches.of(parts, [])
    a, b = Answer("wrong", "square", "a", "A"), Answer("right", "double", "b", "B")
    trial = rounds.trial([(a, b), (a,)])
    assert trial.batches == ((), (a, b), (a,), ())
    assert trial.positions == (0, *(number for number in range(4) for _ in range(8)))
    texts = {cell.id: cell.source for cell in trial.notebook.cells}
    assert (texts["square-1"], texts["square-2"], texts["double-1"]) == ("A", "A", "B")
    assert "return x * x" in texts["square-0"] and texts["square-0"] == texts["square-3"]
    assert "return 2 * x" in texts["double-2"]
    assert "'double', 'secret_value', 'square'" in texts["forget-1"]
    assert rounds.trial([(a,), (b,)], alone=True).batches == ((), (a,), (), (b,), ())


def test_narrow_trials_run_the_tests_of_exercises_that_are_tried_only() -> None:
    parts, _ = split_tests(source_notebook())
    rounds = Batches.of(parts, [])
    (trial,) = rounds.narrow_trials([(Answer("mutant", "square", "a", "A"),)])
    names = [cell.metadata.nbgrader.grade_id for cell in trial.source.cells]
    assert names == ["released-1", "double", "square", "square_test", "square_test-hidden"]
    assert len(trial.positions) == len(trial.notebook.cells) == 1 + 3 * 5
    assert rounds.trials([()])[0].source == rounds.source


def _weigh(rounds: list[str], failed: list[str], stopped: str = "", **how: object):
    """Rounds as names of answers; a failed test of each round as its name."""
    made: tuple[Group, ...] = tuple(tuple(WRONG[name] for name in r.split()) for r in rounds)
    empty = NotebookNode(cells=[])
    seen = [Seen(dict.fromkeys(f.split(), "why"), set(), set(stopped.split())) for f in failed]
    trial = Trial(made, (), empty, empty, **how)  # type: ignore[arg-type]
    return weigh(trial, seen, TESTS)


def _titles(outcomes: list[Outcome]) -> list[str]:
    return [outcome.answer.title for outcome in outcomes]


def _again(again: list[Again]) -> list[tuple[list[list[str]], bool]]:
    return [([[a.title for a in group] for group in one.groups], one.alone) for one in again]


F, G = "f_test_2", "g_test"


@pytest.mark.parametrize(
    ("failed", "counted", "again"),
    [
        (["", F, G, F, ""], ["f1", "g1", "f2"], []),
        # missed: repeated alone, the others count
        (["", F, "", F, ""], ["f1", "f2"], [([["g1"]], True)]),
        # a neighbour with the reference fails in the same round
        (["", f"{F} {G}", G, F, ""], [], [([["f1"]], True), ([["g1"], ["f2"]], False)]),
        # or in the next one, after something was left behind
        (["", F, f"{F} {G}", F, ""], [], [([["f1"], ["g1"]], True), ([["f2"]], False)]),
        (["", F, G, F, G], ["f1", "g1"], [([["f2"]], True)]),
        # the reference is wrong from the start
        ([G, F, G, F, G], ["the reference before other answers", "f1", "g1", "f2"], []),
    ],
)
def test_what_is_as_expected_counts_and_the_rest_is_tried_alone(
    failed: list[str], counted: list[str], again: list[object]
) -> None:
    weighed = _weigh(["", "f1", "g1", "f2", ""], failed)
    assert _titles(weighed.counted) == counted
    assert _again(weighed.again) == again


def test_an_answer_whose_test_was_stopped_is_tried_alone_without_a_cause() -> None:
    weighed = _weigh(["", "f1", ""], ["", F, ""], stopped=F)
    assert _again(weighed.again) == [([["f1"]], True)]
    assert weighed.again[0].cause is None


@pytest.mark.parametrize(
    ("failed", "counted", "faults"),
    [
        (["", F, "", F, ""], ["f1", "f2"], 0),
        (["", F, "", "", ""], ["f1", "f2"], 1),  # missed
        (["", f"{F} {G}", "", F, ""], ["f1", "f2"], 1),  # breaks its neighbour
        (["", F, G, F, ""], ["f1"], 0),  # left state behind
    ],
)
def test_the_run_alone_decides(failed: list[str], counted: list[str], faults: int) -> None:
    weighed = _weigh(["", "f1", "", "f2", ""], failed, alone=True)
    assert _titles(weighed.counted) == counted
    assert sum(len(row.faults) for row in judge(["f", "g"], TESTS, weighed.counted)) == faults
    assert _again(weighed.again) == ([([["f2"]], True)] if len(counted) == 1 else [])


def test_what_goes_wrong_only_in_combination_is_a_fault_too() -> None:
    rounds, failed = ["", "f1", "", "g1", ""], ["", F, "", G, ""]
    weighed = _weigh(rounds, failed, alone=True, cause="fails h_test")
    rows = judge(["f", "g"], TESTS, weighed.counted)
    assert rows[-1].faults == [
        "'f1' of f, 'g1' of g: each passes alone but fails in a batch: fails h_test"
    ]


def test_tests_that_an_ended_process_did_not_run_are_no_fault_of_their_exercise() -> None:
    weighed = _weigh(["", "f1", ""], ["", f"{F} {G}", f"{F} {G}"], f"{F} {G}", alone=True)
    assert weighed.counted[0].failed == {F: "why"}


GLOBAL_SIZE = "def double(x):\n    global SIZE\n    SIZE = 4\n    return 6\n\n\n"


@pytest.mark.kernel
def test_a_wrong_answer_that_costs_points_in_a_neighbour_is_reported(source: Path) -> None:
    text = (source / "tiny.py").read_text()
    (source / "tiny.py").write_text(
        text.replace("assert square(3) == 9", "assert square(SIZE) == 9")
    )
    (source / "answers.py").write_text(
        f"# %% [wrong] double: changes the size\n{GLOBAL_SIZE}"
        "# %% [wrong] square: x\ndef square(x):\n    return x\n"
    )
    lines: list[str] = []
    with pytest.raises(NotProved, match="1 proof failed"):
        for line in prove(source, workers=2, limits=LIMITS):
            lines.append(line)
    (fault,) = [n for n, line in enumerate(lines) if line.startswith("FAULT")]
    output = "FAULT double: changes the size: costs points in square: fails square_test"
    assert output in " ".join(" ".join(lines[fault : fault + 2]).split())
    assert "2/2 wrong caught" in lines[-1]


@pytest.mark.kernel
def test_what_a_batch_binds_is_forgotten_before_the_next(source: Path) -> None:
    (source / "answers.py").write_text(
        "# %% [wrong] double: another name\ndef twice(x):\n    return 2 * x\n"
    )
    lines = list(prove(source, workers=2, limits=LIMITS))
    assert "1/1 wrong caught" in lines[-1] and lines[-1].endswith("ok")


@pytest.mark.kernel
@pytest.mark.parametrize("tests", ["in_kernel", "isolated"])
def test_answers_that_end_the_kernel_take_no_other_verdict_with_them(
    source: Path, tests: Tests
) -> None:
    (source / "answers.py").write_text(
        "# %% [wrong] double: ends it\ndef double(x):\n    import os\n\n    os._exit(0)\n\n\n"
        "# %% [wrong] square: x\ndef square(x):\n    return x\n\n\n"
        "# %% [right] double: a sum\ndef double(x):\n    return x + x\n"
    )
    lines = list(prove(source, tests=tests, workers=2, limits=LIMITS))
    assert "2/2 wrong caught, 1/1 right kept" in lines[-1] and lines[-1].endswith("ok")
    assert any("'ends it' of double: unexpected result in a batch" in line for line in lines)


@pytest.mark.kernel
def test_answers_that_leave_something_behind_change_no_other_verdict(source: Path) -> None:
    right = "# %% [right] double: a sum\ndef double(x):\n    return x + x\n\n\n"
    (source / "answers.py").write_text(
        f"# %% [wrong] double: spoils the given size\n{GLOBAL_SIZE}{right}"
        f"# %% [wrong] double: spoils it again\n{GLOBAL_SIZE}{right}"
    )
    lines = list(prove(source, workers=2, limits=LIMITS))
    again = [line for line in lines if "left state behind" in line]
    assert sorted(line.split("'")[1] for line in again) == [
        "spoils it again",
        "spoils the given size",
    ]
    assert not [line for line in lines if line.startswith("FAULT")]
    assert "2/2 wrong caught, 2/2 right kept" in lines[-1]


@pytest.mark.kernel
def test_a_wrong_reference_is_a_fault_and_no_reason_to_try_again(source: Path) -> None:
    text = (source / "tiny.py").read_text()
    (source / "tiny.py").write_text(text.replace("assert square(3) == 9", "assert square(3) == 8"))
    (source / "answers.py").write_text("# %% [wrong] square: x\ndef square(x):\n    return x\n" * 2)
    lines: list[str] = []
    with pytest.raises(NotProved):
        for line in prove(source, workers=2, limits=LIMITS):
            lines.append(line)
    assert not [line for line in lines if "retrying each alone" in line]
    assert any("FAULT  square: the reference before other answers: fails" in x for x in lines)


@pytest.mark.kernel
def test_tests_that_cannot_run_isolated_are_named(source: Path) -> None:
    text = (source / "tiny.py").read_text()
    (source / "tiny.py").write_text(text.replace("assert square(3) == 9", "assert nobody(3) == 9"))
    with pytest.raises(NotProved, match=r"cannot run isolated.*nobody"):
        list(prove(source, tests="isolated", workers=2, limits=LIMITS))
