"""The cells of a released notebook as places that a submission's cells are matched to. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from nbformat import NotebookNode

from hub.grading.roles import marks

_BINDS = re.compile(r"(?:async\s+def|def|class)\s+(\w+)|(\w+)\s*(?::[^=\n]*)?=(?!=)")
_IMPORTS = re.compile(r"(?:from\s+\S+\s+)?import\s+(.+)")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})[ \t]*([^`]*)")
_PYTHON = re.compile(r"\W*(?:i?python|py)[\d.]*\b", re.IGNORECASE)  # what a fence says of its code
MIN_TELLING = 8  # characters that a line of a stub has at least, to tell one answer from others


@dataclass(frozen=True)
class Slot:
    """A named cell of the released notebook.

    name: its grade id.
    cell_id: its id in the notebook format.
    place: its index among all released cells.
    is_open: whether its text is the student's to write.
    by_hand: whether a person grades what is written there.
    is_test: whether its outcome is points.
    kind: code, markdown or raw.
    text: as it was released, without white space around.
    """

    name: str
    cell_id: str | None
    place: int
    is_open: bool
    by_hand: bool
    is_test: bool
    kind: str
    text: str

    @cached_property
    def what(self) -> str:
        """The word for such a cell in a sentence."""
        if self.is_open:
            return "answer cell"
        return "test cell" if self.is_test else "given cell"

    def untouched(self, text: str) -> bool:
        return text.strip() in ("", self.text)

    def text_of(self, kind: str, text: str) -> str:
        """What a cell of a kind says as this slot's: code also where it had become a text cell."""
        return unfenced(text) if self.kind == "code" != kind else text


def slots_of(released: NotebookNode) -> list[Slot]:
    """The slots in the released order."""
    slots = []
    for place, cell in enumerate(released.cells):
        found = marks(cell)
        if not found.name:
            continue
        slots.append(
            Slot(
                name=found.name,
                cell_id=cell.get("id"),
                place=place,
                is_open=found.is_open,
                by_hand=found.grade and found.solution,
                is_test=found.is_test,
                kind=cell.cell_type,
                text=cell.source.strip(),
            )
        )
    return slots


def bound_names(code: str) -> frozenset[str]:
    """The names that the lines of a cell bind at the left margin.

    By line, so that it works for code that is no Python yet, and takes time in its length only.
    """
    names: set[str] = set()
    for line in code.splitlines():
        if match := _BINDS.match(line[:1000]):
            names.add(match[1] or match[2])
        elif match := _IMPORTS.match(line[:1000]):
            parts = (part.split() for part in match[1].strip("() \t").split(","))
            names |= {words[-1].partition(".")[0] for words in parts if words}
    return frozenset(names)


def unfenced(text: str) -> str:
    """The code in a text cell that was code before.

    That is what stands between fences, with the words around it as comments, or all of the text
    where there are none. Where a fence says Python, only such do.
    """
    lines = list(_fenced(text))
    wanted = max((inside for _, inside in lines), default=0)
    if not wanted:
        return text
    return "\n".join(
        line if inside == wanted else f"# {line}" if line.strip() and inside >= 0 else ""
        for line, inside in lines
    ).strip("\n")


def _fenced(text: str) -> Iterator[tuple[str, int]]:
    """The lines, each with 2 inside a fence that says Python, 1 in one that says nothing, 0
    elsewhere, and -1 for a fence itself."""
    fence, inside = "", 0
    for line in text.splitlines():
        match = _FENCE.fullmatch(line)
        if match and not fence:
            fence, says = match[1], match[2].strip()
            inside = 2 if _PYTHON.match(says) else 0 if says else 1
            yield line, -1
        elif match and match[1].startswith(fence) and not match[2].strip():
            fence, inside = "", 0
            yield line, -1
        else:
            yield line, inside


def only_owners(claims: Iterable[tuple[str, Iterable[str]]]) -> dict[str, str]:
    """Who alone claims what: of (claimant, things), the things that one claimant has."""
    owner: dict[str, str] = {}
    shared: set[str] = set()
    for claimant, things in claims:
        for thing in set(things):
            if owner.setdefault(thing, claimant) != claimant:
                shared.add(thing)
    return {thing: claimant for thing, claimant in owner.items() if thing not in shared}


def lines_of(text: str) -> set[str]:
    """The lines by which one text can be told from another."""
    lines = (line.strip() for line in text.splitlines())
    return {line for line in lines if len(line) >= MIN_TELLING}
