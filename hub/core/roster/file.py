"""The roster's file: one CSV in a fixed format, read and replaced as a whole."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterator
from pathlib import Path

from hub.core.roster.student import FIELDS, Student, student
from hub.core.settings import SettingsError
from hub.facts import files
from hub.facts.text import csv_line

# Not only the hub writes this file: its content must not exhaust the hub's memory.
LARGEST_BYTES = 4 * 1024 * 1024


class RosterError(SettingsError):
    """A roster cannot be used; the message names the file, the lines and what is accepted."""


def read_roster(path: Path) -> tuple[Student, ...]:
    """The students in the roster at `path`; none if there is no such file.

    Raises RosterError if it is not in the format that `write_roster` writes.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise RosterError(f"{path}: cannot be read ({error.strerror})") from error
    with os.fdopen(descriptor, "rb") as file:
        content = file.read(LARGEST_BYTES + 1)
    if len(content) > LARGEST_BYTES:
        raise RosterError(f"{path}: larger than {LARGEST_BYTES // 1024**2} MiB")
    try:
        rows = list(csv.reader(io.StringIO(content.decode("utf-8"), newline=""), strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise RosterError(f"{path}: not CSV as written by `logitlab roster import`") from error
    if not rows or tuple(rows[0]) != FIELDS:
        raise RosterError(f"{path}, line 1: expected {','.join(FIELDS)}")
    return _students(path, rows[1:])


def _students(path: Path, rows: list[list[str]]) -> tuple[Student, ...]:
    found: dict[str, Student] = {}
    for line, row in enumerate(rows, start=2):
        try:
            one = student(dict(zip(FIELDS, row, strict=True)))
        except ValueError as error:
            raise RosterError(f"{path}, line {line}: {error}") from error
        if one.username in found:
            raise RosterError(f"{path}, line {line}: {one.username} is listed twice")
        found[one.username] = one
    return tuple(found.values())


def csv_lines(students: tuple[Student, ...]) -> Iterator[str]:
    """The roster's file line by line. No field can be taken for a spreadsheet formula."""
    ordered = sorted(students, key=lambda one: one.username)
    for row in [FIELDS, *([getattr(one, field) for field in FIELDS] for one in ordered)]:
        yield csv_line(row)


def write_roster(path: Path, students: tuple[Student, ...]) -> None:
    """Replace the roster at `path` atomically: readers see either the old or the new one."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    text = "".join(f"{line}\n" for line in csv_lines(students))
    files.replace(path, text, mode=0o644)
