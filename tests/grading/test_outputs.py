"""Outputs stay within their limit, and only well-formed ones are taken."""

from __future__ import annotations

import time
from typing import Any

import nbformat
import pytest
from nbformat import from_dict
from nbformat.v4 import new_code_cell, new_notebook

from hub.grading.pipeline.verdict import judged_outputs
from hub.grading.sandbox.outputs import (
    MAX_CHARACTERS_OF_A_CELL,
    MAX_ERROR_CHARACTERS,
    MAX_OUTPUTS_OF_A_CELL,
    OVER_LIMITS,
    OutputBudget,
    checked_outputs,
)


def stream(text: str, name: str = "stdout") -> dict[str, Any]:
    return {"output_type": "stream", "name": name, "text": text}


def result(text: str) -> dict[str, Any]:
    data = {"text/plain": text}
    return {"output_type": "execute_result", "data": data, "metadata": {}, "execution_count": 1}


ERROR = {"output_type": "error", "ename": "E", "evalue": "v", "traceback": ["t"]}


CUT_HERE = "\n[The output was cut here: it reached the limit of a notebook.]\n"


def test_output_beyond_the_limit_is_cut_with_a_note_and_errors_are_kept() -> None:
    budget = OutputBudget(limit=10)
    kept = budget.kept([stream("a" * 30), result("b" * 30), ERROR])
    assert budget.cut
    assert [output.get("text", "error") for output in kept] == ["a" * 10, CUT_HERE, "error"]
    assert ERROR in kept


def test_the_limit_is_the_whole_notebooks() -> None:
    budget = OutputBudget(limit=10)
    assert budget.kept([stream("a" * 8)]) == [stream("a" * 8)]
    assert budget.kept([stream("b" * 8)]) == [stream("bb"), stream(CUT_HERE)]
    assert budget.kept([stream("c")]) == []


def test_a_character_is_not_cut_in_half() -> None:
    assert OutputBudget(limit=3).kept([stream("éé")])[0] == stream("é")


def test_a_picture_that_no_longer_fits_is_left_out() -> None:
    budget = OutputBudget(limit=40)
    assert budget.kept([result("x" * 50), stream("after")]) == [stream(CUT_HERE), stream("after")]


@pytest.mark.parametrize(
    "raw",
    [
        None,
        "text",
        [1, None, [], {}],
        [{"output_type": "stream", "name": 3, "text": ["a", 3]}],
        [{"output_type": "error", "ename": None, "evalue": 3, "traceback": "t"}],
        [{"output_type": "execute_result", "data": {"text/plain": 3, "image/png": [1]}}],
        [{"output_type": "display_data", "data": {"a/json": {"k": "\ud800"}, 3: "x"}}],
        [{"output_type": "display_data", "data": {"text/plain": "\ud800"}, "metadata": 3}],
    ],
)
def test_any_output_makes_a_valid_notebook(raw: Any) -> None:
    cell = new_code_cell("x")
    cell.outputs = [from_dict(output) for output in checked_outputs(raw)]
    notebook = new_notebook(cells=[cell])
    nbformat.validate(notebook)
    nbformat.writes(notebook).encode("utf-8")


def test_a_warning_on_stderr_stays_visible_and_is_no_longer_stderr() -> None:
    (judged,) = judged_outputs([from_dict(stream("careful", "stderr"))], 2)
    assert judged.name == "stdout"
    assert "costs no points" in judged.text
    assert "careful" in judged.text


def test_a_result_beside_an_error_does_not_count() -> None:
    judged = judged_outputs([from_dict(result("2")), from_dict(ERROR)], 2)
    assert [output.output_type for output in judged] == ["error"]


@pytest.mark.parametrize(("text", "counts"), [("1.5", True), ("3", False), ("-1", False)])
def test_a_score_outside_its_range_is_an_error(text: str, counts: bool) -> None:
    (judged,) = judged_outputs([from_dict(result(text))], 2)
    assert (judged.output_type == "execute_result") is counts


def test_not_a_number_is_not_a_score() -> None:
    (judged,) = judged_outputs([from_dict(result("nan"))], 2)
    assert judged.output_type == "error"


def deep(levels: int) -> Any:
    value: Any = "x"
    for _ in range(levels):
        value = [value]
    return value


def display(**data: Any) -> dict[str, Any]:
    return {"output_type": "display_data", "data": data, "metadata": {}}


MUCH = {
    "tiny outputs": [stream("")] * 300_000,
    "nothing": [{}] * 3_000_000,
    "errors": [ERROR] * 200_000,
    "numbers": [display(**{"application/json": [1.5] * 5_000_000})],
    "lists": [display(**{"application/json": [[] for _ in range(3_000_000)]})],
    "kinds": [display(**{f"text/{number}": "" for number in range(300_000)})],
    "depth": [display(**{"application/json": deep(900)})],
    "text": [stream("x" * (MAX_CHARACTERS_OF_A_CELL + 1)), stream("y")],
    "escapes": [stream("\x1b]" * (MAX_CHARACTERS_OF_A_CELL // 2))],
    "a long error": [{**ERROR, "evalue": "v" * 10**7, "traceback": ["t" * 10] * 10**6}],
}


@pytest.mark.parametrize("kind", MUCH)
def test_much_output_is_checked_in_little_time_and_cut(kind: str) -> None:
    began = time.process_time()
    kept = checked_outputs(MUCH[kind])
    assert time.process_time() - began < 10  # half a second is usual
    assert len(kept) <= MAX_OUTPUTS_OF_A_CELL + 1
    assert sum(len(str(output)) for output in kept) < MAX_CHARACTERS_OF_A_CELL + 10_000


@pytest.mark.parametrize("kind", ["tiny outputs", "numbers", "lists", "kinds", "depth", "text"])
def test_omitted_output_is_reported(kind: str) -> None:
    assert OVER_LIMITS in checked_outputs(MUCH[kind])[-1]["text"]


def test_an_error_after_too_many_outputs_still_costs_the_points() -> None:
    kept = checked_outputs([*[stream("x")] * 3 * MAX_OUTPUTS_OF_A_CELL, ERROR])
    assert ERROR in kept


def test_a_long_error_keeps_its_beginning_and_end() -> None:
    lines = ["first", *["x" * 100] * 10_000, "last"]
    [error] = checked_outputs([{**ERROR, "traceback": lines}])
    shown = "".join(error["traceback"])
    assert shown.startswith("first") and shown.endswith("last")
    assert len(shown) < MAX_ERROR_CHARACTERS + 100


def test_an_honest_figure_passes_whole() -> None:
    figure = {"data": [{"type": "heatmap", "z": [[0.5] * 1000] * 1000}], "layout": {"title": "T"}}
    [output] = checked_outputs([display(**{"application/vnd.plotly.v1+json": figure})])
    assert output["data"]["application/vnd.plotly.v1+json"] == figure


def test_no_escape_of_a_cell_is_left_in_its_outputs_but_colours() -> None:
    nasty = "\x1b]0;t\x07\x1b[2J\x9b1m\x00\u202e\x1b[31mred\x1b[0m"
    raw = [
        stream(nasty),
        {"output_type": "error", "ename": nasty, "evalue": nasty, "traceback": [nasty]},
        result(nasty),
        display(**{"text/html": nasty, "application/json": {nasty: [nasty]}, nasty: "x"}),
    ]
    printed, error, value, shown = checked_outputs(raw)
    coloured = "\x1b[31mred\x1b[0m"
    assert printed["text"] == error["traceback"][0] == value["data"]["text/plain"] == coloured
    assert error["ename"] == error["evalue"] == "red"
    assert shown["data"] == {"text/html": "red", "application/json": {"red": ["red"]}, "red": "x"}
