"""What a process does about a database server that is started again under it.

For PostgreSQL, where it is another process; SQLite's files are never away.
"""

from __future__ import annotations

import asyncio
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.orm import Session


class Patience:
    """Makes connections; where the database is away, waits for it, once an outage.

    Whoever comes after that time is refused at once, until the database is back.

    seconds: the longest wait. A server's other work stands still meanwhile, which is better than
    work that fails half-way, as long as it is short.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._since: float | None = None

    def connect(self, dialect: Any, _record: Any, arguments: Any, keywords: Any) -> Any:
        """For SQLAlchemy's event `do_connect`. Raises the driver's OperationalError."""
        if dialect.name != "postgresql":
            return None  # as it would be made without this
        while True:
            try:
                made = dialect.connect(*arguments, **keywords)
            except dialect.loaded_dbapi.OperationalError:
                now = time.monotonic()
                self._since = self._since or now
                if now - self._since > self.seconds:
                    raise
                time.sleep(0.2)
            else:
                self._since = None
                return made


def wait_for_database(seconds: float) -> None:
    """Have every connection of this process made with that much patience, from now on."""
    event.listen(Engine, "do_connect", Patience(seconds).connect)


@contextmanager
def patience(seconds: float) -> Iterator[None]:
    """Have every connection of this process made with that much patience, meanwhile."""
    connect = Patience(seconds).connect
    event.listen(Engine, "do_connect", connect)
    try:
        yield
    finally:
        event.remove(Engine, "do_connect", connect)


def revive_sessions() -> None:
    """Have sessions whose connection was lost work again, from the next turn of the event loop.

    nbgrader's formgrader keeps one session as long as it runs, and never rolls it back: every page
    would fail from then on.
    """
    event.listen(Session, "after_begin", _note_session)
    event.listen(Engine, "handle_error", _roll_back_later)


def _note_session(session: Session, _transaction: Any, connection: Any) -> None:
    connection.info["session"] = weakref.ref(session)


def _roll_back_later(context: Any) -> None:
    if not (context.is_disconnect and context.connection is not None):
        return
    session = context.connection.info.get("session", lambda: None)()
    if session is not None:
        with suppress(RuntimeError):  # no loop runs: then nothing lives on with this session
            asyncio.get_running_loop().call_soon(session.rollback)
