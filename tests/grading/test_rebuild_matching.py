"""Answers are found by grade id, then by cell id, then by text and place; or a person decides."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import nbformat
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from nbgrader.utils import compute_checksum, determine_grade

from hub.grading.pipeline.rebuild import rebuild
from hub.grading.pipeline.released_cells import unfenced
from tests.grading.test_rebuild import as_bytes, marks

ANSWERS = {
    "f": "def f():\n    return 1",
    "g": "def g(x):\n    return x + 1",
    "axes": "axes = ('batch', 'pos')",
    "why": "Because the residual stream is linear.",
    "plot": "plot_of(g)  # the figure",
}


def make_released() -> NotebookNode:
    """Two functions, an answer without a definition, an essay and a figure graded by hand."""
    test = {"grade": True, "locked": True, "points": 1}
    stub = "    # YOUR CODE HERE\n    raise NotImplementedError()"
    cells = [
        new_markdown_cell("# Exercises", id="cell-1"),
        new_code_cell("import math", metadata=marks("released-1", locked=True), id="released-1"),
        new_markdown_cell("## Exercise f", id="cell-3"),
        new_code_cell(f"def f():\n{stub}", metadata=marks("f", solution=True), id="f"),
        new_code_cell("assert f() == 1", metadata=marks("f_test", **test), id="f_test"),
        new_markdown_cell("## Exercise g", id="cell-6"),
        new_code_cell(f"def g(x):\n{stub}", metadata=marks("g", solution=True), id="g"),
        new_code_cell("assert g(1) == 2", metadata=marks("g_test", **test), id="g_test"),
        new_markdown_cell("## Exercise axes", id="cell-9"),
        new_code_cell(
            "# YOUR CODE HERE\nraise NotImplementedError()",
            metadata=marks("axes", solution=True),
            id="axes",
        ),
        new_code_cell("assert axes[0] == 'batch'", metadata=marks("axes_test", **test), id="a_t"),
        new_markdown_cell("## Say why", id="cell-12"),
        new_markdown_cell(
            "YOUR ANSWER HERE",
            metadata=marks("why", grade=True, solution=True, points=4),
            id="why",
        ),
        new_markdown_cell("## Draw it", id="cell-14"),
        new_code_cell(
            "# YOUR CODE HERE",
            metadata=marks("plot", grade=True, solution=True, points=2),
            id="plot",
        ),
    ]
    for cell in cells:
        if "nbgrader" in cell.metadata:
            cell.metadata.nbgrader.checksum = compute_checksum(cell)
    return new_notebook(cells=cells)


def answered() -> NotebookNode:
    submitted = make_released()
    for cell in submitted.cells:
        cell.source = ANSWERS.get(name_of(cell) or "", cell.source)
    return submitted


def name_of(cell: NotebookNode) -> str | None:
    return cell.metadata.get("nbgrader", {}).get("grade_id")


def named(notebook: NotebookNode, name: str) -> NotebookNode:
    return next(cell for cell in notebook.cells if name_of(cell) == name)


def texts(notebook: NotebookNode) -> dict[str, str]:
    return {name: cell.source for cell in notebook.cells if (name := name_of(cell))}


def rebuilt_from(submitted: NotebookNode) -> tuple[NotebookNode, str]:
    rebuilt, report = rebuild(as_bytes(submitted), make_released())
    check_given_cells(rebuilt)
    return rebuilt, "\n".join(report)


def check_given_cells(rebuilt: NotebookNode) -> None:
    """The released cells once each, in order, with their metadata; the given ones unchanged."""
    released = [cell for cell in make_released().cells if name_of(cell)]
    found = [cell for cell in rebuilt.cells if name_of(cell)]
    assert [cell.metadata for cell in found] == [cell.metadata for cell in released]
    for ours, theirs in zip(found, released, strict=True):
        assert ours.cell_type == theirs.cell_type
        if not theirs.metadata.nbgrader.solution:
            assert ours.source == theirs.source
    assert all(cell.metadata == {} for cell in rebuilt.cells if not name_of(cell))
    nbformat.validate(rebuilt)


def waits_for_a_person(rebuilt: NotebookNode, name: str) -> bool:
    """Whether nbgrader leaves the points to a person."""
    return determine_grade(named(rebuilt, name))[0] is None


def run(notebook: NotebookNode) -> list[str]:
    """The tests that pass when the cells run one after the other."""
    namespace: dict[str, Any] = {"plot_of": str}
    passed = []
    for cell in notebook.cells:
        if cell.cell_type == "code":
            try:
                exec(cell.source, namespace)
            except Exception:
                continue
            if (name := name_of(cell)) and name.endswith("_test"):
                passed.append(name)
    return passed


ALL = ["f_test", "g_test", "axes_test"]


def without_metadata(submitted: NotebookNode) -> None:
    for cell in submitted.cells:
        cell.metadata = {}


def without_ids(submitted: NotebookNode) -> None:
    for number, cell in enumerate(submitted.cells):
        cell.id = f"new-{number}"


def without_both(submitted: NotebookNode) -> None:
    without_metadata(submitted)
    without_ids(submitted)


@pytest.mark.parametrize("lose", [without_metadata, without_ids, without_both])
def test_answers_are_found_when_metadata_or_ids_or_both_are_gone(
    lose: Callable[[NotebookNode], None],
) -> None:
    submitted = answered()
    lose(submitted)
    rebuilt, _ = rebuilt_from(submitted)
    assert {name: texts(rebuilt)[name] for name in ANSWERS} == ANSWERS
    assert run(rebuilt) == ALL
    assert waits_for_a_person(rebuilt, "why") and waits_for_a_person(rebuilt, "plot")


def test_the_report_says_how_a_cell_without_a_name_was_matched() -> None:
    submitted = answered()
    without_metadata(submitted)
    _, report = rebuilt_from(submitted)
    assert "lost their names and were known by their ids: `released-1`, `f_test`" in report
    without_ids(submitted)
    _, report = rebuilt_from(submitted)
    assert "known by their text: `released-1`" in report
    assert "known by the place where they stood: `why`, `plot`" in report


def test_the_grade_id_takes_precedence_over_the_cell_id() -> None:
    submitted = answered()
    named(submitted, "f").id, named(submitted, "g").id = "g", "f"
    other = new_code_cell("def f():\n    return 'by id only'", id="f")
    submitted.cells.insert(0, other)
    rebuilt, _ = rebuilt_from(submitted)
    assert texts(rebuilt)["f"] == ANSWERS["f"]
    assert texts(rebuilt)["g"] == ANSWERS["g"]
    assert other.source in [cell.source for cell in rebuilt.cells]


def test_the_cell_id_takes_precedence_over_the_text() -> None:
    submitted = answered()
    without_metadata(submitted)
    submitted.cells.insert(0, new_code_cell("def f():\n    return 'by text only'", id="x"))
    rebuilt, _ = rebuilt_from(submitted)
    assert texts(rebuilt)["f"] == ANSWERS["f"]


def test_untouched_stubs_without_names_do_not_count_as_answers() -> None:
    submitted = make_released()
    without_both(submitted)
    rebuilt, _ = rebuilt_from(submitted)
    assert run(rebuilt) == []
    assert not waits_for_a_person(rebuilt, "why")


def test_a_missing_answer_is_replaced_by_an_empty_cell_and_reported() -> None:
    submitted = answered()
    submitted.cells.remove(named(submitted, "g"))
    rebuilt, report = rebuilt_from(submitted)
    assert texts(rebuilt)["g"] == ""
    assert "The answer cell `g` was missing; an empty one was put in its place." in report
    assert run(rebuilt) == ["f_test", "axes_test"]


def test_an_answer_merged_into_another_ones_cell_counts() -> None:
    submitted = answered()
    named(submitted, "f").source += "\n\n" + ANSWERS["g"]
    submitted.cells.remove(named(submitted, "g"))
    rebuilt, report = rebuilt_from(submitted)
    assert run(rebuilt) == ALL
    assert "What you define of `g` in another cell counts" in report


def test_answers_merged_into_the_last_ones_cell_count_if_that_cell_was_moved_up() -> None:
    submitted = answered()
    last = named(submitted, "axes")
    for name in ("g", "f"):
        last.source = f"{named(submitted, name).source}\n\n{last.source}"
        submitted.cells.remove(named(submitted, name))
    submitted.cells.remove(last)
    submitted.cells.insert(2, last)
    rebuilt, _ = rebuilt_from(submitted)
    assert run(rebuilt) == ["f_test", "g_test", "axes_test"]


def test_an_untouched_stub_does_not_overwrite_the_answer_above_it() -> None:
    submitted = answered()
    named(submitted, "f").source += "\n\n" + ANSWERS["g"]
    named(submitted, "g").source = named(make_released(), "g").source
    rebuilt, report = rebuilt_from(submitted)
    assert run(rebuilt) == ALL
    assert "The answer cell `g` was left as it was given" in report
    assert "`def f():`" in report


def test_all_answers_in_one_cell_without_any_names_count() -> None:
    submitted = answered()
    without_both(submitted)
    merged = "\n\n".join(ANSWERS[name] for name in ("f", "g", "axes"))
    kept = [cell for cell in submitted.cells if cell.source not in ANSWERS.values()]
    submitted.cells = [*kept[:3], new_code_cell(merged), *kept[3:]]
    rebuilt, _ = rebuilt_from(submitted)
    assert run(rebuilt) == ALL


def test_an_answer_merged_with_its_test_counts() -> None:
    submitted = answered()
    test = named(submitted, "g_test")
    test.source = ANSWERS["g"] + "\n\n" + test.source + "\nprint('it works')"
    submitted.cells.remove(named(submitted, "g"))
    rebuilt, _ = rebuilt_from(submitted)
    assert run(rebuilt) == ALL


def test_a_stub_stays_if_the_students_definition_comes_after_it() -> None:
    submitted = answered()
    stub = named(make_released(), "g").source
    named(submitted, "g").source = stub
    submitted.cells.insert(7, new_code_cell(ANSWERS["g"]))
    rebuilt, report = rebuilt_from(submitted)
    assert texts(rebuilt)["g"] == stub
    assert run(rebuilt) == ALL
    assert "left as it was given" not in report


def test_an_answer_to_one_exercise_does_not_count_for_a_later_one_with_the_same_name() -> None:
    released = make_released()
    stub = named(released, "f").source
    named(released, "g").source = stub  # exercise g: write f again, faster
    submitted = copy.deepcopy(released)
    named(submitted, "f").source = ANSWERS["f"]
    rebuilt, _ = rebuild(as_bytes(submitted), released)
    assert texts(rebuilt)["g"] == stub


def test_a_given_definition_is_nobodys_answer() -> None:
    released = make_released()
    released.cells.insert(5, new_code_cell("def g(x):\n    return x + 1", id="play"))
    rebuilt, _ = rebuild(as_bytes(copy.deepcopy(released)), released)
    assert texts(rebuilt)["g"] == named(released, "g").source


def test_the_last_of_several_copies_before_its_test_counts() -> None:
    submitted = answered()
    for folder, text in ((0, "def f():\n    return 'first'"), (9, "def f():\n    return 'late'")):
        other = copy.deepcopy(named(submitted, "f"))
        other.source = text
        submitted.cells.insert(folder, other)
    rebuilt, report = rebuilt_from(submitted)
    assert texts(rebuilt)["f"] == ANSWERS["f"]
    assert "There were 3 cells named `f`; the last one before its test" in report
    own = [cell.source for cell in rebuilt.cells if not name_of(cell)]
    assert "def f():\n    return 'first'" in own and "def f():\n    return 'late'" in own


def test_an_answer_that_stands_only_after_its_test_still_counts() -> None:
    submitted = answered()
    late = copy.deepcopy(named(submitted, "f"))
    named(submitted, "f").source = named(make_released(), "f").source
    submitted.cells.append(late)
    rebuilt, _ = rebuilt_from(submitted)
    assert texts(rebuilt)["f"] == ANSWERS["f"]
    assert run(rebuilt) == ALL


def test_a_copy_of_the_stub_between_an_answer_and_its_test_overwrites_nothing() -> None:
    submitted = answered()
    submitted.cells.insert(4, named(make_released(), "f"))
    rebuilt, _ = rebuilt_from(submitted)
    assert run(rebuilt) == ALL


def test_the_last_of_two_candidates_without_names_before_its_test_counts() -> None:
    submitted = answered()
    without_both(submitted)
    submitted.cells.insert(2, new_code_cell("def f():\n    return 0"))
    submitted.cells.append(new_code_cell("def f():\n    return 2"))
    rebuilt, _ = rebuilt_from(submitted)
    assert texts(rebuilt)["f"] == ANSWERS["f"]
    assert run(rebuilt) == ALL


def exchange(submitted: NotebookNode, *names: str) -> None:
    """Each of the cells gets the name of the next."""
    cells = [named(submitted, name) for name in names]
    found = [cell.metadata for cell in cells]
    for cell, metadata in zip(cells, [*found[1:], found[0]], strict=True):
        cell.metadata = metadata


@pytest.mark.parametrize("names", [("f", "g"), ("g", "f", "axes"), ("axes", "f"), ("f", "why")])
def test_answers_with_each_others_names_are_matched_by_their_definitions(names: list[str]) -> None:
    submitted = answered()
    exchange(submitted, *names)
    rebuilt, report = rebuilt_from(submitted)
    assert {name: texts(rebuilt)[name] for name in ANSWERS} == ANSWERS
    exchanged = "had each other's names; each counts for the exercise that it answers" in report
    assert exchanged or "were known by their text: `f`" in report


def test_an_exchanged_stub_is_the_stub_of_its_own_exercise() -> None:
    submitted = answered()
    named(submitted, "g").source = named(make_released(), "g").source
    exchange(submitted, "f", "g")
    rebuilt, _ = rebuilt_from(submitted)
    assert run(rebuilt) == ["f_test", "axes_test"]


def test_an_answer_that_also_defines_another_exercises_function_keeps_its_name() -> None:
    submitted = answered()
    named(submitted, "f").source += f"\n\n{ANSWERS['g']}"
    rebuilt, report = rebuilt_from(submitted)
    assert run(rebuilt) == ALL
    assert report == ""


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("x = 1", "x = 1"),
        ("```\nx = 1\n```", "x = 1"),
        ("```python3\nx = 1", "x = 1"),
        ("~~~~ {.python}\nx = 1\n~~~\n~~~~", "x = 1\n~~~"),
        ("So:\n```py\nx = 1\n```\nprints\n```\n1\n```", "# So:\n\nx = 1\n\n# prints\n\n# 1"),
        ("```text\nx = 1\n```", "```text\nx = 1\n```"),
        ("use `x = 1`", "use `x = 1`"),
    ],
)
def test_the_code_of_a_text_cell_is_between_its_fences(text: str, code: str) -> None:
    assert unfenced(text) == code


def test_an_essay_with_an_uncertain_match_waits_for_a_person() -> None:
    submitted = answered()
    without_both(submitted)
    folder = next(n for n, cell in enumerate(submitted.cells) if cell.source == ANSWERS["why"])
    submitted.cells.insert(folder, new_markdown_cell("Or because it is not."))
    rebuilt, report = rebuilt_from(submitted)
    assert waits_for_a_person(rebuilt, "why")
    words = "these other cells may be the answer: `Or because it is not.`, `Because the residual"
    assert words in report
    assert words in named(rebuilt, "why").source
    own = [cell.source for cell in rebuilt.cells if not name_of(cell)]
    assert ANSWERS["why"] in own


def test_an_essay_in_a_cell_of_its_own_beside_the_untouched_one_waits_for_a_person() -> None:
    submitted = answered()
    essay = named(submitted, "why")
    own = new_markdown_cell(essay.source)
    essay.source = "YOUR ANSWER HERE"
    submitted.cells.insert(submitted.cells.index(essay) + 1, own)
    rebuilt, report = rebuilt_from(submitted)
    assert waits_for_a_person(rebuilt, "why")
    assert "`why` was left as it was given, but these other cells may be" in report
    assert own.source in [cell.source for cell in rebuilt.cells]


def test_an_essay_whose_cell_was_deleted_waits_for_a_person() -> None:
    submitted = answered()
    submitted.cells.remove(named(submitted, "why"))
    rebuilt, report = rebuilt_from(submitted)
    assert waits_for_a_person(rebuilt, "why")
    assert "The answer cell `why` was not found. An instructor will decide." in report


def test_an_untouched_essay_waits_for_nobody() -> None:
    submitted = answered()
    named(submitted, "why").source = "YOUR ANSWER HERE"
    rebuilt, report = rebuilt_from(submitted)
    assert not waits_for_a_person(rebuilt, "why")
    assert report == ""


# What somebody can do to the names, ids and texts of cells, and to their order.

CELLS = len(make_released().cells)
NAMES = [name_of(cell) for cell in make_released().cells if name_of(cell)]
ATTACK = st.lists(
    st.fixed_dictionaries(
        {
            "like": st.integers(0, CELLS - 1),
            "grade_id": st.sampled_from([*NAMES, None, "bonus"]),
            "id": st.sampled_from([*NAMES, "cell-1", "x", ""]),
            "source": st.sampled_from(
                [
                    *[cell.source for cell in make_released().cells],
                    *ANSWERS.values(),
                    "pass",
                    "",
                    "def f(): 0\ndef g(): 0",
                ]
            ),
            "cell_type": st.sampled_from(["code", "markdown", "raw", "heading", "odd"]),
            "points": st.sampled_from([0, 100]),
        }
    ),
    max_size=12,
)


@pytest.mark.slow
@given(ATTACK)
@settings(max_examples=300, deadline=None)
def test_no_forged_names_or_ids_change_a_given_cell_a_test_or_points(attack: list[dict]) -> None:
    cells = [
        {
            "cell_type": row["cell_type"],
            "id": row["id"],
            "source": row["source"],
            "metadata": {
                "nbgrader": {
                    **make_released().cells[row["like"]].metadata.get("nbgrader", {}),
                    "grade_id": row["grade_id"],
                    "points": row["points"],
                }
            },
        }
        for row in attack
    ]
    rebuilt, _ = rebuild(json.dumps({"nbformat": 4, "cells": cells}).encode(), make_released())
    check_given_cells(rebuilt)


@pytest.mark.slow
@given(st.data())
@settings(max_examples=300, deadline=None)
def test_every_answer_that_occurs_once_is_found_whatever_happened_to_the_cells(
    data: st.DataObject,
) -> None:
    """Cells shuffled, deleted, copied and without their metadata; each answer is told from others.

    The answers that nothing but their place tells from others are left out here.
    """
    submitted = answered()
    told_apart = ["f", "g"]
    order = data.draw(st.permutations(range(CELLS)))
    kept = [submitted.cells[i] for i in order if data.draw(st.integers(0, 5)) > 0]
    copies = data.draw(st.lists(st.sampled_from(kept), max_size=3)) if kept else []
    cells = [copy.deepcopy(cell) for cell in [*kept, *copies]]
    for cell in cells:
        if data.draw(st.booleans()):
            cell.metadata = {}
        if data.draw(st.booleans()):
            cell.id = "lost"
    rebuilt, _ = rebuild(as_bytes(new_notebook(cells=cells)), make_released())
    check_given_cells(rebuilt)
    for name in told_apart:
        if any(cell.source == ANSWERS[name] for cell in cells):
            assert texts(rebuilt)[name] == ANSWERS[name]
