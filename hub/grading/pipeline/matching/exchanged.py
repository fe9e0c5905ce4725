"""By what answers define, where that contradicts their names."""

from __future__ import annotations

from hub.grading.pipeline.matching.state import Matching


def give_back_exchanged(state: Matching) -> None:
    """Take cells that define what each other's exercise asks for, each for its own."""
    chosen, leads = state.result.chosen, dict[str, str]()
    for target in state.chosen_answers():
        defines = state.defines(chosen[target.name])
        if len(defines) == 1 and target.name not in defines:
            leads[target.name] = defines.pop()
    for start in [target.name for target in state.chosen_answers()]:
        if start not in leads:
            continue
        ring = [start]
        while (after := leads.get(ring[-1])) in chosen and after not in ring:
            ring.append(after)
        if after == start or _could_be_moved(state, ring[-1], start):
            indices = [chosen[name] for name in ring]
            chosen.update(zip(ring, [indices[-1], *indices[:-1]], strict=True))
            state.result.exchanged.append(ring)
            for name in ring:
                leads.pop(name, None)


def _could_be_moved(state: Matching, name: str, other: str) -> bool:
    """Whether the cell of an answer defines nothing asked for and can be that of another."""
    target, index = state.by_name[name], state.result.chosen[name]
    cell = state.cells[index]
    return (
        bool(target.names)
        and not state.defines(index)
        and not target.untouched(cell.text)
        and cell.kind == state.by_name[other].kind
    )
