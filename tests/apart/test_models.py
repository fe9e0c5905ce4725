"""Models cross by name, and hooks by `as_hook`, on a shipped checkpoint."""

from collections.abc import Callable
from pathlib import Path

import pytest
from nbformat import NotebookNode

from tests.apart.notebooks import answered, apart, failed, failures, notebook, together

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
    assert failures(apart(SOURCE, seconds=120)) == []
    assert failed(apart(SOURCE, WRONG, seconds=120)) == ["test-3", "test-5", "test-7"]


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
    "together": together,
    "apart": lambda submission, folder: apart(THREE_EXERCISES, submission, seconds=120),
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
