"""A computation as a graph, and the backward pass through it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from course.drawings.svg import Canvas, Drawing

_SIGNS = {"add": "+", "mul": "×", "sub": "−", "div": "÷"}
_WIDE, _HIGH, _STEP = 104, 56, 68  # pixels of a box, and between the middles of two in a column
_MOST, _MARGIN = 760, 14
_SECONDS = 0.6  # between two boxes that light up
# The boxes light up once, from the end backwards, for those who have not asked for less motion.
_STYLE = """
@media (prefers-reduced-motion:no-preference){.ll-drawing .ll-lit{animation:ll-light .5s both}}
@keyframes ll-light{from{opacity:0}to{opacity:1}}"""


def backward_pass(
    tape: Mapping[str, float | Sequence[str]],
    values: Mapping[str, float],
    gradients: Mapping[str, float] | None = None,
    *,
    title: str = "A computation and its backward pass",
) -> Drawing:
    """A small graph of numbers: what is made of what, each value, and each gradient below it.

    With gradients, the boxes light up one after the other from the end to the beginning, as the
    backward pass reaches them. A box whose gradient is 0 stays dark.

    Args:
        tape: from a name to a number, or to an operation and the names of its inputs, in the order
            in which they are computed.
        values: the value of each name.
        gradients: the derivative of the last one with respect to each name.
    """
    column: dict[str, int] = {}
    for name, entry in tape.items():
        inputs = _inputs(entry)
        column[name] = 1 + max((column[before] for before in inputs), default=-1)
    columns: list[list[str]] = [[] for _ in range(max(column.values(), default=0) + 1)]
    for name in tape:
        columns[column[name]].append(name)
    apart = (_MOST - _WIDE - 2 * _MARGIN) / max(len(columns) - 1, 1)
    if apart < _WIDE + 12:
        raise ValueError(f"backward_pass: {len(columns)} steps in a row are too many for a page")
    step = _STEP + (18 if gradients else 0)
    tall = step * max(map(len, columns))
    heights: dict[str, float] = {}
    for index, names in enumerate(columns):
        beside = {
            name: fmean(heights[before] for before in _inputs(tape[name])) if index else 0.0
            for name in names
        }
        spread = _spread(sorted(beside.values()), step, tall)
        heights |= zip(sorted(names, key=beside.__getitem__), spread, strict=True)
    places = {
        name: (_MARGIN + _WIDE / 2 + column[name] * min(apart, 190), y - (9 if gradients else 0))
        for name, y in heights.items()
    }
    canvas = Canvas()
    for name, entry in tape.items():
        for before, count in Counter(_inputs(entry)).items():
            _edges(canvas, places[before], places[name], count)
    backwards = [name for name in reversed([*tape]) if gradients and gradients[name]]
    for name, entry in tape.items():
        if gradients is not None and gradients[name]:
            x, y = places[name]
            wait = _SECONDS * backwards.index(name)
            canvas.add(f'<g class="ll-lit" style="animation-delay:{wait:.1f}s">')
            canvas.rectangle((x - _WIDE / 2, y - _HIGH / 2), (_WIDE, _HIGH), "hot")
            said = f"gradient {_number(gradients[name])}"
            canvas.text((x, y + _HIGH / 2 + 11), said, "bold halo")
            canvas.add("</g>")
        _box(canvas, places[name], name, entry, values[name])
    told = "; ".join(
        f"{name} is {_made(entry)}{_number(values[name])}"
        + (f", its gradient {_number(gradients[name])}" if gradients is not None else "")
        for name, entry in tape.items()
    )
    return Drawing(
        title,
        f"A graph of numbers in {len(columns)} columns, from the inputs to the end. {told}.",
        *(_MOST, tall + 4, str(canvas), "graph"),
        style=_STYLE,
    )


def _spread(wanted: Sequence[float], step: float, tall: float) -> list[float]:
    """Heights near those that are wanted (in order), a step apart and inside the drawing."""
    heights: list[float] = []
    for index, height in enumerate(wanted):
        least = heights[-1] + step if heights else step / 2
        most = tall - step * (len(wanted) - index - 0.5)
        heights.append(min(max(height, least), most))
    return heights


def _inputs(entry: float | Sequence[str]) -> list[str]:
    return [] if isinstance(entry, int | float) else list(entry[1:])


def _box(canvas: Canvas, at: tuple[float, float], name: str, entry: Any, value: float) -> None:
    x, y = at
    canvas.rectangle((x - _WIDE / 2, y - _HIGH / 2), (_WIDE, _HIGH))
    canvas.text((x, y - 11), f"{name} = {_number(value)}", "bold")
    inputs = _inputs(entry)
    if not inputs:
        canvas.text((x, y + 11), "input", "small")
    elif entry[0] in _SIGNS:
        canvas.text((x, y + 11), f" {_SIGNS[entry[0]]} ".join(inputs), "small code")
    else:
        canvas.text((x, y + 11), f"{entry[0]}({', '.join(inputs)})", "small code")


def _edges(
    canvas: Canvas, start: tuple[float, float], end: tuple[float, float], count: int
) -> None:
    """As many arrows from box to box as the one is used by the other."""
    for turn in range(count):
        shift = 12 * (turn - (count - 1) / 2)
        canvas.arrow(
            (start[0] + _WIDE / 2, start[1] + shift), (end[0] - _WIDE / 2 - 1, end[1] + shift)
        )


def _number(value: float) -> str:
    return f"{value:.3g}".replace("-", "−")


def _made(entry: float | Sequence[str]) -> str:
    inputs = _inputs(entry)
    return f"{entry[0]} of {' and '.join(inputs)}, " if inputs else ""  # type: ignore[index]
