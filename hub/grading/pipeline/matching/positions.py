"""By position: answers between cells that were found."""

from __future__ import annotations

from collections import defaultdict

from hub.grading.pipeline.matching.state import Matching
from hub.grading.pipeline.released_cells import ReleasedCell


def answers_by_position(state: Matching) -> None:
    for (start, end), targets in _gaps(state).items():
        inside = [index for index in state.free if start < index < end]
        worked = [index for index in inside if state.is_own(index)]
        for kind in ("code", "markdown", "raw"):
            of_kind = [target for target in targets if target.kind == kind]
            cells = [index for index in worked if state.cells[index].kind == kind]
            if len(of_kind) == len(cells) == 1 and _could_be(state, of_kind[0], cells[0]):
                state.take(of_kind[0], "position", cells[0])
            elif len(targets) == 1 and of_kind and not worked:
                stub = [index for index in inside if state.free[index] == targets[0].text]
                if len(stub) == 1:
                    state.take(targets[0], "position", stub[0])
        for target in targets:
            if target.by_hand and target.name not in state.result.chosen:
                state.result.maybe[target.name] = [i for i in worked if i in state.free]


def _could_be(state: Matching, target: ReleasedCell, index: int) -> bool:
    """A cell that defines none of what a stub defines is something else of the student's."""
    defines = state.cells[index].kind == "code" and target.names
    return not defines and not state.claims(index)


def _gaps(state: Matching) -> dict[tuple[float, float], list[ReleasedCell]]:
    """The answers that are still missing, by the submitted cells between which they belong."""
    anchors = sorted(state.anchors())
    gaps: dict[tuple[float, float], list[ReleasedCell]] = defaultdict(list)
    for target in state.missing(is_open=True):
        before = [index for position, index in anchors if position < target.position]
        after = [index for position, index in anchors if position > target.position]
        gap = (before[-1] if before else -1.0, after[0] if after else float("inf"))
        gaps[gap].append(target)
    return gaps
