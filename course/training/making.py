"""From a recipe to a checkpoint that has been measured, whatever its kind."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Generator
from pathlib import Path
from typing import NamedTuple

from course.models import model
from course.training import card, gates, gpt2, language_card, language_gates, trainer
from course.training.gates import Gate
from course.training.gpt2 import LanguageRecipe
from course.training.recipes import RECIPES as SMALL
from course.training.recipes import Recipe
from course.training.tokenizer import train_tokenizer

RECIPES: dict[str, Recipe | LanguageRecipe] = {**SMALL, gpt2.TINY_GPT2.name: gpt2.TINY_GPT2}


class Made(NamedTuple):
    """A trained model: how its gates stand, and how to write its folder."""

    gates: list[Gate]
    save: Callable[[Path], None]


def make(recipe: Recipe | LanguageRecipe) -> Generator[str, None, Made]:
    """Train; yields progress, returns the measured model."""
    if isinstance(recipe, LanguageRecipe):
        return (yield from _make_gpt2(recipe))
    snapshots: dict[int, trainer.Weights] = {}
    bridge = yield from trainer.train(recipe, snapshots)
    measured = gates.measure(bridge, recipe.smear)
    found = gates.GATES[recipe.name](measured)
    return Made(found, lambda to: card.save(bridge, recipe, measured, found, to, snapshots))


def _make_gpt2(recipe: LanguageRecipe) -> Generator[str, None, Made]:
    from transformer_lens.model_bridge import TransformerBridge

    tokenizer = train_tokenizer(recipe.context)
    trained = yield from gpt2.train(recipe, tokenizer)
    with tempfile.TemporaryDirectory() as scratch:
        # Measured is what a reader of the files gets, and not what was in memory.
        language_card.save(trained, tokenizer, Path(scratch))
        bridge = TransformerBridge.boot_transformers(scratch, device="cpu")
        measured = language_gates.measure(bridge)
    found = language_gates.language_gates(measured)

    def save(folder: Path) -> None:
        language_card.save(trained, tokenizer, folder)
        text = language_card.model_card(recipe, measured, found, folder)
        (folder / "README.md").write_text(text, encoding="utf-8")

    return Made(found, save)


def shipped_gates(name: str) -> list[Gate]:
    """The gates of the checkpoint that `course.models` finds under this name."""
    bridge = model(name, device="cpu")
    recipe = RECIPES[name]
    if isinstance(recipe, LanguageRecipe):
        return language_gates.language_gates(language_gates.measure(bridge))
    return gates.GATES[name](gates.measure(bridge, recipe.smear))
