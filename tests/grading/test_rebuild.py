"""A submission in any state becomes the released notebook with the student's answers in it."""

from __future__ import annotations

import copy
import json
from typing import Any

import nbformat
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from hub.grading.pipeline.rebuild import rebuild

STUB = "def f():\n    raise NotImplementedError()"
ANSWER = "def f():\n    return 1"
TEST = "assert f() == 1"


def marks(name: str, **given: Any) -> dict[str, Any]:
    plain = {"grade": False, "solution": False, "locked": False, "task": False}
    return {"nbgrader": {"schema_version": 3, "grade_id": name, **plain, **given}}


@pytest.fixture(name="released")
def _released() -> NotebookNode:
    return make_released()


def make_released() -> NotebookNode:
    return new_notebook(
        cells=[
            new_markdown_cell("# Words", id="words"),
            new_code_cell("import math", metadata=marks("released-1", locked=True), id="r1"),
            new_code_cell(STUB, metadata=marks("f", solution=True), id="f"),
            new_code_cell(
                TEST, metadata=marks("f_test", grade=True, locked=True, points=2), id="f_test"
            ),
            new_markdown_cell(
                "Your answer", metadata=marks("why", grade=True, solution=True, points=1), id="why"
            ),
        ]
    )


def as_bytes(notebook: Any) -> bytes:
    return json.dumps(notebook).encode()


def answered(released: NotebookNode) -> NotebookNode:
    submitted = copy.deepcopy(released)
    submitted.cells[2].source = ANSWER
    return submitted


def sources(notebook: NotebookNode) -> list[str]:
    return [cell.source for cell in notebook.cells]


def test_a_good_submission_keeps_its_answers_and_gets_no_complaint(
    released: NotebookNode,
) -> None:
    submitted = answered(released)
    rebuilt, problems = rebuild(as_bytes(submitted), released)
    assert sources(rebuilt) == sources(submitted)
    assert problems == []
    assert rebuilt.cells[3].metadata == released.cells[3].metadata


def test_own_cells_keep_their_positions(released: NotebookNode) -> None:
    submitted = answered(released)
    submitted.cells.insert(3, new_code_cell("print(f())"))
    submitted.cells.insert(0, new_markdown_cell("mine"))
    rebuilt, problems = rebuild(as_bytes(submitted), released)
    assert sources(rebuilt) == sources(submitted)
    assert problems == []


def test_metadata_and_tags_of_the_student_are_not_taken(released: NotebookNode) -> None:
    submitted = answered(released)
    for cell in submitted.cells:
        cell.metadata["tags"] = ["skip-execution"]
    submitted.cells[3].metadata.nbgrader.points = 100
    submitted.metadata["kernelspec"] = {"name": "evil"}
    submitted.metadata["logitlab"] = {"names": ["math"], "classes": []}
    rebuilt, _ = rebuild(as_bytes(submitted), released)
    assert not any("tags" in cell.metadata for cell in rebuilt.cells)
    assert rebuilt.cells[3].metadata.nbgrader.points == 2
    assert rebuilt.metadata == released.metadata == {}


def test_an_edited_test_cell_is_put_back_and_reported(released: NotebookNode) -> None:
    submitted = answered(released)
    submitted.cells[3].source = "pass"
    rebuilt, problems = rebuild(as_bytes(submitted), released)
    assert sources(rebuilt)[2:5] == [ANSWER, "pass", TEST]
    assert rebuilt.cells[3].metadata == {}
    assert problems == [
        "A cell with the name of the test cell `f_test` does not have its released text; it counts "
        "as a cell of your own. The released one was put back."
    ]


def test_missing_cells_are_put_back_and_reported(released: NotebookNode) -> None:
    submitted = answered(released)
    del submitted.cells[2:4]
    rebuilt, problems = rebuild(as_bytes(submitted), released)
    assert sources(rebuilt) == [
        cell.source if n != 2 else "" for n, cell in enumerate(released.cells)
    ]
    assert problems == [
        "The answer cell `f` was missing; an empty one was put in its place.",
        "The test cell `f_test` was missing; it was put back.",
    ]


def test_the_edited_one_of_two_answers_counts(released: NotebookNode) -> None:
    submitted = answered(released)
    submitted.cells.insert(2, copy.deepcopy(released.cells[2]))  # the stub again, before
    submitted.cells.insert(5, copy.deepcopy(released.cells[2]))  # and after
    rebuilt, problems = rebuild(as_bytes(submitted), released)
    named = [c for c in rebuilt.cells if c.metadata.get("nbgrader", {}).get("grade_id") == "f"]
    assert [cell.source for cell in named] == [ANSWER]
    assert any("3 cells named `f`" in problem for problem in problems)


def test_a_copied_test_cell_does_not_count_twice(released: NotebookNode) -> None:
    submitted = answered(released)
    submitted.cells.append(copy.deepcopy(released.cells[3]))
    rebuilt, problems = rebuild(as_bytes(submitted), released)
    assert sources(rebuilt).count(TEST) == 1
    assert any("copies of the test cell were left out" in problem for problem in problems)


def test_swapped_cells_are_put_back_in_order(released: NotebookNode) -> None:
    submitted = answered(released)
    submitted.cells = submitted.cells[::-1]
    rebuilt, problems = rebuild(as_bytes(submitted), released)
    names = [c.metadata.nbgrader.grade_id for c in rebuilt.cells if "nbgrader" in c.metadata]
    assert names == ["released-1", "f", "f_test", "why"]
    assert "Cells had changed places; the given order was put back." in problems


def test_a_changed_cell_type_is_changed_back(released: NotebookNode) -> None:
    submitted = answered(released)
    submitted.cells[2].cell_type = "markdown"
    rebuilt, problems = rebuild(as_bytes(submitted), released)
    assert rebuilt.cells[2].cell_type == "code"
    assert rebuilt.cells[2].source == ANSWER
    assert "had become a markdown cell" in problems[0]


def test_an_unknown_graded_cell_counts_as_the_students_own(released: NotebookNode) -> None:
    submitted = answered(released)
    submitted.cells.append(
        new_code_cell("x = 1", metadata=marks("bonus", grade=True, points=50, locked=True))
    )
    rebuilt, problems = rebuild(as_bytes(submitted), released)
    assert rebuilt.cells[-1].metadata == {}
    assert any("`bonus` is not part of this assignment" in problem for problem in problems)


@pytest.mark.parametrize("schema", [0, 1, 2, 99, "3", None])
def test_any_version_of_the_grading_metadata_is_read(released: NotebookNode, schema: Any) -> None:
    submitted = answered(released)
    for cell in submitted.cells[1:]:
        cell.metadata.nbgrader.schema_version = schema
    rebuilt, problems = rebuild(as_bytes(submitted), released)
    assert rebuilt.cells[2].source == ANSWER
    assert rebuilt.cells[2].metadata.nbgrader.schema_version == 3
    assert any("of the grading metadata" in problem for problem in problems)


def test_an_older_and_a_newer_notebook_format_are_read(released: NotebookNode) -> None:
    newer = {**answered(released), "nbformat": 5}
    rebuilt, problems = rebuild(as_bytes(newer), released)
    assert rebuilt.cells[2].source == ANSWER
    assert "notebook format 5" in problems[0]
    cells = [{**cell, "input": cell["source"]} for cell in answered(released).cells]
    for cell in cells:
        del cell["source"]
    older = {"nbformat": 3, "worksheets": [{"cells": cells}]}
    rebuilt, problems = rebuild(as_bytes(older), released)
    assert rebuilt.cells[2].source == ANSWER
    assert "notebook format 3" in problems[0]


@pytest.mark.parametrize(
    ("submitted", "words"),
    [
        (b"", "is empty"),
        (b'{"cells": [', "JSON breaks off or is damaged in line 1"),
        (b"\xff\xfe\x00\xd8", "JSON"),
        (b"[1, 2]", "not a notebook"),
        (b'{"cells": 3}', "no list of cells"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"a": ' + b"9" * 10_000 + b"}", "number is too long"),
    ],
)
def test_an_unreadable_notebook_is_replaced_by_the_release_and_reported(
    released: NotebookNode, submitted: bytes, words: str
) -> None:
    rebuilt, problems = rebuild(submitted, released)
    assert sources(rebuilt) == sources(released)
    assert len(problems) == 1
    assert words in problems[0]
    assert "submit it again" in problems[0]


def lines_of(notebook: NotebookNode) -> list[str]:
    return json.dumps(notebook, indent=1).splitlines()


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        (b"", b"}", "1 stray character stands after the notebook in the file (`}`)"),
        (b"", b"\n" + b"x" * 5_000, "5,000 stray characters stand after"),
        (b"$ cat w1.ipynb\n", b"", "14 stray characters stand before"),
        (b"", b"\0" * 4096, None),
    ],
)
def test_a_whole_notebook_with_stray_bytes_around_it_is_read_and_it_is_reported(
    released: NotebookNode, before: bytes, after: bytes, words: str | None
) -> None:
    rebuilt, problems = rebuild(before + as_bytes(answered(released)) + after, released)
    assert rebuilt.cells[2].source == ANSWER
    assert [words in problem for problem in problems if words] == [True] * bool(words)


def test_the_side_of_a_git_conflict_that_is_a_whole_notebook_is_read(
    released: NotebookNode,
) -> None:
    lines = lines_of(answered(released))
    folder = next(n for n, line in enumerate(lines) if "return 1" in line)
    wrong = lines[folder].replace("return 1", "return 2")
    for upper, lower in ((lines[folder], wrong), ('"broken', lines[folder])):
        conflict = ["<<<<<<< HEAD", upper, "||||||| base", "=======", lower, ">>>>>>> b/anna"]
        text = "\n".join([*lines[:folder], *conflict, *lines[folder + 1 :]])
        rebuilt, (report,) = rebuild(text.encode(), released)
        assert rebuilt.cells[2].source == ANSWER
        assert f"(`<<<<<<< HEAD` in line {folder + 1}, `>>>>>>> b/anna` in line" in report
        assert ("upper side" if upper != '"broken' else "lower side") in report


def test_leftover_conflict_markers_are_removed(released: NotebookNode) -> None:
    lines = lines_of(answered(released))
    text = "\n".join([*lines[:3], ">>>>>>> anna", *lines[3:], "<<<<<<< HEAD"])
    rebuilt, _ = rebuild(text.encode(), released)
    assert rebuilt.cells[2].source == ANSWER


def test_a_marker_inside_an_answer_is_reported(released: NotebookNode) -> None:
    submitted = answered(released)
    submitted.cells[2].source = f"<<<<<<< local\n{ANSWER}"
    _, problems = rebuild(as_bytes(submitted), released)
    assert problems == ["Cell 3 holds a marker of a git conflict: `<<<<<<< local`."]


def test_invalid_utf8_is_read_and_reported(released: NotebookNode) -> None:
    submitted = as_bytes(answered(released)).replace(b"Your answer", b"F\xfcr")
    rebuilt, problems = rebuild(submitted, released)
    assert rebuilt.cells[4].source == "F\ufffdr"
    assert "Some characters of the file are damaged or not Unicode" in problems[0]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_a_byte_order_mark_does_no_harm(released: NotebookNode, encoding: str) -> None:
    text = json.dumps(answered(released), ensure_ascii=False)
    rebuilt, problems = rebuild(text.encode(encoding), released)
    assert rebuilt.cells[2].source == ANSWER
    assert problems == []


def test_thirty_megabytes_of_output_are_not_taken_over(released: NotebookNode) -> None:
    submitted = answered(released)
    flood = {"output_type": "stream", "name": "stdout", "text": "a" * 30_000_000}
    submitted.cells[2].outputs = [flood]
    rebuilt, problems = rebuild(as_bytes(submitted), released)
    assert rebuilt.cells[2].outputs == []
    assert problems == []


def test_half_a_surrogate_pair_becomes_text_that_can_be_written(released: NotebookNode) -> None:
    submitted = answered(released)
    submitted.cells[2].source = "x = '\ud800'"
    rebuilt, _ = rebuild(as_bytes(submitted), released)
    nbformat.writes(rebuilt).encode("utf-8")
    assert rebuilt.cells[2].source == "x = '?'"


def test_a_picture_in_an_answer_is_kept(released: NotebookNode) -> None:
    submitted = answered(released)
    submitted.cells[4].attachments = {"a.png": {"image/png": "aGk=", "text/html": "<script>"}}
    rebuilt, _ = rebuild(as_bytes(submitted), released)
    assert rebuilt.cells[4].attachments == {"a.png": {"image/png": "aGk="}}


KEYS = ["cells", "cell_type", "source", "metadata", "nbgrader", "grade_id", "schema_version"]
KEYS += ["attachments", "worksheets", "input", "nbformat"]

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(KEYS) | st.text(max_size=3),
            inner | st.sampled_from(["code", "markdown", "f", "f_test", "heading"]),
            max_size=6,
        )
    ),
    max_leaves=25,
)


@given(JSON)
@settings(max_examples=300, deadline=None)
def test_no_document_breaks_the_rebuild(document: Any) -> None:
    released = make_released()
    submitted = json.dumps({"cells": document} if isinstance(document, list) else document)
    rebuilt, problems = rebuild(submitted.encode(), released)
    names = [c.metadata.nbgrader.grade_id for c in rebuilt.cells if "nbgrader" in c.metadata]
    assert names == ["released-1", "f", "f_test", "why"]
    assert all(isinstance(problem, str) for problem in problems)
    nbformat.validate(rebuilt)
