"""`execute`: a notebook in, the executed notebook out. The one way in which notebooks are run.

The work happens in a process tree and a scratch folder of its own, without tokens, and nothing
that comes back is trusted: outputs are taken, checked, and put into a copy of the notebook that
was given. What is behind this interface can be replaced (an engine of forked kernels, a
sandbox) without its callers knowing.
"""

from __future__ import annotations

import copy
import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import IO, Any, Literal

from nbformat import NotebookNode, from_dict

from hub.grading.limits import Limits
from hub.grading.outputs import Output, checked_outputs, error_output, plain_text
from hub.grading.processes import MARKER, descendants, end_tree

__all__ = ["ApartError", "Execution", "Limits", "Tests", "execute"]

Tests = Literal["together", "apart"]

GRACE_SECONDS = 90  # start of the kernel and the end of the tree, on top of the total time
PACKAGES = Path(__file__).parents[2]  # where `hub` and `course` are imported from


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
) -> Execution:
    """Execute `notebook` and return a copy of it with outputs.

    notebook: with its tests restored; its sources and metadata come back unchanged.
    source: the instructor's notebook with the reference solutions; needed for tests="apart".
    files: copied into the scratch folder in which the cells run, by relative name; what is
        not a regular file is left out.
    tests: "together" runs test cells in the student's interpreter, "apart" in a second process.

    A cell that fails, is too slow or never runs gets an error output in words; this function
    does not raise for anything that student code does.

    Raises:
        ValueError: tests="apart" without `source`.
        ApartError: `source` breaks the rules for tests apart, or `notebook` does not fit it.
    """
    if tests == "apart" and source is None:
        raise ValueError('tests="apart" needs the source notebook')
    started = time.monotonic()
    request = {
        "notebook": without_outputs(notebook),
        "source": None if source is None else without_outputs(source),
        "limits": limits.as_data(),
        "tests": tests,
    }
    with tempfile.TemporaryDirectory(prefix="logitlab-", ignore_cleanup_errors=True) as scratch:
        work = Path(scratch, "work")
        for folder in (work, Path(scratch, "home"), Path(scratch, "tmp")):
            folder.mkdir()
        _copy_files(files or {}, work)
        results = _run_worker(request, Path(scratch), limits)
    if results.refused is not None:
        raise ApartError(results.refused)
    executed, problems = _merge(notebook, results)
    return Execution(executed, problems, time.monotonic() - started)


def without_outputs(notebook: NotebookNode) -> dict[str, Any]:
    """A plain copy of `notebook` whose code cells have not run."""
    plain = json.loads(json.dumps(notebook))
    for cell in plain["cells"]:
        if cell["cell_type"] == "code":
            cell["outputs"], cell["execution_count"] = [], None
    return plain


def _copy_files(files: Mapping[str, Path], folder: Path) -> None:
    for name, path in files.items():
        relative = PurePosixPath(name)
        if relative.is_absolute() or ".." in relative.parts:
            continue
        if path.is_symlink() or not path.is_file():
            continue
        target = folder / relative
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)


def _environment(scratch: Path, marker: str) -> dict[str, str]:
    """What student code may see: nothing of the grader's own environment but the models."""
    environment = {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), "/usr/bin", "/bin"]),
        "PYTHONPATH": str(PACKAGES),
        "HOME": str(scratch / "home"),
        "TMPDIR": str(scratch / "tmp"),
        "JUPYTER_RUNTIME_DIR": str(scratch / "tmp"),
        "LANG": "C.UTF-8",
        "LC_ALL": "C.UTF-8",
        "OMP_NUM_THREADS": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "HF_HUB_OFFLINE": "1",
        # Figures as data: the default of Plotly puts 4.8 MB of script into the output as well.
        "PLOTLY_RENDERER": "plotly_mimetype",
        "NBGRADER_EXECUTION": "autograde",
        MARKER: marker,
    }
    if models := os.environ.get("COURSE_MODELS"):
        environment["COURSE_MODELS"] = models
    return environment


def _run_worker(request: dict[str, Any], scratch: Path, limits: Limits) -> _Results:
    marker = secrets.token_hex(16)
    # Files without a name: student code finds no path to the tests or to the results.
    with (
        tempfile.TemporaryFile() as asked,
        tempfile.TemporaryFile() as answered,
        tempfile.TemporaryFile() as log,
    ):
        asked.write(json.dumps(request).encode())
        asked.seek(0)
        worker = subprocess.Popen(
            [sys.executable, "-m", "hub.grading.worker"],
            stdin=asked,
            stdout=answered,
            stderr=log,
            cwd=scratch / "work",
            env=_environment(scratch, marker),
            start_new_session=True,
        )
        try:
            stopped = _wait(worker, limits)
        finally:
            end_tree(worker.pid, marker)
            worker.wait()
        results = _read(answered, limits, len(request["notebook"]["cells"]))
        if not results.finished:
            results.stopped = results.stopped or stopped or _last_words(log)
    return results


def _wait(worker: subprocess.Popen[bytes], limits: Limits) -> str | None:
    """Wait for the worker; a sentence if it has to be ended from outside, else None."""
    deadline = time.monotonic() + limits.total_seconds + GRACE_SECONDS
    while time.monotonic() < deadline:
        try:
            worker.wait(timeout=0.25)
            return None
        except subprocess.TimeoutExpired:
            pass
        if len(descendants(worker.pid)) > limits.processes:
            return f"More than {limits.processes} processes were started, so all were ended"
    return f"The notebook was not finished {GRACE_SECONDS} s after its time limit"


def _last_words(log: IO[bytes]) -> str:
    log.seek(max(0, log.seek(0, os.SEEK_END) - 500))
    lines = log.read().decode("utf-8", "replace").strip().splitlines()
    return "The process that ran the notebook ended early" + (f" ({lines[-1]})" if lines else "")


def _read(answered: IO[bytes], limits: Limits, cells: int) -> _Results:
    """Read the worker's lines; bytes beyond what the limits allow are never looked at."""
    most = 4 * limits.output_bytes + 100_000 * (cells + 10)
    answered.seek(0)
    results = _Results()
    for line in answered.read(most).splitlines():
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
            results.problems.append((about, plain_text(message["problem"])[:500]))
        elif "stopped" in message:
            results.stopped = plain_text(message["stopped"])[:500]
        elif "refused" in message:
            results.refused = plain_text(message["refused"])[:500]
        elif "finished" in message:
            results.finished = True
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
