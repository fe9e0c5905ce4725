"""The engine's calls that exist for the hub: a request line in, one of few calls out.

The request line is never forwarded. What is sent to the engine is built from the fields of the
`Call`, so that no spelling of a path means one thing here and another there.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from hub.facts.containers import GPU_LABEL, PROJECT_LABEL, USER_LABEL
from hub.services.guard.errors import RequestRefused
from hub.services.guard.policy import Policy

# Before 1.41 the engine reads the same body differently (it ignores limits and devices).
OLDEST_VERSION = 41
LONGEST_LINE = 4096

_NAME = r"(?P<name>[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127})"
_IMAGE = r"(?P<name>[a-z0-9][a-z0-9/_.-]{0,127}:[A-Za-z0-9_.-]{1,128})"
_VERSION = re.compile(r"/v1\.(?P<minor>[1-9][0-9]{0,2})(?=/)", re.ASCII)
_ANY = re.compile(r".*", re.ASCII)
_FLAG = re.compile(r"|0|1|true|false|True|False", re.ASCII)
_NO = re.compile(r"|0|false|False", re.ASCII)
_SECONDS = re.compile(r"[0-9]{1,3}", re.ASCII)
_CONTAINER = re.compile(_NAME, re.ASCII)


@dataclass(frozen=True)
class Route:
    """One call: its request line, the parameters it accepts, and whose container it is about."""

    action: str
    methods: tuple[str, ...]
    path: re.Pattern[str]
    parameters: dict[str, re.Pattern[str]] = field(default_factory=dict)
    about_a_container: bool = False


ROUTES = (
    Route("ping", ("GET", "HEAD"), re.compile(r"/_ping", re.ASCII)),
    Route("version", ("GET",), re.compile(r"/version", re.ASCII)),
    Route("image", ("GET",), re.compile(rf"/images/{_IMAGE}/json", re.ASCII)),
    Route(
        "list",
        ("GET",),
        re.compile(r"/containers/json", re.ASCII),
        {
            "all": _FLAG,
            "size": _NO,
            "trunc_cmd": _FLAG,
            "limit": re.compile(r"-1|0", re.ASCII),
            "filters": _ANY,
        },
    ),
    Route(
        "create",
        ("POST",),
        re.compile(r"/containers/create", re.ASCII),
        {"name": _CONTAINER},
    ),
    Route(
        "inspect",
        ("GET",),
        re.compile(rf"/containers/{_NAME}/json", re.ASCII),
        {"size": _NO},
        about_a_container=True,
    ),
    Route(
        "start",
        ("POST",),
        re.compile(rf"/containers/{_NAME}/start", re.ASCII),
        about_a_container=True,
    ),
    Route(
        "stop",
        ("POST",),
        re.compile(rf"/containers/{_NAME}/stop", re.ASCII),
        {"t": _SECONDS},
        about_a_container=True,
    ),
    Route(
        "delete",
        ("DELETE",),
        re.compile(rf"/containers/{_NAME}", re.ASCII),
        {"v": _FLAG, "link": _NO, "force": _FLAG},
        about_a_container=True,
    ),
)


@dataclass(frozen=True)
class Call:
    """A well-formed request; it is not yet known whose container it is about."""

    route: Route
    version: str  # "" or such as "/v1.41"
    name: str = ""
    query: dict[str, str] = field(default_factory=dict)


def call(method: str, target: str, policy: Policy) -> Call:
    """The call of the request line `method target`. Raises RequestRefused for any other."""
    if len(target) > LONGEST_LINE:
        raise RequestRefused("the request line is too long")
    path, _, query = target.partition("?")
    prefix = _VERSION.match(path)
    if prefix and int(prefix["minor"]) < OLDEST_VERSION:
        raise RequestRefused(f"API versions before 1.{OLDEST_VERSION} are not accepted")
    version = prefix[0] if prefix else ""
    for route in ROUTES:
        match = route.path.fullmatch(path.removeprefix(version))
        if match and method in route.methods:
            name = match.groupdict().get("name", "")
            if route.action == "image" and name not in policy.images:
                raise RequestRefused(f"image {name}: accepted: {' and '.join(policy.images)}")
            return Call(route, version, name, _parameters(route, query))
    raise RequestRefused(f"{method} {path[:200]!a} is not among the calls that the hub needs")


def _parameters(route: Route, query: str) -> dict[str, str]:
    try:
        pairs = parse_qsl(
            query, keep_blank_values=True, strict_parsing=bool(query), max_num_fields=10
        )
    except ValueError:
        raise RequestRefused("the query cannot be parsed") from None
    given: dict[str, str] = {}
    for key, value in pairs:
        shape = route.parameters.get(key)
        if shape is None or key in given or not shape.fullmatch(value):
            raise RequestRefused(
                f"{route.action}: the parameter {key[:60]!a} is not accepted with this value"
            )
        given[key] = value
    if route.action == "create" and "name" not in given:
        raise RequestRefused("create: a container needs a name")
    return given


# A container that has, or is about to get, the device that it requests.
ON_A_DEVICE = ["created", "running", "paused", "restarting"]


def list_query(query: dict[str, str], policy: Policy) -> tuple[dict[str, str], bool]:
    """The query of a list of containers: what was requested, limited to this deployment's.

    And whether it is the count of GPU slots, by which deployments of one host share its GPUs: if
    filtered by the GPU label alone, it lists all containers of the host that hold one.
    Raises RequestRefused if the filters are not labels.
    """
    labels: Any = []
    if filters := query.get("filters"):
        try:
            given = json.loads(filters)
        except (ValueError, RecursionError):
            raise RequestRefused("list: the filters are not JSON") from None
        if not isinstance(given, dict) or set(given) - {"label"}:
            raise RequestRefused("list: only label filters are accepted")
        labels = given.get("label", [])
        labels = list(labels) if isinstance(labels, dict) else labels
        if not isinstance(labels, list) or not all(isinstance(each, str) for each in labels):
            raise RequestRefused("list: label filters must be strings")
        for each in labels:
            if each.partition("=")[0] not in (PROJECT_LABEL, USER_LABEL, GPU_LABEL):
                raise RequestRefused(
                    f"list: only the labels {PROJECT_LABEL}, {USER_LABEL}, {GPU_LABEL} are accepted"
                )
    if labels == [GPU_LABEL]:
        filters = json.dumps({"label": labels, "status": ON_A_DEVICE})
        return {"all": "1", "filters": filters}, True
    own = [f"{PROJECT_LABEL}={policy.project}", USER_LABEL]
    everything = query.get("all", "") in ("1", "true", "True")
    return {
        "all": "1" if everything else "0",
        "filters": json.dumps({"label": [*own, *labels]}),
    }, False
