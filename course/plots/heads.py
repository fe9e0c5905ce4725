"""Numbers of heads: one a head, and one for each pair of heads of two layers."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping
from typing import Any

import numpy as np
import plotly.graph_objects as go

from course.plots.style import (
    BARE,
    CELL_INK,
    FAINT,
    LINES,
    SMALLEST,
    WIDTH,
    array,
    finish,
    score_scale,
)

_ROOM = WIDTH - 60
_MOST_COLUMNS = 3
_LABELS = 50  # pixels of what stands left of a grid
_BETWEEN = 60  # pixels between two rows of grids


def head_grid(
    scores: Any,
    title: str = "Score of every head",
    *,
    unit: str = "score",
    limit: float | None = None,
) -> go.Figure:
    """One number a head as a grid of layers and heads, each cell labelled with its value.

    Args:
        scores: `[layer head]`; or a mapping from a label to such a grid, which are then drawn side
            by side on one scale, for instance a score and its control.
        unit: what the numbers are, for the colour bar ("score", "nats").
        limit: the number at the end of the colour scale, by default the largest absolute score.
            A scale with a negative score runs from -limit to limit, and else from 0.
    """
    given = scores if isinstance(scores, Mapping) else {"": scores}
    grids = {str(k): array(v, "head_grid", ("layer", "head")) for k, v in given.items()}
    if not grids:
        raise ValueError("head_grid: no scores were given")
    layers, heads = (max(g.shape[axis] for g in grids.values()) for axis in (0, 1))
    cell = 32 if any((grid < 0).any() for grid in grids.values()) else 27  # pixels of a number
    fitting = max(1, min(_MOST_COLUMNS, int(_ROOM / (cell * heads + _LABELS))))
    rows = math.ceil(len(grids) / fitting)
    columns = math.ceil(len(grids) / rows)
    height = max((46 if layers <= 8 else 24) * layers, 90)  # of one grid
    letters = 48 // columns  # of a line above a grid: what a phone has room for
    names = [textwrap.wrap(name, letters) or [""] for name in grids]
    named = isinstance(scores, Mapping)
    area = rows * height + (rows - 1) * _BETWEEN
    from plotly.subplots import make_subplots  # half a second, which only a picture needs

    figure = make_subplots(
        rows,
        columns,
        subplot_titles=["<br>".join(lines) for lines in names] if named else None,
        horizontal_spacing=0.26 / columns,
        vertical_spacing=_BETWEEN / area if rows > 1 else 0,
    )
    for index, (label, grid) in enumerate(grids.items()):
        row, column = divmod(index, columns)
        trace = go.Heatmap(
            z=grid.tolist(),
            name=label,
            coloraxis="coloraxis",
            texttemplate="%{z:.2f}",
            textfont={"size": 12 if heads <= 9 else SMALLEST},
            hovertemplate=f"layer %{{y}}, head %{{x}}: %{{z:.4f}} {unit}<extra>{label}</extra>",
            xgap=2,
            ygap=2,
        )
        figure.add_trace(trace, row=row + 1, col=column + 1)
    figure.update_xaxes(tickmode="linear", dtick=1, **BARE)
    figure.update_xaxes(title_text="head", row=rows)
    figure.update_yaxes(tickmode="linear", dtick=1 if layers <= 15 else 5, **BARE)
    figure.update_yaxes(autorange="reversed")
    figure.update_yaxes(title_text="layer", col=1)
    figure.update_layout(coloraxis=score_scale(list(grids.values()), unit, limit))
    figure.update_annotations(font_size=13)
    return finish(figure, title, area=area, above=10 + 18 * max(map(len, names)) if named else 0)


def composition(
    scores: Any,
    *,
    layers: tuple[int, int] = (0, 1),
    threshold: float = 0.0,
    unit: str = "score",
    title: str = "Which heads read which",
) -> go.Figure:
    """Heads of two layers as two rows of dots, with a line wherever a later head reads an earlier.

    Args:
        scores: `[earlier later]`, never negative: how strongly each later head reads each earlier
            one. Width and strength of a line say how much; hover for the number.
        layers: the numbers of the two layers, for the labels.
        threshold: lines of smaller scores are left out.
    """
    z = array(scores, "composition", ("earlier", "later"))
    if (z < 0).any():
        raise ValueError("composition: scores are never negative; take their absolute value")
    most = float(z.max()) or 1.0
    wide = max(z.shape) - 1
    earlier = [wide / 2 + i - (z.shape[0] - 1) / 2 for i in range(z.shape[0])]
    later = [wide / 2 + i - (z.shape[1] - 1) / 2 for i in range(z.shape[1])]
    figure = go.Figure()
    for i, j in sorted(np.ndindex(*z.shape), key=lambda pair: float(z[pair])):
        share = float(z[i, j]) / most
        if z[i, j] < threshold or share == 0:
            continue
        figure.add_trace(
            go.Scatter(
                # Points along the line, so that hovering anywhere on it shows its number.
                x=np.linspace(earlier[i], later[j], 9).tolist(),
                y=np.linspace(0, 1, 9).tolist(),
                mode="lines",
                line={"width": 1 + 9 * share, "color": LINES[0]},
                opacity=0.35 + 0.65 * share,
                name=f"{layers[0]}.{i} → {layers[1]}.{j}",
                hovertemplate=f"{float(z[i, j]):.3f} {unit}",
            )
        )
    for row, (positions, layer) in enumerate(((earlier, layers[0]), (later, layers[1]))):
        figure.add_trace(
            go.Scatter(
                x=positions,
                y=[row] * len(positions),
                mode="markers+text",
                marker={"size": 44, "color": "white", "line": {"color": FAINT, "width": 2}},
                text=[f"{layer}.{head}" for head in range(len(positions))],
                textfont={"color": CELL_INK},
                hoverinfo="skip",
                name=f"layer {layer}",
            )
        )
    figure.update_xaxes(visible=False, range=[-0.6, wide + 0.6])
    figure.update_yaxes(
        tickvals=[0, 1], ticktext=[f"layer {n}" for n in layers], range=[-0.25, 1.25], **BARE
    )
    figure.update_layout(showlegend=False)
    return finish(figure, title, area=300, below=20)
