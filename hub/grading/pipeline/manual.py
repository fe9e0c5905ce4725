"""Manual grades across autogrades: an answer waits for a person only where something changed.

nbgrader's SaveAutoGrades asks for every manual grade again at each autograde, whatever was handed
in. Here the gradebook remembers, beside each grade, a fingerprint of what was graded by hand;
while that is what an autograde meets, the grade stands and needs nobody.
"""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from nbformat import NotebookNode
from nbgrader.api import Grade, Gradebook, TaskCell
from nbgrader.preprocessors import SaveAutoGrades
from nbgrader.utils import determine_grade
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
"""A row is a `Memory`. In nbgrader's own database, so that backups keep it with the grades."""


@dataclass(frozen=True)
class Memory:
    """What the last autograde left about one grade.

    seen: the fingerprint of what was there to be graded.
    score: the manual score at that time.
    graded: the fingerprint of what that score was given for; None if for nothing.
    """

    seen: str | None = None
    score: float | None = None
    graded: str | None = None

    def graded_now(self, score: float | None, waits: bool) -> str | None:
        """What the manual score that a grade has by now was given for.

        A grade that does not wait, or has another score than at the last autograde, was given
        since, for what the last autograde left.
        """
        if score is None:
            return None
        return self.seen if not waits or score != self.score else self.graded


class SaveGrades(SaveAutoGrades):
    """nbgrader's SaveAutoGrades, after which the manual grades of unchanged answers stand.

    Its parent is the exporter, which knows what was asked (`asked`) and what stood in the
    notebooks graded before (`earlier_fingerprints`): some grades are older than what is remembered
    here.
    """

    def preprocess(
        self, nb: NotebookNode, resources: dict[str, Any]
    ) -> tuple[NotebookNode, dict[str, Any]]:
        names = resources["nbgrader"]
        met = fingerprints(nb, self.parent.asked(names["assignment"], names["notebook"]))
        earlier = self.parent.earlier_fingerprints(names["student"], names["notebook"])
        with Gradebook(names["db_url"]) as gradebook:
            graded = _graded(gradebook, _grades(gradebook, names), earlier)
        nb, resources = super().preprocess(nb, resources)
        with Gradebook(names["db_url"]) as gradebook:
            _settle(gradebook, _grades(gradebook, names), met, graded)
        return nb, resources


def questions(released: NotebookNode) -> dict[str, list[Any]]:
    """The text cells directly before each answer that is graded by hand. Pure.

    released: the notebook that students were given; in theirs such cells can be edited.
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
    """For each graded cell and task of an autograded notebook, what its grade is given for. Pure.

    asked: the released questions, by grade id.

    - a question graded by hand: its answer, what was asked, and its points;
    - a task: its text and points, and the cells after it that the student added;
    - a test: its text, points and automatic score, and the answers it judges. Somebody may have
      put another score in place of the automatic one.
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
    """What a person reads in a cell: not how its editor ends lines or composes letters."""
    text = unicodedata.normalize("NFC", cell.source)
    lines = [line.rstrip() for line in text.splitlines()]
    return [cell.cell_type, "\n".join(lines).strip("\n"), cell.get("attachments") or {}]


def _grades(gradebook: Gradebook, names: Mapping[str, str]) -> list[Grade]:
    submitted = gradebook.find_submission_notebook(
        names["notebook"], names["assignment"], names["student"]
    )
    return list(submitted.grades)


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
    """Say of each grade whether it waits for a person, and remember what it was given for."""
    for grade in grades:
        if grade.manual_score is not None:
            given_for = graded[grade.name]
            grade.needs_manual_grade = given_for is None or given_for != met.get(grade.name)
        elif isinstance(grade.cell, TaskCell):
            # nbgrader leaves tasks alone, also one of a notebook that was missing before.
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
    gradebook.db.commit()
