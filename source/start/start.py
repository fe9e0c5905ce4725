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
# # Start here
#
# A language model is a long list of numbers and a recipe for multiplying them. The one below has 45 thousand, those that
# people talk to have billions. Nobody wrote down what the numbers mean. **Mechanistic interpretability** is the attempt
# to read them all the same: to find out by which steps a model gets from its input to its answer, well enough to
# predict what it will do and to change it on purpose.
#
# You are about to do that once. It takes a few minutes. The model has read nothing but random symbols, in texts that
# repeat themselves; here it reads a phrase, and then the same phrase, cut off. **What do you expect** it to say next?
#
# Run the cells one after the other with **Shift+Enter**. (The first takes some ten seconds, while libraries load.)

# %%
print("Loading the libraries and the model …")
import torch

from course import checks, drawings, plots
from course.models import model

torch.set_grad_enabled(False)  # we look at a trained model; nothing is trained here

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+-"  # ids 0..63
BOS = 64  # every text begins with this id; it is drawn as ⊢

net = model("induction-2l2h")  # a transformer with two layers of two attention heads
text = "QuickWaltzNymphs" + "QuickWalt"  # a phrase, and then the same phrase, cut off
ids = torch.tensor([[BOS] + [ALPHABET.index(s) for s in text]])  # [1 26]
letters = ["⊢", *text]

logits, cache = net.run_with_cache(ids)  # run it once and keep everything that was computed
pattern = cache["pattern", 1][0, 0]  # where head 0 of layer 1 looks: [query key]


def guesses(logits):
    """Probability of each symbol to come next, at each position: [position 64]."""
    return logits[0, :, :64].softmax(dim=-1)


def guess(logits):
    """The symbol that is likeliest after the last position."""
    return ALPHABET[int(guesses(logits)[-1].argmax())]


drawings.arcs(letters, pattern[-1], prediction=guess(logits))

# %% [markdown]
# It says `z`. You are looking *inside* a running transformer: the arc shows where the last `t` looks, and how much. It
# looks at the `z` that followed the first `t`.
#
# Is that so everywhere? Here is how sure the model is of the letter that really comes next, at the first eight places of
# the phrase: when it reads it for the first time, and the second time. **What do you expect?**

# %%
sure = guesses(logits)
first_time = [float(sure[1 + i, ids[0, 2 + i]]) for i in range(8)]  # after ⊢ and i + 1 letters
second_time = [float(sure[17 + i, ids[0, 18 + i]]) for i in range(8)]
plots.contributions(
    {"first time": first_time, "second time": second_time},
    [f"{text[i]} → {text[i + 1]}" for i in range(8)],
    unit="probability of the right letter",
    title="How sure is the model of the letter that comes next?",
)

# %% [markdown]
# <details><summary>What this shows</summary>
#
# The first time it can only guess: one symbol of 64. The second time it knows. It looks up what came next the last time,
# and repeats it. A head that does this is called an **induction head**.
# </details>
#
# That is a *hypothesis*. Here is the test: reach into the model while it runs, and turn its eyes.
# The hook below replaces one thing, the attention of the last position in layer 1. Instead of at the
# `z`, it now looks at the `N`. **If the hypothesis is right, what must it say?**

# %%
TARGET = text.index("N") + 1  # where the letter N stands in the text, counting ⊢ as position 0


def look_at_target(pattern, hook):
    """Attention [batch head query key]: the last query looks at TARGET and nowhere else."""
    pattern[:, :, -1, :] = 0
    pattern[:, :, -1, TARGET] = 1
    return pattern


edited = net.run_with_hooks(ids, fwd_hooks=[("blocks.1.attn.hook_pattern", look_at_target)])
turned = torch.zeros(len(letters))
turned[TARGET] = 1.0
drawings.arcs(letters, turned, prediction=guess(edited), title="The same text, its eyes turned")

# %%
plots.next_tokens(
    {"before": guesses(logits)[-1], "after": guesses(edited)[-1]},
    list(ALPHABET),
    k=4,
    title=f"What comes after “{text[-9:]}”?",
)

# %% [markdown]
# The model now says `N`. No weight was changed; one activation was. (In papers: an **intervention**.) You have made a
# claim about how a neural network works, and tried to break it, in a few minutes.
#
# Now do it your way: another phrase (12 to 24 symbols from `A`–`Z`, `a`–`z`, `0`–`9`, `+` and `-`), another letter of it.
# This cell is yours to change.

# %% tags=["play"]
my_phrase = "QuickWaltzNymphs"
my_letter = "h"  # one of the phrase, to look at

my_text = my_phrase + my_phrase[:-4]  # written twice, without its last four symbols
my_ids = torch.tensor([[BOS] + [ALPHABET.index(s) for s in my_text]])
my_target = my_text.find(my_letter) + 1
if my_target == 0:
    print(f"There is no {my_letter!r} in {my_phrase!r}, so it looks at ⊢ here.")


def my_edit(pattern, hook):
    pattern[:, :, -1, :] = 0
    pattern[:, :, -1, my_target] = 1
    return pattern


my_edited = net.run_with_hooks(my_ids, fwd_hooks=[("blocks.1.attn.hook_pattern", my_edit)])
plots.next_tokens(
    {"before": guesses(net(my_ids))[-1], "after": guesses(my_edited)[-1]},
    list(ALPHABET),
    k=4,
    title=f"What comes after “{my_text[-9:]}”?",
)

# %% [markdown]
# ## Why it goes so fast
#
# What you used is **TransformerLens**, a library that opens a transformer at every point: load a
# model, *cache* every activation of a run, *edit, remove or replace* any activation with a hook while it
# runs. Looking costs one line, intervening three.
#
# This matters more than it seems. Whoever explores a network has many small ideas, and most of them are
# wrong. If a try takes a day you will try three, and believe the one that looks best. If it takes ten
# seconds you try a hundred, and find out which are wrong. Keep your loop short: a small model, a small
# input, one picture for each question. Then try to break what you found.
#
# ## How to work here
#
# **In the browser.** The tab *Assignments* (menu *Nbgrader → Assignment List* brings it back) is where
# you *Fetch* an assignment: a copy in your home, and yours. Unfold it there to open its notebook. Work through the notebook; exercises are the cells with
# `# YOUR CODE HERE`. Cells that belong to the course are locked, and you can add your own anywhere.
#
# - **Validate** runs the whole notebook from the top and tells you which visible tests fail. Do it
#   before you submit. It does not run the *hidden* tests: they look closer, and run when you submit.
# - **Submit** hands in the notebook; it is saved as you turn to the tab *Assignments*. Submit as often
#   as you like; the last one counts. Your receipts, with the server's time and the SHA-256 of what
#   arrived, are kept in `submission-receipts.txt` in your home.
# - **Feedback** appears in the same list when your instructor releases it, question by question.
#
# **In a terminal** (menu *File → New → Terminal*) the same is done by
# `nbgrader list`, `nbgrader fetch_assignment start`, `nbgrader validate start/start.ipynb` and
# `nbgrader submit start`. Your files are ordinary files: use git, an editor, whatever you like.
#
# **A word you do not know.** In a cell of your own, in any notebook, run `from course import glossary` and then
# `glossary("induction head")` for one word of the field, or `glossary()` for all of them, with a search box.
#
# **When something breaks.** If a cell behaves strangely, use *Kernel → Restart and Run All*: notebooks
# remember what you deleted. If a test fails, read its message to the end; it says which slip fits what
# you returned. Every exercise shows its difficulty and importance (●, one to five), the minutes it
# takes, and hints that open one at a time. Use as many as you need: they cost nothing.

# %% [markdown]
# ## A trial run: fetch, validate, submit
#
# Difficulty ●○○○○ · Importance ●●○○○ · 3 minutes
#
# One tiny exercise, so that you have done the round once. `logits` `[vocab]` holds one number for each
# symbol, and the larger it is, the likelier the model thinks the symbol comes next. Return the id of
# the likeliest symbol as a Python `int`. (The ids are the places in the list: 0, 1, 2, …) Logits may be of
# any size and sign, and one of them is larger than all others, though perhaps only by a little.
#
# <details><summary>Hint 1: the place, not the number</summary>
#
# You want to know *where* the largest entry is, not how large it is. Torch has a function for each.
# </details>
# <details><summary>Hint 2: a Python int</summary>
#
# Torch answers with a tensor that holds one number. `int(…)` makes a Python number of it.
# </details>


# %% nbgrader={"grade": false, "grade_id": "likeliest", "locked": false, "schema_version": 3, "solution": true, "task": false}
def likeliest(logits: torch.Tensor) -> int:
    """The id of the largest of `logits` [vocab]."""
    ### BEGIN SOLUTION
    return int(logits.argmax())
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "likeliest_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
for values, want, what in (
    ([0.5, -1.0, 3.5, 3.0], 2, "likeliest"),
    ([-7.5, -2.0, -2.5, -2.25, -8.0], 1, "likeliest, where all logits are negative,"),
    ([0.125, 0.25, 0.375, 0.3125], 2, "likeliest, where all logits are near each other,"),
    ([900.0, 1000.0, -2000.0, 995.0, 1005.0], 4, "likeliest, where logits are large,"),
):
    got = likeliest(torch.tensor(values))
    slips = {
        values.index(min(values)): "That is the place of the smallest.",
        values.index(max(values, key=abs)): "The sign counts: -3 is smaller than 2.",
        want + 1: "Ids are counted from 0.",
        int(max(values)): "Is it the place, or the number?",
    }
    rounded = [round(value) for value in values]
    slips[rounded.index(max(rounded))] = "Are the logits rounded?"
    slips[0] = "Is it always the first, or were numbers too large for exp?"
    slip = slips.get(got, "") if type(got) is int else "An int is asked for: see Hint 2."
    checks.check_equal(got, want, f"{what} of {values}", hint=slip)
assert type(got) is int, "an int is asked for"

# %% nbgrader={"grade": true, "grade_id": "likeliest_test_2", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Hidden: other logits, of other lengths and sizes. This runs when you have submitted.
### BEGIN HIDDEN TESTS
import secrets

seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)
cases = []
for size in (1, 2, 7, 64, 500):
    cases.append(("all are negative", torch.randn(size, generator=g) - 10))
    apart = torch.randperm(size, generator=g).double()  # no two are equal
    cases.append(("near each other", 3 + apart * 1e-3))
    cases.append(("near each other, float32", (apart * 1e-4).float()))
    cases.append(("in the thousands", 5000 + 10 * apart.float()))
    cases.append(("far below zero", -5000 - 10 * apart))
    for place in (0, size // 2, size - 1):
        lone = torch.zeros(size)
        lone[place] = 0.004
        cases.append((f"all 0 but one, at {place}", lone))
        cases.append((f"the largest is 0, at {place}", torch.where(lone > 0, 0.0, -1e-3 - apart)))
for what, raw in cases:
    values = raw.tolist()
    want = values.index(max(values))
    got = likeliest(raw)
    assert type(got) is int, f"an id is an int: got {type(got).__name__}"
    assert got == want, f"got the id {got} for {len(values)} logits: {what} [seed {seed}]"
### END HIDDEN TESTS

# %% [markdown]
# Do the cells above run without a message? Then save, *Validate* and *Submit*.
#
# ## Where to go next
#
# Fetch the next one from the *Assignment List*. A whole one takes three to five hours, in as many sittings as you like;
# from 03 on, each marks a core of about 90 minutes. (00 takes 90 minutes in all.)
#
# | | what you can do at the end | begin here if |
# | --- | --- | --- |
# | `00-python-and-tools` | compute with whole tensors instead of loops, name their axes, draw them, read errors, and use git | broadcasting, `gather`, einops or git are new to you |
# | `01-linear-algebra` | say what a matrix does to a space: bases, rank, projections, low rank, one score for two vectors | you have to look up what a rank or an eigenvalue is |
# | `03-transformer-from-scratch` | write every part of GPT-2 yourself, and train a small one | you have never written a transformer |
# | `04-transformerlens` | load, cache, edit, remove and replace any activation | you know what a transformer is, and want the tool |
# | `05-mathematical-framework` | say what a head looks for and what it writes, from its weights alone | you like matrices |
# | `06-induction-heads` | find the head that you have just met in any model, tell it from an impostor, and prove that the model needs it | you are in a hurry to see more of this |
#
# Each stands on its own, and leans a little on those before it.
