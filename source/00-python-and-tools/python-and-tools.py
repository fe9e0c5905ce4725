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
# # Python and tools: many numbers in one line
#
# Run the next cell (**Shift+Enter**). Somebody walks around a clock, two times, an hour a step. How
# far is each of the 24 places from each other one? The cell computes these 576 distances twice:
# with two loops, and in one line.

# %%
import re
import secrets
import time

import einops
import plotly.graph_objects as go
import torch

from course import checks, plots
from course.calls import call_keeping, cost, raises

hours = torch.arange(24) * torch.pi / 6
places = torch.stack([hours.sin(), hours.cos()], dim=1)  # [24 2]

started = time.perf_counter()
looped = torch.zeros(24, 24)
for row in range(24):
    for column in range(24):
        looped[row, column] = (places[row] - places[column]).norm()
between = time.perf_counter()
in_one_line = (places[:, None] - places).norm(dim=-1)  # [24 24]
ended = time.perf_counter()
print(f"two loops took {(between - started) / (ended - between):.0f} times as long as one line")
plots.matrix(
    in_one_line,
    axes=("place", "other place"),
    unit="distance",
    title="24 steps around a clock: where do we come back?",
)

# %% [markdown]
# The dark stripes are places where the walk has been before. You will see such stripes again, when
# a model reads a text that repeats.
#
# Code of this field has hardly any loops. A tensor with four axes goes in, one line computes a
# million numbers, and whoever reads it must know what each axis is. So we write *shapes* into
# comments: `# [batch pos d_model]`. Many slips are slips of shape, and the worst of them
# raise no error. This notebook trains the eye for them, and shows the tools: einops, plotly,
# tracebacks, tests and git.
#
# | part | exercises | minutes |
# | --- | --- | --- |
# | no loops | 1–5 | 28 |
# | axes with names | 6–9 | 15 |
# | pictures, errors, tests | 10–13 | 20 |
# | git | 14–16 | 22 |
# | in your own words | 17 | 5 |
#
# **For all exercises**: keep the dtype that you are given (float32 or float64), leave the arguments
# as they are, and take any sizes. Where tensors go in and a tensor comes out, compute with torch's
# operations, so that gradients can pass through. *No Python loops* in exercises 1 to 9: the tests
# count operations, and there must not be more of them for longer tensors.

# %% [markdown]
# ---
# ## 1 · Broadcasting: every row with every row
#
# Difficulty ●●○○○ · Importance ●●●●● · 6 minutes
#
# What is a column plus a row? Torch writes the two shapes one above the other, *aligned at the
# right*. Where one of them has a 1, or nothing, it copies along that axis:
#
# | | shape |
# | --- | --- |
# | a column | `[3 1]` |
# | a row | `[  4]` |
# | their sum | `[3 4]` |

# %%
column, row = torch.tensor([[0], [10], [20]]), torch.tensor([1, 2, 3, 4])
print(column + row)

# %% [markdown]
# This is **broadcasting**. `x[:, None]` puts an axis of length 1 in: `[n d]` becomes `[n 1 d]`.
#
# Write `pairwise_sq_dists(x, y)`: `x` is `[n d]`, `y` is `[m d]`. Return `[n m]`: at `[i j]`, the
# *squared* distance of row i of `x` and row j of `y` (the squares of the differences, summed).
#
# <details><summary>Hint 1: the shapes</summary>
#
# `[n 1 d]` and `[m d]`, aligned at the right, give `[n m d]`.
# </details>
# <details><summary>Hint 2: then</summary>
#
# Square, and sum over the last axis: `.sum(-1)`.
# </details>


# %% nbgrader={"grade": false, "grade_id": "pairwise_sq_dists", "locked": false, "schema_version": 3, "solution": true, "task": false}
def pairwise_sq_dists(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Squared distances of all rows of x [n d] to all rows of y [m d]: [n m]."""
    ### BEGIN SOLUTION
    difference = x[:, None] - y  # [n m d]
    return (difference**2).sum(-1)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "pairwise_sq_dists_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
x = torch.tensor([[0.0, 0.0], [3.0, 4.0]])
y = torch.tensor([[0.0, 0.0], [1.0, 0.0], [3.0, 0.0]])
got, kept = call_keeping(pairwise_sq_dists, x, y)
checks.check_tensor(got, "pairwise_sq_dists", dtype=torch.float32)
right = torch.tensor([[0.0, 1.0, 9.0], [25.0, 20.0, 16.0]])
slips = {
    "These are distances, not their squares.": right.sqrt(),
    "The rows belong to x and the columns to y: [n m].": right.T,
    "The squares were averaged, not summed.": right / 2,
    "The differences were summed before they were squared.": torch.tensor(
        [[0.0, 1.0, 9.0], [49.0, 36.0, 16.0]]
    ),
    "The differences were not squared, but made positive.": torch.tensor(
        [[0.0, 1.0, 3.0], [7.0, 6.0, 4.0]]
    ),
}
checks.check_close(got, right, "pairwise_sq_dists of 2 and 3 rows", axes="n m", slips=slips)
checks.check_rules(pairwise_sq_dists, (x + 0.5, y), "pairwise_sq_dists", names="xy")
spent = [cost(pairwise_sq_dists, torch.ones(n, 2), torch.ones(n, 2)).ops for n in (40, 40, 90)]
assert spent[1] == spent[2], (
    f"pairwise_sq_dists takes {spent[1]} operations for 40 rows and {spent[2]} for 90: is there a loop?"
)

# %% nbgrader={"grade": true, "grade_id": "pairwise_sq_dists_test_2", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: random rows in both dtypes, pair by pair; as many operations for 400 rows as for 40.
### BEGIN HIDDEN TESTS
seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)
for n, m, d, dtype in (
    (3, 5, 2, torch.float32),
    (4, 4, 4, torch.float64),
    (1, 6, 3, torch.float64),
    (5, 2, 1, torch.float32),
    (3, 3, 5, torch.float32),
):
    x, y = (torch.randn(rows, d, generator=g, dtype=dtype) for rows in (n, m))
    want = torch.tensor(
        [
            [sum((a - b) ** 2 for a, b in zip(p, q, strict=True)) for q in y.tolist()]
            for p in x.tolist()
        ],
        dtype=dtype,
    )
    what = f"pairwise_sq_dists of [{n} {d}] and [{m} {d}], seed {seed}"
    got = pairwise_sq_dists(x, y)
    checks.check_tensor(got, what, dtype=dtype)
    checks.check_close(got, want, what, axes="n m", atol=1e-4)
    checks.check_rules(pairwise_sq_dists, (x, y), what, names="xy")
few, many = torch.randn(40, 3, generator=g), torch.randn(400, 3, generator=g)
cost(pairwise_sq_dists, few, few)
small, large = cost(pairwise_sq_dists, few, few), cost(pairwise_sq_dists, many, many)
assert small.ops == large.ops, (
    f"pairwise_sq_dists takes {small.ops} operations for 40 rows and {large.ops} for 400"
)
### END HIDDEN TESTS

# %% [markdown]
# ---
# ## 2 · Indexing with a tensor: all windows at once
#
# Difficulty ●●○○○ · Importance ●●●○○ · 6 minutes
#
# An index may itself be a tensor. `x[i]` has **the shape of `i`**, with `x` looked up at each entry.
# And a column plus a row makes a good `i`:

# %%
steps = torch.tensor([10, 20, 30, 40, 50, 60])
window = torch.arange(4)[:, None] + torch.arange(3)  # [4 3]
print(window)
print(steps[window])

# %% [markdown]
# Loss curves are noisy, so one draws the mean of the last few steps instead.
#
# Write `running_mean(x, w)`: `x` is `[t]`, `w` an int from 1 to t. Return `[t-w+1]`: at `[i]`, the
# mean of the `w` numbers from `x[i]` on. Only whole windows count.
#
# <details><summary>Hint 1: how many windows</summary>
#
# Of 6 numbers, 3 at a time, there are 4 windows: `t - w + 1`.
# </details>
# <details><summary>Hint 2: ready made</summary>
#
# `x.unfold(0, w, 1)` makes the windows as well: size `w`, one step apart, along axis 0.
# </details>


# %% nbgrader={"grade": false, "grade_id": "running_mean", "locked": false, "schema_version": 3, "solution": true, "task": false}
def running_mean(x: torch.Tensor, w: int) -> torch.Tensor:
    """Means of all windows of w numbers in x [t]: [t-w+1]."""
    ### BEGIN SOLUTION
    windows = torch.arange(len(x) - w + 1)[:, None] + torch.arange(w)  # [t-w+1 w]
    return x[windows].mean(-1)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "running_mean_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
x = torch.tensor([6.0, 0.0, 3.0, 9.0, 0.0])
got, kept = call_keeping(running_mean, x, 3)
checks.check_tensor(got, "running_mean", dtype=torch.float32)
slips = {
    "The last window is missing: there are t - w + 1.": torch.tensor([3.0, 4.0]),
    "Each window was divided by t instead of w.": torch.tensor([9.0, 12.0, 12.0]) / 5,
    "The windows were summed, not averaged.": torch.tensor([9.0, 12.0, 12.0]),
    "Only whole windows count: there are t - w + 1.": torch.tensor([6.0, 3.0, 3.0, 4.0, 4.0]),
    "Missing numbers were taken for 0: only whole windows count.": torch.tensor(
        [2.0, 2.0, 3.0, 4.0, 4.0]
    ),
    "The windows are one number too short.": torch.tensor([3.0, 1.5, 6.0]),
    "This is the mean of all numbers so far: old numbers leave the window.": torch.tensor(
        [3.0, 4.5, 3.6]
    ),
    "The windows shall overlap: they are one step apart.": torch.tensor([3.0]),
}
right = torch.tensor([3.0, 4.0, 4.0])
checks.check_close(got, right, "running_mean of 5 numbers, w = 3", axes="t-w+1", slips=slips)
checks.check_close(running_mean(x, 1), x, "running_mean with w = 1", axes="t-w+1")
checks.check_close(running_mean(x, 5), torch.tensor([3.6]), "running_mean with w = t", axes="1")
checks.check_rules(running_mean, (x, 2), "running_mean", names="x")
spent = [cost(running_mean, torch.ones(t), 3).ops for t in (20, 20, 60)]
assert spent[1] == spent[2], (
    f"running_mean takes {spent[1]} operations for 20 numbers and {spent[2]} for 60: is there a loop?"
)

# %% nbgrader={"grade": true, "grade_id": "running_mean_test_2", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: random numbers in both dtypes, window by window; as many operations for 2000 as for 20.
### BEGIN HIDDEN TESTS
seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)
for t, w, dtype in (
    (7, 3, torch.float32),
    (9, 2, torch.float64),
    (4, 4, torch.float64),
    (6, 1, torch.float32),
    (1, 1, torch.float32),
    (12, 7, torch.float64),
):
    x = torch.randn(t, generator=g, dtype=dtype)
    numbers = x.tolist()
    want = torch.tensor([sum(numbers[i : i + w]) / w for i in range(t - w + 1)], dtype=dtype)
    what = f"running_mean of {t} numbers, w = {w}, seed {seed}"
    got = running_mean(x, w)
    checks.check_tensor(got, what, dtype=dtype)
    checks.check_close(got, want, what, axes="t-w+1", atol=1e-5)
    checks.check_rules(running_mean, (x, w), what, names="x")
few, many = torch.randn(20, generator=g), torch.randn(2000, generator=g)
cost(running_mean, few, 4)
small, large = cost(running_mean, few, 4), cost(running_mean, many, 4)
assert small.ops == large.ops, (
    f"running_mean takes {small.ops} operations for 20 numbers and {large.ops} for 2000"
)
### END HIDDEN TESTS

# %% [markdown]
# A noisy loss curve, and two running means of it. Which of the three would you show?

# %%
noise = torch.Generator().manual_seed(0)
loss_curve = 3 * torch.exp(-torch.arange(200) / 60) + 0.4 * torch.rand(200, generator=noise)
smooth = {"every step": loss_curve[40:]}
for width in (10, 40):
    smooth[f"mean of {width}"] = running_mean(loss_curve, width)[41 - width :]
plots.curves(
    torch.arange(40, 200),
    smooth,
    x_title="step",
    y_title="loss",
    title="A loss curve and its running means",
)

# %% [markdown]
# ---
# ## 3 · Masks: zero times infinity is not zero
#
# Difficulty ●●●○○ · Importance ●●●●● · 6 minutes
#
# Texts of a batch differ in length, so the shorter ones are filled up, and a *mask* says which
# positions are real. What stands at the others is rubbish. Multiplying by 0 does not always remove
# it:

# %%
rubbish = torch.tensor([1.0, torch.inf, torch.nan])
real = torch.tensor([True, False, False])
print("multiplied by the mask:", rubbish * real)
print("chosen by the mask:    ", torch.where(real, rubbish, 0.0))

# %% [markdown]
# Write `masked_mean(x, mask)`: `x` is `[b t d]`, `mask` `[b t]` holds bools. Return `[b d]`: for
# each text, the mean over the positions where the mask is True. A text without any such position
# has the mean 0. What stands where the mask is False must not matter, even if it is inf or NaN.
#
# <details><summary>Hint 1: choose</summary>
#
# `torch.where(condition, x, 0.0)` broadcasts: `[b t]` must become `[b t 1]` to meet `[b t d]`.
# </details>
# <details><summary>Hint 2: divide by what</summary>
#
# By the number of True, `[b 1]`; `.clamp(min=1)` saves the text that has none.
# </details>


# %% nbgrader={"grade": false, "grade_id": "masked_mean", "locked": false, "schema_version": 3, "solution": true, "task": false}
def masked_mean(x: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Means of x [b t d] over the positions where mask [b t] is True: [b d]."""
    ### BEGIN SOLUTION
    real = torch.where(mask[..., None], x, 0.0)  # [b t d]
    count = mask.sum(-1, keepdim=True).clamp(min=1)  # [b 1]
    return real.sum(1) / count
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "masked_mean_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
x = torch.tensor([[[1.0, 2.0], [3.0, 8.0], [9.0, 9.0]], [[5.0, 6.0], [7.0, 7.0], [0.0, 1.0]]])
mask = torch.tensor([[True, True, False], [True, False, False]])
got, kept = call_keeping(masked_mean, x, mask)
checks.check_tensor(got, "masked_mean", dtype=torch.float32)
slips = {
    "Divide by the number of True, not by t.": torch.tensor([[4.0, 10.0], [5.0, 6.0]]) / 3,
    "The real positions were summed, not averaged.": torch.tensor([[4.0, 10.0], [5.0, 6.0]]),
    "The mask was not used.": x.mean(1),
    "The mask is turned over: True is a real position.": torch.tensor([[9.0, 9.0], [3.5, 4.0]]),
    "Divide each text by its own number of True.": torch.tensor([[4.0, 10.0], [5.0, 6.0]]) / 1.5,
    "1 too many was counted.": torch.tensor([[4.0 / 3, 10.0 / 3], [2.5, 3.0]]),
}
right = torch.tensor([[2.0, 5.0], [5.0, 6.0]])
checks.check_close(got, right, "masked_mean of two texts", axes="b d", slips=slips)
checks.check_rules(masked_mean, (x, mask), "masked_mean", names=("x", "mask"))
filled = torch.where(mask[..., None], x, torch.nan)
checks.check_close(
    masked_mean(filled, mask),
    right,
    "masked_mean with NaN where the mask is False",
    hint="NaN times 0 is NaN: choose with torch.where.",
)
none = torch.zeros(2, 3, dtype=torch.bool)
checks.check_close(
    masked_mean(x, none),
    torch.zeros(2, 2),
    "masked_mean without any True",
    hint="0 / 0 is NaN: such a text has the mean 0.",
)
spent = [
    cost(masked_mean, torch.ones(b, 2, 3), torch.ones(b, 2, dtype=torch.bool)).ops
    for b in (3, 3, 9)
]
assert spent[1] == spent[2], (
    f"masked_mean takes {spent[1]} operations for 3 texts and {spent[2]} for 9: is there a loop?"
)

# %% nbgrader={"grade": true, "grade_id": "masked_mean_test_2", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: random texts with inf and NaN outside the mask, empty ones, masks with gaps; and the count.
### BEGIN HIDDEN TESTS
seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)
for b, t, d, dtype in (
    (2, 5, 3, torch.float32),
    (3, 3, 3, torch.float64),
    (4, 2, 4, torch.float64),
    (1, 7, 2, torch.float32),
):
    x = torch.randn(b, t, d, generator=g, dtype=dtype) + 3
    mask = torch.rand(b, t, generator=g) < 0.6
    mask[0] = torch.arange(t) == t - 1  # one position only, the last
    mask[-1] = False if b > 1 else mask[-1]
    want = torch.zeros(b, d, dtype=dtype)
    for i in range(b):
        rows = [x[i, j] for j in range(t) if mask[i, j]]
        if rows:
            want[i] = sum(rows) / len(rows)
    what = f"masked_mean of {b} texts, t {t}, d {d}, seed {seed}"
    checks.check_rules(masked_mean, (x, mask), what, names=("x", "mask"))
    for outside in (-7.0, torch.inf, -torch.inf, torch.nan):
        filled = torch.where(mask[..., None], x, torch.tensor(outside, dtype=dtype))
        got = masked_mean(filled, mask)
        checks.check_tensor(got, what, dtype=dtype)
        checks.check_close(got, want, f"{what}, {outside} outside the mask", axes="b d")
pair = torch.randn(200, 4, 3, generator=g), torch.rand(200, 4, generator=g) < 0.5
cost(masked_mean, pair[0][:5], pair[1][:5])
small, large = cost(masked_mean, pair[0][:5], pair[1][:5]), cost(masked_mean, *pair)
assert small.ops == large.ops, (
    f"masked_mean takes {small.ops} operations for 5 texts and {large.ops} for 200"
)
### END HIDDEN TESTS

# %% [markdown]
# ---
# ## 4 · Gather: one number out of each row
#
# Difficulty ●●●○○ · Importance ●●●●● · 5 minutes
#
# A model gives, at each position, a log-probability to every token of the vocabulary. Which of
# them matters? That of the token that *comes next*. So one entry is to be picked from each row:

# %%
rows_of_four = torch.tensor([[0, 1, 2, 3], [10, 11, 12, 13], [20, 21, 22, 23]])
picked = torch.tensor([3, 0, 2])
print(rows_of_four.gather(-1, picked[:, None]))  # [3 1]

# %% [markdown]
# `gather(-1, index)` looks along the last axis, and `index` has as many axes as what is looked up.
#
# Write `gather_log_probs(logp, tokens)`: `logp` is `[b p v]`, `tokens` `[b p]` (int64, p at least
# 2). Return `[b p-1]`: at `[i j]`, the log-probability that position j gives to the token at
# position j + 1. (The last position predicts a token that nobody has seen, so it is left out.)
#
# <details><summary>Hint 1: who speaks of whom</summary>
#
# Positions without the last, `logp[:, :-1]`, speak of tokens without the first, `tokens[:, 1:]`.
# </details>
# <details><summary>Hint 2: axes</summary>
#
# `tokens[:, 1:, None]` is `[b p-1 1]`. At the end, `.squeeze(-1)` takes the 1 away; without the -1
# it would take every axis of length 1.
# </details>


# %% nbgrader={"grade": false, "grade_id": "gather_log_probs", "locked": false, "schema_version": 3, "solution": true, "task": false}
def gather_log_probs(logp: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
    """Log-probabilities that logp [b p v] gives to the next of tokens [b p]: [b p-1]."""
    ### BEGIN SOLUTION
    return logp[:, :-1].gather(-1, tokens[:, 1:, None]).squeeze(-1)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "gather_log_probs_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
logp = -torch.arange(1.0, 25.0).reshape(2, 3, 4)
tokens = torch.tensor([[2, 0, 3], [1, 3, 2]])
got, kept = call_keeping(gather_log_probs, logp, tokens)
checks.check_tensor(got, "gather_log_probs", dtype=torch.float32)
slips = {
    "Not shifted: this is what each position says of its own token.": torch.tensor(
        [[-3.0, -5.0], [-14.0, -20.0]]
    ),
    "Not shifted: this is what every position says of its own token. ": torch.tensor(
        [[-3.0, -5.0, -12.0], [-14.0, -20.0, -23.0]]
    ),
    "Shifted the wrong way: position j speaks of the token before it.": torch.tensor(
        [[-7.0, -9.0], [-18.0, -24.0]]
    ),
    "The sign was turned: these are log-probabilities, not losses.": torch.tensor(
        [[1.0, 8.0], [16.0, 19.0]]
    ),
    "The tokens of the first text were used for all.": torch.tensor([[-1.0, -8.0], [-13.0, -20.0]]),
    "These are probabilities: leave the logarithm.": torch.tensor(
        [[-1.0, -8.0], [-16.0, -19.0]]
    ).exp(),
}
right = torch.tensor([[-1.0, -8.0], [-16.0, -19.0]])
checks.check_close(got, right, "gather_log_probs of two texts", axes="b p-1", slips=slips)
got = gather_log_probs(logp[:1, :2], tokens[:1, :2])
checks.check_shape(got, (1, 1), "gather_log_probs of one text of two tokens", axes="b p-1")
checks.check_rules(gather_log_probs, (logp, tokens), "gather_log_probs", names=("logp", "tokens"))
spent = [
    cost(gather_log_probs, torch.zeros(b, b, 4), torch.ones(b, b, dtype=torch.int64)).ops
    for b in (3, 3, 9)
]
assert spent[1] == spent[2], (
    f"gather_log_probs takes {spent[1]} operations for 3 texts, {spent[2]} for 9: is there a loop?"
)

# %% nbgrader={"grade": true, "grade_id": "gather_log_probs_test_2", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: random log-probabilities, one by one; −inf; and as many operations for 60 texts as for 3.
### BEGIN HIDDEN TESTS
seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)
for b, p, v, dtype in (
    (2, 5, 7, torch.float32),
    (1, 2, 3, torch.float64),
    (4, 4, 4, torch.float64),
    (3, 2, 9, torch.float32),
    (1, 6, 5, torch.float32),
):
    logp = torch.randn(b, p, v, generator=g, dtype=dtype).log_softmax(-1)
    tokens = torch.randint(0, v, (b, p), generator=g)
    want = torch.tensor(
        [[float(logp[i, j, tokens[i, j + 1]]) for j in range(p - 1)] for i in range(b)], dtype=dtype
    )
    what = f"gather_log_probs of [{b} {p} {v}], seed {seed}"
    got = gather_log_probs(logp, tokens)
    checks.check_tensor(got, what, dtype=dtype)
    checks.check_close(got, want, what, axes="b p-1")
    checks.check_rules(gather_log_probs, (logp, tokens), what, names=("logp", "tokens"))
impossible = torch.full((1, 3, 4), -torch.inf)
impossible[0, :, 1] = 0.0
got = gather_log_probs(impossible, torch.tensor([[1, 1, 2]]))
want = torch.tensor([[0.0, -torch.inf]])
checks.check_close(got, want, "gather_log_probs of tokens that are impossible", axes="b p-1")
pair = torch.randn(60, 40, 5, generator=g), torch.randint(0, 5, (60, 40), generator=g)
cost(gather_log_probs, pair[0][:3, :4], pair[1][:3, :4])
small = cost(gather_log_probs, pair[0][:3, :4], pair[1][:3, :4])
large = cost(gather_log_probs, *pair)
assert small.ops == large.ops, (
    f"gather_log_probs takes {small.ops} operations for 3 texts and {large.ops} for 60"
)
### END HIDDEN TESTS

# %% [markdown]
# ---
# ## 5 · Compare, then count: top-k accuracy
#
# Difficulty ●●○○○ · Importance ●●●○○ · 5 minutes
#
# True counts as 1 and False as 0. So "how often?" is a comparison and a mean, without any `if`. But
# look what happens if the shapes do not fit in the way that you think:

# %%
best_three = torch.tensor([[4, 0, 2], [1, 3, 0], [2, 4, 1]])  # [3 3]: three guesses in each row
wanted = torch.tensor([0, 4, 2])  # [3]: one answer a row
print(best_three == wanted)
print(best_three == wanted[:, None])

# %% [markdown]
# Both lines run. The first compares *columns* with answers, because `[3]` is aligned at the right.
#
# Write `top_k_accuracy(logits, targets, k)`: `logits` is `[n v]`, `targets` `[n]` holds the right
# token of each row, `k` is from 1 to v. Return, as a Python `float`, the share of rows (0 to 1)
# whose target is among the `k` largest logits. No two logits of a row are equal.
#
# <details><summary>Hint 1: the guesses</summary>
#
# `logits.topk(k).indices` is `[n k]`. (`argsort` begins with the smallest.)
# </details>
# <details><summary>Hint 2: any of them</summary>
#
# `.any(-1)` says for each row whether one of them is True; `.float().mean()` makes a share of it.
# </details>


# %% nbgrader={"grade": false, "grade_id": "top_k_accuracy", "locked": false, "schema_version": 3, "solution": true, "task": false}
def top_k_accuracy(logits: torch.Tensor, targets: torch.Tensor, k: int) -> float:
    """Share of rows of logits [n v] in which the target [n] is among the k largest."""
    ### BEGIN SOLUTION
    guesses = logits.topk(k).indices  # [n k]
    hit = (guesses == targets[:, None]).any(-1)  # [n]
    return float(hit.float().mean())
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "top_k_accuracy_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
logits = torch.tensor(
    [[5.0, 1.0, 4.0, 2.0], [0.0, 9.0, -1.0, 3.0], [1.0, 2.0, 3.0, 4.0], [8.0, 7.0, 6.0, 5.0]]
)
targets = torch.tensor([0, 3, 1, 3])  # 1st, 2nd, 3rd and 4th place
for k, want, slips in (
    (
        2,
        0.5,
        {
            0.25: "Is it the first place only, or the k-th one only?",
            2.0: "This is how many; a share is asked for.",
        },
    ),
    (1, 0.25, {0.0: "Is it the smallest that counts?"}),
    (3, 0.75, {0.25: "Is it divided by k, or only one place counted?"}),
    (4, 1.0, {0.25: "Divide by the number of rows, not by all guesses.", 0.75: "k too small?"}),
):
    got, kept = call_keeping(top_k_accuracy, logits, targets, k)
    assert type(got) is float, (
        f"top_k_accuracy: a Python float is asked for, not {type(got).__name__}"
    )
    assert abs(got - want) < 1e-6, (
        f"top_k_accuracy with targets on the places 1 to 4 and k = {k} is wrong. "
        + slips.get(got, "Are rows compared with their own targets?")
    )
    assert torch.equal(kept[0], logits) and torch.equal(kept[1], targets), (
        "top_k_accuracy: an argument was changed"
    )
spent = [cost(top_k_accuracy, logits.repeat(n, 1), targets.repeat(n), 2).ops for n in (1, 1, 3)]
assert spent[1] == spent[2], (
    f"top_k_accuracy takes {spent[1]} operations for 4 rows and {spent[2]} for 12: is there a loop?"
)

# %% nbgrader={"grade": true, "grade_id": "top_k_accuracy_test_2", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: random logits, sorted by hand, also with n = k; and as many operations for 600 as for 6.
### BEGIN HIDDEN TESTS
seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)
for n, v, k, dtype in (
    (7, 5, 2, torch.float32),
    (3, 6, 3, torch.float64),
    (5, 8, 5, torch.float32),
    (9, 4, 1, torch.float64),
    (1, 3, 2, torch.float32),
    (6, 4, 4, torch.float64),
    (40, 9, 3, torch.float32),
):
    logits = torch.stack([torch.randperm(v, generator=g) for _ in range(n)]).to(dtype) - 3
    logits += 20 * torch.randint(0, 9, (n, 1), generator=g)  # each row on a level of its own
    targets = torch.randint(0, v, (n,), generator=g)
    hits = 0
    for numbers, target in zip(logits.tolist(), targets.tolist(), strict=True):
        hits += sum(number > numbers[target] for number in numbers) < k
    what = f"top_k_accuracy of {n} rows of {v}, k = {k}, seed {seed}"
    got, kept = call_keeping(top_k_accuracy, logits, targets, k)
    assert type(got) is float, f"{what}: a float is asked for, not {type(got).__name__}"
    assert abs(got - hits / n) < 1e-5, f"{what}: {got:.4g} is wrong"
    assert torch.equal(kept[0], logits) and torch.equal(kept[1], targets), (
        f"{what}: an argument was changed"
    )
logits, targets = torch.randn(600, 5, generator=g), torch.randint(0, 5, (600,), generator=g)
cost(top_k_accuracy, logits[:6], targets[:6], 2)
small = cost(top_k_accuracy, logits[:6], targets[:6], 2)
large = cost(top_k_accuracy, logits, targets, 2)
assert small.ops == large.ops, (
    f"top_k_accuracy takes {small.ops} operations for 6 rows and {large.ops} for 600"
)
### END HIDDEN TESTS

# %% [markdown]
# ---
# ## 6 · Axes with names: rearrange
#
# Difficulty ●○○○○ · Importance ●●●●○ · 3 minutes
#
# What does `W.transpose(0, 1).reshape(d, -1)` do? One must think. **einops** spells it out: the
# axes before the arrow and after it, by name, with brackets where several become one. What stands
# first in a bracket changes slowest:

# %%
named = torch.tensor([[[1, 2], [3, 4]], [[10, 20], [30, 40]]])  # [h d e]
print(einops.rearrange(named, "h d e -> (h d) e"))
print(einops.rearrange(named, "h d e -> (d h) e"))

# %% [markdown]
# TransformerLens keeps the query weights of a layer head by head, `[h d e]`; one large product
# needs them side by side. Write `fuse_heads(W)`: `W` is `[h d e]`. Return `[d h·e]`, where the `e`
# columns of head 0 come first, then those of head 1, and so on.
#
# <details><summary>Hint 1: the pattern</summary>
#
# `einops.rearrange(W, "h d e -> … (… …)")`.
# </details>
# <details><summary>Hint 2: the order in the bracket</summary>
#
# All columns of one head stay together, so `h` changes slowest.
# </details>


# %% nbgrader={"grade": false, "grade_id": "fuse_heads", "locked": false, "schema_version": 3, "solution": true, "task": false}
def fuse_heads(W: torch.Tensor) -> torch.Tensor:
    """The weights W [h d e] of all heads side by side: [d h·e]."""
    ### BEGIN SOLUTION
    return einops.rearrange(W, "h d e -> d (h e)")
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "fuse_heads_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
W = torch.arange(12.0).reshape(2, 2, 3)  # head 0 holds 0 to 5, head 1 holds 6 to 11
got, kept = call_keeping(fuse_heads, W)
checks.check_tensor(got, "fuse_heads", dtype=torch.float32)
slips = {
    "The columns of a head stay together: (h e), not (e h).": torch.tensor(
        [[0.0, 6, 1, 7, 2, 8], [3, 9, 4, 10, 5, 11]]
    ),
    "This only cuts the numbers anew: h must move past d.": W.reshape(2, 6),
    "It is turned over: [d h·e], not [h·e d].": torch.tensor(
        [[0.0, 3], [1, 4], [2, 5], [6, 9], [7, 10], [8, 11]]
    ),
    "The heads lie one below the other: side by side is asked for.": W.reshape(4, 3),
    "The heads were summed.": W.sum(0),
}
right = torch.tensor([[0.0, 1, 2, 6, 7, 8], [3, 4, 5, 9, 10, 11]])
checks.check_close(got, right, "fuse_heads of two heads", axes="d h·e", slips=slips)
checks.check_rules(fuse_heads, (W,), "fuse_heads", names="W")
spent = [cost(fuse_heads, torch.ones(h, 4, 5)).ops for h in (3, 3, 9)]
assert spent[1] == spent[2], (
    f"fuse_heads takes {spent[1]} operations for 3 heads and {spent[2]} for 9: is there a loop?"
)

# %% nbgrader={"grade": true, "grade_id": "fuse_heads_test_2", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: random weights of odd and equal sizes, head by head.
### BEGIN HIDDEN TESTS
seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)
for h, d, e, dtype in (
    (3, 5, 2, torch.float32),
    (1, 4, 3, torch.float64),
    (3, 3, 3, torch.float64),
    (4, 1, 2, torch.float32),
    (2, 6, 1, torch.float32),
):
    W = torch.randn(h, d, e, generator=g, dtype=dtype)
    want = torch.cat([W[i] for i in range(h)], dim=1)
    what = f"fuse_heads of [{h} {d} {e}], seed {seed}"
    got = fuse_heads(W)
    checks.check_tensor(got, what, dtype=dtype)
    checks.check_close(got, want, what, axes="d h·e")
    checks.check_rules(fuse_heads, (W,), what, names="W")
sizes = (torch.ones(3, 4, 5), torch.ones(3, 4, 5), torch.ones(60, 4, 5))
spent = [cost(fuse_heads, weights).ops for weights in sizes]
assert spent[1] == spent[2], (
    f"fuse_heads takes {spent[1]} operations for 3 heads and {spent[2]} for 60: is there a loop?"
)
### END HIDDEN TESTS

# %% [markdown]
# ---
# ## 7 · Reduce: what is missing on the right is summed up
#
# Difficulty ●●○○○ · Importance ●●●○○ · 4 minutes
#
# `einops.reduce(x, "b p d -> b d", "mean")` averages over `p`, the axis that has no name on the
# right. Brackets on the *left* cut an axis into pieces: `(q i)` with `i=4` are pieces of 4
# neighbours. The attention pattern of a long text is too large to draw. So it is drawn coarsely:
# one cell for each small square.
#
# Write `block_means(pattern, size)`: `pattern` is `[h q k]`, and `size` divides q and k. Return
# `[h q/size k/size]`, the mean of each square of `size` × `size` neighbours.
#
# <details><summary>Hint 1: the left side</summary>
#
# `"h (q i) (k j) -> …"`: two sizes have to be told, `i=size, j=size`.
# </details>
# <details><summary>Hint 2: the right side</summary>
#
# What is averaged away, `i` and `j`, is missing there.
# </details>


# %% nbgrader={"grade": false, "grade_id": "block_means", "locked": false, "schema_version": 3, "solution": true, "task": false}
def block_means(pattern: torch.Tensor, size: int) -> torch.Tensor:
    """Means of all squares of size × size neighbours in pattern [h q k]: [h q/size k/size]."""
    ### BEGIN SOLUTION
    return einops.reduce(pattern, "h (q i) (k j) -> h q k", "mean", i=size, j=size)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "block_means_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
pattern = torch.tensor(
    [[[0.0, 4, 1, 1], [0, 8, 1, 1], [2, 2, 0, 0], [2, 6, 0, 0], [5, 5, 9, 9], [5, 5, 9, 1]]]
)  # [1 6 4]
got, kept = call_keeping(block_means, pattern, 2)
checks.check_tensor(got, "block_means", dtype=torch.float32)
right = torch.tensor([[[3.0, 1.0], [3.0, 0.0], [5.0, 7.0]]])
slips = {
    "The squares were summed, not averaged.": 4 * right,
    "The largest number of each square was taken.": torch.tensor(
        [[[8.0, 1.0], [6.0, 0.0], [5.0, 9.0]]]
    ),
    "One number of each square was taken: average all of them.": pattern[:, ::2, ::2],
    "Neighbours belong together: (q i), not (i q).": torch.tensor(
        [[[1.0, 2.0], [3.75, 5.25], [2.75, 3.25]]]
    ),
    "Queries and keys changed places.": right.transpose(1, 2),
    "This is the mean over all squares' first places: (q i), not (i q).": torch.tensor([[[3.0]]]),
    "The heads were averaged: [h q/size k/size].": right[0],
}
checks.check_close(
    got, right, "block_means in squares of 2 × 2", axes="h q/size k/size", slips=slips
)
checks.check_close(block_means(pattern, 1), pattern, "block_means with size 1", axes="h q k")
checks.check_rules(block_means, (pattern, 2), "block_means", names=("pattern",))
two = torch.stack([pattern[0], 2 * pattern[0]])
checks.check_close(
    block_means(two, 2),
    torch.cat([right, 2 * right]),
    "block_means of two heads",
    axes="h q/size k/size",
)
assert torch.equal(kept[0], pattern), "block_means: pattern was changed"

# %% nbgrader={"grade": true, "grade_id": "block_means_test_2", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: random patterns, square by square, also with as many heads as squares.
### BEGIN HIDDEN TESTS
seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)
for h, q, k, size, dtype in (
    (3, 2, 4, 2, torch.float32),
    (2, 2, 2, 3, torch.float64),
    (1, 3, 3, 3, torch.float32),
    (5, 1, 2, 4, torch.float64),
):
    pattern = torch.rand(h, q * size, k * size, generator=g, dtype=dtype)
    want = torch.zeros(h, q, k, dtype=dtype)
    for i in range(size):
        for j in range(size):
            want += pattern[:, i::size, j::size] / size**2
    what = f"block_means of [{h} {q * size} {k * size}] in squares of {size}, seed {seed}"
    got = block_means(pattern, size)
    checks.check_tensor(got, what, dtype=dtype)
    checks.check_close(got, want, what, axes="h q/size k/size")
    checks.check_rules(block_means, (pattern, size), what, names=("pattern",))
sizes = (torch.ones(2, 6, 6), torch.ones(2, 6, 6), torch.ones(9, 120, 90))
spent = [cost(block_means, one, 2).ops for one in sizes]
assert spent[1] == spent[2], (
    f"block_means takes {spent[1]} operations for a small pattern, {spent[2]} for a large one"
)
### END HIDDEN TESTS

# %% [markdown]
# ---
# ## 8 · Repeat: one prompt, many edits
#
# Difficulty ●○○○○ · Importance ●●●○○ · 3 minutes
#
# To try n edits on each of b prompts in one run of a model, every prompt is needed n times. Which
# row is which prompt? It depends on the order in a bracket.
#
# Write `repeat_prompts(tokens, n)`: `tokens` is `[b p]`. Return `[b·n p]`: first the first prompt n
# times, then the second one n times, and so on.
#
# <details><summary>Hint 1: the function</summary>
#
# `einops.repeat(tokens, "b p -> (…) p", n=n)`: the new axis has a name on the right only.
# </details>
# <details><summary>Hint 2: the order</summary>
#
# What stands first in the bracket changes slowest. Here that is the prompt.
# </details>


# %% nbgrader={"grade": false, "grade_id": "repeat_prompts", "locked": false, "schema_version": 3, "solution": true, "task": false}
def repeat_prompts(tokens: torch.Tensor, n: int) -> torch.Tensor:
    """Each of the prompts tokens [b p] n times, one after the other: [b·n p]."""
    ### BEGIN SOLUTION
    return einops.repeat(tokens, "b p -> (b n) p", n=n)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "repeat_prompts_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
tokens = torch.tensor([[1, 2, 3], [7, 8, 9]])
got, kept = call_keeping(repeat_prompts, tokens, 2)
checks.check_tensor(got, "repeat_prompts", dtype=torch.int64)
slips = {
    "The prompts take turns: (b n), not (n b).": tokens[[0, 1, 0, 1]],
    "The prompts became longer: there shall be more rows.": torch.cat([tokens, tokens], dim=1),
    "Tokens were repeated inside a prompt.": tokens[:, [0, 0, 1, 1, 2, 2]],
    "There is an axis too many: put b and n in one bracket.": torch.stack([tokens, tokens], dim=1),
}
right = torch.tensor([[1, 2, 3], [1, 2, 3], [7, 8, 9], [7, 8, 9]])
checks.check_close(got, right, "repeat_prompts, n = 2", axes="b·n p", slips=slips)
checks.check_shape(repeat_prompts(tokens, 5), (10, 3), "repeat_prompts, n = 5", axes="b·n p")
assert torch.equal(kept[0], tokens), "repeat_prompts: tokens was changed"

# %% nbgrader={"grade": true, "grade_id": "repeat_prompts_test_2", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: random prompts, row by row, n = 1 and one prompt too; and the count.
### BEGIN HIDDEN TESTS
seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)
for b, p, n in ((3, 5, 2), (2, 2, 3), (4, 3, 1), (1, 4, 4), (3, 3, 3)):
    tokens = torch.randint(0, 1000, (b, p), generator=g)
    want = torch.tensor([tokens[row // n].tolist() for row in range(b * n)])
    what = f"repeat_prompts of [{b} {p}], n = {n}, seed {seed}"
    got, kept = call_keeping(repeat_prompts, tokens, n)
    checks.check_tensor(got, what, dtype=torch.int64)
    checks.check_close(got, want, what, axes="b·n p")
    assert torch.equal(kept[0], tokens), f"{what}: tokens was changed"
many = torch.randint(0, 9, (200, 3), generator=g)
spent = [cost(repeat_prompts, one, n).ops for one, n in ((many[:3], 2), (many[:3], 2), (many, 30))]
assert spent[1] == spent[2], (
    f"repeat_prompts takes {spent[1]} operations for 3 prompts, {spent[2]} for 200: is there a loop?"
)
### END HIDDEN TESTS

# %% [markdown]
# ---
# ## 9 · einsum: multiply, and sum over what is missing
#
# Difficulty ●●●○○ · Importance ●●●●● · 5 minutes
#
# `einops.einsum(A, B, "i j, j k -> i k")` multiplies wherever names are equal and sums over each
# name that is **missing on the right**. This one is the matrix product. `"i j, j k -> i j k"` would
# sum nothing; `"i j, j k ->"` would sum everything.
#
# An attention layer adds up what its heads write. To know *which* head wrote what, one needs them
# apart. Write `head_outputs(z, W_O)`: `z` is `[b p h e]`, `W_O` is `[h e d]`. Return `[b p h d]`:
# for each head, its `e` numbers times its own `W_O[h]`.
#
# <details><summary>Hint 1: which name goes</summary>
#
# Of `b`, `p`, `h`, `e` and `d`, only `e` is summed over. `h` is in both, and stays.
# </details>
# <details><summary>Hint 2: the pattern</summary>
#
# `"b p h e, h e d -> …"`.
# </details>


# %% nbgrader={"grade": false, "grade_id": "head_outputs", "locked": false, "schema_version": 3, "solution": true, "task": false}
def head_outputs(z: torch.Tensor, W_O: torch.Tensor) -> torch.Tensor:
    """What each head writes, of z [b p h e] and W_O [h e d]: [b p h d]."""
    ### BEGIN SOLUTION
    return einops.einsum(z, W_O, "b p h e, h e d -> b p h d")
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "head_outputs_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
z = torch.tensor([[[[1.0, 2.0], [3.0, 0.0]], [[0.0, 1.0], [1.0, 1.0]]]])  # [1 2 2 2]
W_O = torch.tensor([[[1.0, 0.0], [0.0, 10.0]], [[0.0, 1.0], [5.0, 0.0]]])  # [2 2 2]
got, kept = call_keeping(head_outputs, z, W_O)
checks.check_tensor(got, "head_outputs", dtype=torch.float32)
right = torch.tensor([[[[1.0, 20.0], [0.0, 3.0]], [[0.0, 10.0], [5.0, 1.0]]]])
slips = {
    "The heads were added up: h must stand on the right, too.": right.sum(2),
    "Every head used the W_O of all heads together.": torch.tensor(
        [[[[11.0, 21.0], [3.0, 3.0]], [[5.0, 10.0], [6.0, 11.0]]]]
    ),
    "Every head used the W_O of head 0.": torch.tensor(
        [[[[1.0, 20.0], [3.0, 0.0]], [[0.0, 10.0], [1.0, 10.0]]]]
    ),
    "Each W_O was turned over: it is [h e d].": torch.tensor(
        [[[[1.0, 20.0], [0.0, 15.0]], [[0.0, 10.0], [1.0, 5.0]]]]
    ),
    "Heads come after positions: [b p h d].": right.transpose(1, 2),
    "The heads were averaged.": right.mean(2),
}
checks.check_close(got, right, "head_outputs of two heads", axes="b p h d", slips=slips)
other_sizes = head_outputs(torch.ones(2, 3, 4, 5), torch.ones(4, 5, 6))
checks.check_shape(other_sizes, (2, 3, 4, 6), "head_outputs of 4 heads", axes="b p h d")
checks.check_rules(head_outputs, (z, W_O), "head_outputs", names=("z", "W_O"))
spent = [cost(head_outputs, torch.ones(2, 3, h, 5), torch.ones(h, 5, 6)).ops for h in (3, 3, 9)]
assert spent[1] == spent[2], (
    f"head_outputs takes {spent[1]} operations for 3 heads and {spent[2]} for 9: is there a loop?"
)

# %% nbgrader={"grade": true, "grade_id": "head_outputs_test_2", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: random heads, one by one, equal sizes too; and as many operations for 40 heads as for 4.
### BEGIN HIDDEN TESTS
seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)
for b, p, h, e, d, dtype in (
    (2, 5, 3, 2, 6, torch.float32),
    (3, 3, 3, 3, 3, torch.float64),
    (1, 2, 4, 3, 1, torch.float64),
    (2, 1, 1, 4, 4, torch.float32),
):
    z = torch.randn(b, p, h, e, generator=g, dtype=dtype)
    W_O = torch.randn(h, e, d, generator=g, dtype=dtype)
    want = torch.stack([torch.matmul(z[:, :, i], W_O[i]) for i in range(h)], dim=2)
    what = f"head_outputs of b {b}, p {p}, h {h}, e {e}, d {d}, seed {seed}"
    got = head_outputs(z, W_O)
    checks.check_tensor(got, what, dtype=dtype)
    checks.check_close(got, want, what, axes="b p h d")
    checks.check_rules(head_outputs, (z, W_O), what, names=("z", "W_O"))
pair = torch.randn(2, 3, 40, 5, generator=g), torch.randn(40, 5, 6, generator=g)
cost(head_outputs, pair[0][:, :, :4], pair[1][:4])
small, large = cost(head_outputs, pair[0][:, :, :4], pair[1][:4]), cost(head_outputs, *pair)
assert small.ops == large.ops, (
    f"head_outputs takes {small.ops} operations for 4 heads and {large.ops} for 40"
)
### END HIDDEN TESTS

# %% [markdown]
# ---
# ## 10 · A picture in five lines
#
# Difficulty ●●○○○ · Importance ●●●○○ · 6 minutes
#
# "How much does each head matter?" is a number for each layer and head, and so a small heatmap. A
# picture can deceive. If zero has a colour of its own that moves with the data, nobody sees at a
# glance which heads help and which do harm. With `zmid=0` the middle of the colour scale is zero.
#
# Write `head_map(scores, title)`: `scores` is `[layer head]`, `title` a text. Return a `go.Figure`
# with one `go.Heatmap`: its `z` is `scores`, its `zmid` is 0. The x axis has the title `head`, the
# y axis the title `layer`, and the figure has the title `title`. (Layer 0 stays at the bottom, as
# the residual stream is drawn.)
#
# <details><summary>Hint 1: the pieces</summary>
#
# `go.Figure(go.Heatmap(z=scores.tolist(), zmid=0))`.
# </details>
# <details><summary>Hint 2: the texts</summary>
#
# `figure.update_layout(title=…, xaxis_title=…, yaxis_title=…)`.
# </details>


# %% nbgrader={"grade": false, "grade_id": "head_map", "locked": false, "schema_version": 3, "solution": true, "task": false}
def head_map(scores: torch.Tensor, title: str) -> go.Figure:
    """A heatmap of scores [layer head] whose colours have their middle at zero."""
    ### BEGIN SOLUTION
    figure = go.Figure(go.Heatmap(z=scores.tolist(), zmid=0))
    figure.update_layout(title=title, xaxis_title="head", yaxis_title="layer")
    return figure
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "head_map_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
def check_head_map(got, scores, title, what):
    """`got` is a figure that shows the scores as the exercise asks, judged as data."""
    assert type(got) is go.Figure, f"{what}: a go.Figure is asked for, not {type(got).__name__}"
    assert len(got.data) == 1 and got.data[0].type == "heatmap", (
        f"{what}: one go.Heatmap is asked for"
    )
    z = torch.tensor([[float(number) for number in row] for row in got.data[0].z])
    slips = {
        "The scores are turned over: rows are layers.": scores.T,
        "The rows are upside down: leave the scores as they are.": scores.flip(0),
        "The sign is lost.": scores.abs(),
    }
    checks.check_close(z, scores.float(), f"{what}: z", axes="layer head", slips=slips)
    assert got.data[0].zmid == 0, f"{what}: the middle of the colours (zmid) is not 0"
    texts = {
        "title": (got.layout.title.text, title),
        "title of the x axis": (got.layout.xaxis.title.text, "head"),
        "title of the y axis": (got.layout.yaxis.title.text, "layer"),
    }
    for name, (text, want) in texts.items():
        assert text == want, f"{what}: the {name} is {text!r}, not {want!r}"
    assert got.layout.yaxis.autorange != "reversed", f"{what}: layer 0 stays at the bottom"


scores = torch.tensor([[0.5, -0.25, 0.0], [2.0, 0.125, -1.0]])
got, kept = call_keeping(head_map, scores, "Two layers")
check_head_map(got, scores, "Two layers", "head_map")
assert torch.equal(kept[0], scores), "head_map: the scores were changed"

# %% nbgrader={"grade": true, "grade_id": "head_map_test_2", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: random scores of other sizes, square ones, other titles.
### BEGIN HIDDEN TESTS
seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)
for layers, heads, dtype, title in (
    (3, 5, torch.float32, "Logit difference"),
    (4, 4, torch.float64, f"Run {seed}"),
    (1, 2, torch.float32, "x"),
):
    scores = torch.randn(layers, heads, generator=g, dtype=dtype) - 1
    what = f"head_map of {layers} layers and {heads} heads [seed {seed}]"
    got, kept = call_keeping(head_map, scores, title)
    check_head_map(got, scores, title, what)
    assert torch.equal(kept[0], scores), f"{what}: the scores were changed"
### END HIDDEN TESTS

# %%
made_up = torch.randn(4, 6, generator=torch.Generator().manual_seed(1)) / 4
made_up[2, 1] = 2.0
head_map(made_up, "Made-up scores: which head would you look at first?").update_layout(
    height=360, paper_bgcolor="#fffffe", plot_bgcolor="rgba(0,0,0,0)", font_color=plots.INK
)

# %% [markdown]
# ---
# ## 11 · The error that is not raised
#
# Difficulty ●○○○○ · Importance ●●●●● · 3 minutes
#
# A model's predictions have the shape `[4]`, the targets came as `[4 1]`. They are *equal*, number
# by number. What is the mean squared error?

# %%
predictions = torch.tensor([1.0, 2.0, 3.0, 4.0])
as_column = predictions[:, None]
print("mean squared error:", float(((predictions - as_column) ** 2).mean()))
print("because the difference has the shape", tuple((predictions - as_column).shape))

# %% [markdown]
# Broadcasting subtracted everything from everything. Training goes on all the same: the loss falls,
# and the model learns the mean of all targets.
#
# Write `strict_mse(pred, target)`: the mean of the squared differences, as a tensor of shape `()`,
# if both have *the same shape*. Otherwise raise a `ValueError` (say both shapes in its message).
#
# <details><summary>Hint 1: compare shapes</summary>
#
# `pred.shape != target.shape` compares all axes at once.
# </details>
# <details><summary>Hint 2: complain</summary>
#
# `raise ValueError(f"shapes differ: {tuple(pred.shape)} and …")`.
# </details>


# %% nbgrader={"grade": false, "grade_id": "strict_mse", "locked": false, "schema_version": 3, "solution": true, "task": false}
def strict_mse(pred: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """The mean squared error of two tensors of one shape; other shapes raise a ValueError."""
    ### BEGIN SOLUTION
    if pred.shape != target.shape:
        raise ValueError(f"shapes differ: {tuple(pred.shape)} and {tuple(target.shape)}")
    return ((pred - target) ** 2).mean()
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "strict_mse_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
pred, target = torch.tensor([1.0, 2.0, 3.0]), torch.tensor([1.0, 4.0, 0.0])
got, kept = call_keeping(strict_mse, pred, target)
checks.check_tensor(got, "strict_mse", dtype=torch.float32)
slips = {
    "The squares were summed, not averaged.": 13.0,
    "The mean was taken before squaring.": 1.0 / 9,
    "These are absolute differences, not squares.": 5.0 / 3,
    "A root was taken.": (13.0 / 3) ** 0.5,
}
checks.check_close(got, torch.tensor(13.0 / 3), "strict_mse of 3 numbers", slips=slips)
for first, second in (((3,), (3, 1)), ((3,), (1,)), ((2, 3), (3,))):
    try:
        raises("ValueError", strict_mse, torch.ones(first), torch.ones(second))
    except AssertionError as complaint:
        raise AssertionError(f"strict_mse of {first} and {second}: {complaint}") from None
checks.check_rules(strict_mse, (pred, target), "strict_mse", names=("pred", "target"))
assert torch.equal(kept[0], pred), "strict_mse: pred was changed"

# %% nbgrader={"grade": true, "grade_id": "strict_mse_test_2", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: random tensors of one shape, and shapes that differ in one way each.
### BEGIN HIDDEN TESTS
seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)
for shape, dtype in (((4,), torch.float32), ((2, 3), torch.float64), ((3, 1, 2), torch.float32)):
    pred, target = (torch.randn(shape, generator=g, dtype=dtype) for _ in range(2))
    pairs = zip(pred.flatten().tolist(), target.flatten().tolist(), strict=True)
    squares = [(a - b) ** 2 for a, b in pairs]
    what = f"strict_mse of two tensors {shape}, seed {seed}"
    got = strict_mse(pred, target)
    checks.check_tensor(got, what, dtype=dtype)
    checks.check_close(got, torch.tensor(sum(squares) / len(squares), dtype=dtype), what)
    checks.check_rules(strict_mse, (pred, target), what, names=("pred", "target"))
for first, second in (
    ((4,), (4, 1)),
    ((4, 1), (4,)),
    ((1,), (5,)),
    ((2, 3), (3, 2)),
    ((2, 3), (2, 1)),
    ((2, 3), (6,)),
    ((3, 3), (3,)),
    ((), (1,)),
    ((2, 2), (1, 2, 2)),
):
    try:
        raises("ValueError", strict_mse, torch.ones(first), torch.ones(second))
    except AssertionError as complaint:
        raise AssertionError(f"strict_mse of {first} and {second}: {complaint}") from None
got, kept = call_keeping(strict_mse, torch.ones(2, 2), torch.zeros(2, 2))
checks.check_close(got, torch.tensor(1.0), "strict_mse of equal shapes")
assert torch.equal(kept[0], torch.ones(2, 2)), "strict_mse: pred was changed"
### END HIDDEN TESTS

# %% [markdown]
# ---
# ## 12 · Read a traceback from below
#
# Difficulty ●●○○○ · Importance ●●●●○ · 5 minutes
#
# When something breaks, Python says a lot. Two lines of it matter. The **last** one says what went
# wrong. And going up from there, the first line in a file *of yours* is where to look: what comes
# below it happened inside a library, which did what you asked for.

# %%
REPORT = """Traceback (most recent call last):
  File "/home/ada/run.py", line 12, in <module>
    train(model, batches)
  File "/home/ada/experiment.py", line 40, in train
    loss = step(model, batch)
  File "/home/ada/experiment.py", line 27, in step
    scores = layer(q, k)
  File "/usr/lib/python3/site-packages/torch/nn/modules/module.py", line 1775, in _call_impl
    return forward_call(*args)
  File "/home/ada/my_experiment.py", line 8, in forward
    return torch.einsum("qe,ke->qk", q, k)
  File "/usr/lib/python3/site-packages/torch/functional.py", line 422, in einsum
    return _VF.einsum(equation, operands)
RuntimeError: einsum(): subscript e has size 64 for operand 1 which does not broadcast with 32
"""
print(REPORT)

# %% [markdown]
# Write `where_it_broke(report, mine)`: `report` is the text of a traceback, `mine` the name of a
# file, without its folder, such as `"experiment.py"`. Return a tuple with the *line* (an int) and
# the *function* (a str) of the last place in the report that is in a file of exactly this name,
# or `None` if there is none. For the report above and `"experiment.py"` it is `(27, "step")`.
#
# <details><summary>Hint 1: find all places</summary>
#
# `re.findall(r'File "(.*)", line (\d+), in (.+)', report)` gives a list of tuples of three texts:
# path, line, function.
# </details>
# <details><summary>Hint 2: exactly this name</summary>
#
# `path.split("/")[-1]` is the file's name. (`endswith` would take `my_experiment.py`, too.)
# </details>


# %% nbgrader={"grade": false, "grade_id": "where_it_broke", "locked": false, "schema_version": 3, "solution": true, "task": false}
def where_it_broke(report: str, mine: str) -> tuple[int, str] | None:
    """Line and function of the last place of a traceback that is in the file `mine`."""
    ### BEGIN SOLUTION
    found = re.findall(r'File "(.*)", line (\d+), in (.+)', report)
    own = [(int(line), name) for path, line, name in found if path.split("/")[-1] == mine]
    return own[-1] if own else None
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "where_it_broke_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
got = where_it_broke(REPORT, "experiment.py")
slips = {
    (40, "train"): "That is the first place in this file; the last one is asked for.",
    (8, "forward"): "my_experiment.py is another file.",
    (422, "einsum"): "That is inside a library.",
}
kind = "a tuple" if type(got) is tuple else type(got).__name__
assert type(got) is tuple, f"where_it_broke: a tuple is asked for, got {kind}"
checks.check_equal(
    got,
    (27, "step"),
    "where_it_broke in experiment.py",
    hint=slips.get(got, "Is the line an int, and the function a str?"),
)
checks.check_equal(where_it_broke(REPORT, "run.py"), (12, "<module>"), "where_it_broke in run.py")
got = where_it_broke(REPORT, "other.py")
assert got is None, "where_it_broke in a file that is not in the report: None is asked for"

# %% nbgrader={"grade": true, "grade_id": "where_it_broke_test_2", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: made-up reports with names that contain each other.
### BEGIN HIDDEN TESTS
seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)
names = ("a.py", "aa.py", "a.py.py", "train.py", "pretrain.py", "train_a.py")
folders = ("/home/ada", "/home/ada/train.py.d", "/opt/a.py", "/usr/lib")
for length in (1, 3, 6, 12, 12, 12):
    lines, last = ["Traceback (most recent call last):"], {}
    for _ in range(length):
        folder = folders[int(torch.randint(len(folders), (), generator=g))]
        name = names[int(torch.randint(len(names), (), generator=g))]
        number = int(torch.randint(1, 3000, (), generator=g))
        function = ("step", "<module>", "forward", "<lambda>")[number % 4]
        lines += [f'  File "{folder}/{name}", line {number}, in {function}', "    x = step(x)"]
        last[name] = (number, function)
    report = "\n".join([*lines, "ValueError: line 3 of train.py is wrong", ""])
    for name in names:
        got = where_it_broke(report, name)
        what = f"where_it_broke in {name}, a report of {length} places, seed {seed}"
        checks.check_equal(got, last.get(name), what)
assert where_it_broke("ValueError: no places at all", "a.py") is None, (
    "where_it_broke of a report without places is not None"
)
### END HIDDEN TESTS

# %% [markdown]
# ---
# ## 13 · A test that can fail
#
# Difficulty ●●○○○ · Importance ●●●●● · 6 minutes
#
# A test is a function that calls another one and complains. It is good if it fails for *wrong*
# functions. Here is a poor one, for a function that shall subtract from each row of `x` `[n d]` the
# mean of that row. Both functions pass:


# %%
def poor_test(f):
    assert torch.allclose(f(torch.ones(2, 2)), torch.zeros(2, 2)), "ones become zeros"


def right_function(x):
    return x - x.mean(-1, keepdim=True)


def wrong_function(x):
    return x - x.mean(0)


for candidate in (right_function, wrong_function):
    poor_test(candidate)
    print(candidate.__name__, "passes")

# %% [markdown]
# The input was too kind. Good inputs have several rows, with means that differ and one that is
# negative, more columns than rows (or fewer), numbers of both signs, and nothing that is the same
# by chance.
#
# Write `check_centred(f)`: it calls `f` with one or more float32 tensors `[n d]` and raises an
# `AssertionError` if f does anything else than subtract from each row its mean. For a right `f` it
# returns nothing. (Right functions may differ in the last digit: compare with `torch.allclose`, not
# with `==`.) Every function in the tests returns a tensor of the shape that it is given.
#
# <details><summary>Hint 1: by hand</summary>
#
# Take a tensor of 2 rows and 3 columns, work the right result out on paper, and `assert`.
# </details>
# <details><summary>Hint 2: is it enough?</summary>
#
# That each row of the result has the mean 0 is not enough: a tensor of zeros has that, too.
# </details>


# %% nbgrader={"grade": false, "grade_id": "check_centred", "locked": false, "schema_version": 3, "solution": true, "task": false}
def check_centred(f) -> None:
    """Raise an AssertionError unless f(x) is x [n d] with the mean of each row subtracted."""
    ### BEGIN SOLUTION
    x = torch.tensor([[1.0, -2.0, 7.0], [3.0, 0.0, -9.0]])  # means 2 and -2
    centred = torch.tensor([[-1.0, -4.0, 5.0], [5.0, 2.0, -7.0]])
    assert torch.allclose(f(x), centred), "the mean of each row is to be subtracted"
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "check_centred_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
def tried(f):
    """Whether check_centred accepts f."""
    try:
        raises("AssertionError", check_centred, f)
    except AssertionError as refusal:
        assert "but nothing was raised" in str(refusal), f"check_centred: {refusal}"
        return True
    return False


def minus_sum(x):
    return x - x.sum(-1, keepdim=True)


def in_the_last_digit(x):
    return (x - x.mean(-1, keepdim=True)) * (1 + 2e-7)


assert tried(lambda x: x - x.mean(-1, keepdim=True)), "check_centred refuses a right function"
assert tried(in_the_last_digit), (
    "check_centred refuses a right function that differs in the last digit: use torch.allclose"
)
for bug, words in (
    (lambda x: x - x.mean(0), "the mean of each column"),
    (lambda x: x - x.mean(), "the mean of all numbers"),
    (minus_sum, "the sum instead of the mean"),
    (lambda x: x * 0, "everything: it returns zeros"),
    (lambda x: x * 1, "nothing"),
):
    assert not tried(bug), f"check_centred accepts a function that subtracts {words}"


# %% nbgrader={"grade": true, "grade_id": "check_centred_test_2", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: more right functions, and more wrong ones.
### BEGIN HIDDEN TESTS
def by_rows(x):
    return torch.stack([row - row.sum() / len(row) for row in x])


def first_row_only(x):
    y = x.clone()
    y[0] = y[0] - y[0].mean()
    return y


for right in (
    by_rows,
    in_the_last_digit,
    lambda x: (x.double() - x.double().mean(1)[:, None]).float(),
):
    assert tried(right), "check_centred refuses a right function"
for bug, words in (
    (lambda x: x.mean(-1, keepdim=True) - x, "turns the sign"),
    (lambda x: x - x.median(-1, keepdim=True).values, "subtracts the median"),
    (lambda x: x - x[:, :1], "subtracts the first number of each row"),
    (first_row_only, "does the first row only"),
    (
        lambda x: torch.nn.functional.layer_norm(x, x.shape[-1:]),
        "divides by the standard deviation too",
    ),
    (lambda x: (x - x.mean(-1, keepdim=True)).abs(), "loses the sign"),
    (lambda x: x.abs() - x.abs().mean(-1, keepdim=True), "takes negative numbers for positive"),
    (lambda x: x - x.mean(-1, keepdim=True).abs(), "takes negative means for positive"),
    (lambda x: 0.9 * (x - x.mean(-1, keepdim=True)), "makes everything a little smaller"),
    (lambda x: x - x.sum(-1, keepdim=True) / (x.shape[-1] - 1), "divides by d - 1"),
    (lambda x: x - x[:1].mean(-1, keepdim=True), "subtracts the first row's mean from all"),
):
    assert not tried(bug), f"check_centred accepts a function that {words}"
### END HIDDEN TESTS

# %% [markdown]
# This is how the tests of this course are made: for each exercise there is a list of wrong answers,
# and a test that lets one of them pass is not good enough.

# %% [markdown]
# ---
# ## 14 · Git: a snapshot of what you mean
#
# Difficulty ●○○○○ · Importance ●●●●○ · 5 minutes
#
# An experiment worked yesterday and fails today. What has changed? *Git* knows, if it was told. It
# keeps snapshots of a folder, the *commits*. Each has a message and knows the one before it:
#
#     Begin  ←  Try a larger rate  ←  Draw the loss        main
#
# | in a terminal | |
# | --- | --- |
# | `git init` | makes a folder a repository |
# | `git add notes.md` | this file, as it is now, belongs to the next commit |
# | `git commit -m "Begin"` | makes the commit |
# | `git status`, `git log --oneline` | say what is going on, and what was |
#
# What is not added is not in the commit. That is a good thing: a folder also holds passwords and
# large files, and what was once committed and shared is hard to get rid of.
#
# In these exercises, `repo.run("…")` runs commands in a folder of its own, prints what a terminal
# would say, and returns it. The folders lie in `git-practice`, beside this notebook. Open a terminal
# (*File → New → Terminal*), `cd` there, and look around. Each test begins with a fresh folder.

# %%
from course.calls import theirs
from course.repositories import History, Practice, git_is_here

if not git_is_here():
    print("git is not installed here: exercises 14 to 16 cost no points. Read them all the same.")

# %% [markdown]
# Write `first_commit(repo, name, message)`: the folder holds some files and is no repository yet.
# Make it one, and commit *only* the file `name`, with the message `message`: one commit, on the
# branch `main` (here, `git init` begins with it). `name` has no spaces in it; `message` consists of
# several words. Return nothing.
#
# <details><summary>Hint 1: three lines</summary>
#
# `repo.run("git init")` is the first of them. The names come in by an f-string:
# `repo.run(f"git add {name}")`.
# </details>
# <details><summary>Hint 2: several words</summary>
#
# The shell cuts a line at its spaces. Quotes keep words together: `-m "{message}"`.
# </details>


# %% nbgrader={"grade": false, "grade_id": "first_commit", "locked": false, "schema_version": 3, "solution": true, "task": false}
def first_commit(repo, name: str, message: str) -> None:
    """Make a repository of the folder, with one commit that holds the file `name` alone."""
    ### BEGIN SOLUTION
    repo.run("git init")
    repo.run(f"git add {name}")
    repo.run(f'git commit -m "{message}"')
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "first_commit_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
def check_first(folder, name, content, message):
    """The repository in `folder` has one commit, of this file and with this message."""
    history, what = History(f"git-practice/{folder}"), f"first_commit of {name}"
    assert history.head() == "main", f"{what}: the branch main is not checked out"
    commits = history.log("main")
    assert len(commits) == 1, f"{what}: one commit is asked for, there are {len(commits)}"
    files = commits[0].files
    assert name in files, f"{what}: the commit does not hold {name}: was it added?"
    others = sorted(set(files) - {name})
    assert not others, f"{what}: the commit holds {others[0]} too. Add {name} alone."
    assert files[name] == content, f"{what}: the file was changed before it was committed"
    assert commits[0].message == message, (
        f"{what}: the commit's message is {commits[0].message!r}, not {message!r}"
    )


if git_is_here():
    repo = theirs(Practice)("first", "echo Heads copy > notes.md; echo hunter2 > password.txt")
    first_commit(repo, "notes.md", "Write down an idea")
    check_first("first", "notes.md", b"Heads copy\n", "Write down an idea")
    assert len("notes.md") == 8

# %% nbgrader={"grade": true, "grade_id": "first_commit_test_2", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: other files, other messages, a folder with folders in it.
### BEGIN HIDDEN TESTS
if git_is_here():
    for folder, name, message, others in (
        ("first-2", "train.py", "Train for one step", "mkdir data; echo 1 > data/big.bin"),
        ("first-3", ".gitignore", "Say what git shall not see", "echo x > a.txt; echo y > b.txt"),
        ("first-4", "b.txt", "Add b", "echo x > a.txt"),
    ):
        repo = theirs(Practice)(folder, f"echo in {folder} > {name}; {others}")
        first_commit(repo, name, message)
        check_first(folder, name, f"in {folder}\n".encode(), message)
        assert folder.startswith("first")
### END HIDDEN TESTS

# %% [markdown]
# Now with a look at what became of it. Which file does git not know?

# %%
shown_repo = Practice("look", "echo An idea > notes.md; echo hunter2 > password.txt")
first_commit(shown_repo, "notes.md", "Write down an idea")
shown_repo.run("git log --oneline; git status --short")

# %% [markdown]
# ---
# ## 15 · Two branches, one conflict
#
# Difficulty ●●●○○ · Importance ●●●●○ · 9 minutes
#
# A *branch* is a name for a line of commits. Two people can work on one each, and *merge* them:
#
#     Begin  ←  Slow down  ←  Merge        main
#         ↖  Warm up   ←  ↙                warm
#
# `git merge warm` brings what was done on `warm` into the branch that is checked out. Where both
# changed *the same line*, git cannot know who is right. It stops, and writes both into the file:
#
#     <<<<<<< HEAD
#     rate = 1
#     =======
#     rate = 5
#     >>>>>>> warm
#
# That is no accident but a question. Write into the file what is right (without the marks), then
# `git add` it and `git commit`: the merge is complete. (`git merge --abort` would take it back.)
#
# Write `merge_branch(repo, branch, resolved)`: `main` is checked out, and `branch` is another
# branch. Both changed the only line of `settings.txt`. Merge `branch` into `main` so that this line
# is `resolved`, such as `rate = 3`. What else was done on the two branches must survive, `branch`
# itself stays where it is, and `main` is checked out at the end. The message is up to you.
#
# <details><summary>Hint 1: the order</summary>
#
# Merge, write the file, add it, commit. The first of them *says* that it failed, and yet it has
# begun the merge.
# </details>
# <details><summary>Hint 2: write a file</summary>
#
# `echo "{resolved}" > settings.txt` replaces what the file holds. With `>>` it would be put below.
# </details>


# %% nbgrader={"grade": false, "grade_id": "merge_branch", "locked": false, "schema_version": 3, "solution": true, "task": false}
def merge_branch(repo, branch: str, resolved: str) -> None:
    """Merge a branch into main, with `resolved` as the only line of settings.txt."""
    ### BEGIN SOLUTION
    repo.run(f"git merge {branch}")
    repo.run(f'echo "{resolved}" > settings.txt')
    repo.run("git add settings.txt")
    repo.run('git commit -m "Merge both settings"')
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "merge_branch_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
def two_branches(branch, ours, theirs_line):
    """Commands for a repository whose main and `branch` have changed the same line."""
    return f"""
    git init
    echo "rate = 0" > settings.txt; echo idea > notes.md
    git add .; git commit -m "Begin"
    git switch -c {branch}
    echo "{theirs_line}" > settings.txt; echo from {branch} > extra.txt
    git add .; git commit -m "Work on {branch}"
    git switch main
    echo "{ours}" > settings.txt; echo another idea >> notes.md
    git add .; git commit -m "Work on main"
    """


def check_merge(folder, branch, resolved):
    """merge_branch leaves the right merge behind in a fresh repository."""
    what = f"merge_branch of {branch}"
    repo = theirs(Practice)(folder, two_branches(branch, "rate = 1", "rate = 5"))
    history = History(f"git-practice/{folder}")
    before = {name: history.tip(name).id for name in ("main", branch)}
    merge_branch(repo, branch, resolved)
    tip = history.tip("main")
    assert history.head() == "main", f"{what}: main is not checked out at the end"
    assert tip.id != before["main"], (
        f"{what}: there is no new commit on main. Add the file, then commit."
    )
    assert history.tip(branch).id == before[branch], (
        f"{what}: the branch {branch} has moved. Merge it into main, not the other way round."
    )
    assert tip.parents == (before["main"], before[branch]), (
        f"{what}: the last commit on main is not the merge of the two branches"
    )
    settings = tip.files.get("settings.txt", b"").decode(errors="replace")
    assert "<<<" not in settings and ">>>" not in settings, (
        f"{what}: the marks of the conflict were committed"
    )
    assert settings.strip() == resolved, (
        f"{what}: settings.txt in the merge is {settings!r}; its only line is to be {resolved!r}"
    )
    for name, content in (("notes.md", "idea\nanother idea\n"), ("extra.txt", f"from {branch}\n")):
        kept_text = tip.files.get(name, b"").decode(errors="replace")
        assert kept_text == content, f"{what}: what was done in {name} is lost"


if git_is_here():
    check_merge("merge", "warm", "rate = 3")
    check_merge("merge-again", "idea", "rate = 5")
    assert callable(check_merge)

# %% nbgrader={"grade": true, "grade_id": "merge_branch_test_2", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: other branches and other lines, among them that of one side.
### BEGIN HIDDEN TESTS
if git_is_here():
    for number, (other_branch, line) in enumerate(
        (("long-run", "rate = 2 # both agree"), ("b2", "rate = 1"), ("ada/try", "none"))
    ):
        check_merge(f"merge-{number}", other_branch, line)
        assert number < 3
### END HIDDEN TESTS

# %%
from_two = Practice(
    "look-at-a-merge",
    """
    git init; echo "rate = 0" > settings.txt; git add .; git commit -m "Begin"
    git switch -c warm; echo "rate = 5" > settings.txt; git commit -am "Warm up"
    git switch main; echo "rate = 1" > settings.txt; git commit -am "Slow down"
    """,
)
merge_branch(from_two, "warm", "rate = 3")
from_two.run("git log --graph --oneline")

# %% [markdown]
# ---
# ## 16 · Which commit broke it?
#
# Difficulty ●●●○○ · Importance ●●●○○ · 8 minutes
#
# Of a hundred commits, the first was good and the last is bad. Try the middle one: if it is good,
# the fault came later, else earlier. Seven tries are enough for a hundred. `git bisect` does just
# that, and if a command can tell good from bad, it does so alone:
#
# | | |
# | --- | --- |
# | `git bisect start BAD GOOD` | between which two commits |
# | `git bisect run sh check.sh` | runs `sh check.sh` in each; status 0 means good |
# | `git rev-parse refs/bisect/bad` | then prints the id of the first bad one |
# | `git bisect reset` | back to the branch |
#
# Write `first_bad(repo)`: the branch `main` is a line of commits, at least two. In each of them,
# `sh check.sh` says whether it is good. The first one is, the last one is not, and what is bad
# stays bad. Return the *whole id* (a `str` of 40 digits, without a line end) of the first bad
# commit. At the end `main` is checked out, with the commits that it had.
#
# <details><summary>Hint 1: the first commit's id</summary>
#
# `git rev-list --max-parents=0 main` prints it: the commit without a parent. In a command,
# `$(…)` puts in what another one prints.
# </details>
# <details><summary>Hint 2: what run returns</summary>
#
# What the commands print. So run `git rev-parse refs/bisect/bad` in a call of its own, and
# `.strip()` takes off the line end.
# </details>


# %% nbgrader={"grade": false, "grade_id": "first_bad", "locked": false, "schema_version": 3, "solution": true, "task": false}
def first_bad(repo) -> str:
    """The id of the first commit of main in which check.sh fails."""
    ### BEGIN SOLUTION
    repo.run("git bisect start main $(git rev-list --max-parents=0 main)")
    repo.run("git bisect run sh check.sh")
    found = repo.run("git rev-parse refs/bisect/bad").strip()
    repo.run("git bisect reset")
    return found
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "first_bad_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
def check_bad(folder, count, broken):
    """first_bad finds the commit number `broken` of `count`, counted from 0."""
    steps_made = [
        f"echo {i + (90 if i >= broken else 10)} > loss.txt; git add ." for i in range(count)
    ]
    steps_made = [f'{step}; git commit -m "Step {i}"' for i, step in enumerate(steps_made)]
    begin = "git init; echo 'test $(cat loss.txt) -lt 80' > check.sh"
    repo = theirs(Practice)(folder, "\n".join([begin, *steps_made]))
    history = History(f"git-practice/{folder}")
    ids = [commit.id for commit in reversed(history.log("main"))]
    got = first_bad(repo)
    what = f"first_bad of {count} commits"
    assert type(got) is str, f"{what}: a str is asked for, got {type(got).__name__}"
    assert got.strip() in ids, f"{what}: {got[:50]!r} is not the whole id of a commit"
    assert got == got.strip(), f"{what}: there is a line end or space at the id"
    place = ids.index(got)
    assert place >= broken, f"{what}: the commit that it names is still good"
    assert place == broken, f"{what}: it names a bad commit, but not the first one"
    assert history.head() == "main", (
        f"{what}: main is not checked out at the end: is git bisect reset missing?"
    )
    assert history.tip("main").id == ids[-1], f"{what}: main has other commits now"


if git_is_here():
    check_bad("bisect", 6, 4)
    check_bad("bisect-again", 5, 2)
    assert callable(check_bad)

# %% nbgrader={"grade": true, "grade_id": "first_bad_test_2", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: other lengths; the fault comes at once, in the middle, and last.
### BEGIN HIDDEN TESTS
if git_is_here():
    for total, first in ((2, 1), (7, 1), (11, 7), (6, 5)):
        check_bad(f"bisect-{total}-{first}", total, first)
        assert first < total
### END HIDDEN TESTS

# %% [markdown]
# ---
# ## Everything at once: a walk that repeats
#
# The clock once more, with a mistake in it: in the second round, somebody went the wrong way for
# three hours. Your `pairwise_sq_dists` finds where; your `block_means` draws it coarsely.

# %%
strayed = hours.clone()
strayed[16:20] = hours[16] - (hours[16:20] - hours[16])
walk = torch.stack([strayed.sin(), strayed.cos()], dim=1)  # [24 2]
distances = pairwise_sq_dists(walk, walk).sqrt()  # [24 24]
for shown, each in ((distances, 1), (block_means(distances[None], 2)[0], 2)):
    plots.matrix(
        shown,
        axes=(f"place / {each}", f"other place / {each}"),
        unit="distance",
        title="The same walk with a mistake" + (", drawn coarsely" if each > 1 else ""),
    ).show()

# %% [markdown]
# The stripe beside the diagonal says that the second round repeats the first. It breaks off where
# the walk went astray, and is seen in the coarse picture, too.

# %% [markdown]
# ---
# ## 17 · In your own words
#
# Importance ●●●○○ · 5 minutes · read and marked by a person
#
# Answer in three to five sentences. A colleague's loss goes down nicely, yet the model predicts
# the same number for everybody. The last line of the training step is
# `loss = ((pred - target) ** 2).mean()`. What do you look at first, and which test would have
# caught it?

# %% [markdown] nbgrader={"grade": true, "grade_id": "silent_slips", "locked": false, "points": 2, "schema_version": 3, "solution": true, "task": false}
# ### BEGIN SOLUTION
# One point for each part.
#
# 1. The shapes of `pred` and `target`: `[n]` with `[n 1]` gives all differences `[n n]`, without an
#    error. The best that can be done against such a loss is the mean of all targets, the same for
#    every row.
# 2. A test that compares the loss of a small example, whose targets differ, with a number worked
#    out by hand; or one that a perfect prediction has the loss 0; or a check of the shapes, as in
#    `strict_mse`. (A test in which all targets are equal would not catch it.)
# ### END SOLUTION

# %% [markdown]
# ---
# Broadcasting, indices, masks, gather, names for axes, pictures, tracebacks, tests and git: that is
# most of what the code of this course is written with. In 01 the numbers get a meaning.
#
# Every word of the field in bold is in the glossary: run `from course import glossary`, then
# `glossary("einsum")` for one or `glossary()` for all.
#
# **Sources.** [Broadcasting](https://docs.pytorch.org/docs/stable/notes/broadcasting.html) in
# PyTorch; [einops](https://einops.rocks); [Plotly](https://plotly.com/python/);
# [traceback](https://docs.python.org/3/library/traceback.html) in Python's library. For tests as
# sentences, and more: [pytest](https://docs.pytest.org). For git: Chacon and Straub, [*Pro
# Git*](https://git-scm.com/book).
