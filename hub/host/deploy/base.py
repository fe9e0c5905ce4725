"""`base`: build a Debian 12 base image on this host, for sites that reach no registry."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from hub.host.deploy.engine import builder
from hub.host.deploy.folder import DeployError

NAME = "logitlab/base:bookworm"
SUITE = "bookworm"
# The official slim image leaves these out too; the copyright files have to stay.
LEFT_OUT = ("/usr/share/man/*", "/usr/share/info/*", "/usr/share/locale/*", "/usr/share/doc/*")
LICENCES = "/usr/share/doc/*/copyright"


def bootstrap_command(tar: Path, mirror: str = "") -> list[str]:
    """The command that writes the root file system to `tar`; default mirror: Debian's own."""
    return [
        *("mmdebstrap", "--quiet", "--variant=minbase", "--include=ca-certificates"),
        *(f"--dpkgopt=path-exclude={path}" for path in LEFT_OUT),
        f"--dpkgopt=path-include={LICENCES}",
        '--customize-hook=rm -rf "$1"/var/log/apt "$1"/var/log/*.log "$1"/var/cache/debconf/*-old',
        *(SUITE, str(tar), *([mirror] if mirror else [])),
    ]


def base(client: str, mirror: str = "") -> Iterator[str]:
    """Build the image NAME with the docker `client`. Raises DeployError if that fails."""
    if not shutil.which("mmdebstrap"):
        raise DeployError("mmdebstrap is not installed.", "apt-get install mmdebstrap")
    with tempfile.TemporaryDirectory(prefix="logitlab-base-") as folder:
        tar = Path(folder) / "base.tar"
        yield f"{NAME}: Debian {SUITE}, its essential packages"
        _checked(bootstrap_command(tar, mirror))
        _checked([client, "import", "--message", f"Debian {SUITE}", str(tar), NAME])
        yield f"{NAME}: {tar.stat().st_size / 1e6:.0f} MB. To build on it: BASE_IMAGE={NAME}"


def _checked(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        output = (done.stdout + done.stderr).strip()[-2000:]
        raise DeployError(f"{command[0]} failed (exit {done.returncode}):\n{output}")


def add_arguments(name: str, parser: argparse.ArgumentParser) -> None:
    """Arguments of `base`."""
    parser.add_argument("--mirror", default="", help="a Debian mirror; default: Debian's own")


def run(name: str, arguments: argparse.Namespace) -> int:
    """Make the base image. Raises DeployError."""
    for line in base(builder(), arguments.mirror):
        print(line, flush=True)
    return 0
