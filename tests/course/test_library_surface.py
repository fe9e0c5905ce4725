"""Everything that our notebooks use of TransformerLens, called: an upgrade breaks here first.

Two kinds of tests. The first call the library as the notebooks do and state what they rely on. The
last ones read all notebooks and ask whether each attribute and each hook point that they name is
known to the library, and whether each attribute is used in this file.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Any

import pytest
import torch

from course import models

SOURCE = Path(__file__).parents[2] / "source"
TEXTS = sorted(SOURCE.glob("*/*.py"))

LAYERS, HEADS, WIDTH, HEAD_WIDTH, NEURONS, CONTEXT = 3, 5, 20, 4, 80, 16


@pytest.fixture(scope="module")
def gpt2(tmp_path_factory):
    """A GPT-2-shaped folder with random weights and a small tokenizer, opened by our loader."""
    from tokenizers import Tokenizer, decoders, pre_tokenizers, trainers
    from tokenizers.models import BPE
    from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

    root = tmp_path_factory.mktemp("models")
    folder = root / "gpt2-shaped"
    end = "<|endoftext|>"
    tokenizer = Tokenizer(BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=300, special_tokens=[end], show_progress=False)
    tokenizer.train_from_iterator(["When Mary and John went to the shop, John gave"] * 9, trainer)
    bos = tokenizer.token_to_id(end)
    torch.manual_seed(0)
    config = GPT2Config(
        n_layer=LAYERS,
        n_head=HEADS,
        n_embd=WIDTH,
        n_positions=CONTEXT,
        vocab_size=tokenizer.get_vocab_size(),
        bos_token_id=bos,
        eos_token_id=bos,
        initializer_range=0.2,
    )
    GPT2LMHeadModel(config).save_pretrained(folder)
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token=end, eos_token=end, unk_token=end
    ).save_pretrained(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COURSE_MODELS", str(root))
        return models.model("gpt2-shaped", device="cpu")


@pytest.fixture(scope="module")
def attention_only():
    return models.model("induction-2l2h", device="cpu")


@pytest.fixture(scope="module")
def both(gpt2, attention_only):
    return gpt2, attention_only


@pytest.fixture(autouse=True)
def _no_gradients():
    with torch.no_grad():
        yield


def ids(bridge: Any, rows: int = 2, length: int = 7) -> torch.Tensor:
    return torch.arange(rows * length).reshape(rows, length) * 11 % bridge.cfg.d_vocab


def test_the_settings_have_the_names_that_we_read(gpt2, attention_only):
    cfg = gpt2.cfg
    found = (cfg.n_layers, cfg.n_heads, cfg.d_model, cfg.d_head, cfg.d_mlp, cfg.n_ctx)
    assert found == (LAYERS, HEADS, WIDTH, HEAD_WIDTH, NEURONS, CONTEXT)
    assert cfg.d_vocab == len(gpt2.tokenizer)
    assert cfg.eps == 1e-5
    assert torch.zeros(1).to(cfg.device).device.type == "cpu"
    assert not cfg.attn_only and attention_only.cfg.attn_only


def test_a_text_becomes_ids_with_a_bos_in_front_unless_reported_otherwise(gpt2):
    bos = gpt2.tokenizer.bos_token_id
    with_bos = gpt2.to_tokens("When Mary")
    assert with_bos.shape[0] == 1 and with_bos[0, 0] == bos
    assert torch.equal(with_bos[:, 1:], gpt2.to_tokens("When Mary", prepend_bos=False))
    texts = gpt2.to_str_tokens("When Mary", prepend_bos=True)
    assert texts[0] == "<|endoftext|>" and "".join(texts[1:]) == "When Mary"
    assert [gpt2.tokenizer.decode([i]) for i in with_bos[0].tolist()] == texts
    assert gpt2.to_tokens("", prepend_bos=True).tolist() == [[bos]]


def test_a_run_gives_logits_losses_and_a_cache(both):
    for bridge in both:
        toks = ids(bridge)
        logits, cache = bridge.run_with_cache(toks)
        assert logits.shape == (2, 7, bridge.cfg.d_vocab)
        assert torch.equal(logits, bridge(toks))
        each = bridge(toks, return_type="loss", loss_per_token=True)
        want = -logits[:, :-1].log_softmax(-1).gather(-1, toks[:, 1:, None])[..., 0]
        assert torch.allclose(each, want, atol=1e-5)
        assert torch.allclose(bridge(toks, return_type="loss"), want.mean(), atol=1e-5)
        assert torch.allclose(bridge.loss_fn(logits, toks, per_token=True), want, atol=1e-5)
        assert torch.equal(cache["pattern", -1], cache["pattern", bridge.cfg.n_layers - 1])
        assert torch.equal(cache["z", 0], cache["blocks.0.attn.hook_z"])
        assert dict(cache.items()).keys() == set(cache.keys())


def test_every_activation_has_the_shape_that_the_map_of_activations_says(gpt2):
    _, cache = gpt2.run_with_cache(ids(gpt2))
    stream, per_head = (2, 7, WIDTH), (2, 7, HEADS, HEAD_WIDTH)
    shapes = {
        **dict.fromkeys(("hook_embed", "hook_pos_embed"), stream),
        **{
            f"blocks.1.{name}": shape
            for name, shape in {
                **dict.fromkeys(("hook_resid_pre", "hook_resid_mid", "hook_resid_post"), stream),
                **dict.fromkeys(("hook_attn_out", "hook_mlp_out", "ln1.hook_normalized"), stream),
                **dict.fromkeys(("attn.hook_q", "attn.hook_k", "attn.hook_v"), per_head),
                "attn.hook_z": per_head,
                "ln1.hook_scale": (2, 7, 1),
                "attn.hook_attn_scores": (2, HEADS, 7, 7),
                "attn.hook_pattern": (2, HEADS, 7, 7),
                **dict.fromkeys(("mlp.hook_pre", "mlp.hook_post"), (2, 7, NEURONS)),
            }.items()
        },
        "ln_final.hook_scale": (2, 7, 1),
        "ln_final.hook_normalized": stream,
    }
    assert {name: tuple(cache[name].shape) for name in shapes} == shapes


def test_weights_are_stacked_by_layer_and_read_from_the_left(gpt2):
    shapes = {
        "W_E": (gpt2.cfg.d_vocab, WIDTH),
        "W_pos": (CONTEXT, WIDTH),
        "W_Q": (LAYERS, HEADS, WIDTH, HEAD_WIDTH),
        "W_K": (LAYERS, HEADS, WIDTH, HEAD_WIDTH),
        "W_V": (LAYERS, HEADS, WIDTH, HEAD_WIDTH),
        "W_O": (LAYERS, HEADS, HEAD_WIDTH, WIDTH),
        "W_in": (LAYERS, WIDTH, NEURONS),
        "W_out": (LAYERS, NEURONS, WIDTH),
        "W_U": (WIDTH, gpt2.cfg.d_vocab),
        "b_Q": (LAYERS, HEADS, HEAD_WIDTH),
        "b_K": (LAYERS, HEADS, HEAD_WIDTH),
        "b_V": (LAYERS, HEADS, HEAD_WIDTH),
        "b_O": (LAYERS, WIDTH),
        "b_in": (LAYERS, NEURONS),
        "b_out": (LAYERS, WIDTH),
        "b_U": (gpt2.cfg.d_vocab,),
    }
    assert {name: tuple(getattr(gpt2, name).shape) for name in shapes} == shapes
    assert len(gpt2.blocks) == LAYERS


def test_what_a_head_says_and_the_bias_make_what_attention_writes(both):
    for bridge in both:
        _, cache = bridge.run_with_cache(ids(bridge))
        output = torch.einsum("bphd,hdm->bpm", cache["z", 1], bridge.W_O[1]) + bridge.b_O[1]
        assert torch.allclose(output, cache["attn_out", 1], atol=1e-5)


def test_a_filter_decides_what_is_kept_and_sees_each_name_once(both):
    for bridge in both:
        asked: list[str] = []

        def patterns(name: str, asked: list[str] = asked) -> bool:
            asked.append(name)
            return name.endswith("hook_pattern")

        _, cache = bridge.run_with_cache(ids(bridge), names_filter=patterns)
        layers = range(bridge.cfg.n_layers)
        assert list(cache.keys()) == [f"blocks.{n}.attn.hook_pattern" for n in layers]
        assert sorted(asked) == sorted(bridge.hook_dict)
        plain = bridge.run_with_cache(
            ids(bridge), names_filter=patterns, return_cache_object=False
        )[1]
        assert type(plain) is dict


def test_a_hook_replaces_by_what_it_returns_or_edits_in_place_or_only_watches(both):
    for bridge in both:
        toks, point = ids(bridge), "blocks.1.attn.hook_z"
        plain = bridge(toks)

        def in_place(z, hook):
            z[:, :, 0] = 0

        def returned(z, hook):
            z = z.clone()
            z[:, :, 0] = 0
            return z

        seen: list[str] = []
        watched = bridge.run_with_hooks(
            toks, fwd_hooks=[(point, lambda z, hook, seen=seen: seen.append(hook.name))]
        )
        assert len(seen) == 1 and torch.equal(watched, plain)
        edited = bridge.run_with_hooks(toks, fwd_hooks=[(point, in_place)])
        assert torch.equal(edited, bridge.run_with_hooks(toks, fwd_hooks=[(point, returned)]))
        assert not torch.allclose(edited, plain)
        chosen = bridge.run_with_hooks(toks, fwd_hooks=[(point.__eq__, returned)])
        assert torch.equal(edited, chosen)
        assert torch.equal(bridge(toks), plain), "nothing is left behind"


def test_a_hook_sees_the_bridges_own_name_of_its_point(gpt2):
    # Exercise 8 of notebook 04 warns of it; if it ends, the warning can go.
    seen: list[str] = []
    point = "blocks.0.attn.hook_z"
    gpt2.run_with_hooks(ids(gpt2), fwd_hooks=[(point, lambda z, hook: seen.append(hook.name))])
    assert seen == ["blocks.0.attn.o.hook_in"]


def test_hooks_within_a_block_are_removed_and_added_ones_stay_until_reset(both):
    def silence(value, hook):
        return torch.zeros_like(value)

    for bridge in both:
        toks, point = ids(bridge), "blocks.0.hook_attn_out"
        plain = bridge(toks)
        with bridge.hooks(fwd_hooks=[(point, silence)]):
            silent = bridge(toks)
        assert torch.equal(bridge(toks), plain) and not torch.allclose(silent, plain)
        bridge.add_hook(point, silence)
        assert torch.equal(bridge(toks), silent) and torch.equal(bridge(toks), silent)
        assert any(p.has_hooks(including_permanent=False) for p in bridge.hook_dict.values())
        bridge.reset_hooks()
        assert torch.equal(bridge(toks), plain)
        with pytest.raises(KeyError):
            bridge.run_with_hooks(toks, fwd_hooks=[("blocks.0.hook_nothing", silence)])


def test_other_keys_make_another_pattern_within_the_same_run(both):
    for bridge in both:
        toks = ids(bridge)
        keys = bridge.run_with_cache(toks.flip(1))[1]["k", 1]
        with bridge.hooks(fwd_hooks=[("blocks.1.attn.hook_k", lambda k, hook, keys=keys: keys)]):
            mixed = bridge.run_with_cache(toks)[1]
        scores = torch.einsum("bqhd,bkhd->bhqk", mixed["q", 1], keys) / bridge.cfg.d_head**0.5
        scores = scores.masked_fill(torch.ones(7, 7).triu(1).bool(), float("-inf"))
        assert torch.allclose(mixed["pattern", 1], scores.softmax(-1), atol=1e-5)


def test_the_residual_stream_is_a_sum_and_the_library_splits_it(both):
    for bridge in both:
        _, cache = bridge.run_with_cache(ids(bridge))
        parts, names = cache.decompose_resid(return_labels=True)
        kinds = ("attn_out",) if bridge.cfg.attn_only else ("attn_out", "mlp_out")
        layers = range(bridge.cfg.n_layers)
        assert names == ["embed", "pos_embed", *(f"{n}_{kind}" for n in layers for kind in kinds)]
        assert torch.allclose(parts.sum(0), cache["resid_post", -1], atol=1e-4)
        streams = cache.accumulated_resid()
        assert streams.shape[0] == bridge.cfg.n_layers + 1
        assert torch.equal(streams[-1], cache["resid_post", bridge.cfg.n_layers - 1])
        by_head = cache.stack_head_results()
        assert by_head.shape[0] == bridge.cfg.n_layers * bridge.cfg.n_heads
        first = cache["z", 0][:, :, 0] @ bridge.W_O[0, 0]
        assert torch.allclose(by_head[0], first, atol=1e-5)


def test_the_last_layer_norm_and_the_unembedding_can_be_called_alone(both):
    for bridge in both:
        logits, cache = bridge.run_with_cache(ids(bridge))
        end = cache["resid_post", bridge.cfg.n_layers - 1]
        assert torch.allclose(bridge.unembed(bridge.ln_final(end)), logits, atol=1e-5)
        centred = end - end.mean(-1, keepdim=True)
        scale = (centred.pow(2).mean(-1, keepdim=True) + bridge.cfg.eps).sqrt()
        assert torch.allclose(scale, cache["ln_final.hook_scale"], atol=1e-5)
        normed = centred / scale * bridge.ln_final.w + bridge.ln_final.b
        assert torch.allclose(normed @ bridge.W_U + bridge.b_U, logits, atol=1e-4)


def test_the_librarys_patching_is_what_exercise_14_asks_for(both):
    from transformer_lens import patching

    for bridge in both:
        toks = ids(bridge, rows=1, length=4)
        _, cache = bridge.run_with_cache(toks)
        grid = patching.get_act_patch_resid_pre(
            bridge, toks.flip(1), cache, lambda logits: logits[0, -1, 0]
        )
        half = toks.flip(1).clone()
        half[:, 1] = toks[:, 1]
        assert grid.shape == (bridge.cfg.n_layers, 4)
        assert torch.allclose(grid[0, 1], bridge(half)[0, -1, 0], atol=1e-4)


def test_compatibility_mode_leaves_the_predictions_as_they_are():
    from transformer_lens.model_bridge import TransformerBridge

    bridge = TransformerBridge.boot_transformers(str(models.folder_of("tiny-gpt2")), device="cpu")
    before = bridge(ids(bridge))
    bridge.enable_compatibility_mode(disable_warnings=True)
    after = bridge(ids(bridge))
    assert torch.allclose(before.log_softmax(-1), after.log_softmax(-1), atol=1e-4)
    assert not torch.allclose(before, after, atol=1e-2)
    assert torch.allclose(before - before.mean(-1, keepdim=True), after, atol=1e-3)


# What torch, Python and the notebooks' own objects have under the same name proves nothing.
_ELSEWHERE: frozenset[str] = frozenset().union(
    *(dir(kind) for kind in (torch, torch.Tensor, torch.nn.Module, dict, list, str, set, Path))
)


def attributes_of(text: str) -> set[str]:
    return {node.attr for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Attribute)}


def test_every_part_of_the_library_that_a_notebook_uses_is_used_in_this_file(both):
    theirs: set[str] = set()
    for bridge in both:
        _, cache = bridge.run_with_cache(ids(bridge))
        for thing in (bridge, cache, bridge.cfg):
            theirs |= {name for name in dir(thing) if not name.startswith("_")}
    used = set().union(*(attributes_of(path.read_text(encoding="utf-8")) for path in TEXTS))
    here = Path(__file__).read_text(encoding="utf-8")
    named_here = attributes_of(here) | set(re.findall(r'"([Wb]_\w+)"', here))
    assert sorted((used & theirs) - _ELSEWHERE - named_here) == []


# Names of functions and attributes that begin like a hook point's.
NOT_HOOKS = {"hook_dict", "hook_points", "hook_map", "hook_fn"}


def test_every_hook_point_that_a_notebook_names_exists(both):
    known = {name.rpartition(".")[2] for bridge in both for name in bridge.hook_dict}
    for path in TEXTS:
        named = set(re.findall(r"\b(hook_[a-z_]+)\b", path.read_text(encoding="utf-8")))
        assert sorted(named - known - NOT_HOOKS) == [], path.parent.name
