"""What all pictures share: colours, scales, token labels, and the limits they keep.

A figure has no width: it follows the page. The course's extension of JupyterLab replaces PAPER,
INK, FAINT and GRID, by their exact values, by the colours of the theme; elsewhere they are dark on
white, which can be read on any page. CELL_INK stays dark, since it stands on pale cells.
"""

from __future__ import annotations

import math
import textwrap
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
PAPER, INK, FAINT, GRID = "#fffffe", "#222222", "#6b6b6b", "#e6e6e6"
CELL_INK = "#1a1a1a"
CLEAR = "rgba(0,0,0,0)"
WIDTH = (
    850  # pixels of the widest figure; a page of 1280 with the file browser open has about these
)

END_OF_TEXT = "<|endoftext|>"  # GPT-2 puts it at the beginning of every text: drawn as ⊢
MOST_CELLS = 40_000  # of one figure: about 300 kB in a saved notebook
TITLE = 44  # letters of a line of a title: a phone has room for these
FONT = "system-ui, 'Segoe UI', Roboto, 'Helvetica Neue', 'DejaVu Sans', sans-serif"
LETTER, LABEL, SMALLEST = 7, 12, 11  # pixels: a letter's width, a label's height, the smallest font
ABOVE = {"orientation": "h", "x": 0, "y": 1.0, "yanchor": "bottom"}  # a legend's place
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


def bar(text: str, **more: Any) -> dict[str, Any]:
    """A colour bar that lies under the title, where it costs the plot no width."""
    return {
        # Plotly puts the bar right behind the title, and drops spaces unless something follows.
        "title": {"text": text + "   \u200b", "side": "right", "font": {"size": 12}},
        "tickfont": {"size": SMALLEST},
        "orientation": "h",
        "thickness": 10,
        "outlinewidth": 0,
        "lenmode": "pixels",
        "len": 200,
        "nticks": 5,
        "ypad": 0,
        **{"xref": "container", "x": 0.02, "xanchor": "left"},
        **{"yref": "container", "yanchor": "top"},
        **more,
    }


def token_ticks(
    tokens: Sequence[str] | None, n: int, axis: str, room: float = WIDTH - 100
) -> dict[str, Any]:
    """Tick settings of axis "x" or "y" that label each of n positions with its token.

    Args:
        room: pixels of the axis; where it has none for all labels, every second or third is shown.
    """
    if tokens is None:
        return BARE
    text = axis_labels(tokens, n)
    step = math.ceil(n * LABEL / room)
    upright = LETTER * max(map(len, text)) + 6 > room * step / n
    return {
        **BARE,
        "tickmode": "array",
        "tickvals": list(range(0, n, step)),
        "ticktext": text[::step],
        "tickfont": {"size": SMALLEST},
        # Plotly turns labels by itself where a narrow page has no room for them.
        **({"autotickangles": [0, 90]} if axis == "x" else {}),
        **({"tickangle": -90} if axis == "x" and upright else {}),
    }


def axis_labels(tokens: Sequence[str], n: int) -> list[str]:
    """What is written for n tokens on an axis. Raises ValueError if there are more or fewer."""
    if len(tokens) != n:
        raise ValueError(f"{len(tokens)} token labels for {n} positions")
    return [visible(str(token)) for token in tokens]


def under(texts: Sequence[str] | None, room: float = WIDTH - 100) -> int:
    """Pixels below a plot of `room` pixels for its labels and the name of the axis."""
    if texts is None:
        return 55
    longest = LETTER * max(len(visible(str(text))) for text in texts)
    return 45 + longest if longest + 6 > room / len(texts) else 55


def finish(
    figure: go.Figure, title: str, *, area: int, below: int = 55, above: int = 0
) -> go.Figure:
    """Settings that all figures share, and the height; the width is that of the page.

    Args:
        area: pixels of the plot from top to bottom, without titles and labels.
        below, above: pixels for what stands under it and between it and the title.
    """
    lines = textwrap.wrap(title, TITLE) or [""]
    head = 28 + 19 * len(lines)
    has_bar = figure.layout.coloraxis.colorbar.orientation is not None
    top = head + above + (46 if has_bar else 8)
    height = top + area + below
    figure.update_layout(
        template="none",
        title={
            "text": "<br>".join(lines),
            "font": {"size": 15},
            **{"x": 0.02, "xanchor": "left", "yref": "container"},
            **{"y": 1 - (14 + 8 * (len(lines) - 1)) / height, "yanchor": "top"},
        },
        paper_bgcolor=PAPER,
        plot_bgcolor=CLEAR,
        modebar={"bgcolor": CLEAR, "color": FAINT, "activecolor": INK},
        hoverlabel={"font": {"size": 13}},
        font={"color": INK, "size": 13, "family": FONT},
        margin={"t": top, "b": below, "l": 60, "r": 20},
        height=height,
    )
    if has_bar:
        figure.update_layout(coloraxis_colorbar_y=1 - head / height)
    for update in (figure.update_xaxes, figure.update_yaxes):
        # Labels that need more room than they have got take it from the plot.
        update(title_font_size=13, title_standoff=10, tickcolor=FAINT, automargin=True)
    return figure


def visible(token: str) -> str:
    """A token's text with its spaces and line ends shown: labels of axes would lose them."""
    if token == END_OF_TEXT:
        return "⊢"
    return token.replace(" ", "␣").replace("\n", "⏎").replace("\t", "⇥") or "∅"
