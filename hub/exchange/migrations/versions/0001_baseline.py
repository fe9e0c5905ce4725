"""The tables as LogitLab created them before it had migrations (2d81227)."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "releases",
        sa.Column("course", sa.String(255), primary_key=True),
        sa.Column("assignment", sa.String(255), primary_key=True),
        sa.Column("sha256", sa.String(255), nullable=False, index=True),
        sa.Column("size", sa.Integer, nullable=False),
        sa.Column("notebooks", sa.JSON, nullable=False),
        sa.Column("due", sa.DateTime),
        sa.Column("released_at", sa.DateTime, nullable=False),
        sa.Column("released_by", sa.String(255), nullable=False),
    )
    op.create_table(
        "submissions",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("receipt", sa.String(255), nullable=False, unique=True),
        sa.Column("course", sa.String(255), nullable=False),
        sa.Column("assignment", sa.String(255), nullable=False),
        sa.Column("student", sa.String(255), nullable=False),
        sa.Column("key", sa.String(255), nullable=False),
        sa.Column("sha256", sa.String(255), nullable=False, index=True),
        sa.Column("size", sa.Integer, nullable=False),
        sa.Column("files", sa.Integer, nullable=False),
        sa.Column("notebooks", sa.JSON, nullable=False),
        sa.Column("received_at", sa.DateTime, nullable=False),
        sa.UniqueConstraint("student", "key"),
        sa.UniqueConstraint("course", "assignment", "student", "received_at"),
    )
    op.create_table(
        "feedback",
        sa.Column(
            "receipt", sa.String(255), sa.ForeignKey("submissions.receipt"), primary_key=True
        ),
        sa.Column("sha256", sa.String(255), nullable=False, index=True),
        sa.Column("size", sa.Integer, nullable=False),
        sa.Column("files", sa.JSON, nullable=False),
        sa.Column("released_at", sa.DateTime, nullable=False),
        sa.Column("released_by", sa.String(255), nullable=False),
    )
