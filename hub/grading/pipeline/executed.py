"""An execution as data, and a folder that passes its outcome from one process to the next.

Executing is parallel and scoring is serial. The batch stores its executions here, and the
scoring pass consumes them: taking an entry removes it, so that nothing old is scored.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nbformat import NotebookNode, from_dict

from hub.facts import files
from hub.grading.pipeline.execute import Execution, ExecutionLimits, Tests, execute, without_outputs
from hub.grading.sandbox.limits import ReferenceTimes
from hub.grading.sandbox.run import Busy


@dataclass(frozen=True)
class Job:
    """Everything that determines the outcome of an execution; see `execute`."""

    notebook: NotebookNode
    source: NotebookNode | None = None
    files: Mapping[str, Path] = field(default_factory=dict)
    given_files: Mapping[str, Path] = field(default_factory=dict)
    limits: ExecutionLimits = ExecutionLimits()  # noqa: RUF009 (frozen)
    tests: Tests = "in_kernel"
    owner: str = ""  # the student: equal notebooks of two students both run
    yardstick: ReferenceTimes | None = None
    seed: str = ""
    executor: Path | None = None

    def run(self, busy: Busy = lambda busy: None) -> Execution:
        return execute(
            self.notebook,
            source=self.source,
            files=self.files,
            given_files=self.given_files,
            limits=self.limits,
            tests=self.tests,
            yardstick=self.yardstick,
            seed=self.seed,
            executor=self.executor,
            busy=busy,
        )

    def key(self) -> str:
        """SHA-256 over notebook, source, limits, mode, seed and the files' contents."""
        files = {
            name: hashlib.sha256(path.read_bytes()).hexdigest()
            for name, path in sorted({**self.files, **self.given_files}.items())
        }
        described = {
            "notebook": _what_runs(self.notebook),
            "source": None if self.source is None else _what_runs(self.source),
            "limits": self.limits.as_data(),
            "tests": self.tests,
            "seed": self.seed,
            "files": files,
            "owner": self.owner,
        }
        return hashlib.sha256(json.dumps(described, sort_keys=True).encode()).hexdigest()


def _what_runs(notebook: NotebookNode) -> dict[str, Any]:
    plain = without_outputs(notebook)
    return {
        "kernel": plain["metadata"].get("kernelspec", {}).get("name"),
        "cells": [
            [cell["cell_type"], cell["source"], cell["metadata"].get("nbgrader")]
            for cell in plain["cells"]
        ],
    }


class ExecutedFolder:
    """Finished executions as files `<key>.ipynb`, each complete or absent."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __contains__(self, key: str) -> bool:
        return self._path(key).is_file()

    def put(self, key: str, execution: Execution) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        document = json.loads(json.dumps(execution.notebook))
        document["metadata"]["execution"] = {
            "problems": execution.problems,
            "seconds": execution.seconds,
        }
        files.replace(self._path(key), json.dumps(document), durable=False)

    def take(self, key: str) -> Execution | None:
        """Remove and return the execution stored under `key`; None if there is none."""
        try:
            document = json.loads(self._path(key).read_text())
        except FileNotFoundError:
            return None
        self._path(key).unlink(missing_ok=True)
        problems = document["metadata"].pop("execution")
        return Execution(from_dict(document), problems["problems"], problems["seconds"])

    def discard(self, key: str) -> None:
        self._path(key).unlink(missing_ok=True)

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}.ipynb"
