"""Add models to the models folder, list them, and check them.

`add` downloads the published weights from the model hub, at a pinned revision and with the SHA-256
of every file, or copies a folder that the admin names. It works in a hidden folder beside the
target and renames it at the end, so that nobody ever loads half a model. What makes a checkpoint
valid is decided by `problems`, which reads only the header of the weights.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from course import models
from course.models import CONFIG, WEIGHTS
from hub.facts.disk import check_room, free_mb
from hub.facts.errors import UserError

SUMS = "SHA256SUMS"  # as `sha256sum --check` reads it
TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "vocab.json", "merges.txt")
OTHER_FILES = ("generation_config.json", "special_tokens_map.json", "README.md")
BLOCK = 4 * 2**20  # bytes read at once

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class ModelsError(UserError):
    """A model that cannot be added or fails its check, and how to fix it."""


@dataclass(frozen=True)
class Published:
    """A pinned model on the model hub: file name to size in bytes and SHA-256."""

    repository: str
    revision: str
    licence: str
    files: Mapping[str, tuple[int, str]]
    endpoint: str | None = None  # another hub than the default


PUBLISHED = {
    "gpt2": Published(
        repository="openai-community/gpt2",
        revision="607a30d783dfa663caf39e06633721c8d4cfcd7e",
        licence="MIT",
        files={
            "config.json": (
                665,
                "0daed7749b4f02b8f76240d5444551d7b08712dab4d0adb8239c56ba823bb7b4",
            ),
            "tokenizer.json": (
                1_355_256,
                "8414cab924d8b9b33013f0d221c5862f365ee9be39c5c2bfae8a5a9e970478a6",
            ),
            "tokenizer_config.json": (
                26,
                "5e04eb606e3a1583530a42e36c2a6b6615c86f34fe77e44d9ddeb43ff940931f",
            ),
            "vocab.json": (
                1_042_301,
                "196139668be63f3b5d6574427317ae82f612a97c5d1cdaf36ed2256dbf636783",
            ),
            "merges.txt": (
                456_318,
                "1ce1664773c50f3e0cc8842619a93edc4624525b728b188a9e0be33b7726adc5",
            ),
            "model.safetensors": (
                548_105_171,
                "248dfc3911869ec493c76e65bf2fcf7f615828b0254c12b473182f0f81d3a707",
            ),
        },
    )
}


def add(
    name: str,
    source: Path | None = None,
    target: Path | None = None,
    published: Mapping[str, Published] = PUBLISHED,
) -> Iterator[str]:
    """Add model `name` to the folder `target`. Yields progress.

    Args:
        name: the name that notebooks load it by.
        source: a folder with the model; by default the published one is downloaded.
        target: the models folder; by default the first that notebooks search.

    A valid model that already exists is kept. An interrupted download is resumed; one that got
    nothing at all leaves nothing behind.

    Raises:
        ModelsError: what is wrong and what to do; the models folder is as it was.
    """
    if not _NAME.fullmatch(name):
        raise ModelsError(
            f"{name!r} is not a valid model name.", "Use letters, digits, '.', '_' and '-'."
        )
    if source is None and name not in published:
        known = ", ".join(sorted(published))
        raise ModelsError(f"{name} is not pinned (only {known}).", "Name its folder with --from.")
    root = (target or models.models_folders()[0]).resolve()
    path = root / name
    if path.exists() and not (wrong := damage(path)):
        yield f"{name}: already in {root}, OK"
        return
    if path.exists():
        yield f"{name}: the copy in {root} is damaged ({wrong[0]}) and will be replaced"
    if source is not None:
        _refuse_if(problems(source), f"{source} cannot be added")
    new_folders = _made(root)
    try:
        with _working_folder(root, name) as partial:
            if source is not None:
                yield from _copy(name, source, partial, published.get(name))
            else:
                yield from _fetch(name, published[name], partial)
            _refuse_if(problems(partial), f"{name} cannot be added")
            _write_sums(partial)
            _put(partial, path)
    finally:
        for folder in reversed(new_folders):
            with contextlib.suppress(OSError):
                folder.rmdir()  # fails unless it is empty
    yield f"{name}: ready in {path}"


def listing() -> Iterator[str]:
    """A line for each model that notebooks can load."""
    for name in models.available():
        folder = models.folder_of(name)
        size = (folder / WEIGHTS).stat().st_size
        steps = len(models.snapshots(name))
        more = f", {steps} snapshots" if steps else ""
        yield f"{name:<20} {_size(size):>9}  {folder.parent}{more}"
    for name in sorted(set(PUBLISHED) - set(models.available())):
        yield f"{name:<20} {'absent':>9}  add it with `logitlab models add {name}`"


def check(names: list[str]) -> Iterator[str]:
    """Check the models `names`, or all, against their config and checksums; a line for each.

    Raises:
        ModelsError: every problem, after checking all of them.
    """
    failed = []
    for name in names or models.available():
        try:
            folder = models.folder_of(name)
        except models.ModelNotFound as error:
            failed.append(str(error))
            continue
        wrong = damage(folder)
        failed += [f"{name}: {problem}" for problem in wrong]
        if not wrong:
            sums = "checksums match" if (folder / SUMS).exists() else "OK"
            yield f"{name}: {sums}"
    _refuse_if(failed, "Problems found")


def damage(folder: Path) -> list[str]:
    """`problems`, and files that do not match the checksums taken when the model was added. Reads
    everything: about a second for GPT-2."""
    return [*problems(folder), *_broken_sums(folder)]


def problems(folder: Path) -> list[str]:
    """What stops `folder` from being loaded, in sentences; empty if nothing does.

    Looks at the config, the header and length of the weights, shapes against the config, and the
    tokenizer. Takes milliseconds whatever the size, as the weights themselves are not read.
    """
    if not folder.is_dir():
        return [f"{folder} is not a folder"]
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        shapes = tensor_shapes(folder / WEIGHTS)
    except FileNotFoundError as error:
        missing = Path(error.filename).name
        hint = ""
        if missing == WEIGHTS and (folder / "pytorch_model.bin").exists():
            hint = " (pytorch_model.bin is not read: such a file can run code)"
        return [f"{missing} is missing{hint}"]
    except (OSError, ValueError) as error:
        return [f"{error}"]
    if not isinstance(config, dict):
        return [f"{CONFIG} is not a JSON object"]
    if "transformer_bridge" in config:
        return []
    if config.get("model_type") != "gpt2":
        return [f"{CONFIG} says model_type {config.get('model_type')!r}, not 'gpt2'"]
    return [*_wrong_shapes(config, shapes), *_wrong_tokenizer(folder, config)]


def tensor_shapes(file: Path) -> dict[str, list[int]]:
    """Name to shape of all tensors in a safetensors file, from its header.

    Raises:
        ValueError: the file is truncated or not a safetensors file.
    """
    size = file.stat().st_size
    with file.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        if size < 8 or length > size - 8:
            raise ValueError(f"{file.name} is truncated, or not a safetensors file")
        try:
            header = json.loads(stream.read(length))
            tensors = {k: v for k, v in header.items() if k != "__metadata__"}
            end = max((v["data_offsets"][1] for v in tensors.values()), default=0)
            shapes = {name: list(entry["shape"]) for name, entry in tensors.items()}
        except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
            raise ValueError(f"{file.name} has no readable header") from error
    if size != 8 + length + end:
        raise ValueError(f"{file.name} has {size} bytes, but its header says {8 + length + end}")
    return shapes


def _wrong_shapes(config: dict[str, Any], shapes: dict[str, list[int]]) -> list[str]:
    try:
        expected = gpt2_shapes(config)
    except (KeyError, TypeError) as error:
        return [f"{CONFIG} lacks {error}"]
    bare = {name.removeprefix("transformer."): shape for name, shape in shapes.items()}
    missing = [name for name in expected if name not in bare]
    wrong = [
        f"{name} has shape {bare[name]}, but the config says {shape}"
        for name, shape in expected.items()
        if name in bare and bare[name] != shape
    ]
    if missing:
        wrong.append(f"{WEIGHTS} lacks {missing[0]} and {len(missing) - 1} more tensors")
    return wrong


def gpt2_shapes(config: dict[str, Any]) -> dict[str, list[int]]:
    """Name to shape of the tensors of a GPT-2 with this config. Linear layers are
    `[in out]`."""
    d, inner = config["n_embd"], config.get("n_inner") or 4 * config["n_embd"]
    shapes = {
        "wte.weight": [config["vocab_size"], d],
        "wpe.weight": [config["n_positions"], d],
        "ln_f.weight": [d],
        "ln_f.bias": [d],
    }
    linear = {
        "attn.c_attn": (d, 3 * d),
        "attn.c_proj": (d, d),
        "mlp.c_fc": (d, inner),
        "mlp.c_proj": (inner, d),
    }
    for layer in range(config["n_layer"]):
        for norm in ("ln_1", "ln_2"):
            shapes[f"h.{layer}.{norm}.weight"] = shapes[f"h.{layer}.{norm}.bias"] = [d]
        for part, (rows, columns) in linear.items():
            shapes[f"h.{layer}.{part}.weight"] = [rows, columns]
            shapes[f"h.{layer}.{part}.bias"] = [columns]
    return shapes


def _wrong_tokenizer(folder: Path, config: dict[str, Any]) -> list[str]:
    try:
        if (folder / "tokenizer.json").exists():
            text = (folder / "tokenizer.json").read_text(encoding="utf-8")
            tokenizer = json.loads(text)
            ids = {*tokenizer["model"]["vocab"].values()}
            ids |= {added["id"] for added in tokenizer.get("added_tokens", [])}
        elif (folder / "vocab.json").exists() and (folder / "merges.txt").exists():
            ids = {*json.loads((folder / "vocab.json").read_text(encoding="utf-8")).values()}
        else:
            return ["no tokenizer: tokenizer.json, or vocab.json with merges.txt, is missing"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return [f"the tokenizer cannot be read: {error}"]
    if max(ids, default=0) >= config["vocab_size"]:
        return [
            f"the tokenizer has ids up to {max(ids)}, but the config has {config['vocab_size']} "
            "tokens"
        ]
    return []


def _copy(name: str, source: Path, partial: Path, pinned: Published | None) -> Iterator[str]:
    wanted = (CONFIG, WEIGHTS, *TOKENIZER_FILES, *OTHER_FILES)
    files = [source / file for file in wanted if (source / file).is_file()]
    _check_room(partial, sum(file.stat().st_size for file in files))
    for file in files:
        yield f"{name}: {file.name}, {_size(file.stat().st_size)}"
        shutil.copyfile(file, partial / file.name)
    if pinned is not None:
        same = all(_is(partial / file, *pin) for file, pin in pinned.files.items())
        kind = "the published" if same else "not the published"
        yield f"{name}: {kind} files of {pinned.repository}, by their SHA-256"


def _fetch(name: str, pinned: Published, partial: Path) -> Iterator[str]:
    """Download the pinned files that `partial` lacks, and check each."""
    lacking = {f: pin for f, pin in pinned.files.items() if not _is(partial / f, *pin)}
    _check_room(partial, sum(size for size, _ in lacking.values()))
    yield f"{name}: from {pinned.repository} at {pinned.revision} (licence: {pinned.licence})"
    for file, (size, digest) in lacking.items():
        yield f"{name}: {file}, {_size(size)}"
        _download(name, pinned, file, partial)
        if not _is(partial / file, size, digest):
            found = f"{(partial / file).stat().st_size} bytes, SHA-256 {_sha256(partial / file)}"
            (partial / file).unlink()
            raise ModelsError(
                f"{file} from the model hub does not match its pin: {found}; expected {size} "
                f"bytes, {digest}. It was discarded.",
                "Try again.",
            )
    shutil.rmtree(partial / ".cache", ignore_errors=True)  # the hub client's bookkeeping


def _download(name: str, pinned: Published, file: str, partial: Path) -> None:
    # Imported here: it is slow, and not needed to add a model from a folder.
    from huggingface_hub import hf_hub_download

    try:
        hf_hub_download(
            pinned.repository,
            file,
            revision=pinned.revision,
            local_dir=partial,
            endpoint=pinned.endpoint,
            token=False,
        )
    except Exception as error:  # its HTTP library, and so its exceptions, change
        cause: BaseException = error
        while cause.__cause__:  # the client's own message is about its cache
            cause = cause.__cause__
        reason = str(cause).strip().partition("\n")[0]
        raise ModelsError(
            f"could not download {file} from the model hub: {reason}",
            f"On a machine that can, download {pinned.repository} at revision "
            f"{pinned.revision}, copy the folder here and run: "
            f"logitlab models add {name} --from FOLDER",
        ) from error


@contextlib.contextmanager
def _working_folder(root: Path, name: str) -> Iterator[Path]:
    """A hidden folder `.<name>.partial` that only this process uses; it is kept only if a
    download can be resumed from it."""
    partial = root / f".{name}.partial"
    partial.mkdir(exist_ok=True)
    handle = os.open(partial, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(handle)
        raise ModelsError(f"{name} is being added by another process") from error
    try:
        yield partial
    finally:
        if partial.exists() and not any(f.is_file() for f in partial.iterdir()):
            kept = [f for f in partial.rglob("*.incomplete") if f.stat().st_size]
            if not kept:
                shutil.rmtree(partial)
        os.close(handle)


def _put(partial: Path, folder: Path) -> None:
    """Rename the finished folder to its final name, readable by everybody and synced to disk."""
    for file in partial.iterdir():
        file.chmod(0o644)  # students' servers run as another user
        with file.open("rb") as stream:
            os.fsync(stream.fileno())
    partial.chmod(0o755)
    old = folder.with_name(f".{folder.name}.old")
    if folder.exists():
        shutil.rmtree(old, ignore_errors=True)
        folder.rename(old)
    partial.rename(folder)
    shutil.rmtree(old, ignore_errors=True)


def _write_sums(folder: Path) -> None:
    files = sorted(file for file in folder.iterdir() if file.is_file() and file.name != SUMS)
    lines = [f"{_sha256(file)}  {file.name}\n" for file in files]
    (folder / SUMS).write_text("".join(lines), encoding="utf-8")


def _broken_sums(folder: Path) -> list[str]:
    """Files that do not match the checksums taken when they were added."""
    try:
        lines = (folder / SUMS).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    wrong = []
    for line in lines:
        digest, _, name = line.partition("  ")
        file = folder / Path(name).name
        if not file.is_file() or _sha256(file) != digest:
            wrong.append(f"{name} has changed since it was added")
    return wrong


def _is(file: Path, size: int, digest: str) -> bool:
    return file.is_file() and file.stat().st_size == size and _sha256(file) == digest


def _sha256(file: Path) -> str:
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while block := stream.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _made(folder: Path) -> list[Path]:
    """Create `folder`; returns the folders created, outermost first."""
    new = [p for p in (folder, *folder.parents) if not p.exists()][::-1]
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ModelsError(
            f"{folder} cannot be created: {error.strerror}.", "Choose another with --to."
        ) from error
    if new:
        folder.chmod(0o755)  # other users read models from it
    if not os.access(folder, os.W_OK):
        raise ModelsError(f"{folder} is not writable.", "Choose another with --to.")
    return new


def _check_room(folder: Path, size: int) -> None:
    check_room(free_mb(folder), size * 1.05 / 1e6, folder, "The model", "Choose another with --to.")


def _refuse_if(wrong: list[str], what: str) -> None:
    if wrong:
        raise ModelsError("\n".join([f"{what}:", *(f"  {problem}" for problem in wrong)]))


def _size(size: int) -> str:
    return f"{size / 1e6:.1f} MB" if size >= 50_000 else f"{size} bytes"
