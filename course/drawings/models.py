"""Parts of a transformer and what flows between them."""

from __future__ import annotations

import math

from course.drawings.svg import Canvas, Drawing


def residual_stream(layers: int = 2, *, mlps: bool = True) -> Drawing:
    """The residual stream of a small model, and what reads it and writes to it.

    Args:
        layers: how many layers are drawn, from 1 to 3.
        mlps: whether a layer has an MLP; without, it is an attention-only model.
    """
    if not 1 <= layers <= 3:
        raise ValueError(f"residual_stream: 1 to 3 layers can be drawn, not {layers}")
    kinds = ("attention", "MLP") if mlps else ("attention",)
    parts = [(kind, layer) for layer in range(layers) for kind in kinds]
    canvas, step, y = Canvas(), 500 / len(parts), 150
    canvas.box((8, y - 26), (92, 52), "embed", "W_E + W_pos")
    canvas.box((668, y - 26), (84, 52), "unembed", "ln, W_U")
    canvas.path(f"M100 {y}H668", "stream")
    canvas.text((54, y + 42), "tokens in", "small")
    canvas.text((710, y + 42), "logits out", "small")
    names = ["resid_pre"]
    for index, (kind, layer) in enumerate(parts):
        width = min(step - 26, 110)
        left = 140 + index * step + (step - 26 - width) / 2
        canvas.box((left, 36), (width, 44), kind, f"layer {layer}")
        canvas.arrow((left + 18, y), (left + 18, 82), style="read")
        canvas.arrow((left + width - 18, 80), (left + width - 18, y - 9), style="write")
        canvas.plus((left + width - 18, y))
        names.append("resid_mid" if mlps and kind == "attention" else "resid_post")
    for index, name in enumerate(names):
        if layers < 3 or not mlps:
            at = 132 + index * step if 0 < index < len(parts) else 628 if index else 138
            canvas.text((at, y + 24), name, "small code")
    for layer in range(layers):
        left = 140 + layer * len(kinds) * step
        right = left + len(kinds) * step - 26
        canvas.path(f"M{left:.0f} 22v-8H{right:.0f}v8", "thin")
        canvas.text(((left + right) / 2, 6), f"layer {layer}", "small")
    canvas.arrow((150, 222), (190, 222), style="read")
    canvas.text(
        (200, 222), "reads the stream, through LayerNorm and its own matrices", anchor="start"
    )
    canvas.arrow((150, 244), (190, 244), style="write")
    canvas.text((200, 244), "writes: what it returns is added to the stream", anchor="start")
    order = ", then ".join(f"{kind} of layer {layer}" for kind, layer in parts)
    return Drawing(
        "The residual stream, and what reads and writes it",
        f"One line runs from the embedding of the tokens to the unembedding. Beside it stand, in "
        f"order: {order}. A dashed arrow goes from the line into each: it reads the stream. "
        f"A solid arrow comes back to a plus on the line: what it returns is added. Nothing is "
        f"ever replaced, so the stream at the end is the sum of the embeddings and of all that was "
        f"written.",
        *(760, 256, str(canvas), "stream"),
    )


def attention_head() -> Drawing:
    """One attention head, from query and key to what it writes, at one pair of positions."""
    canvas = Canvas()
    top, low = 44, 300
    canvas.path(f"M120 {top}H740", "stream")
    canvas.path(f"M120 {low}H740", "stream")
    canvas.text((8, top - 8), "source", "bold", "start")
    canvas.text((8, top + 9), "an earlier position", "small", "start")
    canvas.text((8, low - 8), "destination", "bold", "start")
    canvas.text((8, low + 9), "the position that looks", "small", "start")
    canvas.box((150, 82), (104, 42), "key k", "x W_K")
    canvas.box((150, 220), (104, 42), "query q", "x W_Q")
    canvas.box((142, 150), (120, 44), "score", "q·k / √d_head")
    canvas.box((310, 150), (120, 44), "pattern", "softmax")
    canvas.box((318, 82), (104, 42), "value v", "x W_V")
    canvas.box((478, 150), (110, 44), "z", "Σ pattern·v")
    canvas.box((636, 150), (104, 44), "output", "z W_O")
    canvas.arrow((202, top), (202, 80), style="read")
    canvas.arrow((370, top), (370, 80), style="read")
    canvas.arrow((202, low), (202, 264), style="read")
    canvas.arrow((202, 124), (202, 148))
    canvas.arrow((202, 220), (202, 196))
    canvas.arrow((262, 172), (308, 172))
    canvas.arrow((430, 172), (476, 172))
    canvas.arrow((422, 103), (533, 103), (533, 148))
    canvas.arrow((588, 172), (634, 172))
    canvas.arrow((688, 194), (688, low - 9), style="write")
    canvas.plus((688, low))
    canvas.text((370, 208), "over all sources", "small")
    canvas.text((533, 208), "over all sources", "small")
    canvas.path("M142 330v6H430v-6", "thin")
    canvas.text((286, 350), "QK: where to look", "bold")
    canvas.path("M478 330v6H740v-6", "thin")
    canvas.text((609, 350), "OV: what to move", "bold")
    return Drawing(
        "One attention head, from query and key to what it writes",
        "Two lines are the residual stream at two positions: the source above, and below it the "
        "destination, which looks. The head reads a key and a value from the source and a query "
        "from the destination. Query times key, divided by the square root of d_head, is the "
        "score; "
        "the softmax over all sources makes the pattern of it. The values of all sources, weighted "
        "by the pattern, add up to z. z times W_O is added to the stream at the destination. "
        "Query, "
        "key, score and pattern decide where to look (QK); value and output, what to move (OV).",
        *(760, 364, str(canvas), "head"),
    )


def circuits() -> Drawing:
    """The QK and the OV circuit of a head as products of matrices, drawn to scale."""
    canvas = Canvas()
    vocab, model, head = 84, 46, 13
    rows = (
        (
            "QK circuit: which token looks at which",
            ("W_E", "W_Q", "W_Kᵀ", "W_Eᵀ"),
            ("looks", "looked at"),
        ),
        (
            "OV circuit: what is said when a token is looked at",
            ("W_E", "W_V", "W_O", "W_U"),
            ("looked at", "predicted"),
        ),
    )
    sizes = ((vocab, model), (model, head), (head, model), (model, vocab))
    shapes = ("d_vocab × d_model", "d_model × d_head", "d_head × d_model", "d_model × d_vocab")
    for row, (title, names, axes) in enumerate(rows):
        y = 96 + 182 * row  # of the middle
        canvas.text((8, y - 78), title, "bold", "start")
        for index, (name, (tall, wide), shape) in enumerate(zip(names, sizes, shapes, strict=True)):
            x = 66 + 132 * index
            waist = index in (1, 2)
            canvas.rectangle((x - wide / 2, y - tall / 2), (wide, tall), "hot" if waist else "fill")
            canvas.text((x, y - 54), name, "code")
            canvas.text((x, y + 56), shape, "small")
            canvas.text((x + 66, y), "·" if index < 3 else "=", "bold")
        canvas.rectangle((640, y - vocab / 2), (vocab, vocab))
        canvas.text((682, y - 8), "d_vocab", "small")
        canvas.text((682, y + 8), "× d_vocab", "small")
        canvas.text((682, y + 56), f"row: {axes[0]}", "small")
        canvas.text((682, y + 71), f"column: {axes[1]}", "small")
    canvas.rectangle((8, 372), (16, 14), "hot")
    canvas.text(
        (32, 380),
        "only d_head numbers pass here: the table has rank d_head at most",
        anchor="start",
    )
    return Drawing(
        "The QK and the OV circuit of a head as products of matrices",
        "Two rows of boxes to scale. QK: W_E, W_Q, W_K transposed and W_E transposed give a table "
        "of d_vocab by d_vocab: how much each token that looks wants each token that is looked at. "
        "OV: W_E, W_V, W_O and W_U give another: which tokens are made likelier when a token is "
        "looked at. In the middle of both products only d_head numbers pass, so neither table "
        "has a "
        "rank above d_head.",
        *(760, 396, str(canvas), "circuits"),
    )


def c_attn(heads: int = 4) -> Drawing:
    """How GPT-2's `c_attn` is cut into the queries, keys and values of its heads.

    Args:
        heads: how many heads are drawn, from 2 to 16.
    """
    if not 2 <= heads <= 16:
        raise ValueError(f"c_attn: 2 to 16 heads can be drawn, not {heads}")
    canvas = Canvas()
    left, top, tall, third = 84, 66, 84, 132
    cell, chosen = third / heads, 1
    every = math.ceil(heads / 8)  # number of heads for one number above them
    for index, letter in enumerate("QKV"):
        x = left + third * index
        canvas.rectangle((x, top), (third, tall))
        canvas.rectangle((x, top + tall + 40), (third, 16))
        canvas.text((x + third / 2, top - 30), f"W_{letter}", "bold code")
        canvas.text((x + third / 2, top + tall + 72), f"b_{letter}", "bold code")
        for number in range(heads):
            at = x + cell * number
            if number % every == 0:
                canvas.text((at + cell / 2, top - 10), str(number), "small")
            for y, height in ((top, tall), (top + tall + 40, 16)):
                if (index, number) == (1, chosen):
                    canvas.rectangle((at, y), (cell, height), "hot")
                elif number:
                    canvas.path(f"M{at:.1f} {y}v{height}", "thin")
    canvas.text((left - 8, top - 10), "head", "small", "end")
    canvas.text((left - 8, top + tall / 2), "d_model", "small", "end")
    canvas.text(
        (left, top + tall + 16), "c_attn.weight  [d_model  3·d_model]", "small code", "start"
    )
    canvas.text((left, top + tall + 92), "c_attn.bias  [3·d_model]", "small code", "start")
    canvas.arrow((left + 3 * third + 8, top + tall / 2), (left + 3 * third + 62, top + tall / 2))
    x, narrow = left + 3 * third + 74, 0.75 * cell
    step = min(narrow + 7, 136 / heads)
    for number in range(heads):
        at = x + step * number
        canvas.rectangle((at, top), (narrow, tall), "hot" if number == chosen else "fill")
        if number % every == 0:
            canvas.text((at + narrow / 2, top - 10), str(number), "small")
    middle = x + (step * (heads - 1) + narrow) / 2
    canvas.text((middle, top - 30), "W_K", "bold code")
    canvas.text((middle, top + tall + 16), "[head d_model d_head]", "small code")
    return Drawing(
        "How c_attn is cut into queries, keys and values, and those into heads",
        f"The weight has d_model rows and three times d_model columns. The first third of the "
        f"columns is W_Q, the second W_K, the third W_V. Each third is cut again into {heads} "
        f"heads of d_head neighbouring columns, head 0 first. Head {chosen} of W_K is marked; at "
        f"the "
        f"right the heads of W_K stand apart, as an array of head, d_model, d_head. The "
        f"bias, a row of three times d_model numbers, is cut in the same places.",
        *(760, 254, str(canvas), "c-attn"),
    )
