"""Attention patterns: of one head, and of all heads side by side."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

from course.plots.style import LABEL, POSITIVE, array, bar, finish, token_ticks

_COLUMNS = 4


def attention_heatmap(
    pattern: Any, tokens: Sequence[str] | None = None, title: str = "Attention"
) -> go.Figure:
    """One head's attention, queries downwards and keys to the right.

    Args:
        pattern: `[query key]`, probabilities.
        tokens: one label a position; positions are numbered without it.
    """
    z = array(pattern, "attention_heatmap", ("query", "key"))
    figure = go.Figure(_attention_trace(z))
    figure.update_xaxes(title_text="key position", **token_ticks(tokens, z.shape[1], "x"))
    figure.update_yaxes(title_text="query position", **token_ticks(tokens, z.shape[0], "y"))
    figure.update_yaxes(autorange="reversed", scaleanchor="x", constrain="domain")
    figure.update_xaxes(constrain="domain")
    side = max(400, LABEL * max(z.shape)) if tokens is not None else 400
    figure.update_layout(coloraxis=_attention_scale(), height=side + 160, width=side + 210)
    return finish(figure, title)


def attention_heads(
    patterns: Any,
    tokens: Sequence[str] | None = None,
    labels: Sequence[str] | None = None,
    title: str = "Attention of every head",
) -> go.Figure:
    """All heads side by side on one colour scale.

    Args:
        patterns: `[head query key]` or `[layer head query key]`, probabilities.
        tokens: one label a position; where they would not fit, positions are numbered.
        labels: one title a head, layer by layer; by default "L0H1", or "head 1" without layers.
    """
    z = array(
        patterns,
        "attention_heads",
        ("head", "query", "key"),
        ("layer", "head", "query", "key"),
    )
    per_row = z.shape[1] if z.ndim == 4 else z.shape[0]
    names = labels or _head_names(z.shape[:-2])
    flat = z.reshape(-1, *z.shape[-2:])
    if len(names) != len(flat):
        raise ValueError(f"attention_heads: {len(names)} labels for {len(flat)} heads")
    columns = min(per_row, _COLUMNS)
    side = 300 if columns <= 2 else 210  # pixels of one head
    if tokens is not None and LABEL * len(tokens) > side:
        if columns <= 2:
            side = LABEL * len(tokens)
        else:
            tokens = None
    rows = math.ceil(len(flat) / columns)
    figure = make_subplots(
        rows,
        columns,
        subplot_titles=list(names),
        shared_xaxes="all",
        shared_yaxes="all",
        horizontal_spacing=0.1 / columns,
        vertical_spacing=0.14 / rows,
        x_title="key position",
        y_title="query position",
    )
    for index, pattern in enumerate(flat):
        row, column = divmod(index, columns)
        figure.add_trace(_attention_trace(pattern, names[index]), row=row + 1, col=column + 1)
    figure.update_xaxes(constrain="domain", **token_ticks(tokens, z.shape[-1], "x"))
    figure.update_yaxes(constrain="domain", **token_ticks(tokens, z.shape[-2], "y"))
    figure.update_yaxes(autorange="reversed", scaleanchor="x")
    figure.update_layout(
        coloraxis=_attention_scale(),
        width=columns * side + 150,
        height=rows * (side + 30) + 140,
        margin={"l": 80, "b": 75},
    )
    return finish(figure, title)


def _attention_trace(z: np.ndarray, name: str = "") -> go.Heatmap:
    return go.Heatmap(
        z=np.round(z, 4).tolist(),
        name=name,
        coloraxis="coloraxis",
        hovertemplate="from query %{y} to key %{x}: %{z:.3f}<extra>" + name + "</extra>",
    )


def _attention_scale() -> dict[str, Any]:
    """From 0 to 1 always: two pictures of attention can be compared."""
    return {"colorscale": POSITIVE, "cmin": 0, "cmax": 1, "colorbar": bar("attention")}


def _head_names(shape: tuple[int, ...]) -> list[str]:
    if len(shape) == 1:
        return [f"head {head}" for head in range(shape[0])]
    return [f"L{layer}H{head}" for layer in range(shape[0]) for head in range(shape[1])]
