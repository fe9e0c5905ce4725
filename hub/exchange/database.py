"""Transactions on the exchange's database: many readers, one writer at a time."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, create_engine, event, make_url
from sqlalchemy.exc import DataError, InterfaceError, OperationalError
from sqlalchemy.orm import Session

from hub.exchange.blobs import disk_full
from hub.exchange.errors import InvalidName, ServiceAway

DATABASE_FILE = "exchange.sqlite"  # in the exchange's folder, unless another database is configured

# Key of an advisory lock, the same in every process that writes to this database.
WRITERS = 0x6C6F676974  # "logit"

CONNECT_SECONDS = 5
LOCK_SECONDS = 30  # how long a writer waits for another

DISK_FULL = "53100"  # SQLSTATE


class Database:
    """The tables of `records` at a SQLAlchemy URL, created if missing, upgraded if old.

    A database server that is away, or goes away midway, raises ServiceAway: the caller asks
    again, and what was acknowledged is kept. The constructor raises it too, and SchemaError if
    the tables cannot be used. `upgraded` says what was done to them, "" if nothing.
    """

    def __init__(self, url: str) -> None:
        self._engine = _engine(url)
        self._writing = threading.Lock()
        self._server = self._engine.dialect.name != "sqlite"
        try:
            self.upgraded = self._upgrade()
        except BaseException:
            self.close()
            raise

    def _upgrade(self) -> str:
        # Not at the top: a student's client imports this module without opening a database, and
        # Alembic is slow to import.
        from hub.exchange.migrations.upgrade import upgrade

        with self.write() as session:
            done = upgrade(session.connection())
        if done.failure is not None:
            raise done.failure
        return done.message

    def close(self) -> None:
        self._engine.dispose()

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A read transaction that sees one state of the database."""
        with self._readable_errors(), Session(self._engine) as session:
            if self._server:
                session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A transaction that no other writer overlaps; committed if the block succeeds."""
        with self._readable_errors(), self._writing, Session(self._engine) as session:
            connection = session.connection(execution_options={"writes": True})
            if self._server:
                # Before reading anything: from here on nothing changes until we commit.
                connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({WRITERS})")
            yield session
            session.commit()

    @contextmanager
    def _readable_errors(self) -> Iterator[None]:
        try:
            yield
        except OperationalError as error:
            if _is_full(error):
                raise disk_full() from error
            if self._server or _is_busy(error):
                raise _away() from error
            raise
        except InterfaceError as error:
            raise _away() from error
        except DataError as error:  # such as a NUL, which PostgreSQL cannot store in text
            raise InvalidName("A name has a character that cannot be stored.", "") from error


def _is_full(error: OperationalError) -> bool:
    state = getattr(error.orig, "sqlstate", None)
    return state == DISK_FULL or (state is None and "is full" in str(error.orig))


def _is_busy(error: OperationalError) -> bool:
    """Whether we timed out waiting for another process that writes to SQLite's file."""
    return getattr(error.orig, "sqlite_errorname", "") == "SQLITE_BUSY"


def _away() -> ServiceAway:
    return ServiceAway(
        "The exchange's database does not answer at the moment, so nothing was stored.",
        "Try again in a minute; tell your instructor if this continues.",
    )


def _engine(url: str) -> Engine:
    if make_url(url).get_backend_name() == "sqlite":
        return _sqlite(url)
    engine = create_engine(
        url,
        pool_pre_ping=True,  # connections do not outlive a restart of the server
        connect_args={"connect_timeout": CONNECT_SECONDS},
    )

    @event.listens_for(engine, "connect")
    def on_connect(connection: Any, _record: Any) -> None:
        # Receipts are issued once the commit is on disk, whatever the server's default.
        for setting in ("synchronous_commit = on", f"lock_timeout = '{LOCK_SECONDS}s'"):
            connection.execute(f"SET {setting}")
        connection.commit()

    return engine


def _sqlite(url: str) -> Engine:
    engine = create_engine(url)

    @event.listens_for(engine, "connect")
    def on_connect(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # transactions begin explicitly, below
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            f"busy_timeout={LOCK_SECONDS * 1000}",
        ):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def on_begin(connection: Any) -> None:
        # A writer locks at once, so that two that read first cannot deadlock.
        writes = connection.get_execution_options().get("writes")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine
