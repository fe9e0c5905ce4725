"""What tests need of the machine besides Python: asked in one place, when a test is about to run.

    pytestmark = pytest.mark.needs("engine", "root")

A test whose need is not met is skipped, with what to install or start. In CI, where everything is
installed and started before, LOGITLAB_TEST_REQUIRE names the needs that fail a test instead.
"""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from hub.grading.sandbox.landlock import landlock_version, not_protected
from hub.host.deploy.folder import DeployError
from hub.host.deploy.stack import compose_command

TAG = os.environ.get("LOGITLAB_TEST_TAG", "dev")  # of the images that tests start
# The engine that `docker` talks to, where $DOCKER_HOST names another than the machine's.
SOCKET = Path(os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock").removeprefix("unix://"))
POSTGRESQL = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
# What the markers of kinds of tests need, without saying so themselves.
IMPLIED = {"browser": "chromium", "hub": "proxy"}
# What a need stands on, which is asked for first.
STANDS_ON = {
    "deployments": ("minutes", "images", "root"),
    "images": ("engine",),
    "network": ("root",),
    "own-engine": ("network", "busybox"),
    "restarts": ("deployments",),
}


def need(*names: str) -> None:
    """Skip the test that asks, or fail it in CI, where a need is not met."""
    if found := unmet(*names):
        lack(*found)


def unmet(*names: str) -> tuple[str, str] | None:
    """The first need that this machine does not meet, and why; needs stand on each other."""
    for name in names:
        if found := unmet(*STANDS_ON.get(name, ())):
            return found
        if reason := _missing(name):
            return name, reason
    return None


def lack(name: str, reason: str) -> None:
    """Skip the test, or fail it where the need is one of $LOGITLAB_TEST_REQUIRE."""
    required = os.environ.get("LOGITLAB_TEST_REQUIRE", "").split()
    (pytest.fail if name in required else pytest.skip)(reason)


@cache
def _missing(name: str) -> str | None:
    return NEEDS[name]()


def chromium() -> str | None:
    """The path of an installed Chromium or Chrome, or None."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return next((path for name in names if (path := shutil.which(name))), None)


def _chromium() -> str | None:
    return None if chromium() else "no Chromium: apt-get install chromium"


def _postgresql() -> str | None:
    if not POSTGRESQL:
        return "no PostgreSQL: apt-get install postgresql"
    try:
        pwd.getpwuid(os.geteuid())
    except KeyError:
        return "PostgreSQL runs for accounts that /etc/passwd names"
    return None


def _root() -> str | None:
    return None if os.geteuid() == 0 else "needs root"


def _busybox() -> str | None:
    found = shutil.which("busybox")
    if found and b"/ld-linux" not in Path(found).read_bytes()[:4096]:
        return None
    return "no static busybox: apt-get install busybox-static"


def _engine() -> str | None:
    if reason := _programs(docker="docker.io")():
        return reason
    asked = ["docker", "version", "--format", "{{.Server.Version}}"]
    done = subprocess.run(asked, capture_output=True, text=True, timeout=60)
    if done.returncode or not done.stdout.strip() or not os.access(SOCKET, os.W_OK):
        return f"no Docker engine at {SOCKET} that answers this account"
    return None


def _compose() -> str | None:
    try:
        compose_command()
    except DeployError as error:
        return f"{error}"
    return None


def _images() -> str | None:
    wanted = [f"logitlab/{name}:{TAG}" for name in ("grader", "gateway", "server", "student")]
    asked = ["docker", "image", "inspect", *wanted]
    if subprocess.run(asked, capture_output=True, timeout=60).returncode:
        return f"no images with the tag {TAG}: `make images` makes them"
    return None


def _landlock() -> str | None:
    allowed = not_protected(landlock_version())
    return f"on this kernel graded code may {' and '.join(allowed)}" if allowed else None


def _minutes() -> str | None:
    if not os.environ.get("LOGITLAB_TEST_DEPLOYMENTS"):
        return "a whole deployment takes minutes: `make test-containers` runs these"
    return None


def _restarts() -> str | None:
    """The engine was started by hand for the tests, and nothing else is on it."""
    if not os.environ.get("LOGITLAB_TEST_RESTART_ENGINE"):
        return "restarts the machine's Docker engine: LOGITLAB_TEST_RESTART_ENGINE=1"
    return None


def _network() -> str | None:
    """Bridges and network namespaces can be made. Root in a container often may not."""
    if reason := _programs(ip="iproute2", iptables="iptables")():
        return reason
    name = f"llneed{secrets.token_hex(4)}"
    for made in (["link", name, "type", "bridge"], ["netns", name]):
        kind, *rest = made
        if subprocess.run(["ip", kind, "add", *rest], capture_output=True, timeout=20).returncode:
            return f"root may not change the network here: `ip {kind} add` is refused"
        subprocess.run(["ip", kind, "del", name], check=True, timeout=20)
    return None


def _index() -> str | None:
    """The package index, asked for a small package that a wheel of ours needs."""
    with tempfile.TemporaryDirectory() as folder:
        asked = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-cache-dir"]
        done = subprocess.run([*asked, "-d", folder, "msgpack"], capture_output=True, timeout=120)
    return "no package index that pip reaches" if done.returncode else None


def _programs(**packages: str) -> Callable[[], str | None]:
    """Whether programs are there: each with the Debian package that brings it."""

    def why() -> str | None:
        absent = {name.replace("_", "-"): package for name, package in packages.items()}
        absent = {name: package for name, package in absent.items() if not shutil.which(name)}
        if not absent:
            return None
        return f"no {', '.join(absent)}: apt-get install {' '.join(absent.values())}"

    return why


NEEDS: dict[str, Callable[[], str | None]] = {
    "busybox": _busybox,
    "chromium": _chromium,
    "compose": _compose,
    "deployments": lambda: None,
    "engine": _engine,
    "images": _images,
    "index": _index,
    "firewalls": _programs(ip6tables_legacy="iptables", iptables_nft="iptables"),
    "landlock": _landlock,
    "make": _programs(make="make"),
    "nsenter": _programs(nsenter="util-linux"),
    "minutes": _minutes,
    "network": _network,
    # One that a test starts, restarts and breaks: it needs no running one.
    "own-engine": _programs(dockerd="docker.io"),
    "pebble": _programs(pebble="pebble"),
    "postgresql": _postgresql,
    "proxy": _programs(configurable_http_proxy="npm"),
    "restarts": _restarts,
    "root": _root,
}
