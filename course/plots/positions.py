"""Numbers and tokens along the positions of a text."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from course.plots.style import (
    BARE,
    CELL_INK,
    DASHES,
    FAINT,
    GRID,
    INK,
    LETTER,
    LINES,
    POSITIVE,
    SHADES,
    SMALLEST,
    WIDTH,
    array,
    axis_labels,
    bar,
    finish,
    score_scale,
    token_ticks,
    under,
    visible,
)

_BANDS = 4  # of a lens table that is too wide for the page


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
            font={"color": INK, "size": 12},
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
        showlegend=len(lines) > 1,
        hovermode="x unified",
        legend={"orientation": "h", "y": -0.2, "yanchor": "top"},
    )
    several = 24 * len(lines) if len(lines) > 1 else 0
    finish(figure, title, area=280, below=55 + several, above=20 if repeat_at is not None else 0)
    return figure.update_layout(margin_r=115 if vocab is not None else 20)


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
    rows: list[list[int | None]] = z.tolist()
    text = [[visible(labels[i]) if labels else str(i) for i in row] for row in z.tolist()]
    fitting = (WIDTH - 90) // (LETTER * max(len(label) for row in text for label in row) + 8)
    wrapped = len(z) == 1 and z.shape[1] > fitting
    if wrapped:
        missing = -z.shape[1] % fitting
        starts = range(0, z.shape[1], fitting)
        rows = [[*rows[0], *[None] * missing][start : start + fitting] for start in starts]
        text = [[*text[0], *[""] * missing][start : start + fitting] for start in starts]
    figure = go.Figure(
        go.Heatmap(
            z=rows,
            text=text,
            customdata=np.arange(len(rows) * len(rows[0])).reshape(len(rows), -1).tolist(),
            texttemplate="%{text}" if wrapped or z.shape[1] <= fitting else None,
            textfont={"size": 12 if fitting > 40 else SMALLEST},
            colorscale=POSITIVE,
            showscale=False,
            hovertemplate=(
                ("" if wrapped else "row %{y}, ")
                + ("position %{customdata}" if wrapped else "position %{x}")
                + ": %{text}<extra></extra>"
            ),
            xgap=1,
            ygap=3,
        )
    )
    figure.update_xaxes(title_text="position", visible=not wrapped, **BARE)
    figure.update_yaxes(title_text="row", tickmode="linear", dtick=1, visible=not wrapped, **BARE)
    figure.update_yaxes(autorange="reversed")
    finish(figure, title, area=34 * len(rows), below=20 if wrapped else 55)
    return figure.update_layout(margin_l=20) if wrapped else figure


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
    texts = [*map(visible, tokens)]
    per_row = max(1, min(per_row, (WIDTH - 40) // (LETTER * max(map(len, texts)) + 8)))
    rows = math.ceil(len(tokens) / per_row)
    positions = rows * per_row
    padded = [None, *(round(v, 4) for v in given.tolist()), *[None] * (positions - len(tokens))]
    texts += [""] * (positions - len(tokens))
    figure = go.Figure(
        go.Heatmap(
            z=[padded[r * per_row : (r + 1) * per_row] for r in range(rows)],
            text=[texts[r * per_row : (r + 1) * per_row] for r in range(rows)],
            texttemplate="%{text}",
            textfont={"color": CELL_INK, "size": 12},
            coloraxis="coloraxis",
            hovertemplate="%{text}: %{z:.3f} nats<extra></extra>",
            xgap=2,
            ygap=4,
        )
    )
    # A cell without a number draws no text either, and the first token has no loss.
    figure.add_annotation(x=0, y=0, text=texts[0], showarrow=False, font_color=INK)
    figure.update_xaxes(visible=False)
    figure.update_yaxes(visible=False, autorange="reversed")
    figure.update_layout(coloraxis={"colorscale": SHADES, "cmin": 0, "colorbar": bar("nats")})
    return finish(figure, title, area=40 * rows, below=10).update_layout(margin_l=20)


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
        numbers: write each number into its cell, with two decimals or one, where there is room.
    """
    z = array(values, "position_grid", ("row", "pos"))
    if len(rows) != z.shape[0]:
        raise ValueError(f"position_grid: {len(rows)} row labels for {z.shape[0]} rows")
    side = LETTER * max(map(len, rows))
    cell = (WIDTH - 60 - side) / z.shape[1]  # pixels
    digits = next((digits for digits, width in ((2, 34), (1, 27)) if cell >= width), None)
    shown = numbers and digits is not None
    figure = go.Figure(
        go.Heatmap(
            z=np.round(z, 4).tolist(),
            coloraxis="coloraxis",
            texttemplate=f"%{{z:.{digits}f}}" if shown else None,
            textfont={"size": SMALLEST},
            hovertemplate=f"%{{y}}, position %{{x}}: %{{z:.4f}} {unit}<extra></extra>",
            xgap=1,
            ygap=1,
        )
    )
    room = WIDTH - 60 - side
    figure.update_xaxes(title_text="position", **token_ticks(tokens, z.shape[1], "x", room))
    figure.update_yaxes(tickvals=list(range(len(rows))), ticktext=list(rows), **BARE)
    figure.update_layout(coloraxis=score_scale([z], unit, limit))
    finish(figure, title, area=34 * max(len(rows), 2), below=under(tokens, room))
    return figure.update_layout(margin_l=side + 20)


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
    read = axis_labels(tokens, z.shape[1])
    side = LETTER * max(map(len, rows))
    longest = max(len(word) for row in shown for word in row)
    fitting = max(1, (WIDTH - 60 - side) // (LETTER * longest + 6))
    bands = math.ceil(z.shape[1] / fitting)
    words_fit = bands <= _BANDS  # else a word is shown where the mouse is
    bands = bands if words_fit else 1
    fitting = math.ceil(z.shape[1] / bands)
    height = 34 * max(len(rows), 2)
    below = under(tokens, WIDTH - 60 - side)
    area = bands * height + (bands - 1) * below
    from plotly.subplots import make_subplots  # half a second, which only a picture needs

    figure = make_subplots(bands, 1, vertical_spacing=below / area if bands > 1 else 0)
    for band in range(bands):
        part = slice(band * fitting, (band + 1) * fitting)
        figure.add_trace(
            go.Heatmap(
                z=np.round(z[:, part], 4).tolist(),
                x=list(range(z.shape[1])[part]),
                text=[row[part] for row in shown],
                texttemplate="%{text}"
                if len(read[part]) * (LETTER * longest + 6) < WIDTH
                else None,
                textfont={"color": CELL_INK, "size": 12},
                coloraxis="coloraxis",
                hovertemplate="%{y}, position %{x}: %{text} %{z:.3f}<extra></extra>",
                xgap=1,
                ygap=1,
            ),
            row=band + 1,
            col=1,
        )
        start = band * fitting
        ticks = token_ticks(tokens[part], len(read[part]), "x", WIDTH - 60 - side)
        if band or bands > 1:
            ticks["tickvals"] = [start + at for at in ticks["tickvals"]]
        # A last band that is shorter keeps the width of a cell.
        figure.update_xaxes(range=[start - 0.5, start + fitting - 0.5], **ticks, row=band + 1)
    figure.update_xaxes(title_text="position", row=bands)
    figure.update_yaxes(tickvals=list(range(len(rows))), ticktext=list(rows), **BARE)
    figure.update_layout(
        coloraxis={"colorscale": SHADES, "cmin": 0, "cmax": 1, "colorbar": bar("probability")}
    )
    finish(figure, title, area=area, below=below)
    return figure.update_layout(margin_l=side + 20)
