"""JupyterHub beyond what it documents. Known to fit the versions in FITS."""

from __future__ import annotations

from typing import Any

from jupyterhub import orm
from jupyterhub.metrics import TOTAL_USERS

FITS = "6.1"

# The hub's note on the tokens that it makes for servers, and the client that they are for.
_NOTE, _CLIENT = "Server at ", "jupyterhub"


def made_for_a_server(token: orm.APIToken) -> bool:
    """Whether a token looks like the hub's own for somebody's server; people can write such notes
    too."""
    return (token.note or "").startswith(_NOTE) and token.client_id == _CLIENT


def count_new_user() -> None:
    """Count a user that was added to the database without the hub's API."""
    TOTAL_USERS.inc()


def session_of(authenticator: Any) -> Any:
    """The hub's database session, which it means to take from its authenticators."""
    return authenticator._deprecated_db_session


def hide_query(handler: Any) -> None:
    """Have the log write the address of this request without its query."""
    handler.request.uri = handler.request.path


def set_session_cookie(handler: Any, name: str, value: str) -> None:
    """Set a cookie of the browser's session, readable for the gateway, as the hub sets its own:
    with Secure where people reach it over TLS, and closed to scripts."""
    handler._set_cookie(name, value, encrypted=False, path="/", samesite="Lax")
