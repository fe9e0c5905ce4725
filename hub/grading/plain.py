"""Grading for nbgrader without LogitLab: what an instructor's `nbgrader_config.py` calls.

    from hub.grading.plain import configure
    configure(c)

Nothing of ours is imported until something is graded: every command of nbgrader reads that file.
"""

from __future__ import annotations

from traitlets.config import Config

from hub.facts.execution import Tests
from hub.grading.pipeline.configuration import set_steps


def configure(c: Config, tests: Tests = "in_kernel", workers: int = 0) -> None:
    """Let `nbgrader autograde` and the formgrader's button execute submissions with LogitLab.

    tests: where test cells run: "in_kernel" in the student's process, as in nbgrader; "isolated" in
        one of their own, which student code cannot deceive. For single assignments set
        `c.ExecuteSubmission.tests_of`.
    workers: notebooks executed at once; 0: one for each core.
    """
    set_steps(c)
    c.ExecuteSubmission.tests = tests
    c.ExecuteSubmission.workers = workers
