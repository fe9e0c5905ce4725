"""What a model says comes next, which parts of it say so, and how an intervention moves that."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from course.plots.style import ABOVE, DASHES, FAINT, GRID, INK, LINES, array, finish, visible

_MARKED = 40  # points of a curve that still stand apart
_PATTERNS = ("", "/", ".", "x")  # bars are told apart by more than their colour


def next_tokens(
    probabilities: Mapping[str, Any],
    words: Sequence[str],
    *,
    k: int = 5,
    title: str = "What comes next?",
) -> go.Figure:
    """The likeliest next tokens of one or several runs, as bars side by side.

    Args:
        probabilities: from the label of a run to its distribution `[d_vocab]`.
        words: the text of each token id, `d_vocab` of them.
        k: how many tokens of each run are shown; a token of one is shown for all.
    """
    runs = {
        str(label): array(p, "next_tokens", ("d_vocab",), most=math.inf)  # k of them are drawn
        for label, p in probabilities.items()
    }
    if not runs:
        raise ValueError("next_tokens: no probabilities were given")
    for label, p in runs.items():
        if len(p) != len(words):
            raise ValueError(f"next_tokens: {len(words)} words for {len(p)} tokens in {label!r}")
    shown = {int(i) for p in runs.values() for i in np.argsort(-p, kind="stable")[:k]}
    order = sorted(shown, key=lambda i: -max(float(p[i]) for p in runs.values()))
    figure = go.Figure()
    for index, (label, p) in enumerate(runs.items()):
        figure.add_bar(
            x=[visible(words[i]) for i in order],
            y=[round(float(p[i]), 5) for i in order],
            name=label,
            marker=_marker(index),
            hovertemplate=f"%{{x}}: %{{y:.3f}}<extra>{label}</extra>",
        )
    figure.update_xaxes(title_text="next token", type="category", showgrid=False)
    figure.update_yaxes(title_text="probability", range=[0, 1], gridcolor=GRID, zerolinecolor=FAINT)
    figure.update_layout(bargap=0.3, showlegend=len(runs) > 1, legend=ABOVE)
    return finish(figure, title, area=230, below=90, above=24 if len(runs) > 1 else 0)


def contributions(
    values: Mapping[str, Any],
    parts: Sequence[str],
    *,
    unit: str = "logits",
    title: str = "What each part contributes",
) -> go.Figure:
    """What each part adds to a quantity, as bars to the right or to the left.

    Args:
        values: from a label, such as that of a run, to the contributions `[part]`.
        parts: one name a part; the first is drawn at the bottom, where a text goes in.
        unit: what the numbers are.
    """
    runs = {str(label): array(v, "contributions", ("part",)) for label, v in values.items()}
    figure = go.Figure()
    for index, (label, run) in enumerate(runs.items()):
        if len(run) != len(parts):
            raise ValueError(
                f"contributions: {len(run)} values of {label!r} for {len(parts)} parts"
            )
        figure.add_bar(
            x=run.tolist(),
            y=list(parts),
            name=label,
            orientation="h",
            marker=_marker(index),
            texttemplate="%{x:.2f}",
            textposition="outside",
            hovertemplate=f"%{{y}}: %{{x:.3f}} {unit}<extra>{label}</extra>",
        )
    ends = np.concatenate([[0.0], *runs.values()])
    room = 0.15 * float(ends.max() - ends.min()) or 1.0  # for the numbers beside the bars
    figure.update_xaxes(
        title_text=unit,
        gridcolor=GRID,
        zerolinecolor=INK,
        range=[float(ends.min()) - room * bool(ends.min() < 0), float(ends.max()) + room],
    )
    figure.update_yaxes(type="category", showgrid=False)
    figure.update_layout(
        bargap=0.25, showlegend=len(runs) > 1, legend={**ABOVE, "traceorder": "reversed"}
    )
    area = 26 * len(parts) * max(len(runs), 1)
    return finish(figure, title, area=area, above=24 if len(runs) > 1 else 0)


def curves(
    x: Any,
    lines: Mapping[str, Any],
    *,
    x_title: str,
    y_title: str,
    title: str,
    levels: Mapping[str, float] | None = None,
) -> go.Figure:
    """One or several quantities against a number that was varied, such as a strength.

    Args:
        x: `[point]`.
        lines: from a label to its values `[point]`. Few points are marked, many are only joined.
        levels: from a label to a height that the curves are to be compared with.
    """
    where = array(x, "curves", ("point",))
    figure = go.Figure()
    for index, (label, values) in enumerate(lines.items()):
        y = array(values, "curves", ("point",))
        if len(y) != len(where):
            raise ValueError(f"curves: {len(y)} values of {label!r} for {len(where)} points")
        figure.add_trace(
            go.Scatter(
                x=where.tolist(),
                y=y.tolist(),
                name=str(label),
                mode="lines+markers" if len(where) <= _MARKED else "lines",
                line={"color": LINES[index % len(LINES)], "dash": DASHES[index % len(DASHES)]},
                marker={"size": 6},
                hovertemplate=f"%{{x:.3g}}: %{{y:.3f}}<extra>{label}</extra>",
            )
        )
    for label, height in (levels or {}).items():
        figure.add_hline(
            y=height,
            line={"color": FAINT, "dash": "dash", "width": 1.5},
            annotation={"text": f"{label}: {height:.2f}", "font.color": INK, "font.size": 11},
            # beside the plot, where no curve runs through the text
            annotation_position="right",
        )
    figure.update_xaxes(title_text=x_title, gridcolor=GRID, zerolinecolor=FAINT)
    figure.update_yaxes(title_text=y_title, gridcolor=GRID, zerolinecolor=FAINT)
    figure.update_layout(showlegend=len(lines) > 1, legend=ABOVE)
    finish(figure, title, area=290, above=24 if len(lines) > 1 else 0)
    longest = max(map(len, levels), default=0) if levels else 0
    return figure.update_layout(margin_r=60 + 6 * longest) if levels else figure


def _marker(index: int) -> dict[str, Any]:
    """Colour and hatching of the bars of the run number `index`."""
    return {
        "color": LINES[index % len(LINES)],
        "pattern": {
            "shape": _PATTERNS[index % len(_PATTERNS)],
            "fillmode": "overlay",
            "fgcolor": "white",
            "size": 6,
            "solidity": 0.2,
        },
    }
