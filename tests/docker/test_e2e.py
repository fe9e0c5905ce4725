"""The whole day of a course, as on the embedded server, against containers."""

from __future__ import annotations

import shutil

import pytest

from tests.docker.stage import exported_grades, fill_course
from tests.e2e.day import ASSIGNMENT, HIDDEN_FAILURE, Day, play
from tests.e2e.hub_client import Person

PROJECT = "lltday"

pytestmark = [
    pytest.mark.docker,
    pytest.mark.browser,
    pytest.mark.needs("deployments"),
    pytest.mark.slow,
    pytest.mark.timeout(1500),
]


@pytest.fixture(scope="module")
def day(stack, artifacts) -> Day:
    pictures = artifacts / "day-containers"
    shutil.rmtree(pictures, ignore_errors=True)
    instructor = Person(stack.url, "instructor", stack.passwords["instructor"])
    fill_course(stack, instructor)
    instructor.close()
    played = Day(stack.url, stack.passwords, pictures, lambda: exported_grades(stack))
    for line in play(played):
        print(line)
    return played


def test_every_score_is_the_one_that_the_embedded_server_gives(day):
    assert day.scores["first"] == {"alice": 3 + 3 + 1 + 3, "bob": 3 + 3}
    assert day.scores["late"] == {"alice": 10, "bob": 9}


def test_the_instructors_pages_met_no_error(day):
    assert day.errors == []


def test_validation_runs_in_a_students_container(day):
    assert "visible tests failed; hidden tests run when it is graded." in day.validation
    assert "NotImplementedError" in day.validation
    assert "ended early" not in day.validation
    assert "prev_token_score(" not in day.validation


def test_the_export_has_the_scores_of_the_gradebook(day):
    rows = {row["student_id"]: row for row in day.grades if row["assignment"] == ASSIGNMENT}
    assert (float(rows["alice"]["score"]), float(rows["bob"]["score"])) == (10, 9)
    assert float(rows["bob"]["seconds_late"]) > 0


def test_feedback_shows_points_and_comments_and_no_hidden_test(day):
    text = day.feedback["alice"]
    assert "Well said." in text
    assert HIDDEN_FAILURE in text
    assert "BEGIN HIDDEN" not in text
