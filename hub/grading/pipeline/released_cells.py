"""The cells of a released notebook to which a submission's cells are matched. Pure."""

from __future__ import annotations

import builtins
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import groupby, takewhile

from nbformat import NotebookNode

from hub.facts.cell_names import bound_names, names_used
from hub.facts.cell_roles import marks

_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})[ \t]*([^`]*)")
_PYTHON = re.compile(r"\W*(?:i?python|py)[\d.]*\b", re.IGNORECASE)  # what a fence says of its code
MIN_TELLING = 8  # minimum length of a stub's line that identifies an answer


@dataclass(frozen=True)
class ReleasedCell:
    """A named cell of the released notebook.

    name: its grade id.
    cell_id: its id in the notebook format.
    position: its index among all released cells.
    is_open: whether its text is the student's to write.
    by_hand: whether a person grades what is written there.
    is_test: whether its outcome is points.
    kind: code, markdown or raw.
    text: as released, without surrounding white space.
    names: those that its code binds; of an answer without any, those that its tests ask for.
    """

    name: str
    cell_id: str | None
    position: int
    is_open: bool
    by_hand: bool
    is_test: bool
    kind: str
    text: str
    names: frozenset[str] = frozenset()

    @cached_property
    def what(self) -> str:
        """The term for such a cell in messages."""
        if self.is_open:
            return "answer cell"
        return "test cell" if self.is_test else "given cell"

    def is_given(self, text: str) -> bool:
        """Whether a text is the released one except for white space.

        For an autograded answer, also except for whole lines of comments.
        """
        comments = not self.is_open or self.by_hand or self.kind != "code"
        return bool(self.text) and _bare(text, comments) == _bare(self.text, comments)

    def untouched(self, text: str) -> bool:
        return not text.strip() or self.is_given(text)

    def text_of(self, kind: str, text: str) -> str:
        """What a cell of `kind` says in this one's kind: code also where it had become text."""
        return unfenced(text) if self.kind == "code" != kind else text


def released_cells(released: NotebookNode) -> list[ReleasedCell]:
    """The released cells in the released order."""
    cells = []
    for position, cell in enumerate(released.cells):
        found = marks(cell)
        if not found.name:
            continue
        text = cell.source.strip()
        cells.append(
            ReleasedCell(
                name=found.name,
                cell_id=cell.get("id"),
                position=position,
                is_open=found.is_open,
                by_hand=found.grade and found.solution,
                is_test=found.is_test,
                kind=cell.cell_type,
                text=text,
                names=bound_names(text) if cell.cell_type == "code" else frozenset(),
            )
        )
    return list(_with_names(cells))


def _with_names(cells: list[ReleasedCell]) -> Iterator[ReleasedCell]:
    """The cells, where a stub binds nothing with the names that its tests use and nobody binds."""
    bound = frozenset(vars(builtins)).union(*(cell.names for cell in cells))
    for number, cell in enumerate(cells):
        if cell.is_open and cell.kind == "code" and not cell.by_hand and not cell.names:
            after = takewhile(lambda other: not other.is_open, cells[number + 1 :])
            used = (names_used(other.text) for other in after if other.is_test)
            cell = replace(cell, names=frozenset().union(*used) - bound)
        yield cell


def _bare(text: str, comments: bool) -> list[str]:
    """The stripped, non-empty lines of a text."""
    lines = (line.strip() for line in text.splitlines())
    return [line for line in lines if line and (comments or not line.startswith("#"))]


def unfenced(text: str) -> str:
    """The code in a text cell that used to be a code cell.

    That is what stands between fences, with the words around it as comments. Where a fence says
    Python, of those that say nothing only such count as bind a name: others show what it prints.
    Where there are no fences, it is what is indented by four where only that binds names, and else
    all of the text.
    """
    lines = list(_fenced(text))
    wanted = max((inside for _, inside in lines), default=0)
    if not wanted:
        return _unindented(text)
    kept = []
    for inside, block in groupby(lines, lambda line: line[1]):
        found = [line for line, _ in block]
        is_code = inside == wanted or (inside == 1 and bound_names("\n".join(found)))
        kept += [
            line if is_code else f"# {line}" if line.strip() and inside >= 0 else ""
            for line in found
        ]
    return "\n".join(kept).strip("\n")


def _unindented(text: str) -> str:
    """The indented blocks of a text, with the prose around them as comments."""
    lines = [line.expandtabs(4) for line in text.splitlines()]
    code = "\n".join(
        line[4:] if line.startswith("    ") else f"# {line}" if line.strip() else ""
        for line in lines
    )
    return code.strip("\n") if bound_names(code) and not bound_names(text) else text


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
    """Of (claimant, things), the things that only one claimant has."""
    owner: dict[str, str] = {}
    shared: set[str] = set()
    for claimant, things in claims:
        for thing in set(things):
            if owner.setdefault(thing, claimant) != claimant:
                shared.add(thing)
    return {thing: claimant for thing, claimant in owner.items() if thing not in shared}


def lines_of(text: str) -> set[str]:
    """The lines that distinguish one text from another."""
    lines = (line.strip() for line in text.splitlines())
    return {line for line in lines if len(line) >= MIN_TELLING}
