"""JupyterHub beyond its documentation. Known to work with the versions in FITS."""

from __future__ import annotations

from typing import Any

from jupyterhub import orm
from jupyterhub.metrics import TOTAL_USERS

FITS = "6.1"

# The hub's note on the tokens that it makes for servers, and their client.
_NOTE, _CLIENT = "Server at ", "jupyterhub"


def made_for_a_server(token: orm.APIToken) -> bool:
    """Whether a token looks like the hub's own for somebody's server; people can write such notes
    too."""
    return (token.note or "").startswith(_NOTE) and token.client_id == _CLIENT


def count_new_user() -> None:
    """Count a user who was added to the database without the hub's API."""
    TOTAL_USERS.inc()


def session_of(authenticator: Any) -> Any:
    """The hub's database session, which it plans to withdraw from authenticators."""
    return authenticator._deprecated_db_session


def hide_query(handler: Any) -> None:
    """Make the log show this request's URL without its query."""
    handler.request.uri = handler.request.path


def set_session_cookie(handler: Any, name: str, value: str) -> None:
    """Set a browser-session cookie that the gateway can read, as the hub sets its own:
    Secure if people use TLS, and HttpOnly."""
    handler._set_cookie(name, value, encrypted=False, path="/", samesite="Lax")
