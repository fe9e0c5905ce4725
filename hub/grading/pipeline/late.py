"""Penalties for late submissions."""

from __future__ import annotations

import math

from nbgrader.api import Gradebook
from nbgrader.plugins import BasePlugin
from traitlets import Enum, Float

POLICIES = ("none", "zero", "percent_per_day")

SECONDS_OF_A_DAY = 24 * 60 * 60


def late_penalty(
    policy: str, percent_per_day: float, score: float, seconds_late: float
) -> float | None:
    """The penalty of a submission with `score`; None if there is none.

    policy: one of POLICIES. A started day counts as a whole day, and no more than
    `score` is lost.
    """
    if policy == "none" or seconds_late <= 0:
        return None
    if policy == "zero":
        return score
    days = math.ceil(seconds_late / SECONDS_OF_A_DAY)
    return score * min(1.0, days * percent_per_day / 100)


def refresh_penalties(gradebook: Gradebook, policy: str, percent_per_day: float) -> None:
    """Recompute the penalty of every submission from its current points.

    nbgrader computes it at autograding, before manual grading.
    """
    for assignment in gradebook.assignments:
        for submission in assignment.submissions:
            late = submission.total_seconds_late
            for notebook in submission.notebooks:
                lost = late_penalty(policy, percent_per_day, notebook.score, late)
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

    def late_submission_penalty(
        self, student_id: str, score: float, total_seconds_late: float
    ) -> float | None:
        return late_penalty(self.policy, self.percent_per_day, score, total_seconds_late)
