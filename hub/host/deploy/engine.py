"""Finds a Docker client on this host that can build our images."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from hub.host.deploy.folder import DeployError

# Clients have BuildKit built in from 18.09 on; from 23.0 on they need the buildx plugin for it.
FIRST_WITH_BUILDKIT = (18, 9)
FIRST_WITH_PLUGIN = (23, 0)
ANSWER_SECONDS = 60


@dataclass(frozen=True)
class DockerClient:
    """A `docker` on PATH. `version` is () if it does not work."""

    path: str
    version: tuple[int, ...]
    buildx: bool

    @property
    def builds(self) -> bool:
        """Can it build with BuildKit?"""
        if self.version < FIRST_WITH_BUILDKIT:
            return False
        return self.version < FIRST_WITH_PLUGIN or self.buildx


def choose(clients: Iterable[DockerClient]) -> DockerClient:
    """The first of `clients` that can build. Raises DeployError if none can."""
    found = list(clients)
    for client in found:
        if client.builds:
            return client
    if not found:
        raise DeployError(
            "No docker command on PATH.", "Debian: apt-get install docker.io (or docker-cli)."
        )
    names = ", ".join(
        f"{client.path} ({'.'.join(map(str, client.version)) or 'does not work'})"
        for client in found
    )
    raise DeployError(
        f"No docker client here can build with BuildKit: {names}.",
        "Clients from 23.0 on need the buildx plugin: apt-get install docker-buildx (or "
        "docker-buildx-plugin).",
    )


def clients() -> Iterable[DockerClient]:
    """Every `docker` on PATH, in order."""
    seen = set()
    for folder in os.get_exec_path():
        path = shutil.which("docker", path=folder)
        if path and (real := Path(path).resolve()) not in seen:
            seen.add(real)
            yield _asked(path)


def _asked(path: str) -> DockerClient:
    def answer(*arguments: str) -> str:
        try:
            done = subprocess.run(
                [path, *arguments], capture_output=True, text=True, timeout=ANSWER_SECONDS
            )
        except (OSError, subprocess.SubprocessError):
            return ""
        return done.stdout if done.returncode == 0 else ""

    # As in "Docker version 20.10.24+dfsg1, build 297e128"
    fields = answer("--version").replace(",", " ").split()
    version = _version(fields[2]) if len(fields) > 2 else ()
    return DockerClient(path, version, bool(answer("buildx", "version")))


def _version(text: str) -> tuple[int, ...]:
    numbers = []
    for part in text.split(".")[:2]:
        if not part.isdigit():
            break
        numbers.append(int(part))
    return tuple(numbers)


def builder() -> str:
    """The path of a docker client that can build and whose engine answers.

    Raises DeployError if there is none.
    """
    client = choose(clients())
    done = subprocess.run(
        [client.path, "version", "--format", "{{.Server.Version}}"],
        capture_output=True,
        text=True,
        timeout=ANSWER_SECONDS,
    )
    if done.returncode:
        raise DeployError(
            f"The Docker engine does not answer {client.path}: {done.stderr.strip()}.",
            "Is it running, and is your account in the group docker? Run `make doctor`.",
        )
    return client.path
