"""Alembic's environment: runs the revisions in the transaction of the caller of `upgrade`."""

from __future__ import annotations

from typing import Any, Literal

from alembic import context

from hub.exchange.records import Base, UtcDateTime


def type_in_revision(kind: str, item: Any, _context: Any) -> str | Literal[False]:
    """Revisions use SQLAlchemy's own types, as ours may change later."""
    return "sa.DateTime()" if kind == "type" and isinstance(item, UtcDateTime) else False


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,  # SQLite alters a table by copying it
    render_item=type_in_revision,
)
with context.begin_transaction():
    context.run_migrations()
