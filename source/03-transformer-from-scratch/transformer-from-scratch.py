# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#       format_version: '1.3'
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # A transformer from scratch
#
# Run the next cell (**Shift+Enter**; the first time it takes some ten seconds). It loads a small language model of
# the GPT-2 kind with somebody else's code, and asks it how a sentence goes on. **What do you expect?**

# %%
print("Loading the libraries and the model …")
import math
import secrets
import time

import torch

from course import checks, drawings, plots, viewer
from course.calls import call_keeping, remove_hooks, state, theirs, vjp
from course.models import available, model, weights

net = model("tiny-gpt2")
prompt = "The capital of France is"
prompt_ids = net.to_tokens(prompt)  # [1 pos], int64; the first token marks the beginning
prompt_tokens = ["⊢", *net.to_str_tokens(prompt)[1:]]  # ⊢ stands for the beginning
with torch.no_grad():
    prompt_logits, prompt_cache = net.run_with_cache(prompt_ids)


WORDS = [net.tokenizer.decode([i]) for i in range(net.cfg.d_vocab)]  # the text of each token


def next_tokens(title, logits):
    """The likeliest tokens after the last position; logits: label -> [1 pos d_vocab]."""
    bets = {name: t[0, -1].softmax(dim=-1) for name, t in logits.items()}  # each [d_vocab]
    return plots.next_tokens(bets, WORDS, k=8, title=title)


next_tokens(f"{prompt} …", {"library": prompt_logits})

# %% [markdown]
# You will make this picture again with **not one line of that library**: every operation between the text and the
# bars will be a function that you wrote. A text is cut into **tokens**, each with a number, its *id*. The model
# reads a row of ids, and at every position makes a bet (in the field: a **prediction**) on which id comes next.
# In between it carries one vector for each position. The place where these vectors live is the **residual
# stream**. Every part of the model reads it, computes something, and *adds* the result:
#
# ```
# tokens              [batch pos]              ids
#    │  embed                                  look up a vector for each id and each position   1
#    ▼
# residual stream     [batch pos d_model]
#    │
#    ├─► layer norm ─► attention ─┐            move information between positions             2–6
#    │ + ◄────────────────────────┘
#    ├─► layer norm ─► MLP ───────┐            think about each position by itself            7–8
#    │ + ◄────────────────────────┘
#    ⋮   the same again, once for each layer                                                  9
#    ▼  layer norm, unembed                    a score for each token of the vocabulary      10
# logits              [batch pos d_vocab]
# ```
#
# **The core is exercises 1 to 10: about 90 minutes, and your GPT-2 runs.** The rest can wait, and be done in any order:
# read the weights from their file (11), let it write (12–16), make it fast (17), train one of your own (18–19). Your
# instructor says how much of it counts.
#
# Each exercise is **a function of plain tensors**. What it needs of another part it is *given* as a function, so a
# mistake in one never spoils the next. The tests hold every function to three rules:
#
# * **dtype**: the result has the dtype of the tensors that you are given, `float32` or `float64`. (A tensor that you
#   make, as by `torch.zeros(2, 5)`, is `float32` unless you say `dtype=x.dtype`.)
# * **arguments** stay as they are: make new tensors.
# * **gradients** reach every tensor of numbers that you are given. NumPy, `.item()`, `.detach()`, `torch.no_grad()` and
#   `torch.tensor([…])` cut the thread along which they run back. (Not in 11 to 16: nothing is trained through those.)
#
# The stream again, with what reads it and what writes to it:

# %%
drawings.residual_stream(layers=2)

# %% [markdown]
# After each exercise your function is held against the library's insides:


# %%
def gap(what, mine, library):
    """One line: how far a tensor of yours is from the library's."""
    furthest = float((mine.detach() - library.detach()).abs().max())
    return f"{what}: furthest from the library {furthest:.0e}, its largest entry {float(library.abs().max()):.1f}"


# %% [markdown]
# ---
# ## 1 · From ids to vectors
#
# Difficulty ●○○○○ · Importance ●●●○○ · 5 minutes · core
#
# An id such as 310 says nothing by its size: token 311 is no louder than 310. So the first step is a
# table. `W_E[d_vocab d_model]` has one row for each token, and the row is what the model knows about
# the token before it has read anything else.
#
# A second table is for the place. What follows (attention) compares tokens, not distances: without help, the last
# word of "dog bites man, says she" would read in the first layer exactly what it reads in "man bites dog, says
# she". `W_pos[n_ctx d_model]` has one row for each position 0, 1, 2, …, and the row of the position is **added** to
# the row of the token. Both tables are learnt. (In the field: **token embedding** and **positional embedding**. A
# model without the second is not lost: a later position may see more than an earlier one, and from the second layer
# on order can be read from that, as [Haviv et al. 2022](https://arxiv.org/abs/2203.16634) found. In `tiny-gpt2` without
# it, exchanging *Mary* and *John* changes nothing in the first layer, and the last logits by 0.02.)
#
# Write `embed`.
#
# * `tokens[batch pos]` are ids, the result is `[batch pos d_model]`.
# * The token in column *i* stands at position `start + i`. `start` is 0 unless we go on with a text
#   whose beginning has been read before; exercise 17 will need it.
# * The text may be shorter than `n_ctx`, the number of rows of `W_pos`.
#
# <details><summary>Hint 1: many rows of a table at once</summary>
#
# A tensor can be indexed by a tensor of integers: `table[ids]` has the shape of `ids`, followed by the
# shape of one row.
# </details>
# <details><summary>Hint 2: which rows of W_pos?</summary>
#
# They do not depend on the tokens, only on how many there are. With `start=2` and three tokens they
# are rows 2, 3, 4: a slice. It has the shape `[pos d_model]`, and broadcasting gives it to every text
# of the batch.
# </details>


# %% nbgrader={"grade": false, "grade_id": "embed", "locked": false, "schema_version": 3, "solution": true, "task": false}
def embed(
    tokens: torch.Tensor, W_E: torch.Tensor, W_pos: torch.Tensor, start: int = 0
) -> torch.Tensor:
    """The residual stream at its beginning: the token's row plus the position's row.

    tokens: int64 [batch pos]. W_E: [d_vocab d_model]. W_pos: [n_ctx d_model].
    start: the position of the first column. Returns: [batch pos d_model].
    """
    ### BEGIN SOLUTION
    places = W_pos[start : start + tokens.shape[1]]  # [pos d_model]
    return W_E[tokens] + places  # [batch pos d_model]
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "embed_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
rows = torch.tensor([[10.0, 20.0], [30.0, 40.0], [50.0, 60.0]])  # of the tokens 0, 1 and 2
places = torch.tensor([[0.1, 0.2], [0.3, 0.4], [0.5, 0.6], [0.7, 0.8]])
toks = torch.tensor([[2, 1, 0], [1, 1, 0]])
got = embed(toks, rows, places)
checks.check_tensor(got, "embed", dtype=torch.float32)
checks.check_shape(got, (2, 3, 2), "embed of tokens [2 3]", axes="batch pos d_model")
checks.check_close(
    got[1, 2],
    torch.tensor([10.5, 20.6]),
    "embed of token 0 at position 2 of the second text",
    slips={
        "Where do the positions come in?": torch.tensor([10.0, 20.0]),
        "It got row 0 of W_pos: rows of W_pos belong to places, not to tokens.": torch.tensor(
            [10.1, 20.2]
        ),
        "It got the place of another column, or of the text's number.": torch.tensor([10.3, 20.4]),
        "Positions are counted from 0.": torch.tensor([10.7, 20.8]),
        "The two rows are added, not multiplied.": torch.tensor([5.0, 12.0]),
    },
)
want = torch.tensor(
    [[[50.1, 60.2], [30.3, 40.4], [10.5, 20.6]], [[30.1, 40.2], [30.3, 40.4], [10.5, 20.6]]]
)
checks.check_close(got, want, "embed of the tokens 2, 1, 0 and 1, 1, 0", axes="batch pos d_model")
later = embed(torch.tensor([[1], [2]]), rows, places, start=3)
checks.check_shape(later, (2, 1, 2), "embed of tokens [2 1]", axes="batch pos d_model")
checks.check_close(
    later,
    torch.tensor([[[30.7, 40.8]], [[50.7, 60.8]]]),
    "embed with start=3",
    hint="With start=3 the first token stands at position 3: row 3 of W_pos.",
)
checks.check_rules(embed, (toks, rows, places, 1), "embed", names=("tokens", "W_E", "W_pos"))
assert len(got) == 2

# %% nbgrader={"grade": true, "grade_id": "embed_test_2", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: random tables and tokens, several starts, a long text, against a loop; the three rules.
### BEGIN HIDDEN TESTS
seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)
for first, length, kind in (
    (0, 5, torch.float64),
    (3, 5, torch.float32),
    (4, 5, torch.float64),
    (1, 200, torch.float32),  # longer than the vocabulary and than any text of a visible test
    (0, 1, torch.float32),
):
    table = torch.randn(11, 6, generator=g, dtype=torch.float64).to(kind)
    spots = torch.randn(length + 4, 6, generator=g, dtype=torch.float64).to(kind)
    toks = torch.randint(0, 11, (3, length), generator=g)
    toks[1, -1] = toks[1, 0]  # one token twice in a text
    toks[2] = toks[0]
    toks[2, length // 2] = (toks[0, length // 2] + 1) % 11  # two texts that differ at one place
    want = torch.zeros(3, length, 6, dtype=kind)
    for b in range(3):
        for p in range(length):
            want[b, p] = table[int(toks[b, p])] + spots[first + p]
    what = f"embed of tokens [3 {length}] with start={first}, seed {seed}"
    got = embed(toks, table, spots, first)
    checks.check_close(got, want, what, axes="batch pos d_model")
    if length < 9:
        arguments = (toks, table, spots, first)
        checks.check_rules(embed, arguments, what, names=("tokens", "W_E", "W_pos"))
assert seed >= 0
### END HIDDEN TESTS

# %%
with torch.no_grad():
    start_of_stream = embed(prompt_ids, net.W_E, net.W_pos)
gap("embed", start_of_stream, prompt_cache["blocks.0.hook_resid_pre"])

# %% [markdown]
# What has the model learnt about places? The picture shows, for each pair of positions, how alike their
# rows of `W_pos` are (the cosine of the angle between them: 1 is the same direction, 0 is none at all). **What do
# you expect** near the diagonal, and far from it?


# %%
def cosines(table):
    """Cosine similarity of each pair of rows: [row row]."""
    unit = table / table.norm(dim=-1, keepdim=True)
    return unit @ unit.T


plots.matrix(
    cosines(net.W_pos.detach()[:64]),
    axes=("position", "position"),
    unit="cosine",
    title="How alike are the positions?",
)

# %% [markdown]
# <details><summary>What this shows</summary>
#
# Positions that are near each other have similar rows, and the likeness falls with the distance. So a later part
# can find "one step back" or "somewhere near". (The training of this small model began with rows made from sines, and it
# has kept their smoothness; in GPT-2 it grew out of noise.)
# </details>

# %% [markdown]
# ---
# ## 2 · Layer norm
#
# Difficulty ●●○○○ · Importance ●●●●○ · 10 minutes · core
#
# Many parts add to the stream, so its vectors grow from layer to layer. A part that reads it wants to
# see numbers of one size. **Layer norm** (Ba et al. 2016, *Layer Normalization*, Section 3) takes each
# vector **by itself**, moves its entries so that their mean is 0, scales them so that their variance is
# 1, and then gives each entry a learnt scale and shift:
#
# $$\mathrm{out}_i \;=\; \frac{x_i - \mu}{\sqrt{\sigma^2 + \varepsilon}}\; w_i + b_i
# \qquad \mu = \tfrac1d\sum_i x_i \qquad \sigma^2 = \tfrac1d\sum_i (x_i-\mu)^2$$
#
# The sums run over the *d* entries of one vector: no other position and no other text plays a part.
# The small ε (GPT-2: 0.00001) keeps the division alive when all entries are equal. Note where it
# stands: *inside* the root. With ordinary inputs nobody sees the difference. With entries of size
# 0.001 the whole result depends on it, and your tests will have such inputs.
#
# Write `layer_norm`.
#
# * `x[... d_model]` may have any axes before the last; the result has its shape and dtype.
# * The result must also be right when μ is far larger than σ. (On paper σ² is the mean of the squares
#   minus the square of the mean. In `float32`, with entries around 1000, that difference is noise.)
#
# <details><summary>Hint 1: one mean for each vector</summary>
#
# `x.mean(dim=-1)` has one axis less than `x`, and cannot be subtracted from it by broadcasting as it
# is. `keepdim=True` leaves an axis of size 1 in its place.
# </details>
# <details><summary>Hint 2: which variance?</summary>
#
# The formula divides by *d*. `torch.var` divides by *d − 1* unless told otherwise: that is the estimate
# of the variance of a population from a sample, and a vector is not a sample. Either tell it, or take
# the mean of the squares of what Hint 1 gave you.
# </details>
# <details><summary>Hint 3: it is right for ordinary inputs and fails the hidden test</summary>
#
# Write your denominator on paper and put σ = 0.001, ε = 0.00001 into it. The formula gives 0.0033.
# </details>


# %% nbgrader={"grade": false, "grade_id": "layer_norm", "locked": false, "schema_version": 3, "solution": true, "task": false}
def layer_norm(x: torch.Tensor, w: torch.Tensor, b: torch.Tensor, eps: float) -> torch.Tensor:
    """Each vector along the last axis with mean 0 and variance 1, then scaled by w, shifted by b.

    x: [... d_model]. w, b: [d_model]. Returns: the shape of x.
    """
    ### BEGIN SOLUTION
    centred = x - x.mean(dim=-1, keepdim=True)  # [... d_model]
    variance = centred.square().mean(dim=-1, keepdim=True)  # [... 1]
    return centred / (variance + eps).sqrt() * w + b
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "layer_norm_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
x = torch.tensor([[[1.0, 2, 3, 6], [10, -10, 10, -10]], [[0.5, 0, 0, -2], [1, 1, 1, 5]]])
got = layer_norm(x, torch.ones(4), torch.zeros(4), 1e-5)
checks.check_tensor(got, "layer_norm", dtype=torch.float32)
checks.check_shape(got, (2, 2, 4), "layer_norm of x [2 2 4]", axes="batch pos d_model")
means = [sum(vector) / 4 for vector in got.flatten(0, 1).tolist()]
assert max(abs(m) for m in means) < 1e-4, (
    f"with w=1 and b=0 every vector must have mean 0, yours have {[round(m, 3) for m in means]}: "
    "over which axis do you take the mean?"
)
spreads = [sum(v * v for v in vector) / 4 for vector in got.flatten(0, 1).tolist()]
assert not all(abs(s - 0.75) < 1e-3 for s in spreads), (
    "the variance of your vectors is 3/4 where it must be 1: the squares were divided by d - 1 = 3"
)
assert all(abs(s - 1) < 1e-3 for s in spreads), (
    f"with w=1 and b=0 every vector must have variance 1, yours have {[round(s, 3) for s in spreads]}"
)
checks.check_close(
    got[0, 0], torch.tensor([-1.06904, -0.53452, 0.0, 1.60357]), "layer_norm of [1, 2, 3, 6]"
)
checks.check_close(
    layer_norm(x, torch.full((4,), 3.0), torch.tensor([0.0, 0.0, 0.0, 5.0]), 1e-5) - 3 * got,
    torch.tensor([0.0, 0.0, 0.0, 5.0]).expand(2, 2, 4),
    "layer_norm with w=3 and b=[0, 0, 0, 5], minus three times the one with w=1 and b=0",
    hint="w multiplies the normalised vector, entry by entry, and b is added after it.",
    slips={
        "b is added before w multiplies: it comes after.": torch.tensor(
            [0.0, 0.0, 0.0, 15.0]
        ).expand(2, 2, 4),
        "b is not added.": torch.zeros(2, 2, 4),
    },
    atol=1e-4,
)
tiny = layer_norm(torch.tensor([[0.001, -0.001]]), torch.ones(2), torch.zeros(2), 8e-6)
checks.check_close(
    tiny[0, 0],
    1 / 3,
    "layer_norm of [0.001, -0.001] with eps = 0.000008, first entry",
    slips={
        "eps is added to the root, not inside of it.": 0.99206,
        "Where is eps?": 1.0,
        "eps is an argument: it is not always 0.00001.": 0.30151,
    },
    atol=1e-4,
)
far = layer_norm(torch.tensor([[20001.0, 19999.0]]), torch.ones(2), torch.zeros(2), 1e-5)
checks.check_close(
    far,
    torch.tensor([[1.0, -1.0]]),
    "layer_norm of [20001, 19999]",
    hint="Is the variance a difference of two large numbers?",
    atol=0.01,
)
checks.check_rules(
    layer_norm, (x, torch.tensor([1.0, 2, 3, 4]), torch.ones(4), 0.1), "layer_norm", names="xwb"
)
assert len(got) == 2

# %% nbgrader={"grade": true, "grade_id": "layer_norm_test_2", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Hidden: random x, w and b of several shapes against a loop; the three rules.
### BEGIN HIDDEN TESTS
seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)


def normalised(x, w, b, eps):
    """The formula, vector by vector, in Python's own numbers."""
    out = []
    for vector in x.double().reshape(-1, x.shape[-1]).tolist():
        mu = math.fsum(vector) / len(vector)
        spread = math.fsum((v - mu) ** 2 for v in vector) / len(vector)
        scaled = [(v - mu) / math.sqrt(spread + eps) for v in vector]
        out.append([v * float(s) + float(t) for v, s, t in zip(scaled, w, b, strict=True)])
    return torch.tensor(out, dtype=torch.float64).reshape(x.shape).to(x.dtype)


for shape, kind in (
    ((2, 5, 6), torch.float64),
    ((3, 4), torch.float32),
    ((7,), torch.float64),
    ((2, 3, 4, 5), torch.float32),
    ((1, 300), torch.float32),
):
    x = 3 * torch.randn(shape, generator=g, dtype=torch.float64).to(kind) + 1
    x[..., 0] = 0.0
    w = torch.randn(shape[-1], generator=g, dtype=torch.float64).to(kind)
    b = torch.randn(shape[-1], generator=g, dtype=torch.float64).to(kind)
    what = f"layer_norm of a random x {list(shape)}, seed {seed}"
    checks.check_close(layer_norm(x, w, b, 1e-5), normalised(x, w, b, 1e-5), what)
    if x.numel() < 100:
        checks.check_rules(layer_norm, (x, w, b, 1e-5), what, names="xwb")
assert seed >= 0
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "layer_norm_test_3", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Hidden: where eps matters (tiny entries, large eps, equal entries), and where the mean is large.
### BEGIN HIDDEN TESTS
seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)
w = torch.rand(6, generator=g, dtype=torch.float64) + 0.5
b = torch.randn(6, generator=g, dtype=torch.float64)
raw = torch.randn(2, 5, 6, generator=g, dtype=torch.float64)
cases = {
    "entries of size 0.001": (raw / 1000, 1e-5),
    "entries of size 0.001 and a smaller eps": (raw / 1000, 1e-7),
    "eps = 0.1": (raw, 0.1),
    "vectors of six equal entries": (raw[..., :1].expand(2, 5, 6).contiguous(), 1e-5),
}
for what, (x, eps) in cases.items():
    checks.check_close(
        layer_norm(x, w, b, eps),
        normalised(x, w, b, eps),
        f"layer_norm of {what}, seed {seed}",
        hint="Where does eps stand?",
        atol=1e-7,
        rtol=1e-6,
    )
x = (raw + 1000).float()  # in float32 the square of 1000 has no digits left for a variance of 1
got = layer_norm(x, w.float(), b.float(), 1e-5)
checks.check_tensor(got, "layer_norm", dtype=torch.float32)
far = float(torch.max(torch.abs(got.double() - normalised(x, w, b, 1e-5))))
assert far < 0.01, (
    f"entries around 1000: off by {far:.1g}. Is the variance a difference of two large numbers? "
    f"[seed {seed}]"
)
### END HIDDEN TESTS

# %%
ln1 = net.blocks[0].ln1
with torch.no_grad():
    read_by_attention = layer_norm(start_of_stream, ln1.weight, ln1.bias, net.cfg.eps)
gap("layer norm", read_by_attention, prompt_cache["blocks.0.ln1.hook_out"])

# %% [markdown]
# ---
# ## 3 · Heads
#
# Difficulty ●●○○○ · Importance ●●●●○ · 10 minutes · core
#
# Attention is the only part of a transformer that moves information from one position to another. A
# layer has several **heads**, which work side by side and know nothing of each other. Each makes three
# short vectors out of every position's long one:
#
# * a **query**: what this position is looking for;
# * a **key**: what this position offers to those who look;
# * a **value**: what it hands over to those who look here.
#
# (The position that looks is also called the **destination**, the one that is looked at the **source**.) All three
# are made in the same way, with weights of their own: head *h* multiplies the vector
# `[d_model]` by its matrix `W[h]`, which is `[d_model d_head]`, and adds its bias `bias[h]`, which is
# `[d_head]`. Think of the matrix as a choice: of all that is written in the stream, this head reads
# `d_head` numbers.
#
# Write `project_to_heads`, once for all three, and for all heads at once:
# `x[batch pos d_model]` and `W[head d_model d_head]` give `[batch pos head d_head]`.
#
# <details><summary>Hint 1: letters for axes</summary>
#
# `torch.einsum` multiplies and sums by letters: letters that are missing on the right of the arrow are
# summed over. Give each of the axes batch, pos, d_model, head, d_head a letter, write the letters of
# `x`, of `W` and of the result. Which one is summed?
# </details>
# <details><summary>Hint 2: as a loop first</summary>
#
# For one head it is `x @ W[h] + bias[h]`, of shape `[batch pos d_head]`. Do this for every `h`, and
# stack the results along the axis where `head` belongs.
# </details>
# <details><summary>Hint 3: reshaping is not transposing</summary>
#
# `W.reshape(d_model, -1)` has the right shape and the wrong numbers: it fills a new table with the same
# numbers in the same order. To bring `d_model` to the front, `permute` or `movedim` first.
# </details>


# %%
drawings.attention_head()


# %% nbgrader={"grade": false, "grade_id": "project_to_heads", "locked": false, "schema_version": 3, "solution": true, "task": false}
def project_to_heads(x: torch.Tensor, W: torch.Tensor, bias: torch.Tensor) -> torch.Tensor:
    """Every head's own linear map of every position: queries, keys or values.

    x: [batch pos d_model]. W: [head d_model d_head]. bias: [head d_head].
    Returns: [batch pos head d_head].
    """
    ### BEGIN SOLUTION
    return torch.einsum("bpd,hde->bphe", x, W) + bias
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "project_to_heads_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
x = torch.tensor([[[1.0, 0, 0], [0, 0, 1]], [[0, 1, 0], [0, 0, 0]]])  # two texts, d_model 3
W = torch.arange(24.0).reshape(4, 3, 2)  # four heads, d_head 2
got = project_to_heads(x, W, torch.zeros(4, 2))
checks.check_tensor(got, "project_to_heads", dtype=torch.float32)
checks.check_shape(
    got, (2, 2, 4, 2), "project_to_heads of x [2 2 3], W [4 3 2]", axes="batch pos head d_head"
)
for h in range(4):
    checks.check_close(
        got[0, 1, h],
        W[h, 2],
        f"position 1 is the third unit vector, so head {h} there gives the third row of W[{h}]",
        hint="Is W reshaped where its axes should be permuted?",
        slips={"Every head got the numbers of head 0.": W[0, 2]},
    )
checks.check_close(got[1, 0], W[:, 1], "the second text has the second unit vector at position 0")
shifts = torch.tensor([[0.0, 0.0], [0.0, 7.0], [0.0, 0.0], [0.0, 0.0]])
difference = project_to_heads(x, W, shifts) - got
assert not bool((difference == 0).all()), "where is the bias?"
assert float(difference[0, :, 1, 1].min()) == 7 and float(difference.sum()) == 28, (
    "bias[1, 1] = 7 must add 7 to entry 1 of head 1 at all positions, and nothing else: after the "
    "product, not before"
)
checks.check_rules(project_to_heads, (x, W, shifts), "project_to_heads", names=("x", "W", "bias"))
assert len(got) == 2

# %% nbgrader={"grade": true, "grade_id": "project_to_heads_test_2", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: random x, W and bias against a loop over every number; the three rules.
### BEGIN HIDDEN TESTS
seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)
for heads, length, wide, narrow, kind in (
    (3, 5, 6, 2, torch.float64),
    (2, 5, 4, 5, torch.float32),
    (3, 3, 3, 3, torch.float64),  # every axis but batch of one size
    (1, 60, 2, 3, torch.float32),
):
    x = torch.randn(2, length, wide, generator=g, dtype=torch.float64).to(kind)
    x[0, 1] = 0.0
    W = torch.randn(heads, wide, narrow, generator=g, dtype=torch.float64).to(kind)
    bias = torch.randn(heads, narrow, generator=g, dtype=torch.float64).to(kind)
    xs, Ws, biases = x.tolist(), W.tolist(), bias.tolist()
    want = torch.zeros(2, length, heads, narrow, dtype=torch.float64)
    for b in range(2):
        for p in range(length):
            for h in range(heads):
                for e in range(narrow):
                    products = [xs[b][p][d] * Ws[h][d][e] for d in range(wide)]
                    want[b, p, h, e] = math.fsum(products) + biases[h][e]
    what = f"project_to_heads of x [2 {length} {wide}], W [{heads} {wide} {narrow}], seed {seed}"
    got = project_to_heads(x, W, bias)
    checks.check_close(got, want.to(kind), what, axes="batch pos head d_head")
    if length < 9:
        checks.check_rules(project_to_heads, (x, W, bias), what, names=("x", "W", "bias"))
assert seed >= 0
### END HIDDEN TESTS

# %%
with torch.no_grad():
    prompt_q, prompt_k, prompt_v = (
        project_to_heads(read_by_attention, matrices[0], biases[0])
        for matrices, biases in ((net.W_Q, net.b_Q), (net.W_K, net.b_K), (net.W_V, net.b_V))
    )
gap("queries of layer 0", prompt_q, prompt_cache["q", 0])

# %% [markdown]
# ---
# ## 4 · Not looking ahead
#
# Difficulty ●●○○○ · Importance ●●●●● · 10 minutes · core
#
# A model that bets on the next token at *every* position must not see it. In training all positions of
# a text are predicted at once, and the answer for position 3 stands right there, at position 4. So a
# position may look at itself and at what came before, and at nothing later. This is called a **causal
# mask**.
#
# It acts on the *scores*, one number for each query and key, before they become probabilities. Where a
# key must not be seen, the score is replaced by −∞. The next step is a softmax, which takes the
# exponential of each score, and e^−∞ is exactly 0: no probability is left there, and what remains is
# shared among the keys that may be seen.
#
# Write `causal_mask(scores[batch head query key])`, which returns a **new** tensor of the same shape and
# dtype: `float("-inf")` where the key comes after the query, and the untouched score everywhere else.
#
# There are usually as many queries as keys. But when a text that has been read already is continued
# (exercise 17), only its new end asks, and all of it is asked. So there may be *more keys than queries*,
# and then **the queries are the last positions**. With 2 queries and 5 keys the queries are positions
# 3 and 4:
#
# ```
#           key 0   key 1   key 2   key 3   key 4
# query 3     ✓       ✓       ✓       ✓       −∞
# query 4     ✓       ✓       ✓       ✓       ✓
# ```
#
# <details><summary>Hint 1: start with as many queries as keys</summary>
#
# Draw the table for 4 queries and 4 keys. What is hidden lies above the diagonal. The diagonal itself is
# seen: a position may look at itself. `torch.triu` and `torch.tril` cut such triangles; mind their
# argument `diagonal`.
# </details>
# <details><summary>Hint 2: fewer queries than keys</summary>
#
# By how many columns has the diagonal moved to the right in the table above? Write it with the numbers
# of queries and keys.
# </details>
# <details><summary>Hint 3: replacing</summary>
#
# `masked_fill` takes a tensor of booleans and a number, and returns a new tensor. (Multiplying by 0 does
# not hide anything: a score of 0 is a score like any other. And −∞ · 0 is not a number.)
# </details>
# <details><summary>Hint 4: without triangles</summary>
#
# Position numbers do it too: `torch.arange` for the keys, another for the queries, compared by
# broadcasting.
# </details>


# %% nbgrader={"grade": false, "grade_id": "causal_mask", "locked": false, "schema_version": 3, "solution": true, "task": false}
def causal_mask(scores: torch.Tensor) -> torch.Tensor:
    """The scores with -inf wherever the key comes after the query.

    scores: [batch head query key]; the queries are the last of the key positions.
    Returns: a new tensor of the same shape.
    """
    ### BEGIN SOLUTION
    n_query, n_key = scores.shape[-2:]
    everything = torch.ones(n_query, n_key, dtype=torch.bool, device=scores.device)
    later = everything.triu(diagonal=n_key - n_query + 1)  # [query key]
    return scores.masked_fill(later, float("-inf"))
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "causal_mask_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
scores = torch.tensor(
    [[[[0.0, 2, 3], [4, 0, 6], [7, 0, 9]]], [[[-1.0, -2, -3], [-4, -5, -6], [-7, -8, -9]]]]
)
got = causal_mask(scores)
checks.check_tensor(got, "causal_mask", dtype=torch.float32)
checks.check_shape(
    got, (2, 1, 3, 3), "causal_mask of scores [2 1 3 3]", axes="batch head query key"
)
assert not bool(torch.isnan(got).any()), (
    "there are NaNs: infinity times 0 is not a number. Replace scores, do not multiply them"
)
hide = float("-inf")
square = got[1, 0].tolist()
assert square[1][1] == -5, "query 1 must see key 1: a position may look at itself"
assert square[2][:2] == [-7, -8], "query 2 must see keys 0 and 1: what came before is not hidden"
assert square[0][2] != 0, (
    "a hidden score of 0 is not hidden: a softmax gives it a share like any other"
)
assert square[0][1:] == [hide] * 2, (
    f"query 0 must not see the keys 1 and 2: their scores are -inf, not {square[0][1:]}"
)
assert got[0, 0].tolist() == [[0, hide, hide], [4, 0, hide], [7, 0, 9]], (
    "in the first text some scores that may be seen are 0: a score of 0 is a score like any other"
)
late = causal_mask(torch.zeros(1, 1, 2, 5))[0, 0].tolist()
assert late[1] == [0] * 5 and late[0] == [0, 0, 0, 0, hide], (
    "2 queries and 5 keys: the queries are positions 3 and 4, so only key 4 is hidden, from the first"
)
checks.check_rules(causal_mask, (scores,), "causal_mask", names=("scores",))
assert len(got) == 2

# %% nbgrader={"grade": true, "grade_id": "causal_mask_test_2", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: random scores of several sizes, entry by entry, with zeros among them; the three rules.
### BEGIN HIDDEN TESTS
seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)
sizes = ((5, 5), (3, 7), (1, 6), (6, 6), (1, 1), (4, 5), (40, 64), (1, 200))
for number, (n_query, n_key) in enumerate(sizes):
    kind = (torch.float64, torch.float32)[number % 2]
    scale = (1.0, 1e12)[number // 2 % 2]  # large scores: nothing finite is small enough
    scores = torch.randn(2, 3, n_query, n_key, generator=g, dtype=torch.float64).to(kind) * scale
    scores[torch.rand(scores.shape, generator=g) < 0.2] = 0.0
    before = scores.tolist()
    got = causal_mask(scores)
    checks.check_tensor(got, "causal_mask", dtype=kind)
    checks.check_shape(got, scores.shape, f"causal_mask, seed {seed}", axes="batch head query key")
    after = got.tolist()
    for b in range(2):
        for h in range(3):
            for q in range(n_query):
                for k in range(n_key):
                    hidden = k > q + n_key - n_query
                    expected = float("-inf") if hidden else before[b][h][q][k]
                    assert after[b][h][q][k] == expected, (
                        f"{n_query} queries, {n_key} keys: query {q}, key {k} must be "
                        f"{'hidden' if hidden else 'as it was'} [seed {seed}]"
                    )
    if n_key < 9:
        what = f"causal_mask of {n_query} queries and {n_key} keys, seed {seed}"
        checks.check_rules(causal_mask, (scores / scale,), what, names=("scores",))
assert seed >= 0
### END HIDDEN TESTS

# %% [markdown]
# All scores equal, and your mask. **What do you expect** in the first row, and in the last?

# %%
plots.attention_heatmap(
    causal_mask(torch.zeros(1, 1, 8, 8))[0, 0].softmax(dim=-1),
    title="Equal scores under your mask",
)

# %% [markdown]
# <details><summary>What this shows</summary>
#
# Position 0 can look at itself only and gives itself everything; position 7 gives an eighth to each. So even a head that
# has learnt nothing treats early positions otherwise than late ones, and trained models often lay attention that they
# have no use for on the first token. (In papers: an **attention sink**,
# [Xiao et al. 2023](https://arxiv.org/abs/2309.17453).)
# </details>

# %% [markdown]
# ---
# ## 5 · Where to look
#
# Difficulty ●●●○○ · Importance ●●●●● · 15 minutes · core
#
# Now a head decides where each position looks. The **score** of a query and a key is their dot product:
# large if the two point the same way. (Vaswani et al. 2017, Section 3.2.1.)
#
# Dot products of longer vectors are larger: if the entries of two vectors of length *d* are independent
# with variance 1, their dot product has variance *d*. A softmax of large numbers puts everything on one
# key, and its gradient vanishes. So the scores are divided by √d_head, which brings their variance back
# to 1.
#
# Then comes the mask, and then the **softmax over the keys**: every query hands out exactly 1 of
# attention. The result is the **attention pattern** of the head.
#
# $$\mathrm{pattern}_{qk} \;=\; \operatorname{softmax}_{k}\Big(\mathrm{mask}\Big(\frac{q_q\cdot
# k_k}{\sqrt{d_\mathrm{head}}}\Big)\Big)$$
#
# Write `attention_pattern`.
#
# * `q[batch query head d_head]`, `k[batch key head d_head]`; there may be more keys than queries.
# * `mask` is a function from scores `[batch head query key]` to scores of that shape. Usually it will
#   be your `causal_mask`, but use what you are given: models that read in both directions have another.
# * The result is `[batch head query key]`. Heads come before positions in it, because a pattern is a
#   square for each head.
# * Scores may be in the thousands, and the result must still be probabilities.
#
# <details><summary>Hint 1: all dot products at once</summary>
#
# With letters: `q` is `bqhe`, `k` is `bkhe`. The result keeps `b`, `h`, `q` and `k`; what is summed is
# the axis that the dot product runs over.
# </details>
# <details><summary>Hint 2: with @ instead</summary>
#
# `@` multiplies the last two axes, and treats the others as a batch. So bring `head` before the
# positions first, in both, and swap the last two axes of `k`. (Without moving `head`, `@` multiplies
# heads with heads.)
# </details>
# <details><summary>Hint 3: the order</summary>
#
# Scores, divided by the root, masked, softmax. A mask after the softmax comes too late: the hidden keys
# have already had their share. And which axis is the sum over keys?
# </details>
# <details><summary>Hint 4: a softmax that does not overflow</summary>
#
# `tensor.softmax(dim=…)` takes care of large scores. If you write it with `exp` yourself, subtract each
# row's largest score first.
# </details>


# %%
# The tests use it as a mask.
def hide_first(scores):
    """A mask: nobody may look at key 0."""
    first_key = torch.arange(scores.shape[-1]) == 0
    return scores.masked_fill(first_key, float("-inf"))


# %% nbgrader={"grade": false, "grade_id": "attention_pattern", "locked": false, "schema_version": 3, "solution": true, "task": false}
def attention_pattern(q: torch.Tensor, k: torch.Tensor, mask) -> torch.Tensor:
    """How much each query attends to each key: softmax of the masked, scaled dot products.

    q: [batch query head d_head]. k: [batch key head d_head].
    mask: a function from scores [batch head query key] to scores of that shape.
    Returns: [batch head query key], each row of which sums to 1.
    """
    ### BEGIN SOLUTION
    scores = torch.einsum("bqhe,bkhe->bhqk", q, k) / q.shape[-1] ** 0.5
    return mask(scores).softmax(dim=-1)  # [batch head query key]
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "attention_pattern_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
q, k = torch.zeros(2, 2, 2, 4), torch.zeros(2, 3, 2, 4)  # [batch query head d_head], [batch key …]
q[0, :, 0] = torch.tensor([[2.0, 0, 0, 0], [0, 4, 0, 0]])
k[0, :, 0] = torch.tensor([[1.0, 0, 0, 9], [0, 1, 0, 9], [0, 0, 1, 9]])
q[1, 1, 1, 3], k[1, 2, 1, 3] = 2.0, 5.0  # of head 1; all other scores of the second text are 0
shapes = []


def no_mask(scores):
    """Every query may look everywhere."""
    shapes.append(tuple(scores.shape))
    return scores


got = attention_pattern(q, k, no_mask)
checks.check_tensor(got, "attention_pattern", dtype=torch.float32)
checks.check_shape(
    got, (2, 2, 2, 3), "attention_pattern, q [2 2 2 4], k [2 3 2 4]", axes="batch head query key"
)
assert shapes, "mask was never called: use the one that you are given"
assert all(shape[1:] == (2, 2, 3) for shape in shapes), (
    f"mask wants scores [batch head query key] = [2 2 2 3], but was called with {shapes}"
)
sums = [sum(row) for row in got.flatten(0, 2).tolist()]
assert all(abs(total - 1) < 1e-5 for total in sums), (
    f"each query hands out 1 in total, yours hand out {[round(s, 3) for s in sums]}: "
    "over which axis is the softmax?"
)
checks.check_close(
    torch.log(got[0, 0, 0, 0] / got[0, 0, 0, 1]),
    1.0,
    "query 0 of head 0, the keys 0 and 1: the logarithm of the ratio of their shares",
    slips={
        "The scores are not divided by the root of d_head.": 2.0,
        "Divided by d_head, not by its root.": 0.5,
        "Divided by the root of d_model, not of d_head.": 0.5**0.5,
        "Multiplied by the root of d_head, not divided.": 4.0,
        "The scores are divided by the root of the number of heads.": 2**0.5,
        "The scores are divided by the root of the number of keys.": 2 / 3**0.5,
    },
    atol=1e-3,
)
checks.check_close(
    got[1, 0],
    torch.full((2, 3), 1 / 3),
    "head 0 of the second text: all scores are 0, so each key gets a third",
    hint="Do heads take part in each other's scores?",
)
assert float(got[1, 1, 1, 2]) > 0.9, "head 1 of the second text: query 1 looks at key 2"
blind = attention_pattern(q, k, hide_first)
checks.check_close(
    blind[..., 0], torch.zeros(2, 2, 2), "the shares of key 0 when the mask hides it"
)
assert all(abs(sum(row) - 1) < 1e-5 for row in blind.flatten(0, 2).tolist()), (
    "when key 0 is masked the others must share the whole 1: does the mask come before the softmax?"
)
large = attention_pattern(1000 * q, k, no_mask)
assert not bool(torch.isnan(large).any()), "scores in the thousands give NaNs: see Hint 4"
checks.check_rules(
    attention_pattern, (q + 0.1, k - 0.1, hide_first), "attention_pattern", names="qk"
)
assert len(got) == 2

# %% nbgrader={"grade": true, "grade_id": "attention_pattern_test_2", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: random queries and keys, small, large and zero, against a loop; masks; the three rules.
### BEGIN HIDDEN TESTS
seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)


def pattern_by_loops(q, k, hidden):
    """Softmax of the scaled dot products; `hidden(query, key)` says what may not be seen."""
    qs, ks = q.double().tolist(), k.double().tolist()
    batch, n_query, heads, size = q.shape
    n_key = k.shape[1]
    out = torch.zeros(batch, heads, n_query, n_key, dtype=torch.float64)
    for b in range(batch):
        for h in range(heads):
            for i in range(n_query):
                seen = [j for j in range(n_key) if not hidden(i, j)]
                row = {
                    j: sum(qs[b][i][h][e] * ks[b][j][h][e] for e in range(size)) / math.sqrt(size)
                    for j in seen
                }
                top = max(row.values())
                total = math.fsum(math.exp(value - top) for value in row.values())
                for j, value in row.items():
                    out[b, h, i, j] = math.exp(value - top) / total
    return out


def mask_of(hidden):
    """A mask function that hides what `hidden(query, key)` says."""

    def apply(scores):
        n_query, n_key = scores.shape[-2:]
        table = torch.tensor([[hidden(i, j) for j in range(n_key)] for i in range(n_query)])
        return torch.where(table, torch.tensor(float("-inf"), dtype=scores.dtype), scores)

    return apply


cases = (
    ("a causal mask", (5, 5, 3, 2), 2.0, lambda i, j: j > i, torch.float64),
    (
        "a causal mask, fewer queries than keys",
        (2, 5, 3, 4),
        1.0,
        lambda i, j: j > i + 3,
        torch.float32,
    ),
    ("no mask", (4, 5, 2, 3), 3.0, lambda i, j: False, torch.float64),
    ("a mask of every third key", (3, 6, 3, 5), 1.0, lambda i, j: j % 3 == i % 2, torch.float64),
    ("scores in the thousands", (5, 5, 3, 2), 60.0, lambda i, j: j > i, torch.float32),
    ("a long text", (3, 70, 2, 2), 1.0, lambda i, j: j > i + 67, torch.float64),
)
for what, (n_query, n_key, heads, size), scale, hidden, kind in cases:
    q = scale * torch.randn(2, n_query, heads, size, generator=g, dtype=torch.float64).to(kind)
    k = scale * torch.randn(2, n_key, heads, size, generator=g, dtype=torch.float64).to(kind)
    q[0, 1], k[1, 1] = (
        0.0,
        0.0,
    )  # scores of exactly 0: of a query with all keys, and the other way round
    want = pattern_by_loops(q, k, hidden).to(kind)
    what = f"attention_pattern, {what}, q {list(q.shape)}, k {list(k.shape)}, seed {seed}"
    got, kept = call_keeping(attention_pattern, q, k, mask_of(hidden))
    checks.check_tensor(got, "attention_pattern", dtype=kind)
    checks.check_close(
        got, want, what, axes="batch head query key", atol=1e-5 if scale < 10 else 1e-2
    )
    assert torch.equal(kept[0], q) and torch.equal(kept[1], k), (
        f"queries or keys changed [seed {seed}]"
    )
    if scale < 10 and n_key < 9:
        checks.check_rules(attention_pattern, (q, k, hide_first), what, names="qk")
assert seed >= 0
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "attention_pattern_test_3", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Hidden: the queries and keys of the loaded model, all layers, against the library's patterns.
### BEGIN HIDDEN TESTS
seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)
m = model("tiny-gpt2")
remove_hooks(m)
toks = torch.randint(0, m.cfg.d_vocab, (2, 7), generator=g).to(m.cfg.device)
_, cached = m.run_with_cache(toks)


def hide_later(scores):
    """The causal mask for as many queries as keys, made from position numbers."""
    place = torch.arange(scores.shape[-1], device=scores.device)
    return scores.masked_fill(place[None, :] > place[:, None], float("-inf"))


for layer in range(m.cfg.n_layers):
    got = attention_pattern(cached["q", layer].detach(), cached["k", layer].detach(), hide_later)
    want = cached["pattern", layer].detach()
    checks.check_close(
        got, want, f"attention_pattern of layer {layer}, seed {seed}", axes="batch head query key"
    )
    past = torch.triu(got.cpu(), 1)
    assert float(torch.max(torch.abs(past))) == 0, f"attention to a later token [seed {seed}]"
### END HIDDEN TESTS

# %% [markdown]
# The heads of layer 0 on the prompt, by your functions. Point at a token, or go to it with the arrow keys, to see where
# it looks. **Which of them do you expect** to look at what?

# %%
with torch.no_grad():
    prompt_pattern = attention_pattern(prompt_q, prompt_k, causal_mask)
print(gap("patterns of layer 0", prompt_pattern, prompt_cache["pattern", 0]))
viewer.attention(prompt_pattern[0], prompt_tokens, title="Layer 0, your patterns")

# %% [markdown]
# ---
# ## 6 · What to move
#
# Difficulty ●●●○○ · Importance ●●●●● · 10 minutes · core
#
# The pattern says how much each query takes from each key. What it takes is the key position's
# **value**. So for each head, every query gets a mixture of values, weighted by its row of the pattern:
#
# $$z_{q} \;=\; \sum_k \mathrm{pattern}_{qk}\, v_k \qquad\text{for each head: } [d_\mathrm{head}]$$
#
# Then each head writes. It multiplies its `z` by a matrix of its own, `W_O[head]` of shape
# `[d_head d_model]`, which brings the short vector back to the length of the stream. What the layer adds
# to the stream is **the sum of what its heads write**, plus one bias `b_O[d_model]` for all of them.
#
# You will often see the last step as "put the heads' vectors side by side, and multiply by one large
# matrix" (Vaswani et al. 2017, Section 3.2.2). It is the same numbers: a product with a long row of
# blocks is a sum of products with the blocks. But the sum says what matters: **heads are independent, and
# each adds its own share** (Elhage et al. 2021, "Attention heads are independent and additive"). This is
# why one can ask, later in this course, what *one* head does.
#
# Exercises 5 and 6 do not share any weights: where a head looks and what it moves from there are two
# separate questions.
#
# Write `attention_output`: `pattern[batch head query key]`, `v[batch key head d_head]`, `W_O` and `b_O` give
# `[batch query d_model]`. Use the pattern as you are given it: people edit patterns, and then a row need not sum
# to 1.
#
# <details><summary>Hint 1: two steps, two einsums</summary>
#
# First `z`, from `bhqk` and `bkhe`: which letter is summed? Then the output, from `z` and `W_O`, whose
# letters are `hed`: which *two* are summed?
# </details>
# <details><summary>Hint 2: rows or columns?</summary>
#
# Row *q* of the pattern sums to 1, and mixes the values of all keys. If your letters sum over queries,
# you have the pattern turned round.
# </details>
# <details><summary>Hint 3: the bias</summary>
#
# One bias for the layer, not one for each head: it is added once, after the sum over heads.
# </details>


# %% nbgrader={"grade": false, "grade_id": "attention_output", "locked": false, "schema_version": 3, "solution": true, "task": false}
def attention_output(
    pattern: torch.Tensor, v: torch.Tensor, W_O: torch.Tensor, b_O: torch.Tensor
) -> torch.Tensor:
    """What the heads of a layer add to the stream: mixtures of values, mapped back and summed.

    pattern: [batch head query key]. v: [batch key head d_head]. W_O: [head d_head d_model].
    b_O: [d_model]. Returns: [batch query d_model].
    """
    ### BEGIN SOLUTION
    z = torch.einsum("bhqk,bkhe->bqhe", pattern, v)  # [batch query head d_head]
    return torch.einsum("bqhe,hed->bqd", z, W_O) + b_O  # [batch query d_model]
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "attention_output_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Two texts of two positions, two heads. In the first text position 1 looks back at position 0.
pattern = torch.tensor(
    [[[[1.0, 0], [1, 0]], [[1, 0], [1, 0]]], [[[1, 0], [0.5, 0]], [[0, 1], [1, 1]]]]
)
v = torch.tensor([[[[1.0], [10]], [[2], [20]]], [[[4], [40]], [[6], [60]]]])  # [2 key head 1]
W_O = torch.tensor([[[1.0, 0, 0]], [[0, 1, 0]]])  # head 0 writes entry 0, head 1 entry 1
got = attention_output(pattern, v, W_O, torch.zeros(3))
checks.check_tensor(got, "attention_output", dtype=torch.float32)
checks.check_shape(
    got, (2, 2, 3), "attention_output, two positions, d_model 3", axes="batch query d_model"
)
checks.check_close(
    got[0, 1, 0],
    1.0,
    "what head 0 writes at position 1 of the first text, which looks at position 0 only",
    slips={
        "Do you sum over the queries?": 0.0,
        "It gets the value of the position that it looks at, not its own.": 2.0,
        "The shares of the heads are added, not averaged.": 0.5,
        "Is there another softmax? The pattern is used as it is.": 1 + 1 / (1 + math.e),
    },
)
checks.check_close(got[0, 1], torch.tensor([1.0, 10.0, 0.0]), "what is written at position 1")
checks.check_close(
    got[1, 1],
    torch.tensor([2.0, 100.0, 0.0]),
    "position 1 of the second text, where the rows of the pattern sum to 0.5 and to 2",
    slips={
        "A pattern need not sum to 1, and is used as it is: it was scaled.": torch.tensor(
            [4.0, 50.0, 0.0]
        )
    },
)
biased = attention_output(pattern, v, W_O, torch.tensor([0.0, 0.0, 1.0]))
checks.check_close(
    biased[0, 1, 2],
    1.0,
    "b_O = [0, 0, 1] adds 1 to the last entry",
    slips={
        "It is added once a layer, not once a head.": 2.0,
        "Where is b_O?": 0.0,
    },
)
arguments = (pattern, v, W_O, torch.ones(3))
checks.check_rules(
    attention_output, arguments, "attention_output", names=("pattern", "v", "W_O", "b_O")
)
assert len(got) == 2

# %% nbgrader={"grade": true, "grade_id": "attention_output_test_2", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: random patterns that need not sum to 1, values and weights against a loop; the three rules.
### BEGIN HIDDEN TESTS
seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)
for n_query, n_key, heads, size, wide, kind in (
    (5, 5, 3, 2, 6, torch.float64),
    (2, 5, 3, 4, 7, torch.float32),
    (4, 3, 3, 5, 5, torch.float64),  # as many heads as keys, d_head = d_model: what fits by luck
    (3, 70, 2, 2, 3, torch.float64),
):
    raw = torch.randn(2, heads, n_query, n_key, generator=g, dtype=torch.float64)
    pattern = raw.softmax(-1)
    pattern[0, 0] = raw[0, 0]  # one that somebody has edited: it does not sum to 1
    pattern[1, :, -1] = 0.0  # and one that looks nowhere
    pattern = pattern.to(kind)
    v = torch.randn(2, n_key, heads, size, generator=g, dtype=torch.float64).to(kind)
    W_O = torch.randn(heads, size, wide, generator=g, dtype=torch.float64).to(kind)
    b_O = torch.randn(wide, generator=g, dtype=torch.float64).to(kind)
    ps, vs, ws, bs = pattern.tolist(), v.tolist(), W_O.tolist(), b_O.tolist()
    want = torch.zeros(2, n_query, wide, dtype=torch.float64)
    for b in range(2):
        for i in range(n_query):
            for d in range(wide):
                shares = [
                    ps[b][h][i][j] * vs[b][j][h][e] * ws[h][e][d]
                    for h in range(heads)
                    for e in range(size)
                    for j in range(n_key)
                ]
                want[b, i, d] = math.fsum(shares) + bs[d]
    what = f"attention_output, pattern [2 {heads} {n_query} {n_key}], d_head {size}, seed {seed}"
    got = attention_output(pattern, v, W_O, b_O)
    checks.check_close(got, want.to(kind), what, axes="batch query d_model")
    if n_key < 9:
        arguments = (pattern, v, W_O, b_O)
        checks.check_rules(attention_output, arguments, what, names=("pattern", "v", "W_O", "b_O"))
assert seed >= 0
### END HIDDEN TESTS

# %%
with torch.no_grad():
    written_by_attention = attention_output(prompt_pattern, prompt_v, net.W_O[0], net.b_O[0])
gap("attention of layer 0", written_by_attention, prompt_cache["blocks.0.hook_attn_out"])

# %% [markdown]
# ---
# ## 7 · A bend, or activation function
#
# Difficulty ●○○○○ · Importance ●●○○○ · 5 minutes · core
#
# After attention has moved information to a position, an **MLP** works on it there. An MLP needs a bend (in the
# field: an **activation function**, or non-linearity) between its two linear maps, since two linear maps in a row are one linear map. GPT-2 bends with
# **GELU** (Hendrycks & Gimpel 2016, *Gaussian Error Linear Units*, Section 2): each number is multiplied
# by the probability that a standard normal variable lies below it. Large numbers pass, very negative ones
# vanish, and in between it is smooth.
#
# That probability has no simple formula, so GPT-2 uses an approximation from the same paper:
#
# $$\mathrm{gelu}(x) \;=\; \tfrac12\, x\,\Big(1 + \tanh\Big(\sqrt{\tfrac2\pi}\,\big(x + 0.044715\,x^3\big)\Big)\Big)$$
#
# The two differ by less than 0.0005. A model that was trained with one and is run with the other still
# writes good text, which is why the mistake is easily made and rarely noticed. Yours is to agree to four
# decimals *after all layers*, so write the approximation.
#
# `gelu(x)` acts on every number of `x[...]` by itself; shape and dtype stay.
#
# <details><summary>Hint 1: check it on paper</summary>
#
# gelu(0) is 0. For x = 10 the tanh is 1, so gelu(10) = 10. For x = −10 it is −1, so gelu(−10) = 0. If
# yours gives 20 or 5 for x = 10, look at the factor in front.
# </details>
# <details><summary>Hint 2: in PyTorch</summary>
#
# `torch.tanh` takes a tensor, `math.sqrt` and `math.pi` give the constant. PyTorch has the function, too;
# its default is the exact one, and it has an argument for the other.
# </details>


# %% nbgrader={"grade": false, "grade_id": "gelu", "locked": false, "schema_version": 3, "solution": true, "task": false}
def gelu(x: torch.Tensor) -> torch.Tensor:
    """GPT-2's bend, the tanh approximation of GELU, number by number.

    x: any shape. Returns: the shape of x.
    """
    ### BEGIN SOLUTION
    inner = math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)
    return 0.5 * x * (1 + torch.tanh(inner))
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "gelu_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
got = gelu(torch.tensor([[0.0, 10.0, -10.0], [-1.0, 1.0, 2.0]]))
checks.check_tensor(got, "gelu", dtype=torch.float32)
checks.check_shape(got, (2, 3), "gelu of x [2 3]")
(zero, large, low), (minus, plus, two) = got.tolist()
assert zero == 0 and abs(low) < 1e-4, f"gelu(0) is 0, gelu(-10) is nearly 0; got {zero}, {low}"
assert abs(large - 10) < 1e-4, f"gelu(10) is 10, not {large:g}: what stands in front?"
assert minus < -0.1, "gelu(-1) is negative: a bend that cuts off everything below 0 is a ReLU"
assert abs(plus + minus - (1 + 2 * minus)) < 1e-4, "gelu(x) - gelu(-x) must be x"
checks.check_close(
    got[1, 2],
    1.954598,
    "gelu(2)",
    hint="The constants, the exponent?",
    slips={
        "This is the exact GELU, not the approximation.": 1.954500,
        "x³, not x².": 1.940050,
        "This is x · sigmoid(1.702 x), another approximation.": 1.935659,
        "This is x · sigmoid(x), another bend.": 1.761594,
        "√(2/π), not √(π/2).": 1.994590,
        "√(2/π): the root is missing.": 1.905324,
    },
    atol=2e-5,
    rtol=0.0,
)
x = torch.tensor([[-3.0, -0.5, 0.0], [0.1, 1.0, 2.0]])
checks.check_rules(gelu, (x,), "gelu", names="x")
assert got.shape == x.shape

# %% nbgrader={"grade": true, "grade_id": "gelu_test_2", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Hidden: random numbers of several sizes, one by one, so exactly that the two kinds can be told apart.
### BEGIN HIDDEN TESTS
seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)
for shape, kind in (((2, 5, 7), torch.float64), ((400,), torch.float32), ((3, 2), torch.float64)):
    x = (2 * torch.randn(shape, generator=g, dtype=torch.float64)).to(kind)
    x[0], x[-1] = 0.0, 100.0
    bent = []
    for value in x.double().flatten().tolist():
        u = 2 * math.sqrt(2 / math.pi) * (value + 0.044715 * value * value * value)
        bent.append(value / (1 + math.exp(-u)))  # (1 + tanh(u/2)) / 2 is the sigmoid of u
    want = torch.tensor(bent, dtype=torch.float64).reshape(shape).to(kind)
    checks.check_close(
        gelu(x),
        want,
        f"gelu of random numbers, seed {seed}",
        hint="Is it the tanh approximation, with these constants?",
        atol=2e-6,
        rtol=1e-5,
    )
    if x.numel() < 100:
        checks.check_rules(gelu, (x,), f"gelu, seed {seed}", names="x")
assert seed >= 0
### END HIDDEN TESTS

# %% [markdown]
# **What do you expect** of your bend left of 0, beside the simplest one (ReLU: negative numbers become 0)?

# %%
ramp = torch.linspace(-4, 4, 161)
plots.curves(
    ramp,
    {"gelu, yours": gelu(ramp), "relu": ramp.clamp(min=0)},
    x_title="x",
    y_title="value",
    title="Two bends",
)

# %% [markdown]
# ---
# ## 8 · The MLP
#
# Difficulty ●●○○○ · Importance ●●●○○ · 5 minutes · core
#
# The MLP of a layer is the part that works on each position **by itself**. It reads the vector, makes
# `d_mlp` numbers of it (four times as many as `d_model` in GPT-2), bends each of them, and maps them back:
#
# 1. `x @ W_in + b_in`: each of the `d_mlp` *neurons* asks one question of the stream, in one direction;
# 2. the bend: a neuron whose question is answered with "no" stays quiet;
# 3. `… @ W_out + b_out`: each neuron that is on adds its own direction to the stream.
#
# Two thirds of a layer's weights are here. Geva et al. 2021 ([*Transformer Feed-Forward Layers Are Key-Value
# Memories*](https://arxiv.org/abs/2012.14913)) found for many neurons the patterns of text that turn them on, and the
# words that they then make likelier. Whether facts such as the capital of France are *kept* there is less clear:
# editing a middle MLP can change one ([Meng et al. 2022](https://arxiv.org/abs/2202.05262)), but where an edit works does
# not tell where a fact is stored ([Hase et al. 2023](https://arxiv.org/abs/2301.04213)).
#
# Write `mlp`. The shapes: `x[batch pos d_model]`, `W_in[d_model d_mlp]`, `b_in[d_mlp]`,
# `W_out[d_mlp d_model]`, `b_out[d_model]`, and the result is `[batch pos d_model]`. `activation` is the bend, a
# function that keeps shapes: use the one that you are given. What the MLP returns is what it *adds* to
# the stream; the adding itself is the next exercise.
#
# <details><summary>Hint 1: a matrix product for every position</summary>
#
# `@` multiplies the last axis of the left side with the first axis of a matrix on the right, and leaves
# `batch` and `pos` alone.
# </details>
# <details><summary>Hint 2: how often is there a bend?</summary>
#
# Once, between the two maps, after the first bias.
# </details>


# %%
# Stand-ins, with which the tests try functions that are given others.
def wave(t):
    """Cosines: a stand-in for a part that works on each number by itself."""
    return torch.cos(t)


def ripple(t):
    """Sines: another one."""
    return torch.sin(2 * t)


def halve(t):
    """Half of it, and one: a stand-in for a norm."""
    return t / 2 + 1


def running_mean(t):
    """The mean of a position and those before it: a stand-in for a part that mixes positions."""
    return t.cumsum(dim=1) / torch.arange(1, t.shape[1] + 1)[:, None]


def one_number(t):
    """An embedding with d_model 1: the id itself."""
    return t[..., None].float()


def spread_out(t):
    """An embedding with d_model 3, of numbers [batch pos] in the place of ids."""
    return torch.stack([t, t * t, torch.sin(t)], dim=-1)


# %% nbgrader={"grade": false, "grade_id": "mlp", "locked": false, "schema_version": 3, "solution": true, "task": false}
def mlp(
    x: torch.Tensor,
    W_in: torch.Tensor,
    b_in: torch.Tensor,
    W_out: torch.Tensor,
    b_out: torch.Tensor,
    activation,
) -> torch.Tensor:
    """Two linear maps with a bend between them, at each position by itself.

    x: [batch pos d_model]. W_in: [d_model d_mlp]. b_in: [d_mlp]. W_out: [d_mlp d_model].
    b_out: [d_model]. activation: a function from a tensor to one of its shape.
    Returns: [batch pos d_model].
    """
    ### BEGIN SOLUTION
    neurons = activation(x @ W_in + b_in)  # [batch pos d_mlp]
    return neurons @ W_out + b_out  # [batch pos d_model]
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "mlp_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
bent_shapes = []


def square(t):
    """A stand-in for the bend."""
    bent_shapes.append(tuple(t.shape))
    return t * t


x = torch.tensor([[[1.0, 2.0], [0.0, 1.0]], [[0.0, 0.0], [3.0, 0.0]]])
W_in = torch.tensor([[1.0, 0.0, 2.0], [0.0, 1.0, 0.0]])
W_out = torch.tensor([[1.0, 0.0], [0.0, 1.0], [2.0, 1.0]])
b_in, b_out = torch.tensor([0.0, 0.0, 1.0]), torch.tensor([0.0, 100.0])
got = mlp(x, W_in, b_in, W_out, b_out, square)
checks.check_tensor(got, "mlp", dtype=torch.float32)
checks.check_shape(got, (2, 2, 2), "mlp of x [2 2 2]", axes="batch pos d_model")
assert bent_shapes, "activation was never called: use the one that you are given"
assert all(shape[-1] == 3 for shape in bent_shapes), (
    f"activation bends the neurons, and there are d_mlp = 3 of them; it was called with {bent_shapes}"
)
checks.check_close(
    got[0, 0],
    torch.tensor([19.0, 113.0]),
    "position 0 of the first text, where the neurons are 1, 2 and 3 before a bend that squares",
    slips={
        "Is x added to the result? Here the MLP returns only what it adds.": torch.tensor(
            [20.0, 115.0]
        ),
        "b_in is added before the bend, not after it.": torch.tensor([11.0, 109.0]),
        "Where is b_in?": torch.tensor([9.0, 108.0]),
        "Where is b_out?": torch.tensor([19.0, 13.0]),
        "The bend is between the two maps, not at the end.": torch.tensor([49.0, 11025.0]),
        "There is one bend: the result is bent as well.": torch.tensor([361.0, 12769.0]),
        "The neurons are bent, not the stream.": torch.tensor([7.0, 107.0]),
    },
)
want = torch.tensor([[[19.0, 113.0], [2.0, 102.0]], [[2.0, 101.0], [107.0, 149.0]]])
checks.check_close(got, want, "mlp of two texts", hint="Each position works by itself.")
checks.check_rules(
    mlp,
    (x, W_in, b_in, W_out, b_out, wave),
    "mlp",
    names=("x", "W_in", "b_in", "W_out", "b_out"),
)
assert len(got) == 2

# %% nbgrader={"grade": true, "grade_id": "mlp_test_2", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Hidden: random weights and another bend, against a loop; the three rules.
### BEGIN HIDDEN TESTS
seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)
for length, wide, many, kind in (
    (5, 6, 7, torch.float64),
    (5, 4, 3, torch.float32),
    (3, 3, 3, torch.float64),  # every axis but batch of one size
    (80, 2, 5, torch.float32),
):
    shapes = ((2, length, wide), (wide, many), (many,), (many, wide), (wide,))
    given = [torch.randn(s, generator=g, dtype=torch.float64).to(kind) for s in shapes]
    given[0][1, 0] = 0.0
    x, W_in, b_in, W_out, b_out = (t.tolist() for t in given)
    want = torch.zeros(2, length, wide, dtype=torch.float64)
    for b in range(2):
        for p in range(length):
            on = [
                math.cos(math.fsum(x[b][p][d] * W_in[d][n] for d in range(wide)) + b_in[n])
                for n in range(many)
            ]
            for d in range(wide):
                want[b, p, d] = math.fsum(on[n] * W_out[n][d] for n in range(many)) + b_out[d]
    what = f"mlp, x [2 {length} {wide}], d_mlp {many}, seed {seed}"
    checks.check_close(mlp(*given, wave), want.to(kind), what, axes="batch pos d_model")
    if length < 9:
        names = ("x", "W_in", "b_in", "W_out", "b_out")
        checks.check_rules(mlp, (*given, wave), what, names=names)
assert seed >= 0
### END HIDDEN TESTS

# %% [markdown]
# ---
# ## 9 · A block
#
# Difficulty ●●○○○ · Importance ●●●●● · 10 minutes · core
#
# One layer of a transformer is called a **block**. It has two halves, and both follow one rule: *read a
# normalised copy of the stream, compute, add the result to the stream.*
#
# $$x' = x + \mathrm{attention}(\mathrm{norm}_1(x)) \qquad x'' = x' + \mathrm{mlp}(\mathrm{norm}_2(x'))$$
#
# The stream itself is never normalised. What an early layer has written stays there unchanged until
# something is added on top of it, so any later part can read it: this is what makes the stream a shared
# memory, and what makes it possible to ask which part wrote what. (In the first transformer the norm came
# *after* the addition, and the stream was rewritten at every step. Moving it inside the branch made deep
# models much easier to train: Xiong et al. 2020, *On Layer Normalization in the Transformer Architecture*.)
#
# Write `block`. You are given the stream `x[batch pos d_model]` and four functions, each from
# `[batch pos d_model]` to the same shape. **Leave `x` as it was**: the caller may still need it. Call each
# function **once**: attention is dear, and the one of exercise 17 remembers what it has read.
#
# <details><summary>Hint 1: what does the MLP read?</summary>
#
# Not the stream that came in: the one that attention has already added to.
# </details>
# <details><summary>Hint 2: `x += …`</summary>
#
# changes the tensor that you were given, and with it whatever else holds on to it, such as a cache of
# activations. `x = x + …` makes a new one.
# </details>


# %% nbgrader={"grade": false, "grade_id": "block", "locked": false, "schema_version": 3, "solution": true, "task": false}
def block(x: torch.Tensor, norm_1, attention, norm_2, mlp_of) -> torch.Tensor:
    """One layer: attention and then the MLP, each reading a normalised copy and adding to the stream.

    x: [batch pos d_model]. The others: functions from [batch pos d_model] to that shape.
    Returns: the stream after the layer, [batch pos d_model].
    """
    ### BEGIN SOLUTION
    middle = x + attention(norm_1(x))
    return middle + mlp_of(norm_2(middle))
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "block_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
order = []


def part(name, f):
    """A stand-in that notes when it was called and what it was given."""

    def call(t):
        order.append((name, t.flatten().tolist()))
        return f(t)

    return call


x = torch.tensor([[[1.0, 2.0]]])
got, kept = call_keeping(
    block,
    x,
    part("norm_1", lambda t: 10 * t),
    part("attention", lambda t: t + 1),
    part("norm_2", lambda t: 2 * t),
    part("mlp", lambda t: t + 5),
)
checks.check_tensor(got, "block", dtype=torch.float32)
checks.check_shape(got, (1, 1, 2), "block of x [1 1 2]", axes="batch pos d_model")
names = [name for name, _ in order]
assert names == ["norm_1", "attention", "norm_2", "mlp"], (
    f"expected norm_1, attention, norm_2, mlp, each once and in this order; called were {names}"
)
assert order[0][1] == [1, 2], "norm_1 reads the stream that came in"
assert order[1][1] == [10, 20], "attention reads what norm_1 returned"
assert order[2][1] != [11, 21], (
    "norm_2 got only what attention returned: add it to the stream first"
)
assert order[2][1] != [21, 41], (
    "what attention returned was added to the normalised copy: it belongs on the stream itself"
)
assert order[2][1] != [1, 2], "norm_2 reads the stream as it is after attention has added to it"
assert order[2][1] == [12, 23], (
    f"norm_2 got {order[2][1]}: what should the stream be at that point?"
)
checks.check_close(got, torch.tensor([[[41.0, 74.0]]]), "the stream after the block")
assert torch.equal(kept[0], x), "x was changed in place: make a new tensor"
x = torch.tensor([[[1.0, 2.0], [0.0, 3.0]], [[1.0, 2.0], [5.0, 0.0]]])
checks.check_rules(block, (x, halve, running_mean, halve, wave), "block", names="x")
assert len(got) == 1

# %% nbgrader={"grade": true, "grade_id": "block_test_2", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: stand-ins that mix positions and entries, a long text; attention is called once.
### BEGIN HIDDEN TESTS
seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)
for length, kind in ((5, torch.float64), (5, torch.float32), (90, torch.float64)):
    x = torch.randn(2, length, 6, generator=g, dtype=torch.float64).to(kind)
    x[0, 1] = 0.0
    places = torch.rand(length, length, generator=g, dtype=torch.float64).to(kind) / length
    entries = torch.randn(3, 6, 6, generator=g, dtype=torch.float64).to(kind)
    first, second, third = entries / 2
    read = []  # what attention was given, as if it remembered its keys and values

    def look_around(t, w=places, read=read):
        """A stand-in for attention that keeps what it reads."""
        read.append(t)
        return torch.matmul(w, t)

    got = block(
        x,
        lambda t, w=first: torch.sin(t @ w),
        look_around,
        lambda t, w=second: torch.cos(t @ w),
        lambda t, w=third: t @ w,
    )
    assert len(read) == 1, f"attention was called {len(read)} times, and once is enough"
    # x + P s + c T, written with sums over named axes instead of matrix products
    s = torch.sin((x[..., None] * first).sum(-2))
    middle = x + (places[None, :, :, None] * s[:, None]).sum(2)
    c = torch.cos((middle[..., None] * second).sum(-2))
    want = middle + (c[..., None] * third).sum(-2)
    what = f"block with random parts, x [2 {length} 6], seed {seed}"
    checks.check_tensor(got, "block", dtype=kind)
    checks.check_close(got, want, what, axes="batch pos d_model")
    if length < 9:
        checks.check_rules(block, (x, halve, running_mean, halve, wave), what, names="x")
assert seed >= 0
### END HIDDEN TESTS

# %% [markdown]
# ---
# ## 10 · From the stream to a prediction
#
# Difficulty ●●○○○ · Importance ●●●●○ · 10 minutes · core
#
# All that is left is to put the pieces in a row. Tokens become vectors; the blocks add to them, one after
# the other; then one last norm, and the **unembedding**: a matrix `W_U[d_model d_vocab]` with one *column*
# for each token. The dot product of the final vector with a token's column is that token's **logit**. A
# softmax over the vocabulary turns logits into probabilities, but the model returns the logits themselves.
#
# In GPT-2 the columns of `W_U` are the rows of `W_E`: one table is used to read tokens and to write them
# (Press & Wolf 2017, *Using the Output Embedding to Improve Language Models*).
#
# Write `transformer`. `embedding` is a function from `tokens[batch pos]` to `[batch pos d_model]`; `blocks` is a
# list of functions from the stream to the stream, layer 0 first; `final_norm` is one more such function.
# The list stays as it is.
#
# <details><summary>Hint 1: the stream is one variable</summary>
#
# Each block is called on what the block before it returned, so the variable is overwritten in a loop.
# </details>
# <details><summary>Hint 2: which axis of W_U?</summary>
#
# The result is `[batch pos d_vocab]`, so `d_model` is summed. It comes first in `W_U`: no transpose.
# </details>


# %% nbgrader={"grade": false, "grade_id": "transformer", "locked": false, "schema_version": 3, "solution": true, "task": false}
def transformer(
    tokens: torch.Tensor, embedding, blocks: list, final_norm, W_U: torch.Tensor
) -> torch.Tensor:
    """The logits of every next token, at every position.

    tokens: int64 [batch pos]. embedding: a function from tokens to [batch pos d_model].
    blocks: functions from [batch pos d_model] to that shape. final_norm: another one.
    W_U: [d_model d_vocab]. Returns: [batch pos d_vocab].
    """
    ### BEGIN SOLUTION
    x = embedding(tokens)  # [batch pos d_model]
    for layer in blocks:
        x = layer(x)
    return final_norm(x) @ W_U  # [batch pos d_vocab]
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "transformer_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
W_U = torch.tensor([[1.0, 100.0, 0.0]])  # d_vocab 3
steps = [lambda t: t + 1, lambda t: 2 * t, lambda t: t + 3]
toks = torch.tensor([[4, 0], [1, 1]])
got = transformer(toks, one_number, steps, lambda t: t * t, W_U)
checks.check_tensor(got, "transformer", dtype=torch.float32)
checks.check_shape(
    got, (2, 2, 3), "transformer of tokens [2 2], d_vocab 3", axes="batch pos d_vocab"
)
# token 4: ((4 + 1) * 2 + 3) = 13, and the stand-in for the norm squares it
checks.check_close(
    got[0, 0, 0],
    169.0,
    "the first logit of token 4",
    slips={
        "final_norm was not applied before the unembedding.": 13.0,
        "The blocks were called in reverse order.": 225.0,
        "Every block read the embedding; each reads what the block before it returned.": 49.0,
        "A block returns the whole new stream: nothing is to be added to it here.": 3249.0,
        "Every block read the embedding, and a block returns the whole new stream.": 576.0,
        "The last block is left out.": 100.0,
        "The first block is left out.": 121.0,
        "final_norm comes once, after all blocks.": 6265009.0,
    },
)
want = torch.tensor([[169.0, 16900.0, 0.0], [25.0, 2500.0, 0.0]])
checks.check_close(
    got[0], want, "the logits of a toy model", hint="Is it the norm, the unembedding, and no more?"
)
checks.check_close(got[1, 1], torch.tensor([49.0, 4900.0, 0.0]), "the logits of the second text")
bare = transformer(toks, one_number, [], lambda t: t, W_U)
assert float(bare[0, 0, 1]) == 400, (
    "without blocks it is the embedding, the norm and the unembedding"
)
# A stand-in for the embedding that reads numbers, so that gradients can run back through it.
soft = torch.tensor([[0.5, 1.5], [2.0, 0.0]])
W_U = torch.tensor([[1.0, 2.0], [0.0, 1.0], [3.0, 0.0]])
checks.check_rules(
    transformer,
    (soft, spread_out, [wave, running_mean], ripple, W_U),
    "transformer",
    names=("the embedding", "W_U"),
)
assert len(got) == 2

# %% nbgrader={"grade": true, "grade_id": "transformer_test_2", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: random parts, none to four blocks, a vocabulary as large as d_model, a long text.
### BEGIN HIDDEN TESTS
seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)
for depth, wide, vocab, length, kind in (
    (3, 6, 11, 7, torch.float64),
    (0, 4, 9, 7, torch.float32),
    (1, 5, 5, 7, torch.float64),
    (4, 5, 5, 7, torch.float64),
    (12, 3, 4, 50, torch.float32),
):
    table = torch.randn(vocab, wide, generator=g, dtype=torch.float64).to(kind)
    turns = torch.randn(depth, wide, wide, generator=g, dtype=torch.float64).to(kind) / 2
    W_U = torch.randn(wide, vocab, generator=g, dtype=torch.float64).to(kind)
    toks = torch.randint(0, vocab, (2, length), generator=g)
    layers = [lambda t, w=w: torch.sin(t @ w) for w in turns]
    vectors = [[table[int(i)].tolist() for i in row] for row in toks]
    want = torch.zeros(2, length, vocab, dtype=torch.float64)
    for b in range(2):
        for p in range(length):
            vector = vectors[b][p]
            for w in turns.tolist():
                vector = [
                    math.sin(math.fsum(vector[i] * w[i][j] for i in range(wide)))
                    for j in range(wide)
                ]
            vector = [v * v for v in vector]
            for word in range(vocab):
                want[b, p, word] = math.fsum(vector[i] * float(W_U[i, word]) for i in range(wide))
    what = f"transformer of {depth} blocks, d_model {wide}, d_vocab {vocab}, seed {seed}"
    got, kept = call_keeping(
        transformer, toks, lambda t, w=table: w[t], layers, lambda t: t * t, W_U
    )
    checks.check_tensor(got, "transformer", dtype=kind)
    checks.check_close(got, want.to(kind), what, axes="batch pos d_vocab")
    assert torch.equal(kept[0], toks) and torch.equal(kept[4], W_U), (
        f"arguments changed [seed {seed}]"
    )
    assert len(kept[2]) == depth, "blocks were taken out of the list that was given"
soft = torch.rand(2, 4, generator=g)
W_U = torch.randn(3, 5, generator=g)
parts = (soft, spread_out, [wave, running_mean, ripple], wave, W_U)
checks.check_rules(transformer, parts, f"transformer, seed {seed}", names=("the embedding", "W_U"))
assert seed >= 0
### END HIDDEN TESTS

# %% [markdown]
# ---
# ## Your GPT-2
#
# There is nothing left to write. The next cell only *connects* your functions: a `torch.nn.Module` keeps
# the weights, so that PyTorch knows them as parameters, and hands each function what it needs. Read it
# once, slowly: every line of `GPT2` that computes something is a call of yours. For now the library reads the weights
# from their file; in exercise 11 you do. **What do you expect** of your bars beside the library's?


# %%
def as_parameters(named):
    """A dict of tensors as parameters that a module can hold."""
    return torch.nn.ParameterDict({k: torch.nn.Parameter(t.contiguous()) for k, t in named.items()})


class GPT2(torch.nn.Module):
    """The functions of this notebook, connected. W: a dict as from_gpt2 returns it."""

    def __init__(self, W, eps=1e-5):
        super().__init__()
        self.eps = eps
        self.top = as_parameters({name: t for name, t in W.items() if name != "blocks"})
        self.layers = torch.nn.ModuleList(as_parameters(layer) for layer in W["blocks"])

    def forward(self, tokens):  # [batch pos] -> [batch pos d_vocab]
        return transformer(
            tokens,
            self.embedding,
            [lambda x, n=n: self.layer(x, n) for n in range(len(self.layers))],
            lambda x: layer_norm(x, self.top["ln_w"], self.top["ln_b"], self.eps),
            self.top["W_U"],
        )

    def embedding(self, tokens):  # [batch pos] -> [batch pos d_model]
        return embed(tokens, self.top["W_E"], self.top["W_pos"])

    def layer(self, x, n):  # [batch pos d_model] -> the same
        W = self.layers[n]
        return block(
            x,
            lambda x: layer_norm(x, W["ln1_w"], W["ln1_b"], self.eps),
            lambda x: self.attention(x, n),
            lambda x: layer_norm(x, W["ln2_w"], W["ln2_b"], self.eps),
            lambda x: mlp(x, W["W_in"], W["b_in"], W["W_out"], W["b_out"], gelu),
        )

    def heads(self, x, n):  # [batch pos d_model] -> q, k, v, each [batch pos head d_head]
        W = self.layers[n]
        return tuple(project_to_heads(x, W[f"W_{s}"], W[f"b_{s}"]) for s in "QKV")

    def attention(self, x, n):  # [batch pos d_model] -> the same
        q, k, v = self.heads(x, n)
        W = self.layers[n]
        return attention_output(attention_pattern(q, k, causal_mask), v, W["W_O"], W["b_O"])


def library_weights(net):
    """The weights of a model of TransformerLens, in the form that GPT2 takes."""
    heads = ("W_Q", "b_Q", "W_K", "b_K", "W_V", "b_V", "W_O", "b_O")
    stacked = {key: getattr(net, key) for key in (*heads, "W_in", "b_in", "W_out", "b_out")}
    layers = []
    for n, layer in enumerate(net.blocks):
        W = {key: t[n].detach() for key, t in stacked.items()}
        W |= {"ln1_w": layer.ln1.weight.detach(), "ln1_b": layer.ln1.bias.detach()}
        layers.append(W | {"ln2_w": layer.ln2.weight.detach(), "ln2_b": layer.ln2.bias.detach()})
    final = net.ln_final
    top = {"W_E": net.W_E, "W_pos": net.W_pos, "W_U": net.W_U}
    top |= {"ln_w": final.weight, "ln_b": final.bias}
    return {key: t.detach() for key, t in top.items()} | {"blocks": layers}


mine = GPT2(library_weights(net), net.cfg.eps).to(net.cfg.device)
with torch.no_grad():
    my_prompt_logits = mine(prompt_ids.to(net.cfg.device))
print(gap("logits", my_prompt_logits, prompt_logits))
next_tokens(f"{prompt} …", {"library": prompt_logits, "yours": my_prompt_logits})

# %% tags=["play"]
my_text = "The capital of Italy is"
with torch.no_grad():
    my_text_logits = mine(net.to_tokens(my_text))
next_tokens(my_text + " …", {"yours": my_text_logits})

# %% [markdown]
# ---
# ## 11 · Reading somebody else's weights
#
# Difficulty ●●●●○ · Importance ●●●●○ · 25 minutes · optional
#
# A published model is a file of named tensors, laid out as its authors found practical. To run it with
# your functions, every number has to go to its place. This is the part of the work where most hours are
# lost: a matrix that is square can be put in the wrong way round, and nothing complains.
#
# In a GPT-2 file, *l* is the number of a layer, and `d` is d_model:
#
# | name in the file | shape | yours | shape |
# | --- | --- | --- | --- |
# | `wte.weight` | `[d_vocab d]` | `W_E` | `[d_vocab d_model]` |
# | | | `W_U` | `[d_model d_vocab]` |
# | `wpe.weight` | `[n_ctx d]` | `W_pos` | `[n_ctx d_model]` |
# | `ln_f.weight`, `ln_f.bias` | `[d]` | `ln_w`, `ln_b` | `[d_model]` |
# | `h.l.ln_1.weight`, `h.l.ln_1.bias` | `[d]` | `ln1_w`, `ln1_b` | `[d_model]` |
# | `h.l.ln_2.weight`, `h.l.ln_2.bias` | `[d]` | `ln2_w`, `ln2_b` | `[d_model]` |
# | `h.l.attn.c_attn.weight` | `[d 3d]` | `W_Q`, `W_K`, `W_V` | `[head d_model d_head]` |
# | `h.l.attn.c_attn.bias` | `[3d]` | `b_Q`, `b_K`, `b_V` | `[head d_head]` |
# | `h.l.attn.c_proj.weight`, `.bias` | `[d d]`, `[d]` | `W_O`, `b_O` | `[head d_head d_model]`, `[d_model]` |
# | `h.l.mlp.c_fc.weight`, `.bias` | `[d d_mlp]`, `[d_mlp]` | `W_in`, `b_in` | the same |
# | `h.l.mlp.c_proj.weight`, `.bias` | `[d_mlp d]`, `[d]` | `W_out`, `b_out` | the same |
#
# What the names do not tell:
#
# * **Every weight matrix is input by output**: the file's own code computes `x @ weight + bias`. (PyTorch's
#   `Linear` stores output by input. The authors of GPT-2 called their layer `Conv1D`.)
# * `c_attn` makes queries, keys and values at once: the first `d` of its `3d` outputs are the queries of
#   all heads, the next `d` the keys, the last `d` the values. Among `d` numbers the first `d_head` belong to
#   head 0, the next to head 1, and so on.
# * `c_proj` of the attention reads the heads' `z` side by side in that same order.
# * In some files all these names begin with `transformer.`; some hold further tensors under other names
#   (masks, a copy of the tied matrix), which are not needed.
#
# Write `from_gpt2(weights_in_file, n_heads)`. It returns a dict with the keys `W_E`, `W_pos`, `W_U`, `ln_w`, `ln_b` and
# `blocks`: a list with one dict for each layer, layer 0 first, which has the other sixteen keys of the table. Find
# out the number of layers from the names. The tensors of the file stay as they are.
#
# <details><summary>Hint 1: names first</summary>
#
# Make a new dict whose keys have lost a leading `transformer.` (`str.removeprefix`). The layers are
# 0, 1, 2, … for as long as `h.{l}.ln_1.weight` is in it.
# </details>
# <details><summary>Hint 2: three in one</summary>
#
# `tensor.split(size, dim=…)` or `chunk(3, dim=…)` cuts `c_attn` along its outputs. Which of the axes of the
# weight are the outputs?
# </details>
# <details><summary>Hint 3: one piece into heads</summary>
#
# A piece is `[d_model d]`, and its last axis counts (head, d_head), head being the slow one. `reshape` splits an
# axis in exactly this order: `[d_model head d_head]`. Then bring `head` to the front; `reshape` alone cannot
# do that.
# </details>
# <details><summary>Hint 4: W_O</summary>
#
# Here (head, d_head) is the *first* axis of the weight. Split it, and nothing has to move.
# </details>


# %%
drawings.c_attn(heads=net.cfg.n_heads)


# %% nbgrader={"grade": false, "grade_id": "from_gpt2", "locked": false, "schema_version": 3, "solution": true, "task": false}
def from_gpt2(weights_in_file: dict, n_heads: int) -> dict:
    """The tensors of a GPT-2 file under this notebook's names and in its shapes.

    weights_in_file: name -> tensor. Returns: a dict with W_E, W_pos, W_U, ln_w, ln_b, and blocks, a
    list of dicts with ln1_w, ln1_b, W_Q, b_Q, W_K, b_K, W_V, b_V, W_O, b_O, ln2_w, ln2_b, W_in,
    b_in, W_out, b_out.
    """
    ### BEGIN SOLUTION
    file = {name.removeprefix("transformer."): t for name, t in weights_in_file.items()}
    layers = []
    while f"h.{len(layers)}.ln_1.weight" in file:
        h = f"h.{len(layers)}"
        d_model = file[f"{h}.ln_1.weight"].shape[0]
        layer = {
            "ln1_w": file[f"{h}.ln_1.weight"],
            "ln1_b": file[f"{h}.ln_1.bias"],
            "ln2_w": file[f"{h}.ln_2.weight"],
            "ln2_b": file[f"{h}.ln_2.bias"],
            "W_O": file[f"{h}.attn.c_proj.weight"].reshape(n_heads, -1, d_model),
            "b_O": file[f"{h}.attn.c_proj.bias"],
            "W_in": file[f"{h}.mlp.c_fc.weight"],
            "b_in": file[f"{h}.mlp.c_fc.bias"],
            "W_out": file[f"{h}.mlp.c_proj.weight"],
            "b_out": file[f"{h}.mlp.c_proj.bias"],
        }
        matrices = file[f"{h}.attn.c_attn.weight"].split(
            d_model, dim=1
        )  # 3 times [d_model d_model]
        biases = file[f"{h}.attn.c_attn.bias"].split(d_model)  # 3 times [d_model]
        for letter, matrix, bias in zip("QKV", matrices, biases, strict=True):
            layer[f"W_{letter}"] = matrix.reshape(d_model, n_heads, -1).transpose(0, 1)
            layer[f"b_{letter}"] = bias.reshape(n_heads, -1)
        layers.append(layer)
    return {
        "W_E": file["wte.weight"],
        "W_pos": file["wpe.weight"],
        "W_U": file["wte.weight"].T,
        "ln_w": file["ln_f.weight"],
        "ln_b": file["ln_f.bias"],
        "blocks": layers,
    }
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "from_gpt2_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
def small_file(depth, wide, many, vocab, places, start=""):
    """A file of the GPT-2 kind in which every number says where it stands: 0, 1, 2, … per tensor."""
    shapes = {"wte.weight": (vocab, wide), "wpe.weight": (places, wide)}
    shapes |= {"ln_f.weight": (wide,), "ln_f.bias": (wide,)}
    for n in range(depth):
        for name, shape in (
            ("ln_1", (wide,)),
            ("ln_2", (wide,)),
            ("attn.c_attn", (wide, 3 * wide)),
            ("attn.c_proj", (wide, wide)),
            ("mlp.c_fc", (wide, many)),
            ("mlp.c_proj", (many, wide)),
        ):
            shapes[f"h.{n}.{name}.weight"] = shape
            shapes[f"h.{n}.{name}.bias"] = shape[-1:]
    return {
        start + name: torch.arange(float(math.prod(shape))).reshape(shape) + 1000 * number
        for number, (name, shape) in enumerate(shapes.items())
    }


BLOCK_KEYS = {f"{m}_{s}" for m in "Wb" for s in ("Q", "K", "V", "O", "in", "out")}
BLOCK_KEYS |= {"ln1_w", "ln1_b", "ln2_w", "ln2_b"}
file = small_file(depth=3, wide=4, many=5, vocab=7, places=6)
got, kept = call_keeping(from_gpt2, file, 2)
assert kept[0].keys() == file.keys(), "the dict that was given was changed: make a new one"
assert type(got) is dict, f"expected a dict, got {type(got).__name__}"
assert set(got) == {"W_E", "W_pos", "W_U", "ln_w", "ln_b", "blocks"}, f"the keys are {sorted(got)}"
assert type(got["blocks"]) is list and len(got["blocks"]) == 3, (
    "blocks: a list of the file's 3 layers"
)
for layer in got["blocks"]:
    assert type(layer) is dict, f"a block is a dict, not {type(layer).__name__}"
    assert set(layer) == BLOCK_KEYS, f"the keys of a block are {sorted(layer)}"
checks.check_shape(got["W_U"], (4, 7), "W_U", axes="d_model d_vocab")
last = got["blocks"][2]
for name, shape in (("W_Q", (2, 4, 2)), ("b_K", (2, 2)), ("W_O", (2, 2, 4)), ("W_in", (4, 5))):
    checks.check_shape(last[name], shape, f"{name} with d_model 4, 2 heads, d_mlp 5")
c_attn = file["h.2.attn.c_attn.weight"]
corner = [float(last[f"W_{letter}"][0, 0, 0]) - float(c_attn[0, 0]) for letter in "QKV"]
assert corner == [0, 4, 8], (
    "the first entries of W_Q, W_K and W_V are columns 0, 4 and 8 of row 0 of c_attn; yours are columns "
    f"{[int(c) for c in corner]}: in which order do queries, keys and values come?"
)
assert torch.equal(last["W_Q"][1, 0], c_attn[0, 2:4]), (
    "head 1's two query outputs are columns 2 and 3 of c_attn: is the axis split as (head, d_head), and "
    "then moved rather than reshaped?"
)
assert torch.equal(last["W_O"][1], file["h.2.attn.c_proj.weight"][2:4]), (
    "head 1 of W_O is rows 2 and 3 of c_proj: rows are inputs, and the heads' z come side by side"
)
assert torch.equal(last["b_K"][1], file["h.2.attn.c_attn.bias"][6:8]), (
    "head 1's two key biases are numbers 6 and 7 of c_attn's bias: is it split as (head, d_head)?"
)
assert torch.equal(got["W_U"][:, 1], file["wte.weight"][1]), (
    "column 1 of W_U is token 1's row of wte"
)
deep = small_file(depth=11, wide=4, many=4, vocab=7, places=6, start="transformer.")
deep["lm_head.weight"] = deep["transformer.wte.weight"]  # further tensors, which nobody needs
deep["transformer.h.0.attn.bias"] = torch.ones(6, 6)
got, kept = call_keeping(from_gpt2, deep, 2)
assert len(got["blocks"]) == 11, f"this file has 11 layers, yours are {len(got['blocks'])}"
for n, layer in enumerate(got["blocks"]):
    assert set(layer) == BLOCK_KEYS, f"the keys of layer {n} are {sorted(layer)}"
    for key, name in (
        ("ln1_w", "ln_1.weight"), ("ln1_b", "ln_1.bias"), ("ln2_w", "ln_2.weight"),
        ("ln2_b", "ln_2.bias"), ("b_O", "attn.c_proj.bias"), ("W_in", "mlp.c_fc.weight"),
        ("b_in", "mlp.c_fc.bias"), ("W_out", "mlp.c_proj.weight"), ("b_out", "mlp.c_proj.bias"),
    ):  # fmt: skip
        checks.check_tensor(layer[key], f"{key} of layer {n}")
        whose = next((at for at, t in deep.items() if torch.equal(t, layer[key])), "no tensor")
        right = f"transformer.h.{n}.{name}"
        assert whose == right, f"{key} of layer {n} is {right} of the file, not {whose}"
assert kept[0].keys() == deep.keys(), "the dict that was given was changed: make a new one"

# %% nbgrader={"grade": true, "grade_id": "from_gpt2_test_2", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: random files of several sizes, with and without the prefix and tensors that nobody needs;
# what your weights compute on random vectors against what the file's own matrices compute.
### BEGIN HIDDEN TESTS
seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)
for depth, heads, size, many, start in (
    (3, 3, 2, 7, ""),
    (1, 2, 5, 10, "transformer."),
    (12, 2, 2, 4, ""),
):
    wide = heads * size
    file = {
        name: torch.randn(t.shape, generator=g, dtype=torch.float64)
        for name, t in small_file(depth, wide, many, 11, 9, start).items()
    }
    for n in range(depth):
        file[f"{start}h.{n}.attn.bias"] = torch.ones(1, 1, 9, 9, dtype=torch.float64).tril()
    if start:
        file["lm_head.weight"] = file["transformer.wte.weight"]
    before = {name: t.clone() for name, t in file.items()}
    got, kept = call_keeping(from_gpt2, file, heads)
    assert type(got) is dict and set(got) == {"W_E", "W_pos", "W_U", "ln_w", "ln_b", "blocks"}, (
        "the keys"
    )
    assert type(got["blocks"]) is list and len(got["blocks"]) == depth, (
        f"{depth} layers [seed {seed}]"
    )
    what = f"[{depth} layers, {heads} heads, d_head {size}, seed {seed}]"
    checks.check_close(got["W_E"], file[start + "wte.weight"], f"W_E {what}")
    checks.check_close(got["W_pos"], file[start + "wpe.weight"], f"W_pos {what}")
    checks.check_close(got["ln_w"], file[start + "ln_f.weight"], f"ln_w {what}")
    checks.check_close(got["ln_b"], file[start + "ln_f.bias"], f"ln_b {what}")
    checks.check_shape(got["W_U"], (wide, 11), f"W_U {what}", axes="d_model d_vocab")
    for token in range(11):
        checks.check_close(got["W_U"][:, token], file[start + "wte.weight"][token], f"W_U {what}")
    for n, layer in enumerate(got["blocks"]):
        assert type(layer) is dict and set(layer) == BLOCK_KEYS, f"the keys of layer {n} {what}"
        for key, name in (
            ("ln1_w", "ln_1.weight"), ("ln1_b", "ln_1.bias"), ("ln2_w", "ln_2.weight"),
            ("ln2_b", "ln_2.bias"), ("b_O", "attn.c_proj.bias"), ("W_in", "mlp.c_fc.weight"),
            ("b_in", "mlp.c_fc.bias"), ("W_out", "mlp.c_proj.weight"), ("b_out", "mlp.c_proj.bias"),
        ):  # fmt: skip
            checks.check_close(
                layer[key], file[f"{start}h.{n}.{name}"], f"{key} of layer {n} {what}"
            )
        x = torch.randn(wide, generator=g, dtype=torch.float64)
        outputs = (
            x @ file[f"{start}h.{n}.attn.c_attn.weight"] + file[f"{start}h.{n}.attn.c_attn.bias"]
        )
        for third, letter in enumerate("QKV"):
            matrix, bias = layer[f"W_{letter}"], layer[f"b_{letter}"]
            checks.check_shape(matrix, (heads, wide, size), f"W_{letter} of layer {n} {what}")
            checks.check_shape(bias, (heads, size), f"b_{letter} of layer {n} {what}")
            for head in range(heads):
                for e in range(size):
                    value = math.fsum(float(x[i] * matrix[head, i, e]) for i in range(wide))
                    value += float(bias[head, e])
                    place = third * wide + head * size + e
                    assert abs(value - float(outputs[place])) < 1e-9, (
                        f"W_{letter}, b_{letter} of head {head}, layer {n}: wrong numbers {what}"
                    )
        checks.check_shape(layer["W_O"], (heads, size, wide), f"W_O of layer {n} {what}")
        back = x @ file[f"{start}h.{n}.attn.c_proj.weight"]
        shares = [
            float(x[head * size + e]) * layer["W_O"][head, e]
            for head in range(heads)
            for e in range(size)
        ]
        checks.check_close(sum(shares[1:], shares[0]), back, f"what W_O of layer {n} writes {what}")
    assert kept[0].keys() == before.keys(), f"the dict that was given was changed {what}"
    for name, t in kept[0].items():
        assert torch.equal(t, before[name]), f"the file's {name} was changed {what}"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "from_gpt2_test_3", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Hidden: the loaded model's file, against the weights as the library cuts them up.
### BEGIN HIDDEN TESTS
m = model("tiny-gpt2")
got = from_gpt2(weights("tiny-gpt2"), m.cfg.n_heads)
assert type(got) is dict and len(got["blocks"]) == m.cfg.n_layers, "blocks: one for each layer"
for n, layer in enumerate(got["blocks"]):
    for key, stacked in (
        ("W_Q", m.W_Q), ("W_K", m.W_K), ("W_V", m.W_V), ("W_O", m.W_O), ("W_in", m.W_in), ("W_out", m.W_out),
        ("b_Q", m.b_Q), ("b_K", m.b_K), ("b_V", m.b_V), ("b_O", m.b_O), ("b_in", m.b_in), ("b_out", m.b_out),
    ):  # fmt: skip
        checks.check_close(layer[key], stacked[n].detach(), f"{key} of layer {n} of tiny-gpt2")
for key, matrix in (("W_E", m.W_E), ("W_pos", m.W_pos), ("W_U", m.W_U)):
    checks.check_close(got[key], matrix.detach(), f"{key} of tiny-gpt2")
assert len(got) == 6, "six keys"
### END HIDDEN TESTS


# %%
def load(name):
    """Your model with the weights of the checkpoint `name`, where the library's model lives."""
    cfg = model(name).cfg
    return GPT2(from_gpt2(weights(name), cfg.n_heads), cfg.eps).to(cfg.device)


def logits_of(name, tokens):
    """Your model's logits [batch pos d_vocab] on the CPU, with the weights of the checkpoint `name`."""
    yours = load(name)
    with torch.no_grad():
        return yours(tokens.to(model(name).cfg.device)).cpu()


def gradients_of(name, tokens):
    """The gradient of your model's loss on `tokens`, for each weight by its name."""
    yours = load(name)
    logits = yours(tokens.to(model(name).cfg.device))
    answers = tokens[:, 1:].flatten().to(logits.device)
    loss = torch.nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1), answers)
    if loss.requires_grad:
        loss.backward()
    return {label: p.grad for label, p in yours.named_parameters()}


# %% [markdown]
# Now with the weights that you have read yourself. On random tokens, does your model say what the library's model says? (`gpt2` is in
# the table where the course has the real one.)

# %%
for checkpoint in ("tiny-gpt2", "gpt2"):
    if checkpoint in available():
        library = model(checkpoint)
        random_ids = torch.randint(0, library.cfg.d_vocab, (2, 32))
        with torch.no_grad():
            library_logits = library(random_ids.to(library.cfg.device)).cpu()
        report = gap("logits", logits_of(checkpoint, random_ids), library_logits)
        print(f"{checkpoint}, {library.cfg.n_layers} layers: {report}")

# %% nbgrader={"grade": true, "grade_id": "together_test", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# Everything together: your logits against the library's, on random tokens, to four decimals.
seed = secrets.randbelow(1_000_000)
m = model("tiny-gpt2")
remove_hooks(m)
for length in (1, 9, m.cfg.n_ctx):
    toks = torch.randint(
        0, m.cfg.d_vocab, (2, length), generator=torch.Generator().manual_seed(seed)
    )
    want = m(toks.to(m.cfg.device)).detach().cpu()
    got = logits_of("tiny-gpt2", toks)
    checks.check_close(
        got,
        want,
        f"your logits on tokens [2 {length}], seed {seed}",
        axes="batch pos d_vocab",
        hint="Every part has its own tests above: which of them fails?",
        atol=1e-4,
        rtol=0.0,
    )
assert got.shape[1] == m.cfg.n_ctx

# %% nbgrader={"grade": true, "grade_id": "together_test_2", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# And backwards: the gradient of the loss for every weight, against the library's.
seed = secrets.randbelow(1_000_000)
m = model("tiny-gpt2")
remove_hooks(m)
toks = torch.randint(0, m.cfg.d_vocab, (2, 9), generator=torch.Generator().manual_seed(seed))
named = {
    name.replace("_original_component.", "").removeprefix("transformer."): p
    for name, p in m.named_parameters()
}
bets = m(toks.to(m.cfg.device))[:, :-1].flatten(0, 1)
loss = torch.nn.functional.cross_entropy(bets, toks[:, 1:].flatten().to(bets.device))
slopes = torch.autograd.grad(loss, list(named.values()), allow_unused=True)
library_slopes = {name: t.cpu() for name, t in zip(named, slopes, strict=True) if t is not None}
got = gradients_of("tiny-gpt2", toks)
for label in got:
    assert type(got[label]) is torch.Tensor, f"no gradient reaches {label} [seed {seed}]"
d_model, n_heads = m.cfg.d_model, m.cfg.n_heads
pairs = {"wte.weight": got["top.W_E"].cpu() + got["top.W_U"].cpu().T}  # one table, used twice
pairs |= {"wpe.weight": got["top.W_pos"], "ln_f.weight": got["top.ln_w"]}
for n in range(m.cfg.n_layers):
    for letter in "QKV":
        slope = got[f"layers.{n}.W_{letter}"].cpu()  # [head d_model d_head]
        pairs[f"h.{n}.attn.{letter.lower()}.weight"] = slope.transpose(1, 2).reshape(d_model, -1)
        pairs[f"h.{n}.attn.{letter.lower()}.bias"] = got[f"layers.{n}.b_{letter}"].reshape(-1)
    pairs[f"h.{n}.attn.o.weight"] = got[f"layers.{n}.W_O"].reshape(d_model, d_model)
    for key, name in (
        ("ln1_w", "ln_1.weight"), ("ln1_b", "ln_1.bias"), ("ln2_w", "ln_2.weight"),
        ("ln2_b", "ln_2.bias"), ("W_in", "mlp.c_fc.weight"), ("b_in", "mlp.c_fc.bias"),
        ("W_out", "mlp.c_proj.weight"), ("b_out", "mlp.c_proj.bias"), ("b_O", "attn.o.bias"),
    ):  # fmt: skip
        pairs[f"h.{n}.{name}"] = got[f"layers.{n}.{key}"]
for name, slope in pairs.items():
    checks.check_close(
        slope.cpu(),
        library_slopes[name],
        f"the gradient of your loss for {name}, seed {seed}",
        hint="Every part has its own tests above: which of them fails?",
        atol=1e-4,
        rtol=1e-3,
    )
assert len(pairs) == 3 + 16 * m.cfg.n_layers

# %% [markdown]
# ---
# ## 12 · The likeliest k
#
# Difficulty ●●○○○ · Importance ●●○○○ · 10 minutes · optional
#
# A bet is not a word yet. To write, one token is drawn from the model's probabilities, appended to the text,
# and the longer text is read again. *How* it is drawn makes more difference to the text than one would think.
# The next four exercises are the usual way, one idea each; in papers it is called **sampling** or **decoding**.
#
# The many unlikely tokens have, *together*, a good chance of spoiling each sentence. **Top-k** (Fan et al. 2018,
# [*Hierarchical Neural Story Generation*](https://arxiv.org/abs/1805.04833)) leaves only the *k* likeliest in the
# game.
#
# Write `keep_top_k(probs, k)`. `probs[batch d_vocab]` holds one distribution a row. In each row all but the `k` likeliest
# ids get probability 0, and what is left is scaled to add up to 1. The ids stay in their order. `k` is at least 1,
# and may be larger than `d_vocab`: then nothing is left out.
#
# <details><summary>Hint 1: which are they?</summary>
#
# `probs.topk(k)` returns the `k` largest numbers of each row and where they stand. It refuses a `k` larger than the
# row. `probs.sort(descending=True)` returns all of them, with their ids.
# </details>
# <details><summary>Hint 2: back to the order of the ids</summary>
#
# `torch.zeros_like(probs).scatter(-1, ids, values)` puts each value at its id.
# </details>


# %%
# The tests draw distributions with these.
def scaled(row):
    """A list of numbers, scaled to add up to 1."""
    total = math.fsum(row)
    return [value / total for value in row]


def random_rows(g, rows, size, kind, spread=2.0):
    """Distributions [row size] with no two equal entries, the last row near each other."""
    raw = (spread * torch.randn(rows, size, generator=g, dtype=torch.float64)).softmax(-1)
    raw[-1] = 1 + 0.2 * torch.randperm(size, generator=g).double() / size
    return (raw / raw.sum(-1, keepdim=True)).to(kind)


# %% nbgrader={"grade": false, "grade_id": "keep_top_k", "locked": false, "schema_version": 3, "solution": true, "task": false}
def keep_top_k(probs: torch.Tensor, k: int) -> torch.Tensor:
    """Each distribution with its k likeliest ids only, scaled to add up to 1.

    probs: [batch d_vocab]. k: at least 1. Returns: [batch d_vocab].
    """
    ### BEGIN SOLUTION
    ranked, ids = probs.sort(dim=-1, descending=True)
    kept = torch.zeros_like(probs).scatter(-1, ids[:, :k], ranked[:, :k])
    return kept / kept.sum(dim=-1, keepdim=True)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "keep_top_k_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
probs = torch.tensor([[0.1, 0.5, 0.15, 0.25], [0.4, 0.3, 0.2, 0.1]])
got, kept = call_keeping(keep_top_k, probs, 2)
checks.check_tensor(got, "keep_top_k", dtype=torch.float32)
checks.check_shape(got, (2, 4), "keep_top_k of probs [2 4]", axes="batch d_vocab")
checks.check_close(
    got[0],
    torch.tensor([0.0, 2 / 3, 0.0, 1 / 3]),
    "keep_top_k([0.1, 0.5, 0.15, 0.25], 2)",
    slips={
        "What is left has to add up to 1.": torch.tensor([0.0, 0.5, 0.0, 0.25]),
        "One token too many is kept.": torch.tensor([0.0, 5 / 9, 1 / 6, 5 / 18]),
        "These are the unlikeliest.": torch.tensor([0.4, 0.0, 0.6, 0.0]),
        "The ids keep their order: this is the order of the ranking.": torch.tensor(
            [2 / 3, 1 / 3, 0.0, 0.0]
        ),
        "These are the first two ids, not the two likeliest.": torch.tensor(
            [1 / 6, 5 / 6, 0.0, 0.0]
        ),
        "The others must get 0: was a logit or a probability of 0 put through a softmax?": torch.tensor(
            [0.6 / 3, 0.9 / 3, 0.6 / 3, 0.9 / 3]
        ),
    },
)
checks.check_close(
    got[1], torch.tensor([4 / 7, 3 / 7, 0.0, 0.0]), "keep_top_k([0.4, 0.3, 0.2, 0.1], 2)"
)
checks.check_close(keep_top_k(probs, 9), probs, "keep_top_k with k = 9 of four tokens")
checks.check_close(keep_top_k(probs, 1), torch.eye(4)[[1, 0]], "keep_top_k with k = 1")
assert torch.equal(kept[0], probs), "probs were changed: make a new tensor"
checks.check_tensor(keep_top_k(probs.double(), 3), "keep_top_k of float64", dtype=torch.float64)
assert len(got) == 2

# %% nbgrader={"grade": true, "grade_id": "keep_top_k_test_2", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Hidden: random rows with zeros, near each other, of a long vocabulary, for several k.
### BEGIN HIDDEN TESTS
seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)

for size, k, kind in (
    (13, 1, torch.float64),
    (13, 3, torch.float32),
    (13, 12, torch.float64),
    (13, 13, torch.float32),
    (13, 50, torch.float64),
    (700, 40, torch.float32),
):
    probs = random_rows(g, 4, size, kind)
    probs[0, 2:5] = 0.0
    probs = probs / probs.sum(-1, keepdim=True)
    want = []
    for row in probs.double().tolist():
        best = sorted(range(size), key=lambda i, row=row: -row[i])[:k]
        want.append(scaled([value if i in best else 0.0 for i, value in enumerate(row)]))
    what = f"keep_top_k of probs [4 {size}], k = {k}, seed {seed}"
    got, kept = call_keeping(keep_top_k, probs, k)
    checks.check_tensor(got, "keep_top_k", dtype=kind)
    checks.check_close(got, torch.tensor(want, dtype=kind), what, axes="batch d_vocab")
    assert torch.equal(kept[0], probs), f"probs were changed [seed {seed}]"
assert seed >= 0
### END HIDDEN TESTS

# %% [markdown]
# ---
# ## 13 · As many as it takes
#
# Difficulty ●●●○○ · Importance ●●●○○ · 15 minutes · optional
#
# How many tokens are sensible depends on the place. After "The capital of France is" it is one, after "Once" it is
# many: no single *k* is right for both. **Top-p**, also called **nucleus sampling** (Holtzman et al. 2020,
# [*The Curious Case of Neural Text Degeneration*](https://arxiv.org/abs/1904.09751), Section 3.1), keeps **the
# fewest likeliest tokens whose probabilities add up to at least *p***. The token with which the sum reaches *p* is
# kept, so there is always at least one.
#
# Write `keep_top_p(probs, p)` for `probs[batch d_vocab]` and a number `p`, more than 0 and at most 1. As before, the others get
# probability 0, what is left is scaled to add up to 1, and the ids stay in their order.
#
# <details><summary>Hint 1: ranks</summary>
#
# `probs.sort(descending=True)` gives the sorted probabilities and the ids that they belong to. On the sorted
# side the rule is about *how many from the left*. To come back, `scatter` puts each number at its id.
# </details>
# <details><summary>Hint 2: without being one off</summary>
#
# A token is kept if what lies **before** it in the ranking is still less than *p*. What lies before it is the
# cumulative sum minus its own probability. (If you ask whether the sum *including* it is at most *p*, you
# lose the token that reaches *p*, and sometimes all.)
# </details>


# %% nbgrader={"grade": false, "grade_id": "keep_top_p", "locked": false, "schema_version": 3, "solution": true, "task": false}
def keep_top_p(probs: torch.Tensor, p: float) -> torch.Tensor:
    """Each distribution with the fewest likeliest ids that have at least p together, scaled to 1.

    probs: [batch d_vocab]. p: more than 0, at most 1. Returns: [batch d_vocab].
    """
    ### BEGIN SOLUTION
    ranked, ids = probs.sort(dim=-1, descending=True)
    before = ranked.cumsum(dim=-1) - ranked
    kept = torch.zeros_like(probs).scatter(-1, ids, ranked * (before < p))
    return kept / kept.sum(dim=-1, keepdim=True)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "keep_top_p_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
probs = torch.tensor([[0.1, 0.5, 0.15, 0.25], [0.4, 0.3, 0.2, 0.1]])
got, kept = call_keeping(keep_top_p, probs, 0.72)
checks.check_tensor(got, "keep_top_p", dtype=torch.float32)
checks.check_shape(got, (2, 4), "keep_top_p of probs [2 4]", axes="batch d_vocab")
checks.check_close(
    got[0],
    torch.tensor([0.0, 2 / 3, 0.0, 1 / 3]),
    "keep_top_p([0.1, 0.5, 0.15, 0.25], 0.72)",
    slips={
        "0.5 is not enough: the token with which the sum reaches p is kept.": torch.tensor(
            [0.0, 1.0, 0.0, 0.0]
        ),
        "0.5 and 0.25 are enough: one token too many is kept.": torch.tensor(
            [0.0, 5 / 9, 1 / 6, 5 / 18]
        ),
        "What is left has to add up to 1.": torch.tensor([0.0, 0.5, 0.0, 0.25]),
        "The nucleus is taken in the order of the ids, not of their probabilities.": torch.tensor(
            [0.1 / 0.75, 0.5 / 0.75, 0.15 / 0.75, 0.0]
        ),
        "The ids keep their order: this is the order of the ranking.": torch.tensor(
            [2 / 3, 1 / 3, 0.0, 0.0]
        ),
    },
)
checks.check_close(
    got[1], torch.tensor([4 / 9, 3 / 9, 2 / 9, 0.0]), "keep_top_p([0.4, 0.3, 0.2, 0.1], 0.72)"
)
checks.check_close(keep_top_p(probs, 0.05), torch.eye(4)[[1, 0]], "keep_top_p with p = 0.05")
checks.check_close(keep_top_p(probs, 1.0), probs, "keep_top_p with p = 1")
sure = torch.tensor([[0.0, 0.0, 1.0, 0.0], [0.25, 0.25, 0.25, 0.25]])
even = keep_top_p(sure, 0.5)
checks.check_close(even[0], sure[0], "keep_top_p of a sure bet")
assert int((even[1] > 0).sum()) == 2, "four tokens of 1/4 each, p = 0.5: two add up to it"
assert torch.equal(kept[0], probs), "probs were changed: make a new tensor"
checks.check_tensor(keep_top_p(probs.double(), 0.8), "keep_top_p of float64", dtype=torch.float64)
assert len(got) == 2

# %% nbgrader={"grade": true, "grade_id": "keep_top_p_test_2", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: random rows with zeros, near each other, of a long vocabulary, for several p.
### BEGIN HIDDEN TESTS
seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)


def nucleus_of(row, p):
    """The ids that top-p keeps, and by how much its two sums miss p."""
    ranking = sorted(range(len(row)), key=lambda i: -row[i])
    nucleus, reached, least = [], 0.0, 1.0
    for i in ranking:
        if reached >= p:
            break
        nucleus.append(i)
        reached = math.fsum(row[i] for i in nucleus)
        least = min(least, abs(reached - p))
    return nucleus, least


for size, p, kind in (
    (13, 0.9, torch.float64),
    (13, 0.5, torch.float32),
    (13, 0.05, torch.float64),
    (13, 0.7, torch.float64),
    (13, 0.99, torch.float32),
    (700, 0.95, torch.float64),
):
    chosen = []  # rows whose sums do not come near p, so that rounding does not decide
    while len(chosen) < 5:
        row = random_rows(g, 2, size, kind)[len(chosen) % 2]
        row[1:4] = 0.0
        row = row / row.sum()
        if nucleus_of(row.double().tolist(), p)[1] > 1e-5:
            chosen.append(row)
    probs = torch.stack(chosen)
    want = []
    for row in probs.double().tolist():
        nucleus, _ = nucleus_of(row, p)
        want.append(scaled([value if i in nucleus else 0.0 for i, value in enumerate(row)]))
    what = f"keep_top_p of probs [5 {size}], p = {p}, seed {seed}"
    got, kept = call_keeping(keep_top_p, probs, p)
    checks.check_tensor(got, "keep_top_p", dtype=kind)
    checks.check_close(got, torch.tensor(want, dtype=kind), what, axes="batch d_vocab")
    assert torch.equal(kept[0], probs), f"probs were changed [seed {seed}]"
probs = random_rows(g, 3, 9, torch.float64, spread=1.0)
checks.check_close(keep_top_p(probs, 1.0), probs, f"keep_top_p with p = 1, seed {seed}")
eighths = keep_top_p(torch.full((2, 8), 1 / 8), 0.5)  # these sums are exact
for row in eighths.tolist():
    assert sorted(row) == [0, 0, 0, 0, 0.25, 0.25, 0.25, 0.25], (
        "eight tokens of 1/8 each, p = 0.5: four add up to it"
    )
### END HIDDEN TESTS

# %% [markdown]
# ---
# ## 14 · The draw
#
# Difficulty ●●●○○ · Importance ●●●○○ · 15 minutes · optional
#
# A draw has to be checked, so chance comes from outside: `u[batch]` holds one number in [0, 1) for each row of
# `probs[batch d_vocab]`. Lay the ids 0, 1, 2, … side by side on a line of length 1, each as long as its probability, and
# take the id that `u` falls on: **the first id at which the sum of the probabilities up to and including it exceeds
# `u`**. (In papers: **inverse transform sampling**.) If `u` is drawn evenly, each id comes as often as its
# probability says.
#
# Write `draw(probs, u)`: int64 `[batch]`. It never returns an id of probability 0, not even for `u` = 0 or for a `u` just below
# 1, where rounding may have left the line a little short.
#
# <details><summary>Hint 1: for all rows</summary>
#
# `cumsum` along the ids. Count how many of its entries are at most `u`: these are the ids that `u` has passed.
# The count is the id.
# </details>
# <details><summary>Hint 2: the end of the line</summary>
#
# Sums of many rounded numbers end at 0.9999998 or 1.0000001. If you divide the cumulative sums by the last of
# them, the line is exactly 1 long.
# </details>


# %% nbgrader={"grade": false, "grade_id": "draw", "locked": false, "schema_version": 3, "solution": true, "task": false}
def draw(probs: torch.Tensor, u: torch.Tensor) -> torch.Tensor:
    """The id that u falls on when the ids lie side by side, each as long as its probability.

    probs: [batch d_vocab]. u: [batch], in [0, 1). Returns: int64 [batch].
    """
    ### BEGIN SOLUTION
    line = probs.cumsum(dim=-1)
    line = line / line[:, -1:]
    return (line <= u[:, None]).sum(dim=-1)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "draw_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
shares = "[0.1, 0.6, 0.3, 0]"
table = torch.tensor([0.1, 0.6, 0.3, 0.0])
fell = draw(table.expand(3, -1), torch.tensor([0.05, 0.5, 0.95]))
checks.check_tensor(fell, "draw", dtype=torch.int64)
checks.check_shape(fell, (3,), "draw from probs [3 4]", axes="batch")
slips = {
    (1, 1, 0): "ids lie on the line in the order of their numbers, not of their probabilities",
    (0, 0, 2): "the place in the ranking is not the id",
    (0, 1, 0): "u is not compared with probabilities, but with their sums",
    (1, 1, 1): "is it always the likeliest? or the same u for all rows?",
    (0, 0, 0): "is it the same u for all rows?",
    (1, 2, 3): "one id too far",
    (-1, 0, 1): "one id too early",
}
assert tuple(fell.tolist()) == (0, 1, 2), (
    f"u = 0.05, 0.5, 0.95 fall on the ids 0, 1 and 2 of {shares}, not on {fell.tolist()}: "
    + slips.get(tuple(fell.tolist()), "see the rule in bold")
)
even = (torch.arange(1000.0) + 0.5) / 1000
counts = [int((draw(table.expand(1000, -1), even) == i).sum()) for i in range(4)]
assert counts == [100, 600, 300, 0], f"1000 draws from {shares} came out as {counts}"
gaps = torch.tensor([[0.0, 0.25, 0.0, 0.75, 0.0], [0.0, 1.0, 0.0, 0.0, 0.0]])
for u, right in ((0.0, [1, 1]), (0.25, [3, 1]), (1 - 2**-24, [3, 1])):
    got = draw(gaps, torch.full((2,), u)).tolist()
    assert got == right, f"u = {u} falls on the ids {right} of {gaps.tolist()}, not on {got}"
each = draw(gaps, torch.tensor([0.1, 0.9])).tolist()
assert each == [1, 1], f"each row has its own u: expected [1, 1], got {each}"

# %% nbgrader={"grade": true, "grade_id": "draw_test_2", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Hidden: rows with zeros, near each other and long, from the middle of each id's stretch and both ends.
### BEGIN HIDDEN TESTS
seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)
for size, kind in (
    (13, torch.float64),
    (13, torch.float32),
    (60, torch.float64),
    (2, torch.float32),
):
    probs = random_rows(g, 6, size, kind)
    if size > 2:
        probs[0, [0, -1]] = 0.0
        probs[1, 1:5] = 0.0
    probs = probs / probs.sum(-1, keepdim=True)
    probs[2] = probs[2] * (1 - 1e-6)  # as if rounding had left this line a little short
    given, us, right = [], [], []
    for number, row in enumerate(probs.double().tolist()):
        alive, passed = [i for i, value in enumerate(row) if value > 0], 0.0
        for i in alive:
            if row[i] > 1e-4:
                given.append(number)
                us.append(passed + row[i] / 2)
                right.append(i)
            passed += row[i]
        given.append(number)
        us.append(0.0)
        right.append(alive[0])
        if row[alive[-1]] > 1e-4:  # else its stretch may be shorter than what is missing to 1
            given.append(number)
            us.append(1 - 2**-24)  # the largest number below 1 in float32
            right.append(alive[-1])
    u = torch.tensor(us, dtype=torch.float64).to(kind)
    got, kept = call_keeping(draw, probs[given], u)
    checks.check_tensor(got, "draw", dtype=torch.int64)
    checks.check_shape(got, u.shape, f"draw from probs {list(probs[given].shape)}", axes="batch")
    wrong = sum(int(x) != y for x, y in zip(got, right, strict=True))
    assert wrong == 0, f"{wrong} of {len(us)} draws fell on another id, d_vocab {size}, seed {seed}"
    assert torch.equal(kept[0], probs[given]) and torch.equal(kept[1], u), "arguments changed"
### END HIDDEN TESTS

# %% [markdown]
# ---
# ## 15 · Temperature, and all together
#
# Difficulty ●●○○○ · Importance ●●●○○ · 10 minutes · optional
#
# The last knob is the **temperature** *T*: the logits are divided by *T* before the softmax. Below 1 the likely becomes
# likelier; above 1 all become more equal. *T* = 0 means: always the likeliest (in papers: **greedy decoding**).
#
# Write `sample`, one draw for each row of `logits[batch d_vocab]`. As always you are given the parts as functions:
# `keep_k(probs, k)`, `keep_p(probs, p)` and `draw_from(probs, u)`, which mean what yours mean. In this order:
#
# 1. if `temperature` is 0, return the likeliest ids and be done;
# 2. the logits divided by the temperature, then the softmax;
# 3. `keep_k`, if `top_k` is not None;
# 4. `keep_p`, if `top_p` is not None;
# 5. `draw_from`, with `u[batch]`.
#
# The result is int64 `[batch]`, and the logits stay as they are.
#
# <details><summary>Hint 1: one variable</summary>
#
# `probs` after step 2, overwritten by steps 3 and 4 where they apply.
# </details>
# <details><summary>Hint 2: temperature 0</summary>
#
# Nothing can be divided by 0. `argmax` along the right axis.
# </details>


# %% nbgrader={"grade": false, "grade_id": "sample", "locked": false, "schema_version": 3, "solution": true, "task": false}
def sample(
    logits: torch.Tensor,
    u: torch.Tensor,
    keep_k,
    keep_p,
    draw_from,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
) -> torch.Tensor:
    """One token id a row, drawn after temperature, top-k and top-p.

    logits: [batch d_vocab]. u: [batch], in [0, 1). keep_k: a function from probs [batch d_vocab]
    and top_k to probs. keep_p: one from probs and top_p. draw_from: one from probs and u to ids.
    Returns: int64 [batch].
    """
    ### BEGIN SOLUTION
    if temperature == 0:
        return logits.argmax(dim=-1)
    probs = (logits / temperature).softmax(dim=-1)
    if top_k is not None:
        probs = keep_k(probs, top_k)
    if top_p is not None:
        probs = keep_p(probs, top_p)
    return draw_from(probs, u)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "sample_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
stages = []


def stand_in(name, column):
    """A part that notes what it was given, and gives all probability to one id."""

    def call(probs, setting):
        number = setting.tolist() if isinstance(setting, torch.Tensor) else setting
        stages.append((name, [[round(x, 3) for x in row] for row in probs.tolist()], number))
        return torch.eye(3, dtype=probs.dtype)[[column] * len(probs)]

    return call


def sampled(u=(0.5, 0.25), **how):
    """What sample returns for two rows of logits, and the names of the parts that it called."""
    stages.clear()
    rows = torch.tensor([[0.1, 0.6, 0.3], [0.5, 0.25, 0.25]]).log()
    parts = (stand_in("keep_k", 0), stand_in("keep_p", 1), lambda probs, u: draw_here(probs, u))
    return sample(rows, torch.tensor(u), *parts, **how), [name for name, *_ in stages]


def draw_here(probs, u):
    """A stand-in for the draw: the likeliest."""
    stand_in("draw_from", 0)(probs, u)
    return probs.argmax(dim=-1)


ids, called = sampled()
checks.check_tensor(ids, "sample", dtype=torch.int64)
checks.check_shape(ids, (2,), "sample of logits [2 3]", axes="batch")
assert called == ["draw_from"], f"without top_k and top_p only draw_from is called, not {called}"
assert stages[-1][1] == [[0.1, 0.6, 0.3], [0.5, 0.25, 0.25]], "draw_from gets the probabilities"
assert stages[-1][2] == [0.5, 0.25], "draw_from gets u"
_, called = sampled(temperature=0.5)
first_row = stages[-1][1][0]  # squares: 0.01, 0.36, 0.09, of a total of 0.46
assert first_row != [0.193, 0.473, 0.334], "do you multiply by the temperature?"
assert first_row == [0.022, 0.783, 0.196], (
    f"temperature 0.5 makes of 0.1, 0.6, 0.3 the probabilities 0.022, 0.783, 0.196, not {first_row}: "
    "are the logits divided, before the softmax?"
)
ids, called = sampled(top_k=2, top_p=0.7, temperature=0.5)
assert called == ["keep_k", "keep_p", "draw_from"], (
    f"with top_k and top_p: keep_k, keep_p, draw_from, each once and in this order; called: {called}"
)
settings = [setting for _, _, setting in stages]
assert settings == [2, 0.7, [0.5, 0.25]], f"they get top_k, top_p and u; they got {settings}"
assert stages[0][1][0] == first_row, "keep_k gets the probabilities after the temperature"
assert stages[1][1] == [[1, 0, 0]] * 2, "keep_p gets what keep_k returned"
assert stages[2][1] == [[0, 1, 0]] * 2, "draw_from gets what keep_p returned"
assert ids.tolist() == [1, 1], "sample returns what draw_from returned"
assert sampled(top_k=2)[1] == ["keep_k", "draw_from"], "top_k alone: keep_k and draw_from"
assert sampled(top_p=0.5)[1] == ["keep_p", "draw_from"], "top_p alone: keep_p and draw_from"
assert sampled(temperature=0)[0].tolist() == [1, 0], "temperature 0 takes the likeliest of each row"

# %% nbgrader={"grade": true, "grade_id": "sample_test_2", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Hidden: random logits through real parts, row by row, against a loop; the arguments survive.
### BEGIN HIDDEN TESTS
seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)


def top_p_of(row, p):
    """The ids that top-p keeps."""
    nucleus = []
    for i in sorted(range(len(row)), key=lambda i: -row[i]):
        if math.fsum(row[i] for i in nucleus) >= p:
            break
        nucleus.append(i)
    return nucleus


def k_of_rows(probs, k):
    """Top-k, row by row."""
    rows = []
    for row in probs.tolist():
        best = sorted(range(len(row)), key=lambda i, row=row: -row[i])[:k]
        rows.append(scaled([value if i in best else 0.0 for i, value in enumerate(row)]))
    return torch.tensor(rows, dtype=probs.dtype)


def p_of_rows(probs, p):
    """Top-p, row by row."""
    rows = []
    for row in probs.tolist():
        nucleus = top_p_of(row, p)
        rows.append(scaled([value if i in nucleus else 0.0 for i, value in enumerate(row)]))
    return torch.tensor(rows, dtype=probs.dtype)


def fall(probs, u):
    """The draw, row by row."""
    ids = []
    for row, place in zip(probs.tolist(), u.tolist(), strict=True):
        alive, passed = [i for i, value in enumerate(row) if value > 0], 0.0
        for i in alive:
            passed += row[i]
            if passed > place:
                break
        ids.append(i)
    return torch.tensor(ids)


for how, kind in (
    ({}, torch.float64),
    ({"temperature": 0.4}, torch.float64),
    ({"temperature": 2.5}, torch.float32),
    ({"top_k": 1}, torch.float64),
    ({"top_k": 3, "temperature": 1.7}, torch.float64),
    ({"top_p": 0.8, "temperature": 2.0}, torch.float64),
    ({"top_p": 0.7, "top_k": 5}, torch.float64),
    ({"top_p": 0.6, "top_k": 4, "temperature": 0.6}, torch.float64),
):
    rows = (1.5 * torch.randn(40, 13, generator=g, dtype=torch.float64)).to(kind)
    u = torch.rand(40, generator=g, dtype=torch.float64).to(kind)
    probs = torch.tensor(
        [
            scaled([math.exp((value - max(row)) / how.get("temperature", 1.0)) for value in row])
            for row in rows.double().tolist()
        ],
        dtype=torch.float64,
    )
    probs = k_of_rows(probs, how.get("top_k", 13))
    probs = p_of_rows(probs, how.get("top_p", 1.1))
    want = fall(probs, u.double()).tolist()
    got, kept = call_keeping(sample, rows, u, k_of_rows, p_of_rows, fall, **how)
    checks.check_tensor(got, "sample", dtype=torch.int64)
    checks.check_shape(got, (40,), f"sample, {how}", axes="batch")
    wrong = sum(x != y for x, y in zip(got.tolist(), want, strict=True))
    assert wrong <= (kind is torch.float32), f"{wrong} of 40 draws are wrong, {how}, seed {seed}"
    assert torch.equal(kept[0], rows) and torch.equal(kept[1], u), f"arguments changed, {how}"
near = 3 + 1e-3 * torch.stack([torch.randperm(9, generator=g) for _ in range(5)]).double()
for rows in (near, -near, 1000 * near):
    best = [max(range(9), key=lambda i, row=row: row[i]) for row in rows.tolist()]
    got = sample(rows, torch.zeros(5).double(), k_of_rows, p_of_rows, fall, temperature=0)
    checks.check_tensor(got, "sample", dtype=torch.int64)
    checks.check_shape(got, (5,), "sample with temperature 0", axes="batch")
    assert got.tolist() == best, f"temperature 0 takes the likeliest of each row [seed {seed}]"
### END HIDDEN TESTS

# %% [markdown]
# Two places of a text, two kinds of bet. **What do you expect:** how many tokens does top-p with p = 0.9 leave after each?

# %%
with torch.no_grad():
    two_bets = {
        "The capital of France is …": mine(prompt_ids),
        "When Mary and John went to the …": mine(net.to_tokens("When Mary and John went to the")),
    }
kept_there = [keep_top_p(bet[:, -1].softmax(dim=-1), 0.9) for bet in two_bets.values()]
print(f"top-p with p = 0.9 leaves {' and '.join(str(int((t > 0).sum())) for t in kept_there)}")
next_tokens("Two kinds of bet", two_bets)

# %% [markdown]
# ---
# ## 16 · Let it write
#
# Difficulty ●●○○○ · Importance ●●●●○ · 10 minutes · optional
#
# Now the loop around it all, in the field **autoregressive generation**: read the text, choose the next token, append
# it, and read again.
#
# Write `generate(writer, tokens, count, choose)`. `writer` is a function from tokens `[batch pos]` to logits
# `[batch pos d_vocab]`; `choose` is one from logits `[batch d_vocab]`, those of the **last** position, to ids `[batch]`. Return the given
# tokens followed by `count` new ones, `[batch pos+count]`, int64. Each time the writer reads the whole text, as it is by
# then. `count` may be 0. The tokens that you are given stay as they are.
#
# <details><summary>Hint 1: one round</summary>
#
# `writer(tokens)` bets at every position; `[:, -1]` takes the last one.
# </details>
# <details><summary>Hint 2: appending</summary>
#
# `torch.cat([…], dim=1)` joins along `pos`. Ids `[batch]` need an axis for that: `ids[:, None]`.
# </details>


# %% nbgrader={"grade": false, "grade_id": "generate", "locked": false, "schema_version": 3, "solution": true, "task": false}
def generate(writer, tokens: torch.Tensor, count: int, choose) -> torch.Tensor:
    """The tokens and `count` more, each chosen after reading all that stands before it.

    writer: a function from tokens [batch pos] to logits [batch pos d_vocab].
    tokens: int64 [batch pos]. choose: a function from logits [batch d_vocab] to ids [batch].
    Returns: int64 [batch pos+count].
    """
    ### BEGIN SOLUTION
    for _ in range(count):
        ids = choose(writer(tokens)[:, -1])  # [batch]
        tokens = torch.cat([tokens, ids[:, None]], dim=1)
    return tokens
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "generate_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
texts_read = []


def sums_writer(tokens):
    """A writer that bets on the sum of all tokens so far, of ten: [batch pos 10]."""
    texts_read.append(tokens.tolist())
    return torch.nn.functional.one_hot(tokens.cumsum(dim=1) % 10, 10).float()


toks = torch.tensor([[1, 2, 4], [3, 0, 0]])
got, kept = call_keeping(generate, sums_writer, toks, 3, lambda logits: logits.argmax(dim=-1))
checks.check_tensor(got, "generate", dtype=torch.int64)
checks.check_shape(got, (2, 6), "generate, tokens [2 3] and count 3", axes="batch pos")
slips = {
    (1, 2, 4, 1, 1, 1): "is it the bet of the first position? The last one bets on what comes next",
    (1, 2, 4, 7, 7, 7): "the writer reads the longer text each time, old tokens and new ones",
    (1, 2, 4, 7, 3, 4): "the writer reads the whole text, its beginning too",
    (8, 4, 7, 1, 2, 4): "new tokens come after the old ones",
}
assert got[0].tolist() == [1, 2, 4, 7, 4, 8], (
    f"the sums after 1, 2, 4 are 7, 14 and 28, of which the last digits count; got {got[0].tolist()}: "
    + slips.get(tuple(got[0].tolist()), "which text was read, and which position's bet chosen?")
)
assert got[1].tolist() == [3, 0, 0, 3, 6, 2], "the second text goes on with its own tokens"
assert texts_read[-1] == got[:, :5].tolist(), "the last text that is read has all tokens but one"
assert len(texts_read) == 3, f"three tokens take three readings, not {len(texts_read)}"
assert torch.equal(kept[1], toks), "the tokens that were given have been changed"
least = generate(sums_writer, toks, 2, lambda logits: logits.argmin(dim=-1))
assert least[0].tolist() == [1, 2, 4, 0, 0], "use `choose`, whatever it chooses"
assert generate(sums_writer, toks, 0, lambda logits: logits.argmax(dim=-1)).shape == (2, 3)

# %% nbgrader={"grade": true, "grade_id": "generate_test_2", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Hidden: a writer whose bets depend on the whole text and on its order, other batches and lengths.
### BEGIN HIDDEN TESTS
seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)
for batch, length, count, vocab in ((3, 1, 5, 7), (1, 4, 30, 11), (2, 2, 1, 5), (4, 3, 0, 3)):
    toks = torch.randint(0, vocab, (batch, length), generator=g)
    weights_of_place = torch.randint(1, vocab, (length + count,), generator=g)

    def place_writer(tokens, vocab=vocab, weights_of_place=weights_of_place):
        """Bets on a sum with a weight for each position."""
        sums = (tokens * weights_of_place[: tokens.shape[1]]).cumsum(dim=1) % vocab
        return 3.0 * torch.nn.functional.one_hot(sums, vocab)

    def second(logits):
        """The id after the likeliest."""
        return (logits.argmax(dim=-1) + 1) % logits.shape[-1]

    want = toks.tolist()
    for row in want:
        for _ in range(count):
            total = sum(x * int(w) for x, w in zip(row, weights_of_place, strict=False))
            row.append((total + 1) % vocab)
    got, kept = call_keeping(generate, place_writer, toks, count, second)
    checks.check_tensor(got, "generate", dtype=torch.int64)
    checks.check_shape(got, (batch, length + count), f"generate, count {count}", axes="batch pos")
    assert got.tolist() == want, (
        f"generate, tokens [{batch} {length}], count {count}: other tokens [seed {seed}]"
    )
    assert torch.equal(kept[1], toks), f"the tokens were changed [seed {seed}]"
### END HIDDEN TESTS

# %% [markdown]
# Your model writes, by your loop and your draw. The same beginning, with four ways of drawing. **What do you expect**
# of temperature 0, and of temperature 3?


# %%
def write(writer, ids, count, seed=0, **how):
    """ids [1 pos] and then `count` tokens drawn from `writer`'s bets: [1 pos+count]."""
    chance = torch.Generator().manual_seed(seed)

    def choose(logits):
        u = torch.rand(len(logits), generator=chance).to(logits.device)
        return sample(logits, u, keep_top_k, keep_top_p, draw, **how)

    with torch.no_grad():
        return generate(writer, ids, count, choose)


beginning = net.to_tokens("When Mary and John went to the")
for way in ({"temperature": 0}, {"temperature": 0.7}, {"top_p": 0.9}, {"temperature": 3.0}):
    written = write(mine, beginning, 24, **way)
    print(f"{way}:\n    {net.tokenizer.decode(written[0, 1:])!r}")

# %% [markdown]
# <details><summary>What this shows</summary>
#
# Temperature 0 is the same each time, and the safest sentence that the model knows. At 3 the many unlikely tokens,
# together, spoil every sentence; top-p and a low temperature keep most of them out. HuggingFace's
# [`generate`](https://huggingface.co/docs/transformers/main_classes/text_generation) has the same knobs under the same
# names (`do_sample`, `temperature`, `top_k`, `top_p`).
# </details>

# %% tags=["play"]
my_beginning, my_way = "The capital of Japan is", {"temperature": 0.8, "top_k": 20}
my_written = write(mine, net.to_tokens(my_beginning), 20, seed=1, **my_way)
print(net.tokenizer.decode(my_written[0, 1:]))

# %% [markdown]
# ---
# ## 17 · Do not think twice
#
# Difficulty ●●●●○ · Importance ●●●○○ · 20 minutes · optional
#
# To write the 100th token, the model above reads all 99 before it again, although it has read 98 of them a
# moment ago. How much of that work is new? Look at what one position takes from another. It is only
# attention that crosses positions, and there a position needs the **keys** and **values** of the positions before
# it. Because of the causal mask these do not depend on what comes later: once computed, they stay as they
# are for ever. So keep them, and let only the new token go through the model. This is the **KV cache**
# (Shazeer 2019, *Fast Transformer Decoding*, describes this way of decoding).
#
# Write `cached_attention`, the attention of one layer for new positions that follow old ones.
#
# * `x[batch new d_model]` is what attention reads at the new positions.
# * `past` is the pair `(k, v)` of all earlier positions, each `[batch old head d_head]`, or None at the beginning.
# * Three functions are given: `heads_of(x)` returns `(q, k, v)`, each `[batch new head d_head]`; `pattern_of(q, k)`
#   returns the pattern `[batch head query key]`; `output_of(pattern, v)` returns `[batch query d_model]`.
# * Return two things: what attention adds at the **new** positions, `[batch new d_model]`, and the pair `(k, v)` of **all**
#   positions, old and new, for next time. Leave `past` as it was: a text can be continued in two ways.
#
# Two things make this work that you have already done: `causal_mask` knows that fewer queries than keys means
# the *last* positions, and `embed` has `start`. (Forget `start`, and every new token believes that it is the first.)
#
# <details><summary>Hint 1: who attends to what?</summary>
#
# Queries: the new positions only, nobody needs the old answers again. Keys and values: old and new.
# </details>
# <details><summary>Hint 2: joining</summary>
#
# `torch.cat` along the position axis, which is axis 1, old ones first. It makes a new tensor, so `past` survives.
# </details>


# %%
# Stand-ins for the tests again.
def toy_heads(x):
    """One head: q is x, k is 10 x, v is 100 x, each [batch new 1 d_head]."""
    return x[:, :, None], 10 * x[:, :, None], 100 * x[:, :, None]


def equal_shares(q, k):
    """A causal pattern: each query shares its attention equally among what it may see."""
    return near_shares(0 * q, 0 * k)


def near_shares(q, k):
    """A causal pattern [batch 1 query key] with more attention for keys like the query."""
    q, k = q[:, :, 0].sum(-1), k[:, :, 0].sum(-1)  # [batch query], [batch key]
    places = torch.arange(k.shape[1])
    seen = places <= places[-q.shape[1] :, None]  # [query key]
    scores = -((q[:, :, None] - k[:, None]) ** 2) / 1000
    return scores.masked_fill(~seen, float("-inf")).softmax(dim=-1)[:, None]


def mixed_values(pattern, v):
    """The mixture of values, as it is: [batch query d_head]."""
    return torch.einsum("bhqk,bkhe->bqe", pattern, v)


# %% nbgrader={"grade": false, "grade_id": "cached_attention", "locked": false, "schema_version": 3, "solution": true, "task": false}
def cached_attention(
    x: torch.Tensor, past: tuple | None, heads_of, pattern_of, output_of
) -> tuple[torch.Tensor, tuple[torch.Tensor, torch.Tensor]]:
    """Attention of new positions to old and new ones, and the keys and values of all of them.

    x: [batch new d_model]. past: None or (k, v), each [batch old head d_head].
    Returns: [batch new d_model], and (k, v), each [batch old+new head d_head].
    """
    ### BEGIN SOLUTION
    q, k, v = heads_of(x)
    if past is not None:
        k = torch.cat([past[0], k], dim=1)  # [batch old+new head d_head]
        v = torch.cat([past[1], v], dim=1)
    return output_of(pattern_of(q, k), v), (k, v)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "cached_attention_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
asked = []


def noted_pattern(q, k):
    """equal_shares, noting what it was asked."""
    asked.append((q.shape[1], k.shape[1], k[0, :, 0, 0].tolist()))
    return equal_shares(q, k)


first = torch.tensor([[[1.0], [2.0]], [[5.0], [7.0]]])  # two texts of two positions, d_model 1
got = cached_attention(first, None, toy_heads, noted_pattern, mixed_values)
assert type(got) is tuple and len(got) == 2, "return two things: the output, and the pair (k, v)"
checks.check_close(
    got[0],
    torch.tensor([[[100.0], [150.0]], [[500.0], [600.0]]]),
    "the output with past=None",
)
assert type(got[1]) is tuple and len(got[1]) == 2, "the second thing is the pair (k, v)"
past = (10 * first[:, :, None], 100 * first[:, :, None])
new = torch.tensor([[[3.0]], [[9.0]]])
got, kept = call_keeping(cached_attention, new, past, toy_heads, noted_pattern, mixed_values)
assert asked, "pattern_of was never called: use the one that you are given"
n_query, n_key, seen_keys = asked[-1]
assert n_query == 1, (
    f"one new position, so one query, not {n_query}: the old ones need no new answer"
)
assert n_key == 3, f"two old keys and one new one make 3, not {n_key}"
assert seen_keys == [10, 20, 30], f"the keys came as {seen_keys}: old ones first, in their order"
checks.check_close(got[0], torch.tensor([[[200.0]], [[700.0]]]), "the output of position 2")
keys = torch.tensor([[10.0, 20.0, 30.0], [50.0, 70.0, 90.0]])
checks.check_shape(got[1][0], (2, 3, 1, 1), "the keys for next time", axes="batch pos head d_head")
checks.check_close(got[1][0][:, :, 0, 0], keys, "the keys for next time")
checks.check_close(got[1][1][:, :, 0, 0], 10 * keys, "the values for next time")
assert torch.equal(kept[1][0], past[0]) and torch.equal(kept[1][1], past[1]), "past was changed"
two = torch.tensor([[[3.0], [4.0]], [[9.0], [1.0]]])
got = cached_attention(two, past, toy_heads, noted_pattern, mixed_values)
checks.check_close(
    got[0], torch.tensor([[[200.0], [250.0]], [[700.0], [550.0]]]), "two new positions at once"
)
parts = (two, past, toy_heads, near_shares, mixed_values)
checks.check_rules(
    cached_attention, parts, "cached_attention", names=("x", "the old keys", "the old values")
)
assert len(got) == 2

# %% nbgrader={"grade": true, "grade_id": "cached_attention_test_2", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# Hidden: random heads; texts cut into pieces of all sizes must give what the whole text gives.
### BEGIN HIDDEN TESTS
seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)
for pieces, kind in (
    ((1, 1, 1, 1), torch.float64),
    ((3, 2), torch.float32),
    ((2, 1, 3), torch.float64),
    ((40, 1, 9), torch.float64),
):
    length, heads, size, wide = sum(pieces), 3, 2, 5
    maps = torch.randn(3, heads, wide, size, generator=g, dtype=torch.float64).to(kind)
    back = torch.randn(heads, size, wide, generator=g, dtype=torch.float64).to(kind)
    x = torch.randn(2, length, wide, generator=g, dtype=torch.float64).to(kind)
    x[1, 0] = 0.0

    def heads_of(t, maps=maps):
        """Linear maps, one for queries, keys and values each."""
        return tuple((t[:, :, None, :, None] * m).sum(3) for m in maps)

    def pattern_of(q, k):
        """Shares of attention that fall with the distance of the vectors; later keys get none."""
        distance = (q[:, :, None] - k[:, None]).abs().sum(-1).permute(0, 3, 1, 2)
        place = torch.arange(k.shape[1] - q.shape[1], k.shape[1])
        later = torch.arange(k.shape[1])[None, :] > place[:, None]
        share = (-distance).exp().masked_fill(later, 0.0)
        return share / share.sum(-1, keepdim=True)

    def output_of(pattern, v, back=back):
        """Values mixed and mapped back."""
        mixed = (pattern[..., None] * v.permute(0, 2, 1, 3)[:, :, None]).sum(3)
        return torch.einsum("bhqe,hed->bqd", mixed, back)

    q, k, v = heads_of(x)
    want = output_of(pattern_of(q, k), v)  # the whole text at once
    cache, done = None, 0
    for piece in pieces:
        what = f"pieces {pieces}, positions {done} to {done + piece - 1}, seed {seed}"
        call = call_keeping(
            cached_attention, x[:, done : done + piece], cache, heads_of, pattern_of, output_of
        )
        result, kept = call
        assert type(result) is tuple and len(result) == 2, "the output and the pair (k, v)"
        out, pair = result
        assert type(pair) is tuple and len(pair) == 2, "the pair (k, v)"
        checks.check_close(out, want[:, done : done + piece], f"the output, {what}")
        checks.check_close(pair[0], k[:, : done + piece], f"the keys, {what}")
        checks.check_close(pair[1], v[:, : done + piece], f"the values, {what}")
        if cache is not None:
            same = torch.equal(kept[1][0], cache[0]) and torch.equal(kept[1][1], cache[1])
            assert same, f"past was changed, {what}"
        cache, done = (k[:, : done + piece].clone(), v[:, : done + piece].clone()), done + piece
    assert done == length
new = torch.rand(2, 3, 1, generator=g)
past = (torch.rand(2, 4, 1, 1, generator=g), torch.rand(2, 4, 1, 1, generator=g))
for old in (past, None):
    names = ("x", "the old keys", "the old values") if old else ("x",)
    parts = (new, old, toy_heads, near_shares, mixed_values)
    checks.check_rules(cached_attention, parts, f"cached_attention, seed {seed}", names=names)
assert seed >= 0
### END HIDDEN TESTS

# %% [markdown]
# Connected again, with a memory this time. First the two ways are compared on `tiny-gpt2`: the logits must be the same.
# Then they race, on a larger model with random weights, which need not make sense to take time. **What do you expect:**
# which curve is a straight line, and how does the other one bend? (The picture measures your machine, so it is not the
# same twice.)


# %%
def fresh_weights(d_vocab, n_ctx, d_model, n_heads, d_mlp, n_layers, seed):
    """Random weights in the form that from_gpt2 returns."""
    source = torch.Generator().manual_seed(seed)
    d_head = d_model // n_heads

    def noise(*shape, size):
        return size * torch.randn(*shape, generator=source)

    def block_weights():
        fan = d_model**-0.5  # keeps the size of what is read
        W = {f"W_{s}": noise(n_heads, d_model, d_head, size=fan) for s in "QKV"}
        W |= {f"b_{s}": torch.zeros(n_heads, d_head) for s in "QKV"}
        W |= {f"ln{i}_w": torch.ones(d_model) for i in (1, 2)}
        W |= {f"ln{i}_b": torch.zeros(d_model) for i in (1, 2)}
        W |= {"W_O": noise(n_heads, d_head, d_model, size=fan), "b_O": torch.zeros(d_model)}
        W |= {"W_in": noise(d_model, d_mlp, size=fan), "b_in": torch.zeros(d_mlp)}
        return W | {"W_out": noise(d_mlp, d_model, size=d_mlp**-0.5), "b_out": torch.zeros(d_model)}

    return {
        "W_E": noise(d_vocab, d_model, size=0.3),
        "W_pos": noise(n_ctx, d_model, size=0.3),
        "W_U": noise(d_model, d_vocab, size=d_model**-0.5),
        "ln_w": torch.ones(d_model),
        "ln_b": torch.zeros(d_model),
        "blocks": [block_weights() for _ in range(n_layers)],
    }


class FastGPT2(GPT2):
    """GPT2 that remembers the keys and values of what it has read since `begin`."""

    def begin(self):
        self.read, self.past = 0, [None] * len(self.layers)

    def embedding(self, tokens):
        x = embed(tokens, self.top["W_E"], self.top["W_pos"], self.read)
        self.read += tokens.shape[1]
        return x

    def attention(self, x, n):
        W = self.layers[n]
        out, self.past[n] = cached_attention(
            x,
            self.past[n],
            lambda x: self.heads(x, n),
            lambda q, k: attention_pattern(q, k, causal_mask),
            lambda pattern, v: attention_output(pattern, v, W["W_O"], W["b_O"]),
        )
        return out


def milliseconds(f, *args):
    """The result of f and how long it took."""
    before = time.perf_counter()
    result = f(*args)
    return result, 1000 * (time.perf_counter() - before)


def race(W, eps, n, device):
    """Read n random tokens one by one, with and without the cache: largest gap, both times [n]."""
    slow, fast = (kind(W, eps).to(device) for kind in (GPT2, FastGPT2))
    ids = torch.randint(0, len(W["W_E"]), (1, n), device=device)
    fast.begin()
    furthest, times = 0.0, ([], [])
    with torch.no_grad():
        for i in range(n):
            whole, slow_time = milliseconds(slow, ids[:, : i + 1])
            piece, fast_time = milliseconds(fast, ids[:, i : i + 1])
            furthest = max(furthest, float((whole[:, -1] - piece[:, -1]).abs().max()))
            times[0].append(slow_time)
            times[1].append(fast_time)
    return furthest, times


tiny_weights = from_gpt2(weights("tiny-gpt2"), net.cfg.n_heads)
race_gap, tiny_times = race(tiny_weights, net.cfg.eps, min(net.cfg.n_ctx, 60), net.cfg.device)
print(f"tiny-gpt2's logits with and without the cache: furthest apart {race_gap:.0e}")

middling = fresh_weights(
    500, 160, 192, 6, 768, 4, seed=0
)  # tiny is too fast to show it: four layers
middling_gap, (slow_times, fast_times) = race(middling, 1e-5, 160, "cpu")
plots.curves(
    list(range(1, 161)),
    {
        "reading everything again": torch.tensor(slow_times).cumsum(0),
        "with your cache": torch.tensor(fast_times).cumsum(0),
    },
    x_title="tokens written",
    y_title="milliseconds in total",
    title="What remembering is worth",
)

# %% [markdown]
# <details><summary>What this shows</summary>
#
# With the cache a token costs about the same however long the text is: its queries are few, and only their dot products with
# the old keys grow. Without it the *n*-th token costs *n* positions of work, so the total grows with the square of the
# length, or faster. The price is memory: keys and values of all positions in all layers.
# </details>

# %% [markdown]
# ---
# ## 18 · How wrong is a bet?
#
# Difficulty ●●○○○ · Importance ●●●●● · 15 minutes · optional
#
# So far somebody else has trained the weights. Now you will. Training needs one number that says how bad the bets
# are: the **cross-entropy** in nats, −ln of the probability that the model gave to the token that really came next,
# averaged over all bets. 0 would be perfect; ln d_vocab is the price of having no idea.
#
# Logits at position *i* are a bet on the token at position *i + 1*. So the last logits have nothing to be compared
# with, and the first token is never predicted. Be careful here: a model that is trained with logits and tokens
# *not* shifted reaches a loss near 0 in no time. It learns to say what it sees.
#
# Write `next_token_loss`: `logits[batch pos d_vocab]` and `tokens[batch pos]` give a tensor of shape `[]` and the dtype
# of `logits`, the mean over all `batch · (pos − 1)` bets. Gradients have to flow through it, so it stays a tensor.
# Logits may be in the thousands.
#
# <details><summary>Hint 1: shift</summary>
#
# Which logits have an answer? All but the last position. Which tokens are answers? All but the first.
# </details>
# <details><summary>Hint 2: log-probabilities</summary>
#
# `log_softmax` over the vocabulary is safe for large logits; a `softmax` and then `log` is not. To pick the entry of
# each right token, `gather` wants an index with as many axes as the tensor.
# </details>


# %% nbgrader={"grade": false, "grade_id": "next_token_loss", "locked": false, "schema_version": 3, "solution": true, "task": false}
def next_token_loss(logits: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
    """Mean cross-entropy in nats of the bets on tokens 1, 2, …: a tensor of shape [].

    logits: [batch pos d_vocab]. tokens: int64 [batch pos].
    """
    ### BEGIN SOLUTION
    log_probs = logits[:, :-1].log_softmax(dim=-1)  # [batch pos-1 d_vocab]
    return -log_probs.gather(-1, tokens[:, 1:, None]).mean()
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "next_token_loss_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
toks = torch.tensor([[0, 2, 1], [1, 1, 2]])
blank = next_token_loss(torch.zeros(2, 3, 4), toks)
checks.check_tensor(blank, "next_token_loss", dtype=torch.float32)
checks.check_shape(blank, (), "next_token_loss of logits [2 3 4]")
checks.check_close(
    blank,
    math.log(4),
    "next_token_loss of equal logits over 4 tokens, which is ln 4",
    slips={
        "The logarithm is natural, not to base 2.": 2.0,
        "Average the bets, do not sum them.": 4 * math.log(4),
        "Average over all bets: they were summed over positions or texts.": 2 * math.log(4),
        "There are batch · (pos - 1) bets, not batch · pos.": math.log(4) * 2 / 3,
        "-ln of the probability: the sign.": -math.log(4),
        "The softmax runs over the vocabulary: is it over another axis?": math.log(2),
        "Where is the logarithm?": 0.25,
    },
    atol=1e-4,
)
sure = torch.zeros(2, 3, 4)
for b, p, word in ((0, 0, 2), (0, 1, 1), (1, 0, 1), (1, 1, 2)):
    sure[b, p, word] = 50.0  # a sure bet on what comes next
parrot = 50 * torch.nn.functional.one_hot(toks, 4).float()
assert float(next_token_loss(parrot, toks)) > 1, (
    "a model that repeats the token it sees must not look good: compare logits i with token i + 1"
)
assert abs(float(next_token_loss(sure, toks))) < 1e-4, "sure and right bets cost nothing"
sure[1, 1] = torch.tensor([0.0, 3000.0, 0.0, 0.0])  # one bet of four is sure, and wrong
checks.check_close(
    next_token_loss(sure, toks),
    750.0,
    "next_token_loss where one bet of four gives the right token a logit 3000 below the largest",
    hint="Is the softmax taken first, and then a logarithm of 0?",
)
checks.check_rules(
    next_token_loss, (parrot / 50, toks), "next_token_loss", names=("logits", "tokens")
)
assert blank.ndim == 0

# %% nbgrader={"grade": true, "grade_id": "next_token_loss_test_2", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: random logits, small and large, long texts, a sure mistake, against a loop; the gradient.
### BEGIN HIDDEN TESTS
seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)
for scale, length, kind in (
    (1.0, 5, torch.float64),
    (3.0, 5, torch.float32),
    (2000.0, 5, torch.float64),
    (1.0, 90, torch.float32),
    (1.0, 2, torch.float64),
):
    logits = scale * torch.randn(2, length, 7, generator=g, dtype=torch.float64)
    toks = torch.randint(0, 7, (2, length), generator=g)
    logits[1, 0, (int(toks[1, 1]) + 1) % 7] += 500.0  # sure, and wrong
    logits[0, 0] = 0.0
    logits = logits.to(kind)
    bets = 2 * (length - 1)
    costs, slope = [], torch.zeros(2, length, 7, dtype=torch.float64)
    for b in range(2):
        for p in range(length - 1):
            row = logits[b, p].double().tolist()
            top, answer = max(row), int(toks[b, p + 1])
            total = math.fsum(math.exp(value - top) for value in row)
            costs.append(top + math.log(total) - row[answer])
            for word in range(7):
                chance = math.exp(row[word] - top) / total
                slope[b, p, word] = (chance - (word == answer)) / bets
    want = torch.tensor(math.fsum(costs) / bets, dtype=kind)
    what = f"next_token_loss of logits [2 {length} 7], seed {seed}"
    got, kept = call_keeping(next_token_loss, logits, toks)
    checks.check_tensor(got, "next_token_loss", dtype=kind)
    checks.check_close(got, want, what)
    assert torch.equal(kept[0], logits) and torch.equal(kept[1], toks), (
        f"arguments changed [seed {seed}]"
    )
    checks.check_gradients(
        next_token_loss, (logits / scale, toks), what, names=("logits", "tokens")
    )
    again, (slope_got,) = vjp(next_token_loss, [logits, toks], torch.tensor(1.0, dtype=kind))
    checks.check_close(again, want, f"{what}, with gradients")
    checks.check_close(slope_got, slope.to(kind), f"the gradient of {what}")
assert seed >= 0
### END HIDDEN TESTS

# %% [markdown]
# ---
# ## 19 · One step
#
# Difficulty ●●○○○ · Importance ●●●●● · 15 minutes · optional
#
# Training repeats one step thousands of times: read a batch of texts, compute the loss, compute how the loss changes with
# each weight (the gradient), move every weight a little against it. PyTorch does the derivatives (`loss.backward()`
# adds each weight's gradient to its `.grad`), and an *optimizer* does the moving (`optimizer.step()`).
#
# `backward` **adds** to `.grad`. What was there before, from the last step or from anybody else, has to be cleared in
# time, or the step goes in the wrong direction: `optimizer.zero_grad()`.
#
# Write `train_step(net, optimizer, tokens, loss_of)`: one step, whatever was in `.grad` when it is called. `loss_of(logits, tokens)`
# is the loss, a tensor of shape `[]`. Return the loss **before** the step, as a Python float. (A tensor would keep
# alive the whole computation that led to it.)
#
# <details><summary>Hint 1: the order</summary>
#
# Logits and loss; clear; backward; step. Where exactly the clearing stands does not matter as long as it is before
# `backward` and not after.
# </details>
# <details><summary>Hint 2: a float</summary>
#
# `loss.item()`, or `float(loss)`.
# </details>


# %%
class Lookup(torch.nn.Module):
    """A model with one table of weights [d_vocab d_vocab]: the logits after a token are its row."""

    def __init__(self, table):
        super().__init__()
        self.table = torch.nn.Parameter(table.clone())

    def forward(self, tokens):  # [batch pos] -> [batch pos d_vocab]
        return self.table[tokens]


class Bench:
    """A Lookup and its optimizer, to try a step on; `left_over` is in .grad from the start."""

    def __init__(self, table, lr, momentum, left_over):
        self.model = Lookup(table)
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=lr, momentum=momentum)
        self.model.table.grad = left_over.clone()


def distance(logits, tokens):
    """A loss to try a step with: the mean square of (logit minus the id that stands there)."""
    return ((logits - tokens[..., None]) ** 2).mean()


# %% nbgrader={"grade": false, "grade_id": "train_step", "locked": false, "schema_version": 3, "solution": true, "task": false}
def train_step(net, optimizer, tokens: torch.Tensor, loss_of) -> float:
    """One step of `optimizer` on `net`'s weights; returns the loss before it.

    net: a module from tokens [batch pos] to logits [batch pos d_vocab].
    loss_of: a function from logits and tokens to a tensor of shape [].
    """
    ### BEGIN SOLUTION
    loss = loss_of(net(tokens), tokens)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "train_step_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
table = torch.tensor([[5.0, 0.0], [0.0, 3.0]])
toks = torch.tensor(
    [[0, 0, 0, 0]]
)  # only row 0 is used: its loss is (25 + 0) / 2, its gradient [5, 0]
bench = theirs(Bench)(table, 0.1, 0.0, torch.zeros(2, 2))
got = train_step(bench.model, bench.optimizer, toks, distance)
assert type(got) is float, f"expected a float, got {type(got).__name__}: loss.item()"
after = state(bench.model)["table"]
assert not torch.equal(after, table), "the weights have not moved: is optimizer.step() called?"
assert float(after[0, 0]) < 5, "the weights moved uphill"
checks.check_close(
    after, torch.tensor([[4.5, 0.0], [0.0, 3.0]]), "the table after one step of size 0.1"
)
assert abs(got - 12.5) < 1e-5, f"the loss before the step is 12.5, not {got:.3f}"
second = train_step(bench.model, bench.optimizer, toks, distance)
after = state(bench.model)["table"]
assert abs(float(after[0, 0]) - 3.55) > 0.01, (
    "the second step was too long, as if the gradient of the first had been added to it"
)
checks.check_close(after, torch.tensor([[4.05, 0.0], [0.0, 3.0]]), "the table after two steps")
stale = theirs(Bench)(table, 0.1, 0.0, torch.full((2, 2), 100.0))  # somebody left gradients behind
train_step(stale.model, stale.optimizer, toks, distance)
assert torch.allclose(state(stale.model)["table"], torch.tensor([[4.5, 0.0], [0.0, 3.0]])), (
    "gradients that were in .grad before the call have moved the weights: clear them in time"
)
# Two texts, and an optimizer that remembers: the first loss is (25 + 3 * (1 + 4)) / 8.
toks = torch.tensor([[0, 1], [1, 1]])
bench = theirs(Bench)(table, 0.4, 0.5, torch.zeros(2, 2))
first_loss, second_loss = (
    train_step(bench.model, bench.optimizer, toks, distance) for _ in range(2)
)
checks.check_close(
    first_loss, 5.0, "the loss of two texts", hint="All tokens of all texts, in one batch."
)
checks.check_close(second_loss, 3.45, "the loss before the second step")
checks.check_close(
    state(bench.model)["table"],
    torch.tensor([[3.8, 0.0], [0.66, 1.68]]),
    "the table after two steps of an optimizer with momentum",
    hint="Is the optimizer that you are given kept as it is, and used?",
)
assert len(toks) == 2

# %% nbgrader={"grade": true, "grade_id": "train_step_test_2", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# Hidden: several steps with momentum on random tables and texts, computed by hand; gradients left over.
### BEGIN HIDDEN TESTS
seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)
for vocab, lr, momentum in ((5, 0.3, 0.0), (4, 0.2, 0.6)):
    table = torch.randn(vocab, vocab, generator=g, dtype=torch.float64)
    left_over = torch.randn(vocab, vocab, generator=g, dtype=torch.float64)
    bench = theirs(Bench)(table, lr, momentum, left_over)
    now, speed = table.tolist(), None
    for number in range(1, 5):
        toks = torch.randint(0, vocab, (3, 4), generator=g)
        slope = [[0.0] * vocab for _ in range(vocab)]
        squares = []
        for token in toks.flatten().tolist():
            for word in range(vocab):
                off = now[token][word] - token
                squares.append(off * off)
                slope[token][word] += 2 * off / (12 * vocab)
        speed = slope if speed is None else [
            [momentum * s + d for s, d in zip(*rows, strict=True)] for rows in zip(speed, slope, strict=True)
        ]  # fmt: skip
        now = [
            [w - lr * s for w, s in zip(*rows, strict=True)]
            for rows in zip(now, speed, strict=True)
        ]
        got = train_step(bench.model, bench.optimizer, toks, distance)
        what = f"step {number}, lr {lr}, momentum {momentum}, seed {seed}"
        assert type(got) is float, f"the loss is a float, got {type(got).__name__}"
        assert abs(got - math.fsum(squares) / len(squares)) < 1e-9, f"not the loss before {what}"
        checks.check_close(
            state(bench.model)["table"],
            torch.tensor(now, dtype=torch.float64),
            f"the weights after {what}",
            hint="Which gradients are in .grad when the optimizer steps?",
        )
assert number == 4
### END HIDDEN TESTS

# %% [markdown]
# ---
# ## Train one
#
# What shall a small transformer learn in a few seconds? A language whose laws we know, so that we can say how
# good a model can possibly be. It has twelve symbols, and the next one depends by chance **on the last two**: each
# pair has a preference of its own. For such a language four losses can be computed exactly:
#
# * *no idea*: all symbols equally likely, ln 12;
# * *counting symbols*: knowing how frequent each is;
# * *counting pairs*: knowing what follows each symbol. This is the **bigram** loss, and it is the best that any model
#   can do which looks at the current symbol only. A transformer without attention is such a model;
# * *the floor*: knowing the law. No model can do better, except by luck.
#
# A loss that has fallen says little. A loss **below the bigram line** says that the model has learnt to look back.

# %%
SYMBOLS = "abcdefghijkl"
law_source = torch.Generator().manual_seed(3)
law = (
    (
        1.6 * torch.randn(12, 1, 12, generator=law_source)
        + 1.6 * torch.randn(1, 12, 12, generator=law_source)
    )
    .double()
    .softmax(dim=-1)
)  # [before last, last, next]: each row is a distribution


def symbol_texts(n, length, seed):
    """Texts of the language: int64 [n length]."""
    source = torch.Generator().manual_seed(seed)
    columns = list(torch.randint(0, 12, (2, n), generator=source))
    while len(columns) < length + 20:  # the first twenty are thrown away: they know their beginning
        choice = law[columns[-2], columns[-1]]
        columns.append(torch.multinomial(choice, 1, generator=source)[:, 0])
    return torch.stack(columns[20:], dim=1)


def exact_losses():
    """What each kind of knowledge costs in the long run, in nats."""
    pairs = torch.full((12, 12), 1 / 144, dtype=torch.float64)  # [before last, last]
    for _ in range(300):  # one symbol further each time, until nothing changes
        pairs = torch.einsum("ab,abc->bc", pairs, law)
    triples = pairs[:, :, None] * law  # [before last, last, next]
    known = {
        "counting symbols": triples.sum((0, 1), keepdim=True),
        "counting pairs": triples.sum(0, keepdim=True),
        "the floor": triples,
    }
    losses = {"no idea": math.log(12)}
    for label, joint in known.items():
        given = joint / joint.sum(-1, keepdim=True)
        losses[label] = -float((joint * given.log()).sum())
    return losses


def reachable(length):
    """The floor for texts of this length: their first bet cannot know the symbol before last."""
    losses = exact_losses()
    bets = length - 1
    return (losses["counting pairs"] + (bets - 1) * losses["the floor"]) / bets


def train(steps):
    """A one-layer transformer after `steps` of your steps, and the loss at each: [steps]."""
    net = GPT2(fresh_weights(12, 24, 32, 2, 64, 1, seed=0))
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-2, weight_decay=0.0)
    losses = [
        train_step(net, optimizer, symbol_texts(32, 24, seed), next_token_loss)
        for seed in range(steps)
    ]
    return net, losses


small, small_losses = train(400)
plots.curves(
    list(range(400)),
    {"your model": small_losses},
    x_title="step",
    y_title="loss (nats)",
    levels=exact_losses() | {"reachable here": reachable(24)},
    title=f"A transformer of {sum(p.numel() for p in small.parameters()):,} weights learns to look back",
)

# %% [markdown]
# <details><summary>What this shows</summary>
#
# Down to the pair line everything can be known from the symbol that is just being read, without attention. The loss does
# not stop there: the model has learnt to look back.
#
# It does not reach the floor of 1.340 nats. At the first position of a text there is no symbol before last to be known, so
# that bet costs what counting pairs costs; for texts of 24 symbols that makes the reachable loss 1.357. On 4000 fresh
# texts this model has 1.394 ± 0.003. So of the gap of 0.054 nats the blind first position explains 0.017; the other
# 0.037 are the model's own: 400 steps, and a small model.
# </details>
#
# What has it learnt below the pair line? The symbol *before last* is one position back, and somebody has to fetch it.
# **Where do you expect** its two heads to look, on a text that it has never seen?

# %%
new_text = symbol_texts(1, 23, seed=10**6)  # at place 24 no bet was ever trained
with torch.no_grad():
    stream = embed(new_text, small.top["W_E"], small.top["W_pos"])
    reading = layer_norm(stream, small.layers[0]["ln1_w"], small.layers[0]["ln1_b"], small.eps)
    small_q, small_k, small_v = small.heads(reading, 0)
    small_pattern = attention_pattern(small_q, small_k, causal_mask)
plots.attention_heads(
    small_pattern[0],
    [SYMBOLS[i] for i in new_text[0].tolist()],
    title="Nobody told it to look one step back",
)

# %% [markdown]
# <details><summary>What this shows</summary>
#
# One of the two heads has a bright line just below the diagonal: a **previous-token head**. On average it puts 0.96 of
# its attention one position back, the other head 0.06. You have written every operation that it is made of, and
# trained it in seconds. That information had to be fetched from one position back was clear before; that *one head* does
# nearly all of it was not. GPT-2 small has heads of this kind too (2.2 and 4.11 in
# [Wang et al. 2022](https://arxiv.org/abs/2211.00593), Section 3). The next notebooks look for them in other models.
# </details>

# %% [markdown]
# ### Your own training loop
#
# Not graded, and the best exercise of all. The cell above called `train(400)`, which was given. Write the loop yourself:
# new weights by `GPT2(fresh_weights(12, 24, 32, 2, 64, 1, seed=1))`, an optimizer by `torch.optim.AdamW(net.parameters(), lr=1e-2)`,
# and then your `train_step` on a fresh batch `symbol_texts(32, 24, seed)` for each step. Keep the losses in a list. Then try:
# two layers? no attention (a `block` whose attention returns `0 * x`)? a learning rate ten times as large? How close to
# the reachable loss can you come?

# %% tags=["play"]
my_losses = []
# for seed in range(…):
#     …
if my_losses:
    my_figure = plots.curves(
        list(range(len(my_losses))),
        {"my model": my_losses},
        x_title="step",
        y_title="loss (nats)",
        levels=exact_losses() | {"reachable here": reachable(24)},
        title="Trained by my own loop",
    )
    my_figure.show()

# %% [markdown]
# ---
# ## In your own words
#
# Importance ●●●●○ · 15 minutes · read and marked by a person
#
# Answer in eight to fourteen sentences.
#
# 1. Name two mistakes of this notebook (for instance from the hints) after which a *published* model would still write
#    fluent text. Why can one not see them in the text, and how did you find out that you had not made them?
# 2. Somebody says: "the logits at position 5 may depend on token 6, since all positions are computed at once." Which
#    operations of the model mix positions at all? Show with them that the claim is false.
# 3. Your small model was trained for 400 steps and ended below the pair line. A colleague's model, of the same size but
#    without attention, has been trained for a million steps on the same language. Can it be better than yours? Why?
# 4. Exercises 5 and 6 have no weights in common. What does that allow you to ask about a head that you could not ask if
#    it were one large function of the whole text?

# %% [markdown] nbgrader={"grade": true, "grade_id": "what_you_have_built", "locked": false, "points": 4, "schema_version": 3, "solution": true, "task": false}
# ### BEGIN SOLUTION
# One point for each part.
#
# 1. Two of: the exact GELU instead of the tanh approximation; the variance divided by d − 1; eps outside the root; eps of
#    another size; a wrong value in rarely used rows. They change each logit by so little that the order of the likely
#    tokens stays. The text looks equivalent, so one has to compare numbers: activations and logits with those of another
#    implementation (here the library's, to 1e-4), and each part on inputs where the slip shows (tiny variance).
# 2. Only attention mixes positions; embedding, norms, MLP and unembedding act on each position by itself. In attention the
#    mask puts −∞ on the scores of later keys, the softmax makes exactly 0 of them, and so the value of position 6 has
#    weight 0 in every mixture of positions up to 5. This holds in every layer, so nothing of token 6 reaches position 5.
#    (Experiment: change token 6 and compare.)
# 3. No. Without attention a position sees its own token and place only, so its best possible bet is the distribution of
#    the next symbol given the current one, which costs the bigram loss. More training brings it to that line and not
#    below (apart from chance in a finite sample). Below the line is only who uses the symbol before last.
# 4. Where it looks (queries, keys) and what it moves from there (values, output) can be examined, and changed, separately:
#    which tokens does it attend to, whatever it copies; what would it write if it attended to this token. One can keep
#    the pattern and replace the values, or the other way round.
# ### END SOLUTION

# %% [markdown]
# ---
# Nineteen functions, none longer than a few lines, and together they are GPT-2. In the next notebook you take up the
# library again: it gives you every activation of such a model by name, and lets you change it while the model runs. Now
# you know what each of these names means.
#
# Every word of the field in bold is in the glossary: run `from course import glossary`, then
# `glossary("KV cache")` for one or `glossary()` for all.
#
# | here | in papers this is called | read more |
# | --- | --- | --- |
# | the residual stream, read and added to | residual stream, skip connections | [Elhage et al. 2021](https://transformer-circuits.pub/2021/framework/index.html), *A Mathematical Framework for Transformer Circuits* |
# | tables for tokens and places | token embedding, positional embedding | [Radford et al. 2019](https://cdn.openai.com/better-language-models/language_models_are_unsupervised_multitask_learners.pdf), Section 2.3 |
# | layer norm | LayerNorm; before each part: pre-LN | [Ba et al. 2016](https://arxiv.org/abs/1607.06450), [Xiong et al. 2020](https://arxiv.org/abs/2002.04745) |
# | where to look, what to move | attention pattern; value, head output `z`; QK and OV | [Vaswani et al. 2017](https://arxiv.org/abs/1706.03762), Section 3 |
# | not looking ahead | causal mask, autoregressive model | the same |
# | a bend | activation function, non-linearity; GELU | [Hendrycks & Gimpel 2016](https://arxiv.org/abs/1606.08415) |
# | a bet | prediction, next-token distribution | |
# | one table for reading and writing | tied embeddings | [Press & Wolf 2017](https://arxiv.org/abs/1608.05859) |
# | the likeliest k; as many as it takes | top-k; top-p, nucleus sampling | [Holtzman et al. 2020](https://arxiv.org/abs/1904.09751) |
# | always the likeliest | greedy decoding | |
# | do not think twice | KV cache, incremental decoding | [Shazeer 2019](https://arxiv.org/abs/1911.02150) |
# | how wrong a bet is | cross-entropy loss, negative log-likelihood | |
#
# *In the library:* TransformerLens loads GPT-2 by
# [`TransformerBridge.boot_transformers`](https://transformerlensorg.github.io/TransformerLens/), and
# `model.generate(…)` is your `generate`.
