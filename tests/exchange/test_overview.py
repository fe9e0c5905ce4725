"""Dates, order and rows of a course's page, as data."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from hub.exchange.overview import date_text, distance_text, points_text, rows, total
from hub.exchange.records import Feedback, Points, Release, Submission

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2027, 1, 20, 12, 0, tzinfo=UTC)


def release(name: str, due: datetime | None = None) -> Release:
    return Release("c", name, "0", 1, [name], due, NOW, f"Title of {name}", 3.0)


def submission(name: str, at: datetime, due: datetime | None = None) -> Submission:
    return Submission("r", "c", name, "alice", "0", 1, 1, [name], at, due)


def order(names: list[str], *first: str) -> list[str]:
    return [row.assignment for row in rows(map(release, names), [], first)]


def test_named_assignments_come_first_and_the_rest_by_name_with_ten_after_nine():
    names = ["10-z", "9-y", "start", "b", "a"]
    assert order(names, "start") == ["start", "9-y", "10-z", "a", "b"]
    assert order(names, "b", "start", "unknown") == ["b", "start", "9-y", "10-z", "a"]
    assert order(names) == ["9-y", "10-z", "a", "b", "start"]


def test_what_was_handed_in_stays_when_the_release_is_withdrawn():
    mine = submission("gone", NOW)
    (row,) = rows([], [mine])
    assert (row.title, row.released, row.last) == ("gone", False, mine)


def test_the_newest_submission_is_the_first_and_its_due_date_counts():
    later = NOW + timedelta(days=9)
    submissions = [submission("a", NOW), submission("a", NOW + timedelta(1), due=later)]
    (row,) = rows([release("a", due=NOW)], submissions)
    assert row.last is submissions[1] and row.due == later


@pytest.mark.parametrize(
    ("time", "shown"),
    [
        (datetime(2027, 2, 1, 22, 59, tzinfo=UTC), "Mon 1 Feb, 23:59"),
        (datetime(2027, 7, 1, 22, 59, tzinfo=UTC), "Fri 2 Jul, 00:59"),
        (datetime(2027, 12, 31, 23, 30, tzinfo=UTC), "Sat 1 Jan 2028, 00:30"),
    ],
)
def test_dates_are_those_of_the_courses_zone(time, shown):
    assert date_text(time, BERLIN, NOW) == shown


@pytest.mark.parametrize(
    ("away", "shown"),
    [
        (timedelta(days=12, hours=10), "in 12 days"),
        (timedelta(hours=36), "in 2 days"),
        (timedelta(hours=35), "in 35 hours"),
        (timedelta(minutes=90), "in 90 minutes"),
        (timedelta(minutes=1), "in 1 minute"),
        (timedelta(seconds=30), "now"),
        (-timedelta(hours=3), "3 hours ago"),
        (-timedelta(days=3), "3 days ago"),
    ],
)
def test_distances_are_rounded_down_and_days_are_those_of_the_calendar(away, shown):
    assert distance_text(NOW + away, BERLIN, NOW) == shown


def test_days_are_counted_over_a_change_of_clocks():
    now = datetime(2027, 3, 26, 22, 0, tzinfo=UTC)  # 23:00 in Berlin; its clocks change on the 28th
    due = datetime(2027, 3, 29, 21, 59, tzinfo=UTC)  # 23:59 in Berlin
    assert date_text(due, BERLIN, now) == "Mon 29 Mar, 23:59"
    assert distance_text(due, BERLIN, now) == "in 3 days"


def graded(name: str, *points: float) -> Submission:
    feedback = Feedback("r", "0", 1, {}, NOW, Points(*points))
    return replace(submission(name, NOW), feedback=feedback)


def test_the_sum_is_of_what_is_graded_after_what_lateness_took():
    found = rows(map(release, "abc"), [graded("a", 10, 20, 4), graded("b", 1, 5, 3)])
    assert total(found) == Points(6, 25)
    assert total(rows([release("a")], [])) is None


def test_points_have_no_needless_decimals():
    assert [points_text(p) for p in (51.0, 51.5, 2 / 3, 0.0, 100.0)] == [
        *("51", "51.5", "0.67", "0", "100")
    ]
