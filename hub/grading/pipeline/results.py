"""Parses a worker's lines about a run, defensively, as student code may have forged them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from nbformat import NotebookNode

from hub.grading.pipeline.replay import Attempt
from hub.grading.sandbox.outputs import Output, checked_outputs, clean_text
from hub.grading.sandbox.run import RunOutcome
from hub.grading.sandbox.trouble import KINDS, Trouble

MOST_PROBLEMS = 100


@dataclass
class Results:
    """What a worker sent back, already checked.

    slow: positions of the cells that were stopped at their time limit.
    """

    cells: dict[int, tuple[list[Output], int | None]] = field(default_factory=dict)
    used: dict[int, float] = field(default_factory=dict)
    problems: list[tuple[int | None, str]] = field(default_factory=list)
    troubles: list[Trouble] = field(default_factory=list)
    slow: set[int] = field(default_factory=set)
    refused: str | None = None
    ready: bool = False
    finished: bool = False


def read_results(answer: RunOutcome, notebook: NotebookNode, attempt: Attempt) -> Results:
    """Parse what the worker's lines can validly say about running `notebook`."""
    results = Results()
    for line in answer.lines.splitlines():
        try:
            message = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(message, dict):
            _take(message, results, len(notebook.cells))
    fatal = next((trouble for trouble in results.troubles if trouble.kind != "given"), None)
    kind, reason = answer.stopped or ("grading", "the notebook ended early")
    if fatal is not None and kind == "limit":
        # Whoever killed all processes knows why; the worker only saw them die one by one.
        results.troubles.remove(fatal)
        results.troubles.append(Trouble(kind, fatal.cell, reason))
    elif fatal is None and not results.finished and results.refused is None:
        at = _running(results, notebook, attempt)
        results.troubles.append(Trouble(kind, at, clean_text(reason)[:500]))
    return results


def _take(message: dict[str, Any], results: Results, cells: int) -> None:
    """Parse one line of a worker, as far as it makes sense."""
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
        results.problems.append((index, clean_text(message["problem"])[:500]))
        if message.get("slow") is True and index is not None:
            results.slow.add(index)
    elif "trouble" in message and len(results.troubles) < cells + 1:
        trouble = message["trouble"]
        if isinstance(trouble, dict) and trouble.get("kind") in KINDS:
            at = trouble.get("cell")
            at = at if isinstance(at, int) and 0 <= at < cells else None
            reason = clean_text(trouble.get("message"))[:500]
            results.troubles.append(Trouble(trouble["kind"], at, reason))
    elif "refused" in message:
        results.refused = clean_text(message["refused"])[:500]
    elif "ready" in message:
        results.ready = True
    elif "finished" in message:
        results.finished = True


def _running(results: Results, notebook: NotebookNode, attempt: Attempt) -> int | None:
    """The cell that was running when the lines ended; None before the first."""
    if not results.ready:
        return None
    return next(
        (
            position
            for position, cell in enumerate(notebook.cells)
            if cell.cell_type == "code"
            and cell.source.strip()
            and position not in results.cells
            and position not in attempt.left_out
        ),
        len(notebook.cells) - 1,
    )
