"""The exchange's pages for browsers: the course's page, and feedback."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from typing import Any

from jupyterhub.services.auth import HubOAuth, HubOAuthCallbackHandler, HubOAuthenticated
from tornado.web import HTTPError, authenticated

from hub.exchange.access import Access
from hub.exchange.errors import Refusal
from hub.exchange.headers import SecureHeaders
from hub.exchange.identity import caller, well_formed
from hub.exchange.overview import CourseInfo
from hub.exchange.page import error_page, page
from hub.exchange.store import Store


class PageHandler(HubOAuthenticated, SecureHeaders):
    """A page for browsers, which log in through the Hub."""

    style_source = "'unsafe-inline'"
    access: Access

    def initialize(
        self,
        store: Store,
        courses: Collection[str],
        hub_auth: HubOAuth,
        infos: Mapping[str, CourseInfo],
    ) -> None:
        self.store, self.courses, self.hub_auth, self.infos = store, courses, hub_auth, infos

    async def prepare(self) -> None:
        # A script of a page on somebody's server shares this address: it gets nothing to read.
        if self.request.headers.get("Sec-Fetch-Dest", "document") != "document":
            raise HTTPError(403, reason="This page is for a browser's window only")
        # Resolved here without blocking the loop; get_current_user then finds it cached.
        if not well_formed(self.request.headers.get("Authorization", "token x")):
            raise HTTPError(403)
        try:
            model = await self.hub_auth.get_user(self, sync=False)
        except HTTPError as error:
            raise HTTPError(503, reason="JupyterHub cannot identify you at the moment") from error
        if model is not None:
            self.access = Access(self.store, caller(model), self.courses)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        error = kwargs.get("exc_info", (None, None, None))[1]
        if isinstance(error, Refusal):
            status_code, message, fix = error.status, error.message, error.fix
        else:
            message, fix = self._reason, "Go back, or try again in a minute."
        self.set_status(status_code)
        self.finish(error_page(message, fix, self.hub_auth.hub_prefix))

    def log_exception(self, kind: Any, value: Any, trace: Any) -> None:
        if not isinstance(value, Refusal):
            super().log_exception(kind, value, trace)


class HomeHandler(PageHandler):
    """The page of the caller's courses."""

    @authenticated
    async def get(self) -> None:
        arguments = (self.access, self.infos, self.hub_auth.hub_prefix, self.store.now())
        self.finish(await asyncio.to_thread(page, *arguments))


class FeedbackPageHandler(PageHandler):
    """A page of the caller's feedback. It is made from what somebody submitted, so it gets neither
    scripts nor this address's origin: nothing in it can act with the visitor's session."""

    @authenticated
    async def get(self, course: str, receipt: str, page: str) -> None:
        content = await asyncio.to_thread(self.access.my_feedback_page, course, receipt, page)
        self.set_header(
            "Content-Security-Policy",
            "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; "
            "font-src data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
        )
        self.finish(content)


class CallbackHandler(HubOAuthCallbackHandler):
    """The callback of the browser's login."""

    def initialize(self, hub_auth: HubOAuth) -> None:
        self.hub_auth = hub_auth
