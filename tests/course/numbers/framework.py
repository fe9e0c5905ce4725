"""The numbers of `05-mathematical-framework`."""

from __future__ import annotations

import math

import torch

from course.models import model
from tests.course.numbers import Claims, Names

CLAIMS = Claims(
    "05-mathematical-framework",
    not_measured={"0.09": "an invented score of exercise 13", "4.1": "a head of exercise 13"},
)
GPT2_VOCABULARY, GPT2_HEAD = 50_257, 64


@CLAIMS(
    "For GPT-2 the table would have {2.5} billion entries, and yet two factors of {3.2} million "
    "numbers each say all of it."
)
def size_of_a_table(_: Names) -> list[float]:
    return [GPT2_VOCABULARY**2 / 1e9, GPT2_VOCABULARY * GPT2_HEAD / 1e6]


@CLAIMS(
    "Those of head 1.0 lie on the positive half of the real axis, with imaginary parts of at most "
    "{0.03} of the largest number."
)
def eigenvalues_of_a_copying_head(names: Names) -> float:
    values = names["eigenvalues"](1, 0)
    assert float(values.real.min()) > -1e-3 * float(values.abs().max())
    return float(values.imag.abs().max() / values.abs().max())


@CLAIMS("Head 0.0 leans the same way, but {five=5} of its numbers have a negative real part.")
def eigenvalues_of_head_0_0(names: Names) -> float:
    values = names["eigenvalues"](0, 0)
    return int((values.real < -1e-3).sum())


@CLAIMS(
    "The direct path alone costs {4.19} nats, which is no better than having no idea (ln 64 ≈ "
    "{4.16}). The paths through one head bring that to {0.22}, those through two to {0.04}."
)
def loss_by_order(names: Names) -> list[float]:
    direct, one, two = names["by_order"]
    return [direct, math.log(64), one, two]


@CLAIMS(
    "The path through 1.0 alone is worth {0.91} nats, the virtual head 0.0 → 1.0 {0.17}, any "
    "other path less than {<0.01}."
)
def term_importance(names: Names) -> list[float]:
    worth = dict(zip(names["expansion"], names["worth"], strict=True))
    single, virtual = worth.pop(((1, 0),)), worth.pop(((0, 0), (1, 0)))
    return [single, virtual, max(worth.values())]


@CLAIMS("With two heads a layer that makes 1 + 2 + 2 + 4 = {9} paths")
def paths(names: Names) -> float:
    return len(names["expansion"])


@CLAIMS(
    "In the second copy the answer is written by the heads of layer 1, and {two "
    "thirds=0.667~0.07} of it **directly from the embedding** of the symbol that they look at"
)
def written_directly(names: Names) -> float:
    said = {
        path: names["for_the_next"](logits, names["second_copy"])
        for path, logits in names["expansion"].items()
    }
    direct = sum(said[path] for path in (((1, 0),), ((1, 1),)))
    return direct / sum(said.values())


@CLAIMS(
    "One cell holds most of the explanation, {+6.0}: the query is made from the **token** that "
    "stands here"
)
def token_and_note(names: Names) -> float:
    return float(names["preference"][0, 2 + names["prev_head"]])


@CLAIMS(
    "And one cell nobody asked for: **position × position**, {+1.5}. By its place alone the head "
    "prefers what is {15} places back"
)
def position_and_position(names: Names) -> list[float]:
    return [float(names["preference"][1, 1]), names["HALF"] - 1]


@CLAIMS("both score token × previous-token note near {6~0.7}")
def twins(names: Names) -> float:
    """Of the two heads of layer 1 the one that is further from it."""
    parts = torch.cat([names["embedded"], names["notes"]])
    half, queries = names["HALF"], names["second_copy"].tolist()
    means = []
    for head in (0, 1):
        terms = names["score_terms"](names["net"], 1, head, parts)[0, 2 + names["prev_head"]]
        preferred = [float(terms[q, q - half + 1] - terms[q, :q].mean()) for q in queries]
        means.append(sum(preferred) / len(preferred))
    return max(means, key=lambda mean: abs(mean - 6))


@CLAIMS(
    "(On `induction-2l2h`, which has LayerNorm, both stripes are above {>0.8} at every period.)"
)
def stripes_with_layer_norm(names: Names) -> float:
    """The weakest, of both heads and all periods."""
    stripes = []
    for period in names["PERIODS"]:
        block = torch.randint(0, 64, (24, period), generator=torch.Generator().manual_seed(period))
        lines = torch.cat([torch.full((24, 1), names["BOS"]), block, block], 1)
        pattern = model("induction-2l2h").run_with_cache(lines)[1]["pattern", 1]
        queries = torch.arange(period + 1, 2 * period + 1)
        stripes += pattern[:, :, queries, queries - period + 1].mean((0, 2)).tolist()
    return min(stripes)
