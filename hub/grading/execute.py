"""`execute`: a notebook in, the executed notebook out. The one way in which notebooks are run.

The work happens in a process tree and a scratch folder of its own, without tokens, and nothing
that comes back is trusted: outputs are taken, checked, and put into a copy of the notebook that
was given. Where $LOGITLAB_EXECUTOR names a socket, the work is done by the executor behind it
(`hub.executor`), without network and with users of its own; else here.
"""

from __future__ import annotations

import copy
import json
import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from nbformat import NotebookNode, from_dict

from hub.grading import replay
from hub.grading.limits import Limits, Tests, Yardstick
from hub.grading.outputs import Output, checked_outputs, error_output, first_error, plain_text
from hub.grading.remote import EXECUTOR, ExecutorAway, run_there
from hub.grading.replay import Attempt, Ran, next_step
from hub.grading.roles import role
from hub.grading.run import Answer, Busy, run_here
from hub.grading.trouble import KINDS, Trouble

__all__ = ["ApartError", "CannotGrade", "Execution", "ExecutorAway", "Limits", "Tests", "execute"]

MOST_PROBLEMS = 100


class ApartError(ValueError):
    """The instructor's notebook does not allow tests apart; the message says which cell."""


class CannotGrade(Exception):
    """A notebook could not be graded, through no fault of the student's; the message says why.

    The machine, or what is given, fails by itself: the same may work a moment later.
    """


@dataclass(frozen=True)
class Execution:
    """What came of executing a notebook.

    notebook: a copy of the notebook that was given, with outputs.
    problems: what went wrong beside ordinary errors, one sentence each, for the owner.
    seconds: wall time of the execution, seconds.
    used: seconds that each given cell has used, by its name.
    failing: names of the given cells that failed and use nothing of the student's.
    """

    notebook: NotebookNode
    problems: list[str]
    seconds: float
    used: Mapping[str, float] = field(default_factory=dict)
    failing: frozenset[str] = frozenset()


@dataclass
class _Results:
    """What a worker sent back, already checked."""

    cells: dict[int, tuple[list[Output], int | None]] = field(default_factory=dict)
    used: dict[int, float] = field(default_factory=dict)
    problems: list[tuple[int | None, str]] = field(default_factory=list)
    troubles: list[Trouble] = field(default_factory=list)
    stopped: str | None = None
    refused: str | None = None
    ready: bool = False
    finished: bool = False


def execute(
    notebook: NotebookNode,
    *,
    source: NotebookNode | None = None,
    files: Mapping[str, Path] | None = None,
    given_files: Mapping[str, Path] | None = None,
    limits: Limits = Limits(),  # noqa: B008 (frozen)
    tests: Tests = "together",
    yardstick: Yardstick | None = None,
    models: Path | None = None,
    busy: Busy = lambda busy: None,
) -> Execution:
    """Execute `notebook` and return a copy of it with outputs.

    Where a cell takes all after it along, or a given cell fails, the notebook is run again, at
    most three times, as `hub.grading.replay` says.

    notebook: with its tests restored; its sources and metadata come back unchanged.
    source: the instructor's notebook with the reference solutions; needed for tests="apart".
    files: the student's, copied into the scratch folder in which the cells run, by relative name;
        what is not a regular file is left out.
    given_files: the same for what is given; they win.
    tests: "together" runs test cells in the student's interpreter, "apart" in a second process.
    yardstick: what the given cells did in runs of the reference. Without it a given cell that fails
        is an error like any other.
    models: a folder of checkpoints that is tried before all others; not with an executor.
    busy: told whenever the processes begin or cease to want a processor; not with an executor.

    A cell that fails, is too slow or never runs gets an error output in words; this function
    does not raise for anything that student code does.

    Raises:
        ValueError: tests="apart" without `source`, or `models` where there is an executor.
        ApartError: `source` breaks the rules for tests apart, or `notebook` does not fit it.
        CannotGrade: what is given fails by itself, or a process of the grading does.
        ExecutorAway: there is an executor and it did not answer, or broke off again and again.
    """
    if tests == "apart" and source is None:
        raise ValueError('tests="apart" needs the source notebook')
    began = time.monotonic()
    cells = cells_of(notebook, source)
    runs: list[_Results] = []
    history: list[Ran] = []
    step: Attempt | replay.CannotGrade | replay.Finished = Attempt()
    while isinstance(step, Attempt):
        request = {
            "notebook": without_outputs(notebook),
            "source": None if source is None else without_outputs(source),
            "limits": limits.as_data(),
            "tests": tests,
            "given": sorted(cells.given),
            "left_out": sorted(step.left_out),
            "yardstick": (yardstick or Yardstick()).as_data(),
        }
        theirs = (files or {}) if step.files else {}
        answer = _run(request, {**theirs, **(given_files or {})}, limits, models, busy)
        results = _read(answer, notebook, step)
        if results.refused is not None:
            raise ApartError(results.refused)
        runs.append(results)
        history.append(Ran(step, _first_trouble(results, notebook, yardstick)))
        step = next_step(history, cells)
    if isinstance(step, replay.CannotGrade):
        raise CannotGrade(_why(notebook, step.trouble))
    executed, problems = _merge(notebook, runs, step)
    return Execution(
        executed, problems, time.monotonic() - began, *_given_facts(executed, runs[0], cells)
    )


def _run(
    request: dict[str, Any],
    files: Mapping[str, Path],
    limits: Limits,
    models: Path | None,
    busy: Busy,
) -> Answer:
    executor = os.environ.get(EXECUTOR)
    if not executor:
        return run_here(request, files, limits, models, busy)
    if models is not None:
        raise ValueError("the executor has its own models")
    return run_there(Path(executor), request, files)


def cells_of(notebook: NotebookNode, source: NotebookNode | None) -> replay.Cells:
    """Whose the code cells of a notebook are, by their places.

    Without the instructor's notebook no given cell is known to use nothing of the student's.
    """
    from hub.grading.apart.manifest import given_alone

    places: dict[str, set[int]] = {"released": set(), "solution": set(), "student": set()}
    for place, cell in enumerate(notebook.cells):
        if cell.cell_type == "code" and cell.source.strip():
            places.setdefault(role(cell), set()).add(place)
    alone = given_alone(source) if source is not None else frozenset()
    return replay.Cells(
        answers=frozenset(places["solution"]),
        own=frozenset(places["student"]),
        given=frozenset(p for p in places["released"] if grade_id(notebook.cells[p]) in alone),
    )


def _first_trouble(
    results: _Results, notebook: NotebookNode, yardstick: Yardstick | None
) -> Trouble | None:
    """The first trouble of a run that is none of the reference's too."""
    for trouble in results.troubles:
        if trouble.kind != "given" or trouble.cell is None:
            return trouble
        name = grade_id(notebook.cells[trouble.cell])
        if yardstick is not None and name not in yardstick.failing:
            return trouble
    return None


def _given_facts(
    notebook: NotebookNode, results: _Results, cells: replay.Cells
) -> tuple[dict[str, float], frozenset[str]]:
    """Of the given cells: the seconds each has used, and which of them failed."""
    used = {
        grade_id(notebook.cells[place]): seconds
        for place, seconds in results.used.items()
        if place in cells.given
    }
    failed = (trouble.cell for trouble in results.troubles if trouble.kind == "given")
    return used, frozenset(grade_id(notebook.cells[place]) for place in failed if place is not None)


def _why(notebook: NotebookNode, trouble: Trouble) -> str:
    if trouble.cell is None:
        return f"{trouble.words}, before any cell ran"
    if trouble.kind == "given":
        return f"{cell_name(notebook, trouble.cell)}, which is given, failed ({trouble.words})"
    return f"while {lower_first(cell_name(notebook, trouble.cell))} ran, {trouble.words}"


def without_outputs(notebook: NotebookNode) -> dict[str, Any]:
    """A plain copy of `notebook` whose code cells have not run."""
    plain = json.loads(json.dumps(notebook))
    for cell in plain["cells"]:
        if cell["cell_type"] == "code":
            cell["outputs"], cell["execution_count"] = [], None
    return plain


def _read(answer: Answer, notebook: NotebookNode, attempt: Attempt) -> _Results:
    """Take from the worker's lines what can be the outcome of running `notebook`."""
    results = _Results()
    for line in answer.lines.splitlines():
        try:
            message = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(message, dict):
            _take(message, results, len(notebook.cells))
    fatal = next((trouble for trouble in results.troubles if trouble.kind != "given"), None)
    kind, words = answer.stopped or ("grading", "the notebook ended early")
    if fatal is not None and kind == "limit":
        # Who ended all processes knows why; the worker has seen them end, one by one.
        results.troubles.remove(fatal)
        results.troubles.append(Trouble(kind, fatal.cell, words))
    elif fatal is None and not results.finished and results.refused is None:
        at = _running(results, notebook, attempt)
        results.troubles.append(Trouble(kind, at, plain_text(words)[:500]))
    return results


def _take(message: dict[str, Any], results: _Results, cells: int) -> None:
    """Take what one line of a worker says, as far as it makes sense."""
    index = message.get("cell")
    index = index if isinstance(index, int) and 0 <= index < cells else None
    if "outputs" in message and index is not None:
        count, used = message.get("execution_count"), message.get("seconds")
        results.cells[index] = (
            checked_outputs(message["outputs"]),
            count if isinstance(count, int) else None,
        )
        results.used[index] = used if isinstance(used, float) else 0.0
    elif "problem" in message and len(results.problems) < MOST_PROBLEMS:
        results.problems.append((index, plain_text(message["problem"])[:500]))
    elif "trouble" in message and len(results.troubles) < cells + 1:
        told = message["trouble"]
        if isinstance(told, dict) and told.get("kind") in KINDS:
            at = told.get("cell")
            at = at if isinstance(at, int) and 0 <= at < cells else None
            words = plain_text(told.get("words"))[:500]
            results.troubles.append(Trouble(told["kind"], at, words))
    elif "stopped" in message:
        results.stopped = plain_text(message["stopped"])[:500]
    elif "refused" in message:
        results.refused = plain_text(message["refused"])[:500]
    elif "ready" in message:
        results.ready = True
    elif "finished" in message:
        results.finished = True


def _running(results: _Results, notebook: NotebookNode, attempt: Attempt) -> int | None:
    """The cell that ran when nothing more was heard; None before the first."""
    if not results.ready:
        return None
    return next(
        (
            place
            for place, cell in enumerate(notebook.cells)
            if cell.cell_type == "code"
            and cell.source.strip()
            and place not in results.cells
            and place not in attempt.left_out
        ),
        len(notebook.cells) - 1,
    )


def _merge(
    notebook: NotebookNode, runs: list[_Results], end: replay.Finished
) -> tuple[NotebookNode, list[str]]:
    """The notebook with the best of all runs: what passed in one has passed."""
    executed = from_dict(without_outputs(notebook))
    unrun: list[int] = []
    blamed = {place: trouble for places, trouble in end.blamed for place in places}
    for index, cell in enumerate(executed.cells):
        if cell.cell_type != "code":
            continue
        if (ran := _best(index, cell, runs)) is not None:
            outputs, cell.execution_count = ran
            cell.outputs = [from_dict(copy.deepcopy(output)) for output in outputs]
        elif cell.source.strip():
            reason = _reason(index, blamed, runs, end).removesuffix(".")
            cell.outputs = [from_dict(error_output("NotRun", f"This cell was not run. {reason}."))]
            if index not in blamed:
                unrun.append(index)
    problems = [
        words if about is None else f"{cell_name(executed, about)} {words}."
        for about, words in runs[0].problems
    ]
    problems += [_blame(executed, places, trouble) for places, trouble in end.blamed]
    if unrun:
        problems.append(_explain_unrun(executed, unrun, runs, end))
    return executed, problems


def _best(
    index: int, cell: NotebookNode, runs: list[_Results]
) -> tuple[list[Output], int | None] | None:
    """What a cell gave: a test in the first run that it passed, else in the first that ran it."""
    ran = [results.cells[index] for results in runs if index in results.cells]
    if cell.metadata.get("nbgrader", {}).get("grade"):
        passed = (result for result in ran if first_error(result[0]) is None)
        if (best := next(passed, None)) is not None:
            return best
    return ran[0] if ran else None


def _reason(
    index: int, blamed: Mapping[int, Trouble], runs: list[_Results], end: replay.Finished
) -> str:
    """Why a cell has not run, as a sentence."""
    if index in blamed:
        return f"It was left out, because {blamed[index].words}"
    if end.left is not None:
        return upper_first(end.left.words)
    return runs[-1].stopped or "The notebook ended early"


def _blame(notebook: NotebookNode, places: frozenset[int], trouble: Trouble) -> str:
    """What was left out and why, for the owner."""
    names = [lower_first(cell_name(notebook, place)) for place in sorted(places)[:3]]
    more = f" and {len(places) - 3} more" if len(places) > 3 else ""
    who = f"{', '.join(names)}{more}" if names else "the files that you handed in"
    if trouble.cell is None or trouble.cell in places:
        return (
            f"{upper_first(who)} was left out, because {trouble.words}; the rest was graded "
            "without it."
        )
    given = lower_first(cell_name(notebook, trouble.cell))
    return (
        f"Because of {who}, {given} did not run ({trouble.words}); what comes after it was graded "
        "as if that were not there."
    )


def _explain_unrun(
    notebook: NotebookNode, unrun: list[int], runs: list[_Results], end: replay.Finished
) -> str:
    reason = (_reason(unrun[0], {}, runs, end)).removesuffix(".")
    last = max(runs[-1].cells, default=None)
    where = "" if last is None else f" {cell_name(notebook, last)} was the last to run."
    cells = "1 cell was" if len(unrun) == 1 else f"{len(unrun)} cells were"
    return f"{reason}.{where} {cells} not run after that."


def cell_name(notebook: NotebookNode, index: int) -> str:
    """How to tell a person which cell is meant: its name, else its place and first line."""
    cell = notebook.cells[index]
    name = grade_id(cell)
    if name:
        return f"The cell `{name}`"
    first = next(iter(cell.source.strip().splitlines()), "")
    return f"Cell {index + 1} of the notebook (`{first[:40]}`)"


def grade_id(cell: NotebookNode) -> str:
    """The name of a cell of ours; empty for a student's own."""
    return cell.metadata.get("nbgrader", {}).get("grade_id") or ""


def upper_first(text: str) -> str:
    return text[:1].upper() + text[1:]


def lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]


def files_below(folder: Path, ignore: Iterable[str] = ()) -> dict[str, Path]:
    """The regular files below `folder` by relative name, without notebooks, links and `ignore`."""
    if not folder.is_dir():
        return {}
    return {
        path.relative_to(folder).as_posix(): path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.is_symlink() and not _ignored(path, folder, ignore)
    }


def _ignored(path: Path, folder: Path, patterns: Iterable[str]) -> bool:
    relative = PurePosixPath(path.relative_to(folder))
    parts = [PurePosixPath(part) for part in relative.parts]
    return path.suffix == ".ipynb" or any(
        part.match(pattern) for part in parts for pattern in patterns
    )
