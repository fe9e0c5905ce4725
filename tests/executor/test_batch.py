"""Grading a class while the executor is away or breaks off."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest
from nbgrader.api import Gradebook

from hub.facts import env
from hub.grading.pipeline.batch import BatchError, autograde
from hub.grading.sandbox import remote
from tests.executor.test_client import Stand, say, uploaded
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
    monkeypatch.setenv(env.EXECUTOR, str(tmp_path / "socket"))
    monkeypatch.setattr(remote, "_outage", remote._Outage())
    return tmp_path / "course"


def grade(course: Path, tests: str) -> str:
    config = course_config(course, settings(grading={"tests": tests}))
    return "\n".join(autograde(course, ASSIGNMENT, workers=1, config=config))


def passing(connection: socket.socket) -> None:
    """Says that every cell has run, and that no test failed."""
    cells = json.loads(uploaded(connection)["request"])["notebook"]["cells"]
    lines: list[dict[str, object]] = [{"ready": True}]
    lines += [{"cell": n, "outputs": []} for n, c in enumerate(cells) if c["cell_type"] == "code"]
    for line in [*lines, {"finished": True}]:
        say(connection, "answer", (json.dumps(line) + "\n").encode())
    say(connection, "done", None, 0.1)


@pytest.mark.parametrize("tests", ["isolated", "in_kernel"])
def test_nobody_is_scored_while_the_executor_is_away_and_the_next_run_tries_again(
    course, monkeypatch, tests
):
    monkeypatch.setattr(remote, "RETRY_SECONDS", 0.5)
    for _ in range(2):
        with pytest.raises(BatchError, match=r"cannot be reached.*make status"):
            grade(course, tests)
    assert not (course / "autograded").exists()


def test_a_submission_with_which_the_executor_ends_keeps_its_points_and_nobody_else_is_held_up(
    course,
):
    breaking = [lambda connection: uploaded(connection) and None] * 3
    # The reference with its answers, without, and shared; alice, bob, alice once more.
    Stand(course.parent / "socket", *[passing] * 3, *breaking, passing, *breaking)
    with pytest.raises(BatchError, match=r"alice: The executor ended 3 times"):
        grade(course, "in_kernel")
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}", "tiny") as gradebook:
        graded = {one.student_id: one.score for one in gradebook.assignment_submissions(ASSIGNMENT)}
    assert graded == {"bob": 5}
