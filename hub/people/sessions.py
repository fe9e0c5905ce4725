"""Ends somebody's sessions: cookies, and tokens of browsers and their own."""

from __future__ import annotations

import datetime as dt
from typing import Any

from jupyterhub import orm

from hub.upstream.jupyterhub import made_for_a_server


def end_sessions(session: Any, user: orm.User, servers_live: bool = True) -> None:
    """Log `user` out everywhere, in the hub's database. Does not commit.

    Running servers keep their token for the hub if `servers_live`.
    A server may trust a browser's old session for as long as it caches the hub's answers.
    """
    kept = _server_tokens(user) if servers_live else set()
    for token in list(user.api_tokens):
        if token.id not in kept:
            session.delete(token)
    for code in list(user.oauth_codes):
        session.delete(code)
    user.cookie_id = orm.new_token()


def _server_tokens(user: orm.User) -> set[int]:
    """Ids of the tokens that the hub made for running servers.

    A note alone proves nothing, as people write notes on their own tokens. The hub's is the
    last with its note before the time of the start.
    """
    kept = set()
    for spawner in user.orm_spawners.values():
        if spawner.started is None:
            continue
        candidates = [
            token
            for token in user.api_tokens
            if made_for_a_server(token) and _plain(token.created) <= _plain(spawner.started)
        ]
        if candidates:
            kept.add(max(candidates, key=lambda token: (_plain(token.created), token.id)).id)
    return kept


def _plain(moment: dt.datetime) -> dt.datetime:
    # Until a row is reloaded, SQLAlchemy returns the assigned value: aware or naive.
    return moment.astimezone(dt.UTC).replace(tzinfo=None) if moment.tzinfo else moment
