"""Brings a database of the exchange to the tables that this LogitLab works with."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect
from sqlalchemy.exc import DBAPIError

from hub.core import copies
from hub.exchange.errors import SchemaError
from hub.exchange.migrations.plan import UpgradePlan, plan, refusal

log = logging.getLogger(__name__)

HERE = Path(__file__).parent
VERSIONS = [HERE / "versions"]

_one_at_a_time = threading.Lock()  # Alembic keeps what it works on in global variables


@dataclass(frozen=True)
class Upgrade:
    """What was done, as a line to show; empty where nothing was to do. Or why it failed."""

    message: str = ""
    failure: SchemaError | None = None


def upgrade(connection: Connection) -> Upgrade:
    """Make the tables, or bring those that are there to the newest revision, after a copy.

    Within a transaction that no other writer overlaps; the caller commits it. A failure is
    returned, not raised, where a copy of the database as it was is to be committed.

    Raises SchemaError where nothing is to be committed: the database is of a newer LogitLab, or of
    something else, or it cannot be copied.
    """
    config = configuration(connection)
    known = revisions(config)
    found = ",".join(MigrationContext.configure(connection).get_current_heads()) or None
    todo = plan(inspect(connection).get_table_names(), found, known)
    if todo.newer:
        raise refusal(todo, copies.newest(connection, known))
    if not todo.changes:
        if todo.found is None:
            _migrate(config, todo)
        return Upgrade()
    assert todo.found is not None
    copy = _copy(connection, todo.found)
    try:
        with connection.begin_nested():
            _migrate(config, todo)
    except Exception as error:
        if isinstance(error, DBAPIError) and error.connection_invalidated:
            raise
        log.exception("the upgrade from %s to %s failed", todo.found, todo.head)
        return Upgrade(failure=_failed(todo, copy, error))
    output = f"exchange's database: brought to revision {todo.head}; a copy of it as it was: {copy}"
    log.info(output)
    return Upgrade(output)


def configuration(connection: Connection) -> Config:
    """Alembic's configuration for the database of `connection`."""
    config = Config(attributes={"connection": connection})
    for name, value in (
        ("script_location", str(HERE)),
        ("version_locations", "\n".join(map(str, VERSIONS))),
        ("path_separator", "newline"),
    ):
        config.set_main_option(name, value.replace("%", "%%"))
    return config


def revisions(config: Config) -> list[str]:
    """The revisions that this LogitLab knows, the oldest first."""
    scripts = ScriptDirectory.from_config(config).walk_revisions()
    return [script.revision for script in scripts][::-1]


def _copy(connection: Connection, found: str) -> str:
    try:
        return copies.take(connection, found)
    except copies.CopyError as error:
        raise SchemaError(
            f"The exchange's database could not be copied ({error}), so it was not upgraded. "
            "Nothing was changed.",
            "Fix that and start again; see docs/upgrading.md. The LogitLab that was here "
            "works with it as it is.",
        ) from error


def _migrate(config: Config, todo: UpgradePlan) -> None:
    with _one_at_a_time:
        if todo.found is not None and not todo.written:
            command.stamp(config, todo.found)
        command.upgrade(config, todo.head)


def _failed(todo: UpgradePlan, copy: str, error: Exception) -> SchemaError:
    return SchemaError(
        f"The exchange's database could not be brought from revision {todo.found} to {todo.head} "
        f"({copies.reason(error)}). It is as it was before; a copy is {copy}.",
        "The LogitLab that was here works with it: docs/upgrading.md says how to go back.",
    )
