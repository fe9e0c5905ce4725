"""What notebook 04 says is *in the library* is there, and gives the number of the exercise."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from transformer_lens import patching, utilities
from transformer_lens.model_bridge import TransformerBridge
from transformer_lens.tools import analysis

from course.models import folder_of, model
from tests.course import contract

TEXT = Path(__file__).parents[2] / "source" / "04-transformerlens" / "transformerlens.py"


@pytest.fixture(autouse=True)
def _no_gradients():
    with torch.no_grad():
        yield


@pytest.fixture(scope="module")
def ours() -> SimpleNamespace:
    """The reference solutions by their names."""
    names: dict = {"torch": torch, "TransformerBridge": TransformerBridge}
    for cell in contract.load(TEXT).cells("solution"):
        exec(cell.source, names)
    return SimpleNamespace(**names)


@pytest.fixture(scope="module")
def net() -> TransformerBridge:
    return model("tiny-gpt2", device="cpu")


@pytest.fixture(scope="module")
def pair(net) -> SimpleNamespace:
    """The notebook's two sentences, and the names that are right and wrong in each."""
    text = "When Mary and John went to the shop, John gave a book to"
    clean = net.to_tokens(text)
    corrupt = net.to_tokens(text.replace(", John", ", Mary"))
    mary, john = (int(net.to_tokens(n, prepend_bos=False)[0, 0]) for n in (" Mary", " John"))
    return SimpleNamespace(
        text=text,
        clean=clean,
        corrupt=corrupt,
        both=torch.cat([clean, corrupt]),
        right=torch.tensor([mary, john]),
        wrong=torch.tensor([john, mary]),
        metric=lambda logits: logits[0, -1, mary] - logits[0, -1, john],
    )


def on_our_scale(grid: torch.Tensor, net, pair) -> torch.Tensor:
    best, worst = pair.metric(net(pair.clean)), pair.metric(net(pair.corrupt))
    return (grid - worst) / (best - worst)


def test_the_tokens_texts(ours, net, pair):
    for with_bos in (True, False):
        report = ours.token_report(net, pair.text, with_bos)
        assert [own for _, own in report] == net.to_str_tokens(pair.text, prepend_bos=with_bos)
    assert callable(utilities.test_prompt)


def test_the_fraction_of_right_guesses(ours, net, pair):
    logits = net(pair.both)
    library = float(utilities.lm_accuracy(logits, pair.both))
    assert library == pytest.approx(ours.frac_correct(logits, pair.both))
    assert utilities.lm_accuracy(logits, pair.both, per_token=True).shape == (2, 14)


def test_names_can_be_filtered_by_a_list_and_a_run_stopped_early(net, pair):
    wanted = ["blocks.0.attn.hook_pattern"]
    assert list(net.run_with_cache(pair.clean, names_filter=wanted)[1].keys()) == wanted
    _, cache = net.run_with_cache(pair.clean)
    assert torch.equal(net(pair.clean, stop_at_layer=1), cache["resid_pre", 1])
    stopped = net.run_with_cache(pair.clean, stop_at_layer=1)[1]
    assert not any(name.startswith("blocks.1.") for name in stopped)


def test_the_parts_of_the_residual_stream(ours, net, pair):
    names, parts = ours.residual_parts(net, pair.both)
    theirs, labels = net.run_with_cache(pair.both)[1].decompose_resid(return_labels=True)
    assert labels == names and torch.equal(theirs, parts)


def test_text_is_generated_under_hooks(net, pair):
    arrow = net.W_U[:, pair.wrong[0]] / net.W_U[:, pair.wrong[0]].norm()

    def push(resid, hook):
        resid[:, -1] += 2 * resid[:, -1].norm() * arrow
        return resid

    options = {"max_new_tokens": 1, "do_sample": False, "verbose": False}
    assert int(net.generate(pair.clean, **options)[0, -1]) == pair.right[0]
    with net.hooks(fwd_hooks=[("blocks.1.hook_resid_pre", push)]):
        assert int(net.generate(pair.clean, **options)[0, -1]) == pair.wrong[0]


def test_direct_attribution_agrees_in_compatibility_mode_only(ours, net, pair):
    """Exercise 17 says by how much: if it ends, that text is to be changed."""
    processed = TransformerBridge.boot_transformers(str(folder_of("tiny-gpt2")), device="cpu")
    processed.enable_compatibility_mode(disable_warnings=True)
    want = ours.direct_attribution(
        net, ours.residual_parts(net, pair.both)[1], pair.right, pair.wrong
    )
    gaps = []
    for bridge in (processed, net):
        _, cache = bridge.run_with_cache(pair.both)
        parts: Any = cache.decompose_resid(pos_slice=-1)
        attributed = cache.logit_attrs(
            parts,
            tokens=pair.right,
            incorrect_tokens=pair.wrong,
            pos_slice=-1,
        )
        gaps.append(float((attributed - want).abs().max()))
    assert gaps[0] < 1e-4 and gaps[1] > 1
    with pytest.raises(ValueError, match="compatibility mode"):
        analysis.direct_logit_attribution(net, pair.clean, pair.right[:1], pair.wrong[:1])


def test_the_logit_lens(ours, net, pair):
    want = ours.logit_lens(net, pair.clean)
    _, cache = net.run_with_cache(pair.clean)
    assert torch.allclose(net.unembed(cache.accumulated_resid(apply_ln=True)), want, atol=1e-4)
    lens = analysis.logit_lens(net, pair.clean, positions=None).values
    assert torch.allclose(lens, want, atol=1e-4)


@pytest.mark.parametrize(
    ("exercise", "theirs"),
    [
        ("patch_resid", patching.get_act_patch_resid_pre),
        ("patch_heads", patching.get_act_patch_attn_head_out_all_pos),
    ],
)
def test_patching(ours, net, pair, exercise, theirs):
    _, cache = net.run_with_cache(pair.clean)
    want = getattr(ours, exercise)(net, pair.clean, pair.corrupt, pair.metric)
    grid = theirs(net, pair.corrupt, cache, pair.metric)
    assert torch.allclose(on_our_scale(grid, net, pair), want, atol=1e-3)
    assert callable(analysis.faithfulness)


def test_the_natively_built_models_scores_are_their_patterns():
    """As docs/upstream.md says: if it ends, exercise 4's text and that page are to be changed."""
    for name, same in (("induction-2l2h", True), ("tiny-gpt2", False)):
        bridge = model(name, device="cpu")
        _, cache = bridge.run_with_cache(torch.arange(7)[None] * 11 % bridge.cfg.d_vocab)
        scores, pattern = cache["attn_scores", 0], cache["pattern", 0]
        assert torch.allclose(scores, pattern) is same, name
