"""What all pictures share: colours, scales, token labels, and the limits they keep."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

POSITIVE = "Viridis"
SIGNED = "PuOr"
# For cells that carry words: dark text reads well on all of it.
SHADES = ((0.0, "#ffffff"), (1.0, "#56B4E9"))
# Okabe and Ito's palette without its yellow, which is pale on white.
LINES = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
DASHES = ("solid", "dash", "dot", "dashdot")
INK, FAINT, GRID = "#222222", "#6b6b6b", "#e6e6e6"

END_OF_TEXT = "<|endoftext|>"  # GPT-2 puts it at the beginning of every text: drawn as ⊢
MOST_CELLS = 40_000  # of one figure: about 300 kB in a saved notebook
LABEL = 8  # pixels along an axis that a token label needs
BARE = {"zeroline": False, "showgrid": False, "ticks": ""}


def array(
    value: Any, function: str, *allowed: tuple[str, ...], most: float = MOST_CELLS
) -> np.ndarray:
    """The numbers of a tensor, array or list.

    Raises:
        ValueError: the axes are not those allowed, or there are more numbers than `most`.
    """
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
    if array.size > most:
        raise ValueError(
            f"{function}: {array.size} cells would make the notebook heavy (at most "
            f"{most}): draw fewer heads or positions"
        )
    return array


def score_scale(grids: list[np.ndarray], unit: str, limit: float | None) -> dict[str, Any]:
    values = np.concatenate([grid.ravel() for grid in grids])
    values = values[np.isfinite(values)]
    end = limit or float(np.abs(values).max(initial=0)) or 1.0
    signed = bool((values < 0).any())
    return {
        "colorscale": SIGNED if signed else POSITIVE,
        "cmin": -end if signed else 0,
        "cmax": end,
        "colorbar": bar(unit),
    }


def bar(text: str) -> dict[str, Any]:
    return {"title": {"text": text, "side": "top"}, "thickness": 14, "outlinewidth": 0}


def token_ticks(tokens: Sequence[str] | None, n: int, axis: str) -> dict[str, Any]:
    """Tick settings of axis "x" or "y" that label each of n positions with its token."""
    if tokens is None:
        return BARE
    if len(tokens) != n:
        raise ValueError(f"{len(tokens)} token labels for {n} positions")
    text = [visible(str(token)) for token in tokens]
    upright = n > 24 or max(map(len, text)) > 3
    return {
        **BARE,
        "tickmode": "array",
        "tickvals": list(range(n)),
        "ticktext": text,
        "tickfont": {"size": 11 if n <= 24 else 8},
        "tickangle": -90 if axis == "x" and upright else 0,
    }


def finish(figure: go.Figure, title: str) -> go.Figure:
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


def visible(token: str) -> str:
    """A token's text with its spaces and line ends shown: labels of axes would lose them."""
    if token == END_OF_TEXT:
        return "⊢"
    return token.replace(" ", "␣").replace("\n", "⏎").replace("\t", "⇥") or "∅"
