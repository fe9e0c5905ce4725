"""Grades as CSV: correctly quoted, safe to open in a spreadsheet, times in UTC."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nbgrader.api import Gradebook, MissingEntry
from nbgrader.plugins import ExportPlugin

from hub.facts.text import csv_line
from hub.grading.pipeline.late import refresh_penalties

COLUMNS = (
    "course",
    "assignment",
    "student_id",
    "last_name",
    "first_name",
    "email",
    "due_utc",
    "submitted_utc",
    "seconds_late",
    "raw_score",
    "late_penalty",
    "score",
    "max_score",
    "waits_for_manual_grade",
)

GradeRow = dict[str, Any]


def export_csv(
    gradebook_url: str,
    course_id: str,
    path: Path,
    policy: str | None = None,
    percent_per_day: float = 0,
) -> None:
    """Write one row a student and assignment of the gradebook to `path`.

    With a late `policy`, what late submissions lose is first recomputed from the points they have
    now, those given by hand included.
    """
    with Gradebook(gradebook_url, course_id) as gradebook:
        if policy is not None:
            refresh_penalties(gradebook, policy, percent_per_day)
        write_csv(grade_rows(gradebook, course_id), path)


class GradesCsv(ExportPlugin):
    """nbgrader's plug point for exports: `nbgrader export`, also by --exporter and this name."""

    def export(self, gradebook: Gradebook) -> None:
        students, assignments = set(map(str, self.student)), set(map(str, self.assignment))
        rows = (
            row
            for row in grade_rows(gradebook, gradebook.course_id)
            if (not students or row["student_id"] in students)
            and (not assignments or row["assignment"] in assignments)
        )
        path = Path(self.to or "grades.csv")
        write_csv(rows, path)
        self.log.info("Grades written to %s", path)


def grade_rows(gradebook: Gradebook, course_id: str) -> Iterator[GradeRow]:
    """The rows, with times as UTC datetimes without zone, as nbgrader keeps them."""
    students = sorted(gradebook.students, key=lambda student: student.id)
    for assignment in sorted(gradebook.assignments, key=lambda assignment: assignment.name):
        for student in students:
            yield {
                "course": course_id,
                "assignment": assignment.name,
                "student_id": student.id,
                "last_name": student.last_name,
                "first_name": student.first_name,
                "email": student.email,
                "due_utc": assignment.duedate,
                "max_score": assignment.max_score,
                **_result(gradebook, assignment.name, student.id),
            }


def _result(gradebook: Gradebook, assignment: str, student: str) -> GradeRow:
    try:
        submission = gradebook.find_submission(assignment, student)
    except MissingEntry:
        return {"submitted_utc": None, "raw_score": 0.0, "late_penalty": 0.0, "score": 0.0}
    penalty = submission.late_submission_penalty or 0.0
    return {
        "submitted_utc": submission.timestamp,
        "seconds_late": round(submission.total_seconds_late),
        "raw_score": submission.score,
        "late_penalty": penalty,
        "score": max(0.0, submission.score - penalty),
        "waits_for_manual_grade": "yes" if submission.needs_manual_grade else "no",
    }


def write_csv(rows: Iterator[GradeRow], path: Path) -> None:
    """Write rows with the keys of COLUMNS; a key that a row lacks stays empty."""
    with path.open("w", newline="", encoding="utf-8") as file:
        for values in (COLUMNS, *([row.get(column) for column in COLUMNS] for row in rows)):
            file.write(f"{csv_line(values)}\r\n")
