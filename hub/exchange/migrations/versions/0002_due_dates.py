"""Due dates in a table of their own: they outlive a withdrawn release.

A row without `set_by` is an older version's, for which a date in `course.yaml` counted and was
never stored; `hub.exchange.due_dates.settle` completes it.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "due_dates",
        sa.Column("course", sa.String(255), primary_key=True),
        sa.Column("assignment", sa.String(255), primary_key=True),
        sa.Column("due", sa.DateTime),
        sa.Column("set_by", sa.String(255)),
        sa.Column("set_at", sa.DateTime, nullable=False),
    )
    op.execute(
        "INSERT INTO due_dates (course, assignment, due, set_at) "
        "SELECT course, assignment, due, released_at FROM releases"
    )
    # Withdrawn, and handed in before: without a date of course.yaml `settle` removes it again.
    op.execute(
        "INSERT INTO due_dates (course, assignment, set_at) "
        "SELECT course, assignment, MAX(received_at) FROM submissions WHERE NOT EXISTS "
        "(SELECT 1 FROM releases WHERE releases.course = submissions.course "
        "AND releases.assignment = submissions.assignment) GROUP BY course, assignment"
    )
    with op.batch_alter_table("releases") as table:
        table.drop_column("due")
