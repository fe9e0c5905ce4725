"""The feedback page: nbgrader's GenerateFeedback without hidden tests and active content."""

from __future__ import annotations

import glob
import html
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbconvert.exporters import HTMLExporter, TemplateExporter
from nbconvert.filters.widgetsdatatypefilter import WidgetsDataTypeFilter
from nbconvert.preprocessors import Preprocessor
from nbformat import NotebookNode
from nbgrader.apps import NbGraderAPI
from nbgrader.preprocessors import AssignLatePenalties, GetGrades
from traitlets import Bool, List, Unicode
from traitlets.config import Config

from hub.facts.cell_roles import marks
from hub.facts.errors import UserError
from hub.grading.pipeline.autograde import OURS
from hub.grading.pipeline.hidden import hide_tests
from hub.grading.pipeline.sanitise import safe_markdown, sanitise
from hub.grading.sandbox.outputs import clean_text
from hub.upstream.nbgrader import shared_engines

Resources = dict[str, Any]

WITHOUT_ALT = re.compile(r"<img (?![^>]*\salt=)")


class FeedbackExporter(HTMLExporter):
    """A student's feedback page; template and preprocessors are set in `configuration`."""

    optimistic_validation = True  # the notebook is validated after the last step, not after each

    def from_notebook_node(  # type: ignore[override]
        self, nb: NotebookNode, resources: Resources | None = None, **kw: Any
    ) -> tuple[str, Resources]:
        """As HTMLExporter's, which also parses the finished page, for pages that are not ours."""
        resources = self._init_resources(resources)
        widgets = WidgetsDataTypeFilter(
            notebook_metadata=nb.metadata, parent=self, resources=resources
        )
        self.register_filter("filter_data_type", widgets)
        page, resources = TemplateExporter.from_notebook_node(self, nb, resources, **kw)
        return WITHOUT_ALT.sub('<img alt="A picture without a description" ', page), resources


class _FeedbackStep(Preprocessor):
    enabled = Bool(True, help="Whether to use this step.").tag(config=True)


class LatePenalties(AssignLatePenalties):
    """nbgrader's, in a page: HTMLExporter sets an option there that nbgrader's does not know."""

    display_data_priority = List(Unicode(), help="Types of output, best first.").tag(config=True)


class Grades(GetGrades):
    """nbgrader's, plus which answers nobody has graded yet."""

    def preprocess_cell(
        self, cell: NotebookNode, resources: Resources, cell_index: int
    ) -> tuple[NotebookNode, Resources]:
        cell, resources = super().preprocess_cell(cell, resources, cell_index)
        its = marks(cell)
        if its.has_points:
            grade = self.gradebook.find_grade(
                its.name, self.notebook_id, self.assignment_id, self.student_id
            )
            cell.metadata.nbgrader["waits"] = (
                grade.needs_manual_grade and grade.manual_score is None
            )
        return cell, resources


class HideTests(_FeedbackStep):
    """Removes hidden tests and their traces from a notebook that is shown to a student."""

    def preprocess(self, nb: NotebookNode, resources: Resources) -> tuple[NotebookNode, Resources]:
        return hide_tests(nb), resources


class Sanitise(_FeedbackStep):
    """Makes a notebook safe to show; for feedback and for the formgrader's pages."""

    def preprocess(self, nb: NotebookNode, resources: Resources) -> tuple[NotebookNode, Resources]:
        return sanitise(nb), resources


class SafeNames(_FeedbackStep):
    """Escapes the names on the formgrader's page of a submission:
    nbgrader's template puts them unescaped into HTML, attributes and strings in scripts."""

    names = ("first_name", "last_name", "student", "assignment_id", "notebook_id", "notebook_path")

    def preprocess(self, nb: NotebookNode, resources: Resources) -> tuple[NotebookNode, Resources]:
        for name in self.names:
            if resources.get(name):
                resources[name] = _escaped(str(resources[name]))
        return nb, resources


def _escaped(name: str) -> str:
    line = " ".join(clean_text(name).split("\n"))
    return html.escape(line).replace("\\", "&#92;")


class Summarise(_FeedbackStep):
    """Puts the points of each question and the report where the template finds them."""

    def preprocess(self, nb: NotebookNode, resources: Resources) -> tuple[NotebookNode, Resources]:
        reports = [cell.metadata.get(OURS, {}).get("report", []) for cell in nb.cells]
        nb.cells = [cell for cell in nb.cells if "report" not in cell.metadata.get(OURS, {})]
        resources[OURS] = {
            "report": [safe_markdown(sentence) for report in reports for sentence in report],
            "questions": questions(nb),
        }
        for cell in nb.cells:
            marks = cell.metadata.get("nbgrader", {})
            if marks.get("comment"):
                marks["comment"] = safe_markdown(marks["comment"])
        return nb, resources


@dataclass
class Question:
    """What a student sees as one question: an answer cell and the test cells that grade it."""

    name: str
    score: float
    points: float
    by_hand: bool
    waits: bool = False  # for manual grading


def questions(notebook: NotebookNode) -> list[Question]:
    """The questions of a notebook in order, with the points from GetGrades.

    A test cell belongs to the answer cell before it; a cell graded by hand is a question of
    its own.
    """
    found: list[Question] = []
    answer: str | None = None
    for cell in notebook.cells:
        its = marks(cell)
        if its.solution and not its.by_hand:
            answer = its.name
        if not its.has_points:
            continue
        name = its.name if its.by_hand or answer is None else answer
        if not found or found[-1].name != name:
            found.append(Question(name, 0.0, 0.0, its.by_hand))
        found[-1].score += float(cell.metadata.nbgrader.get("score") or 0)
        found[-1].points += float(cell.metadata.nbgrader.get("points") or 0)
        found[-1].waits |= bool(cell.metadata.nbgrader.get("waits"))
    return found


class FeedbackFails(UserError):
    """Feedback was not generated, or not for everybody; the message says why."""


def generate(config: Config, assignment: str) -> Iterator[str]:
    """Make the pages of all graded submissions of `assignment`, as the formgrader does; repeatable.

    config: nbgrader's, of the course. Raises FeedbackFails.
    """
    api = NbGraderAPI(config=config)
    graded = api.coursedir.format_path(api.coursedir.autograded_directory, "*", assignment)
    students = sorted(Path(path).parent.name for path in glob.glob(graded))
    if not students:
        yield f"{assignment}: no submission is graded yet; run `logitlab autograde {assignment}`"
        return
    with shared_engines():
        result = api.generate_feedback(assignment)
    if not result["success"]:
        lines = (result.get("log") or result.get("error") or "").strip().splitlines()
        errors = [line for line in lines if "Error" in line or "Exception" in line]
        raise FeedbackFails(f"{assignment}: {clean_text((errors or lines or ['no reason'])[-1])}")
    count = f"{len(students)} submission{'s' * (len(students) != 1)}"
    yield f"{assignment}: feedback on {count} is in feedback/"
