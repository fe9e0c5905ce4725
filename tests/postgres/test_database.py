"""Work that continues while its database server restarts."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, NullPool, create_engine, event, text
from sqlalchemy.exc import OperationalError, PendingRollbackError
from sqlalchemy.orm import Session

from hub.core.database import connect_retry
from hub.upstream import nbgrader
from hub.upstream.nbgrader import revive_sessions
from tests.needs import need
from tests.postgres.server import Postgres

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module", name="server")
def _server() -> Iterator[Postgres]:
    need("postgresql")
    server = Postgres()
    yield server
    server.remove()


def answers(engine: Engine) -> bool:
    with engine.connect() as connection:
        return connection.execute(text("SELECT 1")).scalar() == 1


def test_a_connection_waits_for_a_database_that_is_started_again(server):
    engine = create_engine(server.new_database(), poolclass=NullPool)
    server.kill()
    back = threading.Timer(1, server.start)
    back.start()
    try:
        with pytest.raises(OperationalError):
            answers(engine)
        with connect_retry(30):
            assert answers(engine)
    finally:
        back.join()


def test_an_outage_is_waited_for_once(server):
    engine = create_engine(server.new_database(), poolclass=NullPool)
    server.kill()
    waited = []
    with connect_retry(0.5):
        try:
            for _ in range(2):
                began = time.monotonic()
                with pytest.raises(OperationalError):
                    answers(engine)
                waited.append(time.monotonic() - began)
        finally:
            server.start()
        assert answers(engine)
    assert waited[0] > 0.5 > waited[1]


async def asked_over_a_restart(server: Postgres, session: Session) -> object:
    """What a session answers that was in the middle of a transaction, the second time asked."""
    session.execute(text("SELECT 1"))
    server.kill()
    server.start()
    with pytest.raises(OperationalError):
        session.execute(text("SELECT 1"))
    await asyncio.sleep(0)
    return session.execute(text("SELECT 1")).scalar()


def test_a_session_that_is_never_rolled_back_works_again(server):
    engine = create_engine(server.new_database())
    with Session(engine) as session, pytest.raises(PendingRollbackError):
        asyncio.run(asked_over_a_restart(server, session))
    revive_sessions()
    try:
        with Session(engine) as session:
            assert asyncio.run(asked_over_a_restart(server, session)) == 1
    finally:
        event.remove(Session, "after_begin", nbgrader._note_session)
        event.remove(Engine, "handle_error", nbgrader._roll_back_later)
