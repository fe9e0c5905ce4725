"""Symmetric copies: the same logits, other heads; and GPT-2-shaped folders of other sizes."""

import json

import pytest
import torch

from course import models
from course.training.symmetry import random_gpt2, symmetric_copy, symmetric_models
from hub.host.models import problems
from tests.course_package.test_models import gpt2_checkpoint, own_checkpoint


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_MODELS", str(tmp_path))
    return tmp_path


def random_tokens(bridge):
    generator = torch.Generator().manual_seed(0)
    length = min(40, bridge.cfg.n_ctx)
    return torch.randint(0, bridge.cfg.d_vocab, (4, length), generator=generator)


def patterns(bridge, tokens):
    """`[layer batch head query key]`."""
    _, cache = bridge.run_with_cache(tokens, names_filter=lambda n: n.endswith("hook_pattern"))
    return torch.stack([cache[f"blocks.{i}.attn.hook_pattern"] for i in range(bridge.cfg.n_layers)])


@pytest.mark.parametrize("name", sorted(p.name for p in models.SHIPPED.iterdir()))
def test_a_copy_has_the_same_logits_and_its_heads_in_another_order(folder, name):
    symmetric_copy(models.SHIPPED / name, 7, folder / "copy")
    original, copy = models.model(name, device="cpu"), models.model("copy", device="cpu")
    tokens = random_tokens(original)
    with torch.no_grad():
        assert torch.allclose(original(tokens), copy(tokens), atol=1e-4)
        theirs, ours = patterns(original, tokens), patterns(copy, tokens)
    for layer in range(original.cfg.n_layers):
        distance = (ours[layer].transpose(0, 1)[:, None] - theirs[layer].transpose(0, 1)).abs()
        same = distance.flatten(2).amax(-1) < 1e-4  # [head of copy, head of original]
        assert (same.sum(0) == 1).all() and (same.sum(1) == 1).all()
        assert not same.diagonal().all()


@pytest.mark.parametrize("name", sorted(p.name for p in models.SHIPPED.iterdir()))
def test_a_copy_s_residual_stream_is_in_another_basis(folder, name):
    symmetric_copy(models.SHIPPED / name, 7, folder / "copy")
    key = "wte.weight" if (folder / "copy" / "tokenizer.json").exists() else "embed.weight"
    original, copy = models.weights(name)[key], models.weights("copy")[key]
    assert not torch.allclose(original, copy, atol=1e-2)
    assert torch.allclose(original @ original.T, copy @ copy.T, atol=1e-4)


def test_without_layer_norm_the_basis_is_rotated_and_not_only_reordered(folder):
    own_checkpoint(folder, "tiny")
    plain = json.loads((folder / "tiny" / "config.json").read_text())
    plain["transformer_bridge"]["normalization_type"] = None
    (folder / "tiny" / "config.json").write_text(json.dumps(plain))
    bridge = models.build(plain["transformer_bridge"], seed=5)
    from safetensors.torch import save_file

    save_file(bridge.state_dict(), folder / "tiny" / "model.safetensors")
    symmetric_copy(folder / "tiny", 1, folder / "copy")
    original, copy = models.model("tiny", device="cpu"), models.model("copy", device="cpu")
    tokens = random_tokens(original)
    assert torch.allclose(original(tokens), copy(tokens), atol=1e-4)
    before, after = (models.weights(name)["embed.weight"] for name in ("tiny", "copy"))
    assert not torch.allclose(before.abs().sort(1)[0], after.abs().sort(1)[0], atol=1e-3)


def test_neurons_of_a_gpt2_change_places(folder):
    gpt2_checkpoint(folder, "small")
    symmetric_copy(folder / "small", 3, folder / "copy")
    before, after = (models.weights(name)["h.0.mlp.c_fc.weight"] for name in ("small", "copy"))
    assert not torch.equal(before.norm(dim=0), after.norm(dim=0))
    assert torch.allclose(before.norm(dim=0).sort()[0], after.norm(dim=0).sort()[0])
    tokens = torch.tensor([[0, 1, 2, 1, 0]])
    original, copy = models.model("small", device="cpu"), models.model("copy", device="cpu")
    assert torch.allclose(original(tokens), copy(tokens), atol=1e-4)


def test_a_folder_of_copies_stands_in_for_the_shipped_models(folder):
    symmetric_models(folder, 1)
    for name in sorted(p.name for p in models.SHIPPED.iterdir()):
        assert models.folder_of(name) == folder / name
        assert problems(folder / name) == []
        for step in models.snapshots(name)[:1]:
            assert models.model(f"{name}@{step}", device="cpu").course_name == f"{name}@{step}"


def test_a_tensor_of_an_unknown_kind_is_refused_by_name(folder):
    from safetensors.torch import save_file

    own_checkpoint(folder, "tiny")
    save_file({"extra.weight": torch.zeros(2)}, folder / "tiny" / "model.safetensors")
    with pytest.raises(ValueError, match=r"extra\.weight"):
        symmetric_copy(folder / "tiny", 1, folder / "copy")


def test_a_random_gpt2_of_another_size_is_in_order_and_its_attention_is_neither_flat_nor_one_hot(
    folder,
):
    random_gpt2(folder / "tiny-gpt2", seed=2)
    assert problems(folder / "tiny-gpt2") == []
    bridge = models.model("tiny-gpt2", device="cpu")
    assert (bridge.cfg.n_layers, bridge.cfg.n_heads, bridge.cfg.d_model) == (3, 2, 48)
    tokens = bridge.to_tokens("When Mary and John went to the shop, John gave a book to")
    with torch.no_grad():
        last = patterns(bridge, tokens)[..., -1, :].amax(-1)
    assert 0.1 < last.mean() < 0.9
