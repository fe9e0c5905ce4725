"""Copies of a database as it was before an upgrade.

On SQLite a file beside the database, on PostgreSQL a schema beside the database's own; each is
named for the time in UTC and for the revision of the tables in it. A copy that exists already with
the same content is not taken again, so a start that fails over and over fills no disk.
"""

from __future__ import annotations

import filecmp
import os
import re
import sqlite3
from collections.abc import Collection
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import Connection, MetaData, Table, Text, cast, inspect, select, text
from sqlalchemy.dialects.postgresql import ENUM
from sqlalchemy.exc import DBAPIError
from sqlalchemy.schema import CreateSchema

from hub.facts.errors import UserError
from hub.facts.files import sync_directory


class CopyError(UserError):
    """There is no room or no right to make a copy; the message is what the system says of it."""


def take(connection: Connection, revision: str) -> str:
    """Keep the database of `connection`, whose tables are at `revision`; says where.

    Within a transaction that no other writer overlaps and that has not written yet. The copy is
    kept where that transaction is committed; a file is there in any case.

    Raises CopyError where it cannot be made.
    """
    try:
        if connection.dialect.name == "sqlite":
            return str(_file(_path(connection), revision))
        return _schema_text(_schema(connection, revision))
    except (OSError, sqlite3.Error, DBAPIError) as error:
        if isinstance(error, DBAPIError) and error.connection_invalidated:
            raise
        raise CopyError(reason(error)) from error


def newest(connection: Connection, revisions: Collection[str]) -> str | None:
    """Where the newest copy lies whose tables are at one of `revisions`, if there is one."""
    if connection.dialect.name == "sqlite":
        found = [str(path) for path in _files(_path(connection), revisions)]
    else:
        found = [_schema_text(name) for name in _schemas(connection, revisions)]
    return found[-1] if found else None


def reason(error: BaseException) -> str:
    """What went wrong in the words of whoever noticed, without any SQL."""
    at_fault = error.orig if isinstance(error, DBAPIError) and error.orig else error
    lines = str(at_fault).strip().splitlines()
    return lines[0] if lines else type(at_fault).__name__


# SQLite


def _path(connection: Connection) -> Path:
    query = "SELECT file FROM pragma_database_list WHERE name = 'main'"
    return Path(connection.exec_driver_sql(query).scalar_one())


def _file(path: Path, revision: str) -> Path:
    partial = path.with_name(f"{path.name}.copying")
    partial.unlink(missing_ok=True)  # of a start that was killed
    try:
        os.close(os.open(partial, os.O_CREAT | os.O_EXCL, path.stat().st_mode & 0o777))
        # SQLite's own way of copying: what still lies in the write-ahead log is in it.
        with closing(sqlite3.connect(path)) as database, closing(sqlite3.connect(partial)) as copy:
            database.backup(copy)
            copy.execute("PRAGMA journal_mode=DELETE")  # one file, wherever it is moved
        for earlier in _files(path, {revision})[-1:]:
            if filecmp.cmp(partial, earlier, shallow=False):
                return earlier
        return _named(partial, path, revision)
    finally:
        partial.unlink(missing_ok=True)


def _named(partial: Path, path: Path, revision: str) -> Path:
    """`partial`, on the disk to the last byte, under a name that no other copy has."""
    with partial.open("rb") as file:
        os.fsync(file.fileno())
    now = datetime.now(UTC)
    while (target := path.with_name(f"{path.name}.{now:%Y-%m-%dT%H%M%SZ}.{revision}")).exists():
        now += timedelta(seconds=1)
    partial.rename(target)
    sync_directory(target.parent)
    return target


def _files(path: Path, revisions: Collection[str]) -> list[Path]:
    """Copies of the database at `path`, the oldest first."""
    pattern = re.compile(rf"{re.escape(path.name)}\.[0-9-]{{10}}T[0-9]{{6}}Z\.(.+)")
    named = ((found, pattern.fullmatch(found.name)) for found in path.parent.iterdir())
    return sorted(found for found, match in named if match and match[1] in revisions)


# PostgreSQL


def _schema_text(name: str) -> str:
    return f"schema {name} of the same database"


def _schema(connection: Connection, revision: str) -> str:
    tables = MetaData()
    tables.reflect(connection)
    for earlier in _schemas(connection, {revision})[-1:]:
        if _is_identical(connection, tables.sorted_tables, earlier):
            return earlier
    own, now = _own_schema(connection), datetime.now(UTC)
    there = inspect(connection).get_schema_names()
    while (name := f"{own}_copy_{now:%Y%m%dt%H%M%Sz}_{revision}") in there:
        now += timedelta(seconds=1)
    # In a savepoint: a copy that fails half-way leaves the rest of the transaction usable.
    with connection.begin_nested():
        connection.execute(CreateSchema(name))
        copy_tables = MetaData()
        for table in tables.sorted_tables:
            table.to_metadata(copy_tables, schema=name)
        copy_tables.create_all(connection)
        for table in tables.sorted_tables:
            _fill(connection, copy_tables.tables[f"{name}.{table.name}"], table)
    return name


def _fill(connection: Connection, copy: Table, table: Table) -> None:
    # An enumerated type of the copy is another one, in its own schema.
    values = [
        cast(cast(column, Text), copy.c[column.name].type)
        if isinstance(column.type, ENUM)
        else column
        for column in table.columns
    ]
    connection.execute(copy.insert().from_select(list(table.columns.keys()), select(*values)))
    counter = text("SELECT pg_get_serial_sequence(:table, :column)")
    for column in table.columns:
        counts = {"column": column.name}
        if sequence := connection.scalar(counter, {"table": table.name, **counts}):
            last = connection.exec_driver_sql(f"SELECT last_value, is_called FROM {sequence}").one()
            own = connection.scalar(counter, {"table": f"{copy.schema}.{copy.name}", **counts})
            connection.execute(
                text("SELECT setval(:name, :value, :called)"),
                {"name": own, "value": last[0], "called": last[1]},
            )


def _schemas(connection: Connection, revisions: Collection[str]) -> list[str]:
    """Copies of the schema that `connection` works in, the oldest first."""
    pattern = re.compile(rf"{re.escape(_own_schema(connection))}_copy_[0-9]{{8}}t[0-9]{{6}}z_(.+)")
    named = ((name, pattern.fullmatch(name)) for name in inspect(connection).get_schema_names())
    return sorted(name for name, match in named if match and match[1] in revisions)


def _own_schema(connection: Connection) -> str:
    return str(connection.scalar(text("SELECT current_schema()")))


def _is_identical(connection: Connection, tables: list[Table], schema: str) -> bool:
    """Whether the tables of `schema` have the very rows of `tables`."""
    if set(inspect(connection).get_table_names(schema=schema)) != {one.name for one in tables}:
        return False
    for table in tables:
        # As text: JSON has no comparison.
        ours, theirs = (
            f'SELECT one::text FROM {prefix}"{table.name}" AS one' for prefix in ("", f"{schema}.")
        )
        differs = f"({ours} EXCEPT ALL {theirs}) UNION ALL ({theirs} EXCEPT ALL {ours}) LIMIT 1"
        if connection.exec_driver_sql(differs).first() is not None:
            return False
    return True
