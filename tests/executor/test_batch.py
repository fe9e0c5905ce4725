"""Grading a class while the executor is away or breaks off."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.grading import remote
from hub.grading.batch import autograde
from tests.executor.test_client import DONE, Stand, uploaded
from tests.grading.tiny_course import (
    ASSIGNMENT,
    answered,
    course_config,
    make_course,
    settings,
    submit,
)

pytestmark = pytest.mark.kernel


@pytest.fixture(name="course")
def _course(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    make_course(tmp_path / "course")
    for student in ("alice", "bob"):
        submit(tmp_path / "course", student, answered(tmp_path / "course"))
    monkeypatch.setenv(remote.EXECUTOR, str(tmp_path / "socket"))
    monkeypatch.setattr(remote, "_outage", remote._Outage())
    return tmp_path / "course"


def grade(course: Path, tests: str) -> str:
    config = course_config(course, settings(grading={"tests": tests}))
    return "\n".join(autograde(course, ASSIGNMENT, workers=1, config=config))


@pytest.mark.parametrize("tests", ["apart", "together"])
def test_an_executor_that_is_away_is_told_for_each_student_and_nothing_is_scored(
    course, monkeypatch, tests
):
    monkeypatch.setattr(remote, "PATIENCE_SECONDS", 0.5)
    told = grade(course, tests)
    assert f"{ASSIGNMENT}: 0 of 2 submissions graded" in told
    assert told.count("make status") >= 2
    assert grade(course, tests) != f"{ASSIGNMENT}: nothing new to grade"


def test_a_submission_that_ends_the_executor_costs_only_its_owner(course):
    breaking = [lambda connection: uploaded(connection) and None] * 3
    # Three times for alice; bob; alice again when she is scored.
    Stand(course.parent / "socket", *breaking, DONE, *breaking)
    told = grade(course, "together")
    assert "1 of 2 submissions graded" in told and "The executor ended 3 times" in told
