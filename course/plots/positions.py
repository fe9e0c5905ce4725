"""Numbers and tokens along the positions of a text."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from course.plots.style import (
    BARE,
    DASHES,
    FAINT,
    GRID,
    INK,
    LINES,
    POSITIVE,
    SHADES,
    array,
    bar,
    finish,
    score_scale,
    token_ticks,
    visible,
)


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
    lines = {str(k): array(v, "position_losses", ("pos",)) for k, v in given.items()}
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
        )
        # Beside the plot and not in it: the lines often run just along this level.
        figure.add_annotation(
            text=f"uniform guess:<br>ln {vocab} = {uniform:.2f}",
            font_color=INK,
            align="left",
            showarrow=False,
            **{"x": 1.01, "xref": "paper", "xanchor": "left", "y": uniform, "yanchor": "middle"},
        )
    if repeat_at is not None:
        figure.add_vline(
            x=repeat_at,
            line={"color": FAINT, "dash": "dot", "width": 1.5},
            annotation={"text": "the text repeats from here", "font.color": INK},
            annotation_position="top",
        )
    figure.update_xaxes(title_text="position", gridcolor=GRID, zeroline=False)
    figure.update_yaxes(
        title_text="loss (nats)", gridcolor=GRID, rangemode="tozero", zerolinecolor=FAINT
    )
    figure.update_layout(
        height=430 if len(lines) > 1 else 400,
        width=800,
        showlegend=len(lines) > 1,
        hovermode="x unified",
        legend={"orientation": "h", "y": -0.2, "yanchor": "top"},
        margin={"r": 130 if vocab is not None else 80, "b": 90},
    )
    return finish(figure, title)


def token_strip(
    tokens: Any, labels: Sequence[str] | None = None, title: str = "Tokens"
) -> go.Figure:
    """Token ids as coloured cells, so that a repeat shows as a repeated pattern of colours.

    Args:
        tokens: `[row pos]` or `[pos]`, token ids.
        labels: the text of each token id, by default the id itself.
    """
    z = array(tokens, "token_strip", ("pos",), ("row", "pos"))
    z = np.atleast_2d(z).astype(int)
    text = [[visible(labels[i]) if labels else str(i) for i in row] for row in z.tolist()]
    cell = max(20, 8 * max(len(label) for row in text for label in row))
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
    figure.update_xaxes(title_text="position", **BARE)
    figure.update_yaxes(title_text="row", tickmode="linear", dtick=1, **BARE)
    figure.update_yaxes(autorange="reversed")
    figure.update_layout(height=170 + 30 * len(z), width=min(140 + cell * z.shape[1], 1150))
    return finish(figure, title)


def loss_strip(
    losses: Any, tokens: Sequence[str], *, per_row: int = 12, title: str = "Loss of every token"
) -> go.Figure:
    """A text read from left to right, every token coloured by how badly it was predicted.

    Args:
        losses: `[pos-1]`, nats: entry *i* is the loss of predicting `tokens[i + 1]`. Nothing
            predicts the first token; it is drawn without a colour.
        tokens: `pos` token texts.
        per_row: how many tokens stand in a row.
    """
    given = array(losses, "loss_strip", ("pos-1",))
    if len(given) != len(tokens) - 1:
        raise ValueError(f"loss_strip: {len(given)} losses for {len(tokens)} tokens")
    rows = math.ceil(len(tokens) / per_row)
    positions = rows * per_row
    padded = [None, *(round(v, 4) for v in given.tolist()), *[None] * (positions - len(tokens))]
    texts = [*map(visible, tokens), *[""] * (positions - len(tokens))]
    figure = go.Figure(
        go.Heatmap(
            z=[padded[r * per_row : (r + 1) * per_row] for r in range(rows)],
            text=[texts[r * per_row : (r + 1) * per_row] for r in range(rows)],
            texttemplate="%{text}",
            textfont={"color": INK, "size": 12},
            colorscale=SHADES,
            zmin=0,
            colorbar=bar("nats") | {"nticks": 4},
            hovertemplate="%{text}: %{z:.3f} nats<extra></extra>",
            xgap=2,
            ygap=4,
        )
    )
    # A cell without a number draws no text either, and the first token has no loss.
    figure.add_annotation(x=0, y=0, text=texts[0], showarrow=False, font_color=INK)
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False, autorange="reversed")
    longest = max(map(len, texts))
    figure.update_layout(
        height=110 + 46 * max(rows, 2),
        width=min(150 + per_row * max(52, 9 * longest), 1100),
        margin={"l": 40, "b": 20},
    )
    return finish(figure, title)


def position_grid(
    values: Any,
    tokens: Sequence[str],
    rows: Sequence[str],
    *,
    unit: str = "effect",
    limit: float | None = None,
    numbers: bool = True,
    title: str = "Effect at each place",
) -> go.Figure:
    """One number for each position and each layer or component: a patching grid, norms, losses.

    Args:
        values: `[row pos]`.
        tokens: one label a position.
        rows: one label a row; the first row is drawn at the bottom, where a text goes in.
        unit: what the numbers are, for the colour bar.
        limit: the number at the end of the colour scale, by default the largest absolute value.
        numbers: write each number into its cell, where there is room.
    """
    z = array(values, "position_grid", ("row", "pos"))
    if len(rows) != z.shape[0]:
        raise ValueError(f"position_grid: {len(rows)} row labels for {z.shape[0]} rows")
    cell = 46 if numbers else 24
    figure = go.Figure(
        go.Heatmap(
            z=np.round(z, 4).tolist(),
            coloraxis="coloraxis",
            texttemplate="%{z:.2f}" if numbers and z.shape[1] <= 30 else None,
            textfont={"size": 11},
            hovertemplate=f"%{{y}}, position %{{x}}: %{{z:.4f}} {unit}<extra></extra>",
            xgap=1,
            ygap=1,
        )
    )
    figure.update_xaxes(title_text="position", **token_ticks(tokens, z.shape[1], "x"))
    figure.update_yaxes(tickvals=list(range(len(rows))), ticktext=list(rows), **BARE)
    side = 9 * max(map(len, rows))
    figure.update_layout(
        coloraxis=score_scale([z], unit, limit),
        width=min(max(200 + side + cell * z.shape[1], 520), 1150),
        height=205 + 34 * max(len(rows), 2),
        margin={"l": 40 + side, "b": 100},
    )
    return finish(figure, title)


def lens_table(
    probabilities: Any,
    words: Sequence[Sequence[str]],
    tokens: Sequence[str],
    rows: Sequence[str],
    *,
    title: str = "Logit lens: the likeliest next token after each layer",
) -> go.Figure:
    """For each layer and position the likeliest next token, coloured by its probability.

    Args:
        probabilities: `[row pos]`, of the token shown.
        words: `[row pos]`, the text of the likeliest token.
        tokens: one label a position, the token that was read there.
        rows: one label a row; the first row is drawn at the bottom.
    """
    z = array(probabilities, "lens_table", ("row", "pos"))
    if (len(words), len(rows)) != (len(z), len(z)) or any(len(w) != z.shape[1] for w in words):
        raise ValueError(f"lens_table: words and rows must fit probabilities of shape {z.shape}")
    shown = [[visible(word) for word in row] for row in words]
    figure = go.Figure(
        go.Heatmap(
            z=np.round(z, 4).tolist(),
            text=shown,
            texttemplate="%{text}",
            textfont={"color": INK, "size": 11},
            coloraxis="coloraxis",
            hovertemplate="%{y}, position %{x}: %{text} %{z:.3f}<extra></extra>",
            xgap=1,
            ygap=1,
        )
    )
    figure.update_xaxes(title_text="position", **token_ticks(tokens, z.shape[1], "x"))
    figure.update_yaxes(tickvals=list(range(len(rows))), ticktext=list(rows), **BARE)
    longest = max(len(word) for row in shown for word in row)
    side = 9 * max(map(len, rows))
    figure.update_layout(
        coloraxis={"colorscale": SHADES, "cmin": 0, "cmax": 1, "colorbar": bar("probability")},
        width=min(max(220 + side + max(44, 8 * longest) * z.shape[1], 520), 1150),
        height=205 + 40 * max(len(rows), 2),
        margin={"l": 40 + side, "b": 100},
    )
    return finish(figure, title)
