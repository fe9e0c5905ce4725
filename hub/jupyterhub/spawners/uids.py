"""A uid for each student, stored forever by user name.

Homes, submissions and processes of two students belong to two kernel users, so that a single
mistake in a mount does not expose one's files to the other. A uid is never given to somebody
else, even if its owner left, as the files of the one would belong to the other.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from hub.facts import files
from hub.facts.accounts import STUDENTS


class NoUidLeft(Exception):
    """All uids up to the last are taken."""


def uid_for(name: str, taken: Mapping[str, int], numbers: range = STUDENTS) -> int:
    """The uid of `name`: the one it has, else the one after the highest ever assigned.

    Raises NoUidLeft if that is beyond the last of `numbers`.
    """
    uid = taken.get(name, max(taken.values(), default=numbers[0] - 1) + 1)
    if uid > numbers[-1]:
        raise NoUidLeft(f"{name}: every uid from {numbers[0]} to {numbers[-1]} is taken")
    return uid


def keep_uid(name: str, path: Path) -> int:
    """`uid_for` with the JSON file at `path`, to which a new one is added."""
    taken = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    uid = uid_for(name, taken)
    if name not in taken:
        files.replace(path, json.dumps(taken | {name: uid}, indent=1))
    return uid
