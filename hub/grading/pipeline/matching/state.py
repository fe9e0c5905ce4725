"""What the rules share: the cells, what each says, and what has been found so far."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from nbformat import NotebookNode

from hub.facts.cell_names import bound_names
from hub.grading.pipeline.matching.result import How, Match
from hub.grading.pipeline.parsing import Cell
from hub.grading.pipeline.released_cells import (
    ReleasedCell,
    lines_of,
    only_owners,
    released_cells,
    unfenced,
)


class Matching:
    """One matching, which each rule takes further."""

    def __init__(self, cells: Sequence[Cell], released: NotebookNode) -> None:
        self.cells = cells
        self.given_texts = {cell.source.strip() for cell in released.cells}
        self.texts = [
            (position, cell.source.strip())
            for position, cell in enumerate(released.cells)
            if not cell.metadata.get("nbgrader", {}).get("grade_id")
        ]
        self.released = released_cells(released)
        self.by_name = {target.name: target for target in self.released}
        self.result = Match(self.released)
        self.free: dict[int, str] = {}  # cells that no rule has used, with their text
        self.owner_of_name = only_owners(
            (target.name, target.names) for target in self.released if target.kind == "code"
        )
        self.owner_of_line = only_owners(
            (target.name, lines_of(target.text)) for target in self.released
        )
        self.answers = {target.name for target in self.released if target.is_open}
        self.locked_texts = {target.text for target in self.released if not target.is_open}
        self.locked_texts = (self.locked_texts | {text for _, text in self.texts}) - {""}
        self.defined: dict[int, set[str]] = {}  # see `defines`
        self.edited: set[int] = set()  # replaced, but with lines of the locked cell

    def missing(self, is_open: bool) -> Iterator[ReleasedCell]:
        for target in self.released:
            if target.is_open == is_open and target.name not in self.result.chosen:
                yield target

    def chosen_answers(self) -> list[ReleasedCell]:
        return [
            target
            for target in self.released
            if target.is_open and target.name in self.result.chosen
        ]

    def anchors(self) -> Iterator[tuple[int, int]]:
        """Places of released cells, and the submitted cells that stand for them."""
        for name, index in self.result.chosen.items():
            yield self.by_name[name].position, index
        positions: dict[str, list[int]] = defaultdict(list)
        for index, cell in enumerate(self.cells):
            positions[cell.text.strip()].append(index)
        released = Counter(text for _, text in self.texts)
        for position, text in self.texts:
            if text and released[text] == len(positions.get(text, [])) == 1:
                yield position, positions[text][0]

    def test_of(self, answer: ReleasedCell) -> float:
        """Where the test of an answer stands among the submitted cells.

        Where the test is gone it is the given cell or test that comes next.
        """
        if not answer.by_hand:
            after = [
                target
                for target in self.released
                if target.position > answer.position and not target.is_open
            ]
            tests = [number for number, target in enumerate(after) if target.is_test]
            replaced = {name: index for index, name in self.result.replaced.items()}
            for target in after[tests[0] :] if tests else []:
                for found in (self.result.chosen, replaced):
                    if target.name in found:
                        return found[target.name]
        return float("inf")

    def says_what(self, target: ReleasedCell, cell: Cell) -> bool:
        """Whether a cell with the name or id of `target` can stand for it by what it says."""
        text = cell.text.strip()
        if target.is_open:
            return text == target.text or text not in self.locked_texts
        return not text or target.is_given(text) or self.adds(target, cell)

    @staticmethod
    def adds(target: ReleasedCell, cell: Cell) -> bool:
        """Whether a cell has the text of a given cell or test, and more."""
        return bool(target.text) and target.text in cell.text and not target.is_given(cell.text)

    def text(self, target: ReleasedCell, index: int) -> str:
        return target.text_of(self.cells[index].kind, self.cells[index].text)

    def claims(self, index: int) -> set[str]:
        """Released cells whose names a cell binds, or where it binds none, whose lines it has."""
        claims = self.defines(index)
        lines = lines_of(self.cells[index].text) if not claims else set()
        return claims or {self.owner_of_line.get(line, "") for line in lines} & self.answers

    def defines(self, index: int) -> set[str]:
        """The released cells whose names a cell binds, also where it had become a text cell."""
        if index not in self.defined:
            cell = self.cells[index]
            names = bound_names(cell.text if cell.kind == "code" else unfenced(cell.text))
            owners = {self.owner_of_name.get(name, "") for name in names}
            self.defined[index] = owners & self.answers
        return set(self.defined[index])

    def alone(self, index: int) -> set[str]:
        """The answer that a cell defines, where it is one only."""
        defines = self.defines(index)
        return defines if len(defines) == 1 else set()

    def is_of_wrong_kind(self, name: str, index: int) -> bool:
        return (self.by_name[name].kind == "code") != (self.cells[index].kind == "code")

    def is_own(self, index: int) -> bool:
        """Whether a cell that no rule has used may be an answer by where it stands."""
        text = self.free.get(index, "")
        return (
            text not in {*self.given_texts, ""}
            and index not in self.edited
            and not self._is_mostly_locked(index)
        )

    def _is_mostly_locked(self, index: int) -> bool:
        """Whether more than half of a cell's lines are those of one given cell or test."""
        lines = lines_of(self.cells[index].text)
        owners = Counter(self.owner_of_line.get(line, "") for line in lines)
        return any(2 * owners[cell.name] > len(lines) for cell in self.released if not cell.is_open)

    def choose(self, target: ReleasedCell, how: How, indices: list[int]) -> None:
        """Take one of the cells that stand for `target`; of answers the last before their test."""
        texts = {index: self.text(target, index) for index in indices}
        if target.is_open:
            worked = [index for index in indices if not target.untouched(texts[index])]
            end = self.test_of(target)
            in_time = [index for index in worked if index < end]
            # The first of equal copies, so that the rest stand where they stood.
            last = (in_time or worked or [i for i in indices if i < end] or indices)[-1]
            taken = next(index for index in indices if texts[index] == texts[last])
        else:
            same = [index for index in indices if target.is_given(texts[index])]
            more = [index for index in indices if self.adds(target, self.cells[index])]
            taken = (same or more or indices)[0]
        self.result.chosen[target.name] = taken
        self.result.how[target.name] = how
        self.result.found[target.name] = len(indices)

    def take(self, target: ReleasedCell, how: How, index: int) -> None:
        self.result.chosen[target.name] = index
        self.result.how[target.name] = how
        self.result.found[target.name] = 1
        del self.free[index]

    def replace(self, target: ReleasedCell, index: int) -> None:
        self.result.replaced[index] = target.name
        if lines_of(target.text) & lines_of(self.cells[index].text):
            self.edited.add(index)
