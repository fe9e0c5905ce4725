"""Plain pictures of numbers: probabilities as bars, curves, and a table of numbers in colour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from course.plots.style import BARE, DASHES, FAINT, INK, LINES, array, finish, score_scale


def next_tokens(
    probabilities: Any, labels: Sequence[str], top: int = 10, title: str = "What comes next?"
) -> go.Figure:
    """The likeliest tokens as bars, the likeliest on top.

    Args:
        probabilities: `[vocab]`; or a mapping from a label to such a row, drawn side by side for
            the tokens that are likeliest in the first of them.
        labels: the text of each token. A leading space is drawn as ␣, a line break as ↵.
        top: number of tokens.
    """
    given = probabilities if isinstance(probabilities, Mapping) else {"probability": probabilities}
    rows = {str(k): array(v, "next_tokens", ("vocab",)) for k, v in given.items()}
    first = next(iter(rows.values()))
    shown = np.argsort(-first, kind="stable")[:top].tolist()
    figure = go.Figure()
    for index, (label, row) in enumerate(rows.items()):
        figure.add_trace(
            go.Bar(
                x=row[shown].round(6).tolist(),
                y=list(range(len(shown))),
                orientation="h",
                name=label,
                marker={"color": LINES[index % len(LINES)]},
                text=[f"{p:.3f}" for p in row[shown]],
                textposition="outside",
                cliponaxis=False,
                customdata=[_visible(labels[i]) for i in shown],
                hovertemplate="%{customdata}: %{x:.4f}<extra>" + label + "</extra>",
            )
        )
    figure.update_yaxes(
        tickmode="array",
        tickvals=list(range(len(shown))),
        ticktext=[_visible(labels[i]) for i in shown],
        autorange="reversed",
        title_text="token",
        **BARE,
    )
    highest = max(float(row[shown].max()) for row in rows.values())
    figure.update_xaxes(
        title_text="probability", range=[0, min(1.12, highest * 1.18)], gridcolor="#e6e6e6"
    )
    figure.update_layout(
        height=150 + len(shown) * (20 + 9 * len(rows)), width=640, showlegend=len(rows) > 1
    )
    return finish(figure, title)


def curves(
    lines: Mapping[str, Any],
    *,
    axes: tuple[str, str],
    x: Sequence[float] | None = None,
    levels: Mapping[str, float] | None = None,
    title: str,
) -> go.Figure:
    """Curves on one pair of axes, with horizontal lines to compare them with.

    Args:
        lines: label to `[n]`.
        axes: what stands on the x axis and on the y axis, with units.
        x: `[n]`, by default 0, 1, 2, …
        levels: label to a height.
    """
    figure = go.Figure()
    for index, (label, line) in enumerate(lines.items()):
        y = array(line, "curves", ("n",))
        figure.add_trace(
            go.Scatter(
                x=list(range(len(y))) if x is None else list(x),
                y=y.round(5).tolist(),
                name=label,
                mode="lines",
                line={"color": LINES[index % len(LINES)], "dash": DASHES[index % len(DASHES)]},
            )
        )
    for label, height in (levels or {}).items():
        figure.add_hline(
            y=height,
            line={"color": FAINT, "dash": "dash", "width": 1.5},
            annotation={"text": f"{label}: {height:.2f}", "font.color": INK},
            annotation_position="top right",
        )
    figure.update_xaxes(title_text=axes[0], gridcolor="#e6e6e6", zeroline=False)
    figure.update_yaxes(title_text=axes[1], gridcolor="#e6e6e6", zerolinecolor=FAINT)
    figure.update_layout(
        height=420, width=760, showlegend=len(lines) > 1, hovermode="x unified", legend_y=0.5
    )
    return finish(figure, title)


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
            shown = [_visible(name) for name in names]
            ticks = {"tickmode": "array", "tickvals": list(range(count)), "ticktext": shown}
        update(title_text=text, **ticks, **BARE)
    figure.update_yaxes(autorange="reversed")
    side = [min(max(18 * count, 320), 520) for count in z.shape]
    figure.update_layout(
        coloraxis=score_scale([z], unit, limit), height=side[0] + 150, width=side[1] + 220
    )
    return finish(figure, title)


def _visible(token: str) -> str:
    """A token's text with its leading space and line breaks to be seen."""
    text = token.replace("\n", "↵")
    return "␣" + text[1:] if text.startswith(" ") else text
