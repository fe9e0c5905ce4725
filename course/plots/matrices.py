"""A matrix of any meaning in colour."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from course.plots.style import array, finish, score_scale, token_ticks, under

_NUMBERED = 12  # rows and columns of a table whose numbers can be read


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
            **_numbers(z),
            hovertemplate=f"{axes[0]} %{{y}}, {axes[1]} %{{x}}: %{{z:.3f}}<extra></extra>",
        )
    )
    area = min(max(18 * z.shape[0], 300), 520)
    rows, columns = labels
    figure.update_yaxes(
        title_text=axes[0], autorange="reversed", **token_ticks(rows, z.shape[0], "y", area)
    )
    figure.update_xaxes(title_text=axes[1], **token_ticks(columns, z.shape[1], "x"))
    figure.update_layout(coloraxis=score_scale([z], unit, limit))
    return finish(figure, title, area=area, below=under(columns))


def _numbers(z: np.ndarray) -> dict[str, Any]:
    """The settings that write each number into its cell, where all have room."""
    if max(z.shape) > _NUMBERED:
        return {}
    digits = 2 if float(np.nanmax(np.abs(z), initial=0)) < 100 else 0
    return {"texttemplate": f"%{{z:.{digits}f}}", "textfont": {"size": 12}}
