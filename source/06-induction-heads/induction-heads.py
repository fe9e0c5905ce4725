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
# # Induction heads: find them, prove them, watch them form
#
# Run the next cell (**Shift+Enter**). It loads a small trained transformer, lets it read a phrase
# written twice, and draws where its attention goes. (The first cell takes some seconds: it imports
# the library.) What it draws is the subject of this notebook. *What do you expect:* will the second copy
# look like the first?

# %%
import secrets
from copy import deepcopy

import torch
from transformer_lens import FactoredMatrix

from course import checks, plots
from course.calls import call_keeping, cost, remove_hooks
from course.models import build, model, snapshots, weights

torch.set_grad_enabled(False)  # we look at a trained model; nothing is trained here

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+-"  # ids 0..63
BOS = 64  # every text begins with this id; it is drawn as ⊢


def symbols(row):
    """The symbol of each id in `row` [pos]."""
    return ["⊢" if i == BOS else ALPHABET[i] for i in row.tolist()]


net = model("induction-2l2h")
phrase = "QuickWaltzNymphs"
phrase_ids = torch.tensor([[BOS] + [ALPHABET.index(s) for s in phrase + phrase]])  # [1 33]
phrase_logits, phrase_cache = net.run_with_cache(phrase_ids)

plots.attention_heads(phrase_cache["pattern", 1][0], symbols(phrase_ids[0]), title="Layer 1")

# %% [markdown]
# Each square is one **attention pattern** of one head. A row is a position that looks (the **query**,
# or destination), a column is a position that is looked at (the **key**, or source), and the brightness
# says how much of the row's attention goes there. Every row adds up to 1, and nothing above the diagonal
# is bright, because a position sees only itself and what came before.
#
# Now look at the lower half of each square, where the phrase is read for the second time. There is
# a bright stripe. Hover over it: on the second `u`, the head looks at the first `i`. On the second
# `i`, it looks at the first `c`. Every time, the head has found **what came next last time**. In the
# upper half there is nothing to find yet, and for twelve rows nearly all attention rests on ⊢ (an
# **attention sink**). Then it moves to the first symbol, although nothing has come back yet. Exercise
# 2 says why.
#
# This model has never seen a word. Change the phrase below to 12 to 24 symbols of your own (letters,
# digits, `+`, `-`) and watch the stripe follow.

# %% tags=["play"]
my_phrase = "0penTheP0dBayD00rs"
my_ids = torch.tensor([[BOS] + [ALPHABET.index(s) for s in my_phrase + my_phrase]])
my_logits, my_cache = net.run_with_cache(my_ids)
plots.attention_heads(my_cache["pattern", 1][0], symbols(my_ids[0]), title="Layer 1")

# %% [markdown]
# ## What you will be able to do
#
# 1. build the input on which induction heads show themselves, and read the loss that gives them away;
# 2. score every head of a model for what it does;
# 3. tell a real induction head from an impostor with the same score;
# 4. switch off one head and measure what the model has lost;
# 5. prove which head reads which, and by which door: from the weights and by intervention;
# 6. say why one layer cannot do it, and at which step of training the circuit came into being.
#
# The method matters more than the model: *see a pattern, turn it into a number, try to break the
# number with a control, then intervene.* You need to know what an attention pattern is, and how to
# run a model with a cache and with hooks in TransformerLens.
#
# **Ninety minutes?** Exercises 1 to 6 are the core. The others are for more time, in any order, except
# that 11 needs 10, and 14 needs 8 and 13. The last section lists what papers call the things that have
# a name of ours here.
#
# ## The model and its world
#
# `induction-2l2h` has two layers with two attention heads each, and nothing else: no MLPs, 45,000
# parameters. Head 1 of layer 0 is written 0.1. The vocabulary is 64 symbols and the beginning mark
# ⊢ (its id is `BOS`). It was trained on one kind of text only: a block of *random* symbols, as long
# as chance decided (12 to 24 symbols), written again and again.
#
# In such text the first copy of the block cannot be predicted. The best anyone can do is to spread
# the bet over 64 symbols, which costs ln 64 ≈ 4.16 nats a symbol. The second copy is fully
# determined, but the weights cannot help: every block is new, so no pair of symbols is worth
# remembering. Whoever wants to predict the second copy has to *look it up in the text itself*.
#
# ## What an induction head is
#
# Suppose the text so far is `… A B … A`. An **induction head** sits at the second `A`, looks at the
# symbol that came *after* the first `A`, and copies it: the prediction is `B`. It is the simplest
# form of learning from context. Large language models have such heads too, and they appear in
# training at the moment when the model becomes good at using its context.
#
# ## Two rules for all exercises
#
# * What a function is given stays as it was: tokens, patterns, weights, lists. Copy what you want to
#   change.
# * A result has the dtype of the floating-point numbers that it was made from, unless the exercise
#   says otherwise.

# %% [markdown]
# ---
# ## 1 · Text that repeats
#
# Difficulty ●●○○○ · Importance ●●●○○ · 10 minutes · core
#
# Write `repeated_tokens`. Each of its `n` rows is the mark `bos`, then a block of `period` random
# ids, then the same block again.
#
# * The result has shape `[n, 1 + 2*period]` and dtype `torch.int64`.
# * Column 0 is `bos`, and `bos` stands **nowhere else**.
# * The ids of a block are drawn independently, each of the other `d_vocab - 1` ids with the same
#   probability. `bos` may be any id from 0 to `d_vocab - 1`, not only the last one. An id may occur
#   twice in a block, and `period` may be larger than `d_vocab`.
# * Every row has a block of its own.
# * The same arguments give the same result; another `seed` gives other blocks.
#
# For instance, `repeated_tokens(2, 3, 10, 9, 0)` could be `[[9, 4, 0, 7, 4, 0, 7], [9, 1, 1, 8, 1, 1, 8]]`.
#
# <details><summary>Hint 1: the plan</summary>
#
# Make three pieces, one of shape `[n, 1]` and two of shape `[n, period]`, and put them side by side.
# Two of the three are the same tensor.
# </details>
# <details><summary>Hint 2: the same result for the same seed</summary>
#
# `torch.Generator().manual_seed(seed)` is a source of randomness of your own. Functions such as
# `torch.randint` take it as `generator=`.
# </details>
# <details><summary>Hint 3: never drawing bos</summary>
#
# There are `d_vocab - 1` allowed ids. Draw a number from 0 to `d_vocab - 2`, and think of it as a
# place in the list of allowed ids. Up to which place are the place and the id the same number? By
# how much do they differ after it?
# </details>


# %% nbgrader={"grade": false, "grade_id": "repeated_tokens", "locked": false, "schema_version": 3, "solution": true, "task": false}
def repeated_tokens(n: int, period: int, d_vocab: int, bos: int, seed: int) -> torch.Tensor:
    """Rows of `bos`, a random block, and the block again: int64 [n, 1 + 2*period]."""
    ### BEGIN SOLUTION
    generator = torch.Generator().manual_seed(seed)
    block = torch.randint(0, d_vocab - 1, (n, period), generator=generator)  # [n period]
    block = block + (block >= bos)  # the ids from bos on move up by one, so that bos is left out
    start = torch.full((n, 1), bos)  # [n 1]
    return torch.cat([start, block, block], dim=1)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "repeated_tokens_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
got = repeated_tokens(50, 8, 6, 2, 1)
checks.check_tensor(got, "repeated_tokens", dtype=torch.int64)
checks.check_shape(got, (50, 17), "repeated_tokens with n=50, period=8", axes="row position")
assert torch.all(got[:, 0] == 2), "column 0 must be bos in every row"
assert torch.equal(got[:, 1:9], got[:, 9:]), (
    "columns 1 to 8 and columns 9 to 16 must be the same block: is the block drawn twice, or each "
    "symbol doubled?"
)
assert not torch.equal(got[0], got[1]), "rows 0 and 1 are equal: every row has a block of its own"
in_blocks = sorted(set(got[:, 1:].flatten().tolist()))
assert 2 not in in_blocks, (
    "bos=2 stands inside a block: is it drawn like any other id, or taken to be the last id? If you "
    "move ids up to make room for bos, the id bos itself has to move too"
)
assert in_blocks == [0, 1, 3, 4, 5], (
    f"with d_vocab=6 and bos=2 the ids 0, 1, 3, 4, 5 are drawn; your 400 draws have {in_blocks}"
)
assert torch.equal(repeated_tokens(50, 8, 6, 2, 1), got), (
    "the same arguments must give the same tokens: does the seed decide what is drawn?"
)
assert not torch.equal(repeated_tokens(50, 8, 6, 2, 7), got), "another seed must give other blocks"

# %% nbgrader={"grade": true, "grade_id": "repeated_tokens_test_2", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: where bos stands, which ids are drawn and how often, rows, seeds.
### BEGIN HIDDEN TESTS
seed = secrets.randbelow(1_000_000)
for mark in (0, 2, 6):  # bos first, in the middle, and last among 7 ids
    got = repeated_tokens(400, 25, 7, mark, seed)
    checks.check_tensor(got, "repeated_tokens", dtype=torch.int64)
    checks.check_shape(got, (400, 51), "repeated_tokens with n=400, period=25", axes="row position")
    assert torch.all(got[:, 0] == mark), f"column 0 must be bos={mark} [seed {seed}]"
    assert torch.equal(got[:, 1:26], got[:, 26:]), f"the two blocks differ [seed {seed}]"
    times = [0] * 7
    for row in got[:, 1:26].tolist():
        for drawn in row:
            assert 0 <= drawn < 7, f"drew the id {drawn} with d_vocab=7 [seed {seed}]"
            times[drawn] += 1
    assert times[mark] == 0, f"drew bos={mark} {times[mark]} times [seed {seed}]"
    # 10,000 draws of 6 ids: 1667 each, standard deviation 37; 260 is seven of them
    uneven = [t for i, t in enumerate(times) if i != mark and abs(t - 10_000 / 6) > 260]
    assert not uneven, f"the ids are not equally likely: {times} with bos={mark} [seed {seed}]"
    assert len({tuple(row) for row in got.tolist()}) == 400, f"rows are equal [seed {seed}]"
first = repeated_tokens(2, 13, 30, 4, seed)
other = repeated_tokens(2, 13, 30, 4, seed + 1)
again = repeated_tokens(2, 13, 30, 4, seed)
for result in (first, other, again):
    checks.check_shape(result, (2, 27), "repeated_tokens with n=2, period=13", axes="row position")
assert torch.equal(first, again), f"the same seed must give the same tokens [seed {seed}]"
assert not torch.equal(first, other), f"another seed must give other tokens [seed {seed}]"
### END HIDDEN TESTS

# %% [markdown]
# Four rows of yours, as the model will read them. Every colour is a symbol; the right half of each
# row should look like its left half:

# %%
PERIOD = 17
plots.token_strip(
    repeated_tokens(4, PERIOD, net.cfg.d_vocab, BOS, seed=0),
    labels=[*ALPHABET, "⊢"],
    title="Four lines that repeat",
)

# %% [markdown]
# ---
# ## 2 · The loss cliff
#
# Difficulty ●●○○○ · Importance ●●●●○ · 15 minutes · core
#
# If the model can look up the first copy, its loss must fall when the second copy begins. Write
# `loss_by_position`: how badly does the model predict each position?
#
# * `tokens` is `[batch pos]`. Calling the model on it gives logits `[batch pos d_vocab]`; those at
#   position *i* are its bet (in the field: its **prediction**) on the token at position *i + 1*.
# * The loss of one prediction is −ln of the probability that the model gave to the token that really
#   came next (in nats, so the natural logarithm).
# * Entry *i* of the result is the loss of predicting the token at position *i + 1*, averaged over
#   the batch. Nothing predicts the token at position 0, and nothing checks the bet made at the last
#   position: the shape is `[pos - 1]`. The dtype is that of the logits.
# * A model can be sure and wrong: a loss of 20 nats has to come out as 20 nats.
#
# TransformerLens can compute losses for you (`return_type="loss"`). Write it out once from the logits
# all the same, and use the library to check yourself: the shift by one in it is behind many wrong
# results.
#
# <details><summary>Hint 1: from logits to log-probabilities</summary>
#
# `log_softmax` over the vocabulary. Taking `softmax` and then `log` is the same on paper, and loses
# digits when a probability is tiny.
# </details>
# <details><summary>Hint 2: which logits belong to which tokens?</summary>
#
# Take four tokens `t0 t1 t2 t3`. The logits at position 0 are about `t1`, those at 1 about `t2`,
# those at 2 about `t3`. So one end of the logits falls away, and the *other* end of the tokens.
# </details>
# <details><summary>Hint 3: picking one entry of each distribution</summary>
#
# You have log-probabilities `[batch pos-1 d_vocab]` and one token for each `[batch pos-1]`. `gather`
# picks along the last dimension, but wants an index with as many dimensions as the tensor: add one of
# size 1 to the tokens, and drop it from the result.
# </details>


# %% nbgrader={"grade": false, "grade_id": "loss_by_position", "locked": false, "schema_version": 3, "solution": true, "task": false}
def loss_by_position(model, tokens: torch.Tensor) -> torch.Tensor:
    """Mean loss in nats of predicting tokens 1, 2, … from what came before.

    tokens: [batch pos]. Returns: [pos-1].
    """
    ### BEGIN SOLUTION
    log_probs = model(tokens)[:, :-1].log_softmax(dim=-1)  # [batch pos-1 d_vocab]
    target = tokens[:, 1:, None]  # [batch pos-1 1]
    return -log_probs.gather(-1, target)[..., 0].mean(dim=0)  # [pos-1]
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "loss_by_position_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
m = model("induction-2l2h")
remove_hooks(m)
toks = torch.tensor([[64, 7, 1, 30, 7, 9], [64, 50, 2, 2, 11, 40], [64, 0, 63, 5, 0, 63]])
got = loss_by_position(m, toks)
checks.check_tensor(got, "loss_by_position", dtype=torch.float32)
checks.check_shape(got, (5,), "loss_by_position of tokens [3 6]", axes="position")
bets = m(toks)  # the logits [3 6 65]
picked = torch.take_along_dim(bets[:, :-1], toks[:, 1:, None], -1)[..., 0]  # of the right tokens
chances = torch.take_along_dim(bets[:, :-1].softmax(-1), toks[:, 1:, None], -1)[..., 0]
unshifted = torch.take_along_dim(bets[:, 1:].log_softmax(-1), toks[:, 1:, None], -1)[..., 0]
checks.check_no_slip(
    got,
    "loss_by_position",
    {
        "These are bits: the logarithm is the natural one.": -chances.log2().mean(0),
        "The minus is missing: a loss is not negative.": chances.log().mean(0),
        "These are logits: take log_softmax over the vocabulary first.": -picked.mean(0),
        "Average the losses, not the probabilities.": -chances.mean(0).log(),
        "The bet at position i is about the token at i + 1, not at i.": -unshifted.mean(0),
        "Average over the batch; this is its sum.": -chances.log().sum(0),
        "This is the first line alone: average over the batch.": -chances.log()[0],
    },
)
want = float(m(toks, return_type="loss"))  # the library's mean over rows and positions
mean = float(torch.mean(got))
assert abs(mean - want) < 1e-4, (
    f"the mean of your losses is {mean:.4f}, the library's is {want:.4f} nats: which logits are "
    "compared with which tokens, are they log-probabilities, and is the logarithm natural?"
)
surprise = torch.tensor([[64, *range(20), *range(20)]] * 2)  # two lines that repeat …
surprise[:, -1] = m(surprise)[:, -2].argmin(-1)  # … and end with the least likely symbol of all
got, kept = call_keeping(loss_by_position, m, surprise)
checks.check_shape(got, (40,), "loss_by_position of tokens [2 41]", axes="position")
want = float(m(surprise, return_type="loss", loss_per_token=True)[:, -1].mean())
assert abs(float(got[-1]) - want) < 1e-3, (
    f"the model is sure and wrong at the end, which costs {want:.2f} nats, and not {float(got[-1]):.2f}: "
    "is something added inside the logarithm, or clamped?"
)
assert torch.equal(kept[1], surprise), "the tokens were changed"

# %% nbgrader={"grade": true, "grade_id": "loss_by_position_test_2", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: every entry against a loop in float64, on both models; the tokens survive.
### BEGIN HIDDEN TESTS
import math

seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)
for name in ("induction-2l2h", "impostor"):
    m = model(name)
    remove_hooks(m)
    block = torch.randint(0, 64, (2, 24), generator=g)  # two rows repeat: some losses are small …
    toks = torch.randint(0, 64, (3, 49), generator=g)
    toks[:2] = torch.cat([torch.full((2, 1), 64), block, block], 1)
    for at in (20, 30, 48):  # … and a sure bet is lost where the least likely symbol stands
        toks[1, at] = m(toks)[1, at - 1].argmin()
    rows = m(toks).double().tolist()
    losses = [0.0] * 48
    for b, row in enumerate(rows):
        for i in range(48):
            top = max(row[i])
            total = top + math.log(sum(math.exp(v - top) for v in row[i]))
            losses[i] += (total - row[i][int(toks[b, i + 1])]) / 3
    want = torch.tensor(losses, dtype=torch.float32)
    got, kept = call_keeping(loss_by_position, m, toks)
    checks.check_tensor(got, "loss_by_position", dtype=torch.float32)
    checks.check_close(
        got,
        want,
        f"loss_by_position of {name}, tokens [3 49], seed {seed}",
        axes="position",
        atol=1e-4,
    )
    assert torch.equal(kept[1], toks), f"the tokens were changed [seed {seed}]"
### END HIDDEN TESTS

# %% [markdown]
# Your function on 32 lines of our model's kind. *What do you expect* on the left, on the right, and at the
# very first symbol of the second copy (the dotted line)?

# %%
repeats = repeated_tokens(32, PERIOD, net.cfg.d_vocab, BOS, seed=1)
plots.position_losses(
    loss_by_position(net, repeats),
    vocab=64,
    repeat_at=PERIOD,
    title="Loss at each position of a random block that is read twice",
)

# %% [markdown]
# <details><summary>What we see</summary>
#
# Far left the loss is ln 64 ≈ 4.16 nats, the price of not knowing. Far right, almost nothing.
#
# Look closer at the edge. The point on the dotted line is the *first* symbol of the second copy. It
# cannot be looked up, because nothing in the text has repeated yet, and still it is cheaper than 4.16;
# while the points just left of it are dearer. The model has learnt that a block ends after 12 to 24
# symbols. From the twelfth on it bets a part of its money on "now it starts again", and loses that
# bet every time but once. You can see it do so in the very first picture: from the twelfth row or so
# on, both heads look at the first symbol. From the second symbol of the copy on, no more bets.
# </details>

# %% [markdown]
# ---
# ## 3 · Who looks one step back?
#
# Difficulty ●○○○○ · Importance ●●●●○ · 10 minutes · core
#
# A head chooses where to look by matching two things: a query, made from what stands at the position
# that looks, and a key, made from what stands at each position that might be looked at. Put yourself
# at the second `A`. You want the position of `B`. But what is special about it? Not that it holds
# `B`: you do not know yet that `B` is the answer. It is special because **its left neighbour is `A`**.
#
# In the first layer no position knows its left neighbour. A position holds its own symbol and its
# own place in the line, and that is all a key can be made from. So the work is shared:
#
# | | who | does what |
# | --- | --- | --- |
# | layer 0 | a **previous-token head** | on every position, looks one step to the left, and notes there (its **output**): "my left neighbour is …" |
# | layer 1 | an **induction head** | at `A`, asks: "who has noted that its left neighbour is `A`?", looks there, and copies the symbol it finds |
#
# The keys of layer 1 are made from what layer 0 wrote. This is called **K-composition**. Heads of one
# layer work side by side and cannot read each other's notes, so one layer is not enough.
#
# That is a story so far. The rest of this notebook is about not believing stories. Begin with the head
# that it needs in layer 0: turn "looks one step to the left" into a number.
#
# `prev_token_score` takes attention patterns `pattern[batch head query key]` and returns for each head
# the **mean attention that a position pays to the position directly before it**. Average over the
# batch and over all queries but query 0, which has nothing before it. The shape is `[head]`, the
# dtype that of the pattern, and the pattern is left as it was. A head that always looks one step back
# scores 1; one that never does scores 0.
#
# <details><summary>Hint 1: which entries?</summary>
#
# Write down the (query, key) pairs for five positions: (1, 0), (2, 1), (3, 2), (4, 3). Where in the
# square do they lie? How many are there?
# </details>
# <details><summary>Hint 2: diagonals</summary>
#
# `torch.diagonal` takes an offset and the two dimensions that span the square. Rows are queries, so
# what lies *before* the query lies below the main diagonal. In `diagonal`, is that a positive or a
# negative offset?
# </details>
# <details><summary>Hint 3: what is left to average?</summary>
#
# `diagonal` puts the diagonal at the end: `[batch head pos-1]`. Two of these dimensions have to go.
# </details>


# %% nbgrader={"grade": false, "grade_id": "prev_token_score", "locked": false, "schema_version": 3, "solution": true, "task": false}
def prev_token_score(pattern: torch.Tensor) -> torch.Tensor:
    """Mean attention to the position directly before, over batch and queries 1, 2, ….

    pattern: [batch head query key]. Returns: [head].
    """
    ### BEGIN SOLUTION
    stripe = pattern.diagonal(offset=-1, dim1=-2, dim2=-1)  # [batch head pos-1]
    return stripe.mean(dim=(0, 2))  # [head]
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "prev_token_score_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
looks_back_one = torch.tensor(  # [batch=2 head=3 query]: attention to the position directly before
    [
        [[0.9, 0.6, 0.3], [0.0, 0.0, 0.0], [0.5, 0.1, 0.2]],
        [[0.8, 0.2, 0.4], [0.0, 0.0, 0.0], [0.3, 0.7, 0.1]],
    ],
    dtype=torch.float64,
)
back = torch.zeros(2, 3, 4, 4, dtype=torch.float64)
back[:, :, 0, 0] = 1.0
for q in (1, 2, 3):
    back[:, :, q, q - 1] = looks_back_one[:, :, q - 1]
    back[:, :, q, q] = (
        1 - looks_back_one[:, :, q - 1]
    )  # the rest of the attention stays where it is
got, kept = call_keeping(prev_token_score, back)
checks.check_tensor(got, "prev_token_score of a pattern in float64", dtype=torch.float64)
checks.check_close(
    got,
    torch.tensor([3.2, 0.0, 1.9], dtype=torch.float64) / 6,  # 2 lines of 3 queries
    "prev_token_score of a pattern [2 3 4 4]",
    axes="head",
    slips={
        "This is the attention of every position to itself.": 1 - looks_back_one.mean((0, 2)),
        "Divide by the queries that have something before them: 3 a line, not 4.": looks_back_one.mean(
            (0, 2)
        )
        * 0.75,
        "The query 1, which looks at the first position, counts too.": looks_back_one[
            :, :, 1:
        ].mean((0, 2)),
        "This is the first line of the batch alone.": looks_back_one[0].mean(-1),
        "Average over the batch and the queries; the heads stay apart.": looks_back_one.mean(
            (1, 2)
        ),
    },
)
assert torch.equal(kept[0], back), "the pattern was changed"

# %% nbgrader={"grade": true, "grade_id": "prev_token_score_test_2", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: random patterns with several rows and heads against a loop; dtype; the pattern survives.
### BEGIN HIDDEN TESTS
seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)
for kind in (torch.float64, torch.float32):
    raw = torch.randn(2, 3, 5, 5, generator=g, dtype=torch.float64) * 2
    raw = raw.masked_fill(torch.ones(5, 5).triu(1).bool(), float("-inf"))
    pat = raw.softmax(-1).to(kind)  # [batch=2 head=3 query=5 key=5]
    cells = pat.tolist()
    means = [sum(cells[b][h][q][q - 1] for b in (0, 1) for q in range(1, 5)) / 8 for h in range(3)]
    want = torch.tensor(means, dtype=kind)
    got, kept = call_keeping(prev_token_score, pat)
    checks.check_tensor(got, "prev_token_score", dtype=kind)
    checks.check_close(
        got, want, f"prev_token_score of a random pattern [2 3 5 5], seed {seed}", axes="head"
    )
    assert torch.equal(kept[0], pat), f"the pattern was changed [seed {seed}]"
### END HIDDEN TESTS

# %% [markdown]
# All four heads of the model on text that does *not* repeat, so that nothing but the place can
# decide. *Where do you expect* a head that looks one step back?

# %%
noise = torch.randint(0, 64, (32, 1 + 2 * PERIOD), generator=torch.Generator().manual_seed(2))
noise[:, 0] = BOS
_, noise_cache = net.run_with_cache(noise)
prev_scores = torch.stack([prev_token_score(noise_cache["pattern", layer]) for layer in (0, 1)])
plots.head_grid(prev_scores, title="Previous-token score")

# %% [markdown]
# <details><summary>What we see</summary>
#
# One head stands out, and it is in layer 0, as the story said.
# </details>
#
# Here is its pattern on one line of your repeated text:

# %%
prev_head = int(prev_scores[0].argmax())
_, repeats_cache = net.run_with_cache(repeats)
plots.attention_heatmap(
    repeats_cache["pattern", 0][0, prev_head],
    symbols(repeats[0]),
    title=f"Head 0.{prev_head}, the previous-token head",
)

# %% [markdown]
# So the first half of the story is there. The whole of it, in one drawing:

# %%
from course import drawings

drawings.induction()

# %% [markdown]
# ---
# ## 4 · The stripe as a number
#
# Difficulty ●●●○○ · Importance ●●●●● · 15 minutes · core
#
# Now the stripe from the first picture. The line is `[bos, block, block]`: the block's tokens stand at
# positions 1 to `period`, and again at `period + 1` to `2·period`.
#
# Take a query *q* in the second copy. The same token stood at *q − period*. The induction head looks
# at the token **after** it. `induction_score(pattern[batch head query key], period)` is the mean
# attention from each query of the second copy (**all queries from `period + 1` to the end**) to that
# key, over the batch. The shape is `[head]`, the dtype that of the pattern, and the pattern is left as
# it was.
#
# Being one off here is the classical mistake of this topic. Do it on paper first: `period` 3, tokens
# `⊢ a b c a b c`. At the second `a`, query 4, which key is the answer?
#
# <details><summary>Hint 1: the pairs</summary>
#
# For `⊢ a b c a b c`, the second `a` is query 4 and should look at the first `b`, key 2. The second
# `b` is query 5: key 3. The second `c` is query 6, and looks at key 4. How far apart are query and
# key, in terms of `period`?
# </details>
# <details><summary>Hint 2: the diagonal is longer than the stripe</summary>
#
# The diagonal with that distance begins at key 0. Which query does it begin with? Is this query in
# the second copy? Count how many entries come before query `period + 1`, and leave them out.
# </details>
# <details><summary>Hint 3: or index directly</summary>
#
# Make a tensor of the queries and a tensor of the keys (of the same length) and index the last two
# dimensions of the pattern with them.
# </details>


# %% nbgrader={"grade": false, "grade_id": "induction_score", "locked": false, "schema_version": 3, "solution": true, "task": false}
def induction_score(pattern: torch.Tensor, period: int) -> torch.Tensor:
    """Mean attention from the second copy to the token after the earlier occurrence.

    pattern: [batch head query key] on lines [bos, block, block]. Returns: [head].
    """
    ### BEGIN SOLUTION
    queries = torch.arange(period + 1, pattern.shape[-2], device=pattern.device)
    stripe = pattern[:, :, queries, queries - (period - 1)]  # [batch head period]
    return stripe.mean(dim=(0, 2))  # [head]
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "induction_score_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# ⊢ a b c a b c: head 0 does induction, head 1 looks at its twin
paper = torch.zeros(1, 2, 7, 7, dtype=torch.float64)
for q in range(4):
    paper[0, :, q, 0] = 1.0
for q, after in ((4, 2), (5, 3), (6, 4)):
    paper[0, 0, q, after] = 1.0
    paper[0, 1, q, after - 1] = 1.0
got, kept = call_keeping(induction_score, paper, 3)
checks.check_tensor(got, "induction_score of a pattern in float64", dtype=torch.float64)
checks.check_shape(got, (2,), "induction_score of a pattern [1 2 7 7]", axes="head")
assert abs(float(got[1])) < 1e-6, (
    f"head 1 looks at the earlier occurrence itself, which is not induction: 0, "
    f"not {float(got[1]):.3f}. The key is the token after it: is the distance off by one?"
)
assert abs(float(got[0]) - 1) < 1e-6, (
    f"head 0 does induction at queries 4, 5 and 6, so it scores 1, not {float(got[0]):.3f}: "
    "is the distance right, and are exactly the queries of the second copy averaged?"
)
assert torch.equal(kept[0], paper), "the pattern was changed"
lines_2 = torch.cat([paper, torch.zeros_like(paper)])  # nobody looks anywhere on a second line
got = induction_score(lines_2, 3)
checks.check_shape(got, (2,), "induction_score of a pattern [2 2 7 7]", axes="head")
assert abs(float(got[0]) - 0.5) < 1e-6, (
    f"1 on one line and 0 on the other makes 0.5, not {float(got[0]):.3f}: average over the batch"
)

# %% nbgrader={"grade": true, "grade_id": "induction_score_test_2", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Hidden: random patterns of several sizes against a loop; dtype; the pattern survives.
### BEGIN HIDDEN TESTS
seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)
for lag, kind in ((4, torch.float64), (3, torch.float32), (1, torch.float64)):
    size = 1 + 2 * lag
    raw = torch.randn(2, 3, size, size, generator=g, dtype=torch.float64) * 2
    raw = raw.masked_fill(torch.ones(size, size).triu(1).bool(), float("-inf"))
    pat = raw.softmax(-1).to(kind)  # [batch=2 head=3 query key]
    cells = pat.tolist()
    means = [0.0] * 3
    for h in range(3):
        for b in (0, 1):
            for q in range(lag + 1, size):
                means[h] += cells[b][h][q][q - lag + 1] / (2 * lag)
    want = torch.tensor(means, dtype=kind)
    got, kept = call_keeping(induction_score, pat, lag)
    checks.check_tensor(got, "induction_score", dtype=kind)
    checks.check_close(
        got, want, f"induction_score of a random pattern, period {lag}, seed {seed}", axes="head"
    )
    assert torch.equal(kept[0], pat), f"the pattern was changed [seed {seed}]"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "induction_score_test_3", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Hidden: planted stripes. One distance scores 1, every other 0, and the first copy does not count.
### BEGIN HIDDEN TESTS
lag = 4 + secrets.randbelow(4)
size = 1 + 2 * lag
distances = [0, 1, lag - 2, lag - 1, lag, lag + 1]
planted = torch.zeros(2, 7, size, size)  # one head for each distance, and one more
for h, distance in enumerate(distances):
    for q in range(lag + 1, size):
        planted[:, h, q, q - distance] = 1.0
for q in range(lag + 1):  # the last head has the stripe in the first copy only
    planted[:, 6, q, max(q - lag + 1, 0)] = 1.0
want = torch.zeros(7)
want[3] = 1.0
got = induction_score(planted, lag)
checks.check_tensor(got, "induction_score", dtype=torch.float32)
checks.check_shape(got, (7,), f"induction_score of 7 heads, period {lag}", axes="head")
assert torch.allclose(got, want, atol=1e-6), (
    f"at period {lag} only the head that looks {lag - 1} back from the second copy scores 1, "
    "the others 0"
)
### END HIDDEN TESTS

# %% [markdown]
# All four heads, on the lines that repeat. *What do you expect* of the head that you have just found?

# %%
stripe_scores = torch.stack(
    [induction_score(repeats_cache["pattern", layer], PERIOD) for layer in (0, 1)]
)
plots.head_grid(stripe_scores, title="Induction score on repeated text")

# %% [markdown]
# ---
# ## 5 · The impostor
#
# Difficulty ●●●○○ · Importance ●●●●● · 20 minutes · core
#
# A high score in layer 1. Are we done? Here is a second model with the same architecture, `impostor`.
# It predicts the second copy perfectly, and look at its stripe. *In which layer do you expect it?*

# %%
twin = model("impostor")
repeats_24 = repeated_tokens(32, 24, twin.cfg.d_vocab, BOS, seed=3)
_, twin_cache = twin.run_with_cache(repeats_24)
twin_scores = torch.stack([induction_score(twin_cache["pattern", layer], 24) for layer in (0, 1)])
plots.head_grid(twin_scores, title="impostor: induction score on repeated text, period 24")

# %% [markdown]
# The stripe is there, and in **layer 0**, where we said it could not be.
#
# <details><summary>What is going on?</summary>
#
# The impostor was trained on blocks of always the same length, 24. In such text nobody has to look
# for an earlier `A`. *Looking 23 places back* does just as well, and for that a head needs nothing but the
# position: one layer is enough. It has learnt a distance, not induction. Change the period and it
# knows nothing. But as long as the period is 24, neither the loss nor the score can tell the
# difference.
# </details>
#
# See for yourself, and try other periods (up to 24):

# %% tags=["play"]
my_period = 17
my_lines = repeated_tokens(32, my_period, net.cfg.d_vocab, BOS, seed=5)
plots.position_losses(
    {
        "induction-2l2h": loss_by_position(net, my_lines),
        "impostor": loss_by_position(twin, my_lines),
    },
    vocab=64,
    repeat_at=my_period,
    title=f"Period {my_period}",
)

# %% [markdown]
# The way out is a **control**: measure the same stripe where induction is impossible. On text that
# does not repeat there is no earlier `A`, so a head that searches finds nothing, and its attention
# goes elsewhere. A head that just counts places draws the same stripe as before. What counts is the
# *difference*.
#
# Write `controlled_induction_score(model, tokens_repeat, tokens_control, period, score)`.
#
# * `tokens_repeat` is `[batch pos]`, lines that repeat with `period`. `tokens_control` is
#   `[batch pos]`, lines that do not; their number may differ.
# * `score(pattern, period)` takes patterns `[batch head query key]` and returns `[head]`. You will
#   pass your `induction_score`; the tests pass scores of their own, so an error in exercise 4 costs
#   nothing here. Call it with the whole batch.
# * The result, `[layer head]`, is **the score on the repeated lines minus the score on the control**,
#   for every head of every layer of `model` (`model.cfg.n_layers` says how many there are).
#
# <details><summary>Hint 1: getting all patterns</summary>
#
# `logits, cache = model.run_with_cache(tokens)`, and then `cache["pattern", layer]` is
# `[batch head query key]`. You need two caches.
# </details>
# <details><summary>Hint 2: from one layer to all</summary>
#
# `score` gives one row `[head]` for a layer. `torch.stack` makes a list of rows into a matrix, with
# the layers as dimension 0.
# </details>
# <details><summary>Hint 3: the sign</summary>
#
# A real induction head should come out near +0.8, an impostor near 0. What does a head get that has
# the stripe on the control only?
# </details>


# %% nbgrader={"grade": false, "grade_id": "controlled_induction_score", "locked": false, "schema_version": 3, "solution": true, "task": false}
def controlled_induction_score(
    model, tokens_repeat: torch.Tensor, tokens_control: torch.Tensor, period: int, score
) -> torch.Tensor:
    """`score` on text that repeats minus `score` on text that does not, for every head.

    tokens_repeat, tokens_control: [batch pos]. score: (pattern [batch head query key], period) ->
    [head]. Returns: [layer head].
    """
    ### BEGIN SOLUTION
    _, on_repeat = model.run_with_cache(tokens_repeat)
    _, on_control = model.run_with_cache(tokens_control)
    return torch.stack(
        [
            score(on_repeat["pattern", layer], period) - score(on_control["pattern", layer], period)
            for layer in range(model.cfg.n_layers)
        ]
    )  # [layer head]
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "controlled_induction_score_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
again_and_again = torch.tensor([[64, 5, 9, 2, 5, 9, 2], [64, 40, 1, 1, 40, 1, 1]])  # 2 lines
never_again = torch.tensor(
    [[64, 1, 2, 3, 4, 5, 6], [64, 9, 8, 7, 6, 5, 4], [64, 1, 3, 5, 7, 9, 11]]
)
asked = []


def by_lines(pattern, period):
    """3 for each head on the two repeating lines; on the three lines of the control 1 for head 0
    and 7 for head 1."""
    asked.append((tuple(pattern.shape), period))
    return torch.tensor([3.0, 3.0] if len(pattern) == 2 else [1.0, 7.0])


for name, layers in (("induction-2l2h", 2), ("induction-1l", 1)):
    m = model(name)
    remove_hooks(m)
    asked.clear()
    got, kept = call_keeping(
        controlled_induction_score, m, again_and_again, never_again, 3, by_lines
    )
    assert asked, "score was never called"
    assert all(shape[0] in (2, 3) for shape, _ in asked), (
        "score wants the patterns of the whole batch, 2 lines that repeat or 3 that do not; it was "
        f"called with {asked}"
    )
    assert all(shape[1:] == (2, 7, 7) and lag == 3 for shape, lag in asked), (
        "score(pattern, period) wants patterns [batch head query key] and the period 3; "
        f"it was called with {asked}"
    )
    checks.check_tensor(got, "controlled_induction_score", dtype=torch.float32)
    checks.check_close(
        got,
        torch.tensor([[2.0, -4.0]] * layers),  # 3 - 1 and 3 - 7, in every layer
        f"controlled_induction_score of a model of {layers} layers",
        axes="layer head",
        slips={
            "That is the score on the repeated lines alone: where is the control?": torch.full(
                (layers, 2), 3.0
            ),
            "Repeated minus control, not control minus repeated.": torch.tensor(
                [[-2.0, 4.0]] * layers
            ),
            "Subtract the control, do not divide by it.": torch.tensor([[3.0, 3 / 7]] * layers),
            "A negative difference stays: such a head has the stripe on the control only.": (
                torch.tensor([[2.0, 0.0]] * layers)
            ),
            "Subtract each head's own control, not the mean of all heads.": torch.full(
                (layers, 2), -1.0
            ),
            "Where is the control? The repeated lines were scored twice.": torch.zeros(layers, 2),
        },
    )
    assert torch.equal(kept[1], again_and_again) and torch.equal(kept[2], never_again), (
        "tokens were changed"
    )

# %% nbgrader={"grade": true, "grade_id": "controlled_induction_score_test_2", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: every head of three models, one of which has one layer, with a score that the test makes up.
### BEGIN HIDDEN TESTS
seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)
weight = torch.randn(11, 11, generator=g)


def made_up(pattern, period):
    """The largest of the lines' random weightings of squares, times the period: [head]."""
    return torch.einsum("bhqk,qk->bh", pattern**2, weight).amax(0) * period


def patterns_of(m, toks):
    """The attention of every layer by hooks, not by the cache: [layer batch head query key]."""
    seen = []
    m.run_with_hooks(
        toks, fwd_hooks=[(lambda n: n.endswith("hook_pattern"), lambda p, hook: seen.append(p + 0))]
    )
    return torch.stack(seen)


for name in ("induction-2l2h", "impostor", "induction-1l"):
    m = model(name)
    remove_hooks(m)
    block = torch.randint(0, 64, (2, 5), generator=g)
    texts = [
        torch.cat([torch.full((2, 1), 64), block, block], 1),
        torch.randint(0, 64, (3, 11), generator=g),
    ]
    want = torch.zeros(m.cfg.n_layers, m.cfg.n_heads)
    for layer in range(m.cfg.n_layers):
        want[layer] += made_up(patterns_of(m, texts[0])[layer], 5)
        want[layer] -= made_up(patterns_of(m, texts[1])[layer], 5)
    for toks, plain_toks, sign in ((*texts, 1), (*reversed(texts), -1)):
        got, kept = call_keeping(controlled_induction_score, m, toks, plain_toks, 5, made_up)
        what = f"controlled_induction_score of {name}, seed {seed}"
        checks.check_close(got, sign * want, what, axes="layer head", atol=1e-3)
        assert torch.equal(kept[1], toks) and torch.equal(kept[2], plain_toks), (
            "tokens were changed"
        )
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "controlled_induction_score_test_3", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Hidden: on fresh text your function must accept the real model and reject the impostor.
### BEGIN HIDDEN TESTS
seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)


def attention_after_twin(pattern, period):
    """Mean attention [head] from the second copy to the token after the earlier occurrence."""
    total = torch.zeros(pattern.shape[1])
    for q in range(period + 1, 2 * period + 1):
        total += pattern[:, :, q, q - period + 1].mean(0)
    return total / period


block = torch.randint(0, 64, (20, 24), generator=g)
toks = torch.cat([torch.full((20, 1), 64), block, block], 1)
plain_toks = torch.randint(0, 64, (20, 49), generator=g)
plain_toks[:, 0] = 64
found = []
for name in ("induction-2l2h", "impostor"):
    m = model(name)
    remove_hooks(m)
    found.append(controlled_induction_score(m, toks, plain_toks, 24, attention_after_twin))
real, fake = found
checks.check_shape(real, (2, 2), "controlled_induction_score of induction-2l2h", axes="layer head")
checks.check_shape(fake, (2, 2), "controlled_induction_score of impostor", axes="layer head")
assert float(torch.max(real[1])) > 0.5, f"no induction head found in layer 1 [seed {seed}]"
assert float(torch.max(torch.abs(real[0]))) < 0.2, f"found one in layer 0 [seed {seed}]"
assert float(torch.max(torch.abs(fake))) < 0.15, f"the impostor was accepted [seed {seed}]"
### END HIDDEN TESTS

# %% [markdown]
# Both models, before and after the control. *What do you expect* to be left of each?

# %%
noise_24 = torch.randint(0, 64, (32, 49), generator=torch.Generator().manual_seed(4))
noise_24[:, 0] = BOS
repeats_cache_24 = net.run_with_cache(repeats_24)[1]
real_scores = torch.stack(
    [induction_score(repeats_cache_24["pattern", layer], 24) for layer in (0, 1)]
)
real_difference = controlled_induction_score(net, repeats_24, noise_24, 24, induction_score)
twin_difference = controlled_induction_score(twin, repeats_24, noise_24, 24, induction_score)
plots.head_grid(
    {
        "real: stripe": real_scores,
        "real: stripe − control": real_difference,
        "impostor: stripe": twin_scores,
        "impostor: stripe − control": twin_difference,
    },
    title="The control takes the impostor's score away",
)

# %% [markdown]
# Keep this picture in mind whenever somebody shows you an attention stripe. A number that measures
# what a head *looks like* says something about what it *does* only if you have asked what else could
# have made it.

# %% [markdown]
# ---
# ## 6 · Switch it off
#
# Difficulty ●●●●○ · Importance ●●●●● · 25 minutes · core
#
# Even a controlled score is about looking. Does the model *need* these heads? Take one out and see
# what breaks: an **ablation**.
#
# A head's output before its output matrix is called `z`, at the hook point
# `blocks.{layer}.attn.hook_z`, with shape `[batch pos head d_head]`. We use **mean-ablation**: replace
# the `z` of one head by its mean over batch *and* positions, one vector `[d_head]` for all of them.
# The head still says something typical, but no longer anything about *this* text. (Setting it to zero
# would also take the typical part away, which the later layers count on.) The *pattern* stays
# untouched: what the head says is what we are after.
#
# Write `ablate_and_measure(model, tokens, layer, head, metric)`.
#
# * `metric(logits)` takes logits `[batch pos d_vocab]` and returns a number, or a tensor of numbers.
# * The result is **`metric` of the logits with the head ablated minus `metric` of the logits without
#   any ablation**, both on `tokens` `[batch pos]`. If the metric is a loss, a positive result is what
#   the model has lost.
# * Only head `head` of layer `layer` is changed, and when the function returns, no hook is left on the
#   model.
#
# <details><summary>Hint 1: running with a hook</summary>
#
# `model.run_with_hooks(tokens, fwd_hooks=[(name, f)])` returns the logits and takes the hook away
# again. `f(activation, hook)` gets the activation and returns what is to stand in its place.
# </details>
# <details><summary>Hint 2: which index is the head?</summary>
#
# `z` is `[batch pos head d_head]`: position comes *before* head. `z[:, :, head]` is `[batch pos d_head]`.
# </details>
# <details><summary>Hint 3: the mean</summary>
#
# Over dimensions 0 and 1 of what Hint 2 picked, so that `[d_head]` is left. Assigning it back to the
# slice fills every row and position.
# </details>
# <details><summary>Hint 4: a check of your own</summary>
#
# Call it twice for the same head. If the second result is 0, the first call has left its hook behind.
# </details>


# %% nbgrader={"grade": false, "grade_id": "ablate_and_measure", "locked": false, "schema_version": 3, "solution": true, "task": false}
def ablate_and_measure(model, tokens: torch.Tensor, layer: int, head: int, metric):
    """How much `metric` of the logits rises when one head's z is replaced by its mean.

    tokens: [batch pos]. metric: logits [batch pos d_vocab] -> number or tensor.
    Returns: what metric returns. The mean is over batch and positions.
    """

    ### BEGIN SOLUTION
    def ablate(z, hook):  # z: [batch pos head d_head]
        z = z.clone()
        z[:, :, head] = z[:, :, head].mean(dim=(0, 1))
        return z

    point = f"blocks.{layer}.attn.hook_z"
    with_head = metric(model(tokens))
    without = metric(model.run_with_hooks(tokens, fwd_hooks=[(point, ablate)]))
    return without - with_head
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "ablate_and_measure_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
m = model("induction-2l2h-noln")  # without LayerNorm, what a head of layer 1 says adds to logits
remove_hooks(m)
toks = torch.tensor([[64, 3, 8, 1, 60, 3, 8, 1, 60], [64, 22, 5, 5, 17, 22, 5, 5, 17]])
logits_seen = []


def all_logits(logits):
    """The logits themselves."""
    logits_seen.append(tuple(logits.shape))
    return logits


saying = {
    h: m.run_with_cache(toks)[1]["z", 1][:, :, h] @ m.W_O[1, h] @ m.W_U for h in (0, 1)
}  # what each head of layer 1 says on this text: [2 9 65]
got, kept = call_keeping(ablate_and_measure, m, toks, 1, 0, all_logits)
assert logits_seen, "metric was never called"
assert all(shape == (2, 9, 65) for shape in logits_seen), (
    f"metric wants logits [batch pos d_vocab] = [2 9 65], but was called with {logits_seen}"
)
checks.check_shape(got, (2, 9, 65), "the rise of all logits", axes="batch pos vocab")
assert float(torch.abs(got).max()) > 1e-4, (
    "the ablation changed nothing: does the hook return the changed activation?"
)
checks.check_no_slip(
    got,
    "the rise of all logits without head 1.0",
    {
        "It says nothing any more: replace z by its mean, not by zero.": -saying[0],
        "All heads of layer 1 are replaced: only one shall be.": sum(
            saying[h].mean((0, 1)) - saying[h] for h in (0, 1)
        ),
        "The mean is over the batch only, one for each position.": saying[0].mean(0) - saying[0],
        "The mean is over positions only, one for each line.": saying[0].mean(1, keepdim=True)
        - saying[0],
        "Ablated minus clean, not clean minus ablated.": saying[0] - saying[0].mean((0, 1)),
        "bos is left out of the mean.": saying[0][:, 1:].mean((0, 1)) - saying[0],
    },
    atol=1e-3,
)
still_said = got + saying[0]  # by head 1.0 in the ablated run
uneven = float(torch.abs(still_said - still_said[:1, :1]).max())
assert uneven < 1e-3, (
    "in the ablated run head 1.0 must say one and the same thing at every position of every line, and all "
    f"other heads what they always say; yours differ by {uneven:.2g}: is z replaced, at [:, :, head] of "
    "this layer, by one mean over batch and positions?"
)
assert float(torch.abs(torch.sum(got, (0, 1))).max()) < 1e-2, (
    "one vector is said everywhere, and it is not the mean of what the head says: over which dimensions "
    "of z is the mean?"
)
number = ablate_and_measure(m, toks, 0, 1, lambda logits: float(logits[0, -1, 3]))
assert type(number) is float, (
    f"this metric returns a float, so a float is asked for: {type(number)}"
)
assert torch.equal(kept[1], toks), "the tokens were changed"
assert not (left := remove_hooks(m)), f"hooks are still on the model: {left}"

# %% nbgrader={"grade": true, "grade_id": "ablate_and_measure_test_2", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: every head of both models, measured by all logits at once; the tokens survive.
### BEGIN HIDDEN TESTS
seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)


def rise(m, toks, layer, head, metric):
    """The same difference by another way: what the head adds to the residual stream is replaced."""
    _, cache = m.run_with_cache(toks)
    z = cache["z", layer][:, :, head]  # [batch pos d_head]
    shift = (z.mean((0, 1)) - z) @ m.W_O[layer, head]  # [batch pos d_model]
    hooks = [(f"blocks.{layer}.hook_attn_out", lambda out, hook: out + shift)]
    return metric(m.run_with_hooks(toks, fwd_hooks=hooks)) - metric(m(toks))


cases = []
for name in ("impostor", "induction-2l2h"):
    m = model(name)
    remove_hooks(m)
    for layer in (0, 1):
        for head in (1, 0):
            toks = torch.randint(0, 64, (3, 10), generator=g)
            mix = torch.randn(3, 10, 65, generator=g)

            def blend(logits, mix=mix):
                """A random mixture of all logits: a tensor [pos]."""
                return (logits * mix).sum((0, 2))

            cases.append((name, toks, layer, head, blend, rise(m, toks, layer, head, blend)))
for name, toks, layer, head, blend, want in cases:
    got, kept = call_keeping(ablate_and_measure, model(name), toks, layer, head, blend)
    what = f"ablate_and_measure of head {layer}.{head} of {name}, seed {seed}"
    checks.check_close(got, want, what, atol=1e-3, rtol=1e-3)
    assert torch.equal(kept[1], toks), f"the tokens were changed [seed {seed}]"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "ablate_and_measure_test_3", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Hidden: a second call must not feel the first one.
### BEGIN HIDDEN TESTS
seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)
m = model("induction-2l2h")
remove_hooks(m)
block = torch.randint(0, 64, (4, 13), generator=g)
toks = torch.cat([torch.full((4, 1), 64), block, block], 1)


def second_copy_loss(logits):
    """Mean loss in nats of the tokens of the second copy that can be known."""
    return float(m.loss_fn(logits, toks, per_token=True)[:, 14:].mean())


wants = [rise(m, toks, layer, head, second_copy_loss) for layer in (0, 1) for head in (0, 1)]
for turn in (1, 2):
    gots = [
        ablate_and_measure(m, toks, layer, head, second_copy_loss)
        for layer in (0, 1)
        for head in (0, 1)
    ]
    for head, (got, want) in enumerate(zip(gots, wants, strict=True)):
        assert type(got) is float, f"got {type(got).__name__}; the metric returns a float"
        assert abs(got - want) < 1e-3, (
            f"round {turn}, head {head // 2}.{head % 2}: {got:.3f} nats is not the rise of the loss. "
            f"Is a hook of an earlier call still there? [seed {seed}]"
        )
assert not (left := remove_hooks(m)), f"hooks are still on the model: {left}"
### END HIDDEN TESTS

# %% [markdown]
# What does each head cost, in nats on the second copy? *What do you expect:* more or less than ln 64 ≈ 4.16,
# the price of knowing nothing?


# %%
def knowable_loss(logits):
    """Mean loss of the second copy of `repeats`, without its first token, which can only be bet on."""
    return float(net.loss_fn(logits, repeats, per_token=True)[:, PERIOD + 1 :].mean())


costs = torch.tensor(
    [
        [ablate_and_measure(net, repeats, layer, head, knowable_loss) for head in (0, 1)]
        for layer in (0, 1)
    ]
)
plots.head_grid(costs, title="Second copy: rise of the loss without the head", unit="nats")

# %% [markdown]
# <details><summary>What we see</summary>
#
# Compare it with ln 64 ≈ 4.16 nats, the price of knowing nothing. Without the previous-token head the
# model does *worse* than that, although both heads of layer 1 are still there. They copy as
# confidently as ever, but nobody tells them from where, and being sure and wrong is dearer than having
# no idea. The other head of layer 0 is missed far less. And of the two heads of layer 1, one partly does
# the work of the other when that one is gone: a small cost of one ablation does not show that a head
# is idle.
# </details>
#
# And now a picture to show to a friend. Same text, same model; what differs is one head of four.

# %%
other_head = 1 - prev_head


def losses_of(logits):
    """Loss at each position of `repeats`: [pos-1]."""
    return net.loss_fn(logits, repeats, per_token=True).mean(0)


whole = loss_by_position(net, repeats)
plots.position_losses(
    {
        "all four heads": whole,
        f"without 0.{other_head}": whole
        + ablate_and_measure(net, repeats, 0, other_head, losses_of),
        f"without 0.{prev_head} (previous token)": whole
        + ablate_and_measure(net, repeats, 0, prev_head, losses_of),
    },
    vocab=64,
    repeat_at=PERIOD,
    title="A model that learns from context, and what one head is worth",
)

# %% [markdown]
# ---
# ## 7 · Any text at all
#
# Difficulty ●●●○○ · Importance ●●●●○ · 20 minutes
#
# So far the text did us a favour: the earlier occurrence was always `period` places back. In a text
# as people write it, a name comes back after five words, then after thirty. Here is the definition
# that needs no period. (Olsson et al. 2022 call it *prefix matching*: the head looks where what
# comes before matches what you stand on.)
#
# Take a query at position *q*. A key *k* **answers** it if the token just before *k* is the token
# at *q*: `tokens[k - 1] == tokens[q]`, for 1 ≤ *k* ≤ *q*. In `⊢ a b a c a`, the query 5 (the third
# `a`) has the answers 2 and 4 (the `b` and the `c` that came after the first two).
#
# Write `prefix_matching_score(pattern, tokens)`.
#
# * `pattern` is `[batch head query key]`, the patterns of one layer on `tokens` `[batch pos]`.
# * For each query that has at least one answer, add up the attention that goes to **all its
#   answers**. The score of a head is the mean of these sums **over all queries of all lines that
#   have an answer**; queries without an answer do not count at all. The shape is `[head]`, the
#   dtype that of the pattern.
# * If no query has an answer, every head scores 0.
#
# <details><summary>Hint 1: a mask from comparing</summary>
#
# `tokens[:, :, None] == tokens[:, None, :]` is `[batch pos pos]` and says which tokens are the
# same. You want to compare the query's token not with the token at *k*, but with the one before
# *k*. What has to be moved, along which axis, and by how much? What about key 0?
# </details>
# <details><summary>Hint 2: what lies ahead does not count</summary>
#
# Comparing finds twins after the query as well. `tril` keeps what lies on and below the diagonal.
# </details>
# <details><summary>Hint 3: which queries count</summary>
#
# `mask.any(dim=-1)` is `[batch query]`: has this query an answer? Its sum is the number to divide
# by. It is the same number for all heads.
# </details>


# %% nbgrader={"grade": false, "grade_id": "prefix_matching_score", "locked": false, "schema_version": 3, "solution": true, "task": false}
def prefix_matching_score(pattern: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
    """Mean attention to the tokens that came after earlier occurrences of the current token.

    pattern: [batch head query key]. tokens: [batch pos]. Returns: [head].
    """
    ### BEGIN SOLUTION
    before = torch.nn.functional.pad(tokens[:, :-1], (1, 0), value=-1)  # [batch pos]
    answers = (tokens[:, :, None] == before[:, None, :]).tril()  # [batch query key]
    counted = answers.any(dim=-1).sum()  # the number of queries that have an answer
    attention = (pattern * answers[:, None]).sum(dim=(0, 2, 3))  # [head]
    return attention / counted.clamp(min=1)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "prefix_matching_score_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
line = torch.tensor([[9, 1, 2, 1, 3, 1]])  # ⊢ a b a c a
planted = torch.zeros(1, 4, 6, 6)
planted[0, :, torch.arange(6), torch.arange(6)] = 1.0  # everybody looks at the own place, but …
for h, looks in enumerate(([(3, 2), (5, 2)], [(3, 2), (5, 4)], [(3, 1), (5, 3)], [(3, 2)])):
    for q, k in looks:
        planted[0, h, q] = 0.0
        planted[0, h, q, k] = 1.0
got = prefix_matching_score(planted, line)
checks.check_tensor(got, "prefix_matching_score", dtype=torch.float32)
checks.check_shape(got, (4,), "prefix_matching_score of a pattern [1 4 6 6]", axes="head")
assert abs(float(got[2])) < 1e-6, (
    f"head 2 looks at the earlier a itself, not at what came after it: 0, not {float(got[2]):.3f}"
)
assert abs(float(got[0]) - 1) < 1e-6 and abs(float(got[1]) - 1) < 1e-6, (
    "heads 0 and 1 look at one of the answers at both queries that have some (3 and 5), so they score 1; "
    f"yours say {float(got[0]):.3f} and {float(got[1]):.3f}: which queries are averaged, and do all "
    "answers of a query count?"
)
assert abs(float(got[3]) - 0.5) < 1e-6, (
    f"head 3 looks at an answer at one of two queries, so it scores 0.5, not {float(got[3]):.3f}"
)
# Four lines in float64; every query looks with 0.1 at each key before it, and with the rest at itself.
lines_4 = torch.tensor(
    [[9, 1, 2, 1, 3, 1], [9, 4, 4, 2, 3, 5], [9, 1, 9, 2, 3, 4], [9, 1, 2, 3, 4, 5]]
)
tenths = torch.full((6, 6), 0.1, dtype=torch.float64).tril(-1)
tenths = (tenths + torch.diag(1 - tenths.sum(-1))).expand(4, 1, 6, 6).clone()
got, kept = call_keeping(prefix_matching_score, tenths, lines_4)
checks.check_tensor(got, "prefix_matching_score of a pattern in float64", dtype=torch.float64)
checks.check_close(
    got,
    torch.tensor([(0.1 + 0.2 + 0.8 + 0.1) / 4], dtype=torch.float64),
    "prefix_matching_score of four lines with 2, 1, 1 and 0 queries that have an answer",
    axes="head",
    slips={
        "At the second of two equal neighbours the answer is the place itself: k ≤ q.": (
            torch.tensor([0.4 / 3])
        ),
        "Only one of several answers counts: all of them do.": torch.tensor([1.1 / 4]),
        "Divide by the queries that have an answer, not by the answers.": torch.tensor([1.2 / 5]),
        "Queries without an answer do not count: divide by the others.": torch.tensor([1.2 / 24]),
        "One mean over the queries of all lines, not first a mean for each line.": torch.tensor(
            [(0.15 + 0.8 + 0.1 + 0) / 4]
        ),
        "⊢ is a token like any other: if it comes back, it has an answer.": torch.tensor([1.1 / 3]),
    },
)
assert torch.equal(kept[0], tenths) and torch.equal(kept[1], lines_4), "an argument was changed"
got, kept = call_keeping(prefix_matching_score, tenths[3:], lines_4[3:])
checks.check_tensor(got, "prefix_matching_score where nothing comes back", dtype=torch.float64)
checks.check_close(
    got,
    torch.zeros(1, dtype=torch.float64),
    "prefix_matching_score where nothing comes back",
    axes="head",
)
assert torch.equal(kept[0], tenths[3:]), "the pattern was changed"

# %% nbgrader={"grade": true, "grade_id": "prefix_matching_score_test_2", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: random patterns on random lines, with several answers and none, against loops; dtype.
### BEGIN HIDDEN TESTS
seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)
for length, symbols_there, kind in (
    (9, 4, torch.float64),
    (8, 6, torch.float32),
    (7, 3, torch.float64),
):
    toks = torch.randint(0, symbols_there, (2, length), generator=g)
    raw = torch.randn(2, 3, length, length, generator=g, dtype=torch.float64) * 2
    raw = raw.masked_fill(torch.ones(length, length).triu(1).bool(), float("-inf"))
    pat = raw.softmax(-1).to(kind)  # [batch=2 head=3 query key]
    cells, ids, means = pat.tolist(), toks.tolist(), []
    for h in range(3):
        sums = []
        for b in (0, 1):
            for q in range(length):
                found = [cells[b][h][q][k] for k in range(1, q + 1) if ids[b][k - 1] == ids[b][q]]
                sums += [sum(found)] if found else []
        means.append(sum(sums) / len(sums) if sums else 0.0)
    want = torch.tensor(means, dtype=kind)
    got, kept = call_keeping(prefix_matching_score, pat, toks)
    checks.check_tensor(got, "prefix_matching_score", dtype=kind)
    what = f"prefix_matching_score of a random pattern on {symbols_there} symbols, seed {seed}"
    checks.check_close(got, want, what, axes="head")
    assert torch.equal(kept[0], pat) and torch.equal(kept[1], toks), "an argument was changed"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "prefix_matching_score_test_3", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Hidden: a line in which nothing comes back, beside others and alone; two equal neighbours.
### BEGIN HIDDEN TESTS
even = torch.ones(5, 5).tril()
even = (even / even.sum(-1, keepdim=True)).expand(2, 1, 5, 5).clone()
got = prefix_matching_score(even, torch.tensor([[9, 1, 2, 1, 3], [9, 1, 2, 3, 4]]))
checks.check_tensor(got, "prefix_matching_score", dtype=torch.float32)
assert got.shape == (1,) and abs(float(got[0]) - 0.25) < 1e-6, (
    "one line has a query with an answer, the other has none and must not dilute the mean"
)
for kind in (torch.float64, torch.float32):
    got = prefix_matching_score(even.to(kind), torch.tensor([[9, 1, 2, 3, 4], [4, 3, 2, 1, 9]]))
    checks.check_tensor(got, "prefix_matching_score where nothing comes back", dtype=kind)
    assert got.shape == (1,) and float(got[0]) == 0, "where nothing comes back every head scores 0"
got = prefix_matching_score(even[:1], torch.tensor([[9, 1, 1, 2, 3]]))
assert got.shape == (1,) and abs(float(got[0]) - 1 / 3) < 1e-6, (
    "at the second of two equal neighbours the answer is the place itself: k ≤ q, not k < q"
)
### END HIDDEN TESTS

# %% [markdown]
# This score carries its control with it. Write random text of only six symbols: every symbol comes
# back all the time, at distances that chance decides. A head that counts places has nothing to
# count. For comparison, the title says what a head scores that looks everywhere alike. *What do you
# expect* of the impostor?

# %%
few = torch.randint(0, 6, (32, 49), generator=torch.Generator().manual_seed(6))
few[:, 0] = BOS
everywhere = torch.ones(49, 49).tril()
everywhere = (everywhere / everywhere.sum(-1, keepdim=True)).expand(32, 1, 49, 49)
alike = float(prefix_matching_score(everywhere, few)[0])


def matching_scores(model, tokens):
    """The prefix matching score of every head: [layer head]."""
    _, cache = model.run_with_cache(tokens)
    layers = range(model.cfg.n_layers)
    return torch.stack([prefix_matching_score(cache["pattern", n], tokens) for n in layers])


plots.head_grid(
    {"induction-2l2h": matching_scores(net, few), "impostor": matching_scores(twin, few)},
    title=f"Prefix matching on text of six symbols (looking everywhere alike: {alike:.2f})",
)

# %% [markdown]
# <details><summary>What we see</summary>
#
# The impostor falls to the level of a head that looks everywhere, and neither period nor second
# measurement was needed.
# </details>
#
# And now a text in words. `tiny-gpt2` is a small language model in the format of GPT-2, with two
# layers of four heads; the names below were invented for this sentence. Which heads look for what
# came after the last time? What do you expect: as many as in a model that does nothing else, or
# fewer? (If GPT-2 has been installed here, put `"gpt2"` in the place of the name.)

# %% tags=["play"]
my_model = "tiny-gpt2"
talker = model(my_model)
my_text = "Mr Dofilako said that Mrs Tuvezin met Mr Dofilako, and Mrs Tuvezin was here."
my_words = talker.to_tokens(my_text)  # [1 pos]
my_grid = matching_scores(talker, my_words)
plots.head_grid(my_grid, title="Prefix matching in a sentence").show()
my_layer, my_head = divmod(int(my_grid.argmax()), talker.cfg.n_heads)
plots.attention_heatmap(
    talker.run_with_cache(my_words)[1]["pattern", my_layer][0, my_head],
    talker.to_str_tokens(my_text),
    title=f"Head {my_layer}.{my_head} of {my_model}",
)

# %% [markdown]
# <details><summary>What we see</summary>
#
# The same stripe, wherever a name is spelt for the second time: all four heads of layer 1 put 0.35 to
# 0.86 of their attention there. But ask what this shows. `tiny-gpt2` was made for this course, and **two
# of five rows of its training text were random tokens that repeat**; the others say invented names
# twice on purpose. So it shows that heads made by such rows go on working in a sentence. It does *not*
# show that ordinary text makes them. That is what Olsson et al. (2022) show, on language models that
# nobody had trained on repeats; GPT-2 is one on which you can look for yourself.
# </details>

# %% [markdown]
# ---
# ## 8 · Who reads whom? Ask the weights
#
# Difficulty ●●●○○ · Importance ●●●●○ · 20 minutes
#
# You know which head looks one step back, and which heads copy. That they *work together* is still
# a story. Here begins the proof of it, in three steps: weights, an intervention, and the table that
# says what is matched.
#
# All that one layer tells the next passes through the residual stream, `d_model` numbers at each
# position. A head of an earlier layer **writes** into it: if it looks at a position that holds the
# row vector `x` `[d_model]`, it adds `x @ W_OV`, with `W_OV = W_V @ W_O`. A head of a later layer
# **reads** from it, and compares what it reads: a position that holds `y` is asked by one that
# holds `x` with the score `x @ W_Q @ W_K.T @ y` (biases and the scale left out).
#
# Suppose `y`, at the position that is looked at, was written by the earlier head. Follow it from
# where it came: through `W_OV`, and then into the score **from the side of the key**, which is
# `W_K @ W_Q.T`. The product of the two `[d_model d_model]` matrices says how much gets through, and
# the paper by Elhage et al. (2021, section "Two-Layer Attention-Only Transformers") makes it a
# number from 0 to 1:
#
# $$\frac{\lVert W_V W_O \; W_K W_Q^\top \rVert_F}{\lVert W_V W_O \rVert_F \; \lVert W_K W_Q^\top \rVert_F}$$
#
# with the Frobenius norm, the root of the sum of the squares of all entries. This is the score of
# **K-composition**: the earlier head changes *what the later one finds when it looks around*.
#
# Write `k_composition(W_V, W_O, W_Q, W_K)` for a model with any number of layers.
#
# * `W_V`, `W_Q`, `W_K` are `[layer head d_model d_head]`, `W_O` is `[layer head d_head d_model]`.
# * The result is `[layer head layer head]`: entry `[l, h, m, g]` is how much head *g* of layer *m*
#   reads head *h* of layer *l* by its keys. It is 0 unless *m* > *l*, since nobody reads what is
#   not written yet. Any floating-point dtype will do for it.
#
# (Notebook 05 looks at all three doors and at chance; you do not need it here. If you have done it, you
# have this score for two layers: take it from there. What is new is a model of any depth.)
#
# <details><summary>Hint 1: one pair</summary>
#
# Take four matrices `V`, `O`, `Q`, `K` of one pair of heads and write the formula for them.
# `.norm()` of a matrix in torch is the Frobenius norm. Check the shapes: `[d_model d_head]`,
# `[d_head d_model]`, `[d_model d_head]`, `[d_head d_model]`.
# </details>
# <details><summary>Hint 2: all pairs</summary>
#
# Four loops will do: the later layer's begins at `l + 1`. Or let `@` do the loops over heads: it
# works on the last two axes and broadcasts over the others. Then `.norm(dim=(-2, -1))`, and
# `transpose(-1, -2)` instead of `.T`.
# </details>


# %% nbgrader={"grade": false, "grade_id": "k_composition", "locked": false, "schema_version": 3, "solution": true, "task": false}
def k_composition(
    W_V: torch.Tensor, W_O: torch.Tensor, W_Q: torch.Tensor, W_K: torch.Tensor
) -> torch.Tensor:
    """How much each head reads each head of an earlier layer by its keys, from 0 to 1.

    W_V, W_Q, W_K: [layer head d_model d_head]. W_O: [layer head d_head d_model].
    Returns: [layer head layer head], the head that writes first, then the head that reads.
    """
    ### BEGIN SOLUTION
    layers, heads = W_V.shape[:2]
    writes = W_V @ W_O  # [layer head d_model d_model]
    reads = W_K @ W_Q.transpose(-1, -2)  # [layer head d_model d_model], entered by the key
    scores = torch.zeros(layers, heads, layers, heads, dtype=W_V.dtype, device=W_V.device)
    for layer in range(layers):
        for head in range(heads):
            note, later = writes[layer, head], reads[layer + 1 :]
            through = (note @ later).norm(dim=(-2, -1))  # [later layer, head]
            scores[layer, head, layer + 1 :] = through / (note.norm() * later.norm(dim=(-2, -1)))
    return scores
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "k_composition_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Three layers that are alike, of two heads, d_model 4, d_head 2. By hand:
# W_OV of head 0 takes coordinate 0 to 2, and 1 to 3 three times; that of head 1 keeps 0 and 1.
# W_K @ W_Q.T of head 0 takes 2 to 0, and 0 to 1; that of head 1 takes 3 to 1 and twice to 2.
e = torch.eye(4)
by_hand = {
    "W_V": torch.stack([torch.stack([e[0], 3 * e[1]], 1), torch.stack([e[0], e[1]], 1)]),
    "W_O": torch.stack([torch.stack([e[2], e[3]]), torch.stack([e[0], e[1]])]),
    "W_Q": torch.stack([torch.stack([e[0], e[1]], 1), torch.stack([e[1], e[2]], 1)]),
    "W_K": torch.stack([torch.stack([e[2], e[0]], 1), torch.stack([e[3], 2 * e[3]], 1)]),
}  # [head=2 …]
by_hand = [w.expand(3, *w.shape).clone() for w in by_hand.values()]  # [layer=3 head=2 …]
got, kept = call_keeping(k_composition, *by_hand)
checks.check_shape(got, (3, 2, 3, 2), "k_composition", axes="layer head layer head")
reads_of = torch.tensor([[20**-0.5, 0.9**0.5], [0.5, 0.0]])  # [writer reader]


def among_layers(pairs, pairs_of_layers=((0, 1), (0, 2), (1, 2))):
    """The scores [3 2 3 2] if the later of two layers reads the earlier one by `pairs` [2 2]."""
    scores = torch.zeros(3, 2, 3, 2)
    for earlier, later in pairs_of_layers:
        scores[earlier, :, later] = pairs
    return scores


checks.check_close(
    got,
    among_layers(reads_of),
    "k_composition of three layers that are alike",
    axes="layer head layer head",
    slips={
        "The note enters from the side of the key: W_K @ W_Q.T, not W_Q @ W_K.T.": among_layers(
            torch.tensor([[0.0, 0.08**0.5], [0.5**0.5, 0.1**0.5]])
        ),
        "The Frobenius norm is the root of the sum of all squares, not the largest singular value.": (
            among_layers(torch.tensor([[1 / 3, 1.0], [1.0, 0.0]]))
        ),
        "Divide by the norms of both matrices.": among_layers(
            torch.tensor([[1.0, 45**0.5], [1.0, 0.0]])
        ),
        "The head that writes comes first in the result, then the one that reads.": among_layers(
            reads_of.T
        ),
        "Every later layer reads, not only the one that follows at once.": among_layers(
            reads_of, ((0, 1), (1, 2))
        ),
        "Entry [l, h, m, g] is 0 unless layer m comes after layer l.": among_layers(
            reads_of, [(first, second) for first in range(3) for second in range(3)]
        ),
        "W_V belongs to what is written, and W_Q to what is read.": among_layers(
            torch.tensor([[0.5, 0.5**0.5], [0.5, 0.0]])
        ),
    },
)
assert all(torch.equal(a, b) for a, b in zip(kept, by_hand, strict=True)), "a weight was changed"

# %% nbgrader={"grade": true, "grade_id": "k_composition_test_2", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: random weights of several layers against sums of squares; other sizes of the weights.
### BEGIN HIDDEN TESTS
seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)
for layers, heads, width, inner in ((3, 2, 5, 3), (2, 3, 4, 4), (4, 1, 6, 2)):
    V, Q, K = torch.randn(3, layers, heads, width, inner, generator=g, dtype=torch.float64)
    out = torch.randn(layers, heads, inner, width, generator=g, dtype=torch.float64)
    K = K + 0.5 * out.transpose(-1, -2).roll(1, 0)
    size = torch.rand(4, generator=g).tolist()
    want = torch.zeros(layers, heads, layers, heads, dtype=torch.float64)
    for l1 in range(layers):
        for l2 in range(l1 + 1, layers):
            for h in range(heads):
                for j in range(heads):
                    # ‖X‖² is the trace of X Xᵀ, and a trace may be turned round
                    v, o, q, k = V[l1, h], out[l1, h], Q[l2, j], K[l2, j]
                    inside = o @ k  # [d_head d_head]
                    through = torch.trace(v.T @ v @ inside @ (q.T @ q) @ inside.T)
                    wrote = torch.trace(v.T @ v @ (o @ o.T))
                    reads = torch.trace(q.T @ q @ (k.T @ k))
                    want[l1, h, l2, j] = (through / (wrote * reads)) ** 0.5
    args = (V * size[0], out * 3, Q * size[1], K / size[2])
    got, kept = call_keeping(k_composition, *args)
    what = f"k_composition of {layers} layers of {heads} heads, seed {seed}"
    checks.check_close(got, want, what, axes="layer head layer head")
    assert all(torch.equal(a, b) for a, b in zip(kept, args, strict=True)), "a weight was changed"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "k_composition_test_3", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Hidden: in both trained models the strongest pair begins with the head that looks one step back.
### BEGIN HIDDEN TESTS
seed = secrets.randbelow(1_000_000)
noise_here = torch.randint(0, 64, (32, 40), generator=torch.Generator().manual_seed(seed))
for name in ("induction-2l2h", "induction-2l2h-noln"):
    m = model(name)
    remove_hooks(m)
    cache = m.run_with_cache(noise_here.to(m.cfg.device))[1]
    back = [float(cache["pattern", 0][:, h].diagonal(-1, 1, 2).mean()) for h in range(2)]
    got = k_composition(m.W_V.detach(), m.W_O.detach(), m.W_Q.detach(), m.W_K.detach())
    checks.check_shape(got, (2, 2, 2, 2), f"k_composition of {name}", axes="layer head layer head")
    place = [int(i) for i in torch.unravel_index(torch.argmax(got), (2, 2, 2, 2))]
    assert tuple(place[:3]) == (0, back.index(max(back)), 1), (
        f"the strongest pair of {name} must be the previous-token head and a head of layer 1 "
        f"[seed {seed}]"
    )
### END HIDDEN TESTS

# %% [markdown]
# Two heads that were never trained together do not score 0, because random subspaces overlap. So
# compare with weights of the same shapes, drawn by chance. *Which pairs do you expect* above it?

# %%
dice = torch.Generator().manual_seed(7)
strangers = [torch.randn(w.shape, generator=dice) for w in (net.W_V, net.W_O, net.W_Q, net.W_K)]
chance = float(k_composition(*strangers)[0, :, 1].mean())
read_by_key = k_composition(net.W_V, net.W_O, net.W_Q, net.W_K)[0, :, 1]  # [head of 0, head of 1]
plots.composition(
    (read_by_key - chance).clamp(min=0),
    unit=f"above chance, {chance:.3f}",
    title="Who reads whom, by key",
)

# %% [markdown]
# <details><summary>What we see</summary>
#
# Both induction heads read the previous-token head, well above chance. It is the pair that the
# story asks for, and no text was needed to find it.
# </details>
#
# But a score of weights says what *can* be read.
# What is read, and whether anything hangs on it, takes an intervention.

# %% [markdown]
# ---
# ## 9 · Through which door?
#
# Difficulty ●●●●○ · Importance ●●●●● · 30 minutes
#
# Exercise 6 switched off the previous-token head for everybody. That proved that the model needs
# it, not *how*. A head of layer 1 has three **inputs**, so it can read the note in three ways: by the
# **query** (it changes who asks), by the **key** (it changes what is found), by the **value** (it changes
# what is carried away). The story says: by the key, and by nothing else. So close one door at a time and leave the
# other two open. Interventions of this kind, on one path instead of one head, are called **path
# patching** (Wang et al. 2022, section 3; Goldowsky-Dill et al. 2023).
#
# It takes two runs.
#
# 1. **A run to record**: head `head` of layer 0 is mean-ablated, exactly as in exercise 6 (its `z`
#    is replaced by its mean over batch and positions). Write down what layer 1 makes of the
#    crippled stream: its queries, keys and values. They are at the hook points
#    `blocks.1.attn.hook_q`, `hook_k`, `hook_v`, `[batch pos head d_head]`.
# 2. **A run to measure**: the whole model with all its heads, except that *some* of these three
#    tensors of layer 1 are replaced by the recorded ones. For instance only the keys: then queries
#    and values know the note, and keys do not.
#
# Write `cut_doors(model, tokens, head, doors, metric)`.
#
# * `doors` is a string of the doors that are closed: `"k"`, `"q"`, `"v"`, or several, such as
#   `"qk"`. With `""` nothing is closed. All heads of layer 1 are treated alike.
# * As in exercise 6 the result is `metric(logits)` of the run to measure minus `metric(logits)` of
#   the model as it is, on `tokens` `[batch pos]`. No hook is left on the model.
#
# <details><summary>Hint 1: recording under a hook</summary>
#
# `with model.hooks(fwd_hooks=[(name, f)]):` keeps a hook for as long as the block lasts; inside it,
# call `model.run_with_cache(tokens)`. Afterwards `cache["k", 1]` is what stood at
# `blocks.1.attn.hook_k`.
# </details>
# <details><summary>Hint 2: putting it in</summary>
#
# A hook that returns a recorded tensor, whatever it is given: `lambda old, hook: recorded`. One
# hook for each letter of `doors`.
# </details>
# <details><summary>Hint 3: if "qk" does the same as "k"</summary>
#
# A `lambda` made in a loop looks up the loop's variable when it is *called*, and by then it holds
# the last letter. Give it the value at once: `lambda old, hook, door=door: …`.
# </details>


# %% nbgrader={"grade": false, "grade_id": "cut_doors", "locked": false, "schema_version": 3, "solution": true, "task": false}
def cut_doors(model, tokens: torch.Tensor, head: int, doors: str, metric):
    """How much `metric` rises when layer 1 reads a head of layer 0 no more, by some of its doors.

    tokens: [batch pos]. head: of layer 0. doors: letters of "q", "k", "v". metric: logits
    [batch pos d_vocab] -> number or tensor. Returns: what metric returns.
    """

    ### BEGIN SOLUTION
    def ablate(z, hook):  # z: [batch pos head d_head]
        z = z.clone()
        z[:, :, head] = z[:, :, head].mean(dim=(0, 1))
        return z

    with model.hooks(fwd_hooks=[("blocks.0.attn.hook_z", ablate)]):
        _, without = model.run_with_cache(tokens)
    closed = [
        (f"blocks.1.attn.hook_{door}", lambda old, hook, door=door: without[door, 1])
        for door in doors
    ]
    return metric(model.run_with_hooks(tokens, fwd_hooks=closed)) - metric(model(tokens))
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "cut_doors_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
m = model("induction-2l2h-noln")
remove_hooks(m)
toks = torch.tensor([[64, 3, 8, 1, 60, 3, 8, 1, 60], [64, 22, 5, 51, 17, 22, 5, 51, 17]])
logits_seen = []


def by_position(logits):
    """The logits themselves, with the positions in front: [pos batch d_vocab]."""
    logits_seen.append(tuple(logits.shape))
    return logits.transpose(0, 1)


none = cut_doors(m, toks, 0, "", by_position)
assert logits_seen and all(shape == (2, 9, 65) for shape in logits_seen), (
    f"metric wants logits [batch pos d_vocab] = [2 9 65], but was called with {logits_seen}"
)
checks.check_close(none, torch.zeros(9, 2, 65), "the rise with no door closed", atol=1e-4)
by_door = {
    doors: cut_doors(m, toks, 0, doors, by_position) for doors in ("q", "k", "v", "qk", "kq", "qkv")
}
for doors, rise_here in by_door.items():
    checks.check_shape(
        rise_here, (9, 2, 65), f"what cut_doors gives for {doors!r}", axes="pos batch vocab"
    )
    assert float(torch.abs(rise_here).max()) > 1e-3, f"closing {doors!r} changed nothing"
for one, other in (("q", "k"), ("k", "v"), ("qk", "k"), ("qk", "q"), ("qkv", "v")):
    assert not torch.allclose(by_door[one], by_door[other], atol=1e-3), (
        f"closing {one!r} is the same as closing {other!r}: does every door get its own tensor?"
    )
assert torch.allclose(by_door["qk"], by_door["kq"], atol=1e-3), (
    "the order of the letters is nothing"
)
# Without LayerNorm the door of the values can be counted out: the patterns of layer 1 stay, and what
# is carried over is linear.
as_it_is = m.run_with_cache(toks)[1]
patterns_1, note_0 = as_it_is["pattern", 1], as_it_is["z", 0][:, :, 0]  # [2 2 9 9], [2 9 d_head]


def carried(note_change, heads=(0, 1)):
    """What comes of it in the logits if head 0.0's z changes, for the values of layer 1 only."""
    change = note_change @ m.W_O[0, 0]  # [2 9 d_model]
    parts = [patterns_1[:, h] @ change @ m.W_V[1, h] @ m.W_O[1, h] @ m.W_U for h in heads]
    return sum(parts).transpose(0, 1)  # [9 2 65]


checks.check_close(
    by_door["v"],
    carried(note_0.mean((0, 1)) - note_0),
    "the rise of the logits with 'v' closed",
    axes="pos batch vocab",
    atol=1e-3,
    slips={
        "Closed minus as it is, not as it is minus closed.": carried(note_0 - note_0.mean((0, 1))),
        "The head of layer 0 is set to zero in the run to record: replace z by its mean.": carried(
            -note_0
        ),
        "The mean is over batch and positions, not over positions only.": carried(
            note_0.mean(1, keepdim=True) - note_0
        ),
        "All heads of layer 1 get the recorded values, not head 0 alone.": carried(
            note_0.mean((0, 1)) - note_0, heads=(0,)
        ),
    },
)
assert not (left := remove_hooks(m)), f"hooks are still on the model: {left}"

# %% nbgrader={"grade": true, "grade_id": "cut_doors_test_2", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: all heads and doors of three models, by a random mixture of all logits.
### BEGIN HIDDEN TESTS
seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)


def runs_by_hand(m, toks, head):
    """The model as it is, and the one in which layer 1 reads a stream without the head: two caches."""
    _, whole_run = m.run_with_cache(toks)
    z = whole_run["z", 0][:, :, head]  # [batch pos d_head]
    shift = (z.mean((0, 1)) - z) @ m.W_O[0, head]  # [batch pos d_model]
    with m.hooks(fwd_hooks=[("blocks.0.hook_attn_out", lambda out, hook: out + shift)]):
        return whole_run, m.run_with_cache(toks)[1]


def rise_by_hand(m, toks, runs, doors, metric):
    """The same difference by other points: layer 1 looks by hand."""
    q, k, v = (runs[door in doors][door, 1] for door in "qkv")
    scores = torch.einsum("bqhe,bkhe->bhqk", q, k) / m.cfg.d_head**0.5
    ahead = torch.ones(toks.shape[1], toks.shape[1], device=scores.device).triu(1).bool()
    looks = scores.masked_fill(ahead, float("-inf")).softmax(-1)
    carried_by_hand = torch.einsum("bhqk,bkhe->bqhe", looks, v)
    put = [("blocks.1.attn.hook_z", lambda old, hook: carried_by_hand.reshape(old.shape))]
    return metric(m.run_with_hooks(toks, fwd_hooks=put)) - metric(m(toks))


cases = []
for name, several in (
    ("induction-2l2h", ("v", "qk")),
    ("induction-2l2h-noln", ("k", "qv", "kqv")),
    ("tiny-gpt2", ("q", "vk")),
    ("induction-2l2h", ("q", "k")),
):
    m = model(name)
    remove_hooks(m)
    head = secrets.randbelow(m.cfg.n_heads)
    toks = torch.randint(0, 64, (3, 8), generator=g).to(m.cfg.device)
    mix = torch.randn(3, 8, m.cfg.d_vocab, generator=g).to(m.cfg.device)
    runs = runs_by_hand(m, toks, head)
    for doors in several:

        def blend(logits, mix=mix):
            """A random mixture of all logits: a tensor [pos]."""
            return (logits * mix).sum((0, 2))

        cases.append((name, toks, head, doors, blend, rise_by_hand(m, toks, runs, doors, blend)))
for name, toks, head, doors, blend, want in cases:
    got, kept = call_keeping(cut_doors, model(name), toks, head, doors, blend)
    what = f"cut_doors of head 0.{head} of {name}, doors {doors!r}, seed {seed}"
    checks.check_close(got, want, what, axes="pos", atol=2e-2, rtol=1e-3)
    assert torch.equal(kept[1], toks), f"the tokens were changed [seed {seed}]"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "cut_doors_test_3", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Hidden: the right loss by the right door, twice, and no hook left behind.
### BEGIN HIDDEN TESTS
seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)
m = model("induction-2l2h-noln")
remove_hooks(m)
block = torch.randint(0, 64, (8, 15), generator=g)
toks = torch.cat([torch.full((8, 1), 64), block, block], 1).to(m.cfg.device)
cache = m.run_with_cache(toks)[1]
back = [float(cache["pattern", 0][:, h].diagonal(-1, 1, 2).mean()) for h in range(2)]
looks_back = back.index(max(back))


def second_copy_loss(logits):
    """Mean loss in nats of the tokens of the second copy that can be known."""
    return float(m.loss_fn(logits, toks, per_token=True)[:, 16:].mean())


runs = runs_by_hand(m, toks, looks_back)
wants = {doors: rise_by_hand(m, toks, runs, doors, second_copy_loss) for doors in "qkv"}
for turn in (1, 2):
    for doors in ("k", "v", "q"):
        got = cut_doors(m, toks, looks_back, doors, second_copy_loss)
        assert type(got) is float, f"got {type(got).__name__}; the metric returns a float"
        assert abs(got - wants[doors]) < 1e-3, (
            f"round {turn}, door {doors!r}: {got:.3f} nats is not the rise of the loss. Is something of "
            f"an earlier call still there? [seed {seed}]"
        )
assert not (left := remove_hooks(m)), f"hooks are still on the model: {left}"
### END HIDDEN TESTS

# %% [markdown]
# The previous-token heads of two models: the one you know, and `induction-2l2h-noln`, trained in
# the same way, but without LayerNorm. *What do you expect,* after the story: which of the doors will cost
# something?

# %%
plain_net = model("induction-2l2h-noln")
plain_cache = plain_net.run_with_cache(noise)[1]
plain_prev = int(prev_token_score(plain_cache["pattern", 0]).argmax())
DOORS = ["v", "q", "k", "qk", "qkv"]
plots.contributions(
    {
        f"{kind}, head 0.{writer}": [
            cut_doors(which, repeats, writer, doors, knowable_loss) for doors in DOORS
        ]
        for kind, which, writer in (
            ("without LayerNorm", plain_net, plain_prev),
            ("induction-2l2h", net, prev_head),
        )
    },
    [" + ".join(doors) for doors in DOORS],
    unit="nats",
    title="Second copy: rise of the loss when doors to the previous-token head are closed",
)

# %% [markdown]
# <details><summary>What we see</summary>
#
# Without LayerNorm it is as the story says. With the values cut off from the previous-token head
# nothing happens, with the queries little (0.2 nats). Without its notes in the **keys** the loss rises
# by 4.4 nats, and the model is worse off than one that knows nothing. That is K-composition shown by an
# intervention, for layer 1 as a whole and on texts of this kind, without a single picture of attention.
#
# And then the other model, the one that this notebook began with. Keys cut off: 1.4 nats. Queries
# cut off: 1.2. Both: more than 5! One door alone costs a quarter of what both cost together, so the
# story, as it stands, does not explain this model. Something reads the note of the previous-token head
# in the **query**, and it keeps up most of the work when the keys are blind.
# </details>
#
# Something does not fit. Do not read on at once. What could a head do with "my left neighbour is *X*"
# in its query?

# %% [markdown]
# ---
# ## 10 · What is matched with what: the full K circuit
#
# Difficulty ●●●●○ · Importance ●●●●○ · 25 minutes
#
# The weights can say what a head of layer 1 is looking for, symbol by symbol. At a position that
# holds the token *a*, the residual stream before layer 1 holds the embedding of *a*, and besides it
# the notes of the heads of layer 0. A note of head *h* about the token *a* is
# `W_E[a] @ W_V[0, h] @ W_O[0, h]`: what the head writes if it looks at an *a*. So a head of layer 1
# can see *a* in several ways, and each of them can be in the query or in the key:
#
# | way | what the stream holds `[d_model]` | which tells it |
# | --- | --- | --- |
# | `None` | `W_E[a]` | *a* stands here |
# | `h`, a head of layer 0 | `W_E[a] @ W_V[0, h] @ W_O[0, h]` | *a* stands where head *h* looks from here |
#
# Choose one way for the query and one for the key, and there is a table over the vocabulary: **row
# *a*, column *b* is the score if the query sees *a* and the key sees *b*, each in its way**,
# divided by the root of `d_head`. With `None` for the query and the previous-token head for the key
# it is the *full K circuit* of the story: "I am *a*; the token before you was *b*". (Elhage et al.
# 2021, section "Two-Layer Attention-Only Transformers", on how induction heads work.)
#
# Write `match_circuit(model, head, query_via, key_via)` for head `head` of layer 1. The result is a
# `FactoredMatrix(left, right)` of TransformerLens, which keeps a product as its factors: `left`
# `[d_vocab d_head]` belongs to the queries, `right` `[d_head d_vocab]` to the keys. No `d_vocab` ×
# `d_vocab` table is made. Biases, positions and LayerNorm are left out. It shall work for any model
# of two or more layers.
#
# <details><summary>Hint 1: one small function</summary>
#
# What the stream holds of every token in one way is `[d_vocab d_model]`. Write that as a function
# of the way, and call it twice.
# </details>
# <details><summary>Hint 2: from the stream to the score</summary>
#
# The queries are that matrix times `model.W_Q[1, head]`, the keys the other times
# `model.W_K[1, head]`, each `[d_vocab d_head]`. The score of two of them is a product over
# `d_head`: one of the two must be turned over.
# </details>
# <details><summary>Hint 3: head 0 is a head</summary>
#
# `if via:` is false for `None`, and for 0 as well. Ask `via is None`.
# </details>


# %%
# Three layers and random weights: it knows nothing, but no two of its sizes are the same.
odd = build(
    {
        **{"n_layers": 3, "n_heads": 2, "d_model": 10, "d_head": 4, "d_vocab": 11, "n_ctx": 12},
        **{"attn_only": True, "normalization_type": None, "initializer_range": 0.5},
    }
)


# %% nbgrader={"grade": false, "grade_id": "match_circuit", "locked": false, "schema_version": 3, "solution": true, "task": false}
def match_circuit(model, head: int, query_via, key_via) -> FactoredMatrix:
    """The scores of a head of layer 1 if query and key see a token in the given ways.

    query_via, key_via: None for the embedding, or a head of layer 0 whose note is read.
    Rows: the token seen by the query. Columns: the token seen by the key. [d_vocab d_vocab],
    of inner size d_head.
    """

    ### BEGIN SOLUTION
    def seen(via):  # [d_vocab d_model]
        if via is None:
            return model.W_E
        return model.W_E @ model.W_V[0, via] @ model.W_O[0, via]

    queries = seen(query_via) @ model.W_Q[1, head]  # [d_vocab d_head]
    keys = seen(key_via) @ model.W_K[1, head]  # [d_vocab d_head]
    return FactoredMatrix(queries / model.cfg.d_head**0.5, keys.T)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "match_circuit_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
m = model("induction-2l2h-noln")
remove_hooks(m)
tables = {}
for ways in ((None, None), (None, 0), (None, 1), (0, None), (1, 0)):
    got = match_circuit(m, 0, *ways)
    assert type(got) is FactoredMatrix, f"a FactoredMatrix is asked for, not {type(got).__name__}"
    checks.check_shape(got.A, (65, 32), "the left factor of match_circuit", axes="vocab d_head")
    checks.check_shape(got.B, (32, 65), "the right factor of match_circuit", axes="d_head vocab")
    tables[ways] = torch.matmul(got.A, got.B)
assert not torch.allclose(tables[None, None], tables[None, 0], atol=1e-3), (
    "a key that reads the note of head 0 is not the same as a key that reads the embedding"
)
assert not torch.allclose(tables[None, 0], tables[0, None], atol=1e-3), (
    "a note in the key is not the same as a note in the query"
)
asks = m.W_E[7] @ m.W_Q[1, 0]
offers = m.W_E[9] @ m.W_K[1, 0]
seen_score, want = float(tables[None, None][7, 9]), float(torch.dot(asks, offers)) / 32**0.5
assert abs(seen_score / want - 32**0.5) > 1e-3, "the scores are not divided by the root of d_head"
assert abs(seen_score - want) < 1e-3, (
    f"with embeddings on both sides, row 7, column 9 is the score of 7 looking at 9; off by "
    f"{abs(seen_score - want):.2g}: are rows the queries?"
)
# One entry of a model of three layers, whose sizes differ, for head 1 of layer 1: the query has the
# note of head 0 about token 2, and the key the note of head 1 about token 6.
remove_hooks(odd)
got = match_circuit(odd, 1, 0, 1)
assert type(got) is FactoredMatrix, f"a FactoredMatrix is asked for, not {type(got).__name__}"
checks.check_shape(got.A, (11, 4), "the left factor of match_circuit of odd", axes="vocab d_head")
checks.check_shape(got.B, (4, 11), "the right factor of match_circuit of odd", axes="d_head vocab")
entry = float(torch.dot(got.A[2], got.B[:, 6]))


def noted(token, by, layer=0):
    """What a head writes that looks at a token: [d_model]."""
    return odd.W_E[token] @ odd.W_V[layer, by] @ odd.W_O[layer, by]


def score_of(asking, offering, layer=1, head=1, keys=odd.W_K):
    """The score of two vectors of the stream."""
    made = asking @ odd.W_Q[layer, head], offering @ keys[layer, head]
    return float(torch.dot(*made)) / 4**0.5


checks.check_close(
    entry,
    score_of(noted(2, 0), noted(6, 1)),
    "row 2, column 6 of match_circuit(odd, 1, 0, 1)",
    slips={
        "Head 0 is a head: ask `via is None`, since `if via` is false for 0 too.": score_of(
            odd.W_E[2], noted(6, 1)
        ),
        "The ways of query and key are exchanged.": score_of(noted(2, 1), noted(6, 0)),
        "Rows are queries: the factors are the wrong way round.": score_of(
            noted(6, 0), noted(2, 1)
        ),
        "The score is divided by the root of this model's d_head.": score_of(
            noted(2, 0), noted(6, 1)
        )
        * 4**0.5,
        "The root of d_head is that of the model: model.cfg.d_head.": score_of(
            noted(2, 0), noted(6, 1)
        )
        * (4 / 32) ** 0.5,
        "The notes are those of the heads of layer 0.": score_of(noted(2, 0, 1), noted(6, 1, 1)),
        "A way is the embedding or a note, not both added.": score_of(
            odd.W_E[2] + noted(2, 0), odd.W_E[6] + noted(6, 1)
        ),
        "Head 1 of layer 1 was asked for: is `head` used?": score_of(
            noted(2, 0), noted(6, 1), head=0
        ),
        "Keys are made by W_K.": score_of(noted(2, 0), noted(6, 1), keys=odd.W_Q),
        "Layer 1 reads here, not the last layer.": score_of(noted(2, 0), noted(6, 1), layer=2),
    },
    atol=1e-4,
)
assert got.A.shape[0] == got.B.shape[1] == 11, "match_circuit is a table of tokens by tokens"

# %% nbgrader={"grade": true, "grade_id": "match_circuit_test_2", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# Hidden: every head and way of four models, by random vectors from both sides in float64.
### BEGIN HIDDEN TESTS
gpt = model("tiny-gpt2")
no_norm = model("induction-2l2h-noln")
remove_hooks(net)
remove_hooks(gpt)
remove_hooks(no_norm)
remove_hooks(odd)
seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)
for m in (gpt, net, no_norm, odd):
    v, heads = m.cfg.d_vocab, m.cfg.n_heads
    name = f"a model of {m.cfg.n_layers} layers with d_head {m.cfg.d_head}"
    embed = m.W_E.detach().cpu().double()
    V, out = m.W_V[0].detach().cpu().double(), m.W_O[0].detach().cpu().double()
    Q, K = m.W_Q[1].detach().cpu().double(), m.W_K[1].detach().cpu().double()
    ways = (None, *range(heads))
    pairs = [(a, b) for a in ways for b in ways]
    if m is gpt:  # its tables are larger, and it has more heads: some pairs will do
        drawn_heads = torch.randint(0, heads, (2, 2), generator=g).tolist()
        pairs = [(None, 0), (0, None), *(tuple(pair) for pair in drawn_heads)]
    for head, (query_way, key_way) in [(head, pair) for head in range(heads) for pair in pairs]:
        x = torch.randn(2, v, generator=g, dtype=torch.float64)
        y = torch.randn(3, v, generator=g, dtype=torch.float64)
        sides = []
        for side, way in ((x, query_way), (y, key_way)):
            stream = side @ embed  # [n d_model]
            if way is not None:
                stream = (stream @ V[way]) @ out[way]
            sides.append(stream)
        form = Q[head] @ K[head].T / m.cfg.d_head**0.5  # [d_model d_model]
        want = torch.einsum("nd,dc,mc->nm", sides[0], form, sides[1])
        got = match_circuit(m, head, query_way, key_way)
        what = f"match_circuit({name}, {head}, {query_way}, {key_way})"
        assert type(got) is FactoredMatrix, f"{what}: got {type(got).__name__}"
        checks.check_shape(got.A, (v, m.cfg.d_head), f"the left factor of {what}")
        checks.check_shape(got.B, (m.cfg.d_head, v), f"the right factor of {what}")
        left = torch.matmul(x, got.A.detach().cpu().double())
        right = torch.matmul(y, got.B.detach().cpu().double().T)
        gap = float(torch.abs(torch.matmul(left, right.T) - want).max())
        assert gap < 1e-3 * float(want.abs().max()), (
            f"x @ {what} @ y is off by {gap:.2g} [seed {seed}]"
        )
### END HIDDEN TESTS

# %% [markdown]
# The table of the story, for the first 24 symbols: the query sees the symbol itself, the key sees
# the symbol *before* its position. *What do you expect?*

# %%
best_head = int(stripe_scores[1].argmax())  # the best induction head of layer 1
story = match_circuit(net, best_head, None, prev_head)
plots.matrix(
    story.A[:24] @ story.B[:, :24],
    axes=("symbol that looks", "symbol before the one that is looked at"),
    unit="score",
    labels=(ALPHABET[:24], ALPHABET[:24]),
    title=f"Head 1.{best_head}: it looks where its own symbol was just before",
)

# %% [markdown]
# <details><summary>What we see</summary>
#
# A diagonal: whatever symbol stands here, the head is drawn to the place whose note says the same
# symbol. (The numbers are small because LayerNorm, left out here, blows the stream up before the
# head reads it. It stretches rows and columns, and a diagonal stays a diagonal.)
# </details>

# %% [markdown]
# ---
# ## 11 · How often is the diagonal the largest?
#
# Difficulty ●●○○○ · Importance ●●●○○ · 15 minutes
#
# "A diagonal", says the eye about 24 symbols. For all of them a number is needed: the **share of
# rows whose largest entry is the one on the diagonal**. A table of chance gets 1 in `d_vocab`; a
# perfect matcher gets 1.
#
# Write `diagonal_accuracy(circuit)` for a `FactoredMatrix` of `[n n]` (its factors are `circuit.A`
# `[n r]` and `circuit.B` `[r n]`). It returns a Python `float`. For the vocabulary of GPT-2 the
# whole table would be 50,257² numbers, 10 GB. So **never hold it at once**: work through blocks of
# at most 256 rows.
#
# <details><summary>Hint 1: a block of rows</summary>
#
# `circuit.A[i : i + 256] @ circuit.B` is up to 256 rows of the table. `argmax` along the columns
# gives one column for each row. Which column is the right one for row `i + j`?
# </details>
# <details><summary>Hint 2: counting</summary>
#
# Add up the hits of all blocks and divide once, by `n`. The mean of the blocks' shares is something
# else if the last block is shorter.
# </details>


# %% nbgrader={"grade": false, "grade_id": "diagonal_accuracy", "locked": false, "schema_version": 3, "solution": true, "task": false}
def diagonal_accuracy(circuit: FactoredMatrix) -> float:
    """The share of rows whose largest entry is on the diagonal.

    circuit: [n n], of inner size r. At most 256 rows of it are made at a time.
    """
    ### BEGIN SOLUTION
    n = circuit.A.shape[0]
    hits = 0
    for start in range(0, n, 256):
        rows = circuit.A[start : start + 256] @ circuit.B  # [block n]
        own = torch.arange(start, start + len(rows), device=rows.device)
        hits += int((rows.argmax(dim=1) == own).sum())
    return hits / n
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "diagonal_accuracy_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
table = torch.tensor(
    [[3.0, 1, 0, 0, 0], [0, 1, 4, 0, 0], [0, 0, 2, 1, 0], [5, 0, 0, 4, 0], [-9, -9, -9, -9, -8]]
)
got = diagonal_accuracy(FactoredMatrix(table, torch.eye(5)))
assert type(got) is float, f"a Python float is asked for, not {type(got).__name__}"
assert abs(got - 0.6) < 1e-6, (
    f"the diagonal is the largest entry in rows 0, 2 and 4 of 5, so 0.6, not {got:.3f}: are rows compared, "
    "and not columns? Are negative entries compared by size and not by their absolute value?"
)
# 600 points on a circle, each nearest itself; the columns of the first 60 point the other way.
turns = torch.arange(600, dtype=torch.float64) * 0.01
points = torch.stack([turns.cos(), turns.sin()], 1)  # [600 2]
columns = points.T.clone()
columns[:, :60] *= -1
spent = cost(diagonal_accuracy, FactoredMatrix(points, columns))
assert type(spent.result) is float, f"a float is asked for, not {type(spent.result).__name__}"
checks.check_close(
    spent.result,
    540 / 600,
    "diagonal_accuracy of a table of 600 rows",
    slips={
        "The mean of the blocks' shares is something else: the last block is shorter.": (
            (196 / 256 + 1 + 1) / 3
        ),
        "The last, shorter block is left out.": (196 + 256) / 600,
        "In the second block, row j is row 256 + j of the table.": 196 / 600,
    },
)
assert spent.largest <= 256 * 600, (
    f"a tensor of {spent.largest} entries was made; 256 rows of this table have {256 * 600}"
)

# %% nbgrader={"grade": true, "grade_id": "diagonal_accuracy_test_2", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: random tables of several sizes, also longer than a block, counted in loops.
### BEGIN HIDDEN TESTS
seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)
for n, r in ((7, 3), (300, 6), (256, 5), (520, 8), (1, 1)):
    A = torch.nn.functional.normalize(torch.randn(n, r, generator=g, dtype=torch.float64), dim=1)
    loud = torch.rand(n, generator=g, dtype=torch.float64) * 1.5
    loud[n - n % 256 :] = 3.0  # the rows of a last, shorter block all have a large diagonal
    loud[255:257] = 3.0  # and those at the edge of the first
    B = A.T * loud
    table = (A @ B).tolist()
    hits = sum(1 for i, row in enumerate(table) if max(row) == row[i])
    got = diagonal_accuracy(FactoredMatrix(A, B))
    assert type(got) is float, f"got {type(got).__name__}, a float is asked for"
    assert abs(got - hits / n) < 1e-9, (
        f"a table of {n} rows: {got:.4f} is not the share of its rows [seed {seed}]"
    )
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "diagonal_accuracy_test_3", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Hidden: a table of 3000 rows, of which no more than 256 may be made at a time.
### BEGIN HIDDEN TESTS
seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)
angle = torch.rand(3000, generator=g, dtype=torch.float64).sort().values * 6.28
A = torch.stack([angle.cos(), angle.sin()], 1)  # [3000 2]: points on a circle, each nearest itself
B = A.T.clone()
lost = torch.randperm(3000, generator=g)[:750]
B[:, lost] = -B[:, lost]  # these columns point away from their rows
spent = cost(diagonal_accuracy, FactoredMatrix(A, B))
assert type(spent.result) is float and abs(spent.result - 0.75) < 0.01, (
    f"three rows in four of a table of 3000 are right, not {spent.result} [seed {seed}]"
)
assert spent.largest <= 256 * 3000, (
    f"a tensor of {spent.largest} entries was made; 256 rows have {256 * 3000}"
)
### END HIDDEN TESTS

# %% [markdown]
# And now all ways of seeing a symbol, in the query and in the key, for that head of layer 1. Which
# of them does it match?

# %%
WAYS = [None, 0, 1]
WAY_NAMES = ["symbol", "note:0.0", "note:0.1"]  # the symbol itself, or what a head noted


def matches(model, head):
    """The diagonal accuracy for each way in the query and each way in the key: [3 3]."""
    table = [[diagonal_accuracy(match_circuit(model, head, q, k)) for k in WAYS] for q in WAYS]
    return torch.tensor(table)


plots.matrix(
    matches(net, best_head),
    axes=("the query sees", "the key sees"),
    unit="accuracy",
    labels=(WAY_NAMES, WAY_NAMES),
    limit=1.0,
    title=f"induction-2l2h, head 1.{best_head}: what is matched with what",
)

# %% [markdown]
# <details><summary>What we see</summary>
#
# There are **two** ways with almost all rows right. One is the story: the symbol here, against the
# note of the previous-token head there. The other one nobody had told us: the note of the
# previous-token head *here*, against the note of the **other** head of layer 0 *there*. (Two more are
# right in most rows. What weights can match, the model need not make use of.)
# </details>
#
# So what do the heads of layer 0 note, besides the symbol just before? Text that does not repeat shows
# how far back each of them looks. *What do you expect* of the other head?

# %%
offsets = torch.arange(8)
steps_back = {
    f"head 0.{h}": [
        float(noise_cache["pattern", 0][:, h].diagonal(-int(o), 1, 2).mean()) for o in offsets
    ]
    for h in (0, 1)
}
plots.curves(
    offsets,
    steps_back,
    x_title="steps back",
    y_title="mean attention",
    title="How far back the heads of layer 0 look, on text that does not repeat",
)

# %%
drawings.two_back()

# %% [markdown]
# **Two** steps back, more than anywhere else. Put it together. You stand on the second `A` of
# `… X A B … X A`, and your left neighbour was `X`. The place you want is the one of `B`, and *two*
# steps before it stood `X`. So "who has noted that `X` stood two before?" leads to the same place
# as "who has noted that `A` stood just before?". The model does both, by two doors, and adds the
# scores. That is why closing one door costs little, and it makes the model more certain where one
# symbol alone could mislead it: with both, it matches *two* symbols in a row.
#
# The single clue was a number that did not fit (1.4 and 1.2, and then more than 5). Redundancy like
# this is common in trained networks. Whoever ablates one thing at a time, and finds that little
# happens, has not shown that it does nothing.

# %% [markdown]
# ---
# ## 12 · Why one layer is not enough
#
# Difficulty ●●●○○ · Importance ●●●●○ · 20 minutes
#
# In exercise 3 we claimed that in layer 0 no position knows its left neighbour. The impostor got
# caught by this, and the whole story of two layers hangs on it. It is a claim about *every*
# transformer of this kind, trained in whatever way, and you can test it without knowing anything
# about its weights: **exchange one token, and see whether the key right after it moves.** The keys
# of a layer are all that others can find there.
#
# Write `neighbour_in_key(model, tokens, position, other)`.
#
# * `tokens` is `[batch pos]`; `position` is an int, less than `pos - 1`; `other` is `[batch]`, the
#   ids that are put at `position`, one for each line. The rest of the line stays.
# * Let $k$ be the key at position `position + 1` of one head on the line as it is, and $k'$ the key
#   at the same place on the changed line. Return for every head the **mean over the batch of**
#   $\lVert k' - k \rVert / \lVert k \rVert$, `[layer head]`. Zero means: this key knows nothing
#   about its left neighbour.
# * Keys are `[batch pos head d_head]`, at `blocks.{layer}.attn.hook_k`. The tokens that were given
#   stay as they are.
#
# <details><summary>Hint 1: two runs</summary>
#
# Copy the tokens, write `other` into one column of the copy, and run both with a cache.
# `cache["k", layer]` are the keys of a layer.
# </details>
# <details><summary>Hint 2: the right place</summary>
#
# The token at `position` changes; of course the key *at* `position` changes with it. The question
# is about the position after.
# </details>
# <details><summary>Hint 3: which norm, which mean</summary>
#
# `.norm(dim=-1)` of `[batch head d_head]` is `[batch head]`. Divide first, and then take the mean
# over the batch.
# </details>


# %% nbgrader={"grade": false, "grade_id": "neighbour_in_key", "locked": false, "schema_version": 3, "solution": true, "task": false}
def neighbour_in_key(
    model, tokens: torch.Tensor, position: int, other: torch.Tensor
) -> torch.Tensor:
    """How much the key after a position moves when the token at the position is exchanged.

    tokens: [batch pos]. other: [batch]. Returns: [layer head], the mean of |k' - k| / |k|.
    """
    ### BEGIN SOLUTION
    changed = tokens.clone()
    changed[:, position] = other
    _, before = model.run_with_cache(tokens)
    _, after = model.run_with_cache(changed)
    rows = []
    for layer in range(model.cfg.n_layers):
        key = before["k", layer][:, position + 1]  # [batch head d_head]
        moved = after["k", layer][:, position + 1] - key
        rows.append((moved.norm(dim=-1) / key.norm(dim=-1)).mean(dim=0))  # [head]
    return torch.stack(rows)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "neighbour_in_key_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
m = model("induction-2l2h")
remove_hooks(m)
toks = torch.tensor([[64, 7, 1, 30, 7, 9, 12], [64, 50, 2, 5, 11, 40, 3], [64, 0, 63, 5, 8, 6, 2]])
new = torch.tensor([4, 60, 21])
got, kept = call_keeping(neighbour_in_key, m, toks, 3, new)
checks.check_tensor(got, "neighbour_in_key", dtype=torch.float32)
checks.check_shape(
    got, (2, 2), "neighbour_in_key of a model of 2 layers and 2 heads", axes="layer head"
)
assert float(got[0].abs().max()) < 1e-4, (
    f"in layer 0 a key knows its own token and place only, so nothing may move; yours moves by "
    f"{float(got[0].abs().max()):.2f}: is it the key *after* the exchanged token?"
)
assert float(got[1].min()) > 0.05, "in layer 1 the keys after the exchanged token do move"
exchanged = torch.cat([toks[:, :3], new[:, None], toks[:, 4:]], 1)
was, now = m.run_with_cache(toks)[1], m.run_with_cache(exchanged)[1]
first_for_all = torch.cat([toks[:, :3], new[:1].expand(3, 1), toks[:, 4:]], 1)
far = m.run_with_cache(first_for_all)[1]["k", 1][:, 4] - was["k", 1][:, 4]
keys, moves = was["k", 1][:, 4], now["k", 1][:, 4] - was["k", 1][:, 4]  # [3 2 d_head]
asks, turned = was["q", 1][:, 4], now["q", 1][:, 4] - was["q", 1][:, 4]
checks.check_no_slip(
    got[1],
    "row 1 of neighbour_in_key",
    {
        "Divide by the length of the key.": moves.norm(dim=-1).mean(0),
        "Divide by the length of the key as it was, not of the new one.": (
            moves.norm(dim=-1) / now["k", 1][:, 4].norm(dim=-1)
        ).mean(0),
        "First divide, line by line, and then take the mean over the batch.": (
            moves.norm(dim=-1).mean(0) / keys.norm(dim=-1).mean(0)
        ),
        "The length of the change is asked for, not the change of the length.": (
            ((keys + moves).norm(dim=-1) - keys.norm(dim=-1)).abs() / keys.norm(dim=-1)
        ).mean(0),
        "Take the length of each line's change, and then the mean.": (
            moves.mean(0).norm(dim=-1) / keys.mean(0).norm(dim=-1)
        ),
        "One norm for each head.": (moves.norm(dim=(-2, -1)) / keys.norm(dim=(-2, -1)))
        .mean(0)
        .expand(2),
        "Keys are asked for; these are queries.": (turned.norm(dim=-1) / asks.norm(dim=-1)).mean(0),
        "Each line has a new token of its own.": (far.norm(dim=-1) / keys.norm(dim=-1)).mean(0),
    },
)
assert torch.equal(kept[1], toks), "the tokens that were given were changed: copy them first"
same = neighbour_in_key(m, toks, 3, toks[:, 3])
assert float(same.abs().max()) < 1e-5, "a token exchanged for itself moves nothing"

# %% nbgrader={"grade": true, "grade_id": "neighbour_in_key_test_2", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# Hidden: four models, several places, against runs line by line and sums in float64.
### BEGIN HIDDEN TESTS
seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)


def keys_after(m, line, place):
    """The keys of all layers at one place of one line, seen by hooks: [layer head d_head]."""
    keys = {}

    def keep(value, hook, layer):
        keys[layer] = value[0, place].double().reshape(m.cfg.n_heads, -1) + 0

    layers = range(m.cfg.n_layers)
    m.run_with_hooks(
        line[None],
        fwd_hooks=[
            (f"blocks.{n}.attn.hook_k", lambda value, hook, n=n: keep(value, hook, n))
            for n in layers
        ],
    )
    return [keys[n].tolist() for n in layers]


for name, at in (("induction-2l2h", 2), ("tiny-gpt2", 4), ("induction-1l", 0), ("impostor", 5)):
    m = model(name)
    remove_hooks(m)
    toks = torch.randint(0, 64, (3, 8), generator=g).to(m.cfg.device)
    new = torch.randint(0, 64, (3,), generator=g).to(m.cfg.device)
    want = torch.zeros(m.cfg.n_layers, m.cfg.n_heads)
    for b in range(3):
        line = toks[b].clone()
        plain_keys = keys_after(m, line, at + 1)
        line[at] = new[b]
        moved_keys = keys_after(m, line, at + 1)
        for n in range(m.cfg.n_layers):
            for h in range(m.cfg.n_heads):
                k, k2 = plain_keys[n][h], moved_keys[n][h]
                gap = sum((x - y) ** 2 for x, y in zip(k, k2, strict=True)) ** 0.5
                want[n, h] += gap / sum(x * x for x in k) ** 0.5 / 3
    got, kept = call_keeping(neighbour_in_key, m, toks, at, new)
    what = f"neighbour_in_key of {name} at position {at}, seed {seed}"
    checks.check_tensor(got, what, dtype=torch.float32)
    checks.check_close(got, want, what, axes="layer head", atol=1e-4, rtol=1e-3)
    assert torch.equal(kept[1], toks), f"the tokens that were given were changed [seed {seed}]"
    assert float(got[0].abs().max()) < 1e-3, f"{what}: a key of layer 0 moved"
### END HIDDEN TESTS

# %% [markdown]
# Three models, one of them with one layer only. *What do you expect* in layer 0, and in layer 1?

# %%
others = torch.randint(0, 64, (32,), generator=torch.Generator().manual_seed(8))
lone = model("induction-1l")  # one layer, trained on the same text
plots.head_grid(
    {
        "induction-1l": neighbour_in_key(lone, repeats, 5, others),
        "impostor": neighbour_in_key(twin, repeats, 5, others),
        "induction-2l2h": neighbour_in_key(net, repeats, 5, others),
    },
    title="How much a key moves with its left neighbour",
    unit="|k' − k| / |k|",
)

# %% [markdown]
# <details><summary>What we see</summary>
#
# Zero in layer 0, and not "small": exactly zero, in every transformer of this kind. What is not in the keys
# cannot be found by looking, however long one trains. In layer 1 of the real model a key moves
# about as much as it is long; in the impostor layer 1 *could* know its neighbours, and does not
# care to.
# </details>
#
# What does a model do that has one layer only? It was trained on the same text as ours, for as many
# steps. *What do you expect* of it in the second copy: ln 64 nats, or less?

# %%
plots.position_losses(
    {"one layer": loss_by_position(lone, repeats), "two layers": loss_by_position(net, repeats)},
    vocab=64,
    repeat_at=PERIOD,
    title="The same training, one layer or two",
)

# %% [markdown]
# <details><summary>What we see</summary>
#
# It gets down to about 3 nats, not to 4.16: it has learnt that what stood 12 to 24 places back is
# more likely than other symbols, and bets on all of those at once. That is what can be known
# without knowing neighbours. The rest of the way needs a second layer, which reads what the first
# has written.
# </details>

# %% [markdown]
# Is it two *layers* that induction needs, or only keys that know their left neighbour? Change the
# architecture and see: `induction-1l-smeared` has one layer and was trained on the same text for as many
# steps, but to each of its keys three times the key of the position before was added. (In papers:
# **smeared keys**; Olsson et al. 2022, "Argument 2".) Its weights are used with a hook that does so.
# *What do you expect?*

# %%
smeared = model("induction-1l-smeared")


def smear(keys, hook):  # [batch pos head d_head]
    """To every key, three times the key before it."""
    before = torch.cat([torch.zeros_like(keys[:, :1]), keys[:, :-1]], dim=1)
    return keys + 3 * before


with smeared.hooks(fwd_hooks=[("blocks.0.attn.hook_k", smear)]):
    smeared_loss = loss_by_position(smeared, repeats)
    smeared_patterns = [
        smeared.run_with_cache(lines)[1]["pattern", 0] for lines in (repeats, noise)
    ]
smeared_scores = [induction_score(pattern, PERIOD) for pattern in smeared_patterns]  # [head] each
plots.position_losses(
    {
        "one layer": loss_by_position(lone, repeats),
        "one layer, smeared keys": smeared_loss,
        "two layers": loss_by_position(net, repeats),
    },
    vocab=64,
    repeat_at=PERIOD,
    title="One layer, if its keys know their left neighbour",
)

# %% [markdown]
# <details><summary>What we see</summary>
#
# The second copy costs 0.17 nats, where one layer with plain keys pays 3.06 and two layers 0.01. The
# stripe of the two heads is 0.77 and 0.38 on lines that repeat, and 0.11 and 0.04 on lines that do not, so
# it is no impostor's. That one piece of knowledge, who stands to the left, is what the second layer was
# needed for. Olsson et al. use it as a test: if a model's use of its context comes from induction heads,
# then a change that makes such heads possible in one layer must bring that use along; and it does.
# </details>

# %% [markdown]
# ---
# ## 13 · What the context is worth
#
# Difficulty ●●○○○ · Importance ●●●○○ · 10 minutes
#
# The last question is *when*. Was the circuit there from the beginning and grew, or did it appear?
# The training of `induction-2l2h` was recorded: after 0, 20, 40, … of its 1000 steps its weights
# were kept. To see how much such a half-trained model gains from the context, one number is enough:
# **how much cheaper is the second copy than the first?** (Olsson et al. 2022 measure large language
# models by the same idea: the loss late in a text compared with the loss early in it. They call it
# the in-context learning score.)
#
# Write `context_gain(losses, period)`.
#
# * `losses` `[pos-1]` is what `loss_by_position` returns on lines `[bos, block, block]` of that
#   period: entry *i* is the loss of predicting the token at position *i + 1*. So there are
#   `2*period` entries.
# * The result is the mean loss of the tokens of the **first copy** minus the mean loss of those
#   tokens of the **second copy that can be known**: all but its first, which nobody can look up. In
#   nats; positive if context helps. A Python `float`.
#
# <details><summary>Hint 1: which entries are the first copy?</summary>
#
# The first copy stands at positions 1 to `period`. Entry *i* is about position *i + 1*. So which
# entries are about positions 1 to `period`?
# </details>
# <details><summary>Hint 2: and the second?</summary>
#
# It stands at positions `period + 1` to `2*period`, and its first token does not count. One entry
# of `losses` belongs to neither mean.
# </details>


# %% nbgrader={"grade": false, "grade_id": "context_gain", "locked": false, "schema_version": 3, "solution": true, "task": false}
def context_gain(losses: torch.Tensor, period: int) -> float:
    """By how many nats the second copy is cheaper than the first, without its first token.

    losses: [2*period], entry i for the token at position i + 1 of [bos, block, block].
    """
    ### BEGIN SOLUTION
    return float(losses[:period].mean() - losses[period + 1 :].mean())
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "context_gain_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
given = torch.tensor([7.0, 5.0, 3.0, 100.0, 1.0, 3.0])
got, kept = call_keeping(context_gain, given, 3)
assert type(got) is float, f"a Python float is asked for, not {type(got).__name__}"
checks.check_close(
    got,
    3.0,  # (7 + 5 + 3) / 3 - (1 + 3) / 2
    "in ⊢ a b c a b c the losses of a, b, c are 7, 5, 3, that of the second a is 100 and counts nowhere, "
    "and those of the second b and c are 1 and 3: the gain",
    slips={
        "The first token of the second copy can only be guessed: leave it out.": 5 - 104 / 3,
        "Entry i is about position i + 1: the first copy begins at entry 0.": 108 / 3 - 2,
        "First copy minus second copy, not the other way round.": -3.0,
        "Means, not sums.": 15.0 - 4,
        "The first token of the first copy counts.": 4.0 - 2,
        "The last token of the first copy counts.": 6.0 - 2,
        "All tokens of a copy count, not only its last.": 3.0 - 3,
        "The first copy is compared with the second, not the whole text.": 119 / 6 - 2,
        "The last entry counts.": 5.0 - 1,
    },
)
assert torch.equal(kept[0], given), "the losses were changed"

# %% nbgrader={"grade": true, "grade_id": "context_gain_test_2", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: random losses of several periods, against sums in a loop.
### BEGIN HIDDEN TESTS
seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)
for lag in (2, 5, 11, 24):
    given = torch.rand(2 * lag, generator=g, dtype=torch.float64) * 5
    numbers = given.tolist()
    early = sum(numbers[at - 1] for at in range(1, lag + 1)) / lag
    late = sum(numbers[at - 1] for at in range(lag + 2, 2 * lag + 1)) / (lag - 1)
    got, kept = call_keeping(context_gain, given, lag)
    assert type(got) is float, f"got {type(got).__name__}, a float is asked for"
    assert abs(got - (early - late)) < 1e-5, f"period {lag}: {got:.4f} is wrong [seed {seed}]"
    assert torch.equal(kept[0], given), "the losses were changed"
### END HIDDEN TESTS

# %% [markdown]
# ---
# ## 14 · When did it form?
#
# Difficulty ●●●○○ · Importance ●●●●● · 20 minutes
#
# You have a number at each of some steps of training, and want to say *when* the thing was there.
# "At its highest" is no answer: that may be anywhere on a long plateau. "When it first passed a
# half" is better, and fails if the curve dips again. Here is a definition that takes both into
# account:
#
# > it formed at the **earliest of the given steps from which on the value never again falls below
# > `share` times its final value.**
#
# "Final" is the value at the largest step. "From which on" includes that step itself.
#
# Write `when_did_it_form(steps, values, share)`.
#
# * `steps` is a list of different ints, `values` a list of as many floats: `values[i]` was measured
#   at step `steps[i]`. **The steps may come in any order.** The final value is positive, and
#   `share` is between 0 and 1.
# * The result is an int, one of `steps`. The lists stay as they are.
#
# <details><summary>Hint 1: in order</summary>
#
# `sorted(zip(steps, values))` is a list of pairs in the order of their steps. Which of its entries
# has the final value?
# </details>
# <details><summary>Hint 2: from the end</summary>
#
# Walk backwards from the last step, for as long as values are large enough. The last one at which
# you are still satisfied is the answer. Walking forwards, you would have to look ahead.
# </details>


# %% nbgrader={"grade": false, "grade_id": "when_did_it_form", "locked": false, "schema_version": 3, "solution": true, "task": false}
def when_did_it_form(steps: list, values: list, share: float) -> int:
    """The earliest step from which on the value stays at or above share times its final value."""
    ### BEGIN SOLUTION
    in_order = sorted(zip(steps, values, strict=True))
    formed, final = in_order[-1]
    for step, value in reversed(in_order):
        if value < share * final:
            break
        formed = step
    return formed
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "when_did_it_form_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
got = when_did_it_form([0, 10, 20, 30, 40], [0.0, 0.1, 0.6, 0.9, 0.8], 0.5)
assert type(got) is int, f"an int is asked for, not {type(got).__name__}"
assert got == 20, f"0.6 at step 20 is the first value of 0.4 or more, so 20, not {got}"
got = when_did_it_form([0, 10, 20, 30, 40], [0.0, 0.7, 0.2, 0.9, 0.8], 0.5)
assert got == 30, f"at step 20 the value falls to 0.2 again, so it formed at 30, not at {got}"
shuffled, curve = [30, 0, 40, 10, 20], [0.9, 0.0, 0.8, 0.7, 0.2]
got, kept = call_keeping(when_did_it_form, shuffled, curve, 0.5)
assert got == 30, f"the same in another order of the steps: 30, not {got}"
assert kept[0] == shuffled and kept[1] == curve, "a list was changed: are they sorted in place?"
got = when_did_it_form([0, 10, 20, 30], [0.0, 0.3, 0.9, 0.5], 0.5)
assert got == 10, (
    f"the final value is 0.5, and 0.3 is more than half of it: 10, not {got}. Is it half of the largest "
    "value, or the share itself, that is compared?"
)
got = when_did_it_form([0, 10, 20], [0.25, 0.5, 1.0], 0.5)
assert got == 10, f"at step 10 the value is just the half: it does not fall below it: 10, not {got}"
got = when_did_it_form([5, 10, 20], [1.0, 2.0, 1.5], 0.5)
assert got == 5, f"the value is never too small, so it was there at the first step: 5, not {got}"

# %% nbgrader={"grade": true, "grade_id": "when_did_it_form_test_2", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: random curves in random order, with dips and equal values, against trying every step.
### BEGIN HIDDEN TESTS
import random

seed = secrets.randbelow(1_000_000)
dice_6 = random.Random(seed)
for attempt in range(200):
    n = dice_6.randint(1, 9)
    given = dice_6.sample(range(0, 2000, 10), n)
    curve = [dice_6.choice([-0.2, 0.0, 0.1, 0.2, 0.4, 0.5, 0.8]) for _ in given]
    end = given.index(max(given))
    curve[end] = dice_6.choice([0.4, 0.8, 1.6])
    part = dice_6.choice([0.25, 0.5, 0.75])
    fits = [
        step
        for step in given
        if all(v >= part * curve[end] for s, v in zip(given, curve, strict=True) if s >= step)
    ]
    got, kept = call_keeping(when_did_it_form, given, curve, part)
    assert type(got) is int, f"got {type(got).__name__}, an int is asked for"
    assert got == min(fits), (
        f"curve {attempt}, steps {given}, values {curve}, share {part}: {got} is not the step "
        f"[seed {seed}]"
    )
    assert kept[0] == given and kept[1] == curve, f"the steps or values were changed [seed {seed}]"
### END HIDDEN TESTS

# %% [markdown]
# And now the film of it. For every snapshot, four numbers: does a head of layer 0 look back
# (exercise 3)? Is there a head in layer 1 with the stripe, minus its control (exercises 4 and 5)? How
# strongly can it read what layer 0 writes (exercise 8)? And what is the context worth (exercise
# 13)? The weights of one snapshot after the other are put into one copy of the model, which reads
# 16 lines that repeat and 16 that do not, all at once.

# %%
history = {
    "looks one step back": [],
    "stripe − control": [],
    "K-composition": [],
    "context gain": [],
}
record = snapshots("induction-2l2h")
then = deepcopy(net)
for step in record:
    then.load_state_dict(weights(f"induction-2l2h@{step}"))
    seen = then.run_with_cache(torch.cat([repeats[:16], noise[:16]]))[1]
    history["looks one step back"].append(float(prev_token_score(seen["pattern", 0][16:]).max()))
    on_repeats, on_noise = seen["pattern", 1][:16], seen["pattern", 1][16:]
    stripes = induction_score(on_repeats, PERIOD) - induction_score(on_noise, PERIOD)
    history["stripe − control"].append(float(stripes.max()))
    doors_open = k_composition(then.W_V, then.W_O, then.W_Q, then.W_K)
    history["K-composition"].append(float(doors_open[0, :, 1].max()))
    history["context gain"].append(context_gain(loss_by_position(then, repeats[:16]), PERIOD))

{name: when_did_it_form(record, values, 0.5) for name, values in history.items()}

# %% [markdown]
# Before you believe the four numbers, look at the curves they come from. Each is drawn as a share
# of its final value, for the first 400 steps of 1000. *Which of the four do you expect* to come first?

# %%
shown = sum(step <= 400 for step in record)
plots.curves(
    record[:shown],
    {name: [v / values[-1] for v in values[:shown]] for name, values in history.items()},
    x_title="training step",
    y_title="share of the final value",
    levels={"half": 0.5},
    title="An induction head forms: almost nothing for 80 steps, and then all at once",
)

# %% [markdown]
# <details><summary>What we see</summary>
#
# For 80 steps next to nothing can be seen (the little that context gains is what one layer can do).
# Then, within 30 steps of a thousand, the stripe appears and the context becomes worth something,
# *both at the same time*. Olsson et al. (2022, "Argument 1: macroscopic co-occurrence") found this
# jump in transformers of all sizes, only not in those of one layer, and it is one of their reasons to
# think that induction heads are behind much of what large models learn from their context.
#
# Look at the previous-token head, though. At half of its final value it arrives *later* (step 160) than
# the induction head that lives on it (120)! No magic: at step 110 its attention to the previous place
# has only doubled, but so has that of the other head of layer 0, and the two together are enough to
# start with. Only after that does one of them make the job its own, and goes on improving for 800
# steps. "Half of the final value" is a convention, and a curve that keeps growing makes it late.
# K-composition shows the opposite trap. By the same rule it was there at step 0, before any
# training, because strangers score more than half of its final value. What it is worth begins at
# chance, not at zero.
#
# The jump is so sudden because the two heads are worth little without each other. A note that
# nobody reads earns nothing, and a reader finds nothing where nobody has written. Only when both
# are there by half does every step that improves one improve what the other is worth.
# </details>

# %% [markdown]
# ---
# ## 15 · In the words of the field
#
# Difficulty ●●○○○ · Importance ●●●○○ · 5 minutes
#
# Who tells others of a finding needs the words that they use for it. Write a dict `WORDS` which has, for
# each of these ten letters, the word that fits:
#
# * `"a"`: exchange these two matrices of a head, and it looks elsewhere, but still says the same of whatever
#   it looks at. What do the two make together?
# * `"b"`: exchange the other two, and it looks where it looked, but says something else. What do these make?
# * `"c"`: a head looks at each position whose left neighbour is the token that it sits on.
# * `"d"`: a head looks seven positions back, whatever stands there.
# * `"e"`: take what head A writes away from the keys of head B, and from nothing else, and B no longer finds
#   its place. How does B use A?
# * `"f"`: where nothing has come twice yet, nearly all attention of a head rests on ⊢.
# * `"g"` and `"h"`: `pattern[0, 1, 9, 3]` is how much attention goes from one position to another. What is
#   position 9 called in it (`"g"`), and what position 3 (`"h"`)?
# * `"i"` and `"j"`: what is `net.W_V` (`"i"`), and what is `cache["v", 1]` (`"j"`)?
#
# The words are `"activation"`, `"attention sink"`, `"copying"`, `"destination"`, `"K-composition"`,
# `"OV circuit"`, `"parameter"`, `"prefix matching"`, `"QK circuit"`, `"relative position"`, `"source"` and
# `"V-composition"`. Each fits once at most, so two are left over.
#
# <details><summary>Hint 1: look them up</summary>
#
# In a cell of your own: `from course import glossary`, then `glossary("prefix matching")`, and so on.
# </details>
# <details><summary>Hint 2: a to d</summary>
#
# Two questions have to be kept apart, here as everywhere: *where* does a head look, and *what* does it say
# when it looks there? Which matrices make the scores?
# </details>
# <details><summary>Hint 3: g and h</summary>
#
# The axes of a pattern are batch, head, query, key. A query looks, a key is looked at.
# </details>


# %% nbgrader={"grade": false, "grade_id": "WORDS", "locked": false, "schema_version": 3, "solution": true, "task": false}
### BEGIN SOLUTION
WORDS = {
    "a": "QK circuit",
    "b": "OV circuit",
    "c": "prefix matching",
    "d": "relative position",
    "e": "K-composition",
    "f": "attention sink",
    "g": "destination",
    "h": "source",
    "i": "parameter",
    "j": "activation",
}
### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "WORDS_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
CHOICE = ["activation", "attention sink", "copying", "destination", "K-composition", "OV circuit"]
CHOICE += [
    "parameter",
    "prefix matching",
    "QK circuit",
    "relative position",
    "source",
    "V-composition",
]
assert type(WORDS) is dict and set(WORDS) == set("abcdefghij"), (
    "WORDS wants exactly the letters from a to j"
)
for letter in "abcdefghij":
    assert WORDS[letter] in CHOICE, f"WORDS: {letter!r} is {WORDS[letter]!r}, which is not listed"
    twice = [again for again in "abcdefghij" if WORDS[again] == WORDS[letter]]
    assert len(twice) == 1, f"WORDS has {WORDS[letter]!r} for {twice}: each word fits once at most"
assert {WORDS["i"], WORDS["j"]} == {"parameter", "activation"}, (
    "WORDS, i and j: one is the same for every text, the other is computed anew for each"
)
assert {WORDS["g"], WORDS["h"]} == {"destination", "source"}, (
    "WORDS, g and h: one position looks, the other is looked at"
)
assert {WORDS["a"], WORDS["b"]} == {"QK circuit", "OV circuit"}, (
    "WORDS, a and b: two matrices decide where a head looks, two what it says"
)
assert WORDS["c"] not in ("copying", "relative position"), (
    "WORDS, c: nothing is said of what the head writes, and the place depends on what stands there"
)
assert WORDS["e"] != "V-composition", (
    "WORDS, e: is it what B finds its place by, or what it carries on from there?"
)
assert WORDS["f"] not in ("copying", "relative position"), (
    "WORDS, f: it is one place for all queries, and nothing is said of what the head writes"
)

# %% nbgrader={"grade": true, "grade_id": "WORDS_test_2", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Hidden: what a head does, and how one uses another.
### BEGIN HIDDEN TESTS
for letter, word in (
    ("c", "prefix matching"),
    ("d", "relative position"),
    ("e", "K-composition"),
    ("f", "attention sink"),
):
    assert WORDS[letter] == word, f"WORDS: {letter!r} is not {WORDS[letter]!r}; look it up"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "WORDS_test_3", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Hidden: pairs that are easily exchanged.
### BEGIN HIDDEN TESTS
for first, second, words in (
    ("a", "b", ("QK circuit", "OV circuit")),
    ("g", "h", ("destination", "source")),
    ("i", "j", ("parameter", "activation")),
):
    assert (WORDS[first], WORDS[second]) == words, (
        f"WORDS: {first!r} is {WORDS[first]!r} and {second!r} is {WORDS[second]!r}: are they exchanged?"
    )
### END HIDDEN TESTS

# %% [markdown]
# ---
# ## 16 · In your own words
#
# Importance ●●●●○ · 15 minutes · read and marked by a person
#
# A colleague shows you a model that you do not know: "Head 0.3 has an induction score of 0.92, and
# the model predicts the second copy with 100 % accuracy. I have found an induction head." Answer in
# six to twelve sentences.
#
# 1. Why do these two numbers together not show it? Say what else could have produced both.
# 2. Which **two** measurements would you ask for? Say for each which result would make you reject
#    the claim.
# 3. Your colleague offers to ablate head 0.3 and to show you how the loss of the second copy rises.
#    Would that settle it?
# 4. Why would the layer of the head have made you suspicious anyway?

# %% [markdown] nbgrader={"grade": true, "grade_id": "a_claim_to_examine", "locked": false, "points": 4, "schema_version": 3, "solution": true, "task": false}
# ### BEGIN SOLUTION
# One point for each part.
#
# 1. Both numbers can come from a head that looks a fixed distance back. If all texts in training and
#    in the test have the same period, copying from period − 1 places back predicts the second copy
#    perfectly and draws exactly the stripe that the score measures. The head never compares tokens.
# 2. Two of: the same stripe on text that does not repeat (reject if the difference is near 0); repeats
#    with another period (reject if the stripe or the accuracy falls away); the first copy shifted or
#    its tokens exchanged (reject if the attention stays where it was). Each with its rejecting result.
# 3. No. A head that copies from a fixed distance is just as necessary to the impostor: the loss rises
#    in both cases. Ablation shows that the head is used, not how it finds its place.
# 4. It is in layer 0. To find the token after an earlier occurrence, a key has to know what its left
#    neighbour is, and in layer 0 keys are made from the token itself and its position only. No earlier
#    layer has written anything that it could match.
# ### END SOLUTION

# %% [markdown]
# ---
# You have found a circuit of two heads, told it from its double, shown by intervention that the
# model runs on it and by which door, found a second circuit beside it that nobody had told you of,
# and seen both come into being within 30 steps. The same steps carry over to models of any size: a
# pattern, a number, a control, an intervention.
#
# ## In papers this is called …
#
# Every word of the field in bold is in the glossary: run `from course import glossary`, then
# `glossary("K-composition")` for one or `glossary()` for all.
#
# | here | in papers |
# | --- | --- |
# | line, place | sequence or prompt; **position** |
# | the place that looks, the place that is looked at | **destination** (query) and **source** (key) position |
# | bet | **prediction**, the distribution over the next token |
# | note | a head's **output**, what it writes to the residual stream |
# | door; closing it | query, key or value **input** of a head; **path patching**, here with a mean-ablated sender |
# | "A reads B by its keys" | **K-composition** (and Q-, V-composition) |
# | stripe, induction score | **induction pattern**; the score on repeated random tokens |
# | looking where the own symbol was just before | **prefix matching**; with copying, an **induction head** |
# | impostor | a head that attends by **relative position** only |
# | what the context is worth | **in-context learning score** |
# | the moment at which it forms | **phase change** |
# | attention that rests on ⊢ | **attention sink**, null attention |
#
# **Sources.** [Olsson, Elhage, Nanda et al., *In-context Learning and Induction Heads*
# (2022)](https://transformer-circuits.pub/2022/in-context-learning-and-induction-heads/index.html):
# prefix matching, the in-context learning score, and the jump in training (exercises 7, 13 and 14).
# [Elhage, Nanda, Olsson et al., *A Mathematical Framework for Transformer Circuits*
# (2021)](https://transformer-circuits.pub/2021/framework/index.html), "Two-Layer Attention-Only
# Transformers": how induction heads work, composition scores, the full K circuit (exercises 8 and 10).
# [Wang et al., *Interpretability in the Wild* (2022)](https://arxiv.org/abs/2211.00593), section 3, and
# [Goldowsky-Dill et al., *Localizing Model Behavior with Path Patching*
# (2023)](https://arxiv.org/abs/2304.05969): interventions on a path (exercise 9). [Singh et al., *What
# needs to go right for an induction head?* (2024)](https://arxiv.org/abs/2404.07129): several heads that
# do the same work, and what makes the jump. The library: Nanda and Bloom,
# [*TransformerLens*](https://github.com/TransformerLensOrg/TransformerLens) (2022).
