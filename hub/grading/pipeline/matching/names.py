"""By grade id, then by cell id."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from functools import partial

from hub.grading.pipeline.matching.result import How
from hub.grading.pipeline.matching.state import Matching
from hub.grading.pipeline.parsing import Cell
from hub.grading.pipeline.released_cells import only_owners


def by_name_and_id(state: Matching) -> None:
    named: dict[str, list[int]] = defaultdict(list)
    known: dict[str, list[int]] = defaultdict(list)
    ids = only_owners(
        (target.name, [target.cell_id] if target.cell_id else []) for target in state.released
    )
    for index, cell in enumerate(state.cells):
        name = cell.grade_id if cell.grade_id in state.by_name else None
        by_id = ids.get(cell.cell_id or "")
        if name and state.says_what(state.by_name[name], cell):
            named[name].append(index)
        elif name and not state.by_name[name].is_open:
            state.replace(state.by_name[name], index)
            if by_id in state.answers and cell.text.strip() not in state.locked_texts:
                known[by_id].append(index)
        elif by_id and not name and state.says_what(state.by_name[by_id], cell):
            known[by_id].append(index)
        elif by_id and not name and not state.by_name[by_id].is_open:
            state.replace(state.by_name[by_id], index)
    candidates: dict[str, tuple[How, list[int]]] = {
        **{name: ("id", indices) for name, indices in known.items()},
        **{name: ("name", indices) for name, indices in named.items()},
    }
    _drop_misnamed(state, candidates)
    for target in state.released:
        if not target.is_open and target.name in candidates:
            how, indices = candidates[target.name]
            state.choose(target, how, indices)
            left = set(indices) - {state.result.chosen[target.name]}
            added = {index for index in left if state.adds(target, state.cells[index])}
            state.result.dropped |= left - added
            for index in added:
                state.replace(target, index)
    for target in state.released:
        if target.is_open and target.name in candidates:
            state.choose(target, *candidates[target.name])
    used = {index for _, indices in candidates.values() for index in indices}
    used -= state.result.replaced.keys()
    chosen = set(state.result.chosen.values())
    for index, cell in enumerate(state.cells):
        # What another copy was preferred to is the student's own, but nothing's answer.
        if index not in used and index not in chosen:
            state.free[index] = cell.text.strip()


def _drop_misnamed(state: Matching, candidates: dict[str, tuple[How, list[int]]]) -> None:
    """Leave to the other rules the answers that say something else than their names or ids.

    That is what defines what one other exercise asks for, where nothing has that one's name.
    And text with the name of code, or code with the name of text, where names are shuffled: a
    cell whose kind was changed keeps its name else.
    """
    wrongly_named = _wrongly_named(state, candidates)
    for name in wrongly_named:
        candidates.pop(name, None)
    shuffled = bool(wrongly_named) or any(map(partial(_has_name_of_another, state), state.cells))
    left = 0
    while left != len(candidates):  # what one lost may have been another's only cell
        left = len(candidates)
        for name in [name for name in candidates if name in state.answers]:
            how, indices = candidates.pop(name)
            others = {i for i in indices if _is_anothers(state, name, i, candidates)}
            if shuffled:
                others |= {i for i in indices if _is_stray(state, name, i)}
            if how == "id" and (telling := {i for i in indices if name in state.defines(i)}):
                others |= set(indices) - telling  # several have the id, which says little
            if kept := [i for i in indices if i not in others]:
                candidates[name] = how, kept


def _has_name_of_another(state: Matching, cell: Cell) -> bool:
    """Whether a cell has the text of a given cell, test or heading, and another cell's name."""
    target = state.by_name.get(cell.grade_id or "")
    return target is not None and cell.text.strip() in state.locked_texts - {target.text}


def _wrongly_named(state: Matching, candidates: Mapping[str, tuple[How, list[int]]]) -> set[str]:
    """The answers that a cell with another's name defines, and none with their own name.

    One of the two cells has to be of the wrong kind, too.
    """
    found = set()
    for name in state.answers & candidates.keys():
        for index in candidates[name][1]:
            for other in state.alone(index) - {name}:
                named = candidates[other][1] if other in candidates else []
                kinds = [(name, index), *((other, i) for i in named)]
                if not any(other in state.defines(i) for i in named) and any(
                    state.is_of_wrong_kind(*pair) for pair in kinds
                ):
                    found.add(other)
    return found


def _is_stray(state: Matching, name: str, index: int) -> bool:
    return state.is_of_wrong_kind(name, index) and name not in state.defines(index)


def _is_anothers(state: Matching, name: str, index: int, candidates: Mapping[str, object]) -> bool:
    """Whether an answer defines what one other exercise asks for, and that has no other."""
    return not state.alone(index).isdisjoint(state.answers - {name} - candidates.keys())
