"""`nbgrader autograde` of a whole class: submissions are executed while others are scored."""

from __future__ import annotations

import threading
from pathlib import Path

import nbformat
import pytest
from nbgrader.api import Gradebook
from nbgrader.apps import NbGraderAPI
from nbgrader.converters import Autograde
from nbgrader.converters.base import NbGraderException

from hub.grading.pipeline.job import Job
from hub.grading.plain import configure
from tests.grading.tiny_course import (
    ASSIGNMENT,
    NOTEBOOK,
    answered,
    cell_named,
    course_config,
    released,
    source_notebook,
    submit,
)

pytestmark = pytest.mark.kernel


def grade_class(course: Path, force: bool = False, **options: dict[str, object]) -> None:
    """As `nbgrader autograde ps1`, with the configuration for plain nbgrader."""
    config = course_config(course)
    for section in ("Autograde", "ExecuteSubmission", "AssignLatePenalties"):
        del config[section]
    configure(config, workers=2)
    config.CourseDirectory.assignment_id = ASSIGNMENT
    config.Autograde.force = force
    config.Autograde.update(options)
    api = NbGraderAPI(config=config)
    Autograde(coursedir=api.coursedir, parent=api).start()


def points(course: Path) -> dict[str, float]:
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}", "tiny") as gradebook:
        submissions = gradebook.assignment_submissions(ASSIGNMENT)
        return {one.student_id: one.score for one in submissions}


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Whose notebooks were executed; empty: the instructor's."""
    owners: list[str] = []
    run = Job.run

    def noted(job: Job, *arguments, **keywords):
        owners.append(job.owner)
        return run(job, *arguments, **keywords)

    monkeypatch.setattr(Job, "run", noted)
    return owners


def test_the_next_submission_is_executed_while_one_is(
    course: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = threading.Barrier(2, timeout=60)
    run = Job.run

    def met(job: Job, *arguments, **keywords):
        if job.owner:
            both.wait()
        return run(job, *arguments, **keywords)

    monkeypatch.setattr(Job, "run", met)
    submit(course, "alice", answered(course))
    submit(course, "bob", answered(course, square="def square(x):\n    return 0"))
    grade_class(course)
    assert points(course) == {"alice": 5, "bob": 3}


def test_what_is_graded_already_is_not_executed_again(course: Path, ran: list[str]) -> None:
    for student in ("alice", "bob"):
        submit(course, student, answered(course))
    grade_class(course)
    wrong = answered(course, double="def double(x):\n    return 0")
    submit(course, "bob", wrong, "2027-01-02 10:00:00 UTC")
    submit(course, "carol", answered(course))
    ran.clear()
    grade_class(course)
    assert sorted(ran) == ["bob", "carol"]
    assert points(course) == {"alice": 5, "bob": 2, "carol": 5}


def test_a_damaged_timestamp_costs_no_other_student_anything(course: Path) -> None:
    for student in ("alice", "bob"):
        submit(course, student, answered(course))
    grade_class(course)
    (course / "submitted" / "bob" / ASSIGNMENT / "timestamp.txt").write_text("2027-01-02 UTC")
    wrong = answered(course, square="def square(x):\n    return 0")
    submit(course, "alice", wrong, "2027-01-02 10:00:00 UTC")
    submit(course, "carol", answered(course))
    with pytest.raises(NbGraderException):
        grade_class(course)
    assert points(course) == {"alice": 3, "bob": 5, "carol": 5}


def test_a_reference_that_fails_is_executed_no_more_often_for_a_class(
    course: Path, ran: list[str]
) -> None:
    source = source_notebook()
    cell_named(source, "square_test").source = "assert square(3) == 10"
    nbformat.write(source, course / "source" / ASSIGNMENT / f"{NOTEBOOK}.ipynb")
    for number in range(3):
        submit(course, f"student{number}", answered(course))
    with pytest.raises(NbGraderException):
        grade_class(course)
    assert ran == ["", ""]  # twice, as the machine may have been at fault
    assert not (course / "autograded" / "student0" / ASSIGNMENT).exists()


def test_a_file_that_nbgrader_is_told_to_leave_to_students_is_theirs(course: Path) -> None:
    for student in ("alice", "bob"):
        reads = f"def double(x):\n    return 2 * x if open('data.txt').read() == '{student}' else 0"
        folder = submit(course, student, answered(course, double=reads))
        (folder / "data.txt").write_text(student)
    grade_class(course, exclude_overwriting={ASSIGNMENT: ["data.txt"]})
    assert points(course) == {"alice": 5, "bob": 5}
    graded = course / "autograded" / "alice" / ASSIGNMENT / "data.txt"
    assert graded.read_text() == "alice"


def test_a_notebook_for_another_language_is_refused_with_the_reason(
    course: Path, caplog: pytest.LogCaptureFixture
) -> None:
    book = source_notebook()
    book.metadata.kernelspec = {"name": "ir", "display_name": "R", "language": "R"}
    nbformat.write(book, course / "source" / ASSIGNMENT / f"{NOTEBOOK}.ipynb")
    assert NbGraderAPI(config=course_config(course)).generate_assignment(ASSIGNMENT)["success"]
    submit(course, "alice", released(course))
    with pytest.raises(NbGraderException):
        grade_class(course)
    assert f"{NOTEBOOK}.ipynb is for a kernel in R" in caplog.text
