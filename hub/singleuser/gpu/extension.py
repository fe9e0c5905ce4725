"""In a person's server: checks that the GPU is still there, and notifies its owner if not.

A running container can lose its GPU ("Failed to initialize NVML: Unknown Error" after `systemctl
daemon-reload` on the host; a card that falls off the bus). PyTorch then fails in ways that look
like a mistake in the notebook. This server extension runs `nvidia-smi -L` every minute, logs
its findings, and serves `GET logitlab/gpu`, which the JupyterLab extension
(`hub/singleuser/labextensions/logitlab-gpu`) shows as a notice; likewise why a server has no GPU.
"""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from jupyter_server.base.handlers import APIHandler
from jupyter_server.utils import url_path_join
from tornado import web

from hub.facts import env
from hub.facts.gpu_environment import NONE_HERE

INTERVAL = 60.0
PROBE_SECONDS = 20.0
# A single failure can mean a busy engine or driver.
LOOKS = 2


def judge(status: int, output: str) -> str | None:
    """The problem shown by exit status and output of `nvidia-smi -L`, or None."""
    if status == 0 and "UUID:" in output:
        return None
    lines = output.strip().splitlines()
    return lines[-1] if lines else f"nvidia-smi exited with {status}"


def notice(device: str, problem: str | None) -> str:
    """The notice for the owner of a server whose `LOGITLAB_GPU` is `device`; may be empty."""
    if problem:
        return (
            f"Your server has lost its GPU ({problem}). It will not come back on its own: "
            "save your notebooks, then stop and start your server under File > Hub Control Panel. "
            "Your files stay."
        )
    kind, _, reason = device.partition(": ")
    if kind != "cpu" or reason == NONE_HERE:
        return ""
    return (
        f"Your server runs without a GPU: {reason}. Everything works, only slower. To try again "
        "later, stop and start your server under File > Hub Control Panel."
    )


class GpuHealth:
    """The state of this server's GPU, checked repeatedly."""

    def __init__(self, environ: Mapping[str, str], log: Any, interval: float = INTERVAL) -> None:
        self.device = environ.get(env.GPU, "")
        self.log, self.interval = log, interval
        self.problem: str | None = None
        self._failed = 0

    @property
    def has_gpu(self) -> bool:
        return self.device.startswith(("GPU-", "MIG-"))

    @property
    def notice(self) -> str:
        return notice(self.device, self.problem)

    async def look(self) -> None:
        """Check once. Raises FileNotFoundError if there is no nvidia-smi."""
        found = judge(*await _nvidia_smi())
        self._failed = self._failed + 1 if found else 0
        before = self.problem
        if not self._failed:
            self.problem = None
        elif self._failed >= LOOKS:
            self.problem = found
        if self.problem and not before:
            self.log.error("GPU %s is gone: %s", self.device, self.problem)
        elif before and not self.problem:
            self.log.warning("GPU %s is back", self.device)

    async def watch(self) -> None:
        """Check forever; returns at once if there is no GPU, or no nvidia-smi."""
        with suppress(FileNotFoundError):
            while self.has_gpu:
                await self.look()
                await asyncio.sleep(self.interval)


async def _nvidia_smi() -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        "nvidia-smi", "-L", stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    try:
        output, _ = await asyncio.wait_for(process.communicate(), PROBE_SECONDS)
    except TimeoutError:
        # It may hang in the driver, where no signal reaches it, so do not wait for it.
        process.kill()
        return 1, f"nvidia-smi did not answer within {PROBE_SECONDS:g} s"
    return process.returncode or 0, output.decode(errors="replace")


class GpuHandler(APIHandler):
    """`GET logitlab/gpu`: the state of this server's GPU."""

    # An open page that polls is not user activity.
    _track_activity = False

    @web.authenticated
    def get(self) -> None:
        health: GpuHealth = self.settings["logitlab_gpu"]
        self.finish(json.dumps({"gpu": health.device, "notice": health.notice}))


def _load_jupyter_server_extension(server: Any) -> None:
    health = GpuHealth(os.environ, server.log)
    server.web_app.settings["logitlab_gpu"] = health
    base = server.web_app.settings["base_url"]
    server.web_app.add_handlers(".*$", [(url_path_join(base, "logitlab/gpu"), GpuHandler)])
    # The loop is not running yet; the server keeps a reference to the task.
    server.io_loop.add_callback(
        lambda: setattr(health, "task", asyncio.create_task(health.watch()))
    )


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "hub.singleuser.gpu.extension"}]
