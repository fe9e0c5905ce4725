"""`python -m tests.bench.models`: what a further kernel that loads GPT-2 costs in memory.

Two processes load a folder of GPT-2-small's shape and random weights (made here, in the
published file's layout, and removed again), as students' kernels do, through `course.models`.
Memory is what Linux counts for the second while the first still holds the model: private (pages
that no other process uses, USS) and proportional (PSS), in MiB. For comparison the same with every
tensor copied out of the file, as a `pytorch_model.bin` is loaded.
"""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

STEPS = ("imported", "loaded", "ran 64 tokens", "cached 64 tokens", "all weights read")
NAME = "gpt2-shaped"

KERNEL = f"""
import sys, time, torch, transformer_lens.model_bridge
from course import models

def say(step, seconds=0.0):
    kb = {{}}
    for line in open("/proc/self/smaps_rollup"):
        first, *rest = line.split()
        if rest[-1:] == ["kB"]:
            kb[first[:-1]] = int(rest[0])
    private = (kb["Private_Clean"] + kb["Private_Dirty"]) / 1024
    print(step, seconds, private, kb["Pss"] / 1024, sep="|", flush=True)
    sys.stdin.readline()

torch.set_num_threads(1)
steps = iter({STEPS!r})
say(next(steps))
began = time.monotonic()
if sys.argv[1] == "mapped":
    bridge = models.model({NAME!r}, device="cpu")
else:
    from safetensors.torch import load_file
    from transformers import AutoTokenizer, GPT2Config, GPT2LMHeadModel
    folder = models.folder_of({NAME!r})
    copies = {{k: v.clone() for k, v in load_file(folder / "model.safetensors").items()}}
    hf = GPT2LMHeadModel.from_pretrained(
        None, config=GPT2Config.from_pretrained(folder), state_dict=copies,
        attn_implementation="eager",
    )
    del copies
    tokenizer = AutoTokenizer.from_pretrained(folder)
    bridge = transformer_lens.model_bridge.TransformerBridge.boot_transformers(
        str(folder), hf_model=hf, tokenizer=tokenizer, device="cpu"
    )
say(next(steps), time.monotonic() - began)
tokens = torch.arange(64)[None]
with torch.no_grad():
    began = time.monotonic()
    bridge(tokens)
    say(next(steps), time.monotonic() - began)
    began = time.monotonic()
    logits, cache = bridge.run_with_cache(tokens)
    say(next(steps), time.monotonic() - began)
    del logits, cache
began = time.monotonic()
sum(float(p.sum()) for p in bridge.parameters())
say(next(steps), time.monotonic() - began)
"""


def gpt2_shaped(folder: Path) -> None:
    """A folder like the published GPT-2, with random weights: 548 MB."""
    import torch
    from transformers import GPT2Config

    from course.training.tokenizer import train_tokenizer
    from hub.host.models import gpt2_shapes

    config = GPT2Config()
    config.save_pretrained(folder)
    train_tokenizer(config.n_positions).save_pretrained(folder)
    shapes = gpt2_shapes(config.to_dict())
    masks = {
        f"h.{i}.attn.bias": [1, 1, config.n_positions, config.n_positions]
        for i in range(config.n_layer)
    }
    header, end = {}, 0
    for name, shape in (shapes | masks).items():
        size = 4 * torch.Size(shape).numel()
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [end, end + size]}
        end += size
    text = json.dumps(header).encode()
    text += b" " * ((3 - len(text)) % 4)  # the published numbers do not begin at a multiple of 4
    generator = torch.Generator().manual_seed(0)
    with (folder / "model.safetensors").open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for shape in (shapes | masks).values():
            file.write((torch.randn(shape, generator=generator) * 0.02).numpy().tobytes())
        file.flush()
        os.fsync(file.fileno())  # pages that are not on the disk yet count as a process's own


def kernel(folder: Path, how: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", KERNEL, how],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env=os.environ | {"COURSE_MODELS": str(folder), "OMP_NUM_THREADS": "1"},
    )


def advance(process: subprocess.Popen[str]) -> tuple[str, float, float, float]:
    """The process' next step: its name, seconds, private and proportional MiB."""
    assert process.stdin is not None and process.stdout is not None
    line = process.stdout.readline()
    process.stdin.write("\n")
    step, *figures = line.strip().split("|")
    seconds, private, proportional = map(float, figures)
    return step, seconds, private, proportional


def second_kernel(folder: Path, how: str) -> list[tuple[str, float, float, float]]:
    """All steps of a kernel that starts while another one holds the model after its last step."""
    with kernel(folder, how) as first, kernel(folder, how) as second:
        assert first.stdin is not None and second.stdin is not None
        for _ in STEPS[:-1]:
            advance(first)
            first.stdin.flush()
        advance(first)  # not flushed: it stays where it is
        rows = []
        for _ in STEPS:
            rows.append(advance(second))
            second.stdin.flush()
        second.communicate()
        first.communicate()
    return rows


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / NAME
        folder.mkdir()
        gpt2_shaped(folder)
        size = (folder / "model.safetensors").stat().st_size
        print(f"model.safetensors: {size / 2**20:.0f} MiB")
        for how in ("mapped", "copied"):
            rows = second_kernel(Path(scratch), how)
            base = rows[0][2]
            print(f"second kernel, weights {how}:")
            print(f"  {'':<18}{'seconds':>9}{'private':>9}{'more':>7}{'PSS':>7}   MiB")
            for step, seconds, private, proportional in rows:
                more = private - base
                print(f"  {step:<18}{seconds:>9.2f}{private:>9.0f}{more:>7.0f}{proportional:>7.0f}")


if __name__ == "__main__":
    main()
