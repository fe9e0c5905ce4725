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
# # A mathematical framework: read a transformer from its weights
#
# Run the next cell (**Shift+Enter**; it imports the library, which takes some seconds). It takes one
# attention head out of a trained model: the one that says most for the right answer where a phrase is
# read for the second time. It feeds the head every symbol of its alphabet, one at a time and without
# any text around, and draws what the head would say if it looked at that symbol. *What do you expect?*

# %%
import secrets

import torch
from transformer_lens import FactoredMatrix

from course import checks, plots
from course.calls import call_keeping, cost, remove_hooks
from course.models import build, model

torch.set_grad_enabled(False)  # we read a trained model; nothing is trained here

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+-"  # ids 0..63
BOS = 64  # every text begins with this id; it is drawn as ⊢
SYMBOLS = [*ALPHABET, "⊢"]

net = model("induction-2l2h-noln")


def feed(model, layer, vectors, name):
    """What the heads of a layer make of input vectors, each in a text of its own.

    vectors: [n d_model], put in place of the residual stream before the layer. name: "q", "k", "v"
    or "z". Returns: [n head d_head], without what the biases add.
    """
    inputs = torch.cat([vectors, torch.zeros_like(vectors[:1])])[:, None]  # [n+1 1 d_model]
    one_token = torch.zeros(len(inputs), 1, dtype=torch.int64, device=vectors.device)
    put = (f"blocks.{layer}.hook_resid_pre", lambda resid, hook: inputs)
    with model.hooks(fwd_hooks=[put]):
        _, cache = model.run_with_cache(one_token)
    out = cache[name, layer][:, 0]  # [n+1 head d_head]
    return out[:-1] - out[-1]


BLOCK = "QuickWaltzNymphs"
repeated = torch.tensor([BOS] + [ALPHABET.index(s) for s in BLOCK + BLOCK])  # [33]
HALF = len(BLOCK)
second_copy = torch.arange(HALF + 1, 2 * HALF)  # the places whose next symbol can be known


def for_the_next(logits, places):
    """How much logits [pos d_vocab] prefer the token that comes next, averaged over places."""
    chosen = logits[places, repeated[places + 1]] - logits[places].mean(-1)
    return float(chosen.mean())


on_phrase = net.run_with_cache(repeated[None])[1]["z", 1][0]  # [pos head d_head]
said_there = torch.einsum("phe,hed,dv->hpv", on_phrase, net.W_O[1], net.W_U)
loudest = max((0, 1), key=lambda head: for_the_next(said_there[head], second_copy))
said = torch.einsum("nhe,hed,dv->hnv", feed(net, 1, net.W_E, "z"), net.W_O[1], net.W_U)
plots.matrix(
    said[loudest, :32, :32],  # the first half of the alphabet, so that it can be read
    axes=("symbol that is looked at", "symbol that is predicted"),
    unit="logits",
    labels=(SYMBOLS[:32], SYMBOLS[:32]),
    title=f"What head 1.{loudest} says when it looks at a symbol",
)

# %% [markdown]
# A diagonal. Whatever symbol this head looks at, it predicts that same symbol. It **copies**: not
# because somebody saw it do so on a few texts, but on *all* symbols at once, by a table that stands in
# its weights. At the end of exercise 2 you can compute the table without running the model at all.
#
# Running a model and watching its activations (notebook 04) tells you what happens on the texts you
# tried. Weights are the same for every text. In this notebook you take a transformer apart as one takes
# apart a formula: you multiply out, name every term, and ask what it is for. It comes from one paper,
# Elhage et al., *A Mathematical Framework for Transformer Circuits* (2021); we name its sections where
# we use them.
#
# ## What you will be able to do
#
# 1. read off from weights **what** a head moves (its OV circuit) and **where** it looks (its QK
#    circuit), as tables over the vocabulary;
# 2. say what one head cannot do, however well it is trained, and what that costs a layer;
# 3. write the logits of a two-layer model as an exact sum over paths, and find the paths that matter;
# 4. measure from weights alone which head reads which, against a baseline.
#
# You need matrix products, rank and eigenvalues, and to know how an attention head works (notebook 03).
#
# **Ninety minutes?** Exercises 1, 2, 4, 7 and 8 are the core, and exercise 12 if there is time. The last
# section lists what papers call the things that have a name of ours here.
#
# ## The specimen
#
# `induction-2l2h-noln` has two layers with two heads each, no MLPs and **no LayerNorm**. It was trained
# on random symbols, in blocks that repeat: ⊢, a block of 12 to 24 random symbols, the block again, …
# Without LayerNorm and MLPs only attention is not linear, in three places: a score is the *product* of
# two streams, the softmax makes a pattern of it, and the pattern is *multiplied* with the values. Hold
# the pattern still, and everything else is a matrix. That is why everything below is exact here, to the
# last digits of a float. In a model with LayerNorm the same formulas hold up to a scale at each
# position, once its fixed weights and the mean that it takes off have been multiplied into the matrices.
#
# ## The notation
#
# Vectors are **rows**, and a matrix acts from the right: `x @ W`. So one reads a path from left to
# right, in the order in which the signal passes. The shapes, as TransformerLens gives them:
#
# | | shape | |
# | --- | --- | --- |
# | `model.W_E`, `model.W_pos` | `[d_vocab d_model]`, `[n_ctx d_model]` | one row for a token, one for a position |
# | `model.W_Q`, `W_K`, `W_V` | `[layer head d_model d_head]` | read from the residual stream |
# | `model.W_O` | `[layer head d_head d_model]` | writes to the residual stream |
# | `model.W_U` | `[d_model d_vocab]` | from the residual stream to logits |
#
# Head 1 of layer 0 is written 0.1. Sizes are in `model.cfg`: `n_layers`, `n_heads`, `d_model`, `d_head`,
# `d_vocab`. Biases (`b_Q`, `b_V`, …) exist, and we leave them aside until exercise 8, where they come
# back as one constant.
#
# ## Any model
#
# What a function is given stays as it was, and its result has the dtype of the numbers that it was made
# from. Functions that take a `model` shall work for whatever model they are given, not for `net` alone. In
# `net` two things that are not the same may have the same size: layers and heads, for instance. So
# here are two models of random weights besides, whose sizes all differ. They know nothing; they are
# for trying a function out, and the tests do so too.


# %%
def random_model(n_layers, seed):
    """A model of random weights and biases: 3 heads, d_model 10, d_head 4, d_vocab 11, n_ctx 12."""
    sizes = {"n_heads": 3, "d_model": 10, "d_head": 4, "d_vocab": 11, "n_ctx": 12}
    made = build({"n_layers": n_layers, **sizes, "attn_only": True, "normalization_type": None})
    generator = torch.Generator().manual_seed(seed)
    for weight in made.parameters():
        weight.copy_(0.4 * torch.randn(weight.shape, generator=generator))
    return made


two_layers, three_layers = random_model(2, seed=1), random_model(3, seed=2)

# %% [markdown]
# ---
# ## 1 · Zero layers: the direct path
#
# Difficulty ●○○○○ · Importance ●●●○○ · 10 minutes · core
#
# Take all heads away. What is left? A token is embedded, its position is added, and the sum is turned
# into logits. This is the **direct path**, and it is there in every transformer, however deep: the
# residual stream carries it past all layers.
#
# It sees the current token and its place (in the field: its **position**), nothing else. The best
# prediction anybody can make from the current token alone is the table of **bigrams**: after `q` comes
# `u`. So a model with zero layers learns a bigram table, squeezed into rank `d_model`; in a deeper
# model, the direct path is the natural home of what is left of it. (Section "Zero-Layer Transformers" of the paper.)
#
# Write `direct_path(model, tokens)`: the logits of the direct path, `[pos d_vocab]`, for one text
# `tokens` `[pos]`. No biases.
#
# <details><summary>Hint 1: rows of a table</summary>
#
# Indexing a matrix by a tensor of ids picks a row for each id: `[d_vocab d_model]` becomes
# `[pos d_model]`. No product with one-hot vectors is needed.
# </details>
# <details><summary>Hint 2: the position</summary>
#
# A text of `pos` tokens uses the first `pos` rows of `W_pos`. Token and position are *added* before
# anything reads them.
# </details>


# %% nbgrader={"grade": false, "grade_id": "direct_path", "locked": false, "schema_version": 3, "solution": true, "task": false}
def direct_path(model, tokens: torch.Tensor) -> torch.Tensor:
    """Logits of token and position embedding alone, without any layer and without biases.

    tokens: [pos]. Returns: [pos d_vocab].
    """
    ### BEGIN SOLUTION
    resid = model.W_E[tokens] + model.W_pos[: len(tokens)]  # [pos d_model]
    return resid @ model.W_U
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "direct_path_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
remove_hooks(net)
got = direct_path(net, torch.tensor([BOS, 3, 3, 60, 3]))
checks.check_tensor(got, "direct_path", dtype=torch.float32)
checks.check_shape(got, (5, 65), "direct_path of 5 tokens", axes="pos vocab")
assert not torch.allclose(got[1], got[2]), (
    "the same token at two positions got the same logits: where is the position embedding?"
)
again = direct_path(net, torch.tensor([BOS, 3, 3, 60, 3]))
assert torch.equal(got, again), (
    "the same call a second time gives something else: does += write into the model's weights? (If so, "
    "it has: restart the kernel.)"
)
swapped = direct_path(net, torch.tensor([BOS, 3, 60, 3, 3]))
assert torch.allclose(got[1], swapped[1], atol=1e-5), "position 1 depends on a later token"
assert torch.allclose(got[4], swapped[4], atol=1e-5), (
    "position 4 depends on an earlier token: the direct path sees the current one only"
)
# Without layers, logits are the streams of a token and a place through W_U, and no bias is added.
remove_hooks(three_layers)
one, ids = torch.tensor([4, 9, 4, 0]), three_layers
got, kept = call_keeping(direct_path, three_layers, one)
checks.check_shape(got, (4, 11), "direct_path of 4 tokens, d_vocab 11", axes="pos vocab")
by_token, by_place = ids.W_E[one] @ ids.W_U, ids.W_pos[:4] @ ids.W_U  # [4 11] each
checks.check_close(
    got,
    by_token + by_place,
    "direct_path of a model of three layers",
    axes="pos vocab",
    atol=1e-4,
    slips={
        "No biases: b_U is added.": by_token + by_place + ids.b_U,
        "Where is the position?": by_token,
        "Where is the token?": by_place,
        "A place is counted from 0: the positions are moved by one.": by_token
        + ids.W_pos[1:5] @ ids.W_U,
        "These are the rows of W_pos for the ids of the tokens, not for their places.": by_token
        + ids.W_pos[one] @ ids.W_U,
    },
)
assert torch.equal(kept[1], one), "the tokens were changed"

# %% nbgrader={"grade": true, "grade_id": "direct_path_test_2", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: other texts, against runs of two models in which no head says anything.
### BEGIN HIDDEN TESTS
remove_hooks(net)
seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)
remove_hooks(three_layers)
for m, length in ((net, 7), (net, 49), (three_layers, 12), (net, 1), (three_layers, 4)):
    mute = [
        (f"blocks.{n}.hook_attn_out", lambda out, hook: torch.zeros_like(out))
        for n in range(m.cfg.n_layers)
    ]
    toks = torch.randint(0, m.cfg.d_vocab, (length,), generator=g)
    want = m.run_with_hooks(toks[None], fwd_hooks=mute)[0] - m.b_U
    got, kept = call_keeping(direct_path, m, toks)
    what = f"direct_path of {length} tokens, d_vocab {m.cfg.d_vocab}, seed {seed}"
    checks.check_tensor(got, what, dtype=torch.float32)
    checks.check_close(got, want, what, axes="pos vocab", atol=1e-4)
    checks.check_close(direct_path(m, toks), want, f"a second {what}", axes="pos vocab", atol=1e-4)
    assert torch.equal(kept[1], toks), "the tokens were changed"
### END HIDDEN TESTS

# %% [markdown]
# In the language of our model no pair of symbols is more likely than another, so there are no bigrams
# worth learning. Yet its table is not empty. Rows: the current symbol (at position 20); columns: the
# prediction. *What do you expect on the diagonal?*

# %%
table = torch.stack([direct_path(net, torch.full((21,), i))[20] for i in range(65)])
plots.matrix(
    (table - table.mean(0))[:32, :32],
    axes=("current symbol", "predicted symbol"),
    unit="logits",
    labels=(SYMBOLS[:32], SYMBOLS[:32]),
    title="The direct path: logits compared with the mean over current symbols",
)

# %% [markdown]
# <details><summary>What we see</summary>
#
# Look at the diagonal and its sign. The direct path says a little *against* repeating the current
# symbol. Keep that in mind for the heads, which say something *for* what they look at.
# </details>

# %% [markdown]
# ---
# ## 2 · What a head moves: the OV circuit
#
# Difficulty ●●○○○ · Importance ●●●●● · 20 minutes · core
#
# A head does two things that have nothing to do with each other.
#
# * It decides **where** to look: the pattern, made from queries and keys.
# * It decides **what** to carry over from there: the value, written back by the output matrix.
#
# The second is linear. If the head looks at one position with all its attention, and that position
# holds the vector `x`, then `x @ W_V @ W_O` is added to the residual stream. The two matrices never
# appear apart, so their product `W_OV = W_V @ W_O` `[d_model d_model]` is the real object: it has rank
# at most `d_head`, however large `d_model` is. (Section "Attention Heads as Information Movement".)
#
# Put the embedding before it and the unembedding behind it, and you have a table from tokens to tokens,
# the **full OV circuit** `[d_vocab d_vocab]`. Row *a*, column *c*: by how much does the logit of *c* rise
# where the head looks at *a*? That is the picture at the beginning.
#
# For GPT-2 the table would have 2.5 billion entries, and yet two factors of 3.2 million numbers each
# say all of it. So one never multiplies it out. `FactoredMatrix(A, B)` of TransformerLens keeps a
# product as its two factors `A` `[n r]` and `B` `[r m]` (as attributes `.A` and `.B`).
#
# Write `ov_circuit(model, layer, head)`: the full OV circuit as a `FactoredMatrix` with **inner
# dimension `d_head`**. No tensor of `d_vocab` × `d_vocab` entries may be made on the way. It shall work
# for any model of the library; LayerNorm and biases are left out.
#
# <details><summary>Hint 1: the path in order</summary>
#
# A token goes in and a token comes out. Which four matrices does the signal pass, in which order? Write
# their shapes in a row: neighbours must fit.
# </details>
# <details><summary>Hint 2: where to cut</summary>
#
# A product of four matrices may be bracketed as you like. There is one place in the row where the width
# is `d_head`. Everything to its left is `A`, everything to its right is `B`.
# </details>


# %% nbgrader={"grade": false, "grade_id": "ov_circuit", "locked": false, "schema_version": 3, "solution": true, "task": false}
def ov_circuit(model, layer: int, head: int) -> FactoredMatrix:
    """What a head says when it looks at a token: [d_vocab d_vocab], of inner size d_head.

    Rows: the token that is looked at. Columns: the token whose logit rises.
    """
    ### BEGIN SOLUTION
    into = model.W_E @ model.W_V[layer, head]  # [d_vocab d_head]
    out = model.W_O[layer, head] @ model.W_U  # [d_head d_vocab]
    return FactoredMatrix(into, out)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "ov_circuit_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
remove_hooks(net)
got = ov_circuit(net, 1, 0)
assert type(got) is FactoredMatrix, f"a FactoredMatrix is asked for, not {type(got).__name__}"
checks.check_shape(got.A, (65, 32), "the left factor of ov_circuit", axes="vocab d_head")
checks.check_shape(got.B, (32, 65), "the right factor of ov_circuit", axes="d_head vocab")
row = torch.matmul(got.A[5], got.B)
heard = feed(net, 1, net.W_E[5:6], "z")[0, 0] @ net.W_O[1, 0] @ net.W_U
assert torch.allclose(row, heard, atol=1e-3), (
    "row 5 of ov_circuit(net, 1, 0) is not what a run gives in which head 1.0 looks at symbol 5: off by "
    f"{float(torch.abs(row - heard).max()):.2g}. Which matrices are passed, in which order, of which head?"
)

# %% nbgrader={"grade": true, "grade_id": "ov_circuit_test_2", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: every head, by random vectors from both sides, against loops; on a GPT-2 too.
### BEGIN HIDDEN TESTS
gpt = model("tiny-gpt2")
one_layer = model("induction-1l")
remove_hooks(net)
remove_hooks(gpt)
remove_hooks(one_layer)
remove_hooks(three_layers)
seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)
for m in (net, gpt, one_layer, three_layers):
    v, name = m.cfg.d_vocab, f"a model of {m.cfg.n_layers} layers with d_head {m.cfg.d_head}"
    for layer in range(m.cfg.n_layers):
        for head in range(m.cfg.n_heads):
            x = torch.randn(3, v, generator=g, dtype=torch.float64)
            y = torch.randn(v, 2, generator=g, dtype=torch.float64)
            back = y.T @ m.W_U.cpu().double().T  # [2 d_model], from the right end
            back = back @ m.W_O[layer, head].cpu().double().T @ m.W_V[layer, head].cpu().double().T
            want = (x @ m.W_E.cpu().double()) @ back.T  # [3 2]
            got = ov_circuit(m, layer, head)
            what = f"ov_circuit({name}, {layer}, {head})"
            assert type(got) is FactoredMatrix, f"{what}: got {type(got).__name__}"
            checks.check_shape(got.A, (v, m.cfg.d_head), f"the left factor of {what}")
            checks.check_shape(got.B, (m.cfg.d_head, v), f"the right factor of {what}")
            seen = torch.matmul(torch.matmul(x, got.A.cpu().double()), got.B.cpu().double())
            scale = float(torch.matmul(seen, y).abs().max()) + 1.0
            gap = float(torch.abs(torch.matmul(seen, y) - want).max())
            assert gap < 1e-3 * scale, f"x @ {what} @ y is off by {gap:.2g} [seed {seed}]"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "ov_circuit_test_3", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Hidden: the factors must be right without the big table ever being made.
### BEGIN HIDDEN TESTS
seed = secrets.randbelow(1_000_000)
m = model("tiny-gpt2")
remove_hooks(m)
last = (m.cfg.n_layers - 1, m.cfg.n_heads - 1)
at = torch.randint(0, m.cfg.d_vocab, (2, 9), generator=torch.Generator().manual_seed(seed))
into = [[float(e) for e in (m.W_V[last].T @ m.W_E[i])] for i in at[0].tolist()]
out = [[float(e) for e in (m.W_U[:, i] @ m.W_O[last].T)] for i in at[1].tolist()]
want = torch.tensor([[sum(a * b for a, b in zip(r, c, strict=True)) for c in out] for r in into])
spent = cost(ov_circuit, m, *last)
got = torch.matmul(spent.result.A.cpu()[at[0]], spent.result.B.cpu()[:, at[1]])
scale = float(want.abs().max())
checks.check_close(got, want, f"entries of ov_circuit of tiny-gpt2, seed {seed}", atol=1e-4 * scale)
assert spent.largest < m.cfg.d_vocab**2, (
    f"a tensor of {spent.largest} entries was made; d_vocab × d_vocab is {m.cfg.d_vocab**2}"
)
### END HIDDEN TESTS

# %% [markdown]
# Your four tables, the parts of them that belong to the first 20 symbols (look at the scales beside
# them, which differ). *What do you expect:* do all four copy?

# %%
for where in ((0, 0), (0, 1), (1, 0), (1, 1)):
    circuit = ov_circuit(net, *where)
    plots.matrix(
        circuit.A[:20] @ circuit.B[:, :20],
        axes=("looked at", "predicted"),
        unit="logits",
        labels=(SYMBOLS[:20], SYMBOLS[:20]),
        title=f"OV circuit of head {where[0]}.{where[1]}, from its weights",
    ).show()

# %% [markdown]
# <details><summary>What we see</summary>
#
# The two heads of layer 1 copy without a doubt. What do you make of the other two? The next exercise
# makes a number of the impression.
# </details>

# %% [markdown]
# ---
# ## 3 · Does it copy? One number for a table
#
# Difficulty ●●●○○ · Importance ●●●●○ · 20 minutes
#
# "There is a bright diagonal" is an impression. For four heads one can look; for 144 one needs a number.
#
# A table from tokens to tokens maps token vectors to token vectors, so it has eigenvectors: mixtures of
# tokens that come out as themselves, times λ. If λ is positive, looking at that mixture of tokens makes
# the same mixture *more* likely: copying. If λ is negative, the head says "anything but that". If
# eigenvalues are complex, tokens are turned into one another. So the paper (section "Summarizing OV/QK
# Matrices", on detecting copying behaviour) compares
#
# $$\text{copying score} = \frac{\sum_i \lambda_i}{\sum_i |\lambda_i|}$$
#
# which is 1 if all eigenvalues are positive and −1 if all are negative, near 0 for a table of random
# numbers. The numerator is the trace: complex eigenvalues come in pairs, and their imaginary parts
# cancel.
#
# A `d_vocab` × `d_vocab` matrix has `d_vocab` eigenvalues, but one of rank `r` has only `r` that are not
# zero, and there is a beautiful way to find them: **`A @ B` and `B @ A` have the same eigenvalues, zeros
# aside** (if `x A B = λ x`, then `x A` is an eigenvector of `B A`: multiply and see). One of the
# products is small.
#
# Write `copying_score(circuit)` for a `FactoredMatrix` of shape `[n n]` with inner dimension `r < n`. It
# returns a Python `float`. Nothing of `n` × `n` entries may be made: it shall work for the vocabulary of
# GPT-2.
#
# <details><summary>Hint 1: which product</summary>
#
# `A` is `[n r]`, `B` is `[r n]`. Which of `A @ B` and `B @ A` is `[r r]`?
# </details>
# <details><summary>Hint 2: eigenvalues in torch</summary>
#
# `torch.linalg.eigvals` gives complex numbers, also where all of them are real. `.abs()` of a complex
# tensor is the length of each, `.real` its real part.
# </details>
# <details><summary>Hint 3: sums first</summary>
#
# In the numerator the numbers are added with their signs, and only then one looks at the real part. In
# the denominator each is made a length before adding. Absolute values in both would always give 1.
# </details>


# %% nbgrader={"grade": false, "grade_id": "copying_score", "locked": false, "schema_version": 3, "solution": true, "task": false}
def copying_score(circuit: FactoredMatrix) -> float:
    """Sum of the eigenvalues over the sum of their absolute values, from -1 to 1.

    circuit: [n n], of inner size r. Works on [r r] only.
    """
    ### BEGIN SOLUTION
    eigenvalues = torch.linalg.eigvals(circuit.B @ circuit.A)  # [r], complex
    return float(eigenvalues.sum().real / eigenvalues.abs().sum())
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "copying_score_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
basis = torch.eye(6)[:, :3]  # [6 3]
for signs, want in (((2.0, 1.0, 5.0), 1.0), ((-2.0, -1.0, -5.0), -1.0), ((3.0, 1.0, -4.0), 0.0)):
    got = copying_score(FactoredMatrix(basis, torch.diag(torch.tensor(signs)) @ basis.T))
    assert type(got) is float, f"a Python float is asked for, not {type(got).__name__}"
    assert abs(got - want) < 1e-4, (
        f"a table with the eigenvalues {signs} (and zeros) has the score {want}, yours is {got:.3f}: "
        "are signs kept in the numerator, and lengths added in the denominator?"
    )
# Eigenvalues 3 ± 4i, whose length is 5, and -2: (3 + 3 - 2) / (5 + 5 + 2). The table is not symmetric.
tilted = torch.linalg.qr(torch.arange(18.0).reshape(6, 3).sin()).Q  # [6 3]
turning = torch.tensor([[3.0, -4.0, 1.0], [4.0, 3.0, 2.0], [0.0, 0.0, -2.0]])
checks.check_close(
    copying_score(FactoredMatrix(tilted, turning @ tilted.T)),
    4 / 12,
    "the score of a table with the eigenvalues 3 + 4i, 3 - 4i and -2",
    atol=1e-4,
    slips={
        "Complex eigenvalues have a length: sqrt(3² + 4²), not their real part.": 4 / 8,
        "Divide by the sum of the lengths, not by the length of the sum.": 1.0,
        "Negative and complex eigenvalues count too.": 4 / 2,
        "Singular values are asked for nowhere: the denominator adds lengths of eigenvalues.": float(
            4 / torch.linalg.svdvals(turning).sum()
        ),
        "The signs are in the numerator: it is the sum of the eigenvalues.": 1.0,
    },
)
assert float(copying_score(FactoredMatrix(tilted, tilted.T))) > 0.99, (
    "a symmetric table whose eigenvalues have one sign has the score 1"
)

# %% nbgrader={"grade": true, "grade_id": "copying_score_test_2", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: random tables, also with complex eigenvalues, against the dense eigenvalues in float64.
### BEGIN HIDDEN TESTS
import numpy as np

seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)
cases = []
for n, r in ((9, 4), (11, 3), (8, 5), (10, 4), (13, 6)):
    A, B = torch.randn(n, r, generator=g), torch.randn(r, n, generator=g)
    B = B + 0.3 * A.T  # leaning to copying, so that scores are not all near zero
    cases.append((A, B))
whirl = torch.tensor([[0.6, -0.8, 0.0], [0.8, 0.6, 0.0], [0.0, 0.0, 2.0]])  # 0.6 ± 0.8i and 2
frame = torch.linalg.qr(torch.randn(7, 3, generator=g)).Q
cases.append((frame, whirl @ frame.T))  # score (0.6 + 0.6 + 2) / 4 = 0.8
cases.append((frame, -whirl @ frame.T))
for A, B in cases:
    dense = np.linalg.eigvals((A.double() @ B.double()).numpy())
    want = float(np.trace((A.double() @ B.double()).numpy()) / np.abs(dense).sum())
    got = copying_score(FactoredMatrix(A, B))
    assert type(got) is float, f"got {type(got).__name__}, a float is asked for"
    assert abs(got - want) < 1e-3, (
        f"a random table {tuple(A.shape)} @ {tuple(B.shape)}: {got:.4f} is not its score [seed {seed}]"
    )
    doubled = copying_score(FactoredMatrix(A * 2, B * 3))
    assert abs(doubled - want) < 1e-3, f"a table times 6 must have the same score [seed {seed}]"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "copying_score_test_3", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Hidden: a table of 3000 tokens, of which nothing that large may be made.
### BEGIN HIDDEN TESTS
seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)
A = torch.randn(3000, 3, generator=g) / 50
B = torch.randn(3, 3000, generator=g) / 50 + A.T
small = [[sum((B[i] * A[:, j]).tolist()) for j in range(3)] for i in range(3)]
roots = np.linalg.eigvals(np.array(small))
want = float(roots.sum().real / np.abs(roots).sum())
spent = cost(copying_score, FactoredMatrix(A, B))
assert type(spent.result) is float and abs(spent.result - want) < 1e-3, (
    f"the score of a table of 3000 tokens and rank 3 is wrong [seed {seed}]"
)
assert spent.largest <= 100_000, (
    f"a tensor of {spent.largest} entries was made: all you need is [r r]"
)
### END HIDDEN TESTS

# %% [markdown]
# Every head of our model. *What do you expect* of the two of layer 0?

# %%
scores = torch.tensor(
    [[copying_score(ov_circuit(net, layer, head)) for head in (0, 1)] for layer in (0, 1)]
)
plots.head_grid(scores, title="Copying score of every head", limit=1.0)

# %% [markdown]
# <details><summary>What we see</summary>
#
# Both heads of layer 1 copy, as plainly as can be. Layer 0 has a head with a high score too, and one in
# between.
# </details>
#
# Be careful with what the number says: it is about the path token → head → logits, as if the
# head wrote for the reader of the logits. Heads of layer 0 also write for the heads of layer 1, and what
# they say to those need not look like a token. And a copying head is not yet an induction head: what it
# copies depends on where it looks.
#
# The score is a sum, and hides what it was made of. Here are the eigenvalues themselves, as points of
# the complex plane. (A table of 65 symbols is small enough to be multiplied out; about half of its
# eigenvalues are 0.) *What do you expect* of a head that copies, and of one that does so in part?


# %%
def eigenvalues(layer, head):
    """Those of a head's OV circuit: [d_vocab], complex."""
    circuit = ov_circuit(net, layer, head)
    return torch.linalg.eigvals(circuit.A @ circuit.B)


plots.complex_plane(
    {
        f"head {layer}.{head}": eigenvalues(layer, head) / eigenvalues(layer, head).abs().max()
        for layer, head in ((1, 0), (0, 0), (0, 1))
    },
    title="Eigenvalues of three OV circuits, in units of the largest",
)

# %% [markdown]
# <details><summary>What we see</summary>
#
# Those of head 1.0 lie on the positive half of the real axis, with imaginary parts of at most 0.03 of the
# largest number. Head 0.0 leans the same way, but five of its numbers have a negative real part. Those of
# 0.1 lie all around 0: it does not give back the symbol that it looks at. What it writes is for layer 1,
# and not for the logits.
# </details>

# %% [markdown]
# ---
# ## 4 · Where a head looks: the QK circuit
#
# Difficulty ●●○○○ · Importance ●●●●● · 15 minutes · core
#
# The other half of a head. The **score** with which a position that holds `x` looks at one that holds
# `y` is the product of query and key, divided by the square root of `d_head`:
#
# $$\text{score}(x \to y) = \frac{(x W_Q) \cdot (y W_K)}{\sqrt{d_\text{head}}} = \frac{x \; W_Q W_K^\top \; y^\top}{\sqrt{d_\text{head}}}$$
#
# Again the two matrices only appear as one product, `W_QK = W_Q @ W_K.T` `[d_model d_model]`: a *bilinear
# form*, which takes a vector on either side and gives a number. Queries and keys have no meaning of
# their own; turn both by the same rotation, and nothing changes.
#
# Put the embedding on both sides: the **full QK circuit** `[d_vocab d_vocab]`. **Row: the token that
# looks (query, or destination). Column: the token that is looked at (key, or source).** A softmax over the
# columns that are there in the text makes the pattern of it.
#
# Write `qk_circuit(model, layer, head)`, a `FactoredMatrix` of inner dimension `d_head`, with the scale
# inside, so that its entries are scores. It shall work for any model; positions, LayerNorm and biases
# are left out.
#
# <details><summary>Hint 1: two embeddings</summary>
#
# The query comes from the left, `[d_vocab d_head]`, and the key from the right, `[d_head d_vocab]`. The
# second is made as the first is, with another matrix, and then turned over.
# </details>
# <details><summary>Hint 2: the scale</summary>
#
# Divide one of the factors, or each of them by the fourth root. `model.cfg.d_head ** 0.5` is the root.
# </details>


# %% nbgrader={"grade": false, "grade_id": "qk_circuit", "locked": false, "schema_version": 3, "solution": true, "task": false}
def qk_circuit(model, layer: int, head: int) -> FactoredMatrix:
    """With which score a token looks at a token: [d_vocab d_vocab], of inner size d_head.

    Rows: the token that looks (query). Columns: the token that is looked at (key). Divided by
    the square root of d_head.
    """
    ### BEGIN SOLUTION
    queries = model.W_E @ model.W_Q[layer, head]  # [d_vocab d_head]
    keys = model.W_E @ model.W_K[layer, head]  # [d_vocab d_head]
    return FactoredMatrix(queries / model.cfg.d_head**0.5, keys.T)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "qk_circuit_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
remove_hooks(net)
got = qk_circuit(net, 0, 1)
assert type(got) is FactoredMatrix, f"a FactoredMatrix is asked for, not {type(got).__name__}"
checks.check_shape(got.A, (65, 32), "the left factor of qk_circuit", axes="vocab d_head")
checks.check_shape(got.B, (32, 65), "the right factor of qk_circuit", axes="d_head vocab")
asks = feed(net, 0, net.W_E[[7, 9]], "q")[:, 1]  # [2 d_head], the queries of symbols 7 and 9
offers = feed(net, 0, net.W_E[[7, 9]], "k")[:, 1]
seen = float(torch.dot(got.A[7], got.B[:, 9]))
back = float(torch.dot(asks[1], offers[0])) / 32**0.5
want = float(torch.dot(asks[0], offers[1])) / 32**0.5
assert abs(seen - back) > 1e-4, "row 7, column 9 is the score of 9 looking at 7: rows are queries"
assert abs(seen / want - 32**0.5) > 1e-3, "the scores are not divided by the root of d_head"
assert abs(seen - want) < 1e-3, (
    f"row 7, column 9 must be q·k/√d_head for symbol 7 looking at 9; off by {abs(seen - want):.2g}"
)

# %% nbgrader={"grade": true, "grade_id": "qk_circuit_test_2", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: every head, by random vectors from both sides, in float64; on a GPT-2 too.
### BEGIN HIDDEN TESTS
gpt = model("tiny-gpt2")
one_layer = model("induction-1l")
remove_hooks(net)
remove_hooks(gpt)
remove_hooks(one_layer)
remove_hooks(three_layers)
seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)
for m in (gpt, net, one_layer, three_layers):
    v, name = m.cfg.d_vocab, f"a model of {m.cfg.n_layers} layers with d_head {m.cfg.d_head}"
    for layer in range(m.cfg.n_layers):
        for head in range(m.cfg.n_heads):
            x = torch.randn(3, v, generator=g, dtype=torch.float64)
            y = torch.randn(2, v, generator=g, dtype=torch.float64)
            asking = torch.einsum(
                "nv,vd,de->ne", x, m.W_E.cpu().double(), m.W_Q[layer, head].cpu().double()
            )
            asked = torch.einsum(
                "nv,vd,de->ne", y, m.W_E.cpu().double(), m.W_K[layer, head].cpu().double()
            )
            want = torch.tensor(
                [[float((a * b).sum()) / m.cfg.d_head**0.5 for b in asked] for a in asking],
                dtype=torch.float64,
            )
            got = qk_circuit(m, layer, head)
            what = f"qk_circuit({name}, {layer}, {head})"
            assert type(got) is FactoredMatrix, f"{what}: got {type(got).__name__}"
            checks.check_shape(got.A, (v, m.cfg.d_head), f"the left factor of {what}")
            checks.check_shape(got.B, (m.cfg.d_head, v), f"the right factor of {what}")
            seen = torch.matmul(torch.matmul(x, got.A.cpu().double()), got.B.cpu().double())
            seen = torch.matmul(seen, y.T)
            gap = float(torch.abs(seen - want).max())
            assert gap < 1e-3 * float(want.abs().max()), (
                f"x @ {what} @ y.T is off by {gap:.2g} [seed {seed}]"
            )
### END HIDDEN TESTS

# %%
from course import drawings

drawings.circuits()

# %% [markdown]
# What do the heads of layer 0 look at? A key may also be made from a *position*. The same formula with
# `W_pos` in the place of `W_E` gives a table of scores from positions to positions. Here is the attention
# that these scores alone would make (softmax over the places that are not later), for the head that
# looks at the place just before most. *What do you expect* to see?

# %%
place_q, place_k = feed(net, 0, net.W_pos, "q"), feed(net, 0, net.W_pos, "k")  # [n_ctx head d_head]
place_scores = torch.einsum("qhe,khe->hqk", place_q, place_k) / net.cfg.d_head**0.5
not_yet = torch.ones(net.cfg.n_ctx, net.cfg.n_ctx, dtype=torch.bool).triu(1)
place_pattern = place_scores.masked_fill(not_yet, -torch.inf).softmax(-1)  # [head query key]
prev_head = int(place_pattern.diagonal(-1, 1, 2).mean(-1).argmax())
plots.attention_heatmap(
    place_pattern[prev_head], title=f"Head 0.{prev_head}: attention by place alone, from weights"
)

# %% [markdown]
# <details><summary>What we see</summary>
#
# A stripe one below the diagonal: a **previous-token head**, recognised without a single text. (Where it
# is blurred, training cared less.)
# </details>
#
# And the heads of layer 1? Their tables from token to token. *What do you expect on the diagonal:* does
# a head of this kind look at the symbol that it stands on?

# %%
for number in (0, 1):
    circuit = qk_circuit(net, 1, number)
    plots.matrix(
        circuit.A[:20] @ circuit.B[:, :20],
        axes=("symbol that looks", "symbol that is looked at"),
        unit="score",
        labels=(SYMBOLS[:20], SYMBOLS[:20]),
        title=f"QK circuit of head 1.{number}, from its weights",
    ).show()

# %% [markdown]
# <details><summary>What we see</summary>
#
# The diagonal is the other way round: these heads would rather *not* look at a symbol equal to the one
# they stand on. Together with what you saw in exercise 3: they copy what they look at, and they avoid
# the symbol itself.
# </details>
#
# Where they do look, no table from token to token can say. Exercises 8 to 12 find out.

# %% [markdown]
# ---
# ## 5 · What one head cannot do
#
# Difficulty ●●○○○ · Importance ●●●○○ · 15 minutes
#
# Look at a model with one layer from far away. A head that stands on *b*, and has *a* somewhere before
# it, looks at *a* with some strength (QK: a number for each pair *b*, *a*), and then says *c* with some
# strength (OV: a number for each pair *a*, *c*). The whole head is a list of **skip-trigrams**
#
# $$a \;\dots\; b \;\to\; c$$
#
# such as *hold … your → breath*, and *hold … the → line*. (Section "One-Layer Attention-Only
# Transformers".)
#
# But the two numbers are *multiplied*, and *b* and *c* never meet in one table. For a fixed *a* the
# effect on *c* at *b* is an outer product, a matrix of rank 1. So a head that learns the two phrases above
# has learned two more, wanted or not: *hold … your → line* and *hold … the → breath*. The paper calls
# them **skip-trigram bugs**. No training removes them from *this head*: it has no place to write the
# exception. (Another place may pay for it. You will find two after the exercise.)
#
# Write `implied_skip_trigrams(wanted)`. `wanted` is a set of triples `(a, b, c)` of ints: *a* earlier in
# the text, *b* the current token, *c* the prediction. Think of one head that is either on or off: it
# looks from *b* at *a* exactly if some wanted triple needs it, and says *c* when it looks at *a* exactly
# if some wanted triple needs it. Return the set of triples (tuples of ints) that this head makes
# **besides those wanted**.
#
# <details><summary>Hint 1: two tables</summary>
#
# From `wanted` make the set of pairs *(b, a)*, for QK, and the set of pairs *(a, c)*, for OV. Which
# triples fire, given only these two sets?
# </details>
# <details><summary>Hint 2: what links them</summary>
#
# A triple fires if the *a* of its QK pair and the *a* of its OV pair are the same. Then take away what
# was wanted: sets can be subtracted.
# </details>


# %% nbgrader={"grade": false, "grade_id": "implied_skip_trigrams", "locked": false, "schema_version": 3, "solution": true, "task": false}
def implied_skip_trigrams(wanted: set) -> set:
    """The skip-trigrams (a, b, c) that one head must make besides the wanted ones."""
    ### BEGIN SOLUTION
    looks = {(b, a) for a, b, c in wanted}  # the QK circuit
    says = {(a, c) for a, b, c in wanted}  # the OV circuit
    made = {(a, b, c) for b, a in looks for source, c in says if source == a}
    return made - wanted
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "implied_skip_trigrams_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
hold, left, your, the, breath, line = range(6)
got = implied_skip_trigrams({(hold, your, breath), (hold, the, line)})
assert type(got) is set, f"a set is asked for, not {type(got).__name__}"
assert all(type(triple) is tuple and len(triple) == 3 for triple in got), "entries are triples"
assert (hold, your, breath) not in got, "a wanted triple is no bug: only those besides the wanted"
assert len(got) == 2, f"hold…your→breath and hold…the→line imply two more triples, not {len(got)}"
assert got == {(hold, your, line), (hold, the, breath)}, (
    "after hold, the head also says line where it stands on your, and breath where it stands on the"
)
got = implied_skip_trigrams({(hold, your, breath), (left, the, line)})
assert len(got) == 0, "two triples with different first tokens do not meet in any table: no bug"
wish = {(hold, your, breath), (hold, the, line), (hold, left, line), (left, your, line)}
got, kept = call_keeping(implied_skip_trigrams, wish)
assert got == {(hold, your, line), (hold, the, breath), (hold, left, breath)}, (
    f"four triples, three of them after hold, imply three more; you return {sorted(got)}"
)
assert kept[0] == wish, "the set that was given was changed"
assert implied_skip_trigrams(set()) == set(), "no wish, no bug: an empty set"

# %% nbgrader={"grade": true, "grade_id": "implied_skip_trigrams_test_2", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: random sets, against tables of zeros and ones that are multiplied.
### BEGIN HIDDEN TESTS
seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)
for n, count in ((4, 5), (5, 12), (6, 20), (3, 1), (5, 0), (40, 60)):
    drawn = torch.randint(0, n, (count, 3), generator=g).tolist()
    wish = {(a, b, c) for a, b, c in drawn}
    attends, writes = torch.zeros(n, n), torch.zeros(n, n)  # [b a], [a c]
    for a, b, c in wish:
        attends[b, a] = writes[a, c] = 1
    fires = torch.einsum("ba,ac->abc", attends, writes)
    want = sorted(tuple(place) for place in fires.nonzero().tolist() if tuple(place) not in wish)
    got, kept = call_keeping(implied_skip_trigrams, wish)
    assert type(got) is set, f"a set is asked for, not {type(got).__name__}"
    assert all(
        type(triple) is tuple and len(triple) == 3 and all(type(i) is int for i in triple)
        for triple in got
    ), "entries are triples of ints"
    assert sorted(got) == want, (
        f"{len(wish)} wanted triples of {n} tokens imply {len(want)} more; you returned {len(got)}, "
        f"or others [seed {seed}]"
    )
    assert kept[0] == wish, "the set that was given was changed"
### END HIDDEN TESTS

# %% [markdown]
# The same with numbers. One head has *hold* before it; rows are what it stands on, columns what it adds
# to the logits. Try to make *hold … your → line* zero and keep the two phrases:

# %% tags=["play"]
WORDS = ["hold", "your", "the", "breath", "line", "."]
attention_to_hold = torch.tensor([0.0, 0.9, 0.8, 0.0, 0.0, 0.1])  # from each word
logits_of_hold = torch.tensor([0.0, 0.0, 0.0, 4.0, 4.5, -1.0])  # for each word
plots.matrix(
    torch.outer(attention_to_hold, logits_of_hold),
    axes=("current word", "predicted word"),
    unit="logits",
    labels=(WORDS, WORDS),
    title="What one head can do after “hold”: rank 1",
)

# %% [markdown]
# One head cannot. Can one *layer*? A puzzle: remove *hold … your → line* with a second head, or with the
# direct path alone. What does each way cost?
#
# <details><summary>Two ways to pay</summary>
#
# **A second head.** After a fixed *a*, `H` heads make a matrix of rank `H` at most: one head for *your →
# breath*, another for *the → line*, and there is no bug left. Two heads are spent on one word. (In all,
# a layer of `H` heads can be wrong about a table of *b* and *c* after *a* only by what lies beyond its best
# approximation of rank `H`.)
#
# **The direct path.** It sees *b* and *c* without *a*: let it take 4 logits off *line* wherever the current
# word is *your*, and off *breath* wherever it is *the*. After *hold* the bugs are gone. But the same is
# taken off where no *hold* went before, and there *your → line* is now too unlikely. It pays if *hold* is
# nearly always there.
# </details>
#
# And in our language of random symbols lists of triples are of no use at all, with however many heads.
# "After *A* comes whatever came after *A* last time" is no list: which symbol it was is new in every text.

# %% [markdown]
# ---
# ## 6 · No coordinate means anything: turn the residual stream
#
# Difficulty ●●●○○ · Importance ●●●●○ · 20 minutes
#
# Why do we multiply matrices before looking at them, and never look at coordinate 17 of the residual
# stream? Because coordinate 17 does not exist. Everything that touches the stream reads it by a matrix
# or adds to it by a matrix. Turn the whole stream by a rotation, turn everything that writes with it and
# everything that reads back, and the model computes the same, number for number, while every coordinate
# has become another one. The stream has **no privileged basis**. (Section "Virtual Weights and the
# Residual Stream as a Communication Channel".)
#
# Write `rotate_residual(weights, rotation)`. `weights` is a dict of tensors with the names and shapes
# of TransformerLens:
#
# | | | | |
# | --- | --- | --- | --- |
# | `W_E` `[d_vocab d_model]` | `W_pos` `[n_ctx d_model]` | `W_U` `[d_model d_vocab]` | `b_U` `[d_vocab]` |
# | `W_Q`, `W_K`, `W_V` `[layer head d_model d_head]` | `b_Q`, `b_K`, `b_V` `[layer head d_head]` | `W_O` `[layer head d_head d_model]` | `b_O` `[layer d_model]` |
#
# `rotation` `[d_model d_model]` is orthogonal (`rotation @ rotation.T` is the identity). Return a new
# dict with the same keys: the weights of a model whose residual stream is, at every place and after
# every layer, `x @ rotation` where it was `x`, and whose logits are the same. The dict that was given,
# and its tensors, stay as they are.
#
# <details><summary>Hint 1: who touches the stream?</summary>
#
# Go through the ten tensors. Which have an axis `d_model`? The others stay.
# </details>
# <details><summary>Hint 2: writers</summary>
#
# Whatever is added to the stream must come out turned: `new = old @ rotation`, on the last axis. Four
# tensors write. One of them is easy to forget.
# </details>
# <details><summary>Hint 3: readers</summary>
#
# A reader gets `x @ rotation` and must make of it what it made of `x`. What has to stand between the
# rotation and the old matrix so that the two cancel? Four tensors read.
# </details>


# %% nbgrader={"grade": false, "grade_id": "rotate_residual", "locked": false, "schema_version": 3, "solution": true, "task": false}
def rotate_residual(weights: dict, rotation: torch.Tensor) -> dict:
    """The weights of the same model with its residual stream turned: x becomes x @ rotation.

    weights: name -> tensor, as in the table above. rotation: [d_model d_model], orthogonal.
    """
    ### BEGIN SOLUTION
    turned = dict(weights)
    for name in ("W_E", "W_pos", "W_O", "b_O"):  # [... d_model]: they write
        turned[name] = weights[name] @ rotation
    for name in ("W_Q", "W_K", "W_V", "W_U"):  # [... d_model x]: they read
        turned[name] = rotation.T @ weights[name]
    return turned
    ### END SOLUTION


# %%
def small_weights(generator):
    """Random float64 weights of a two-layer model with 3 heads, d_model 6, d_head 2, d_vocab 7."""
    shapes = {
        **{"W_E": (7, 6), "W_pos": (5, 6), "W_U": (6, 7), "b_U": (7,), "b_O": (2, 6)},
        **{name: (2, 3, 6, 2) for name in ("W_Q", "W_K", "W_V")},
        **{name: (2, 3, 2) for name in ("b_Q", "b_K", "b_V")},
        "W_O": (2, 3, 2, 6),
    }
    return {
        name: torch.randn(shape, generator=generator, dtype=torch.float64)
        for name, shape in shapes.items()
    }


def streams(weights, tokens):
    """Run weights on one text: the residual stream [pos d_model] before, between and after the
    layers, and at the end of the list the logits [pos d_vocab]."""
    n = len(tokens)
    future = torch.ones(n, n, dtype=torch.bool).triu(1)
    result = [weights["W_E"][tokens] + weights["W_pos"][:n]]
    for layer in range(len(weights["W_O"])):
        q, k, v = (
            torch.einsum("pd,hde->hpe", result[-1], weights[f"W_{part}"][layer])
            + weights[f"b_{part}"][layer][:, None]
            for part in "QKV"
        )
        scores = torch.einsum("hqe,hke->hqk", q, k) / q.shape[-1] ** 0.5
        z = scores.masked_fill(future, -torch.inf).softmax(-1) @ v  # [head pos d_head]
        out = torch.einsum("hpe,hed->pd", z, weights["W_O"][layer]) + weights["b_O"][layer]
        result.append(result[-1] + out)
    return [*result, result[-1] @ weights["W_U"] + weights["b_U"]]


# %% nbgrader={"grade": true, "grade_id": "rotate_residual_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)
plain_weights = small_weights(g)
turn = torch.linalg.qr(torch.randn(6, 6, generator=g, dtype=torch.float64)).Q
got = rotate_residual(plain_weights, turn)
assert type(got) is dict, f"a dict is asked for, not {type(got).__name__}"
assert sorted(got) == sorted(plain_weights), "the new dict must have the keys of the old one"
for key in sorted(plain_weights):
    checks.check_tensor(got[key], f"{key} of the turned model", dtype=torch.float64)
    checks.check_shape(got[key], plain_weights[key].shape, f"{key} of the turned model")
text = torch.tensor([6, 0, 3, 3])
before, after = streams(plain_weights, text), streams(got, text)
assert torch.allclose(after[0], before[0] @ turn), (
    f"the embeddings (W_E and W_pos) are not turned [seed {seed}]"
)
for place in (1, 2):
    assert torch.allclose(after[place], before[place] @ turn), (
        f"the stream after layer {place - 1} is not x @ rotation: are W_Q, W_K and W_V turned back, "
        "and everything turned that the layer adds, its bias included?"
    )
assert torch.allclose(after[3], before[3]), "the logits differ: is W_U turned back?"

# %% nbgrader={"grade": true, "grade_id": "rotate_residual_test_2", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: other weights and rotations, every part of the stream; nothing given is changed.
### BEGIN HIDDEN TESTS
seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)
for _ in range(3):
    old = small_weights(g)
    turn = torch.linalg.qr(torch.randn(6, 6, generator=g, dtype=torch.float64)).Q
    toks = torch.randint(0, 7, (5,), generator=g)
    want = [*(stream @ turn for stream in streams(old, toks)[:3]), streams(old, toks)[3]]
    got, kept = call_keeping(rotate_residual, old, turn)
    assert type(got) is dict and sorted(got) == sorted(old), "the keys must stay"
    for key in sorted(old):
        checks.check_tensor(got[key], f"{key} of the turned model", dtype=torch.float64)
        checks.check_shape(got[key], old[key].shape, f"{key} of the turned model")
        assert torch.equal(kept[0][key], old[key]), f"{key} was changed in the dict that was given"
    for place, (seen, stream) in enumerate(zip(streams(got, toks), want, strict=True)):
        what = ["the embedding", "the stream after layer 0", "the stream after layer 1", "logits"]
        checks.check_close(seen, stream, f"{what[place]} of the turned model, seed {seed}")
    assert torch.equal(kept[1], turn), "the rotation was changed"
### END HIDDEN TESTS

# %% [markdown]
# Our model, before and after a random rotation. The logits agree; the coordinates have nothing in common.

# %%
NAMES = ("W_E", "W_pos", "W_Q", "W_K", "W_V", "W_O", "W_U", "b_Q", "b_K", "b_V", "b_O", "b_U")
net_weights = {name: getattr(net, name) for name in NAMES}
spin = torch.linalg.qr(torch.randn(64, 64, generator=torch.Generator().manual_seed(5))).Q
spun_weights = rotate_residual(net_weights, spin)
sample = torch.tensor([BOS, *range(12), *range(12)])
ours, spun = streams(net_weights, sample), streams(spun_weights, sample)
plots.curves(
    torch.arange(64),
    {"before": ours[2][20], "turned": spun[2][20]},
    x_title="coordinate of the residual stream",
    y_title="value at position 20",
    title=f"Same model, other coordinates: logits differ by {(ours[3] - spun[3]).abs().max():.0e}",
)

# %% [markdown]
# Products are what survives: `W_E @ W_V @ W_O @ W_U` is the same table before and after. (The inside of
# a head can be turned in the same way: `W_V @ M` and `inverse(M) @ W_O`, for any invertible `M`.) MLPs
# are different: a neuron has a nonlinearity of its own, which no rotation passes through, and LayerNorm
# divides by a length, which rotations keep, after subtracting a mean, which they do not. Whenever you
# are told what "dimension 17 of the residual stream" does, ask what singles it out.

# %% [markdown]
# ---
# ## 7 · Freeze the attention, and all is linear
#
# Difficulty ●●●○○ · Importance ●●●●○ · 20 minutes · core
#
# Two layers now. Run a text, write down all attention patterns, and **freeze** them: treat them as given
# numbers. Everything else in the model is a matrix. A head takes, for each position, the average of the
# residual stream by its pattern, sends it through `W_V @ W_O`, and adds the result:
#
# $$x \;\leftarrow\; x + \sum_h A^{(h)} \, x \, W_V^{(h)} W_O^{(h)}$$
#
# with `x` `[pos d_model]`; the pattern `A` `[query key]` acts from the left, on positions, and the
# weights act from the right, on the vectors. So with frozen patterns the output is a *linear* function
# of the input. That is what allows us to take it apart.
#
# Write `run_frozen(model, patterns, resid)`.
#
# * `resid` `[pos d_model]` is what stands in the residual stream before layer 0. It may be anything.
# * `patterns` `[layer head query key]` are used as they are, whatever `resid` holds.
# * The result `[pos d_model]` is the residual stream after the last layer, however many layers and
#   heads there are. **All biases are left out.**
# * Heads of one layer work side by side: each of them reads the stream as it is *before* the layer.
#
# <details><summary>Hint 1: one head</summary>
#
# `patterns[layer, head] @ resid` is `[pos d_model]`: for each query the average over keys. Then come two
# matrices from the right.
# </details>
# <details><summary>Hint 2: side by side</summary>
#
# Two loops, over layers and over heads. If you add a head's output to the same variable that the next
# head reads, the heads of one layer read each other, as heads of two layers would.
# </details>
# <details><summary>Hint 3: without the loop over heads</summary>
#
# One einsum for each layer will do: the letters are query, key, head, d_model (twice, with different
# letters for in and out) and d_head.
# </details>


# %% nbgrader={"grade": false, "grade_id": "run_frozen", "locked": false, "schema_version": 3, "solution": true, "task": false}
def run_frozen(model, patterns: torch.Tensor, resid: torch.Tensor) -> torch.Tensor:
    """The residual stream after all layers, with given attention patterns and without biases.

    patterns: [layer head query key]. resid: [pos d_model], before layer 0. Returns: [pos d_model].
    """
    ### BEGIN SOLUTION
    for layer in range(model.cfg.n_layers):
        averages = patterns[layer] @ resid  # [head pos d_model]
        written = averages @ model.W_V[layer] @ model.W_O[layer]  # [head pos d_model]
        resid = resid + written.sum(dim=0)
    return resid
    ### END SOLUTION


# %%
def patterns_of(model, tokens):
    """All attention patterns of one text: tokens [pos] -> [layer head query key]."""
    _, cache = model.run_with_cache(tokens[None])
    return torch.stack([cache["pattern", layer][0] for layer in range(model.cfg.n_layers)])


# %% nbgrader={"grade": true, "grade_id": "run_frozen_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
remove_hooks(net)
text = torch.tensor([BOS, 8, 2, 9, 8, 2])
frozen = patterns_of(net, text)
seed = secrets.randbelow(1_000_000)
start, other = torch.randn(2, 6, 64, generator=torch.Generator().manual_seed(seed))
got = run_frozen(net, frozen, start)
checks.check_tensor(got, "run_frozen", dtype=torch.float32)
checks.check_shape(got, (6, 64), "run_frozen", axes="pos d_model")
# A model of three layers in which only head 2.1 looks, and looks ahead too.
remove_hooks(three_layers)
only_one = torch.zeros(3, 3, 4, 4)
only_one[2, 1] = torch.tensor(
    [[0.1, 0.2, 0.3, 0.4], [1.0, 0, 0, 2], [0, 0, 0, 0.5], [0.5, 0, 1, 0]]
)
streaming = torch.randn(4, 10, generator=torch.Generator().manual_seed(seed + 1))
moved_by_one = only_one[2, 1] @ streaming @ three_layers.W_V[2, 1] @ three_layers.W_O[2, 1]
last, kept = call_keeping(run_frozen, three_layers, only_one, streaming)
checks.check_close(
    last,
    streaming + moved_by_one,
    f"run_frozen of three layers in which only head 2.1 looks [seed {seed}]",
    axes="pos d_model",
    atol=1e-4,
    slips={
        "A layer adds to the stream: x + what its heads write.": moved_by_one,
        "Head 2.1 is left out: all layers and all heads count.": streaming,
        "The patterns are used as they are, also where they look ahead.": streaming
        + only_one[2, 1].tril() @ streaming @ three_layers.W_V[2, 1] @ three_layers.W_O[2, 1],
        "The pattern is [query key]: it acts on the keys.": streaming
        + only_one[2, 1].T @ streaming @ three_layers.W_V[2, 1] @ three_layers.W_O[2, 1],
    },
)
assert torch.equal(kept[1], only_one), "the patterns that were given are changed"
assert torch.equal(kept[2], streaming), "the residual stream that was given is changed"
nothing = run_frozen(net, torch.zeros_like(frozen), start)
checks.check_close(nothing, start, "run_frozen with patterns that are zero: nothing is added")
empty = run_frozen(net, frozen, torch.zeros(6, 64))
assert float(torch.abs(empty).max()) == 0, "zero in, zero out: are there biases left?"
both = run_frozen(net, frozen, 2 * start - 3 * other)
apart = 2 * got - 3 * run_frozen(net, frozen, other)
assert torch.allclose(both, apart, atol=1e-2, rtol=1e-3), (
    "run_frozen(2x - 3y) is not 2 run_frozen(x) - 3 run_frozen(y): what in it depends on the stream "
    f"other than by matrices? [seed {seed}]"
)
_, seen = net.run_with_cache(text[None])
left_out = seen["resid_post", 1][0] - run_frozen(net, frozen, seen["resid_pre", 0][0])
uneven = float(torch.abs(left_out - left_out[:1]).max())
assert uneven < 1e-3, (
    "with the model's own patterns and embeddings, all that run_frozen leaves out of the last stream is "
    f"what biases add, the same at every position; yours leaves out more, uneven by {uneven:.2g}: is every "
    "head's output added, do heads of one layer read the same stream, does the pattern act on the keys?"
)

# %% nbgrader={"grade": true, "grade_id": "run_frozen_test_2", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# Hidden: random patterns and streams, against two models run with hooks that put them in.
### BEGIN HIDDEN TESTS
remove_hooks(net)
seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)


def hooked(m, layers, stream):
    """The last residual stream of a run in which stream and patterns are put in by hooks."""
    hooks = [("blocks.0.hook_resid_pre", lambda resid, hook: stream[None])]
    for n in range(m.cfg.n_layers):
        hooks.append((f"blocks.{n}.attn.hook_pattern", lambda pattern, hook, n=n: layers[n][None]))
    with m.hooks(fwd_hooks=hooks):
        _, seen = m.run_with_cache(torch.zeros(1, len(stream), dtype=torch.int64))
    return seen["resid_post", m.cfg.n_layers - 1][0]


remove_hooks(three_layers)
for m, length in ((net, 6), (three_layers, 7), (net, 9)):
    layers = torch.rand(m.cfg.n_layers, m.cfg.n_heads, length, length, generator=g)
    if m is net:  # the other model is given patterns as they come: looking ahead, of any sum
        layers = layers.tril() / layers.tril().sum(-1, keepdim=True)
    stream = torch.randn(length, m.cfg.d_model, generator=g)
    # What biases add does not depend on the stream, so it is what comes out of an empty one.
    want = hooked(m, layers, stream) - hooked(m, layers, torch.zeros_like(stream))
    got, kept = call_keeping(run_frozen, m, layers, stream)
    scale = float(want.abs().max())
    what = (
        f"run_frozen of a random stream of {length} positions, {m.cfg.n_layers} layers of "
        f"{m.cfg.n_heads} heads, seed {seed}"
    )
    checks.check_close(got, want, what, axes="pos d_model", atol=1e-4 * scale)
    assert torch.equal(kept[1], layers), f"the patterns that were given are changed: {what}"
    assert torch.equal(kept[2], stream), f"the residual stream that was given is changed: {what}"
### END HIDDEN TESTS

# %% [markdown]
# **What about the biases?** They do not depend on the text, and an attention pattern cannot change a
# vector that is the same at all positions: its rows add up to 1, so the average is that vector again.
# Biases therefore add *one constant* to the logits, at every position of every text:


# %%
def constant_logits(model):
    """What all biases together add to the logits, by whatever path: [d_vocab]."""
    resid = torch.zeros(model.cfg.d_model)
    for layer in range(model.cfg.n_layers):
        values = resid @ model.W_V[layer] + model.b_V[layer]  # [head d_head]
        resid = resid + (values[:, None] @ model.W_O[layer]).sum((0, 1)) + model.b_O[layer]
    return resid @ model.W_U + model.b_U


# %% [markdown]
# ---
# ## 8 · Multiply out: the sum over paths
#
# Difficulty ●●●●○ · Importance ●●●●● · 30 minutes · core
#
# Write `H` for "all heads of a layer". With frozen attention the model is a product of two brackets,
#
# $$(1 + H_0)\,(1 + H_1) \;=\; 1 + H_0 + H_1 + H_0 H_1$$
#
# and that product is multiplied out like any other. A token's signal goes past both layers (the direct
# path), through one head of layer 0, through one head of layer 1, or through a head of layer 0 *and then*
# one of layer 1. With two heads a layer that makes 1 + 2 + 2 + 4 = 9 paths, and every logit is *exactly*
# the sum of nine numbers and the constant. (Section "Two-Layer Attention-Only Transformers: Path
# expansion of logits".)
#
# The pairs are called **virtual heads**: head *h* of layer 0 and then *g* of layer 1 act as one head,
# with the pattern $A^{(g)} A^{(h)}$ (look where *g* looks, and from there where *h* looks) and the
# matrix $W_{OV}^{(h)} W_{OV}^{(g)}$. Notice the opposite order: positions act from the left, vectors from
# the right.
#
# Write `path_expansion(model, tokens)` for a model with two layers and one text `tokens` `[pos]`. It
# returns a dict from a path to its logits `[pos d_vocab]`, without biases. A path is the tuple of the
# heads that are passed, in the order in which they are passed, each a pair `(layer, head)`:
#
# * `()` is the direct path,
# * `((0, 1),)` passes head 0.1 alone, `((1, 0),)` passes head 1.0 alone. It is a tuple that holds one
#   pair: the comma makes it one, and without it `((0, 1))` is the pair `(0, 1)` itself;
# * `((0, 1), (1, 0))` passes 0.1 and then 1.0.
#
# For a model with `H` heads a layer there are `1 + 2H + H²` keys. The patterns are those of the model on
# this text; `patterns_of(model, tokens)` above gives them, `[layer head query key]`.
#
# <details><summary>Hint 1: what travels</summary>
#
# Let a tensor `[pos d_model]` travel. It begins as token and position embedding. Passing head *h* of
# layer *l* replaces it by `pattern @ it @ W_V @ W_O`; passing a layer without a head leaves it alone. At
# the end comes `W_U`.
# </details>
# <details><summary>Hint 2: not run_frozen</summary>
#
# In `run_frozen` each layer *adds* to the stream. A path does not add: it is what came out of the head
# alone. If your nine parts sum to more than the logits, something is counted twice: most likely, layer 1
# read the whole stream instead of what came out of one head of layer 0.
# </details>
# <details><summary>Hint 3: growing the dict</summary>
#
# Begin with `{(): embeddings}`. For each layer, and for each path that is there *so far*, add for every
# head the path longer by that head. Take a copy of the list of paths before you add to it, or heads of
# one layer follow each other.
# </details>


# %% nbgrader={"grade": false, "grade_id": "path_expansion", "locked": false, "schema_version": 3, "solution": true, "task": false}
def path_expansion(model, tokens: torch.Tensor) -> dict:
    """The logits that each path contributes, with the attention of this text: path -> [pos d_vocab].

    tokens: [pos]. A path is a tuple of heads (layer, head) in the order in which they are passed.
    """
    ### BEGIN SOLUTION
    patterns = patterns_of(model, tokens)
    paths = {(): model.W_E[tokens] + model.W_pos[: len(tokens)]}  # path -> [pos d_model]
    for layer in range(model.cfg.n_layers):
        for path, signal in list(paths.items()):
            for head in range(model.cfg.n_heads):
                moved = patterns[layer, head] @ signal  # [pos d_model]
                passed = moved @ model.W_V[layer, head] @ model.W_O[layer, head]
                paths[(*path, (layer, head))] = passed
    return {path: signal @ model.W_U for path, signal in paths.items()}
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "path_expansion_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
remove_hooks(net)
text = torch.tensor([BOS, 8, 2, 9, 40, 8, 2, 9])
got = path_expansion(net, text)
assert type(got) is dict, f"a dict is asked for, not {type(got).__name__}"
assert (0, 0) not in got and (1, 0) not in got, (
    "the path through one head is a tuple of one pair, ((0, 0),): without the comma, ((0, 0)) is the pair"
)
for path in [(), ((0, 0),), ((0, 1),), ((1, 0),), ((1, 1),), ((0, 0), (1, 1)), ((0, 1), (1, 0))]:
    assert path in got, f"the path {path} is missing"
    checks.check_shape(got[path], (8, 65), f"the logits of path {path}", axes="pos vocab")
assert len(got) == 9, f"two layers of two heads make 9 paths, got {len(got)}"
for path in got:
    assert type(path) is tuple and all(type(head) is tuple for head in path), (
        f"a path is a tuple of pairs, and {path!r} is none"
    )
    checks.check_shape(got[path], (8, 65), f"the logits of path {path}", axes="pos vocab")
total = torch.stack(list(got.values())).sum(0) + constant_logits(net)
off = float(torch.abs(total - net(text[None])[0]).max())
assert off < 1e-3, (
    f"the paths and the constant must sum to the model's logits; they are off by {off:.2g}: is "
    "something counted twice, or are positions forgotten?"
)
# Another model, with three heads a layer.
remove_hooks(two_layers)
others = path_expansion(two_layers, torch.tensor([10, 2, 7, 2, 5]))
assert type(others) is dict and len(others) == 16, (
    f"three heads a layer make 1 + 3 + 3 + 9 = 16 paths, got {len(others)}"
)
for path in others:
    checks.check_shape(others[path], (5, 11), f"the logits of path {path}", axes="pos vocab")
total = torch.stack(list(others.values())).sum(0)
off = float(
    torch.abs(
        total + constant_logits(two_layers) - two_layers(torch.tensor([[10, 2, 7, 2, 5]]))[0]
    ).max()
)
assert off < 1e-3, f"with three heads a layer the sum of the paths is off by {off:.2g}"
# A path through one head, by itself.
frozen_here = patterns_of(net, text)
embedded_here = net.W_E[text] + net.W_pos[:8]
for h in (0, 1):
    first = frozen_here[0, h] @ embedded_here @ net.W_V[0, h] @ net.W_O[0, h]  # [8 d_model]
    checks.check_close(
        got[((0, h),)],
        first @ net.W_U,
        f"the logits of path ((0, {h}),)",
        axes="pos vocab",
        atol=1e-3,
        slips={
            "Is the direct path in it? A path does not add: it is what came out of the head alone.": (
                first + embedded_here
            )
            @ net.W_U,
        },
    )
assert not torch.allclose(got[((1, 0),)], got[((0, 0), (1, 0))], atol=1e-3), (
    "the path ((0, 0), (1, 0)) passes 1.0 with what came out of 0.0, not with the embeddings"
)

# %% nbgrader={"grade": true, "grade_id": "path_expansion_test_2", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# Hidden: every path of two models by itself, against what is missing when runs are cut by hooks.
### BEGIN HIDDEN TESTS
remove_hooks(net)
seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)


def last_stream(m, layers, stream, keep):
    """The last residual stream with only the heads of `keep` allowed to look, without biases."""
    ends = []
    for begin in (stream, torch.zeros_like(stream)):
        hooks = [("blocks.0.hook_resid_pre", lambda resid, hook, begin=begin: begin[None])]
        for n in range(2):
            cut = torch.stack([layers[n, h] * ((n, h) in keep) for h in range(m.cfg.n_heads)])
            hooks.append((f"blocks.{n}.attn.hook_pattern", lambda old, hook, cut=cut: cut[None]))
        with m.hooks(fwd_hooks=hooks):
            _, seen = m.run_with_cache(torch.zeros(1, len(begin), dtype=torch.int64))
        ends.append(seen["resid_post", 1][0])
    return ends[0] - ends[1]  # biases do not depend on the stream


remove_hooks(two_layers)
for m, length in ((net, 11), (two_layers, 7), (net, 33)):
    heads = range(m.cfg.n_heads)
    block = torch.randint(0, m.cfg.d_vocab - 1, ((length - 1) // 2,), generator=g)
    toks = torch.cat([torch.tensor([m.cfg.d_vocab - 1]), block, block])
    _, seen = m.run_with_cache(toks[None])
    stream = seen["resid_pre", 0][0]
    layers = torch.cat([seen["pattern", 0], seen["pattern", 1]])  # [layer head query key]
    alone = {}
    for keep in [(), *(((n, h),) for n in (0, 1) for h in heads)]:
        alone[keep] = last_stream(m, layers, stream, keep)
    want = {(): alone[()]}
    for head in [key for key in alone if key]:
        want[head] = alone[head] - alone[()]
    for h in heads:
        for later in heads:
            pair = ((0, h), (1, later))
            whole = last_stream(m, layers, stream, pair)  # 1 + h + later + both
            want[pair] = whole - alone[pair[:1]] - alone[pair[1:]] + alone[()]
    got, kept = call_keeping(path_expansion, m, toks)
    assert type(got) is dict and set(got) == set(want), (
        f"with {len(heads)} heads a layer the keys must be the {len(want)} paths"
    )
    for path in want:
        what = f"the logits of path {path}, {length} tokens, seed {seed}"
        checks.check_close(got[path], want[path] @ m.W_U, what, axes="pos vocab", atol=1e-3)
    assert torch.equal(kept[1], toks), "the tokens were changed"
### END HIDDEN TESTS

# %% [markdown]
# Which paths write the right answer? A text that repeats; at each place of the second copy, take what a
# path adds to the logit of the symbol that comes next, compared with the mean over all symbols. *What do
# you expect* of the path through the previous-token head 0.1?


# %%
def path_name(path):
    """A path as text, such as "0.1 → 1.0"."""
    return " → ".join(f"{layer}.{head}" for layer, head in path) or "direct"


expansion = path_expansion(net, repeated)
first_copy = torch.arange(1, HALF)
plots.contributions(
    {
        "first copy": [for_the_next(logits, first_copy) for logits in expansion.values()],
        "second copy": [for_the_next(logits, second_copy) for logits in expansion.values()],
    },
    [path_name(path) for path in expansion],
    title="What each path says for the symbol that comes next",
)

# %% [markdown]
# <details><summary>What we see</summary>
#
# In the first copy there is nothing to know, and no path says anything of weight. In the second copy the
# answer is written by the heads of layer 1, and two thirds of it **directly from the embedding** of the
# symbol that they look at: paths through one head, not through two. The rest comes by the virtual heads
# that begin with 0.0, the head of layer 0 with the high copying score: it looks mostly at its own place
# and has written the symbol there once more, and layer 1 carries that along.
#
# And the previous-token head 0.1? On no path does it write anything worth a number. Yet without it the
# model cannot do its work at all (in notebook 06 you switch such a head off, and see).
# </details>
#
# And what is a path worth, in nats? With the patterns held still, let some paths only predict the second
# copy (the constant of the biases is always there), and then all but one. In the paper this is called
# **term importance**. *What do you expect* of the direct path alone? And of the virtual heads?


# %%
def frozen_loss(paths):
    """Loss in nats on the second copy, if only these paths write."""
    logits = constant_logits(net) + sum(expansion[path] for path in paths)  # [pos d_vocab]
    losses = net.loss_fn(logits[None], repeated[None], per_token=True)[0]  # [pos-1]
    return float(losses[second_copy].mean())


by_order = [frozen_loss([path for path in expansion if len(path) <= most]) for most in (0, 1, 2)]
for most, loss in enumerate(by_order):
    print(f"paths through at most {most} heads: {loss:.2f} nats")
worth = [
    frozen_loss([other for other in expansion if other != path]) - by_order[-1]
    for path in expansion
]
plots.contributions(
    {"without this path": worth},
    [path_name(path) for path in expansion],
    unit="nats",
    title="Term importance: rise of the loss without one path",
)

# %% [markdown]
# <details><summary>What we see</summary>
#
# The direct path alone costs 4.19 nats, which is no better than having no idea (ln 64 ≈ 4.16). The paths
# through one head bring that to 0.22, those through two to 0.04. The path through 1.0 alone is worth 0.91
# nats, the virtual head 0.0 → 1.0 0.17, any other path less than 0.01. (These do not add up, and need not: a
# loss is not linear in the logits, and what one path says another one may have said as well.)
# </details>
#
# Frozen patterns hide one part of the work: we took *where* a head looks as given. The rest of this
# notebook is about the patterns.

# %% [markdown]
# ---
# ## 9 · Composition: does one head read another?
#
# Difficulty ●●○○○ · Importance ●●●●○ · 15 minutes
#
# Everything that passes from layer 0 to layer 1 passes through the residual stream: a head of layer 0
# *writes* into a subspace of at most `d_head` dimensions, and a head of layer 1 *reads* from such
# subspaces. If the two have nothing in common, the heads do not know of each other, whatever the text.
# If `first` `[n d]` writes and `second` `[d m]` reads, the product says how much gets through, and the
# paper (section "Two-Layer Attention-Only Transformers") makes it a number between 0 and 1 by
#
# $$\frac{\lVert \text{first} \cdot \text{second} \rVert_F}{\lVert \text{first} \rVert_F \, \lVert \text{second} \rVert_F}$$
#
# The Frobenius norm is the root of the sum of squares of all entries. It counts every direction that gets
# through; the largest singular value alone would only count the best one.
#
# Write `composition_score(first, second)`, a Python `float`, for any two matrices whose inner sizes fit.
#
# <details><summary>Hint 1: the norm</summary>
#
# `.norm()` of a matrix in torch *is* the Frobenius norm. `torch.linalg.matrix_norm(x, 2)` is another one.
# </details>
# <details><summary>Hint 2: the order</summary>
#
# Rows act from the left: what is passed first stands to the left.
# </details>


# %% nbgrader={"grade": false, "grade_id": "composition_score", "locked": false, "schema_version": 3, "solution": true, "task": false}
def composition_score(first: torch.Tensor, second: torch.Tensor) -> float:
    """How much of what `first` [n d] writes is read by `second` [d m], from 0 to 1."""
    ### BEGIN SOLUTION
    return float((first @ second).norm() / (first.norm() * second.norm()))
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "composition_score_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
writes_two = torch.tensor([[0.0, 3.0, 0.0], [0.0, 4.0, 0.0]])  # [2 3], into coordinate 1 only
reads_one = torch.tensor([[0.0, 0.0], [1.0, 2.0], [0.0, 0.0]])  # [3 2], from coordinate 1 only
reads_other = torch.tensor([[5.0], [0.0], [1.0]])  # [3 1], from coordinates 0 and 2
got = composition_score(writes_two, reads_one)
assert type(got) is float, f"a Python float is asked for, not {type(got).__name__}"
assert abs(got - 1) < 1e-5, f"all that is written is read: the score is 1, yours is {got:.3f}"
got = composition_score(writes_two, reads_other)
assert abs(got) < 1e-5, f"nothing that is written is read: the score is 0, yours is {got:.3f}"
got = composition_score(torch.eye(4), torch.eye(4))
assert abs(got - 0.5) < 1e-5, (
    f"two identities of size 4 have norm 2 each, and so has their product: 2 / (2·2) = 0.5, yours is "
    f"{got:.3f}. Is it the Frobenius norm?"
)

# %% nbgrader={"grade": true, "grade_id": "composition_score_test_2", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: random matrices, square ones too, against sums of squares in loops.
### BEGIN HIDDEN TESTS
seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)
for n, d, m in ((5, 4, 3), (4, 4, 4), (6, 6, 6), (1, 7, 2)):
    one = torch.randn(n, d, generator=g) * 3
    two = torch.randn(d, m, generator=g) + one[:1].T
    rows, columns = one.tolist(), two.T.tolist()
    through = sum(
        sum(a * b for a, b in zip(row, column, strict=True)) ** 2
        for row in rows
        for column in columns
    )
    squares = [sum(x * x for line in lines for x in line) for lines in (rows, columns)]
    want = (through / (squares[0] * squares[1])) ** 0.5
    got, kept = call_keeping(composition_score, one, two)
    assert type(got) is float, f"got {type(got).__name__}, a float is asked for"
    assert abs(got - want) < 1e-4, (
        f"composition_score of [{n} {d}] and [{d} {m}] is {got:.4f}, which is wrong [seed {seed}]"
    )
    assert torch.equal(kept[0], one) and torch.equal(kept[1], two), "a matrix was changed"
### END HIDDEN TESTS

# %% [markdown]
# ---
# ## 10 · Compared with what?
#
# Difficulty ●●○○○ · Importance ●●●○○ · 15 minutes
#
# A composition score of 0.1: is that much? Two heads that were never trained together do not score 0;
# random subspaces overlap. Without that baseline a number near it looks like a finding.
#
# Write `random_composition(d_model, d_head, n, seed, score)`: the mean of `score(first, second)` over `n`
# pairs of random heads. `score` takes two matrices and gives a number; it will be your
# `composition_score`, but any other will do. The matrix of a random head is a product of a
# `[d_model d_head]` and a `[d_head d_model]` matrix of independent standard normal numbers, as
# `W_V @ W_O` is a product; both heads of each pair are drawn anew, so that four matrices are drawn for
# a pair. Return a Python `float`; the same `seed` gives the same result.
#
# <details><summary>Hint 1: drawing</summary>
#
# `torch.randn(rows, columns, generator=…)` with a `torch.Generator().manual_seed(seed)` that is made
# *once*, before the loop.
# </details>
# <details><summary>Hint 2: why not simply a random matrix?</summary>
#
# A `[d_model d_model]` matrix of random numbers has full rank. A head has rank `d_head` at most, and the
# fewer directions, the more depends on chance.
# </details>


# %% nbgrader={"grade": false, "grade_id": "random_composition", "locked": false, "schema_version": 3, "solution": true, "task": false}
def random_composition(d_model: int, d_head: int, n: int, seed: int, score) -> float:
    """Mean score of n pairs of random heads, each a matrix [d_model d_model] of rank d_head.

    score: two matrices -> number.
    """
    ### BEGIN SOLUTION
    generator = torch.Generator().manual_seed(seed)

    def random_head():
        into = torch.randn(d_model, d_head, generator=generator)
        return into @ torch.randn(d_head, d_model, generator=generator)

    return sum(float(score(random_head(), random_head())) for _ in range(n)) / n
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "random_composition_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
drawn = []


def look_at(first, second):
    """A score that writes down what it was given, and gives 1, 2, 4, 8, …"""
    drawn.append((first.clone(), second.clone()))
    return 2.0 ** (len(drawn) - 1)


got = random_composition(7, 2, 200, 0, look_at)
assert type(got) is float, f"a Python float is asked for, not {type(got).__name__}"
assert len(drawn) == 200, f"n=200 pairs ask for 200 scores, and {len(drawn)} were computed"
assert abs(got / (2.0**200 / 200) - 1) < 1e-3, "the mean of all scores is asked for"
for pair in drawn:
    for one in pair:
        checks.check_shape(one, (7, 7), "the matrix of a random head", axes="d_model d_model")
heads_drawn = torch.stack([one.double() for pair in drawn for one in pair])  # [400 7 7]
ranks = set(torch.linalg.matrix_rank(heads_drawn, rtol=1e-4).tolist())
assert ranks == {2}, (
    f"the matrix of a random head with d_head=2 has rank 2, yours {sorted(ranks)}: it is a product of two "
    "matrices [d_model d_head] and [d_head d_model]"
)
mean, variance = float(heads_drawn.mean()), float(heads_drawn.pow(2).mean())
assert abs(mean) < 0.2, (
    f"entries of a random head are 0 on the average, yours {mean:.2f}: are the numbers normal (randn), or "
    "between 0 and 1 (rand)?"
)
assert 1.5 < variance < 2.5, (
    f"entries of a product of standard normal numbers over d_head=2 have the variance 2, yours {variance:.2f}: "
    "is something scaled or normalised?"
)
flat = torch.nn.functional.normalize(heads_drawn.flatten(1), dim=1)
alike = (flat @ flat.T).fill_diagonal_(0).abs()  # cosines of all pairs of heads
assert float(alike[::2, 1::2].diagonal().max()) < 0.999, "the two heads of a pair are the same"
assert float(alike.max()) < 0.9999, (
    "a head comes back in another pair: all four matrices of a pair are drawn anew, from one generator "
    "that is made once"
)
first_draw = [one for pair in drawn for one in pair]
drawn.clear()
random_composition(7, 2, 200, 0, look_at)
assert all(
    torch.equal(one, former)
    for one, former in zip([one for pair in drawn for one in pair], first_draw, strict=True)
), "the same seed must give the same heads"
drawn.clear()
random_composition(7, 1, 40, 1, look_at)
rank_one = torch.stack(
    [one.double() for pair in drawn for one in pair]
)  # [80 7 7], column times row
left, _, right = torch.linalg.svd(rank_one)
once = torch.cat([left[:, :, 0], right[:, 0]])  # the columns and the rows: [160 7]
assert float((once @ once.T).fill_diagonal_(0).abs().max()) < 1 - 1e-6, (
    "four matrices are drawn for a pair, and two of yours are the same"
)
drawn.clear()
random_composition(7, 2, 1, 1, look_at)
assert not torch.equal(drawn[0][0], first_draw[0]), "another seed must give other heads"

# %% nbgrader={"grade": true, "grade_id": "random_composition_test_2", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: rank, spread and independence of what is drawn, the mean, and what seeds change.
### BEGIN HIDDEN TESTS
seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)
for d, r, n in ((9, 2, 150), (5, 1, 300), (8, 5, 150)):
    answers = torch.rand(n, generator=g).tolist()
    kept = []

    def watch(first, second, kept=kept, answers=answers):
        """Numbers drawn before, one after the other."""
        kept.append((first.double(), second.double()))
        return answers[len(kept) - 1]

    got = random_composition(d, r, n, seed, watch)
    assert type(got) is float, f"got {type(got).__name__}, a float is asked for"
    assert len(kept) == n, f"{len(kept)} scores were computed for n={n} [seed {seed}]"
    assert abs(got - sum(answers) / n) < 1e-5, f"that is not the mean of the scores [seed {seed}]"
    heads = torch.stack([one for pair in kept for one in pair])  # [2n d d]
    checks.check_shape(heads, (2 * n, d, d), "random heads")
    sizes = torch.linalg.svdvals(heads)  # [2n d]
    assert float((sizes[:, r:] / sizes[:, :1]).max()) < 1e-4, f"the rank is over {r} [seed {seed}]"
    assert float((sizes[:, r - 1] / sizes[:, 0]).min()) > 1e-7, (
        f"the rank is under {r} [seed {seed}]"
    )
    # An entry is a sum of r products of two normals: mean 0, variance r.
    assert abs(float(heads.mean())) < 0.35 * r**0.5, f"the heads are not around 0 [seed {seed}]"
    assert 0.6 < float(heads.pow(2).mean()) / r < 1.6, f"the variance is not {r} [seed {seed}]"
    flat = torch.nn.functional.normalize(heads.flatten(1), dim=1)
    alike = (flat @ flat.T - torch.eye(2 * n, dtype=torch.float64)).abs()
    assert float(alike.max()) < 0.99999, f"the same head was drawn twice [seed {seed}]"
    if r == 1:  # a head is the product of a column and a row: none of them may be there twice
        columns, _, rows = torch.linalg.svd(heads)
        drawn_once = torch.cat([columns[:, :, 0], rows[:, 0]])  # [4n d], of length 1
        alike = (drawn_once @ drawn_once.T).fill_diagonal_(0).abs()
        assert float(alike.max()) < 1 - 1e-9, (
            f"four matrices are drawn for a pair, and two of yours are the same [seed {seed}]"
        )
others = [random_composition(4, 1, 1, seed + k, lambda a, b: float(a[0, 0])) for k in range(4)]
assert all(type(x) is float for x in others) and len(set(others)) == 4, (
    f"another seed must give other heads [seed {seed}]"
)
### END HIDDEN TESTS

# %% [markdown]
# *What do you expect* of the baseline as the residual stream gets wider?

# %%
widths = [16, 32, 64, 128, 256]
plots.curves(
    widths,
    {
        "random heads, d_head = 8": [
            random_composition(width, 8, 20, 0, composition_score) for width in widths
        ],
        "1/√d_model": [width**-0.5 for width in widths],
    },
    x_title="d_model",
    y_title="composition score",
    title="What two strangers score",
)

# %% [markdown]
# <details><summary>What we see</summary>
#
# It falls: about 1/√d_model, whatever the size of the heads (less only for heads of one or two
# dimensions).
# </details>

# %% [markdown]
# ---
# ## 11 · Three ways to read a head
#
# Difficulty ●●●○○ · Importance ●●●●● · 20 minutes
#
# A head of layer 0 writes through its `W_OV = W_V @ W_O`. A head of layer 1 has three doors
# (its **inputs**: query, key and value):
#
# | | the earlier head's note (its **output**) is read by the later head's | product, in the order of the signal |
# | --- | --- | --- |
# | **Q**-composition | query: it changes *who looks* | `W_OV` of layer 0, then `W_QK` of layer 1, entered from the left |
# | **K**-composition | key: it changes *who is looked at* | `W_OV` of layer 0, then `W_QK` of layer 1, entered from the right |
# | **V**-composition | value: it changes *what is carried* | `W_OV` of layer 0, then `W_OV` of layer 1 |
#
# `W_QK = W_Q @ W_K.T` is a bilinear form: the query enters at its left end, the key at its right end.
#
# Write `composition_scores(model, kind, score)`, where `kind` is `"Q"`, `"K"` or `"V"`: a tensor of shape
# `[head of layer 0, head of layer 1]`, whose entries are `score(first, second)` of the two matrices
# `[d_model d_model]` in the order of the signal. `score` gives a number for two matrices, as your
# `composition_score` does; any other may be passed. It shall work for any model of the library, and
# uses weights only: no embedding, no baseline, and no root of `d_head` here (`W_QK` is the plain product).
# The dtype of the result is the default, float32.
#
# <details><summary>Hint 1: entering from the right</summary>
#
# `x @ W @ y`, read from the other end, is `y @ W.T @ x`. To enter a matrix by its columns, transpose it.
# </details>
# <details><summary>Hint 2: filling in</summary>
#
# Two loops, and `score` for each pair. Rows are the earlier head, columns the later one.
# </details>


# %% nbgrader={"grade": false, "grade_id": "composition_scores", "locked": false, "schema_version": 3, "solution": true, "task": false}
def composition_scores(model, kind: str, score) -> torch.Tensor:
    """Score of every head of layer 0 with every head of layer 1: [earlier later].

    kind: "Q", "K" or "V", the door by which the later head reads. score: two matrices -> number.
    """
    ### BEGIN SOLUTION
    heads = range(model.cfg.n_heads)
    result = torch.zeros(len(heads), len(heads))
    for earlier in heads:
        writes = model.W_V[0, earlier] @ model.W_O[0, earlier]  # [d_model d_model]
        for later in heads:
            asks = model.W_Q[1, later] @ model.W_K[1, later].T  # [d_model d_model]
            carries = model.W_V[1, later] @ model.W_O[1, later]
            reads = {"Q": asks, "K": asks.T, "V": carries}[kind]
            result[earlier, later] = score(writes, reads)
    return result
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "composition_scores_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
remove_hooks(net)
remove_hooks(three_layers)
heard = []


def write_down(first, second):
    """A score that writes down the two matrices, and gives 0, 1, 2, …"""
    heard.append((first.clone(), second.clone()))
    return float(len(heard) - 1)


for m, heads in ((net, 2), (three_layers, 3)):
    wide = m.cfg.d_model
    for kind in ("Q", "K", "V"):
        heard.clear()
        got = composition_scores(m, kind, write_down)
        what = f"composition_scores, kind {kind}, of a model of {heads} heads a layer"
        checks.check_tensor(got, what, dtype=torch.float32)
        checks.check_shape(got, (heads, heads), what, axes="earlier later")
        assert sorted(got.flatten().tolist()) == list(range(len(heard))) == list(range(heads**2)), (
            f"{what}: score is asked once for each pair of heads, and what it gives is an entry"
        )
        for i in range(heads):
            for j in range(heads):
                first, second = heard[int(got[i, j])]
                pair = f"of head 0.{i} and head 1.{j}, kind {kind}"
                for matrix, which in ((first, "first"), (second, "second")):
                    checks.check_shape(
                        matrix, (wide, wide), f"the {which} matrix {pair}", axes="d_model d_model"
                    )
                ov = [[m.W_V[n, h] @ m.W_O[n, h] for h in range(heads)] for n in (0, 1)]
                qk = [[m.W_Q[n, h] @ m.W_K[n, h].T for h in range(heads)] for n in (0, 1)]
                checks.check_close(
                    first,
                    ov[0][i],
                    f"the first matrix {pair}",
                    atol=1e-4,
                    slips={
                        "Rows are the earlier heads, columns the later ones.": ov[0][j],
                        "This head is of layer 1: the earlier one comes first.": ov[1][j],
                        "The note is what W_V and then W_O make: x @ W_V @ W_O.": ov[0][i].T,
                    },
                )
                right = {"Q": qk[1][j], "K": qk[1][j].T, "V": ov[1][j]}[kind]
                checks.check_close(
                    second,
                    right,
                    f"the second matrix {pair}",
                    atol=1e-4,
                    slips={
                        "The other end of W_QK is entered: the query is left, the key right.": right.T,
                        "Rows are the earlier heads, columns the later ones.": {
                            "Q": qk[1][i],
                            "K": qk[1][i].T,
                            "V": ov[1][i],
                        }[kind],
                        "W_QK is the plain product: no root of d_head.": right / m.cfg.d_head**0.5,
                        "The later head is of layer 1: this one is of layer 0.": {
                            "Q": qk[0][j],
                            "K": qk[0][j].T,
                            "V": ov[0][j],
                        }[kind],
                        "By values the later head reads with W_V, and carries on with W_O.": qk[1][
                            j
                        ],
                    },
                )
assert len(heard) == 9, "score is asked once for each pair of heads"

# %% nbgrader={"grade": true, "grade_id": "composition_scores_test_2", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# Hidden: all three doors on three models, seen through random vectors in float64.
### BEGIN HIDDEN TESTS
gpt = model("tiny-gpt2")
remove_hooks(net)
remove_hooks(gpt)
remove_hooks(three_layers)
seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)
for m in (gpt, net, three_layers):
    heads, name = m.cfg.n_heads, f"a model of {m.cfg.n_layers} layers of {m.cfg.n_heads} heads"
    Q, K, V, out = (w.detach().cpu().double() for w in (m.W_Q, m.W_K, m.W_V, m.W_O))
    x, y, z = torch.randn(3, m.cfg.d_model, generator=g, dtype=torch.float64)

    sizes_seen = set()

    def probe(first, second, x=x, y=y, z=z, sizes_seen=sizes_seen):
        """A number that depends on both matrices, their order and all of their entries."""
        sizes_seen |= {tuple(first.shape), tuple(second.shape)}
        if sizes_seen != {(len(x), len(x))}:
            return float("nan")
        a, b = first.cpu().double(), second.cpu().double()
        return float(x @ a @ b @ y + z @ a @ x - 2 * (y @ b @ z))

    for kind in ("V", "K", "Q"):
        want = torch.zeros(heads, heads)
        for i in range(heads):
            note = [((v @ V[0, i]) @ out[0, i]) for v in (x, z)]  # of x and of z: [d_model]
            for j in range(heads):
                near, far = {
                    "Q": (Q[1, j], K[1, j].T),
                    "K": (K[1, j], Q[1, j].T),
                    "V": (V[1, j], out[1, j]),
                }[kind]
                read = far @ y @ near.T  # [d_model]: what second makes of y
                want[i, j] = note[0] @ read + note[1] @ x - 2 * ((y @ near) @ (far @ z))
        got = composition_scores(m, kind, probe)
        what = f"composition_scores({name}, {kind!r}), seed {seed}"
        checks.check_tensor(got, what, dtype=torch.float32)
        checks.check_shape(got, want.shape, what, axes="earlier later")
        assert sizes_seen == {(m.cfg.d_model, m.cfg.d_model)}, (
            f"{what}: score is given matrices of the sizes {sorted(sizes_seen)}, not "
            f"[{m.cfg.d_model} {m.cfg.d_model}]"
        )
        gap = float(torch.abs(got.cpu() - want).max())
        assert gap < 1e-3 * float(want.abs().max()), f"{what}: off by {gap:.2g}"
### END HIDDEN TESTS

# %% [markdown]
# All pairs of our model, by all three doors. *Which of the twelve cells do you expect* to stand out?

# %%
baseline = random_composition(net.cfg.d_model, net.cfg.d_head, 50, 0, composition_score)
grids = plots.head_grid(
    {
        f"{kind}-composition": composition_scores(net, kind, composition_score) - baseline
        for kind in "QKV"
    },
    title=f"Composition scores minus the baseline {baseline:.3f}",
    unit="score",
)
grids.update_yaxes(title_text="head of layer 0", col=1).update_xaxes(title_text="head of layer 1")

# %% [markdown]
# <details><summary>What we see</summary>
#
# One thing stands out: both heads of layer 1 read the previous-token head by their **keys**, and by no
# other door. The small plus under V belongs to the virtual heads of exercise 8. A negative number also
# says something: two heads that keep out of each other's way more than chance would have it.
# </details>
#
# The strongest as a diagram:

# %%
plots.composition(
    (composition_scores(net, "K", composition_score) - baseline).clamp(min=0),
    unit="above the baseline",
    title="K-composition above the baseline",
)

# %% [markdown]
# ---
# ## 12 · The cooperation, in numbers
#
# Difficulty ●●●●○ · Importance ●●●●● · 25 minutes
#
# A composition score says that a head *can* be read, in any text. What does the reading *do* in a given
# one? Expand once more: not the logits this time, but the attention scores of layer 1.
#
# The residual stream before layer 1 is a sum of parts: the embeddings, what head 0.0 wrote, what head
# 0.1 wrote. A score is bilinear, so the score of a sum is a sum of scores, one for **each pair of parts**:
# one part in the query, one in the key. (Section "Path expansion of attention scores QK circuit".)
#
# Write `score_terms(model, layer, head, parts)`. `parts` is `[part pos d_model]`. The result is
# `[query part, key part, query pos, key pos]`: entry `[i, j, q, k]` is the score that head gives if
# position *q* asks with part *i* only, and position *k* offers part *j* only. Divide by the root of
# `d_head`; no biases, no mask. It shall work for any model, layer and head.
#
# <details><summary>Hint 1: queries and keys of parts</summary>
#
# `parts @ W_Q` of this head is `[part pos d_head]`: the queries that each part would make by itself. The
# same with `W_K`.
# </details>
# <details><summary>Hint 2: all pairs</summary>
#
# Each pair of a query (a part, a position) and a key (another part, another position) has one product
# over `d_head`. In an einsum: four letters stay, one is summed. Which letter stands in both inputs?
# </details>


# %% nbgrader={"grade": false, "grade_id": "score_terms", "locked": false, "schema_version": 3, "solution": true, "task": false}
def score_terms(model, layer: int, head: int, parts: torch.Tensor) -> torch.Tensor:
    """Attention scores for each pair of parts of the residual stream.

    parts: [part pos d_model]. Returns: [query part, key part, query pos, key pos].
    """
    ### BEGIN SOLUTION
    queries = parts @ model.W_Q[layer, head]  # [part pos d_head]
    keys = parts @ model.W_K[layer, head]  # [part pos d_head]
    return torch.einsum("iqe,jke->ijqk", queries, keys) / model.cfg.d_head**0.5
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "score_terms_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
remove_hooks(net)
seed = secrets.randbelow(1_000_000)
pieces = torch.randn(3, 5, 64, generator=torch.Generator().manual_seed(seed))
got = score_terms(net, 1, 0, pieces)
checks.check_tensor(got, "score_terms", dtype=torch.float32)
checks.check_shape(
    got, (3, 3, 5, 5), "score_terms of 3 parts", axes="query-part key-part query key"
)
asks = feed(net, 1, pieces[2, 4:5], "q")[0, 0]  # the query of part 2 at position 4
offers = feed(net, 1, pieces[0, 1:2], "k")[0, 0]  # the key of part 0 at position 1
want = float(torch.dot(asks, offers)) / 32**0.5
assert abs(float(got[2, 0, 4, 1]) - want) < 1e-3, (
    f"entry [2, 0, 4, 1]: part 2 at position 4 asks, part 0 at position 1 offers; off by "
    f"{abs(float(got[2, 0, 4, 1]) - want):.2g}. Which part makes the query, is it divided by √d_head? [seed {seed}]"
)

# %% nbgrader={"grade": true, "grade_id": "score_terms_test_2", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: random parts, heads and models, one entry after the other.
### BEGIN HIDDEN TESTS
gpt = model("tiny-gpt2")
remove_hooks(net)
remove_hooks(gpt)
remove_hooks(three_layers)
seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)
for m, layer, head in (
    (net, 1, 1),
    (gpt, 0, 1),
    (three_layers, 2, 1),
    (net, 0, 1),
    (gpt, 1, 0),
):
    pieces = torch.randn(4, 3, m.cfg.d_model, generator=g).to(m.cfg.device)
    form = m.W_Q[layer, head].double() @ m.W_K[layer, head].double().T / m.cfg.d_head**0.5
    want = torch.zeros(4, 4, 3, 3)
    for i in range(4):
        for j in range(4):
            for q in range(3):
                turned = form.T @ pieces[i, q].double()
                for k in range(3):
                    want[i, j, q, k] = float(turned.dot(pieces[j, k].double()))
    got, kept = call_keeping(score_terms, m, layer, head, pieces)
    what = f"score_terms of head {layer}.{head}, d_head {m.cfg.d_head}, 4 parts, seed {seed}"
    checks.check_tensor(got, what, dtype=torch.float32)
    scale = float(want.abs().max())
    checks.check_close(
        got.cpu(), want, what, axes="query-part key-part query key", atol=1e-4 * scale
    )
    assert torch.equal(kept[3], pieces), "the parts were changed"
### END HIDDEN TESTS

# %% [markdown]
# Now the picture this notebook was made for. In the second copy a head of layer 1 should look at *the
# symbol after the former occurrence*. By how much does each pair of parts prefer that place to the other
# places before it? The head is the one that says most for the right answer on this text (by the
# expansion of exercise 8). The embeddings are split once more, into token and position. Before you run
# it: which of the 16 cells do you expect to be large?

# %%
repeated_cache = net.run_with_cache(repeated[None])[1]
notes = torch.einsum("phe,hed->hpd", repeated_cache["z", 0][0], net.W_O[0])  # [head pos d_model]
embedded = torch.stack([net.W_E[repeated], net.W_pos[: len(repeated)]])  # [2 pos d_model]
part_names = ["token", "position", "note:0.0", "note:0.1"]
terms = score_terms(net, 1, loudest, torch.cat([embedded, notes]))  # [4 4 pos pos]
preference = torch.stack(
    [terms[:, :, q, q - HALF + 1] - terms[:, :, q, :q].mean(-1) for q in second_copy.tolist()]
).mean(0)
plots.matrix(
    preference,
    axes=("the query is made from", "the key is made from"),
    unit="score",
    labels=(part_names, part_names),
    title=f"Why head 1.{loudest} looks after the former occurrence",
)

# %% [markdown]
# <details><summary>What we see</summary>
#
# One cell holds most of the explanation, +6.0: the query is made from the **token** that stands here,
# the key from the **note of the previous-token head**. "I stand on `A`; who has noted that `A` was before
# it?" You have not seen it in attention stripes, and you have not switched anything off: you have
# multiplied it out.
#
# And one cell nobody asked for: **position × position**, +1.5. By its place alone the head prefers what
# is 15 places back, whatever stands there. It counts, a little, in a text where counting happens to be
# right: the real model keeps a piece of the *impostor* of notebook 06 inside. (What a head adds to
# scores by position is the same in every text, so an attention stripe can never show which part of it is
# which. The expansion can.)
# </details>
#
# That is the promise of the framework, and its limit is plain too. For two layers there are nine paths
# and 16 pairs; for twelve layers of twelve heads there are more than can be listed, and MLPs do not
# multiply out at all.
#
# ### An open question: what do the weights hold that no text shows?
#
# By weights the two heads of layer 1 are twins: both copy, both read the previous-token head by their
# keys, and both score token × previous-token note near 6. On this text only 1.0 works. Here are texts of
# other periods: how strong is the stripe of each head, and what does it cost to replace its output by
# its mean (an **ablation**)? *What do you expect* of two heads that are alike?

# %%
PERIODS = [12, 16, 20, 24]


def stripes_and_prices(period):
    """For both heads of layer 1, on 24 lines: the mean attention to the symbol after the former
    occurrence, and by how many nats the loss of the second copy rises without the head."""
    block = torch.randint(0, 64, (24, period), generator=torch.Generator().manual_seed(period))
    lines = torch.cat([torch.full((24, 1), BOS), block, block], 1)  # [24 1+2*period]
    logits, cache = net.run_with_cache(lines)
    queries = torch.arange(period + 1, 2 * period + 1)
    result = []
    for head in (0, 1):
        stripe = cache["pattern", 1][:, head, queries, queries - period + 1].mean()
        wrote = cache["z", 1][:, :, head] @ net.W_O[1, head]  # [24 pos d_model]
        # Without LayerNorm a head of the last layer adds to the logits: exchange what it says.
        without = logits + (wrote.mean((0, 1)) - wrote) @ net.W_U
        losses, others = (net.loss_fn(x, lines, per_token=True) for x in (logits, without))
        result.append((float(stripe), float((others - losses)[:, period + 1 :].mean())))
    return result


by_period = torch.tensor([stripes_and_prices(period) for period in PERIODS])  # [period head 2]
for column, (y_title, chart) in enumerate(
    (
        ("mean attention", "The stripe of both heads of layer 1"),
        ("nats", "Second copy: rise of the loss without one of the heads"),
    )
):
    plots.curves(
        PERIODS,
        {f"head 1.{n}": by_period[:, n, column].tolist() for n in (0, 1)},
        x_title="period",
        y_title=y_title,
        title=chart,
    ).show()

# %% [markdown]
# <details><summary>What we see</summary>
#
# The two **share out the periods**: 1.0 does the short ones, 1.1 the long ones, and near 20 both work and
# neither is missed much. (On `induction-2l2h`, which has LayerNorm, both stripes are above 0.8 at every
# period.) So the tables of exercises 2 to 4, the composition scores and even the largest cell above say
# what a head *can* do; which of it a text calls for, they do not say.
# </details>
#
# Which term of the scores would you look at to see how the two divide the work? You have the function
# for it.

# %% [markdown]
# ---
# ## 13 · In your own words
#
# Importance ●●●●○ · 20 minutes · read and marked by a person
#
# Answer in ten to sixteen sentences, with the pictures of this notebook before you.
#
# 1. In exercise 8 no path through the previous-token head writes anything of weight, and in exercise 12
#    that head is half of the explanation. Why is that no contradiction? What does each of the two
#    expansions take as given?
# 2. A colleague reports: "Heads 0.3 and 4.1 compose, their V-composition score is 0.09." Which two
#    numbers do you ask for before you believe it, and which measurement on texts would you add?
# 3. "Neuron 5 of the MLP fires on French; coordinate 5 of the residual stream is large on French." Which
#    of these two statements can be a fact about the model, and why is the other one not?
# 4. Your model has LayerNorm and MLPs. Which of the results of exercises 2, 4 and 8 do you still trust,
#    and as what?

# %% [markdown] nbgrader={"grade": true, "grade_id": "framework_and_limits", "locked": false, "points": 4, "schema_version": 3, "solution": true, "task": false}
# ### BEGIN SOLUTION
# One point for each part.
#
# 1. The path expansion of the logits freezes the patterns, so it shows only by which values the answer
#    is written: from the embedding of the position that is looked at, through one head of layer 1, and
#    in part through the other head of layer 0 as well (V-composition). The expansion of the scores asks how the pattern
#    comes about; there the previous-token head makes the key (K-composition). One takes *where* as given and
#    explains *what*, the other explains *where*.
# 2. The baseline for random heads of these sizes (about 1/√d_model, so 0.09 may be chance), and the
#    scores of the other pairs (is it larger than most?). On texts: the contribution of that virtual head
#    to logits in the path expansion, or an intervention: cutting the path from 0.3 to 4.1 only.
# 3. The neuron: its nonlinearity acts on single coordinates, so the basis of neurons is singled out. The
#    residual stream may be turned without changing what the model computes, so a statement about its
#    coordinate 5 is about the choice of axes; a direction in it, such as one that a matrix reads, can be
#    a fact. (In practice optimisers and LayerNorm's mean leave traces of a basis; whoever mentions it
#    knows more than was asked.)
# 4. OV and QK tables: still right as maps of the weights, up to a scale by position (and a mean that is
#    taken off) by LayerNorm, but MLPs change what embeddings look like before later layers read them, so
#    they are an approximation. The path expansion is exact only if LayerNorm scales are frozen as well
#    and MLP outputs are counted as sources of their own; as it stands, no longer.
# ### END SOLUTION

# %% [markdown]
# ---
# You have read a transformer from its weights: what its heads carry and where they look, as tables; its
# logits as nine paths, exactly; and the one pair of parts that makes an induction head. In 06 you meet
# the same circuit from the other side, on texts: by scores, controls and ablations.
#
# ## In papers this is called …
#
# Every word of the field in bold is in the glossary: run `from course import glossary`, then
# `glossary("OV circuit")` for one or `glossary()` for all.
#
# | here | in papers |
# | --- | --- |
# | place | **position**: destination (query) where it looks from, source (key) where it looks at |
# | note | a head's **output**, what it writes to the residual stream |
# | what a head says | its **direct effect** on logits (direct logit attribution) |
# | door | query, key or value **input** of a head: Q-, K- and V-**composition** |
# | table from tokens to tokens | full **OV circuit**, full **QK circuit** |
# | turning the stream | change of basis; there is no **privileged basis** |
# | MLP's nonlinearity | **activation function** |
# | prediction by the current token alone | **bigram statistics** |
# | multiplied out | **path expansion**; a pair of heads is a **virtual attention head** |
# | frozen attention | fixed or **frozen attention patterns** |
#
# **Sources.** [Elhage, Nanda, Olsson et al., *A Mathematical Framework for Transformer Circuits*
# (2021)](https://transformer-circuits.pub/2021/framework/index.html): all formulas of this notebook, with
# the sections named where they are used. That small optimiser traces of a basis remain in trained
# models: [Elhage et al., *Privileged Bases in the Transformer Residual Stream*
# (2023)](https://transformer-circuits.pub/2023/privileged-basis/index.html). The library: Nanda and
# Bloom, [*TransformerLens*](https://github.com/TransformerLensOrg/TransformerLens) (2022).
