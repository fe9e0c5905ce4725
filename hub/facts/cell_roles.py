"""What nbgrader's metadata say about a cell: whose text it is, and what it may decide."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

CellRole = Literal["released", "solution", "test", "student"]


@dataclass(frozen=True)
class Marks:
    """A cell's nbgrader metadata, none of which a student's own cell has.

    name: its grade id; "" where it has none.
    grade, solution, locked, task: as nbgrader's, of any type of cell.
    """

    name: str
    grade: bool
    solution: bool
    locked: bool
    task: bool

    @property
    def by_hand(self) -> bool:
        """Whether a person gives its points."""
        return self.task or (self.grade and self.solution)

    @property
    def is_test(self) -> bool:
        """Whether running it gives its points."""
        return self.grade and not self.solution

    @property
    def has_points(self) -> bool:
        return self.grade or self.task

    @property
    def is_given(self) -> bool:
        """Whether it neither has points nor is the answer to something."""
        return not (self.grade or self.solution or self.task)

    @property
    def is_open(self) -> bool:
        """Whether its text is the student's to write."""
        return self.solution or not (self.grade or self.locked or self.task)


def marks(cell: Mapping[str, Any]) -> Marks:
    """The marks of a cell of any type."""
    found = cell["metadata"].get("nbgrader", {})
    flags = (bool(found.get(key)) for key in ("grade", "solution", "locked", "task"))
    return Marks(found.get("grade_id") or "", *flags)


def role(cell: Mapping[str, Any]) -> CellRole:
    """The role of a code cell, from its nbgrader metadata.

    - `released`: given text that students cannot change, not graded;
    - `solution`: the student's answer, autograded by later tests or graded by hand;
    - `test`: given text whose outcome is points;
    - `student`: everything else, that is cells to play with and cells the student added.

    Raises:
        ValueError: the cell is no code cell.
    """
    if cell["cell_type"] != "code":
        raise ValueError(f"a {cell['cell_type']} cell has no role")
    found = marks(cell)
    if found.solution:
        return "solution"
    if found.grade:
        return "test"
    return "released" if found.locked else "student"
