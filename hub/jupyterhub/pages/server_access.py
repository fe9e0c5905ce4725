"""Server access grants: permission for one browser to open one server.

In containers all servers share one address, and whoever owns one decides what it shows: a
page there acts with the visitor's account. So the gateway (docker/gateway/server.Caddyfile)
passes a browser on to a server only with a cookie that is named for that server and has the value
of the browser's session, and sends it here to get one. Nobody gets one for a server that they may
not open; for a student's, anybody but its owner is asked first.

Logging out ends the session, and with it every grant; logging in clears the cookies.
"""

from __future__ import annotations

import re
from collections.abc import Set
from dataclasses import dataclass
from typing import Any, Literal

from tornado import web

from hub.jupyterhub.pages.guarded import AccountPage
from hub.upstream.jupyterhub import set_session_cookie

PAGE = "visit"
# Names that the proxy, the gateway and the hub read the same way; a superset of USER_NAME.
_SERVER = re.compile(r"/user/((?:[a-z0-9._~@-]|%40)+)(?:[/?]|$)")
_SESSION = re.compile(r"[0-9a-f]{32}")
REFUSED = (
    "This is somebody else's server. If a link led you here, do not follow it: a page there would "
    "act with your account."
)

Decision = Literal["open", "ask", "refuse"]


@dataclass(frozen=True)
class AccessRequest:
    """A page on somebody's server that a browser wants to open."""

    owner: str
    target: str  # the URL without the host, as the gateway saw it


def access_request(uri: str, prefix: str) -> AccessRequest | None:
    """What `uri`, the URL of this page, asks for, or None if that is not a page on a server.

    prefix: the hub's part of the URL, such as `/hub/`.
    """
    here = f"{prefix}{PAGE}"
    if not uri.startswith(f"{here}/user/"):
        return None
    target = uri.removeprefix(here)
    found = _SERVER.match(target)
    return AccessRequest(found[1].replace("%40", "@"), target) if found else None


def decision(visitor: str, owner: str, graders: Set[str], may_access: bool) -> Decision:
    """Whether `visitor` may open the server of `owner`.

    graders: whose servers are the courses' own, and show what their course lets them show.
    may_access: whether the hub lets them open it, through a role or as an admin.
    """
    if visitor == owner:
        return "open"
    if not may_access:
        return "refuse"
    return "open" if owner in graders else "ask"


def cookie_prefix(url: str) -> str:
    """The prefix of the cookies' names if people open the hub at `url`.

    With TLS, the prefix keeps other hosts of the same domain from setting one.
    """
    return "__Host-visit-" if url.startswith("https:") else "visit-"


def cookie_name(owner: str, begins: str) -> str:
    """The cookie's name for the server of `owner`: its part of the URL, encoded for cookies."""
    return begins + owner.replace("@", "%40")


class GrantPage(AccountPage):
    """Redirects to the server, with the cookie; or asks first; or refuses."""

    def initialize(self, graders: Set[str], begins: str) -> None:
        self.graders, self.begins = graders, begins

    @web.authenticated
    async def get(self) -> None:
        wanted, decided = self._decide()
        if decided == "ask":
            await self.show("visit.html", owner=wanted.owner, action=self.request.uri)
        else:
            self._open(wanted)

    @web.authenticated
    async def post(self) -> None:
        self.refuse_other_forms()
        wanted, _ = self._decide()
        self.log.info("%s opens the server of %s", self.current_user.name, wanted.owner)
        self._open(wanted)

    def _decide(self) -> tuple[AccessRequest, Decision]:
        """Raise HTTPError if there is nothing to open, or not for this person."""
        wanted = access_request(self.request.uri, self.hub.base_url)
        if wanted is None:
            raise web.HTTPError(404)
        may_access = self.has_scope(f"access:servers!server={wanted.owner}/")
        decided = decision(self.current_user.name, wanted.owner, self.graders, may_access)
        if decided == "refuse":
            raise web.HTTPError(403, REFUSED)
        return wanted, decided

    def _open(self, wanted: AccessRequest) -> None:
        session = self.get_session_cookie() or ""
        if not _SESSION.fullmatch(session):
            session = self.set_session_cookie()
        name = cookie_name(wanted.owner, self.begins)
        set_session_cookie(self, name, session)
        self.redirect(wanted.target, status=303)


def handlers(graders: Set[str], url: str) -> list[tuple[str, Any, dict[str, Any]]]:
    """The page, for people who open the hub at `url`."""
    return [(rf"/{PAGE}/.*", GrantPage, {"graders": graders, "begins": cookie_prefix(url)})]


def revoke_grants(authenticator: Any, handler: Any, authenticated: Any) -> Any:
    """JupyterHub's `post_auth_hook`: a login revokes the grants of this browser."""
    for name in handler.request.cookies:
        if name.startswith((cookie_prefix("https:"), cookie_prefix("http:"))):
            handler.clear_cookie(name, path="/")
    return authenticated
