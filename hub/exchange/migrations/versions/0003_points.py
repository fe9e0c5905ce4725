"""The points of a submission beside its feedback; none are known of feedback released before."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    with op.batch_alter_table("feedback") as table:
        for name in ("score", "max_score", "late_penalty"):
            table.add_column(sa.Column(name, sa.Double))
