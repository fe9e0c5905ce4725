"""What the hub gets to see of the engine's answers.

An inspected container tells its environment, and with it its tokens. What DockerSpawner and the
placement on GPUs read is kept; everything else is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hub.facts.container_names import container_name
from hub.facts.containers import PROJECT_LABEL, USER_LABEL
from hub.services.guard.policy import Policy

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
    """Whether an inspected container is one that this deployment's guard let be created."""
    labels = _part(_part(inspected, "Config"), "Labels")
    return _is_own(labels, [str(inspected.get("Name"))], policy)


def version(answer: Mapping[str, Any]) -> dict[str, Any]:
    return _only(answer, _VERSION)


def image(answer: Mapping[str, Any]) -> dict[str, Any]:
    config = _only(_part(answer, "Config"), ["Cmd", "Labels"])
    return _only(answer, ["Id", "RepoTags", "Created", "Size"]) | {"Config": config}


def container(answer: Mapping[str, Any]) -> dict[str, Any]:
    config, host = _part(answer, "Config"), _part(answer, "HostConfig")
    return _only(answer, _CONTAINER) | {
        "State": _only(_part(answer, "State"), _STATE),
        # An empty environment, as DockerSpawner looks for a token in it.
        "Config": _only(config, ["Image", "Labels", "User"]) | {"Env": []},
        "HostConfig": _only(host, [*_HOST, "DeviceRequests"]),
        "NetworkSettings": _networks(answer),
    }


def containers(answer: Any, policy: Policy) -> list[dict[str, Any]]:
    """Of a list of containers, those of this deployment."""
    return [
        _only(each, _LISTED) | {"Labels": _part(each, "Labels"), "NetworkSettings": _networks(each)}
        for each in answer
        if _is_own(_part(each, "Labels"), each.get("Names") or [], policy)
    ]


def _is_own(labels: Mapping[str, Any], names: list[str], policy: Policy) -> bool:
    user = labels.get(USER_LABEL)
    return (
        labels.get(PROJECT_LABEL) == policy.project
        and isinstance(user, str)
        and user != ""
        and "/" + container_name(policy.project, user) in names
    )


def _networks(answer: Mapping[str, Any]) -> dict[str, Any]:
    networks = _part(_part(answer, "NetworkSettings"), "Networks")
    return {"Networks": {name: _only(each or {}, _NETWORK) for name, each in networks.items()}}


def _part(answer: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = answer.get(key)
    return value if isinstance(value, Mapping) else {}


def _only(answer: Mapping[str, Any], keys: list[str]) -> dict[str, Any]:
    return {key: answer[key] for key in keys if key in answer}
