"""Which submitted cell stands for which cell of the released notebook. Pure, in linear time.

By grade id; where no cell has it, by cell id; where those are gone too, by text, then by position.
Where answers define what each other's exercise asks for, their names or ids were exchanged: each
is taken for the exercise that it answers.
A match decides whose text goes into an answer cell and where a student's own cells stand. It never
decides about a given cell, a test or points: those are the released ones whatever is matched. A
cell that has the name of one, but not its text, is the student's own.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from nbformat import NotebookNode

from hub.facts.cell_names import bound_names
from hub.grading.pipeline.parsing import Cell
from hub.grading.pipeline.released_cells import (
    ReleasedCell,
    lines_of,
    only_owners,
    released_cells,
    unfenced,
)

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


def match(cells: Sequence[Cell], released: NotebookNode) -> Match:
    """Match the submitted cells, in their order, to those of the released notebook."""
    return _Matching(cells, released).match()


class _Matching:
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
        self.defined: dict[int, set[str]] = {}  # see `_defines`
        self.edited: set[int] = set()  # replaced, but with lines of the locked cell

    def match(self) -> Match:
        self._by_name_and_id()
        self._given_by_text()
        self._answers_by_text()
        self._answers_by_position()
        self._give_back_exchanged()
        self._leave_out_stubs()
        self._find_overtaken()
        self._find_untouched_by_hand()
        return self.result

    # By grade id, then by cell id.

    def _by_name_and_id(self) -> None:
        named: dict[str, list[int]] = defaultdict(list)
        known: dict[str, list[int]] = defaultdict(list)
        ids = only_owners(
            (target.name, [target.cell_id] if target.cell_id else []) for target in self.released
        )
        for index, cell in enumerate(self.cells):
            name = cell.grade_id if cell.grade_id in self.by_name else None
            by_id = ids.get(cell.cell_id or "")
            if name and self._says_what(self.by_name[name], cell):
                named[name].append(index)
            elif name and not self.by_name[name].is_open:
                self._replace(self.by_name[name], index)
                if by_id in self.answers and cell.text.strip() not in self.locked_texts:
                    known[by_id].append(index)
            elif by_id and not name and self._says_what(self.by_name[by_id], cell):
                known[by_id].append(index)
            elif by_id and not name and not self.by_name[by_id].is_open:
                self._replace(self.by_name[by_id], index)
        candidates: dict[str, tuple[How, list[int]]] = {
            **{name: ("id", indices) for name, indices in known.items()},
            **{name: ("name", indices) for name, indices in named.items()},
        }
        self._drop_misnamed(candidates)
        for target in self.released:
            if not target.is_open and target.name in candidates:
                how, indices = candidates[target.name]
                self._choose(target, how, indices)
                left = set(indices) - {self.result.chosen[target.name]}
                added = {index for index in left if self._adds(target, self.cells[index])}
                self.result.dropped |= left - added
                for index in added:
                    self._replace(target, index)
        for target in self.released:
            if target.is_open and target.name in candidates:
                self._choose(target, *candidates[target.name])
        used = {index for _, indices in candidates.values() for index in indices}
        used -= self.result.replaced.keys()
        chosen = set(self.result.chosen.values())
        for index, cell in enumerate(self.cells):
            # What another copy was preferred to is the student's own, but nothing's answer.
            if index not in used and index not in chosen:
                self.free[index] = cell.text.strip()

    def _drop_misnamed(self, candidates: dict[str, tuple[How, list[int]]]) -> None:
        """Leave to the other rules the answers that say something else than their names or ids.

        That is what defines what one other exercise asks for, where nothing has that one's name.
        And text with the name of code, or code with the name of text, where names are shuffled: a
        cell whose kind was changed keeps its name else.
        """
        wrongly_named = self._wrongly_named(candidates)
        for name in wrongly_named:
            candidates.pop(name, None)
        shuffled = bool(wrongly_named) or any(map(self._has_name_of_another, self.cells))
        left = 0
        while left != len(candidates):  # what one lost may have been another's only cell
            left = len(candidates)
            for name in [name for name in candidates if name in self.answers]:
                how, indices = candidates.pop(name)
                others = {i for i in indices if self._is_anothers(name, i, candidates)}
                if shuffled:
                    others |= {i for i in indices if self._is_stray(name, i)}
                if how == "id" and (telling := {i for i in indices if name in self._defines(i)}):
                    others |= set(indices) - telling  # several have the id, which says little
                if kept := [i for i in indices if i not in others]:
                    candidates[name] = how, kept

    def _has_name_of_another(self, cell: Cell) -> bool:
        """Whether a cell has the text of a given cell, test or heading, and another cell's name."""
        target = self.by_name.get(cell.grade_id or "")
        return target is not None and cell.text.strip() in self.locked_texts - {target.text}

    def _wrongly_named(self, candidates: Mapping[str, tuple[How, list[int]]]) -> set[str]:
        """The answers that a cell with another's name defines, and none with their own name.

        One of the two cells has to be of the wrong kind, too.
        """
        found = set()
        for name in self.answers & candidates.keys():
            for index in candidates[name][1]:
                for other in self._alone(index) - {name}:
                    named = candidates[other][1] if other in candidates else []
                    kinds = [(name, index), *((other, i) for i in named)]
                    if not any(other in self._defines(i) for i in named) and any(
                        self._is_of_wrong_kind(*pair) for pair in kinds
                    ):
                        found.add(other)
        return found

    def _alone(self, index: int) -> set[str]:
        """The answer that a cell defines, where it is one only."""
        defines = self._defines(index)
        return defines if len(defines) == 1 else set()

    def _is_stray(self, name: str, index: int) -> bool:
        return self._is_of_wrong_kind(name, index) and name not in self._defines(index)

    def _is_of_wrong_kind(self, name: str, index: int) -> bool:
        return (self.by_name[name].kind == "code") != (self.cells[index].kind == "code")

    def _is_anothers(self, name: str, index: int, candidates: Mapping[str, object]) -> bool:
        """Whether an answer defines what one other exercise asks for, and that has no other."""
        return not self._alone(index).isdisjoint(self.answers - {name} - candidates.keys())

    def _says_what(self, target: ReleasedCell, cell: Cell) -> bool:
        """Whether a cell with the name or id of `target` can stand for it by what it says."""
        text = cell.text.strip()
        if target.is_open:
            return text == target.text or text not in self.locked_texts
        return not text or target.is_given(text) or self._adds(target, cell)

    @staticmethod
    def _adds(target: ReleasedCell, cell: Cell) -> bool:
        """Whether a cell has the text of a given cell or test, and more."""
        return bool(target.text) and target.text in cell.text and not target.is_given(cell.text)

    def _replace(self, target: ReleasedCell, index: int) -> None:
        self.result.replaced[index] = target.name
        if lines_of(target.text) & lines_of(self.cells[index].text):
            self.edited.add(index)

    def _choose(self, target: ReleasedCell, how: How, indices: list[int]) -> None:
        """Take one of the cells that stand for `target`; of answers the last before their test."""
        texts = {index: self._text(target, index) for index in indices}
        if target.is_open:
            worked = [index for index in indices if not target.untouched(texts[index])]
            end = self._test_of(target)
            in_time = [index for index in worked if index < end]
            # The first of equal copies, so that the rest stand where they stood.
            last = (in_time or worked or [i for i in indices if i < end] or indices)[-1]
            taken = next(index for index in indices if texts[index] == texts[last])
        else:
            same = [index for index in indices if target.is_given(texts[index])]
            more = [index for index in indices if self._adds(target, self.cells[index])]
            taken = (same or more or indices)[0]
        self.result.chosen[target.name] = taken
        self.result.how[target.name] = how
        self.result.found[target.name] = len(indices)

    def _test_of(self, answer: ReleasedCell) -> float:
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

    # By text.

    def _given_by_text(self) -> None:
        positions: dict[str, list[int]] = defaultdict(list)
        for index, text in self.free.items():
            positions[text].append(index)
        for text, targets in _grouped(self._missing(is_open=False)):
            for target, index in zip(targets, positions.get(text, []), strict=False):
                self._take(target, "text", index)

    def _answers_by_text(self) -> None:
        candidates: dict[str, list[int]] = defaultdict(list)
        for index, text in self.free.items():
            if text and text not in self.given_texts:
                claims = self._claims(index)
                if len(claims) == 1:
                    candidates[claims.pop()].append(index)
        for target in list(self._missing(is_open=True)):
            if found := candidates.get(target.name):
                self._choose(target, "text", found)
                for index in found:
                    del self.free[index]
        # A stub that nobody worked on, where there is one such stub and one such cell.
        cells = Counter(self.free.values())
        stubs = Counter(target.text for target in self.released if target.is_open)
        alone = {text: i for i, text in self.free.items() if cells[text] == stubs[text] == 1}
        for target in list(self._missing(is_open=True)):
            if target.text and target.text in alone:
                self._take(target, "text", alone[target.text])

    def _claims(self, index: int) -> set[str]:
        """Released cells whose names a cell binds, or where it binds none, whose lines it has."""
        claims = self._defines(index)
        lines = lines_of(self.cells[index].text) if not claims else set()
        return claims or {self.owner_of_line.get(line, "") for line in lines} & self.answers

    def _defines(self, index: int) -> set[str]:
        """The released cells whose names a cell binds, also where it had become a text cell."""
        if index not in self.defined:
            cell = self.cells[index]
            names = bound_names(cell.text if cell.kind == "code" else unfenced(cell.text))
            owners = {self.owner_of_name.get(name, "") for name in names}
            self.defined[index] = owners & self.answers
        return set(self.defined[index])

    def _text(self, target: ReleasedCell, index: int) -> str:
        return target.text_of(self.cells[index].kind, self.cells[index].text)

    # By position.

    def _answers_by_position(self) -> None:
        for (start, end), targets in self._gaps().items():
            inside = [index for index in self.free if start < index < end]
            worked = [index for index in inside if self._is_own(index)]
            for kind in ("code", "markdown", "raw"):
                of_kind = [target for target in targets if target.kind == kind]
                cells = [index for index in worked if self.cells[index].kind == kind]
                if len(of_kind) == len(cells) == 1 and self._could_be(of_kind[0], cells[0]):
                    self._take(of_kind[0], "position", cells[0])
                elif len(targets) == 1 and of_kind and not worked:
                    stub = [index for index in inside if self.free[index] == targets[0].text]
                    if len(stub) == 1:
                        self._take(targets[0], "position", stub[0])
            for target in targets:
                if target.by_hand and target.name not in self.result.chosen:
                    self.result.maybe[target.name] = [i for i in worked if i in self.free]

    def _is_own(self, index: int) -> bool:
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

    def _could_be(self, target: ReleasedCell, index: int) -> bool:
        """A cell that defines none of what a stub defines is something else of the student's."""
        defines = self.cells[index].kind == "code" and target.names
        return not defines and not self._claims(index)

    def _gaps(self) -> dict[tuple[float, float], list[ReleasedCell]]:
        """The answers that are still missing, by the submitted cells between which they belong."""
        anchors = sorted(self._anchors())
        gaps: dict[tuple[float, float], list[ReleasedCell]] = defaultdict(list)
        for target in self._missing(is_open=True):
            before = [index for position, index in anchors if position < target.position]
            after = [index for position, index in anchors if position > target.position]
            gap = (before[-1] if before else -1.0, after[0] if after else float("inf"))
            gaps[gap].append(target)
        return gaps

    def _anchors(self) -> Iterator[tuple[int, int]]:
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

    # By what they define, where that contradicts their names.

    def _give_back_exchanged(self) -> None:
        """Take cells that define what each other's exercise asks for, each for its own."""
        chosen, leads = self.result.chosen, dict[str, str]()
        for target in self._chosen_answers():
            defines = self._defines(chosen[target.name])
            if len(defines) == 1 and target.name not in defines:
                leads[target.name] = defines.pop()
        for start in [target.name for target in self._chosen_answers()]:
            if start not in leads:
                continue
            ring = [start]
            while (after := leads.get(ring[-1])) in chosen and after not in ring:
                ring.append(after)
            if after == start or self._could_be_moved(ring[-1], start):
                indices = [chosen[name] for name in ring]
                chosen.update(zip(ring, [indices[-1], *indices[:-1]], strict=True))
                self.result.exchanged.append(ring)
                for name in ring:
                    leads.pop(name, None)

    def _could_be_moved(self, name: str, other: str) -> bool:
        """Whether the cell of an answer defines nothing asked for and can be that of another."""
        target, index = self.by_name[name], self.result.chosen[name]
        cell = self.cells[index]
        return (
            bool(target.names)
            and not self._defines(index)
            and not target.untouched(cell.text)
            and cell.kind == self.by_name[other].kind
        )

    def _chosen_answers(self) -> list[ReleasedCell]:
        return [
            target
            for target in self.released
            if target.is_open and target.name in self.result.chosen
        ]

    # What is left.

    def _leave_out_stubs(self) -> None:
        """Leave out untouched copies of a stub whose every name the answer defines."""
        answered = set()
        for target in self._chosen_answers():
            text = self._text(target, self.result.chosen[target.name])
            if target.kind != "code" or target.names <= bound_names(text):
                answered.add(target.text)
        answered.discard("")
        chosen = set(self.result.chosen.values())
        for index, cell in enumerate(self.cells):
            if index not in chosen and cell.text.strip() in answered:
                self.result.dropped.add(index)

    def _find_overtaken(self) -> None:
        """Find stubs that would overwrite what the student has defined above them.

        And those that the student has answered after their test, where it would come too late.
        """
        target_of = self.result.by_index()
        defined: dict[str, list[int]] = defaultdict(list)
        for index, cell in enumerate(self.cells):
            target = target_of.get(index)
            text = cell.text if target is None else self._text(target, index)
            if target is not None and not target.is_open:
                text = text.replace(target.text, "\n", 1) if self._adds(target, cell) else ""
            own = target is None or not target.untouched(text)
            is_code = (cell if target is None else target).kind == "code"
            if is_code and own and text.strip() not in self.given_texts:
                given = self.by_name.get(self.result.replaced.get(index, ""))
                for name in bound_names(text) - (given.names if given else set()):
                    defined[name].append(index)
        for target in self._chosen_answers():
            name, index = target.name, self.result.chosen[target.name]
            names = target.names
            # Where another exercise asks for the same name, its answer is none to this one.
            alone = all(self.owner_of_name.get(bound) == name for bound in names)
            if target.by_hand or not names or not alone:
                continue
            if not target.untouched(self._text(target, index)):
                continue
            end = self._test_of(target)
            positions = [[i for i in defined.get(bound, []) if i < end] for bound in names]
            after = [{i for i in defined.get(bound, []) if i > end} for bound in names]
            late = set.intersection(*after)
            if all(found and found[-1] < index for found in positions):
                if target.is_given(self._text(target, index)):
                    self.result.overtaken[name] = max(found[-1] for found in positions)
            elif not all(positions) and late:
                self.result.late[name] = max(late)

    def _find_untouched_by_hand(self) -> None:
        """A question graded by hand, left as it was, beside a text of the student's own."""
        fixed = {index for _, index in self._anchors()}
        for target in self.released:
            index = self.result.chosen.get(target.name)
            if (
                index is None
                or not target.by_hand
                or not target.untouched(self._text(target, index))
            ):
                continue
            before = [*_until(range(index - 1, -1, -1), fixed)][::-1]
            below = [*_until(range(index + 1, len(self.cells)), fixed)]
            # Many write all their answers at the end.
            end = [*_until(range(len(self.cells) - 1, index, -1), fixed)][::-1]
            of_kind = [i for i in (*before, *end) if not self._is_of_wrong_kind(target.name, i)]
            around = sorted({*of_kind, *below})
            maybe = [i for i in around if self._is_own(i) and not self._defines(i)]
            if maybe:
                self.result.maybe[target.name] = maybe

    def _missing(self, is_open: bool) -> Iterator[ReleasedCell]:
        for target in self.released:
            if target.is_open == is_open and target.name not in self.result.chosen:
                yield target

    def _take(self, target: ReleasedCell, how: How, index: int) -> None:
        self.result.chosen[target.name] = index
        self.result.how[target.name] = how
        self.result.found[target.name] = 1
        del self.free[index]


def _grouped(targets: Iterable[ReleasedCell]) -> list[tuple[str, list[ReleasedCell]]]:
    groups: dict[str, list[ReleasedCell]] = defaultdict(list)
    for target in targets:
        groups[target.text].append(target)
    return list(groups.items())


def _until(indices: Iterable[int], fixed: set[int]) -> Iterator[int]:
    for index in indices:
        if index in fixed:
            return
        yield index
