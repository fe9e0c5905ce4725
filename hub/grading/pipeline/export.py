"""Grades as CSV: correctly quoted, safe to open in a spreadsheet, times in UTC."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nbgrader.api import Gradebook, MissingEntry
from nbgrader.plugins import ExportPlugin
from nbgrader.utils import parse_utc

from hub.facts.text import csv_line
from hub.grading.pipeline.late import refresh_penalties
from hub.grading.pipeline.ungraded import UngradedFolder, submitted_at

COLUMNS = (
    "course",
    "assignment",
    "student_id",
    "last_name",
    "first_name",
    "email",
    "due_utc",
    "submitted_utc",
    "state",
    "seconds_late",
    "raw_score",
    "late_penalty",
    "score",
    "max_score",
    "waits_for_manual_grade",
)

GradeRow = dict[str, Any]


@dataclass(frozen=True)
class Collected:
    """A submission in the course folder.

    at: its time, in UTC without zone; None if it says none.
    ungraded: whether it could not be graded.
    """

    at: dt.datetime | None
    ungraded: bool


def export_csv(
    gradebook_url: str,
    course_id: str,
    path: Path,
    policy: str | None = None,
    percent_per_day: float = 0,
    root: Path | None = None,
    zone: dt.tzinfo = dt.UTC,
) -> None:
    """Write one row per student and assignment of the gradebook to `path`.

    zone: the course's, whose clocks say when a late day ends.
    root: the course folder, whose collected submissions count as submitted, graded or not.

    With a late `policy`, what late submissions lose is first recomputed from the points they have
    now, those given by hand included.
    """
    with Gradebook(gradebook_url, course_id) as gradebook:
        if policy is not None:
            refresh_penalties(gradebook, policy, percent_per_day, zone)
        write_csv(grade_rows(gradebook, course_id, collected(root) if root else {}), path)


def collected(root: Path) -> dict[tuple[str, str], Collected]:
    """The submissions that lie in the course folder, by assignment and student."""
    found = {}
    for folder in sorted(root.glob("submitted/*/*")):
        student, assignment = folder.parent.name, folder.name
        if not folder.is_dir() or student.startswith(".") or assignment.startswith("."):
            continue
        at = submitted_at(folder)
        noted = UngradedFolder(root / "server" / "ungraded" / assignment).get(student)
        ungraded = noted is not None and noted.submission == at
        found[assignment, student] = Collected(_as_utc(at), ungraded)
    return found


def _as_utc(text: str) -> dt.datetime | None:
    try:
        return parse_utc(text) if text else None
    except (ValueError, OverflowError):
        return None  # a damaged timestamp.txt


class GradesCsv(ExportPlugin):
    """nbgrader's plugin for exports: `nbgrader export`, also by --exporter and this name."""

    def export(self, gradebook: Gradebook) -> None:
        students, assignments = set(map(str, self.student)), set(map(str, self.assignment))
        found = collected(Path(self.parent.coursedir.root))
        rows = (
            row
            for row in grade_rows(gradebook, gradebook.course_id, found)
            if (not students or row["student_id"] in students)
            and (not assignments or row["assignment"] in assignments)
        )
        path = Path(self.to or "grades.csv")
        write_csv(rows, path)
        self.log.info("Grades written to %s", path)


def grade_rows(
    gradebook: Gradebook, course_id: str, found: Mapping[tuple[str, str], Collected]
) -> Iterator[GradeRow]:
    """The rows, with times as UTC datetimes without zone, as nbgrader keeps them.

    found: what lies in the course folder. Who has submitted has a row, known to the gradebook or
        not.
    """
    students = {student.id: student for student in gradebook.students}
    for assignment in sorted(gradebook.assignments, key=lambda assignment: assignment.name):
        submitted = {student for name, student in found if name == assignment.name}
        for name in sorted(students.keys() | submitted):
            student = students.get(name)
            yield {
                "course": course_id,
                "assignment": assignment.name,
                "student_id": name,
                "last_name": student.last_name if student else None,
                "first_name": student.first_name if student else None,
                "email": student.email if student else None,
                "due_utc": assignment.duedate,
                "max_score": assignment.max_score,
                **_result(gradebook, assignment.name, name, found.get((assignment.name, name))),
            }


def _result(
    gradebook: Gradebook, assignment: str, student: str, newest: Collected | None
) -> GradeRow:
    """Points, and what became of the newest submission; earlier points stay until it is graded."""
    at = newest.at if newest else None
    waiting = "could not be graded" if newest and newest.ungraded else "submitted"
    try:
        submission = gradebook.find_submission(assignment, student)
    except MissingEntry:
        state = waiting if newest else None
        points = dict.fromkeys(("raw_score", "late_penalty", "score"), 0.0)
        return {"submitted_utc": at, "state": state, **points}
    graded = submission.timestamp
    is_newer = newest is not None and (
        newest.ungraded or (at is not None and (graded is None or at > graded))
    )
    penalty = submission.late_submission_penalty or 0.0
    return {
        "submitted_utc": at if is_newer else graded,
        "state": waiting if is_newer else "graded",
        "seconds_late": round(submission.total_seconds_late),
        "raw_score": submission.score,
        "late_penalty": penalty,
        "score": max(0.0, submission.score - penalty),
        "waits_for_manual_grade": "yes" if submission.needs_manual_grade else "no",
    }


def write_csv(rows: Iterator[GradeRow], path: Path) -> None:
    """Write rows with the keys of COLUMNS; missing keys stay empty."""
    with path.open("w", newline="", encoding="utf-8") as file:
        for values in (COLUMNS, *([row.get(column) for column in COLUMNS] for row in rows)):
            file.write(f"{csv_line(values)}\r\n")
