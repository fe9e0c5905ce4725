"""Who is asking: a token in, a `Caller` out, by asking JupyterHub."""

from __future__ import annotations

import re
from typing import Any

from jupyterhub.services.auth import HubAuth
from tornado.httputil import HTTPHeaders
from tornado.web import HTTPError

from hub.exchange.access import Caller
from hub.exchange.errors import NotAllowed, ServiceAway

# How long, in seconds, the Hub's answer about a token is believed. A student who was just added
# to a course waits this long at most, and so does one who was taken out.
IDENTITY_SECONDS = 15

_TOKEN = re.compile(r"(?:token|bearer) ([A-Za-z0-9._~+/=-]{1,512})", re.IGNORECASE)


def well_formed(authorization: str) -> bool:
    """Whether an Authorization header has the form of a Hub token, and nothing smuggled in it."""
    return _TOKEN.fullmatch(authorization) is not None


async def caller_of(headers: HTTPHeaders, hub_auth: HubAuth) -> Caller:
    """The Hub user whose token is in the Authorization header.

    Cookies do not count here: a page on a student's server shares the browser's origin with this
    service. Raises NotAllowed without a good token or without this service's scope, ServiceAway
    when the Hub cannot be asked.
    """
    match = _TOKEN.fullmatch(headers.get("Authorization", ""))
    if match is None:
        raise NotAllowed(
            "No token came with the request.",
            "Send your JupyterHub token in the header 'Authorization: token …'.",
        )
    try:
        model = await hub_auth.user_for_token(match[1], sync=False)
    except HTTPError as error:
        raise ServiceAway(
            "JupyterHub cannot say who you are just now.", "Try again in a minute."
        ) from error
    if not model:
        raise NotAllowed(
            "JupyterHub does not know this token.", "Log in again, or restart your server."
        )
    if not hub_auth.check_scopes(hub_auth.access_scopes, model):
        raise NotAllowed(
            f"This token may not use the exchange: it lacks {sorted(hub_auth.access_scopes)[-1]}.",
            "Use the token of your own server, or ask the administrator for the scope.",
        )
    return caller(model)


def caller(model: dict[str, Any]) -> Caller:
    """The caller in the Hub's answer about a token; a service of the Hub is in no group."""
    return Caller(str(model["name"]), frozenset(model.get("groups") or ()))
