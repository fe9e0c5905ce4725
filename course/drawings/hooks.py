"""The map of the hook points of one block."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

from course.drawings.svg import Canvas, Drawing


@dataclass(frozen=True)
class HookPoint:
    """One hook point of a block.

    name: below `blocks.0.`.
    axes: of its activation.
    short: what a cache is asked for, beside the layer; empty where it is the name.
    about: what it holds.
    at: where it stands on the map: its middle, in pixels.
    """

    name: str
    axes: str
    short: str
    about: str
    at: tuple[float, float]


STREAM, HEADS = "batch pos d_model", "batch pos head d_head"
SQUARE, NEURONS = "batch head query key", "batch pos d_mlp"
ATTENTION = (
    HookPoint("hook_resid_pre", STREAM, "resid_pre", "the stream before the block", (76, 40)),
    HookPoint(
        "ln1.hook_normalized",
        STREAM,
        "",
        "what attention reads: the stream, normalised",
        (210, 92),
    ),
    HookPoint("attn.hook_q", HEADS, "q", "queries: what each position looks for", (96, 146)),
    HookPoint("attn.hook_k", HEADS, "k", "keys: what each position can be found by", (210, 146)),
    HookPoint("attn.hook_v", HEADS, "v", "values: what each position hands out", (324, 146)),
    HookPoint(
        "attn.hook_attn_scores", SQUARE, "attn_scores", "q·k/√d_head before the softmax", (150, 200)
    ),
    HookPoint(
        "attn.hook_pattern", SQUARE, "pattern", "how much each query looks at each key", (150, 250)
    ),
    HookPoint(
        "attn.hook_z", HEADS, "z", "values, weighted by the pattern, for each head", (324, 250)
    ),
    HookPoint(
        "hook_attn_out", STREAM, "attn_out", "what all heads write, added to the stream", (324, 304)
    ),
)
MLP = (
    HookPoint(
        "hook_resid_mid", STREAM, "resid_mid", "the stream between attention and MLP", (480, 40)
    ),
    HookPoint(
        "ln2.hook_normalized",
        STREAM,
        "",
        "what the MLP reads: the stream, normalised",
        (558, 92),
    ),
    HookPoint("mlp.hook_pre", NEURONS, "pre", "neurons before the activation function", (558, 146)),
    HookPoint(
        "mlp.hook_post", NEURONS, "post", "neurons after the activation function", (558, 200)
    ),
    HookPoint(
        "hook_mlp_out", STREAM, "mlp_out", "what the MLP writes, added to the stream", (558, 254)
    ),
)
END = HookPoint("hook_resid_post", STREAM, "resid_post", "the stream after the block", (726, 40))
_STYLE = """
.ll-hook{cursor:pointer;outline:none}
.ll-drawing .ll-hook rect{fill:var(--jp-layout-color0,#fff);fill-opacity:1}
.ll-drawing .ll-hook:hover>rect,.ll-drawing .ll-hook:focus>rect{stroke-width:3}
.ll-drawing .ll-about{opacity:0;pointer-events:none}
.ll-drawing .ll-hook:hover .ll-about,.ll-drawing .ll-hook:focus .ll-about{opacity:1}
.ll-drawing:has(.ll-hook:hover) .ll-hook:focus:not(:hover) .ll-about{opacity:0}
.ll-drawing:has(.ll-hook:is(:hover,:focus)) .ll-ask{opacity:0}
.ll-hook:focus .ll-about{pointer-events:auto;cursor:text;user-select:text}
.ll-hook:focus .ll-name{user-select:all}"""


def hook_points(*, mlp: bool = True) -> tuple[HookPoint, ...]:
    """The hook points on the map, in the order in which a run passes them."""
    return (*ATTENTION, *MLP, END) if mlp else (*ATTENTION, END)


def hook_map(layer: int = 0, *, mlp: bool = True, axes: bool = True) -> Drawing:
    """The hook points of one block. Point at one, click it or reach it with the Tab key: its full
    name, its axes and how to read it then stand below, to be copied.

    Args:
        layer: the block.
        mlp: without, it is a block of an attention-only model.
        axes: whether the axes are told; an exercise may ask for them.
    """
    canvas = Canvas()
    canvas.path("M6 40H784", "stream")
    canvas.arrow((150, 40), (210, 40), (210, 78), style="read")
    for x in (96, 210, 324):
        canvas.arrow((210, 104), (x, 132))
    canvas.arrow((96, 158), (138, 186))
    canvas.arrow((210, 158), (162, 186))
    canvas.arrow((150, 212), (150, 236))
    canvas.arrow((226, 250), (270, 250))
    canvas.arrow((324, 158), (324, 236))
    canvas.arrow((324, 262), (324, 290))
    canvas.arrow((386, 304), (400, 304), (400, 49), style="write")
    canvas.plus((400, 40))
    if mlp:
        canvas.arrow((536, 40), (558, 40), (558, 78), style="read")
        for start in (104, 158, 212):
            canvas.arrow((558, start), (558, start + 28))
        canvas.arrow((614, 254), (644, 254), (644, 49), style="write")
        canvas.plus((644, 40))
    points = hook_points(mlp=mlp)
    canvas.text((380, 346), "Point at a name, click it, or press Tab: what is there?", "ask")
    for point in points:
        _point(canvas, point, layer, axes)
    listed = "; ".join(f"{point.name}, {point.about}" for point in points)
    return Drawing(
        f"The hook points of block {layer}",
        f"In the order of a run: {listed}.",
        *(790, 392, str(canvas), "hooks", _STYLE, True),
    )


def _point(canvas: Canvas, point: HookPoint, layer: int, axes: bool) -> None:
    name = f"blocks.{layer}.{point.name}"
    x, y = point.at
    wide = 7 * len(point.name) + 12
    key = f'"{point.short}", {layer}' if point.short else f'"{name}"'
    told = f", axes {point.axes}" if axes else ""
    label = escape(f"{name}{told}: {point.about}", quote=True)
    canvas.add(f'<g class="ll-hook" tabindex="0" role="button" aria-label="{label}">')
    canvas.rectangle((x - wide / 2, y - 12), (wide, 24), "")
    canvas.text((x, y), point.name, "small code")
    canvas.add('<g class="ll-about">')
    canvas.text((380, 338), name, "name bold code")
    canvas.text((380, 358), f"[{point.axes}]   cache[{key}]" if axes else f"cache[{key}]", "code")
    canvas.text((380, 378), point.about)
    canvas.add("</g></g>")
