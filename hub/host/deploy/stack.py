"""`up`, `down`, `status`, `logs`: run the services of one deployment with Compose."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from hub.facts import accounts, containers, env
from hub.facts.gpu_devices import to_variable
from hub.host.deploy.folder import CHECKOUT, DeployError, folder, prepare, read_env
from hub.host.deploy.gpus import discover
from hub.host.deploy.images import IMAGES
from hub.host.deploy.models import check as check_models
from hub.host.deploy.models import settle_volume
from hub.host.deploy.variables import Host, variables

UP_SECONDS = 300
RESTARTS = 4


def compose_command(run=subprocess.run) -> list[str]:
    """`docker compose`, or `docker-compose` if only that is installed.

    Raises DeployError if there is neither.
    """
    for command in (["docker", "compose"], ["docker-compose"]):
        if shutil.which(command[0]) is None:
            continue
        if run([*command, "version"], capture_output=True, timeout=60).returncode == 0:
            return command
    raise DeployError(
        "Docker Compose is not installed.",
        "Debian and Ubuntu package it as docker-compose-v2, docker-compose-plugin or "
        "docker-compose.",
    )


@dataclass(frozen=True)
class Stack:
    """One deployment: its folder and Compose's variables."""

    folder: Path

    @cached_property
    def variables(self) -> dict[str, str]:
        given = read_env(self.folder / ".env")
        socket = Path(given.get("DOCKER_SOCKET") or "/var/run/docker.sock")
        try:
            gid = socket.stat().st_gid
        except OSError as error:
            raise DeployError(
                f"{socket}: {error.strerror}.",
                "Is the Docker engine installed and running? `make doctor` checks.",
            ) from error
        digest = hashlib.sha256((self.folder / "course.yaml").read_bytes()).hexdigest()[:16]
        gpus = to_variable(discover())
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
        return variables(given, Host(gid, digest, gpus, memory), self.folder)

    @property
    def project(self) -> str:
        return self.variables[env.PROJECT]

    @property
    def url(self) -> str:
        return self.variables[env.URL]

    @cached_property
    def _compose(self) -> list[str]:
        files = [CHECKOUT / "docker" / "compose.yaml"]
        override = self.folder / "compose.override.yaml"
        files += [override] if override.exists() else []
        return [
            *compose_command(),
            *(argument for file in files for argument in ("-f", str(file))),
            *("--project-directory", str(self.folder), "-p", self.project),
            *(("--profile", "gpu") if self.variables[env.GPUS] else ()),
        ]

    @property
    def environment(self) -> dict[str, str]:
        # Compose also reads .env itself; what is set here overrides it.
        return {**os.environ, **self.variables}

    def compose(self, *arguments: str, **options) -> subprocess.CompletedProcess:
        """Run Compose on this deployment."""
        return subprocess.run([*self._compose, *arguments], env=self.environment, **options)

    def docker(self, *arguments: str, **options) -> subprocess.CompletedProcess:
        """Run `docker` and capture its output."""
        return subprocess.run(
            ["docker", *arguments], capture_output=True, text=True, timeout=300, **options
        )

    def servers(self, running: bool = False) -> list[str]:
        """Ids of the containers that the hub started for people."""
        found = self.docker(
            *("ps", "-q") if running else ("ps", "-aq"),
            *("--filter", f"label={containers.PROJECT_LABEL}={self.project}"),
        )
        return found.stdout.split()

    def missing_images(self) -> list[str]:
        tag = self.variables[env.TAG]
        names = [f"logitlab/{name}:{tag}" for name in IMAGES]
        return [name for name in names if self.docker("image", "inspect", name).returncode]


def up(stack: Stack) -> Iterator[str]:
    """Start what is not running, recreate what changed, leave the rest. Yields progress.

    Raises DeployError if images are missing, a model is damaged or a service does not come up.
    """
    if missing := stack.missing_images():
        raise DeployError(f"Not on this machine: {', '.join(missing)}.", "Run `make images`.")
    if wrong := check_course(stack):
        hint = "Run `make images` first." if images_are_of_another_version(stack) else ""
        raise DeployError(wrong, hint)
    if stack.variables[env.MODELS_MODE] == "volume":
        yield from check_models(stack.folder / "models")
    settle_volume(stack.docker, containers.volume(stack.project, "models"), stack.folder / "models")
    yield f"starting {stack.project}"
    before = {service.id: service.restarts for service in services(stack)}
    _checked(stack, ["up", "-d", "--remove-orphans"])
    begun = time.monotonic()
    shown = ""
    while (left := _not_up(stack)) and time.monotonic() - begun < UP_SECONDS:
        if left != shown:
            yield f"waiting for {left}"
        shown = left
        _give_up_on(stack, before)
        time.sleep(1)
    if left:
        raise DeployError(
            f"{left}: not up after {UP_SECONDS} seconds.",
            "`make logs` shows the log of each service.",
        )
    yield f"The course server is at {stack.url}"


def _give_up_on(stack: Stack, before: Mapping[str, int]) -> None:
    """Raise DeployError, with its last output, if a service keeps restarting.

    before: restarts per container at the start; the engine counts over a container's lifetime.
    """
    for service in services(stack):
        if service.restarts - before.get(service.id, 0) >= RESTARTS:
            output = stack.compose(
                "logs", "--no-color", "--tail=8", service.name, capture_output=True
            )
            message = (output.stdout or b"").decode(errors="replace").strip()
            raise DeployError(f"{service.name} does not stay up:\n{message}")


def _checked(stack: Stack, arguments: Sequence[str]) -> None:
    done = stack.compose(*arguments, capture_output=True, text=True)
    if done.returncode == 0:
        return
    output = (done.stderr + done.stdout).strip()[-3000:]
    hint = ""
    if "Pool overlaps" in output or "overlaps" in output:
        hint = "Choose another STUDENTS_SUBNET in .env: this one is in use on this host."
    elif "port is already allocated" in output or "address already in use" in output:
        hint = "Choose another HTTP_PORT or HTTPS_PORT in .env, or stop what uses it."
    setup = stack.compose("logs", "--no-color", "setup", capture_output=True, text=True).stdout
    if "Error" in setup:
        output += f"\n{setup.strip()}"
    raise DeployError(f"Compose could not start the services:\n{output}", hint)


def _not_up(stack: Stack) -> str:
    """What the login page is still waiting for; empty if nothing."""
    states = {service.name: service for service in services(stack)}
    for name, service in states.items():
        if name == "setup":
            continue
        if service.state != "running":
            return f"{name} ({service.state})"
        if service.health in ("starting", "unhealthy"):
            return f"{name} ({service.health})"
    if stack.variables["DOMAIN"]:
        return ""
    try:
        with urllib.request.urlopen(f"{stack.url}/hub/health", timeout=5):
            return ""
    except (urllib.error.URLError, OSError):
        return "the login page"


@dataclass(frozen=True)
class ServiceStatus:
    """The current state of one service of compose.yaml."""

    id: str
    name: str
    state: str
    health: str
    restarts: int


def services(stack: Stack) -> list[ServiceStatus]:
    """The services' containers, from the engine (Compose's own listing differs by version)."""
    ids = stack.docker(
        *("ps", "-aq"), *("--filter", f"label=com.docker.compose.project={stack.project}")
    ).stdout.split()
    if not ids:
        return []
    found = json.loads(stack.docker("inspect", *ids).stdout or "[]")
    return sorted(
        (
            ServiceStatus(
                container["Id"],
                container["Config"]["Labels"]["com.docker.compose.service"],
                container["State"]["Status"],
                container["State"].get("Health", {}).get("Status", ""),
                container["RestartCount"],
            )
            for container in found
        ),
        key=lambda service: service.name,
    )


def need_running(stack: Stack, *names: str) -> None:
    """Raise DeployError unless all these services are running."""
    running = {service.name for service in services(stack) if service.state == "running"}
    if missing := [name for name in names if name not in running]:
        raise DeployError(f"Not running: {', '.join(missing)}.", "Run `make up` first.")


def _with_course(stack: Stack, *command: str) -> subprocess.CompletedProcess:
    """A command in the server's image with only course.yaml mounted, in /srv/settings."""
    return stack.docker(
        *("run", "--rm", "--network=none", "--read-only", "--tmpfs=/tmp"),
        f"--user={accounts.HUB}:{accounts.HUB}",
        *("--cap-drop=ALL", "--env=LOGITLAB_SHAPE=containers"),
        f"--env=LOGITLAB_URL={stack.url}",
        f"--volume={stack.folder / 'course.yaml'}:/srv/settings/course.yaml:ro",
        containers.image("server", stack.variables[env.TAG]),
        *command,
    )


def check_course(stack: Stack) -> str:
    """What is wrong with course.yaml according to the server's image; empty if nothing."""
    done = _with_course(stack, "logitlab", "check", "--course", "/srv/settings")
    if done.returncode == 0:
        return ""
    output = done.stderr.strip().removeprefix("Error: ")
    return output.replace("/srv/settings/course.yaml", str(stack.folder / "course.yaml"))


def images_are_of_another_version(stack: Stack) -> bool:
    """Whether the server's image accepts other settings than this checkout knows."""
    show = "import pathlib, hub.core.settings as s; print(pathlib.Path(s.__file__).read_text())"
    done = _with_course(stack, "python", "-c", show)
    ours = (CHECKOUT / "hub" / "core" / "settings.py").read_text(encoding="utf-8")
    return done.returncode == 0 and done.stdout.strip() != ours.strip()


def gpu_devices(stack: Stack) -> str | list[str]:
    """`gpus.devices` of a valid course.yaml, as the server's image reads it."""
    done = _with_course(
        stack,
        *("python", "-c"),
        "import json, pathlib, hub.core.settings\n"
        "path = pathlib.Path('/srv/settings/course.yaml')\n"
        "print(json.dumps(hub.core.settings.load_settings(path).gpus.devices))",
    )
    if done.returncode:
        raise DeployError(done.stderr.strip()[-3000:])
    return json.loads(done.stdout)


def down(stack: Stack) -> Iterator[str]:
    """Stop everything, students' servers first. Volumes, and so all work, are kept."""
    if servers := stack.servers():
        yield f"stopping {len(servers)} users' servers"
        stack.docker("stop", "-t", "10", *servers)
        stack.docker("rm", "-f", *servers)
    done = stack.compose("down", "--remove-orphans", capture_output=True, text=True)
    if done.returncode:
        raise DeployError(done.stderr.strip()[-3000:])
    _remove_rules(stack)
    yield "stopped; all data is kept, `make up` starts it again"


def _remove_rules(stack: Stack) -> None:
    """Remove the firewall's rules, which outlive its container, now that the bridge is gone."""
    names = (env.BRIDGE, "HUB_IP", "PROXY_IP", env.STUDENT_INTERNET)
    values = {name: stack.variables[name] for name in names}
    for name in ("HUB_IP", "PROXY_IP"):
        values[f"LOGITLAB_{name}"] = values.pop(name)
    stack.docker(
        *("run", "--rm", "--network=host", "--user=root", "--read-only", "--tmpfs=/tmp"),
        *("--cap-drop=ALL", "--cap-add=NET_ADMIN", "--cap-add=NET_RAW"),
        *(f"--env={name}={value}" for name, value in values.items()),
        containers.image("server", stack.variables[env.TAG]),
        *("python", "-m", "hub.services.firewall", "--remove"),
    )


def status(stack: Stack) -> Iterator[str]:
    """One line per service, and the number of users' servers."""
    found = services(stack)
    if not found:
        yield "not started: run `make up`"
        return
    for service in found:
        if service.name != "setup":
            yield f"{service.name:<12} {service.state:<10} {service.health}"
    yield f"{len(stack.servers(running=True))} users' servers running; the course is at {stack.url}"


def opened() -> Stack:
    """The deployment of this checkout or of `$LOGITLAB_DEPLOYMENT`; creates its missing files."""
    deployment = folder()
    for line in prepare(deployment):
        print(line, flush=True)
    return Stack(deployment)


def add_arguments(name: str, parser: argparse.ArgumentParser) -> None:
    """Arguments of the subcommand `name`."""
    if name == "logs":
        parser.add_argument("service", nargs="*", help="only these services")
        parser.add_argument("-f", "--follow", action="store_true")


def run(name: str, arguments: argparse.Namespace) -> int:
    """Run the subcommand `name`; returns the exit status. Raises DeployError."""
    stack = opened()
    if name == "logs":
        known = {state.name for state in services(stack)}
        if unknown := [service for service in arguments.service if service not in known]:
            have = ", ".join(sorted(known)) or "none; run `make up` to start them"
            raise DeployError(f"{', '.join(unknown)}: no such service.", f"Services: {have}.")
        follow = ["--follow"] if arguments.follow else []
        return stack.compose("logs", "--tail=200", *follow, *arguments.service).returncode
    for line in {"up": up, "down": down, "status": status}[name](stack):
        print(line, flush=True)
    return 0
