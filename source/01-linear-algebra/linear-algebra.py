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
# # Linear algebra: the moves that a transformer is made of
#
# Run the next cell (**Shift+Enter**). It draws one grid four times: as it is, and as three matrices
# move it. Find the shaded square and the arrow in each panel.

# %%
import json
import math
import secrets

import torch

from course import checks, plots
from course.calls import call_keeping, cost
from course.models import folder_of, weights

plots.moved_grids(
    {
        "as it is": torch.tensor([[1.0, 0.0], [0.0, 1.0]]),
        "turned": torch.tensor([[0.8, 0.6], [-0.6, 0.8]]),
        "sheared": torch.tensor([[1.0, 0.0], [0.8, 1.0]]),
        "flattened": torch.tensor([[0.8, 0.4], [0.8, 0.4]]),
    },
    arrows={"x": [1.0, 0.5]},
    title="What a matrix does: it moves every point of the plane at once",
)

# %% [markdown]
# Straight lines stay straight, parallel lines stay parallel, and the middle stays where it is. Such
# a map is called **linear**. The last map loses something. It squashes the plane to a line, and
# nobody can tell afterwards where a point came from.
#
# Most of what a transformer does to a vector are moves like these, in 64 or 12,288 dimensions
# instead of two. At the end you read from four matrices of a trained model, without running it,
# which head copies and which head looks one place back.
#
# **Vectors are rows** here, as in all of this course: the matrix `W` `[n m]` takes the vector `x`
# `[n]` to `x @ W` `[m]`. (Many books write columns, and `W x`. Turn their formulas round.)
#
# **For all exercises**: keep the dtype that you are given (float32 or float64), leave the arguments
# as they are, and take any sizes. Unless an exercise says otherwise, no Python loop is needed.

# %% [markdown]
# ---
# ## 1 · A map is what it does to the axes
#
# Difficulty ●○○○○ · Importance ●●●●○ · 10 minutes
#
# In two dimensions, a map takes the first axis `[1, 0]` to `[3, 1]` and the second axis `[0, 1]` to
# `[0, 2]`. Where does it take `[10, 1]`? That vector is 10 steps along the first axis and 1 step
# along the second, so it goes to 10 times `[3, 1]` and 1 time `[0, 2]`: to `[30, 12]`. That is what
# linear means in a formula: `f(10 a + b) = 10 f(a) + f(b)`. Who knows where the axes go knows
# everything, and a **matrix** is the list of these places, one a row.
#
# The vectors `[1, 0, 0, …]`, `[0, 1, 0, …]`, … are the **standard basis**, e₁, e₂, … A head, a
# gradient, a whole layer may be given to you as a function and still be linear. Then you can find
# its matrix from outside.
#
# Write `matrix_of(f, n)`. `f` is a linear function; it takes **one** float32 vector `[n]` and
# returns a vector `[m]` (you are not told `m`). Return the matrix `W` `[n m]` with `f(x) = x @ W`.
# Call `f` exactly `n` times. A loop over the `n` calls is right here.
#
# <details><summary>Hint 1: what to ask</summary>
#
# `torch.eye(n)` has the standard basis as its rows. What is e₁ @ W, in words?
# </details>
# <details><summary>Hint 2: put together</summary>
#
# It is the first row of W. `torch.stack` makes a matrix of a list of vectors, one row a vector.
# </details>


# %% nbgrader={"grade": false, "grade_id": "matrix_of", "locked": false, "schema_version": 3, "solution": true, "task": false}
def matrix_of(f, n: int) -> torch.Tensor:
    """The matrix W [n m] of a linear function f from vectors [n] to vectors [m]: f(x) = x @ W."""
    ### BEGIN SOLUTION
    return torch.stack([f(e) for e in torch.eye(n)])
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "matrix_of_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
asked = []


def example(x):
    """[a, b] goes to [3a, a + 2b, b]."""
    asked.append(tuple(x.shape))
    return torch.stack([3 * x[0], x[0] + 2 * x[1], x[1]]).float()


got = matrix_of(example, 2)
checks.check_tensor(got, "matrix_of(example, 2)", dtype=torch.float32)
assert asked and all(shape == (2,) for shape in asked), (
    f"f takes one vector [n] a call; it was called with shapes {sorted(set(asked))}"
)
assert tuple(got.shape) != (3, 2), (
    "the shape is [m n]: a place that an axis goes to is a row, not a column"
)
checks.check_shape(got, (2, 3), "matrix_of(example, 2)", axes="n m")
checks.check_close(got[0], torch.tensor([3.0, 1.0, 0.0]), "row 0, the place of the first axis")
checks.check_close(got[1], torch.tensor([0.0, 2.0, 1.0]), "row 1, the place of the second axis")
assert len(asked) == 2, f"f was called {len(asked)} times, not n = 2 times"

# %% nbgrader={"grade": true, "grade_id": "matrix_of_test_2", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: random maps between odd sizes, square ones and one that loses everything too.
### BEGIN HIDDEN TESTS
seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)
for n, m in ((3, 5), (6, 2), (4, 4), (1, 3), (5, 1)):
    want = torch.randn(n, m, generator=g) * (0.0 if (n, m) == (5, 1) else 30.0)
    asked = []

    def hidden_map(x, W=want, asked=asked):
        asked.append(tuple(x.shape))
        return torch.stack(
            [sum(x[i].float() * W[i, j] for i in range(W.shape[0])) for j in range(W.shape[1])]
        )

    got = matrix_of(hidden_map, n)
    what = f"matrix_of a random map from {n} to {m} dimensions, seed {seed}"
    checks.check_tensor(got, what, dtype=torch.float32)
    slips = {"Places of the axes are rows, not columns.": want.T.clone()}
    checks.check_close(got, want, what, axes="n m", atol=1e-4, slips=slips)
    assert len(asked) == n and set(asked) == {(n,)}, (
        f"{what}: f was called {len(asked)} times, with shapes {sorted(set(asked))}; ask it {n} times, "
        "with one vector each"
    )
### END HIDDEN TESTS

# %% [markdown]
# A map that is given as a recipe, and your matrix of it. Compare the tips of the two arrows on the
# right with the rows of the matrix.


# %%
def recipe(x):
    """Each coordinate takes something of the other."""
    return torch.stack([x[0] - 0.5 * x[1], x[1] + 0.5 * x[0]])


print(matrix_of(recipe, 2))
plots.moved_grids(
    {"before": torch.eye(2), "after": matrix_of(recipe, 2)},
    arrows={"e₁": [1.0, 0.0], "e₂": [0.0, 1.0]},
    title="The rows of a matrix are the places to which the axes go",
)

# %% [markdown]
# Now a real one. An attention head that looks at a position takes the vector `x` that stands there,
# and writes `x @ W_V @ W_O` somewhere else. Here is head 1 of layer 1 of a small trained
# transformer, as a function. Your `matrix_of` finds its matrix by asking it 64 times.

# %%
trained = weights("induction-2l2h-noln")  # a dict of tensors; no model is built or run
W_E, W_pos = trained["embed.weight"], trained["pos_embed.weight"]  # [65 64], [49 64]
W_U = trained["unembed.weight"].T  # [64 65]


def head_matrices(layer, head):
    """W_Q, W_K, W_V [64 32] and W_O [32 64] of one head (two heads of 32 lie side by side)."""
    part = slice(32 * head, 32 * head + 32)
    q, k, v, o = (trained[f"blocks.{layer}.attn.{name}.weight"] for name in "qkvo")
    return q[part].T, k[part].T, v[part].T, o[:, part].T


W_Q, W_K, W_V, W_O = head_matrices(1, 1)


def carry(x):
    """What head 1.1 writes when it looks at the vector x [64]."""
    return x @ W_V @ W_O


found = matrix_of(carry, 64)
print("largest difference to W_V @ W_O:", float((found - W_V @ W_O).abs().max()))

# %% [markdown]
# Two maps one after the other are one map, and its matrix is the product, in the order in which the
# vector passes: first `W_V`, then `W_O`. (In notebook 05 the product is called the head's OV
# circuit.)

# %% [markdown]
# ---
# ## 2 · The transpose carries readers back
#
# Difficulty ●●○○○ · Importance ●●●●● · 10 minutes
#
# A **dot product** reads one number off a vector: `x · u` multiplies entry by entry and sums, and
# says how far `x` goes along `u` (times the length of `u`). We call `u` a reader; the field says
# *read direction*, or linear functional. Now put a map before the reader: first `x @ W`, and *then*
# `· u`. An example with numbers:
#
# $$x = [x_1, x_2], \quad W = \begin{bmatrix} 3 & 1 & 0 \\ 0 & 2 & 1 \end{bmatrix}, \quad u = [1, 10, 100]$$
#
# `x @ W` is `[3x₁, x₁ + 2x₂, x₂]`, so the number read is
# `3x₁ + 10(x₁ + 2x₂) + 100x₂ = 13x₁ + 120x₂`. That is again a dot product with `x` itself:
# `x · [13, 120]`. The reader `[1, 10, 100]`, seen from *before* the map, is `[13, 120]`.
#
# You meet this all the time: "which direction before this layer raises the logit of *Paris*?" is a
# reader that is carried back through the layer. Backpropagation carries gradients back in just this
# way. (The map that carries readers back is the **adjoint**; its matrix is the **transpose**, in
# which rows and columns have changed places.)
#
# Write `pull_back(W, u)`. `W` is `[n m]`, `u` `[k m]` holds `k` readers, one a row. Return `v`
# `[k n]` such that for each reader and every `x`: `(x @ W) · u = x · v`.
#
# <details><summary>Hint 1: by hand</summary>
#
# How did 13 and 120 come about? 13 is the first row of W, times u entry by entry, summed.
# </details>
# <details><summary>Hint 2: as a product</summary>
#
# Each row of u shall meet each row of W. In a product `A @ B`, rows of A meet columns of B. What
# turns rows into columns?
# </details>


# %% nbgrader={"grade": false, "grade_id": "pull_back", "locked": false, "schema_version": 3, "solution": true, "task": false}
def pull_back(W: torch.Tensor, u: torch.Tensor) -> torch.Tensor:
    """Readers u [k m] behind the map W [n m], as readers [k n] before it."""
    ### BEGIN SOLUTION
    return u @ W.T
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "pull_back_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
example_map = torch.tensor([[3.0, 1.0, 0.0], [0.0, 2.0, 1.0]])
got = pull_back(example_map, torch.tensor([[1.0, 10.0, 100.0], [1.0, 0.0, 0.0]]))
checks.check_tensor(got, "pull_back", dtype=torch.float32)
checks.check_shape(got, (2, 2), "two readers, carried back to two dimensions", axes="k n")
checks.check_close(
    got, torch.tensor([[13.0, 120.0], [3.0, 0.0]]), "the example of the text", axes="k n"
)
square = torch.tensor([[1.0, 2.0], [0.0, 1.0]])
got = pull_back(square, torch.tensor([[3.0, 5.0]]))
slips = {
    "This is u @ W: it carries vectors forward, not readers back.": torch.tensor([[3.0, 11.0]]),
    "This undoes W. A reader is not undone, it is carried back.": torch.tensor([[3.0, -1.0]]),
}
checks.check_close(
    got, torch.tensor([[13.0, 5.0]]), "one reader, a square W", axes="k n", slips=slips
)
readers = torch.tensor([[-3.0, 1.0]], dtype=torch.float64)
got, kept = call_keeping(pull_back, square.double(), readers)
checks.check_tensor(got, "pull_back of float64", dtype=torch.float64)
checks.check_close(got, torch.tensor([[-1.0, 1.0]]), "a reader with a negative number", axes="k n")
assert torch.equal(kept[1], readers), "u was changed: make a new tensor instead"

# %% nbgrader={"grade": true, "grade_id": "pull_back_test_2", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: random maps and readers in both dtypes, read off with random vectors.
### BEGIN HIDDEN TESTS
seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)
for n, m, k, dtype in (
    (3, 5, 2, torch.float32),
    (4, 4, 4, torch.float32),
    (6, 2, 1, torch.float64),
    (5, 5, 3, torch.float64),
):
    W = torch.randn(n, m, generator=g, dtype=dtype)
    u = torch.randn(k, m, generator=g, dtype=dtype)
    want = torch.tensor(
        [
            [sum(a * b for a, b in zip(row, reader, strict=True)) for row in W.tolist()]
            for reader in u.tolist()
        ],
        dtype=dtype,
    )
    slips = {}
    if n == m:
        slips = {
            "This carries vectors forward, not readers back.": torch.matmul(u, W),
            "This undoes W. A reader is not undone, it is carried back.": torch.linalg.solve(
                W, u, left=False
            ),
        }
    got, kept = call_keeping(pull_back, W, u)
    what = f"pull_back of {k} readers through {n} → {m} dimensions, seed {seed}"
    checks.check_tensor(got, what, dtype=dtype)
    checks.check_close(got, want, what, axes="k n", slips=slips)
    assert torch.equal(kept[0], W) and torch.equal(kept[1], u), "the arguments were changed"
### END HIDDEN TESTS

# %% [markdown]
# ---
# ## 3 · The determinant: how areas grow
#
# Difficulty ●○○○○ · Importance ●●○○○ · 10 minutes
#
# Look at what becomes of the shaded square. The factor by which a map multiplies areas (volumes, in
# more dimensions) is its **determinant**. It is the same factor for every shape. A minus sign says
# that the plane was flipped over, like a sheet of paper; zero says that it was flattened. In the
# second panel below, a and b have changed sides: the plane was flipped.

# %%
plots.moved_grids(
    {
        "det 2": torch.tensor([[2.0, 0.0], [0.0, 1.0]]),
        "det −1": torch.tensor([[0.0, 1.0], [1.0, 0.0]]),
        "det −2: first one, then the other": torch.tensor([[0.0, 2.0], [1.0, 0.0]]),
    },
    arrows={"a": [1.0, 0.0], "b": [0.0, 1.0]},
    title="The determinant is the signed area of the shaded square",
)

# %% [markdown]
# Write `volume_factor(maps)`. `maps` is a list of square matrices `[n n]`, applied **one after the
# other**: the first one first. Return, as a Python `float`, the factor by which all of them
# together multiply volumes, sign included. An empty list moves nothing: the factor is 1.
#
# <details><summary>Hint 1: areas first</summary>
#
# One map makes each area 3 times as large, and the next makes it 5 times as large. What do they do
# together?
# </details>
# <details><summary>Hint 2: the function</summary>
#
# `torch.linalg.det` gives the determinant of one matrix as a tensor; `float(…)` makes a Python
# number of it. A loop over the list is fine.
# </details>


# %% nbgrader={"grade": false, "grade_id": "volume_factor", "locked": false, "schema_version": 3, "solution": true, "task": false}
def volume_factor(maps: list) -> float:
    """By what factor a chain of square matrices multiplies volumes, negative where it flips."""
    ### BEGIN SOLUTION
    factor = 1.0
    for W in maps:
        factor *= float(torch.linalg.det(W))
    return factor
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "volume_factor_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
wide, flip = torch.tensor([[3.0, 0.0], [1.0, 1.0]]), torch.tensor([[0.0, 5.0], [1.0, 0.0]])
for chain, dets, want in (
    ([wide], "3", 3.0),
    ([flip], "-5", -5.0),
    ([wide, flip], "3 and -5", -15.0),
    ([], "(none)", 1.0),
):
    got, kept = call_keeping(volume_factor, chain)
    assert type(got) is float, f"a Python float is asked for, not {type(got).__name__}"
    slips = {
        -want: "Keep the sign: it says that the plane is flipped.",
        -2.0: "Factors of maps one after the other are multiplied, not added.",
        0.0: "An empty list moves nothing, so volumes stay as they are.",
    }
    slip = next((text for value, text in slips.items() if abs(got - value) < 1e-4), "")
    assert abs(got - want) < 1e-4, (
        f"maps with the determinants {dets}: {got:.4g} is not the factor. {slip}"
    )
    assert len(kept[0]) == len(chain), "the list was changed"


# %% nbgrader={"grade": true, "grade_id": "volume_factor_test_2", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: random chains, against the determinant of the product by minors.
### BEGIN HIDDEN TESTS
def minors(rows):
    """The determinant of a list of lists by expansion along the first row."""
    if not rows:
        return 1.0
    rest = [[row[:j] + row[j + 1 :] for row in rows[1:]] for j in range(len(rows))]
    return sum((-1) ** j * rows[0][j] * minors(rest[j]) for j in range(len(rows)))


seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)
for n, count in ((2, 3), (3, 1), (3, 4), (4, 2), (5, 0), (1, 3)):
    chain = [torch.randn(n, n, generator=g, dtype=torch.float64) for _ in range(count)]
    want = 1.0
    for W in chain:
        want *= minors(W.tolist())
    got, kept = call_keeping(volume_factor, chain)
    assert type(got) is float, f"got {type(got).__name__}, a float is asked for"
    assert abs(got - want) < 1e-6 * max(1.0, abs(want)), (
        f"{count} random maps in {n} dimensions: {got:.4g} is not the factor [seed {seed}]"
    )
    assert len(kept[0]) == count and all(
        torch.equal(a, b) for a, b in zip(kept[0], chain, strict=True)
    ), "the list or a matrix in it was changed"
flat = torch.tensor([[1.0, 2.0], [2.0, 4.0]])
got = volume_factor([flat, torch.tensor([[3.0, 1.0], [0.0, 2.0]])])
assert abs(got) < 1e-4, f"a chain with a map that flattens has the factor 0, yours is {got:.4g}"
### END HIDDEN TESTS

# %% [markdown]
# ---
# ## 4 · Undo: backwards, and without an inverse
#
# Difficulty ●●●○○ · Importance ●●●○○ · 20 minutes
#
# In the morning you put on socks, then shoes. In the evening, the shoes come off **first**. Maps
# are undone in the same order: what `x @ A @ B` did is undone by taking off `B`, then `A`. The map
# that undoes `W` is its **inverse**; there is one exactly if the determinant is not zero.
#
# To *use* an inverse one does not compute it. `torch.linalg.solve` finds the `x` with `x @ W = y`
# directly, in less time, and much more precisely where `W` is nearly flat. How much more? Below,
# two rows of `W` are almost equal, so that one direction is squashed to almost nothing.

# %%
torch_numbers = torch.Generator().manual_seed(4)
nearly_flat = torch.randn(6, 6, generator=torch_numbers)
nearly_flat[0] = nearly_flat[1] + 1e-5 * nearly_flat[0]  # two rows are almost equal
start = torch.randn(1, 6, generator=torch_numbers)
end = start @ nearly_flat
by_solving = torch.linalg.solve(nearly_flat, end, left=False)  # left=False: x stands left of W
by_inverting = end @ torch.linalg.inv(nearly_flat)
for label, found_x in (("solve", by_solving), ("inverse", by_inverting)):
    print(f"{label:8} misses y by", float((found_x @ nearly_flat - end).abs().max()))

# %% [markdown]
# Write `undo(A, B, y)`: `A` and `B` are `[n n]` with inverses, `y` is `[k n]`. Return `x` `[k n]`
# with `x @ A @ B = y`. Solve; do not invert: the tests use nearly flat matrices, and insist that
# `x @ A @ B` comes as close to `y` as solving does.
#
# <details><summary>Hint 1: two steps</summary>
#
# Call the vectors between the maps z: first z = x @ A, then y = z @ B. Which of the two can you
# find first?
# </details>
# <details><summary>Hint 2: the function</summary>
#
# `torch.linalg.solve(W, y, left=False)` returns x with `x @ W = y`. It takes all rows of y at once.
# </details>


# %% nbgrader={"grade": false, "grade_id": "undo", "locked": false, "schema_version": 3, "solution": true, "task": false}
def undo(A: torch.Tensor, B: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """The rows x [k n] that the map A [n n] and then the map B [n n] take to y [k n]."""
    ### BEGIN SOLUTION
    z = torch.linalg.solve(B, y, left=False)  # [k n], between the maps
    return torch.linalg.solve(A, z, left=False)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "undo_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
first = torch.tensor([[1.0, 2.0], [0.0, 1.0]])
then = torch.tensor([[3.0, 0.0], [1.0, 1.0]])
y = torch.tensor([[4.0, 1.0], [9.0, 6.0], [3.0, 0.0]])  # x @ first @ then for the x below
x = torch.tensor([[1.0, -1.0], [1.0, 4.0], [1.0, -2.0]])
got = undo(first, then, y)
checks.check_tensor(got, "undo", dtype=torch.float32)
checks.check_shape(got, (3, 2), "undo of 3 vectors", axes="k n")
slips = {
    "The first map was taken off first: shoes before socks.": torch.linalg.solve(
        then, torch.linalg.solve(first, y, left=False), left=False
    ),
    "The maps were applied once more instead of undone.": y @ first @ then,
    "This solves A @ B @ x = y: x stands on the left here.": torch.linalg.solve(
        first @ then, y.T
    ).T,
}
checks.check_close(got, x, "undo of 3 vectors", axes="k n", slips=slips)
got = undo(nearly_flat, torch.eye(6), end)  # the map of the text, and then one that does nothing
checks.check_shape(got, (1, 6), "undo of the nearly flat map", axes="k n")
missed = float(torch.abs(torch.matmul(got, nearly_flat) - end).max())
assert missed < 1e-4, (
    f"undo of the nearly flat map of the text misses y by {missed:.1g}: solve, do not invert"
)

# %% nbgrader={"grade": true, "grade_id": "undo_test_2", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: random maps of other sizes, in both dtypes.
### BEGIN HIDDEN TESTS
seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)
for n, k, dtype in (
    (3, 5, torch.float32),
    (5, 2, torch.float64),
    (4, 4, torch.float64),
    (1, 2, torch.float32),
):
    A = torch.eye(n, dtype=dtype) + 0.4 * torch.randn(n, n, generator=g, dtype=dtype) / n**0.5
    B = 2 * torch.eye(n, dtype=dtype) + 0.7 * torch.randn(n, n, generator=g, dtype=dtype) / n**0.5
    want = torch.randn(k, n, generator=g, dtype=dtype)
    y = torch.einsum("ki,ij,jl->kl", want.double(), A.double(), B.double()).to(dtype)
    got, kept = call_keeping(undo, A, B, y)
    what = f"undo of {k} vectors in {n} dimensions, seed {seed}"
    checks.check_tensor(got, what, dtype=dtype)
    slips = {
        "The first map was taken off first: shoes before socks.": torch.linalg.solve(
            B, torch.linalg.solve(A, y, left=False), left=False
        )
    }
    checks.check_close(got, want, what, axes="k n", atol=1e-3, rtol=1e-3, slips=slips)
    assert all(torch.equal(a, b) for a, b in zip(kept, (A, B, y), strict=True)), (
        "the arguments were changed"
    )
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "undo_test_3", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Hidden: nearly flat maps, on which an inverse is not precise enough.
### BEGIN HIDDEN TESTS
seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)
missed = 0.0
for n in (5, 6, 7, 8, 7, 6):
    left, right = (
        torch.linalg.qr(torch.randn(n, n, generator=g, dtype=torch.float64)).Q for _ in range(2)
    )
    flat = ((left * torch.logspace(0, -5, n, dtype=torch.float64)) @ right).float()
    tame = torch.eye(n) + 0.2 * torch.randn(n, n, generator=g) / n**0.5
    for A, B in ((tame, flat), (flat, tame)):
        begun = torch.randn(3, n, generator=g)
        y = torch.einsum("ki,ij,jl->kl", begun.double(), A.double(), B.double()).float()
        got = undo(A, B, y)
        checks.check_shape(got, (3, n), f"undo of 3 vectors, seed {seed}", axes="k n")
        again = torch.einsum("ki,ij,jl->kl", got.double(), A.double(), B.double())
        missed = max(missed, float(torch.abs(again - y.double()).max()))
assert missed < 1e-5, (
    f"where a map is nearly flat, x @ A @ B misses y by {missed:.1g}; solving misses it by less than "
    f"0.00001. Was an inverse computed? [seed {seed}]"
)
### END HIDDEN TESTS

# %% [markdown]
# ---
# ## 5 · A basis is a choice
#
# Difficulty ●●●○○ · Importance ●●●●● · 20 minutes
#
# Two people describe one place. One says "3 east, 2 north". The other says "1 along the road, 2
# along the river". Same place, other numbers. The numbers belong to the place *and* to the choice
# of directions, the **basis**.
#
# Write the basis vectors as the **rows of a matrix** `B` `[n n]`. They need not have length 1 and
# need not be at right angles. The **coordinates** `c` in that basis mean: so much of the first row,
# so much of the second, … So they stand for the vector `c @ B`. With b₁ = `[1, 1]` and b₂ =
# `[1, -1]`, the coordinates `[3, 2]` stand for 3 b₁ + 2 b₂ = `[5, 1]`.
#
# A map has a matrix in each basis too. Here is one map twice. It doubles along one direction and
# leaves another as it is. In the usual axes that is hard to see; along its own two directions it is
# plain.

# %%
odd = torch.tensor([[1.5, 0.5], [0.5, 1.5]])
plots.moved_grids(
    {"before": torch.eye(2), "after": odd},
    arrows={"b₁": [1.0, 1.0], "b₂": [1.0, -1.0], "e₁": [1.0, 0.0]},
    title="b₁ is doubled, b₂ stays, and e₁ is turned to the side",
)

# %% [markdown]
# In the basis b₁, b₂ this map is `[[2, 0], [0, 1]]`: "twice the first coordinate, once the second".
# It is the same map as `[[1.5, 0.5], [0.5, 1.5]]`.
#
# Write `change_of_basis(W, B)`: for a map `W` `[n n]` (in the usual axes) and a basis `B` `[n n]`
# (rows), the matrix `M` `[n n]` of the same map in that basis. If `c` are the coordinates of `x`,
# then `c @ M` are the coordinates of `x @ W`.
#
# <details><summary>Hint 1: go round</summary>
#
# Start from coordinates c. Make them the vector they stand for, apply the map, and go back to
# coordinates. That is three matrices; write them in the order in which the signal passes.
# </details>
# <details><summary>Hint 2: the way back</summary>
#
# From coordinates to vectors it is `@ B`, so from vectors to coordinates it is undoing B. Exercise
# 4 says how one undoes without an inverse, but here `torch.linalg.inv(B)` is good enough.
# </details>


# %% nbgrader={"grade": false, "grade_id": "change_of_basis", "locked": false, "schema_version": 3, "solution": true, "task": false}
def change_of_basis(W: torch.Tensor, B: torch.Tensor) -> torch.Tensor:
    """The matrix [n n] of the map W [n n] in the basis that the rows of B [n n] are."""
    ### BEGIN SOLUTION
    return torch.linalg.solve(B, B @ W, left=False)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "change_of_basis_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
crooked, example_map = (
    torch.tensor([[1.0, 2.0], [0.0, 3.0]]),
    torch.tensor([[1.0, 0.0], [1.0, 2.0]]),
)
got, kept = call_keeping(change_of_basis, example_map, crooked)
checks.check_tensor(got, "change_of_basis", dtype=torch.float32)
checks.check_shape(got, (2, 2), "change_of_basis in 2 dimensions", axes="n n")
slips = {
    "This goes the other way, from the basis to the usual axes.": torch.tensor(
        [[1 / 3, -10 / 3], [1 / 3, 8 / 3]]
    ),
    "The transpose undoes only a basis of length 1 at right angles.": torch.tensor(
        [[11.0, 12.0], [15.0, 18.0]]
    ),
    "Basis vectors are the rows of B, not its columns.": torch.tensor([[1.0, 0.0], [3.0, 2.0]]),
}
# b₁ = [1, 2] goes to [3, 4], which is 3 b₁ − 2/3 b₂; and b₂ = [0, 3] goes to [3, 6], which is 3 b₁.
checks.check_close(got, torch.tensor([[3.0, -2 / 3], [3.0, 0.0]]), "a crooked basis", slips=slips)
got = change_of_basis(odd, torch.tensor([[1.0, 1.0], [1.0, -1.0]]))
checks.check_close(got, torch.tensor([[2.0, 0.0], [0.0, 1.0]]), "the map of the picture")
assert torch.equal(kept[1], crooked), "B was changed: make a new tensor instead"

# %% nbgrader={"grade": true, "grade_id": "change_of_basis_test_2", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: crooked random bases, judged by the coordinates of random vectors.
### BEGIN HIDDEN TESTS
seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)
for n, dtype in ((3, torch.float32), (5, torch.float64), (2, torch.float64), (6, torch.float32)):
    B = torch.eye(n, dtype=dtype) * 1.5 + torch.randn(n, n, generator=g, dtype=dtype) / n**0.5 / 2
    W = torch.randn(n, n, generator=g, dtype=dtype)
    coordinates = torch.randn(4, n, generator=g, dtype=torch.float64)
    vectors = torch.einsum("kc,cn->kn", coordinates, B.double())
    moved = torch.einsum("kn,nm->km", vectors, W.double())
    want = torch.linalg.solve(B.double().T, moved.T).T  # coordinates of the moved vectors
    slips = {
        "It goes the other way, from the basis to the usual axes.": torch.matmul(
            torch.linalg.solve(B, W), B
        ),
        "The transpose undoes only a basis of length 1 at right angles.": torch.einsum(
            "ab,bc,dc->ad", B, W, B
        ),
    }
    got, kept = call_keeping(change_of_basis, W, B)
    what = f"change_of_basis in {n} dimensions, seed {seed}"
    checks.check_tensor(got, what, dtype=dtype)
    checks.check_shape(got, (n, n), what, axes="n n")
    checks.check_no_slip(got, what, slips, rtol=1e-3)
    seen = torch.einsum("kc,cd->kd", coordinates, got.double())
    gap = float(torch.abs(seen - want).max())
    assert gap < 1e-3, f"{what}: coordinates of moved vectors are off by {gap:.2g}"
    assert torch.equal(kept[0], W) and torch.equal(kept[1], B), "the arguments were changed"
### END HIDDEN TESTS

# %% [markdown]
# Why this matters. In a transformer without LayerNorm you may turn the whole residual stream: write
# every vector of it in another basis, and change each matrix that reads or writes it accordingly.
# All predictions stay the same, up to rounding. So "coordinate 17 of the residual stream" is a fact
# about our choice of axes, not about the model. What does *not* depend on the choice is real. Here
# is what changes and what stays (the *trace* is the sum of the diagonal, exercise 11; the *rank* is
# explained in exercise 9):

# %%
head_map = W_V @ W_O  # of head 1.1, [64 64]
other_basis = torch.randn(64, 64, generator=torch.Generator().manual_seed(1))
in_other_basis = change_of_basis(head_map.double(), other_basis.double())
print("entry [0, 0]:", float(head_map[0, 0]), "→", float(in_other_basis[0, 0]))
print("trace       :", float(head_map.trace()), "→", float(in_other_basis.trace()))
print(
    "rank        :",
    int(torch.linalg.matrix_rank(head_map)),
    "→",
    int(torch.linalg.matrix_rank(in_other_basis, rtol=1e-6)),
)

# %% [markdown]
# ---
# ## 6 · Which vectors point the same way?
#
# Difficulty ●●○○○ · Importance ●●●●○ · 15 minutes
#
# The dot product of two vectors grows with their lengths. Divide by both lengths, and only the
# angle is left: the **cosine similarity**. 1: same direction, 0: at right angles, −1: opposite.
# `[3, 0]` and `[5, 5]` have the dot product 15, the lengths 3 and 7.07, and the cosine 0.707.
#
# In many dimensions two random vectors are almost at right angles (a typical cosine is ±1/√n, which
# is 0.09 for n = 128). So a cosine of 0.5 in 128 dimensions means a lot. That is how one finds
# tokens, neurons or features that belong together.
#
# Write `cosine_matrix(X, Y)`: `X` `[n d]` and `Y` `[m d]` hold one vector a row. Return `[n m]`:
# the cosine of every row of `X` with every row of `Y`. A row of zeros has no direction: its cosines
# shall be **0**, and not NaN. A row that is merely short (of length 0.000001, say) has one, and its
# cosines are exact. No Python loops: the tests count torch's operations.
#
# <details><summary>Hint 1: all dot products at once</summary>
#
# `X @ Y.T` is `[n m]`. What is left is to divide row i by the length of X's row i, and column j by
# that of Y's row j.
# </details>
# <details><summary>Hint 2: lengths that broadcast</summary>
#
# `X.norm(dim=-1, keepdim=True)` is `[n 1]`: dividing `X` by it gives rows of length 1. Then no
# second division is needed.
# </details>
# <details><summary>Hint 3: zeros</summary>
#
# 0 / 0 is NaN, but 0 / (a tiny number) is 0. `.clamp(min=1e-20)` keeps a length from being 0 and
# changes no other.
# </details>


# %% nbgrader={"grade": false, "grade_id": "cosine_matrix", "locked": false, "schema_version": 3, "solution": true, "task": false}
def cosine_matrix(X: torch.Tensor, Y: torch.Tensor) -> torch.Tensor:
    """The cosine [n m] of each row of X [n d] with each row of Y [m d]; 0 for a row of zeros."""
    ### BEGIN SOLUTION
    x = X / X.norm(dim=-1, keepdim=True).clamp(min=1e-20)  # [n d]
    y = Y / Y.norm(dim=-1, keepdim=True).clamp(min=1e-20)  # [m d]
    return x @ y.T
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "cosine_matrix_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
X = torch.tensor([[3.0, 0.0], [0.0, -2.0], [0.0, 0.0]])
Y = torch.tensor([[5.0, 5.0], [-1.0, 0.0], [3e-6, 4e-6], [0.0, 7.0]])
got = cosine_matrix(X, Y)
checks.check_tensor(got, "cosine_matrix", dtype=torch.float32)
checks.check_shape(got, (3, 4), "cosine_matrix of 3 and 4 vectors", axes="n m")
root = 0.5**0.5
assert not bool(torch.isnan(got[2]).any()), (
    "a row of zeros shall have cosines of 0, not NaN (0 / 0)"
)
slips = {
    "These are dot products, not divided by the lengths.": X @ Y.T,
    "Only the lengths of Y are divided out, not those of X.": torch.tensor(
        [[3 * root, -3.0, 1.8, 0.0], [-2 * root, 0.0, -1.6, -2.0], 4 * [0.0]]
    ),
    "Only the lengths of X are divided out, not those of Y.": torch.tensor(
        [[5.0, -1.0, 3e-6, 0.0], [-5.0, 0.0, -4e-6, -7.0], 4 * [0.0]]
    ),
    "A cosine has a sign: opposite directions have −1.": torch.tensor(
        [[root, 1.0, 0.6, 0.0], [root, 0.0, 0.8, 1.0], 4 * [0.0]]
    ),
}
checks.check_close(
    got,
    torch.tensor([[root, -1.0, 0.6, 0.0], [-root, 0.0, -0.8, -1.0], [0.0, 0.0, 0.0, 0.0]]),
    "the cosines of the example",
    axes="n m",
    slips=slips,
)
kept = call_keeping(cosine_matrix, X, Y)[1]
assert torch.equal(kept[0], X) and torch.equal(kept[1], Y), "X or Y was changed"
spent = [cost(cosine_matrix, torch.ones(n, 2), Y).ops for n in (3, 3, 300)]
assert spent[1] == spent[2], (
    f"{spent[1]} operations for 3 vectors, {spent[2]} for 300: is there a loop over vectors?"
)

# %% nbgrader={"grade": true, "grade_id": "cosine_matrix_test_2", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: long, short and zero rows in both dtypes, against loops.
### BEGIN HIDDEN TESTS
seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)
for n, m, d, dtype in (
    (4, 6, 3, torch.float32),
    (7, 2, 5, torch.float64),
    (3, 3, 1, torch.float32),
):
    X = torch.randn(n, d, generator=g, dtype=dtype)
    Y = torch.randn(m, d, generator=g, dtype=dtype)
    X[0] *= 1e-6
    Y[1] *= 1e4
    X[1], Y[0] = 0.0, 0.0
    want = torch.zeros(n, m, dtype=dtype)
    for i, x in enumerate(X.tolist()):
        for j, y in enumerate(Y.tolist()):
            lengths = math.sqrt(sum(a * a for a in x)) * math.sqrt(sum(b * b for b in y))
            want[i, j] = sum(a * b for a, b in zip(x, y, strict=True)) / lengths if lengths else 0.0
    got, kept = call_keeping(cosine_matrix, X, Y)
    what = f"cosine_matrix of {n} and {m} vectors in {d} dimensions, seed {seed}"
    checks.check_tensor(got, what, dtype=dtype)
    checks.check_close(got, want, what, axes="n m", atol=1e-4)
    assert torch.equal(kept[0], X) and torch.equal(kept[1], Y), "the arguments were changed"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "cosine_matrix_test_3", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Hidden: as many operations for 1000 vectors as for 10.
### BEGIN HIDDEN TESTS
seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)
few, many, other = (torch.randn(n, 3, generator=g) for n in (10, 1000, 7))
cost(cosine_matrix, few, other)
small, large = cost(cosine_matrix, few, few), cost(cosine_matrix, many, many)
i, j = 993, 8
want = float(torch.dot(many[i], many[j])) / math.sqrt(
    float(torch.dot(many[i], many[i])) * float(torch.dot(many[j], many[j]))
)
checks.check_shape(large.result, (1000, 1000), "cosine_matrix of 1000 vectors", axes="n m")
assert abs(float(large.result[i, j]) - want) < 1e-4, (
    f"one cosine of 1000 × 1000 is wrong [seed {seed}]"
)
assert small.ops == large.ops, (
    f"{small.ops} operations for 10 vectors and {large.ops} for 1000: is there a loop over vectors?"
)
assert large.cpu < 3, f"1000 × 1000 cosines took {large.cpu:.1f} s of computing: is there a loop?"
### END HIDDEN TESTS

# %% [markdown]
# Here are embeddings of a small GPT-2: one vector of 128 numbers for each token. Nobody told the
# model which of these words belong together. Look for the blocks along the diagonal, and for the
# two short lines beside it: what do *France* and *Paris* have in common, and *France* and *Rome*
# not?

# %%
token_ids = json.loads((folder_of("tiny-gpt2") / "tokenizer.json").read_text())["model"]["vocab"]
words = ["Mary", "Anna", "Lucy", "John", "Paul", "David", "France", "Italy", "Spain"]
words += ["Paris", "Rome", "Madrid", "two", "three", "five", "red", "blue", "white"]
embedded = weights("tiny-gpt2")["wte.weight"][[token_ids["Ġ" + word] for word in words]]  # [18 128]
plots.matrix(
    cosine_matrix(embedded, embedded),
    axes=("token", "token"),
    unit="cosine",
    labels=(words, words),
    title="Which tokens does a trained model embed alike?",
)

# %% [markdown]
# ---
# ## 7 · The shadow on a line
#
# Difficulty ●●○○○ · Importance ●●●●○ · 10 minutes
#
# Split an arrow `x` into two: a part **along** a direction `v`, and a rest at right angles to it.
# The part along `v` is the **projection** of `x` on `v`, its shadow when the sun stands straight
# above the line.

# %%
plots.moved_grids(
    {"": torch.eye(2)},
    arrows={"x": [0.5, 1.75], "v": [2.0, 1.0], "along v": [1.1, 0.55], "rest": [-0.6, 1.2]},
    title="x = (part along v) + (rest at right angles to v)",
)

# %% [markdown]
# The length of `v` must not matter: a line is a line, whether you mark it with a long arrow or a
# short one. With `x = [3, 4]` and `v = [10, 0]` the part along `v` is `[3, 0]`.
#
# Interpretability is full of this: how much of the residual stream lies along the direction that a
# neuron reads; take that part away, and see what breaks (*ablating a direction*).
#
# Write `project(X, v)`: `X` `[k n]` holds vectors, `v` `[n]` is not zero. Return `[k n]`: the part
# of each row of `X` along `v`. No Python loops.
#
# <details><summary>Hint 1: how far</summary>
#
# All results are multiples of v: `a * v`, with a number a for each row. What remains, `x - a * v`,
# must have the dot product 0 with v. Solve for a.
# </details>
# <details><summary>Hint 2: the number</summary>
#
# a = (x · v) / (v · v). `X @ v` gives all x · v, as `[k]`. To multiply a row each, make it `[k 1]`.
# </details>


# %% nbgrader={"grade": false, "grade_id": "project", "locked": false, "schema_version": 3, "solution": true, "task": false}
def project(X: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    """The part of each row of X [k n] that lies along v [n]: [k n]."""
    ### BEGIN SOLUTION
    amounts = X @ v / (v @ v)  # [k]
    return amounts[:, None] * v
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "project_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
X, v = torch.tensor([[3.0, 4.0], [0.0, 5.0], [-1.0, 2.0]]), torch.tensor([4.0, 2.0])
got = project(X, v)
checks.check_tensor(got, "project", dtype=torch.float32)
checks.check_shape(got, (3, 2), "project of 3 vectors", axes="k n")
slips = {
    "The length of v matters in yours: divide by v · v.": torch.tensor(
        [[80.0, 40.0], [40.0, 20.0], [0.0, 0.0]]
    ),
    "Divided once by the length of v: v stands twice in the product.": torch.tensor(
        [[80.0, 40.0], [40.0, 20.0], [0.0, 0.0]]
    )
    / 20**0.5,
    "This is the rest at right angles; the part along v is asked for.": torch.tensor(
        [[-1.0, 2.0], [-2.0, 4.0], [-1.0, 2.0]]
    ),
}
checks.check_close(
    got, torch.tensor([[4.0, 2.0], [2.0, 1.0], [0.0, 0.0]]), "the example", axes="k n", slips=slips
)
got, kept = call_keeping(project, torch.tensor([[-3.0, 4.0]]), torch.tensor([0.001, 0.0]))
checks.check_close(
    got, torch.tensor([[-3.0, 0.0]]), "a vector that points away from a short v", axes="k n"
)
assert torch.equal(kept[1], torch.tensor([0.001, 0.0])), "v was changed: make a new tensor instead"
spent = [cost(project, torch.ones(k, 2), v).ops for k in (3, 3, 300)]
assert spent[1] == spent[2], (
    f"{spent[1]} operations for 3 vectors, {spent[2]} for 300: is there a loop over vectors?"
)

# %% nbgrader={"grade": true, "grade_id": "project_test_2", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: long and short directions; as many operations for 1000 rows as for 10.
### BEGIN HIDDEN TESTS
seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)
for k, n, scale, dtype in (
    (4, 3, 1.0, torch.float32),
    (2, 7, 1e-3, torch.float64),
    (5, 5, 30.0, torch.float32),
    (1, 2, 0.5, torch.float64),
):
    X = torch.randn(k, n, generator=g, dtype=dtype)
    v = scale * torch.randn(n, generator=g, dtype=dtype)
    along = v.tolist()
    square = sum(a * a for a in along)
    want = torch.tensor(
        [
            [sum(a * b for a, b in zip(x, along, strict=True)) / square * a for a in along]
            for x in X.tolist()
        ],
        dtype=dtype,
    )
    got, kept = call_keeping(project, X, v)
    what = f"project of {k} vectors in {n} dimensions, seed {seed}"
    checks.check_tensor(got, what, dtype=dtype)
    checks.check_close(got, want, what, axes="k n")
    assert torch.equal(kept[0], X) and torch.equal(kept[1], v), "the arguments were changed"
few, many, v = (torch.randn(*shape, generator=g) for shape in ((10, 3), (1000, 3), (3,)))
cost(project, few, v)
small, large = cost(project, few, v), cost(project, many, v)
assert small.ops == large.ops, (
    f"{small.ops} operations for 10 vectors and {large.ops} for 1000: is there a loop over vectors?"
)
### END HIDDEN TESTS

# %% [markdown]
# ---
# ## 8 · All that is left: the orthogonal complement
#
# Difficulty ●●●○○ · Importance ●●●○○ · 15 minutes
#
# Take a table top in a room. Every arrow on it is a mix of two arrows. What stands at right angles
# to all of them is one line, straight up. In a room of `n` dimensions, what is at right angles to
# `k` directions (none a mix of the others) has `n − k` dimensions: their **orthogonal complement**.
#
# Head 1.1 of our small transformer takes 32 numbers off a vector `[64]`, one for each column of
# `W_V`. Whatever the vector holds in the complement of these 32 directions can be changed at will:
# what the head carries away stays the same.
#
# Write `orthogonal_complement(V)`: `V` `[k n]` holds `k < n` directions as rows, none a mix of the
# others; they may have any length and need **not** be at right angles to one another. Return `C`
# `[n-k n]`, whose rows have length 1, are at right angles to each other and to every row of `V`.
# (There are many right answers. Any will do.)
#
# <details><summary>Hint 1: who knows it</summary>
#
# The SVD does: `U, S, Vh = torch.linalg.svd(V)`. `Vh` is `[n n]`, its rows have length 1 and are at
# right angles. The first k of them span the same space as the rows of V.
# </details>
# <details><summary>Hint 2: another way</summary>
#
# `torch.linalg.qr(V.T, mode="complete").Q` has columns instead of rows. Which of them are left
# over?
# </details>


# %% nbgrader={"grade": false, "grade_id": "orthogonal_complement", "locked": false, "schema_version": 3, "solution": true, "task": false}
def orthogonal_complement(V: torch.Tensor) -> torch.Tensor:
    """Rows [n-k n] of length 1, at right angles to each other and to all rows of V [k n]."""
    ### BEGIN SOLUTION
    Vh = torch.linalg.svd(V).Vh  # [n n]
    return Vh[len(V) :]
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "orthogonal_complement_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
for V in (
    torch.tensor([[3.0, 4.0, 0.0]]),
    torch.tensor([[1.0, 1.0, 0.0, 0.0], [2.0, 0.0, 0.0, 3.0]]),
):
    k, n = V.shape
    got = orthogonal_complement(V)
    what = f"orthogonal_complement of {k} direction(s) in {n} dimensions"
    checks.check_tensor(got, what, dtype=torch.float32)
    checks.check_shape(got, (n - k, n), what, axes="n-k n")
    lengths = torch.linalg.vector_norm(got, dim=-1)
    assert bool((torch.abs(lengths - 1) < 1e-4).all()), f"{what}: rows shall have length 1"
    gram = torch.matmul(got, torch.transpose(got, 0, 1))
    assert bool((torch.abs(gram - torch.eye(n - k)) < 1e-4).all()), (
        f"{what}: its rows are not at right angles to each other"
    )
    worst = float(torch.abs(torch.matmul(V, torch.transpose(got, 0, 1))).max())
    assert worst < 1e-4, (
        f"{what}: a row has the dot product {worst:.2g} with a row of V. Are they the rows that span V, "
        "or columns taken for rows?"
    )

# %% nbgrader={"grade": true, "grade_id": "orthogonal_complement_test_2", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: random directions of very different lengths, in both dtypes.
### BEGIN HIDDEN TESTS
seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)
for k, n, dtype in (
    (2, 5, torch.float32),
    (3, 4, torch.float64),
    (1, 6, torch.float64),
    (4, 9, torch.float32),
):
    V = torch.randn(k, n, generator=g, dtype=dtype)
    V = V + V[:1]  # far from right angles
    V[-1] *= 20
    got, kept = call_keeping(orthogonal_complement, V)
    what = f"orthogonal_complement of {k} direction(s) in {n} dimensions, seed {seed}"
    checks.check_tensor(got, what, dtype=dtype)
    checks.check_shape(got, (n - k, n), what, axes="n-k n")
    rows = [[float(a) for a in row] for row in got.tolist()]
    for i, row in enumerate(rows):
        for j, other in enumerate(rows):
            dot = sum(a * b for a, b in zip(row, other, strict=True))
            assert abs(dot - (i == j)) < 1e-3, (
                f"{what}: rows {i} and {j} have the dot product {dot:.3g} instead of {int(i == j)}"
            )
        for direction in V.tolist():
            size = math.sqrt(sum(a * a for a in direction))
            dot = sum(a * b for a, b in zip(row, direction, strict=True)) / size
            assert abs(dot) < 1e-3, (
                f"{what}: row {i} is not at right angles to a direction in V (cosine {dot:.3g})"
            )
    assert torch.equal(kept[0], V), "V was changed"
### END HIDDEN TESTS

# %% [markdown]
# The claim about the head, tried. We add a vector of length 100 to every embedding: first any
# vector, then one from the complement of what the head reads.

# %%
unseen = orthogonal_complement(W_V.T)  # [32 64]: at right angles to all that W_V reads
anything = 100 * torch.nn.functional.normalize(torch.ones(64), dim=0)
hidden_part = 100 * unseen[0]
for label, push in (("any vector", anything), ("one from the complement", hidden_part)):
    change = ((W_E + push) @ W_V @ W_O - W_E @ W_V @ W_O).abs().max()
    print(f"{label:24} changes what head 1.1 writes by at most {float(change):.5f}")

# %% [markdown]
# ---
# ## 9 · Rank: how many dimensions get through
#
# Difficulty ●●○○○ · Importance ●●●●● · 15 minutes
#
# The flattened grid of the first picture came from a `[2 2]` matrix, but only one dimension got
# through. The number of dimensions that get through is the **rank**. A head's `W_V @ W_O` is
# `[64 64]`, yet everything passes through 32 numbers in the middle. So its rank is at most 32,
# whatever it was trained on.
#
# How does one count, when numbers are rounded? Every matrix has **singular values**: the map's
# stretching factors along its own directions, the largest first (`torch.linalg.svdvals`; exercise
# 10 shows them). A direction that is lost has the factor 0. On a computer it has 0.0000004, and you
# must say what you call zero:

# %%
plots.curves(
    torch.arange(1, 65),
    {
        "W_V @ W_O of head 1.1": torch.linalg.svdvals(W_V @ W_O),
        "random numbers": torch.linalg.svdvals(
            torch.randn(64, 64, generator=torch.Generator().manual_seed(0)) / 4
        ),
    },
    x_title="number of the singular value",
    y_title="stretching factor",
    title="How much gets through a head, dimension by dimension",
)

# %% [markdown]
# What counts as zero must be said **relative to the largest** singular value. Otherwise the same
# map, written in other units (times 1000), would have another rank.
#
# Write `numerical_rank(W, tol)`: `W` is `[n m]`. Return, as a Python `int`, the number of singular
# values that are larger than `tol` times the largest one. A matrix of zeros has rank 0.
#
# <details><summary>Hint 1: count</summary>
#
# `torch.linalg.svdvals(W)` is sorted, the largest first. Compare it with one number, and count what
# is true.
# </details>
# <details><summary>Hint 2: zeros</summary>
#
# "Larger than", not "at least": then a matrix of zeros needs no case of its own.
# </details>


# %% nbgrader={"grade": false, "grade_id": "numerical_rank", "locked": false, "schema_version": 3, "solution": true, "task": false}
def numerical_rank(W: torch.Tensor, tol: float) -> int:
    """How many singular values of W [n m] are larger than tol times the largest of them."""
    ### BEGIN SOLUTION
    s = torch.linalg.svdvals(W)
    return int((s > tol * s[0]).sum())
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "numerical_rank_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
stretch = torch.diag(torch.tensor([8.0, -4.0, 0.5, 0.0]))[:, :3]  # singular values 8, 4, 0.5
for factor in (1.0, 1000.0, 0.001):
    for tol, want in ((0.01, 3), (0.1, 2), (0.7, 1)):
        got = numerical_rank(stretch * factor, tol)
        assert type(got) is int, f"an int is asked for, not {type(got).__name__}"
        slip = "" if factor == 1 else " Is tol relative to the largest one?"
        assert got == want, (
            f"singular values {8 * factor:g}, {4 * factor:g} and {0.5 * factor:g}, tol {tol}: the rank "
            f"is not {got}.{slip}"
        )
got = numerical_rank(torch.zeros(3, 2), 0.1)
assert got == 0, f"a matrix of zeros has rank 0, not {got}"
got = numerical_rank(torch.tensor([[1.0, 1.0], [1.0, 1.0]]), 0.1)
assert got == 1, f"two equal rows let one dimension through, not {got}"
got = numerical_rank(torch.tensor([[0.0, 2.0], [0.0, 0.0]]), 0.1)
assert got == 1, (
    f"[[0, 2], [0, 0]] has rank 1, not {got}. Are they singular values, or eigenvalues?"
)

# %% nbgrader={"grade": true, "grade_id": "numerical_rank_test_2", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: random maps with planted singular values, also where eigenvalues say something else.
### BEGIN HIDDEN TESTS
seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)
for n, m, dtype in (
    (5, 7, torch.float64),
    (6, 3, torch.float32),
    (4, 4, torch.float64),
    (9, 8, torch.float32),
):
    size = min(n, m)
    u, v = (torch.linalg.qr(torch.randn(d, d, generator=g, dtype=torch.float64)).Q for d in (n, m))
    planted = 2.0 ** -torch.arange(size, dtype=torch.float64)  # 1, 1/2, 1/4, …
    for unit in (1.0, 3000.0, 1e-4):
        W = (unit * (u[:, :size] * planted) @ v[:size]).to(dtype)
        for count in range(1, size + 1):
            tol = 0.7 * 0.5 ** (count - 1)  # between two planted values
            got, kept = call_keeping(numerical_rank, W, tol)
            assert type(got) is int, f"got {type(got).__name__}, an int is asked for"
            assert got == count, (
                f"{count} of {size} singular values are larger than {tol:.3g} times the largest, which is "
                f"{unit:g}; yours counts {got} [seed {seed}]"
            )
            assert torch.equal(kept[0], W), "W was changed"
shift = torch.diag(torch.ones(4), 1) * 3  # all eigenvalues are 0
got = numerical_rank(shift, 0.1)
assert got == 4, (
    f"a shift by one place loses one of 5 dimensions; yours says that {got} get through"
)
assert numerical_rank(torch.zeros(2, 5), 0.0) == 0, "a matrix of zeros has rank 0"
exact = torch.diag(torch.tensor([4.0, 2.0, 1.0]))
assert numerical_rank(exact, 0.5) == 1, (
    "2 is not larger than 0.5 times 4: such a value does not count"
)
### END HIDDEN TESTS

# %%
heads = [(0, 0), (0, 1), (1, 0), (1, 1)]
for tolerance in (1e-5, 1e-2, 1e-1):
    ranks = []
    for layer, head in heads:
        W_V_shown, W_O_shown = head_matrices(layer, head)[2:]
        ranks.append(numerical_rank(W_V_shown @ W_O_shown, tolerance))
    print(f"tol {tolerance:g}: heads 0.0, 0.1, 1.0 and 1.1 have the ranks {ranks}")

# %% [markdown]
# By the strict count all four heads have rank 32. By a coarser one they use what they have very
# differently, and head 1.1 lives on about half of it. A rank without its tolerance says little.

# %% [markdown]
# ---
# ## 10 · Turn, stretch, turn: the SVD
#
# Difficulty ●●●○○ · Importance ●●●●○ · 15 minutes
#
# Here is a fact that deserves a picture. **Every** matrix, however complicated, does three simple
# things one after the other: it turns, it stretches along the axes, and it turns again. (A "turn"
# may also flip.)


# %%
def turn(degrees):
    """The turn of the plane by so many degrees, for rows."""
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return torch.tensor([[c, s], [-s, c]])


first_turn, stretching, second_turn = turn(-35), torch.diag(torch.tensor([1.8, 0.5])), turn(70)
plots.moved_grids(
    {
        "before": torch.eye(2),
        "U: turned": first_turn,
        "U S: stretched": first_turn @ stretching,
        "U S Vh: turned again": first_turn @ stretching @ second_turn,
    },
    arrows={"1": first_turn[:, 0].tolist(), "2": first_turn[:, 1].tolist()},
    circle=True,
    title="One map in three steps: the circle becomes an ellipse",
)

# %% [markdown]
# This is the **singular value decomposition**, W = U S Vh. The map stretches its direction 1 most:
# by the first singular value, 1.8; and direction 2 least, by 0.5. Written as a sum,
#
# $$W = s_1 \, u_1 v_1^\top + s_2 \, u_2 v_2^\top + \dots$$
#
# each term reads one direction (a *column* of `U`) and writes one direction (a *row* of `Vh`). Keep
# only the `k` largest terms, and you have the matrix of rank `k` that is **closest** to W: the sum
# of the squares of all differences is the least there is (Eckart and Young, 1936). The root of that
# sum is the **Frobenius norm** of the difference.
#
# Write `svd_low_rank(W, k)`: `W` is `[n m]`, `k` from 0 to the smaller of n and m. Return the
# closest matrix `[n m]` of rank `k`.
#
# <details><summary>Hint 1: the pieces</summary>
#
# `U, S, Vh = torch.linalg.svd(W, full_matrices=False)`: U is `[n r]`, S is `[r]`, Vh is `[r m]`
# (already turned over: not V). The largest singular value comes first.
# </details>
# <details><summary>Hint 2: the first k</summary>
#
# Take k columns of U, k entries of S, k rows of Vh. `U * S` multiplies each column by its entry.
# </details>


# %% nbgrader={"grade": false, "grade_id": "svd_low_rank", "locked": false, "schema_version": 3, "solution": true, "task": false}
def svd_low_rank(W: torch.Tensor, k: int) -> torch.Tensor:
    """The matrix of rank k that is closest to W [n m]: [n m]."""
    ### BEGIN SOLUTION
    U, S, Vh = torch.linalg.svd(W, full_matrices=False)  # [n r], [r], [r m]
    return (U[:, :k] * S[:k]) @ Vh[:k]
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "svd_low_rank_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
W = torch.zeros(3, 4)
W[0, 1], W[1, 0], W[2, 3] = 3.0, 5.0, 2.0  # stretches by 5, by 3 and by 2
largest, smallest = torch.zeros(3, 4), torch.zeros(3, 4)
largest[1, 0], smallest[2, 3] = 5.0, 2.0
got, kept = call_keeping(svd_low_rank, W, 1)
checks.check_tensor(got, "svd_low_rank", dtype=torch.float32)
checks.check_shape(got, (3, 4), "svd_low_rank of a [3 4] matrix", axes="n m")
slips = {
    "The smallest term was kept, not the largest.": smallest,
    "The term is not multiplied by its singular value.": largest / 5,
    "What was to be left out was kept.": W - largest,
}
checks.check_close(got, largest, "the largest term of the example", axes="n m", slips=slips)
checks.check_close(svd_low_rank(W, 3), W, "with k = 3 nothing is lost: the result", axes="n m")
checks.check_close(svd_low_rank(W, 0), torch.zeros(3, 4), "with k = 0 the result", axes="n m")
general = torch.tensor([[1.0, 2.0], [3.0, 5.0]])
checks.check_close(
    svd_low_rank(general, 2),
    general,
    "all terms of a square matrix",
    hint="Is Vh taken for V, or U turned over?",
)
assert torch.equal(kept[0], W), "W was changed: make a new tensor instead"

# %% nbgrader={"grade": true, "grade_id": "svd_low_rank_test_2", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: random matrices, against projections on eigenvectors of W Wᵀ; and the error of Eckart and Young.
### BEGIN HIDDEN TESTS
seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)
for n, m, dtype in (
    (4, 6, torch.float64),
    (7, 3, torch.float32),
    (5, 5, torch.float64),
    (2, 9, torch.float32),
):
    u, v = (torch.linalg.qr(torch.randn(d, d, generator=g, dtype=torch.float64)).Q for d in (n, m))
    size = min(n, m)
    planted = 6.0 * 0.6 ** torch.arange(size, dtype=torch.float64)
    W = ((u[:, :size] * planted) @ v[:size]).to(dtype)
    vectors = torch.linalg.eigh(torch.einsum("im,jm->ij", W.double(), W.double())).eigenvectors
    for k in range(size + 1):
        kept_directions = vectors[:, n - k :]  # eigh sorts upwards
        want = (kept_directions @ (kept_directions.T @ W.double())).to(dtype)
        got, kept = call_keeping(svd_low_rank, W, k)
        what = f"svd_low_rank of a [{n} {m}] matrix with k = {k}, seed {seed}"
        checks.check_tensor(got, what, dtype=dtype)
        checks.check_close(got, want, what, axes="n m", atol=1e-4)
        error = float(torch.linalg.vector_norm(W.double() - got.double()))
        best = math.sqrt(sum(s * s for s in planted[k:].tolist()))
        assert abs(error - best) < 1e-3, (
            f"{what}: the distance to W is {error:.4g}, the least is {best:.4g}"
        )
        assert torch.equal(kept[0], W), "W was changed"
### END HIDDEN TESTS

# %% [markdown]
# How few terms describe a head? Here is what head 1.1 says when it looks at a symbol (its table
# from symbol to symbol, `W_E @ W_V @ W_O @ W_U`), first with 4 terms, then with 16.

# %%
says = W_E @ W_V @ W_O @ W_U  # [65 65]
for terms in (4, 16):
    plots.matrix(
        svd_low_rank(says, terms)[:24, :24],
        axes=("symbol that is looked at", "symbol that is said"),
        unit="logits",
        limit=float(says[:24, :24].abs().max()),
        title=f"What head 1.1 says, with {terms} of its 32 terms",
    ).show()
errors = [float((says - svd_low_rank(says, k)).norm() / says.norm()) for k in range(33)]
plots.curves(
    torch.arange(33),
    {"head 1.1": errors},
    x_title="terms kept",
    y_title="share that is missing",
    title="How much of the head's table is missing",
)

# %% [markdown]
# The diagonal is *say what you see*. Four terms show next to nothing of it, sixteen nearly all: the
# curve goes straight down, and then it is flat. So this head, whose rank is 32 by the strict count,
# works with 16 dimensions. Whoever says "this head is really low-rank" owes you such a curve. (*In
# the library:* `FactoredMatrix(A, B).svd()` of TransformerLens decomposes A @ B without making it.)

# %% [markdown]
# ---
# ## 11 · The trace goes round in circles
#
# Difficulty ●●○○○ · Importance ●●●○○ · 10 minutes
#
# The **trace** is the sum of the diagonal. In the table from symbol to symbol that you have just
# seen, it sums how strongly each symbol is answered by itself: a measure of copying. It does not
# depend on the basis (exercise 5). And it has one trick. Write out what it does to a product:
#
# $$\operatorname{tr}(AB) = \sum_i (AB)_{ii} = \sum_i \sum_j A_{ij} B_{ji}$$
#
# There is nothing in the last sum that knows which of the two came first. So tr(AB) = tr(BA), even
# where `AB` is 50,000 × 50,000 and `BA` is 64 × 64. (It is *not* tr(A) tr(B). And of three matrices
# one may only go round: tr(ABC) = tr(BCA) = tr(CAB).)
#
# Write `trace_of_product(A, B)`: `A` is `[n r]`, `B` is `[r n]`, `n` may be far larger than `r`.
# Return tr(AB) as a tensor of shape `()`, and make no matrix of `n` × `n` on the way: the tests
# look. No Python loops.
#
# <details><summary>Hint 1: read the formula</summary>
#
# The last sum multiplies entry [i j] of A by entry [j i] of B. What must be done to B so that these
# two stand at the same place?
# </details>
# <details><summary>Hint 2: two ways</summary>
#
# Either multiply entry by entry and sum everything; or use that the other product, B @ A, is small.
# </details>


# %% nbgrader={"grade": false, "grade_id": "trace_of_product", "locked": false, "schema_version": 3, "solution": true, "task": false}
def trace_of_product(A: torch.Tensor, B: torch.Tensor) -> torch.Tensor:
    """The trace of A @ B, for A [n r] and B [r n], without that product: shape ()."""
    ### BEGIN SOLUTION
    return (A * B.T).sum()
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "trace_of_product_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
A = torch.tensor([[1.0, 2.0], [0.0, 3.0], [4.0, 0.0]])
B = torch.tensor([[5.0, 0.0, 1.0], [2.0, 1.0, 7.0]])  # A @ B has the diagonal 9, 3, 4
got = trace_of_product(A, B)
checks.check_tensor(got, "trace_of_product", dtype=torch.float32)
checks.check_shape(got, (), "trace_of_product")
slips = {
    "The trace of a product is not the product of the traces.": torch.tensor(24.0),
    "All entries were summed, not those of the diagonal.": torch.tensor(80.0),
}
checks.check_close(got, torch.tensor(16.0), "9 + 3 + 4", slips=slips)
got = trace_of_product(A.double(), B.double())
checks.check_tensor(got, "trace_of_product of float64", dtype=torch.float64)
few, many = (cost(trace_of_product, torch.ones(n, 2), torch.ones(2, n)) for n in (500, 1000))
assert many.largest <= 10_000, f"with n = 1000 a tensor of {many.largest} entries was made"
assert abs(many.ops - few.ops) < 100, (
    f"{few.ops} operations with n = 500, {many.ops} with n = 1000: is there a loop over n?"
)

# %% nbgrader={"grade": true, "grade_id": "trace_of_product_test_2", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: random factors against a sum by hand.
### BEGIN HIDDEN TESTS
seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)
for n, r, dtype in (
    (5, 2, torch.float32),
    (3, 7, torch.float64),
    (4, 4, torch.float64),
    (6, 1, torch.float32),
):
    A = torch.randn(n, r, generator=g, dtype=dtype)
    B = torch.randn(r, n, generator=g, dtype=dtype)
    a, b = A.tolist(), B.tolist()
    want = torch.tensor(sum(a[i][j] * b[j][i] for i in range(n) for j in range(r)), dtype=dtype)
    got, kept = call_keeping(trace_of_product, A, B)
    what = f"trace_of_product of [{n} {r}] and [{r} {n}], seed {seed}"
    checks.check_tensor(got, what, dtype=dtype)
    checks.check_close(got, want, what, atol=1e-4)
    assert torch.equal(kept[0], A) and torch.equal(kept[1], B), "the arguments were changed"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "trace_of_product_test_3", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Hidden: what is made on the way, for n = 3000 and then n = 60,000.
### BEGIN HIDDEN TESTS
seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)
A, B = torch.randn(3000, 3, generator=g), torch.randn(3, 3000, generator=g)
want = sum(float((A[:, j].double() * B[j].double()).sum()) for j in range(3))
cost(trace_of_product, A[:10], B[:, :10])
small, large = cost(trace_of_product, A[:10], B[:, :10]), cost(trace_of_product, A, B)
checks.check_tensor(large.result, "trace_of_product with n = 3000")
assert abs(float(large.result) - want) < 1e-2, f"the trace with n = 3000 is wrong [seed {seed}]"
assert large.largest <= 100_000, f"with n = 3000 a tensor of {large.largest} entries was made"
assert small.ops == large.ops, (
    f"{small.ops} operations with n = 10 and {large.ops} with n = 3000: is there a loop?"
)
A, B = torch.ones(60_000, 2), torch.ones(2, 60_000)  # n × n of these would take 14 GB
got = trace_of_product(A, B)
checks.check_tensor(got, "trace_of_product with n = 60,000")
assert abs(float(got) - 120_000) < 1, "the trace with n = 60,000 is wrong"
### END HIDDEN TESTS

# %% [markdown]
# ---
# ## 12 · Eigenvectors stay on their line
#
# Difficulty ●●●○○ · Importance ●●●●○ · 15 minutes
#
# Most arrows are turned by a map. Some are only made longer or shorter, or reversed. These are its
# **eigenvectors**, and the factor is their **eigenvalue** λ: `x @ W = λ x`.

# %%
plots.moved_grids(
    {"before": torch.eye(2), "after": torch.tensor([[1.4, 0.6], [0.3, 1.1]])},
    arrows={"stays (× 1.7)": [1.0, 1.0], "stays (× 0.8)": [0.7, -1.4], "turns": [1.0, 0.0]},
    title="Two arrows keep their line; all others are turned",
)

# %% [markdown]
# An eigenvalue of a head's table from symbol to symbol says: there is a mix of symbols which the
# head, when it looks at that mix, answers with *the same mix*, times the eigenvalue. Large positive
# ones mean copying. Negative ones mean "anything but that". A pair of **complex** eigenvalues is a
# turn: no arrow keeps its line, and the mix comes back as another one.
#
# The table is `[65 65]` here and 50,257 × 50,257 in GPT-2. But it is a product of two thin factors,
# `A` `[n r]` and `B` `[r n]`, and the trick of exercise 11 goes further: **the eigenvalues of AB
# that are not zero are those of BA**, which is only `[r r]`. (If `x A B = λ x`, then with
# `y = x A`: `y B A = x A B A = λ y`.)
#
# Write `eigs_of_low_rank(A, B)`: `A` `[n r]`, `B` `[r n]` with `r ≤ n`. Return the `r` eigenvalues
# of `AB` that can differ from zero, as a complex tensor `[r]` in any order. Make no matrix of `n` ×
# `n`.
#
# <details><summary>Hint 1: which product</summary>
#
# Of the two products, one is `[n n]` and one is `[r r]`. Neither A nor B alone has eigenvalues:
# they are not square.
# </details>
# <details><summary>Hint 2: the function</summary>
#
# `torch.linalg.eigvals` takes a square matrix and returns complex numbers. (`eigvalsh` is for
# symmetric matrices only; on others it says something wrong without warning.)
# </details>


# %% nbgrader={"grade": false, "grade_id": "eigs_of_low_rank", "locked": false, "schema_version": 3, "solution": true, "task": false}
def eigs_of_low_rank(A: torch.Tensor, B: torch.Tensor) -> torch.Tensor:
    """The r eigenvalues of A @ B, for A [n r] and B [r n], that may differ from zero: complex [r]."""
    ### BEGIN SOLUTION
    return torch.linalg.eigvals(B @ A)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "eigs_of_low_rank_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
def power_sums(values, count):
    """Σ λ, Σ λ², … of complex numbers: equal lists of eigenvalues have equal sums, in any order."""
    numbers = [complex(value) for value in values.tolist()]
    return [sum(number**power for number in numbers) for power in range(1, count + 1)]


A = torch.tensor([[1.0, 0.0], [0.0, 1.0], [2.0, 1.0]])
B = torch.tensor([[2.0, 3.0, 0.0], [0.0, -1.0, 0.0]])  # the eigenvalues of A @ B are 2, -1 and 0
got = eigs_of_low_rank(A, B)
checks.check_tensor(got, "eigs_of_low_rank")
checks.check_shape(got, (2,), "eigs_of_low_rank with r = 2", axes="r")
assert got.dtype == torch.complex64, f"complex numbers are asked for, not {got.dtype}"
first, second = power_sums(got, 2)
assert abs(first - 1) < 1e-4, f"the eigenvalues 2 and -1 have the sum 1, yours {first.real:.3g}"
assert abs(second - 5) < 1e-4, (
    f"the squares of 2 and -1 have the sum 5, yours {second.real:.3g}: are they singular values, or "
    "eigenvalues of a symmetric part (eigvalsh)?"
)
A, B = (
    torch.tensor([[1.0, 0.0], [0.0, 1.0]]),
    torch.tensor([[0.0, 1.0], [-1.0, 0.0]]),
)  # a quarter turn
first, second = power_sums(eigs_of_low_rank(A, B), 2)
assert abs(first) < 1e-4 and abs(second + 2) < 1e-4, "a quarter turn has the eigenvalues i and −i"
spent = cost(eigs_of_low_rank, torch.ones(1000, 2), torch.ones(2, 1000))
assert spent.largest <= 10_000, f"with n = 1000 a tensor of {spent.largest} entries was made"

# %% nbgrader={"grade": true, "grade_id": "eigs_of_low_rank_test_2", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: random factors in both dtypes, against the traces of powers of A @ B.
### BEGIN HIDDEN TESTS
seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)
for n, r, dtype in (
    (7, 3, torch.float32),
    (9, 4, torch.float64),
    (5, 5, torch.float64),
    (6, 1, torch.float32),
    (4, 2, torch.float64),
):
    A = torch.randn(n, r, generator=g, dtype=dtype) / n**0.5
    B = torch.randn(r, n, generator=g, dtype=dtype)
    dense = torch.einsum("ir,rj->ij", A.double(), B.double())
    power, want = torch.eye(n, dtype=torch.float64), []
    for _ in range(r):
        power = torch.einsum("ij,jk->ik", power, dense)
        want.append(float(power.diagonal().sum()))
    got, kept = call_keeping(eigs_of_low_rank, A, B)
    what = f"eigs_of_low_rank of [{n} {r}] and [{r} {n}], seed {seed}"
    kind = torch.complex64 if dtype == torch.float32 else torch.complex128
    checks.check_tensor(got, what, dtype=kind)
    checks.check_shape(got, (r,), what, axes="r")
    numbers = [complex(value) for value in got.tolist()]
    for k, expected in enumerate(want, start=1):
        total = sum(number**k for number in numbers)
        assert abs(total - expected) < 1e-3 * max(1.0, sum(abs(z) ** k for z in numbers)), (
            f"{what}: the sum of the eigenvalues to the power {k} is wrong"
        )
    assert torch.equal(kept[0], A) and torch.equal(kept[1], B), "the arguments were changed"
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "eigs_of_low_rank_test_3", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# Hidden: n = 2000, of which no n × n matrix may be made.
### BEGIN HIDDEN TESTS
seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)
A, B = torch.randn(2000, 3, generator=g) / 50, torch.randn(3, 2000, generator=g)
want = sum(float((A[:, j].double() * B[j].double()).sum()) for j in range(3))
spent = cost(eigs_of_low_rank, A, B)
checks.check_shape(spent.result, (3,), "eigs_of_low_rank with n = 2000", axes="r")
total = sum(complex(value) for value in spent.result.tolist())
assert abs(total - want) < 1e-2, (
    f"with n = 2000 the sum of the eigenvalues is not the trace [seed {seed}]"
)
assert spent.largest <= 100_000, f"with n = 2000 a tensor of {spent.largest} entries was made"
### END HIDDEN TESTS

# %% [markdown]
# Now the picture. Each dot is an eigenvalue of a head's table from symbol to symbol. To the right
# of the upright line: copying. The crosses are a table of the same sizes, made of random numbers.

# %%
noise = torch.Generator().manual_seed(0)
random_eigenvalues = eigs_of_low_rank(
    torch.randn(65, 32, generator=noise), torch.randn(32, 65, generator=noise)
)
for layer, head in ((0, 1), (1, 1)):
    W_V_shown, W_O_shown = head_matrices(layer, head)[2:]
    eigenvalues = eigs_of_low_rank(W_E @ W_V_shown, W_O_shown @ W_U)
    plots.complex_plane(
        {
            f"head {layer}.{head}": eigenvalues / eigenvalues.abs().max(),
            "random numbers": random_eigenvalues / random_eigenvalues.abs().max(),
        },
        title=f"Does head {layer}.{head} copy? Eigenvalues, the largest made 1",
    ).show()

# %% [markdown]
# Head 1.1 copies, in all the dimensions that it uses: every eigenvalue that is not nearly zero lies
# far to the right. Head 0.1 looks much like random numbers here, so it does something else. One
# exercise is left. (*In the library:* `FactoredMatrix(A, B).eigenvalues`.)

# %% [markdown]
# ---
# ## 13 · Two vectors, one number: bilinear forms
#
# Difficulty ●●○○○ · Importance ●●●●● · 15 minutes
#
# How strongly a position looks at another is a number made of **two** vectors. The one that looks
# is turned into a **query**, `q = x @ W_Q`, the one that is looked at into a **key**,
# `k = y @ W_K`, and the score is their dot product `q · k`. As one formula:
#
# $$\text{score}(x, y) = (x W_Q) \cdot (y W_K) = x \; W_Q W_K^\top \; y^\top$$
#
# Hold `y` fixed, and it is linear in `x`; hold `x` fixed, and it is linear in `y`. Such a thing is
# a **bilinear form**. In the middle stands one matrix, `W_Q W_K^T`, of rank at most `d_head`. (Here
# the transpose does what it did in exercise 2: it carries the query, a reader of keys, back before
# `W_K`, and says what the head *looks for*.) A head's score is also divided by √d_head; here it is
# **not**.
#
# Write `bilinear(X, Y, W_Q, W_K)`: `X` `[q d]` looks, `Y` `[k d]` is looked at, `W_Q` and `W_K` are
# `[d e]`. Return the scores `[q k]`: row, who looks; column, at whom. No Python loops.
#
# <details><summary>Hint 1: queries and keys</summary>
#
# All queries at once are `X @ W_Q`, `[q e]`; all keys are `Y @ W_K`, `[k e]`.
# </details>
# <details><summary>Hint 2: every pair</summary>
#
# It is exercise 6 without the lengths: the dot products of all rows with all rows.
# </details>


# %% nbgrader={"grade": false, "grade_id": "bilinear", "locked": false, "schema_version": 3, "solution": true, "task": false}
def bilinear(
    X: torch.Tensor, Y: torch.Tensor, W_Q: torch.Tensor, W_K: torch.Tensor
) -> torch.Tensor:
    """Scores [q k] with which rows of X [q d] look at rows of Y [k d]; W_Q, W_K [d e]."""
    ### BEGIN SOLUTION
    return (X @ W_Q) @ (Y @ W_K).T
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "bilinear_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
X = torch.tensor([[1.0, 0.0], [0.0, 2.0], [1.0, 1.0]])
Y = torch.tensor([[1.0, 1.0], [0.0, 1.0]])
for_queries, for_keys = (
    torch.tensor([[1.0, 2.0], [0.0, 1.0]]),
    torch.tensor([[3.0, 0.0], [1.0, 1.0]]),
)
got = bilinear(X, Y, for_queries, for_keys)
checks.check_tensor(got, "bilinear", dtype=torch.float32)
checks.check_shape(got, (3, 2), "3 vectors that look at 2", axes="q k")
slips = {
    "W_K and W_Q are exchanged.": torch.tensor([[3.0, 0.0], [8.0, 2.0], [7.0, 1.0]]),
    "Keys are Y @ W_K; here W_K is turned over.": torch.tensor(
        [[7.0, 2.0], [4.0, 2.0], [9.0, 3.0]]
    ),
    "Do not divide by √d_head here.": torch.tensor([[6.0, 3.0], [2.0, 2.0], [7.0, 4.0]]) / 2**0.5,
}
checks.check_close(
    got,
    torch.tensor([[6.0, 3.0], [2.0, 2.0], [7.0, 4.0]]),
    "the scores of the example",
    axes="q k",
    slips=slips,
)
got = bilinear(X.double(), Y.double(), for_queries.double(), for_keys.double())
checks.check_tensor(got, "bilinear of float64", dtype=torch.float64)
spent = [cost(bilinear, torch.ones(q, 2), Y, for_queries, for_keys).ops for q in (3, 3, 300)]
assert spent[1] == spent[2], (
    f"{spent[1]} operations for 3 vectors, {spent[2]} for 300: is there a loop over vectors?"
)

# %% nbgrader={"grade": true, "grade_id": "bilinear_test_2", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# Hidden: random vectors and matrices, pair by pair; as many operations for 1000 as for 10.
### BEGIN HIDDEN TESTS
seed = secrets.randbelow(1_000_000)
g = torch.Generator().manual_seed(seed)
for q, k, d, e, dtype in (
    (3, 5, 4, 2, torch.float32),
    (2, 2, 6, 3, torch.float64),
    (4, 1, 3, 3, torch.float64),
    (5, 5, 2, 7, torch.float32),
):
    X, Y = (torch.randn(rows, d, generator=g, dtype=dtype) for rows in (q, k))
    asks, offers = (torch.randn(d, e, generator=g, dtype=dtype) for _ in range(2))
    want = torch.zeros(q, k, dtype=dtype)
    for i in range(q):
        for j in range(k):
            query = [sum(float(X[i, a]) * float(asks[a, c]) for a in range(d)) for c in range(e)]
            key = [sum(float(Y[j, a]) * float(offers[a, c]) for a in range(d)) for c in range(e)]
            want[i, j] = sum(a * b for a, b in zip(query, key, strict=True))
    got, kept = call_keeping(bilinear, X, Y, asks, offers)
    what = f"bilinear of {q} and {k} vectors, d {d}, e {e}, seed {seed}"
    checks.check_tensor(got, what, dtype=dtype)
    checks.check_close(got, want, what, axes="q k", atol=1e-4)
    assert all(torch.equal(a, b) for a, b in zip(kept, (X, Y, asks, offers), strict=True)), (
        "the arguments were changed"
    )
few, many = torch.randn(10, 4, generator=g), torch.randn(1000, 4, generator=g)
asks, offers = torch.randn(4, 2, generator=g), torch.randn(4, 2, generator=g)
cost(bilinear, few, few, asks, offers)
small, large = cost(bilinear, few, few, asks, offers), cost(bilinear, many, many, asks, offers)
assert small.ops == large.ops, (
    f"{small.ops} operations for 10 vectors and {large.ops} for 1000: is there a loop over vectors?"
)
### END HIDDEN TESTS

# %% [markdown]
# The last picture. `W_pos` holds one vector for each place in the text. Let every place look at
# every place, through the query and key matrices of head 0.1, and nothing else: no text, no run of
# the model. Four matrices are multiplied.

# %%
W_Q01, W_K01 = head_matrices(0, 1)[:2]
place_scores = bilinear(W_pos, W_pos, W_Q01, W_K01) / 32**0.5  # [49 49]
later = torch.ones(49, 49, dtype=torch.bool).triu(1)  # nobody looks ahead
plots.attention_heatmap(
    place_scores.masked_fill(later, -torch.inf).softmax(-1),
    title="Where head 0.1 looks, read off its weights",
)

# %% [markdown]
# A stripe just below the diagonal: at nearly every place, the head looks at the place before.
# (Where it is blurred, training cared less.) You have found a **previous-token head** by linear
# algebra alone, and head 1.1 is one that copies. Together they can make an *induction head*, the
# machine that notebook 05 takes apart and notebook 06 tests. This small model was trained on text
# that repeats, so that such heads form; how common they are elsewhere is a question for notebook
# 06.

# %% [markdown]
# ---
# ## 14 · In your own words
#
# Importance ●●●●○ · 15 minutes · read and marked by a person
#
# Answer in six to ten sentences. You may point to pictures of this notebook.
#
# 1. A colleague says: "Coordinate 17 of the residual stream encodes the subject of the sentence."
#    Another says: "The OV matrix of this head has rank 32." Which of the two statements depends on
#    the choice of a basis, and which does not? Why?
# 2. Two vectors differ, and yet a head writes exactly the same for both. How can that be? Use the
#    word *rank*.

# %% [markdown] nbgrader={"grade": true, "grade_id": "basis_and_rank", "locked": false, "points": 4, "schema_version": 3, "solution": true, "task": false}
# ### BEGIN SOLUTION
# Two points for each part.
#
# 1. The first depends on it: in another basis (exercise 5) the same vectors have other coordinates,
#    and the model computes the same, so nothing singles coordinate 17 out; a *direction* could
#    carry the claim. (Who adds that LayerNorm, or the optimiser, may leave traces of a basis knows
#    more than was asked.) The rank does not: it counts the dimensions that get through the map, and
#    a change of basis neither adds nor removes one. It depends on a tolerance, though.
# 2. The head's map x @ W_V @ W_O has a rank (32) smaller than the number of dimensions (64), so a
#    space of 32 dimensions is lost: the orthogonal complement of what W_V reads. If the difference
#    of the two vectors lies in it, it is mapped to zero, and by linearity both give the same.
# ### END SOLUTION

# %% [markdown]
# ---
# Bases, readers, ranks, singular values, eigenvalues, forms: that is the linear algebra of this
# course. In 02 come probability and the calculus behind training; in 05 you use what you wrote here
# on whole circuits.
#
# Every word of the field in bold is in the glossary: run `from course import glossary`, then
# `glossary("rank")` for one or `glossary()` for all.
#
# **Sources.** Eckart and Young, *The approximation of one matrix by another of lower rank* (1936).
# Eigenvalues as a measure of copying, and heads as products of matrices: Elhage et al., [*A
# Mathematical Framework for Transformer
# Circuits*](https://transformer-circuits.pub/2021/framework/index.html) (2021). For more room:
# Axler, *Linear Algebra Done Right*; Trefethen and Bau, *Numerical Linear Algebra*.
