"""Parses the JSON of a request more strictly than the engine does.

Go matches keys case-insensitively and takes the last of several equal ones. Checking one
spelling and forwarding the bytes would check nothing. So two keys that Go takes for one are refused
here, and what is forwarded is always rebuilt from what was checked.
"""

from __future__ import annotations

import json
from typing import Any

from hub.services.guard.errors import RequestRefused

DEEPEST = 12


def parse(body: bytes) -> dict[str, Any]:
    """The object in `body`. Raises RequestRefused if it is anything else."""
    try:
        tree = json.loads(body.decode("utf-8"), object_pairs_hook=_object, parse_constant=_constant)
    except (ValueError, RecursionError) as error:
        raise RequestRefused(f"the body is not JSON ({type(error).__name__})") from None
    if not isinstance(tree, dict):
        raise RequestRefused("the body is not a JSON object")
    _strings_are_plain(tree, DEEPEST)
    return tree


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    seen: set[str] = set()
    for key, _ in pairs:
        # Python's casefold folds everything that Go folds (including U+017F to s and U+212A to k).
        if key.casefold() in seen:
            raise RequestRefused(f"duplicate key {key[:60]!r}")
        seen.add(key.casefold())
    return dict(pairs)


def _constant(name: str) -> Any:
    raise RequestRefused(f"{name} is not JSON")


def _strings_are_plain(node: Any, depth: int) -> None:
    if depth == 0:
        raise RequestRefused("the body is nested too deeply")
    if isinstance(node, dict):
        for key, value in node.items():
            _strings_are_plain(key, depth - 1)
            _strings_are_plain(value, depth - 1)
    elif isinstance(node, list):
        for value in node:
            _strings_are_plain(value, depth - 1)
    elif isinstance(node, str) and ("\0" in node or any(0xD800 <= ord(c) < 0xE000 for c in node)):
        raise RequestRefused("a string with NUL or an unpaired surrogate")
