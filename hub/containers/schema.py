"""The tables of the hub's database, brought to what this image's JupyterHub works with.

Forward only: an older JupyterHub cannot work with newer tables, and says so in words.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

from alembic.script import ScriptDirectory
from alembic.util import CommandError
from jupyterhub import dbutil
from sqlalchemy import create_engine, inspect, text

from hub.errors import UserError


class SchemaError(UserError):
    """The hub cannot work with its database; the message says what to do."""


def upgrade(url: str) -> Iterator[str]:
    """Bring the database at `url` to the current tables; yields what it does.

    For a hub that does not run. Each step is whole or not at all, and a start after one that was
    cut off goes on from there. A database that is empty is left to JupyterHub.

    Raises SchemaError where the tables are of a newer JupyterHub, or a step fails.
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
        raise SchemaError(
            f"The hub's database is of a newer version: its tables are at {found}, this one knows "
            f"{head}. Set LOGITLAB_TAG to the version that was here, or remove this deployment and "
            "restore the backup made before the upgrade."
        ) from error
    yield f"hub's database: from {found} to {head}"
    try:
        dbutil.upgrade(url)
    except subprocess.CalledProcessError as error:
        raise SchemaError(
            f"The hub's database could not be brought to {head}; see the lines above. The version "
            f"before this one works with it as it is: set LOGITLAB_TAG back, and `make up`."
        ) from error
    yield f"hub's database: at {head}"


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
