"""Pages for setting a password through a one-time link, and for changing it."""

from __future__ import annotations

from typing import Any

from tornado import web

from hub.jupyterhub.pages.guarded import AccountPage
from hub.people.accounts import password_links
from hub.people.accounts.throttle import Throttle
from hub.people.sessions import end_sessions
from hub.upstream.jupyterhub import hide_query

# Wrong keys from one address. Keys have 256 random bits, so this only keeps the noise down.
WRONG_KEYS, WRONG_KEYS_SECONDS = 20, 60
NO_LINK = (
    "This link is not valid, or no longer: each works once, expires after some days, and is void "
    "once there is a newer one. Your instructor can make you a new one."
)


class SetPasswordPage(AccountPage):
    """Opened through the link, without login; does not log anybody in.

    Opening it does not use up the link, as mail programs and scanners do that; submitting does.
    """

    referrer_policy = "no-referrer"

    def initialize(self) -> None:
        # Tornado logs the URL of failed requests; the key has been parsed by now.
        hide_query(self)

    @property
    def throttle(self) -> Throttle:
        return self.settings.setdefault("link_throttle", Throttle(WRONG_KEYS, WRONG_KEYS_SECONDS))

    async def get(self) -> None:
        key = self.get_query_argument("key", "")
        await self._form(self._owner(key), key)

    async def post(self) -> None:
        key = self.get_body_argument("key", "")
        name = self._owner(key)
        password = self.get_body_argument("password", "", strip=False)
        wrong = self.authenticator.wrong_with(name, password)
        if password != self.get_body_argument("again", "", strip=False):
            wrong = "Passwords don't match."
        if wrong:
            await self._form(name, key, wrong)
            return
        if not await self.authenticator.set_password(name, password, key):
            raise web.HTTPError(404, NO_LINK)
        self.log.info("%s has set a password through a link", name)
        self._end_sessions(name)
        await self.show("password-set.html", account=name)

    def _owner(self, key: str) -> str:
        if self.throttle.locked(self.sender):
            raise web.HTTPError(429, "Too many invalid links: try again in a minute.")
        name = password_links.owner(self.db, key)
        if name is None or name not in self.authenticator.allowed_users:
            self.throttle.attempt(self.sender)
            raise web.HTTPError(404, NO_LINK)
        return name

    async def _form(self, name: str, key: str, wrong: str = "") -> None:
        shortest = self.authenticator.minimum_password_length
        await self.show(
            "set-password.html",
            status=400 if wrong else 200,
            account=name,
            key=key,
            wrong=wrong,
            shortest=shortest,
        )

    def _end_sessions(self, name: str) -> None:
        """Whoever is logged in in this browser stays logged in, as `name` or as somebody else."""
        user = self.find_user(name)
        if user is None:
            return
        end_sessions(self.db, user.orm_user)
        self.db.commit()
        if self.current_user and self.current_user.name == name:
            self.set_login_cookie(user)


class ChangePasswordPage(AccountPage):
    """Changes one's own password, given the old one."""

    @web.authenticated
    async def get(self) -> None:
        await self._form()

    @web.authenticated
    async def post(self) -> None:
        self.refuse_other_forms()
        user, accounts = self.current_user, self.authenticator
        fields = ("old", "password", "again")
        old, password, again = (self.get_body_argument(name, "", strip=False) for name in fields)
        if wrong := accounts.wrong_with(user.name, password):
            await self._form(wrong)
        elif password != again:
            await self._form("Passwords don't match.")
        elif not accounts.throttle.attempt(user.name):
            raise accounts.locked()
        elif not await accounts.is_password(user.name, old):
            await self._form("The old password is wrong.")
        else:
            await accounts.set_password(user.name, password)
            end_sessions(self.db, user.orm_user)
            self.db.commit()
            self.set_login_cookie(user)
            self.log.info("%s has changed the password", user.name)
            await self.show("password-set.html", account=user.name)

    async def _form(self, wrong: str = "") -> None:
        shortest = self.authenticator.minimum_password_length
        status = 400 if wrong else 200
        await self.show("change-password.html", status, wrong=wrong, shortest=shortest)


HANDLERS: list[tuple[str, Any]] = [
    ("/set-password", SetPasswordPage),
    ("/change-password", ChangePasswordPage),
]
