"""Which submitted cell stands for which cell of the released notebook. Pure, in linear time.

By grade id; where no cell has it, by cell id; where those are gone too, by text, then by position.
Where answers define what each other's exercise asks for, their names or ids were exchanged: each
is taken for the exercise that it answers.
A match decides whose text goes into an answer cell and where a student's own cells stand. It never
decides about a given cell, a test or points: those are the released ones whatever is matched. A
cell that has the name of one, but not its text, is the student's own.
"""

from __future__ import annotations

from collections.abc import Sequence

from nbformat import NotebookNode

from hub.grading.pipeline.matching.exchanged import give_back_exchanged
from hub.grading.pipeline.matching.names import by_name_and_id
from hub.grading.pipeline.matching.positions import answers_by_position
from hub.grading.pipeline.matching.result import Match
from hub.grading.pipeline.matching.state import Matching
from hub.grading.pipeline.matching.texts import answers_by_text, given_by_text
from hub.grading.pipeline.matching.untouched import (
    find_overtaken,
    find_untouched_by_hand,
    leave_out_stubs,
)
from hub.grading.pipeline.parsing import Cell

__all__ = ["Match", "match"]

RULES = (
    by_name_and_id,
    given_by_text,
    answers_by_text,
    answers_by_position,
    give_back_exchanged,
    leave_out_stubs,
    find_overtaken,
    find_untouched_by_hand,
)


def match(cells: Sequence[Cell], released: NotebookNode) -> Match:
    """Match the submitted cells, in their order, to those of the released notebook."""
    state = Matching(cells, released)
    for rule in RULES:
        rule(state)
    return state.result
