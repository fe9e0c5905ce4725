"""Numbers and tokens along the positions of a text."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from course.plots.style import BARE, DASHES, FAINT, INK, LINES, POSITIVE, array, finish


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
    figure.update_xaxes(title_text="position", **BARE)
    figure.update_yaxes(title_text="row", tickmode="linear", dtick=1, **BARE)
    figure.update_yaxes(autorange="reversed")
    figure.update_layout(height=130 + 30 * len(z), width=min(140 + 20 * z.shape[1], 1150))
    return finish(figure, title)
