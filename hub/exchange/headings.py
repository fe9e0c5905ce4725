"""What a release says of itself: the title in its notebook, and how many points it gives. Pure."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

TITLE_CHARACTERS = 160

_HEADING = re.compile(r" {0,3}#{1,6}\s+(.*?)(?:\s+#+)?\s*$")
_FENCE = re.compile(r" {0,3}(```|~~~)")
_LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
_MARKUP = re.compile(r"<[^>]*>|[*`$]|\\(?=\W)")


@dataclass(frozen=True)
class Heading:
    """title: "" if there is none to show. points: the sum of its test and hand-graded cells."""

    title: str = ""
    points: float = 0.0


def heading(notebooks: Iterable[bytes]) -> Heading:
    """The heading of an assignment of these notebooks.

    Its title is that of its only notebook: of several, none speaks for the others. A notebook that
    cannot be read says nothing.
    """
    cells = [list(_cells(notebook)) for notebook in notebooks]
    title = _title(cells[0]) if len(cells) == 1 else ""
    return Heading(title, sum(_points(cell) for notebook in cells for cell in notebook))


def _cells(notebook: bytes) -> Iterator[dict[str, Any]]:
    try:
        found = json.loads(notebook)["cells"]
        yield from (cell for cell in found if isinstance(cell, dict))
    except (ValueError, KeyError, TypeError, RecursionError):
        return


def _title(cells: list[dict[str, Any]]) -> str:
    """The first heading outside of code, without Markdown's marks."""
    for cell in cells:
        if cell.get("cell_type") != "markdown":
            continue
        fenced = False
        for line in _source(cell).splitlines():
            if _FENCE.match(line):
                fenced = not fenced
            elif not fenced and (found := _HEADING.match(line)):
                text = _MARKUP.sub("", _LINK.sub(r"\1", found[1]))
                if text := " ".join(text.split()):
                    return _shortened(text)
    return ""


def _source(cell: dict[str, Any]) -> str:
    source = cell.get("source", "")
    return "".join(map(str, source)) if isinstance(source, list) else str(source)


def _shortened(text: str) -> str:
    return text if len(text) <= TITLE_CHARACTERS else f"{text[: TITLE_CHARACTERS - 1].rstrip()}…"


def _points(cell: dict[str, Any]) -> float:
    try:
        mark = cell["metadata"]["nbgrader"]
        points = float(mark["points"]) if mark["grade"] is True else 0.0
        return points if math.isfinite(points) else 0.0
    except (KeyError, TypeError, ValueError):
        return 0.0
