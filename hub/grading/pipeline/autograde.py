"""nbgrader's Autograde at its own configuration points: rebuild, execute, judge, report.

`SubmissionExporter` reads submissions, so that no submitted file reaches nbgrader's parser;
the preprocessors replace nbgrader's Execute and report to the student what happened. The batch
prepares and executes a submission by the same classes, and `ScoreExecuted` does what is left.
"""

from __future__ import annotations

import os
import shutil
import weakref
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import nbformat
from nbconvert.exporters import NotebookExporter
from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell
from nbgrader.converters import Autograde
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import NbGraderPreprocessor
from traitlets import Dict, Enum, Integer, Unicode, default
from traitlets.utils.importstring import import_item

from hub.core.environment import Environment
from hub.facts.errors import UserError
from hub.grading.pipeline.ahead import Ahead
from hub.grading.pipeline.execute import (
    CannotGrade,
    Execution,
    ExecutionLimits,
    Tests,
    files_below,
)
from hub.grading.pipeline.file_states import read_once
from hub.grading.pipeline.job import Job
from hub.grading.pipeline.manual import fingerprints, questions
from hub.grading.pipeline.rebuild import rebuild
from hub.grading.pipeline.reference import Reference, can_fake
from hub.grading.pipeline.renamed import taken_from
from hub.grading.pipeline.seeds import seed_of
from hub.grading.pipeline.verdict import judge
from hub.upstream.nbgrader import shared_engines

OURS = "logitlab"  # key of our data in a notebook's metadata and in nbconvert's resources
NOT_FOR_CELLS = ("timestamp.txt", "submission_secret.txt", "feedback.html")

Resources = dict[str, Any]


class NotReleased(UserError):
    """An assignment has no release in this course folder."""


class SubmissionExporter(NotebookExporter):
    """Writes notebooks for Autograde; a submitted one is rebuilt from the released one first.

    Autograde creates it before it removes earlier results.
    """

    optimistic_validation = True  # the notebook is validated after the last step, not after each

    def __init__(self, **kw: Any) -> None:
        super().__init__(**kw)
        self._converter = cast(Autograde, self.parent)
        self._earlier = _earlier_fingerprints(self._converter)
        self._sanitised: dict[str, tuple[str, Resources]] = {}
        if len(self._converter.assignments) > 1:
            # Until Autograde is done with them, and with this exporter.
            engines = ExitStack()
            engines.enter_context(shared_engines())
            weakref.finalize(self, engines.close)
        self.announced: set[str] = set()  # assignments whose remarks were logged

    @cached_property
    def ahead(self) -> Ahead:
        """What is executed before Autograde comes to it."""
        workers = ExecuteSubmission(parent=self).workers
        return Ahead(self._converter, self._prepare, workers)

    @cached_property
    def _sanitise(self) -> NotebookExporter:
        """Autograde's steps before it executes, beside this exporter, whose steps it changes."""
        exporter = NotebookExporter(parent=self._converter, config=self._converter.config)
        for step in self._converter.sanitize_preprocessors:
            exporter.register_preprocessor(step)
        return exporter

    def _prepare(self, submitted: str) -> Job:
        text, resources = self._sanitised[submitted] = self.sanitised(submitted)
        return ExecuteSubmission(parent=self).job(nbformat.reads(text, as_version=4), resources)

    def sanitised(self, submitted: str) -> tuple[str, Resources]:
        """A submitted notebook after Autograde's steps before it executes."""
        resources = self._converter.init_single_notebook_resources(submitted)
        rebuilt = self._rebuilt(Path(submitted), resources)
        return cast(
            tuple[str, Resources],
            self._sanitise.from_notebook_node(rebuilt, resources=resources),
        )

    def earlier_fingerprints(self, student: str, notebook: str) -> dict[str, str]:
        """Fingerprints of the notebook graded earlier, see `hub.grading.pipeline.manual`."""
        return self._earlier.get((student, notebook), {})

    def asked(self, assignment: str, notebook: str) -> dict[str, list[Any]]:
        """The released manually graded questions."""
        coursedir = self._converter.coursedir
        return questions(released_notebook(coursedir, assignment, notebook))

    def from_filename(
        self, filename: str, resources: Resources | None = None, **kw: Any
    ) -> tuple[Any, Resources]:
        resources = {} if resources is None else resources
        coursedir = self._converter.coursedir
        assignment, student, notebook = _names(resources)
        submitted = course_path(coursedir, "submitted", assignment, notebook, student)
        if Path(filename).resolve() != submitted.resolve():
            resources[OURS] = {"files": submission_files(coursedir, assignment, student)}
            return super().from_filename(filename, resources=resources, **kw)
        withhold_source_files(self._converter, assignment, student)
        self.ahead.go_on(filename)
        if filename in self._sanitised:
            return self._sanitised.pop(filename)
        rebuilt = self._rebuilt(submitted, resources)
        return self.from_notebook_node(rebuilt, resources=resources, **kw)

    def _rebuilt(self, submitted: Path, resources: Resources) -> NotebookNode:
        """A submitted notebook as it is to be graded; adds to `resources` what goes with it."""
        coursedir = self._converter.coursedir
        assignment, student, notebook = _names(resources)
        resources[OURS] = {"files": submission_files(coursedir, assignment, student)}
        resources["metadata"] = {"name": notebook, "path": str(submitted.parent)}
        rebuilt, problems = rebuild(
            submitted.read_bytes(), released_notebook(coursedir, assignment, notebook)
        )
        renamed = taken_from(submitted)
        rebuilt.metadata[OURS] = {"problems": [renamed, *problems] if renamed else problems}
        return rebuilt


def _earlier_fingerprints(converter: Autograde) -> dict[tuple[str, str], dict[str, str]]:
    """Fingerprints of the autograded notebooks that Autograde is about to replace, by student
    and notebook; one that cannot be read counts as missing."""
    found = {}
    for submitted in (path for paths in converter.assignments.values() for path in paths):
        assignment, student, name = _names(converter.init_single_notebook_resources(submitted))
        graded = course_path(converter.coursedir, "autograded", assignment, name, student)
        with suppress(OSError, ValueError, KeyError, nbformat.ValidationError, NotReleased):
            asked = questions(released_notebook(converter.coursedir, assignment, name))
            found[student, name] = fingerprints(nbformat.read(graded, as_version=4), asked)
    return found


def course_path(
    coursedir: CourseDirectory, step: str, assignment: str, notebook: str, student: str = "."
) -> Path:
    """The notebook of one step (source, release, submitted, …) in nbgrader's folder structure."""
    folder = coursedir.format_path(getattr(coursedir, f"{step}_directory"), student, assignment)
    return Path(folder) / f"{notebook}.ipynb"


def released_notebook(coursedir: CourseDirectory, assignment: str, notebook: str) -> NotebookNode:
    path = course_path(coursedir, "release", assignment, notebook)
    if not path.is_file():
        raise NotReleased(
            f"{path} is missing, so submissions of {assignment} cannot be graded.",
            f"Generate it: `logitlab generate {assignment}`.",
        )
    return read_once(path)


def submission_files(coursedir: CourseDirectory, assignment: str, student: str) -> dict[str, Path]:
    """The student's own files beside the notebook, by relative name."""
    submitted = course_path(coursedir, "submitted", assignment, "x", student).parent
    return files_below(submitted, [*coursedir.ignore, *NOT_FOR_CELLS])


def given_files(converter: Autograde, assignment: str) -> dict[str, Path]:
    """The files that students get with the notebooks, by relative name, but for those that nbgrader
    is told to leave to them.

    Never anything from `source/`, which contains the answers.
    """
    coursedir = converter.coursedir
    released = course_path(coursedir, "release", assignment, "x").parent
    found = files_below(released, [*coursedir.ignore, *NOT_FOR_CELLS])
    theirs = converter.exclude_overwriting.get(assignment, [])
    return {name: path for name, path in found.items() if name not in theirs}


def withhold_source_files(converter: Autograde, assignment: str, student: str) -> None:
    """Leave only the student's files beside a graded notebook.

    nbgrader copies every file of `source/` there, including the answers, and from there into the
    feedback.
    """
    coursedir = converter.coursedir
    own = submission_files(coursedir, assignment, student)
    wanted = {**own, **given_files(converter, assignment)}
    graded = course_path(coursedir, "autograded", assignment, "x", student).parent
    for name, path in files_below(graded, NOT_FOR_CELLS).items():
        path.unlink()
        if name in wanted:
            shutil.copyfile(wanted[name], path)


class ExecuteSubmission(NbGraderPreprocessor):
    """Executes a notebook in its own process tree, or uses what the batch has executed."""

    tests = Enum(
        ("isolated", "in_kernel"),
        default_value="isolated",
        help="Where test cells run: isolated in a process of their own, or in_kernel, in the "
        "student's kernel, where student code can fake its score.",
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
    workers = Integer(
        0, help="Notebooks executed at once where several are graded; 0: one for each core."
    ).tag(config=True)
    remarks_on_sources = Unicode(
        help="Name of a function of nbgrader's course directory and an assignment, which finds "
        "sentences about its source to log before submissions are graded; empty: none."
    ).tag(config=True)
    executor = Unicode(
        help="Socket of the executor, which runs the notebooks; empty: this machine does. By "
        "default what the environment variable LOGITLAB_EXECUTOR names."
    ).tag(config=True)

    @default("executor")
    def _executor_default(self) -> str:
        return str(Environment.read(os.environ).executor or "")

    def where(self, assignment: str) -> Tests:
        """Where the test cells of an assignment run."""
        return cast(Tests, self.tests_of.get(assignment, self.tests))

    def source_remarks(self, assignment: str) -> list[str]:
        """What whoever grades an assignment is to know about its source, such as that it has
        changed since its release."""
        if not self.remarks_on_sources:
            return []
        find = import_item(self.remarks_on_sources)
        return cast(list[str], find(self.coursedir, assignment))

    @property
    def converter(self) -> Autograde:
        return cast(Autograde, cast(NotebookExporter, self.parent).parent)

    @property
    def coursedir(self) -> CourseDirectory:
        return self.converter.coursedir

    def reference(self, assignment: str, notebook: str) -> Reference:
        """The instructor's notebook."""
        return Reference(
            assignment=assignment,
            path=course_path(self.coursedir, "source", assignment, notebook),
            files=given_files(self.converter, assignment),
            limits=ExecutionLimits(**self.limits),
            passed=Path(self.coursedir.root) / "server" / "references",
            tests=self.where(assignment),
            seed=seed_of(Path(self.coursedir.root), assignment),
            executor=Path(self.executor) if self.executor else None,
        )

    def job(self, nb: NotebookNode, resources: Resources) -> Job:
        """The execution of a submission.

        Raises CannotGrade if it is not in Python, as `Reference.yardstick` does, and
        IsolationError if its tests must run isolated and cannot.
        """
        assignment, student, name = _names(resources)
        language = nb.metadata.get("kernelspec", {}).get("language") or "python"
        if language.lower() != "python":
            raise CannotGrade(
                f"{name}.ipynb is for a kernel in {language}, and only notebooks in Python can be "
                "executed"
            )
        reference = self.reference(assignment, name)
        yardstick = reference.yardstick()
        return Job(
            notebook=nb,
            source=reference.fitting(nb)
            if reference.tests == "isolated"
            else reference.unchecked(),
            files=resources[OURS]["files"],
            given_files=given_files(self.converter, assignment),
            limits=ExecutionLimits(**self.limits),
            tests=reference.tests,
            owner=student,
            yardstick=yardstick,
            seed=reference.seed,
            executor=reference.executor,
        )

    def preprocess(self, nb: NotebookNode, resources: Resources) -> tuple[NotebookNode, Resources]:
        if resources[OURS].get("executed"):
            return nb, resources
        assignment, _, _ = _names(resources)
        exporter = cast(SubmissionExporter, self.parent)
        if assignment not in exporter.announced:
            exporter.announced.add(assignment)
            for remark in self.source_remarks(assignment):
                self.log.warning(remark)
            if self.where(assignment) == "in_kernel":
                self.log.warning(can_fake(assignment))
        job = self.job(nb, resources)
        return with_all_problems(nb, exporter.ahead.take(job.key()) or job.run()), resources


def with_all_problems(prepared: NotebookNode, execution: Execution) -> NotebookNode:
    """The executed notebook, with the problems of its preparation before those of its execution."""
    before = problems_of(prepared)
    execution.notebook.metadata[OURS] = {"problems": [*before, *execution.problems]}
    return execution.notebook


def problems_of(notebook: NotebookNode) -> list[str]:
    """What was repaired in a notebook or stopped, one sentence each."""
    return cast(list[str], notebook.metadata.get(OURS, {}).get("problems", []))


class ScoreExecuted(Autograde):
    """nbgrader's Autograde of one submission whose notebooks have been prepared and executed."""

    def __init__(self, executed: Mapping[str, NotebookNode], **kw: Any) -> None:
        """`executed` are all its notebooks, by name; see `with_all_problems`."""
        super().__init__(**kw)
        self._executed = executed

    def init_assignment(self, assignment_id: str, student_id: str) -> None:
        super().init_assignment(assignment_id, student_id)
        withhold_source_files(self, assignment_id, student_id)
        for step in self.autograde_preprocessors:
            self.exporter.register_preprocessor(step)

    def convert_single_notebook(self, notebook_filename: str) -> None:
        resources = self.init_single_notebook_resources(notebook_filename)
        executed = self._executed[resources["nbgrader"]["notebook"]]
        # First of all, as Autograde does: where the disk is full nothing is scored.
        extension = {"output_extension": self.exporter.file_extension}
        self.write_single_notebook(nbformat.writes(executed), {**resources, **extension})
        resources[OURS] = {"executed": True}
        output, resources = self.exporter.from_notebook_node(executed, resources=resources)
        self.write_single_notebook(output, resources)


def _names(resources: Resources) -> tuple[str, str, str]:
    """Assignment, student and notebook."""
    names = resources["nbgrader"]
    return names["assignment"], names["student"], names["notebook"]


class JudgeOutputs(NbGraderPreprocessor):
    """Adjusts outputs for nbgrader's scoring rule; runs before SaveGrades."""

    def preprocess_cell(
        self, cell: NotebookNode, resources: Resources, index: int
    ) -> tuple[NotebookNode, Resources]:
        judge(cell)
        return cell, resources


class AddReport(NbGraderPreprocessor):
    """Puts a report of what was repaired or stopped at the top of the autograded notebook."""

    def preprocess(self, nb: NotebookNode, resources: Resources) -> tuple[NotebookNode, Resources]:
        if problems := problems_of(nb):
            lines = "\n".join(f"- {problem}" for problem in problems)
            report = new_markdown_cell(f"**About this submission**\n\n{lines}", id="report")
            report.metadata[OURS] = {"report": problems}
            nb.cells.insert(0, report)
        return nb, resources
