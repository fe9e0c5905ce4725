"""Reads a list of students as an office exports it, in any of the usual kinds of CSV.

Accepts commas, semicolons and tabs; UTF-8, UTF-16 and Windows-1252; header names in any case
and with spaces, as spreadsheets and learning management systems write them.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from hub.core.roster.file import LARGEST_BYTES, RosterError
from hub.core.roster.student import FIELDS, Student, student

SHOWN_PROBLEMS = 20

# Header names, lower-cased and reduced to letters and digits -> field.
HEADERS = {
    **dict.fromkeys(("username", "user", "login", "loginid", "userid", "account"), "username"),
    **dict.fromkeys(("firstname", "givenname", "givennames", "forename", "vorname"), "first_name"),
    **dict.fromkeys(("lastname", "surname", "familyname", "nachname"), "last_name"),
    **dict.fromkeys(("email", "emailaddress", "mail"), "email"),
    **dict.fromkeys(("lmsid", "lmsuserid"), "lms_id"),
}


@dataclass(frozen=True)
class Spreadsheet:
    """A file's students, and remarks on how it was read."""

    students: tuple[Student, ...]
    remarks: tuple[str, ...]


def read_spreadsheet(path: Path, reserved: Collection[str] = ()) -> Spreadsheet:
    """The students listed in the file at `path`, none of whom may have a name in `reserved`.

    Raises RosterError with every faulty line.
    """
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_BYTES + 1)
    except OSError as error:
        raise RosterError(f"{path}: cannot be read ({error.strerror})") from error
    if len(content) > LARGEST_BYTES:
        raise RosterError(f"{path}: larger than {LARGEST_BYTES // 1024**2} MiB")
    text, remarks = _decode(path, content)
    records = list(_records(path, text))
    if not records:
        raise RosterError(f"{path}: empty; expected a header line and a line for each student")
    columns, ignored = _columns(path, *records[0])
    if ignored:
        remarks.append(f"columns not used: {', '.join(ignored)}")
    width = len(records[0][1])
    students = _students(path, columns, width, records[1:], reserved)
    if not students:
        raise RosterError(f"{path}: contains no students; the roster was not changed")
    return Spreadsheet(students, tuple(remarks))


def _decode(path: Path, content: bytes) -> tuple[str, list[str]]:
    if content.startswith(b"PK\x03\x04") or content.startswith(b"\xd0\xcf\x11\xe0"):
        raise RosterError(f"{path}: a spreadsheet file, not CSV.", "Save it as 'CSV UTF-8' first.")
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        try:
            return content.decode("utf-16"), ["read as UTF-16"]
        except UnicodeDecodeError as error:
            raise RosterError(
                f"{path}: looks like UTF-16 but is not.", "Save it as 'CSV UTF-8'."
            ) from error
    if b"\0" in content:
        raise RosterError(f"{path}: not text (it has zero bytes).", "Save it as 'CSV UTF-8'.")
    try:
        return content.decode("utf-8-sig"), []
    except UnicodeDecodeError:
        pass
    try:
        text = content.decode("cp1252")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise RosterError(
            f"{path}, line {line}: neither UTF-8 nor Windows-1252.", "Save it as 'CSV UTF-8'."
        ) from error
    remark = "not UTF-8: read as Windows-1252 (latin-1). Check that accents are correct"
    return text, [remark]


def _records(path: Path, text: str) -> Iterator[tuple[int, list[str]]]:
    """(first line, fields) of each record that is not empty."""
    if separator := re.match(r"sep=([,;\t])\r?\n", text):  # Excel's own line
        yield from _split(path, text[separator.end() :], separator[1], 2)
        return
    header = next((line for line in text.splitlines() if line.strip()), "")
    yield from _split(path, text, max(",;\t", key=header.count), 1)


def _split(path: Path, text: str, separator: str, line: int) -> Iterator[tuple[int, list[str]]]:
    offset = line - 1
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        for record in reader:
            if any(field.strip() for field in record):
                yield line, record
            line = reader.line_num + 1 + offset
    except csv.Error as error:
        raise RosterError(f"{path}, line {line}: {error}") from error


def _columns(path: Path, line: int, header: list[str]) -> tuple[dict[str, int], list[str]]:
    """field -> column, and the names of unknown columns."""
    columns: dict[str, int] = {}
    ignored = []
    for column, name in enumerate(header):
        field = HEADERS.get(re.sub(r"[^a-z0-9]", "", name.lower()))
        if field is None:
            ignored.append(name.strip())
        elif field in columns:
            twice = f"{header[columns[field]].strip()!r} and {name.strip()!r}"
            raise RosterError(f"{path}, line {line}: two columns for {field}: {twice}")
        else:
            columns[field] = column
    if "username" not in columns:
        raise RosterError(
            f"{path}, line {line}: no column username. Found: {', '.join(ignored) or 'none'}; "
            f"accepted: {', '.join(FIELDS)}"
        )
    return columns, [name for name in ignored if name]


def _students(
    path: Path,
    columns: dict[str, int],
    width: int,
    records: list[tuple[int, list[str]]],
    reserved: Collection[str],
) -> tuple[Student, ...]:
    found: dict[str, Student] = {}
    lines: dict[str, int] = {}
    problems = []
    for line, record in records:
        row = {field: record[at] for field, at in columns.items() if at < len(record)}
        try:
            _check_width(record, width)
            one = student(row)
            _check_place(one.username, reserved, lines)
        except ValueError as error:
            problems.append(f"{path}, line {line}: {error}")
            continue
        found[one.username], lines[one.username] = one, line
    if problems:
        more = len(problems) - SHOWN_PROBLEMS
        shown = [*problems[:SHOWN_PROBLEMS], *([f"and {more} more"] if more > 0 else [])]
        raise RosterError("\n".join([*shown, "Nothing was changed."]))
    return tuple(found.values())


def _check_width(record: list[str], width: int) -> None:
    if any(field.strip() for field in record[width:]):
        raise ValueError(
            f"{len(record)} fields where the header has {width}: put a field with a comma in quotes"
        )


def _check_place(name: str, reserved: Collection[str], lines: dict[str, int]) -> None:
    if name in lines:
        raise ValueError(f"{name} is already in line {lines[name]}")
    if name in reserved:
        raise ValueError(f"{name} is an admin, an instructor or the grader of this course")
