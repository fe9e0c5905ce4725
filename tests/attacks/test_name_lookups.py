"""Which DNS servers the engine asks for a student's lookups, on a network without internet access.

A name is a message: whoever can have any name looked up by a server of theirs talks to the world.
An engine of the tests' own, on a host (as it believes) whose resolver is on the loopback.
"""

from __future__ import annotations

import contextlib
import secrets
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from docker.api import APIClient
from docker.errors import DockerException

from hub.core.settings import Settings
from hub.facts.containers import FIRST_COURSE
from hub.facts.deployment import Deployment
from hub.jupyterhub.spawners.options import options
from tests.guard.engine import tiny_image
from tests.needs import lack, need

pytestmark = pytest.mark.docker

RESOLVER = "127.77.0.53"
IMAGE = "lltest/names:test"
FIXED = 26  # the engine's first version that asks nobody for containers without a way out


@pytest.fixture(scope="module")
def asked() -> Iterator[list[bytes]]:
    """What a resolver on the host's loopback, which knows no name, was asked."""
    server, queries = socket.socket(socket.AF_INET, socket.SOCK_DGRAM), []
    server.bind((RESOLVER, 53))

    def answer() -> None:
        with contextlib.suppress(OSError):
            while True:
                query, sender = server.recvfrom(2000)
                queries.append(query)
                unknown = query[:2] + b"\x81\x83" + query[4:6] + bytes(6) + query[12:]
                server.sendto(unknown, sender)

    threading.Thread(target=answer, daemon=True).start()
    yield queries
    server.close()


@pytest.fixture(scope="module")
def engine(tmp_path_factory) -> Iterator[APIClient]:
    """An engine that shares nothing with the machine's, and reads another /etc/resolv.conf."""
    need("own-engine")
    mark = secrets.token_hex(3)
    folder, bridge = Path(f"/tmp/llnames{mark}"), f"lln{mark}"
    folder.mkdir()
    (folder / "resolv.conf").write_text(f"nameserver {RESOLVER}\n")
    # A bridge that is there: with none, an engine would take away the other engine's.
    for words in (["link", "add", bridge, "type", "bridge"], ["link", "set", bridge, "up"]):
        subprocess.run(["ip", *words], check=True, timeout=20)
    own = ["ip", "address", "add", f"10.204.{int(mark[:2], 16)}.1/24", "dev", bridge]
    subprocess.run(own, check=True, timeout=20)
    positions = f"--data-root={folder}/data --exec-root={folder}/exec --pidfile={folder}/pid"
    apart = "--iptables=false --ip6tables=false --ip-forward=false --shutdown-timeout=5"
    script = (
        f"mount --bind {folder}/resolv.conf /etc/resolv.conf && exec dockerd"
        f" --host=unix://{folder}/docker.sock {positions} --bridge={bridge} {apart}"
        f" --containerd-namespace={bridge} --containerd-plugins-namespace={bridge}p"
    )
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            ["unshare", "--mount", "sh", "-c", script], stdout=log, stderr=subprocess.STDOUT
        )
    client = APIClient(base_url=f"unix://{folder}/docker.sock", version="1.41", timeout=60)
    try:
        _wait(client, process, folder / "log")
        tiny_image(client, IMAGE)
        client.create_network("llnames", internal=True)
        yield client
        client.remove_network("llnames")
    finally:
        client.close()
        process.terminate()
        process.wait(30)
        subprocess.run(["ip", "link", "del", bridge], check=False, timeout=20)
        shutil.rmtree(folder, ignore_errors=True)


def _wait(client: APIClient, process: subprocess.Popen, log: Path) -> None:
    began = time.monotonic()
    while process.poll() is None and time.monotonic() - began < 60:
        try:
            client.ping()
            return
        except (DockerException, OSError):
            time.sleep(0.1)
    lack("own-engine", f"dockerd does not start here: {log.read_text()[-2000:]}")


def look_up(engine: APIClient, name: str, dns: list[str]) -> None:
    """Look up a name in a container."""
    command = ["/bin/busybox", "timeout", "6", "/bin/busybox", "nslookup", name]
    host = engine.create_host_config(network_mode="llnames", dns=dns)
    made = engine.create_container(IMAGE, command, host_config=host)
    try:
        engine.start(made["Id"])
        engine.wait(made["Id"], timeout=30)
    finally:
        engine.remove_container(made["Id"], force=True)


def test_no_name_that_a_student_looks_up_leaves_the_machine(engine, asked):
    folder = Deployment(project="lab", tag="1", url="http://localhost:8000")
    settings = Settings.model_validate({"course": {"id": "mech"}, "people": {}})
    host = options("alice", "student", 20000, "m", FIRST_COURSE, settings, folder).host
    look_up(engine, "message.example", host["dns"])
    assert asked == []
    look_up(engine, "message.example", [])  # positive control
    version = int(engine.version()["Version"].split(".")[0])
    assert any(b"message" in query for query in asked) == (version < FIXED)
