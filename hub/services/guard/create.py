"""The one decision that matters: which containers the hub may create.

`check_create` checks the body of `POST /containers/create` key by key and builds a new one
from what was accepted. A key that is not named here is refused, whatever its value.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from hub.facts import accounts
from hub.facts.container_names import container_name
from hub.facts.container_paths import COURSE, HOME
from hub.facts.containers import (
    COURSE_LABEL,
    CPU_PERIOD,
    GPU_LABEL,
    GRADERS_COMMAND,
    NO_GPU,
    NO_RESOLVER,
    PERSONS_COMMAND,
    PROJECT_LABEL,
    USER_LABEL,
)
from hub.facts.limits import MIB
from hub.facts.names import grader_of
from hub.services.guard.errors import RequestRefused
from hub.services.guard.policy import Mount, Policy

Check = Callable[[Any], Any]

LONGEST_ENVIRONMENT = 256  # variables
LONGEST_TEXT = 16 * 1024  # characters of one variable or argument

# Variables that change what runs before the server's own program, or which GPUs it gets.
# With CUDA_VERSION set, NVIDIA's runtime takes the image for a legacy one and exposes all GPUs.
FORBIDDEN_VARIABLES = re.compile(
    r"(NVIDIA_|LD_|DOCKER_|GLIBC_TUNABLES|CUDA_VERSION)", re.IGNORECASE
)
HARMLESS_VARIABLES = {"NVIDIA_VISIBLE_DEVICES=void"}
VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=", re.ASCII)

TMPFS_PATHS = {"/tmp", "/var/tmp", "/run"}
TMPFS_OPTION = re.compile(
    r"rw|noexec|exec|nosuid|nodev|mode=[0-7]{3,4}|size=[0-9]{1,12}[kmg]?|uid=[0-9]{1,5}|gid=[0-9]{1,5}"
)

# Docker's own clients also send keys without a value.
# fmt: off
NOTHING_IN_CONFIG = [
    "Domainname", "Tty", "OpenStdin", "StdinOnce", "NetworkDisabled", "Entrypoint",
    "NetworkingConfig", "MacAddress", "StopSignal", "Healthcheck", "StopTimeout", "Runtime",
    "Shell", "OnBuild", "ArgsEscaped",
]
NOTHING_IN_HOST_CONFIG = [
    "Privileged", "PublishAllPorts", "PortBindings", "Links", "Mounts", "VolumesFrom", "CapAdd",
    "Devices", "DeviceCgroupRules", "DnsOptions", "DnsSearch", "ExtraHosts", "GroupAdd",
    "Cgroup", "CgroupParent", "PidMode", "UTSMode", "UsernsMode", "Runtime", "Sysctls", "Ulimits",
    "StorageOpt", "VolumeDriver", "OomKillDisable", "ContainerIDFile", "Isolation",
]
# fmt: on


def check_create(name: str, body: dict[str, Any], policy: Policy) -> dict[str, Any]:
    """The body to send to the engine for the container `name`, built only from accepted values.

    Raises RequestRefused with the first thing that is not accepted.
    """
    labels = _labels(body.get("Labels"), policy)
    user = labels[USER_LABEL]
    _is(f"the name of {user}'s container", container_name(policy.project, user))(name)
    image = _one_of("Image", policy.images)(body.get("Image"))
    if image == policy.grader_image and user != grader_of(labels[COURSE_LABEL]):
        raise RequestRefused(f"Image: {user} is not the grader of {labels[COURSE_LABEL]}")
    clean = _checked("", body, _config(policy, user, image))
    host = body.get("HostConfig")
    if not isinstance(host, dict):
        raise RequestRefused("HostConfig is missing")
    mounts = policy.mounts(user, image, labels[COURSE_LABEL])
    clean["HostConfig"] = _checked("HostConfig.", host, _host_config(policy, mounts))
    _the_limits_are_there(clean["HostConfig"])
    _paths_are_mounted(clean)
    _the_label_names_the_device(clean, policy)
    return clean


def _config(policy: Policy, user: str, image: str) -> dict[str, Check]:
    return {
        "Image": _is("Image", image),
        "Labels": lambda value: _labels(value, policy),
        "User": lambda value: _user(value, image == policy.grader_image),
        "Cmd": lambda value: _command(value, image == policy.grader_image),
        "Env": _environment,
        "Hostname": _matches("Hostname", re.compile(r"[a-z0-9-]{0,63}")),
        "WorkingDir": _one_of("WorkingDir", (None, "", HOME, COURSE)),
        "ExposedPorts": _exposed_ports,
        "Volumes": _mount_points,
        "HostConfig": lambda value: None,  # checked separately
        # Docker's own client always sends these: dropped.
        "AttachStdin": _dropped_if("AttachStdin", False),
        "AttachStdout": _dropped_if("AttachStdout", True, False),
        "AttachStderr": _dropped_if("AttachStderr", True, False),
    } | {key: _dropped_if(key) for key in NOTHING_IN_CONFIG}


def _host_config(policy: Policy, mounts: tuple[Mount, ...]) -> dict[str, Check]:
    memory = {
        key: _between(f"HostConfig.{key}", 64 * MIB, policy.max_memory)
        for key in ("Memory", "MemorySwap", "MemoryReservation")
    }
    return (
        memory
        | {
            "Binds": lambda value: _binds(value, mounts),
            "NetworkMode": _is("HostConfig.NetworkMode", policy.network),
            "ReadonlyRootfs": _is("HostConfig.ReadonlyRootfs", True),
            "CapDrop": _is("HostConfig.CapDrop", ["ALL"]),
            "SecurityOpt": _one_of(
                "HostConfig.SecurityOpt", (["no-new-privileges"], ["no-new-privileges:true"])
            ),
            "Tmpfs": _tmpfs,
            "NanoCpus": _between("HostConfig.NanoCpus", 1, int(policy.max_cpus * 1e9)),
            "CpuPeriod": _is("HostConfig.CpuPeriod", CPU_PERIOD),
            "CpuQuota": _between("HostConfig.CpuQuota", 1000, int(policy.max_cpus * CPU_PERIOD)),
            "CpuShares": _between("HostConfig.CpuShares", 2, policy.max_cpu_shares),
            "PidsLimit": _between("HostConfig.PidsLimit", 16, policy.max_pids),
            "ShmSize": _between("HostConfig.ShmSize", 1, policy.max_memory),
            "OomScoreAdj": _between("HostConfig.OomScoreAdj", 0, 1000),
            "AutoRemove": _is("HostConfig.AutoRemove", False),
            "RestartPolicy": _restart_policy,
            "LogConfig": _log_config,
            "Dns": _dns,
            "Init": _is("HostConfig.Init", True),
            "CgroupnsMode": _is("HostConfig.CgroupnsMode", "private"),
            "IpcMode": _one_of("HostConfig.IpcMode", ("private", "none")),
            "DeviceRequests": lambda value: _device_requests(value, policy),
        }
        | {key: _dropped_if(f"HostConfig.{key}") for key in NOTHING_IN_HOST_CONFIG}
    )


# How one value is checked


def _checked(path: str, given: dict[str, Any], checks: dict[str, Check]) -> dict[str, Any]:
    clean = {}
    for key, value in given.items():
        if key not in checks:
            raise RequestRefused(f"{path}{key[:60]!a} is not accepted")
        accepted = checks[key](value)
        if accepted is not None:
            clean[key] = accepted
    return clean


def _is_equal(one: Any, other: Any) -> bool:
    """Equal and of the same type, so that 1 is not True."""
    return type(one) is type(other) and one == other


def _refuse(path: str, value: Any, wanted: str) -> RequestRefused:
    return RequestRefused(f"{path}: found {value!a:.200}, accepted: {wanted}")


def _is(path: str, wanted: Any) -> Check:
    return _one_of(path, (wanted,))


def _one_of(path: str, wanted: tuple[Any, ...]) -> Check:
    def check(value: Any) -> Any:
        if not any(_is_equal(value, each) for each in wanted):
            raise _refuse(path, value, " or ".join(repr(each) for each in wanted))
        return value

    return check


def _dropped_if(path: str, *wanted: Any) -> Check:
    """Accepts `wanted` or an empty value, and leaves it out."""

    def check(value: Any) -> None:
        empty = value is None or value is False or value in ("", [], {})
        if not (any(_is_equal(value, each) for each in wanted) if wanted else empty):
            raise _refuse(path, value, "nothing")

    return check


def _between(path: str, least: int, most: int) -> Check:
    def check(value: Any) -> int:
        if type(value) is not int or not least <= value <= most:
            raise _refuse(path, value, f"{least} to {most}")
        return value

    return check


def _matches(path: str, shape: re.Pattern[str]) -> Check:
    def check(value: Any) -> str | None:
        if value is None:
            return None
        if type(value) is not str or not shape.fullmatch(value):
            raise _refuse(path, value, shape.pattern)
        return value

    return check


def _mapping(path: str, value: Any) -> dict[str, Any]:
    if value is not None and type(value) is not dict:
        raise _refuse(path, value, "an object")
    return value or {}


def _texts(path: str, value: Any, most: int) -> list[str]:
    if type(value) is not list or len(value) > most:
        raise RequestRefused(f"{path}: a list of at most {most} strings is accepted")
    if any(type(text) is not str or len(text) > LONGEST_TEXT for text in value):
        raise RequestRefused(f"{path}: strings of at most {LONGEST_TEXT} characters are accepted")
    return value


# Values with a structure of their own


def _labels(value: Any, policy: Policy) -> dict[str, str]:
    labels = _mapping("Labels", value)
    wanted = (PROJECT_LABEL, COURSE_LABEL, USER_LABEL, GPU_LABEL)
    if set(labels) != set(wanted):
        raise _refuse("Labels", sorted(labels), ", ".join(wanted))
    _is(f"Labels.{PROJECT_LABEL}", policy.project)(labels[PROJECT_LABEL])
    _one_of(f"Labels.{GPU_LABEL}", (NO_GPU, *policy.gpus))(labels[GPU_LABEL])
    user = labels[USER_LABEL]
    if type(user) is not str or not 0 < len(user) <= 255:
        raise _refuse(f"Labels.{USER_LABEL}", user, "a user name")
    _one_of(f"Labels.{COURSE_LABEL}", policy.courses)(labels[COURSE_LABEL])
    return labels


def _user(value: Any, is_grader: bool) -> str:
    uids = (accounts.GRADER,) if is_grader else accounts.STUDENTS
    shape = re.fullmatch(r"([1-9][0-9]{0,4}):\1", value, re.ASCII) if type(value) is str else None
    if shape is None or int(shape[1]) not in uids:
        wanted = f"{uids[0]}:{uids[0]}" + ("" if is_grader else f" to {uids[-1]}:{uids[-1]}")
        # Without a group the engine would use the group root.
        raise _refuse("User", value, wanted)
    return value


def _command(value: Any, is_grader: bool) -> list[str]:
    command, wanted = _texts("Cmd", value, 256), GRADERS_COMMAND if is_grader else PERSONS_COMMAND
    if command[: len(wanted)] != wanted:
        raise _refuse("Cmd", command[: len(wanted)], f"{wanted} and arguments")
    return command


def _environment(value: Any) -> list[str]:
    for variable in _texts("Env", value, LONGEST_ENVIRONMENT):
        name = variable.partition("=")[0][:60]
        if not VARIABLE.match(variable):
            raise RequestRefused(f"Env: {name!a} is not a variable with a value")
        if FORBIDDEN_VARIABLES.match(name) and variable not in HARMLESS_VARIABLES:
            raise RequestRefused(f"Env: {name} is not accepted")
    return value


def _exposed_ports(value: Any) -> dict[str, Any]:
    for port, nothing in (ports := _mapping("ExposedPorts", value)).items():
        if not re.fullmatch(r"[1-9][0-9]{0,4}/tcp", port, re.ASCII) or nothing not in (None, {}):
            raise _refuse("ExposedPorts", port, "a port such as '8888/tcp'")
    return {port: {} for port in ports}


def _mount_points(value: Any) -> dict[str, Any]:
    for path, nothing in (paths := _mapping("Volumes", value)).items():
        if nothing not in (None, {}):
            raise _refuse(f"Volumes.{path!a}", nothing, "{}")
    return {path: {} for path in paths}


def _binds(value: Any, mounts: tuple[Mount, ...]) -> list[str]:
    allowed = {mount.bind: mount for mount in mounts}
    binds = _texts("HostConfig.Binds", value, len(allowed))
    for bind in binds:
        if bind not in allowed:
            raise _refuse("HostConfig.Binds", bind, ", ".join(allowed))
    targets = [allowed[bind].target for bind in binds]
    if len(set(targets)) != len(targets):
        raise _refuse("HostConfig.Binds", binds, "one volume per path")
    return binds


def _tmpfs(value: Any) -> dict[str, str]:
    for path, options in (paths := _mapping("HostConfig.Tmpfs", value)).items():
        _one_of("HostConfig.Tmpfs", tuple(sorted(TMPFS_PATHS)))(path)
        parts = options.split(",") if type(options) is str else []
        sized = any(part.startswith("size=") for part in parts)
        if not sized or not all(TMPFS_OPTION.fullmatch(part) for part in parts):
            raise _refuse(f"HostConfig.Tmpfs.{path}", options, "size=… and harmless options")
    return paths


def _restart_policy(value: Any) -> None:
    given = _mapping("HostConfig.RestartPolicy", value)
    if given not in ({}, {"Name": ""}, {"Name": "no"}, {"Name": "no", "MaximumRetryCount": 0}):
        raise _refuse("HostConfig.RestartPolicy", given, "none: the hub starts servers")


def _dns(value: Any) -> list[str] | None:
    if value is None or value == []:
        return None
    return _is("HostConfig.Dns", [NO_RESOLVER])(value)


def _log_config(value: Any) -> dict[str, Any]:
    given = _mapping("HostConfig.LogConfig", value)
    config = _mapping("HostConfig.LogConfig.Config", given.get("Config"))
    shapes = {"max-size": r"[1-9][0-9]{0,2}[km]", "max-file": r"[1-9]"}
    if (
        set(given) != {"Type", "Config"}
        or given["Type"] != "json-file"
        or "max-size" not in config
        or not all(
            key in shapes and type(text) is str and re.fullmatch(shapes[key], text, re.ASCII)
            for key, text in config.items()
        )
    ):
        raise _refuse("HostConfig.LogConfig", given, "json-file with max-size and max-file")
    return given


def _device_requests(value: Any, policy: Policy) -> list[dict[str, Any]] | None:
    if value is None or value == []:
        return None
    if type(value) is not list or len(value) != 1 or type(value[0]) is not dict:
        raise _refuse("HostConfig.DeviceRequests", value, "one request for one GPU")
    path, request = "HostConfig.DeviceRequests.", value[0]
    devices = tuple([policy.device_id(gpu)] for gpu in policy.gpus)
    clean = _checked(
        path,
        request,
        {
            "Driver": _is(path + "Driver", policy.gpu_driver),
            "DeviceIDs": _one_of(path + "DeviceIDs", devices),
            "Capabilities": _is(path + "Capabilities", [["gpu"]]),
            "Count": _dropped_if(path + "Count", 0),
            "Options": _dropped_if(path + "Options"),
        },
    )
    if set(clean) != {"Driver", "DeviceIDs", "Capabilities"}:
        raise _refuse(path[:-1], sorted(clean), "Driver, DeviceIDs and Capabilities")
    return [clean]


# Conditions across values


def _the_limits_are_there(host: dict[str, Any]) -> None:
    wanted = "ReadonlyRootfs CapDrop SecurityOpt NetworkMode Binds Memory PidsLimit CpuShares"
    missing = [key for key in [*wanted.split(), "LogConfig"] if key not in host]
    if not ("NanoCpus" in host) ^ ("CpuQuota" in host and "CpuPeriod" in host):
        missing.append("either NanoCpus or CpuPeriod and CpuQuota")
    if missing:
        raise RequestRefused(f"HostConfig: {', '.join(missing)} must be given")


def _paths_are_mounted(clean: dict[str, Any]) -> None:
    mounted = {bind.split(":")[1] for bind in clean["HostConfig"]["Binds"]}
    for path in clean.get("Volumes", {}):
        if path not in mounted:
            raise _refuse("Volumes", path, "paths of HostConfig.Binds")
    for key in ("User", "Cmd", "Env"):
        if key not in clean:
            raise RequestRefused(f"{key} must be given")


def _the_label_names_the_device(clean: dict[str, Any], policy: Policy) -> None:
    gpu = clean["Labels"][GPU_LABEL]
    requests = clean["HostConfig"].get("DeviceRequests", [])
    given = [request["DeviceIDs"] for request in requests]
    if given != ([] if gpu == NO_GPU else [[policy.device_id(gpu)]]):
        raise _refuse(f"Labels.{GPU_LABEL}", gpu, "the requested device")
