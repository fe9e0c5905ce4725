"""What a student wrote in a given cell or a test, or beside an untouched stub, is not lost."""

from __future__ import annotations

import copy

import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell

from hub.grading.pipeline.rebuild import rebuild
from hub.grading.pipeline.released_cells import unfenced
from tests.grading.test_rebuild import as_bytes
from tests.grading.test_rebuild_matching import (
    ALL,
    ANSWERS,
    answered,
    exchange,
    make_released,
    name_of,
    named,
    rebuilt_from,
    run,
    texts,
)

HELPER = "def helper(x):\n    return x + 1"
WITH_HELPER = "def g(x):\n    return helper(x)"
STUBS = {name: named(make_released(), name).source for name in ANSWERS}


def copy_with(submitted: NotebookNode, name: str, source: str, before: str) -> None:
    """A copy of a cell, as the notebook makes it, with a text of its own."""
    made = copy.deepcopy(named(submitted, name))
    made.id, made.source = "new", source
    submitted.cells.insert(submitted.cells.index(named(submitted, before)), made)


@pytest.mark.parametrize("name", ["released-1", "f_test"])
def test_a_helper_in_a_copy_of_a_locked_cell_is_the_students_own(name: str) -> None:
    submitted = answered()
    named(submitted, "g").source = WITH_HELPER
    copy_with(submitted, name, HELPER, before="g")
    rebuilt, report = rebuilt_from(submitted)
    assert run(rebuilt) == ALL
    assert f"`{name}` does not have its released text; it counts as a cell of your own" in report


@pytest.mark.parametrize("name", ["released-1", "f_test"])
def test_a_helper_instead_of_a_locked_cell_runs_before_it(name: str) -> None:
    submitted = answered()
    named(submitted, "g").source = WITH_HELPER
    named(submitted, name).source = HELPER
    rebuilt, _ = rebuilt_from(submitted)
    own = [cell.source for cell in rebuilt.cells]
    assert own.index(HELPER) < own.index(named(make_released(), name).source)
    assert run(rebuilt) == ALL


@pytest.mark.parametrize("with_id", [True, False])
def test_an_essay_with_the_metadata_of_a_test_is_still_the_essay(with_id: bool) -> None:
    submitted = answered()
    essay = named(submitted, "why")
    essay.metadata = copy.deepcopy(named(submitted, "g_test").metadata)
    if not with_id:
        essay.id = "new"
    rebuilt, report = rebuilt_from(submitted)
    assert texts(rebuilt)["why"] == ANSWERS["why"]
    assert "it counts as the answer `why`" in report


@pytest.mark.parametrize("name", ["released-1", "g_test"])
def test_an_answer_in_a_copy_of_a_locked_cell_counts(name: str) -> None:
    submitted = answered()
    copy_with(submitted, name, ANSWERS["g"], before="g")
    submitted.cells.remove(named(submitted, "g"))
    rebuilt, report = rebuilt_from(submitted)
    assert texts(rebuilt)["g"] == ANSWERS["g"]
    assert run(rebuilt) == ALL
    assert "it counts as the answer `g`" in report


@pytest.mark.parametrize("names", [("g", "g_test"), ("g", "released-1"), ("g", "f_test")])
def test_answers_and_locked_cells_with_each_others_metadata_are_reported_isolated(
    names: tuple[str, str],
) -> None:
    submitted = answered()
    exchange(submitted, *names)
    rebuilt, _ = rebuilt_from(submitted)
    assert texts(rebuilt)["g"] == ANSWERS["g"]
    assert run(rebuilt) == ALL


def test_cells_that_all_have_one_tests_metadata_are_reported_isolated() -> None:
    submitted = answered()
    for cell in submitted.cells:
        cell.metadata = copy.deepcopy(named(submitted, "f_test").metadata)
    rebuilt, _ = rebuilt_from(submitted)
    assert {name: texts(rebuilt)[name] for name in ANSWERS} == ANSWERS
    assert run(rebuilt) == ALL


def test_an_answer_in_the_cell_of_an_earlier_test_counts() -> None:
    submitted = answered()
    named(submitted, "f_test").source = ANSWERS["g"]
    named(submitted, "g").source = "# see above"
    rebuilt, _ = rebuilt_from(submitted)
    assert run(rebuilt) == ALL


def test_an_edited_test_is_not_taken_for_the_answer_at_its_position() -> None:
    submitted = answered()
    submitted.cells.remove(named(submitted, "axes"))
    named(submitted, "axes_test").source = "assert axes[0] == 'batch' or True"
    rebuilt, _ = rebuilt_from(submitted)
    assert texts(rebuilt)["axes"] == ""


@pytest.mark.parametrize(
    "definition",
    [
        "f, g = (lambda: 1), (lambda x: x + 1)",
        "k = g = lambda x: x + 1",
        "k = 1; g = lambda x: x + 1",
        "if True:\n    def g(x):\n        return x + 1",
        "def \\\ng(x):\n    return x + 1",
    ],
)
def test_a_stub_gives_way_to_any_kind_of_binding_above_it(definition: str) -> None:
    submitted = answered()
    named(submitted, "f").source += f"\n\n{definition}"
    named(submitted, "g").source = STUBS["g"]
    rebuilt, report = rebuilt_from(submitted)
    assert run(rebuilt) == ALL
    assert "The answer cell `g` was left as it was given" in report


@pytest.mark.parametrize(
    "stub",
    [
        STUBS["g"] + "   \n\n",
        STUBS["g"].replace("\n", "  \r\n"),
        STUBS["g"].replace("    ", "  "),
        STUBS["g"].replace("    # YOUR CODE HERE\n", ""),
    ],
)
def test_a_stub_untouched_but_for_white_space_gives_way(stub: str) -> None:
    submitted = answered()
    named(submitted, "f").source += f"\n\n{ANSWERS['g']}"
    named(submitted, "g").source = stub
    rebuilt, _ = rebuilt_from(submitted)
    assert run(rebuilt) == ALL


def test_a_stub_gives_way_to_definitions_added_to_a_given_cell() -> None:
    submitted = answered()
    named(submitted, "released-1").source += f"\n\n{ANSWERS['g']}"
    named(submitted, "g").source = STUBS["g"]
    rebuilt, _ = rebuilt_from(submitted)
    assert run(rebuilt) == ALL


def test_answers_at_the_end_count_if_the_stubs_were_left() -> None:
    submitted = answered()
    for name in ("f", "g"):
        named(submitted, name).source = STUBS[name]
        submitted.cells.append(new_code_cell(ANSWERS[name]))
    rebuilt, report = rebuilt_from(submitted)
    assert run(rebuilt) == ALL
    assert "after its test (`def g(x):`) defines the same: that one was copied into it" in report


def test_an_answer_in_a_later_answers_cell_counts_if_its_stub_was_left() -> None:
    submitted = answered()
    named(submitted, "f").source = STUBS["f"]
    named(submitted, "g").source = f"{ANSWERS['f']}\n\n{ANSWERS['g']}"
    rebuilt, _ = rebuilt_from(submitted)
    assert run(rebuilt) == ALL


def test_untouched_stubs_that_are_edited_given_cells_win_no_points() -> None:
    submitted = make_released()
    for name in ("f_test", "g_test", "axes_test"):
        named(submitted, name).source = "pass"
    rebuilt, _ = rebuilt_from(submitted)
    assert run(rebuilt) == []


def test_line_ends_of_another_system_change_nothing() -> None:
    submitted = answered()
    for cell in submitted.cells:
        cell.source = cell.source.replace("\n", "\r\n") + "\r\n"
    rebuilt, report = rebuilt_from(submitted)
    assert run(rebuilt) == ALL
    assert report == ""


def test_a_notebook_wrapped_by_the_contents_api_is_read() -> None:
    wrapped = {"type": "notebook", "format": "json", "content": answered()}
    rebuilt, report = rebuild(as_bytes(wrapped), make_released())
    assert run(rebuilt) == ALL
    assert report == []


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (f"```\n{HELPER}\n```\nand\n```python\nx = 1\n```", f"{HELPER}\n\n# and\n\nx = 1"),
        ("So:\n\n    x = 1\n    y = 2", "# So:\n\nx = 1\ny = 2"),
        ("x = 1\n\n    y = 2", "x = 1\n\n    y = 2"),
    ],
)
def test_code_in_a_text_cell_keeps_its_helpers_and_its_margin(text: str, code: str) -> None:
    assert unfenced(text) == code


def test_no_text_of_a_student_vanishes_from_a_locked_cell() -> None:
    submitted = answered()
    for name in ("released-1", "f_test", "g_test"):
        named(submitted, name).source = f"mine = {name!r}"
    rebuilt, _ = rebuilt_from(submitted)
    own = [cell.source for cell in rebuilt.cells if not name_of(cell)]
    assert [text for text in own if text.startswith("mine")] == [
        f"mine = {name!r}" for name in ("released-1", "f_test", "g_test")
    ]
