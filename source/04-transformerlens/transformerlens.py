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
# # TransformerLens: open a model, and reach in
#
# Run the next cell (**Shift+Enter**). It loads a small GPT-2, lets it read the beginning of a
# sentence, and draws what it thinks comes next. The first time it takes about ten seconds, for
# PyTorch and TransformerLens have to be imported.

# %%
import secrets

import torch

from course import checks, plots
from course.calls import call_keeping, cost, remove_hooks
from course.models import model

torch.set_grad_enabled(False)  # we look at a trained model; nothing is trained here

net = model("tiny-gpt2")
VOCAB = [net.tokenizer.decode([i]) for i in range(net.cfg.d_vocab)]  # the text of each token id

text = "When Mary and John went to the shop, John gave a book to"
ids = net.to_tokens(text)  # [1 pos]
words = [VOCAB[i] for i in ids[0].tolist()]  # [pos]
logits, cache = net.run_with_cache(ids)  # run once, and keep everything that was computed
before = logits[0, -1].softmax(-1)  # [d_vocab], the prediction made at the last position
plots.next_tokens({"the model": before}, VOCAB, title=f"{text} …")

# %% [markdown]
# Two people are in the shop, John is the one who gives, so it must be Mary who gets the book. The
# model has to notice who was named *twice*. Nobody told it so; it found the rule in its training
# text. (This task has a name, *indirect object identification*, and a whole notebook, 07. Here it is
# the specimen under the lens.)
#
# ## Four things you can do to a running model
#
# TransformerLens puts a label on every tensor that a transformer computes on the way from tokens to
# logits: a **hook point**. At a hook point you can look, and you can change what passes. Everything
# in this field is built from that. Run these four cells; each is one idea, and one picture. Before each
# one ask yourself: *what do you expect?*
#
# **Look.** `run_with_cache` has already written down all activations. Where do the heads of the last
# layer look? (`␣` marks a space, ⊢ the beginning of the text. The position that looks is called the
# **destination** or query position, the one that is looked at the **source** or key position.)

# %%
plots.attention_heads(cache["pattern", -1][0], words, title="Attention in the last layer")

# %% [markdown]
# **Remove.** A *hook* is a function that gets an activation while the model runs; what it returns is
# used instead. Here the first attention layer says nothing at all. *Will the model still say Mary?*


# %%
def silence(activation, hook):
    return torch.zeros_like(activation)


silenced = net.run_with_hooks(ids, fwd_hooks=[("blocks.0.hook_attn_out", silence)])
plots.next_tokens({"before": before, "no attention in layer 0": silenced[0, -1].softmax(-1)}, VOCAB)

# %% [markdown]
# **Replace.** Let the model read another text as well, in which *Mary* gives. From that run carry one
# vector over into ours: what the first attention layer says at the last position. The tokens stay the
# same, and so does everything else. *Is one vector enough to change the answer?*

# %%
swapped = net.to_tokens(text.replace(", John", ", Mary"))
_, swapped_cache = net.run_with_cache(swapped)


def replace_last(out, hook):  # out: [batch pos d_model]
    out[:, -1] = swapped_cache["attn_out", 0][:, -1]
    return out


replaced = net.run_with_hooks(ids, fwd_hooks=[("blocks.0.hook_attn_out", replace_last)])
plots.next_tokens({"before": before, "one vector replaced": replaced[0, -1].softmax(-1)}, VOCAB)

# %% [markdown]
# **Edit.** Add something of your own. Every token has a direction in which it is written when the
# model wants to say it. We push the last position along that of *Emma*, who is not in the text:

# %%
emma = int(net.to_tokens(" Emma", prepend_bos=False)[0, 0])
direction = net.W_U[:, emma] / net.W_U[:, emma].norm()  # [d_model]


def push(resid, hook):
    resid[:, -1] += resid[:, -1].norm() * direction
    return resid


pushed = net.run_with_hooks(ids, fwd_hooks=[("blocks.1.hook_resid_pre", push)])
plots.next_tokens({"before": before, "pushed": pushed[0, -1].softmax(-1)}, VOCAB)

# %% [markdown]
# Four interventions, four pictures. No weight was changed: `net` is as it was, and the next run will
# not remember any of it. Now it is your turn: another text, another layer, another name. Names, places
# and things should be common English ones; this model has a vocabulary of 1280 tokens.

# %% tags=["play"]
my_text = "After Tom and Lucy left the park, Tom handed the key to"
my_ids = net.to_tokens(my_text)
my_logits = net.run_with_hooks(my_ids, fwd_hooks=[("blocks.1.hook_mlp_out", silence)])
plots.next_tokens(
    {"before": net(my_ids)[0, -1].softmax(-1), "after": my_logits[0, -1].softmax(-1)},
    VOCAB,
    title=my_text,
)

# %% [markdown]
# ## What you will be able to do
#
# 1. load a model, and know what its tokens, its settings and its activations are;
# 2. put *any* question about the inside of a run into a line or two;
# 3. remove, replace and edit activations **without fooling yourself**: the right tensor, the right
#    axis, nothing left behind;
# 4. find out which part of a model wrote an answer, and where in the text it was kept on the way.
#
# **If you have 90 minutes**, do the exercises marked *core* (1, 3, 4, 9, 14 and 15): they go from a
# token to the head that carries the answer. Before 9, read the four traps in 8. The others are for
# later, in any order; 12, 13 and 16 are the ones most worth coming back for.
#
# You need to know how a transformer is built: residual stream, attention heads with queries, keys
# and values, MLPs, layer norm, unembedding. If you have built one in notebook 03, you do.
#
# The library is described in
# [its own documentation](https://transformerlensorg.github.io/TransformerLens/) (*TransformerLens*, by
# Neel Nanda and Joseph Bloom, 2022, and many others since). The edition used here has no class `HookedTransformer` any
# more, of which older texts speak: today a model is a *bridge*, opened by
# `TransformerBridge.boot_transformers(folder)`. `course.models.model(name)` does that for the models
# that come with the course. Almost everything you will find said about the old class holds for the
# bridge too.


# %%
def ids_for(model, batch, pos, generator=None):
    """Token ids [batch pos] on the model's device: random ones, or the same ones every time."""
    if generator is None:
        drawn = torch.arange(7, 7 + batch * pos).reshape(batch, pos) * 37 % model.cfg.d_vocab
    else:
        drawn = torch.randint(0, model.cfg.d_vocab, (batch, pos), generator=generator)
    return drawn.to(model.cfg.device)


settings = ("n_layers", "n_heads", "d_model", "d_head", "d_mlp", "n_ctx", "d_vocab")
{name: getattr(net.cfg, name) for name in settings}

# %% [markdown]
# These are the model's settings, `net.cfg`. Head 1 of layer 0 is written 0.1. Two layers are few, but
# every word of this notebook is as true of twelve or of ninety-six.
#
# Three rules hold for every function that you write here, and the tests check them:
#
# * it works for **any model** of the course, so it reads sizes from `model.cfg`: some have one layer,
#   some no MLPs;
# * it works for any batch, and for texts of any length;
# * **what it is given stays as it was**: tokens, tensors and lists, and the model, on which no hook is
#   left.

# %% [markdown]
# ---
# ## 1 · What does the model read?
#
# Difficulty ●○○○○ · Importance ●●●○○ · 10 minutes · core
#
# A model never sees text. It sees token ids, and most wrong results in this field begin with somebody
# who was wrong about which. Two things surprise everybody once:
#
# * **A token carries its leading space.** `" Mary"` and `"Mary"` are different ids, and a word that
#   the vocabulary does not have falls into several tokens.
# * **There may be a token in front that you did not type**, the *beginning of sequence* (BOS).
#   GPT-2 uses `<|endoftext|>`. `net.to_tokens(text)` puts it there unless you say
#   `prepend_bos=False`. Position 0 is then not your first word, and being one off in all positions is
#   a fine way to lose an afternoon.
#
# Write `token_report(model, text, prepend_bos)`: the list of all tokens of `text`, each as a pair of
# its id (an `int`) and its own text (a `str`, with its space). If `prepend_bos` is true, the first
# pair is that of BOS.
#
# For instance, `token_report(net, " Mary and", False)` gives two pairs, with the texts `" Mary"` and
# `" and"`.
#
# <details><summary>Hint 1: the ids</summary>
#
# `model.to_tokens(text, prepend_bos=…)` returns `[1 pos]`: one text is a batch of one. `.tolist()`
# turns a tensor into Python numbers.
# </details>
# <details><summary>Hint 2: the texts</summary>
#
# `model.to_str_tokens(…)` takes the same arguments; and `model.tokenizer.decode([i])` gives the text
# of the one id `i`. Whatever you do, both halves of a pair must speak of the same position.
# </details>


# %% nbgrader={"grade": false, "grade_id": "token_report", "locked": false, "schema_version": 3, "solution": true, "task": false}
def token_report(model, text: str, prepend_bos: bool) -> list[tuple[int, str]]:
    """The id and the text of every token of `text`, BOS included if `prepend_bos`."""
    ### BEGIN SOLUTION
    ids = model.to_tokens(text, prepend_bos=prepend_bos)[0].tolist()
    return [(i, model.tokenizer.decode([i])) for i in ids]
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "token_report_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
remove_hooks(net)  # each test begins with the model as it was loaded
line = "A key in a Zqbox in a box"  # Zqbox is no word of the vocabulary
for with_bos in (True, False):
    got = token_report(net, line, with_bos)
    assert type(got) is list, f"a list of pairs is asked for, not {type(got).__name__}"
    assert all(type(pair) is tuple and len(pair) == 2 for pair in got), (
        "each entry is a pair (id, text)"
    )
    assert all(type(pair[0]) is int for pair in got), (
        "the first half of a pair is a Python int: .tolist() or .item() makes one of a tensor"
    )
    assert all(type(pair[1]) is str for pair in got), "the second half of a pair is a str"
    assert all(0 <= pair[0] < len(VOCAB) for pair in got), "an id is no token of the model"
    bos = [pair[0] == net.tokenizer.bos_token_id for pair in got]
    assert bos[:1] == [with_bos] and not any(bos[1:]), (
        "with prepend_bos=True the first token is BOS, and it comes once"
        if with_bos
        else "without prepend_bos there is no BOS"
    )
    said = "".join(pair[1] for pair in got[with_bos:])
    assert "Ġ" not in said, "Ġ is how the vocabulary writes a space: the token's text is asked for"
    assert said != line.replace(" ", ""), "a token's text includes its leading space"
    assert said == line, (
        f"the texts of the tokens{' after BOS' * with_bos}, put together, must give {line!r} again; "
        f"yours give {said!r}. Is a token missing, there twice, or are the two halves of the pairs "
        "one position apart?"
    )
    for number, own in got:
        assert VOCAB[number] == own, (
            f"{number} is the id of {VOCAB[number]!r}, and stands beside {own!r}: do both halves of "
            "each pair speak of the same token, and of a token and not of a word?"
        )

# %% nbgrader={"grade": true, "grade_id": "token_report_test_2", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: other texts, with BOS and without, against the tokenizer itself.
### BEGIN HIDDEN TESTS
remove_hooks(net)
seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)
pool = [" the", "The", " Mary", "Mary", ",", " (", "Zq", " 7", "\n", " went", "ing", "  ", " Paris"]
for with_bos in (False, True, False, True):
    picks = torch.randint(0, len(pool), (9,), generator=g).tolist()
    line = "".join(pool[i] for i in picks) + " end"
    want = [(i, VOCAB[i]) for i in net.tokenizer(line, add_special_tokens=False)["input_ids"]]
    if with_bos:
        want = [(net.tokenizer.bos_token_id, VOCAB[net.tokenizer.bos_token_id]), *want]
    got = token_report(net, line, with_bos)
    checks.check_equal(
        got,
        want,
        f"token_report of {line!r}, prepend_bos={with_bos} [seed {seed}]",
        hint="Do both halves of each pair speak of the same token?",
    )
    assert len(got) == len(want), f"as many pairs as tokens [seed {seed}]"
### END HIDDEN TESTS

# %% [markdown]
# *In the library:* `model.to_str_tokens(text, prepend_bos=…)` gives the texts, `model.to_tokens` the ids;
# `utilities.test_prompt(prompt, answer, model)` prints both, with what the model predicts.

# %%
plots.token_strip(
    [[pair[0] for pair in token_report(net, text, True)]],
    labels=["⊢" if word == "<|endoftext|>" else word for word in VOCAB],
    title="What the model reads",
)

# %% [markdown]
# ---
# ## 2 · How often is it right?
#
# Difficulty ●●○○○ · Importance ●●●○○ · 10 minutes
#
# A transformer answers at *every* position at once: the logits at position *i* are its **prediction**
# of the token at *i + 1*, its bet. So a text of `pos` tokens contains `pos - 1` questions with known answers.
#
# Write `frac_correct(logits, tokens)`: the fraction, from 0 to 1, of these questions in which the
# likeliest token is the right one, over all rows of the batch. `logits` is `[batch pos d_vocab]`,
# `tokens` is `[batch pos]`. Return a Python `float`.
#
# <details><summary>Hint 1: line them up</summary>
#
# With the tokens `t0 t1 t2`, the bets are about `t1` (made at 0), `t2` (made at 1), and something
# that we do not have (made at 2). Cut each of the two tensors at one end.
# </details>
# <details><summary>Hint 2: the likeliest</summary>
#
# `argmax` over the vocabulary gives `[batch pos-1]`. Compare, and take the mean of what is true: a
# tensor of truth values has no mean until it is made into numbers.
# </details>


# %% nbgrader={"grade": false, "grade_id": "frac_correct", "locked": false, "schema_version": 3, "solution": true, "task": false}
def frac_correct(logits: torch.Tensor, tokens: torch.Tensor) -> float:
    """The fraction of next tokens that are guessed right.

    logits: [batch pos d_vocab]. tokens: [batch pos].
    """
    ### BEGIN SOLUTION
    guesses = logits[:, :-1].argmax(dim=-1)  # [batch pos-1]
    return float((guesses == tokens[:, 1:]).float().mean())
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "frac_correct_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
bets = torch.full((2, 4, 5), -9.0)  # two rows, four positions, five tokens, no logit above 0
for row, place, token in ((0, 2, 4), (1, 1, 1)):
    bets[row, place, token] = -2.0  # the second choice
for row, choices in enumerate(((2, 3, 1, 3), (4, 0, 2, 1))):
    for place, token in enumerate(choices):
        bets[row, place, token] = -1.0  # the likeliest
came = torch.tensor([[0, 2, 3, 4], [4, 4, 1, 0]])
got, kept = call_keeping(frac_correct, bets, came)
assert type(got) is float, f"a Python float is asked for, not {type(got).__name__}"
checks.check_close(
    got,
    0.5,
    "frac_correct of two rows of four tokens",
    hint="Row 0 bets 2, 3, 1 on what comes after its tokens 0, 2, 3: after them come 2, 3 and 4.",
    slips={
        "The logits at position i are about the token at i + 1, not about the one at i.": 1 / 8,
        "The logits at position i are about the token after it, not about the one before.": 1 / 3,
        "Nothing predicts the first token: a row of 4 has 3 questions.": 3 / 8,
        "All rows count, not the first alone.": 2 / 3,
        "This is how many are right: a fraction is asked for.": 3,
        "From 0 to 1, not in percent.": 50,
        "The first token asks a question too: what comes after it?": 1 / 4,
        "The largest logit is the likeliest, not the largest without its sign.": 1 / 6,
        "Only the likeliest token counts, not the second choice.": 5 / 6,
        "Every question counts, not only rows that are right from beginning to end.": 0,
    },
)
assert torch.equal(kept[0], bets) and torch.equal(kept[1], came), "an argument was changed"

# %% nbgrader={"grade": true, "grade_id": "frac_correct_test_2", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: several rows, with some bets right by construction, against a loop.
### BEGIN HIDDEN TESTS
seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)
for planted in (0, 1, -1):  # bets on the token that is read, on the next one, on the one before
    toks = torch.randint(0, 11, (3, 8), generator=g)
    scores = torch.randn(3, 8, 11, generator=g) - 20  # all are negative
    for b in range(3):
        for i in range(8):
            if i and i + planted in range(8) and (b + i) % 3:  # two of three bets, none at first
                scores[b, i, toks[b, i + planted]] += 10
    rows = scores.tolist()
    hits = 0
    for b in range(3):
        for i in range(7):
            hits += max(range(11), key=rows[b][i].__getitem__) == int(toks[b, i + 1])
    got, kept = call_keeping(frac_correct, scores, toks)
    assert type(got) is float, f"a float is asked for, not {type(got).__name__}"
    assert torch.equal(kept[0], scores) and torch.equal(kept[1], toks), "an argument was changed"
    assert abs(got - hits / 21) < 1e-6, (
        f"{hits} of 21 guesses are right, but frac_correct is {got:.4f} [seed {seed}]"
    )
### END HIDDEN TESTS

# %% [markdown]
# *In the library:* `utilities.lm_accuracy(logits, tokens)`, as a tensor; `per_token=True` says which.
#
# A fraction hides a lot. Look at the single tokens of one of the model's own kind of documents; the
# darker, the more it was surprised:

# %%
sample = "When Mary and John went to the shop, John gave a book to Mary.<|endoftext|>"
sample += "Say: red key seven garden. Again: red key seven garden."
sample_ids = net.to_tokens(sample)
sample_losses = net(sample_ids, return_type="loss", loss_per_token=True)[0]  # [pos-1]
plots.loss_strip(
    sample_losses,
    [VOCAB[i] for i in sample_ids[0].tolist()],
    title=f"Loss of every token; {frac_correct(net(sample_ids), sample_ids):.0%} are guessed right",
)

# %% [markdown]
# <details><summary>What we see</summary>
#
# Who is in the shop and what is given cannot be known; who gets it can. Words that are listed are
# surprising once, and when the list comes again they are not. A beginning is less dear than a name,
# since there are fewer ways to begin than there are names, and most little words cost nothing.
# </details>

# %% [markdown]
# ---
# ## 3 · One number to follow
#
# Difficulty ●○○○○ · Importance ●●●●● · 10 minutes · core
#
# To say that an intervention *did* something we need one number. A probability alone is a bad one: it
# saturates near 0 and 1, and it moves when anything else in the vocabulary moves. Better to follow is the
# **logit difference**: the logit of the right answer minus that of a well-chosen wrong one. For our
# sentence, ` Mary` minus ` John`. Whatever makes both of them likelier (that a name is due at all)
# cancels, and what is left is the decision between the two. A logit difference of 3 means that the
# right one is e³ ≈ 20 times as likely as the wrong one, whatever else is on offer. And because logits
# are a linear function of the last layer's normalised output, it can be shared out among the parts of
# the model, as you will do in exercise 12.
#
# Write `logit_diff(logits, right, wrong)`. `logits` is `[batch pos d_vocab]`; `right` and `wrong` hold
# one token id for each row, `[batch]`. The result is, for each row, **the logit of `right` minus the
# logit of `wrong` at the last position**: `[batch]`.
#
# <details><summary>Hint 1: the last position</summary>
#
# `logits[:, -1]` is `[batch d_vocab]`. Positive means: right.
# </details>
# <details><summary>Hint 2: one entry a row</summary>
#
# `x[:, right]` would take *all* the columns in `right` from *every* row. You want row 0 with
# `right[0]`, row 1 with `right[1]`, …: index both axes, with `torch.arange(batch)` for the rows; or
# use `gather`.
# </details>


# %% nbgrader={"grade": false, "grade_id": "logit_diff", "locked": false, "schema_version": 3, "solution": true, "task": false}
def logit_diff(logits: torch.Tensor, right: torch.Tensor, wrong: torch.Tensor) -> torch.Tensor:
    """The logit of `right` minus that of `wrong` at the last position.

    logits: [batch pos d_vocab]. right, wrong: [batch], token ids. Returns: [batch].
    """
    ### BEGIN SOLUTION
    last = logits[:, -1]  # [batch d_vocab]
    rows = torch.arange(len(last), device=last.device)
    return last[rows, right] - last[rows, wrong]
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "logit_diff_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
scores = torch.zeros(2, 3, 5)
scores[0] = torch.tensor(
    [[0, 6, 1, 0, 8], [1, 2, 4, 3, 3], [0, 1, 4, 6, 2]]
)  # row 0, three positions
scores[1] = torch.tensor([[1, 0, 5, 2, 8], [0, 5, 1, 0, 1], [0, 3, 1, 9, 2]])
yes, no = torch.tensor([2, 4]), torch.tensor([1, 3])
got, kept = call_keeping(logit_diff, scores, yes, no)
checks.check_close(
    got,
    torch.tensor([3.0, -7.0]),
    "logit_diff of two rows",
    axes="batch",
    hint="At its last position row 0 has the logits 4 (right) and 1, row 1 has 2 (right) and 9.",
    slips={
        "Right minus wrong, not wrong minus right.": torch.tensor([-3.0, 7.0]),
        "The last position, not the first.": torch.tensor([-5.0, 6.0]),
        "This is one position too early.": torch.tensor([2.0, 1.0]),
        "Each row has a number of its own: no mean over the rows.": torch.tensor(-2.0),
        "Every row got every id: row 0 wants right[0] only, row 1 wants right[1].": torch.tensor(
            [[3.0, -4.0], [-2.0, -7.0]]
        ),
        "All rows got the first row's ids.": torch.tensor([3.0, -2.0]),
        "The sign counts: negative means that the wrong one is ahead.": torch.tensor([3.0, 7.0]),
        "A difference of logits, not a ratio.": torch.tensor([4.0, 2 / 9]),
        "The last position alone, not a mean over all of them.": torch.tensor([0.0, 0.0]),
        "A difference of logits, not of probabilities.": torch.tensor([0.1106, -0.9953]),
    },
    atol=1e-4,
)
assert torch.equal(kept[0], scores), "the logits were changed"

# %% nbgrader={"grade": true, "grade_id": "logit_diff_test_2", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Hidden: random logits of several sizes and dtypes, against a loop.
### BEGIN HIDDEN TESTS
seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)
for n, length, kind in ((4, 3, torch.float32), (1, 5, torch.float64), (5, 1, torch.float32)):
    scores = torch.randn(n, length, 11, generator=g).to(kind) * 5
    yes, no = torch.randint(0, 11, (2, n), generator=g)
    rows = scores.tolist()
    want = [rows[b][length - 1][int(yes[b])] - rows[b][length - 1][int(no[b])] for b in range(n)]
    got, kept = call_keeping(logit_diff, scores, yes, no)
    checks.check_close(
        got,
        torch.tensor(want),
        f"logit_diff of logits [{n} {length} 11], seed {seed}",
        axes="batch",
    )
    assert torch.equal(kept[0], scores), "the logits were changed"
### END HIDDEN TESTS

# %% [markdown]
# *In the library:* `cache.logit_attrs` shares a logit difference out among parts (exercises 12 and 17).
#
# Our sentence, and the first two interventions from the beginning. A logit difference says who of the
# two is ahead, and nothing about the other 1278 tokens. *What do you expect?* With no attention in layer
# 0, can the difference be positive although the model would never say *Mary*?

# %%
mary, john = (net.to_tokens(name, prepend_bos=False)[0, :1] for name in (" Mary", " John"))  # [1]
shown = {"as it is": logits, "no attention in layer 0": silenced, "one vector replaced": replaced}
for label, outcome in shown.items():
    difference = float(logit_diff(outcome, mary, john))
    at_end = outcome[0, -1]  # [d_vocab]
    rank = int((at_end > at_end[mary[0]]).sum()) + 1
    print(
        f"{label:25}{difference:6.2f}   P(Mary) {float(at_end.softmax(-1)[mary[0]]):.4f}   rank {rank}"
    )

# %% [markdown]
# <details><summary>What we see</summary>
#
# Positive: Mary is ahead of John. Negative: John is. But look at the second line: 1.33 for Mary, whose
# probability is 0.0006, and 417 tokens are likelier. Without that layer the model no longer knows that
# a name is due, and what is left of a difference between two unlikely names means little. So the logit
# difference is the number that we shall follow through the model, **and wherever it could hide
# something we print probability and rank beside it**.
# </details>
#
# One sentence may flatter one name. So we take our sentence together with its twin, in which Mary
# gives and John is the right answer. What the two have in common has to do with the task; a mere
# liking for Mary pushes them in opposite directions.

# %%
both = torch.cat([ids, swapped])  # [2 pos]: John gives, Mary gives
right_of_both, wrong_of_both = torch.cat([mary, john]), torch.cat([john, mary])  # [2]
start = logit_diff(net(both), right_of_both, wrong_of_both)  # [2]
print(f"John gives: {float(start[0]):.2f}   Mary gives: {float(start[1]):.2f}")

# %% [markdown]
# ---
# ## 4 · The map of activations
#
# Difficulty ●●○○○ · Importance ●●●●● · 15 minutes · core
#
# The cache of this model has 93 names, for fewer tensors than that: many have a second name, from the
# bridge (trap 3 in exercise 8). To work quickly you must know by heart what the main ones are, and above
# all **the order of their axes**: a mean over the wrong axis has the right shape often enough, and raises
# no error.
#
# One layer, from top to bottom. (Write `blocks.0.attn.hook_q` in full, or `cache["q", 0]` for short.)
#
# | what happens | hook points |
# | --- | --- |
# | the residual stream enters | `hook_resid_pre` |
# | layer norm | `ln1.hook_scale` (what it divides by), `ln1.hook_normalized` |
# | every head makes a query, a key and a value at every position | `attn.hook_q`, `attn.hook_k`, `attn.hook_v` |
# | every query meets every key; softmax over the keys | `attn.hook_attn_scores`, `attn.hook_pattern` |
# | values are averaged with the pattern: what one head has fetched | `attn.hook_z` |
# | the outputs of all heads go through `W_O` and are summed | `hook_attn_out` |
# | … is added to the stream | `hook_resid_mid` |
# | the MLP reads the stream; its neurons before and after the nonlinearity | `mlp.hook_pre`, `mlp.hook_post` |
# | the MLP writes | `hook_mlp_out` |
# | the residual stream leaves, and is the `resid_pre` of the next layer | `hook_resid_post` |
#
# Before the first layer there are `hook_embed` and `hook_pos_embed`; after the last one
# `ln_final.hook_scale`, `ln_final.hook_normalized`, and the logits. (The map is true of `net`, which was
# opened from a GPT-2 folder. On the course's own small models, which TransformerLens 4.3 builds by
# `boot_native`, `attn.hook_attn_scores` holds the pattern *after* the softmax: take `hook_q` and `hook_k`
# there.)
#
# Write a dict `AXES` which has, for each of these twelve names, the tuple of its axes in order:
#
# * activations, as a cache has them for layer 0 (the names without their `blocks.0.`):
#   `hook_resid_pre`, `ln1.hook_scale`, `attn.hook_q`, `attn.hook_pattern`, `attn.hook_z`,
#   `hook_attn_out`, `mlp.hook_post`;
# * **parameters**, which have no batch: `W_E`, `W_Q`, `W_O`, `W_in`, `W_U`. `net.W_Q` and its like
#   collect those of all layers, `net.W_E` and `net.W_U` exist once.
#
# The axes are called `"batch"`, `"pos"`, `"query"`, `"key"`, `"layer"`, `"head"`, `"d_model"`,
# `"d_head"`, `"d_mlp"`, `"d_vocab"`, and `"one"` for an axis of length 1. The positions of an
# attention pattern are called `"query"` and `"key"`. The first entry, for instance, is
# `"hook_resid_pre": ("batch", "pos", "d_model")`.
#
# <details><summary>Hint 1: look</summary>
#
# Add a cell (the + above) and print shapes of one run with a batch of 3 and 5 tokens, numbers that
# occur nowhere else. `for name, value in cache.items(): print(name, tuple(value.shape))`.
# </details>
# <details><summary>Hint 2: query or key?</summary>
#
# Shapes cannot tell them apart, sums can: the attention that *one query* pays adds up to 1. Along
# which of the two axes do the entries of a pattern add up to 1? That axis is the keys'.
# </details>
# <details><summary>Hint 3: which way do weights read?</summary>
#
# Vectors are rows here, multiplied from the left: `x @ W`. So a weight's second-to-last axis is what
# goes in, its last axis is what comes out.
# </details>


# %%
from course import drawings

drawings.hook_map(layer=0, axes=False)

# %% nbgrader={"grade": false, "grade_id": "AXES", "locked": false, "schema_version": 3, "solution": true, "task": false}
### BEGIN SOLUTION
AXES = {
    "hook_resid_pre": ("batch", "pos", "d_model"),
    "ln1.hook_scale": ("batch", "pos", "one"),
    "attn.hook_q": ("batch", "pos", "head", "d_head"),
    "attn.hook_pattern": ("batch", "head", "query", "key"),
    "attn.hook_z": ("batch", "pos", "head", "d_head"),
    "hook_attn_out": ("batch", "pos", "d_model"),
    "mlp.hook_post": ("batch", "pos", "d_mlp"),
    "W_E": ("d_vocab", "d_model"),
    "W_Q": ("layer", "head", "d_model", "d_head"),
    "W_O": ("layer", "head", "d_head", "d_model"),
    "W_in": ("layer", "d_model", "d_mlp"),
    "W_U": ("d_model", "d_vocab"),
}
### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "AXES_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
NAMED = ["hook_resid_pre", "ln1.hook_scale", "attn.hook_q", "attn.hook_pattern", "attn.hook_z"]
NAMED += ["hook_attn_out", "mlp.hook_post", "W_E", "W_Q", "W_O", "W_in", "W_U"]
KNOWN = {"batch", "pos", "query", "key", "layer", "head", "d_model", "d_head", "d_mlp", "d_vocab"}
remove_hooks(net)
assert type(AXES) is dict and set(AXES) == set(NAMED), f"AXES wants exactly these names: {NAMED}"
lengths_of = {"batch": 3, "pos": 5, "query": 5, "key": 5, "one": 1, "layer": net.cfg.n_layers}
lengths_of |= {"head": net.cfg.n_heads, "d_model": net.cfg.d_model, "d_head": net.cfg.d_head}
lengths_of |= {"d_mlp": net.cfg.d_mlp, "d_vocab": net.cfg.d_vocab}
of_five = net.run_with_cache(ids_for(net, 3, 5))[1]  # a batch of 3, 5 tokens each
for name in NAMED:
    axes = AXES[name]
    assert type(axes) is tuple and all(type(axis) is str for axis in axes), (
        f"{name}: a tuple of axes is asked for, each a str"
    )
    assert set(axes) <= KNOWN | {"one"}, f"{name}: {axes} has an axis of another name"
    assert len(set(axes)) == len(axes), (
        f"{name}: {axes} names an axis twice; the positions of a pattern are query and key"
    )
    activation = name in NAMED[:7]
    value = of_five[f"blocks.0.{name}"] if activation else getattr(net, name)
    assert len(axes) == value.ndim, f"{name} has {value.ndim} axes, not {len(axes)}: " + (
        "the batch is one of them" if activation else "those of all layers are in one tensor"
    )
    for axis, length in zip(axes, value.shape, strict=True):
        assert lengths_of[axis] == length, (
            f"{name}: what you call {axis} has length {length} when {axis} is {lengths_of[axis]}. "
            "Is the order right: what goes in, and then what comes out?"
        )

# %% nbgrader={"grade": true, "grade_id": "AXES_test_2", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Hidden: the activations, in order.
### BEGIN HIDDEN TESTS
remove_hooks(net)
length_of = {"batch": 3, "pos": 5, "query": 5, "key": 5, "head": net.cfg.n_heads, "one": 1}
length_of |= {"d_model": net.cfg.d_model, "d_head": net.cfg.d_head, "d_mlp": net.cfg.d_mlp}
run = net.run_with_cache(ids_for(net, 3, 5))[1]
for name in NAMED[:7]:
    axes, shape = AXES[name], tuple(run[f"blocks.0.{name}"].shape)
    assert axes[0] == "batch", f"{name}: the batch comes first"
    assert tuple(length_of.get(axis) for axis in axes) == shape, f"{name} does not fit the model"
square = run["pattern", 0][0, 0]  # rows add up to 1, so that rows are queries and columns keys
assert abs(float(square[2].sum()) - 1) < 1e-5 < abs(float(square[:, 2].sum()) - 1)
assert AXES["attn.hook_pattern"][1:] == ("head", "query", "key"), (
    "pattern: which axis adds up to 1?"
)
assert AXES["attn.hook_z"][1:3] == AXES["attn.hook_q"][1:3] == ("pos", "head"), "q and z"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "AXES_test_3", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Hidden: the parameters, in order.
### BEGIN HIDDEN TESTS
for name, axes in (
    ("W_E", ("d_vocab", "d_model")),
    ("W_Q", ("layer", "head", "d_model", "d_head")),
    ("W_O", ("layer", "head", "d_head", "d_model")),
    ("W_in", ("layer", "d_model", "d_mlp")),
    ("W_U", ("d_model", "d_vocab")),
):
    assert AXES[name] == axes, f"{name}: what goes in, and what comes out?"
### END HIDDEN TESTS

# %% [markdown]
# *In the library:* `model.hook_dict` has every hook point by its name, `cache.keys()` what a run has
# kept, and `cache["q", 0]` looks up `blocks.0.attn.hook_q`.
#
# ---
# ## 5 · What a cache costs
#
# Difficulty ●●○○○ · Importance ●●○○○ · 10 minutes
#
# Keeping everything is convenient for one sentence and ruinous for a thousand. `run_with_cache` takes
# a `names_filter`, a function from a hook point's name to whether it is kept; the others are never
# stored. Write `cache_sizes(model, tokens, wanted)`: run the model on `tokens` `[batch pos]`, keep
# those activations for which `wanted(name)` is true, and return **how many bytes each of them takes**,
# as a `dict` from its full name to an `int`.
#
# A tensor takes the number of its elements times the bytes of one element. Not every activation is
# a float of 4 bytes: the token ids are in the cache too, as `embed.hook_in`.
#
# <details><summary>Hint 1: the filter</summary>
#
# `_, cache = model.run_with_cache(tokens, names_filter=wanted)`. The cache has `.items()`, like a
# dict.
# </details>
# <details><summary>Hint 2: the bytes</summary>
#
# `t.numel()` is the number of elements of a tensor, `t.element_size()` the bytes of one.
# </details>


# %% nbgrader={"grade": false, "grade_id": "cache_sizes", "locked": false, "schema_version": 3, "solution": true, "task": false}
def cache_sizes(model, tokens: torch.Tensor, wanted) -> dict[str, int]:
    """The bytes of every activation whose name is wanted.

    tokens: [batch pos]. wanted: name -> bool.
    """
    ### BEGIN SOLUTION
    _, kept = model.run_with_cache(tokens, names_filter=wanted)
    return {name: value.numel() * value.element_size() for name, value in kept.items()}
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "cache_sizes_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
m = model("induction-2l2h")
remove_hooks(m)
two = {"blocks.1.hook_resid_post", "embed.hook_in"}  # floats of 4 bytes, and token ids
got, kept = call_keeping(cache_sizes, m, ids_for(m, 2, 5), lambda name: name in two)
assert type(got) is dict, f"a dict is asked for, not {type(got).__name__}"
assert set(got) == two, f"{sorted(two)} were wanted; got {sorted(got)[:4]}"
for name, numbers, each in (
    ("blocks.1.hook_resid_post", 2 * 5 * m.cfg.d_model, 4),
    ("embed.hook_in", 10, 8),
):
    size = got[name]
    assert type(size) is int, f"{name}: the number of bytes is an int, not {type(size).__name__}"
    for wrong_size, slip in (
        (numbers, "this is the number of its elements: each takes some bytes"),
        (numbers * 4, "not every element takes 4 bytes: these are whole numbers"),
        (numbers * each // 2, "this is one row of the batch"),
        (numbers * each // 1024, "bytes, not kilobytes"),
    ):
        assert size == numbers * each or size != wrong_size, (
            f"{name} takes {size} bytes? No: {slip}"
        )
    assert size == numbers * each, f"{name}: {numbers} elements do not take {size} bytes"
assert torch.equal(kept[1], ids_for(m, 2, 5)), "the tokens were changed"
assert not (left := remove_hooks(m)), f"hooks are still on the model: {left}"

# %% nbgrader={"grade": true, "grade_id": "cache_sizes_test_2", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: other names on two models, and activations that are no floats.
### BEGIN HIDDEN TESTS
for name in ("tiny-gpt2", "induction-2l2h"):
    m = model(name)
    remove_hooks(m)
    n = 2 + secrets.randbelow(5)
    toks = ids_for(m, n, 7)
    heads, layers = m.cfg.n_heads, range(m.cfg.n_layers)
    patterns = {f"blocks.{i}.attn.hook_pattern": n * heads * 7 * 7 * 4 for i in layers}
    outputs = {f"blocks.{i}.attn.hook_z": n * 7 * heads * m.cfg.d_head * 4 for i in layers}
    for wanted, want in (
        (lambda point: point.endswith("hook_pattern"), patterns),
        (lambda point: point.endswith(("hook_pattern", "hook_z")), patterns | outputs),
        (lambda point: point == "embed.hook_in", {"embed.hook_in": n * 7 * 8}),
        (lambda point: False, {}),
    ):
        got = cache_sizes(m, toks, wanted)
        checks.check_equal(got, want, f"cache_sizes of {name}, tokens [{n} 7]")
    layer_one = {
        "blocks.1.hook_in": n * 7 * m.cfg.d_model * 4,
        "blocks.1.ln1.hook_scale": n * 7 * 4,  # one number a position
        "blocks.1.attn.hook_k": n * 7 * heads * m.cfg.d_head * 4,
    }
    got = cache_sizes(m, toks, layer_one.__contains__)
    checks.check_equal(got, layer_one, f"cache_sizes of {name}, layer 1, tokens [{n} 7]")
    assert not (left := remove_hooks(m)), f"hooks are still on the model: {left}"
### END HIDDEN TESTS

# %% [markdown]
# *In the library:* `names_filter` also takes a name or a list of names. What is not needed need not even
# be computed: `model(tokens, stop_at_layer=1)` runs layer 0 alone and returns the residual stream
# before layer 1, and `run_with_cache` takes `stop_at_layer`, too.
#
# What would a cache of 100 tokens cost, by kind of activation? *What do you expect:* which kind grows
# with the square of the length of the text?

# %%
points = {
    "pattern": "blocks.0.attn.hook_pattern",
    "neurons": "blocks.0.mlp.hook_post",
    "residual stream": "blocks.0.hook_resid_pre",
}
lengths = [1, *range(10, min(net.cfg.n_ctx, 100) + 1, 10)]
kept_points = list(points.values())
sizes_at = [cache_sizes(net, ids_for(net, 1, n), kept_points.__contains__) for n in lengths]
plots.curves(
    lengths,
    {kind: [sizes[point] / 1024 for sizes in sizes_at] for kind, point in points.items()},
    x_title="tokens",
    y_title="KiB a layer and text",
    title="What it costs to keep an activation",
)

# %% [markdown]
# ---
# ## 6 · Where would it look, if …
#
# Difficulty ●●●○○ · Importance ●●●●○ · 20 minutes
#
# If the cache really holds everything, a pattern can be computed again from its parts. In each head
# the query at position *q* and the key at position *k* (vectors of length `d_head`) give the score
#
# > score(q, k) = query(q) · key(k) / √d_head
#
# A position may only look at itself and at what came before it, so scores with *k > q* count as −∞.
# The softmax over the **keys** makes a pattern of the scores.
#
# Rebuilding what is there would be a dull exercise. So ask something that the cache does *not* hold:
# what would a head look at, if its queries came from one text and its keys from another? Such a
# question tells apart what a head is *looking for* from what there is *to be found*.
#
# Write `mixed_pattern(model, query_tokens, key_tokens, layer)`: the attention patterns
# `[batch head query key]` of all heads of `layer`, with the queries of a run on `query_tokens`
# `[batch pos]` and the keys of a run on `key_tokens` `[batch pos]`, two texts of the same shape. If
# both are the same text, the result is the cache's own pattern.
#
# <details><summary>Hint 1: the parts</summary>
#
# `cache["q", layer]` and `cache["k", layer]` are `[batch pos head d_head]`. You need two runs, and one
# of the two from each.
# </details>
# <details><summary>Hint 2: all scores at once</summary>
#
# `torch.einsum` with one letter for each axis: the two positions need two different letters, the
# `d_head` axis is summed over, batch and head are kept side by side. Which order must come out?
# </details>
# <details><summary>Hint 3: the mask</summary>
#
# `torch.ones(n, n).triu(1).bool()` is true where the column is larger than the row. Rows are queries.
# `scores.masked_fill(mask, float("-inf"))` leaves `scores` as it is and returns the masked ones.
# </details>
# <details><summary>Hint 4: another way</summary>
#
# You can also let the model do the arithmetic: run it on one of the texts with a hook that puts the
# other one's keys in place of its own, and read the pattern that it makes.
# </details>


# %% nbgrader={"grade": false, "grade_id": "mixed_pattern", "locked": false, "schema_version": 3, "solution": true, "task": false}
def mixed_pattern(
    model, query_tokens: torch.Tensor, key_tokens: torch.Tensor, layer: int
) -> torch.Tensor:
    """The patterns of a layer with the queries of one text and the keys of another.

    query_tokens, key_tokens: [batch pos]. Returns: [batch head query key].
    """
    ### BEGIN SOLUTION
    _, asking = model.run_with_cache(query_tokens)
    _, asked = model.run_with_cache(key_tokens)
    q, k = asking["q", layer], asked["k", layer]  # [batch pos head d_head]
    scores = torch.einsum("bqhd,bkhd->bhqk", q, k) / model.cfg.d_head**0.5
    length = scores.shape[-1]
    later = torch.ones(length, length, dtype=torch.bool, device=scores.device).triu(1)
    return scores.masked_fill(later, float("-inf")).softmax(dim=-1)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "mixed_pattern_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
remove_hooks(net)
toks = ids_for(net, 2, 6)
own = net.run_with_cache(toks)[1]


def scaled(factor):
    """The pattern of layer 1 if all scores were `factor` times what they are."""
    powers = own["pattern", 1] ** factor
    return powers / powers.sum(-1, keepdim=True)


got = mixed_pattern(net, toks, toks, 1)
checks.check_shape(
    got, (2, net.cfg.n_heads, 6, 6), "mixed_pattern of tokens [2 6]", axes="batch head query key"
)
assert torch.all(torch.triu(got, 1) < 1e-6), (
    "a query must not see later keys: is the mask there, and above the diagonal?"
)
checks.check_close(
    torch.sum(got, -1),
    torch.ones(got.shape[:3]),
    "the sums over the keys",
    hint="Is the softmax over the keys, the last axis, and the mask put on before it, as -inf?",
)
checks.check_close(
    got,
    own["pattern", 1],
    "mixed_pattern of a text with itself, layer 1, against the cache's pattern",
    axes="batch head query key",
    slips={
        "This is the pattern of layer 0.": own["pattern", 0],
        "Both texts of the batch have the pattern of the first.": own["pattern", 1][:1].expand(
            2, -1, -1, -1
        ),
        "The scores are to be divided by the root of d_head.": scaled(net.cfg.d_head**0.5),
        "The scores are to be divided by the root of d_head, not of d_model.": scaled(
            (net.cfg.d_head / net.cfg.d_model) ** 0.5
        ),
    },
    hint="Is it the right layer, with queries and keys (not values), divided by the root of d_head?",
    atol=1e-4,
)
# A second text that differs in its last token alone. Its keys are the same but for the last one.
other = toks.clone()
other[:, -1] = toks[:, -1].flip(0)
got, kept = call_keeping(mixed_pattern, net, toks, other, 1)
checks.check_shape(got, (2, net.cfg.n_heads, 6, 6), "mixed_pattern of two texts")
others_own = net.run_with_cache(other)[1]["pattern", 1]
checks.check_no_slip(
    got,
    "mixed_pattern of two texts",
    {
        "Both queries and keys come from the first text.": own["pattern", 1],
        "Both queries and keys come from the second text.": others_own,
    },
)
paid = [
    p[:, :, -1, :-1] / p[:, :, -1, :-1].sum(-1, keepdim=True)
    for p in (got + 0, own["pattern", 1], others_own)
]
checks.check_close(
    paid[0],
    paid[1],
    "what the last query pays to the keys that both texts have",
    axes="batch head key",
    hint="The queries come from the first text, so that these shares are the first text's.",
    slips={"The queries come from the second text: exchange the two.": paid[2]},
    atol=1e-4,
)
assert torch.equal(kept[1], toks) and torch.equal(kept[2], other), "tokens were changed"
assert not (left := remove_hooks(net)), f"hooks are still on the model: {left}"
m = model("induction-2l2h")
remove_hooks(m)
toks = ids_for(m, 1, 7)
checks.check_close(
    mixed_pattern(m, toks, toks, 0),
    m.run_with_cache(toks)[1]["pattern", 0],
    "mixed_pattern of a text with itself, layer 0 of another model",
    axes="batch head query key",
    hint="Is it the model and the layer that are given?",
    atol=1e-4,
)
assert not (left := remove_hooks(m)), f"hooks are still on the model: {left}"

# %% nbgrader={"grade": true, "grade_id": "mixed_pattern_test_2", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: two different texts, every layer of two models; the model itself says what is right.
### BEGIN HIDDEN TESTS
seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)
for name, texts, length in (("induction-2l2h", 3, 17), ("tiny-gpt2", 2, 7), ("induction-1l", 2, 1)):
    m = model(name)
    remove_hooks(m)
    ask, found = ids_for(m, texts, length, g), ids_for(m, texts, length, g)
    found[0, 1:] = ask[0, 1:]  # in the first row the two texts differ in their first token alone
    for layer in range(m.cfg.n_layers):
        found_keys = m.run_with_cache(found)[1]["k", layer]
        made = {}
        swap = (f"blocks.{layer}.attn.hook_k", lambda k, hook: found_keys)  # noqa: B023
        keep = (f"blocks.{layer}.attn.hook_pattern", lambda p, hook: made.update(p=p + 0))  # noqa: B023
        m.run_with_hooks(ask, fwd_hooks=[swap, keep])
        got, kept = call_keeping(mixed_pattern, m, ask, found, layer)
        checks.check_close(
            got,
            made["p"],
            f"mixed_pattern of two texts, layer {layer} of {name}, seed {seed}",
            axes="batch head query key",
            hint="Do the queries come from the first text and the keys from the second?",
            atol=1e-4,
        )
        assert torch.equal(kept[1], ask) and torch.equal(kept[2], found), "tokens were changed"
assert not (left := remove_hooks(m)), f"hooks are still on the model: {left}"
### END HIDDEN TESTS

# %% [markdown]
# *In the library:* no function, but hint 4 in one line: `run_with_hooks` with the other text's keys put
# in at `hook_k`.
#
# In the first picture, at the end of the text some heads of the last layer look at Mary, others at
# John. But are they looking for *Mary*, or for *whoever is named first*? Take the keys from the same
# sentence with the first two names exchanged: "When John and Mary went …". *What do you expect?* If a
# head looks for Mary, its attention moves from position 2 to position 4. The attention of the last
# position, with either sentence's keys:

# %%
exchanged = ids.clone()
exchanged[:, [2, 4]] = ids[:, [4, 2]]  # the names stand at positions 2 and 4
last_layer = net.cfg.n_layers - 1
own_keys = mixed_pattern(net, ids, ids, last_layer)[0, :, -1]  # [head key]
other_keys = mixed_pattern(net, ids, exchanged, last_layer)[0, :, -1]
plots.position_grid(
    torch.stack([own_keys, other_keys], 1).flatten(0, 1),  # [head·2 key]
    words,
    [
        f"{last_layer}.{h}, {keys}"
        for h in range(net.cfg.n_heads)
        for keys in ("own keys", "exchanged")
    ],
    unit="attention",
    limit=1,
    title="What the last position looks at",
)

# %% [markdown]
# <details><summary>What we see</summary>
#
# Heads 1.0 and 1.1 keep looking at position 4 (0.85 and 0.92 of their attention, 0.98 and 1.00 with the
# exchanged keys), and 1.3 at position 2 (1.00 and 0.99), although the other name stands there now. What
# they ask for is a *place* in the sentence, the first or the second of the two people named, whoever it
# may be. Head 1.2 divides its attention: 0.88 at position 2, and 0.48 with the exchanged keys. Remember
# that when we come to exercise 9.
# </details>

# %% [markdown]
# ---
# ## 7 · The residual stream is a sum
#
# Difficulty ●●○○○ · Importance ●●●●● · 15 minutes
#
# What makes transformers readable: the embedding of the token and that of its position start the
# residual stream, every attention layer and every MLP reads it and **adds** to it, and what arrives
# before the final layer norm is the sum of what all of them have written. So it makes sense to ask who
# wrote what. (To add is not to keep. A part can take back what another one has written, by writing
# its opposite: at the end of our sentence the stream has twice the token's own embedding in it after
# layer 0, as a projection, and −1.4 times after layer 1.)
#
# Write `residual_parts(model, tokens)`. It returns a pair: a list of names and a tensor
# `[part batch pos d_model]`, one part for each name, in the order in which they are written:
# `"embed"`, `"pos_embed"`, `"0_attn_out"`, `"0_mlp_out"`, `"1_attn_out"`, `"1_mlp_out"`, … up to the last
# layer. A model without MLPs (`model.cfg.attn_only` is true) has no `mlp_out`. The sum over the parts
# is the residual stream after the last layer.
#
# <details><summary>Hint 1: where they are</summary>
#
# The table of exercise 4 has all of them. `cache["attn_out", layer]` is short for
# `cache[f"blocks.{layer}.hook_attn_out"]`; the two embeddings are `cache["hook_embed"]` and
# `cache["hook_pos_embed"]`.
# </details>
# <details><summary>Hint 2: the pair</summary>
#
# Collect names and tensors in two lists, side by side, and `torch.stack` the tensors at the end.
# </details>
# <details><summary>Hint 3: a check of your own</summary>
#
# Sum over dimension 0 and subtract `cache["resid_post", -1]`. What is missing shows.
# </details>


# %% nbgrader={"grade": false, "grade_id": "residual_parts", "locked": false, "schema_version": 3, "solution": true, "task": false}
def residual_parts(model, tokens: torch.Tensor) -> tuple[list[str], torch.Tensor]:
    """Everything that is added into the residual stream, and by whom.

    tokens: [batch pos]. Returns: the names, and the parts [part batch pos d_model].
    """
    ### BEGIN SOLUTION
    _, cache = model.run_with_cache(tokens)
    names = ["embed", "pos_embed"]
    parts = [cache["hook_embed"], cache["hook_pos_embed"]]
    for layer in range(model.cfg.n_layers):
        for kind in ("attn_out",) if model.cfg.attn_only else ("attn_out", "mlp_out"):
            names.append(f"{layer}_{kind}")
            parts.append(cache[kind, layer])
    return names, torch.stack(parts)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "residual_parts_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
for name in ("tiny-gpt2", "induction-2l2h"):  # the second one has no MLPs
    m = model(name)
    remove_hooks(m)
    toks = ids_for(m, 2, 5)
    kinds = ("attn_out",) if m.cfg.attn_only else ("attn_out", "mlp_out")
    want = ["embed", "pos_embed", *(f"{i}_{kind}" for i in range(m.cfg.n_layers) for kind in kinds)]
    got, kept = call_keeping(residual_parts, m, toks)
    assert type(got) is tuple and len(got) == 2, "a pair is asked for: the names, and the parts"
    checks.check_equal(
        got[0], want, f"the names of residual_parts of {name}", hint="Their order counts."
    )
    checks.check_shape(
        got[1],
        (len(want), 2, 5, m.cfg.d_model),
        f"the parts of residual_parts of {name}",
        axes="part batch pos d_model",
    )
    run = m.run_with_cache(toks)[1]
    end = run["resid_post", m.cfg.n_layers - 1]
    checks.check_close(
        torch.sum(got[1], 0),
        end,
        f"the sum of all parts of {name}, against the residual stream after the last layer",
        hint="Is something missing (the positions? the last layer? a bias?), or counted twice?",
        slips={
            "The positions are missing.": end - run["hook_pos_embed"],
            "The last layer is missing.": run["resid_pre", m.cfg.n_layers - 1],
            "The embeddings are counted twice.": end + run["resid_pre", 0],
        },
        atol=1e-4,
    )
    for place, early, late in ((2, "pre", "mid"), (3, "mid", "post")):
        if not m.cfg.attn_only:  # what a part has written is what the stream gains at its step
            checks.check_close(
                got[1][place],
                run[f"resid_{late}", 0] - run[f"resid_{early}", 0],
                f"the part {want[place]} of {name}",
                axes="batch pos d_model",
                hint="Does every part stand under its own name, and is it what that part adds?",
                atol=1e-4,
            )
    assert torch.equal(kept[1], toks), "the tokens were changed"
    assert not (left := remove_hooks(m)), f"hooks are still on the model: {left}"

# %% nbgrader={"grade": true, "grade_id": "residual_parts_test_2", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: every part on two models, one of them without MLPs.
### BEGIN HIDDEN TESTS
seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)
for name, length in (("tiny-gpt2", 21), ("induction-2l2h", 6), ("induction-1l", 1)):
    m = model(name)
    remove_hooks(m)
    toks = ids_for(m, 2, length, g)
    run = m.run_with_cache(toks)[1]  # what each layer adds is what the stream gains
    names_wanted = ["embed", "pos_embed"]
    gains = [m.W_E[toks], m.W_pos[:length].expand(2, -1, -1)]
    for layer in range(m.cfg.n_layers):
        after = run["resid_post", layer]
        if m.cfg.attn_only:
            gains.append(after - run["resid_pre", layer])
            names_wanted.append(f"{layer}_attn_out")
        else:
            middle = run["resid_mid", layer]
            gains += [middle - run["resid_pre", layer], after - middle]
            names_wanted += [f"{layer}_attn_out", f"{layer}_mlp_out"]
    got, kept = call_keeping(residual_parts, m, toks)
    assert type(got) is tuple and len(got) == 2, "a pair is asked for"
    checks.check_equal(got[0], names_wanted, f"the names of residual_parts of {name}")
    checks.check_close(
        got[1],
        torch.stack(gains),
        f"the parts of residual_parts of {name}, seed {seed}",
        axes="part batch pos d_model",
        atol=1e-3,
    )
    assert torch.equal(kept[1], toks), "the tokens were changed"
    assert not (left := remove_hooks(m)), f"hooks are still on the model: {left}"
### END HIDDEN TESTS

# %% [markdown]
# *In the library:* `cache.decompose_resid(return_labels=True)` gives both, parts and names.
#
# How loud is each of them? The norm of each part, at each position of our sentence. *What do you
# expect:* where will a part be loudest, where the model is sure of what comes or where it is not?

# %%
part_names, parts = residual_parts(net, ids)
plots.position_grid(
    parts[:, 0].norm(dim=-1), words, part_names, unit="norm", title="How much each part writes"
)

# %% [markdown]
# <details><summary>What we see</summary>
#
# The embeddings whisper (norms of 1 to 2), and the last MLP shouts, but not everywhere: its norm is above
# 90 at positions 0, 1, 2, 3, 7 and 12, and below 31 at all others. Those six are where the next token is
# hardest to know, at the beginning, after the first name, and before a name, a place or a thing: the
# entropy of the model's prediction is 1.1 to 5.5 nats there, and at most 0.7 elsewhere. Loudness is not importance, though. What a
# part adds to the *answer* is a question of direction, and the subject of exercise 12.
# </details>

# %% [markdown]
# ---
# ## 8 · Watch without touching
#
# Difficulty ●●●○○ · Importance ●●●●○ · 20 minutes
#
# `run_with_cache` is itself made of hooks: functions `f(activation, hook)` that are called as the model
# computes an activation. If it returns a tensor, that takes the activation's place. If it returns `None`,
# the run goes on with the tensor that `f` was given. Four traps lie here, and everybody falls into each
# of them once:
#
# 1. **A watcher that returns something is no watcher.** `lambda a, hook: results.append(…)` is fine,
#    because `append` returns `None`; a function that *returns* what it has measured has just replaced
#    the activation with it.
# 2. **Python looks up a loop's variable when the function is called**, not when it is made. Functions
#    made in `for name in names:` which mention `name` will all see the *last* name. Bind it when you
#    make the function: `lambda a, hook, name=name: …`, or `functools.partial`.
# 3. **A hook point has two names.** `hook.name` is the bridge's own one (`blocks.0.attn.o.hook_in`),
#    not the one that you asked for (`blocks.0.attn.hook_z`).
# 4. **A hook that edits in place changes the run, also if it returns `None`.** `z[:, :, 1] = 0` without a
#    `return` zeroes the head all the same: it is the very tensor that the model goes on with. A watcher
#    that wants to scale, round or sort what it sees makes a copy first (`.clone()`).
#
# And for later: hooks added with `model.add_hook` stay until `model.reset_hooks()`.
# `model.run_with_hooks(…)` and `with model.hooks(…)` remove theirs by themselves, also after an error.
# (The tests take off what they find, so that a forgotten hook costs one exercise and not the next.
# They begin and end with `remove_hooks`. Your pictures have no such help.)
#
# Write `record(model, tokens, points, summary)`: run the model **once** on `tokens` `[batch pos]`, and
# return a `dict` from each name in `points` (a list of full names) to `summary(activation)` at that
# point. The run itself must not be disturbed, and no hook may be left on the model. (`summary` changes
# nothing in place: you need no copy for it.)
#
# <details><summary>Hint 1: the frame</summary>
#
# `model.run_with_hooks(tokens, fwd_hooks=[(name, f), …])`: one pair for each point.
# </details>
# <details><summary>Hint 2: one function for each point</summary>
#
# Write a function `watcher(name)` that *returns* a hook. Inside it `name` is its own, not the loop's.
# </details>
# <details><summary>Hint 3: no return</summary>
#
# The hook puts `summary(activation)` under `name` into a dict that was made outside, and ends without
# `return`.
# </details>


# %% nbgrader={"grade": false, "grade_id": "record", "locked": false, "schema_version": 3, "solution": true, "task": false}
def record(model, tokens: torch.Tensor, points: list[str], summary) -> dict:
    """What `summary` says of the activation at each of the hook points, in one run.

    tokens: [batch pos]. points: full names. summary: activation -> anything.
    """
    ### BEGIN SOLUTION
    results = {}

    def watcher(name):
        def watch(activation, hook):
            results[name] = summary(activation)

        return watch

    model.run_with_hooks(tokens, fwd_hooks=[(name, watcher(name)) for name in points])
    return results
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "record_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
remove_hooks(net)
toks = ids_for(net, 2, 5)
spots = ["blocks.0.attn.hook_z", "blocks.1.hook_resid_pre", "blocks.1.hook_mlp_out"]
looked = []


def threefold(activation):
    """Three times the activation; notes what it was asked about."""
    looked.append(tuple(activation.shape))
    return activation * 3


got, kept = call_keeping(record, net, toks, spots, threefold)
assert type(got) is dict, f"a dict is asked for, not {type(got).__name__}"
assert len(got) == len(spots), (
    f"{len(spots)} points were asked for, {len(got)} came back: {list(got)}. "
    "Do all your hooks see the loop's last name?"
)
assert set(got) == set(spots), (
    f"the names must be those that were asked for, not {sorted(got)}: hook.name is another name"
)
assert len(looked) == len(spots), (
    f"one run, {len(spots)} points: summary is called once for each, not {len(looked)} times in all"
)
run = net.run_with_cache(toks)[1]
for spot in spots:
    assert tuple(run[spot].shape) in looked, (
        f"{spot} is {list(run[spot].shape)}, summary was asked about {looked}: was it the whole batch?"
    )
    checks.check_close(
        got[spot],
        run[spot] * 3,
        f"what summary said at {spot}",
        hint="The run itself was disturbed: a hook further up has returned something, or has edited "
        "its activation in place, which counts even if it returns nothing (trap 4)."
        if spot != spots[0]
        else "summary gets the activation as it is: neither changed nor rounded in place.",
        atol=1e-4,
    )
assert torch.equal(kept[1], toks) and kept[2] == spots, "an argument was changed"
assert record(net, toks[:1], spots[:1], lambda a: 7) == {spots[0]: 7}, (
    "a second call, with another summary, must know nothing of the first"
)
assert len(looked) == len(spots), "the hooks of the first call were still there in the second one"
assert not (left := remove_hooks(net)), f"hooks are still on the model: {left}"

# %% nbgrader={"grade": true, "grade_id": "record_test_2", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: summaries that return tensors; the run goes on undisturbed, and nothing is left behind.
### BEGIN HIDDEN TESTS
seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)
for name in ("tiny-gpt2", "induction-2l2h"):
    m = model(name)
    remove_hooks(m)
    toks = ids_for(m, 2, 6, g)
    last = m.cfg.n_layers - 1
    spots = [f"blocks.{i}.attn.hook_{kind}" for kind in "zqv" for i in range(last + 1)]
    spots += ["hook_embed", "ln_final.hook_scale", f"blocks.{last}.hook_resid_post"]
    run = m.run_with_cache(toks)[1]
    want = {spot: run[spot] * 3 for spot in spots}
    got, kept = call_keeping(record, m, toks, spots, lambda a: a * 3)
    assert torch.equal(kept[1], toks) and kept[2] == spots, "an argument was changed"
    assert type(got) is dict, f"record returns a dict, not {type(got).__name__}"
    assert set(got) == set(spots), f"the names are wrong: {list(got)}"
    for spot in spots:
        checks.check_close(
            got[spot],
            want[spot],
            f"record of {name}, {spot}, seed {seed}",
            hint="Did a watcher further up change the run? Is it the right point?",
            atol=1e-4,
        )
    asked = []

    def count(a, asked=asked):
        """Notes that it was asked."""
        asked.append(1)
        return 0

    assert type(record(m, toks, spots[:2], count)) is dict
    got = record(m, toks[:1], spots[:1], lambda a: int(a.numel()))
    assert got == {spots[0]: run[spots[0]].numel() // 2}, "a second call, with another summary"
    assert len(asked) == 2, "the hooks of the first call were still there in the second one"
    one, all_of_them = (
        cost(record, m, toks, list_of, lambda a: 0) for list_of in (spots[:1], spots)
    )
    assert all_of_them.ops < 3 * one.ops, (
        f"{len(spots)} points take {all_of_them.ops / one.ops:.1f} times the work of one: run once"
    )
    assert not (left := remove_hooks(m)), f"hooks are still on the model: {left}"
### END HIDDEN TESTS

# %% [markdown]
# *In the library:* `run_with_cache(tokens, names_filter=points)` keeps the activations themselves, and
# `with model.hooks(fwd_hooks=…):` sets hooks for everything inside the block.
#
# Trap 4, measured: a hook that sets head 0.1 to zero and returns nothing, one that does so to a copy and
# returns nothing, and what the *cache* says of an earlier hook point if a later one is edited in place.
# *What do you expect?*


# %%
def edits_in_place(z, hook):
    z[:, :, 1] = 0


def edits_a_copy(z, hook):
    z = z.clone()
    z[:, :, 1] = 0


for editor in (edits_in_place, edits_a_copy):
    edited = net.run_with_hooks(ids, fwd_hooks=[("blocks.0.attn.hook_z", editor)])
    moved = float((edited - logits).abs().max())
    print(f"{editor.__name__:16} returns nothing, and the logits move by up to {moved:.1f}")


def doubles_in_place(resid, hook):
    resid *= 2


with net.hooks(fwd_hooks=[("blocks.1.hook_resid_pre", doubles_in_place)]):
    edited_cache = net.run_with_cache(ids)[1]
moved = float((edited_cache["resid_post", 0] - cache["resid_post", 0]).abs().max())
print(f"layer 1's input doubled in place: layer 0's output in the cache moves by {moved:.1f}")

# %% [markdown]
# <details><summary>What we see</summary>
#
# In place: 10.3 logits; a copy: none. And the edit of `blocks.1.hook_resid_pre` stands in the cache under
# `blocks.0.hook_resid_post` too, which came *before* it: both names speak of one tensor. Return a new
# tensor (`resid * 2`), and the cache of layer 0 stays as it was.
# </details>
#
# How much of its attention does each head pay to position 0? A head that has nothing to do at a
# position cannot look at nothing, for its attention adds up to 1. So it rests its eyes on the first
# token, which says nothing. This is called an **attention sink**
# ([Xiao et al., 2023](https://arxiv.org/abs/2309.17453)). With `record`, one line:

# %%
patterns_at = [f"blocks.{layer}.attn.hook_pattern" for layer in range(net.cfg.n_layers)]
resting = record(net, both, patterns_at, lambda p: p[:, :, 1:, 0].mean((0, 2)))  # each [head]
plots.head_grid(
    torch.stack(list(resting.values())), title="Attention to ⊢", unit="mean attention", limit=1
)

# %% [markdown]
# ---
# ## 9 · Remove a head
#
# Difficulty ●●○○○ · Importance ●●●●● · 15 minutes · core
#
# What does the model lose without one head? The crudest way to find out is **zero ablation**: the
# head's output is set to zero, everything else goes on.
#
# Write `zero_head(model, tokens, layer, head)`: the logits `[batch pos d_vocab]` of a run on `tokens`
# `[batch pos]` in which head `head` of layer `layer` contributes nothing, at any position. All other
# heads work as before (those of later layers will see another residual stream; that is wanted).
# Nothing is left on the model.
#
# <details><summary>Hint 1: where</summary>
#
# A head's own output, before all heads are mixed, is `z`: `[batch pos head d_head]`, at
# `blocks.{layer}.attn.hook_z`.
# </details>
# <details><summary>Hint 2: which index</summary>
#
# `z[:, head]` is a *position*. The head is the third axis.
# </details>
# <details><summary>Hint 3: the frame</summary>
#
# A hook that sets the slice to zero and returns `z`, given to `model.run_with_hooks`, which returns the
# logits.
# </details>


# %% nbgrader={"grade": false, "grade_id": "zero_head", "locked": false, "schema_version": 3, "solution": true, "task": false}
def zero_head(model, tokens: torch.Tensor, layer: int, head: int) -> torch.Tensor:
    """The logits of a run in which one head says nothing.

    tokens: [batch pos]. Returns: [batch pos d_vocab].
    """

    ### BEGIN SOLUTION
    def remove(z, hook):  # z: [batch pos head d_head]
        z[:, :, head] = 0
        return z

    return model.run_with_hooks(tokens, fwd_hooks=[(f"blocks.{layer}.attn.hook_z", remove)])
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "zero_head_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
m = model("induction-2l2h")  # attention only: without its two heads a layer says just its bias
remove_hooks(m)
toks = ids_for(m, 3, 6)


def zeros_at(*index):
    """The logits if z of layer 1 [batch pos head d_head] is zero at this index."""

    def put(z, hook):
        z[index] = 0
        return z

    return m.run_with_hooks(toks, fwd_hooks=[("blocks.1.attn.hook_z", put)])


got, kept = call_keeping(zero_head, m, toks, 1, 1)
checks.check_shape(got, (3, 6, m.cfg.d_vocab), "zero_head", axes="batch pos d_vocab")
assert not (left := remove_hooks(m)), f"hooks are still on the model: {left}"
checks.check_no_slip(
    got,
    "zero_head of head 1 in layer 1",
    {
        "Nothing has changed: does the hook return the changed activation?": m(toks),
        "*All* heads of the layer are gone: only one is to go.": zeros_at(...),
        "The other head is gone, and this one has stayed.": zeros_at(..., slice(0, 1), slice(None)),
        "z[:, head] is a position, of all heads: the head is the third axis.": zeros_at(
            slice(None), 1
        ),
        "z[..., head] is one number of every head's output: the head is the third axis.": zeros_at(
            ..., 1
        ),
        "At every position, not at the last one alone.": zeros_at(slice(None), -1, 1),
        "In every text of the batch, not in the first one alone.": zeros_at(0, slice(None), 1),
    },
    atol=1e-4,
)
assert not torch.allclose(zero_head(m, toks, 0, 1), got, atol=1e-4), (
    "head 1 of layer 0 and head 1 of layer 1 have given the same: is `layer` used?"
)
assert torch.equal(kept[1], toks), "the tokens were changed"
assert not (left := remove_hooks(m)), f"hooks are still on the model: {left}"

# %% nbgrader={"grade": true, "grade_id": "zero_head_test_2", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: every head of two models, against what a head adds to the residual stream.
### BEGIN HIDDEN TESTS
seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)
cases = []
for name in ("tiny-gpt2", "induction-2l2h"):
    m = model(name)
    remove_hooks(m)
    toks = ids_for(m, 2, 17, g)
    run = m.run_with_cache(toks)[1]
    for layer in range(m.cfg.n_layers):
        for head in range(m.cfg.n_heads):
            said = run["z", layer][:, :, head] @ m.W_O[layer, head]  # [batch pos d_model]
            less = (f"blocks.{layer}.hook_attn_out", lambda out, hook, said=said: out - said)
            cases.append((name, toks, layer, head, m.run_with_hooks(toks, fwd_hooks=[less])))
for name, toks, layer, head, want in cases:
    got, kept = call_keeping(zero_head, model(name), toks, layer, head)
    checks.check_close(
        got,
        want,
        f"zero_head {layer}.{head} of {name}, seed {seed}",
        axes="batch pos d_vocab",
        hint="Is exactly this head of this layer set to zero, and nothing left from a former call?",
        atol=1e-3,
        rtol=1e-3,
    )
    assert torch.equal(kept[1], toks), "the tokens were changed"
assert not (left := remove_hooks(model("tiny-gpt2"))), f"hooks are still on the model: {left}"
### END HIDDEN TESTS

# %% [markdown]
# *In the library:* no function; the three lines of a hook are the idiom that you will meet everywhere.
#
# One head after the other, on both sentences. *What do you expect:* will a head matter equally for both,
# which differ in nothing but who gives? A cell says by how much the logit difference *changes*
# without the head; negative means that the head is missed.


# %%
all_heads = [(layer, head) for layer in range(net.cfg.n_layers) for head in range(net.cfg.n_heads)]


def changes(ablated):
    """By how much `ablated(layer, head)` changes both logit differences: [layer head 2]."""
    after = [logit_diff(ablated(*spot), right_of_both, wrong_of_both) for spot in all_heads]
    return (torch.stack(after) - start).reshape(net.cfg.n_layers, net.cfg.n_heads, 2)


by_zero = changes(lambda layer, head: zero_head(net, both, layer, head))
plots.head_grid(
    {"John gives": by_zero[..., 0], "Mary gives": by_zero[..., 1], "mean": by_zero.mean(-1)},
    title="Logit difference without one head, minus that with all",
    unit="logits",
)

# %% [markdown]
# <details><summary>What we see</summary>
#
# Look at layer 1, first in the left grid alone. Two heads seem to work for the answer, and two against
# it. Now the grid in the middle: all four have the opposite sign! Three of them are the heads of
# exercise 6 that look for one of the two places: they push the name there, whoever gives, and over
# both sentences it nearly cancels. Had we stopped at one sentence, we would have written a paper about
# them. What is left in the mean is in layer 0: 0.1 above all (−7.5), and 0.3 (−3.2).
# </details>

# %% [markdown]
# ---
# ## 10 · Replace a head by its mean
#
# Difficulty ●●●○○ · Importance ●●●●● · 20 minutes
#
# Zero is nothing special to a model. If a head always adds some constant vector, later layers have
# come to count on it, and taking the constant away breaks things that have nothing to do with *this*
# text. Then the ablation tells you how surprised the model is, not what the head knew.
#
# **Mean ablation** takes away only what the head says about this text: its output is replaced by its
# average over other texts. Which ones is up to you, and part of the question. Over all kinds of text,
# the head loses everything it knows. Over sentences of the same build with other names, it keeps what
# it knows of the build and loses who is who.
#
# Write `mean_ablate_head(model, tokens, layer, head, reference)`: the logits `[batch pos d_vocab]` of
# a run on `tokens` `[batch pos]` in which the head's `z`, at every position, is its **mean over all
# rows and positions of a run on `reference`** `[rows positions]`, one vector `[d_head]`. Number and
# length of the reference texts may be others than those of `tokens`.
#
# <details><summary>Hint 1: two runs</summary>
#
# First a run on `reference` with a cache. Its `z` is `[rows positions head d_head]`. Then a run on
# `tokens` with a hook.
# </details>
# <details><summary>Hint 2: the mean</summary>
#
# Choose the head first, `[rows positions d_head]`; then the mean over dimensions 0 and 1 is `[d_head]`.
# </details>
# <details><summary>Hint 3: putting it in</summary>
#
# `z[:, :, head] = mean` writes one `[d_head]` into all `[batch pos d_head]`.
# </details>


# %% nbgrader={"grade": false, "grade_id": "mean_ablate_head", "locked": false, "schema_version": 3, "solution": true, "task": false}
def mean_ablate_head(
    model, tokens: torch.Tensor, layer: int, head: int, reference: torch.Tensor
) -> torch.Tensor:
    """The logits of a run in which one head says what it says on average over `reference`.

    tokens: [batch pos]. reference: [rows positions]. Returns: [batch pos d_vocab].
    """
    ### BEGIN SOLUTION
    point = f"blocks.{layer}.attn.hook_z"
    _, cache = model.run_with_cache(reference, names_filter=lambda name: name == point)
    mean = cache[point][:, :, head].mean(dim=(0, 1))  # [d_head]

    def replace(z, hook):  # z: [batch pos head d_head]
        z[:, :, head] = mean
        return z

    return model.run_with_hooks(tokens, fwd_hooks=[(point, replace)])
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "mean_ablate_head_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
m = model("induction-2l2h")
remove_hooks(m)
toks = ids_for(m, 2, 6)
toks[:, :2] = toks[0, :2]  # both rows begin with the same two tokens
others = (ids_for(m, 3, 4) + 1) % m.cfg.d_vocab
got, kept = call_keeping(mean_ablate_head, m, toks, 1, 1, others)
checks.check_shape(got, (2, 6, m.cfg.d_vocab), "mean_ablate_head", axes="batch pos d_vocab")
assert not (left := remove_hooks(m)), f"hooks are still on the model: {left}"
usual = m.run_with_cache(others)[1]["blocks.1.hook_attn_out"].mean((0, 1))  # [d_model]
checks.check_no_slip(
    got,
    "mean_ablate_head of head 1 in layer 1",
    {
        "Nothing has changed: does the hook return the changed activation?": m(toks),
        "All heads of the layer have been replaced: only one is to be.": m.run_with_hooks(
            toks, fwd_hooks=[("blocks.1.hook_attn_out", lambda out, hook: out * 0 + usual)]
        ),
    },
    atol=1e-4,
)
assert not torch.allclose(got[:, :-1], m(toks)[:, :-1], atol=1e-4), (
    "only the last position has changed: the mean is put in at every position"
)
for again, why in (
    (torch.cat([others, others]), "the same reference texts, twice each"),
    (others.flip(0), "the same reference texts, in another order"),
):
    checks.check_close(
        mean_ablate_head(m, toks, 1, 1, again),
        got,
        why,
        atol=1e-4,
        hint="Is it a mean and no sum, and over all rows of the reference?",
    )
elsewhere = mean_ablate_head(m, toks, 1, 1, (others + 9) % m.cfg.d_vocab)
assert not torch.allclose(elsewhere, got, atol=1e-5), (
    "with other reference texts nothing changes: is the mean taken over `tokens`, or zero put in?"
)
# A reference of one token: its mean is what the head says at the beginning of every such text.
checks.check_close(
    mean_ablate_head(m, toks, 1, 1, toks[:1, :1])[:, 0],
    m(toks)[:, 0],
    "the logits at position 0, if the reference is just the token that stands there",
    hint="There the head already says what it says on average. Is it the mean of this head, in this "
    "layer, one vector [d_head], put in as it is, and over all positions of the reference?",
    atol=1e-4,
)
begun = mean_ablate_head(m, toks[:, :2], 1, 1, toks[:1, :2])
for position in (0, 1):
    assert not torch.allclose(begun[:, position], m(toks)[:, position], atol=1e-4), (
        f"with the text itself as reference position {position} keeps what it had: the mean is over "
        "rows *and* positions, one vector for all of them"
    )
assert torch.equal(kept[1], toks) and torch.equal(kept[4], others), "tokens were changed"
assert not (left := remove_hooks(m)), f"hooks are still on the model: {left}"

# %% nbgrader={"grade": true, "grade_id": "mean_ablate_head_test_2", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: every head of two models, against what the head would add on average; short references too.
### BEGIN HIDDEN TESTS
seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)
cases = []
for name in ("induction-2l2h", "tiny-gpt2"):
    m = model(name)
    remove_hooks(m)
    for layer in range(m.cfg.n_layers):
        for head in range(m.cfg.n_heads):
            toks, others = ids_for(m, 2, 6, g), ids_for(m, 3 if head else 1, 4 + head, g)
            own, theirs_z = (m.run_with_cache(t)[1]["z", layer][:, :, head] for t in (toks, others))
            usual = theirs_z.flatten(0, 1).sum(0) / others.numel()  # [d_head]
            more = (usual - own) @ m.W_O[layer, head]  # [batch pos d_model]
            swap = (f"blocks.{layer}.hook_attn_out", lambda out, hook, more=more: out + more)
            want = m.run_with_hooks(toks, fwd_hooks=[swap])
            cases.append((name, toks, layer, head, others, want))
for name, toks, layer, head, others, want in cases:
    got, kept = call_keeping(mean_ablate_head, model(name), toks, layer, head, others)
    checks.check_close(
        got,
        want,
        f"mean_ablate_head {layer}.{head} of {name}, seed {seed}",
        axes="batch pos d_vocab",
        hint="The mean is over rows and positions of the reference, for this head alone.",
        atol=1e-3,
        rtol=1e-3,
    )
    assert torch.equal(kept[1], toks) and torch.equal(kept[4], others), "tokens were changed"
assert not (left := remove_hooks(model("tiny-gpt2"))), f"hooks are still on the model: {left}"
### END HIDDEN TESTS

# %% [markdown]
# *In the library:* no single call. (`tools.analysis.faithfulness` has mean ablation, but of *edges*: what
# one part writes, as another part reads it. It comes up again in exercise 16.)
#
# The reference texts here are sentences of the same build with other names, in both orders. *What do you
# expect:* which of the heads that were dear in exercise 9 will still be?

# %%
pairs = ["Tom Anna", "Paul Lucy", "Mark Kate", "Sarah Peter", "Emma David", "Alice James"]
builds = [text.replace("Mary", "{0}").replace("John", "{1}")]
builds.append(builds[0].replace(", {1}", ", {0}"))
alike = torch.cat(
    [net.to_tokens(b.format(*p.split()))[:, : len(words)] for p in pairs for b in builds]
)  # [12 pos]
by_mean = changes(lambda layer, head: mean_ablate_head(net, both, layer, head, alike))
plots.head_grid(
    {"zero": by_zero.mean(-1), "mean over other names": by_mean.mean(-1)},
    title="What is lost without one head, on average over both sentences",
    unit="logits",
)

# %% [markdown]
# <details><summary>What we see</summary>
#
# Compare the two grids, head by head. 0.1 is dear in both (−7.5 and −7.2). 0.3 is dear if it is set to
# zero (−3.2), and not if it goes on saying what it says on average (+0.9): the model needs its constant,
# not what it knows.
# </details>

# %% [markdown]
# ---
# ## 11 · Edit: steer the model
#
# Difficulty ●●○○○ · Importance ●●●●○ · 15 minutes
#
# If the residual stream is a sum, we can add a term of our own. With a vector that stands for
# something, the model behaves as if one of its parts had said it: this is called *steering*.
#
# Write `steer(model, tokens, layer, position, vector)`: the logits `[batch pos d_vocab]` of a run on
# `tokens` in which `vector` `[d_model]` is **added** to the residual stream **before** layer `layer`, at
# position `position` of every row and nowhere else. `position` may be negative, as in a Python list:
# −1 is the last. Neither `vector` nor the model is changed.
#
# <details><summary>Hint 1: where</summary>
#
# Before layer `layer`: `blocks.{layer}.hook_resid_pre`, `[batch pos d_model]`.
# </details>
# <details><summary>Hint 2: how</summary>
#
# `resid[:, position]` is `[batch d_model]`; adding a `[d_model]` adds it to every row.
# </details>


# %% nbgrader={"grade": false, "grade_id": "steer", "locked": false, "schema_version": 3, "solution": true, "task": false}
def steer(
    model, tokens: torch.Tensor, layer: int, position: int, vector: torch.Tensor
) -> torch.Tensor:
    """The logits of a run with `vector` added to the residual stream at one place.

    tokens: [batch pos]. vector: [d_model]. Returns: [batch pos d_vocab].
    """

    ### BEGIN SOLUTION
    def add(resid, hook):  # resid: [batch pos d_model]
        resid[:, position] += vector
        return resid

    return model.run_with_hooks(tokens, fwd_hooks=[(f"blocks.{layer}.hook_resid_pre", add)])
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "steer_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
remove_hooks(net)
toks = ids_for(net, 2, 6)
arrow = torch.ones(net.cfg.d_model, device=toks.device).cumsum(0).sin() * 3
plain_logits = net(toks)


def with_added(mask, point="blocks.1.hook_resid_pre"):
    """The logits if `arrow` is added at this point, times one number for each position."""
    more = torch.tensor(mask, device=toks.device)[:, None] * arrow  # [pos d_model]
    return net.run_with_hooks(toks, fwd_hooks=[(point, lambda x, hook: x + more)])


got, kept = call_keeping(steer, net, toks, 1, 3, arrow)
checks.check_shape(got, tuple(plain_logits.shape), "steer", axes="batch pos d_vocab")
assert not (left := remove_hooks(net)), f"hooks are still on the model: {left}"
checks.check_no_slip(
    got,
    "steer before layer 1 at position 3",
    {
        "Nothing has changed: does the hook return the changed activation?": plain_logits,
        "The vector is added at every position: position 3 alone is asked for.": with_added(
            [1] * 6
        ),
        "The vector is added from position 3 on: position 3 alone is asked for.": with_added(
            [0, 0, 0, 1, 1, 1]
        ),
        "The vector is subtracted.": with_added([0, 0, 0, -1, 0, 0]),
        "This is one position too late.": with_added([0, 0, 0, 0, 1, 0]),
        "This is one position too early.": with_added([0, 0, 1, 0, 0, 0]),
        "The vector is added after layer 1, not before it.": with_added(
            [0, 0, 0, 1, 0, 0], "blocks.1.hook_resid_post"
        ),
    },
    atol=1e-4,
)
checks.check_close(
    got[:, :3],
    plain_logits[:, :3],
    "the logits before position 3, which cannot know of it",
    atol=1e-4,
    hint="Is the vector added at this position only?",
)
for row in (0, 1):
    assert not torch.allclose(got[row, 3], plain_logits[row, 3], atol=1e-3), (
        f"position 3 of row {row} is unchanged"
    )
checks.check_close(
    steer(net, toks, 1, 3, arrow * 0),
    plain_logits,
    "steer with a vector of zeros: nothing may change",
    atol=1e-4,
    hint="Is the vector added, or does it take the place of what was there?",
)
assert not torch.allclose(steer(net, toks, 1, 3, arrow * 2), got, atol=1e-3), (
    "twice the vector does the same as once: it is added as it is, whatever its length"
)
checks.check_close(
    steer(net, toks, 1, -1, arrow),
    steer(net, toks, 1, 5, arrow),
    "steer at position -1 of 6 tokens, against position 5",
    hint="position may be negative, as in a Python list.",
    atol=1e-4,
)
assert torch.equal(kept[1], toks) and torch.equal(kept[4], arrow), "an argument was changed"
assert torch.equal(net(toks), plain_logits), "after the call the model is not as it was before"

# %% nbgrader={"grade": true, "grade_id": "steer_test_2", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: every layer and positions from both ends; the vector comes in by another door.
### BEGIN HIDDEN TESTS
seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)
cases = []
for name in ("induction-2l2h", "tiny-gpt2"):
    m = model(name)
    remove_hooks(m)
    for layer in range(m.cfg.n_layers):
        for position in (0, 4, -1, -3):
            toks = ids_for(m, 3, 6, g)
            arrow = torch.randn(m.cfg.d_model, generator=g).to(toks.device) * 2
            place = torch.zeros(6, 1, device=toks.device)
            place[position] = 1
            door = f"blocks.{layer - 1}.hook_attn_out" if layer else "hook_embed"
            if layer and not m.cfg.attn_only:
                door = f"blocks.{layer - 1}.hook_mlp_out"
            more = place * arrow  # [pos d_model]
            hooks = [(door, lambda x, hook, more=more: x + more)]
            cases.append(
                (name, toks, layer, position, arrow, m.run_with_hooks(toks, fwd_hooks=hooks))
            )
for name, toks, layer, position, arrow, want in cases:
    got, kept = call_keeping(steer, model(name), toks, layer, position, arrow)
    checks.check_close(
        got,
        want,
        f"steer of {name} before layer {layer} at position {position}, seed {seed}",
        axes="batch pos d_vocab",
        hint="Before this layer, at this position, of every row.",
        atol=1e-3,
        rtol=1e-3,
    )
    assert torch.equal(kept[1], toks) and torch.equal(kept[4], arrow), "an argument was changed"
assert not (left := remove_hooks(model("tiny-gpt2"))), f"hooks are still on the model: {left}"
### END HIDDEN TESTS

# %% [markdown]
# *In the library:* hooks hold while the model writes, too: `with model.hooks(fwd_hooks=…):
# model.generate(tokens, max_new_tokens=5, do_sample=False)` writes with the vector added at every step.
#
# A dose and its effect. *What do you expect?* Twice the dose, twice the effect? And one position
# earlier, as much or less? The direction from John to Mary, added at the last position before the last
# layer, in doses from −2 to 2 times the norm of what is there.

# %%
towards_mary = net.W_U[:, mary[0]] - net.W_U[:, john[0]]  # [d_model]
unit = towards_mary / towards_mary.norm() * cache["resid_pre", -1][0, -1].norm()
doses = torch.linspace(-2, 2, 17)
plots.curves(
    doses,
    {
        "at the last position": [
            float(logit_diff(steer(net, ids, last_layer, -1, d * unit), mary, john)) for d in doses
        ],
        "one position earlier": [
            float(logit_diff(steer(net, ids, last_layer, -2, d * unit), mary, john)) for d in doses
        ],
    },
    x_title="dose (norms of the residual stream)",
    y_title="logit difference Mary − John",
    title="Steering, dose and effect",
)

# %% [markdown]
# <details><summary>What we see</summary>
#
# The full line is nearly straight in the middle: twice the dose, twice the effect, and in the end the
# layer norm, which divides by the length of the vector, takes its share. The broken line shows that
# the place matters as much as the direction. One position earlier even two norms towards John change
# nothing, and half a norm towards Mary next to nothing: the logits are read at the last position, and
# what stands elsewhere counts only as far as a head of the last layer fetches it.
# </details>

# %% [markdown]
# ---
# ## 12 · Who wrote the answer?
#
# Difficulty ●●●●○ · Importance ●●●●● · 25 minutes
#
# The logits are made from the last residual stream in two steps: the final layer norm, and the
# unembedding `W_U`. If both were linear, then since the stream is a sum, the logit difference would
# be a sum too, with one term for each part. The unembedding *is* linear. The layer norm is almost so:
#
# > LN(x) = (x − mean(x)) / scale(x) · w + b
#
# where mean and scale are taken over `d_model`. Subtracting the mean and multiplying by `w` are
# linear; only the division by `scale(x)` is not. So **freeze it**: take the scale that the *whole*
# stream has in this run, and use that one number for every part. Then
#
# > contribution of a part = ((part − mean(part)) / scale(whole) · w) · (W_U[:, right] − W_U[:, wrong])
#
# and the contributions of all parts add up to the logit difference (up to `b`, which belongs to
# nobody). This is **direct logit attribution**. It sees what a part writes *straight* to the answer,
# and not what it tells other parts.
#
# Write `direct_attribution(model, parts, right, wrong)`. `parts` is `[part batch pos d_model]`, and
# their sum over `part` is the whole residual stream before the final layer norm. `right` and `wrong`
# are token ids, `[batch]`. The result is `[part batch]`: the contribution of every part **at the last
# position** to the logit difference of its row.
#
# `model.ln_final.w` is the `[d_model]` of weights, `model.cfg.eps` the small number under the root:
# scale(x) = √(mean of (x − mean(x))² + eps). And `model.W_U` is `[d_model d_vocab]`.
#
# <details><summary>Hint 1: the direction</summary>
#
# `model.W_U[:, right] - model.W_U[:, wrong]` is `[d_model batch]`: one direction for each row.
# </details>
# <details><summary>Hint 2: the scale</summary>
#
# `whole = parts.sum(0)[:, -1]` is `[batch d_model]`. Its scale is one number a row, `[batch 1]`.
# `var(unbiased=False)` divides by `d_model`; `var()` alone divides by `d_model − 1`.
# </details>
# <details><summary>Hint 3: putting it together</summary>
#
# `part − mean(part)` at the last position is `[part batch d_model]`. Divide by the scale, multiply by
# `w`, and take the dot product with the direction of the row: `einsum` with letters for part, batch
# and d_model.
# </details>
# <details><summary>Hint 4: a check of your own</summary>
#
# Sum your result over the parts. What must be added so that it is `logit_diff`? (`b` has a
# contribution too, and on some models it is not small.)
# </details>


# %% nbgrader={"grade": false, "grade_id": "direct_attribution", "locked": false, "schema_version": 3, "solution": true, "task": false}
def direct_attribution(
    model, parts: torch.Tensor, right: torch.Tensor, wrong: torch.Tensor
) -> torch.Tensor:
    """What every part adds to the logit difference at the last position.

    parts: [part batch pos d_model], their sum is the last residual stream. right, wrong: [batch].
    Returns: [part batch].
    """
    ### BEGIN SOLUTION
    last = parts[:, :, -1]  # [part batch d_model]
    variance = last.sum(dim=0).var(dim=1, unbiased=False, keepdim=True)  # [batch 1]
    scale = (variance + model.cfg.eps).sqrt()
    normalised = (last - last.mean(dim=-1, keepdim=True)) / scale * model.ln_final.w
    direction = model.W_U[:, right] - model.W_U[:, wrong]  # [d_model batch]
    return torch.einsum("pbd,db->pb", normalised, direction)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "direct_attribution_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
remove_hooks(net)
toks = ids_for(net, 2, 5)
yes, no = ids_for(net, 2, 2)
end = net.run_with_cache(toks)[1]["resid_post", net.cfg.n_layers - 1]  # [batch pos d_model]
halves = torch.stack([end * 0.25, end * 0.75])
got, kept = call_keeping(direct_attribution, net, halves, yes, no)
checks.check_shape(got, (2, 2), "direct_attribution of 2 parts, 2 rows", axes="part batch")
assert torch.equal(kept[1], halves), "the parts were changed: centre a new tensor"
of_b = net.ln_final.b @ (net.W_U[:, yes] - net.W_U[:, no])  # [batch], what b contributes
rows = torch.arange(2, device=toks.device)


def apart(answers, a, b):
    """The difference of two tokens' logits in each row of logits [batch d_vocab]."""
    return answers[rows, a] - answers[rows, b]


says = apart(net(toks)[:, -1], yes, no)  # [batch]
unnormalised = apart(end[:, -1] @ net.W_U, yes, no)
checks.check_close(
    torch.sum(got, 0) + of_b,
    says,
    "the sum over the parts, and what b adds, against the logit difference",
    hint="Is the scale that of the whole stream at its last position (√ of mean square + eps)? Is "
    "it right minus wrong? Are the parts centred, and is w in it?",
    slips={
        "Right minus wrong, not wrong minus right.": 2 * of_b - says,
        "b belongs to no part: leave it out.": says + 2 * of_b,
        "This is the first position, not the last.": apart(net(toks)[:, 0], yes, no),
        "The layer norm is missing.": unnormalised + of_b,
    },
    atol=1e-3,
    rtol=1e-3,
)
checks.check_close(
    got[1],
    got[0] * 3,
    "three quarters of the stream, against one quarter",
    hint="All parts are divided by the same scale, that of their sum.",
    atol=1e-3,
    rtol=1e-3,
)
uneven = torch.stack([end + 5, torch.zeros_like(end) - 5])  # a constant that LN takes away
checks.check_close(
    direct_attribution(net, uneven, yes, no)[1],
    torch.zeros(2),
    "a part with the same number in all d_model places, which the layer norm takes away",
    hint="Every part is centred by its own mean over d_model.",
    atol=1e-3,
)
assert torch.allclose(direct_attribution(net, halves, no, yes), -got, atol=1e-3), (
    "with right and wrong exchanged every contribution changes its sign"
)
assert not (left := remove_hooks(net)), f"hooks are still on the model: {left}"

# %% nbgrader={"grade": true, "grade_id": "direct_attribution_test_2", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: random parts with means of their own, on two models, against a loop in float64.
### BEGIN HIDDEN TESTS
seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)
for name in ("tiny-gpt2", "induction-2l2h"):
    m = model(name)
    remove_hooks(m)
    width = m.cfg.d_model
    for size in (3.0, 0.004):  # with small parts eps counts
        pieces = torch.randn(4, 3, 2, width, generator=g) * size
        pieces += torch.randn(4, 1, 1, 1, generator=g) * size
        yes, no = torch.randint(0, m.cfg.d_vocab, (2, 3), generator=g)
        gain, out = m.ln_final.w.detach().cpu().double(), m.W_U.detach().cpu().double()
        want = torch.zeros(4, 3, dtype=torch.float64)
        for b in range(3):
            whole = sum(pieces[p, b, 1].double() for p in range(4))
            spread = whole - whole.sum() / width
            scale = ((spread * spread).sum() / width + m.cfg.eps) ** 0.5
            for p in range(4):
                piece = pieces[p, b, 1].double()
                piece = (piece - piece.sum() / width) / scale * gain
                want[p, b] = piece @ out[:, yes[b]] - piece @ out[:, no[b]]
        where = m.cfg.device
        given = (pieces.to(where), yes.to(where), no.to(where))
        got, kept = call_keeping(direct_attribution, m, *given)
        checks.check_close(
            got,
            want.float(),
            f"direct_attribution on {name}, random parts of size {size}, seed {seed}",
            axes="part batch",
            atol=1e-3,
            rtol=1e-3,
        )
        assert torch.equal(kept[1], given[0]), "the parts were changed"
        assert not (left := remove_hooks(m)), f"hooks are still on the model: {left}"
### END HIDDEN TESTS

# %% [markdown]
# *In the library:* `cache.logit_attrs(stack, tokens=right, incorrect_tokens=wrong, pos_slice=-1)`; it gives
# your numbers with a model in compatibility mode only, and exercise 17 says why.
#
# Both sentences, on average. First by component, then by head: `stack_head_results` splits what the
# attention layers wrote into what each head wrote. *What do you expect:* how much of the 7 logits that
# head 0.1 costs does it write itself?

# %%
both_names, both_parts = residual_parts(net, both)
shares = direct_attribution(net, both_parts, right_of_both, wrong_of_both).mean(1)  # [part]
plots.contributions(
    {"both sentences": shares}, both_names, title="Direct contribution to the logit difference"
)

# %%
both_cache = net.run_with_cache(both)[1]
by_head = both_cache.stack_head_results()  # [layer·head batch pos d_model]
rest = both_cache["resid_post", -1] - by_head.sum(0)  # what the heads did not write
of_heads = direct_attribution(net, torch.cat([by_head, rest[None]]), right_of_both, wrong_of_both)[
    :-1
]
plots.head_grid(
    of_heads.mean(1).reshape(net.cfg.n_layers, net.cfg.n_heads),
    title="What each head writes straight to the answer",
    unit="logits",
)

# %% [markdown]
# Compare this with what was lost in exercise 10. The head of layer 0 that costs more than seven logits
# when it is gone writes less than two of them itself. *Who does the rest?* Attribute once more, while
# that head is removed: a cache can be taken with hooks in place.

# %%
key_head = min(
    all_heads, key=lambda spot: float(by_mean[spot].mean())
)  # the one that is missed most


def cut(z, hook):  # z: [batch pos head d_head]
    z[:, :, key_head[1]] = 0
    return z


with net.hooks(fwd_hooks=[(f"blocks.{key_head[0]}.attn.hook_z", cut)]):
    parts_without = residual_parts(net, both)[1]
shares_without = direct_attribution(net, parts_without, right_of_both, wrong_of_both).mean(1)
plots.contributions(
    {"all heads": shares, f"without {key_head[0]}.{key_head[1]}": shares_without},
    both_names,
    title="Direct contributions, with the head and without it",
)

# %% [markdown]
# <details><summary>What we see</summary>
#
# Without it the MLPs have nothing to say about the question, and the attention of the next layer speaks
# for the wrong name. They had been reading what the head wrote, and writing the answer in their turn.
# Attribution shows the last hand that touched the answer, its **direct effect**; ablation shows who is
# needed, the **total effect**.
# </details>

# %% [markdown]
# ---
# ## 13 · The logit lens
#
# Difficulty ●●●○○ · Importance ●●●●○ · 15 minutes
#
# What would the model say if it had to stop after layer 0? Since every layer only adds, the residual
# stream half-way is a first draft of the final one, and we may read it with the same eyes: the final
# layer norm, and then the unembedding. This is the **logit lens** (nostalgebraist, [*interpreting
# GPT: the logit lens*](https://www.lesswrong.com/posts/AcKRB8wDpdaN6v6ru/interpreting-gpt-the-logit-lens),
# 2020). A **tuned lens** ([Belrose et al., 2023](https://arxiv.org/abs/2303.08112)) first learns a
# translation for each layer, since a draft need not be written in the language of the end.
#
# Write `logit_lens(model, tokens)`: for `tokens` `[batch pos]`, the logits
# `[layer+1 batch pos d_vocab]` that one gets from the residual stream **before layer 0, before layer
# 1, …, and after the last layer**. The last entry is what the model really says. Every entry is
# normalised by its *own* scale, as the model would do if it ended there: `model.ln_final(x)`,
# `model.unembed(x)`.
#
# <details><summary>Hint 1: the streams</summary>
#
# What leaves a layer is what enters the next: `cache["resid_pre", 0]`, and then `cache["resid_post", layer]`
# of every layer. That makes `n_layers + 1` tensors `[batch pos d_model]`.
# </details>
# <details><summary>Hint 2: the eyes</summary>
#
# `model.unembed(model.ln_final(x))` turns `[batch pos d_model]` into `[batch pos d_vocab]`. Stack the
# results.
# </details>


# %% nbgrader={"grade": false, "grade_id": "logit_lens", "locked": false, "schema_version": 3, "solution": true, "task": false}
def logit_lens(model, tokens: torch.Tensor) -> torch.Tensor:
    """The logits that the residual stream would give before each layer and after the last.

    tokens: [batch pos]. Returns: [layer+1 batch pos d_vocab].
    """
    ### BEGIN SOLUTION
    _, cache = model.run_with_cache(tokens)
    streams = [cache["resid_pre", 0]]
    streams += [cache["resid_post", layer] for layer in range(model.cfg.n_layers)]
    return torch.stack([model.unembed(model.ln_final(stream)) for stream in streams])
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "logit_lens_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
for name in ("tiny-gpt2", "induction-2l2h"):
    m = model(name)
    remove_hooks(m)
    toks = ids_for(m, 2, 5)
    toks[:, 3] = toks[:, 1]  # the same token at two positions
    got, kept = call_keeping(logit_lens, m, toks)
    checks.check_shape(
        got,
        (m.cfg.n_layers + 1, 2, 5, m.cfg.d_vocab),
        f"logit_lens of {name}, tokens [2 5]",
        axes="layer+1 batch pos d_vocab",
    )
    run = m.run_with_cache(toks)[1]
    checks.check_close(
        got[-1],
        m(toks),
        f"the last entry of logit_lens of {name}, against the model's own logits",
        hint="Is the final layer norm there, once, and does the list end after the last layer?",
        slips={
            "The final layer norm is missing.": m.unembed(run["resid_post", m.cfg.n_layers - 1]),
            "Logits are asked for, not probabilities.": m(toks).softmax(-1),
            "Logits are asked for, not log-probabilities.": m(toks).log_softmax(-1),
            "The list ends before the last layer.": m.unembed(
                m.ln_final(run["resid_pre", m.cfg.n_layers - 1])
            ),
        },
        atol=1e-3,
        rtol=1e-3,
    )
    assert not torch.allclose(got[0], got[1], atol=1e-3), "the first two entries are the same"
    assert not torch.allclose(got[0, :, 1], got[0, :, 3], atol=1e-3), (
        "in the first entry a token says the same at two positions: the stream before layer 0 is "
        "the embedding of the token *and* that of its position"
    )
    silent = [(f"blocks.1.hook_{part}_out", lambda x, hook: x * 0) for part in ("attn", "mlp")]
    checks.check_close(
        got[1],
        m.run_with_hooks(toks, fwd_hooks=silent[: 1 if m.cfg.attn_only else 2]),
        f"entry 1 of logit_lens of {name}, against a run in which layer 1 says nothing",
        hint="The whole stream that stands between layer 0 and layer 1, normalised by its own scale.",
        atol=1e-3,
        rtol=1e-3,
    )
    assert torch.equal(kept[1], toks), "the tokens were changed"
    assert not (left := remove_hooks(m)), f"hooks are still on the model: {left}"

# %% nbgrader={"grade": true, "grade_id": "logit_lens_test_2", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: every entry on two models; the model itself stops early when later layers say nothing.
### BEGIN HIDDEN TESTS
seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)
for name in ("induction-2l2h", "tiny-gpt2"):
    m = model(name)
    remove_hooks(m)
    toks = ids_for(m, 2, 6, g)
    outputs = ("hook_attn_out",) if m.cfg.attn_only else ("hook_attn_out", "hook_mlp_out")
    wants = []
    for first in range(m.cfg.n_layers + 1):  # layers from `first` on are silent
        silent = [f"blocks.{i}.{out}" for i in range(first, m.cfg.n_layers) for out in outputs]
        hooks = [(point, lambda x, hook: torch.zeros_like(x)) for point in silent]
        wants.append(m.run_with_hooks(toks, fwd_hooks=hooks))
    got, kept = call_keeping(logit_lens, m, toks)
    checks.check_close(
        got,
        torch.stack(wants),
        f"logit_lens of {name}, seed {seed}",
        axes="layer+1 batch pos d_vocab",
        hint="Before layer 0, before layer 1, …, after the last; each with its own layer norm.",
        atol=1e-3,
        rtol=1e-3,
    )
    assert torch.equal(kept[1], toks), "the tokens were changed"
    assert not (left := remove_hooks(m)), f"hooks are still on the model: {left}"
### END HIDDEN TESTS

# %% [markdown]
# *In the library:* `model.unembed(cache.accumulated_resid(apply_ln=True))`, or
# `tools.analysis.logit_lens(model, tokens, positions=None).values`.
#
# *What do you expect?* At which stage will *Mary* be there, and what will the model "say" before any
# layer has run?

# %%
stages = ["embeddings", *(f"after layer {layer}" for layer in range(net.cfg.n_layers))]
lens_probs, lens_ids = logit_lens(net, ids)[:, 0].softmax(-1).max(-1)  # [layer+1 pos]
plots.lens_table(lens_probs, [[VOCAB[i] for i in row] for row in lens_ids.tolist()], words, stages)

# %% [markdown]
# <details><summary>What we see</summary>
#
# Read a column from bottom to top: a thought being formed at one position. At the bottom the model
# "says" the very token that it has just read: the same vectors are used to read tokens and to write
# them (`W_U` is `W_E` turned round). In the last column the middle row knows that a name is due, and the
# top row knows which.
# </details>

# %% [markdown]
# ---
# ## 14 · Where in the text, and when?
#
# Difficulty ●●●●○ · Importance ●●●●● · 30 minutes · core
#
# Attribution says who *wrote* the answer. **Activation patching** asks where the information that
# decides it is *kept*, at every layer and position, and it asks by intervention. It needs two runs
# that differ in one thing:
#
# * a **clean** run: "…, *John* gave a book to" (answer: Mary),
# * a **corrupt** run: "…, *Mary* gave a book to" (answer: John).
#
# Run on the corrupt text, but put the clean run's residual stream back at **one** layer and **one**
# position. If the answer comes back, what decides it went through that place. Do this for every place,
# and you have a map.
#
# To read such a map we fix the scale: 0 means as bad as the corrupt run, 1 as good as the clean one:
#
# > effect = (metric(patched) − metric(corrupt)) / (metric(clean) − metric(corrupt))
#
# Write `patch_resid(model, clean, corrupt, metric)`. `clean` and `corrupt` are token ids `[batch pos]`
# of the same shape, `metric(logits)` takes logits `[batch pos d_vocab]` and returns a number. The
# result is the effect of patching the residual stream **before** each layer, at each position:
# `[layer pos]`.
#
# <details><summary>Hint 1: what goes where</summary>
#
# The *model runs on* `corrupt`. The *values put in* come from the cache of a run on `clean`.
# </details>
# <details><summary>Hint 2: one place</summary>
#
# A hook at `blocks.{layer}.hook_resid_pre` that writes `clean_cache["resid_pre", layer][:, position]`
# into the same slice, and returns the tensor.
# </details>
# <details><summary>Hint 3: all places</summary>
#
# Two loops. If the hook is defined inside the loops and called at once, it sees the right `layer` and
# `position`.
# </details>
# <details><summary>Hint 4: what must come out</summary>
#
# Before layer 0, a position at which both texts have the same token has the effect 0: nothing is
# replaced. And at the last layer the last position holds most of it. Why?
# </details>


# %% nbgrader={"grade": false, "grade_id": "patch_resid", "locked": false, "schema_version": 3, "solution": true, "task": false}
def patch_resid(model, clean: torch.Tensor, corrupt: torch.Tensor, metric) -> torch.Tensor:
    """How much of `metric` comes back with the clean residual stream at one place.

    clean, corrupt: [batch pos]. metric: logits [batch pos d_vocab] -> number.
    Returns: [layer pos], 0 for the corrupt run and 1 for the clean one.
    """
    ### BEGIN SOLUTION
    clean_logits, clean_cache = model.run_with_cache(clean)
    best, worst = float(metric(clean_logits)), float(metric(model(corrupt)))
    effect = torch.zeros(model.cfg.n_layers, clean.shape[1])
    for layer in range(model.cfg.n_layers):
        for position in range(clean.shape[1]):

            def restore(resid, hook, layer=layer, position=position):
                resid[:, position] = clean_cache["resid_pre", layer][:, position]
                return resid

            hooks = [(f"blocks.{layer}.hook_resid_pre", restore)]
            patched = metric(model.run_with_hooks(corrupt, fwd_hooks=hooks))
            effect[layer, position] = (float(patched) - worst) / (best - worst)
    return effect
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "patch_resid_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
remove_hooks(net)
good = ids_for(net, 2, 5)
bad = good.clone()
bad[0, 1] = (bad[0, 1] + 5) % net.cfg.d_vocab  # the first texts differ at positions 1 and 3,
bad[:, 3] = (bad[:, 3] + 9) % net.cfg.d_vocab  # the second ones at position 3 alone
favourites = net(good)[:, -1].argmax(-1).tolist()


def likes_favourites(logits):
    """The logits of one token for each text, at its end, added up."""
    return float(sum(logits[row, -1, token] for row, token in enumerate(favourites)))


def with_good(*index):
    """The metric on the bad texts with some tokens of the good ones."""
    texts = bad.clone()
    texts[index] = good[index]
    return likes_favourites(net(texts))


every = slice(None)
top, bottom = with_good(every), likes_favourites(net(bad))
one = torch.tensor(
    [with_good(every, p) for p in range(5)]
)  # before layer 0 the stream is the token
others_good = torch.tensor([with_good(every, [q for q in range(5) if q != p]) for p in range(5)])
got, kept = call_keeping(patch_resid, net, good, bad, likes_favourites)
checks.check_shape(got, (net.cfg.n_layers, 5), "patch_resid of tokens [2 5]", axes="layer pos")
assert not (left := remove_hooks(net)), f"hooks are still on the model: {left}"
checks.check_close(
    got[0],
    (one - bottom) / (top - bottom),
    "patch_resid before layer 0, where to put a stream back is to put a token back",
    axes="pos",
    hint="Where both texts have the same token, nothing is replaced there: 0. Is it the stream before "
    "the layer, at one position, in every text?",
    slips={
        "Clean and corrupt are exchanged: the model runs on the corrupt text, with clean values.": (
            others_good - top
        )
        / (bottom - top),
        "The model runs on the clean text: it is to run on the corrupt one, with clean values.": (
            others_good - bottom
        )
        / (top - bottom),
        "0 is the corrupt run and 1 the clean one, not the other way round.": (top - one)
        / (top - bottom),
        "The metric is not put on the scale from 0 (corrupt) to 1 (clean).": one,
        "It is divided by nothing: 1 is to be the clean run.": one - bottom,
        "It is divided by metric(clean), not by metric(clean) - metric(corrupt).": (one - bottom)
        / top,
        "Only the first text of the batch is patched.": torch.tensor(
            [with_good(0, p) for p in range(5)]
        )
        .sub(bottom)
        .div(top - bottom),
        "All positions are patched at once, or clean values go into the clean run.": torch.ones(5),
        "This position is patched and all before it: one position is asked for.": torch.tensor(
            [with_good(every, slice(0, p + 1)) for p in range(5)]
        )
        .sub(bottom)
        .div(top - bottom),
    },
    atol=1e-3,
    rtol=1e-3,
)
assert abs(float(got[1, 0])) < 1e-3, "position 0 comes before all differences: its effect is 0"
for position in (2, 4):
    assert abs(float(got[1, position])) > 1e-6, (
        f"before layer 1 position {position} has no effect at all. Both texts have the same token "
        "there, but no longer the same stream: attention has brought something. Is it left out?"
    )
assert torch.equal(kept[1], good) and torch.equal(kept[2], bad), "tokens were changed"

# %% nbgrader={"grade": true, "grade_id": "patch_resid_test_2", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: every place of two models with a metric of all logits, by another way.
### BEGIN HIDDEN TESTS
seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)
for name, texts, length, differ in (
    ("induction-2l2h", 2, 5, [(b, p) for b in range(2) for p in range(5)]),  # everywhere
    ("tiny-gpt2", 3, 7, [(1, 2)]),  # at one place of one text alone
    ("induction-2l2h", 2, 9, [(0, 1), (1, 4)]),  # each text at a place of its own
    ("induction-1l", 2, 4, [(0, 0), (1, 0)]),
):
    m = model(name)
    remove_hooks(m)
    good = ids_for(m, texts, length, g)
    bad = good.clone()
    for place in differ:
        bad[place] = (good[place] + 1 + secrets.randbelow(m.cfg.d_vocab - 1)) % m.cfg.d_vocab
    mix = torch.randn(texts, length, m.cfg.d_vocab, generator=g).to(m.cfg.device)

    def blend(logits):
        """A random mixture of all logits, one number."""
        return float((logits * mix).sum())  # noqa: B023

    top, bottom = blend(m(good)), blend(m(bad))
    streams = m.run_with_cache(good)[1]
    want = torch.zeros(m.cfg.n_layers, length)
    for position in range(length):  # before layer 0, a residual stream is its token
        half = bad.clone()
        half[:, position] = good[:, position]
        want[0, position] = blend(m(half))
        for layer in range(1, m.cfg.n_layers):  # and then it is what the layer before has left
            keep = torch.arange(length, device=m.cfg.device)[:, None] != position  # [pos 1]
            source = streams["resid_post", layer - 1]
            door = f"blocks.{layer - 1}.hook_resid_post"
            mixed = [(door, lambda r, hook: torch.where(keep, r, source))]  # noqa: B023
            want[layer, position] = blend(m.run_with_hooks(bad, fwd_hooks=mixed))
    got, kept = call_keeping(patch_resid, m, good, bad, blend)
    checks.check_close(
        got,
        (want - bottom) / (top - bottom),
        f"patch_resid of {name}, {len(differ)} places differ, seed {seed}",
        axes="layer pos",
        hint="The residual stream before each layer, from the clean run into the corrupt one.",
        atol=2e-3,
        rtol=2e-3,
    )
    assert torch.equal(kept[1], good) and torch.equal(kept[2], bad), "tokens were changed"
    assert not (left := remove_hooks(m)), f"hooks are still on the model: {left}"
### END HIDDEN TESTS

# %% [markdown]
# *In the library:* `patching.get_act_patch_resid_pre(model, corrupt, clean_cache, metric)`, put on our scale.
#
# And now the picture to show to a friend. Bottom to top are the layers, left to right is the text; the
# number is how much of the answer comes back if this one vector is put back. *What do you expect?* Before
# layer 0 it must be where the two texts differ, at the giver (position 10). And before layer 1?


# %%
def mary_minus_john(logits):
    """The logit difference at the end of our sentence."""
    return float(logit_diff(logits, mary, john))


route = patch_resid(net, ids, swapped, mary_minus_john)
plots.position_grid(
    torch.cat([route, torch.eye(len(words))[-1:]]),  # after the last layer only the end counts
    words,
    [*(f"before layer {layer}" for layer in range(net.cfg.n_layers)), "after the last layer"],
    unit="effect",
    title="The route of the answer: from the giver to the end of the text",
)

# %% [markdown]
# <details><summary>What we see</summary>
#
# Before layer 0, all of it is at the giver's name, because there the two texts differ. (In papers on this
# task the position is called **S2**, the second time that the *subject* is named; the first two names are
# S1 and **IO**, the indirect object.) Before layer 1, all of it is at the end of the text (1.01, and 0.00
# everywhere else). So it has moved, in one hop, in layer 0, and only attention moves anything between
# positions. The uppermost row needs no measuring: after the last layer nothing but the last position is
# read. Which of the four heads was it? That is the next exercise.
# </details>
#
# In larger models such a map shows more stations. GPT-2 small takes about ten layers for this route,
# and other heads than these; that is the story of notebook 07.

# %% [markdown]
# ---
# ## 15 · Which of the heads was it?
#
# Difficulty ●●●○○ · Importance ●●●●● · 10 minutes · core
#
# Between the two rows of your map a head of layer 0 has carried the answer from one position to
# another. The same method finds it, if you put back what *one head* says in place of one position's
# stream: in a run on the corrupt text, the head's output `z` is the one it has in the clean run, at
# **all** positions.
#
# Write `patch_heads(model, clean, corrupt, metric)`, with the arguments and the scale of
# `patch_resid`. The result is `[layer head]`.
#
# <details><summary>Hint 1: what is different</summary>
#
# The hook point is `blocks.{layer}.attn.hook_z`, `[batch pos head d_head]`, and the inner loop goes
# over heads. Everything else is as in exercise 14.
# </details>
# <details><summary>Hint 2: the slice</summary>
#
# `z[:, :, head]` is one head at all positions, in the activation and in the cache.
# </details>


# %% nbgrader={"grade": false, "grade_id": "patch_heads", "locked": false, "schema_version": 3, "solution": true, "task": false}
def patch_heads(model, clean: torch.Tensor, corrupt: torch.Tensor, metric) -> torch.Tensor:
    """How much of `metric` comes back with the clean output of one head.

    clean, corrupt: [batch pos]. metric: logits [batch pos d_vocab] -> number.
    Returns: [layer head], 0 for the corrupt run and 1 for the clean one.
    """
    ### BEGIN SOLUTION
    clean_logits, clean_cache = model.run_with_cache(clean)
    best, worst = float(metric(clean_logits)), float(metric(model(corrupt)))
    effect = torch.zeros(model.cfg.n_layers, model.cfg.n_heads)
    for layer in range(model.cfg.n_layers):
        for head in range(model.cfg.n_heads):

            def restore(z, hook, layer=layer, head=head):  # z: [batch pos head d_head]
                z[:, :, head] = clean_cache["z", layer][:, :, head]
                return z

            hooks = [(f"blocks.{layer}.attn.hook_z", restore)]
            patched = metric(model.run_with_hooks(corrupt, fwd_hooks=hooks))
            effect[layer, head] = (float(patched) - worst) / (best - worst)
    return effect
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "patch_heads_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
m = model("induction-2l2h-noln")  # no layer norm: what the heads of the last layer say adds up
remove_hooks(m)
good = ids_for(m, 2, 6)
bad = good.clone()
bad[:, 1] = (good[:, 1] + 7) % m.cfg.d_vocab
weights = torch.arange(2 * 6 * m.cfg.d_vocab).reshape(2, 6, -1).sin()


def weighted(logits):
    """A weighted sum of all logits."""
    return float((logits.cpu() * weights).sum())


top, bottom = weighted(m(good)), weighted(m(bad))
clean_run = m.run_with_cache(good)[1]
whole_layer = [("blocks.1.hook_attn_out", lambda out, hook: clean_run["attn_out", 1])]
of_layer = (weighted(m.run_with_hooks(bad, fwd_hooks=whole_layer)) - bottom) / (top - bottom)
got, kept = call_keeping(patch_heads, m, good, bad, weighted)
checks.check_shape(got, (2, 2), "patch_heads of a model of 2 layers and 2 heads", axes="layer head")
assert not (left := remove_hooks(m)), f"hooks are still on the model: {left}"
checks.check_close(
    float(torch.sum(got[1])),
    of_layer,
    "the effects of both heads of the last layer, added up, against that of the whole layer",
    hint="Without a layer norm these add up exactly. Is it one head, at all positions, in all texts, "
    "on the scale from 0 (corrupt) to 1 (clean)?",
    slips={
        "All heads of the layer are patched at once: one at a time is asked for.": 2 * of_layer,
        "It is divided by nothing: 1 is to be the clean run.": of_layer * (top - bottom),
        "The metric is not put on the scale from 0 (corrupt) to 1 (clean).": 2 * bottom
        + of_layer * (top - bottom),
        "The model runs on the clean text: it is to run on the corrupt one.": 2 - of_layer,
    },
    atol=1e-3,
    rtol=1e-3,
)
corrupt_run = m.run_with_cache(bad)[1]
lost = (corrupt_run["z", 0] - clean_run["z", 0])[:, :, 1] @ m.W_O[0, 1]  # [batch pos d_model]
without_it = [("blocks.0.hook_attn_out", lambda out, hook: out + lost)]
noised = weighted(m.run_with_hooks(good, fwd_hooks=without_it))
checks.check_no_slip(
    got[0, 1] + 0,
    "patch_heads, head 0.1",
    {
        "Clean and corrupt are exchanged: the model runs on the corrupt text, with clean values.": (
            noised - top
        )
        / (bottom - top),
        "The model runs on the clean text: it is to run on the corrupt one.": (noised - bottom)
        / (top - bottom),
    },
    atol=1e-4,
)
assert torch.equal(kept[1], good) and torch.equal(kept[2], bad), "tokens were changed"

# %% nbgrader={"grade": true, "grade_id": "patch_heads_test_2", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: every head of three models, against what its output adds to the stream.
### BEGIN HIDDEN TESTS
seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)
for name, texts, length, differ in (
    ("tiny-gpt2", 2, 7, [(1, 2)]),  # at one place of one text alone
    ("induction-2l2h", 3, 9, [(b, p) for b in range(3) for p in range(9)]),  # everywhere
    ("induction-1l", 2, 5, [(0, 0), (1, 3)]),
):
    m = model(name)
    remove_hooks(m)
    good = ids_for(m, texts, length, g)
    bad = good.clone()
    for place in differ:
        bad[place] = (good[place] + 1 + secrets.randbelow(m.cfg.d_vocab - 1)) % m.cfg.d_vocab
    mix = torch.randn(texts, length, m.cfg.d_vocab, generator=g).to(m.cfg.device)

    def blend(logits):
        """A random mixture of all logits, one number."""
        return float((logits * mix).sum())  # noqa: B023

    top, bottom = blend(m(good)), blend(m(bad))
    good_run, bad_run = m.run_with_cache(good)[1], m.run_with_cache(bad)[1]
    want = torch.zeros(m.cfg.n_layers, m.cfg.n_heads)
    for layer in range(m.cfg.n_layers):
        for head in range(m.cfg.n_heads):
            gain = (good_run["z", layer] - bad_run["z", layer])[:, :, head] @ m.W_O[layer, head]
            more = [(f"blocks.{layer}.hook_attn_out", lambda out, hook, gain=gain: out + gain)]
            want[layer, head] = blend(m.run_with_hooks(bad, fwd_hooks=more))
    got, kept = call_keeping(patch_heads, m, good, bad, blend)
    checks.check_close(
        got,
        (want - bottom) / (top - bottom),
        f"patch_heads of {name}, {len(differ)} places differ, seed {seed}",
        axes="layer head",
        hint="One head's z at all positions, from the clean run into the corrupt one.",
        atol=3e-3,
        rtol=3e-3,
    )
    assert torch.equal(kept[1], good) and torch.equal(kept[2], bad), "tokens were changed"
    assert not (left := remove_hooks(m)), f"hooks are still on the model: {left}"
### END HIDDEN TESTS

# %% [markdown]
# *In the library:* `patching.get_act_patch_attn_head_out_all_pos(model, corrupt, clean_cache, metric)`
# from [`transformer_lens.patching`](https://transformerlensorg.github.io/TransformerLens/), put on
# our scale, gives these numbers; `…_by_pos` asks for every position by itself.
#
# To put clean values into a corrupt run is called **denoising**: it asks what is *enough* to bring the
# answer back. The other way round, corrupt values in a clean run, is **noising**, and asks what is
# *needed*. With your function it costs no more than exchanging the two texts (0 is then the clean run,
# and 1 the corrupt one).
#
# *What do you expect?* Will the head that is enough also be needed? And a head that is needed, must it
# be enough?

# %%
denoised = patch_heads(net, ids, swapped, mary_minus_john)
noised_heads = patch_heads(net, swapped, ids, mary_minus_john)
plots.head_grid(
    {"denoising: comes back": denoised, "noising: is lost": noised_heads},
    title="One head's output from the other text",
    unit="effect",
    limit=1,
)

# %% [markdown]
# <details><summary>What we see</summary>
#
# Head 0.1 is enough (1.00) and needed (0.99). Head 1.2 brings back 0.30 by itself, and without it 0.32
# is lost: it passes on some of what 0.1 has brought. Nothing else does as much as 0.05. The two do not add
# up to 1, and need not: 1.2 works only with what 0.1 gives it, so in both columns its share is
# part of the other's.
#
# Compare with exercise 9: there 0.3 seemed the second most important head. Both texts of this pair have
# the same output of 0.3, but for the names; so patching, which asks what *differs* between the two,
# says nothing about it. An ablation and a patch answer different questions.
# </details>
#
# There is an ablation that lies in between: **resample ablation** takes a head's output not from a mean
# but from *another text* of the same build, and averages over many such texts what comes out. What it
# puts in is always something that the head really says.


# %%
alike_cache = net.run_with_cache(alike)[1]


def resampled(layer, head):
    """Both logit differences, averaged over runs with the head's output from another text."""
    outcomes = []
    for row in range(len(alike)):

        def swap_in(z, hook, row=row):  # z: [batch pos head d_head]
            z[:, :, head] = alike_cache["z", layer][row, :, head]
            return z

        point = f"blocks.{layer}.attn.hook_z"
        changed = net.run_with_hooks(both, fwd_hooks=[(point, swap_in)])
        outcomes.append(logit_diff(changed, right_of_both, wrong_of_both))
    return torch.stack(outcomes).mean(0)  # [2]


by_other = torch.stack([resampled(*spot) - start for spot in all_heads]).mean(-1)
plots.head_grid(
    {
        "zero": by_zero.mean(-1),
        "mean": by_mean.mean(-1),
        "another text's": by_other.reshape(net.cfg.n_layers, net.cfg.n_heads),
    },
    title="What is lost without one head, by three ablations",
    unit="logits",
)

# %% [markdown]
# <details><summary>What we see</summary>
#
# Head 0.1 costs 7.5, 7.2 and 5.4 logits, and stays the first. Head 0.2 seems to work *against* the
# answer if its output is zero or a mean (+1.3, +1.7), and does nothing if it is another text's (−0.1):
# its mean over all positions is something that it never says at any of them. Where ablations disagree,
# ask first what each has put in.
# </details>

# %% [markdown]
# ---
# ## 16 · Keep only these heads
#
# Difficulty ●●●●○ · Importance ●●●●○ · 20 minutes
#
# So far one head went and the rest stayed. A **circuit** claims more: *these* heads do the task, and
# the others are not needed. To test the claim, keep the circuit and ablate everything else.
#
# Write `keep_heads(model, tokens, keep, reference)`. `keep` is a list of pairs `(layer, head)`. The
# result is the logits `[batch pos d_vocab]` of a run on `tokens` `[batch pos]` in which every head
# that is **not** in `keep` has as its `z`, at every position, its mean over all rows and positions of
# an ordinary run on `reference` `[rows positions]`: the mean ablation of exercise 10, for all those
# heads at once. The heads in `keep` work as usual (on the residual stream that they find), and so do
# the MLPs.
#
# <details><summary>Hint 1: many hooks</summary>
#
# `fwd_hooks` takes a list, with as many hooks at one point as you like: one for each head that goes.
# Mind trap 2 of exercise 8.
# </details>
# <details><summary>Hint 2: the means</summary>
#
# Take all of them from one cache of a run on `reference`, before anything is ablated.
# </details>


# %% nbgrader={"grade": false, "grade_id": "keep_heads", "locked": false, "schema_version": 3, "solution": true, "task": false}
def keep_heads(
    model, tokens: torch.Tensor, keep: list[tuple[int, int]], reference: torch.Tensor
) -> torch.Tensor:
    """The logits of a run in which all heads but those in `keep` say what they say on average.

    tokens: [batch pos]. keep: pairs (layer, head). reference: [rows positions].
    Returns: [batch pos d_vocab].
    """
    ### BEGIN SOLUTION
    _, cache = model.run_with_cache(reference)
    hooks = []
    for layer in range(model.cfg.n_layers):
        for head in range(model.cfg.n_heads):
            if (layer, head) not in keep:
                mean = cache["z", layer][:, :, head].mean(dim=(0, 1))  # [d_head]

                def replace(z, hook, head=head, mean=mean):  # z: [batch pos head d_head]
                    z[:, :, head] = mean
                    return z

                hooks.append((f"blocks.{layer}.attn.hook_z", replace))
    return model.run_with_hooks(tokens, fwd_hooks=hooks)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "keep_heads_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
m = model("induction-2l2h")
remove_hooks(m)
toks = ids_for(m, 2, 6)
toks[:, 0] = toks[0, 0]  # both rows begin with the same token
others = (ids_for(m, 3, 4) + 1) % m.cfg.d_vocab
everything = [(0, 0), (0, 1), (1, 0), (1, 1)]
checks.check_close(
    keep_heads(m, toks, everything, others),
    m(toks),
    "keep_heads with all heads kept, against an ordinary run",
    hint="`keep` names the heads that stay, as pairs (layer, head).",
    atol=1e-4,
)
assert not (left := remove_hooks(m)), f"hooks are still on the model: {left}"
got, kept = call_keeping(keep_heads, m, toks, [(1, 1)], others)
checks.check_shape(got, (2, 6, m.cfg.d_vocab), "keep_heads", axes="batch pos d_vocab")
empty = keep_heads(m, toks, [], others)
for more, slip in (
    ([(0, 1), (1, 1)], "head 1 of layer 0 is kept or not, and nothing changes: is `layer` used?"),
    ([(0, 0), (1, 1)], "head 0 of layer 0 is kept or not, and nothing changes"),
    ([(1, 0), (1, 1)], "head 0 of layer 1 is kept or not, and nothing changes"),
):
    assert not torch.allclose(keep_heads(m, toks, more, others), got, atol=1e-4), slip
assert not torch.allclose(empty, got, atol=1e-4), "head 1.1 is kept or not, and nothing changes"
assert not torch.allclose(empty, m(toks), atol=1e-4), (
    "with no head kept nothing changes: the heads of layers in which none is kept go, too"
)
short = toks[:1, :2]
assert not torch.allclose(keep_heads(m, short, [], short)[:, 1], m(short)[:, 1], atol=1e-4), (
    "with the text itself as reference position 1 keeps what it had: the mean is over rows *and* "
    "positions, one vector for all of them"
)
checks.check_close(
    keep_heads(m, toks, [(1, 1)], torch.cat([others, others.flip(0)])),
    got,
    "the same reference texts twice, in another order",
    hint="Is it a mean and no sum, over all rows of the reference?",
    atol=1e-4,
)
elsewhere = keep_heads(m, toks, [(1, 1)], (others + 9) % m.cfg.d_vocab)
assert not torch.allclose(elsewhere, got, atol=1e-4), (
    "with other reference texts nothing changes: is the mean taken over `tokens`, or zero put in?"
)
checks.check_close(
    keep_heads(m, toks, [], toks[:1, :1])[:, 0],
    m(toks)[:, 0],
    "the logits at position 0, if no head is kept and the reference is just the token there",
    hint="There every head already says what it says on average. Is each head's own mean put in, over "
    "all positions of the reference, in its own layer?",
    atol=1e-4,
)
assert torch.equal(kept[1], toks) and kept[2] == [(1, 1)] and torch.equal(kept[3], others), (
    "an argument was changed"
)

# %% nbgrader={"grade": true, "grade_id": "keep_heads_test_2", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: random sets of heads of three models, against what the others' outputs add to the stream.
### BEGIN HIDDEN TESTS
seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)
for name, length, few in (
    ("tiny-gpt2", 7, 4),
    ("induction-2l2h", 12, 1),
    ("induction-1l", 3, 1),
    ("tiny-gpt2", 3, 1),
    ("induction-2l2h", 5, 2),
):
    m = model(name)
    remove_hooks(m)
    toks, others = ids_for(m, 2, length, g), ids_for(m, 3, 4, g)
    spots = [(layer, head) for layer in range(m.cfg.n_layers) for head in range(m.cfg.n_heads)]
    chosen = torch.randperm(len(spots), generator=g)[:few].tolist()
    keep = [spots[i] for i in chosen]
    usual = m.run_with_cache(others)[1]
    hooks = []
    for layer in range(m.cfg.n_layers):
        noted = {}
        gone = [h for h in range(m.cfg.n_heads) if (layer, h) not in keep]

        def look(z, hook, noted=noted):
            noted["z"] = z + 0

        def put(out, hook, noted=noted, layer=layer, gone=gone, usual=usual, m=m):
            for h in gone:
                mean = usual["z", layer][:, :, h].flatten(0, 1).mean(0)
                out = out + (mean - noted["z"][:, :, h]) @ m.W_O[layer, h]
            return out

        hooks += [(f"blocks.{layer}.attn.hook_z", look), (f"blocks.{layer}.hook_attn_out", put)]
    want = m.run_with_hooks(toks, fwd_hooks=hooks)
    got, kept = call_keeping(keep_heads, m, toks, keep, others)
    checks.check_close(
        got,
        want,
        f"keep_heads of {name}, keep={keep}, seed {seed}",
        axes="batch pos d_vocab",
        hint="All heads but these, each replaced by its own mean over the reference.",
        atol=1e-3,
        rtol=1e-3,
    )
    assert torch.equal(kept[1], toks) and kept[2] == keep, "an argument was changed"
    assert torch.equal(kept[3], others), "the reference was changed"
    assert not (left := remove_hooks(m)), f"hooks are still on the model: {left}"
### END HIDDEN TESTS

# %% [markdown]
# *In the library:* no function for a set of heads.
# [`tools.analysis.faithfulness`](https://transformerlensorg.github.io/TransformerLens/) keeps a circuit of
# *edges*, which says besides which part may read which. A head outside your list loses all that it says
# about this text; there it loses it for some readers, and may keep it for others.
#
# Now claim a circuit for our two sentences. Head 0.1 alone? Here are some claims, with the logit
# difference, as mean of both sentences, **and** with the probability and the rank of the right name.
# *What do you expect?* Is a circuit that keeps the logit difference one that does the task?

# %% tags=["play"]
claims = {
    "all heads": all_heads,
    "0.1 alone": [(0, 1)],
    "all but 0.1": [spot for spot in all_heads if spot != (0, 1)],
    "0.0 0.1 0.3 1.0": [(0, 0), (0, 1), (0, 3), (1, 0)],
    "0.0 0.1 0.3 1.1 1.3": [(0, 0), (0, 1), (0, 3), (1, 1), (1, 3)],
}
for claim, circuit in claims.items():
    ends = keep_heads(net, both, circuit, alike)[:, -1]  # [2 d_vocab]
    ahead = float(logit_diff(ends[:, None], right_of_both, wrong_of_both).mean())
    named = ends.gather(1, right_of_both[:, None])  # [2 1], the right name's logit
    chances = ends.softmax(-1).gather(1, right_of_both[:, None])[:, 0].tolist()
    ranks = ((ends > named).sum(1) + 1).tolist()
    print(f"{claim:22}{ahead:6.2f}   P {chances[0]:.4f} {chances[1]:.4f}   rank {ranks}")

# %% [markdown]
# <details><summary>What we see</summary>
#
# Four heads (0.0, 0.1, 0.3, 1.0) have a logit difference of 6.7, more than the whole model's 5.4. By that
# measure they are more than the whole truth. But the right name has a probability of 0.02 and 0.005, and
# eleven or seventeen tokens are likelier: this model would never say it. It decides well between Mary
# and John, and does not know that a name is due. Five heads (0.0, 0.1, 0.3, 1.1, 1.3) keep both: 5.8
# logits, and 0.97 and 0.89. A logit difference cancels whatever both names share, and so it cannot see
# what the ablation did to both of them.
#
# And these are two sentences. A circuit is claimed for a *task*: you would choose it on some sentences and
# score it on others. In papers the fraction of the whole model's metric that a circuit keeps is its
# **faithfulness**. Can another five do better? Can four? There are 56 and 70 sets to try.
# </details>

# %% [markdown]
# ---
# ## 17 · Open it yourself: two ways to write one model
#
# Difficulty ●●○○○ · Importance ●●●○○ · 15 minutes
#
# `model("tiny-gpt2")` has opened a folder of weights for you. With another model you will do it
# yourself:
#
# > `bridge = TransformerBridge.boot_transformers(folder, device="cpu")`
#
# That gives the model with the weights as they were published. Much of the literature was made with
# another form of the same model, which the older library made by itself and which the bridge calls
# **compatibility mode**: `bridge.enable_compatibility_mode(disable_warnings=True)` changes the bridge *in
# place*, for good. It **folds** the layer norms' weights into the matrices that read from them, and
# **centres** what is written into the residual stream and the logits. All that is arithmetic that
# leaves the function as it is. So which numbers change, and which do not?
#
# Write `compare_modes(folder, tokens)`. Open the checkpoint in `folder` (a `str`) twice on the CPU, put
# one of the two into compatibility mode, run both on `tokens` `[batch pos]`, and return a `dict` with
# the **largest absolute difference** between the two, as a `float`, of
#
# * `"logits"`,
# * `"log_probs"`: the logits' `log_softmax`,
# * `"pattern"`: the attention pattern of layer 0,
# * `"resid_post"`: the residual stream after the last layer.
#
# <details><summary>Hint 1: two bridges</summary>
#
# Call `boot_transformers` twice. `other = bridge` is another name for the same model, and not a copy.
# </details>
# <details><summary>Hint 2: the numbers</summary>
#
# `run_with_cache` on both; `(a - b).abs().max()`, and `float(…)` or `.item()` of it.
# </details>


# %%
from transformer_lens.model_bridge import TransformerBridge

from course.models import folder_of

tiny_folder = str(folder_of("tiny-gpt2"))


# %% nbgrader={"grade": false, "grade_id": "compare_modes", "locked": false, "schema_version": 3, "solution": true, "task": false}
def compare_modes(folder: str, tokens: torch.Tensor) -> dict[str, float]:
    """What compatibility mode changes: the largest absolute differences.

    tokens: [batch pos]. Returns: of "logits", "log_probs", "pattern" and "resid_post".
    """
    ### BEGIN SOLUTION
    published = TransformerBridge.boot_transformers(folder, device="cpu")
    processed = TransformerBridge.boot_transformers(folder, device="cpu")
    processed.enable_compatibility_mode(disable_warnings=True)
    found = []
    for bridge in (published, processed):
        logits, cache = bridge.run_with_cache(tokens)
        found.append(
            {
                "logits": logits,
                "log_probs": logits.log_softmax(dim=-1),
                "pattern": cache["pattern", 0],
                "resid_post": cache["resid_post", bridge.cfg.n_layers - 1],
            }
        )
    return {name: float((found[0][name] - found[1][name]).abs().max()) for name in found[0]}
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "compare_modes_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
remove_hooks(net)
toks = ids_for(net, 2, 9).cpu()
got, kept = call_keeping(compare_modes, tiny_folder, toks)
quantities = ["logits", "log_probs", "pattern", "resid_post"]
assert type(got) is dict and set(got) == set(quantities), (
    f"a dict with these names is asked for: {quantities}"
)
for name in quantities:
    assert type(got[name]) is float, f"{name}: a Python float is asked for: float(…) or .item()"
    assert got[name] >= 0, f"{name}: the largest *absolute* difference"
assert got["logits"] > 1e-4 or got["resid_post"] > 1e-4, (
    "nothing differs at all: are both the same bridge, or is neither in compatibility mode?"
)
assert got["log_probs"] < 1e-2, (
    f"log_probs differ by {got['log_probs']:.2g}: compatibility mode leaves the predictions as they "
    "are. Is it log_softmax over the vocabulary, of both models?"
)
assert got["pattern"] < 1e-3, f"the patterns differ by {got['pattern']:.2g}: of the same layer?"
answers, run = net.run_with_cache(toks.to(net.cfg.device))
for name, value in (("logits", answers), ("resid_post", run["resid_post", net.cfg.n_layers - 1])):
    middle = value.mean(-1)  # what centring takes away at each position
    checks.check_close(
        got[name],
        float(middle.abs().max()),
        f"{name} of compare_modes",
        hint="The largest absolute difference, over all positions of all texts, after the last layer.",
        atol=1e-3,
        rtol=1e-3,
    )
assert torch.equal(kept[1], toks), "the tokens were changed"

# %% nbgrader={"grade": true, "grade_id": "compare_modes_test_2", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: other tokens; how far logits and stream move follows from what is centred.
### BEGIN HIDDEN TESTS
seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)
remove_hooks(net)
for texts, length in ((1, 3), (3, 20)):
    toks = ids_for(net, texts, length, g)
    answers, run = net.run_with_cache(toks)
    middles = {  # the means that centring takes away
        "logits": answers.mean(-1),
        "resid_post": run["resid_post", net.cfg.n_layers - 1].mean(-1),
    }
    got, kept = call_keeping(compare_modes, tiny_folder, toks.cpu())
    assert type(got) is dict and len(got) == 4, "a dict of four numbers is asked for"
    for name, middle in middles.items():
        want = float(middle.abs().max())
        checks.check_close(
            got[name], want, f"{name} of compare_modes, seed {seed}", atol=1e-3, rtol=1e-3
        )
    assert got["log_probs"] < 1e-3 and got["pattern"] < 1e-4, (
        f"predictions and patterns stay as they are [seed {seed}]"
    )
    assert torch.equal(kept[1], toks.cpu()), "the tokens were changed"
### END HIDDEN TESTS

# %% [markdown]
# *What do you expect?* Which two of the four change?

# %%
for quantity, gap in compare_modes(tiny_folder, ids.cpu()).items():
    print(f"{quantity:12}{gap:.2g}")

# %% [markdown]
# <details><summary>What we see</summary>
#
# The predictions and the patterns are the same but for rounding (1.5e-5 and 4e-7). The logits move by up
# to 0.82, the residual stream by up to 0.87: their means have been taken away, which a softmax and a
# layer norm do not see. Nothing that you have *measured* by an intervention changes. What can
# change is a number that you have *read off* in the middle: a norm, a direct attribution, a weight.
#
# *In the library:* that is why `cache.logit_attrs(stack, tokens, incorrect_tokens)` agrees with your
# `direct_attribution` in compatibility mode (to 6e-6 on our sentences) and **not** without it: there it
# leaves out the layer norm's weights `w`, which compatibility mode has folded into `W_U`. For `1_attn_out`
# of our sentence it says 2.5 where the truth is 4.4. `tools.analysis.direct_logit_attribution` refuses to
# work without compatibility mode, and says why.
# </details>

# %% [markdown]
# ---
# ## 18 · In your own words
#
# Importance ●●●●○ · 20 minutes · read and marked by a person
#
# You have five tools: zero ablation, mean ablation, direct logit attribution, and patching of the
# residual stream and of heads. Answer in eight to fifteen sentences, with the pictures of this notebook before you.
#
# 1. Name a head of `net` for which two of the tools say something different about its importance. Say
#    what each of them measures, and why they may both be right.
# 2. A colleague patches the residual stream and finds the effect 0.98 at the last position of the last
#    layer. "So it is the last layer that decides." What do you answer?
# 3. The logit difference of our sentence is one number from one sentence. What else would you measure
#    before you say "this model does indirect object identification through head X"? Name two
#    measurements, and for each a result that would make you give up the claim.

# %% [markdown] nbgrader={"grade": true, "grade_id": "tools_and_claims", "locked": false, "points": 4, "schema_version": 3, "solution": true, "task": false}
# ### BEGIN SOLUTION
# One point for each part, and one for reasoning that holds together.
#
# 1. Any head with a marked difference, named with its numbers. Typical: a head of an early layer that
#    costs much when ablated and has little direct attribution. Ablation measures all effects, by every
#    path, also through later parts; attribution only what the head writes straight into the final
#    residual stream. Zero and mean ablation differ where the head adds a constant that later layers
#    count on. A head can also cost little because another one takes over, and still write much.
# 2. At the end everything that decides the next token *must* have arrived at the last position, since
#    the logits are read there. A high effect there says only that the information has arrived, not
#    who brought it. What tells is the place and the layer where it moves from one position to another,
#    and which parts do that (patching heads or ablating them).
# 3. Two of: many sentences with other names, places and orders of the names (give up if the effect is
#    not there on average, or is there for particular names only); other corrupt texts, e.g. a third
#    person as giver; mean ablation of the head over sentences that differ in the names only, and of a
#    random other head as a control (give up if it costs as much); texts of the same form in which no
#    name is repeated; patching *only* head X from clean into corrupt (give up if little comes back).
# ### END SOLUTION

# %% [markdown]
# ---
# You have loaded a model, and watched, cut, replaced and edited what goes on in it while it ran; you
# can say which part wrote an answer, and by which route it came. In 05 you will take the weights apart
# instead of the runs, in 06 you find a circuit of two heads with these tools, and in 07 the whole story
# of Mary and John.
#
# ## In papers this is called …
#
# Every word of the field in bold is in the glossary: run `from course import glossary`, then
# `glossary("logit lens")` for one or `glossary()` for all.
#
# | here | in papers |
# | --- | --- |
# | a bet on the next token | **prediction**, next-token distribution |
# | what a head says | **head output**; `z` before `W_O`, *result* after it |
# | the position that looks, the one looked at | **destination** and **source**, or query and key position |
# | resting its eyes on the first token | **attention sink** |
# | to put clean values into a corrupt run | **activation patching**, **causal tracing**, **interchange intervention**; **denoising** |
# | corrupt values into a clean run | the same, as **noising** |
# | another text's value in place of a mean | **resample ablation** |
# | what a part writes straight to the answer | **direct effect**, **direct logit attribution** |
# | what is lost without it | **total effect** |
# | the first two names, and the giver | **IO** and **S1** (in either order), **S2**; the task is **IOI** |
# | keep only these heads | **circuit**; how much of the metric it keeps is its **faithfulness** |
#
# **Sources.** Direct logit attribution and the residual stream as a sum: Elhage et al., [*A
# Mathematical Framework for Transformer Circuits*](https://transformer-circuits.pub/2021/framework/index.html)
# (2021), "The residual stream". Activation patching: Meng et al., [*Locating and Editing Factual
# Associations in GPT*](https://arxiv.org/abs/2202.05262) (2022), section 2 (there called causal tracing);
# Heimersheim and Nanda, [*How to use and interpret activation
# patching*](https://arxiv.org/abs/2404.15255) (2024), which also explains denoising and noising. Resample
# ablation: Chan et al., [*Causal
# Scrubbing*](https://www.alignmentforum.org/posts/JvZhhzycHu2Yd57RN/causal-scrubbing-a-method-for-rigorously-testing)
# (2022). The task, the logit difference and faithfulness: Wang et
# al., [*Interpretability in the Wild*](https://arxiv.org/abs/2211.00593) (2022). Steering: Turner et al.,
# [*Activation Addition*](https://arxiv.org/abs/2308.10248) (2023). The library: Nanda and Bloom,
# [*TransformerLens*](https://github.com/TransformerLensOrg/TransformerLens) (2022).
