"""An execution as data."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nbformat import NotebookNode

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
