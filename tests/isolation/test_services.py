"""Each service of `course.calls`, and each kind of value, means the same in both modes."""

import pytest

from tests.isolation.notebooks import (
    answered,
    failed,
    failures,
    notebook,
    run_in_kernel,
    run_isolated,
)

pytestmark = pytest.mark.kernel

GIVEN = """
import itertools
import torch
import plotly.graph_objects as go
from types import SimpleNamespace
from course.checks import check_rules
from course.calls import (
    as_hook, call_keeping, cost, live, obj, plain, raises, read_file, seed, set_params, state, take,
    theirs, vjp,
)

class Value:
    def __init__(self, data, parents=()):
        self.data, self.parents, self.grad = data, parents, 0.0
    def __mul__(self, other):
        return Value(self.data * other.data, (self, other))

def double(x):
    return 2 * x
"""

# Each exercise: the reference, a wrong answer, the test.
EXERCISES = {
    "the input survives": (
        "def center(x):\n    return x - x.mean()",
        "def center(x):\n    x -= x.mean()\n    return x",
        """
x = torch.rand(5)
got, (after,) = call_keeping(center, x)
assert torch.allclose(got, x - x.mean())
assert torch.equal(after, x), "the input was changed"
""",
    ),
    "an exception that the student defines": (
        "class Bad(ValueError): pass\n"
        "def accept(n):\n    if n < 0:\n        raise Bad(f'{n} < 0')\n    return n",
        "class Bad(ValueError): pass\n"
        "def accept(n):\n    if n < 0:\n        raise KeyError(n)\n    return n",
        """
assert accept(2) == 2
assert raises("Bad", accept, -1) == "-1 < 0"
assert raises(ValueError, accept, -1) == "-1 < 0"
""",
    ),
    "a lazy generator": (
        "def pairs(seq):\n    last = next(seq)\n"
        "    for item in seq:\n        yield last, item\n        last = item",
        "def pairs(seq):\n    seen = list(itertools.islice(seq, 50))\n"
        "    yield from zip(seen, seen[1:])",
        """
asked = []
def numbers():
    for n in itertools.count():
        asked.append(n)
        yield n
assert take(pairs(numbers()), 2) == [(0, 1), (1, 2)]
assert len(asked) <= 3, "it takes more than it needs"
""",
    ),
    "a hook function that edits in place": (
        "def zero_first(value, hook):\n    value[0] = hook.layer()",
        "def zero_first(value, hook):\n    value[1] = hook.layer()",
        """
point = SimpleNamespace(name="blocks.0.attn.hook_z", layer=lambda: 0)
value = torch.ones(3)
held = value.clone()
new = as_hook(zero_first)(held, hook=point)
new = held if new is None else new
assert new.tolist() == [0, 1, 1]
""",
    ),
    "a figure": (
        "def heatmap(z):\n    return go.Figure(go.Heatmap(z=z), layout={'xaxis_title': 'key'})",
        "def heatmap(z):\n    return go.Figure(go.Heatmap(z=z.T), layout={'xaxis_title': 'key'})",
        """
z_want = torch.rand(2, 3)
fig = heatmap(z_want.clone())
assert isinstance(fig, go.Figure)
assert torch.equal(torch.as_tensor(fig.data[0].z), z_want)
assert fig.layout.xaxis.title.text == "key"
""",
    ),
    "a module with given parameters": (
        "class Scale(torch.nn.Module):\n"
        "    def __init__(self, n):\n        super().__init__()\n"
        "        self.w = torch.nn.Parameter(torch.ones(n))\n"
        "    def forward(self, x):\n        return self.w * x",
        "class Scale(torch.nn.Module):\n"
        "    def __init__(self, n):\n        super().__init__()\n"
        "        self.w = torch.nn.Parameter(torch.ones(n))\n"
        "    def forward(self, x):\n        return x",
        """
scale = Scale(3)
w = torch.rand(3)
set_params(scale, {"w": w})
assert torch.equal(state(scale)["w"], w)
y = scale(torch.ones(3))
assert torch.allclose(y.detach(), w)
raises("KeyError", set_params, scale, {"v": w})
""",
    ),
    "a gradient": (
        "def cube(x):\n    return x ** 3",
        "def cube(x):\n    return x.detach() ** 2 * x",
        """
at = torch.tensor([1.0, 2.0])
out, (slope,) = vjp(cube, [at], torch.ones(2))
assert out.tolist() == [1, 8] and slope.tolist() == [3, 12]
""",
    ),
    "gradients of tensors in containers": (
        "def both(pair, w):\n    return pair[0] * w, [pair[1] * w]",
        "def both(pair, w):\n    return pair[0] * w.detach(), [pair[1].detach() * w.detach()]",
        """
x, w = torch.tensor([3.0]), torch.tensor([5.0])
outs, slopes = vjp(both, [(x, x + 1), w], [torch.ones(1), torch.ones(1)])
assert [out.tolist() for out in (outs[0], outs[1][0])] == [[15], [20]]
assert [slope if slope is None else slope.tolist() for slope in slopes] == [[5], [5], [7]]
""",
    ),
    "the three rules": (
        "def cube(x, f):\n    return f(x) ** 3",
        "def cube(x, f):\n    with torch.no_grad():\n        return f(x) ** 3",
        """
check_rules(cube, (torch.tensor([1.0, 2.0]), double), "cube", names=("x",))
assert cube(torch.tensor(1.0), double) == 8
""",
    ),
    "the number of operations": (
        "def total(x):\n    return x.sum(0)",
        "def total(x):\n    out = x[0]\n"
        "    for row in x[1:]:\n        out = out + row\n    return out",
        """
total(torch.ones(2, 2))
few, many = cost(total, torch.ones(4, 2)), cost(total, torch.ones(64, 2))
assert many.result.tolist() == [64, 64]
assert few.ops == many.ops and many.cpu < 5 and many.peak < 2**30
""",
    ),
    "objects of a given class": (
        "def back(v):\n    a, b = v.parents\n    a.grad += b.data\n    b.grad += a.data",
        "def back(v):\n    a, b = v.parents\n    a.grad = a.data\n    b.grad = b.data",
        """
V = theirs(Value)
a, b = V(2.0), V(5.0)
c = live(a) * live(b)
assert plain(c.data, float) == 10.0
back(c)
assert plain(a.grad, float) == 5.0 and plain(b.grad, float) == 2.0
""",
    ),
    "an object marked as one": (
        "class Log:\n    def __init__(self):\n        self.count = 1\ndef log():\n    return Log()",
        "class Log:\n    def __init__(self):\n        self.count = True\n"
        "def log():\n    return Log()",
        "assert plain(obj(log()).count, int) == 1",
    ),
    "the global random state": (
        "def draw():\n    return torch.rand(2)",
        "def draw():\n    torch.manual_seed(0)\n    return torch.rand(2)",
        """
seed(7)
expected = torch.rand(2)
seed(7)
assert torch.equal(draw(), expected)
""",
    ),
    "a file": (
        "def save():\n    open('made.txt', 'w').write('abc')\n    return 'made.txt'",
        "def save():\n    open('made.txt', 'w').write('abd')\n    return 'made.txt'",
        """
assert read_file(save()) == b"abc"
assert "longer" in raises(ValueError, read_file, save(), 2)
""",
    ),
    "call-backs and functions given and lent": (
        "def thrice(f, x):\n    return f(f(f(x)))",
        "def thrice(f, x):\n    f(x)\n    return f(f(x))",
        """
seen = []
def step(x):
    seen.append(x)
    return x + 1
assert thrice(step, 0) == 3 and seen == [0, 1, 2]
assert thrice(double, 1) == 8
assert thrice(lambda x: x - 1, 0) == -3
""",
    ),
    "tensors bit by bit": (
        "def same(x):\n    return x",
        "def same(x):\n    return x.nan_to_num() if x.is_floating_point() else x",
        """
payload = torch.tensor([0x7FC00123, -0x80000000], dtype=torch.int32).view(torch.float32)
tensors = [payload, torch.tensor(-0.0), torch.empty(0, 3), torch.rand(2, 3).to(torch.bfloat16)]
tensors += [torch.rand(3, 2).T, torch.tensor([True]), torch.tensor(2**40), torch.rand(2) + 1j]
for tensor in tensors:
    got = same(tensor.clone())
    assert isinstance(got, torch.Tensor) and got.shape == tensor.shape and got.dtype == tensor.dtype
    same_bits = got.contiguous().view(-1).view(torch.uint8)
    assert torch.equal(same_bits, tensor.contiguous().view(-1).view(torch.uint8))
""",
    ),
    "gradients are off where the test turns them off": (
        "def records(x):\n    return (x * 2).requires_grad",
        "def records(x):\n    return True",
        """
leaf = torch.ones(2, requires_grad=True)
with torch.no_grad():
    off = records(leaf)
assert records(leaf) is True and off is False
""",
    ),
}

SOURCE = notebook(
    ("released", GIVEN),
    *(
        cell
        for reference, _, test in EXERCISES.values()
        for cell in (("solution", reference), ("test", test))
    ),
)
WRONG = answered(SOURCE, *(wrong for _, wrong, _ in EXERCISES.values()))
TESTS = [cell.metadata.nbgrader.grade_id for cell in SOURCE.cells[2::2]]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_reference_passes_every_service_isolated(folder):
    assert failures(run_isolated(SOURCE)) == []


def test_the_reference_passes_every_service_in_one_process(folder):
    assert failures(run_in_kernel(SOURCE, folder)) == []


def test_every_wrong_answer_fails_isolated(folder):
    assert failed(run_isolated(SOURCE, WRONG)) == TESTS


def test_every_wrong_answer_fails_in_one_process(folder):
    assert failed(run_in_kernel(WRONG, folder)) == TESTS
