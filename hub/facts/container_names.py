"""Names of a person's container and volumes: one for each user name, plain enough for Docker."""

from __future__ import annotations

import base64
import hashlib
import re

LONGEST = 40
_PLAIN = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_DIGEST = 20  # base32 letters: 100 bits
_READABLE = LONGEST - len("--") - _DIGEST


def slug(user: str) -> str:
    """A name of small letters, digits and '-' for `user`, at most 40 characters long.

    Two users never share one. A plain name is its own slug; any other becomes what can be read
    of it, two hyphens (which no plain name has) and a digest of the whole name.
    Raises ValueError for the empty name.
    """
    if not user:
        raise ValueError("a user name has at least one character")
    if len(user) <= LONGEST and _PLAIN.fullmatch(user):
        return user
    digest = hashlib.sha256(user.encode("utf-8", "surrogatepass")).digest()
    short = base64.b32encode(digest).decode("ascii").lower()[:_DIGEST]
    readable = re.sub(r"[^a-z0-9]+", "-", user.lower())[:_READABLE].strip("-") or "user"
    return f"{readable}--{short}"


def container_name(project: str, user: str) -> str:
    return f"{project}-user-{slug(user)}"


def home_volume(project: str, user: str) -> str:
    return f"{project}_home_{slug(user)}"
