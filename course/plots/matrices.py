"""A matrix of any meaning in colour."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

from course.plots.style import BARE, array, finish, score_scale, visible


def matrix(
    values: Any,
    *,
    axes: tuple[str, str],
    unit: str = "value",
    labels: tuple[Sequence[str] | None, Sequence[str] | None] = (None, None),
    limit: float | None = None,
    title: str,
) -> go.Figure:
    """A matrix in colour, row 0 on top; purple to orange where there are negative numbers.

    Args:
        values: `[row column]`.
        axes: what the rows are and what the columns are.
        unit: what the numbers are, for the colour bar.
        labels: one text a row and one a column; they are numbered without.
        limit: the number at the end of the colour scale, by default the largest absolute value.
    """
    z = array(values, "matrix", ("row", "column"))
    figure = go.Figure(
        go.Heatmap(
            z=z.round(4).tolist(),
            coloraxis="coloraxis",
            hovertemplate=f"{axes[0]} %{{y}}, {axes[1]} %{{x}}: %{{z:.3f}}<extra></extra>",
        )
    )
    for update, text, names, count in (
        (figure.update_yaxes, axes[0], labels[0], z.shape[0]),
        (figure.update_xaxes, axes[1], labels[1], z.shape[1]),
    ):
        ticks: dict[str, Any] = {}
        if names is not None:
            shown = [visible(name) for name in names]
            ticks = {"tickmode": "array", "tickvals": list(range(count)), "ticktext": shown}
        update(title_text=text, **ticks, **BARE)
    figure.update_yaxes(autorange="reversed")
    side = [min(max(18 * count, 320), 520) for count in z.shape]
    figure.update_layout(
        coloraxis=score_scale([z], unit, limit), height=side[0] + 150, width=side[1] + 220
    )
    return finish(figure, title)
