"""Copies of a model that compute the same and look different inside.

The order of the heads in a layer, the order of the neurons in an MLP and the order of the residual
stream's coordinates can be changed without any effect on the logits; where there is no LayerNorm
the residual stream may be turned by any rotation (Elhage et al. 2021, "A Mathematical Framework
for Transformer Circuits": it has no privileged basis). A test that hard-codes a head, or compares
with a number that holds in one basis only, fails on such a copy; the reference solution must not.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Generator, Tensor

from course.models import CONFIG, SHIPPED, WEIGHTS

# What each axis of a tensor runs over: the residual stream (d), heads times d_head (h), three
# times that for query, key and value (hhh), neurons (m), or something that stays (-).
_AXES = (
    (r"wte\.weight|wpe\.weight|lm_head\.weight", "- d"),
    (r"(?:h\.\d+\.)?ln_[12f]\.(?:weight|bias)", "d"),
    (r"h\.\d+\.attn\.c_attn\.weight", "d hhh"),
    (r"h\.\d+\.attn\.c_attn\.bias", "hhh"),
    (r"h\.\d+\.attn\.c_proj\.weight", "h d"),
    (r"h\.\d+\.mlp\.c_fc\.weight", "d m"),
    (r"h\.\d+\.mlp\.c_fc\.bias", "m"),
    (r"h\.\d+\.mlp\.c_proj\.weight", "m d"),
    (r"h\.\d+\.(?:attn|mlp)\.c_proj\.bias", "d"),
    # The course's own models: linear layers are [out in], as in torch.
    (r"(?:pos_)?embed\.weight|unembed\.weight", "- d"),
    (r"unembed\.bias", "-"),
    (r"(?:blocks\.\d+\.)?ln(?:1|2|_final)\.(?:weight|bias)", "d"),
    (r"blocks\.\d+\.attn\.[qkv]\.weight", "h d"),
    (r"blocks\.\d+\.attn\.[qkv]\.bias", "h"),
    (r"blocks\.\d+\.attn\.o\.weight", "d h"),
    (r"blocks\.\d+\.attn\.o\.bias", "d"),
)

Turn = Callable[[Tensor, int], Tensor]  # a tensor and one of its axes


def symmetric_models(target: Path, seed: int, source: Path = SHIPPED) -> Path:
    """A folder for `COURSE_MODELS` with a symmetric copy of every checkpoint in `source`, under
    the same names, so that it stands in for the shipped ones."""
    for folder in sorted(source.iterdir()):
        if (folder / CONFIG).is_file():
            symmetric_copy(folder, seed, target / folder.name)
    return target


def symmetric_copy(folder: Path, seed: int, target: Path) -> Path:
    """Copy checkpoint `folder` to `target` with heads, neurons and the residual stream's basis
    changed, its snapshots in the same way as itself; returns `target`.

    Raises:
        ValueError: the checkpoint has a tensor of a kind that is not known here.
    """
    turns = _turns(json.loads((folder / CONFIG).read_text(encoding="utf-8")), seed)
    shutil.copytree(folder, target, ignore=shutil.ignore_patterns("*.safetensors", "README.md"))
    for file in (folder / WEIGHTS, *(folder / "snapshots").glob("*.safetensors")):
        tensors = {name: _turned(name, t, turns) for name, t in load_file(file).items()}
        path = target / file.relative_to(folder)
        # The transformers library refuses a file that does not say from which library it is.
        save_file(tensors, path, metadata={"format": "pt"})
        path.chmod(0o644)
    return target


def _turned(name: str, tensor: Tensor, turns: Callable[[str, int], Turn]) -> Tensor:
    bare = name.removeprefix("transformer.")
    axes = next((axes for pattern, axes in _AXES if re.fullmatch(pattern, bare)), None)
    if axes is None:
        raise ValueError(f"no symmetry is known for a tensor named {name}")
    layer = int((re.search(r"\.(\d+)\.", bare) or ["", "0"])[1])
    result = tensor.double()
    for axis, kind in enumerate(axes.split()):
        result = turns(kind, layer)(result, axis)
    return result.to(tensor.dtype).contiguous()


def _turns(config: dict[str, Any], seed: int) -> Callable[[str, int], Turn]:
    """For a kind of axis and a layer: what happens to that axis of a tensor."""
    if "model_type" in config:
        layers, heads, d_model = (config[key] for key in ("n_layer", "n_head", "n_embd"))
        d_mlp, normalized = config.get("n_inner") or 4 * d_model, True
        d_head = d_model // heads
    else:
        own = config["transformer_bridge"]
        layers, heads, d_model = (own[key] for key in ("n_layers", "n_heads", "d_model"))
        d_mlp, normalized = own.get("d_mlp") or 0, own["normalization_type"] is not None
        d_head = own["d_head"]
    generator = torch.Generator().manual_seed(seed)
    basis = _permutation(d_model, generator) if normalized else _rotation(d_model, generator)
    by_layer = []
    for _ in range(layers):
        order = torch.randperm(heads, generator=generator)
        while heads > 1 and torch.equal(order, torch.arange(heads)):
            order = torch.randperm(heads, generator=generator)
        rows = torch.arange(heads * d_head).view(heads, d_head)[order].flatten()
        thrice = torch.cat([rows + part * heads * d_head for part in range(3)])
        by_layer.append(
            {"h": _selection(rows), "hhh": _selection(thrice), "m": _permutation(d_mlp, generator)}
        )

    def turn(kind: str, layer: int) -> Turn:
        if kind == "-":
            return lambda tensor, axis: tensor
        return basis if kind == "d" else by_layer[layer][kind]

    return turn


def _selection(indices: Tensor) -> Turn:
    return lambda tensor, axis: tensor.index_select(axis, indices)


def _permutation(n: int, generator: Generator) -> Turn:
    return _selection(torch.randperm(n, generator=generator))


def _rotation(n: int, generator: Generator) -> Turn:
    """A random orthogonal matrix: from the QR decomposition of a Gaussian one."""
    gaussian = torch.randn(n, n, generator=generator, dtype=torch.float64)
    orthogonal, _ = torch.linalg.qr(gaussian)
    return lambda tensor, axis: (tensor.movedim(axis, -1) @ orthogonal).movedim(-1, axis)


def random_gpt2(
    target: Path,
    seed: int,
    *,
    layers: int = 3,
    heads: int = 2,
    d_model: int = 48,
    context: int = 96,
    tokenizer: Path = SHIPPED / "tiny-gpt2",
) -> Path:
    """A GPT-2 folder of another size with random weights and the tokenizer of `tiny-gpt2`.

    The weights are large enough for attention patterns that are neither flat nor one-hot, and
    LayerNorms and biases are random too, so that what forgets one of them shows.
    """
    from transformers import AutoTokenizer, GPT2Config, GPT2LMHeadModel

    words = AutoTokenizer.from_pretrained(tokenizer)
    config = GPT2Config(
        n_layer=layers,
        n_head=heads,
        n_embd=d_model,
        n_positions=context,
        vocab_size=len(words),
        bos_token_id=words.bos_token_id,
        eos_token_id=words.eos_token_id,
    )
    model = GPT2LMHeadModel(config)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            norm = ".ln_" in name and name.endswith("weight")
            parameter.copy_(1 + 0.2 * noise if norm else noise * 1.2 / d_model**0.5)
    model.save_pretrained(target)
    words.save_pretrained(target)
    for path in target.iterdir():
        path.chmod(0o644)
    return target
