"""`execute`: a notebook in, the executed notebook out. The only way in which notebooks are run.

Execution happens in its own process tree and scratch folder, without tokens, and nothing
that comes back is trusted: outputs are checked and put into a copy of the original
notebook. If there is an executor (`hub.services.executor`), it does the work, without a network
and under separate users; else this process does.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from nbformat import NotebookNode, from_dict

from hub.facts.cell_names import imported_by
from hub.facts.cell_roles import CellRole, role
from hub.facts.execution import Tests
from hub.facts.manifest import StudentNames
from hub.grading.pipeline import replay
from hub.grading.pipeline.merge import grade_id, merge, why_not
from hub.grading.pipeline.replay import Attempt, AttemptResult, next_step
from hub.grading.pipeline.results import Results, read_results
from hub.grading.sandbox.limits import ExecutionLimits, ReferenceTimes
from hub.grading.sandbox.remote import ExecutorAway, run_there
from hub.grading.sandbox.run import Busy, RunOutcome, run_here
from hub.grading.sandbox.templates import texts
from hub.grading.sandbox.trouble import CannotGrade, Trouble

if TYPE_CHECKING:
    from hub.grading.isolation.manifest import Manifest

__all__ = [
    "CannotGrade",
    "Execution",
    "ExecutionLimits",
    "ExecutorAway",
    "IsolationError",
    "Tests",
    "execute",
]


class IsolationError(ValueError):
    """The instructor's notebook does not allow isolated tests; the message says which cell."""


@dataclass(frozen=True)
class Execution:
    """The outcome of executing a notebook.

    notebook: a copy of the original notebook, with outputs.
    problems: what went wrong apart from ordinary errors, one sentence each, for the owner.
    seconds: wall time of all its runs, seconds.
    used: seconds that each given cell has used, by its name.
    failing: names of the failed given cells that use nothing of the student's.
    """

    notebook: NotebookNode
    problems: list[str]
    seconds: float
    used: Mapping[str, float] = field(default_factory=dict)
    failing: frozenset[str] = frozenset()


def execute(
    notebook: NotebookNode,
    *,
    source: NotebookNode | None = None,
    files: Mapping[str, Path] | None = None,
    given_files: Mapping[str, Path] | None = None,
    limits: ExecutionLimits = ExecutionLimits(),  # noqa: B008 (frozen)
    tests: Tests = "in_kernel",
    yardstick: ReferenceTimes | None = None,
    seed: str = "",
    names: StudentNames | None = None,
    models: Path | None = None,
    executor: Path | None = None,
    busy: Busy = lambda busy: None,
) -> Execution:
    """Execute `notebook` and return a copy of it with outputs.

    If a cell breaks the run, or a given cell fails, the notebook is run again, at
    most three times, as `hub.grading.pipeline.replay` says.

    notebook: with its tests restored; its sources and metadata come back unchanged.
    source: the instructor's notebook with the reference solutions; needed for tests="isolated".
    files: the student's, copied into the scratch folder in which the cells run, by relative name;
        anything but regular files is left out.
    given_files: the same for the assignment's own files, which take precedence.
    tests: "in_kernel" runs test cells in the student's kernel, "isolated" in a second process.
    yardstick: what the given cells did in runs of the reference. Without it a given cell that fails
        is an error like any other.
    seed: from which isolated tests draw their inputs; empty: other ones in each run.
    names: what a release says of its names, if `source` is one, as the instructor's notebook is not
        to be had.
    models: a folder of checkpoints that is searched before all others; not with an executor.
    executor: the socket of the executor that does the work; None: it is done on this machine.
    busy: called whenever the processes start or stop needing a CPU; not with an executor.

    A cell that fails, is too slow or never runs gets an error output; this function
    does not raise for anything that student code does.

    Raises:
        ValueError: tests="isolated" without `source`, or `models` with an executor.
        IsolationError: `source` breaks the rules for isolated tests, or `notebook` does not fit it.
        CannotGrade: a given cell fails by itself, or a process of the grading does.
        ExecutorAway: there is an executor and it did not answer, or kept disconnecting.
    """
    if tests == "isolated" and source is None:
        raise ValueError('tests="isolated" needs the source notebook')
    if models is not None and executor is not None:
        raise ValueError("the executor has its own models")
    if not any(cell.cell_type == "code" and cell.source.strip() for cell in notebook.cells):
        return Execution(from_dict(without_outputs(notebook)), [], 0.0)
    manifest = _manifest(source, names) if tests == "isolated" and source is not None else None
    given = (source or notebook).cells
    # In the instructor's notebook, what has no role is the instructor's too.
    roles: tuple[CellRole, ...] = ("released", "student") if source else ("released",)
    seconds = 0.0
    cells = cells_of(notebook, source, names)
    runs: list[Results] = []
    history: list[AttemptResult] = []
    step: Attempt | replay.GivenCellFailed | replay.Finished = Attempt()
    while isinstance(step, Attempt):
        request = {
            "notebook": without_outputs(notebook),
            "manifest": manifest and manifest.as_data(),
            "released": texts(given, "released"),
            "imports": imported_by(texts(given, *roles)),
            "limits": limits.as_data(),
            "tests": tests,
            "seed": seed,
            "given": sorted(cells.given),
            "left_out": sorted(step.left_out),
            "yardstick": (yardstick or ReferenceTimes()).as_data(),
        }
        theirs = (files or {}) if step.files else {}
        shares = yardstick is not None and yardstick.shares
        own_files = theirs.keys() - (given_files or {}).keys()
        request["prefix"] = prefix(notebook, cells, step) if shares and not own_files else []
        answer = _run(request, {**theirs, **(given_files or {})}, limits, models, executor, busy)
        seconds += answer.seconds
        results = read_results(answer, notebook, step)
        if results.refused is not None:
            raise IsolationError(results.refused)
        runs.append(results)
        trouble = _first_trouble(results, notebook, yardstick)
        history.append(AttemptResult(step, trouble, _slowest(results, cells)))
        step = next_step(history, cells)
    if isinstance(step, replay.GivenCellFailed):
        raise CannotGrade(why_not(notebook, step.trouble))
    executed, problems = merge(from_dict(without_outputs(notebook)), runs, history, step)
    return Execution(executed, problems, seconds, *_given_facts(executed, runs[0], cells))


def _manifest(source: NotebookNode, names: StudentNames | None) -> Manifest:
    from hub.grading.isolation.manifest import ManifestError, read

    try:
        return read(source, names)
    except ManifestError as error:
        raise IsolationError(str(error)) from error


def _run(
    request: dict[str, Any],
    files: Mapping[str, Path],
    limits: ExecutionLimits,
    models: Path | None,
    executor: Path | None,
    busy: Busy,
) -> RunOutcome:
    if executor is None:
        return run_here(request, files, limits, models, busy)
    return run_there(executor, request, files)


def cells_of(
    notebook: NotebookNode, source: NotebookNode | None, names: StudentNames | None = None
) -> replay.Cells:
    """Who owns the code cells of a notebook, by position.

    Without the instructor's notebook no given cell is known to use nothing of the student's.
    """
    from hub.grading.isolation.manifest import given_alone

    positions: dict[str, set[int]] = {"released": set(), "solution": set(), "student": set()}
    for position, cell in enumerate(notebook.cells):
        if cell.cell_type == "code" and cell.source.strip():
            positions.setdefault(role(cell), set()).add(position)
    alone = given_alone(source, names) if source is not None else frozenset()
    return replay.Cells(
        answers=frozenset(positions["solution"]),
        own=frozenset(positions["student"]),
        given=frozenset(p for p in positions["released"] if grade_id(notebook.cells[p]) in alone),
    )


def prefix(notebook: NotebookNode, cells: replay.Cells, step: Attempt) -> list[int]:
    """The positions of the given cells before all others: what they do is the same for everybody.

    Only for a submission without files of its own, which they might read, and where the reference
    has shown that it makes no difference (`ReferenceTimes.shares`).
    """
    found: list[int] = []
    for position, cell in enumerate(notebook.cells):
        if cell.cell_type == "code" and cell.source.strip():
            if position not in cells.given or position in step.left_out:
                break
            found.append(position)
    return found


def _first_trouble(
    results: Results, notebook: NotebookNode, yardstick: ReferenceTimes | None
) -> Trouble | None:
    """The first trouble of a run that the reference does not have too."""
    for trouble in results.troubles:
        if trouble.kind != "given" or trouble.cell is None:
            return trouble
        name = grade_id(notebook.cells[trouble.cell])
        if yardstick is not None and name not in yardstick.failing:
            return trouble
    return None


def _slowest(results: Results, cells: replay.Cells) -> frozenset[int]:
    """The cells that took most of the student's time: those that were stopped, else the longest."""
    used = {
        position: seconds
        for position, seconds in results.used.items()
        if position not in cells.given
    }
    longest = max(used, key=lambda position: used[position], default=None)
    return frozenset(results.slow - cells.given or ({longest} if longest is not None else ()))


def _given_facts(
    notebook: NotebookNode, results: Results, cells: replay.Cells
) -> tuple[dict[str, float], frozenset[str]]:
    """Of the given cells: the seconds each has used, and which of them failed."""
    used = {
        grade_id(notebook.cells[position]): seconds
        for position, seconds in results.used.items()
        if position in cells.given
    }
    failed = (trouble.cell for trouble in results.troubles if trouble.kind == "given")
    return used, frozenset(
        grade_id(notebook.cells[position]) for position in failed if position is not None
    )


def without_outputs(notebook: NotebookNode) -> dict[str, Any]:
    """A plain copy of `notebook` with unexecuted code cells."""
    plain = json.loads(json.dumps(notebook))
    for cell in plain["cells"]:
        if cell["cell_type"] == "code":
            cell["outputs"], cell["execution_count"] = [], None
    return plain


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
