"""Trained models by name, from one folder, with no network.

A checkpoint is a folder `<name>/` with `config.json` and `model.safetensors` (and a model card,
`README.md`). Two kinds are understood, told apart by their `config.json`:

- a Hugging Face GPT-2 folder, which has the key `model_type`;
- one of the course's own small models, whose key `transformer_bridge` holds the arguments of
  TransformerLens' `TransformerBridgeConfig`.

Checkpoints are read from the folder named by the environment variable `COURSE_MODELS`, or else
from `checkpoints/` beside this file. torch and TransformerLens take seconds to import, so they
are imported by the first call that needs them and not by importing this module.
"""

from __future__ import annotations

import json
import os
import re
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor
    from transformer_lens.model_bridge import TransformerBridge

CONFIG, WEIGHTS = "config.json", "model.safetensors"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")

# Memoised by (folder, device) and folder, so that a changed COURSE_MODELS is honoured.
_models: dict[tuple[Path, str], TransformerBridge] = {}
_weights: dict[Path, dict[str, Tensor]] = {}
_loading = threading.RLock()


class ModelNotFound(LookupError):
    """There is no complete checkpoint of that name; the message lists those that exist."""


def models_folder() -> Path:
    """The folder whose subfolders are the checkpoints: `COURSE_MODELS`, or the package's own."""
    chosen = os.environ.get("COURSE_MODELS")
    return Path(chosen).resolve() if chosen else Path(__file__).resolve().parent / "checkpoints"


def available() -> list[str]:
    """The names that `model` and `weights` accept, sorted."""
    root = models_folder()
    if not root.is_dir():
        return []
    return sorted(p.name for p in root.iterdir() if _NAME.fullmatch(p.name) and _complete(p))


def model(name: str, device: str | None = None) -> TransformerBridge:
    """The trained model `name`, ready to run: the same object at every call in a process.

    Args:
        name: one of `available()`.
        device: a torch device such as "cpu" or "cuda:1"; by default CUDA where there is a GPU,
            and else the CPU.

    Returns:
        A TransformerLens bridge in evaluation mode; its attribute `course_name` is `name`.
        Parameters keep `requires_grad=True`, as TransformerLens loads them.

    Raises:
        ModelNotFound: no complete checkpoint has this name.
    """
    folder = _folder(name)
    where = device or _default_device()
    with _loading:
        if (folder, where) not in _models:
            loaded = _boot(folder, where)
            loaded.eval()
            loaded.course_name = name
            _models[folder, where] = loaded
        return _models[folder, where]


def weights(name: str) -> dict[str, Tensor]:
    """The tensors of checkpoint `name` under the names they have in its file, on the CPU.

    The same dict at every call in a process, so treat it as read-only and `clone()` what you
    want to change. It shares no storage with `model(name)`. Needs torch, not TransformerLens.

    Raises:
        ModelNotFound: no complete checkpoint has this name.
    """
    folder = _folder(name)
    with _loading:
        if folder not in _weights:
            from safetensors.torch import load_file

            _weights[folder] = load_file(folder / WEIGHTS)
        return _weights[folder]


def name_of(obj: object) -> str | None:
    """The checkpoint's name if `obj` is what `model` or `weights` returned, else None.

    Goes by identity: a copy of a model may have been changed, so it has no name.
    """
    with _loading:
        for (folder, _device), known in _models.items():
            if known is obj:
                return folder.name
        for folder, tensors in _weights.items():
            if tensors is obj:
                return folder.name
    return None


def _complete(folder: Path) -> bool:
    return (folder / CONFIG).is_file() and (folder / WEIGHTS).is_file()


def _folder(name: str) -> Path:
    """The checkpoint folder of `name`, or `ModelNotFound`: a name is never a path."""
    if isinstance(name, str) and _NAME.fullmatch(name):
        folder = models_folder() / name
        if _complete(folder):
            return folder
    known = ", ".join(available()) or "none"
    raise ModelNotFound(f"no model named {name!r} in {models_folder()}; there are: {known}")


def _default_device() -> str:
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def _boot(folder: Path, device: str) -> TransformerBridge:
    config: dict[str, Any] = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    if "model_type" in config:
        from transformer_lens.model_bridge import TransformerBridge

        # A folder path, never a model's public name: a name sends the library to the network.
        return TransformerBridge.boot_transformers(str(folder), device=device)
    if "transformer_bridge" not in config:
        raise ValueError(f"{folder / CONFIG} has neither 'model_type' nor 'transformer_bridge'")
    from safetensors.torch import load_file

    bridge = build(config["transformer_bridge"], device=device)
    bridge.load_state_dict(load_file(folder / WEIGHTS))
    return bridge


def build(config: dict[str, Any], device: str = "cpu", seed: int = 0) -> TransformerBridge:
    """An untrained model of the course's own kind, initialised from `seed`.

    `config` holds arguments of `TransformerBridgeConfig`. The initialisation draws from a
    generator of its own: torch's global random state is left as it was.
    """
    from transformer_lens.config import TransformerBridgeConfig
    from transformer_lens.model_bridge.sources import boot_native

    return boot_native(TransformerBridgeConfig(**config, seed=seed), device=device)
