"""Small drawings beside a word: what an attention pattern looks like, directions that overlap."""

from __future__ import annotations

import math

from course.drawings.svg import Canvas, Drawing

_WORDS = ("⊢", "A", "B", "C", "D", "A", "B", "C", "D")
_CELL, _LEFT, _TOP = 18, 72, 40
# Title and description of each kind.
_SHAPES = {
    "causal": ("Causal mask", "Each row is filled up to the diagonal and empty behind it."),
    "previous": (
        "Previous-token head",
        "The cells just left of the diagonal are filled: every position looks one back.",
    ),
    "induction": (
        "Induction stripe",
        "In the second copy of A B C D, each row has one filled cell, three back: the second A "
        "looks at the first B, the second B at the first C. The other rows look at ⊢.",
    ),
    "sink": ("Attention sink", "In every row the first cell is filled: all look at ⊢."),
}


def attention_shape(kind: str) -> Drawing:
    """The pattern of an ideal head on ⊢ A B C D A B C D.

    Args:
        kind: "causal" (where a head may look), "previous", "induction" or "sink".
    """
    if kind not in _SHAPES:
        raise ValueError(f"attention_shape: {kind!r} is none of {', '.join(_SHAPES)}")
    title, description = _SHAPES[kind]
    canvas = Canvas()
    for index, word in enumerate(_WORDS):
        middle = (index + 0.5) * _CELL
        canvas.text((_LEFT + middle, _TOP - 9), word, "small code")
        canvas.text((_LEFT - 11, _TOP + middle), word, "small code")
    canvas.text((_LEFT, _TOP - 28), "looks at →", "small", anchor="start")
    canvas.text((2, _TOP + 8), "from ↓", "small", anchor="start")
    cells = {False: "", True: ""}  # by whether they are looked at; one path is lighter than many
    for query in range(len(_WORDS)):
        for key in range(query + 1):
            x, y = _LEFT + key * _CELL, _TOP + query * _CELL
            cells[key in _keys(kind, query)] += f"M{x} {y}h{_CELL}v{_CELL}h-{_CELL}z"
    canvas.path(cells[False], "thin")
    canvas.path(cells[True], "strong")
    size = _CELL * len(_WORDS)
    return Drawing(
        title,
        description,
        *(_LEFT + size + 10, _TOP + size + 8),
        str(canvas),
        f"shape-{kind}",
        ".ll-drawing .ll-strong{fill:#E69F00;fill-opacity:.75}",
    )


def _keys(kind: str, query: int) -> range:
    """The positions that a query looks at."""
    if kind == "causal":
        return range(query + 1)
    if kind == "previous" and query > 0:
        return range(query - 1, query)
    if kind == "induction" and query > 4:
        return range(query - 3, query - 2)
    return range(1)


def superposition() -> Drawing:
    """Five directions in a plane: none is at a right angle to its neighbours."""
    canvas = Canvas()
    centre, length = (110, 105), 78
    canvas.path("M10 105H210M110 10V200", "thin")
    for index in range(5):
        angle = math.pi / 2 + 2 * math.pi * index / 5
        x, y = math.cos(angle), -math.sin(angle)
        canvas.arrow(centre, (centre[0] + length * x, centre[1] + length * y), style="write")
        place = (centre[0] + (length + 13) * x, centre[1] + (length + 13) * y)
        canvas.text(place, str(index + 1), "small bold halo")
    return Drawing(
        "Superposition",
        "Five arrows from the centre of a plane, 72 degrees apart: five features in two "
        "dimensions, each of which overlaps with its neighbours.",
        *(220, 210),
        str(canvas),
        "superposition",
    )
