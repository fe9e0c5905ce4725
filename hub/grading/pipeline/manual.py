"""Keeps manual grades across autogrades: an answer waits for a person only if something changed.

nbgrader's SaveAutoGrades requests every manual grade again at each autograde, whatever was
submitted. Here the gradebook stores, beside each grade, a fingerprint of what was graded by hand;
as long as an autograde finds the same, the grade stays valid.
"""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nbformat import NotebookNode
from nbgrader.api import Comment, Grade, Gradebook, TaskCell
from nbgrader.preprocessors import SaveAutoGrades
from nbgrader.utils import compute_checksum, determine_grade, is_grade, is_solution, is_task
from sqlalchemy import Column, Float, MetaData, String, Table, delete, insert, select

from hub.facts.cell_roles import marks

REMEMBERED = Table(
    "logitlab_manual_grade",
    MetaData(),
    Column("grade_id", String(32), primary_key=True),
    Column("seen", String(64)),
    Column("score", Float()),
    Column("graded", String(64)),
)
"""A row is a `Memory`. In nbgrader's own database, so that backups include it with the grades."""


@dataclass(frozen=True)
class Memory:
    """What the last autograde stored about one grade.

    seen: the fingerprint of what it found to grade.
    score: the manual score at that time.
    graded: the fingerprint of what that score was given for, if anything.
    """

    seen: str | None = None
    score: float | None = None
    graded: str | None = None

    def graded_now(self, score: float | None, waits: bool) -> str | None:
        """The fingerprint that a grade's current manual score was given for.

        A grade that does not wait for a person, or whose score has changed since the autograde, was
        given since then, for what that autograde found.
        """
        if score is None:
            return None
        return self.seen if not waits or score != self.score else self.graded


class SaveGrades(SaveAutoGrades):
    """nbgrader's SaveAutoGrades, but keeps the manual grades of unchanged answers.

    All of a notebook's grades are saved in one transaction. Its parent is the exporter, which knows
    the questions (`asked`) and the content of the notebooks graded before
    (`earlier_fingerprints`), as some grades are older than the stored fingerprints.
    """

    def preprocess(
        self, nb: NotebookNode, resources: dict[str, Any]
    ) -> tuple[NotebookNode, dict[str, Any]]:
        names = resources["nbgrader"]
        met = fingerprints(nb, self.parent.asked(names["assignment"], names["notebook"]))
        earlier = self.parent.earlier_fingerprints(names["student"], names["notebook"])
        with Gradebook(names["db_url"]) as gradebook:
            submitted = gradebook.find_submission_notebook(
                names["notebook"], names["assignment"], names["student"]
            )
            grades, comments = list(submitted.grades), list(submitted.comments)
            graded = _graded(gradebook, grades, earlier)
            self._save(nb, grades, comments)
            _settle(gradebook, grades, met, graded)
            gradebook.db.commit()
        return nb, resources

    def _save(self, nb: NotebookNode, grades: list[Grade], comments: list[Comment]) -> None:
        """What SaveAutoGrades saves for each cell, in the session of `grades`."""
        grade_of = {grade.name: grade for grade in grades}
        comment_of = {comment.name: comment for comment in comments}
        for cell in nb.cells:
            name = marks(cell).name
            if is_grade(cell):
                grade = grade_of[name]
                grade.auto_score, _ = determine_grade(cell, self.log)
                grade.needs_manual_grade = grade.manual_score is not None or (
                    grade.auto_score is None
                )
            if is_solution(cell) or is_task(cell):
                unchanged = cell.metadata.nbgrader.get("checksum") == compute_checksum(cell)
                empty = unchanged and not is_task(cell)
                comment_of[name].auto_comment = "No response." if empty else None


def questions(released: NotebookNode) -> dict[str, list[Any]]:
    """The text cells directly before each answer that is graded by hand. Pure.

    released: the released notebook; in students' own, such cells can be edited.
    """
    found: dict[str, list[Any]] = {}
    asked: list[Any] = []
    for cell in released.cells:
        its = marks(cell)
        if its.grade and its.solution:
            found[its.name] = asked
        given_text = cell.cell_type == "markdown" and not (its.solution or its.task)
        asked = [*asked, _text(cell)] if given_text else []
    return found


def fingerprints(notebook: NotebookNode, asked: Mapping[str, list[Any]]) -> dict[str, str]:
    """Fingerprints of what the grades of an autograded notebook's cells and tasks are for. Pure.

    asked: the released questions, by grade id.

    - a manually graded question: its answer, the question, and its points;
    - a task: its text and points, and the cells after it that the student added;
    - a test: its text, points and automatic score, and the answers it checks. Somebody may have
      replaced the automatic score.
    """
    parts: dict[str, list[Any]] = {}
    answers: list[Any] = []  # of the question that the next test belongs to
    tested = False
    task: str | None = None
    for cell in notebook.cells:
        its, data = marks(cell), cell.metadata.get("nbgrader", {})
        if not its.name:
            if task is not None and "report" not in cell.metadata.get("logitlab", {}):
                parts[task].append(_text(cell))
            continue
        task = its.name if its.task else None
        own = [_text(cell), data.get("points"), data.get("checksum")]
        if its.by_hand:
            parts[its.name] = [*own, asked.get(its.name)]
        elif its.solution:
            answers, tested = [*([] if tested else answers), _text(cell)], False
        elif its.grade:
            parts[its.name] = [*own, determine_grade(cell)[0], *answers]
            tested = True
    return {
        name: hashlib.sha256(json.dumps(part, sort_keys=True).encode()).hexdigest()
        for name, part in parts.items()
    }


def _text(cell: NotebookNode) -> list[Any]:
    """A cell's text, normalised for line endings and Unicode composition."""
    text = unicodedata.normalize("NFC", cell.source)
    lines = [line.rstrip() for line in text.splitlines()]
    return [cell.cell_type, "\n".join(lines).strip("\n"), cell.get("attachments") or {}]


def _graded(
    gradebook: Gradebook, grades: list[Grade], earlier: Mapping[str, str]
) -> dict[str, str | None]:
    """By grade id, the fingerprint that the manual score was given for."""
    REMEMBERED.create(gradebook.engine, checkfirst=True)
    ids = [grade.id for grade in grades]
    rows = gradebook.db.execute(select(REMEMBERED).where(REMEMBERED.c.grade_id.in_(ids)))
    known = {row.grade_id: Memory(row.seen, row.score, row.graded) for row in rows}
    return {
        grade.name: known.get(
            grade.id, Memory(seen=earlier.get(grade.name), score=grade.manual_score)
        ).graded_now(grade.manual_score, grade.needs_manual_grade)
        for grade in grades
    }


def _settle(
    gradebook: Gradebook,
    grades: list[Grade],
    met: Mapping[str, str],
    graded: Mapping[str, str | None],
) -> None:
    """Set for each grade whether it waits for a person, and store what it was given for."""
    for grade in grades:
        if grade.manual_score is not None:
            given_for = graded[grade.name]
            grade.needs_manual_grade = given_for is None or given_for != met.get(grade.name)
        elif isinstance(grade.cell, TaskCell):
            # nbgrader leaves tasks alone, even those of a notebook that was missing before.
            grade.auto_score, grade.needs_manual_grade = None, True
    rows = [
        {
            "grade_id": grade.id,
            "seen": met.get(grade.name),
            "score": grade.manual_score,
            "graded": graded[grade.name],
        }
        for grade in grades
    ]
    gradebook.db.execute(
        delete(REMEMBERED).where(REMEMBERED.c.grade_id.in_([row["grade_id"] for row in rows]))
    )
    if rows:
        gradebook.db.execute(insert(REMEMBERED), rows)
