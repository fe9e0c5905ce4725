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
# # Probability, information, calculus: what training asks of a model
#
# Run the next cell (**Shift+Enter**). Before a language model predicts a token, it has one number
# for each token of its vocabulary, the **logit**. Below, the same five logits become probabilities
# three times, divided by three numbers first.

# %%
import math
import secrets

import torch

from course import checks, drawings, plots
from course.calls import call_keeping, cost, raises, vjp

five_tokens = [" Mary", " John", " the", " a", " Paris"]
five_logits = torch.tensor([3.0, 2.0, 0.5, 0.0, -4.0])
plots.next_tokens(
    {f"logits / {heat:g}": (five_logits / heat).softmax(-1) for heat in (0.5, 1.0, 3.0)},
    five_tokens,
    title="The same five logits, sharpened and flattened",
)

# %% [markdown]
# The order never changes; how sure the model sounds does. (The divisor is the **temperature**.) A
# language model is a machine that gives probabilities. It is trained through one number, the
# **cross-entropy**, and the derivatives of that number. This notebook builds it all: drawing from
# probabilities, measuring them, derivatives, optimisers and the backward pass. At the end a small
# model learns by nothing but what you wrote.
#
# | part | exercises | minutes |
# | --- | --- | --- |
# | chance | 1–5 | 60 |
# | information | 6–11 | 85 |
# | derivatives and descent | 12–14 | 45 |
# | backpropagation | 15–21 | 90 |
# | the notation of the field | 22–26 | 55 |
#
# **In a hurry?** The core takes 90 minutes: exercises 1, 6, 8, 10, 19 and 21.
#
# **For all exercises**: keep the dtype that you are given (float32 or float64), leave the arguments
# as they are, and take any sizes. Where tensors go in and a tensor comes out, compute with torch's
# operations, so that gradients can pass through. Unless an exercise says otherwise, no Python loop
# is needed.

# %% [markdown]
# ---
# ## 1 · Draw a token
#
# Difficulty ●●○○○ · Importance ●●●●○ · 10 minutes
#
# Lay the probabilities one after the other along a stick of length 1: `[0.5, 0.2, 0.3]` covers 0 to
# 0.5, 0.5 to 0.7, and 0.7 to 1. Now throw a dart at the stick. The dart is a number `u`, uniform
# from 0 up to, but not including, 1. The piece that it hits is the token. That is all there is to
# **sampling**. The right ends of the pieces, `[0.5, 0.7, 1]`, are the **cumulative distribution**.
#
# Write `sample_categorical(p, u)`: `p` `[v]` are probabilities (they sum to 1, and some may be 0),
# `u` `[k]` are darts. Return the tokens as int64 `[k]`. A piece holds its left end and not its
# right end: with `p` above, the dart 0.5 hits token 1. A token of probability 0 is never drawn.
# Rounding may leave the last end slightly below 1; a dart beyond it draws the last token whose
# probability is not 0. No Python loops.
#
# <details><summary>Hint 1: where the pieces end</summary>
#
# `p.cumsum(-1)` are the right ends. The token is the number of right ends that are not beyond the
# dart.
# </details>
# <details><summary>Hint 2: counting</summary>
#
# Compare every dart with every end (`[k 1]` with `[v]`) and sum over the ends, or use
# `torch.searchsorted`. (What does its `right=True` say of a dart that lies on an end?)
# </details>
# <details><summary>Hint 3: rounding</summary>
#
# `p.nonzero().max()` is the last token that may be drawn; `.clamp(max=…)` takes a number.
# </details>


# %% nbgrader={"grade": false, "grade_id": "sample_categorical", "locked": false, "schema_version": 3, "solution": true, "task": false}
def sample_categorical(p: torch.Tensor, u: torch.Tensor) -> torch.Tensor:
    """The tokens [k] that darts u [k] in [0, 1) hit, for probabilities p [v]."""
    ### BEGIN SOLUTION
    ends = p.cumsum(-1)
    tokens = (u[:, None] >= ends).sum(-1)  # [k]
    return tokens.clamp(max=p.nonzero().max())
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "sample_categorical_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
p = torch.tensor([0.5, 0.0, 0.25, 0.25])
darts = torch.tensor([0.0, 0.25, 0.5, 0.6, 0.75, 0.999])
got, kept = call_keeping(sample_categorical, p, darts)
checks.check_tensor(got, "sample_categorical", dtype=torch.int64)
checks.check_shape(got, (6,), "sample_categorical of 6 darts", axes="k")
slips = {
    "Tokens are counted from 0.": torch.tensor([1, 1, 3, 3, 4, 4]),
    "A dart on an end belongs to the piece on its right.": torch.tensor([0, 0, 0, 2, 2, 3]),
    "The darts were compared with p; the pieces' ends are its running sum.": torch.tensor(
        [1, 3, 3, 3, 3, 3]
    ),
    "All tokens have equal pieces in yours: p is not used.": torch.tensor([0, 1, 2, 2, 3, 3]),
}
checks.check_close(got, torch.tensor([0, 0, 2, 2, 3, 3]), "the tokens", axes="k", slips=slips)
rounded = torch.tensor([0.5, 0.375, 0.0])  # as if an eighth had been rounded away
got = sample_categorical(rounded, torch.tensor([0.9]))
checks.check_close(
    got,
    torch.tensor([1]),
    "the token of a dart beyond the last end",
    slips={"A token of probability 0 was drawn.": torch.tensor([2])},
)
spent = [cost(sample_categorical, p, torch.full((k,), 0.6)).ops for k in (3, 3, 300)]
assert spent[1] == spent[2], f"{spent[1]} operations for 3 darts, {spent[2]} for 300: a loop?"
assert torch.equal(kept[0], p) and torch.equal(kept[1], darts), (
    "sample_categorical: p or u was changed"
)

# %% nbgrader={"grade": true, "grade_id": "sample_categorical_test_2", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: random distributions with zeros, darts on the ends, and ends that are below 1.
### BEGIN HIDDEN TESTS
seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)
for v, k, dtype in (
    (7, 9, torch.float64),
    (3, 20, torch.float32),
    (1, 4, torch.float32),
    (16, 5, torch.float64),
):
    counts = torch.randint(0, 4, (v,), generator=g)
    counts[int(torch.randint(0, v, (), generator=g))] += 64 - counts.sum()
    p = counts.to(dtype) / 64  # sixty-fourths are exact
    ends, total = [], 0.0
    for share in p.tolist():
        total += share
        ends.append(total)
    u = torch.rand(k, generator=g, dtype=dtype)
    inner = [end for end in ends if end < 1][:k]
    u[: len(inner)] = torch.tensor(inner, dtype=dtype)
    want = torch.tensor(
        [next(i for i, end in enumerate(ends) if dart < end) for dart in u.tolist()]
    )
    got, kept = call_keeping(sample_categorical, p, u)
    what = f"sample_categorical of {k} darts among {v} tokens, seed {seed}"
    checks.check_tensor(got, what, dtype=torch.int64)
    checks.check_close(got, want, what, axes="k")
    assert torch.equal(kept[0], p) and torch.equal(kept[1], u), (
        "sample_categorical: the arguments were changed"
    )
short = torch.cat([torch.full((9,), 0.1), torch.zeros(2)])  # as if a tenth had been rounded away
got = sample_categorical(short, torch.tensor([0.95, 0.05]))
checks.check_close(got, torch.tensor([8, 0]), "a dart beyond the last end, with zeros behind it")
many = torch.rand(1000, generator=g)
cost(sample_categorical, p.float(), many[:10])
small, large = (cost(sample_categorical, p.float(), many[:k]) for k in (10, 1000))
assert small.ops == large.ops, (
    f"{small.ops} operations for 10 darts and {large.ops} for 1000: is there a loop?"
)
### END HIDDEN TESTS

# %% [markdown]
# Three thousand darts at the stick of the first picture. What do you expect? Sampled shares are not
# exactly the probabilities, but they come close, and closer with more darts.

# %%
shown_draws = sample_categorical(
    five_logits.softmax(-1), torch.rand(3000, generator=torch.Generator().manual_seed(1))
)
plots.next_tokens(
    {
        "probability": five_logits.softmax(-1),
        "share of 3000 draws": torch.bincount(shown_draws, minlength=5) / 3000,
    },
    five_tokens,
    title="Your sampler at work",
)

# %% [markdown]
# ---
# ## 2 · A bell curve from a dart
#
# Difficulty ●●○○○ · Importance ●●○○○ · 10 minutes
#
# The same stick works for numbers. Weights of a model start as **normal** (Gaussian) random
# numbers: around 0, two thirds of them between −1 and 1. A share Φ(z) of them lies below z:

# %%
bell = torch.linspace(-3, 3, 61)
plots.curves(
    bell,
    {
        "Φ(z): the share below z": 0.5 * (1 + torch.erf(bell / 2**0.5)),
        "how dense they are at z": torch.exp(-(bell**2) / 2) / (2 * math.pi) ** 0.5,
    },
    x_title="z",
    y_title="share, density",
    title="Normal numbers: go in at the left with u, come down at z",
)

# %% [markdown]
# Take the upright axis as the stick. A dart `u` goes in at height `u`, meets the curve Φ, and comes
# down at the number z with Φ(z) = u. Where the curve is steep, many darts come down. This is
# **inverse transform sampling**, and exercise 1 was the same with a staircase for a curve. The
# formula is Φ(z) = ½ (1 + erf(z / √2)), where erf is a function that torch has, with its inverse
# `torch.erfinv`.
#
# Write `normal_from_uniform(u)`: `u` has any shape and lies strictly between 0 and 1. Return the
# numbers z, in the same shape, with Φ(z) = u.
#
# <details><summary>Hint 1: solve</summary>
#
# u = ½ (1 + erf(z / √2)). Bring it to: erf(z / √2) = …
# </details>
# <details><summary>Hint 2: check yourself</summary>
#
# u = 0.5 gives 0. u = 0.8413 gives 1, and u = 0.1587 gives −1.
# </details>


# %% nbgrader={"grade": false, "grade_id": "normal_from_uniform", "locked": false, "schema_version": 3, "solution": true, "task": false}
def normal_from_uniform(u: torch.Tensor) -> torch.Tensor:
    """The numbers z below which a share u of all normal numbers lies, in the shape of u."""
    ### BEGIN SOLUTION
    return math.sqrt(2) * torch.erfinv(2 * u - 1)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "normal_from_uniform_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
u = torch.tensor([[0.5, 0.8413447], [0.1586553, 0.9772499]])
got = normal_from_uniform(u)
checks.check_tensor(got, "normal_from_uniform", dtype=torch.float32)
checks.check_shape(got, (2, 2), "normal_from_uniform of [2 2]")
right = torch.tensor([[0.0, 1.0], [-1.0, 2.0]])
slips = {
    "√2 is missing: the numbers are too close together.": right / 2**0.5,
    "Divided by √2 where it should be multiplied.": right / 2,
    "erfinv wants 2u − 1, which is 0 at u = 0.5, and not u.": 2**0.5 * torch.erfinv(u),
    "This goes the other way, from z to u.": 0.5 * (1 + torch.erf(u / 2**0.5)),
    "The sign is turned round: a small u lies far to the left.": -right,
}
checks.check_close(got, right, "normal_from_uniform: the numbers z", slips=slips, atol=1e-4)
checks.check_rules(normal_from_uniform, (u,), "normal_from_uniform", names="u")
assert tuple(normal_from_uniform(torch.tensor([0.3])).shape) == (1,), "the shape is that of u"


# %% nbgrader={"grade": true, "grade_id": "normal_from_uniform_test_2", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: random darts and far tails in both dtypes, against a search in Φ.
### BEGIN HIDDEN TESTS
def below(z):
    """The share of normal numbers below z."""
    return 0.5 * math.erfc(-z / math.sqrt(2))


def searched(share):
    """The z below which this share lies, by halving an interval."""
    low, high = -10.0, 10.0
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if below(middle) < share else (low, middle)
    return low


seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)
for shape, dtype in (((7,), torch.float32), ((2, 3, 1), torch.float64), ((1, 5), torch.float64)):
    u = 0.02 + 0.96 * torch.rand(shape, generator=g, dtype=dtype)
    if dtype == torch.float64:
        u.view(-1)[0], u.view(-1)[-1] = 1e-6, 0.9999
    want = torch.tensor([searched(share) for share in u.flatten().tolist()], dtype=dtype)
    what = f"normal_from_uniform of shape {shape}, seed {seed}"
    got, kept = call_keeping(normal_from_uniform, u)
    checks.check_tensor(got, what, dtype=dtype)
    checks.check_close(got, want.reshape(shape), what, atol=1e-4)
    assert torch.equal(kept[0], u), "normal_from_uniform: u was changed"
### END HIDDEN TESTS

# %% [markdown]
# ---
# ## 3 · Is a guess right on average?
#
# Difficulty ●●○○○ · Importance ●●●○○ · 10 minutes
#
# You measure something on a sample: the loss on 100 texts, say, out of endlessly many. The number
# that you compute is an **estimator**. With other texts it would have said something else. If it is
# right *on average over all such samples*, it is **unbiased**. How much it wanders from sample to
# sample is its **variance**. Both can be found by trying: draw many samples, and look.
#
# The spread of a sample is the classical trap. Its mean sits in the middle of the very points that
# it was made from, so they lie closer to it than to the true mean. Divide the sum of squares by
# `n`, and the result is too small on average. Dividing by `n − 1` puts it right; that is **Bessel's
# correction**.
#
# Write `bias_and_variance(estimates, truth)`: `estimates` `[trials]` holds what an estimator said
# in many trials, `truth` is the right number. Return a tuple of two Python floats: the bias (the
# mean of the estimates, minus the truth), and the variance of the estimates, with Bessel's
# correction.
#
# <details><summary>Hint 1: the functions</summary>
#
# `estimates.mean()` and `estimates.var()`. Which divisor does torch take by itself? Look at
# `correction` in `help(torch.var)`.
# </details>
# <details><summary>Hint 2: the variance of what?</summary>
#
# The variance is about how the estimates differ among themselves. The truth does not enter.
# </details>


# %% nbgrader={"grade": false, "grade_id": "bias_and_variance", "locked": false, "schema_version": 3, "solution": true, "task": false}
def bias_and_variance(estimates: torch.Tensor, truth: float) -> tuple[float, float]:
    """The bias of estimates [trials] of `truth`, and their variance (divided by trials - 1)."""
    ### BEGIN SOLUTION
    return float(estimates.mean()) - truth, float(estimates.var())
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "bias_and_variance_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
said = torch.tensor([2.0, 4.0, 6.0, 8.0])  # mean 5, squares 9 + 1 + 1 + 9
got, kept = call_keeping(bias_and_variance, said, 7.0)
assert type(got) is tuple and len(got) == 2, (
    "bias_and_variance: a tuple of two floats is asked for: (bias, variance)"
)
assert all(type(number) is float for number in got), "bias and variance are Python floats"
slips = {
    "The bias is the mean minus the truth, not the truth minus the mean.": 2.0,
    "The bias keeps its sign.": abs(-2.0),
    "This is the mean; the bias is the mean minus the truth.": 5.0,
}
checks.check_close(got[0], -2.0, "the bias of 2, 4, 6 and 8 for the truth 7", slips=slips)
slips = {
    "The variance is divided by n here: divide by n − 1.": 5.0,
    "This is the standard deviation; the variance is its square.": (20 / 3) ** 0.5,
    "This is the mean squared error: the variance is taken around the mean, not the truth.": 9.0,
    "Squares around the truth were summed: take them around the mean.": 12.0,
}
checks.check_close(got[1], 20 / 3, "the variance of 2, 4, 6 and 8", slips=slips)
assert torch.equal(kept[0], said), "bias_and_variance: the estimates were changed"

# %% nbgrader={"grade": true, "grade_id": "bias_and_variance_test_2", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: random estimates of very different spread, by loops.
### BEGIN HIDDEN TESTS
seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)
for trials, spread, truth, off in (
    (7, 1.0, 0.3, 2.0),
    (200, 0.01, -5.0, -0.5),
    (2, 30.0, 11.0, -90.0),
):
    said = truth + off + spread * torch.randn(trials, generator=g, dtype=torch.float64)
    numbers = said.tolist()
    middle = sum(numbers) / trials
    want = (middle - truth, sum((x - middle) ** 2 for x in numbers) / (trials - 1))
    got, kept = call_keeping(bias_and_variance, said, truth)
    assert type(got) is tuple and len(got) == 2, (
        "bias_and_variance: a tuple of two floats is asked for"
    )
    for name, expected, received in zip(("bias", "variance"), want, got, strict=True):
        assert type(received) is float, f"the {name} is a {type(received).__name__}, not a float"
        assert abs(received - expected) < 1e-6 * max(1e-2, abs(expected)), (
            f"the {name} of {trials} estimates is not {received:.4g} [seed {seed}]"
        )
    assert torch.equal(kept[0], said), "bias_and_variance: the estimates were changed"
### END HIDDEN TESTS

# %% [markdown]
# Now try both divisors on samples of five normal numbers, whose true variance is 1. Which of the
# two has the smaller bias? And which one the smaller variance?

# %%
normals = torch.randn(20_000, 5, generator=torch.Generator().manual_seed(0))
for divisor, correction in (("n", 0), ("n - 1", 1)):
    shown_pair = bias_and_variance(normals.var(dim=-1, correction=correction), 1.0)
    print(f"divided by {divisor:5}: bias {shown_pair[0]:+.3f}, variance {shown_pair[1]:.3f}")

# %% [markdown]
# <details><summary>What it means</summary>
#
# Dividing by n is wrong by a fifth on average, but wanders less. An unbiased estimator is not
# always the one that is closest; this is the **bias–variance trade-off** in its smallest form.
# </details>
#
# ---
# ## 4 · Means of what does not fit in memory
#
# Difficulty ●●●○○ · Importance ●●●○○ · 15 minutes
#
# To replace a head's output by its average (**mean ablation**, notebook 04), you need the mean over
# a million tokens, which come batch by batch. So each batch is summed up in three numbers and then
# forgotten: how many numbers `n`, their mean, and `m2`, the sum of the squares of their distances
# to that mean. Two such summaries must be merged into one.
#
# Why not simply add up x and x², and take E[x²] − E[x]²? Because two huge numbers that are nearly
# equal cancel. Here are three numbers whose variance is 1, far from zero:

# %%
far_numbers = torch.tensor([1e8 - 1, 1e8, 1e8 + 1], dtype=torch.float64)
print("E[x²] − E[x]² gives", float((far_numbers**2).mean() - far_numbers.mean() ** 2), "(not 2/3)")
print(
    "squares of distances to the mean give", float(((far_numbers - far_numbers.mean()) ** 2).mean())
)

# %% [markdown]
# Write `merge_moments(a, b)`. `a` and `b` are tuples `(n, mean, m2)` of an int and two floats.
# Return the tuple `(n, mean, m2)` of all numbers together, again an int and two floats. A batch may
# be empty: `(0, 0.0, 0.0)`; two empty ones give an empty one. The numbers may lie around 1e8 with a
# spread of 1, and `m2` shall still be right to a millionth.
#
# <details><summary>Hint 1: the mean</summary>
#
# Both sums together, divided by both counts together. A mean of the two means weighs a small batch
# as much as a large one.
# </details>
# <details><summary>Hint 2: the squares</summary>
#
# Seen from a point at distance d from its mean, a batch of n numbers has the sum of squares
# m2 + n d². How far is each batch's mean from the new mean?
# </details>


# %% nbgrader={"grade": false, "grade_id": "merge_moments", "locked": false, "schema_version": 3, "solution": true, "task": false}
def merge_moments(a: tuple[int, float, float], b: tuple[int, float, float]):
    """(n, mean, m2) of the numbers of two summaries together; m2 is the sum of squared distances."""
    ### BEGIN SOLUTION
    n = a[0] + b[0]
    if n == 0:
        return 0, 0.0, 0.0
    apart = b[1] - a[1]
    mean = a[1] + apart * b[0] / n
    return n, mean, a[2] + b[2] + apart**2 * a[0] * b[0] / n
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "merge_moments_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
first, second = (3, 2.0, 8.0), (2, 10.0, 2.0)  # of 0, 2, 4 and of 9, 11: together the mean 5.2
got = merge_moments(first, second)
assert type(got) is tuple and len(got) == 3, (
    "merge_moments: a tuple of three is asked for: (n, mean, m2)"
)
assert type(got[0]) is int and got[0] == 5, (
    "merge_moments: n is the int 5 for 3 numbers and 2 numbers"
)
assert all(type(number) is float for number in got[1:]), "mean and m2 are Python floats"
slips = {"The means were averaged: a batch of 3 weighs more than one of 2.": 6.0}
checks.check_close(got[1], 5.2, "the mean of 0, 2, 4, 9 and 11", slips=slips)
slips = {
    "m2 of the two were added; that the two means differ counts too.": 10.0,
    "The distance of each mean to the new one counts n times, not once.": 43.28,
    "m2 is the sum of squares, not divided by n.": 17.36,
    "m2 is the sum of squares, not divided by n − 1.": 21.7,
    "The distance between the means is not squared.": 19.6,
}
checks.check_close(got[2], 86.8, "m2 of 0, 2, 4, 9 and 11", slips=slips)
for empty_one in (merge_moments((0, 0.0, 0.0), first), merge_moments(first, (0, 0.0, 0.0))):
    assert empty_one == first, "an empty batch changes nothing"
assert merge_moments((0, 0.0, 0.0), (0, 0.0, 0.0)) == (0, 0.0, 0.0), "two empty batches: empty"
got = merge_moments((200, 1e8 + 0.25, 50.0), (100, 1e8 + 1.75, 25.0))
assert abs(got[2] - 225) < 2e-4, (
    f"far from zero (around 1e8), m2 is {got[2]:.6g} instead of 225. Are squares of large numbers "
    "subtracted somewhere?"
)


# %% nbgrader={"grade": true, "grade_id": "merge_moments_test_2", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: batches of random sizes, merged one after the other, also far from zero.
### BEGIN HIDDEN TESTS
def summed_up(numbers):
    """(n, mean, m2) of a list, by exact fractions of a second pass."""
    if not numbers:
        return 0, 0.0, 0.0
    middle = math.fsum(numbers) / len(numbers)
    return len(numbers), middle, math.fsum((x - middle) ** 2 for x in numbers)


seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)
for sizes, offset, spread in (
    ((5, 1, 7), 0.0, 3.0),
    ((0, 4, 2, 0), -2.0, 0.5),
    ((6, 30, 3), 1e8, 1.0),
    ((1, 1), 50.0, 20.0),
):
    batches = [
        (offset + spread * torch.randn(n, generator=g, dtype=torch.float64)).tolist() for n in sizes
    ]
    want = summed_up([number for batch in batches for number in batch])
    got = (0, 0.0, 0.0)
    for batch in batches:
        got = merge_moments(got, summed_up(batch))
        assert type(got) is tuple and len(got) == 3, "merge_moments: a tuple of three is asked for"
        assert type(got[0]) is int, f"merge_moments: n is a {type(got[0]).__name__}, not an int"
        assert all(type(number) is float for number in got[1:]), "mean and m2 are floats"
    what = f"of batches of {sizes} numbers around {offset:g} [seed {seed}]"
    assert got[0] == want[0], f"the count {what} is not {got[0]}"
    assert abs(got[1] - want[1]) < 1e-7 * spread + 1e-15 * offset * 2, f"the mean {what} is wrong"
    assert abs(got[2] - want[2]) < 1e-6 * want[2], f"m2 {what} is wrong: {got[2]:.6g}"
### END HIDDEN TESTS

# %% [markdown]
# ---
# ## 5 · How sure are you? The bootstrap
#
# Difficulty ●●●○○ · Importance ●●●○○ · 15 minutes
#
# A head was ablated, and on 30 prompts the loss rose by 0.21 nats on average. Would 30 other
# prompts have said 0.2, or −0.1? You have only these 30. The **bootstrap** (Efron, 1979) lets them
# stand for all prompts: draw 30 of them **with replacement**, so that some come twice and some not
# at all; take the mean; do it a thousand times. The middle 95 % of these means are the **confidence
# interval**.
#
# Write `bootstrap_ci(x, u, level)`: `x` `[n]` are the measurements, `u` `[resamples n]` are uniform
# darts in [0, 1), of the dtype of `x`. A dart picks the entry number floor(n · dart) of `x`; so
# each row of `u` makes one resample of `n` entries. Return, as a tuple of two Python floats, the
# ends between which the middle share `level` of the resamples' means lies: for 0.9 the quantiles
# 0.05 and 0.95, as `torch.quantile` gives them.
#
# <details><summary>Hint 1: picks</summary>
#
# `(u * n).long()` are positions, `[resamples n]`, and `x` can be indexed with all of them at once.
# </details>
# <details><summary>Hint 2: ends</summary>
#
# What lies outside the middle share 0.9 is 0.1, and half of that is on either side.
# </details>


# %% nbgrader={"grade": false, "grade_id": "bootstrap_ci", "locked": false, "schema_version": 3, "solution": true, "task": false}
def bootstrap_ci(x: torch.Tensor, u: torch.Tensor, level: float) -> tuple[float, float]:
    """Ends of the middle share `level` of means of resamples of x [n], by darts u [resamples n]."""
    ### BEGIN SOLUTION
    means = x[(u * len(x)).long()].mean(-1)  # [resamples]
    tail = (1 - level) / 2
    return float(means.quantile(tail)), float(means.quantile(1 - tail))
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "bootstrap_ci_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
x = torch.tensor([0.0, 1.0, 5.0, 10.0])
u = torch.tensor(
    [[0.0, 0.1, 0.2, 0.3], [0.5, 0.6, 0.9, 0.99], [0.24, 0.26, 0.51, 0.76], [0.8, 0.8, 0.8, 0.3]]
)  # picks 0 0 0 1, 2 2 3 3, 0 1 2 3 and 3 3 3 1: the means are 0.25, 7.5, 4 and 7.75
got, kept = call_keeping(bootstrap_ci, x, u, 0.5)
assert type(got) is tuple and len(got) == 2, (
    "bootstrap_ci: a tuple of two floats is asked for: (low, high)"
)
assert all(type(number) is float for number in got), "both ends are Python floats"
slips = {
    "These are quantiles of x itself, not of the resamples' means.": 0.75,
    "Half of the resamples lie below your low end: the rest is shared by both sides.": 5.75,
    "This is without replacement: every resample then has the same mean.": 4.0,
}
checks.check_close(got[0], 3.0625, "the low end of the example", slips=slips)
checks.check_close(got[1], 7.5625, "the high end of the example")
got = bootstrap_ci(x, u, 0.9)
slips = {
    "level is the share inside, and was taken as the share outside.": 5.225,
    "What lies outside is shared by both sides: 0.05 on each.": 1.375,
}
checks.check_close(got[0], 0.8125, "the low end for level 0.9, the quantile 0.05", slips=slips)
checks.check_close(got[1], 7.7125, "the high end for level 0.9, the quantile 0.95")
assert torch.equal(kept[0], x) and torch.equal(kept[1], u), (
    "bootstrap_ci: the arguments were changed"
)


# %% nbgrader={"grade": true, "grade_id": "bootstrap_ci_test_2", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: random measurements and levels, by loops; and how often the interval holds the truth.
### BEGIN HIDDEN TESTS
def quantile_of(numbers, share):
    """The quantile of a list, linear between two neighbours."""
    ordered = sorted(numbers)
    place = share * (len(ordered) - 1)
    lower = min(int(place), len(ordered) - 2)
    return ordered[lower] + (place - lower) * (ordered[lower + 1] - ordered[lower])


seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)
for n, resamples, level, dtype in (
    (5, 40, 0.9, torch.float64),
    (12, 7, 0.5, torch.float32),
    (3, 33, 0.95, torch.float64),
):
    x = 3 + 10 * torch.randn(n, generator=g, dtype=dtype)
    u = torch.rand(resamples, n, generator=g, dtype=torch.float64).clamp(max=0.999).to(dtype)
    numbers = x.tolist()
    means = [sum(numbers[int(dart * n)] for dart in row) / n for row in u.tolist()]
    got, kept = call_keeping(bootstrap_ci, x, u, level)
    assert type(got) is tuple and len(got) == 2, "bootstrap_ci: a tuple of two floats is asked for"
    for name, share, received in zip(
        ("low", "high"), ((1 - level) / 2, (1 + level) / 2), got, strict=True
    ):
        assert type(received) is float, f"the {name} end is no float"
        assert abs(received - quantile_of(means, share)) < 1e-4, (
            f"the {name} end for {n} measurements, {resamples} resamples and level {level} is not "
            f"{received:.4g} [seed {seed}]"
        )
    assert torch.equal(kept[0], x) and torch.equal(kept[1], u), (
        "bootstrap_ci: the arguments were changed"
    )
### END HIDDEN TESTS

# %% [markdown]
# Does a 90 % interval hold the truth in 90 % of all cases? Here are 200 imagined experiments with
# 20 measurements each, whose true mean is 0.

# %%
experiments = torch.Generator().manual_seed(3)
shown_ends = [
    bootstrap_ci(
        torch.randn(20, generator=experiments), torch.rand(300, 20, generator=experiments), 0.9
    )
    for _ in range(200)
]
shown_hits = sum(low <= 0 <= high for low, high in shown_ends)
print(f"the truth lies in {shown_hits} of 200 intervals (90 % would be 180)")

# %% [markdown]
# (With few measurements the bootstrap promises a little too much.) From here on, numbers are
# **information**.
#
# ---
# ## 6 · The sum that does not overflow
#
# Difficulty ●●●○○ · Importance ●●●●● · 15 minutes
#
# Softmax divides `exp(x)` by its sum. But e⁸⁹ is already more than a float32 can hold, and logits
# of 100 are nothing unusual:

# %%
large_logits = torch.tensor([100.0, 99.0, 0.0])
print("exp(x) / sum:", large_logits.exp() / large_logits.exp().sum())
print("torch       :", large_logits.softmax(-1))

# %% [markdown]
# The way out: take the largest entry `m` off all of them, and the largest power is e⁰ = 1.
#
# $$\log \sum_i e^{x_i} = m + \log \sum_i e^{x_i - m}, \qquad m = \max_i x_i$$
#
# This is **log-sum-exp**, a soft kind of maximum. It stands behind the last step of every language
# model: after the unembedding, log-probabilities are `x − logsumexp(x)`.
#
# Write `logsumexp(x)` for `x` `[... v]`, over the last axis, returning `[...]`. Entries may be
# ±10,000, and −inf (a token that is forbidden). A row of nothing but −inf gives −inf and not NaN.
# Do not call torch's own `logsumexp`, `softmax` or `log_softmax` here.
#
# <details><summary>Hint 1: the shift</summary>
#
# `m = x.amax(-1, keepdim=True)`; the shifted row is `x - m`, and m comes back at the end without
# its last axis.
# </details>
# <details><summary>Hint 2: all −inf</summary>
#
# −inf − (−inf) is NaN. Where m is infinite, take off 0 instead:
# `torch.where(m.isinf(), torch.zeros_like(m), m)`.
# </details>


# %% nbgrader={"grade": false, "grade_id": "logsumexp", "locked": false, "schema_version": 3, "solution": true, "task": false}
def logsumexp(x: torch.Tensor) -> torch.Tensor:
    """log Σ exp(x) over the last axis of x [... v], without overflow: [...]."""
    ### BEGIN SOLUTION
    m = x.amax(-1, keepdim=True)  # [... 1]
    m = torch.where(m.isinf(), torch.zeros_like(m), m)
    return (x - m).exp().sum(-1).log() + m.squeeze(-1)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "logsumexp_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
inf, two = math.inf, math.log(2)
tame = torch.tensor([[0.0, math.log(3.0)], [5.0, 5.0]])
got = logsumexp(tame)
checks.check_tensor(got, "logsumexp", dtype=torch.float32)
right = torch.tensor([math.log(4), 5 + two])
slips = {
    "The largest entry was taken off and not put back.": torch.tensor([math.log(4 / 3), two]),
    "Sum, not mean: the powers were averaged.": right - two,
    "The logarithm is missing.": right.exp(),
    "These are bits: take the natural logarithm.": right / two,
    "This is the plain maximum.": tame.max(-1).values,
}
checks.check_close(got, right, "logsumexp of two rows", axes="row", slips=slips)
x = torch.tensor([[1e4, 1e4], [-1e4, -inf], [-inf, -inf], [-1e4, -1e4]])
got, kept = call_keeping(logsumexp, x)
checks.check_shape(got, (4,), "logsumexp of 4 rows", axes="row")
assert not bool(torch.isnan(got[2])), "a row of nothing but −inf gives NaN: inf − inf"
right = torch.tensor([1e4 + two, -1e4, -inf, -1e4 + two])
slips = {"exp overflows: take off the largest entry of each row.": right.exp().log()}
checks.check_close(got, right, "logsumexp of ±10,000 and −inf", axes="row", slips=slips, atol=2e-3)
three_axes = torch.tensor([[[1.0, 2.0, 0.5]], [[-3.0, 40.0, 0.0]]])
checks.check_shape(logsumexp(three_axes), (2, 1), "logsumexp of [2 1 3]", axes="... without v")
checks.check_rules(logsumexp, (three_axes,), "logsumexp", names="x")
assert torch.equal(kept[0], x), "logsumexp: x was changed"

# %% nbgrader={"grade": true, "grade_id": "logsumexp_test_2", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: rows of large and of equal numbers, forbidden tokens, more axes, in both dtypes.
### BEGIN HIDDEN TESTS
seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)
for shape, scale, shift, dtype in (
    ((3, 5), 1.0, 0.0, torch.float32),
    ((2, 3, 7), 40.0, 1e4, torch.float64),
    ((4,), 3.0, -1e4, torch.float64),
    ((2, 1), 1.0, 500.0, torch.float32),
    ((2, 6), 300.0, 0.0, torch.float64),
):
    x = scale * torch.randn(shape, generator=g, dtype=dtype) + shift
    if shape[-1] > 2:
        x[..., 1] = -math.inf
    rows = x.reshape(-1, shape[-1]).double().tolist()
    want = torch.tensor(
        [max(row) + math.log(sum(math.exp(v - max(row)) for v in row)) for row in rows],
        dtype=dtype,
    ).reshape(shape[:-1])
    got, kept = call_keeping(logsumexp, x)
    what = f"logsumexp of shape {shape}, seed {seed}"
    checks.check_tensor(got, what, dtype=dtype)
    checks.check_close(got, want, what, atol=1e-3 if dtype == torch.float32 else 1e-9, rtol=1e-7)
    assert torch.equal(kept[0], x), "logsumexp: x was changed"
forbidden = torch.full((2, 3), -math.inf)
forbidden[1, 2] = -1e4
got = logsumexp(forbidden)
checks.check_close(got, torch.tensor([-math.inf, -1e4]), "rows with and without a finite entry")
far_apart = torch.tensor([[0.0, 0.0], [-5000.0, -5000.0], [5000.0, 5000.0]])
checks.check_close(
    logsumexp(far_apart),
    torch.tensor([0.0, -5000.0, 5000.0]) + math.log(2),
    "rows that are far apart: each has its own largest entry",
    atol=1e-3,
)
x = 30 * torch.randn(2, 4, generator=g)
checks.check_rules(logsumexp, (x,), f"logsumexp of random rows, seed {seed}", names="x")
assert bool(torch.isfinite(got[1])), "a single finite entry makes the result finite"
### END HIDDEN TESTS

# %% [markdown]
# ---
# ## 7 · Log-probabilities, even of the impossible
#
# Difficulty ●●○○○ · Importance ●●●●○ · 10 minutes
#
# The logarithm of a softmax is a **log-probability**. Take the two steps one after the other, and
# all that is very unlikely becomes log 0 = −inf: e⁻²⁰⁰ is too small for a float32. Its logarithm,
# −200, is a perfectly harmless number. So one never takes the logarithm of a softmax.
#
# Write `log_softmax(x)` for `x` `[... v]`, over the last axis, in the same shape. Entries may be
# ±10,000 and −inf (whose log-probability is −inf); each row has a finite entry. You may call
# `torch.logsumexp` or your own, and not torch's `softmax` or `log_softmax`.
#
# <details><summary>Hint 1: take logarithms first</summary>
#
# log(exp(x) / Σ exp(x)) = log exp(x) − log Σ exp(x). What is left of the first term?
# </details>
# <details><summary>Hint 2: shapes</summary>
#
# The sum has lost the last axis. `keepdim=True` keeps it, as 1, and then it broadcasts.
# </details>


# %% nbgrader={"grade": false, "grade_id": "log_softmax", "locked": false, "schema_version": 3, "solution": true, "task": false}
def log_softmax(x: torch.Tensor) -> torch.Tensor:
    """Log-probabilities of logits x [... v], over the last axis: [... v]."""
    ### BEGIN SOLUTION
    return x - x.logsumexp(-1, keepdim=True)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "log_softmax_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
tame = torch.tensor([[0.0, math.log(3.0)], [5.0, 5.0]])
got, kept = call_keeping(log_softmax, tame)
checks.check_tensor(got, "log_softmax", dtype=torch.float32)
checks.check_shape(got, (2, 2), "log_softmax of 2 rows", axes="row v")
right = torch.tensor([[math.log(1 / 4), math.log(3 / 4)], [math.log(1 / 2)] * 2])
slips = {
    "These are probabilities: the logarithm is missing.": right.exp(),
    "The sum runs along the columns; a row is a distribution.": tame - torch.logsumexp(tame, 0),
    "The sum belongs to its row: here it was laid along the columns.": tame
    - torch.logsumexp(tame, 1),
    "Only the largest entry was taken off.": tame - tame.max(-1, keepdim=True).values,
    "The sign is turned round: log-probabilities are never positive.": -right,
    "These are bits: take the natural logarithm.": right / math.log(2),
}
checks.check_close(got, right, "the log-probabilities", axes="row v", slips=slips)
x = torch.tensor([[0.0, -200.0, -1e4, -math.inf], [1e4, 1e4 - 3, 0.0, 1e4]])
got = log_softmax(x)
assert float(got[0, 1]) > -300, "the log-probability −200 became −inf: do not take log of softmax"
assert not bool(torch.isnan(got).any()), "there is a NaN: an overflow, or inf − inf"
checks.check_close(got[0], torch.tensor([0.0, -200.0, -1e4, -math.inf]), "a row with −inf")
checks.check_rules(log_softmax, (torch.tensor([[1.0, 2.0, 0.0]]),), "log_softmax", names="x")
assert torch.equal(kept[0], tame), "log_softmax: x was changed"

# %% nbgrader={"grade": true, "grade_id": "log_softmax_test_2", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: random logits of all sizes, more axes, in both dtypes, row by row.
### BEGIN HIDDEN TESTS
seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)
for shape, scale, shift, dtype in (
    ((3, 3), 1.0, 0.0, torch.float32),
    ((2, 3, 4), 60.0, 1e4, torch.float64),
    ((5,), 2000.0, 0.0, torch.float64),
    ((2, 2, 1), 5.0, -300.0, torch.float32),
):
    x = scale * torch.randn(shape, generator=g, dtype=dtype) + shift
    if shape[-1] > 3:
        x[..., 2] = -math.inf
    rows = x.reshape(-1, shape[-1]).double().tolist()
    sums = [max(row) + math.log(sum(math.exp(v - max(row)) for v in row)) for row in rows]
    want = torch.tensor(
        [[v - total for v in row] for row, total in zip(rows, sums, strict=True)], dtype=dtype
    ).reshape(shape)
    got, kept = call_keeping(log_softmax, x)
    what = f"log_softmax of shape {shape}, seed {seed}"
    checks.check_tensor(got, what, dtype=dtype)
    checks.check_close(got, want, what, atol=1e-4)
    assert torch.equal(kept[0], x), "log_softmax: x was changed"
x = 10 * torch.randn(2, 4, generator=g)
checks.check_rules(log_softmax, (x,), f"log_softmax of random rows, seed {seed}", names="x")
assert bool((got <= 1e-4).all()), "a log-probability is never positive"
### END HIDDEN TESTS

# %% [markdown]
# ---
# ## 8 · How open is the question? Entropy
#
# Difficulty ●●○○○ · Importance ●●●●● · 15 minutes
#
# When something of probability p happens, its **surprisal** is −log p: nothing where p was 1, and
# the more, the less it was expected. The **entropy** of a distribution is the surprisal that one
# has to expect on average:
#
# $$H(p) = -\sum_i p_i \log p_i$$
#
# With natural logarithms it is counted in **nats**. Its power e^H says among how many equally
# likely tokens one might as well be choosing. Here is what comes next in the small language that
# this course's GPT-2 was trained on, after three words. Guess first: which of the three is the most
# open question?

# %%
from collections import Counter
from itertools import islice, pairwise

from course import language

texts = [text.replace(".", " .").split() for text in islice(language.documents(0), 4000)]
followers: dict[str, dict[str, int]] = {"gave": {}, "to": {}, "capital": {}}
for text in texts:
    for before, after in pairwise(text):
        if before in followers:
            followers[before][after] = followers[before].get(after, 0) + 1
next_words = sorted({word for counted in followers.values() for word in counted})
after_words = {
    f"after “{word}”": torch.tensor([float(counted.get(w, 0)) for w in next_words])
    for word, counted in followers.items()
}
after_words = {label: counted / counted.sum() for label, counted in after_words.items()}
plots.next_tokens(after_words, next_words, k=3, title="What comes next, by counting 4000 texts")

# %% [markdown]
# Write `entropy(p)`: `p` `[... v]` are probabilities along the last axis. Return the entropies in
# nats, `[...]`. Some entries may be exactly 0: what never happens adds nothing (0 · log 0 counts as
# 0 here, and not as NaN).
#
# <details><summary>Hint 1: zeros</summary>
#
# `torch.where(p > 0, p, 1)` is p with ones in place of zeros. What is the logarithm of 1?
# </details>
# <details><summary>Hint 2: one function</summary>
#
# `torch.special.xlogy(p, p)` is p · log p, with 0 where p is 0.
# </details>


# %% nbgrader={"grade": false, "grade_id": "entropy", "locked": false, "schema_version": 3, "solution": true, "task": false}
def entropy(p: torch.Tensor) -> torch.Tensor:
    """Entropies [...] in nats of probabilities p [... v]."""
    ### BEGIN SOLUTION
    return -torch.special.xlogy(p, p).sum(-1)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "entropy_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
p = torch.tensor([[0.25, 0.25, 0.25, 0.25], [0.5, 0.0, 0.5, 0.0], [0.0, 1.0, 0.0, 0.0]])
got, kept = call_keeping(entropy, p)
checks.check_tensor(got, "entropy", dtype=torch.float32)
checks.check_shape(got, (3,), "entropy of 3 rows", axes="row")
assert not bool(torch.isnan(got).any()), "what never happens adds 0, and not 0 · log 0 = NaN"
right = torch.tensor([math.log(4), math.log(2), 0.0])
slips = {
    "These are bits: take the natural logarithm.": right / math.log(2),
    "The minus is missing: an entropy is never negative.": -right,
    "Surprisals are weighed with p, not simply averaged or summed.": torch.tensor(
        [4 * math.log(4), 2 * math.log(2), 0.0]
    ),
    "This is e^H, the number of tokens; the entropy is its logarithm.": right.exp(),
    "The terms were averaged over the tokens: sum them.": right / 4,
}
checks.check_close(got, right, "the entropies", axes="row", slips=slips)
uneven = torch.tensor([[[0.7, 0.2, 0.1]]])
checks.check_shape(entropy(uneven), (1, 1), "entropy of [1 1 3]", axes="... without v")
checks.check_close(entropy(uneven), torch.tensor([[0.8018186]]), "the entropy of 0.7, 0.2, 0.1")
checks.check_rules(entropy, (uneven,), "entropy", names="p")
assert torch.equal(kept[0], p), "entropy: p was changed"

# %% nbgrader={"grade": true, "grade_id": "entropy_test_2", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: random distributions with zeros and tiny entries, more axes, by loops.
### BEGIN HIDDEN TESTS
seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)
for shape, dtype in (
    ((4, 5), torch.float32),
    ((2, 3, 7), torch.float64),
    ((6,), torch.float64),
    ((3, 1), torch.float32),
):
    p = torch.rand(shape, generator=g, dtype=dtype) ** 6
    if shape[-1] > 2:
        p[..., 0], p[..., 1] = 0.0, 1e-30
    p = p / p.sum(-1, keepdim=True)
    rows = p.reshape(-1, shape[-1]).double().tolist()
    want = torch.tensor(
        [-sum(share * math.log(share) for share in row if share > 0) for row in rows], dtype=dtype
    ).reshape(shape[:-1])
    got, kept = call_keeping(entropy, p)
    what = f"entropy of shape {shape}, seed {seed}"
    checks.check_tensor(got, what, dtype=dtype)
    checks.check_close(got, want, what)
    assert torch.equal(kept[0], p), "entropy: p was changed"
p = torch.rand(2, 4, generator=g).add(0.1)
p = p / p.sum(-1, keepdim=True)
checks.check_rules(entropy, (p,), f"entropy of random rows, seed {seed}", names="p")
assert not bool(torch.isnan(entropy(torch.tensor([1.0, 0.0])))), "an entropy became NaN"
### END HIDDEN TESTS

# %%
for shown_label, shown_p in after_words.items():
    shown_nats = float(entropy(shown_p)) + 0.0  # not −0
    print(
        f"{shown_label:16} {shown_nats:.2f} nats, like {math.exp(shown_nats):5.1f} equally likely words"
    )

# %% [markdown]
# ---
# ## 9 · How far from the truth? KL divergence
#
# Difficulty ●●●○○ · Importance ●●●●● · 15 minutes
#
# You patch an activation, and the prediction changes from `p` to `q`. By how much? The field's
# answer is the **Kullback–Leibler divergence**: how much more one is surprised, on average, who
# expects `q` while `p` is what happens.
#
# $$\mathrm{KL}(p \,\|\, q) = \sum_i p_i \, (\log p_i - \log q_i)$$
#
# It is 0 where both are equal, never negative, and **not symmetric**. What do you expect of these
# two: p sure of " Mary" and q undecided between " Mary" and " John", or the other way round?
#
# | | " Mary" | " John" |
# | --- | --- | --- |
# | sure | 0.99 | 0.01 |
# | undecided | 0.5 | 0.5 |
#
# Write `kl(p, q)`: both `[... v]`, probabilities along the last axis. Return `[...]` in nats. Where
# p is 0, the term is 0, whatever q says. Where q is 0 and p is not, the result is inf: what was
# impossible has happened.
#
# <details><summary>Hint 1: three cases</summary>
#
# p = 0: nothing. q = 0 < p: log q is −inf, and p · (log p + inf) is inf by itself. Only p = 0 needs
# your care.
# </details>
# <details><summary>Hint 2: in terms of xlogy</summary>
#
# `torch.special.xlogy(a, b)` is a · log b, and 0 where a is 0, even if b is 0 too.
# </details>


# %% nbgrader={"grade": false, "grade_id": "kl", "locked": false, "schema_version": 3, "solution": true, "task": false}
def kl(p: torch.Tensor, q: torch.Tensor) -> torch.Tensor:
    """KL(p‖q) [...] in nats, for probabilities p and q [... v]."""
    ### BEGIN SOLUTION
    return (torch.special.xlogy(p, p) - torch.special.xlogy(p, q)).sum(-1)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "kl_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
p = torch.tensor([[0.75, 0.25], [1.0, 0.0], [0.5, 0.5]])
q = torch.tensor([[0.5, 0.5], [0.5, 0.5], [0.75, 0.25]])
got, kept = call_keeping(kl, p, q)
checks.check_tensor(got, "kl", dtype=torch.float32)
checks.check_shape(got, (3,), "kl of 3 rows", axes="row")
assert not bool(torch.isnan(got).any()), "where p is 0 the term is 0, and not 0 · log 0 = NaN"
right = torch.tensor([0.1308122, math.log(2), 0.1438410])
slips = {
    "p and q are exchanged: p is what happens, q what is expected.": torch.tensor(
        [0.1438410, math.inf, 0.1308122]
    ),
    "These are bits: take the natural logarithm.": right / math.log(2),
    "The sign is turned round: it is never negative.": -right,
    "This is the cross-entropy; take the entropy of p off.": torch.tensor(
        [math.log(2), math.log(2), 0.8369882]
    ),
    "The terms were averaged over the tokens: sum them.": right / 2,
}
checks.check_close(got, right, "kl of three pairs", axes="row", slips=slips)
got = kl(torch.tensor([0.5, 0.5, 0.0]), torch.tensor([1.0, 0.0, 0.0]))
checks.check_shape(got, (), "kl of two vectors")
assert float(got) == math.inf, "q says 0 where p does not: that is inf, not a large number or NaN"
positive = (torch.tensor([[0.7, 0.2, 0.1]]), torch.tensor([[0.2, 0.3, 0.5]]))
checks.check_rules(kl, positive, "kl", names="pq")
assert torch.equal(kept[0], p) and torch.equal(kept[1], q), "kl: p or q was changed"


# %% nbgrader={"grade": true, "grade_id": "kl_test_2", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: random pairs with zeros in p, in q and in both, more axes, by loops.
### BEGIN HIDDEN TESTS
def surprise_more(p, q):
    """KL of two lists."""
    if any(a > 0 and b == 0 for a, b in zip(p, q, strict=True)):
        return math.inf
    return sum(a * math.log(a / b) for a, b in zip(p, q, strict=True) if a > 0)


seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)
for shape, dtype, zeros in (
    ((4, 5), torch.float32, "p"),
    ((2, 3, 7), torch.float64, "both"),
    ((2, 6), torch.float64, "q"),
    ((3,), torch.float32, "none"),
):
    p, q = (torch.rand(shape, generator=g, dtype=dtype) ** 3 + 1e-4 for _ in range(2))
    if zeros in ("p", "both"):
        p[..., 0] = 0.0
    if zeros in ("q", "both"):
        q[..., 0] = 0.0
    p, q = p / p.sum(-1, keepdim=True), q / q.sum(-1, keepdim=True)
    pairs = zip(*(t.reshape(-1, shape[-1]).double().tolist() for t in (p, q)), strict=True)
    want = torch.tensor([surprise_more(*pair) for pair in pairs], dtype=dtype).reshape(shape[:-1])
    got, kept = call_keeping(kl, p, q)
    what = f"kl of shape {shape} with zeros in {zeros}, seed {seed}"
    checks.check_tensor(got, what, dtype=dtype)
    checks.check_close(got, want, what)
    assert torch.equal(kept[0], p) and torch.equal(kept[1], q), "kl: the arguments were changed"
p, q = (torch.rand(2, 4, generator=g).add(0.1) for _ in range(2))
p, q = p / p.sum(-1, keepdim=True), q / q.sum(-1, keepdim=True)
checks.check_rules(kl, (p, q), f"kl of random rows, seed {seed}", names="pq")
assert abs(float(kl(p[0], p[0]))) < 1e-6, "of two equal distributions it is 0"
### END HIDDEN TESTS

# %%
sure, undecided = torch.tensor([0.99, 0.01]), torch.tensor([0.5, 0.5])
print("sure happens, undecided was expected:", round(float(kl(sure, undecided)), 2), "nats")
print("undecided happens, sure was expected:", round(float(kl(undecided, sure)), 2), "nats")

# %% [markdown]
# To be sure and wrong costs more than to be undecided. That is why a trained model rarely says 0.
#
# ---
# ## 10 · What a wrong guess costs: cross-entropy
#
# Difficulty ●●○○○ · Importance ●●●●● · 15 minutes
#
# A model says " Mary" with probability 0.7, and " Mary" comes. It pays −log 0.7 = 0.36 nats. Had it
# said 0.01, it would pay 4.6; had it said 0, infinitely much. This price is the loss of language
# models, the **cross-entropy**. Whoever knows nothing of GPT-2's 50,257 tokens pays log 50,257 =
# 10.8 nats. On average, a model pays the entropy of the language plus the KL divergence from it:
# the second part is what training can take away. (The power e^loss is the **perplexity**.)
#
# Row *p* of the logits is a guess about token **p + 1**. So the last row has nothing to be compared
# with, and nobody guesses the first token:
#
# | position | 0 | 1 | 2 |
# | --- | --- | --- | --- |
# | token | The | cat | sat |
# | its row of logits guesses | cat | sat | (unknown) |
#
# Write `cross_entropy(logits, tokens)`: `logits` `[b p v]`, `tokens` `[b p]` int64. Return the
# price of each guess in nats, `[b p-1]`. Logits may be ±10,000. You may call `torch.log_softmax` or
# your own. No Python loops.
#
# <details><summary>Hint 1: which row with which token</summary>
#
# `logits[:, :-1]` are the guesses that can be judged, `tokens[:, 1:]` is what came.
# </details>
# <details><summary>Hint 2: pick one of v</summary>
#
# `log_probs.gather(-1, came[..., None])` picks one number at each place: `[b p-1 1]`.
# </details>


# %% nbgrader={"grade": false, "grade_id": "cross_entropy", "locked": false, "schema_version": 3, "solution": true, "task": false}
def cross_entropy(logits: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
    """Nats paid for each guess about the next token: logits [b p v], tokens [b p] -> [b p-1]."""
    ### BEGIN SOLUTION
    log_probs = logits[:, :-1].log_softmax(-1)  # [b p-1 v]
    return -log_probs.gather(-1, tokens[:, 1:, None]).squeeze(-1)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "cross_entropy_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
three = math.log(3.0)
guesses = torch.tensor(
    [[[0.0, three], [0.0, 0.0], [0.0, 5.0]], [[three, 0.0], [three, 0.0], [0.0, 0.0]]]
)  # 2 texts of 3 tokens, of which there are 2
came = torch.tensor([[0, 1, 0], [1, 1, 0]])
got, kept = call_keeping(cross_entropy, guesses, came)
checks.check_tensor(got, "cross_entropy", dtype=torch.float32)
right = torch.tensor([[math.log(4 / 3), math.log(2)], [math.log(4), math.log(4 / 3)]])
slips = {
    "Row p was compared with token p: it guesses token p + 1.": torch.tensor(
        [[math.log(4), math.log(2)], [math.log(4), math.log(4)]]
    ),
    "There is one price too many: row p guesses token p + 1.": torch.tensor(
        [[math.log(4), math.log(2), 5.0067153], [math.log(4), math.log(4), math.log(2)]]
    ),
    "These are bits: take the natural logarithm.": right / math.log(2),
    "A price is never negative: the minus is missing.": -right,
    "These are probabilities: a price is −log of it.": (-right).exp(),
}
checks.check_close(got, right, "the prices of two texts", axes="b p-1", slips=slips)
sure_and_wrong = torch.tensor([[[1e4, 0.0], [0.0, 0.0]]])
got = cross_entropy(sure_and_wrong, torch.tensor([[0, 1]]))
checks.check_close(got, torch.tensor([[1e4]]), "the price of a sure and wrong guess", axes="b p-1")
checks.check_rules(cross_entropy, (guesses, came), "cross_entropy", names=("logits", "tokens"))
spent = [cost(cross_entropy, guesses.repeat(k, k, 1), came.repeat(k, k)).ops for k in (1, 1, 9)]
assert spent[1] == spent[2], f"{spent[1]} operations for 6 tokens, {spent[2]} for 486: a loop?"
assert torch.equal(kept[0], guesses) and torch.equal(kept[1], came), (
    "cross_entropy: the arguments were changed"
)

# %% nbgrader={"grade": true, "grade_id": "cross_entropy_test_2", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: random texts, a planted confident mistake, both dtypes; gradients; no loop.
### BEGIN HIDDEN TESTS
seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)
for b, length, v, dtype in (
    (2, 5, 7, torch.float32),
    (3, 2, 4, torch.float64),
    (1, 9, 3, torch.float64),
    (4, 3, 3, torch.float32),
):
    guesses = 3 * torch.randn(b, length, v, generator=g, dtype=dtype)
    came = torch.randint(0, v, (b, length), generator=g)
    guesses[0, 0, (int(came[0, 1]) + 1) % v] = 500.0  # sure, and wrong
    want = torch.zeros(b, length - 1, dtype=dtype)
    for i in range(b):
        for j in range(length - 1):
            row = guesses[i, j].tolist()
            top = max(row)
            total = top + math.log(sum(math.exp(value - top) for value in row))
            want[i, j] = total - row[int(came[i, j + 1])]
    got, kept = call_keeping(cross_entropy, guesses, came)
    what = f"cross_entropy of {b} texts of {length} tokens out of {v}, seed {seed}"
    checks.check_tensor(got, what, dtype=dtype)
    checks.check_close(got, want, what, axes="b p-1", atol=1e-4)
    assert torch.equal(kept[0], guesses) and torch.equal(kept[1], came), (
        "cross_entropy: the arguments were changed"
    )
guesses, came = torch.randn(2, 4, 5, generator=g), torch.randint(0, 5, (2, 4), generator=g)
what = f"cross_entropy of random texts, seed {seed}"
checks.check_rules(cross_entropy, (guesses, came), what, names=("logits", "tokens"))
small = cost(cross_entropy, guesses, came)
large = cost(cross_entropy, guesses.repeat(5, 40, 1), came.repeat(5, 40))
assert small.ops == large.ops, (
    f"{small.ops} operations for 8 tokens and {large.ops} for 1600: is there a loop?"
)
### END HIDDEN TESTS

# %% [markdown]
# A picture of a text with its prices. The guesser is simple here: it has counted which letter
# follows which in 4000 texts of the small language. What do you expect to be expensive: the
# beginning of a word, or its end?

# %%
joined = "\n".join(" ".join(text) for text in texts[:1000])
letters = sorted(set(joined))
letter_ids = torch.tensor([letters.index(letter) for letter in joined])
letter_counts = torch.ones(len(letters), len(letters))  # one of each, so that nothing is impossible
letter_counts.index_put_((letter_ids[:-1], letter_ids[1:]), torch.tensor(1.0), accumulate=True)
priced_text = "When Mary and John went to the shop, John gave a book to Mary ."
priced_ids = torch.tensor([[letters.index(letter) for letter in priced_text]])
shown_prices = cross_entropy(letter_counts.log()[priced_ids], priced_ids)
plots.loss_strip(
    shown_prices[0],
    list(priced_text),
    per_row=32,
    title="What each letter costs, knowing the one before",
)

# %% [markdown]
# <details><summary>What it shows</summary>
#
# Names are expensive, and their first letters above all: after a space nearly anything can come.
# The second " John" costs exactly as much as the first. A guesser with one letter of memory cannot
# know that the name was there before; an induction head (notebook 06) can.
# </details>
#
# ---
# ## 11 · The floor: what one token back can know
#
# Difficulty ●●●○○ · Importance ●●●●○ · 15 minutes
#
# A model that sees one token and guesses the next is a **bigram model**. How good can it get? As
# good as the table of counts: of all the times that `a` was followed by anything, how often was it
# followed by `b`? A transformer that does no better than this loss has not learnt to look back.
# (You will train one past it in notebook 03.)
#
# Here is a language whose answer is known. Each of its four tokens is followed by others with the
# probabilities of its row. The entropy that is left when one knows the token before, averaged over
# how often each occurs, is the language's **entropy rate**, and nobody can do better.

# %%
transitions = torch.tensor(
    [[0.0, 0.9, 0.1, 0.0], [0.1, 0.0, 0.8, 0.1], [0.3, 0.3, 0.0, 0.4], [1.0, 0.0, 0.0, 0.0]]
)
how_often = torch.full((4,), 0.25)
for _ in range(200):
    how_often = how_often @ transitions
row_entropies = -torch.special.xlogy(transitions, transitions).sum(-1)
entropy_rate = float(how_often @ row_entropies)
ends_of_rows = transitions.cumsum(-1).tolist()
chain = [0]
for dart in torch.rand(20_000, generator=torch.Generator().manual_seed(2)).tolist():
    chain.append(next((i for i, end in enumerate(ends_of_rows[chain[-1]]) if dart < end), 3))
chain_text = torch.tensor(chain)  # [20001]
plots.matrix(
    transitions,
    axes=("token", "next token"),
    unit="probability",
    labels=("abcd", "abcd"),
    title="A language of four tokens",
)

# %% [markdown]
# Write `bigram_loss(corpus)`: `corpus` `[n]` int64, `n ≥ 2`, any ids from 0. Return, as a Python
# float, the average price in nats of the `n − 1` tokens after the first, if each is guessed by the
# corpus's own table: the probability of `b` after `a` is the number of times that `b` follows `a`,
# divided by the number of times that anything follows `a`. Loops are fine.
#
# <details><summary>Hint 1: count pairs</summary>
#
# `pairwise(ids)` gives the pairs of neighbours, and a `Counter` counts them; both are imported
# above. (Or `torch.unique(pairs, dim=0, return_counts=True)`.)
# </details>
# <details><summary>Hint 2: how often a comes first</summary>
#
# The last token of the corpus is followed by nothing. So it does not count as a first one.
# </details>


# %% nbgrader={"grade": false, "grade_id": "bigram_loss", "locked": false, "schema_version": 3, "solution": true, "task": false}
def bigram_loss(corpus: torch.Tensor) -> float:
    """Average nats of each token of corpus [n] but the first, guessed by its own bigram table."""
    ### BEGIN SOLUTION
    ids = corpus.tolist()
    pairs, firsts = Counter(pairwise(ids)), Counter(ids[:-1])
    nats = sum(count * math.log(firsts[a] / count) for (a, _), count in pairs.items())
    return nats / (len(ids) - 1)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "bigram_loss_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
corpus = torch.tensor([0, 1, 0, 2, 1, 0, 0, 1])  # after 0: 1, 2, 0, 1; after 1: 0, 0; after 2: 1
got, kept = call_keeping(bigram_loss, corpus)
assert type(got) is float, f"a Python float is asked for, not {type(got).__name__}"
right = (2 * math.log(2) + 2 * math.log(4)) / 7
slips = {
    "These are bits: take the natural logarithm.": right / math.log(2),
    "Divided by n: there are n − 1 guesses.": right * 7 / 8,
    "The sum of all prices, not their average.": right * 7,
    "Of the last token nothing follows: it does not count as a first one.": (
        2 * math.log(2) + 2 * math.log(4) + 2 * math.log(3 / 2)
    )
    / 7,
    "This guesses a token from the one after it.": (4 * math.log(3 / 2) + 2 * math.log(3)) / 7,
    "This does not look at the token before (a unigram).": -sum(
        k / 8 * math.log(k / 8) for k in (4, 3, 1)
    ),
    "This is the price of pairs; the first token of a pair is known.": (
        4 * math.log(7 / 2) + 3 * math.log(7)
    )
    / 7,
    "Every pair counts as often as it occurs: weigh the prices.": (math.log(2) + 2 * math.log(4))
    / 5,
}
checks.check_close(got, right, "the loss of [0 1 0 2 1 0 0 1]", slips=slips)
got = bigram_loss(torch.tensor([5, 3, 5, 3, 5]))
checks.check_close(got, 0.0, "the loss of a text that only alternates")
got = bigram_loss(chain_text[:4000])
assert abs(got - entropy_rate) < 0.1, (
    f"for 4000 tokens of the language above it is {got:.3f}, and its entropy rate {entropy_rate:.3f}"
)
assert torch.equal(kept[0], corpus), "bigram_loss: the corpus was changed"

# %% nbgrader={"grade": true, "grade_id": "bigram_loss_test_2", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: random texts by dictionaries; a language with a known entropy rate.
### BEGIN HIDDEN TESTS
seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)
for n, v in ((40, 3), (200, 7), (2, 5), (30, 1), (60, 50)):
    corpus = (torch.rand(n, generator=g) ** 2 * v).long()
    ids = corpus.tolist()
    followed: dict[int, list[int]] = {}
    for a, b in pairwise(ids):
        followed.setdefault(a, []).append(b)
    want = -math.fsum(
        math.log(followed[a].count(b) / len(followed[a])) for a, b in pairwise(ids)
    ) / (n - 1)
    got, kept = call_keeping(bigram_loss, corpus)
    assert type(got) is float, f"bigram_loss: got {type(got).__name__}, a float is asked for"
    assert abs(got - want) < 1e-5, (
        f"the loss of a random text of {n} tokens out of {v} is not {got:.4g} [seed {seed}]"
    )
    assert torch.equal(kept[0], corpus), "bigram_loss: the corpus was changed"
steps = torch.multinomial(torch.tensor([0.7, 0.2, 0.1]), 6000, replacement=True, generator=g)
walk = steps.cumsum(0) % 5  # a token is the one before plus 0, 1 or 2
rate = -(0.7 * math.log(0.7) + 0.2 * math.log(0.2) + 0.1 * math.log(0.1))
got = bigram_loss(walk)
assert abs(got - rate) < 0.06, (
    f"a language of entropy rate {rate:.3f} has the bigram loss {got:.3f} [seed {seed}]"
)
### END HIDDEN TESTS

# %%
print(
    f"entropy rate {entropy_rate:.3f} nats; bigram loss of 20,000 tokens {bigram_loss(chain_text):.3f}"
)
print(f"whoever knows nothing of four tokens pays {math.log(4):.3f}")

# %% [markdown]
# ---
# ## 12 · A slope by trying: finite differences
#
# Difficulty ●●○○○ · Importance ●●●●○ · 15 minutes
#
# Training asks one question again and again: if this parameter were a little larger, how much would
# the loss change? That ratio is a **derivative**, and the list of the derivatives for all
# parameters is the **gradient**. One can find it by trying. It is far too slow for a model, and it
# is how every gradient of this notebook is checked.
#
# Which try is the better one: from here to a little further, or from a little before to a little
# further?

# %%
place = 1.0
steps_tried = torch.logspace(-3, 0, 25, dtype=torch.float64)
plots.curves(
    steps_tried.log10(),
    {
        "(f(x + h) − f(x)) / h": ((place + steps_tried).exp() - math.exp(place)) / steps_tried,
        "(f(x + h) − f(x − h)) / 2h": ((place + steps_tried).exp() - (place - steps_tried).exp())
        / (2 * steps_tried),
    },
    x_title="log₁₀ of the step h",
    y_title="slope found",
    levels={"true slope": math.exp(place)},
    title="The slope of eˣ at 1, by two ways of trying",
)

# %% [markdown]
# From both sides the first error cancels: what remains is of the size h², not h. That is the
# **central difference**.
#
# Write `finite_diff_grad(f, x, h)`: `f` takes one tensor of the shape of `x` and returns one number
# (a float, or a tensor of shape `[]`). Return the gradient of `f` at `x`, a tensor of the shape and
# dtype of `x`, by central differences with the step `h` for each entry. `x` itself stays as it is:
# push a copy. A loop over the entries is right here.
#
# <details><summary>Hint 1: one entry</summary>
#
# Make two copies of x (`x.clone()`), push one entry of the first up by h and the same entry of the
# second down by h. Call f on both.
# </details>
# <details><summary>Hint 2: any shape</summary>
#
# `up.view(-1)[i] += h` changes the i-th entry of a copy `up` of any shape.
# </details>


# %% nbgrader={"grade": false, "grade_id": "finite_diff_grad", "locked": false, "schema_version": 3, "solution": true, "task": false}
def finite_diff_grad(f, x: torch.Tensor, h: float) -> torch.Tensor:
    """The gradient of f at x by central differences with step h, in the shape of x."""
    ### BEGIN SOLUTION
    grad = torch.zeros_like(x)
    for i in range(x.numel()):
        step = torch.zeros_like(x)
        step.view(-1)[i] = h
        grad.view(-1)[i] = (f(x + step) - f(x - step)) / (2 * h)
    return grad
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "finite_diff_grad_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
x = torch.tensor([[1.0, 2.0, -1.0]], dtype=torch.float64)
seen = []


def cubes(z):
    """Cubes with weights 1, 2, 3, summed."""
    seen.append(z.detach().clone())
    return float((z**3 * torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)).sum())


got, kept = call_keeping(finite_diff_grad, cubes, x, 0.25)
checks.check_tensor(got, "finite_diff_grad", dtype=torch.float64)
checks.check_shape(got, (1, 3), "finite_diff_grad at x [1 3]")
right = torch.tensor([[3.0625, 24.125, 9.1875]], dtype=torch.float64)  # 3x² + h², times 1, 2, 3
slips = {
    "This goes forward only, (f(x + h) − f(x)) / h: try both sides.": torch.tensor(
        [[3.8125, 27.125, 6.9375]]
    ),
    "This goes backward only: try both sides.": torch.tensor([[2.3125, 21.125, 11.4375]]),
    "The two places are 2h apart, not h.": 2 * right,
    "The sign is turned round: f(x + h) comes first.": -right,
    "This is the difference; divide it by 2h.": right / 2,
    "All entries were pushed at once: push one at a time.": torch.full((1, 3), 36.375),
}
checks.check_close(got, right, "central differences of a sum of cubes", slips=slips)
assert all(int((z != x).sum()) == 1 for z in seen if not torch.equal(z, x)), (
    "f is to be asked about places that differ from x in one entry"
)
assert torch.equal(kept[1], x), "finite_diff_grad: x was changed: push a copy"

# %% nbgrader={"grade": true, "grade_id": "finite_diff_grad_test_2", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: random functions of other shapes, against their slopes; a function that returns a tensor.
### BEGIN HIDDEN TESTS
seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)
for shape, h in (((4,), 1e-3), ((2, 3), 0.25), ((1, 2, 2), 0.1), ((), 0.5)):
    x = torch.randn(shape, generator=g, dtype=torch.float64)
    first, third = (torch.randn(shape, generator=g, dtype=torch.float64) for _ in range(2))

    def hidden_f(z, first=first, third=third):
        return (first * z + third * z**3).sum()

    want = torch.zeros(shape, dtype=torch.float64)
    for i in range(x.numel()):
        a, c, z = (t.reshape(-1)[i] for t in (first, third, x))
        want.view(-1)[i] = a + c * (3 * z * z + h * h)
    got, kept = call_keeping(finite_diff_grad, hidden_f, x, h)
    what = f"finite_diff_grad at x of shape {list(shape)} with h = {h}, seed {seed}"
    checks.check_tensor(got, what, dtype=torch.float64)
    checks.check_close(got, want, what, atol=1e-7, rtol=1e-7)
    assert torch.equal(kept[1], x), f"{what}: x was changed"
once = torch.tensor([0.5, 0.25])
got = finite_diff_grad(lambda z: float(z[0] * 3 + z[1] * 5), once, 0.25)
checks.check_tensor(got, "finite_diff_grad at a float32 x", dtype=torch.float32)
assert abs(float(got[0]) - 3) < 1e-4 and abs(float(got[1]) - 5) < 1e-4, "slopes of 3 a + 5 b"
### END HIDDEN TESTS

# %% [markdown]
# ---
# ## 13 · Down the slope: gradient descent
#
# Difficulty ●●○○○ · Importance ●●●●● · 15 minutes
#
# The gradient points to where the loss grows fastest. So go the other way, a little: **gradient
# descent**. How far is said by the **learning rate**. Below, the loss is a narrow valley of two
# parameters, seen from above (darker is higher). Pull the slider below the map, and the three runs
# go down again. What do you expect of a learning rate that is too large?

# %%
across, up = torch.linspace(-2.2, 2.2, 45), torch.linspace(-1.6, 1.6, 33)
stretch = torch.tensor([0.5, 5.0])  # the valley is ten times as steep across as along


def valley(points):
    """The loss at points [... 2]."""
    return (stretch * points**2).sum(-1)


heights = valley(torch.stack(torch.meshgrid(across, up, indexing="xy"), dim=-1))  # [33 45]


def run_down(step_rule, steps=30):
    """The places [step 2] of a run; step_rule(place, gradient, state) -> place, state."""
    places, memory = [torch.tensor([-2.0, 1.2])], None
    for _ in range(steps):
        moved, memory = step_rule(places[-1], 2 * stretch * places[-1], memory)
        places.append(moved)
    return torch.stack(places)


plots.descents(
    heights,
    across,
    up,
    {
        f"learning rate {rate:g}": run_down(lambda at, slope, _, r=rate: (at - r * slope, None))
        for rate in (0.03, 0.15, 0.19)
    },
    title="Three learning rates in one valley",
)

# %% [markdown]
# Too small, and it takes forever. Too large, and it jumps from wall to wall; above 0.2 it would
# even climb out. **Momentum** helps: the steps across cancel, the steps along add up. One remembers
# a velocity, which starts at zero:
#
# $$\text{velocity} \leftarrow \text{momentum} \cdot \text{velocity} + \text{gradient}, \qquad p \leftarrow p - \text{lr} \cdot \text{velocity}$$
#
# Write `sgd_step(p, grad, velocity, lr, momentum)`: three tensors of one shape and two floats.
# Return the tuple (new p, new velocity). Nothing is changed in place: make new tensors. The step
# uses the *new* velocity, as `torch.optim.SGD` does.
#
# <details><summary>Hint 1: order</summary>
#
# First the velocity, then the place. Two lines, one for each formula.
# </details>
# <details><summary>Hint 2: without momentum</summary>
#
# With momentum 0 it must be the plain rule, p − lr · grad.
# </details>


# %% nbgrader={"grade": false, "grade_id": "sgd_step", "locked": false, "schema_version": 3, "solution": true, "task": false}
def sgd_step(
    p: torch.Tensor, grad: torch.Tensor, velocity: torch.Tensor, lr: float, momentum: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """One step of gradient descent with momentum: (new p, new velocity)."""
    ### BEGIN SOLUTION
    velocity = momentum * velocity + grad
    return p - lr * velocity, velocity
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "sgd_step_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
p, grad, before_it = (torch.tensor([n]) for n in (1.0, 2.0, 6.0))
got, kept = call_keeping(sgd_step, p, grad, before_it, 0.1, 0.5)
assert type(got) is tuple and len(got) == 2, "sgd_step: a tuple is asked for: (new p, new velocity)"
for tensor, name in zip(got, ("the new p", "the new velocity"), strict=True):
    checks.check_tensor(tensor, name, dtype=torch.float32)
slips = {
    "The gradient was multiplied by 1 − momentum: it counts in full.": torch.tensor([4.0]),
    "The learning rate is not part of the velocity.": torch.tensor([3.2]),
    "The learning rate and the minus are not part of the velocity.": torch.tensor([2.8]),
    "momentum belongs to the velocity, not to the gradient.": torch.tensor([7.0]),
    "The old velocity was returned.": torch.tensor([6.0]),
    "The velocity was not multiplied by momentum.": torch.tensor([8.0]),
    "This is the gradient: the old velocity is lost.": torch.tensor([2.0]),
}
checks.check_close(got[1], torch.tensor([5.0]), "the new velocity", slips=slips)
slips = {
    "The step goes uphill: the minus is missing.": torch.tensor([1.5]),
    "The step uses the gradient alone, not the velocity.": torch.tensor([0.8]),
    "The step uses the old velocity; the new one is meant.": torch.tensor([0.4]),
    "The learning rate is missing in the step.": torch.tensor([-4.0]),
}
checks.check_close(got[0], torch.tensor([0.5]), "the new p", slips=slips)
assert all(torch.equal(a, b) for a, b in zip(kept, (p, grad, before_it), strict=False)), (
    "sgd_step: an argument was changed in place: make new tensors"
)

# %% nbgrader={"grade": true, "grade_id": "sgd_step_test_2", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: five steps beside torch.optim.SGD in float64, and plain steps in float32.
### BEGIN HIDDEN TESTS
seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)
for shape, lr, momentum, dtype in (
    ((3,), 0.1, 0.9, torch.float64),
    ((2, 4), 0.03, 0.5, torch.float64),
    ((2, 1), 0.2, 0.0, torch.float32),
):
    p = torch.randn(shape, generator=g, dtype=dtype)
    theirs_p = p.clone().requires_grad_()
    optimiser = torch.optim.SGD([theirs_p], lr=lr, momentum=momentum)
    moving = torch.zeros_like(p)
    for step in range(1, 6):
        grad = torch.randn(shape, generator=g, dtype=dtype)
        theirs_p.grad = grad.clone()
        optimiser.step()
        got, kept = call_keeping(sgd_step, p, grad, moving, lr, momentum)
        assert type(got) is tuple and len(got) == 2, "sgd_step: a tuple of two tensors is asked for"
        what = f"after step {step} with lr {lr} and momentum {momentum}, seed {seed}"
        checks.check_tensor(got[0], f"p {what}", dtype=dtype)
        checks.check_close(got[0], theirs_p.detach(), f"p {what}")
        checks.check_close(got[1], momentum * moving + grad, f"the velocity {what}")
        unchanged = all(torch.equal(a, b) for a, b in zip(kept, (p, grad, moving), strict=False))
        p, moving = (tensor.detach().clone() for tensor in got)
        assert unchanged, "sgd_step: an argument was changed in place"
### END HIDDEN TESTS

# %% [markdown]
# ---
# ## 14 · Each parameter its own step: Adam
#
# Difficulty ●●●○○ · Importance ●●●●● · 15 minutes
#
# In the valley, one direction is ten times as steep as the other. **Adam** measures that, and
# divides: every parameter gets steps of about the same length. It keeps two running averages, `m`
# of the gradient and `v` of its square:
#
# $$m \leftarrow \beta_1 m + (1 - \beta_1)\, g \qquad v \leftarrow \beta_2 v + (1 - \beta_2)\, g^2$$
#
# Both start at 0, and so are too small in the first steps. Dividing by what they lack puts that
# right (**bias correction**; `t` is 1 in the first step), and then comes the step itself:
#
# $$\hat m = \frac{m}{1 - \beta_1^t} \qquad \hat v = \frac{v}{1 - \beta_2^t} \qquad
# p \leftarrow p - \text{lr} \cdot \text{wd} \cdot p - \text{lr} \cdot \frac{\hat m}{\sqrt{\hat v} + \epsilon}$$
#
# The middle term pulls each parameter towards zero: **weight decay**. It stands apart, is taken
# from the old `p`, and never enters `m` and `v`; that is the W of **AdamW** (Loshchilov and Hutter,
# 2019), with which transformers are trained. What is stored and returned are `m` and `v`, not the
# corrected ones.
#
# Write `adam_step(p, grad, m, v, t, lr, betas, eps, weight_decay)`: `p`, `grad`, `m`, `v` are
# tensors of one shape, `t` is an int from 1, `betas` a tuple of two floats, the rest floats. Return
# the tuple (new p, new m, new v). Nothing is changed in place.
#
# <details><summary>Hint 1: order</summary>
#
# m and v first, then the two with hats, then p. Write one line for each formula.
# </details>
# <details><summary>Hint 2: a check</summary>
#
# In the first step m̂ is the gradient and v̂ its square. So with eps = 0 and no decay, every
# parameter moves by exactly lr.
# </details>


# %% nbgrader={"grade": false, "grade_id": "adam_step", "locked": false, "schema_version": 3, "solution": true, "task": false}
def adam_step(
    p: torch.Tensor,
    grad: torch.Tensor,
    m: torch.Tensor,
    v: torch.Tensor,
    t: int,
    lr: float,
    betas: tuple[float, float],
    eps: float,
    weight_decay: float,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """One step of AdamW, the t-th: (new p, new m, new v)."""
    ### BEGIN SOLUTION
    m = betas[0] * m + (1 - betas[0]) * grad
    v = betas[1] * v + (1 - betas[1]) * grad**2
    m_hat = m / (1 - betas[0] ** t)
    v_hat = v / (1 - betas[1] ** t)
    return p - lr * weight_decay * p - lr * m_hat / (v_hat.sqrt() + eps), m, v
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "adam_step_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
p, grad = torch.tensor([1.0, -2.0]), torch.tensor([4.0, 0.5])
zero = torch.zeros(2)
got, kept = call_keeping(adam_step, p, grad, zero, zero, 1, 0.1, (0.9, 0.99), 1.0, 0.0)
assert type(got) is tuple and len(got) == 3, (
    "adam_step: a tuple of three is asked for: (new p, new m, new v)"
)
for tensor, name in zip(got, ("the new p", "the new m", "the new v"), strict=True):
    checks.check_tensor(tensor, name, dtype=torch.float32)
slips = {
    "The corrected m was returned: return the running average.": grad,
    "The two betas are exchanged.": 0.01 * grad,
    "β₁ belongs to the old m, 1 − β₁ to the gradient.": 0.9 * grad,
}
checks.check_close(got[1], 0.1 * grad, "m after the first step", slips=slips)
slips = {
    "The corrected v was returned: return the running average.": grad**2,
    "v averages the gradient's square, not the gradient.": 0.01 * grad,
    "β₂ belongs to the old v, 1 − β₂ to the gradient's square.": 0.99 * grad**2,
}
checks.check_close(got[2], 0.01 * grad**2, "v after the first step", slips=slips)
size = grad.abs()
slips = {
    "The bias correction is missing.": p - 0.1 * (0.1 * grad) / (0.1 * size + 1),
    "eps stands inside the root: add it after taking the root.": p
    - 0.1 * grad / (size**2 + 1).sqrt(),
    "The root of v̂ is missing.": p - 0.1 * grad / (size**2 + 1),
    "The step goes uphill: minus is missing.": p + 0.1 * grad / (size + 1),
    "eps is missing.": p - 0.1 * grad / size,
}
checks.check_close(got[0], p - 0.1 * grad / (size + 1), "p after the first step", slips=slips)
got = adam_step(p, grad, zero, zero, 1, 0.1, (0.9, 0.99), 1.0, 0.5)
slips = {
    "The decay was added to the gradient (that is Adam with L2, not AdamW).": p
    - 0.1 * (grad + 0.5 * p) / ((grad + 0.5 * p).abs() + 1),
    "The decay is multiplied by the learning rate too.": 0.5 * p - 0.1 * grad / (size + 1),
    "There is no decay.": p - 0.1 * grad / (size + 1),
}
checks.check_close(
    got[0], 0.95 * p - 0.1 * grad / (size + 1), "p with weight decay 0.5", slips=slips
)
got = adam_step(p, grad, 0.3 * grad, 0.2 * grad**2, 3, 0.1, (0.5, 0.75), 0.0, 0.0)
slips = {
    "Is t used? In the third step the corrections are 1 − β³.": p
    - 0.1 * 1.3 / 1.6**0.5 * grad.sign()
}
checks.check_close(
    got[0],
    p - 0.1 * (0.65 / 0.875) / (0.4 / 0.578125) ** 0.5 * grad.sign(),
    "p in step 3",
    slips=slips,
)
assert all(torch.equal(a, b) for a, b in zip(kept, (p, grad, zero, zero), strict=False)), (
    "adam_step: an argument was changed in place: make new tensors"
)

# %% nbgrader={"grade": true, "grade_id": "adam_step_test_2", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: five steps beside torch.optim.AdamW in float64.
### BEGIN HIDDEN TESTS
seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)
for shape, lr, betas, eps, decay, dtype in (
    ((3,), 0.1, (0.9, 0.999), 1e-8, 0.0, torch.float64),
    ((2, 3), 0.02, (0.8, 0.95), 0.3, 0.4, torch.float64),
    ((4, 1), 0.05, (0.5, 0.9), 1e-3, 0.1, torch.float32),
):
    p = torch.randn(shape, generator=g, dtype=dtype)
    theirs_p = p.clone().requires_grad_()
    optimiser = torch.optim.AdamW([theirs_p], lr=lr, betas=betas, eps=eps, weight_decay=decay)
    m, v = torch.zeros_like(p), torch.zeros_like(p)
    for t in range(1, 6):
        grad = torch.randn(shape, generator=g, dtype=dtype)
        theirs_p.grad = grad.clone()
        optimiser.step()
        got, kept = call_keeping(adam_step, p, grad, m, v, t, lr, betas, eps, decay)
        assert type(got) is tuple and len(got) == 3, (
            "adam_step: a tuple of three tensors is asked for"
        )
        what = f"after step {t} with betas {betas}, eps {eps}, weight decay {decay}, seed {seed}"
        checks.check_tensor(got[0], f"p {what}", dtype=dtype)
        checks.check_close(got[0], theirs_p.detach(), f"p {what}")
        checks.check_close(got[1], betas[0] * m + (1 - betas[0]) * grad, f"m {what}")
        checks.check_close(got[2], betas[1] * v + (1 - betas[1]) * grad * grad, f"v {what}")
        unchanged = all(torch.equal(a, b) for a, b in zip(kept, (p, grad, m, v), strict=False))
        p, m, v = (tensor.detach().clone() for tensor in got)
        assert unchanged, "adam_step: an argument was changed in place"
### END HIDDEN TESTS

# %% [markdown]
# Three optimisers in the same valley, all with your steps. What do you expect Adam to do at the
# start, where the slope across is six times the slope along?


# %%
def plain_rule(at, slope, memory):
    """Gradient descent without momentum."""
    return sgd_step(at, slope, torch.zeros(2), 0.1, 0.0)


def heavy_rule(at, slope, memory):
    """Gradient descent with momentum."""
    return sgd_step(at, slope, torch.zeros(2) if memory is None else memory, 0.03, 0.8)


def adam_rule(at, slope, memory):
    """Adam; its memory is m, v and the number of steps."""
    m_now, v_now, done = memory or (torch.zeros(2), torch.zeros(2), 0)
    moved, m_now, v_now = adam_step(at, slope, m_now, v_now, done + 1, 0.2, (0.8, 0.95), 1e-8, 0.0)
    return moved, (m_now, v_now, done + 1)


plots.descents(
    heights,
    across,
    up,
    {
        "plain": run_down(plain_rule),
        "momentum 0.8": run_down(heavy_rule),
        "Adam": run_down(adam_rule),
    },
    title="Three optimisers in one valley",
)

# %% [markdown]
# (Plain steps have the learning rate 0.1 here, momentum 0.03, Adam 0.2.) Adam starts diagonally:
# both parameters move by the same length.
#
# ---
# ## 15 · Backwards through a logarithm
#
# Difficulty ●○○○○ · Importance ●●●○○ · 5 minutes
#
# Finite differences ask the whole model twice for each parameter. **Backpropagation** gets all
# derivatives in one pass, by the **chain rule**: if y changes 3 times as fast as x, and the loss 5
# times as fast as y, then the loss changes 15 times as fast as x. So one walks from the loss
# backwards. Each operation is told how fast the loss changes with its *output*, and says how fast
# it changes with its *inputs*. What it is told is called the **upstream gradient**, `grad` below.
#
# Two such local rules come first. The derivative of log x is 1/x.
#
# Write `log_back(grad, x)`: for `y = x.log()`, entry by entry, `grad` is the upstream gradient, in
# the shape of `y`. Return the gradient for `x`, in the shape of `x`. (All entries of x are
# positive.)
#
# <details><summary>Hint 1: the chain</summary>
#
# How fast the loss changes with y, times how fast y changes with x.
# </details>
# <details><summary>Hint 2: check yourself</summary>
#
# With grad = 6 and x = 2 it is 3.
# </details>


# %% nbgrader={"grade": false, "grade_id": "log_back", "locked": false, "schema_version": 3, "solution": true, "task": false}
def log_back(grad: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """The gradient for x of y = log x, with the upstream gradient grad, in the same shape."""
    ### BEGIN SOLUTION
    return grad / x
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "log_back_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
grad, x = torch.tensor([[6.0, -1.0, 0.0]]), torch.tensor([[2.0, 0.5, 3.0]])
got, kept = call_keeping(log_back, grad, x)
checks.check_tensor(got, "log_back", dtype=torch.float32)
checks.check_shape(got, (1, 3), "log_back of [1 3]")
slips = {
    "The upstream gradient is missing: multiply by grad.": 1 / x,
    "The slope of the logarithm at x is 1 / x, not x.": grad * x,
    "This is the logarithm itself, not its slope.": grad * torch.log(x),
    "The upstream gradient is multiplied, not added.": grad + 1 / x,
    "1 / x is the slope of log x; −1 / x² is that of 1 / x.": -grad / x**2,
}
checks.check_close(got, torch.tensor([[3.0, -2.0, 0.0]]), "log_back", slips=slips)
checks.check_tensor(log_back(grad.double(), x.double()), "log_back of float64", dtype=torch.float64)
assert torch.equal(kept[0], grad) and torch.equal(kept[1], x), "log_back: an argument was changed"

# %% nbgrader={"grade": true, "grade_id": "log_back_test_2", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: random inputs, also tiny ones, against autograd.
### BEGIN HIDDEN TESTS
seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)
for shape, dtype in (((5,), torch.float32), ((2, 3), torch.float64), ((1, 2, 2), torch.float64)):
    x = torch.rand(shape, generator=g, dtype=dtype) + 0.01
    x.view(-1)[0] = 1e-3
    grad = torch.randn(shape, generator=g, dtype=dtype)
    leaf = x.clone().requires_grad_()
    leaf.log().backward(grad)
    got, kept = call_keeping(log_back, grad, x)
    what = f"log_back of shape {list(shape)}, seed {seed}"
    checks.check_tensor(got, what, dtype=dtype)
    checks.check_close(got, leaf.grad, what)
    assert torch.equal(kept[0], grad) and torch.equal(kept[1], x), (
        "log_back: an argument was changed"
    )
### END HIDDEN TESTS

# %% [markdown]
# ---
# ## 16 · Backwards through a product
#
# Difficulty ●○○○○ · Importance ●●●●○ · 5 minutes
#
# Hold y fixed, and x · y changes y times as fast as x. So each factor gets the *other* one. This is
# why a gate that is nearly 0 lets no gradient through.
#
# Write `mul_back(grad, x, y)`: for `z = x * y`, entry by entry, all of one shape. Return the tuple
# (gradient for x, gradient for y).
#
# <details><summary>Hint 1: one at a time</summary>
#
# Pretend that y is the number 7. How fast does 7 x change with x?
# </details>
# <details><summary>Hint 2: check yourself</summary>
#
# With grad = 10, x = 2 and y = 3 it is (30, 20).
# </details>


# %% nbgrader={"grade": false, "grade_id": "mul_back", "locked": false, "schema_version": 3, "solution": true, "task": false}
def mul_back(
    grad: torch.Tensor, x: torch.Tensor, y: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """The gradients for x and for y of z = x * y, with the upstream gradient grad."""
    ### BEGIN SOLUTION
    return grad * y, grad * x
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "mul_back_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
grad, x, y = (torch.tensor(row) for row in ([10.0, -1.0, 1.0], [2.0, 0.5, 0.0], [3.0, 4.0, 5.0]))
got, kept = call_keeping(mul_back, grad, x, y)
assert type(got) is tuple and len(got) == 2, "mul_back: a tuple of two tensors is asked for"
for tensor, name in zip(got, "xy", strict=True):
    checks.check_tensor(tensor, f"the gradient for {name}", dtype=torch.float32)
slips = {
    "Each factor gets the other one; here x got x.": grad * x,
    "The upstream gradient is missing: multiply by grad.": y,
    "This is the product x · y times grad.": grad * x * y,
    "The upstream gradient is multiplied, not added.": grad + y,
}
checks.check_close(got[0], torch.tensor([30.0, -4.0, 5.0]), "the gradient for x", slips=slips)
slips = {"Each factor gets the other one; here y got y.": grad * y, "grad is missing.": x}
checks.check_close(got[1], torch.tensor([20.0, -0.5, 0.0]), "the gradient for y", slips=slips)
assert all(torch.equal(a, b) for a, b in zip(kept, (grad, x, y), strict=True)), (
    "mul_back: an argument was changed"
)

# %% nbgrader={"grade": true, "grade_id": "mul_back_test_2", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: random factors with zeros, and a number times itself, against autograd.
### BEGIN HIDDEN TESTS
seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)
for shape, dtype in (((5,), torch.float32), ((2, 3), torch.float64), ((1, 2, 2), torch.float64)):
    grad, x, y = (torch.randn(shape, generator=g, dtype=dtype) for _ in range(3))
    x.view(-1)[0] = 0.0
    first, second = (t.clone().requires_grad_() for t in (x, y))
    (first * second).backward(grad)
    got, kept = call_keeping(mul_back, grad, x, y)
    assert type(got) is tuple and len(got) == 2, "mul_back: a tuple of two tensors is asked for"
    what = f"of a product of shape {list(shape)}, seed {seed}"
    checks.check_tensor(got[0], f"the gradient for x {what}", dtype=dtype)
    checks.check_close(got[0], first.grad, f"the gradient for x {what}")
    checks.check_close(got[1], second.grad, f"the gradient for y {what}")
    assert all(torch.equal(a, b) for a, b in zip(kept, (grad, x, y), strict=True)), (
        "mul_back: an argument was changed"
    )
### END HIDDEN TESTS

# %% [markdown]
# ---
# ## 17 · What was copied is summed: unbroadcast
#
# Difficulty ●●●○○ · Importance ●●●○○ · 15 minutes
#
# A bias `[3]` is added to activations `[2 3]`. Torch **broadcasts** it: it acts as if the bias were
# copied into both rows. One number of the bias moves two numbers of the result, so its gradient is
# the sum of the two. Backwards, **copying becomes summing**.
#
# | shape of the parameter | shape of the result | sum over |
# | --- | --- | --- |
# | `[3]` | `[2 3]` | the first axis, which is new |
# | `[2 1]` | `[2 3]` | the second axis, which was 1, and stays as 1 |
# | `[]` | `[2 3]` | both |
#
# Write `unbroadcast(grad, shape)`: `grad` has the shape of a result, `shape` (a tuple) is that of an
# input which was broadcast to it. Return the gradient for the input, in exactly the shape `shape`.
#
# <details><summary>Hint 1: two kinds of axes</summary>
#
# Axes that are new stand on the left. Sum over as many of them as grad has more axes than shape.
# </details>
# <details><summary>Hint 2: axes that were 1</summary>
#
# Sum them with `keepdim=True`, so that a 1 is left. (If grad has a 1 there too, the sum changes
# nothing.)
# </details>


# %% nbgrader={"grade": false, "grade_id": "unbroadcast", "locked": false, "schema_version": 3, "solution": true, "task": false}
def unbroadcast(grad: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
    """The gradient, in the given shape, of what was broadcast from it to the shape of grad."""
    ### BEGIN SOLUTION
    for _ in range(grad.ndim - len(shape)):
        grad = grad.sum(0)
    for axis, size in enumerate(shape):
        if size == 1:
            grad = grad.sum(axis, keepdim=True)
    return grad
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "unbroadcast_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
grad = torch.tensor([[1.0, 2.0, 3.0], [10.0, 20.0, 30.0]])
for small_shape, right in (
    ((3,), torch.tensor([11.0, 22.0, 33.0])),
    ((2, 1), torch.tensor([[6.0], [60.0]])),
    ((1, 3), torch.tensor([[11.0, 22.0, 33.0]])),
    ((1, 1), torch.tensor([[66.0]])),
    ((), torch.tensor(66.0)),
    ((2, 3), grad),
):
    got, kept = call_keeping(unbroadcast, grad, small_shape)
    what = f"unbroadcast of [2 3] to {list(small_shape)}"
    checks.check_tensor(got, what, dtype=torch.float32)
    if right.ndim < 2 or 1 in right.shape:
        slips = {
            "Copies are summed, not averaged.": right / (6 / right.numel()),
            "One of the copies was taken: sum over all of them.": grad.reshape(-1)[
                : right.numel()
            ].reshape(right.shape),
            "The axis that was 1 shall be kept: keepdim=True.": right.flatten(),
        }
    else:
        slips = {}
    checks.check_close(got, right, what, slips=slips)
    assert torch.equal(kept[0], grad), "unbroadcast: grad was changed"
square = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
slips = {"The new axis is the first one, and not the last.": torch.tensor([3.0, 7.0])}
checks.check_close(
    unbroadcast(square, (2,)), torch.tensor([4.0, 6.0]), "unbroadcast of [2 2] to [2]", slips=slips
)
assert tuple(unbroadcast(torch.ones(4, 2, 3), (2, 1)).shape) == (2, 1), "from [4 2 3] to [2 1]"

# %% nbgrader={"grade": true, "grade_id": "unbroadcast_test_2", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: random gradients and shapes, against autograd's own way through expand.
### BEGIN HIDDEN TESTS
seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)
for small_shape, large_shape, dtype in (
    ((3,), (3, 3), torch.float64),
    ((3, 1), (2, 3, 4), torch.float32),
    ((1, 5, 1), (2, 5, 3), torch.float64),
    ((), (2, 2, 2), torch.float64),
    ((1,), (4, 1), torch.float32),
    ((2, 1, 3), (2, 1, 3), torch.float64),
    ((1, 1, 1), (3, 2, 5, 4), torch.float64),
    ((2, 2), (2, 2, 2), torch.float64),
):
    grad = torch.randn(large_shape, generator=g, dtype=dtype)
    leaf = torch.zeros(small_shape, dtype=dtype, requires_grad=True)
    leaf.expand(large_shape).backward(grad)
    got, kept = call_keeping(unbroadcast, grad, small_shape)
    what = f"unbroadcast of {list(large_shape)} to {list(small_shape)}, seed {seed}"
    checks.check_tensor(got, what, dtype=dtype)
    checks.check_shape(got, small_shape, what)
    checks.check_close(got, leaf.grad, what)
    assert torch.equal(kept[0], grad), "unbroadcast: grad was changed"
### END HIDDEN TESTS

# %% [markdown]
# ---
# ## 18 · Backwards through a matrix product
#
# Difficulty ●●●○○ · Importance ●●●●● · 15 minutes
#
# Nearly all of a transformer's computing is `C = A @ B`. An entry `A[i, k]` is multiplied by the
# whole row k of B, and lands in the row i of C. So its gradient is that row of B, weighed with the
# upstream gradients of the row i:
#
# $$\text{grad}_A[i, k] = \sum_m \text{grad}[i, m] \; B[k, m]$$
#
# Write `matmul_back(grad, A, B)`: `A` `[n k]`, `B` `[k m]`, `grad` `[n m]`. Return the tuple
# (gradient for A, `[n k]`; gradient for B, `[k m]`). No Python loops.
#
# <details><summary>Hint 1: read the sum</summary>
#
# Rows of grad meet rows of B. In a product `X @ Y`, rows of X meet columns of Y. So B has to be
# turned over.
# </details>
# <details><summary>Hint 2: the shapes decide</summary>
#
# Of grad and A, transposed or not, only one product has the shape `[k m]` for all n, k, m.
# </details>


# %% nbgrader={"grade": false, "grade_id": "matmul_back", "locked": false, "schema_version": 3, "solution": true, "task": false}
def matmul_back(
    grad: torch.Tensor, A: torch.Tensor, B: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """The gradients for A [n k] and for B [k m] of C = A @ B, with the upstream gradient [n m]."""
    ### BEGIN SOLUTION
    return grad @ B.T, A.T @ grad
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "matmul_back_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
A, B = torch.tensor([[1.0, 2.0], [0.0, 1.0]]), torch.tensor([[3.0, 0.0], [1.0, 1.0]])
grad = torch.tensor([[1.0, 10.0], [0.0, 100.0]])
got, kept = call_keeping(matmul_back, grad, A, B)
assert type(got) is tuple and len(got) == 2, "matmul_back: a tuple of two tensors is asked for"
for tensor, name in zip(got, "AB", strict=True):
    checks.check_tensor(tensor, f"the gradient for {name}", dtype=torch.float32)
slips = {
    "B is not turned over.": grad @ B,
    "The gradient for A is made of grad and B, not of A.": A.T @ grad,
    "The order is turned round: grad stands on the left of B.": B.T @ grad,
    "The result is turned over.": B @ grad.T,
    "The upstream gradient is missing.": torch.ones(2, 2) @ B.T,
}
checks.check_close(
    got[0], torch.tensor([[3.0, 11.0], [0.0, 100.0]]), "the gradient for A", axes="n k", slips=slips
)
slips = {
    "A is not turned over.": A @ grad,
    "The order is turned round: A stands on the left of grad.": grad @ A.T,
    "The result is turned over.": grad.T @ A,
    "The upstream gradient is missing.": A.T @ torch.ones(2, 2),
}
checks.check_close(
    got[1], torch.tensor([[1.0, 10.0], [2.0, 120.0]]), "the gradient for B", axes="k m", slips=slips
)
got = matmul_back(torch.ones(2, 4), torch.ones(2, 3), torch.ones(3, 4))
checks.check_shape(got[0], (2, 3), "the gradient for A [2 3]", axes="n k")
checks.check_shape(got[1], (3, 4), "the gradient for B [3 4]", axes="k m")
spent = [cost(matmul_back, torch.ones(n, 2), torch.ones(n, 2), B).ops for n in (3, 3, 300)]
assert spent[1] == spent[2], f"{spent[1]} operations for 3 rows, {spent[2]} for 300: a loop?"
assert all(torch.equal(a, b) for a, b in zip(kept, (grad, A, B), strict=True)), (
    "matmul_back: an argument was changed"
)

# %% nbgrader={"grade": true, "grade_id": "matmul_back_test_2", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: random matrices of odd sizes, by loops; no loop over rows.
### BEGIN HIDDEN TESTS
seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)
for n, k, m, dtype in (
    (2, 3, 4, torch.float32),
    (3, 3, 3, torch.float64),
    (1, 5, 2, torch.float64),
    (4, 1, 1, torch.float32),
):
    A, B, grad = (
        torch.randn(shape, generator=g, dtype=dtype) for shape in ((n, k), (k, m), (n, m))
    )
    want = (torch.zeros(n, k, dtype=dtype), torch.zeros(k, m, dtype=dtype))
    for i in range(n):
        for j in range(m):
            for c in range(k):
                want[0][i, c] += grad[i, j] * B[c, j]
                want[1][c, j] += grad[i, j] * A[i, c]
    got, kept = call_keeping(matmul_back, grad, A, B)
    assert type(got) is tuple and len(got) == 2, "matmul_back: a tuple of two tensors is asked for"
    what = f"of A [{n} {k}] @ B [{k} {m}], seed {seed}"
    checks.check_tensor(got[0], f"the gradient for A {what}", dtype=dtype)
    checks.check_close(got[0], want[0], f"the gradient for A {what}", axes="n k", atol=1e-4)
    checks.check_close(got[1], want[1], f"the gradient for B {what}", axes="k m", atol=1e-4)
    assert all(torch.equal(a, b) for a, b in zip(kept, (grad, A, B), strict=True)), (
        "matmul_back: an argument was changed"
    )
small = cost(matmul_back, torch.ones(10, 2), torch.ones(10, 3), torch.ones(3, 2))
large = cost(matmul_back, torch.ones(900, 2), torch.ones(900, 3), torch.ones(3, 2))
assert small.ops == large.ops, (
    f"{small.ops} operations for 10 rows and {large.ops} for 900: is there a loop?"
)
### END HIDDEN TESTS

# %% [markdown]
# (Compare exercise 2 of notebook 01: a reader is carried back through a map by its transpose. A
# gradient is such a reader.)
#
# ---
# ## 19 · The most beautiful derivative: p − y
#
# Difficulty ●●●○○ · Importance ●●●●● · 15 minutes
#
# What gradient do the logits get from the cross-entropy? The price is logsumexp(x) − x[token].
# The derivative of logsumexp is the softmax, `p`. The second term takes 1 off the token that came:
# `y` is 1 there, and 0 elsewhere. So the gradient is **p − y**: what the model said, minus what
# happened. No exponential is left over, and no logarithm.

# %%
said_p = five_logits.softmax(-1)
happened = torch.tensor([0.0, 1.0, 0.0, 0.0, 0.0])  # " John" came
plots.contributions(
    {"p − y": said_p - happened, "y, what came": happened, "p, what the model said": said_p},
    five_tokens,
    unit="probability",
    title="The gradient of each logit: what was said, minus what came",
)

# %% [markdown]
# Each token's logit is pushed down as far as it was believed in, and that of the token that came is
# pushed up. The five pushes sum to 0. A model that was right and sure is left alone.
#
# Write `softmax_ce_back(logits, tokens)`: `logits` `[b v]`, `tokens` `[b]` int64; row i guesses
# `tokens[i]` (nothing is shifted here). Return the gradient, `[b v]`, of the **mean** of the `b`
# prices. Logits may be ±10,000. You may call torch's `softmax`, but not its autograd.
#
# <details><summary>Hint 1: y</summary>
#
# `torch.nn.functional.one_hot(tokens, v)` is `[b v]`, of whole numbers.
# </details>
# <details><summary>Hint 2: the mean</summary>
#
# Each price counts 1/b in the mean. So does its gradient.
# </details>


# %% nbgrader={"grade": false, "grade_id": "softmax_ce_back", "locked": false, "schema_version": 3, "solution": true, "task": false}
def softmax_ce_back(logits: torch.Tensor, tokens: torch.Tensor) -> torch.Tensor:
    """The gradient [b v] of the mean cross-entropy of logits [b v] that guess tokens [b]."""
    ### BEGIN SOLUTION
    p = logits.softmax(-1)
    y = torch.nn.functional.one_hot(tokens, logits.shape[-1])
    return (p - y) / len(logits)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "softmax_ce_back_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
guesses = torch.tensor([[0.0, math.log(3.0)], [0.0, 0.0], [1e4, 0.0]])
came = torch.tensor([0, 1, 1])
got, kept = call_keeping(softmax_ce_back, guesses, came)
checks.check_tensor(got, "softmax_ce_back", dtype=torch.float32)
checks.check_shape(got, (3, 2), "softmax_ce_back of 3 rows", axes="b v")
right = torch.tensor([[-0.75, 0.75], [0.5, -0.5], [1.0, -1.0]]) / 3
slips = {
    "The loss is the mean over the rows: divide by b.": 3 * right,
    "The mean is over the b rows, not over all b · v numbers.": right / 2,
    "Divided by v: the mean is over the b rows.": 3 * right / 2,
    "The sign is turned round: it is p − y, not y − p.": -right,
    "These are the probabilities: take off y.": torch.softmax(guesses, -1) / 3,
    "The softmax runs along the columns.": (
        torch.softmax(guesses, 0) - torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    )
    / 3,
    "These are logits − y: p is their softmax.": (
        guesses - torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    )
    / 3,
}
assert not bool(torch.isnan(got).any()), "softmax_ce_back: there is a NaN: exp of 10,000 overflows"
checks.check_close(got, right, "the gradient of three rows", axes="b v", slips=slips)
assert torch.equal(kept[0], guesses) and torch.equal(kept[1], came), (
    "softmax_ce_back: an argument was changed"
)


# %% nbgrader={"grade": true, "grade_id": "softmax_ce_back_test_2", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: random rows in both dtypes, a confident mistake, against slopes found by trying.
### BEGIN HIDDEN TESTS
def mean_price(rows, ids):
    """The mean cross-entropy of lists of logits."""
    prices = []
    for row, token in zip(rows, ids, strict=True):
        top = max(row)
        prices.append(top + math.log(sum(math.exp(v - top) for v in row)) - row[token])
    return sum(prices) / len(prices)


seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)
for b, v, dtype in (
    (4, 3, torch.float32),
    (2, 5, torch.float64),
    (1, 7, torch.float64),
    (3, 3, torch.float64),
):
    guesses = 3 * torch.randn(b, v, generator=g, dtype=dtype)
    came = torch.randint(0, v, (b,), generator=g)
    guesses[0, (int(came[0]) + 1) % v] = 1000.0  # sure, and wrong
    rows, want = guesses.double().tolist(), torch.zeros(b, v, dtype=dtype)
    for i in range(b):
        for j in range(v):
            sides = []
            for push in (1e-5, -1e-5):
                moved = [list(row) for row in rows]
                moved[i][j] += push
                sides.append(mean_price(moved, came.tolist()))
            want[i, j] = (sides[0] - sides[1]) / 2e-5
    got, kept = call_keeping(softmax_ce_back, guesses, came)
    what = f"softmax_ce_back of {b} rows of {v} logits, seed {seed}"
    checks.check_tensor(got, what, dtype=dtype)
    checks.check_close(got, want, what, axes="b v", atol=1e-4)
    assert torch.equal(kept[0], guesses) and torch.equal(kept[1], came), (
        "softmax_ce_back: an argument was changed"
    )
### END HIDDEN TESTS

# %% [markdown]
# ---
# ## 20 · What comes before what: topological sort
#
# Difficulty ●●●○○ · Importance ●●●○○ · 15 minutes
#
# A model is a graph: each number is made of others. Before one can compute it, its inputs must be
# there. Below, `y` is made of `p` and `q`, and both of `x`.


# %%
def values_of(tape):
    """The value of every name of a tape, in order."""
    rules = {"add": lambda a, b: a + b, "mul": lambda a, b: a * b, "log": math.log, "exp": math.exp}
    values: dict[str, float] = {}
    for name, entry in tape.items():
        if isinstance(entry, float):
            values[name] = entry
        else:
            values[name] = rules[entry[0]](*(values[before] for before in entry[1:]))
    return values


def slopes(operation, inputs):
    """How fast the result of an operation changes with each of its inputs: a list of floats."""
    if operation == "add":
        return [1.0, 1.0]
    if operation == "mul":
        return [inputs[1], inputs[0]]
    if operation == "log":
        return [1 / inputs[0]]
    if operation == "exp":
        return [math.exp(inputs[0])]
    raise ValueError(f"there is no operation {operation!r}")


diamond = {
    "x": 2.0,
    "w": 3.0,
    "p": ("mul", "w", "x"),
    "q": ("log", "x"),
    "y": ("add", "p", "q"),
}
drawings.backward_pass(diamond, values_of(diamond), title="y = w x + log x, as a graph")

# %% [markdown]
# Write `topological_sort(inputs, end)`: `inputs` is a dict from each name to the list of the names
# that it is made of (empty for those that are given), in **no particular order**. Return the list
# of all names that `end` depends on, directly or through others, with `end` itself: every name
# **after** all of its inputs, and each name **once**. What `end` does not need is left out. There
# are no circles. (Several orders can be right. Any will do.)
#
# <details><summary>Hint 1: ask backwards</summary>
#
# Before `end` can be put on the list, its inputs must be there. So put those first, by the same
# rule. A function inside your function may call itself.
# </details>
# <details><summary>Hint 2: once</summary>
#
# `x` is needed by p and by q. Who comes second finds it on the list already.
# </details>


# %% nbgrader={"grade": false, "grade_id": "topological_sort", "locked": false, "schema_version": 3, "solution": true, "task": false}
def topological_sort(inputs: dict[str, list[str]], end: str) -> list[str]:
    """The names that `end` needs, and `end`: each once, and after all that it is made of."""
    ### BEGIN SOLUTION
    order: list[str] = []
    done: set[str] = set()

    def put(name: str) -> None:
        if name in done:
            return
        done.add(name)
        for before in inputs[name]:
            put(before)
        order.append(name)

    put(end)
    return order
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "topological_sort_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
def check_order(got, inputs, end, what):
    """`got` is a list of what `end` needs, each once and after its inputs."""
    assert type(got) is list and all(type(name) is str for name in got), (
        f"{what}: a list of names is asked for"
    )
    assert end in got, f"{what}: the end {end!r} is missing"
    assert len(set(got)) == len(got), f"{what}: a name stands on the list twice"
    for name in got:
        for before in inputs[name]:
            assert before in got, f"{what}: {before!r} is missing, of which {name!r} is made"
            assert got.index(before) < got.index(name), (
                f"{what}: {name!r} stands before {before!r}, of which it is made"
            )
    needed, open_names = {end}, [end]
    while open_names:
        for before in inputs[open_names.pop()]:
            if before not in needed:
                needed.add(before)
                open_names.append(before)
    assert set(got) == needed, f"{what}: {sorted(set(got) - needed)} is not needed for {end!r}"


graph = {"y": ["q", "p"], "z": ["y", "w"], "p": ["w", "x"], "q": ["x"], "x": [], "w": []}
for end in ("y", "p", "x", "z"):
    got, kept = call_keeping(topological_sort, graph, end)
    check_order(got, graph, end, f"topological_sort of the graph in the picture, to {end!r}")
    assert kept[0] == graph, "topological_sort: inputs was changed"

long_way = {"end": ["a", "b"], "a": [], "b": ["c"], "c": ["d"], "d": ["a"]}
got = topological_sort(long_way, "end")
check_order(got, long_way, "end", "topological_sort where a short and a long way lead to a")
assert got[-1] == "end", "the end is the last of those that it needs"

# %% nbgrader={"grade": true, "grade_id": "topological_sort_test_2", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: random graphs in random orders, a long chain, many diamonds one behind the other.
### BEGIN HIDDEN TESTS
seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)
for count, share in ((6, 0.5), (12, 0.3), (25, 0.15), (1, 0.5)):
    chance = torch.rand(count, count, generator=g).tolist()
    numbers = torch.randperm(count, generator=g).tolist()
    graph = {f"n{i}": [f"n{j}" for j in range(i) if chance[i][j] < share] for i in numbers}
    for end in (f"n{count - 1}", f"n{count // 2}"):
        got, kept = call_keeping(topological_sort, graph, end)
        check_order(got, graph, end, f"topological_sort of {count} names [seed {seed}]")
        assert kept[0] == graph and list(kept[0]) == list(graph), (
            "topological_sort: inputs was changed"
        )
chain_graph = {f"c{i}": [f"c{i - 1}"] if i else [] for i in range(150)}
got = topological_sort(chain_graph, "c149")
check_order(got, chain_graph, "c149", "topological_sort of a chain of 150")
ladder = {"d0": []}
for i in range(1, 16):
    ladder |= {f"l{i}": [f"d{i - 1}"], f"r{i}": [f"d{i - 1}"], f"d{i}": [f"l{i}", f"r{i}"]}
got = topological_sort(ladder, "d15")
check_order(got, ladder, "d15", "topological_sort of 15 diamonds one behind the other")
twice = {"s": ["x", "x"], "x": []}
got = topological_sort(twice, "s")
assert got == ["x", "s"], "where s is made of x and x again, x stands on the list once"
### END HIDDEN TESTS

# %% [markdown]
# ---
# ## 21 · The backward pass
#
# Difficulty ●●●●○ · Importance ●●●●● · 20 minutes
#
# Now everything comes together. While a model computes, it writes down what it did: the **tape**.
# Ours is a dict, in the order in which things are computed (so it is sorted already). A name stands
# for a number that is given, or for an operation and its inputs:
#
# `{"x": 2.0, "w": 3.0, "p": ("mul", "w", "x"), "q": ("log", "x"), "y": ("add", "p", "q")}`
#
# Two functions are given in the cell above: `values_of(tape)` is a dict with the value of every
# name; `slopes(operation, numbers)` says how fast the result of an operation changes with each of
# its inputs, as a list: `slopes("mul", [3.0, 2.0])` is `[2.0, 3.0]`.
#
# The end changes once as fast as itself: its gradient is 1. Then walk the tape **backwards**. Each
# name hands its gradient on to its inputs, times the slope. Who is used twice is handed two parts,
# and they **add up**: `x` above gets 3 through `p` and ½ through `q`.
#
# Write `backprop(tape, end)`: a dict from **every** name of the tape to the derivative of `end`
# with respect to it, as floats. It is 0.0 for names that `end` does not depend on; `end` need not be
# the last one. An operation may use one input twice: `("mul", "x", "x")`.
#
# <details><summary>Hint 1: begin</summary>
#
# `grads = dict.fromkeys(tape, 0.0)`, then `grads[end] = 1.0`.
# </details>
# <details><summary>Hint 2: each step</summary>
#
# For each name of `reversed(tape)` that is no number: `operation, *names = tape[name]`. Add to each
# of the names what it is due.
# </details>
# <details><summary>Hint 3: used twice</summary>
#
# `zip(names, slopes(…))` goes through both mentions of x. `+=` keeps both parts, `=` only the last.
# </details>


# %% nbgrader={"grade": false, "grade_id": "backprop", "locked": false, "schema_version": 3, "solution": true, "task": false}
def backprop(tape: dict, end: str) -> dict[str, float]:
    """The derivative of `end` with respect to every name of the tape."""
    ### BEGIN SOLUTION
    values = values_of(tape)
    grads = dict.fromkeys(tape, 0.0)
    grads[end] = 1.0
    for name in reversed(tape):
        if isinstance(tape[name], float):
            continue
        operation, *names = tape[name]
        for before, slope in zip(names, slopes(operation, [values[n] for n in names]), strict=True):
            grads[before] += grads[name] * slope
    return grads
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "backprop_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
def check_gradients_of(got, tape, right, what):
    """`got` is a dict of floats with the gradient of every name; names the slip of a wrong one."""
    assert type(got) is dict, f"{what}: a dict is asked for, not {type(got).__name__}"
    missing = [name for name in tape if name not in got]
    assert not missing, f"{what}: {missing[0]!r} is missing; every name has a gradient, even 0.0"
    for name in tape:
        assert type(got[name]) is float, f"{what}: the gradient of {name!r} is no float"
        checks.check_close(got[name], right[name][0], f"{what}: {name!r}", slips=right[name][1])


tape = {"x": 2.0, "w": 3.0, "p": ("mul", "w", "x"), "q": ("log", "x"), "y": ("add", "p", "q")}
got, kept = call_keeping(backprop, tape, "y")
used_twice = "x is used twice: both parts add up, and one overwrites the other here."
right = {
    "y": (1.0, {"The end changes once as fast as itself.": 0.0}),
    "q": (1.0, {"Walk the tape backwards, from the end.": 0.0}),
    "p": (1.0, {"Walk the tape backwards, from the end.": 0.0}),
    "w": (2.0, {"Each factor gets the other one.": 3.0}),
    "x": (
        3.5,
        {
            used_twice: 3.0,
            used_twice + " (The part through p is lost.)": 0.5,
            "Both parts are multiplied: add them.": 1.5,
        },
    ),
}
check_gradients_of(got, tape, right, "y = w x + log x")
assert kept[0] == tape, "backprop: the tape was changed"
tape = {"x": 3.0, "s": ("mul", "x", "x"), "t": ("mul", "s", "s"), "u": ("exp", "x"), "n": 7.0}
got = backprop(tape, "t")
right = {
    "t": (1.0, {}),
    "u": (
        0.0,
        {"t does not depend on u.": math.exp(3.0), "Begin at the end that is asked for.": 1.0},
    ),
    "n": (0.0, {"t does not depend on n.": 1.0}),
    "s": (18.0, {"s is used twice in t: both parts add up.": 9.0}),
    "x": (
        108.0,
        {
            "x is used twice in s: both parts add up.": 54.0,
            "Parts that were used twice add up.": 27.0,
            "The gradient of s was not handed on.": 6.0,
        },
    ),
}
check_gradients_of(got, tape, right, "t = (x · x) · (x · x)")
assert backprop({"a": 5.0}, "a") == {"a": 1.0}, "a tape of one number, which is the end"


# %% nbgrader={"grade": true, "grade_id": "backprop_test_2", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: random tapes, with each derivative found by pushing forward from its name.
### BEGIN HIDDEN TESTS
def pushed_forward(tape, start, end):
    """How fast `end` changes with the name `start`, from the front to the back."""
    value, rate = {}, {}
    for name, entry in tape.items():
        if isinstance(entry, float):
            value[name], rate[name] = entry, 0.0
        else:
            parts = [(value[n], rate[n]) for n in entry[1:]]
            if entry[0] == "add":
                value[name], rate[name] = (sum(side) for side in zip(*parts, strict=True))
            elif entry[0] == "mul":
                (a, da), (b, db) = parts
                value[name], rate[name] = a * b, da * b + a * db
            elif entry[0] == "log":
                value[name], rate[name] = math.log(parts[0][0]), parts[0][1] / parts[0][0]
            else:
                value[name] = math.exp(parts[0][0])
                rate[name] = value[name] * parts[0][1]
        if name == start:
            rate[name] = 1.0
    return rate[end]


seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)
for leaves, count in ((2, 4), (3, 8), (1, 6), (4, 14)):
    tape = {f"x{i}": 0.5 + float(torch.rand((), generator=g)) for i in range(leaves)}
    for i in range(count):
        names, known = list(tape), values_of(tape)
        first, second = (names[int(torch.randint(len(names), (), generator=g))] for _ in range(2))
        kind = ("add", "mul", "mul", "log", "exp")[int(torch.randint(5, (), generator=g))]
        if (kind == "log" and known[first] < 0.3) or (kind == "exp" and known[first] > 2):
            kind = "add"
        if kind == "mul" and abs(known[first] * known[second]) > 50:
            kind = "add"
        tape[f"n{i}"] = (kind, first, second) if kind in ("add", "mul") else (kind, first)
    for end in (f"n{count - 1}", f"n{count // 2}", "x0"):
        want = {name: pushed_forward(tape, name, end) for name in tape}
        got, kept = call_keeping(backprop, tape, end)
        assert type(got) is dict and set(got) == set(tape), (
            f"the gradients of all {len(tape)} names are asked for [seed {seed}]"
        )
        for name in tape:
            assert type(got[name]) is float, f"the gradient of {name!r} is no float"
            assert abs(got[name] - want[name]) < 1e-6 * max(1.0, abs(want[name])), (
                f"in a random tape of {len(tape)} names the derivative of {end!r} with respect to "
                f"{name!r} is not {got[name]:.4g} [seed {seed}]"
            )
        assert kept[0] == tape, "backprop: the tape was changed"
ladder = {"d0": 1.0}
for i in range(1, 25):
    ladder[f"d{i}"] = ("add", f"d{i - 1}", f"d{i - 1}")
got = backprop(ladder, "d24")
assert got["d0"] == 2.0**24, f"doubled 24 times, the derivative is 2 to the 24, not {got['d0']:.4g}"
### END HIDDEN TESTS

# %% [markdown]
# The pass in a picture: the boxes light up from the end backwards, as your function reaches them.
# (Run the cell again to see it once more.) The graph is the price of a guess between two tokens
# with the logits a and b, of which the first one comes: log(eᵃ + eᵇ) − a. What must be the
# gradients of a and b? You know them from exercise 19.

# %%
price_tape = {
    "a": 1.0,
    "b": 0.0,
    "m": -1.0,
    "ea": ("exp", "a"),
    "eb": ("exp", "b"),
    "sum": ("add", "ea", "eb"),
    "log": ("log", "sum"),
    "−a": ("mul", "m", "a"),
    "price": ("add", "log", "−a"),
}
drawings.backward_pass(
    price_tape,
    values_of(price_tape),
    backprop(price_tape, "price"),
    title="The cross-entropy of two logits, and its backward pass",
)

# %% [markdown]
# <details><summary>What it shows</summary>
#
# p is e¹ / (e¹ + e⁰) = 0.731. The gradient of a is p − 1 = −0.269 and that of b is 0.269: p − y,
# found by a machine that knows nothing but four local rules. (`m` is the number −1, which nobody
# wants to train; it has a gradient all the same.)
# </details>
#
# *In the library:* `loss.backward()` does this on PyTorch's own tape.

# %% [markdown]
# ---
# ## 22 · Axes with names: split the heads
#
# Difficulty ●●○○○ · Importance ●●●●○ · 10 minutes
#
# The last part is about notation. Code of this field is full of tensors with four axes, and
# `x.reshape(b, p, h, -1).transpose(1, 2)` says little to a reader. **einops** spells it out: the
# axes before and after, by name, with brackets where several are one.

# %%
import einops
import plotly.graph_objects as go
from beartype import beartype
from jaxtyping import Float, jaxtyped

six = torch.arange(6)
print(einops.rearrange(six, "(row column) -> row column", row=2))
print(einops.rearrange(six, "(row column) -> column row", row=2))

# %% [markdown]
# All heads of a layer compute their queries in one product. The result `[b p h·e]` holds, for each
# position, the `e` numbers of head 0, then those of head 1, and so on. To work with a head, one
# splits the last axis. What goes wrong most often is the order inside the bracket: `(h e)` lays
# each head's numbers side by side, `(e h)` would deal them out like cards.
#
# Write `split_heads(x, heads)`: `x` `[b p h·e]`, where `h` is `heads`. Return `[b p h e]`, with the
# numbers of each head side by side in `x`.
#
# <details><summary>Hint 1: the pattern</summary>
#
# Left of the arrow are three axes, and the last is a bracket of two; right of it are four.
# </details>
# <details><summary>Hint 2: what einops cannot know</summary>
#
# How a bracket of 12 is to be split: `h=heads`.
# </details>


# %% nbgrader={"grade": false, "grade_id": "split_heads", "locked": false, "schema_version": 3, "solution": true, "task": false}
def split_heads(x: torch.Tensor, heads: int) -> torch.Tensor:
    """x [b p h·e] with its heads apart: [b p h e]."""
    ### BEGIN SOLUTION
    return einops.rearrange(x, "b p (h e) -> b p h e", h=heads)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "split_heads_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
x = torch.arange(12.0).reshape(1, 2, 6)
got, kept = call_keeping(split_heads, x, 2)
checks.check_tensor(got, "split_heads", dtype=torch.float32)
right = torch.tensor([[[[0.0, 1, 2], [3, 4, 5]], [[6, 7, 8], [9, 10, 11]]]])
slips = {
    "The numbers of a head lie side by side: (h e), not (e h).": torch.tensor(
        [[[[0.0, 2, 4], [1, 3, 5]], [[6, 8, 10], [7, 9, 11]]]]
    ),
    "The bracket is split the wrong way: there are `heads` heads, not heads of that size.": x.reshape(
        1, 2, 3, 2
    ),
    "The heads come after the positions: [b p h e], not [b h p e].": torch.tensor(
        [[[[0.0, 1, 2], [6, 7, 8]], [[3, 4, 5], [9, 10, 11]]]]
    ),
    "The last two axes are swapped: heads come before e.": torch.tensor(
        [[[[0.0, 3], [1, 4], [2, 5]], [[6, 9], [7, 10], [8, 11]]]]
    ),
}
checks.check_close(got, right, "split_heads of 2 heads", axes="b p h e", slips=slips)
got = split_heads(torch.ones(4, 3, 10), 5)
checks.check_shape(got, (4, 3, 5, 2), "split_heads of [4 3 10] into 5 heads", axes="b p h e")
checks.check_rules(split_heads, (x, 3), "split_heads", names="x")
assert torch.equal(kept[0], x), "split_heads: x was changed"

# %% nbgrader={"grade": true, "grade_id": "split_heads_test_2", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: random tensors of odd sizes in both dtypes, by loops.
### BEGIN HIDDEN TESTS
seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)
for b, length, heads, e, dtype in (
    (2, 5, 3, 4, torch.float32),
    (1, 1, 2, 7, torch.float64),
    (3, 2, 2, 2, torch.float64),
    (2, 3, 1, 4, torch.float32),
):
    x = torch.randn(b, length, heads * e, generator=g, dtype=dtype)
    want = torch.stack([x[:, :, h * e : h * e + e] for h in range(heads)], dim=2)
    got, kept = call_keeping(split_heads, x, heads)
    what = f"split_heads of {list(x.shape)} into {heads} heads, seed {seed}"
    checks.check_tensor(got, what, dtype=dtype)
    checks.check_close(got, want, what, axes="b p h e")
    checks.check_rules(split_heads, (x, heads), what, names="x")
    assert torch.equal(kept[0], x), "split_heads: x was changed"
### END HIDDEN TESTS

# %% [markdown]
# ---
# ## 23 · And put them together again
#
# Difficulty ●○○○○ · Importance ●●●○○ · 5 minutes
#
# Write `merge_heads(x)`: `x` `[b p h e]`. Return `[b p h·e]`, with the numbers of each head side by
# side: what `split_heads` had before.
#
# <details><summary>Hint 1: the pattern</summary>
#
# It is the pattern of exercise 22, read from right to left. (einops knows all sizes now.)
# </details>
# <details><summary>Hint 2: without einops</summary>
#
# `x.flatten(2)` joins all axes from the third on.
# </details>


# %% nbgrader={"grade": false, "grade_id": "merge_heads", "locked": false, "schema_version": 3, "solution": true, "task": false}
def merge_heads(x: torch.Tensor) -> torch.Tensor:
    """x [b p h e] with the numbers of each head side by side: [b p h·e]."""
    ### BEGIN SOLUTION
    return einops.rearrange(x, "b p h e -> b p (h e)")
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "merge_heads_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
x = torch.arange(12.0).reshape(1, 2, 2, 3)
got, kept = call_keeping(merge_heads, x)
checks.check_tensor(got, "merge_heads", dtype=torch.float32)
slips = {
    "The numbers of a head lie side by side: (h e), not (e h).": torch.tensor(
        [[[0.0, 3, 1, 4, 2, 5], [6, 9, 7, 10, 8, 11]]]
    ),
    "The heads were summed; they stand side by side.": x.sum(2),
    "The heads were averaged; they stand side by side.": x.mean(2),
    "Positions and heads were merged: the last two axes are meant.": x.reshape(1, 4, 3),
    "Positions and heads were swapped on the way.": torch.tensor(
        [[[0.0, 1, 2, 6, 7, 8], [3, 4, 5, 9, 10, 11]]]
    ),
}
right = torch.arange(12.0).reshape(1, 2, 6)
checks.check_close(got, right, "merge_heads of 2 heads", axes="b p h·e", slips=slips)
checks.check_shape(merge_heads(torch.ones(3, 4, 5, 2)), (3, 4, 10), "merge_heads of [3 4 5 2]")
checks.check_rules(merge_heads, (x,), "merge_heads", names="x")
assert torch.equal(kept[0], x), "merge_heads: x was changed"

# %% nbgrader={"grade": true, "grade_id": "merge_heads_test_2", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: random tensors of odd sizes in both dtypes, also strided ones, by loops.
### BEGIN HIDDEN TESTS
seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)
for b, length, heads, e, dtype in (
    (2, 5, 3, 4, torch.float32),
    (1, 1, 2, 7, torch.float64),
    (3, 2, 2, 2, torch.float64),
):
    x = torch.randn(b, heads, length, e, generator=g, dtype=dtype).transpose(1, 2)
    want = torch.cat([x[:, :, h] for h in range(heads)], dim=-1)
    got, kept = call_keeping(merge_heads, x)
    what = f"merge_heads of {list(x.shape)}, seed {seed}"
    checks.check_tensor(got, what, dtype=dtype)
    checks.check_close(got, want, what, axes="b p h·e")
    checks.check_rules(merge_heads, (x,), what, names="x")
    assert torch.equal(kept[0], x), "merge_heads: x was changed"
### END HIDDEN TESTS

# %% [markdown]
# ---
# ## 24 · Attention in three lines
#
# Difficulty ●●●○○ · Importance ●●●●● · 15 minutes
#
# **einsum** names axes too: `einops.einsum(x, y, "a b, b c -> a c")` multiplies, and sums over each
# letter that is missing on the right. (`torch.einsum("ab,bc->ac", x, y)` is the same with single
# letters.) Attention is two of them, with a softmax in between:
#
# 1. **scores**: each query position's `q` with each key position's `k`, summed over `e`, head by
#    head, and divided by √e;
# 2. **pattern**: the softmax over the key positions;
# 3. **output**: the values `v`, weighed with the pattern, summed over key positions.
#
# Write `attend(q, k, v)`: `q` is `[b q h e]`, `k` and `v` are `[b k h e]`. Return `[b q h e]`. No
# mask here: every query may look at every key. No Python loops.
#
# <details><summary>Hint 1: the scores</summary>
#
# They have one number for each of `b h q k`. Which letter is in both inputs and not in the scores?
# </details>
# <details><summary>Hint 2: the output</summary>
#
# `"b h q k, b k h e -> …"`. And √e is `q.shape[-1] ** 0.5`.
# </details>


# %% nbgrader={"grade": false, "grade_id": "attend", "locked": false, "schema_version": 3, "solution": true, "task": false}
def attend(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    """What attention without a mask gives for q [b q h e] and k, v [b k h e]: [b q h e]."""
    ### BEGIN SOLUTION
    scores = einops.einsum(q, k, "b q h e, b k h e -> b h q k") / q.shape[-1] ** 0.5
    return einops.einsum(scores.softmax(-1), v, "b h q k, b k h e -> b q h e")
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "attend_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# 1 text, 2 positions, 2 heads, e = 4; of the values only the first of the 4 numbers is not 0.
q = torch.tensor([[[2.0, 0, 0, 0], [0, 6, 0, 0]], [[1, 1, 0, 0], [0, 0, 2, 0]]])[None]
k = torch.tensor([[[3.0, 0, 0, 1], [0, 1, 0, 0]], [[0, 2, 0, 0], [1, 0, 3, 0]]])[None]
v = torch.zeros(1, 2, 2, 4)
v[0, :, :, 0] = torch.tensor([[0.0, 1.0], [10.0, 20.0]])
got, kept = call_keeping(attend, q, k, v)
checks.check_tensor(got, "attend", dtype=torch.float32)
checks.check_shape(got, (1, 2, 2, 4), "attend with 2 positions and 2 heads", axes="b q h e")
slips = {
    "The scores are not divided by √e.": torch.tensor([[0.0247, 1.0470], [2.6894, 19.9530]]),
    "The scores are divided by e, not by its root.": torch.tensor(
        [[1.8243, 4.4661], [4.3782, 16.5339]]
    ),
    "The softmax runs over the queries: a row of the pattern sums to 1 over keys.": torch.tensor(
        [[2.6894, 1.9011], [7.3106, 19.0989]]
    ),
    "Keys of head 0 serve all heads: h must be in the result of the scores.": torch.tensor(
        [[0.4743, 19.9530], [3.7754, 10.5000]]
    ),
    "The scores went in without a softmax.": torch.tensor([[0.0, 3.0], [10.0, 60.0]]),
    "q and k are exchanged.": torch.tensor([[1.8243, 1.9011], [7.3106, 19.0989]]),
    "There is a causal mask: here every query may look at every key.": torch.tensor(
        [[0.0, 1.0], [3.7754, 19.0989]]
    ),
    "The values were averaged: q and k are not used.": torch.tensor([[5.0, 10.5], [5.0, 10.5]]),
}
right = torch.tensor([[0.4743, 1.9011], [3.7754, 19.0989]])
what = "the first number of each head's output"
checks.check_close(got[0, :, :, 0], right, what, axes="q h", slips=slips, atol=1e-3)
other_sizes = (torch.ones(3, 2, 5, 4), torch.ones(3, 6, 5, 4), torch.ones(3, 6, 5, 4))
checks.check_shape(
    attend(*other_sizes), (3, 2, 5, 4), "attend of 2 queries and 6 keys", axes="b q h e"
)
checks.check_rules(attend, (q, k, v), "attend", names="qkv")
spent = [cost(attend, *(torch.ones(1, n, 2, 4),) * 3).ops for n in (3, 3, 30)]
assert spent[1] == spent[2], f"{spent[1]} operations for 3 positions, {spent[2]} for 30: a loop?"
assert all(torch.equal(a, b) for a, b in zip(kept, (q, k, v), strict=True)), (
    "attend: an argument was changed"
)

# %% nbgrader={"grade": true, "grade_id": "attend_test_2", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: large random inputs of odd sizes in both dtypes, number by number; no loop.
### BEGIN HIDDEN TESTS
seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)
for b, n, m, heads, e, dtype in (
    (2, 3, 5, 2, 4, torch.float32),
    (1, 4, 1, 3, 2, torch.float64),
    (3, 2, 2, 2, 2, torch.float64),
):
    q, k, v = (
        2 * torch.randn(b, length, heads, e, generator=g, dtype=dtype) for length in (n, m, m)
    )
    want = torch.zeros(b, n, heads, e, dtype=dtype)
    for at in range(b):
        for h in range(heads):
            for i in range(n):
                scores = [
                    sum(float(q[at, i, h, c]) * float(k[at, j, h, c]) for c in range(e)) / e**0.5
                    for j in range(m)
                ]
                powers = [math.exp(score - max(scores)) for score in scores]
                for j in range(m):
                    want[at, i, h] += powers[j] / sum(powers) * v[at, j, h]
    got, kept = call_keeping(attend, q, k, v)
    what = f"attend of {n} queries and {m} keys in {heads} heads of {e}, seed {seed}"
    checks.check_tensor(got, what, dtype=dtype)
    checks.check_close(got, want, what, axes="b q h e", atol=1e-4)
    assert all(torch.equal(x, y) for x, y in zip(kept, (q, k, v), strict=True)), (
        "attend: an argument was changed"
    )
checks.check_rules(attend, (q, k, v), f"attend of random inputs, seed {seed}", names="qkv")
small = cost(attend, q, k, v)
large = cost(attend, *(torch.ones(5, 60, 7, 3) for _ in range(3)))
assert small.ops == large.ops, (
    f"{small.ops} operations for 2 positions and {large.ops} for 60: is there a loop?"
)
### END HIDDEN TESTS

# %% [markdown]
# ---
# ## 25 · Shapes that are checked
#
# Difficulty ●●○○○ · Importance ●●●○○ · 10 minutes
#
# A comment `# [b q k]` is believed by people only. **jaxtyping** writes the shape into the type, and
# a checker refuses what does not fit, where it happens, instead of three functions later. Letters
# that come twice must stand for the same size. Both decorator and types are imported above:


# %%
@jaxtyped(typechecker=beartype)
def add_bias(
    x: Float[torch.Tensor, "pos d"], bias: Float[torch.Tensor, "d"]
) -> Float[torch.Tensor, "pos d"]:
    """An example: the last axis of x and the axis of the bias have one size."""
    return x + bias


print(tuple(add_bias(torch.ones(2, 3), torch.ones(3)).shape))
try:
    add_bias(torch.ones(2, 3), torch.ones(1))  # torch would broadcast it, and nobody would notice
except Exception as refused:
    print(type(refused).__name__, "- a bias of 1 number does not fit")

# %% [markdown]
# Write `checked_mix()`. It takes nothing and returns a function `mix(pattern, v)`, which is
# annotated and checked like the example: `pattern` is `[batch query key]`, `v` is `[batch key d]`,
# the result is `[batch query d]`, all of them `Float`. It computes `pattern @ v`. What does not fit
# must be refused: a `v` with another number of keys or texts, also where torch would broadcast, a
# tensor with too few or too many axes, and whole numbers.
#
# <details><summary>Hint 1: a function in a function</summary>
#
# Define `mix` inside `checked_mix`, with the decorator above it, and `return mix` after it.
# </details>
# <details><summary>Hint 2: the names</summary>
#
# Three annotations, with the names of the text. `key` stands in two of them: so it must be the same
# size.
# </details>


# %% nbgrader={"grade": false, "grade_id": "checked_mix", "locked": false, "schema_version": 3, "solution": true, "task": false}
def checked_mix():
    """A function mix(pattern [batch query key], v [batch key d]) that refuses wrong shapes."""
    ### BEGIN SOLUTION

    @jaxtyped(typechecker=beartype)
    def mix(
        pattern: Float[torch.Tensor, "batch query key"], v: Float[torch.Tensor, "batch key d"]
    ) -> Float[torch.Tensor, "batch query d"]:
        return pattern @ v

    return mix
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "checked_mix_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
def refuses(f, *arguments):
    """Whether f raises jaxtyping's error for these arguments."""
    try:
        raises("TypeCheckError", f, *arguments)
    except AssertionError:
        return False
    return True


got = checked_mix()
assert callable(got), "checked_mix() returns a function: is `return mix` missing?"
pattern, v = torch.tensor([[[0.5, 0.5, 0.0]] * 2]), torch.tensor([[[2.0], [4.0], [9.0]]])
assert not refuses(got, pattern, v), (
    "mix refuses a pattern [1 2 3] with a v [1 3 1], which fit: are query, key and d in their order?"
)
checks.check_close(got(pattern, v), torch.tensor([[[3.0], [3.0]]]), "mix", axes="batch query d")
checks.check_shape(got(torch.ones(4, 2, 3), torch.ones(4, 3, 7)), (4, 2, 7), "mix of other sizes")
for first, second, words_for_it in (
    ((4, 2, 3), (1, 3, 7), "a v of another batch (torch broadcasts 1; `batch` stands in both)"),
    ((2, 3), (4, 3, 7), "a pattern without its batch axis"),
    ((4, 2, 3), (3, 7), "a v without its batch axis"),
    ((4, 5, 2, 3), (4, 3, 7), "a pattern with a head axis"),
    ((4, 5, 2, 3), (4, 5, 3, 7), "a pattern and a v with a head axis"),
):
    assert refuses(got, torch.ones(first), torch.ones(second)), (
        f"mix takes {words_for_it}: annotate with [batch query key] and [batch key d]"
    )
assert refuses(got, torch.ones(1, 2, 3, dtype=torch.int64), v.long()), (
    "mix takes whole numbers: annotate with Float"
)
assert got(pattern.double(), v.double()).dtype == torch.float64, "mix: float64 is Float too"

# %% nbgrader={"grade": true, "grade_id": "checked_mix_test_2", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: sizes that fit and sizes that do not, in every axis.
### BEGIN HIDDEN TESTS
seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)
got = checked_mix()
assert callable(got), "checked_mix() returns a function: is `return mix` missing?"
for b, n, m, d, dtype in (
    (2, 3, 4, 5, torch.float32),
    (1, 1, 1, 1, torch.float64),
    (3, 3, 3, 3, torch.float64),
):
    pattern, v = (torch.randn(shape, generator=g, dtype=dtype) for shape in ((b, n, m), (b, m, d)))
    assert not refuses(got, pattern, v), (
        f"mix refuses a pattern [{b} {n} {m}] with a v [{b} {m} {d}] [seed {seed}]"
    )
    want = torch.zeros(b, n, d, dtype=dtype)
    for j in range(m):
        want += pattern[:, :, j, None] * v[:, None, j]
    checks.check_close(got(pattern, v), want, f"mix, seed {seed}", axes="batch query d", atol=1e-4)
    checks.check_rules(got, (pattern, v), f"mix, seed {seed}", names=("pattern", "v"))
for first, second, dtype in (
    ((2, 3, 4), (1, 4, 5), torch.float32),
    ((1, 3, 4), (2, 4, 5), torch.float32),
    ((2, 3, 4), (2, 3, 5), torch.float32),
    ((3, 4), (4, 5), torch.float32),
    ((2, 3, 4), (4,), torch.float32),
    ((2, 3, 4), (2, 4), torch.float32),
    ((2, 2, 3, 4), (2, 2, 4, 5), torch.float32),
    ((2, 3, 4), (2, 4, 5), torch.int64),
):
    arguments = (torch.ones(first, dtype=dtype), torch.ones(second, dtype=dtype))
    assert refuses(got, *arguments), (
        f"mix does not refuse a pattern {list(first)} and a v {list(second)} of {dtype}"
    )
assert tuple(got(torch.ones(2, 3, 4), torch.ones(2, 4, 1)).shape) == (2, 3, 1), "d may be 1"
### END HIDDEN TESTS

# %% [markdown]
# ---
# ## 26 · A picture that says who is who
#
# Difficulty ●●○○○ · Importance ●●●○○ · 15 minutes
#
# No tensor of a transformer is looked at as often as an attention pattern, and read in the wrong
# direction it says the opposite. So write the picture once, and right: rows are **queries** (who
# looks), the first one at the **top**; columns are **keys** (who is looked at).
#
# Write `attention_heatmap(pattern, tokens)`: `pattern` `[q k]` with q = k, `tokens` a list of as
# many texts. Return a `go.Figure` with one `go.Heatmap` whose `z` is the pattern. Both axes have
# the ticks 0, 1, 2, … (`tickvals`) with the tokens as their texts (`ticktext`). The x axis has a
# title in which the word *key* occurs, the y axis one with *query*; the y axis is reversed
# (`autorange="reversed"`), so that the first query is at the top.
#
# Do **not** give the tokens to the heatmap as `x=` and `y=`: Plotly takes equal texts for one and
# the same place, and the second " the" of a sentence would disappear.
#
# <details><summary>Hint 1: the pieces</summary>
#
# `figure = go.Figure(go.Heatmap(z=…))`, then `figure.update_xaxes(title_text=…, tickvals=…,
# ticktext=…)`, and the same for y. `z` may be a nested list: `pattern.tolist()`.
# </details>
# <details><summary>Hint 2: the top</summary>
#
# Plotly's y axis goes up. `update_yaxes(autorange="reversed")` turns it round, so nothing in z has
# to be.
# </details>


# %% nbgrader={"grade": false, "grade_id": "attention_heatmap", "locked": false, "schema_version": 3, "solution": true, "task": false}
def attention_heatmap(pattern: torch.Tensor, tokens: list[str]) -> go.Figure:
    """A heatmap of an attention pattern [q k]: queries downwards, keys to the right."""
    ### BEGIN SOLUTION
    figure = go.Figure(go.Heatmap(z=pattern.tolist()))
    ticks = {"tickvals": [*range(len(tokens))], "ticktext": tokens}
    figure.update_xaxes(title_text="key: who is looked at", **ticks)
    figure.update_yaxes(title_text="query: who looks", autorange="reversed", **ticks)
    return figure
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "attention_heatmap_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
def check_heatmap(got, pattern, tokens, what):
    """`got` is a figure that shows the pattern as the exercise asks, judged as data."""
    assert type(got) is go.Figure, f"{what}: a go.Figure is asked for, not {type(got).__name__}"
    assert len(got.data) == 1 and got.data[0].type == "heatmap", (
        f"{what}: one go.Heatmap is asked for"
    )
    z = torch.tensor([[float(number) for number in row] for row in got.data[0].z])
    slips = {
        "The pattern is turned over: rows are queries, columns are keys.": pattern.T,
        "The rows are upside down: reverse the axis, not the pattern.": pattern.flip(0),
    }
    checks.check_close(z, pattern.float(), f"{what}: z", axes="query key", slips=slips)
    for axis, word in (("x", "key"), ("y", "query")):
        settings = got.layout[f"{axis}axis"]
        text = str(settings.title.text or "")
        other = {"key": "query", "query": "key"}[word]
        assert word in text.lower() and other not in text.lower(), (
            f"{what}: the title of the {axis} axis is {text!r}; the word {word!r} shall be in it"
        )
        assert settings.ticktext is not None and [str(t) for t in settings.ticktext] == tokens, (
            f"{what}: the tick texts (ticktext) of the {axis} axis are not the tokens"
        )
        assert settings.tickvals is not None, f"{what}: the {axis} axis has no tickvals"
        assert [float(n) for n in settings.tickvals] == list(range(len(tokens))), (
            f"{what}: the ticks (tickvals) of the {axis} axis are 0, 1, 2, …"
        )
        places = getattr(got.data[0], axis)
        assert places is None or [str(p) for p in places] == [str(i) for i in range(len(tokens))], (
            f"{what}: texts as {axis}= of the heatmap: equal tokens become one place"
        )
    assert got.layout.yaxis.autorange == "reversed", (
        f"{what}: the first query is to be at the top: autorange='reversed' for the y axis"
    )
    assert got.layout.xaxis.autorange != "reversed", f"{what}: the x axis is not reversed"


pattern = torch.tensor([[1.0, 0.0, 0.0], [0.25, 0.75, 0.0], [0.5, 0.125, 0.375]])
got, kept = call_keeping(attention_heatmap, pattern, [" the", " cat", " the"])
check_heatmap(got, pattern, [" the", " cat", " the"], "attention_heatmap")
assert torch.equal(kept[0], pattern), "attention_heatmap: the pattern was changed"

# %% nbgrader={"grade": true, "grade_id": "attention_heatmap_test_2", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: patterns of other sizes, tokens that are equal, numbers or brackets, both dtypes.
### BEGIN HIDDEN TESTS
seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)
for tokens, dtype in (
    (list("abcde"), torch.float32),
    (["1", "1", "0"], torch.float64),
    ([" (", " )", " (", " )"], torch.float32),
    (["x"], torch.float64),
):
    n = len(tokens)
    pattern = torch.rand(n, n, generator=g, dtype=dtype).tril()
    pattern = pattern / pattern.sum(-1, keepdim=True)
    got, kept = call_keeping(attention_heatmap, pattern, tokens)
    check_heatmap(got, pattern, tokens, f"attention_heatmap of {n} tokens [seed {seed}]")
    assert torch.equal(kept[0], pattern) and kept[1] == tokens, (
        "attention_heatmap: an argument was changed"
    )
### END HIDDEN TESTS

# %% [markdown]
# Your functions in a row: random queries and keys, split into heads, attended; and the pattern of
# one head. (Ours, with a colour scale that is the same in all pictures, is
# `plots.attention_heatmap`.)

# %%
heads_shown = torch.Generator().manual_seed(0)
sentence = ["⊢", " When", " Mary", " and", " John", " met", ",", " John"]
q_shown, k_shown = (split_heads(torch.randn(1, 8, 12, generator=heads_shown), 3) for _ in range(2))
print("merged again:", tuple(merge_heads(attend(q_shown, k_shown, k_shown)).shape))
head_scores = einops.einsum(q_shown, k_shown, "b q h e, b k h e -> b h q k")[0, 1]
ahead = torch.ones(8, 8, dtype=torch.bool).triu(1)
attention_heatmap(head_scores.masked_fill(ahead, -torch.inf).softmax(-1), sentence).update_layout(
    height=420, paper_bgcolor="#fffffe", plot_bgcolor="rgba(0,0,0,0)", font_color=plots.INK
)

# %% [markdown]
# ---
# ## Everything at once: a model that learns by your functions alone
#
# The language of exercise 11 again. The model is a table `[4 4]`: one row of logits for each token,
# all zeros at first. In each step it sees 64 pairs of neighbours. Your `softmax_ce_back` says how
# its logits are to change, and your `adam_step` changes them. Autograd is switched off. Where will
# the loss end: at zero, at the entropy rate, or above?

# %%
with torch.no_grad():
    table, m_table, v_table = torch.zeros(4, 4), torch.zeros(4, 4), torch.zeros(4, 4)
    batches_drawn = torch.Generator().manual_seed(5)
    shown_losses = []
    for step_number in range(1, 241):
        firsts = torch.randint(0, len(chain_text) - 1, (64,), generator=batches_drawn)
        seen_tokens, next_tokens = chain_text[firsts], chain_text[firsts + 1]
        logit_grads = softmax_ce_back(table[seen_tokens], next_tokens)  # [64 4]
        table_grads = torch.zeros(4, 4).index_add(0, seen_tokens, logit_grads)  # copies are summed
        table, m_table, v_table = adam_step(
            table, table_grads, m_table, v_table, step_number, 0.05, (0.9, 0.95), 1e-8, 0.0
        )
        if step_number % 6 == 0:
            held_text = chain_text[None, :2000]
            shown_losses.append(float(cross_entropy(table[held_text], held_text).mean()))
plots.curves(
    range(6, 241, 6),
    {"loss of the model": shown_losses},
    x_title="step",
    y_title="nats a token",
    levels={"knows nothing": math.log(4), "entropy rate": entropy_rate},
    title="Trained by your own gradient and your own Adam",
)

# %% [markdown]
# It stops at the entropy rate: what is left is not the model's ignorance, but the language's own
# freedom. (In exercise 9's words: KL goes to 0, the entropy stays.) A real transformer is trained
# by exactly this, with more rules like those of exercises 15 to 19.

# %%
print("p(next | a) learnt:", [round(share, 2) for share in table[0].softmax(-1).tolist()])
print("the language's own:", [round(share, 2) for share in transitions[0].tolist()])

# %% [markdown]
# ---
# ## 27 · In your own words
#
# Importance ●●●●○ · 15 minutes · read and marked by a person
#
# Answer in six to ten sentences. You may point to pictures of this notebook.
#
# 1. Two models have the same cross-entropy of 3.1 nats on a text. A colleague concludes that they
#    make the same predictions. What would you compute to find out, and in which direction?
# 2. A model's loss on a language of known entropy rate stays 0.2 nats above it, however long it is
#    trained. Name two possible reasons, and an experiment that tells them apart.

# %% [markdown] nbgrader={"grade": true, "grade_id": "loss_and_divergence", "locked": false, "points": 4, "schema_version": 3, "solution": true, "task": false}
# ### BEGIN SOLUTION
# Two points for each part.
#
# 1. Equal averages say nothing of single predictions: one may pay at names, the other at verbs.
#    Compare position by position: the KL divergence of the two models' next-token distributions,
#    averaged over the text. It is not symmetric: KL(first ‖ second) is what one loses who expects
#    the second where the first is right. Whoever has no reason to trust one more takes both
#    directions (or the symmetric Jensen–Shannon divergence), and says so. The losses at each
#    position, side by side, also get a point.
# 2. The gap is the KL divergence from the language to the model. It cannot represent the language
#    (a bigram model of a language that needs two tokens back): then the training loss stays too,
#    and a larger or different model closes the gap. Or it is not trained well (learning rate, a
#    plateau, weight decay): then the same model reaches less with another optimiser or start. Or it
#    has seen too little: then the loss on the training text is lower than on new text, and more
#    text closes the gap. Any two of these, each with an experiment that would show it.
# ### END SOLUTION

# %% [markdown]
# ---
# Sampling, entropy, cross-entropy, gradients, optimisers, the backward pass: that is what stands
# behind the word *trained*. In 03 you build the transformer that is trained with it.
#
# Every word of the field in bold is in the glossary: run `from course import glossary`, then
# `glossary("entropy")` for one or `glossary()` for all.
#
# | here | in papers this is called |
# | --- | --- |
# | dart, stick | uniform sample, cumulative distribution function (inverse transform sampling) |
# | price of a guess | cross-entropy, negative log-likelihood |
# | what was said minus what came | softmax cross-entropy gradient, p − y |
# | tape | Wengert list, autograd graph |
#
# **Sources.** Shannon, *A Mathematical Theory of Communication* (1948). Kullback and Leibler, *On
# Information and Sufficiency* (1951). Efron, *Bootstrap Methods: Another Look at the Jackknife*
# (1979). Chan, Golub and LeVeque, *Updating Formulae and a Pairwise Algorithm for Computing Sample
# Variances* (1979). Rumelhart, Hinton and Williams, *Learning representations by back-propagating
# errors* (1986). Kingma and Ba, [*Adam*](https://arxiv.org/abs/1412.6980) (2014). Loshchilov and
# Hutter, [*Decoupled Weight Decay Regularization*](https://arxiv.org/abs/1711.05101) (2019). Tools:
# [einops](https://einops.rocks), [jaxtyping](https://docs.kidger.site/jaxtyping/).
