"""Grades as CSV, read back by a CSV reader and harmless in a spreadsheet."""

from __future__ import annotations

import csv
import datetime as dt
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from nbgrader.api import Gradebook

from hub.facts.text import csv_field
from hub.grading.pipeline.export import export_csv
from hub.grading.pipeline.late import late_penalty
from hub.grading.pipeline.ungraded import Ungraded, UngradedFolder
from tests.grading.tiny_course import ASSIGNMENT, NOTEBOOK


@pytest.fixture(name="graded")
def _graded(course: Path) -> Path:
    names = {"first_name": '=cmd|"/c calc"!A1', "last_name": 'O"Neill, Jr.', "email": "@x"}
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}", "tiny") as gradebook:
        assignment = gradebook.find_assignment(ASSIGNMENT)
        assignment.duedate = dt.datetime(2027, 1, 1, 12, 0)
        gradebook.add_student("alice", **names)
        gradebook.add_student("bob")
        when = dt.datetime(2027, 1, 1, 12, 30)
        gradebook.add_submission(ASSIGNMENT, "alice", timestamp=when)
        gradebook.find_grade("square_test", NOTEBOOK, ASSIGNMENT, "alice").auto_score = 2
        book = gradebook.find_submission_notebook(NOTEBOOK, ASSIGNMENT, "alice")
        book.late_submission_penalty = 0.5
        gradebook.db.commit()
    return course


def rows(path: Path) -> dict[str, dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return {row["student_id"]: row for row in csv.DictReader(file)}


def test_every_student_has_a_row_with_numbers_and_utc_times(graded: Path) -> None:
    export_csv(f"sqlite:///{graded / 'gradebook.db'}", "tiny", graded / "grades.csv")
    read = rows(graded / "grades.csv")
    alice = read["alice"]
    assert alice["course"] == "tiny"
    assert alice["due_utc"] == "2027-01-01T12:00:00Z"
    assert alice["submitted_utc"] == "2027-01-01T12:30:00Z"
    assert float(alice["seconds_late"]) == 1800
    assert float(alice["raw_score"]) == 2
    assert float(alice["late_penalty"]) == 0.5
    assert float(alice["score"]) == 1.5
    assert float(alice["max_score"]) == 9
    assert (read["bob"]["submitted_utc"], float(read["bob"]["score"])) == ("", 0)


def test_a_collected_submission_that_is_not_graded_yet_does_not_count_as_missing(
    graded: Path,
) -> None:
    for student, time in (("alice", "12:30"), ("bob", "11:00"), ("carol", "11:30")):
        folder = graded / "submitted" / student / ASSIGNMENT
        folder.mkdir(parents=True)
        (folder / "timestamp.txt").write_text(f"2027-01-01 {time}:00 UTC")
    noted = Ungraded("2027-01-01 11:30:00 UTC", 1, "no disk")
    UngradedFolder(graded / "server" / "ungraded" / ASSIGNMENT).put("carol", noted)

    def states() -> dict[str, tuple[str, str]]:
        url = f"sqlite:///{graded / 'gradebook.db'}"
        export_csv(url, "tiny", graded / "grades.csv", root=graded)
        read = rows(graded / "grades.csv")
        return {name: (row["state"], row["submitted_utc"][11:16]) for name, row in read.items()}

    assert states() == {
        "alice": ("graded", "12:30"),
        "bob": ("submitted", "11:00"),
        "carol": ("could not be graded", "11:30"),
    }
    again = graded / "submitted" / "alice" / ASSIGNMENT / "timestamp.txt"
    again.write_text("2027-01-01 12:45:00 UTC")
    assert states()["alice"] == ("submitted", "12:45")


@pytest.mark.parametrize(("policy", "score"), [("none", 5), ("percent_per_day", 4.5), ("zero", 0)])
def test_points_given_by_hand_after_autograding_are_late_too(
    graded: Path, policy: str, score: float
) -> None:
    url = f"sqlite:///{graded / 'gradebook.db'}"
    with Gradebook(url, "tiny") as gradebook:
        gradebook.find_grade("square_test", NOTEBOOK, ASSIGNMENT, "alice").manual_score = 5
        gradebook.db.commit()
    export_csv(url, "tiny", graded / "grades.csv", policy, 10)
    assert float(rows(graded / "grades.csv")["alice"]["score"]) == score


def test_names_are_quoted_and_never_formulas(graded: Path) -> None:
    export_csv(f"sqlite:///{graded / 'gradebook.db'}", "tiny", graded / "grades.csv")
    alice = rows(graded / "grades.csv")["alice"]
    assert alice["last_name"] == 'O"Neill, Jr.'
    assert alice["first_name"] == '\'=cmd|"/c calc"!A1'
    assert alice["email"] == "'@x"


@pytest.mark.parametrize("number", [-1, -0.5, 0, 3.25])
def test_numbers_stay_numbers(number: Any) -> None:
    assert csv_field(number) == number


def test_nbgrader_export_uses_it_by_name(graded: Path) -> None:
    command = [sys.executable, "-m", "nbgrader", "export", "--to", "out.csv", "--course", "tiny"]
    subprocess.run(
        [
            *command,
            "--exporter",
            "hub.grading.pipeline.export.GradesCsv",
            "--db",
            "sqlite:///gradebook.db",
        ],
        cwd=graded,
        env={"PATH": str(Path(sys.executable).parent), "PYTHONPATH": str(Path.cwd())},
        check=True,
        timeout=60,
        capture_output=True,
    )
    assert rows(graded / "out.csv")["alice"]["score"] == "1.5"


@pytest.mark.parametrize(
    ("policy", "days", "lost"),
    [
        ("none", 9, None),
        ("zero", 1, 10),
        ("zero", 0, None),
        ("percent_per_day", 0, None),
        ("percent_per_day", 1, 2),
        ("percent_per_day", 2, 4),
        ("percent_per_day", 99, 10),
    ],
)
def test_a_late_submission_loses_what_the_policy_says(
    policy: str, days: int, lost: float | None
) -> None:
    assert late_penalty(policy, 20, 10, days) == lost
