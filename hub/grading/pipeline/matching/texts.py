"""By text: given cells that have lost their names, and answers by what they define."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable

from hub.grading.pipeline.matching.state import Matching
from hub.grading.pipeline.released_cells import ReleasedCell


def given_by_text(state: Matching) -> None:
    positions: dict[str, list[int]] = defaultdict(list)
    for index, text in state.free.items():
        positions[text].append(index)
    for text, targets in _grouped(state.missing(is_open=False)):
        for target, index in zip(targets, positions.get(text, []), strict=False):
            state.take(target, "text", index)


def answers_by_text(state: Matching) -> None:
    candidates: dict[str, list[int]] = defaultdict(list)
    for index, text in state.free.items():
        if text and text not in state.given_texts:
            claims = state.claims(index)
            if len(claims) == 1:
                candidates[claims.pop()].append(index)
    for target in list(state.missing(is_open=True)):
        if found := candidates.get(target.name):
            state.choose(target, "text", found)
            for index in found:
                del state.free[index]
    # A stub that nobody worked on, where there is one such stub and one such cell.
    cells = Counter(state.free.values())
    stubs = Counter(target.text for target in state.released if target.is_open)
    alone = {text: i for i, text in state.free.items() if cells[text] == stubs[text] == 1}
    for target in list(state.missing(is_open=True)):
        if target.text and target.text in alone:
            state.take(target, "text", alone[target.text])


def _grouped(targets: Iterable[ReleasedCell]) -> list[tuple[str, list[ReleasedCell]]]:
    groups: dict[str, list[ReleasedCell]] = defaultdict(list)
    for target in targets:
        groups[target.text].append(target)
    return list(groups.items())
