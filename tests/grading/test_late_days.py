"""Late days are days of the course's calendar, also where clocks are changed."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from nbgrader.api import Gradebook
from nbgrader.preprocessors import AssignLatePenalties
from traitlets.config import Config

from hub.grading.pipeline.export import export_csv
from hub.grading.pipeline.late import LatePenalty, days_late
from tests.grading.test_export import rows
from tests.grading.tiny_course import ASSIGNMENT, NOTEBOOK

BERLIN, NEW_YORK, KOLKATA = map(ZoneInfo, ("Europe/Berlin", "America/New_York", "Asia/Kolkata"))
UTC = dt.UTC


def at(text: str, zone: dt.tzinfo = BERLIN, fold: int = 0) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=zone, fold=fold)


# Summer time begins in Berlin on 2027-03-28 at 2:00 and ends on 2027-10-31 at 3:00.
@pytest.mark.parametrize(
    ("due", "received", "days"),
    [
        ("2027-02-01 23:59", "2027-02-01 23:58", 0),
        ("2027-02-01 23:59", "2027-02-01 23:59", 0),
        ("2027-02-01 23:59", "2027-02-01 23:59:00.000001", 1),
        ("2027-02-01 12:00", "2027-02-01 18:00", 1),
        ("2027-02-01 12:00", "2027-02-02 12:00", 1),
        ("2027-02-01 12:00", "2027-02-02 12:00:01", 2),
        ("2027-02-01 23:59", "2027-02-02 23:59", 1),
        ("2027-02-01 23:59", "2027-02-03 00:00", 2),
        ("2027-02-01 23:59", "2027-02-10 12:00", 9),
        # 24 h 31 min late, but on the next evening before the time of the due date.
        ("2027-10-30 23:59", "2027-10-31 23:30", 1),
        ("2027-10-30 23:59", "2027-10-31 23:59", 1),
        ("2027-10-30 23:59", "2027-11-01 00:00", 2),
        # 23 h and a second late, and past the time of the due date on the next evening.
        ("2027-03-27 23:59", "2027-03-28 23:59", 1),
        ("2027-03-27 23:59", "2027-03-28 23:59:01", 2),
        ("2027-03-27 02:30", "2027-03-28 03:30", 1),  # 2:30 is left out on that day
        ("2027-03-27 02:30", "2027-03-28 03:30:01", 2),
    ],
)
def test_a_late_day_ends_at_the_time_of_the_due_date_on_the_next_date(
    due: str, received: str, days: int
) -> None:
    for arrived in (at(received), at(received).astimezone(UTC)):
        assert days_late(at(due).astimezone(UTC), arrived, BERLIN) == days


def test_the_hour_that_comes_twice_is_late_the_second_time() -> None:
    due = at("2027-10-31 02:30").astimezone(UTC)
    assert days_late(due, at("2027-10-31 02:29"), BERLIN) == 0
    assert days_late(due, at("2027-10-31 02:10", fold=1), BERLIN) == 1
    assert days_late(due, at("2027-11-01 02:30"), BERLIN) == 1
    assert days_late(due, at("2027-11-01 02:31"), BERLIN) == 2


def test_days_never_become_fewer_while_time_passes() -> None:
    for start in ("2027-03-26 01:30", "2027-10-29 02:30", "2027-10-31 02:30"):
        due = at(start).astimezone(UTC)
        hours = [dt.timedelta(minutes=10 * step) for step in range(6 * 24 * 5)]
        found = [days_late(due, due + late, BERLIN) for late in hours]
        assert found == sorted(found) and set(found) == set(range(found[-1] + 1))


@pytest.mark.parametrize("where", [NEW_YORK, KOLKATA, UTC])
def test_the_zone_is_the_courses_wherever_the_student_is(where: dt.tzinfo) -> None:
    """In New York clocks change a week after those in Berlin, in Kolkata never."""
    due = at("2027-10-30 23:59").astimezone(UTC)
    for received, days in (("2027-10-31 23:59", 1), ("2027-11-01 00:00", 2)):
        assert days_late(due, at(received).astimezone(where), BERLIN) == days


def test_the_plugin_and_the_export_count_the_same_days(course: Path) -> None:
    url = f"sqlite:///{course / 'gradebook.db'}"
    with Gradebook(url, "tiny") as gradebook:
        gradebook.find_assignment(ASSIGNMENT).duedate = dt.datetime(2027, 10, 30, 21, 59)
        gradebook.add_student("alice")
        when = at("2027-10-31 23:30").astimezone(UTC).replace(tzinfo=None)
        gradebook.add_submission(ASSIGNMENT, "alice", timestamp=when)
        gradebook.find_grade("square_test", NOTEBOOK, ASSIGNMENT, "alice").manual_score = 5
        gradebook.db.commit()
        policy = {"policy": "percent_per_day", "timezone": "Europe/Berlin"}
        step = AssignLatePenalties(plugin_class=LatePenalty, config=Config(LatePenalty=policy))
        step.gradebook, step.assignment_id = gradebook, ASSIGNMENT
        step.init_plugin()
        assert step.plugin_inst.late_submission_penalty("alice", 5, 24.5 * 3600) == 0.5
    for zone, penalty in ((BERLIN, 0.5), (UTC, 1.0)):
        export_csv(url, "tiny", course / "grades.csv", "percent_per_day", 10, zone=zone)
        alice = rows(course / "grades.csv")["alice"]
        assert float(alice["late_penalty"]) == penalty
        assert float(alice["seconds_late"]) == 24 * 3600 + 31 * 60
