"""Merges the runs of a submission into one notebook and a report. Pure."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence

from nbformat import NotebookNode, from_dict

from hub.facts.cell_roles import marks
from hub.grading.pipeline.replay import Attempt, AttemptResult, Finished
from hub.grading.pipeline.results import Results
from hub.grading.sandbox.outputs import Output, error_output, first_error
from hub.grading.sandbox.trouble import Trouble


def merge(
    notebook: NotebookNode, runs: Sequence[Results], history: Sequence[AttemptResult], end: Finished
) -> tuple[NotebookNode, list[str]]:
    """`notebook`, which has no outputs, with the best of all runs: what passed in one has passed.

    history: for each run, what was run and its trouble.
    """
    executed = copy.deepcopy(notebook)
    unrun: list[int] = []
    blamed = {position: trouble for positions, trouble in end.blamed for position in positions}
    for index, cell in enumerate(executed.cells):
        if cell.cell_type != "code":
            continue
        if (ran := _best(index, cell, runs, history)) is not None:
            outputs, cell.execution_count = ran
            cell.outputs = [from_dict(copy.deepcopy(output)) for output in outputs]
        elif cell.source.strip():
            reason = _reason(index, blamed, runs, end).removesuffix(".")
            cell.outputs = [from_dict(error_output("NotRun", f"This cell was not run. {reason}."))]
            if index not in blamed:
                unrun.append(index)
    report = (
        message if about is None else f"{cell_name(executed, about)} {message}."
        for results in runs
        for about, message in results.problems
    )
    problems = list(dict.fromkeys(report))
    problems += [_blame(executed, positions, trouble) for positions, trouble in end.blamed]
    if unrun:
        problems.append(_explain_unrun(executed, unrun, runs, end))
    return executed, problems


def _best(
    index: int, cell: NotebookNode, runs: Sequence[Results], history: Sequence[AttemptResult]
) -> tuple[list[Output], int | None] | None:
    """A cell's outputs: of a test, from the first run that it passed, else the first that ran it.

    A test that failed before anything went wrong has failed. It counts again only in a run that
    left out something before it, or random answers would get another chance with each run.
    """
    both = zip(runs, history, strict=True)
    ran = [(results, run) for results, run in both if index in results.cells]
    judged: set[Attempt] = set()
    for results, run in ran if marks(cell).grade else ():
        before = Attempt(frozenset(p for p in run.attempt.left_out if p < index), run.attempt.files)
        if before not in judged and first_error(results.cells[index][0]) is None:
            return results.cells[index]
        if run.got_past(index):
            judged.add(before)
    return ran[0][0].cells[index] if ran else None


def _reason(
    index: int, blamed: Mapping[int, Trouble], runs: Sequence[Results], end: Finished
) -> str:
    """Why a cell did not run, as a sentence."""
    if index in blamed:
        return f"It was left out, because {blamed[index].message}"
    if end.left is not None:
        return upper_first(end.left.message)
    return "The notebook ended early"


def _blame(notebook: NotebookNode, positions: frozenset[int], trouble: Trouble) -> str:
    """What was left out and why, for the student."""
    names = [lower_first(cell_name(notebook, position)) for position in sorted(positions)[:3]]
    more = f" and {len(positions) - 3} more" if len(positions) > 3 else ""
    who = f"{', '.join(names)}{more}" if names else "the files that you submitted"
    were, it = ("was", "it") if len(positions) == 1 else ("were", "them")
    if trouble.cell is None or trouble.cell in positions:
        return (
            f"{upper_first(who)} {were} left out, because {trouble.message}; the rest was graded "
            f"without {it}."
        )
    given = lower_first(cell_name(notebook, trouble.cell))
    return (
        f"Because of {who}, {given} did not run ({trouble.message}); what comes after it was "
        "graded "
        "as if that did not exist."
    )


def _explain_unrun(
    notebook: NotebookNode, unrun: list[int], runs: Sequence[Results], end: Finished
) -> str:
    reason = (_reason(unrun[0], {}, runs, end)).removesuffix(".")
    last = max(runs[-1].cells, default=None)
    where = "" if last is None else f" {cell_name(notebook, last)} was the last to run."
    cells = "1 cell was" if len(unrun) == 1 else f"{len(unrun)} cells were"
    return f"{reason}.{where} {cells} not run after that."


def why_not(notebook: NotebookNode, trouble: Trouble) -> str:
    if trouble.cell is None:
        return f"{trouble.message}, before any cell ran"
    if trouble.kind == "given":
        return f"{cell_name(notebook, trouble.cell)}, which is given, failed ({trouble.message})"
    return f"while {lower_first(cell_name(notebook, trouble.cell))} ran, {trouble.message}"


def cell_name(notebook: NotebookNode, index: int) -> str:
    """How messages name a cell: by its name, else by position and first line."""
    cell = notebook.cells[index]
    name = grade_id(cell)
    if name:
        return f"The cell `{name}`"
    first = next(iter(cell.source.strip().splitlines()), "")
    return f"Cell {index + 1} of the notebook (`{first[:40]}`)"


def grade_id(cell: NotebookNode) -> str:
    """The name of a released cell; empty for a student's own."""
    return marks(cell).name


def upper_first(text: str) -> str:
    return text[:1].upper() + text[1:]


def lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]
