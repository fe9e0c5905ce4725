"""The four roles of code cells: whose text it is, and what it may decide."""

from collections.abc import Mapping
from typing import Any, Literal

Role = Literal["released", "solution", "test", "student"]


def role(cell: Mapping[str, Any]) -> Role:
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
    marks = cell["metadata"].get("nbgrader", {})
    if marks.get("solution"):
        return "solution"
    if marks.get("grade"):
        return "test"
    if marks.get("locked"):
        return "released"
    return "student"
