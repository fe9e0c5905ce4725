"""The tables of the hub's database, brought to what the JupyterHub here works with.

Forward only: an older JupyterHub cannot work with newer tables, and says so in words.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from alembic.script import ScriptDirectory
from alembic.util import CommandError
from jupyterhub import dbutil
from sqlalchemy import create_engine, inspect, text

from hub.exchange.errors import SchemaError
from hub.exchange.migrations import copies
from hub.facts.errors import UserError


class HubTablesError(UserError):
    """The hub cannot work with its database; the message says what to do."""


def upgrade(url: str, way_back: str) -> Iterator[str]:
    """Bring the database at `url` to the current tables; yields what it does.

    For a hub that does not run. A copy of an SQLite database is made first; one on PostgreSQL is
    in the backups. A start after one that was cut off goes on from there. A database that is empty
    is left to JupyterHub.

    way_back: sentences that say how to go on with the version that was here.

    Raises HubTablesError where the tables are of a newer JupyterHub, there is no copy of them, or a
    step fails.
    """
    found = revision(url)
    if found is None:
        return
    scripts = ScriptDirectory(dbutil.ALEMBIC_DIR)
    head = scripts.get_current_head()
    if found == head:
        return
    try:
        scripts.get_revision(found)
    except CommandError as error:
        raise HubTablesError(
            f"The hub's database is of a newer version: its tables are at {found}, this one knows "
            f"{head}. Nothing was changed.",
            way_back,
        ) from error
    copy = _copy(url, found)
    _migrate(url, f"from {found} to {head}", f"{copy}{way_back}")
    yield f"hub's database: brought from {found} to {head}. {copy}".rstrip()


def revision(url: str) -> str | None:
    """What the tables of the database are at, None where there are none."""
    engine = create_engine(url)
    try:
        if not inspect(engine).has_table("alembic_version"):
            return None
        with engine.connect() as connection:
            return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    finally:
        engine.dispose()


def _copy(url: str, found: str) -> str:
    """Copy an SQLite database, whose tables are at `found`; a sentence that says where to."""
    engine = create_engine(url)
    try:
        if engine.dialect.name != "sqlite":
            return ""
        with engine.connect() as connection:
            return f"A copy of it as it was: {copies.take(connection, found)}. "
    except SchemaError as error:
        assert error.__cause__ is not None
        raise HubTablesError(
            f"The hub's database could not be copied ({copies.reason(error.__cause__)}), so it was "
            "not upgraded.",
            "Put that right and start again.",
        ) from error
    finally:
        engine.dispose()


def _migrate(url: str, way: str, way_back: str) -> None:
    """Run JupyterHub's migrations, in a process of their own: they set up logging."""
    with TemporaryDirectory() as folder:
        settings = Path(folder, "alembic.ini")
        dbutil.write_alembic_ini(str(settings), url)
        command = [sys.executable, "-m", "alembic.config", "-c", str(settings), "upgrade", "head"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line and line[0] not in "([ "]
        reason = lines[-1].rpartition("Error) ")[2] if lines else f"status {done.returncode}"
        raise HubTablesError(f"The hub's database could not be brought {way} ({reason}).", way_back)
