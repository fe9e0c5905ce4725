"""The numbers of `03-transformer-from-scratch`."""

from __future__ import annotations

import math
from functools import cache

import torch

from tests.course.numbers import Claims, Names, names_in

CLAIMS = Claims(
    "03-transformer-from-scratch",
    not_measured={
        "0.044715": "a constant of GELU's formula",
        "0.00001": "GPT-2's epsilon",
        "0.001": "the size of an example's entries",
        "0.9": "the p of top-p",
        "2.2": "a head of GPT-2 small, as Wang et al. report it",
        "4.11": "a head of GPT-2 small, as Wang et al. report it",
    },
)
FRESH_TEXTS, LENGTH = 4000, 24


@CLAIMS(
    "exchanging *Mary* and *John* changes nothing in the first layer, and the last logits by {0.02}"
)
def order_without_positions(names: Names) -> float:
    weights = names["library_weights"](names["net"])
    weights["W_pos"] = torch.zeros_like(weights["W_pos"])
    model = names["GPT2"](weights)
    ids = names["net"].to_tokens("When Mary and John went to the")
    turned = ids.clone()
    turned[0, [2, 4]] = ids[0, [4, 2]]
    first = [model.layer(model.embedding(t), 0)[0, -1] for t in (ids, turned)]
    assert float((first[0] - first[1]).abs().max()) < 1e-5
    last = [model(t)[0, -1] for t in (ids, turned)]
    return float((last[0] - last[1]).abs().max())


@CLAIMS("The two differ by less than {<0.0005}.")
def gelu_and_its_approximation(names: Names) -> float:
    x = torch.linspace(-10, 10, 20_001, dtype=torch.float64)
    return float((names["gelu"](x) - torch.nn.functional.gelu(x)).abs().max())


@CLAIMS("{Two thirds=0.667~0.01} of a layer's weights are here.")
def weights_of_the_mlp(names: Names) -> float:
    def count(layer: str) -> int:
        kept = (p for n, p in names["mine"].layers[0].named_parameters() if n.startswith(layer))
        return sum(p.numel() for p in kept)

    return (count("W_in") + count("W_out")) / count("W_")


@CLAIMS("It does not reach the floor of {1.340} nats.")
def the_floor(names: Names) -> float:
    return names["exact_losses"]()["the floor"]


@CLAIMS("for texts of {24} symbols that makes the reachable loss {1.357}")
def reachable(names: Names) -> list[float]:
    return [LENGTH, names["reachable"](LENGTH)]


@cache
def _fresh_losses() -> torch.Tensor:
    """The trained small model's loss on each of many fresh texts: [text]."""
    names = names_in(CLAIMS.assignment)
    texts = names["symbol_texts"](FRESH_TEXTS, LENGTH, seed=12345)
    log_probs = names["small"](texts)[:, :-1].log_softmax(-1)
    return -log_probs.gather(-1, texts[:, 1:, None])[..., 0].mean(-1)


@CLAIMS("On {4000} fresh texts this model has {1.394~0.01} ± {0.003}.")
def loss_of_the_small_model(_: Names) -> list[float]:
    losses = _fresh_losses()
    return [len(losses), float(losses.mean()), float(losses.std() / math.sqrt(len(losses)))]


@CLAIMS(
    "of the gap of {0.054~0.01} nats the blind first position explains {0.017}; the other "
    "{0.037~0.01} are the model's own"
)
def parts_of_the_gap(names: Names) -> list[float]:
    loss, floor = float(_fresh_losses().mean()), names["exact_losses"]()["the floor"]
    known = names["reachable"](LENGTH)
    return [loss - floor, known - floor, loss - known]


@CLAIMS(
    "On average it puts {0.96~0.03} of its attention one position back, the other head {0.06~0.03}."
)
def one_step_back(names: Names) -> list[float]:
    means = names["small_pattern"][0].diagonal(-1, dim1=-2, dim2=-1).mean(-1)
    return sorted(means.tolist(), reverse=True)
