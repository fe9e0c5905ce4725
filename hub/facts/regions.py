"""The regions that nbgrader cuts out of a cell: between a line with BEGIN … and one with END …."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal


class Region(enum.Enum):
    """What a pair of BEGIN/END lines encloses; the value is the text after BEGIN and END."""

    SOLUTION = "SOLUTION"
    HIDDEN_TESTS = "HIDDEN TESTS"
    MARK_SCHEME = "MARK SCHEME"


@dataclass(frozen=True)
class Line:
    """A line of a cell.

    kind: text; begin or end, of a region; or stray, a marker where none can be.
    region: the one it belongs to, its markers included; None: it is in the open.
    problems: what is wrong with the markers up to here, such as an END without a BEGIN.
    """

    text: str
    kind: Literal["text", "begin", "end", "stray"]
    region: Region | None
    problems: tuple[str, ...] = ()

    @property
    def indent(self) -> str:
        return self.text[: len(self.text) - len(self.text.lstrip())]


def lines_of(source: str) -> Iterator[Line]:
    """The lines of a cell, with markers found as nbgrader finds them: anywhere in a line.

    A region without END runs to the end of the cell, whose last line has that problem.
    """
    inside: Region | None = None
    texts = source.split("\n")
    for number, text in enumerate(texts, 1):
        line, inside = _read(text, inside)
        if inside is not None and number == len(texts):
            problem = f"BEGIN {inside.value} has no END {inside.value} after it"
            line = replace(line, problems=(*line.problems, problem))
        yield line


def _read(text: str, inside: Region | None) -> tuple[Line, Region | None]:
    """A line, and the region that the next one is in."""
    begun, ended = _marked(text, "BEGIN"), _marked(text, "END")
    if begun is not None:
        if inside is None:
            return Line(text, "begin", begun), begun
        problem = f"BEGIN {begun.value} stands inside a {inside.value} region"
        return Line(text, "stray", inside, (problem,)), inside
    if ended is not None:
        if inside is ended:
            return Line(text, "end", ended), None
        problem = f"END {ended.value} has no BEGIN {ended.value} before it"
        return Line(text, "stray", inside, (problem,)), inside
    return Line(text, "text", inside), inside


def _marked(line: str, word: str) -> Region | None:
    return next((region for region in Region if f"{word} {region.value}" in line), None)
