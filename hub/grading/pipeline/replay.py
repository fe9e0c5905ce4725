"""Decides when a notebook is run again without a cell, and what then counts. Pure.

A cell that cannot be interrupted, crashes or exits takes everything after it down. So
the notebook is run again from the start without it, and what passes in any run has passed:
rerunning can only add points.

A given cell that fails is either the machine's doing or that of the student's cells before it, and
a grading process that dies may have been killed by either. A rerun shows what was a glitch;
then a run of the given cells alone, without anything of the student's, shows whose doing
it is. What fails there could not be graded, and neither could a run whose grading keeps dying, but
not at one cell, as isolated student code cannot kill it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from hub.grading.sandbox.trouble import Trouble

MOST_REPLAYS = 3

NOT_SURELY_THE_STUDENTS = frozenset({"given", "killed", "grading"})


@dataclass(frozen=True)
class Attempt:
    """One run of the notebook.

    left_out: positions of the cells that do not run.
    files: whether the student's own files are beside it; without them it is a check of what is
        given (there are at most two), else it counts as a replay.
    """

    left_out: frozenset[int] = frozenset()
    files: bool = True


@dataclass(frozen=True)
class AttemptResult:
    """An attempt and the first trouble in it, if any.

    slowest: the cells that took most of the time, of those that are not given.
    """

    attempt: Attempt
    trouble: Trouble | None = None
    slowest: frozenset[int] = frozenset()

    def got_past(self, cell: int | None) -> bool:
        """Whether it ran `cell` without trouble; None means the start."""
        if self.trouble is None or self.trouble.cell is None:
            return self.trouble is None
        return cell is None or self.trouble.cell > cell


@dataclass(frozen=True)
class Cells:
    """Positions of a notebook's code cells, by owner.

    answers, own: those with the student's text: answer cells, and cells the student added.
    given: those that are given and use nothing of the student's.
    """

    answers: frozenset[int]
    own: frozenset[int]
    given: frozenset[int]

    @property
    def students(self) -> frozenset[int]:
        return self.answers | self.own


@dataclass(frozen=True)
class GivenCellFailed:
    """A given cell fails by itself at `trouble`, so the student's work cannot be judged."""

    trouble: Trouble


@dataclass(frozen=True)
class Finished:
    """No more runs are needed.

    blamed: what was left out, and what it had done; without cells, the student's own files.
    left: a trouble that remained.
    """

    blamed: tuple[tuple[frozenset[int], Trouble], ...] = ()
    left: Trouble | None = None


def next_step(
    history: Sequence[AttemptResult], cells: Cells
) -> Attempt | GivenCellFailed | Finished:
    """What to do after the runs of `history`, the first of which is the whole notebook."""
    last, trouble = history[-1], history[-1].trouble
    checked = [ran for ran in history if not ran.attempt.files]
    if checked and last is checked[-1]:
        return _after_check(history, cells)
    if trouble is None:
        return Finished(blamed(history))
    if any(check.got_past(trouble.cell) for check in checked) and trouble.cell in cells.given:
        return Finished(blamed(history))  # from there on, the check's run counts
    exhausted = _replays(history) >= MOST_REPLAYS
    unsure = trouble.kind in NOT_SURELY_THE_STUDENTS or _is_given(trouble, cells)
    if unsure and not exhausted and not _happened_before(history):
        return last.attempt  # retry, as a glitch of the machine passes
    if unsure and not checked and not _is_killed_answer(trouble, cells):
        return Attempt(last.attempt.left_out | _suspects(trouble, cells), files=False)
    if exhausted or trouble.cell is None:
        return Finished(blamed(history), trouble)
    if trouble.kind == "grading" and not _always_there(history):
        return GivenCellFailed(trouble)
    if trouble.kind == "time":  # the cell that ran out of time is not to blame
        if not last.slowest - last.attempt.left_out:
            return Finished(blamed(history), trouble)
        return Attempt(last.attempt.left_out | last.slowest)
    earlier = frozenset(position for position in cells.own if position < trouble.cell)
    if (
        trouble.kind == "timer"
        and trouble.cell not in cells.own
        and earlier - last.attempt.left_out
    ):
        return Attempt(last.attempt.left_out | earlier)  # whoever set it is likelier than an answer
    return _without_the_guilty(history, trouble.cell, cells)


def _without_the_guilty(history: Sequence[AttemptResult], cell: int, cells: Cells) -> Attempt:
    """What to leave out if the notebook broke off at `cell`.

    The cell itself. If it then breaks off at others, a cell of the student's own may have
    left something behind that causes it, such as a thread: then all of those.
    """
    broke = _broke_off_at(history)
    left_out = history[-1].attempt.left_out
    own = frozenset(position for position in cells.own if position < cell) - left_out
    if own and (_replays(history) == 1 or sum(at > min(own) for at in broke) > 1):
        return Attempt(_instead(own, left_out, history, cells))
    return Attempt(left_out | (broke - cells.given))


def _instead(
    own: frozenset[int],
    left_out: frozenset[int],
    history: Sequence[AttemptResult],
    cells: Cells,
) -> frozenset[int]:
    """What to leave out where the student's `own` cells are to blame rather than some of
    `left_out`: no answer or test after them merely because the notebook broke off there."""
    merely = frozenset(at for at in _broke_off_at(history) if at > min(own)) - cells.own
    return own | (left_out - merely)


def _broke_off_at(history: Sequence[AttemptResult]) -> frozenset[int]:
    return frozenset(
        ran.trouble.cell
        for ran in history
        if ran.attempt.files
        and ran.trouble
        and ran.trouble.kind != "time"
        and ran.trouble.cell is not None
    )


def _always_there(history: Sequence[AttemptResult]) -> bool:
    """Whether the same attempt has broken off three times, at the same cell."""
    last = history[-1]
    at = [ran.trouble.cell for ran in history if ran.attempt == last.attempt and ran.trouble]
    return len(at) >= 3 and len(set(at)) == 1


def _after_check(
    history: Sequence[AttemptResult], cells: Cells
) -> Attempt | GivenCellFailed | Finished:
    """What to do after a run of the given cells alone."""
    check, asked = history[-1], [ran for ran in history if ran.attempt.files][-1]
    assert asked.trouble is not None
    cell = asked.trouble.cell
    passed = check.got_past(cell) if _is_given(asked.trouble, cells) else check.trouble is None
    if not passed:
        assert check.trouble is not None
        return GivenCellFailed(check.trouble)
    if cell is None and check.attempt.left_out > asked.attempt.left_out:
        return Attempt(asked.attempt.left_out, files=False)  # then the files are to blame
    if _replays(history) >= MOST_REPLAYS or cell is None:
        return Finished(blamed(history), check.trouble)
    if not _is_given(asked.trouble, cells):
        return asked.attempt  # a third time: a cell is to blame only if every run ends at it
    suspects = _suspects(asked.trouble, cells)
    if not suspects:  # only the student's files are left
        return Finished(blamed(history), check.trouble)
    own = (suspects & cells.own) - asked.attempt.left_out
    if own:
        return Attempt(_instead(own, asked.attempt.left_out, history, cells))
    return Attempt(asked.attempt.left_out | frozenset(sorted(suspects)[-1:]))


def _is_given(trouble: Trouble, cells: Cells) -> bool:
    """Whether it happened where no student code should run: in a given cell, or before all."""
    return trouble.cell is None or trouble.cell in cells.given


def _is_killed_answer(trouble: Trouble, cells: Cells) -> bool:
    return trouble.kind == "killed" and not _is_given(trouble, cells)


def _suspects(trouble: Trouble, cells: Cells) -> frozenset[int]:
    """The student's cells that can have caused it."""
    if trouble.cell is None or trouble.cell not in cells.given:
        return cells.students
    return frozenset(position for position in cells.students if position < trouble.cell)


def _happened_before(history: Sequence[AttemptResult]) -> bool:
    """Whether an earlier run of the same attempt had the same kind of trouble."""
    last = history[-1]
    return any(
        ran.attempt == last.attempt and ran.trouble and ran.trouble.kind == last.trouble.kind
        for ran in history[:-1]
        if last.trouble
    )


def _replays(history: Sequence[AttemptResult]) -> int:
    return sum(ran.attempt.files for ran in history) - 1


def blamed(history: Sequence[AttemptResult]) -> tuple[tuple[frozenset[int], Trouble], ...]:
    """What was left out in the end, and the trouble that it caused."""
    found: list[tuple[frozenset[int], Trouble]] = []
    for number, ran in enumerate(history[1:], 1):
        earlier = history[number - 1]
        asked = earlier if earlier.attempt.files else history[number - 2]
        more = ran.attempt.left_out - asked.attempt.left_out
        if asked.trouble is None or not (more or not ran.attempt.files):
            continue
        if found and found[-1][1] == asked.trouble and ran.got_past(asked.trouble.cell):
            found.pop()  # fewer cells are to blame than the check left out
        if not found or found[-1][1] != asked.trouble:
            found.append((more, asked.trouble))
    left_out = history[-1].attempt.left_out
    return tuple((cells, why) for cells, why in found if cells & left_out or not cells)
