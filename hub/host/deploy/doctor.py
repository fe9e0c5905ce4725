"""`doctor`: check this host for problems, with a fix for each.

Each check is a pure function from facts to findings; `facts` inspects the host.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from hub.facts import env
from hub.facts.disk import free_mb
from hub.host.deploy import gpus
from hub.host.deploy.engine import choose, clients
from hub.host.deploy.folder import DeployError
from hub.host.deploy.gpus import Check
from hub.host.deploy.stack import (
    Stack,
    check_course,
    compose_command,
    gpu_devices,
    images_are_of_another_version,
    opened,
    services,
)
from hub.host.deploy.subnet import free_subnet, host_routes, overlapping

Level = Literal["good", "advice", "stops"]
SIGNS = {"good": "ok", "advice": "advice", "stops": "STOPS"}
OLDEST_ENGINE = (20, 10)
FREE_GIB = 15
STUDENT_GIB = 0.5  # measured: a server with one kernel, TransformerLens and GPT-2 in use


@dataclass(frozen=True)
class Finding:
    """The result of one check."""

    level: Level
    what: str
    fix: str = ""

    def __str__(self) -> str:
        return f"{SIGNS[self.level]:<7} {self.what}" + (f"\n        {self.fix}" if self.fix else "")


@dataclass(frozen=True)
class HostFacts:
    """Facts gathered about the host."""

    engine: dict[str, Any] = field(default_factory=dict)
    engine_error: str = ""
    compose: str = ""
    buildkit: bool = False
    free_gib: float = 0
    memory_gib: float = 0
    bridge_filter: bool = True
    routes: tuple[str, ...] = ()
    used_ports: tuple[int, ...] = ()
    domain: str = ""
    domain_addresses: tuple[str, ...] = ()
    own_addresses: tuple[str, ...] = ()
    subnet: str = "172.30.0.0/16"
    running: bool = False
    missing_images: tuple[str, ...] = ()
    course_error: str = ""
    images_differ: bool = False  # from this checkout, asked only where there is a course_error
    gpu_devices: str | Sequence[str] = "auto"  # as in course.yaml, if it can be read
    trial_image: str | None = None  # the image of students' servers, if present


def engine(facts: HostFacts) -> Iterator[Finding]:
    """Is there a Docker engine that meets the requirements?"""
    if not facts.engine:
        yield Finding(
            "stops",
            f"the Docker engine does not answer: {facts.engine_error}",
            "Install one (Debian, Ubuntu: apt-get install docker.io), start it, and add your "
            "account to the group docker, or use sudo.",
        )
        return
    version = str(facts.engine.get("ServerVersion", ""))
    if _numbers(version) < OLDEST_ENGINE:
        yield Finding("stops", f"Docker engine {version}", "20.10 or later is required.")
    else:
        yield Finding("good", f"Docker engine {version}, storage {facts.engine.get('Driver')}")
    if not facts.engine.get("LiveRestoreEnabled"):
        yield Finding(
            "advice",
            "a restart of the Docker engine would stop students' servers",
            'Set {"live-restore": true} in /etc/docker/daemon.json and reload the engine.',
        )


def _numbers(version: str) -> tuple[int, ...]:
    found = []
    for number in version.split(".")[:2]:
        digits = "".join(c for c in number if c.isdigit())
        found.append(int(digits or 0))
    return tuple(found)


def limits(facts: HostFacts) -> Iterator[Finding]:
    """Does the kernel enforce the limits that stop one student from taking everything?"""
    if not facts.engine:
        return
    names = {"MemoryLimit": "memory", "PidsLimit": "processes", "CpuCfsQuota": "processor"}
    missing = [word for key, word in names.items() if facts.engine.get(key) is False]
    if missing:
        yield Finding(
            "stops",
            f"this kernel cannot limit {', '.join(missing)} of containers",
            "Boot with cgroup v2, or with cgroup_enable=memory swapaccount=1.",
        )
    else:
        yield Finding("good", f"container limits, cgroup v{facts.engine.get('CgroupVersion')}")
    if "name=rootless" in facts.engine.get("SecurityOptions", []):
        yield Finding(
            "stops",
            "rootless engine: the firewall between students cannot be set up",
            "Use an engine that runs as root.",
        )


def tools(facts: HostFacts) -> Iterator[Finding]:
    """Compose and BuildKit."""
    if facts.compose:
        yield Finding("good", f"Compose: {facts.compose}")
    else:
        yield Finding(
            "stops", "Docker Compose is missing", "apt-get install docker-compose-v2 (or -plugin)."
        )
    if not facts.buildkit:
        yield Finding(
            "advice",
            "this docker client cannot build with BuildKit, which `make images` needs",
            "apt-get install docker-buildx (or docker-buildx-plugin).",
        )


def network(facts: HostFacts) -> Iterator[Finding]:
    """Firewall, addresses and ports."""
    if not facts.bridge_filter:
        yield Finding(
            "stops",
            "bridge traffic bypasses the firewall, so students could reach each other",
            "modprobe br_netfilter && sysctl net.bridge.bridge-nf-call-iptables=1, and keep both "
            "in /etc/modules-load.d and /etc/sysctl.d.",
        )
    clash = overlapping(facts.subnet, facts.routes)
    if clash and not facts.running:
        free = free_subnet(facts.routes)
        yield Finding(
            "stops",
            f"STUDENTS_SUBNET {facts.subnet} overlaps {', '.join(clash)} of this host",
            "Choose another private network in .env" + (f"; {free} is free." if free else "."),
        )
    if facts.used_ports and not facts.running:
        ports = ", ".join(map(str, facts.used_ports))
        yield Finding(
            "stops", f"port {ports} is in use", "Stop what uses it, or set HTTP_PORT, HTTPS_PORT."
        )


def domain(facts: HostFacts) -> Iterator[Finding]:
    """Can the certificate authority reach this host?"""
    if not facts.domain:
        yield Finding("good", "no DOMAIN: plain HTTP on localhost, for a trial")
    elif not facts.domain_addresses:
        yield Finding(
            "stops",
            f"{facts.domain} does not resolve in DNS",
            "Add an A (and AAAA) record with this host's public address.",
        )
    elif set(facts.domain_addresses) & set(facts.own_addresses):
        yield Finding("good", f"{facts.domain} resolves to this host")
    else:
        yield Finding(
            "advice",
            f"{facts.domain} resolves to {', '.join(facts.domain_addresses)}, which no interface "
            "here has",
            "This is fine behind NAT, if ports 80 and 443 are forwarded to this host.",
        )


def room(facts: HostFacts) -> Iterator[Finding]:
    """Disk and memory."""
    level: Level = "good" if facts.free_gib >= FREE_GIB else "stops"
    if facts.missing_images or level == "good":
        fix = "" if level == "good" else f"Images and the first homes need {FREE_GIB} GiB."
        yield Finding(level, f"{facts.free_gib:.0f} GiB free for images and homes", fix)
    else:
        yield Finding("advice", f"{facts.free_gib:.0f} GiB free", "Homes grow: monitor the disk.")
    students = int(max(0, facts.memory_gib - 3) / STUDENT_GIB)
    yield Finding("good", f"{facts.memory_gib:.0f} GiB of memory: about {students} active students")


def course(facts: HostFacts) -> Iterator[Finding]:
    """Is course.yaml valid? Checked by the server's image, once it is built."""
    if facts.course_error and facts.images_differ:
        yield Finding(
            "advice",
            f"the images are of another version of LogitLab, and say of its settings: "
            f"{facts.course_error}",
            "Run `make images`, and this command again.",
        )
    elif facts.course_error:
        yield Finding("stops", facts.course_error, "Fix this line in course.yaml.")


def images(facts: HostFacts) -> Iterator[Finding]:
    """Have the images been built?"""
    if facts.missing_images:
        yield Finding(
            "advice", f"not built yet: {', '.join(facts.missing_images)}", "Run `make images`."
        )


CHECKS: list[Callable[[HostFacts], Iterator[Finding]]] = [
    engine,
    limits,
    tools,
    network,
    domain,
    room,
    course,
    images,
]


def findings(facts: HostFacts) -> list[Finding]:
    """All checks except those for GPUs, which are in `hub.host.deploy.gpus`."""
    return [finding for check in CHECKS for finding in check(facts)]


def gpu_findings(checks: Iterable[Check]) -> Iterator[Finding]:
    """GPU findings, none of which stops the server, as students can work without a GPU."""
    for check in checks:
        level: Level = "good" if check.ok else "advice"
        yield Finding(level, f"{check.name}: {check.message}", "\n        ".join(check.fix))


def facts(stack: Stack) -> HostFacts:
    """Gather the facts about this host."""
    about = stack.docker("info", "--format", "{{json .}}")
    info = json.loads(about.stdout) if about.stdout.strip().startswith("{") else {}
    here = info if info.get("ServerVersion") else {}
    values = stack.variables
    root = Path(str(here.get("DockerRootDir") or "/var/lib"))
    running = bool(here) and any(service.state == "running" for service in services(stack))
    name = values["DOMAIN"]
    missing = tuple(stack.missing_images()) if here else ()
    server, student = (f"logitlab/{name}:{values[env.TAG]}" for name in ("server", "student"))
    readable = bool(here) and server not in missing
    course_error = check_course(stack) if readable else ""
    return HostFacts(
        engine=here,
        engine_error=(about.stderr or str(info.get("ServerErrors", ""))).strip()[-300:],
        compose=_compose(),
        buildkit=_buildkit(),
        free_gib=free_mb(root) * 1e6 / 2**30,
        memory_gib=os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30,
        bridge_filter=_bridge_filter(),
        routes=host_routes(),
        used_ports=_used_ports(values),
        domain=name,
        domain_addresses=_addresses(name) if name else (),
        own_addresses=_own_addresses(),
        subnet=values["STUDENTS_SUBNET"],
        running=running,
        missing_images=missing,
        course_error=course_error,
        images_differ=bool(course_error) and images_are_of_another_version(stack),
        gpu_devices=gpu_devices(stack) if readable and not course_error else "auto",
        trial_image=student if here and student not in missing else None,
    )


def _compose() -> str:
    try:
        return " ".join(compose_command())
    except DeployError:
        return ""


def _buildkit() -> bool:
    try:
        choose(clients())
    except DeployError:
        return False
    return True


def _bridge_filter() -> bool:
    path = Path("/proc/sys/net/bridge/bridge-nf-call-iptables")
    # Absent: the engine loads the module with its first bridge network.
    return not path.exists() or path.read_text().strip() == "1"


def _used_ports(values: dict[str, str]) -> tuple[int, ...]:
    published = [values["HTTP_PUBLISH"], values["HTTPS_PUBLISH"]]
    used = []
    for text in published:
        host, _, port = text.rpartition(":")
        if not port:
            continue
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, int(port)))
            except PermissionError:
                continue  # a privileged port, and we are not root: unknown
            except OSError:
                used.append(int(port))
    return tuple(used)


def _addresses(name: str) -> tuple[str, ...]:
    try:
        return tuple(sorted({str(entry[4][0]) for entry in socket.getaddrinfo(name, 443)}))
    except OSError:
        return ()


def _own_addresses() -> tuple[str, ...]:
    done = subprocess.run(["hostname", "-I"], capture_output=True, text=True, timeout=10)
    return tuple(done.stdout.split())


def add_arguments(name: str, parser: argparse.ArgumentParser) -> None:
    """`doctor` takes no arguments."""


def run(name: str, arguments: argparse.Namespace) -> int:
    """Print the findings; returns 1 if one stops the server. Raises DeployError."""
    seen = facts(opened())
    about_gpus = gpus.doctor(seen.gpu_devices, seen.trial_image)
    found = [*findings(seen), *gpu_findings(about_gpus)]
    for finding in found:
        print(finding, flush=True)
    return int(any(finding.level == "stops" for finding in found))
