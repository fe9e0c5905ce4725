"""A submitted notebook, whatever state it is in, as a notebook that can be graded.

Pure. The notebook is rebuilt from the released cells, in their order and with their metadata;
of the student's file only text is taken: the solutions, by grade id, and the cells that the
student added, which stay where they stood. Every repair is told in a sentence to the owner.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_raw_cell

from hub.grading.outputs import plain_text

MAX_SUBMISSION_MIB = 256
MAX_SOURCE_CHARACTERS = 1_000_000
MAX_OWN_CELLS = 2_000
MAX_ATTACHMENT_CHARACTERS = 10_000_000

NEWEST_FORMAT = 4
GRADING_SCHEMA = 3


class Unreadable(Exception):
    """Nothing can be taken from a submitted file; the message says why, in words."""


@dataclass(frozen=True)
class _Cell:
    """What is taken from one cell of a student's file."""

    kind: str  # code, markdown or raw
    text: str
    grade_id: str | None
    attachments: dict[str, dict[str, str]]


@dataclass
class _Submission:
    """A student's cells sorted: the chosen one for each released cell, and the student's own."""

    named: dict[str, _Cell] = field(default_factory=dict)
    own: dict[str | None, list[_Cell]] = field(default_factory=dict)  # by the cell they follow


def rebuild(submitted: bytes, released: NotebookNode) -> tuple[NotebookNode, list[str]]:
    """The notebook to grade and what had to be repaired, one sentence each.

    submitted: the bytes of the student's file.
    released: the notebook that students were given, with its nbgrader metadata.

    Where nothing can be read the released notebook comes back, with its stubs, and the
    sentence says so. Never raises for anything in `submitted`.
    """
    try:
        document = _parse(submitted)
        cells, problems = _read_cells(document)
    except Unreadable as error:
        return copy.deepcopy(released), [
            f"{error} Nothing in it could be graded: please submit it again."
        ]
    problems += _version_problems(document)
    submission = _sort(cells, released, problems)
    return _assemble(submission, released, problems), problems


def _parse(submitted: bytes) -> dict[str, Any]:
    if len(submitted) > MAX_SUBMISSION_MIB * 1024 * 1024:
        raise Unreadable(f"The submitted file is larger than {MAX_SUBMISSION_MIB} MiB.")
    text = submitted.decode("utf-8-sig", "replace")
    if submitted[:2] in (b"\xff\xfe", b"\xfe\xff"):
        text = submitted.decode("utf-16", "replace")
    if not text.strip():
        raise Unreadable("The submitted file is empty.")
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise Unreadable(
            f"The submitted file is not a notebook: its JSON breaks off or is damaged in line "
            f"{error.lineno}, column {error.colno} ({error.msg})."
        ) from error
    except RecursionError as error:
        raise Unreadable("The submitted file is nested too deeply to be a notebook.") from error
    except ValueError as error:
        raise Unreadable("The submitted file is not a notebook: a number is too long.") from error
    if not isinstance(document, dict):
        raise Unreadable("The submitted file is JSON but not a notebook.")
    return document


def _read_cells(document: dict[str, Any]) -> tuple[list[_Cell], list[str]]:
    raw = document.get("cells")
    if raw is None and isinstance(document.get("worksheets"), list):
        # nbformat 3 kept its cells in worksheets.
        raw = [
            cell
            for sheet in document["worksheets"]
            if isinstance(sheet, dict) and isinstance(sheet.get("cells"), list)
            for cell in sheet["cells"]
        ]
    if not isinstance(raw, list):
        raise Unreadable("The submitted file has no list of cells.")
    problems: list[str] = []
    cells = []
    for number, cell in enumerate(raw, 1):
        read = _read_cell(cell, number, problems)
        if read is not None:
            cells.append(read)
    return cells, problems


def _read_cell(raw: Any, number: int, problems: list[str]) -> _Cell | None:
    if not isinstance(raw, dict):
        problems.append(f"Cell {number} of the file was not a cell and was left out.")
        return None
    kind = raw.get("cell_type")
    kind = "markdown" if kind == "heading" else kind
    if kind not in ("code", "markdown", "raw"):
        problems.append(f"Cell {number} had an unknown type and was read as plain text.")
        kind = "raw"
    text = _joined(raw["input"] if "source" not in raw and "input" in raw else raw.get("source"))
    if text is None:
        problems.append(f"The text of cell {number} could not be read, so it counts as empty.")
        text = ""
    if len(text) > MAX_SOURCE_CHARACTERS:
        problems.append(
            f"Cell {number} was longer than {MAX_SOURCE_CHARACTERS:,} characters and was cut."
        )
        text = text[:MAX_SOURCE_CHARACTERS]
    return _Cell(kind, plain_text(text), _grade_id(raw), _attachments(raw.get("attachments")))


def _joined(source: Any) -> str | None:
    if isinstance(source, str):
        return source
    if isinstance(source, list) and all(isinstance(line, str) for line in source):
        return "".join(source)
    return None


def _grade_id(raw: dict[str, Any]) -> str | None:
    metadata = raw.get("metadata")
    marks = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    name = marks.get("grade_id") if isinstance(marks, dict) else None
    return name if isinstance(name, str) and name else None


def _attachments(raw: Any) -> dict[str, dict[str, str]]:
    """Pictures pasted into a text cell, where they are well-formed and not too large."""
    if not isinstance(raw, dict):
        return {}
    kept = {
        plain_text(name): {
            kind: data
            for kind, data in bundle.items()
            if isinstance(kind, str) and kind.startswith("image/") and isinstance(data, str)
        }
        for name, bundle in raw.items()
        if isinstance(bundle, dict)
    }
    size = sum(len(data) for bundle in kept.values() for data in bundle.values())
    return kept if size <= MAX_ATTACHMENT_CHARACTERS else {}


def _version_problems(document: dict[str, Any]) -> Iterator[str]:
    version = document.get("nbformat")
    if version != NEWEST_FORMAT:
        yield (
            f"The file says notebook format {_short(version)} where {NEWEST_FORMAT} was expected; "
            "the text of its cells was read all the same."
        )
    schemas = {_schema(cell) for cell in document.get("cells") or [] if isinstance(cell, dict)}
    for schema in sorted(schemas - {None, str(GRADING_SCHEMA)}, key=str):
        yield (
            f"The file was saved with version {schema} of the grading metadata where "
            f"{GRADING_SCHEMA} was expected; the original metadata was put back."
        )


def _schema(cell: dict[str, Any]) -> str | None:
    metadata = cell.get("metadata")
    marks = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    if not isinstance(marks, dict) or not marks:
        return None
    return _short(marks.get("schema_version"))


def _short(value: Any) -> str:
    return plain_text(json.dumps(value, default=str))[:20]


def _sort(cells: list[_Cell], released: NotebookNode, problems: list[str]) -> _Submission:
    given = {name: cell for cell in released.cells if (name := _name(cell))}
    chosen = _choose(cells, given)
    submission = _Submission()
    anchor: str | None = None
    order = []
    dropped: dict[str, int] = {}
    for index, cell in enumerate(cells):
        name = cell.grade_id if cell.grade_id in given else None
        if name is not None and chosen[name] == index:
            submission.named[name] = cell
            anchor = name
            order.append(name)
        elif name is not None and not _is_open(given[name]):
            dropped[name] = dropped.get(name, 0) + 1
        else:
            submission.own.setdefault(anchor, []).append(cell)
    problems += _sorting_problems(cells, given, order, dropped)
    return submission


def _choose(cells: list[_Cell], given: dict[str, NotebookNode]) -> dict[str, int]:
    """For each released cell the submitted cell that stands for it.

    Where a solution cell was copied it is the last copy that was worked on: run from top to
    bottom, its definitions are the ones that hold in the end.
    """
    chosen: dict[str, int] = {}
    for index, cell in enumerate(cells):
        name = cell.grade_id
        if name not in given:
            continue
        if name not in chosen or cell.text.strip() not in (
            given[name].source.strip(),
            cells[chosen[name]].text.strip(),
        ):
            chosen[name] = index
    return chosen


def _sorting_problems(
    cells: list[_Cell],
    given: dict[str, NotebookNode],
    order: list[str],
    dropped: dict[str, int],
) -> Iterator[str]:
    names = [cell.grade_id for cell in cells]
    for name in dict.fromkeys(name for name in names if name in given):
        if names.count(name) > 1 and name in given:
            yield f"There were {names.count(name)} cells named `{name}`; " + (
                f"the copies of the {_what(given[name])} were left out."
                if name in dropped
                else "the last one that was worked on counts as the answer."
            )
    for name in dict.fromkeys(name for name in names if name and name not in given):
        yield (
            f"The cell named `{_short(name)[1:-1]}` is not part of this assignment; "
            "it counts as your own."
        )
    if order != [name for name in given if name in set(order)]:
        yield "Cells had changed places; the given order was put back."


def _assemble(submission: _Submission, released: NotebookNode, problems: list[str]) -> NotebookNode:
    notebook = copy.deepcopy(released)
    own = _own_cells(submission, problems)
    cells = own.get(None, [])
    for cell in notebook.cells:
        name = _name(cell)
        if name is None:
            continue
        _fill(cell, name, submission.named.get(name), problems)
        cells += [cell, *own.get(name, [])]
    notebook.cells = cells
    for number, cell in enumerate(cells, 1):
        cell.setdefault("id", f"cell-{number}")
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    return notebook


def _fill(cell: NotebookNode, name: str, taken: _Cell | None, problems: list[str]) -> None:
    what = _what(cell)
    if cell.cell_type == "code":
        cell.outputs, cell.execution_count = [], None
    if taken is None:
        put = "the empty one counts" if _is_open(cell) else "it was put back"
        problems.append(f"The {what} `{name}` was missing; {put}.")
        return
    if taken.kind != cell.cell_type:
        problems.append(
            f"The {what} `{name}` had become a {taken.kind} cell; it was made a "
            f"{cell.cell_type} cell again."
        )
    if _is_open(cell):
        cell.source = taken.text
        if cell.cell_type == "markdown" and taken.attachments:
            cell.attachments = taken.attachments
    elif taken.text.strip() != cell.source.strip():
        problems.append(f"The {what} `{name}` had been changed; the original was put back.")


def _own_cells(
    submission: _Submission, problems: list[str]
) -> dict[str | None, list[NotebookNode]]:
    made: dict[str | None, list[NotebookNode]] = {}
    number = 0
    for anchor, cells in submission.own.items():
        for cell in cells:
            number += 1
            if number <= MAX_OWN_CELLS:
                made.setdefault(anchor, []).append(_new_cell(cell, f"own-{number}"))
    if number > MAX_OWN_CELLS:
        problems.append(
            f"The notebook had {number:,} cells of your own; those after the first "
            f"{MAX_OWN_CELLS:,} were left out."
        )
    return made


def _new_cell(cell: _Cell, name: str) -> NotebookNode:
    if cell.kind == "code":
        return new_code_cell(cell.text, id=name)
    if cell.kind == "raw":
        return new_raw_cell(cell.text, id=name)
    made = new_markdown_cell(cell.text, id=name)
    if cell.attachments:
        made.attachments = cell.attachments
    return made


def _name(cell: NotebookNode) -> str | None:
    return cell.metadata.get("nbgrader", {}).get("grade_id")


def _is_open(cell: NotebookNode) -> bool:
    """Whether the text of a named cell is the student's to write."""
    marks = cell.metadata["nbgrader"]
    return bool(marks.get("solution")) or not (marks.get("grade") or marks.get("locked"))


def _what(cell: NotebookNode) -> str:
    marks = cell.metadata["nbgrader"]
    if marks.get("solution"):
        return "answer cell"
    if marks.get("task"):
        return "task"
    return "test cell" if marks.get("grade") else "given cell"
