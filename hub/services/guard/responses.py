"""Filters what the hub sees of the engine's responses.

Inspecting a container reveals its environment, and so its tokens. What DockerSpawner and the
placement on GPUs read is kept; everything else is left out. Of other deployments' containers
only one thing is revealed: which device each has, not whose it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hub.facts.container_names import container_name
from hub.facts.containers import GPU_LABEL, PROJECT_LABEL, USER_LABEL
from hub.services.guard.policy import Policy

# As long as the guard waits for a start.
START_SECONDS = 300

_VERSION = ["Version", "ApiVersion", "MinAPIVersion", "Os", "Arch", "KernelVersion"]
_CONTAINER = ["Id", "Created", "Name", "Image", "RestartCount"]
_STATE = [
    "Status",
    "Running",
    "Paused",
    "Restarting",
    "OOMKilled",
    "Dead",
    "Pid",
    "ExitCode",
    "Error",
    "StartedAt",
    "FinishedAt",
]
_HOST = [
    "NetworkMode",
    "AutoRemove",
    "Binds",
    "Memory",
    "NanoCpus",
    "CpuPeriod",
    "CpuQuota",
    "PidsLimit",
]
_LISTED = ["Id", "Names", "Image", "ImageID", "Created", "State", "Status"]
_NETWORK = [
    "NetworkID",
    "EndpointID",
    "IPAddress",
    "IPPrefixLen",
    "Gateway",
    "MacAddress",
    "Aliases",
]


def is_own(inspected: Mapping[str, Any], policy: Policy) -> bool:
    """Whether an inspected container was created through this deployment's guard."""
    labels = _part(_part(inspected, "Config"), "Labels")
    return _is_own(labels, [str(inspected.get("Name"))], policy)


def version(response: Mapping[str, Any]) -> dict[str, Any]:
    return _only(response, _VERSION)


def image(response: Mapping[str, Any]) -> dict[str, Any]:
    config = _only(_part(response, "Config"), ["Cmd", "Labels"])
    return _only(response, ["Id", "RepoTags", "Created", "Size"]) | {"Config": config}


def container(response: Mapping[str, Any]) -> dict[str, Any]:
    config, host = _part(response, "Config"), _part(response, "HostConfig")
    return _only(response, _CONTAINER) | {
        "State": _only(_part(response, "State"), _STATE),
        # An empty environment, in which DockerSpawner looks for a token.
        "Config": _only(config, ["Image", "Labels", "User"]) | {"Env": []},
        "HostConfig": _only(host, [*_HOST, "DeviceRequests"]),
        "NetworkSettings": _networks(response),
    }


def containers(response: Any, policy: Policy) -> list[dict[str, Any]]:
    """The containers of this deployment in a list."""
    return [_listed(each) for each in response if _is_listed_own(each, policy)]


def containers_on_devices(response: Any, policy: Policy, now: float) -> list[dict[str, Any]]:
    """From a list of the host's containers, this deployment's, and the devices of the others'.

    In the engine's order, newest first. now: seconds since 1970; a container created long before
    but never started has no device.
    """
    seen = []
    for each in response:
        device = _part(each, "Labels").get(GPU_LABEL)
        if _is_listed_own(each, policy):
            seen.append(_listed(each))
        elif device in policy.gpus and not _never_started(each, now):
            seen.append({"Labels": {GPU_LABEL: device}})
    return seen


def _never_started(listed: Mapping[str, Any], now: float) -> bool:
    created = listed.get("Created")
    since = now - created if isinstance(created, int | float) else 0
    return listed.get("State") == "created" and since > START_SECONDS


def _listed(each: Mapping[str, Any]) -> dict[str, Any]:
    labels, networks = _part(each, "Labels"), _networks(each)
    return _only(each, _LISTED) | {"Labels": labels, "NetworkSettings": networks}


def _is_listed_own(each: Mapping[str, Any], policy: Policy) -> bool:
    return _is_own(_part(each, "Labels"), each.get("Names") or [], policy)


def _is_own(labels: Mapping[str, Any], names: list[str], policy: Policy) -> bool:
    user = labels.get(USER_LABEL)
    return (
        labels.get(PROJECT_LABEL) == policy.project
        and isinstance(user, str)
        and user != ""
        and "/" + container_name(policy.project, user) in names
    )


def _networks(response: Mapping[str, Any]) -> dict[str, Any]:
    networks = _part(_part(response, "NetworkSettings"), "Networks")
    return {"Networks": {name: _only(each or {}, _NETWORK) for name, each in networks.items()}}


def _part(response: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = response.get(key)
    return value if isinstance(value, Mapping) else {}


def _only(response: Mapping[str, Any], keys: list[str]) -> dict[str, Any]:
    return {key: response[key] for key in keys if key in response}
