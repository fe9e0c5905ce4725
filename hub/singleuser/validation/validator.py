"""nbgrader's validator with grading's verdict."""

from __future__ import annotations

import os
from pathlib import Path
from textwrap import fill, indent
from typing import Any, cast

from nbconvert.filters import ansi2html, strip_ansi
from nbformat import NotebookNode
from nbgrader.coursedir import CourseDirectory
from nbgrader.validator import Validator
from traitlets import Dict, Enum, Unicode, default

from hub.core.environment import Environment
from hub.facts.cell_roles import marks
from hub.facts.execution import Tests
from hub.grading.pipeline.execute import CannotGrade, ExecutionLimits, execute, files_below
from hub.grading.pipeline.rebuild import rebuild
from hub.grading.pipeline.verdict import judge
from hub.singleuser.validation.release import Released, released
from hub.singleuser.validation.verdict import Failure, sentence, verdict

NOTHING_CHECKED = "Nothing was checked."
NOTHING_GRADED = "No cell of this notebook is graded."
TEST_CHANGED = "This test was changed here; grading puts the original back."
SEED = "validate"
"""From which tests draw their inputs here: the same in each run, and not those of grading."""


class CourseValidator(Validator):
    """Rebuilds, executes and judges a notebook as grading does, without hidden tests.

    Its results have keys that nbgrader's lack: `verdict`, a sentence, and `report`, what was
    repaired or stopped, one sentence each. A failure has a `sentence`, with which its errors begin.
    """

    tests = Enum(
        ("isolated", "in_kernel"),
        default_value="isolated",
        help="Where test cells run, as for grading; a release that says nothing of its names has "
        "them in_kernel.",
    ).tag(config=True)
    tests_of = Dict(
        value_trait=Enum(("isolated", "in_kernel")),
        key_trait=Unicode(),
        help="Overrides for single assignments, by name.",
    ).tag(config=True)
    limits = Dict(
        key_trait=Unicode(),
        help="Limits of executing one notebook, by the names of `ExecutionLimits`, which has the "
        "defaults.",
    ).tag(config=True)

    executor = Unicode(
        help="Socket of the executor, which runs the notebook; empty: this machine does. By "
        "default what the environment variable LOGITLAB_EXECUTOR names."
    ).tag(config=True)

    _results: dict[str, Any]

    @default("executor")
    def _executor_default(self) -> str:
        return str(Environment.read(os.environ).executor or "")

    def validate(self, filename: str) -> dict[str, Any]:
        path = Path(filename).absolute()
        try:
            with released(path, self.config) as given:
                results = self._results_of(path, given)
        except CannotGrade as error:
            message = f"This notebook could not be checked: {error}. Try Validate again."
            results = _unchecked(path, message)
        self._results = results  # for what prints, which gets parts of it only
        return results

    def validate_and_print(self, filename: str) -> None:
        super().validate_and_print(filename)
        if report := self._results.get("report"):
            lines = "".join(f"- {each}\n" for each in report)
            self.stream.write(f"\nAbout this notebook:\n{lines}")

    def _print_num_failed(self, num_failed: int) -> None:
        self.stream.write(fill(self._results["verdict"], self.width) + "\n")

    def _print_error(self, source: str, error: str) -> None:
        first, _, traceback = error.partition("\n\n")
        self.stream.write(f"\n{'=' * self.width}\n{fill(first, self.width)}\n")
        for text in (source, traceback):
            if text and text != first:
                self.stream.write(f"\n{indent(strip_ansi(text), self.indent)}\n")

    def _results_of(self, path: Path, given: Released) -> dict[str, Any]:
        checked, report = self._checked(path, given)
        results: dict[str, Any] = {"report": report} if report else {}
        if not any(marks(cell).grade for cell in checked.cells):
            return results | _unchecked(path, NOTHING_GRADED)
        if self.invert:
            passed = [{"source": c.source.strip()} for c in self._get_passed_cells(checked)]
            return results | ({"passed": passed} if passed else {})
        failures = self._failures(checked)
        tests = sum(c.cell_type == "code" and marks(c).is_test for c in checked.cells)
        failed = sum(each.is_test for each in failures)
        results["verdict"] = verdict(tests - failed, failed, given.has_hidden)
        return results | ({"failed": [_as_data(each) for each in failures]} if failures else {})

    def _checked(self, path: Path, given: Released) -> tuple[NotebookNode, list[str]]:
        """Execute and judge the notebook at `path`; returns the results and the report."""
        notebook, repairs = rebuild(path.read_bytes(), given.notebook)
        beside = files_below(path.parent, [".*", *CourseDirectory(config=self.config).ignore])
        where = cast(Tests, self.tests_of.get(path.parent.name, self.tests))
        execution = execute(
            notebook,
            source=given.notebook,
            files=beside,
            given_files=given.files,
            limits=ExecutionLimits(**self.limits),
            tests=where if given.names is not None else "in_kernel",
            seed=SEED,
            names=given.names,
            executor=Path(self.executor) if self.executor else None,
        )
        for cell in execution.notebook.cells:
            judge(cell)
        return execution.notebook, [*given.remarks, *repairs, *execution.problems]

    def _failures(self, checked: NotebookNode) -> list[Failure]:
        # Only if there was no release to rebuild from.
        changed = [cell for cell in self._get_changed_cells(checked) if marks(cell).grade]
        failed = [cell for cell in self._get_failed_cells(checked) if cell not in changed]
        return [
            *(Failure(f"`{marks(c).name}`: {TEST_CHANGED}", c.source, "") for c in changed),
            *(
                Failure(
                    sentence(checked, index),
                    cell.source,
                    self._extract_error(cell) if marks(cell).is_test else "",
                    marks(cell).is_test,
                )
                for index, cell in enumerate(checked.cells)
                if cell in failed
            ),
        ]


def _unchecked(path: Path, why: str) -> dict[str, Any]:
    return {"verdict": NOTHING_CHECKED, "failed": [_as_data(Failure(why, path.name, ""))]}


def _as_data(failure: Failure) -> dict[str, str]:
    error = "\n\n".join(part for part in (failure.sentence, failure.error) if part)
    return {
        "sentence": failure.sentence,
        "source": failure.source.strip(),
        "error": ansi2html(error),
        "raw_error": error,
    }
