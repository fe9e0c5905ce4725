"""The numbers of `06-induction-heads`."""

from __future__ import annotations

import math

from course.models import model
from tests.course.numbers import Claims, Names

CLAIMS = Claims("06-induction-heads", not_measured={"0.92": "an invented score of exercise 16"})
SENTENCE = "Mr Dofilako said that Mrs Tuvezin met Mr Dofilako, and Mrs Tuvezin was here."


@CLAIMS("no MLPs, {45,000~500} parameters")
def parameters(names: Names) -> float:
    return sum(p.numel() for p in names["net"].parameters())


@CLAIMS(
    "The best anyone can do is to spread the bet over {64} symbols, which costs ln 64 ≈ {4.16} "
    "nats a symbol.",
    "Compare it with ln {64} ≈ {4.16} nats, the price of knowing nothing.",
    "Far left the loss is ln {64} ≈ {4.16} nats, the price of not knowing.",
    "more or less than ln {64} ≈ {4.16}, the price of knowing nothing?",
)
def no_idea(names: Names) -> list[float]:
    return [len(names["ALPHABET"]), math.log(len(names["ALPHABET"]))]


@CLAIMS("and still it is cheaper than {4.16}; while the points just left of it are {dearer=>4.16}.")
def around_the_edge(names: Names) -> list[float]:
    losses, at = names["loss_by_position"](names["net"], names["repeats"]), names["PERIOD"]
    assert losses[at] < math.log(64)
    return [math.log(64), float(losses[at - 3 : at].min())]


@CLAIMS("all four heads of layer 1 put {0.35} to {0.86} of their attention there")
def prefix_matching_in_a_sentence(names: Names) -> list[float]:
    talker = model("tiny-gpt2")
    scores = names["matching_scores"](talker, talker.to_tokens(SENTENCE))[1]
    return [float(scores.min()), float(scores.max())]


def _closed(names: Names, which: str, doors: str) -> float:
    """What it costs to close doors of layer 1 to the previous-token head, in nats."""
    writer = names["plain_prev" if which == "plain_net" else "prev_head"]
    return names["cut_doors"](names[which], names["repeats"], writer, doors, names["knowable_loss"])


@CLAIMS(
    "with the queries little ({0.2} nats). Without its notes in the **keys** the loss rises by "
    "{4.4} nats"
)
def doors_without_layer_norm(names: Names) -> list[float]:
    return [_closed(names, "plain_net", doors) for doors in "qk"]


@CLAIMS(
    "Keys cut off: {1.4} nats. Queries cut off: {1.2}. Both: {more than 5=>5}!",
    "The single clue was a number that did not fit ({1.4} and {1.2}, and then {more than 5=>5}).",
)
def doors_with_layer_norm(names: Names) -> list[float]:
    return [_closed(names, "net", doors) for doors in ("k", "q", "qk")]


@CLAIMS("For the vocabulary of GPT-2 the whole table would be 50,257² numbers, {10} GB.")
def size_of_a_table(_: Names) -> float:
    return 50_257**2 * 4 / 1e9


@CLAIMS("It gets down to about {3~0.25} nats, not to {4.16}")
def one_layer(names: Names) -> list[float]:
    losses = names["loss_by_position"](names["lone"], names["repeats"])
    return [float(losses[names["PERIOD"] + 1 :].mean()), math.log(64)]


@CLAIMS(
    "The second copy costs {0.17} nats, where one layer with plain keys pays {3.06} and two "
    "layers {0.01}."
)
def smeared_keys(names: Names) -> list[float]:
    losses = [names["loss_by_position"](names[m], names["repeats"]) for m in ("lone", "net")]
    return [float(each[names["PERIOD"] + 1 :].mean()) for each in (names["smeared_loss"], *losses)]


@CLAIMS(
    "The stripe of the two heads is {0.77} and {0.38} on lines that repeat, and {0.11} and {0.04} "
    "on lines that do not"
)
def stripes_with_smeared_keys(names: Names) -> list[float]:
    return [float(score) for scores in names["smeared_scores"] for score in scores]


def _formed(names: Names, what: str) -> int:
    return names["when_did_it_form"](names["record"], names["history"][what], 0.5)


@CLAIMS("For {80} steps next to nothing can be seen")
def nothing_before(names: Names) -> float:
    """The last recorded step at which the stripe has under a tenth of its final value."""
    stripe = names["history"]["stripe − control"]
    return max(s for s, v in zip(names["record"], stripe, strict=True) if v < 0.1 * stripe[-1])


@CLAIMS(
    "at step 110 its attention to the previous place has only {doubled=2~0.4}, but so has that of "
    "the other head of layer 0"
)
def the_previous_token_head_at_the_jump(names: Names) -> float:
    looks = names["history"]["looks one step back"]
    return looks[names["record"].index(110)] / looks[0]


@CLAIMS(
    "At half of its final value it arrives *later* (step {160}) than the induction head that "
    "lives on it ({120})!"
)
def arrivals(names: Names) -> list[float]:
    return [_formed(names, what) for what in ("looks one step back", "stripe − control")]


@CLAIMS("By the same rule it was there at step {0}, before any training")
def composition_at_chance(names: Names) -> float:
    return _formed(names, "K-composition")
