"""What all drawings are made of: an SVG with a title and a description, and its few shapes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

Point = tuple[float, float]

# JupyterLab's colours where the drawing is part of its page, dark ink elsewhere: inside an <img>,
# as in feedback, a drawing sees no variables. The two colours are mixed with the ink, so that they
# are darker on a light page and lighter on a dark one, and never say anything that dashes, numbers
# or words do not.
STYLE = """\
.ll-drawing{display:block;height:auto;color:var(--jp-ui-font-color1,#222)}
.ll-drawing text{fill:currentColor;font:13px system-ui,'Segoe UI',Roboto,'DejaVu Sans',sans-serif}
.ll-drawing .ll-small{font-size:11px}
.ll-drawing .ll-bold{font-weight:600}
.ll-drawing .ll-code{font-family:var(--jp-code-font-family,'DejaVu Sans Mono',monospace)}
.ll-drawing path,.ll-drawing rect,.ll-drawing circle{fill:none;stroke:currentColor;stroke-width:1.3}
.ll-drawing .ll-stream{stroke-width:4;opacity:.45}
.ll-drawing .ll-thin{stroke-width:.7;opacity:.7}
.ll-drawing .ll-fill{fill:currentColor;fill-opacity:.07}
.ll-drawing .ll-hot{fill:#E69F00;fill-opacity:.35}
.ll-drawing .ll-read{stroke:#0072B2;stroke:color-mix(in srgb,#0072B2 70%,currentColor)}
.ll-drawing .ll-read{stroke-dasharray:5 4;stroke-width:1.8}
.ll-drawing .ll-write{stroke:#D55E00;stroke:color-mix(in srgb,#D55E00 80%,currentColor)}
.ll-drawing .ll-write{stroke-width:2.2}
.ll-drawing .ll-halo{paint-order:stroke;stroke:var(--jp-layout-color0,#fff);stroke-width:4px}
.ll-drawing .ll-tip{stroke-dasharray:none;stroke-width:1.6}"""


@dataclass(frozen=True)
class Drawing:
    """An SVG that a notebook shows: inline, so that it has the colours of the page.

    title, description: what a screen reader says; the description replaces the picture.
    width, height: in pixels, at full size; on a narrow page it shrinks to three quarters, and then
        scrolls.
    name: begins the ids inside the SVG.
    interactive: whether something in it can be focused; else a screen reader takes it as one image.
    """

    title: str
    description: str
    width: int
    height: int
    body: str
    name: str
    style: str = ""
    interactive: bool = False

    def svg(self) -> str:
        """The whole drawing, which is also a file of its own."""
        title, about = f"ll-{self.name}-title", f"ll-{self.name}-about"
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" class="ll-drawing" '
            f'viewBox="0 0 {self.width} {self.height}" width="{self.width}" height="{self.height}" '
            f'style="width:100%;min-width:{3 * self.width // 4}px;max-width:{self.width}px" '
            f'role="{"group" if self.interactive else "img"}" aria-labelledby="{title} {about}">'
            f'<title id="{title}">{escape(self.title)}</title>'
            f'<desc id="{about}">{escape(self.description)}</desc>'
            f"<style>{STYLE}{self.style}</style>{self.body}</svg>"
        )

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        # JupyterLab would show the SVG itself as an <img>, which does not see the theme; feedback
        # pages show nothing else.
        return {
            "text/html": f'<div style="overflow-x:auto">{self.svg()}</div>',
            "image/svg+xml": self.svg(),
            "text/plain": f"{self.title}: {self.description}",
        }


class Canvas:
    """Collects shapes. Their `style` is one or several names of STYLE without `ll-`."""

    def __init__(self) -> None:
        self.shapes: list[str] = []

    def __str__(self) -> str:
        return "".join(self.shapes)

    def add(self, shape: str) -> None:
        self.shapes.append(shape)

    def text(self, at: Point, text: str, style: str = "", anchor: str = "middle") -> None:
        """Words, centred at a point unless `anchor` is "start" or "end"."""
        self.add(
            f'<text x="{_short(at[0])}" y="{_short(at[1])}" text-anchor="{anchor}"'
            f' dominant-baseline="middle"{_classes(style)}>{escape(text)}</text>'
        )

    def rectangle(self, at: Point, size: Point, style: str = "fill") -> None:
        x, y, width, height = map(_short, (*at, *size))
        self.add(
            f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="3"{_classes(style)}/>'
        )

    def box(self, at: Point, size: Point, *lines: str, style: str = "fill") -> None:
        """A rectangle with its name, and below it a shape or a formula in small letters."""
        self.rectangle(at, size, style)
        first = at[1] + size[1] / 2 - 8 * (len(lines) - 1)
        for index, line in enumerate(lines):
            place = (at[0] + size[0] / 2, first + 16 * index)
            self.text(place, line, "bold" if index == 0 else "small code")

    def circle(self, at: Point, radius: float, style: str = "") -> None:
        x, y, r = map(_short, (*at, radius))
        self.add(f'<circle cx="{x}" cy="{y}" r="{r}"{_classes(style)}/>')

    def plus(self, at: Point) -> None:
        """The sign for: what arrives is added to the stream."""
        self.circle(at, 8, "write")
        x, y = at
        self.path(f"M{_short(x - 5)} {_short(y)}h10M{_short(x)} {_short(y - 5)}v10", "write tip")

    def path(self, d: str, style: str = "") -> None:
        self.add(f'<path d="{d}"{_classes(style)}/>')

    def arrow(self, *points: Point, style: str = "") -> None:
        """Straight lines through the points, with a tip at the last."""
        self.path("M" + "L".join(f"{_short(x)} {_short(y)}" for x, y in points), style)
        self._tip(points[-2], points[-1], style)

    def arc(
        self, start: Point, end: Point, height: float, style: str = "", width: float = 0
    ) -> None:
        """A bow with a tip at its end; below if `height` is negative. `width` in pixels."""
        (x, y), (u, v) = start, end
        top = f"{_short(x)} {_short(y - height)} {_short(u)} {_short(v - height)}"
        wide = f' style="stroke-width:{width:.1f}"' if width else ""
        self.add(
            f'<path d="M{_short(x)} {_short(y)}C{top} {_short(u)} {_short(v)}"'
            f"{_classes(style)}{wide}/>"
        )
        self._tip((u, v - height), end, style)

    def _tip(self, before: Point, end: Point, style: str) -> None:
        angle = math.atan2(end[1] - before[1], end[0] - before[0])
        sides = [
            (end[0] - 8 * math.cos(angle + turn), end[1] - 8 * math.sin(angle + turn))
            for turn in (-0.45, 0.45)
        ]
        points = [sides[0], end, sides[1]]
        self.path(
            "M" + "L".join(f"{_short(x)} {_short(y)}" for x, y in points), f"{style} tip".strip()
        )


def cells(canvas: Canvas, words: Sequence[str], xs: Sequence[float], y: float) -> None:
    """Tokens as boxes in a row, centred at `xs`; "…" stands without a box."""
    for word, x in zip(words, xs, strict=True):
        if word != "…":
            canvas.rectangle((x - 20, y - 18), (40, 36))
        canvas.text((x, y), word, "bold code")


def _short(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0")


def _classes(style: str) -> str:
    names = " ".join(f"ll-{name}" for name in style.split())
    return f' class="{names}"' if names else ""
