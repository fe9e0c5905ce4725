"""Which run follows which: decisions about replays, without running anything."""

from __future__ import annotations

import random

import pytest

from hub.grading.pipeline.replay import (
    MOST_REPLAYS,
    Attempt,
    AttemptResult,
    Cells,
    Finished,
    GivenCellFailed,
    next_step,
)
from hub.grading.sandbox.trouble import Kind, Trouble

pytestmark = pytest.mark.kernel

# 0 given, 1 answer, 2 test, 3 own, 4 given, 5 answer, 6 test
CELLS = Cells(answers=frozenset({1, 5}), own=frozenset({3}), given=frozenset({0, 4}))
ALL = Attempt()


def without(*cells: int, files: bool = True) -> Attempt:
    return Attempt(frozenset(cells), files)


def trouble(kind: Kind, cell: int | None) -> Trouble:
    return Trouble(kind, cell, "it went wrong")


def report(*runs: tuple[Attempt, Trouble | None]) -> Attempt | GivenCellFailed | Finished:
    return next_step([AttemptResult(*run) for run in runs], CELLS)


def test_a_notebook_without_trouble_is_run_once():
    assert report((ALL, None)) == Finished()


@pytest.mark.parametrize("kind", ["ended", "deaf", "limit"])
def test_a_cell_that_takes_the_rest_along_is_left_out_at_once(kind: Kind):
    first = trouble(kind, 3)
    assert report((ALL, first)) == without(3)
    assert report((ALL, first), (without(3), None)) == Finished(((frozenset({3}), first),))


def test_cells_are_left_out_one_by_one_and_at_most_three():
    runs = [
        (ALL, trouble("ended", 1)),
        (without(1), trouble("deaf", 2)),
        (without(1, 2), trouble("ended", 3)),
    ]
    assert report(*runs) == without(1, 2, 3)
    end = report(*runs, (without(1, 2, 3), trouble("ended", 5)))
    assert isinstance(end, Finished) and end.left == trouble("ended", 5)


def test_where_it_breaks_off_here_and_there_the_students_own_cells_are_left_out_and_no_other():
    runs = [(ALL, trouble("ended", 5)), (without(5), trouble("ended", 6))]
    assert report(*runs) == without(3)
    assert report(*runs, (without(3), None)) == Finished(((frozenset({3}), trouble("ended", 6)),))


def test_a_thread_that_ends_the_process_at_a_different_cell_each_time_costs_no_answer():
    """As on a busy machine: at an answer, at a given cell, and at the next answer."""
    cells = Cells(answers=frozenset({5, 8}), own=frozenset({3}), given=frozenset({0, 4, 7}))
    runs = [
        AttemptResult(ALL, trouble("ended", 5)),
        AttemptResult(without(5), trouble("ended", 7)),
    ]
    assert next_step(runs, cells) == without(5)  # a given cell: perhaps the machine's doing
    elsewhere = AttemptResult(without(5), trouble("ended", 8))
    assert next_step([*runs, elsewhere], cells) == without(3)
    again = AttemptResult(without(5), trouble("ended", 7))
    alone = AttemptResult(without(3, 5, files=False))
    assert next_step([*runs, again], cells) == alone.attempt
    assert next_step([*runs, again, alone], cells) == without(3)


def test_answers_that_each_end_the_process_are_all_left_out_and_no_more():
    cells = Cells(answers=frozenset({1, 2, 5}), own=frozenset({3}), given=frozenset({0, 4}))
    runs = [
        AttemptResult(ALL, trouble("ended", 1)),
        AttemptResult(without(1), trouble("ended", 2)),
        AttemptResult(without(1, 2), trouble("ended", 5)),
    ]
    assert next_step(runs, cells) == without(1, 2, 5)


def test_an_answer_before_a_cell_of_the_students_own_is_not_broken_by_it():
    runs = [(ALL, trouble("ended", 1)), (without(1), trouble("ended", 5))]
    assert report(*runs) == without(1, 3)


def test_what_was_left_out_for_something_else_stays_out_where_it_breaks_off_at_another():
    over = AttemptResult(ALL, trouble("time", 6), slowest=frozenset({1}))
    ended = AttemptResult(without(1), trouble("ended", 5))
    assert next_step([over, ended], CELLS) == without(1, 3)
    # The cell that there was no time for has not broken off.
    again = AttemptResult(without(1, 3), trouble("ended", 5))
    assert next_step([over, ended, again], CELLS) == without(1, 3, 5)


def test_a_cell_of_the_students_own_that_broke_off_stays_out():
    cells = Cells(answers=frozenset({5}), own=frozenset({3, 7}), given=frozenset({0, 4}))
    runs = [AttemptResult(ALL, trouble("ended", 7)), AttemptResult(without(7), trouble("ended", 5))]
    assert next_step(runs, cells) == without(3, 7)


def test_no_given_cell_is_left_out_for_having_been_broken():
    failed = trouble("given", 4)
    runs = [(ALL, failed), (ALL, failed), (without(1, 3, files=False), None)]
    assert report(*runs, (without(3), trouble("ended", 5))) == without(3, 5)


def test_where_time_was_over_the_slowest_cells_are_left_out_and_not_the_one_it_came_at():
    over = trouble("time", 6)
    first = AttemptResult(ALL, over, slowest=frozenset({2, 3}))
    assert next_step([first], CELLS) == without(2, 3)
    assert report((ALL, over)) == Finished(left=over)  # nothing to leave out
    assert next_step([first, AttemptResult(without(2, 3))], CELLS) == Finished(
        ((frozenset({2, 3}), over),)
    )


@pytest.mark.parametrize("kind", ["given", "killed", "grading"])
@pytest.mark.parametrize("cell", [4, None])
def test_what_the_machine_can_have_done_is_run_again_as_it_was(kind: Kind, cell: int | None):
    assert report((ALL, trouble(kind, cell))) == ALL
    assert report((ALL, trouble(kind, cell)), (ALL, None)) == Finished()


@pytest.mark.parametrize("kind", ["given", "killed", "grading", "ended", "limit", "deaf"])
def test_what_is_given_and_fails_by_itself_cannot_be_graded(kind: Kind):
    runs = [(ALL, trouble(kind, 4)), (ALL, trouble(kind, 4))]
    alone = without(1, 3, files=False)
    assert report(*runs) == alone
    assert report(*runs, (alone, trouble(kind, 4))) == GivenCellFailed(trouble(kind, 4))


def test_processes_that_do_not_even_start_cannot_be_graded():
    none = trouble("grading", None)
    alone = without(1, 3, 5, files=False)
    assert report((ALL, none), (ALL, none)) == alone
    assert report((ALL, none), (ALL, none), (alone, none)) == GivenCellFailed(none)


def test_where_the_students_files_keep_the_processes_from_starting_the_cells_still_count():
    none = trouble("grading", None)
    runs = [(ALL, none), (ALL, none), (without(1, 3, 5, files=False), None)]
    assert report(*runs) == without(files=False)
    assert report(*runs, (without(files=False), None)) == Finished(((frozenset(), none),))


def test_a_given_cell_that_runs_by_itself_was_broken_by_the_student():
    failed = trouble("given", 4)
    runs = [(ALL, failed), (ALL, failed), (without(1, 3, files=False), None)]
    assert report(*runs) == without(3)  # the student's own cells are likelier than answers
    assert report(*runs, (without(3), None)) == Finished(((frozenset({3}), failed),))
    # Not that one: what the run without all of them has passed counts.
    assert report(*runs, (without(3), failed)) == Finished(((frozenset({1, 3}), failed),))


def test_files_that_break_what_is_given_before_any_cell_are_the_students():
    failed = trouble("given", 0)
    alone = without(files=False)
    assert report((ALL, failed), (ALL, failed)) == alone
    end = report((ALL, failed), (ALL, failed), (alone, None))
    assert isinstance(end, Finished) and end.blamed == ((frozenset(), failed),)


def test_who_ends_the_grading_from_a_cell_loses_that_cell():
    gone = trouble("grading", 3)
    alone = without(1, 3, 5, files=False)
    runs = [(ALL, gone), (ALL, gone)]
    assert report(*runs) == alone
    assert report(*runs, (alone, trouble("grading", 0))) == GivenCellFailed(trouble("grading", 0))
    assert report(*runs, (alone, None)) == ALL
    assert report(*runs, (alone, None), (ALL, gone)) == without(3)


def test_a_grading_that_ends_here_and_there_is_nobodys_cell():
    runs = [(ALL, trouble("grading", 1)), (ALL, trouble("grading", 3))]
    alone = without(1, 3, 5, files=False)
    assert report(*runs) == alone
    assert report(*runs, (alone, None), (ALL, None)) == Finished()
    third = trouble("grading", 3)
    assert report(*runs, (alone, None), (ALL, third)) == GivenCellFailed(third)


def test_a_timer_or_a_limit_is_likelier_set_by_the_students_own_cells_than_by_an_answer():
    over = trouble("timer", 5)
    assert report((ALL, over)) == without(3)
    assert report((ALL, over), (without(3), None)) == Finished(((frozenset({3}), over),))
    assert report((ALL, over), (without(3), over)) == without(3, 5)
    assert report((ALL, trouble("timer", 3))) == without(3)
    assert report((ALL, trouble("timer", 1))) == without(1)


def test_an_answer_that_is_killed_twice_is_left_out():
    killed = trouble("killed", 1)
    assert report((ALL, killed)) == ALL
    assert report((ALL, killed), (ALL, killed)) == without(1)


def test_whatever_happens_it_ends_after_three_replays_and_two_checks():
    kinds: list[Kind] = ["ended", "timer", "killed", "deaf", "limit", "given", "grading"]
    pending: list[list[AttemptResult]] = [
        [AttemptResult(ALL, trouble(k, c))] for k in kinds for c in (0, 1, 4, None)
    ]
    chosen = random.Random(1)
    while pending:
        history = pending.pop()
        step = next_step(history, CELLS)
        if isinstance(step, GivenCellFailed) and step.trouble.kind != "grading":
            at = step.trouble.cell  # nothing of the student's had run, so none can plead it
            assert not history[-1].attempt.files
            assert {c for c in CELLS.students if at and c < at} <= history[-1].attempt.left_out
        if isinstance(step, Attempt):
            replays = sum(ran.attempt.files for ran in history) - 1 + step.files
            checks = sum(not ran.attempt.files for ran in history) + (not step.files)
            assert replays <= MOST_REPLAYS and checks <= 2
            ways = [(k, c) for k in kinds for c in (0, 4, 5)]
            if len(history) > 2:  # all of these would be 200,000 runs
                ways = chosen.sample(ways, 7)
            pending += [[*history, AttemptResult(step, trouble(k, c))] for k, c in ways]
