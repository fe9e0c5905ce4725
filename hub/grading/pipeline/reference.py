"""Executes the instructor's notebook before anybody's work: its tests must pass there.

A test that fails with the reference's answers fails whatever a student wrote, by the test's fault
or the machine's, so nobody is scored then. A pass is remembered per version, with what its
given cells did, as the yardstick for them in students' runs. A failure is not remembered:
its cause may be gone the next time.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

from nbformat import NotebookNode

from hub.facts import files
from hub.facts.cell_roles import role
from hub.grading.pipeline.execute import CannotGrade, ExecutionLimits, IsolationError, Tests
from hub.grading.pipeline.file_states import read_once
from hub.grading.pipeline.job import Job
from hub.grading.sandbox.limits import ReferenceTimes

# Beside plain nbgrader there is neither `logitlab` nor its course.yaml.
IS_PLAIN = find_spec("hub.cli") is None

GENERATE = "nbgrader generate_assignment" if IS_PLAIN else "logitlab generate"

IN_KERNEL = "its tests then run in the student's kernel, where student code can fake its score."

LIBRARIES = ("logitlab", "logitlab-grading", "torch", "transformer-lens", "ipykernel", "numpy")
"""Versions whose change makes a passed reference run again."""


class ReferenceFails(CannotGrade):
    """The reference fails its own tests; the message says which."""


def can_fake(assignment: str) -> str:
    """The warning wherever an assignment is graded with its tests in the student's kernel."""
    return (
        f"{assignment}: its tests run in the student's kernel (`tests: in_kernel`), "
        "so student code can fake its score"
    )


def way_out(assignment: str) -> str:
    """What lets an assignment be graded whose tests cannot run isolated."""
    line = f'c.ExecuteSubmission.tests_of = {{"{assignment}": "in_kernel"}}'
    if IS_PLAIN:
        return f"Or set `{line}` in nbgrader_config.py: {IN_KERNEL}"
    return f"Or set `tests: in_kernel` for this assignment in course.yaml: {IN_KERNEL}"


@dataclass(frozen=True)
class Reference:
    """The instructor's notebook of an assignment.

    assignment: its name.
    path: of the notebook.
    files: files that students get with it, by relative name; never a student's own.
    limits: of an execution.
    passed: a folder that remembers which versions have passed their own tests.
    tests: where its tests run.
    seed: that of all submissions, so that what it passes is what they are judged by.
    executor: as in `execute`.
    """

    assignment: str
    path: Path
    files: Mapping[str, Path]
    limits: ExecutionLimits
    passed: Path
    tests: Tests
    seed: str = ""
    executor: Path | None = None

    def notebook(self) -> NotebookNode:
        """The notebook, for isolated tests. Raises IsolationError if it cannot be used for
        them."""
        try:
            source = read_once(self.path)
        except FileNotFoundError:
            raise IsolationError(
                f"{self.assignment}: {self.path} is missing. Its tests run isolated from the "
                "student's kernel, which requires the instructor's notebook: restore it"
                f"{self._from_text()}. {way_out(self.assignment)}"
            ) from None
        except (OSError, ValueError) as error:
            raise IsolationError(
                f"{self.assignment}: {self.path} cannot be read ({error}). "
                f"{way_out(self.assignment)}"
            ) from error
        if broken := broken_rules(source):
            raise IsolationError(self._cannot_isolate(broken))
        return source

    def unchecked(self) -> NotebookNode | None:
        """The notebook, whatever rules it breaks; None if there is none that can be read."""
        try:
            return read_once(self.path)
        except (OSError, ValueError):
            return None

    def fitting(self, notebook: NotebookNode) -> NotebookNode:
        """The instructor's notebook, whose given cells and tests are those of `notebook`.

        Raises IsolationError if they are not, or as `notebook` of this class does.
        """
        from hub.grading.isolation.manifest import read
        from hub.grading.isolation.modes import Isolated, MismatchError

        source = self.notebook()
        mode = Isolated(read(source))
        try:
            for cell in notebook.cells:
                if cell.cell_type == "code":
                    mode.check(cell)
        except MismatchError as error:
            raise IsolationError(
                f"{self.assignment}: {error}. {self.path.name} has changed since its release: "
                f"`{GENERATE} {self.assignment}`, or Generate in the formgrader, "
                "synchronises them."
            ) from error
        return source

    def yardstick(self) -> ReferenceTimes | None:
        """What the given cells do; executes the reference, unless this version has passed before.

        None if tests run in the kernel and there is no such notebook.

        Raises:
            ReferenceFails: it fails one of its own tests, twice.
            IsolationError: it loses a test only because it runs isolated, and as `notebook` does.
            CannotGrade, ExecutorAway: as `execute` does.
        """
        source = self.notebook() if self.tests == "isolated" else self.unchecked()
        if source is None:
            return None
        job = self._job(source, self.tests)
        kept = self.passed / f"{job.key()}-{versions()}.json"
        try:
            return ReferenceTimes.from_data(json.loads(kept.read_text()))
        except (OSError, ValueError, KeyError, TypeError):
            pass  # not executed yet, or the file is damaged
        found = self._measured(source, job)
        self.passed.mkdir(mode=0o700, parents=True, exist_ok=True)
        files.replace(kept, json.dumps(found.as_data()), durable=False)
        return found

    def _measured(self, source: NotebookNode, job: Job) -> ReferenceTimes:
        execution = job.run()
        failed = _failed(execution.notebook)
        if failed:  # a glitch of the machine passes
            execution = job.run()
            again = _failed(execution.notebook)
            failed = {name: why for name, why in again.items() if name in failed}
        if failed:
            self._refuse(source, failed)
        bare = self._job(without_answers(source), self.tests, source).run()
        failing = execution.failing | bare.failing
        times = ReferenceTimes(execution.used, failing, execution.failing, shares=True)
        shared = replace(job, yardstick=times).run()
        same = _errors(shared.notebook) == _errors(execution.notebook)
        return times if same else replace(times, shares=False)

    def _refuse(self, source: NotebookNode, failed: Mapping[str, str]) -> None:
        if self.tests == "isolated":
            together = _failed(self._job(source, "in_kernel").run().notebook)
            lost = [f"{name} ({why})" for name, why in failed.items() if name not in together]
            if lost:
                raise IsolationError(
                    self._cannot_isolate(
                        f"the reference passes them in one process but loses {'; '.join(lost)}"
                    )
                )
        report = "; ".join(f"{name} ({why})" for name, why in failed.items())
        raise ReferenceFails(
            f"{self.assignment}: the reference itself fails {report}. Nobody's work can be graded "
            "until that is fixed; all points are unchanged. Fix the test or the reference and "
            f"`{GENERATE} {self.assignment}`. If the machine is at fault, grade again "
            "later."
        )

    def _job(self, notebook: NotebookNode, tests: Tests, source: NotebookNode | None = None) -> Job:
        return Job(
            notebook,
            notebook if source is None else source,
            given_files=self.files,
            limits=self.limits,
            tests=tests,
            seed=self.seed,
            executor=self.executor,
        )

    def _from_text(self) -> str:
        made = f" (`logitlab notebook {self.assignment}` makes it from its text)"
        return "" if IS_PLAIN else made

    def _cannot_isolate(self, why: str) -> str:
        return (
            f"{self.assignment}: tests of {self.path.name} cannot run isolated from the student's "
            f"kernel: {why}. Fix that and generate it again. {way_out(self.assignment)}"
        )


def broken_rules(source: NotebookNode) -> str | None:
    """Which cells of an instructor's notebook break which rules for isolated tests; None if
    none."""
    from hub.grading.isolation.manifest import ManifestError, read

    try:
        read(source)
    except ManifestError as error:
        return str(error)
    return None


def versions() -> str:
    """The versions of what notebooks run on, for a file name."""
    found = []
    for library in LIBRARIES:
        try:
            found.append(version(library))
        except PackageNotFoundError:
            found.append("none")
    return "-".join(found)


def without_answers(source: NotebookNode) -> NotebookNode:
    """A copy of the instructor's notebook with empty answer cells."""
    bare = copy.deepcopy(source)
    for cell in bare.cells:
        if cell.cell_type == "code" and role(cell) in ("solution", "student"):
            cell.source = ""
    return bare


def _errors(executed: NotebookNode) -> list[list[str]]:
    """The kinds of errors of each code cell."""
    return [
        [output.ename for output in cell.outputs if output.output_type == "error"]
        for cell in executed.cells
        if cell.cell_type == "code"
    ]


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
