"""Extensions: due dates of single students."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "extensions",
        sa.Column("course", sa.String(255), primary_key=True),
        sa.Column("assignment", sa.String(255), primary_key=True),
        sa.Column("student", sa.String(255), primary_key=True),
        sa.Column("due", sa.DateTime),
        sa.Column("set_by", sa.String(255), nullable=False),
        sa.Column("set_at", sa.DateTime, nullable=False),
    )
