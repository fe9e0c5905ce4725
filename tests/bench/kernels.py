"""`python -m tests.bench.kernels`: a kernel from the template beside one that is started afresh.

Wall seconds until a kernel answers and until its first cell has drawn a model's attention; MiB of
memory that only this kernel takes, after that cell and after a notebook's worth of work; and what
the template itself takes. Each line gives fresh, warm, and the ratio, from one run.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

from jupyter_client.provisioning import KernelProvisionerFactory

from hub.grading.sandbox.processes import private_memory
from hub.singleuser.warm_kernels.extension import use_warm_kernels
from hub.singleuser.warm_kernels.provisioner import TEMPLATE
from tests.warm_kernels.kernels import kernel, output, wait_until_ready

ROUNDS = 5
FIRST_CELL = """
import torch
from course import checks, drawings, plots
from course.models import model
net = model("induction-2l2h")
with torch.no_grad():
    logits, cache = net.run_with_cache(torch.tensor([[64, 1, 2, 3, 1, 2]]))
drawings.arcs(list("⊢abcab"), cache["pattern", 1][0, 0, -1])
"""
WORK = """
net = model("tiny-gpt2")
for seed in range(20):
    torch.manual_seed(seed)
    tokens = torch.randint(0, 60, (8, 64))
    with torch.no_grad():
        logits, cache = net.run_with_cache(tokens)
net(tokens).sum().backward()
figure = plots.attention_heads(cache["pattern", 0][0], [str(i) for i in range(64)])
"""
PRIVATE = """
lines = open("/proc/self/smaps_rollup").read().splitlines()
print(sum(int(line.split()[1]) for line in lines if line.startswith("Private_")) / 1024)
"""


def rounds(folder: Path) -> dict[str, float]:
    """Medians of ROUNDS kernels, one after the other while another one of the same kind runs."""
    found: dict[str, list[float]] = {}
    with kernel(folder) as (_, other):
        output(other, FIRST_CELL)
        for _round in range(ROUNDS):
            began = time.monotonic()
            with kernel(folder) as (_, client):
                found.setdefault("until it answers, s", []).append(time.monotonic() - began)
                output(client, FIRST_CELL)
                found.setdefault("until its first picture, s", []).append(time.monotonic() - began)
                after = float(output(client, PRIVATE))
                found.setdefault("its own memory after that, MiB", []).append(after)
                output(client, WORK)
                at_the_end = float(output(client, PRIVATE))
                found.setdefault("its own memory at the end, MiB", []).append(at_the_end)
    return {what: statistics.median(values) for what, values in found.items()}


def main() -> None:
    folder = Path(tempfile.mkdtemp())
    fresh = rounds(folder)
    use_warm_kernels(KernelProvisionerFactory.instance())
    began = time.monotonic()
    TEMPLATE.start()
    try:
        wait_until_ready(TEMPLATE)
        print(f"the template has imported everything after {time.monotonic() - began:.0f} s")
        warm = rounds(folder)
        pid = TEMPLATE.pid
        assert pid is not None
        print(f"the template's own memory: {private_memory(pid) / 2**20:.0f} MiB")
    finally:
        TEMPLATE.stop()
    print(f"{'a further kernel':<34}{'fresh':>8}{'warm':>8}{'ratio':>8}")
    for what, value in fresh.items():
        print(f"{what:<34}{value:>8.2f}{warm[what]:>8.2f}{value / warm[what]:>7.1f}x")


if __name__ == "__main__":
    main()
