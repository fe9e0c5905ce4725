"""One-time links to set a password: random, kept only as a hash, for a time, good once.

One row a person in a table of the hub's database, so that a new link takes the place of the old.
Statements and not objects: the command line writes the table beside the running hub, which keeps
what it has read as objects.
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
    expires: dt.datetime  # UTC, without zone, as the hub keeps times

    def url(self, base: str) -> str:
        """`base` is the address that people open."""
        # JupyterHub keeps what is called a key out of its log.
        return f"{base}{PAGE}?key={self.key}"


def now() -> dt.datetime:
    return dt.datetime.now(dt.UTC).replace(tzinfo=None)


def issue(session: Any, name: str, days: int, by: str) -> Link:
    """A new link for `name`, good for `days`; an older one of theirs is void from now on."""
    link = Link(name, secrets.token_urlsafe(32), now() + dt.timedelta(days=days))
    void(session, name)
    row = {"name": name, "hashed": _hash(link.key), "expires": link.expires, "issued_by": by}
    session.execute(insert(LINKS).values(row))
    session.commit()
    return link


def owner(session: Any, key: str) -> str | None:
    """Whose link has `key`; None where it is none, not any more, or too old."""
    if not _KEY.fullmatch(key):
        return None
    hashed = _hash(key)
    found = session.execute(select(LINKS).where(LINKS.c.hashed == hashed)).first()
    if found is None or not hmac.compare_digest(found.hashed, hashed) or found.expires <= now():
        return None
    return str(found.name)


def use(session: Any, key: str) -> str | None:
    """Whose link has `key`, once: of two requests at a time only one is told. Commits nothing."""
    name = owner(session, key)
    if name is None:
        return None
    used = session.execute(delete(LINKS).where(LINKS.c.hashed == _hash(key)))
    return name if used.rowcount == 1 else None


def void(session: Any, *names: str) -> None:
    """No link of `names` is good any more. Commits nothing."""
    session.execute(delete(LINKS).where(LINKS.c.name.in_(names)))


def open_links(session: Any) -> dict[str, dt.datetime]:
    """name -> until when a link of theirs is good, in UTC."""
    rows = session.execute(select(LINKS.c.name, LINKS.c.expires).where(LINKS.c.expires > now()))
    return {row.name: row.expires for row in rows}


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
