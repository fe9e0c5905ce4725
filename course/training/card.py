"""Write a checkpoint folder: the weights, what they are, and a model card that says how they
were made and what they were seen to do."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors.torch import save_file
from torch import Tensor

from course.models import CONFIG, WEIGHTS
from course.training.gates import Gate, Measured
from course.training.recipes import BOS, N_CTX, VOCAB, Recipe

if TYPE_CHECKING:
    from transformer_lens.model_bridge import TransformerBridge

LICENCE = "BSD-3-Clause"


def save(
    bridge: TransformerBridge,
    recipe: Recipe,
    measured: Measured,
    gates: list[Gate],
    folder: Path,
    snapshots: Mapping[int, Mapping[str, Tensor]],
) -> None:
    """Write config.json, model.safetensors, README.md and snapshots into `folder`, readable by
    everybody."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = folder / WEIGHTS
    files = {weights: bridge.state_dict()}
    if snapshots:
        (folder / "snapshots").mkdir(exist_ok=True)
    for step, tensors in snapshots.items():
        files[folder / "snapshots" / f"{step}.safetensors"] = dict(tensors)
    for path, tensors in files.items():
        save_file({k: v.contiguous() for k, v in tensors.items()}, path)
    config = {"transformer_bridge": recipe.config}
    (folder / CONFIG).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    digest = hashlib.sha256(weights.read_bytes()).hexdigest()
    count = sum(p.numel() for p in bridge.parameters())
    card = model_card(recipe, measured, gates, digest, count, torch.__version__)
    (folder / "README.md").write_text(card, encoding="utf-8")
    for path in (*files, folder / CONFIG, folder / "README.md"):
        # safetensors writes 0600, which a student's server, another user, could not read.
        path.chmod(0o644)


def model_card(
    recipe: Recipe,
    measured: Measured,
    gates: list[Gate],
    sha256: str,
    parameters: int,
    torch_version: str,
) -> str:
    """The text of README.md."""
    c = recipe.config
    period = (
        f"{recipe.longest}, always"
        if recipe.shortest == recipe.longest
        else f"uniform over {recipe.shortest} to {recipe.longest}, drawn for each row"
    )
    norm = "LayerNorm" if c["normalization_type"] else "no LayerNorm"
    cool_down = (
        f" In the last {recipe.cool_down} steps the rate falls to zero." if recipe.cool_down else ""
    )
    smear = (
        [
            "- Smeared keys: every position of layer 0 has its own key and "
            f"{recipe.smear:g} times that of the position before. These weights are meant for a "
            "run with a hook at `blocks.0.attn.hook_k` that adds it."
        ]
        if recipe.smear
        else []
    )
    layers = "1 layer" if c["n_layers"] == 1 else f"{c['n_layers']} layers"
    million = recipe.steps * recipe.batch * N_CTX / 1e6
    lines = [
        f"# {recipe.name}",
        "",
        recipe.purpose,
        "",
        "## Model",
        "",
        f"- Attention only: {layers} of {c['n_heads']} heads, d_model "
        f"{c['d_model']}, d_head {c['d_head']}, {norm}, learned positions, context {N_CTX}.",
        *smear,
        f"- Vocabulary: tokens 0 to {VOCAB - 1}, and {BOS} for the beginning of a sequence.",
        f"- {parameters:,} parameters in float32, initialised with standard deviation "
        f"{c['initializer_range']:g}.",
        "",
        "## Training",
        "",
        f"- Text: {BOS}, then a block of uniformly random tokens repeated to the end of the "
        f"context. Length of the block: {period}.",
        "- Loss: cross-entropy of the next token, mean over all positions.",
        f"- AdamW, learning rate {recipe.learning_rate:g}, weight decay "
        f"{recipe.weight_decay:g}, batch {recipe.batch}, {recipe.steps} steps "
        f"({million:.1f} million tokens), one CPU thread.{cool_down}",
        f"- Seed {recipe.seed}. {recipe.seeds_tried}".rstrip(),
        f"- torch {torch_version}. Retrain with `python -m course.training train {recipe.name}`: "
        "the same version on the same kind of processor gives the same weights; another may end "
        "elsewhere, so the gates decide and not the digest.",
        *(_snapshot_lines(recipe)),
        "",
        "## Gates",
        "",
        "Measured on 256 fresh sequences from a fixed seed, losses in nats. Two copies of 24 "
        "tokens fill the context; the other period is 17.",
        "",
        "| demand | bound | measured |",
        "| --- | --- | --- |",
        *(f"| {g.demand} | {g.bound} | {g.value:.3f} |" for g in gates),
        "",
        f"Loss {measured.first_copy_loss:.2f} in the first copy (a uniform guess costs 4.16), "
        f"{measured.second_copy_loss:.3f} in the second.",
        "",
        "| head | previous token | stripe, repeated text | stripe, random text | "
        "second-copy loss, mean-ablated | zero-ablated |",
        "| --- | --- | --- | --- | --- | --- |",
        *_head_rows(measured),
        "",
        "## File",
        "",
        f"- sha256 of `{WEIGHTS}`: `{sha256}`",
        f"- Licence: {LICENCE}, as the rest of the project.",
        "",
    ]
    return "\n".join(lines)


def _snapshot_lines(recipe: Recipe) -> list[str]:
    if not recipe.snapshots:
        return []
    steps = ", ".join(map(str, recipe.snapshots))
    return [
        f"- Snapshots in float16 after steps {steps}: "
        f'`course.models.model("{recipe.name}@{recipe.snapshots[-1]}")` and so on.'
    ]


def _head_rows(m: Measured) -> list[str]:
    columns = (m.previous, m.induction, m.control, m.mean_ablation, m.zero_ablation)
    layers, heads = m.previous.shape
    return [
        f"| {layer}.{head} | " + " | ".join(f"{c[layer, head]:.2f}" for c in columns) + " |"
        for layer in range(layers)
        for head in range(heads)
    ]
