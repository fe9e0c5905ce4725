import nbformat
import pytest
from nbformat.notebooknode import NotebookNode, from_dict

from hub.authoring.errors import NotRepresentable
from hub.authoring.notebook import (
    complete,
    fingerprint,
    notebook_to_text,
    text_fingerprint,
    text_to_notebook,
)
from tests.authoring.conftest import TEXT


def saved(notebook: NotebookNode) -> NotebookNode:
    """The notebook after a trip through a file."""
    return nbformat.reads(nbformat.writes(notebook), as_version=4)


def test_a_round_trip_leaves_the_text_byte_identical():
    assert notebook_to_text(saved(text_to_notebook(TEXT)), like=TEXT) == TEXT


def test_a_generated_notebook_is_valid():
    nbformat.validate(text_to_notebook(TEXT))


def test_given_cells_are_locked_play_cells_are_not():
    cells = text_to_notebook(TEXT).cells
    given = [cell.metadata.nbgrader for cell in cells if cell.id.startswith("released-")]
    assert [meta.grade_id for meta in given] == ["released-1", "released-2"]
    assert all(meta.locked and not meta.grade and not meta.solution for meta in given)
    (play,) = [cell for cell in cells if cell.metadata.get("tags") == ["play"]]
    assert "nbgrader" not in play.metadata


def test_cell_ids_come_from_grade_ids_and_positions():
    ids = [cell.id for cell in text_to_notebook(TEXT).cells]
    assert ids == ["cell-1", "released-1", "cell-3", "double", "double_test", "why", "released-2"]


def test_cell_ids_stay_unique_and_legal_whatever_the_grade_ids():
    twice = TEXT.replace('"grade_id": "double_test"', '"grade_id": "double"')
    long = TEXT.replace('"grade_id": "double"', f'"grade_id": "{"x" * 90}"')
    for text in (twice, long):
        notebook = text_to_notebook(text)
        assert len({cell.id for cell in notebook.cells}) == len(notebook.cells)
        nbformat.validate(notebook)


def test_outputs_of_unchanged_cells_stay_and_never_reach_the_text():
    notebook = text_to_notebook(TEXT)
    output = nbformat.v4.new_output("stream", text="3.14159 seen")
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [output], 7
    changed = text_to_notebook(TEXT.replace("GIVEN = 3", "GIVEN = 4"), previous=notebook)
    assert changed.cells[1].outputs == []
    assert changed.cells[2].outputs == [output]
    assert changed.cells[2].execution_count == 7
    assert notebook_to_text(notebook, like=TEXT) == TEXT


def test_a_fingerprint_ignores_what_is_not_the_authors():
    notebook = saved(text_to_notebook(TEXT))
    notebook.metadata["celltoolbar"] = "Create Assignment"
    for cell in notebook.cells:
        cell.id = f"random-{cell.id}"
        cell.metadata["collapsed"] = True
        cell.metadata["editable"] = True
    notebook.cells[4].metadata.nbgrader["points"] = 2.0
    assert fingerprint(notebook) == text_fingerprint(TEXT)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("GIVEN = 3", "GIVEN = 4"),
        ('"points": 2', '"points": 5'),
        (' tags=["play"]', ""),
        ("# Write `double`.", "# Write `double`!"),
    ],
)
def test_a_fingerprint_sees_every_change_of_the_authors(old: str, new: str):
    assert text_fingerprint(TEXT.replace(old, new)) != text_fingerprint(TEXT)


def test_editing_one_cell_leaves_every_other_line_of_the_text_alone():
    notebook = saved(text_to_notebook(TEXT))
    notebook.cells[1].source += "\nMORE = 1"
    assert notebook_to_text(notebook, like=TEXT) == TEXT.replace(
        "GIVEN = 3\n", "GIVEN = 3\nMORE = 1\n"
    )


def test_a_cell_added_in_jupyterlab_becomes_plain_text_and_then_a_given_cell():
    notebook = text_to_notebook(TEXT)
    notebook.cells.insert(1, nbformat.v4.new_code_cell("early = True"))
    text = notebook_to_text(notebook, like=TEXT)
    assert "\n# %%\nearly = True\n" in text
    assert [c.id for c in text_to_notebook(text).cells][1:3] == ["released-1", "released-2"]


def test_completing_twice_changes_nothing():
    once = complete(text_to_notebook(TEXT))
    assert complete(once) == once


def test_a_notebook_without_a_text_gets_one_that_gives_it_back():
    notebook = text_to_notebook(TEXT)
    text = notebook_to_text(notebook)
    assert text.startswith("# ---\n# jupyter:")
    assert text_fingerprint(text) == fingerprint(notebook)


def test_a_pasted_picture_is_refused_not_lost():
    notebook = text_to_notebook(TEXT)
    notebook.cells[0].attachments = from_dict({"image.png": {"image/png": "aaaa"}})
    with pytest.raises(NotRepresentable, match="pasted picture"):
        notebook_to_text(notebook, like=TEXT)


def test_a_cell_that_text_would_cut_in_two_is_refused():
    notebook = text_to_notebook(TEXT)
    notebook.cells[1].source = "a = 1\n# %%\nb = 2"
    with pytest.raises(NotRepresentable):
        notebook_to_text(notebook, like=TEXT)
