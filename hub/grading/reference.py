"""What tests apart ask of the instructor's notebook, told before anybody's work is scored.

A test that cannot run apart fails whatever a student wrote. So the notebook's rules are checked
first, and its reference solutions are executed once: what they lose apart and keep in one
interpreter is the test's fault, not theirs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from hub.grading.execute import ApartError, Limits, Tests
from hub.grading.executed import Job
from hub.grading.roles import role

WAY_OUT = (
    "Or set `tests: together` for this assignment in course.yaml: its tests then run in the "
    "student's interpreter, where student code can fake its score."
)

_failing: dict[str, list[str]] = {}
"""What references fail, by the key of the execution: this process need not find it again."""


def can_fake(assignment: str) -> str:
    """What is said wherever an assignment is graded with its tests in the student's interpreter."""
    return (
        f"{assignment}: its tests run in the student's interpreter (`tests: together`), "
        "so student code can fake its score"
    )


@dataclass(frozen=True)
class Reference:
    """The instructor's notebook of an assignment whose tests run apart.

    assignment: its name.
    path: where the notebook lies.
    files: what students are given beside it, by relative name; never a student's own.
    limits: of an execution.
    passed: a folder that remembers which versions have passed their own tests.
    """

    assignment: str
    path: Path
    files: Mapping[str, Path]
    limits: Limits
    passed: Path

    def notebook(self) -> NotebookNode:
        """The notebook. Raises ApartError where it cannot be read, or breaks a rule."""
        try:
            source = nbformat.read(self.path, as_version=4)
        except FileNotFoundError:
            raise ApartError(
                f"{self.assignment}: {self.path} is missing. Its tests run apart from the "
                "student's interpreter, and that takes the instructor's notebook: bring it back "
                f"(`logitlab notebook {self.assignment}` makes it from its text). {WAY_OUT}"
            ) from None
        except (OSError, ValueError) as error:
            raise ApartError(
                f"{self.assignment}: {self.path} cannot be read ({error}). {WAY_OUT}"
            ) from error
        if broken := broken_rules(source):
            raise ApartError(self._cannot_run_apart(broken))
        return source

    def fitting(self, notebook: NotebookNode) -> NotebookNode:
        """The instructor's notebook, whose given cells and tests are those of `notebook`.

        Raises ApartError where they are not, or as `notebook` of this class does.
        """
        from hub.grading.apart.manifest import read
        from hub.grading.apart.session import MismatchError, check

        source = self.notebook()
        manifest = read(source)
        try:
            for cell in notebook.cells:
                if cell.cell_type == "code":
                    check(cell, manifest)
        except MismatchError as error:
            raise ApartError(
                f"{self.assignment}: {error}. {self.path.name} has changed since its release: "
                f"`logitlab release {self.assignment}`, or Generate in the formgrader, brings both "
                "into step."
            ) from error
        return source

    def check(self) -> list[str]:
        """Execute the reference, unless this version has passed before; a sentence a test it fails.

        Raises ApartError where the reference loses a test only because it runs apart, and as
        `notebook` does; ExecutorAway as `execute` does.
        """
        source = self.notebook()
        job = self._job(source, "apart")
        key = job.key()
        if (self.passed / key).exists():
            return []
        told = _failing.get(key) or self._failing(source, job)
        if told:
            _failing[key] = told
        else:
            self.passed.mkdir(mode=0o700, parents=True, exist_ok=True)
            (self.passed / key).touch()
        return told

    def _failing(self, source: NotebookNode, job: Job) -> list[str]:
        apart = _failed(job.run().notebook)
        if not apart:
            return []
        together = _failed(self._job(source, "together").run().notebook)
        if lost := [f"{name} ({why})" for name, why in apart.items() if name not in together]:
            raise ApartError(
                self._cannot_run_apart(
                    f"the reference passes them in one interpreter and loses {'; '.join(lost)}"
                )
            )
        return [
            f"{self.assignment}: the reference itself fails {name} ({why}), so everybody does"
            for name, why in apart.items()
        ]

    def _job(self, source: NotebookNode, tests: Tests) -> Job:
        return Job(source, source, self.files, self.limits, tests)

    def _cannot_run_apart(self, why: str) -> str:
        return (
            f"{self.assignment}: tests of {self.path.name} cannot run apart from the student's "
            f"interpreter: {why}. Change that and release it again. {WAY_OUT}"
        )


def broken_rules(source: NotebookNode) -> str | None:
    """Which cells of an instructor's notebook break which rules for tests apart; None if none."""
    from hub.grading.apart.manifest import ManifestError, read

    try:
        read(source)
    except ManifestError as error:
        return str(error)
    return None


def _failed(executed: NotebookNode) -> dict[str, str]:
    """The tests that failed and the first error of each, by grade id."""
    tests = [cell for cell in executed.cells if cell.cell_type == "code" and role(cell) == "test"]
    errors = {
        cell.metadata.nbgrader.grade_id: next(
            (output for output in cell.outputs if output.output_type == "error"), None
        )
        for cell in tests
    }
    return {name: f"{o.ename}: {o.evalue}"[:300] for name, o in errors.items() if o is not None}
