"""What `tiny-gpt2` must show before it is shipped, measured on the files that are shipped.

Names of people, sentence patterns and random tokens are those it was not trained on. The logit
difference is that of Wang et al. 2022: the logit of the right name minus that of the other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from course.language import (
    HELD_OUT_PATTERNS,
    Prompt,
    agreement_prompts,
    capital_prompts,
    indirect_object_prompts,
    token_rows,
)
from course.training.gates import Gate

if TYPE_CHECKING:
    from transformer_lens.model_bridge import TransformerBridge

SEED = 20_240
REPEATED = 50  # random tokens, said twice
ROWS = 64
PROMPTS = 200


@dataclass(frozen=True)
class LanguageMeasured:
    """Figures of one model. Losses in nats, differences in logits, the rest between 0 and 1."""

    first_copy_loss: float
    second_copy_loss: float
    text_loss: float  # on fresh documents
    bigram_loss: float  # of the best guess from the previous token alone, on the same documents
    unigram_loss: float
    pair_accuracy: float  # indirect objects, names that never stood together in training
    pair_difference: float
    pattern_accuracy: float  # the same in sentences of a form that was not trained on
    pattern_difference: float
    capitals: float
    agreement: float  # the right one of "is" and "are"
    previous: Tensor  # [layer head] attention to the previous token, random tokens
    induction: Tensor  # [layer head] attention to the token after the earlier occurrence
    control: Tensor  # [layer head] the same where nothing repeats
    patching: Tensor  # [layer head] share of the logit difference that the head alone restores


@torch.no_grad()
def measure(bridge: TransformerBridge) -> LanguageMeasured:
    """All figures of a GPT-2-shaped model of the synthetic language. About 10 CPU-seconds."""
    generator = torch.Generator().manual_seed(SEED)
    bos = bridge.tokenizer.bos_token_id
    start = torch.full((ROWS, 1), bos)
    block = torch.randint(0, bos, (ROWS, REPEATED), generator=generator)
    other = torch.randint(0, bos, (ROWS, REPEATED), generator=generator)
    repeated, random = torch.cat([start, block, block], 1), torch.cat([start, block, other], 1)
    losses = _losses(bridge(repeated), repeated)
    known, unknown = _patterns(bridge, repeated), _patterns(bridge, random)

    pairs = indirect_object_prompts(PROMPTS, SEED)
    patterns = indirect_object_prompts(PROMPTS, SEED + 1, patterns=HELD_OUT_PATTERNS)
    pair_hits, pair_differences = _answers(bridge, pairs)
    pattern_hits, pattern_differences = _answers(bridge, patterns)
    _, agreement_differences = _answers(bridge, agreement_prompts(PROMPTS, SEED))
    text_loss, bigram_loss, unigram_loss = _text_losses(bridge)
    return LanguageMeasured(
        first_copy_loss=losses[:, :REPEATED].mean().item(),
        second_copy_loss=losses[:, REPEATED + 1 :].mean().item(),
        text_loss=text_loss,
        bigram_loss=bigram_loss,
        unigram_loss=unigram_loss,
        pair_accuracy=pair_hits.mean().item(),
        pair_difference=pair_differences.mean().item(),
        pattern_accuracy=pattern_hits.mean().item(),
        pattern_difference=pattern_differences.mean().item(),
        capitals=_answers(bridge, capital_prompts())[0].mean().item(),
        agreement=(agreement_differences > 0).float().mean().item(),
        previous=unknown.diagonal(-1, -2, -1)[..., 1:].mean((1, 3)),
        induction=_stripe(known),
        control=_stripe(unknown),
        patching=_patching(bridge, pairs[:40]),
    )


def language_gates(m: LanguageMeasured) -> list[Gate]:
    """Demands on a model that has learnt the synthetic language."""
    best = int(m.induction.flatten().argmax())
    return [
        Gate("loss on random tokens, second copy", m.second_copy_loss, at_most=0.3),
        Gate("loss on random tokens, first copy", m.first_copy_loss, at_least=6.5),
        Gate("best induction score", m.induction.max().item(), at_least=0.8),
        Gate("control of that head", m.control.flatten()[best].item(), at_most=0.1),
        Gate("best previous-token score", m.previous.max().item(), at_least=0.35),
        Gate("indirect object, new pairs: accuracy", m.pair_accuracy, at_least=0.9),
        Gate("indirect object, new pairs: logit difference", m.pair_difference, at_least=3.0),
        Gate("indirect object, new patterns: logit difference", m.pattern_difference, at_least=2.5),
        Gate("largest share of it that one head restores", m.patching.max().item(), at_least=0.3),
        Gate("capitals", m.capitals, at_least=1.0),
        Gate("agreement across another noun", m.agreement, at_least=0.95),
        Gate("nats below the bigram loss on text", m.bigram_loss - m.text_loss, at_least=0.5),
    ]


def _losses(logits: Tensor, tokens: Tensor) -> Tensor:
    """`[batch pos-1]`, entry i about token i+1."""
    return -logits[:, :-1].log_softmax(-1).gather(-1, tokens[:, 1:, None])[..., 0]


def _patterns(bridge: TransformerBridge, tokens: Tensor) -> Tensor:
    """Attention of all heads, `[layer batch head query key]`."""
    _, cache = bridge.run_with_cache(
        tokens, names_filter=lambda name: name.endswith("attn.hook_pattern")
    )
    layers = range(bridge.cfg.n_layers)
    return torch.stack([cache[f"blocks.{layer}.attn.hook_pattern"] for layer in layers])


def _stripe(patterns: Tensor) -> Tensor:
    """Mean attention `[layer head]` from each token of the second copy to the one after its twin;
    the diagonal starts at query REPEATED-1, the second copy at REPEATED+1."""
    return patterns.diagonal(-(REPEATED - 1), -2, -1)[..., 2:].mean((1, 3))


def _answers(bridge: TransformerBridge, prompts: Sequence[Prompt]) -> tuple[Tensor, Tensor]:
    """Whether the most likely next token is right, and the logit difference, for each prompt."""
    hits, differences = [], []
    for prompt in prompts:
        logits = bridge(bridge.to_tokens(prompt.text))[0, -1]  # [vocab]
        answer, wrong = (bridge.to_single_token(word) for word in (prompt.answer, prompt.wrong))
        hits.append(float(logits.argmax() == answer))
        differences.append(float(logits[answer] - logits[wrong]))
    return torch.tensor(hits), torch.tensor(differences)


def _text_losses(bridge: TransformerBridge) -> tuple[float, float, float]:
    """Nats a token of the model, the bigram table and the unigram table on fresh documents."""
    length, vocabulary = bridge.cfg.n_ctx, bridge.cfg.d_vocab
    seen = token_rows(bridge.tokenizer, 4000, length, SEED, repeats=0.0)
    fresh = token_rows(bridge.tokenizer, ROWS, length, SEED + 1, repeats=0.0)
    counts = torch.full((vocabulary, vocabulary), 1e-3)  # no pair is impossible
    ones = torch.ones(seen[:, 1:].numel())
    counts.index_put_((seen[:, :-1].flatten(), seen[:, 1:].flatten()), ones, accumulate=True)
    bigram = (counts / counts.sum(1, keepdim=True)).log()
    unigram = (counts.sum(0) / counts.sum()).log()
    before, after = fresh[:, :-1], fresh[:, 1:]
    return (
        _losses(bridge(fresh), fresh).mean().item(),
        -bigram[before, after].mean().item(),
        -unigram[after].mean().item(),
    )


def _patching(bridge: TransformerBridge, prompts: Sequence[Prompt]) -> Tensor:
    """Share `[layer head]` of the logit difference that comes back when the head's output of the
    clean run is put into the run on the corrupted text, at all positions; mean over prompts."""
    layers, heads = bridge.cfg.n_layers, bridge.cfg.n_heads
    restored = torch.zeros(layers, heads)
    whole = 0.0
    for prompt in prompts:
        clean, corrupted = bridge.to_tokens(prompt.text), bridge.to_tokens(prompt.corrupted)
        answer, wrong = (bridge.to_single_token(word) for word in (prompt.answer, prompt.wrong))
        logits, cache = bridge.run_with_cache(clean, names_filter=lambda n: n.endswith("hook_z"))
        base = bridge(corrupted)[0, -1]
        floor = float(base[answer] - base[wrong])
        whole += float(logits[0, -1, answer] - logits[0, -1, wrong]) - floor
        for layer in range(layers):
            source = cache[f"blocks.{layer}.attn.hook_z"]  # [1 pos head d_head]
            for head in range(heads):

                def put(
                    z: Tensor, hook: object, head: int = head, source: Tensor = source
                ) -> Tensor:
                    z = z.clone()
                    z[:, :, head] = source[:, :, head]
                    return z

                hooks: list[tuple[str | Callable[..., Any], Callable[..., Any]]] = [
                    (f"blocks.{layer}.attn.hook_z", put)
                ]
                end = bridge.run_with_hooks(corrupted, fwd_hooks=hooks)[0, -1]
                restored[layer, head] += float(end[answer] - end[wrong]) - floor
    return restored / whole
