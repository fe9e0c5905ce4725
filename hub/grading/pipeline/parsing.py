"""Parses a submitted file into cells: only what is needed from a student's notebook.

Pure, and the standard library only: large files are parsed in a process with limits
(`hub.grading.pipeline.reading`), which imports nothing else. What comes out is bounded in every
respect, whatever went in.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from hub.grading.pipeline.report import quoted

MAX_FILE_MIB = 256
MAX_CELLS = 5_000
MAX_CELL_CHARACTERS = 1_000_000
MAX_CHARACTERS = 8_000_000  # of all cells together
MAX_ATTACHMENT_CHARACTERS = 10_000_000  # of all cells together
MAX_ATTACHMENTS = 200  # pictures, of all cells together
MAX_NAME = 200  # characters of a grade id, a cell id or the name of an attachment
MAX_CONFLICTS_TOLD = 5

NEWEST_FORMAT = 4
GRADING_SCHEMA = 3

_MARKER = re.compile(r"(<{7}|\|{7}|={7}|>{7})(?: .*)?")
_STRAY = 40  # characters shown of stray text before or after a notebook


class Unreadable(Exception):
    """Nothing can be read from a submitted file; the message says why."""


@dataclass(frozen=True)
class Cell:
    """What is read from one cell of a student's file."""

    kind: str  # code, markdown or raw
    text: str
    grade_id: str | None = None
    cell_id: str | None = None
    attachments: dict[str, dict[str, str]] | None = None


@dataclass(frozen=True)
class Parsed:
    """A student's cells, in order, and the file's problems: a kind and a sentence each."""

    cells: list[Cell]
    report: list[tuple[str, str]]


def parse(submitted: bytes) -> Parsed:
    """The cells of a submitted file. Raises Unreadable, and nothing else but MemoryError."""
    report: list[tuple[str, str]] = []
    document = _document(_decoded(submitted, report), report)
    content = document.get("content")
    if "cells" not in document and isinstance(content, str) and "path" in document:
        document = _document(content, report)  # asked for as a file
    elif document.get("type") == "notebook" and isinstance(content, dict):
        document = content  # saved from Jupyter's contents API, which wraps the notebook
    cells = list(_read_cells(document, report))
    report += _version_problems(document)
    return Parsed(cells, report)


def plain(text: str) -> str:
    """`text` encodable as UTF-8; lone surrogates become question marks."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _decoded(submitted: bytes, report: list[tuple[str, str]]) -> str:
    encoding = json.detect_encoding(submitted)  # of UTF-8, -16 and -32, marked or not
    try:
        text = submitted.decode(encoding)
    except UnicodeDecodeError as error:
        text = submitted.decode(encoding, "replace")
        # Parsing as JSON reports what is cut off in the middle of a character.
        if error.end < len(submitted):
            report.append(
                (
                    "encoding",
                    f"Some characters of the file are damaged or not Unicode (the first is byte "
                    f"{error.start + 1:,}); each was read as �.",
                )
            )
    if not text.strip("\0 \t\r\n\ufeff"):
        raise Unreadable("The submitted file is empty.")
    return text


def _document(text: str, report: list[tuple[str, str]]) -> dict[str, Any]:
    """The JSON object in `text`, even with stray text around it or git's conflict markers in it."""
    try:
        return _object(text, report)
    except Unreadable:
        sides = list(_sides_of_conflicts(text)) if "<<<<<<< " in text else []
        for reason, side in sides:
            aside: list[tuple[str, str]] = []
            try:
                document = _object(side, aside)
            except Unreadable:
                continue
            report.append(("conflict", f"{_conflicts(text)} {reason}"))
            report += aside
            return document
        if sides:
            raise Unreadable(
                f"{_conflicts(text)} Neither side of them is a whole notebook."
            ) from None
        raise


def _object(text: str, report: list[tuple[str, str]]) -> dict[str, Any]:
    start = text.find("{")
    try:
        document, end = json.JSONDecoder(strict=False).raw_decode(text, max(start, 0))
    except json.JSONDecodeError as error:
        raise Unreadable(
            f"The submitted file is not a notebook: its JSON breaks off or is damaged in line "
            f"{error.lineno}, column {error.colno} ({error.msg})."
        ) from None
    except RecursionError:
        raise Unreadable("The submitted file is nested too deeply to be a notebook.") from None
    except ValueError:
        raise Unreadable("The submitted file is not a notebook: a number is too long.") from None
    if not isinstance(document, dict):
        raise Unreadable("The submitted file is JSON but not a notebook.")
    for where, stray in (("before", text[:start]), ("after", text[end:])):
        count = len(stray.strip("\0 \t\r\n\ufeff"))
        if count:
            report.append(
                (
                    "stray",
                    f"{count:,} stray character{'s stand' if count > 1 else ' stands'} {where} the "
                    f"notebook in the file ({quoted(stray.strip()[:_STRAY])}); they were left out.",
                )
            )
    return document


def _sides_of_conflicts(text: str) -> Iterator[tuple[str, str]]:
    """The possible versions of a file with git's conflict markers, likeliest first."""
    lines = text.splitlines(keepends=True)
    marks = [_mark(line) for line in lines]
    for reason, wanted in (
        ("The upper side of each (yours, when you merged) was read.", "<"),
        ("The lower side of each was read, as the upper is not a whole notebook.", ">"),
        ("The markers were left out.", "<>"),
    ):
        side, kept = "", []
        for line, mark in zip(lines, marks, strict=True):
            if mark:
                side = {"<": "<", "|": "|", "=": ">", ">": ""}[mark]
            elif not side or side in wanted:
                kept.append(line)
        yield reason, "".join(kept)


def _mark(line: str) -> str:
    """Which of git's conflict markers a line is, by its character; empty if it is none."""
    return (
        line[0]
        if line[:7] in ("<<<<<<<", "|||||||", "=======", ">>>>>>>")
        and (_MARKER.fullmatch(line.rstrip("\r\n")))
        else ""
    )


def _conflicts(text: str) -> str:
    positions = [
        (number, line)
        for number, line in enumerate(text.splitlines(), 1)
        if _mark(line) in ("<", ">")
    ]
    shown = ", ".join(
        f"{quoted(line)} in line {number:,}" for number, line in positions[:MAX_CONFLICTS_TOLD]
    )
    more = f" and {len(positions) - MAX_CONFLICTS_TOLD:,} more" * (
        len(positions) > MAX_CONFLICTS_TOLD
    )
    return f"The file holds markers of a git conflict ({shown}{more})."


def _read_cells(document: dict[str, Any], report: list[tuple[str, str]]) -> Iterator[Cell]:
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
    if len(raw) > MAX_CELLS:
        report.append(
            (
                "cells",
                f"The notebook has {len(raw):,} cells; those after the first {MAX_CELLS:,} were "
                "left out.",
            )
        )
    room = _Room()
    for number, cell in enumerate(raw[:MAX_CELLS], 1):
        if isinstance(cell, dict):
            yield _read_cell(cell, number, room, report)
        else:
            report.append(
                ("not a cell", f"Cell {number} of the file was not a cell; it was left out.")
            )
    report += room.report


class _Room:
    """What may still be read of a file, and what was left out for exceeding limits."""

    def __init__(self) -> None:
        self.characters = MAX_CHARACTERS
        self.attachments = MAX_ATTACHMENTS
        self.attachment_characters = MAX_ATTACHMENT_CHARACTERS
        self._cut: set[tuple[str, str]] = set()

    def text(self, text: str) -> str:
        if len(text) > self.characters:
            self._cut.add(
                (
                    "room",
                    f"The cells hold more than {MAX_CHARACTERS:,} characters together; "
                    "the rest was left out.",
                )
            )
        text = text[: self.characters]
        self.characters -= len(text)
        return text

    def picture(self, data: str) -> bool:
        fits = self.attachments > 0 and len(data) <= self.attachment_characters
        if fits:
            self.attachments -= 1
            self.attachment_characters -= len(data)
        else:
            self._cut.add(
                (
                    "room",
                    f"The pictures pasted into cells are more than {MAX_ATTACHMENTS} or more than "
                    f"{MAX_ATTACHMENT_CHARACTERS:,} characters together; the rest was left out.",
                )
            )
        return fits

    @property
    def report(self) -> list[tuple[str, str]]:
        return sorted(self._cut)


def _read_cell(
    raw: dict[str, Any], number: int, room: _Room, report: list[tuple[str, str]]
) -> Cell:
    kind = raw.get("cell_type")
    kind = "markdown" if kind == "heading" else kind
    if kind not in ("code", "markdown", "raw"):
        report.append(("kind", f"Cell {number} had an unknown type and was read as plain text."))
        kind = "raw"
    text = _joined(raw["input"] if "source" not in raw and "input" in raw else raw.get("source"))
    if text is None:
        report.append(
            ("text", f"The text of cell {number} could not be read, so it counts as empty.")
        )
        text = ""
    if len(text) > MAX_CELL_CHARACTERS:
        report.append(
            (
                "long",
                f"Cell {number} was longer than {MAX_CELL_CHARACTERS:,} characters and was cut.",
            )
        )
    text = plain(room.text(text[:MAX_CELL_CHARACTERS]))
    text = text.replace("\r\n", "\n").replace("\r", "\n")  # an editor's choice, not the student's
    marked = next((line for line in text.splitlines() if _mark(line) in ("<", ">")), None)
    if marked is not None and kind == "code":
        report.append(
            ("conflict", f"Cell {number} holds a marker of a git conflict: {quoted(marked)}.")
        )
    attachments = _attachments(raw.get("attachments"), room) if kind == "markdown" else None
    return Cell(kind, text, _name(_marks(raw).get("grade_id")), _name(raw.get("id")), attachments)


def _joined(source: Any) -> str | None:
    if isinstance(source, str):
        return source
    if isinstance(source, list) and all(isinstance(line, str) for line in source):
        return "".join(source)
    return None


def _marks(raw: dict[str, Any]) -> dict[str, Any]:
    metadata = raw.get("metadata")
    marks = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    return marks if isinstance(marks, dict) else {}


def _name(value: Any) -> str | None:
    return plain(value) if isinstance(value, str) and 0 < len(value) <= MAX_NAME else None


def _attachments(raw: Any, room: _Room) -> dict[str, dict[str, str]] | None:
    """Pictures pasted into a text cell, if they are well-formed and within limits."""
    if not isinstance(raw, dict):
        return None
    kept: dict[str, dict[str, str]] = {}
    for name, bundle in raw.items():
        if len(name) > MAX_NAME or not isinstance(bundle, dict):
            continue
        for kind, data in bundle.items():
            is_picture = kind.startswith("image/") and len(kind) <= MAX_NAME
            if is_picture and isinstance(data, str) and room.picture(data):
                kept.setdefault(plain(name), {})[plain(kind)] = plain(data)
    return kept or None


def _version_problems(document: dict[str, Any]) -> Iterator[tuple[str, str]]:
    version = document.get("nbformat")
    if version != NEWEST_FORMAT:
        yield (
            "version",
            f"The file says notebook format {_short(version)} where {NEWEST_FORMAT} was expected; "
            "the text of its cells was read anyway.",
        )
    cells = document.get("cells")
    marks = [_marks(cell) for cell in (cells or [])[:MAX_CELLS] if isinstance(cell, dict)]
    schemas = {_short(mark.get("schema_version")) for mark in marks if mark}
    for schema in sorted(schemas - {str(GRADING_SCHEMA)}):
        yield (
            "schema",
            f"The file was saved with version {schema} of the grading metadata where "
            f"{GRADING_SCHEMA} was expected; the original metadata was put back.",
        )


def _short(value: Any) -> str:
    """A number or word of the file, fit for a sentence."""
    if isinstance(value, dict | list):
        return "?"
    return quoted(json.dumps(value[:20] if isinstance(value, str) else value))[1:-1]
