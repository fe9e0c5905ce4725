"""The marked regions of a cell: solutions, hidden tests, mark schemes."""

import enum
from dataclasses import dataclass


class Region(enum.Enum):
    """What a pair of BEGIN/END lines encloses; the value is the text after BEGIN and END."""

    SOLUTION = "SOLUTION"
    HIDDEN_TESTS = "HIDDEN TESTS"
    MARK_SCHEME = "MARK SCHEME"


@dataclass(frozen=True)
class Marked:
    """A region of a cell: its kind and the lines between the markers."""

    region: Region
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Split:
    """A cell's source taken apart: regions, everything else, and what is wrong with its markers."""

    marked: tuple[Marked, ...]
    public: tuple[str, ...]
    problems: tuple[str, ...]


def split(source: str) -> Split:
    """Take a cell's source apart at its BEGIN/END lines (as nbgrader finds them: anywhere in a
    line). A region without END runs to the end of the cell and is reported as a problem."""
    marked: list[Marked] = []
    public: list[str] = []
    problems: list[str] = []
    inside: Region | None = None
    lines: list[str] = []
    for line in source.splitlines():
        begins, ends = _marker(line, "BEGIN"), _marker(line, "END")
        if begins is not None:
            if inside is not None:
                problems.append(f"BEGIN {begins.value} stands inside a {inside.value} region")
                continue
            inside, lines = begins, []
        elif ends is not None:
            if inside is not ends:
                problems.append(f"END {ends.value} has no BEGIN {ends.value} before it")
                continue
            marked.append(Marked(ends, tuple(lines)))
            inside = None
        elif inside is None:
            public.append(line)
        else:
            lines.append(line)
    if inside is not None:
        problems.append(f"BEGIN {inside.value} has no END {inside.value} after it")
        marked.append(Marked(inside, tuple(lines)))
    return Split(tuple(marked), tuple(public), tuple(problems))


def _marker(line: str, word: str) -> Region | None:
    return next((region for region in Region if f"{word} {region.value}" in line), None)
