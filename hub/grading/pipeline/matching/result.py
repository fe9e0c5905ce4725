"""What matching finds: `Match`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from hub.grading.pipeline.released_cells import ReleasedCell

How = Literal["name", "id", "text", "position"]


@dataclass
class Match:
    """What was found for each released cell; submitted cells are meant by their index.

    chosen: the cell that stands for each released cell, by its name.
    how: by which rule it was found.
    found: how many cells had the name or id of the released one.
    dropped: cells that say nothing of the student's: copies of given cells, tests and stubs.
    replaced: cells that have the name or id of a given cell or test but say something else, with
        its name: the student's own, or the answer to another exercise.
    late: answers that were left untouched while the student defined their names after their test
        only, with the last cell that does.
    overtaken: answers that were left untouched after the student had defined their names in an
        earlier cell, with that cell.
    exchanged: names of released cells that had changed names with each other.
    maybe: cells that may be the answer to a question graded by hand which was not found, or was
        left untouched.
    """

    released: list[ReleasedCell]
    chosen: dict[str, int] = field(default_factory=dict)
    how: dict[str, How] = field(default_factory=dict)
    found: dict[str, int] = field(default_factory=dict)
    dropped: set[int] = field(default_factory=set)
    replaced: dict[int, str] = field(default_factory=dict)
    late: dict[str, int] = field(default_factory=dict)
    overtaken: dict[str, int] = field(default_factory=dict)
    exchanged: list[list[str]] = field(default_factory=list)
    maybe: dict[str, list[int]] = field(default_factory=dict)

    def by_index(self) -> dict[int, ReleasedCell]:
        """The released cell that each chosen cell stands for."""
        targets = {target.name: target for target in self.released}
        return {index: targets[name] for name, index in self.chosen.items()}
