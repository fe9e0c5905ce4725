"""Kernels as JupyterLab's server starts them, and what their cells print."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jupyter_client.blocking import BlockingKernelClient
from jupyter_client.manager import KernelManager

from hub.singleuser.warm_kernels.provisioner import KernelTemplate

SECONDS = 120


@contextmanager
def kernel(
    folder: Path, **environment: str
) -> Iterator[tuple[KernelManager, BlockingKernelClient]]:
    """A kernel that works in `folder`, ready for its first cell."""
    manager = KernelManager(kernel_name="python3")
    manager.start_kernel(cwd=str(folder), env={**os.environ, **environment})
    client = manager.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=SECONDS)
        yield manager, client
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def output(client: BlockingKernelClient, code: str) -> str:
    """What a cell printed, and the texts of its errors."""
    texts: list[str] = []

    def hear(message: dict) -> None:
        content = message["content"]
        if message["msg_type"] == "stream":
            texts.append(content["text"])
        elif message["msg_type"] == "error":
            texts.append(f"{content['ename']}: {content['evalue']}")

    client.execute_interactive(code, output_hook=hear, timeout=SECONDS)
    return "".join(texts).strip()


def parent(client: BlockingKernelClient) -> int:
    return int(output(client, "import os; print(os.getppid())"))


def wait_until_ready(template: KernelTemplate) -> None:
    """Wait until the template has imported everything."""
    deadline = time.monotonic() + SECONDS
    while template.left():
        if time.monotonic() > deadline:
            raise AssertionError(f"the template has imported too little within {SECONDS} s")
        time.sleep(0.5)
