"""A Docker engine of the tests' own, with a stand-in for NVIDIA's hook on its PATH.

It shares nothing with the machine's engine: own folders, socket, containerd and bridge, and no
firewall rules, so that it can be started, stopped and broken at will.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from docker.api import APIClient
from docker.errors import DockerException

from tests.guard.engine import tiny_image
from tests.needs import lack, need

HOOK_FOLDER = Path(__file__).parent / "fake_nvidia"
IMAGE = "llgpu/student:test"
LABEL = "logitlab.project"
PROJECT = "llgpu"


@dataclass(frozen=True)
class GpuEngine:
    """A running engine; `devices` is the file of the GPUs that "exist", one a line."""

    client: APIClient
    socket: Path
    devices: Path
    log: Path

    def exist(self, *uuids: str) -> None:
        self.devices.write_text("\n".join(uuids))

    def asked_for(self) -> list[str]:
        """What the hook was asked for, one entry a start."""
        if not self.log.exists():
            return []
        return [json.loads(line)["asked"] for line in self.log.read_text().splitlines()]

    def inside(self, container: str, *command: str) -> str:
        """What `command` prints inside `container`."""
        run = self.client.exec_create(container, list(command))
        return self.client.exec_start(run["Id"]).decode()

    def ours(self) -> list[dict[str, Any]]:
        return self.client.containers(all=True, filters={"label": f"{LABEL}={PROJECT}"})

    def clear(self) -> None:
        for container in self.ours():
            self.client.remove_container(container["Id"], force=True, v=True)
        self.log.unlink(missing_ok=True)


@contextlib.contextmanager
def gpu_engine() -> Iterator[GpuEngine]:
    """Start the engine; skips the test where this account or machine cannot have one."""
    need("own-engine")
    # Short: the path of a socket may have no more than 107 characters.
    folder = Path(tempfile.mkdtemp(prefix="llgpu", dir="/tmp"))
    engine = GpuEngine(
        APIClient(base_url=f"unix://{folder}/docker.sock", version="1.41", timeout=60),
        folder / "docker.sock",
        folder / "devices",
        folder / "log",
    )
    engine.exist()
    # A bridge that is there: with none, an engine takes away the other engine's.
    mark = secrets.token_hex(3)
    bridge = f"llg{mark}"
    for words in (
        ["link", "add", bridge, "type", "bridge"],
        ["link", "set", bridge, "up"],
        ["address", "add", f"10.203.{int(mark[:2], 16)}.1/24", "dev", bridge],
    ):
        subprocess.run(["ip", *words], check=True, timeout=20)
    with (folder / "dockerd.log").open("wb") as lines:
        process = subprocess.Popen(
            [
                *("dockerd", f"--host=unix://{folder}/docker.sock", f"--data-root={folder}/data"),
                *(f"--exec-root={folder}/exec", f"--pidfile={folder}/pid"),
                f"--bridge={bridge}",
                *("--iptables=false", "--ip6tables=false", "--ip-forward=false"),
                *("--containerd-namespace=llgpu", "--containerd-plugins-namespace=llgpup"),
                "--shutdown-timeout=5",
            ],
            env={
                **os.environ,
                "PATH": f"{HOOK_FOLDER}:{os.environ['PATH']}",
                "FAKE_NVIDIA_DEVICES": str(engine.devices),
                "FAKE_NVIDIA_LOG": str(engine.log),
            },
            stdout=lines,
            stderr=subprocess.STDOUT,
        )
    try:
        _wait(engine.client, process, folder / "dockerd.log")
        tiny_image(engine.client, IMAGE)
        yield engine
        engine.clear()
    finally:
        engine.client.close()
        _end(process, folder)
        subprocess.run(["ip", "link", "del", bridge], check=False, timeout=20)


def _wait(client: APIClient, process: subprocess.Popen, log: Path) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            client.ping()
            return
        except DockerException:
            time.sleep(0.1)
        except OSError:
            time.sleep(0.1)
    lack("own-engine", f"dockerd does not start here: {log.read_text()[-2000:]}")


def _end(process: subprocess.Popen, folder: Path) -> None:
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(20)
    mounts = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
    for path in sorted((each for each in mounts if each.startswith(str(folder))), reverse=True):
        subprocess.run(["umount", "--lazy", path], timeout=20, check=False)
    shutil.rmtree(folder, ignore_errors=True)
