"""Small notebooks for the tests of tests isolated: an instructor's, and submissions of it."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook

from hub.facts.cell_roles import role
from hub.grading.isolation.manifest import read
from hub.grading.isolation.modes import Isolated
from hub.grading.isolation.session import run_cells
from hub.grading.sandbox.outputs import error_output

ROOT = Path(__file__).resolve().parents[2]

MARKS: dict[str, dict[str, Any]] = {
    "released": {"grade": False, "locked": True, "solution": False},
    "solution": {"grade": False, "locked": False, "solution": True},
    "test": {"grade": True, "locked": True, "solution": False, "points": 1},
}


def notebook(*cells: tuple[str, str]) -> NotebookNode:
    """A notebook of (role, text) pairs; cell k has the grade_id `<role>-<k>`."""
    book = new_notebook()
    for k, (kind, text) in enumerate(cells, 1):
        cell = new_code_cell(text)
        if kind in MARKS:
            cell.metadata["nbgrader"] = {"grade_id": f"{kind}-{k}", "task": False, **MARKS[kind]}
        book.cells.append(cell)
    return book


def answered(source: NotebookNode, *answers: str) -> NotebookNode:
    """The instructor's notebook with its solution cells' texts replaced, in order."""
    book = copy.deepcopy(source)
    solutions = [cell for cell in book.cells if role(cell) == "solution"]
    for cell, answer in zip(solutions, answers, strict=True):
        cell.source = answer
    return book


def run_isolated(
    source: NotebookNode,
    submission: NotebookNode | None = None,
    seconds: float = 20,
    total: float = 120,
) -> NotebookNode:
    """`submission`, or else the reference itself, run apart once, without replays."""
    executed = copy.deepcopy(source if submission is None else submission)
    ran = run_cells(executed, Isolated(read(source)), cell_seconds=seconds, total_seconds=total)
    done = {cell.index: cell for cell in ran if cell.index >= 0}
    for index, cell in enumerate(executed.cells):
        if cell.cell_type == "code" and index in done:
            cell.outputs = nbformat.from_dict(done[index].outputs)
            cell.execution_count = done[index].count
        elif cell.cell_type == "code":
            cell.outputs = nbformat.from_dict([error_output("NotRun", "it was not run")])
    return executed


def failures(executed: NotebookNode) -> list[str]:
    """For each test cell that failed, `Name: message`."""
    tests = [c for c in executed.cells if c.cell_type == "code" and role(c) == "test"]
    errors = [o for cell in tests for o in cell.outputs if o.output_type == "error"]
    return [f"{o.ename}: {o.evalue}" for o in errors]


def failed(executed: NotebookNode) -> list[str]:
    """The grade_ids of the test cells that failed."""
    tests = [c for c in executed.cells if c.cell_type == "code" and role(c) == "test"]
    return [
        cell.metadata.nbgrader.grade_id
        for cell in tests
        if any(o.output_type == "error" for o in cell.outputs)
    ]


def outputs(executed: NotebookNode, k: int) -> str:
    """All that cell `k` (from 1) shows, as one text."""
    return repr(executed.cells[k - 1].outputs)


def run_in_kernel(book: NotebookNode, folder: Path) -> NotebookNode:
    """A notebook executed in one process, in `folder`."""
    executed = copy.deepcopy(book)
    done = subprocess.run(
        [sys.executable, "-m", "tests.isolation.in_kernel"],
        input=nbformat.writes(book),
        capture_output=True,
        text=True,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT), "IPYTHONDIR": str(folder / "ipython")},
        timeout=120,
        check=True,
    )
    for cell, found in zip(executed.cells, json.loads(done.stdout), strict=True):
        cell.outputs = nbformat.from_dict(found)
    return executed
