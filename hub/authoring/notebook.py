"""Converts notebook text (jupytext `py:percent`) to .ipynb and back, with pure functions.

The text is the author's. What a notebook needs beyond it is added on the way to .ipynb and removed
on the way back: read-only nbgrader metadata on given code cells, cell ids, the kernel,
outputs. So the text stays free of generated noise, and a round trip leaves it byte-identical.
"""

import difflib
import hashlib
import json
import re
from typing import Any

import jupytext
import nbformat
from nbformat.notebooknode import NotebookNode, from_dict

from hub.authoring.errors import NotRepresentable
from hub.facts.cell_roles import marks

PLAY_TAG = "play"
RELEASED_ID = re.compile(r"released-\d+")
KERNELSPEC = {"display_name": "Python 3", "language": "python", "name": "python3"}
LANGUAGE_INFO = {"name": "python"}
MAX_CELL_ID = 64  # characters, the notebook format's limit

NEW_TEXT_HEADER = """\
# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

"""
_HEADER = re.compile(r"\A# ---\n(?:#.*\n)*?# ---\n\n*")
_LAYOUT = {"cell_marker", "lines_to_next_cell", "lines_to_end_of_cell_marker"}
_NBGRADER_KEYS = ("grade", "grade_id", "locked", "points", "schema_version", "solution", "task")


def text_to_notebook(text: str, previous: NotebookNode | None = None) -> NotebookNode:
    """The complete notebook of a percent text.

    `previous` is the old notebook: cells whose type and source are unchanged keep
    their outputs and execution counts.
    """
    notebook = complete(_read(text))
    if previous is not None:
        _keep_outputs(notebook, previous)
    return notebook


def notebook_to_text(notebook: NotebookNode, like: str = "") -> str:
    """The percent text of a notebook, without everything that `complete` added.

    `like` is the old text: its header is kept byte for byte, and so is the layout (blank
    lines, order of metadata keys) of every unchanged cell.

    Raises NotRepresentable if reading the text again would not give these cells, for example
    if a picture was pasted into a cell.
    """
    cells = author_cells(notebook)
    if like:
        _keep_layout(cells, _read(like).cells)
    body = _write(cells)
    text = header(like) + body
    _check_representable(notebook, text)
    return text


def header(text: str) -> str:
    """The YAML header of a text with the blank lines after it; a new one for an empty text."""
    found = _HEADER.match(text)
    if found:
        return found.group()
    return "" if text else NEW_TEXT_HEADER


def complete(notebook: NotebookNode) -> NotebookNode:
    """A copy with what authors leave out: read-only given cells, stable cell ids, the kernel.

    A code cell without nbgrader metadata becomes the locked, ungraded cell `released-<k>` (k
    counts from 1 in notebook order), unless it is tagged `play`. Outputs are kept.
    """
    cells = author_cells(notebook)
    given = 0
    taken: set[str] = set()
    for position, (cell, original) in enumerate(zip(cells, notebook.cells, strict=True), start=1):
        if original.get("attachments"):
            cell.attachments = original.attachments
        if cell.cell_type == "code":
            cell.outputs = original.get("outputs", [])
            cell.execution_count = original.get("execution_count")
            if not is_play(cell) and "nbgrader" not in cell.metadata:
                given += 1
                cell.metadata.nbgrader = from_dict(_released(given))
        cell.id = _cell_id(cell, position, taken)
    return nbformat.v4.new_notebook(
        cells=cells,
        metadata=from_dict({"kernelspec": KERNELSPEC, "language_info": LANGUAGE_INFO}),
    )


def is_play(cell: NotebookNode) -> bool:
    """Whether a given code cell is the student's to edit."""
    return PLAY_TAG in cell.metadata.get("tags", [])


def fingerprint(notebook: NotebookNode) -> str:
    """SHA-256 (hex) of what the author wrote: equal for both halves of a synchronised pair.

    Outputs, cell ids, generated metadata, the header and blank lines between cells do not count.
    """
    keys = [_key(cell) for cell in author_cells(notebook)]
    return hashlib.sha256(json.dumps(keys).encode()).hexdigest()


def text_fingerprint(text: str) -> str:
    """The fingerprint of a percent text."""
    return fingerprint(_read(text))


def author_cells(notebook: NotebookNode) -> list[NotebookNode]:
    """The cells, reduced to their type, their source and the author's metadata."""
    return [
        from_dict(
            {
                "cell_type": cell.cell_type,
                "source": cell.source,
                "metadata": _author_metadata(cell.metadata),
            }
        )
        for cell in notebook.cells
    ]


def _author_metadata(metadata: NotebookNode) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    if metadata.get("title"):
        kept["title"] = metadata["title"]
    nbgrader = metadata.get("nbgrader", {})
    found = marks({"metadata": metadata})
    generated = found.is_given and RELEASED_ID.fullmatch(found.name)
    if (found.locked or not found.is_given) and not generated:
        kept["nbgrader"] = {
            key: _whole(value) for key, value in nbgrader.items() if key in _NBGRADER_KEYS
        }
    if metadata.get("tags"):
        kept["tags"] = list(metadata["tags"])
    if metadata.get("jupyter", {}).get("source_hidden"):
        kept["jupyter"] = {"source_hidden": True}
    return kept


def _whole(value: Any) -> Any:
    """Make 2.0 points and 2 points equal, whichever editor wrote them."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _released(number: int) -> dict[str, Any]:
    return {
        "grade": False,
        "grade_id": f"released-{number}",
        "locked": True,
        "schema_version": 3,
        "solution": False,
        "task": False,
    }


def _cell_id(cell: NotebookNode, position: int, taken: set[str]) -> str:
    """An id from the grade id, else from the position; unique whatever the author wrote."""
    wanted = marks(cell).name or f"cell-{position}"
    wanted = re.sub(r"[^a-zA-Z0-9_-]", "-", wanted)[: MAX_CELL_ID - 8]
    unique = wanted if wanted not in taken else f"{wanted}-at-{position}"
    taken.add(unique)
    return unique


def _key(cell: NotebookNode) -> tuple[str, str, str]:
    """The key by which two cells are the same; trailing blank lines are layout."""
    return (cell.cell_type, cell.source.rstrip(), json.dumps(cell.metadata, sort_keys=True))


def _read(text: str) -> NotebookNode:
    return jupytext.reads(text, fmt="py:percent")


def _write(cells: list[NotebookNode]) -> str:
    filters = {"notebook_metadata_filter": "-all", "cell_metadata_filter": "all"}
    notebook = nbformat.v4.new_notebook(metadata=from_dict({"jupytext": filters}))
    notebook.cells = cells
    return jupytext.writes(notebook, fmt="py:percent")


def _keep_outputs(notebook: NotebookNode, previous: NotebookNode) -> None:
    new = [(cell.cell_type, cell.source) for cell in notebook.cells]
    old = [(cell.cell_type, cell.source) for cell in previous.cells]
    matcher = difflib.SequenceMatcher(a=old, b=new, autojunk=False)
    for block in matcher.get_matching_blocks():
        for step in range(block.size):
            before, after = previous.cells[block.a + step], notebook.cells[block.b + step]
            if after.cell_type == "code":
                after.outputs = before.get("outputs", [])
                after.execution_count = before.get("execution_count")


def _keep_layout(cells: list[NotebookNode], like: list[NotebookNode]) -> None:
    """Give `cells` the layout of the text they come from, in place."""
    template = author_cells(NotebookNode(cells=like))
    matcher = difflib.SequenceMatcher(
        a=[_key(cell) for cell in template], b=[_key(cell) for cell in cells], autojunk=False
    )
    for operation, a_start, a_end, b_start, b_end in matcher.get_opcodes():
        same = operation == "equal"
        if not same and a_end - a_start != b_end - b_start:
            continue  # cells were added or removed here: the standard layout
        for old, new in zip(like[a_start:a_end], cells[b_start:b_end], strict=True):
            if same:
                new.source, new.metadata = old.source, NotebookNode(old.metadata)
            else:
                new.metadata.update(
                    {key: old.metadata[key] for key in _LAYOUT & old.metadata.keys()}
                )


def _check_representable(notebook: NotebookNode, text: str) -> None:
    for position, cell in enumerate(notebook.cells, start=1):
        if cell.get("attachments"):
            raise NotRepresentable(
                f"Cell {position} holds a pasted picture, which a .py text cannot keep.",
                "Save it as a file in the assignment's folder and link that: "
                "![what it shows](name.png)",
            )
    written = [_key(cell) for cell in author_cells(notebook)]
    read_back = [_key(cell) for cell in author_cells(_read(text))]
    for position, (ours, theirs) in enumerate(zip(written, read_back, strict=False), start=1):
        if ours != theirs:
            raise NotRepresentable(
                f"Cell {position} cannot be written as text without loss. It "
                f"reads\n{ours[1]}\nand would come back as\n{theirs[1]}"
            )
    if len(written) != len(read_back):
        raise NotRepresentable(
            f"The notebook has {len(written)} cells, its text would have {len(read_back)}."
        )
