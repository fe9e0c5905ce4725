"""Databases of JupyterHub and nbgrader, brought to the tables that those here work with.

Forward only: an older version cannot work with newer tables, and says so in words.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import create_engine, inspect, text

from hub.core import copies
from hub.facts.errors import UserError


class TablesError(UserError):
    """A database cannot be worked with as it is; the message says what to do."""


@dataclass(frozen=True)
class Tables:
    """What a library knows of the tables of its database.

    name: what people call the database.
    revisions: the folder of the library's revisions, as Alembic lays it out.
    write_settings: writes Alembic's configuration file for a database's URL.
    """

    name: str
    revisions: str
    write_settings: Callable[[str, str], None]

    def upgrade(self, url: str, way_back: str) -> Iterator[str]:
        """Bring the database at `url` to the current tables, after a copy; yields what it does.

        For a database that nobody works with meanwhile. A start after one that was cut off goes
        on from there. A database that is empty is left to the library.

        way_back: sentences that say how to go on with the version that was here.

        Raises TablesError where the tables are of a newer version, there is no copy of them, or a
        step fails.
        """
        found, head = self._revisions(url, way_back)
        if found is None or found == head:
            return
        copy = self._copy(url, found)
        self._migrate(url, f"from {found} to {head}", copy, way_back)
        yield f"{self.name}: brought from {found} to {head}. {copy}"

    def check(self, url: str) -> None:
        """For a program that may not be the only one at the database: it changes nothing.

        Raises TablesError where the tables are not the current ones.
        """
        found, head = self._revisions(
            url, "Use the LogitLab that upgraded it; docs/upgrading.md says how to go back."
        )
        if found not in (None, head):
            raise TablesError(
                f"The {self.name} is of an earlier version: its tables are at {found}, this one "
                f"works with {head}.",
                "Start the course's server once (`make serve`; in containers `make up`, and open "
                "the formgrader): it takes a copy and upgrades it.",
            )

    def _revisions(self, url: str, way_back: str) -> tuple[str | None, str | None]:
        """What the tables are at, and what they should be."""
        found, scripts = revision(url), ScriptDirectory(self.revisions)
        head = scripts.get_current_head()
        try:
            if found is not None:
                scripts.get_revision(found)
        except CommandError as error:
            raise TablesError(
                f"The {self.name} is of a newer version: its tables are at {found}, this one knows "
                f"{head}. Nothing was changed.",
                way_back,
            ) from error
        return found, head

    def _copy(self, url: str, found: str) -> str:
        """Copy the database, whose tables are at `found`; a sentence that says where to."""
        engine = create_engine(url)
        try:
            with engine.begin() as connection:
                return f"A copy of it as it was: {copies.take(connection, found)}."
        except copies.CopyError as error:
            raise TablesError(
                f"The {self.name} could not be copied ({error}), so it was not upgraded.",
                "Fix that and start again.",
            ) from error
        finally:
            engine.dispose()

    def _migrate(self, url: str, way: str, copy: str, way_back: str) -> None:
        """Run the library's migrations, in a process of their own: they set up logging."""
        with TemporaryDirectory() as folder:
            settings = Path(folder, "alembic.ini")
            self.write_settings(str(settings), url)
            alembic = [sys.executable, "-m", "alembic.config", "-c", str(settings)]
            done = subprocess.run(
                [*alembic, "upgrade", "head"], capture_output=True, text=True, check=False
            )
        if done.returncode:
            lines = [line for line in done.stderr.splitlines() if line and line[0] not in "([ "]
            reason = lines[-1].rpartition("Error) ")[2] if lines else f"status {done.returncode}"
            raise TablesError(
                f"The {self.name} could not be brought {way} ({reason}). {copy}", way_back
            )


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
