"""Penalties for late submissions."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

from nbgrader.api import Gradebook, SubmittedAssignment
from nbgrader.plugins import BasePlugin
from traitlets import Enum, Float, Unicode

POLICIES = ("none", "zero", "percent_per_day")


def days_late(due: dt.datetime, received: dt.datetime, zone: dt.tzinfo) -> int:
    """How many late days have begun: 0 in time, 1 from the first moment after `due`.

    A late day ends when clocks in `zone` show the time of `due` on the next date. It has 23 or 25
    hours where clocks are changed in it.
    """
    if received <= due:
        return 0
    begin = due.astimezone(zone)
    days = max(1, (received.astimezone(zone).date() - begin.date()).days)
    # Python adds days to what clocks show; it compares instants only in UTC.
    end = (begin + dt.timedelta(days=days)).astimezone(dt.UTC)
    return days if received <= end else days + 1


def late_penalty(policy: str, percent_per_day: float, score: float, days: int) -> float | None:
    """The penalty of a submission with `score`; None if there is none.

    policy: one of POLICIES.
    days: late days that have begun. No more than `score` is lost.
    """
    if policy == "none" or days == 0:
        return None
    if policy == "zero":
        return score
    return score * min(1.0, days * percent_per_day / 100)


def late_days_of(submission: SubmittedAssignment, zone: dt.tzinfo) -> int:
    """Those of a submission in the gradebook, whose times are UTC without a zone."""
    due, received = submission.duedate, submission.timestamp
    if due is None or received is None:
        return 0
    return days_late(due.replace(tzinfo=dt.UTC), received.replace(tzinfo=dt.UTC), zone)


def refresh_penalties(
    gradebook: Gradebook, policy: str, percent_per_day: float, zone: dt.tzinfo
) -> None:
    """Recompute the penalty of every submission from its current points.

    nbgrader computes it at autograding, before manual grading.
    """
    for assignment in gradebook.assignments:
        for submission in assignment.submissions:
            days = late_days_of(submission, zone)
            for notebook in submission.notebooks:
                lost = late_penalty(policy, percent_per_day, notebook.score, days)
                notebook.late_submission_penalty = lost
    gradebook.db.commit()


class LatePenalty(BasePlugin):
    """nbgrader's plugin for late penalties (AssignLatePenalties.plugin_class)."""

    policy = Enum(
        POLICIES,
        default_value="none",
        help="What a late submission loses: nothing, everything, or a share for each day.",
    ).tag(config=True)

    percent_per_day = Float(
        10.0, help="Share of the score lost for each day that has begun, percent."
    ).tag(config=True)

    timezone = Unicode("UTC", help="IANA time zone whose clocks say when a day ends.").tag(
        config=True
    )

    def late_submission_penalty(
        self, student_id: str, score: float, total_seconds_late: float
    ) -> float | None:
        # Seconds do not say how many days these were. `parent` is the step that asks: it has the
        # gradebook open.
        submission = self.parent.gradebook.find_submission(self.parent.assignment_id, student_id)
        days = late_days_of(submission, ZoneInfo(self.timezone))
        return late_penalty(self.policy, self.percent_per_day, score, days)
