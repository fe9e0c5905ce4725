"""A deployment's worth of a real Docker engine: tiny images, a network, a guard in front."""

from __future__ import annotations

import contextlib
import http.client
import io
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from docker.api import APIClient
from docker.errors import APIError

from hub.services.guard.policy import Policy
from tests.guard.samples import COURSES, GPU, OTHER_GPU
from tests.needs import SOCKET, need

# What a student's container runs in these tests: it ends at once when it is told to.
SERVER = "#!/bin/sh\ntrap 'exit 0' TERM\nwhile true; do sleep 1 & wait; done\n"


class UnixConnection(http.client.HTTPConnection):
    """HTTP to a unix socket, with the request line taken as it is given."""

    def __init__(self, path: Path) -> None:
        super().__init__("docker", timeout=30)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))

    def _validate_path(self, url: str) -> None:
        """Attackers write what they like."""


def ask(
    path: Path, method: str, target: str, body: Any = None, headers: dict[str, str] | None = None
) -> tuple[int, Any]:
    """Status and (where it is JSON) content of the answer of the socket at `path`."""
    content = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    sent = {"Content-Type": "application/json"} if content is not None else {}
    connection = UnixConnection(path)
    try:
        connection.request(method, target, content, sent | (headers or {}))
        answer = connection.getresponse()
        if answer.status in (101,) or "stream" in answer.headers.get("Content-Type", ""):
            return answer.status, None
        text = answer.read()
    finally:
        connection.close()
    try:
        return answer.status, json.loads(text)
    except ValueError:
        return answer.status, text.decode("utf-8", "replace")


def output(path: Path, request: bytes, seconds: float = 3) -> bytes:
    """Everything that the socket at `path` answers to the bytes `request`."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(seconds)
        connection.connect(str(path))
        answer = b""
        with contextlib.suppress(TimeoutError, ConnectionError):
            connection.sendall(request)
            while part := connection.recv(65536):
                answer += part
    return answer


def an_engine() -> APIClient:
    """The engine of this machine; skips the test, with the reason, where there is none."""
    need("engine", "busybox")
    return APIClient(base_url=f"unix://{SOCKET}", version="auto", timeout=60)


def busybox() -> Path:
    """A static busybox."""
    return Path(shutil.which("busybox") or "")


def tiny_image(engine: APIClient, name: str) -> None:
    """An image of 2 MB with busybox, and stand-ins for what servers run."""
    content = busybox().read_bytes()
    files = {"bin/busybox": content}
    files |= {f"bin/{program}": SERVER.encode() for program in ("jupyterhub-singleuser", "python")}
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for target in ("bin", "home/student", "srv/config", "srv/models", "srv/course", "tmp"):
            folder = tarfile.TarInfo(target)
            folder.type, folder.mode = tarfile.DIRTYPE, 0o777
            archive.addfile(folder)
        for path, data in files.items():
            entry = tarfile.TarInfo(path)
            entry.size, entry.mode = len(data), 0o755
            archive.addfile(entry, io.BytesIO(data))
        for tool in ("sh", "sleep", "wget", "httpd", "timeout", "ping", "tftp", "grep"):
            link = tarfile.TarInfo(f"bin/{tool}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            archive.addfile(link)
    repository, _, tag = name.partition(":")
    changes = ["ENV PATH=/bin", 'CMD ["jupyterhub-singleuser"]']
    engine.import_image_from_data(packed.getvalue(), repository, tag, changes)


@dataclass(frozen=True)
class Guarded:
    """A running guard, the engine behind it, and names that belong to this test run."""

    policy: Policy
    socket: Path
    log: Path
    engine: APIClient

    def client(self) -> APIClient:
        return APIClient(base_url=f"unix://{self.socket}", version="auto", timeout=60)

    def make_database(self) -> str:
        """The id of a running container that is no student's, with a secret in its environment."""
        made = self.engine.create_container(
            self.policy.student_image,
            ["jupyterhub-singleuser"],
            name=f"{self.policy.project}-db-1",
            environment={"POSTGRES_PASSWORD": "secret"},
            labels={"logitlab.project": self.policy.project},
        )
        self.engine.start(made["Id"])
        return made["Id"]

    def clear(self) -> None:
        """Remove all containers of this run, whoever made them."""
        for container in self.engine.containers(all=True):
            names = [name.lstrip("/") for name in container["Names"]]
            ours = container["Image"] in self.policy.images  # also those that were given no name
            if ours or any(name.startswith(self.policy.project) for name in names):
                with contextlib.suppress(APIError):
                    self.engine.remove_container(container["Id"], force=True, v=True)


@contextlib.contextmanager
def guarded(
    engine: APIClient | None = None, behind: Path = SOCKET, gpus: tuple[str, ...] = (GPU, OTHER_GPU)
) -> Iterator[Guarded]:
    """A guard in a process of its own, as in its container, with all that it needs.

    engine: the one that listens at `behind`; None: this machine's.
    """
    engine = engine or an_engine()
    project = f"llguard{secrets.token_hex(4)}"
    policy = Policy(project=project, tag=project, gpus=gpus, courses=COURSES)
    for image in policy.images:
        tiny_image(engine, image)
    engine.create_network(policy.network, driver="bridge", internal=True)
    folder = Path(tempfile.mkdtemp(prefix="llguard"))
    log = folder / "log"
    (folder / "courses").write_text("\n".join(COURSES))
    with log.open("wb") as lines:
        process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "hub.services.guard",
                "--listen",
                str(folder / "docker.sock"),
                "--engine",
                str(behind),
                "--courses",
                str(folder / "courses"),
            ],
            env=os.environ
            | {
                "LOGITLAB_PROJECT": project,
                "LOGITLAB_TAG": project,
                "LOGITLAB_GPUS": ",".join(policy.gpus),
            },
            stderr=lines,
        )
    path = Guarded(policy, folder / "docker.sock", log, engine)
    try:
        deadline = time.monotonic() + 30
        while not path.socket.exists():
            if process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"the guard does not start: {log.read_text()}")
            time.sleep(0.05)
        yield path
    finally:
        process.terminate()
        process.wait(20)
        path.clear()
        engine.remove_network(policy.network)
        for volume in engine.volumes()["Volumes"] or []:
            if volume["Name"].startswith((project, "xx")):  # xx: a volume of nobody's
                engine.remove_volume(volume["Name"], force=True)
        for image in policy.images:
            engine.remove_image(image, force=True)
        shutil.rmtree(folder)
