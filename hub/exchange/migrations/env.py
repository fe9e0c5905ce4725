"""What Alembic runs around the revisions: in the transaction of whoever calls `upgrade`."""

from __future__ import annotations

from typing import Any, Literal

from alembic import context

from hub.exchange.records import Base, UtcDateTime


def type_in_revision(kind: str, item: Any, _context: Any) -> str | Literal[False]:
    """A revision names SQLAlchemy's own types: ours may change after it."""
    return "sa.DateTime()" if kind == "type" and isinstance(item, UtcDateTime) else False


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,  # SQLite changes a table by copying it
    render_item=type_in_revision,
)
with context.begin_transaction():
    context.run_migrations()
