"""A course whose exchange was made by an older LogitLab, in either database."""

from __future__ import annotations

import json
import re
import sqlite3
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, MetaData, NullPool, create_engine, inspect, select

from hub.exchange.store import Store
from hub.facts import files
from tests.exchange.conftest import LIMITS
from tests.postgres.server import shared

DATA = Path(__file__).with_name("data")
COMMIT = "2d81227"
# What data/make.py put in.
COURSES = ("mechinterp", "uebung-2")
SAID = json.loads((DATA / f"{COMMIT}.json").read_text(encoding="utf-8"))
for _release in SAID["releases"]:  # what is said of it since
    _release |= {"title": _release["assignment"], "points": 0.0, "extended": False}
for _feedback in filter(None, (one["feedback"] for one in SAID["submissions"])):
    _feedback["points"] = None

Rows = dict[str, list[tuple[Any, ...]]]


@dataclass(frozen=True)
class OldCourse:
    """`folder` is the store's, `url` its database's."""

    folder: Path
    url: str

    @property
    def sqlite(self) -> bool:
        return self.url.startswith("sqlite")

    @property
    def file(self) -> Path:
        return self.folder / "exchange.sqlite"

    def open(self) -> Store:
        return Store(self.folder, limits=LIMITS, database=self.url)

    @contextmanager
    def connected(self) -> Iterator[Connection]:
        engine = create_engine(self.url, poolclass=NullPool)
        with engine.begin() as connection:
            yield connection

    def sql(self, *statements: str) -> None:
        with self.connected() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)

    def rows(self, copy: str | None = None) -> Rows:
        """Every row of every table: of the database, or of a copy that `copies` gave."""
        if copy is not None and self.sqlite:
            return OldCourse(self.folder, f"sqlite:///{copy}").rows()
        tables = MetaData(schema=copy)
        with self.connected() as connection:
            tables.reflect(connection)
            return {
                table.name: sorted(
                    tuple(map(str, row)) for row in connection.execute(select(table))
                )
                for table in tables.sorted_tables
            }

    def tables(self) -> list[str]:
        """What the database is made of, to the last constraint, as text to compare."""
        with self.connected() as connection:
            found = inspect(connection)
            return sorted(
                f"{name} {what}: {value}"
                for name in found.get_table_names()
                for what, value in (
                    ("columns", [{**c, "type": str(c["type"])} for c in found.get_columns(name)]),
                    ("key", found.get_pk_constraint(name)),
                    ("foreign", found.get_foreign_keys(name)),
                    ("unique", sorted(map(str, found.get_unique_constraints(name)))),
                    ("indexes", sorted(map(str, found.get_indexes(name)))),
                )
            )

    def copies(self) -> list[str]:
        """Where the copies lie, the oldest first: paths, or names of schemas."""
        if self.sqlite:
            beside = self.folder.glob("exchange.sqlite.*")
            return sorted(str(path) for path in beside)
        with self.connected() as connection:
            names = inspect(connection).get_schema_names()
        return sorted(name for name in names if re.match("public_copy_", name))


def old_course(kind: str, folder: Path) -> OldCourse:
    """What 2d81227 left behind, restored into `folder` and a database of the `kind`."""
    folder.mkdir()
    with tarfile.open(DATA / f"{COMMIT}.blobs.tar.gz") as blobs:
        files.unpack(blobs, folder)
    dump = (DATA / f"{COMMIT}.{kind}.sql").read_text(encoding="utf-8")
    if kind == "sqlite":
        connection = sqlite3.connect(folder / "exchange.sqlite")
        connection.execute("PRAGMA journal_mode=WAL")
        connection.executescript(dump)
        connection.close()
        return OldCourse(folder, f"sqlite:///{folder / 'exchange.sqlite'}")
    course = OldCourse(folder, shared().new_database())
    course.sql(dump)
    return course


def output(store: Store) -> dict[str, list[dict[str, Any]]]:
    """What a store says of all that is in it, as data/make.py asked 2d81227."""
    return {
        "releases": [one.as_json() for course in COURSES for one in store.releases(course)],
        "submissions": [one.as_json() for course in COURSES for one in store.submissions(course)],
    }
