"""The whole day of a course, in a real browser against the real hub."""

from __future__ import annotations

import re
import shutil

import pytest

from tests.e2e.day import ASSIGNMENT, HIDDEN_FAILURE, Day, play
from tests.e2e.embedded import RunningServer, exported_grades
from tests.e2e.hub_client import Person

pytestmark = [
    pytest.mark.hub,
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.timeout(900),
]


@pytest.fixture(scope="module")
def day(server: RunningServer, artifacts) -> Day:
    pictures = artifacts / "day"
    shutil.rmtree(pictures, ignore_errors=True)
    played = Day(server.url, server.passwords, pictures, lambda: exported_grades(server.course))
    for line in play(played):
        print(line)
    return played


def row(day: Day, student: str) -> dict[str, str]:
    return next(
        row for row in day.grades if (row["assignment"], row["student_id"]) == (ASSIGNMENT, student)
    )


def test_every_score_is_right_to_the_point(day):
    # alice: repeated_tokens 3, induction_score 3 in spite of a warning, prev_token_score its
    # visible point only, and 3 of 4 by hand. bob: repeated_tokens 3, and induction_score 3 in spite
    # of the answer between them, which ends the process that runs his cells.
    assert day.scores["first"] == {"alice": 3 + 3 + 1 + 3, "bob": 3 + 3}
    # bob's later submission has three exercises of three points each.
    assert day.scores["late"] == {"alice": 10, "bob": 9}


def test_validation_sees_the_failing_cells_and_not_the_hidden_tests(day):
    assert "failed" in day.validation.lower()
    assert "NotImplementedError" in day.validation
    # The wrong answer passes its visible test, and the warning is no failure.
    assert "prev_token_score(" not in day.validation
    assert "only a warning" not in day.validation


def test_validation_says_below_its_verdict_what_grading_will_put_right(day):
    assert "`repeated_tokens_test` does not have its released text" in day.validation


def test_the_late_submission_is_late_by_the_servers_clock(day):
    assert float(row(day, "bob")["seconds_late"]) > 0
    assert float(row(day, "alice")["seconds_late"]) == 0


def test_the_export_has_the_scores_of_the_gradebook(day):
    assert float(row(day, "alice")["score"]) == 10
    assert float(row(day, "bob")["score"]) == 9
    assert float(row(day, "alice")["max_score"]) == 57


def test_feedback_shows_points_and_comments_and_no_hidden_test(day):
    text = day.feedback["alice"]
    assert "Well said." in text
    assert HIDDEN_FAILURE in text
    assert "BEGIN HIDDEN" not in text
    assert "secrets.randbits" not in text


def test_the_course_page_has_the_points_and_the_feedback_that_were_released(day, server):
    alice = Person(server.url, "alice", server.passwords["alice"])
    page = alice.http.get("/services/exchange/").text
    assert "<strong>10 / 57</strong> points" in page
    (address,) = re.findall(r'href="(feedback/[^"]*)"', page)
    assert "Well said." in alice.http.get(f"/services/exchange/{address}").text
    alice.close()


def test_markup_in_an_answer_stays_text_or_harmless(day):
    assert "<script" not in day.feedback["bob"].lower()
    assert "the impostor" in day.feedback["alice"]


def test_the_formgraders_pages_work_and_show_what_is_for_people_who_grade(day):
    assert day.errors == []
    assert day.names == {"alice": "alice", "bob": "bob"}
    assert all("1 of 1 submissions graded" in log and "[DEBUG]" not in log for log in day.logs)


def test_pictures_of_each_step_are_kept(day):
    assert len(list(day.pictures.glob("*.png"))) >= 12
