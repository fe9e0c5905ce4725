"""Planes: what linear maps do to a grid, and complex numbers."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from course.plots.style import ABOVE, FAINT, GRID, INK, LINES, PAPER, WIDTH, array, finish

_MARKS = ("circle", "x", "diamond", "square")


def moved_grids(
    maps: Mapping[str, Any],
    *,
    arrows: Mapping[str, Sequence[float]] | None = None,
    circle: bool = False,
    title: str,
) -> go.Figure:
    """What each of some linear maps makes of the same grid, side by side on one scale.

    The shaded square is where the unit square goes.

    Args:
        maps: from a panel's title to its map, `[2 2]`; a row vector `x` goes to `x @ map`.
        arrows: from a label to a vector `[2]`, which is drawn where the map puts it.
        circle: draw where the unit circle goes as well.
    """
    if not maps:
        raise ValueError("moved_grids: no maps were given")
    tables = {str(label): array(w, "moved_grids", ("2", "2")) for label, w in maps.items()}
    for label, w in tables.items():
        if w.shape != (2, 2):
            raise ValueError(f"moved_grids: {label!r} has shape {w.shape}, not (2, 2)")
    from plotly.subplots import make_subplots  # half a second, which only a picture needs

    names = [textwrap.wrap(label, 100 // len(tables)) for label in tables]
    figure = make_subplots(
        1,
        len(tables),
        subplot_titles=["<br>".join(lines) for lines in names],
        horizontal_spacing=0.08 / len(tables),
    )
    figure.update_annotations(font_size=13)
    # A grid that is hardly larger than the circle, so that the circle is what one sees.
    across, square, round_ = _lines(1.0 if circle else 1.5), _square(), _circle()
    vectors = {str(label): np.asarray(v, dtype=float) for label, v in (arrows or {}).items()}
    reach = 0.0
    for column, w in enumerate(tables.values(), start=1):
        shapes = {"square": square @ w, "rows": across @ w, "columns": across[:, ::-1] @ w}
        if circle:
            shapes["circle"] = round_ @ w
        seen = [shapes["rows"], *([np.stack(list(vectors.values())) @ w] if vectors else [])]
        reach = max([reach, *(float(np.nanmax(np.abs(points))) for points in seen)])
        for name, points in shapes.items():
            figure.add_trace(_trace(name, points), row=1, col=column)
        for index, (label, v) in enumerate(vectors.items()):
            _arrow(figure, v @ w, label, index, column)
    limits = [-1.12 * reach, 1.12 * reach]
    lines = {"dtick": 1 if len(tables) < 4 else 2, "gridcolor": GRID, "zerolinecolor": FAINT}
    figure.update_xaxes(range=limits, constrain="domain", **lines)
    figure.update_yaxes(range=limits, constrain="domain", showticklabels=False, **lines)
    figure.update_yaxes(showticklabels=True, col=1)
    for column in range(1, len(tables) + 1):
        figure.update_yaxes(scaleanchor=f"x{column if column > 1 else ''}", col=column)
    figure.update_layout(showlegend=False)
    area = min(300, (WIDTH - 60) // len(tables))
    return finish(figure, title, area=area, below=35, above=20 * max(map(len, names)))


def complex_plane(groups: Mapping[str, Any], *, title: str) -> go.Figure:
    """Complex numbers as points, such as eigenvalues, on equal axes.

    Args:
        groups: from a label to its numbers `[point]`, complex; groups differ in mark and colour.
    """
    figure = go.Figure()
    for index, (label, values) in enumerate(groups.items()):
        numbers = [complex(value) for value in values]
        figure.add_trace(
            go.Scatter(
                x=[round(number.real, 4) for number in numbers],
                y=[round(number.imag, 4) for number in numbers],
                name=str(label),
                mode="markers",
                marker={
                    "symbol": _MARKS[index % len(_MARKS)],
                    "color": LINES[index % len(LINES)],
                    "size": 9,
                },
                hovertemplate="%{x:.3f} + %{y:.3f} i" + f"<extra>{label}</extra>",
            )
        )
    lines = {"gridcolor": GRID, "zerolinecolor": FAINT, "zerolinewidth": 2}
    figure.update_xaxes(title_text="real part", constrain="domain", **lines)
    figure.update_yaxes(title_text="imaginary part", scaleanchor="x", **lines)
    figure.update_layout(showlegend=True, legend=ABOVE)
    return finish(figure, title, area=340, above=30)


def _lines(end: float) -> np.ndarray:
    """Horizontal lines from -end to end, one after the other, with NaN between them: [points 2]."""
    heights = np.arange(-end, end + 0.1, 0.5)
    return np.array([p for y in heights for p in ([-end, y], [end, y], [np.nan, np.nan])])


def _square() -> np.ndarray:
    return np.array([[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]], dtype=float)


def _circle() -> np.ndarray:
    angle = np.linspace(0, 2 * np.pi, 73)
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)


def _trace(name: str, points: np.ndarray) -> go.Scatter:
    styles: dict[str, dict[str, Any]] = {
        "square": {"fill": "toself", "fillcolor": "rgba(86,180,233,0.35)", "line": {"width": 0}},
        "rows": {"line": {"width": 1, "color": LINES[0]}},
        "columns": {"line": {"width": 1, "color": LINES[1]}},
        "circle": {"line": {"width": 2.5, "color": INK}},
    }
    x, y = ([None if np.isnan(c) else round(float(c), 4) for c in axis] for axis in points.T)
    return go.Scatter(x=x, y=y, mode="lines", name=name, hoverinfo="skip", **styles[name])


def _arrow(figure: go.Figure, tip: np.ndarray, label: str, index: int, column: int) -> None:
    number = column if column > 1 else ""
    x, y = (round(float(c), 4) for c in tip)
    figure.add_annotation(
        x=x,
        y=y,
        ax=0,
        ay=0,
        xref=f"x{number}",
        yref=f"y{number}",
        axref=f"x{number}",
        ayref=f"y{number}",
        showarrow=True,
        arrowhead=2,
        arrowwidth=3,
        arrowcolor=INK if index == 0 else LINES[(index + 1) % len(LINES)],
        text="",
    )
    figure.add_annotation(
        x=x,
        y=y,
        xref=f"x{number}",
        yref=f"y{number}",
        text=f"<b>{label}</b>",
        showarrow=False,
        xshift=12 if x >= 0 else -12,
        yshift=10 if y >= 0 else -10,
        bgcolor=PAPER,
        font={"size": 13, "color": INK},
    )
