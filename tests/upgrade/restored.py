"""What 2d81227 left behind, as whoever upgrades finds it."""

from __future__ import annotations

import json
import sqlite3
import tarfile
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import NullPool, create_engine, text

from hub.facts import files
from tests.postgres.server import shared

DATA = Path(__file__).parent / "data" / "2d81227"
DATABASES = {
    "jupyterhub": "server/jupyterhub.sqlite",
    "gradebook": "gradebook.db",
    "exchange": "server/exchange/exchange.sqlite",
}


@dataclass(frozen=True)
class OldCourse:
    """A course folder. `urls`: its databases; `environment`: what names those beyond it."""

    root: Path
    seen: dict[str, Any]
    urls: dict[str, str]
    environment: dict[str, str] = field(default_factory=dict)

    def files(self) -> dict[str, bytes]:
        """What 2d81227 left behind in files, by their paths in the course folder."""
        with tarfile.open(self.data / "course.tar.xz") as archive:
            found = ((entry, archive.extractfile(entry)) for entry in archive if entry.isfile())
            return {
                entry.name.removeprefix("course/"): file.read() for entry, file in found if file
            }

    @property
    def data(self) -> Path:
        return DATA / ("postgresql" if self.environment else "sqlite")


def old_course(kind: str, folder: Path) -> OldCourse:
    """The course in `folder`, with databases of the `kind`: sqlite, postgresql."""
    data = DATA / kind
    with tarfile.open(data / "course.tar.xz") as archive:
        files.unpack(archive, folder)
    root, seen = folder / "course", json.loads((data / "seen.json").read_text(encoding="utf-8"))
    urls, variables = {}, {}
    for name, path in DATABASES.items():
        dump = (data / f"{name}.sql").read_text(encoding="utf-8")
        if kind == "sqlite":
            urls[name] = f"sqlite:///{root / path}"
            with closing(sqlite3.connect(root / path)) as connection:
                connection.executescript(dump)
        else:
            urls[name] = shared().new_database()
            _execute(urls[name], dump)
    if kind == "postgresql":
        variables = {
            "LOGITLAB_HUB_DATABASE": urls["jupyterhub"],
            "LOGITLAB_GRADEBOOK": urls["gradebook"],
            "TEST_EXCHANGE_DATABASE": urls["exchange"],
        }
    _renew_links(urls["jupyterhub"])
    return OldCourse(root, seen, urls, variables)


def _execute(url: str, statements: str) -> None:
    engine = create_engine(url, poolclass=NullPool)
    with engine.begin() as connection:
        connection.exec_driver_sql(statements)


def _renew_links(url: str) -> None:
    """The one thing that is not as 2d81227 left it: links are good for 14 days, the data longer."""
    engine = create_engine(url, poolclass=NullPool)
    expires = datetime.now(UTC).replace(tzinfo=None) + timedelta(days=3)
    with engine.begin() as connection:
        connection.execute(text("UPDATE password_links SET expires = :e"), {"e": expires})
