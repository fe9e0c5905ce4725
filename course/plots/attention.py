"""Attention patterns: of one head, and of all heads side by side."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from course.plots.style import (
    CLEAR,
    LABEL,
    LETTER,
    POSITIVE,
    WIDTH,
    array,
    axis_labels,
    bar,
    finish,
    token_ticks,
    under,
)

_COLUMNS = 4
_NUMBERED = 8  # positions of a pattern in which there is room for its numbers
_WIDEST = 400  # pixels of a head whose labels ask for more room than it has
_BETWEEN = 34  # pixels between two rows of heads, for the name of the lower one
_LEAST = 5e-5  # half of the last decimal that is kept


def attention_heatmap(
    pattern: Any, tokens: Sequence[str] | None = None, title: str = "Attention"
) -> go.Figure:
    """One head's attention, queries downwards and keys to the right.

    Args:
        pattern: `[query key]`, probabilities.
        tokens: one label a position; positions are numbered without it.
    """
    z = array(pattern, "attention_heatmap", ("query", "key"))
    area = min(max(380, LABEL * max(z.shape)), 500) if tokens is not None else 400
    figure = go.Figure(_attention_trace(z, numbers=max(z.shape) <= _NUMBERED))
    figure.update_xaxes(title_text="key position", **token_ticks(tokens, z.shape[1], "x", area))
    figure.update_yaxes(title_text="query position", **token_ticks(tokens, z.shape[0], "y", area))
    figure.update_yaxes(autorange="reversed", scaleanchor="x", constrain="domain")
    figure.update_xaxes(constrain="domain")
    figure.update_layout(coloraxis=_attention_scale([z]))
    return finish(figure, title, area=area, below=under(tokens, area))


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
    shown = None if tokens is None else axis_labels(tokens, z.shape[-1])
    columns = min(per_row, _COLUMNS)
    if shown and columns > 2 and LABEL * len(shown) > _side(columns):
        columns = 2
    if shown and LABEL * len(shown) > max(_side(columns), _WIDEST):
        shown = None
    side = min(_side(columns), max(240, LABEL * z.shape[-1]))
    rows = math.ceil(len(flat) / columns)
    below, above = under(shown, side), 24
    area = rows * side + (rows - 1) * _BETWEEN
    from plotly.subplots import make_subplots  # half a second, which only a picture needs

    figure = make_subplots(
        rows,
        columns,
        subplot_titles=list(names),
        shared_xaxes="all",
        shared_yaxes="all",
        horizontal_spacing=0.1 / columns,
        vertical_spacing=_BETWEEN / area if rows > 1 else 0,
        x_title="key position",
        y_title="query position",
    )
    for index, pattern in enumerate(flat):
        row, column = divmod(index, columns)
        figure.add_trace(_attention_trace(pattern, names[index]), row=row + 1, col=column + 1)
    figure.update_xaxes(constrain="domain", **token_ticks(shown, z.shape[-1], "x", side))
    figure.update_yaxes(constrain="domain", **token_ticks(shown, z.shape[-2], "y", side))
    figure.update_yaxes(autorange="reversed")
    figure.update_layout(yaxis_scaleanchor="x")  # which all other axes match
    figure.update_layout(coloraxis=_attention_scale(flat))
    finish(figure, title, area=area, below=below, above=above)
    left = 40 + (LETTER * max(map(len, shown)) if shown else 20)
    figure.update_layout(margin_l=left + 10)
    figure.update_annotations(font_size=13)
    figure.update_annotations(selector={"text": "key position"}, yshift=24 - below)
    figure.update_annotations(selector={"text": "query position"}, xshift=-left + 12)
    return figure


def _side(columns: int) -> int:
    """Pixels of one head where `columns` of them stand beside each other."""
    return (WIDTH - 110) // columns - 20


def _attention_trace(z: np.ndarray, name: str = "", numbers: bool = False) -> go.Heatmap:
    # What rounds to zero and is not masked stays above zero, which is drawn as nothing.
    rounded = np.where(_masked(z), 0.0, np.maximum(np.round(z, 4), _LEAST))
    text = np.where(_masked(z), "", np.char.mod("%.2f", z)).tolist()
    return go.Heatmap(
        z=rounded.tolist(),
        name=name,
        coloraxis="coloraxis",
        hovertemplate="from query %{y} to key %{x}: %{z:.3f}<extra>" + name + "</extra>",
        **({"text": text, "texttemplate": "%{text}", "textfont": {"size": 12}} if numbers else {}),
    )


def _masked(z: np.ndarray) -> np.ndarray:
    """Where a pattern `[query key]` is masked: above the diagonal, if all of that is zero."""
    above = np.triu(np.ones(z.shape, dtype=bool), k=1)
    causal = z.shape[0] == z.shape[1] and not z[above].any()
    return above if causal else np.zeros_like(above)


def _attention_scale(patterns: Iterable[np.ndarray]) -> dict[str, Any]:
    """From 0 to 1 always: two pictures of attention can be compared. Exactly 0 is left blank where
    there is a mask."""
    from plotly.colors import get_colorscale

    colours = get_colorscale(POSITIVE)
    if any(_masked(z).any() for z in patterns):
        colours = [[0, CLEAR], [_LEAST / 2, CLEAR], [_LEAST, colours[0][1]], *colours[1:]]
    return {"colorscale": colours, "cmin": 0, "cmax": 1, "colorbar": bar("attention")}


def _head_names(shape: tuple[int, ...]) -> list[str]:
    if len(shape) == 1:
        return [f"head {head}" for head in range(shape[0])]
    return [f"L{layer}H{head}" for layer in range(shape[0]) for head in range(shape[1])]
