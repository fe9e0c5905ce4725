"""The numbers of `04-transformerlens`."""

from __future__ import annotations

import math

import torch

from tests.course.numbers import Claims, Names

CLAIMS = Claims(
    "04-transformerlens",
    not_measured={"4.3": "a version of the library", "0.98": "an invented effect of exercise 18"},
)
FOUR = [(0, 0), (0, 1), (0, 3), (1, 0)]
FIVE = [(0, 0), (0, 1), (0, 3), (1, 1), (1, 3)]
LOUD = [0, 1, 2, 3, 7, 12]  # positions


@CLAIMS("this model has a vocabulary of {1280} tokens")
def vocabulary(names: Names) -> float:
    return names["net"].cfg.d_vocab


@CLAIMS("A logit difference of 3 means that the right one is e³ ≈ {20} times as likely")
def three_logits(_: Names) -> float:
    return math.exp(3)


@CLAIMS(
    "{1.33} for Mary, whose probability is {0.0006}, and {417} tokens are likelier.",
)
def without_attention_in_layer_0(names: Names) -> list[float]:
    mary, at_end = names["mary"], names["silenced"][0, -1]
    difference = float(names["logit_diff"](names["silenced"], mary, names["john"]))
    likelier = int((at_end > at_end[mary[0]]).sum())
    return [difference, float(at_end.softmax(-1)[mary[0]]), likelier]


@CLAIMS("The cache of this model has {93} names")
def names_in_the_cache(names: Names) -> float:
    return len(names["cache"])


@CLAIMS(
    "Heads 1.0 and 1.1 keep looking at position 4 ({0.85} and {0.92} of their attention, {0.98} "
    "and {1.00} with the exchanged keys), and 1.3 at position 2 ({1.00} and {0.99})"
)
def heads_that_look_for_a_place(names: Names) -> list[float]:
    own, other = names["own_keys"], names["other_keys"]  # [head key]
    at_4 = [float(keys[head, 4]) for keys in (own, other) for head in (0, 1)]
    return [*at_4, float(own[3, 2]), float(other[3, 2])]


@CLAIMS("Head 1.2 divides its attention: {0.88} at position 2, and {0.48} with the exchanged keys.")
def the_head_that_does_not(names: Names) -> list[float]:
    return [float(names[keys][2, 2]) for keys in ("own_keys", "other_keys")]


@CLAIMS(
    "at the end of our sentence the stream has {twice=2~0.15} the token's own embedding in it "
    "after layer 0, as a projection, and {−1.4} times after layer 1"
)
def own_embedding_in_the_stream(names: Names) -> list[float]:
    cache = names["cache"]
    token = cache["embed"][0, -1]
    return [float(cache["resid_post", n][0, -1] @ token / (token @ token)) for n in (0, 1)]


@CLAIMS(
    "The embeddings whisper (norms of {1~0.5} to {2~0.5}), and the last MLP shouts, but not "
    "everywhere: its norm is above {>90} at positions 0, 1, 2, 3, 7 and 12, and below {<31} at all "
    "others."
)
def norms_of_parts(names: Names) -> list[float]:
    norms = names["parts"][:, 0].norm(dim=-1)  # [part pos]
    last = norms[-1]
    quiet = [p for p in range(len(last)) if p not in LOUD]
    return [
        *(float(x) for x in norms[:2].aminmax()),
        float(last[LOUD].min()),
        float(last[quiet].max()),
    ]


@CLAIMS(
    "the entropy of the model's prediction is {1.1} to {5.5} nats there, and at most {0.7} "
    "elsewhere."
)
def entropies(names: Names) -> list[float]:
    probs = names["logits"][0].softmax(-1)
    entropy = -(probs * probs.log()).sum(-1)  # [pos]
    quiet = [p for p in range(len(entropy)) if p not in LOUD]
    return [float(entropy[LOUD].min()), float(entropy[LOUD].max()), float(entropy[quiet].max())]


@CLAIMS("In place: {10.3} logits; a copy: {none=0}.")
def a_hook_that_returns_nothing(names: Names) -> list[float]:
    point, net = "blocks.0.attn.hook_z", names["net"]
    return [
        float(
            (net.run_with_hooks(names["ids"], fwd_hooks=[(point, edit)]) - names["logits"])
            .abs()
            .max()
        )
        for edit in (names["edits_in_place"], names["edits_a_copy"])
    ]


@CLAIMS("What is left in the mean is in layer 0: 0.1 above all ({−7.5}), and 0.3 ({−3.2}).")
def zero_ablation(names: Names) -> list[float]:
    return [float(names["by_zero"][0, head].mean()) for head in (1, 3)]


@CLAIMS(
    "0.1 is dear in both ({−7.5} and {−7.2}). 0.3 is dear if it is set to zero ({−3.2}), and not "
    "if it goes on saying what it says on average ({+0.9})"
)
def zero_and_mean_ablation(names: Names) -> list[float]:
    return [float(names[by][0, h].mean()) for h in (1, 3) for by in ("by_zero", "by_mean")]


@CLAIMS(
    "The head of layer 0 that costs {more than seven=>7} logits when it is gone writes "
    "{less than two=<2} of them itself."
)
def total_and_direct_effect(names: Names) -> list[float]:
    layer, head = names["key_head"]
    written = names["of_heads"].mean(1)[layer * names["net"].cfg.n_heads + head]
    return [-float(names["by_mean"][layer, head].mean()), float(written)]


@CLAIMS("Before layer 1, all of it is at the end of the text ({1.01}, and {0.00} everywhere else).")
def route_of_the_answer(names: Names) -> list[float]:
    before_layer_1 = names["route"][1]
    return [float(before_layer_1[-1]), float(before_layer_1[:-1].abs().max())]


@CLAIMS(
    "Head 0.1 is enough ({1.00}) and needed ({0.99}). Head 1.2 brings back {0.30} by itself, and "
    "without it {0.32} is lost: it passes on some of what 0.1 has brought. Nothing else does as "
    "much as {<0.05}."
)
def denoising_and_noising(names: Names) -> list[float]:
    grids = names["denoised"], names["noised_heads"]
    named = [float(grid[spot]) for spot in ((0, 1), (1, 2)) for grid in grids]
    rest = [
        float(grid[spot].abs())
        for grid in grids
        for spot in names["all_heads"]
        if spot not in ((0, 1), (1, 2))
    ]
    return [*named, max(rest)]


@CLAIMS(
    "Head 0.1 costs {7.5}, {7.2} and {5.4} logits, and stays the first. Head 0.2 seems to work "
    "*against* the answer if its output is zero or a mean ({+1.3}, {+1.7}), and does nothing if "
    "it is another text's ({−0.1})"
)
def three_ablations(names: Names) -> list[float]:
    other = names["by_other"].reshape(2, 4)
    grids = (names["by_zero"].mean(-1), names["by_mean"].mean(-1), other)
    return [*(-float(grid[0, 1]) for grid in grids), *(float(grid[0, 2]) for grid in grids)]


def _circuit(names: Names, heads: list[tuple[int, int]]) -> tuple[float, list[float], list[float]]:
    """Logit difference, probabilities of the right names, and how many tokens are likelier."""
    right = names["right_of_both"]
    ends = names["keep_heads"](names["net"], names["both"], heads, names["alike"])[:, -1]
    ahead = float(names["logit_diff"](ends[:, None], right, names["wrong_of_both"]).mean())
    chances = ends.softmax(-1).gather(1, right[:, None])[:, 0]
    likelier = (ends > ends.gather(1, right[:, None])).sum(1)
    return ahead, chances.tolist(), likelier.tolist()


@CLAIMS(
    "Four heads (0.0, 0.1, 0.3, 1.0) have a logit difference of {6.7}, more than the whole "
    "model's {5.4}. By that measure they are more than the whole truth. But the right name has a "
    "probability of {0.02} and {0.005}, and {eleven=11} or {seventeen=17} tokens are likelier"
)
def a_circuit_of_four(names: Names) -> list[float]:
    ahead, chances, likelier = _circuit(names, FOUR)
    return [ahead, _circuit(names, names["all_heads"])[0], *chances, *likelier]


@CLAIMS("Five heads (0.0, 0.1, 0.3, 1.1, 1.3) keep both: {5.8} logits, and {0.97} and {0.89}.")
def a_circuit_of_five(names: Names) -> list[float]:
    ahead, chances, _ = _circuit(names, FIVE)
    return [ahead, *chances]


@CLAIMS("There are {56} and {70} sets to try.")
def sets_of_heads(names: Names) -> list[float]:
    return [math.comb(len(names["all_heads"]), size) for size in (5, 4)]


@CLAIMS(
    "The predictions and the patterns are the same but for rounding ({1.5e-5~3e-5} and "
    "{4e-7~1e-6}). The logits move by up to {0.82}, the residual stream by up to {0.87}"
)
def compatibility_mode(names: Names) -> list[float]:
    gaps = names["compare_modes"](names["tiny_folder"], names["ids"].cpu())
    return [gaps[what] for what in ("log_probs", "pattern", "logits", "resid_post")]


@CLAIMS(
    "agrees with your `direct_attribution` in compatibility mode (to {6e-6~2e-5} on our "
    "sentences) and **not** without it: there it leaves out the layer norm's weights `w`, which "
    "compatibility mode has folded into `W_U`. For `1_attn_out` of our sentence it says {2.5} "
    "where the truth is {4.4}."
)
def attribution_in_both_modes(names: Names) -> list[float]:
    both, right, wrong = names["both"], names["right_of_both"], names["wrong_of_both"]
    folded = names["TransformerBridge"].boot_transformers(names["tiny_folder"], device="cpu")
    folded.enable_compatibility_mode(disable_warnings=True)
    ours = names["direct_attribution"](names["net"], names["both_parts"], right, wrong)
    theirs = []
    for bridge in (folded, names["net"]):
        cache = bridge.run_with_cache(both)[1]
        parts = cache.decompose_resid(pos_slice=-1)
        options = {"tokens": right, "incorrect_tokens": wrong, "pos_slice": -1}
        theirs.append(cache.logit_attrs(parts, **options))
    row = names["both_names"].index("1_attn_out")
    gap = float(torch.max(torch.abs(theirs[0] - ours)))
    return [gap, float(theirs[1][row, 0]), float(ours[row, 0])]
