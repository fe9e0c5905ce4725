"""nbgrader's Autograde at its own configuration points: rebuild, execute, judge, report.

`SubmissionExporter` reads submissions, so that no submitted file reaches nbgrader's parser;
the preprocessors replace nbgrader's Execute and tell the student in words what happened.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, cast

import nbformat
from nbconvert.exporters import NotebookExporter
from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell
from nbgrader.converters.base import BaseConverter
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import NbGraderPreprocessor
from traitlets import Enum, Float, Integer

from hub.grading.execute import Limits, Tests, files_below
from hub.grading.executed import ExecutedFolder, Job
from hub.grading.rebuild import rebuild
from hub.grading.verdict import judged_outputs

OURS = "logitlab"  # key of our own data in a notebook's metadata and in nbconvert's resources
NOT_FOR_CELLS = ("timestamp.txt", "submission_secret.txt", "feedback.html")

Resources = dict[str, Any]


class NotReleased(Exception):
    """An assignment was never released in this course folder; the message says what to do."""


class SubmissionExporter(NotebookExporter):
    """Writes notebooks for Autograde; a submitted one is rebuilt from the released one first."""

    def from_filename(
        self, filename: str, resources: Resources | None = None, **kw: Any
    ) -> tuple[Any, Resources]:
        resources = {} if resources is None else resources
        names = resources["nbgrader"]
        coursedir = cast(BaseConverter, self.parent).coursedir
        assignment, student, notebook = (names[k] for k in ("assignment", "student", "notebook"))
        source = course_path(coursedir, "source", assignment, notebook)
        resources[OURS] = {
            "root": str(coursedir.root),
            "source": str(source),
            "files": submission_files(coursedir, assignment, student),
        }
        submitted = course_path(coursedir, "submitted", assignment, notebook, student)
        if Path(filename).resolve() != submitted.resolve():
            return super().from_filename(filename, resources=resources, **kw)
        withhold_source_files(coursedir, assignment, student)
        rebuilt, problems = rebuild(
            submitted.read_bytes(), released_notebook(coursedir, assignment, notebook)
        )
        rebuilt.metadata[OURS] = {"problems": problems}
        resources["metadata"] = {"name": notebook, "path": str(submitted.parent)}
        return self.from_notebook_node(rebuilt, resources=resources, **kw)


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
            f"{path} is missing, so submissions of {assignment} cannot be graded: generate the "
            f"release first (`nbgrader generate_assignment {assignment}`)."
        )
    return nbformat.read(path, as_version=4)


def submission_files(coursedir: CourseDirectory, assignment: str, student: str) -> dict[str, Path]:
    """What lies beside a student's notebook when it runs, by relative name.

    The student's own files, and over them the released ones. Never anything from `source/`:
    the answers live there.
    """
    submitted = course_path(coursedir, "submitted", assignment, "x", student).parent
    released = course_path(coursedir, "release", assignment, "x").parent
    ignore = [*coursedir.ignore, *NOT_FOR_CELLS]
    return {**files_below(submitted, ignore), **files_below(released, ignore)}


def withhold_source_files(coursedir: CourseDirectory, assignment: str, student: str) -> None:
    """Leave beside a graded notebook only what its student has.

    nbgrader copies every file of `source/` there, the answers too, and from there into the
    feedback.
    """
    wanted = submission_files(coursedir, assignment, student)
    graded = course_path(coursedir, "autograded", assignment, "x", student).parent
    for name, path in files_below(graded, NOT_FOR_CELLS).items():
        path.unlink()
        if name in wanted:
            shutil.copyfile(wanted[name], path)


class ExecuteSubmission(NbGraderPreprocessor):
    """Executes a notebook in a process tree of its own, or takes what the batch has executed."""

    tests = Enum(
        ("together", "apart"),
        default_value="together",
        help="Where test cells run: in the student's interpreter, or apart from it.",
    ).tag(config=True)
    cell_seconds = Float(60, help="Time limit of one cell, seconds.").tag(config=True)
    total_seconds = Float(600, help="Time limit of one notebook, seconds.").tag(config=True)
    memory_mib = Integer(4096, help="Memory limit of each process, MiB.").tag(config=True)
    output_mib = Float(16, help="Output kept of one notebook, MiB.").tag(config=True)
    processes = Integer(128, help="Most processes of one execution at once.").tag(config=True)

    @property
    def limits(self) -> Limits:
        return Limits(
            cell_seconds=self.cell_seconds,
            total_seconds=self.total_seconds,
            memory_mib=self.memory_mib,
            output_mib=self.output_mib,
            processes=self.processes,
        )

    def job(self, nb: NotebookNode, resources: Resources) -> Job:
        ours, source = resources[OURS], None
        if self.tests == "apart":
            source = nbformat.read(ours["source"], as_version=4)
        return Job(
            notebook=nb,
            source=source,
            files=ours["files"],
            limits=self.limits,
            tests=cast(Tests, self.tests),
            owner=resources["nbgrader"]["student"],
        )

    def preprocess(self, nb: NotebookNode, resources: Resources) -> tuple[NotebookNode, Resources]:
        job = self.job(nb, resources)
        execution = executed_folder(Path(resources[OURS]["root"])).take(job.key()) or job.run()
        told = nb.metadata.get(OURS, {}).get("problems", [])
        executed = execution.notebook
        executed.metadata[OURS] = {"problems": [*told, *execution.problems]}
        return executed, resources


def executed_folder(root: Path) -> ExecutedFolder:
    """Where a course keeps what was executed and not yet scored."""
    return ExecutedFolder(root / "server" / "executed")


class JudgeOutputs(NbGraderPreprocessor):
    """Makes nbgrader's scoring rule see what counts; runs before SaveAutoGrades."""

    def preprocess_cell(
        self, cell: NotebookNode, resources: Resources, index: int
    ) -> tuple[NotebookNode, Resources]:
        marks = cell.metadata.get("nbgrader", {})
        if cell.cell_type == "code" and marks.get("grade") and not marks.get("solution"):
            cell.outputs = judged_outputs(cell.outputs, float(marks["points"]))
        return cell, resources


class AddReport(NbGraderPreprocessor):
    """Puts what had to be repaired or stopped on top of the autograded notebook, in words."""

    def preprocess(self, nb: NotebookNode, resources: Resources) -> tuple[NotebookNode, Resources]:
        problems = nb.metadata.get(OURS, {}).get("problems", [])
        if problems:
            lines = "\n".join(f"- {problem}" for problem in problems)
            report = new_markdown_cell(f"**About this submission**\n\n{lines}", id="report")
            report.metadata[OURS] = {"report": problems}
            nb.cells.insert(0, report)
        return nb, resources
