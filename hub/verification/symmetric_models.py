"""Symmetric and random models under our models' names: references must keep their points on them.

A test that holds only for one head, or for one set of weights, takes points from a right answer on
some of them. They are made by `course.training`, which only the repository contains.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from nbformat import NotebookNode

from hub.facts.errors import UserError

SEED = 5
NAMED = ('"tiny-gpt2"', "'tiny-gpt2'")  # in a notebook about GPT-2


@dataclass(frozen=True)
class ModelVariant:
    """A folder for `COURSE_MODELS`. trained: whether its models compute what ours do."""

    title: str
    folder: Path
    trained: bool


class NoTraining(UserError):
    """`course.training` is not installed."""


def model_variants(target: Path) -> list[ModelVariant]:
    """Symmetric copies of our checkpoints (same function, other heads and another basis), and
    GPT-2 folders with random weights in other sizes, in new folders in `target`.

    Raises:
        NoTraining: `course.training` is not installed.
    """
    try:
        from course.training.symmetry import random_gpt2, symmetric_models
    except ModuleNotFoundError as error:
        raise NoTraining(
            "symmetric models are made by course.training, which is not installed"
        ) from error
    from transformers.utils import logging

    logging.disable_progress_bar()  # of writing a model, amid our own lines
    symmetric = symmetric_models(target / "symmetric", SEED)
    random = target / "random"
    random_gpt2(random / "tiny-gpt2", SEED, layers=3, heads=3, d_model=60, context=128)
    random_gpt2(random / "gpt2", SEED + 1, layers=1, heads=5, d_model=40, context=160)
    return [
        ModelVariant("symmetric models", symmetric, trained=True),
        ModelVariant("a GPT-2 with random weights", random, trained=False),
    ]


def concerns(other: ModelVariant, notebook: NotebookNode) -> bool:
    """Whether a notebook uses these models at all."""
    code = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    return other.trained or any(name in text for text in code for name in NAMED)
