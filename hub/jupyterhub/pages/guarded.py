"""What the pages about accounts have in common: for browsers, kept nowhere, asked from here."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any
from urllib.parse import urlsplit

from jupyterhub.handlers.base import BaseHandler
from tornado import web


def sender(forwarded: str, connection: str, trusted: Collection[str]) -> str:
    """The address a request came from, by the proxies' list of hops in X-Forwarded-For.

    The proxy appends where a request came from, so the last hop that is no proxy of ours is true,
    and what a client writes stands before it. Tornado's own answer believes X-Real-IP, which
    nobody in between takes away from a client.
    """
    hops = [hop.strip() for hop in forwarded.split(",") if hop.strip()]
    return next((hop for hop in reversed(hops) if hop not in trusted), connection)


class AccountPage(BaseHandler):
    """A page of the hub that changes accounts.

    As to every page, the hub lets nobody in by a token: whatever runs in somebody's server holds
    one of theirs.
    """

    referrer_policy = "same-origin"

    def set_default_headers(self) -> None:
        super().set_default_headers()
        self.set_header("Cache-Control", "no-store")
        self.set_header("Referrer-Policy", self.referrer_policy)

    @property
    def sender(self) -> str:
        forwarded = self.request.headers.get("X-Forwarded-For", "")
        return sender(forwarded, self.request.remote_ip, self.app.trusted_downstream_ips)

    def sent_from_the_hub(self) -> bool:
        """Whether the form was on a page of the hub. Students' servers, and what they show,
        share its origin."""
        referer = urlsplit(self.request.headers.get("Referer", ""))
        return referer.netloc == self.request.host and referer.path.startswith(self.hub.base_url)

    def refuse_other_forms(self) -> None:
        """Raises HTTPError where a form was sent from elsewhere than the hub's own pages."""
        if not self.sent_from_the_hub():
            raise web.HTTPError(403, "Open this page in your browser and send its form again.")

    async def show(self, template: str, status: int = 200, **variables: Any) -> None:
        self.set_status(status)
        self.finish(await self.render_template(template, **variables))
