"""Train a recipe, reproducibly: same recipe, same torch, one thread, same bytes."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from course.models import build
from course.training.data import periodic_rows
from course.training.recipes import N_CTX, Recipe
from course.training.smear import smearing

if TYPE_CHECKING:
    from transformer_lens.model_bridge import TransformerBridge

REPORT_EVERY = 100  # steps


Weights = dict[str, Tensor]


def train(
    recipe: Recipe, snapshots: dict[int, Weights] | None = None
) -> Generator[str, None, TransformerBridge]:
    """Yield progress lines and return the trained model.

    Into `snapshots` go the weights at those steps that the recipe names, in half precision; at
    step 0 they are as initialised.

    The loss is the mean cross-entropy of the next token over all positions, first copies
    included, so that the model also learns to be undecided where nothing can be known.
    """
    # A sum over two threads is rounded otherwise than over one: one thread, the same weights.
    torch.set_num_threads(1)
    generator = torch.Generator().manual_seed(recipe.seed)
    bridge = build(recipe.config, seed=recipe.seed)
    optimizer = torch.optim.AdamW(
        bridge.parameters(), lr=recipe.learning_rate, weight_decay=recipe.weight_decay
    )
    for step in range(1, recipe.steps + 1):
        if snapshots is not None and (step - 1) in recipe.snapshots:
            snapshots[step - 1] = {k: v.half() for k, v in bridge.state_dict().items()}
        tokens = periodic_rows(
            recipe.batch,
            recipe.shortest,
            recipe.longest,
            generator,
            # One more than the context: the last position has a next token to predict as well,
            # or else its embedding would stay as random as it began.
            length=N_CTX + 1,
        )
        with bridge.hooks(fwd_hooks=smearing(recipe.smear)):
            logits = bridge(tokens[:, :-1])  # [batch pos vocab]
        loss = cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())
        for group in optimizer.param_groups:
            group["lr"] = _rate(step, recipe)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % REPORT_EVERY == 0:
            yield f"{recipe.name}: step {step}/{recipe.steps}, loss {loss.item():.3f} nats"
    return bridge.eval()


def _rate(step: int, recipe: Recipe) -> float:
    """The learning rate of a step, counted from 1."""
    left = recipe.steps - step + 1
    if left > recipe.cool_down:
        return recipe.learning_rate
    return recipe.learning_rate * left / recipe.cool_down
