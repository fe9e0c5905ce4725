"""Write the folder of a GPT-2-shaped model: weights, config, tokenizer, and its model card."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from course.models import WEIGHTS
from course.training.card import LICENCE
from course.training.gates import Gate
from course.training.gpt2 import LanguageRecipe
from course.training.language_gates import LanguageMeasured

if TYPE_CHECKING:
    from transformers import GPT2LMHeadModel, GPT2Tokenizer


def save(model: GPT2LMHeadModel, tokenizer: GPT2Tokenizer, folder: Path) -> None:
    """Write the files that the transformers library reads a GPT-2 from, readable by everybody."""
    folder.mkdir(parents=True, exist_ok=True)
    model.config.activation_function = "gelu_new"  # GPT-2's name for the function trained with
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    for path in folder.iterdir():
        path.chmod(0o644)  # the library writes 0600, which a student's server could not read


def model_card(
    recipe: LanguageRecipe, measured: LanguageMeasured, gates: list[Gate], folder: Path
) -> str:
    """The text of README.md for the model saved in `folder`."""
    m = measured
    size = (folder / WEIGHTS).stat().st_size
    digest = hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest()
    million = recipe.steps * recipe.batch * recipe.context / 1e6
    lines = [
        f"# {recipe.name}",
        "",
        recipe.purpose,
        "",
        "## Model",
        "",
        f"- GPT-2: {recipe.layers} layers of {recipe.heads} heads, d_model {recipe.d_model}, "
        f"d_head {recipe.d_model // recipe.heads}, MLPs of {4 * recipe.d_model}, context "
        f"{recipe.context}, tied embeddings.",
        "- Tokenizer: byte-level BPE; `<|endoftext|>` is the last token and stands before a text, "
        "as in GPT-2.",
        f"- {size / 1e6:.2f} MB in float32. Hugging Face folder: `course.models.model"
        f'("{recipe.name}")`, or any library that reads GPT-2.',
        "",
        "## Training",
        "",
        "- Text: the synthetic language of `course.language`: who gives what to whom, facts about "
        "32 countries, agreement, pronouns, invented surnames, lists, brackets; and, in two rows "
        "of five, blocks of random tokens repeated. It knows no other English.",
        "- Never seen in training: one pair of names in ten, four sentence patterns.",
        f"- AdamW, batch {recipe.batch} rows of {recipe.context} tokens, {recipe.steps} steps "
        f"({million:.1f} million tokens), float32, one CPU thread. Learning rate up to "
        f"{recipe.learning_rate:g}, then down in a half cosine that would end at step "
        f"{recipe.decay}.",
        f"- Weights initialised with standard deviation {recipe.spread:g} (GPT-2's 0.02 leaves a "
        "model of this width on a plateau), positions with sinusoids.",
        f"- Seed {recipe.seed}. {recipe.seeds_tried}".rstrip(),
        f"- torch {torch.__version__}. Retrain with `python -m course.training train "
        f"{recipe.name}`: another version or processor rounds otherwise and ends elsewhere, so "
        "the gates decide and not the digest.",
        "",
        "## Gates",
        "",
        "Losses in nats, differences in logits. Random tokens are uniform, 50 of them said twice; "
        "indirect objects are 200 prompts from a fixed seed.",
        "",
        "| demand | bound | measured |",
        "| --- | --- | --- |",
        *(f"| {g.demand} | {g.bound} | {g.value:.3f} |" for g in gates),
        "",
        f"On fresh documents: {m.text_loss:.2f} nats a token; the best guess from the previous "
        f"token alone costs {m.bigram_loss:.2f}, from none {m.unigram_loss:.2f}. New sentence "
        f"patterns: accuracy {m.pattern_accuracy:.2f}.",
        "",
        "| head | previous token | stripe, repeated tokens | stripe, random tokens | "
        "share of the logit difference it restores |",
        "| --- | --- | --- | --- | --- |",
        *(
            f"| {layer}.{head} | "
            + " | ".join(
                f"{c[layer, head]:.2f}" for c in (m.previous, m.induction, m.control, m.patching)
            )
            + " |"
            for layer in range(recipe.layers)
            for head in range(recipe.heads)
        ),
        "",
        "The last column: the head's output in the clean run is put into the run on a text in "
        "which somebody else gives. How this model finds the recipient is not how GPT-2 does.",
        "",
        "## File",
        "",
        f"- sha256 of `{WEIGHTS}`: `{digest}`",
        f"- Licence: {LICENCE}, as the rest of the project.",
        "",
    ]
    return "\n".join(lines)
