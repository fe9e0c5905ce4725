"""Pictures of attention, heads, tokens and losses, each a Plotly figure.

All functions take torch tensors, numpy arrays or nested lists, and write plain numbers into the
figure, so that `fig.data[0].z` reads as rows of floats. Attention is rounded to four decimals,
which keeps a saved notebook small.

Colours are safe for colour-blind readers: viridis for what is never negative, purple to orange
through white for what has a sign. A figure brings its own white background: no single grey text
is legible both on white and on JupyterLab's dark theme.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from plotly.subplots import make_subplots

POSITIVE = "Viridis"
SIGNED = "PuOr"
# Okabe and Ito's palette without its yellow, which is pale on white.
LINES = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
DASHES = ("solid", "dash", "dot", "dashdot")
INK, FAINT = "#222222", "#6b6b6b"

MOST_CELLS = 40_000  # of one figure: about 300 kB in a saved notebook
_COLUMNS = 4
_LABEL = 8  # pixels along an axis that a token label needs
_BARE = {"zeroline": False, "showgrid": False, "ticks": ""}


def attention_heatmap(
    pattern: Any, tokens: Sequence[str] | None = None, title: str = "Attention"
) -> go.Figure:
    """One head's attention, queries downwards and keys to the right.

    Args:
        pattern: `[query key]`, probabilities.
        tokens: one label a position; positions are numbered without it.
    """
    z = _array(pattern, "attention_heatmap", ("query", "key"))
    figure = go.Figure(_attention_trace(z))
    figure.update_xaxes(title_text="key position", **_token_ticks(tokens, z.shape[1], "x"))
    figure.update_yaxes(title_text="query position", **_token_ticks(tokens, z.shape[0], "y"))
    figure.update_yaxes(autorange="reversed", scaleanchor="x", constrain="domain")
    figure.update_xaxes(constrain="domain")
    side = max(400, _LABEL * max(z.shape)) if tokens is not None else 400
    figure.update_layout(coloraxis=_attention_scale(), height=side + 160, width=side + 210)
    return _finish(figure, title)


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
    z = _array(
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
    if tokens is not None and _LABEL * len(tokens) > side:
        if columns <= 2:
            side = _LABEL * len(tokens)
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
    figure.update_xaxes(constrain="domain", **_token_ticks(tokens, z.shape[-1], "x"))
    figure.update_yaxes(constrain="domain", **_token_ticks(tokens, z.shape[-2], "y"))
    figure.update_yaxes(autorange="reversed", scaleanchor="x")
    figure.update_layout(
        coloraxis=_attention_scale(),
        width=columns * side + 150,
        height=rows * (side + 30) + 140,
        margin={"l": 80, "b": 75},
    )
    return _finish(figure, title)


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
    grids = {str(k): _array(v, "head_grid", ("layer", "head")) for k, v in given.items()}
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
    figure.update_xaxes(title_text="head", tickmode="linear", dtick=1, **_BARE)
    figure.update_yaxes(tickmode="linear", dtick=1, autorange="reversed", **_BARE)
    figure.update_yaxes(title_text="layer", col=1)
    figure.update_layout(
        coloraxis=_score_scale(list(grids.values()), unit, limit),
        width=min(max(170 + len(grids) * max(210, 46 * heads + 60), 500), 1100),
        height=160 + max(46 * layers, 120),
    )
    return _finish(figure, title)


def position_losses(
    losses: Any,
    *,
    vocab: int | None = None,
    repeat_at: float | None = None,
    title: str = "Loss at each position",
) -> go.Figure:
    """Cross-entropy against position, with what a uniform guess costs for comparison.

    Args:
        losses: `[pos]`, nats; or a mapping from a label to such losses, one line each.
        vocab: number of tokens that a uniform guess chooses among; draws a line at ln(vocab).
        repeat_at: position at which the text begins to repeat; draws a vertical line there.
    """
    given = losses if isinstance(losses, Mapping) else {"loss": losses}
    lines = {str(k): _array(v, "position_losses", ("pos",)) for k, v in given.items()}
    figure = go.Figure()
    for index, (label, line) in enumerate(lines.items()):
        figure.add_trace(
            go.Scatter(
                x=list(range(len(line))),
                y=line.tolist(),
                name=label,
                mode="lines+markers",
                line={"color": LINES[index % len(LINES)], "dash": DASHES[index % len(DASHES)]},
                marker={"size": 5},
                hovertemplate="position %{x}: %{y:.3f} nats",
            )
        )
    if vocab is not None:
        uniform = math.log(vocab)
        figure.add_hline(
            y=uniform,
            line={"color": FAINT, "dash": "dash", "width": 1.5},
            annotation={"text": f"uniform guess: ln {vocab} = {uniform:.2f}", "font.color": INK},
            annotation_position="top right",
        )
    if repeat_at is not None:
        figure.add_vline(
            x=repeat_at,
            line={"color": FAINT, "dash": "dot", "width": 1.5},
            annotation={"text": "the text repeats from here", "font.color": INK},
            annotation_position="top",
        )
    figure.update_xaxes(title_text="position", gridcolor="#e6e6e6", zeroline=False)
    figure.update_yaxes(
        title_text="loss (nats)", gridcolor="#e6e6e6", rangemode="tozero", zerolinecolor=FAINT
    )
    figure.update_layout(
        height=400, width=760, showlegend=len(lines) > 1, hovermode="x unified", legend_y=0.5
    )
    return _finish(figure, title)


def token_strip(
    tokens: Any, labels: Sequence[str] | None = None, title: str = "Tokens"
) -> go.Figure:
    """Token ids as coloured cells, so that a repeat shows as a repeated pattern of colours.

    Args:
        tokens: `[row pos]` or `[pos]`, token ids.
        labels: the text of each token id, by default the id itself.
    """
    z = _array(tokens, "token_strip", ("pos",), ("row", "pos"))
    z = np.atleast_2d(z).astype(int)
    text = [[labels[i] if labels else str(i) for i in row] for row in z.tolist()]
    figure = go.Figure(
        go.Heatmap(
            z=z.tolist(),
            text=text,
            texttemplate="%{text}",
            textfont={"size": 10},
            colorscale=POSITIVE,
            showscale=False,
            hovertemplate="row %{y}, position %{x}: %{text}<extra></extra>",
            xgap=1,
            ygap=3,
        )
    )
    figure.update_xaxes(title_text="position", **_BARE)
    figure.update_yaxes(title_text="row", tickmode="linear", dtick=1, **_BARE)
    figure.update_yaxes(autorange="reversed")
    figure.update_layout(height=130 + 30 * len(z), width=min(140 + 20 * z.shape[1], 1150))
    return _finish(figure, title)


def _array(value: Any, function: str, *allowed: tuple[str, ...]) -> np.ndarray:
    """The numbers of a tensor, array or list, or ValueError if the axes are not those allowed."""
    if hasattr(value, "detach"):
        value = value.detach().cpu().double().numpy()
    array = np.asarray(value, dtype=float)
    if array.ndim not in [len(axes) for axes in allowed]:
        wanted = " or ".join("[" + " ".join(axes) + "]" for axes in allowed)
        slip = ""
        if array.ndim > max(len(axes) for axes in allowed):
            slip = "; choose one entry of the leading axes first, as in x[0]"
        raise ValueError(f"{function}: expected {wanted}, got shape {array.shape}{slip}")
    if array.size == 0:
        raise ValueError(f"{function}: nothing to draw, the shape is {array.shape}")
    if array.size > MOST_CELLS:
        raise ValueError(
            f"{function}: {array.size} cells would make the notebook heavy (at most "
            f"{MOST_CELLS}): draw fewer heads or positions"
        )
    return array


def _attention_trace(z: np.ndarray, name: str = "") -> go.Heatmap:
    return go.Heatmap(
        z=np.round(z, 4).tolist(),
        name=name,
        coloraxis="coloraxis",
        hovertemplate="from query %{y} to key %{x}: %{z:.3f}<extra>" + name + "</extra>",
    )


def _attention_scale() -> dict[str, Any]:
    """From 0 to 1 always: two pictures of attention can be compared."""
    return {"colorscale": POSITIVE, "cmin": 0, "cmax": 1, "colorbar": _bar("attention")}


def _score_scale(grids: list[np.ndarray], unit: str, limit: float | None) -> dict[str, Any]:
    values = np.concatenate([grid.ravel() for grid in grids])
    values = values[np.isfinite(values)]
    end = limit or float(np.abs(values).max(initial=0)) or 1.0
    signed = bool((values < 0).any())
    return {
        "colorscale": SIGNED if signed else POSITIVE,
        "cmin": -end if signed else 0,
        "cmax": end,
        "colorbar": _bar(unit),
    }


def _bar(text: str) -> dict[str, Any]:
    return {"title": {"text": text, "side": "top"}, "thickness": 14, "outlinewidth": 0}


def _token_ticks(tokens: Sequence[str] | None, n: int, axis: str) -> dict[str, Any]:
    """Tick settings of axis "x" or "y" that label each of n positions with its token."""
    if tokens is None:
        return _BARE
    if len(tokens) != n:
        raise ValueError(f"{len(tokens)} token labels for {n} positions")
    text = [str(token) for token in tokens]
    upright = n > 24 or max(map(len, text)) > 3
    return {
        **_BARE,
        "tickmode": "array",
        "tickvals": list(range(n)),
        "ticktext": text,
        "tickfont": {"size": 11 if n <= 24 else 8},
        "tickangle": -90 if axis == "x" and upright else 0,
    }


def _head_names(shape: tuple[int, ...]) -> list[str]:
    if len(shape) == 1:
        return [f"head {head}" for head in range(shape[0])]
    return [f"L{layer}H{head}" for layer in range(shape[0]) for head in range(shape[1])]


def _finish(figure: go.Figure, title: str) -> go.Figure:
    figure.update_layout(
        template="none",
        title={"text": title, "x": 0.02, "xanchor": "left"},
        paper_bgcolor="white",
        plot_bgcolor="white",
        font={"color": INK, "size": 13},
        margin={"t": 75},
    )
    for update in (figure.update_xaxes, figure.update_yaxes):
        update(title_font_size=13, title_standoff=10, tickcolor=FAINT)
    return figure
