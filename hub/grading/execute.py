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
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from nbformat import NotebookNode, from_dict

from hub.grading.limits import Limits, Tests
from hub.grading.outputs import Output, checked_outputs, clean_text, error_output
from hub.grading.remote import EXECUTOR, ExecutorAway, run_there
from hub.grading.run import Answer, run_here

__all__ = ["ApartError", "Execution", "ExecutorAway", "Limits", "Tests", "execute"]


class ApartError(ValueError):
    """The instructor's notebook does not allow tests apart; the message says which cell."""


@dataclass(frozen=True)
class Execution:
    """What came of executing a notebook.

    notebook: a copy of the notebook that was given, with outputs.
    problems: what went wrong beside ordinary errors, one sentence each, for the owner.
    seconds: wall time of the execution, seconds.
    """

    notebook: NotebookNode
    problems: list[str]
    seconds: float


@dataclass
class _Results:
    """What a worker sent back, already checked."""

    cells: dict[int, tuple[list[Output], int | None]] = field(default_factory=dict)
    problems: list[tuple[int | None, str]] = field(default_factory=list)
    stopped: str | None = None
    refused: str | None = None
    finished: bool = False


def execute(
    notebook: NotebookNode,
    *,
    source: NotebookNode | None = None,
    files: Mapping[str, Path] | None = None,
    limits: Limits = Limits(),  # noqa: B008 (frozen)
    tests: Tests = "together",
    models: Path | None = None,
) -> Execution:
    """Execute `notebook` and return a copy of it with outputs.

    notebook: with its tests restored; its sources and metadata come back unchanged.
    source: the instructor's notebook with the reference solutions; needed for tests="apart".
    files: copied into the scratch folder in which the cells run, by relative name; what is
        not a regular file is left out.
    tests: "together" runs test cells in the student's interpreter, "apart" in a second process.
    models: a folder of checkpoints that is tried before all others; not with an executor.

    A cell that fails, is too slow or never runs gets an error output in words; this function
    does not raise for anything that student code does.

    Raises:
        ValueError: tests="apart" without `source`, or `models` where there is an executor.
        ApartError: `source` breaks the rules for tests apart, or `notebook` does not fit it.
        ExecutorAway: there is an executor and it did not answer, or broke off again and again.
    """
    if tests == "apart" and source is None:
        raise ValueError('tests="apart" needs the source notebook')
    request: dict[str, Any] = {
        "notebook": without_outputs(notebook),
        "source": None if source is None else without_outputs(source),
        "limits": limits.as_data(),
        "tests": tests,
    }
    executor = os.environ.get(EXECUTOR)
    if executor:
        if models is not None:
            raise ValueError("the executor has its own models")
        answer = run_there(Path(executor), request, files or {})
    else:
        answer = run_here(request, files or {}, limits, models)
    results = _read(answer, len(notebook.cells))
    if results.refused is not None:
        raise ApartError(results.refused)
    executed, problems = _merge(notebook, results)
    return Execution(executed, problems, answer.seconds)


def without_outputs(notebook: NotebookNode) -> dict[str, Any]:
    """A plain copy of `notebook` whose code cells have not run."""
    plain = json.loads(json.dumps(notebook))
    for cell in plain["cells"]:
        if cell["cell_type"] == "code":
            cell["outputs"], cell["execution_count"] = [], None
    return plain


def _read(answer: Answer, cells: int) -> _Results:
    """Take from the worker's lines what can be the outcome of a notebook with `cells` cells."""
    results = _Results()
    for line in answer.lines.splitlines():
        try:
            message = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if not isinstance(message, dict):
            continue
        index = message.get("cell")
        if "outputs" in message and isinstance(index, int) and 0 <= index < cells:
            count = message.get("execution_count")
            results.cells[index] = (
                checked_outputs(message["outputs"]),
                count if isinstance(count, int) else None,
            )
        elif "problem" in message and len(results.problems) < 100:
            about = index if isinstance(index, int) and 0 <= index < cells else None
            results.problems.append((about, clean_text(message["problem"])[:500]))
        elif "stopped" in message:
            results.stopped = clean_text(message["stopped"])[:500]
        elif "refused" in message:
            results.refused = clean_text(message["refused"])[:500]
        elif "finished" in message:
            results.finished = True
    if not results.finished:
        results.stopped = results.stopped or (answer.stopped and clean_text(answer.stopped)[:500])
    return results


def _merge(notebook: NotebookNode, results: _Results) -> tuple[NotebookNode, list[str]]:
    executed = from_dict(without_outputs(notebook))
    unrun: list[int] = []
    for index, cell in enumerate(executed.cells):
        if cell.cell_type != "code":
            continue
        if index in results.cells:
            outputs, cell.execution_count = results.cells[index]
            cell.outputs = [from_dict(copy.deepcopy(output)) for output in outputs]
        elif cell.source.strip():
            unrun.append(index)
            reason = results.stopped or "The notebook ended early"
            words = f"This cell was not run. {reason.removesuffix('.')}."
            cell.outputs = [from_dict(error_output("NotRun", words))]
    problems = [
        words if about is None else f"{cell_name(executed, about)} {words}."
        for about, words in results.problems
    ]
    if unrun:
        problems.append(_explain_unrun(executed, unrun, results))
    elif results.stopped:
        problems.append(f"{results.stopped.removesuffix('.')}.")
    return executed, problems


def _explain_unrun(notebook: NotebookNode, unrun: list[int], results: _Results) -> str:
    reason = (results.stopped or "The notebook ended early").removesuffix(".")
    last = max(results.cells, default=None)
    where = "" if last is None else f" {cell_name(notebook, last)} was the last to run."
    cells = "1 cell was" if len(unrun) == 1 else f"{len(unrun)} cells were"
    return f"{reason}.{where} {cells} not run after that."


def cell_name(notebook: NotebookNode, index: int) -> str:
    """How to tell a person which cell is meant: its name, else its place and first line."""
    cell = notebook.cells[index]
    name = cell.metadata.get("nbgrader", {}).get("grade_id")
    if name:
        return f"The cell `{name}`"
    first = next(iter(cell.source.strip().splitlines()), "")
    return f"Cell {index + 1} of the notebook (`{first[:40]}`)"


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
