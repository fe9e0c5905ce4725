"""One-time password links: random, stored only as a hash, expiring, valid once.

One row per person in a table of the hub's database, so that a new link replaces the old one.
Uses statements rather than objects, as the command line writes the table beside the running hub,
which would cache objects.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from typing import Any

from jupyterhub.orm import Base
from sqlalchemy import Column, DateTime, Table, Unicode, delete, insert, select

LINKS = Table(
    "password_links",
    Base.metadata,
    Column("name", Unicode(255), primary_key=True),
    Column("hashed", Unicode(64), nullable=False, unique=True),
    Column("expires", DateTime, nullable=False),
    Column("issued_by", Unicode(255), nullable=False),
)
PAGE = "/hub/set-password"
_KEY = re.compile(r"[A-Za-z0-9_-]{43}")


@dataclass(frozen=True)
class Link:
    """A link just made; its key exists nowhere else."""

    name: str
    key: str
    expires: dt.datetime  # UTC, naive, as the hub stores times

    def url(self, base: str) -> str:
        """`base` is the server's public address."""
        # JupyterHub redacts parameters named key in its log.
        return f"{base}{PAGE}?key={self.key}"


def now() -> dt.datetime:
    return dt.datetime.now(dt.UTC).replace(tzinfo=None)


def issue(session: Any, name: str, days: int, by: str) -> Link:
    """A new link for `name`, valid for `days`, which voids an older one."""
    link = Link(name, secrets.token_urlsafe(32), now() + dt.timedelta(days=days))
    void(session, name)
    row = {"name": name, "hashed": _hash(link.key), "expires": link.expires, "issued_by": by}
    session.execute(insert(LINKS).values(row))
    session.commit()
    return link


def owner(session: Any, key: str) -> str | None:
    """The owner of the link with `key`; None if there is none, or it was used or has expired."""
    if not _KEY.fullmatch(key):
        return None
    hashed = _hash(key)
    found = session.execute(select(LINKS).where(LINKS.c.hashed == hashed)).first()
    if found is None or not hmac.compare_digest(found.hashed, hashed) or found.expires <= now():
        return None
    return str(found.name)


def use(session: Any, key: str) -> str | None:
    """Use up the link with `key`; only one of two requests gets its owner. Does not commit."""
    name = owner(session, key)
    if name is None:
        return None
    used = session.execute(delete(LINKS).where(LINKS.c.hashed == _hash(key)))
    return name if used.rowcount == 1 else None


def void(session: Any, *names: str) -> None:
    """Void all links of `names`. Does not commit."""
    session.execute(delete(LINKS).where(LINKS.c.name.in_(names)))


def open_links(session: Any) -> dict[str, dt.datetime]:
    """name -> expiry of their link, in UTC."""
    rows = session.execute(select(LINKS.c.name, LINKS.c.expires).where(LINKS.c.expires > now()))
    return {row.name: row.expires for row in rows}


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
