"""The base of pages about accounts: for browsers only, not cached, forms from the hub only."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any
from urllib.parse import urlsplit

from jupyterhub.handlers.base import BaseHandler
from tornado import web


def sender(forwarded: str, connection: str, trusted: Collection[str]) -> str:
    """The client's address, from the proxies' list of hops in X-Forwarded-For.

    Each proxy appends its peer's address, so the last hop that is not a proxy of ours is genuine,
    and whatever a client wrote comes before it. Tornado's own answer trusts X-Real-IP, which
    no proxy removes from a client's request.
    """
    hops = [hop.strip() for hop in forwarded.split(",") if hop.strip()]
    return next((hop for hop in reversed(hops) if hop not in trusted), connection)


class AccountPage(BaseHandler):
    """A page of the hub that changes accounts.

    Like all pages, it accepts no tokens, as every program in somebody's server has
    one of its owner's.
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
        """Whether the form was sent from a page of the hub. Students' servers, and what they show,
        share its origin."""
        referer = urlsplit(self.request.headers.get("Referer", ""))
        return referer.netloc == self.request.host and referer.path.startswith(self.hub.base_url)

    def refuse_other_forms(self) -> None:
        """Raise HTTPError if a form was not sent from one of the hub's own pages."""
        if not self.sent_from_the_hub():
            raise web.HTTPError(403, "Open this page in your browser and submit its form again.")

    async def show(self, template: str, status: int = 200, **variables: Any) -> None:
        self.set_status(status)
        self.finish(await self.render_template(template, **variables))
