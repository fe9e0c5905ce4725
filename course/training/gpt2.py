"""Train a model of GPT-2's architecture on the synthetic language."""

from __future__ import annotations

import math
from collections.abc import Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from course.language import token_rows

if TYPE_CHECKING:
    from transformers import GPT2LMHeadModel, GPT2Tokenizer

REPORT_EVERY = 100  # steps
CHUNK = 250  # steps whose rows are made at once


@dataclass(frozen=True)
class LanguageRecipe:
    """All that decides a GPT-2-shaped checkpoint, down to the seed."""

    name: str
    purpose: str  # one sentence for the model card
    layers: int
    heads: int
    d_model: int
    context: int
    steps: int
    seed: int
    batch: int = 16
    learning_rate: float = 3e-3  # at its highest
    warm_up: int = 200  # steps
    decay: int = 7000  # the step at which the rate would be lowest; training may stop before it
    weight_decay: float = 0.05
    # GPT-2's own 0.02 is for d_model 768. At 128 it leaves attention flat, and induction never
    # forms; about 1/sqrt(d_model) does.
    spread: float = 0.08
    embedding_spread: float = 0.04
    seeds_tried: str = ""


TINY_GPT2 = LanguageRecipe(
    name="tiny-gpt2",
    purpose="A GPT-2 in miniature: the same architecture and file format, two layers, trained on "
    "the synthetic language of `course.language`.",
    layers=2,
    heads=4,
    d_model=128,
    context=128,
    steps=4000,
    seed=0,
)


def train(
    recipe: LanguageRecipe, tokenizer: GPT2Tokenizer
) -> Generator[str, None, GPT2LMHeadModel]:
    """Yield progress lines and return the trained model, in evaluation mode."""
    # A sum over two threads is rounded otherwise than over one: one thread, the same weights.
    torch.set_num_threads(1)
    model = untrained(recipe, len(tokenizer))
    optimizer = torch.optim.AdamW(
        model.parameters(),
        lr=recipe.learning_rate,
        betas=(0.9, 0.98),
        weight_decay=recipe.weight_decay,
    )
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: _rate(step, recipe))
    for step in range(1, recipe.steps + 1):
        if step % CHUNK == 1:
            seed = recipe.seed * 1_000_000 + step
            rows = token_rows(tokenizer, CHUNK * recipe.batch, recipe.context + 1, seed)
        start = (step - 1) % CHUNK * recipe.batch
        loss = _loss(model, rows[start : start + recipe.batch])
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        if step % REPORT_EVERY == 0:
            yield f"{recipe.name}: step {step}/{recipe.steps}, loss {loss.item():.3f} nats"
    return model.eval()


def untrained(recipe: LanguageRecipe, vocabulary: int) -> GPT2LMHeadModel:
    """The model before its first step, initialised from the recipe's seed."""
    from transformers import GPT2Config, GPT2LMHeadModel

    config = GPT2Config(
        n_layer=recipe.layers,
        n_head=recipe.heads,
        n_embd=recipe.d_model,
        n_positions=recipe.context,
        vocab_size=vocabulary,
        bos_token_id=vocabulary - 1,
        eos_token_id=vocabulary - 1,
        initializer_range=recipe.spread,
        # The same function as GPT-2's gelu_new, which is a slow formula in Python.
        activation_function="gelu_pytorch_tanh",
        attn_pdrop=0.0,
        embd_pdrop=0.0,
        resid_pdrop=0.0,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(recipe.seed)
        model = GPT2LMHeadModel._from_config(config, attn_implementation="eager")
        torch.nn.init.normal_(model.transformer.wte.weight, std=recipe.embedding_spread)
    with torch.no_grad():
        # Waves, as in the first transformer: a neighbour's position is a rotation from the start,
        # and the model need not find the order of 128 random vectors before it can look one back.
        waves = sinusoids(recipe.context, recipe.d_model)
        model.transformer.wpe.weight.copy_(waves * recipe.embedding_spread * math.sqrt(2))
    return model.train()


def sinusoids(positions: int, d_model: int) -> Tensor:
    """`[pos d_model]` in -1..1, sines in the first half (Vaswani et al. 2017, section 3.5)."""
    frequency = 10_000 ** (-torch.arange(0, d_model, 2) / d_model)  # [d_model/2]
    angle = torch.arange(positions)[:, None] * frequency  # [pos d_model/2]
    return torch.cat([angle.sin(), angle.cos()], dim=1)


def _loss(model: GPT2LMHeadModel, rows: Tensor) -> Tensor:
    """Mean loss in nats of `rows` `[batch pos+1]`, over all positions."""
    logits = model(rows[:, :-1], use_cache=False).logits  # [batch pos vocab]
    return cross_entropy(logits.flatten(0, 1), rows[:, 1:].flatten())


def _rate(step: int, recipe: LanguageRecipe) -> float:
    """The learning rate's share: up in a line, then down in half a cosine to a twentieth."""
    if step < recipe.warm_up:
        return (step + 1) / recipe.warm_up
    done = (step - recipe.warm_up) / (recipe.decay - recipe.warm_up)
    return 0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * done))
