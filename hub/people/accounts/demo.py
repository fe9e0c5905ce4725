"""Demonstration accounts: a random password per person, on this machine only."""

from __future__ import annotations

import hmac
import json
import secrets
from collections.abc import Iterable
from pathlib import Path

from traitlets import Unicode

from hub.facts import files
from hub.people.accounts.course import CourseAuthenticator

# Letters and digits that are not easily confused.
ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"


def demo_accounts(names: Iterable[str], path: Path) -> dict[str, str]:
    """Passwords of everybody in `names`, name -> password, stored in `path` (mode 0600).

    New people get a password; existing ones keep theirs, even if they left for a while.
    """
    kept = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    accounts = {name: kept.get(name) or _password() for name in names}
    files.replace(path, json.dumps(kept | accounts, indent=1), mode=0o600)
    return accounts


def _password() -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(10))


class DemoAuthenticator(CourseAuthenticator):
    """Logs in with the passwords that `make serve` prints."""

    accounts_file = Unicode(help="JSON file that `demo_accounts` wrote").tag(config=True)

    async def authenticate(self, handler, data):
        accounts = json.loads(Path(self.accounts_file).read_text(encoding="utf-8"))
        name = self.normalize_username(data["username"])
        expected = accounts.get(name)
        if expected and hmac.compare_digest(expected.encode(), data["password"].encode()):
            return name
        return None
