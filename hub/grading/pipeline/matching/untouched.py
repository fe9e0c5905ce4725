"""Stubs and questions that were left untouched, and where the student answered instead."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from hub.facts.cell_names import bound_names
from hub.grading.pipeline.matching.state import Matching


def leave_out_stubs(state: Matching) -> None:
    """Leave out untouched copies of a stub whose every name the answer defines."""
    answered = set()
    for target in state.chosen_answers():
        text = state.text(target, state.result.chosen[target.name])
        if target.kind != "code" or target.names <= bound_names(text):
            answered.add(target.text)
    answered.discard("")
    chosen = set(state.result.chosen.values())
    for index, cell in enumerate(state.cells):
        if index not in chosen and cell.text.strip() in answered:
            state.result.dropped.add(index)


def find_overtaken(state: Matching) -> None:
    """Find stubs that would overwrite what the student has defined above them.

    And those that the student has answered after their test, where it would come too late.
    """
    target_of = state.result.by_index()
    defined: dict[str, list[int]] = defaultdict(list)
    for index, cell in enumerate(state.cells):
        target = target_of.get(index)
        text = cell.text if target is None else state.text(target, index)
        if target is not None and not target.is_open:
            text = text.replace(target.text, "\n", 1) if state.adds(target, cell) else ""
        own = target is None or not target.untouched(text)
        is_code = (cell if target is None else target).kind == "code"
        if is_code and own and text.strip() not in state.given_texts:
            given = state.by_name.get(state.result.replaced.get(index, ""))
            for name in bound_names(text) - (given.names if given else set()):
                defined[name].append(index)
    for target in state.chosen_answers():
        name, index = target.name, state.result.chosen[target.name]
        names = target.names
        # Where another exercise asks for the same name, its answer is none to this one.
        alone = all(state.owner_of_name.get(bound) == name for bound in names)
        if target.by_hand or not names or not alone:
            continue
        if not target.untouched(state.text(target, index)):
            continue
        end = state.test_of(target)
        positions = [[i for i in defined.get(bound, []) if i < end] for bound in names]
        after = [{i for i in defined.get(bound, []) if i > end} for bound in names]
        late = set.intersection(*after)
        if all(found and found[-1] < index for found in positions):
            if target.is_given(state.text(target, index)):
                state.result.overtaken[name] = max(found[-1] for found in positions)
        elif not all(positions) and late:
            state.result.late[name] = max(late)


def find_untouched_by_hand(state: Matching) -> None:
    """A question graded by hand, left as it was, beside a text of the student's own."""
    fixed = {index for _, index in state.anchors()}
    for target in state.released:
        index = state.result.chosen.get(target.name)
        if index is None or not target.by_hand or not target.untouched(state.text(target, index)):
            continue
        before = [*_until(range(index - 1, -1, -1), fixed)][::-1]
        below = [*_until(range(index + 1, len(state.cells)), fixed)]
        # Many write all their answers at the end.
        end = [*_until(range(len(state.cells) - 1, index, -1), fixed)][::-1]
        of_kind = [i for i in (*before, *end) if not state.is_of_wrong_kind(target.name, i)]
        around = sorted({*of_kind, *below})
        maybe = [i for i in around if state.is_own(i) and not state.defines(i)]
        if maybe:
            state.result.maybe[target.name] = maybe


def _until(indices: Iterable[int], fixed: set[int]) -> Iterator[int]:
    for index in indices:
        if index in fixed:
            return
        yield index
