"""Passwords that people set themselves, stored by NativeAuthenticator as bcrypt hashes."""

from __future__ import annotations

import asyncio
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import Any

import bcrypt
from nativeauthenticator import NativeAuthenticator
from nativeauthenticator.orm import UserInfo
from sqlalchemy import select
from tornado import web

from hub.facts.names import USER_NAME
from hub.people.accounts import password_links
from hub.people.accounts.course import CourseAuthenticator
from hub.people.accounts.throttle import Throttle
from hub.upstream.jupyterhub import session_of

LONGEST_BYTES = 72  # bcrypt's limit
# Compared with if somebody has no password, so that this takes equally long.
NOBODY = bcrypt.hashpw(b"nobody's", bcrypt.gensalt())
# Hashing takes 0.25 CPU-seconds: off the hub's event loop, and not on every core.
_HASHING = ThreadPoolExecutor(2, thread_name_prefix="bcrypt")
MOST_WAITING = 200  # a class that logs in at once; more are asked to retry


class PasswordAuthenticator(CourseAuthenticator, NativeAuthenticator):
    """NativeAuthenticator's passwords without its pages: there is no sign-up, no authorisation by
    admins, and the response to a failed login does not say why."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # The table is created with the hub's own.
        super().__init__(False, *args, **kwargs)

    @cached_property
    def throttle(self) -> Throttle:
        return Throttle(self.allowed_failed_logins, self.seconds_before_next_try)

    async def authenticate(self, handler: Any, data: dict[str, str]) -> str | None:
        name = self.normalize_username(data["username"])
        # Impossible names are not counted, as they may be as long as a request.
        if USER_NAME.fullmatch(name) and not self.throttle.attempt(name):
            raise self.locked()
        if not await self.is_password(name, data["password"]):
            return None
        self.throttle.forgive(name)
        return name

    def locked(self) -> web.HTTPError:
        """The response while an account is locked; the same for names that do not exist."""
        minutes = self.seconds_before_next_try // 60
        return web.HTTPError(
            429, f"Too many wrong passwords for this name: try again in {minutes} minutes."
        )

    async def is_password(self, name: str, password: str) -> bool:
        """Whether `password` is that of `name`; equally slow for somebody who has none."""
        hashed = stored(session_of(self), name)
        right = await _in_thread(_matches, password, hashed or NOBODY)
        return right and hashed is not None

    def with_password(self) -> set[str]:
        """Everybody who has set a password."""
        return with_password(session_of(self))

    def wrong_with(self, name: str, password: str) -> str | None:
        """A message why `password` is refused for `name`; None if it is accepted."""
        if len(password) < self.minimum_password_length:
            return f"At least {self.minimum_password_length} characters."
        if len(_bytes(password)) > LONGEST_BYTES or "\0" in password:
            return f"At most {LONGEST_BYTES} bytes."
        if self.is_password_common(password.lower()) or len(set(password)) < 5:
            return "Too common: attackers try it early."
        if name in password.lower() and len(password) < len(name) + 6:
            return "Too similar to the user name."
        return None

    async def set_password(self, name: str, password: str, key: str | None = None) -> bool:
        """Store the password; with the `key` of a link, only if that link is theirs, using
        it up atomically. Returns False if the link is no longer valid."""
        hashed = await _in_thread(bcrypt.hashpw, _bytes(password), bcrypt.gensalt())
        session = session_of(self)
        if key is not None and password_links.use(session, key) != name:
            session.rollback()
            return False
        info = UserInfo.find(session, name)
        if info is None:
            info = UserInfo(username=name)
            session.add(info)
        info.password, info.is_authorized, info.has_2fa = hashed, True, False
        password_links.void(session, name)
        session.commit()
        self.throttle.forgive(name)
        return True

    def delete_user(self, user: Any) -> None:
        """Keep the password, for people who come back to the course."""
        self.allowed_users.discard(user.name)
        session = session_of(self)
        password_links.void(session, user.name)
        session.commit()


def stored(session: Any, name: str) -> bytes | None:
    """The bcrypt hash of the password of `name`, or None."""
    hashed = session.execute(select(UserInfo.password).where(UserInfo.username == name)).scalar()
    return hashed or None


def with_password(session: Any) -> set[str]:
    """Everybody who has set a password."""
    return set(session.execute(select(UserInfo.username)).scalars())


def _bytes(password: str) -> bytes:
    # Keyboards differ in whether they type a letter as one character or two.
    return unicodedata.normalize("NFC", password).encode()


def _matches(password: str, hashed: bytes) -> bool:
    given = _bytes(password)
    fits = len(given) <= LONGEST_BYTES and b"\0" not in given
    return bcrypt.checkpw(given if fits else b"", hashed) and fits


async def _in_thread(function: Any, *args: Any) -> Any:
    if _HASHING._work_queue.qsize() >= MOST_WAITING:
        raise web.HTTPError(503, "Many people are logging in right now: try again in a moment.")
    return await asyncio.get_running_loop().run_in_executor(_HASHING, function, *args)
