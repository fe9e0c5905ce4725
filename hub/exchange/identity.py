"""Authentication: turns a token into a `Caller` by asking JupyterHub."""

from __future__ import annotations

import re
from typing import Any

from jupyterhub.services.auth import HubAuth
from tornado.httputil import HTTPHeaders
from tornado.web import HTTPError

from hub.exchange.access import Caller
from hub.exchange.errors import NotAllowed, ServiceAway

# How long, in seconds, the Hub's answer about a token is cached. A student who was just added to
# or removed from a course keeps the old roles for at most this long.
IDENTITY_SECONDS = 15

_TOKEN = re.compile(r"(?:token|bearer) ([A-Za-z0-9._~+/=-]{1,512})", re.IGNORECASE)


def well_formed(authorization: str) -> bool:
    """Whether an Authorization header has the form of a Hub token and nothing else."""
    return _TOKEN.fullmatch(authorization) is not None


async def caller_of(headers: HTTPHeaders, hub_auth: HubAuth) -> Caller:
    """The Hub user whose token is in the Authorization header.

    Ignores cookies, as pages on students' servers share the browser's origin with this
    service. Raises NotAllowed without a valid token or this service's scope, ServiceAway
    if the Hub cannot be asked.
    """
    match = _TOKEN.fullmatch(headers.get("Authorization", ""))
    if match is None:
        raise NotAllowed(
            "The request has no token.",
            "Send your JupyterHub token in the header 'Authorization: token …'.",
        )
    try:
        model = await hub_auth.user_for_token(match[1], sync=False)
    except HTTPError as error:
        raise ServiceAway(
            "JupyterHub cannot identify you at the moment.", "Try again in a minute."
        ) from error
    if not model:
        raise NotAllowed(
            "JupyterHub does not know this token.", "Log in again, or restart your server."
        )
    if not hub_auth.check_scopes(hub_auth.access_scopes, model):
        raise NotAllowed(
            "This token cannot use the exchange: it lacks the scope "
            f"{sorted(hub_auth.access_scopes)[-1]}.",
            "Use the token of your own server, or ask the administrator for the scope.",
        )
    return caller(model)


def caller(model: dict[str, Any]) -> Caller:
    """The caller from the Hub's answer about a token; a Hub service is in no group."""
    return Caller(str(model["name"]), frozenset(model.get("groups") or ()))
