"""Models cross by name, and hooks by `as_hook`, on a shipped checkpoint."""

from collections.abc import Callable
from pathlib import Path

import pytest
from nbformat import NotebookNode

from tests.isolation.notebooks import (
    answered,
    failed,
    failures,
    notebook,
    run_in_kernel,
    run_isolated,
)

pytestmark = pytest.mark.kernel

SOURCE = notebook(
    (
        "released",
        "import torch\nfrom course.calls import as_hook, remove_hooks\n"
        "from course.models import model, weights\n"
        "net = model('induction-2l2h')\nZ = 'blocks.0.attn.hook_z'",
    ),
    (
        "solution",
        "def last_logits(net, tokens):\n"
        "    with torch.no_grad():\n        return net(tokens)[:, -1]",
    ),
    (
        "test",
        "tokens = torch.randint(0, 60, (2, 9))\n"
        "with torch.no_grad():\n    logits = net(tokens)[:, -1]\n"
        "got = last_logits(net, tokens)\n"
        "assert torch.allclose(got, logits, atol=1e-5) and remove_hooks(net) == []",
    ),
    ("solution", "def silence(value, hook, head):\n    value[:, :, head] = 0"),
    (
        "test",
        "def oracle(value, hook):\n    value[:, :, 1] = 0\n    return value\n"
        "with torch.no_grad():\n"
        "    without = net.run_with_hooks(tokens, fwd_hooks=[(Z, oracle)])\n"
        "    theirs = net.run_with_hooks(tokens, fwd_hooks=[(Z, as_hook(silence, head=1))])\n"
        "assert torch.allclose(theirs, without)\n"
        "assert not torch.allclose(theirs, net(tokens))",
    ),
    ("solution", "def pick(net, tensors):\n    return net, len(tensors)"),
    (
        "test",
        "again, count = pick(net, weights('induction-2l2h'))\n"
        "assert again is net and count == len(weights('induction-2l2h'))",
    ),
)

WRONG = answered(
    SOURCE,
    "def last_logits(net, tokens):\n"
    "    net.add_hook(Z, lambda value, hook: None)\n"
    "    with torch.no_grad():\n        return net(tokens)[:, -1]",
    "def silence(value, hook, head):\n    value[:, head] = 0",
    "def pick(net, tensors):\n    return tensors, net",
)


@pytest.mark.slow
def test_models_and_hooks_mean_the_same_on_both_sides(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert failures(run_isolated(SOURCE, seconds=120)) == []
    assert failed(run_isolated(SOURCE, WRONG, seconds=120)) == ["test-3", "test-5", "test-7"]


TEST = """
remove_hooks(net)
tokens = torch.arange(18).reshape(2, 9)
with torch.no_grad():
    want = net(tokens)[:, -1]
assert torch.allclose(FUNCTION(net, tokens), want, atol=1e-5)
assert not (left := remove_hooks(net)), f"hooks are still on the model: {left}"
"""
GIVEN, FIRST = SOURCE.cells[0].source, SOURCE.cells[1].source
SECOND, THIRD = (FIRST.replace("last_logits", name) for name in ("second", "third"))
THREE_EXERCISES = notebook(
    ("released", GIVEN),
    ("solution", FIRST),
    ("test", TEST.replace("FUNCTION", "last_logits")),
    ("solution", SECOND),
    ("test", TEST.replace("FUNCTION", "second")),
    ("solution", THIRD),
    ("test", TEST.replace("FUNCTION", "third")),
)
RUNS: dict[str, Callable[[NotebookNode, Path], NotebookNode]] = {
    "in_kernel": run_in_kernel,
    "isolated": lambda submission, folder: run_isolated(THREE_EXERCISES, submission, seconds=120),
}


@pytest.mark.slow
@pytest.mark.parametrize("mode", RUNS)
def test_a_hook_that_an_answer_leaves_costs_its_own_exercise_only(
    mode: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    watches = FIRST.replace("with torch", "net.add_hook(Z, lambda z, hook: None)\n    with torch")
    changes = SECOND.replace("with torch", "net.add_hook(Z, lambda z, hook: 0 * z)\n    with torch")
    executed = RUNS[mode](answered(THREE_EXERCISES, watches, changes, THIRD), tmp_path)
    assert failed(executed) == ["test-3", "test-5"]
    of_watching, of_changing = failures(executed)
    assert "hooks are still on the model" in of_watching
    assert "hooks are still on the model" not in of_changing  # that test has ended before


# What a function does to the model that all exercises share, before it answers rightly.
SPOILT = {
    "weights in place": "net.embed.W_E *= 0",
    "weights through .data": "net.embed.W_E.data[3] = 7",
    "all parameters": "[p.data.normal_() for p in net.parameters()]",
    "memory given back": "net.unembed.W_U.untyped_storage().resize_(0)",
    "a permanent hook": "net.hook_dict[Z].add_hook(lambda z, hook: 0 * z, is_permanent=True)",
    "a hook of torch": "net.blocks[1].register_forward_hook(lambda block, args, out: 0 * args[0])",
    "half precision": "net.half()",
    "another device": "net.to('meta')",
    "a module replaced": "net.blocks[0] = torch.nn.Identity()",
    "a parameter replaced": "net.embed.W_E = torch.nn.Parameter(torch.zeros(60, 64))",
    "a layer cut off": "del net.blocks[1:]",
    "the configuration": "net.cfg.n_layers = 1",
    "flags": "net.train(); net.requires_grad_(False)",
    "a method": "net.forward = lambda tokens: torch.zeros(2, 9, 60)",
    "one step of training": "with torch.enable_grad():\n"
    "            optimizer = torch.optim.Adam(net.parameters(), lr=0.1)\n"
    "            net(tokens).sum().backward()\n"
    "            optimizer.step()",
}


def spoils(edit: str, name: str = "f") -> str:
    """A right function that spoils the model after its answer is computed."""
    return (
        f"def {name}(net, tokens):\n    with torch.no_grad():\n"
        f"        answer = net(tokens)[:, -1].clone()\n"
        f"        try:\n            {edit.replace(chr(10), chr(10) + '    ')}\n"
        f"        except Exception:\n            pass\n"
        f"        return answer"
    )


EXPECTED = """
remove_hooks(net)
tokens = torch.arange(18).reshape(2, 9)
with torch.no_grad():
    want = net(tokens)[:, -1]
assert torch.allclose(FUNCTION(net, tokens), want, atol=1e-5)
"""
PAIR = [("solution", spoils("pass")), ("test", EXPECTED.replace("FUNCTION", "f"))]
PAIR += [("solution", spoils("pass", "g")), ("test", EXPECTED.replace("FUNCTION", "g"))]


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["isolated", "in_kernel"])
def test_an_answers_changes_to_the_shared_model_cost_no_other_exercise(
    mode: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    begins = "remove_hooks(net)" if mode == "in_kernel" else "pass"  # apart, a test need not ask
    pair = [(kind, text.replace("remove_hooks(net)", begins)) for kind, text in PAIR]
    source = notebook(("released", GIVEN), *pair * len(SPOILT))
    right = [text for edit in SPOILT.values() for text in (spoils(edit), PAIR[2][1])]
    submission = answered(source, *right)
    if mode == "in_kernel":
        assert failures(run_in_kernel(submission, tmp_path)) == []
    else:
        assert failures(run_isolated(source, submission, seconds=120)) == []


@pytest.mark.slow
def test_a_permanent_hook_that_an_answer_leaves_is_found_by_its_own_test(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    leaves = FIRST.replace(
        "with torch",
        "net.hook_dict[Z].add_hook(lambda z, hook: None, is_permanent=True)\n    with torch",
    )
    submission = answered(THREE_EXERCISES, leaves, SECOND, THIRD)
    for executed in (
        run_in_kernel(submission, tmp_path),
        run_isolated(THREE_EXERCISES, submission, 120),
    ):
        assert failed(executed) == ["test-3"]
        assert "hooks are still on the model" in failures(executed)[0]


@pytest.mark.slow
def test_a_tests_changes_to_a_given_model_are_undone_and_the_students_training_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    source = notebook(
        (
            "released",
            "import torch\nsmall = torch.nn.Linear(2, 1)\ntorch.nn.init.ones_(small.weight)",
        ),
        ("solution", "def zero(layer):\n    layer.weight.data *= 0\n    return 0"),
        ("test", "assert zero(small) == 0 and small.weight.sum() == 2"),
        ("solution", "small.weight.data += 1\ntotal = float(small.weight.sum())"),
        ("test", "assert total == 4"),
        ("solution", "def trained(x):\n    return float(small.weight.sum())"),
        ("test", "assert trained(1) == 4"),
    )
    assert failures(run_isolated(source, seconds=60)) == []


@pytest.mark.slow
def test_a_students_cells_find_the_model_as_loaded_after_a_test_and_as_edited_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    source = notebook(
        ("released", GIVEN),
        ("solution", "def total():\n    return float(net.embed.W_E.abs().sum())"),
        ("solution", "net.embed.W_E.data *= 0"),
        ("solution", "edited = total()"),
        ("test", "assert edited == 0 and total() > 1"),
        ("solution", "later = total()"),
        ("test", "assert later == total()"),
    )
    assert failures(run_isolated(source, seconds=120)) == []
