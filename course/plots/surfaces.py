"""Surfaces seen from above, and the paths that optimisers take down them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import plotly.graph_objects as go

from course.plots.style import (
    ABOVE,
    CELL_INK,
    DASHES,
    FAINT,
    INK,
    LINES,
    PAPER,
    SHADES,
    array,
    bar,
    finish,
)

_MARKS = ("circle", "x", "diamond", "square")
_STOPS = 20  # of the slider


def descents(
    heights: Any,
    across: Any,
    up: Any,
    paths: Mapping[str, Any],
    *,
    unit: str = "loss",
    axes: tuple[str, str] = ("first parameter", "second parameter"),
    title: str,
) -> go.Figure:
    """A surface as a map with contour lines, and the steps of one or several descents on it.

    A slider below the map takes the paths back to their start and lets them run down again. What
    of a path leaves the map is not drawn.

    Args:
        heights: `[row column]`, the surface at the places `up` `[row]` and `across` `[column]`.
        paths: from a label to the places it went through `[step 2]`, the start first.
        unit: what the height is, for the colour bar.
        axes: names of the axes to the right and up.
    """
    z = array(heights, "descents", ("row", "column"))
    right, upwards = array(across, "descents", ("column",)), array(up, "descents", ("row",))
    if z.shape != (len(upwards), len(right)):
        raise ValueError(
            f"descents: heights {z.shape} for {len(upwards)} rows and {len(right)} columns"
        )
    steps = {str(label): array(path, "descents", ("step", "2")) for label, path in paths.items()}
    for label, path in steps.items():
        if path.shape[1] != 2:
            raise ValueError(f"descents: {label!r} has shape {path.shape}, not (steps, 2)")
    figure = go.Figure(
        go.Contour(
            x=right.tolist(),
            y=upwards.tolist(),
            z=np.round(z, 4).tolist(),
            coloraxis="coloraxis",
            ncontours=14,
            line={"width": 1, "color": FAINT},
            hovertemplate="(%{x:.2f}, %{y:.2f}): %{z:.3f}" + f"<extra>{unit}</extra>",
        )
    )
    for index, (label, path) in enumerate(steps.items()):
        figure.add_trace(
            go.Scatter(
                **_part(path, len(path)),
                name=label,
                mode="lines+markers",
                line={
                    "color": LINES[index % len(LINES)],
                    "dash": DASHES[index % len(DASHES)],
                    "width": 2,
                },
                marker={"symbol": _MARKS[index % len(_MARKS)], "size": 7, "line": {"width": 0}},
                hovertemplate="(%{x:.3f}, %{y:.3f})" + f"<extra>{label}</extra>",
            )
        )
    for start in {(float(path[0, 0]), float(path[0, 1])) for path in steps.values()}:
        figure.add_annotation(
            **{"x": start[0], "y": start[1], "text": "start", "ax": 0, "ay": -24},
            arrowcolor=CELL_INK,
            font={"color": CELL_INK, "size": 12},
        )
    figure.update_xaxes(title_text=axes[0], range=[right[0], right[-1]], showgrid=False)
    figure.update_yaxes(title_text=axes[1], range=[upwards[0], upwards[-1]], showgrid=False)
    figure.update_layout(
        coloraxis={"colorscale": SHADES, "colorbar": bar(unit)},
        showlegend=bool(steps),
        legend=ABOVE,
        sliders=[_slider(steps)] if steps else [],
    )
    return finish(figure, title, area=320, below=125 if steps else 55, above=24 if steps else 0)


def _part(path: np.ndarray, count: int) -> dict[str, list[float]]:
    """The first places of a path, as far as they are finite."""
    places = path[:count][np.isfinite(path[:count]).all(axis=1)]
    return {axis: np.round(places[:, i], 4).tolist() for i, axis in enumerate("xy")}


def _slider(steps: Mapping[str, np.ndarray]) -> dict[str, Any]:
    longest = max(len(path) - 1 for path in steps.values())
    stops = sorted({round(share * longest / _STOPS) for share in range(_STOPS + 1)})
    parts = {stop: [_part(path, stop + 1) for path in steps.values()] for stop in stops}
    return {
        "active": len(stops) - 1,
        "pad": {"t": 62},
        "bgcolor": FAINT,
        "bordercolor": PAPER,
        "tickcolor": FAINT,
        "font": {"color": INK, "size": 11},
        "currentvalue": {"prefix": "after step ", "font": {"color": INK, "size": 12}},
        "steps": [
            {
                "label": str(stop),
                "method": "restyle",
                "args": [
                    {axis: [part[axis] for part in parts[stop]] for axis in "xy"},
                    list(range(1, len(steps) + 1)),
                ],
            }
            for stop in stops
        ],
    }
