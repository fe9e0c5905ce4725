"""A text with arcs from the position that looks to the positions that it looks at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from course.drawings.svg import Canvas, Drawing
from course.plots.style import array, axis_labels

_MOST = 700  # pixels of a line of tokens
_NUMBERED = 0.1  # attention from which an arc carries its number
_DRAWN = 0.02


def arcs(
    tokens: Sequence[str],
    attention: Any,
    *,
    at: int = -1,
    prediction: str | None = None,
    title: str = "Where the last position looks",
) -> Drawing:
    """A text, and above it an arc to each position that one position looks at.

    Args:
        tokens: `pos` token texts.
        attention: `[pos]`, the probabilities of one row of a pattern.
        at: the position that looks, the last by default.
        prediction: what the model says comes next, drawn behind the text.
    """
    weights = array(attention, "arcs", ("pos",))
    words = axis_labels(tokens, len(weights))
    at %= len(words)
    widths = [max(14, 8 * len(word) + 8) for word in words]
    if sum(widths) > _MOST:
        raise ValueError(f"arcs: {len(words)} tokens are too long for one line; draw fewer")
    starts = [sum(widths[:index]) for index in range(len(words) + 1)]
    left = (760 - starts[-1] - (70 if prediction else 0)) / 2
    xs = [left + start + width / 2 for start, width in zip(starts, widths, strict=False)]
    looked_at = [index for index in range(len(words)) if weights[index] >= _DRAWN and index != at]
    farthest = max((abs(xs[at] - xs[index]) for index in looked_at), default=60)
    tallest = min(40 + farthest / 4, 150)
    canvas, y = Canvas(), 0.75 * tallest + 48
    canvas.rectangle((xs[at] - widths[at] / 2, y - 13), (widths[at], 26), "hot")
    for word, x in zip(words, xs, strict=True):
        canvas.text((x, y), word, "code")
    for index in looked_at:
        share = float(weights[index])
        height = tallest * (0.3 + 0.7 * abs(xs[at] - xs[index]) / farthest)
        canvas.arc((xs[at], y - 15), (xs[index], y - 15), height, "write", 1 + 5 * share)
        if share >= _NUMBERED:
            canvas.text(
                ((xs[at] + xs[index]) / 2, y - 15 - 0.75 * height - 10),
                f"{share:.2f}",
                "small bold halo",
            )
    if prediction is not None:
        end = left + starts[-1]
        canvas.arrow((end + 6, y), (end + 30, y), style="write")
        canvas.rectangle((end + 36, y - 15), (16 + 8 * len(prediction), 30), "read")
        canvas.text((end + 44 + 4 * len(prediction), y), prediction, "bold code")
    said = ", ".join(
        f"{weights[index]:.0%} to {words[index]} at position {index}"
        for index in sorted(looked_at, key=lambda index: -weights[index])
    )
    own = f"{weights[at]:.0%} stays at the position itself"
    bet = f" The prediction is {prediction}." if prediction is not None else ""
    return Drawing(
        title,
        f"The text {' '.join(words)}. Attention of {words[at]} at position {at}: "
        f"{said + ', ' if said else ''}{own}.{bet}",
        *(760, round(y + 26), str(canvas), "arcs"),
    )
