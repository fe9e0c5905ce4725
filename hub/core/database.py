"""Lets a process survive a restart of its database server.

For PostgreSQL, which is a separate process; SQLite's files are never away.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, event


class ConnectRetry:
    """Makes connections; if the database is away, waits for it, once per outage.

    Later attempts fail at once, until the database is back.

    seconds: the longest wait. It blocks the server's other work, which is better than
    work that fails half-way, as long as the wait is short.
    """

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._since: float | None = None

    def connect(self, dialect: Any, _record: Any, arguments: Any, keywords: Any) -> Any:
        """For SQLAlchemy's event `do_connect`. Raises the driver's OperationalError."""
        if dialect.name != "postgresql":
            return None  # connect as without this listener
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
    """From now on, make every connection of this process with this retry."""
    event.listen(Engine, "do_connect", ConnectRetry(seconds).connect)


@contextmanager
def connect_retry(seconds: float) -> Iterator[None]:
    """Within the block, make every connection of this process with this retry."""
    connect = ConnectRetry(seconds).connect
    event.listen(Engine, "do_connect", connect)
    try:
        yield
    finally:
        event.remove(Engine, "do_connect", connect)
