"""nbgrader's validator with grading's verdict."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from nbconvert.filters import ansi2html
from nbformat import NotebookNode
from nbgrader.coursedir import CourseDirectory
from nbgrader.validator import Validator
from traitlets import Dict, Unicode, default

from hub.core.environment import Environment
from hub.facts.cell_roles import marks
from hub.grading.pipeline.execute import CannotGrade, ExecutionLimits, execute, files_below
from hub.grading.pipeline.rebuild import rebuild
from hub.grading.pipeline.verdict import judge
from hub.singleuser.validation.release import Released, released

NOTHING_GRADED = "No cell of this notebook is graded, so nothing was checked."
TEST_CHANGED = "This test was changed here; grading puts the original back."


class CourseValidator(Validator):
    """Rebuilds, executes and judges a notebook as grading does, without hidden tests.

    Its results have a key that nbgrader's lack: `report`, what was repaired or stopped, one
    sentence each.
    """

    limits = Dict(
        key_trait=Unicode(),
        help="Limits of executing one notebook, by the names of `ExecutionLimits`, which has the "
        "defaults.",
    ).tag(config=True)

    executor = Unicode(
        help="Socket of the executor, which runs the notebook; empty: this machine does. By "
        "default what the environment variable LOGITLAB_EXECUTOR names."
    ).tag(config=True)

    _report: list[str]

    @default("executor")
    def _executor_default(self) -> str:
        return str(Environment.read(os.environ).executor or "")

    def validate(self, filename: str) -> dict[str, Any]:
        path = Path(filename).absolute()
        try:
            with released(path, self.config) as given:
                checked, report = self._checked(path, given)
        except CannotGrade as error:
            self._report = []
            message = f"This notebook could not be checked: {error}. Try Validate again."
            return {"failed": [_failure(path.name, message)]}
        self._report = report  # for `validate_and_print`, which gets only a verdict
        results: dict[str, Any] = {"report": report} if report else {}
        if self.invert:
            passed = [{"source": c.source.strip()} for c in self._get_passed_cells(checked)]
            results |= {"passed": passed} if passed else {}
        elif failed := self._failures(path, checked):
            results["failed"] = failed
        return results

    def validate_and_print(self, filename: str) -> None:
        super().validate_and_print(filename)
        if self._report:
            lines = "".join(f"- {sentence}\n" for sentence in self._report)
            self.stream.write(f"\nAbout this notebook:\n{lines}")

    def _checked(self, path: Path, given: Released) -> tuple[NotebookNode, list[str]]:
        """Execute and judge the notebook at `path`; returns the results and the report."""
        notebook, repairs = rebuild(path.read_bytes(), given.notebook)
        beside = files_below(path.parent, [".*", *CourseDirectory(config=self.config).ignore])
        execution = execute(
            notebook,
            source=given.notebook,
            files=beside,
            given_files=given.files,
            limits=ExecutionLimits(**self.limits),
            executor=Path(self.executor) if self.executor else None,
        )
        for cell in execution.notebook.cells:
            judge(cell)
        return execution.notebook, [*given.remarks, *repairs, *execution.problems]

    def _failures(self, path: Path, checked: NotebookNode) -> list[dict[str, str]]:
        if not any(marks(cell).grade for cell in checked.cells):
            return [_failure(path.name, NOTHING_GRADED)]
        # Only if there was no release to rebuild from.
        changed = [cell for cell in self._get_changed_cells(checked) if marks(cell).grade]
        failed = [cell for cell in self._get_failed_cells(checked) if cell not in changed]
        return [
            *(_failure(cell.source, TEST_CHANGED) for cell in changed),
            *(_failure(cell.source, self._extract_error(cell)) for cell in failed),
        ]


def _failure(source: str, error: str) -> dict[str, str]:
    return {"source": source.strip(), "error": ansi2html(error), "raw_error": error}
