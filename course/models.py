"""Trained models by name, from folders on this machine, with no network.

A checkpoint is a folder `<name>/` with `config.json` and `model.safetensors` (and a model card,
`README.md`). Two kinds are understood, told apart by their `config.json`:

- a Hugging Face GPT-2 folder, which has the key `model_type` (and a tokenizer);
- one of the course's own small models, whose key `transformer_bridge` holds the arguments of
  TransformerLens' `TransformerBridgeConfig`. It may have snapshots of its training,
  `snapshots/<step>.safetensors`; the one of step 400 has the name `<name>@400`.

Where they are looked for, the first that has the name winning: the folders in the environment
variable `COURSE_MODELS` (several are separated as in `PATH`), or, where it is not set, the folder
into which `logitlab models add` puts them; and then those that come with the course, in
`checkpoints/` beside this file.

Weights are mapped from their file and not copied: all processes of a machine share one copy, and
what one of them changes is its own. torch and TransformerLens take seconds to import, so they are
imported by the first call that needs them and not by importing this module.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from course.loaded_state import LoadedState, state_of_model, tensors_of

if TYPE_CHECKING:
    from torch import Tensor
    from transformer_lens.model_bridge import TransformerBridge

CONFIG, WEIGHTS = "config.json", "model.safetensors"

SHIPPED = Path(__file__).resolve().parent / "checkpoints"

# Smaller models run on the CPU even beside a GPU, where starting a kernel costs more than the sum.
GPU_BYTES = 64 * 2**20

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_STEP = re.compile(r"0|[1-9][0-9]{0,8}")

# Memoised by file, so that a changed COURSE_MODELS is honoured; beside each stands its name, and
# what it was when it was loaded.
_models: dict[tuple[Path, str], tuple[str, TransformerBridge, LoadedState]] = {}
_weights: dict[Path, tuple[str, dict[str, Tensor], LoadedState]] = {}
_loading = threading.RLock()


class ModelNotFound(LookupError):
    """There is no complete checkpoint of that name; the message lists those that exist."""


def models_folders() -> list[Path]:
    """The folders whose subfolders are the checkpoints, in the order in which they are tried."""
    chosen = [Path(p) for p in os.environ.get("COURSE_MODELS", "").split(os.pathsep) if p]
    return [*(folder.resolve() for folder in chosen or [_added()]), SHIPPED]


def _added() -> Path:
    """Where models are put on a machine whose `COURSE_MODELS` says nothing."""
    data = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(data) / "logitlab" / "models"


def available() -> list[str]:
    """The names that `model` and `weights` accept, sorted. Snapshots: see `snapshots`."""
    names = set()
    for root in models_folders():
        with contextlib.suppress(OSError):
            names |= {p.name for p in root.iterdir() if _NAME.fullmatch(p.name) and _complete(p)}
    return sorted(names)


def snapshots(name: str) -> list[int]:
    """The training steps of which `name` has snapshots, in order; `model(f"{name}@{step}")`.

    Raises:
        ModelNotFound: no complete checkpoint has this name.
    """
    files = (folder_of(name) / "snapshots").glob("*.safetensors")
    return sorted(int(file.stem) for file in files if _STEP.fullmatch(file.stem))


def model(name: str, device: str | None = None) -> TransformerBridge:
    """The trained model `name`, ready to run: the same object at every call in a process.

    Args:
        name: one of `available()`, or a snapshot, such as "induction-2l2h@400".
        device: a torch device such as "cpu" or "cuda:1". By default what the environment
            variable `COURSE_DEVICE` says, or else a GPU for a model whose weights are larger
            than 64 MiB where there is one, or else the CPU. Token ids must lie on the same
            device, where the model's `to_tokens` puts them.

    Returns:
        A TransformerLens bridge in evaluation mode; its attribute `course_name` is `name`.
        Parameters keep `requires_grad=True`, as TransformerLens loads them.

    Raises:
        ModelNotFound: no complete checkpoint has this name.
    """
    file = _weights_file(name)
    with _loading:
        where = device or _default_device(file)
        if (file, where) not in _models:
            folder = folder_of(name)
            loaded = _boot(folder, file, where)
            loaded.eval()
            loaded.course_name = name
            state = state_of_model(loaded, lambda: tensors_of(_boot(folder, file, where)))
            _models[file, where] = name, loaded, state
        return _models[file, where][1]


def load_small(most_bytes: int = 4 * 2**20) -> None:
    """Load every available model whose weights take at most `most_bytes`, as `model` does.

    For a process from which others are forked: `model` has them at once there. One that cannot be
    loaded is left to `model`, which says why.
    """
    for name in available():
        with contextlib.suppress(Exception):
            if _weights_file(name).stat().st_size <= most_bytes:
                model(name)


def weights(name: str) -> dict[str, Tensor]:
    """The tensors of checkpoint `name` under the names they have in its file, on the CPU.

    Those of a GPT-2 folder have the names of the file that OpenAI's weights are published in:
    `wte.weight`, `h.0.attn.c_attn.weight`, ..., whether or not the file says `transformer.`
    before them; its constant causal masks are left out.

    The same dict at every call in a process, so treat it as read-only and `clone()` what you
    want to change. A change does not reach `model(name)`. Needs torch, not TransformerLens.

    Raises:
        ModelNotFound: no complete checkpoint has this name.
    """
    file = _weights_file(name)
    with _loading:
        if file not in _weights:
            folder = folder_of(name)
            tensors = _published(folder, file)
            state = LoadedState(
                [tensors], tensors.values(), lambda: _published(folder, file).values()
            )
            _weights[file] = name, tensors, state
        return _weights[file][1]


def name_of(obj: object) -> str | None:
    """The checkpoint's name if `obj` is what `model` or `weights` returned, else None.

    Goes by identity: a copy of a model may have been changed, so it has no name.
    """
    with _loading:
        known = [*_models.values(), *_weights.values()]
        return next((name for name, loaded, _ in known if loaded is obj), None)


def put_back(obj: object = None) -> None:
    """Make `obj`, or every model and dict of weights in this process, what it was when loaded.

    Weights that were edited in place, parts and parameters that were replaced, hooks, permanent
    ones too, attributes, the configuration, `train()` and `requires_grad`: all is as after
    loading. Copies are left alone, and an `obj` that is none of `model`'s or `weights`'.
    """
    with _loading:
        for _, loaded, state in [*_models.values(), *_weights.values()]:
            if obj is None or loaded is obj:
                state.put_back()


def folder_of(name: str) -> Path:
    """The folder of checkpoint `name`, or of the one that `name` is a snapshot of.

    Raises:
        ModelNotFound: no complete checkpoint has this name. A name is never a path.
    """
    base = name.partition("@")[0] if isinstance(name, str) else ""
    roots = models_folders()
    if _NAME.fullmatch(base):
        for root in roots:
            if _complete(root / base):
                return root / base
    there = ", ".join(available()) or "none"
    looked = " and ".join(map(str, roots))
    advice = "; `logitlab models add gpt2` puts it there" if base == "gpt2" else ""
    raise ModelNotFound(f"no model named {name!r} in {looked}; there are: {there}{advice}")


def _weights_file(name: str) -> Path:
    folder = folder_of(name)
    _, at, step = name.partition("@")
    if not at:
        return folder / WEIGHTS
    file = folder / "snapshots" / f"{step}.safetensors"
    if _STEP.fullmatch(step) and file.is_file():
        return file
    steps = ", ".join(map(str, snapshots(folder.name))) or "none"
    raise ModelNotFound(f"no snapshot {step!r} of {folder.name}; there are: {steps}")


def _complete(folder: Path) -> bool:
    return (folder / CONFIG).is_file() and (folder / WEIGHTS).is_file()


def _config(folder: Path) -> dict[str, Any]:
    return json.loads((folder / CONFIG).read_text(encoding="utf-8"))


def _default_device(file: Path) -> str:
    if chosen := os.environ.get("COURSE_DEVICE"):
        return chosen
    if file.stat().st_size < GPU_BYTES:
        return "cpu"
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def _load(file: Path) -> dict[str, Tensor]:
    """The tensors of a file in float32: mapped from it, unless they are kept in fewer bits."""
    from safetensors.torch import load_file

    tensors = load_file(file)
    return {name: t.float() if t.is_floating_point() else t for name, t in tensors.items()}


def _published(folder: Path, file: Path) -> dict[str, Tensor]:
    """The tensors of a file, those of GPT-2 under the names they were published with."""
    tensors = _load(file)
    if "model_type" not in _config(folder):
        return tensors
    tensors = {key.removeprefix("transformer."): t for key, t in tensors.items()}
    masks = (".attn.bias", ".attn.masked_bias")
    return {key: t for key, t in tensors.items() if not key.endswith(masks)}


def _boot(folder: Path, file: Path, device: str) -> TransformerBridge:
    config = _config(folder)
    if "model_type" in config:
        return _boot_gpt2(folder, device)
    if "transformer_bridge" not in config:
        raise ValueError(f"{folder / CONFIG} has neither 'model_type' nor 'transformer_bridge'")
    bridge = build(config["transformer_bridge"], device=device)
    bridge.load_state_dict(_load(file))
    return bridge


def _boot_gpt2(folder: Path, device: str) -> TransformerBridge:
    from transformer_lens.model_bridge import TransformerBridge
    from transformers.utils import logging

    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        # A folder path, never a model's public name: a name sends the library to the network.
        return TransformerBridge.boot_transformers(str(folder), device=device)
    finally:
        if shown:
            logging.enable_progress_bar()


def build(config: dict[str, Any], device: str = "cpu", seed: int = 0) -> TransformerBridge:
    """An untrained model of the course's own kind, initialised from `seed`.

    `config` holds arguments of `TransformerBridgeConfig`. The initialisation draws from a
    generator of its own: torch's global random state is left as it was.
    """
    from transformer_lens.config import TransformerBridgeConfig
    from transformer_lens.model_bridge.sources import boot_native

    return boot_native(TransformerBridgeConfig(**config, seed=seed), device=device)
