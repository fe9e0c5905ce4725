"""Models cross by name, and hooks by `as_hook`, on a shipped checkpoint."""

import pytest

from tests.apart.notebooks import answered, apart, failed, failures, notebook

SOURCE = notebook(
    (
        "released",
        "import torch\nfrom course.calls import as_hook, hooks_left\n"
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
        "assert torch.allclose(got, logits, atol=1e-5) and hooks_left(net) == []",
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
