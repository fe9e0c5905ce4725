"""Numbers of heads: one a head, and one for each pair of heads of two layers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from course.plots.style import BARE, array, finish, score_scale


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
    figure = make_subplots(
        1, len(grids), subplot_titles=list(grids) if isinstance(scores, Mapping) else None
    )
    for column, (label, grid) in enumerate(grids.items(), start=1):
        trace = go.Heatmap(
            z=grid.tolist(),
            name=label,
            coloraxis="coloraxis",
            texttemplate="%{z:.2f}",
            hovertemplate=f"layer %{{y}}, head %{{x}}: %{{z:.4f}} {unit}<extra>{label}</extra>",
            xgap=2,
            ygap=2,
        )
        figure.add_trace(trace, row=1, col=column)
    figure.update_xaxes(title_text="head", tickmode="linear", dtick=1, **BARE)
    figure.update_yaxes(tickmode="linear", dtick=1, autorange="reversed", **BARE)
    figure.update_yaxes(title_text="layer", col=1)
    figure.update_layout(
        coloraxis=score_scale(list(grids.values()), unit, limit),
        width=min(max(170 + len(grids) * max(210, 46 * heads + 60), 500), 1100),
        height=160 + max(46 * layers, 120),
    )
    return finish(figure, title)
