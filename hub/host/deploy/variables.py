"""Derives compose.yaml's variables from the admin's few settings: a pure function."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hub.facts import env, limits
from hub.facts.deployment import models_folders
from hub.host.deploy.folder import DeployError

STAGING = "https://acme-staging-v02.api.letsencrypt.org/directory"
PRODUCTION = "https://acme-v02.api.letsencrypt.org/directory"
DEFAULTS = {
    env.PROJECT: "logitlab",
    env.TAG: "dev",
    "DOMAIN": "",
    "ACME_EMAIL": "",
    "ACME_CA": "staging",
    "HTTP_PORT": "",
    "HTTPS_PORT": "443",
    env.STUDENT_INTERNET: "no",
    "STUDENTS_SUBNET": "172.30.0.0/16",
    env.BRIDGE: "",
    env.MODELS_MODE: "image",
    "DOCKER_SOCKET": "/var/run/docker.sock",
    env.GPUS: "",
    "EXECUTOR_MEMORY": "",
}
CHOICES = {env.STUDENT_INTERNET: ("yes", "no"), env.MODELS_MODE: ("image", "volume")}


@dataclass(frozen=True)
class Host:
    """The facts about this host that go into the variables."""

    docker_gid: int
    settings_digest: str
    gpus: str = ""
    memory_mib: int = 8192


def variables(given: Mapping[str, str], host: Host, deployment: Path) -> dict[str, str]:
    """Every variable of compose.yaml. `given`: the admin's settings; `deployment`: its folder.

    Raises DeployError if a value is not valid.
    """
    values = {name: given.get(name) or default for name, default in DEFAULTS.items()}
    for name, accepted in CHOICES.items():
        if values[name] not in accepted:
            raise DeployError(
                f"{name}={values[name]} is not valid.", f"Use {' or '.join(accepted)}."
            )
    for name in ("HTTP_PORT", "HTTPS_PORT"):
        port = values[name]
        if port and not (port.isascii() and port.isdigit() and 0 < int(port) < 65536):
            raise DeployError(f"{name}={port} is not valid.", "Use a number from 1 to 65535.")
    project = values[env.PROJECT]
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,39}", project):
        raise DeployError(
            f"LOGITLAB_PROJECT={project} is not valid.", "Use lowercase letters, digits and '-'."
        )
    return {
        **values,
        **_network(values),
        **_addresses(values),
        env.DEPLOYMENT: str(deployment),
        env.SETTINGS_DIGEST: host.settings_digest,
        "MODELS_FOLDER": str((deployment / "models").resolve()),
        env.MODELS: models_folders(values[env.MODELS_MODE] == "volume"),
        # Interface names have at most 15 characters.
        env.BRIDGE: values[env.BRIDGE] or f"{project[:11]}-st",
        env.GPUS: values[env.GPUS] or host.gpus,
        "DOCKER_GID": str(host.docker_gid),
        # At most half of the machine for grading, as students work at the same time; but one
        # notebook always fits.
        "EXECUTOR_MEMORY": values["EXECUTOR_MEMORY"]
        or f"{max(limits.KERNEL_MIB, host.memory_mib // 2)}m",
        "STUDENTS_INTERNAL": "false" if values[env.STUDENT_INTERNET] == "yes" else "true",
    }


def _network(values: Mapping[str, str]) -> dict[str, str]:
    """Fixed addresses of the proxy and the hub, and the half of the subnet for students."""
    try:
        subnet = ipaddress.IPv4Network(values["STUDENTS_SUBNET"])
        _, upper = subnet.subnets()
    except ValueError as error:
        raise DeployError(f"STUDENTS_SUBNET={values['STUDENTS_SUBNET']}: {error}") from error
    if subnet.prefixlen > 24 or not subnet.is_private:
        raise DeployError(
            f"STUDENTS_SUBNET={subnet} is not valid.", "Use a private network of at least /24."
        )
    return {
        "PROXY_IP": str(subnet[2]),
        "HUB_IP": str(subnet[3]),
        "STUDENTS_RANGE": str(upper),
    }


def _addresses(values: Mapping[str, str]) -> dict[str, str]:
    """The URL for browsers, and where the gateway listens: on all interfaces only with TLS."""
    ca = {"staging": STAGING, "production": PRODUCTION}.get(values["ACME_CA"], values["ACME_CA"])
    domain, https = values["DOMAIN"], values["HTTPS_PORT"]
    if domain:
        port = "" if https == "443" else f":{https}"
        return {
            "ACME_CA": ca,
            env.URL: f"https://{domain}{port}",
            "HTTP_PUBLISH": values["HTTP_PORT"] or "80",
            "HTTPS_PUBLISH": https,
            "HTTPS_PORT_SUFFIX": port,
            # With HSTS, browsers would let nobody past the warning about a trial's certificates.
            "HSTS_SECONDS": "31536000" if ca == PRODUCTION else "0",
        }
    port = values["HTTP_PORT"] or "8000"
    return {
        "ACME_CA": ca,
        env.URL: f"http://localhost:{port}",
        "HTTP_PUBLISH": f"127.0.0.1:{port}",
        "HTTPS_PUBLISH": "127.0.0.1:",  # no TLS here: any free port; nobody uses it
        "HTTPS_PORT_SUFFIX": "",
        "HSTS_SECONDS": "0",
    }
