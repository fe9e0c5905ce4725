"""Grading a class again and again, by the batch and by nbgrader's own button."""

from __future__ import annotations

import datetime as dt
import time
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat import NotebookNode
from nbgrader.api import Gradebook
from nbgrader.apps import NbGraderAPI
from traitlets.config import Config

from hub.core.settings import Settings
from hub.grading.pipeline import autograde as steps
from hub.grading.pipeline.batch import MOST_UNSCORED, BatchError, autograde
from hub.grading.pipeline.configuration import update_grading
from hub.grading.pipeline.execute import Execution, ExecutionLimits
from hub.grading.pipeline.job import Job
from hub.grading.pipeline.rebuild import rebuild
from tests.grading.tiny_course import (
    ASSIGNMENT,
    NOTEBOOK,
    ONLY_HIDDEN_FAILS,
    answered,
    course_config,
    settings,
    source_notebook,
    submit,
)

pytestmark = pytest.mark.kernel


def gradebook(course: Path) -> Gradebook:
    return Gradebook(f"sqlite:///{course / 'gradebook.db'}", "tiny")


def score(course: Path, student: str) -> float:
    with gradebook(course) as book:
        return float(book.find_submission(ASSIGNMENT, student).score)


def test_a_manual_grade_survives_a_better_submission(course: Path) -> None:
    config = course_config(course)
    submit(course, "alice", answered(course, double=ONLY_HIDDEN_FAILS))
    submit(course, "bob", answered(course))
    lines = list(autograde(course, ASSIGNMENT, students=["alice"], config=config))
    assert any("1 of 1 submissions graded" in line for line in lines)
    assert score(course, "alice") == 3
    with gradebook(course) as book:
        book.find_grade("why", NOTEBOOK, ASSIGNMENT, "alice").manual_score = 4
        book.db.commit()
    assert list(autograde(course, ASSIGNMENT, students=["alice"], config=config)) == [
        f"{ASSIGNMENT}: nothing new to grade"
    ]
    submit(course, "alice", answered(course), timestamp="2027-01-02 10:00:00 UTC")
    list(autograde(course, ASSIGNMENT, students=["alice"], config=config))
    assert score(course, "alice") == 9


def test_a_submission_is_scored_while_others_are_executed(course: Path) -> None:
    slow = "import time\ntime.sleep(60)\ndef double(x):\n    return 2 * x"
    submit(course, "alice", answered(course, double=slow))
    submit(course, "bob", answered(course))
    lines = list(autograde(course, ASSIGNMENT, config=course_config(course)))
    (scored,) = (at for at, line in enumerate(lines) if line.startswith("scored 1/2  bob"))
    (executed,) = (at for at, line in enumerate(lines) if line.startswith("executed 2  alice"))
    assert scored < executed
    assert score(course, "bob") == 5


def test_executed_notebooks_that_wait_to_be_scored_are_few(
    course: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Their outputs are in memory, and scoring may be the slower of the two."""
    executed = []
    original = Job.run

    def counted(job: Job, *busy: Any) -> Execution:
        try:
            return original(job, *busy)
        finally:
            if job.yardstick:  # which the reference's first run has not
                executed.append(job)

    monkeypatch.setattr(Job, "run", counted)
    for number in range(20):
        submit(course, f"s{number:02}", answered(course))
    lines = autograde(course, ASSIGNMENT, workers=2, config=course_config(course))
    next(line for line in lines if line.startswith("executed 1 "))
    for _ in range(60):
        then = len(executed)
        time.sleep(4)
        if len(executed) == then:
            break
    assert len(executed) <= 1 + MOST_UNSCORED + 2  # the reference's second run, and two workers
    list(lines)
    assert [score(course, f"s{number:02}") for number in range(20)] == [5] * 20


def test_the_formgraders_button_grades_the_same_way_and_applies_the_late_policy(
    course: Path,
) -> None:
    with gradebook(course) as book:
        book.find_assignment(ASSIGNMENT).duedate = dt.datetime(2027, 1, 1, 9, 0)
        book.db.commit()
    chosen = settings(late={"policy": "percent_per_day", "percent_per_day": 20})
    submit(course, "alice", b"{", timestamp="2027-01-01 10:00:00 UTC")
    submit(course, "bob", answered(course), timestamp="2027-01-01 10:00:00 UTC")
    api = NbGraderAPI(config=course_config(course, chosen))
    for student in ("alice", "bob"):
        result = api.autograde(ASSIGNMENT, student)
        assert result["success"], result
    assert score(course, "alice") == 0
    with gradebook(course) as book:
        bob = book.find_submission(ASSIGNMENT, "bob")
        assert (bob.score, bob.late_submission_penalty) == (5, 1)


def test_an_assignment_that_is_not_registered_is_refused_with_a_message(course: Path) -> None:
    with pytest.raises(BatchError, match="logitlab generate ps9"):
        list(autograde(course, "ps9", config=course_config(course)))


def test_files_of_the_source_folder_reach_no_submission_and_no_feedback(course: Path) -> None:
    (course / "source" / ASSIGNMENT / "answers.py").write_text("# all of them")
    (course / "source" / ASSIGNMENT / "mine.py").write_text("# the instructor's")
    folder = submit(course, "alice", answered(course, double="import mine\ndouble = mine.double"))
    (folder / "mine.py").write_text("def double(x):\n    return 2 * x\n")
    (folder / "link.txt").symlink_to("/etc/passwd")
    list(autograde(course, ASSIGNMENT, config=course_config(course)))
    result = NbGraderAPI(config=course_config(course)).generate_feedback(ASSIGNMENT)
    assert result["success"], result
    assert score(course, "alice") == 5
    for step, page in (("autograded", "tiny.ipynb"), ("feedback", "tiny.html")):
        there = {path.name for path in (course / step / "alice" / ASSIGNMENT).iterdir()}
        assert there == {"data.txt", "mine.py", "timestamp.txt", page}, step


def test_a_submission_is_rebuilt_once(course: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rebuilt = []

    def counted(submitted: bytes, released: NotebookNode) -> tuple[NotebookNode, list[str]]:
        rebuilt.append(submitted)
        return rebuild(submitted, released)

    monkeypatch.setattr(steps, "rebuild", counted)
    submit(course, "alice", answered(course))
    list(autograde(course, ASSIGNMENT, config=course_config(course)))
    assert score(course, "alice") == 5
    assert len(rebuilt) == 1


def test_the_release_and_the_reference_are_read_once_for_a_class(
    course: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = []

    def counted(path: Any, **more: Any) -> NotebookNode:
        read.append(Path(path).parts[-3])
        return original(path, **more)

    for student in ("alice", "bob"):
        submit(course, student, answered(course))
    original = nbformat.read
    monkeypatch.setattr(nbformat, "read", counted)
    list(autograde(course, ASSIGNMENT, config=course_config(course)))
    assert (score(course, "alice"), score(course, "bob")) == (5, 5)
    assert (read.count("release"), read.count("source")) == (1, 1)


def test_a_notebook_that_changes_after_its_execution_is_graded_as_it_is(course: Path) -> None:
    submit(course, "alice", answered(course))
    for line in autograde(course, ASSIGNMENT, config=course_config(course)):
        if line.startswith("executed"):
            submit(course, "alice", answered(course, double=ONLY_HIDDEN_FAILS))
    assert score(course, "alice") == 3


def test_the_key_of_an_execution_is_that_of_the_same_work_only(tmp_path: Path) -> None:
    data = tmp_path / "data.txt"
    data.write_text("1")
    job = Job(source_notebook(), files={"data.txt": data}, owner="alice")
    key = job.key()
    others = [
        Job(source_notebook(), files={"data.txt": data}, owner="bob"),
        Job(source_notebook(), files={"data.txt": data}, owner="alice", limits=ExecutionLimits(1)),
        Job(source_notebook(), owner="alice"),
    ]
    assert len({key, *(other.key() for other in others)}) == 4
    data.write_text("2")
    assert job.key() != key


def test_the_settings_reach_every_part_of_grading() -> None:
    given = {"tests": "in_kernel", "cell_seconds": 7, "notebook_seconds": 70, "memory_mib": 300}
    chosen = Settings.model_validate(
        {
            "course": {"id": "x", "timezone": "Europe/Berlin"},
            "grading": {**given, "output_mib": 2},
            "late": {"policy": "zero"},
            "assignments": {"a": {"tests": "isolated"}, "b": {}},
        }
    )
    config = Config()
    update_grading(config, chosen)
    once = config.copy()
    update_grading(config, chosen)
    assert config == once
    step = config.ExecuteSubmission
    assert (step.tests, step.tests_of) == ("in_kernel", {"a": "isolated", "b": "in_kernel"})
    limits = {"cell_seconds": 7, "total_seconds": 70, "memory_mib": 300, "output_mib": 2}
    assert step.limits.items() >= limits.items()
    assert config.LatePenalty.policy == "zero"
    assert config.LatePenalty.timezone == "Europe/Berlin"
