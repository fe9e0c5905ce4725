"""A hub that was taken over asks the guard for more than students' containers.

Each attack on a create request has its positive control in the same test: the engine itself, asked
the same thing without the guard, does it.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from tests.guard.conftest import guard, shared_guard  # noqa: F401 - fixtures
from tests.guard.engine import Guarded, ask, output
from tests.guard.samples import GPU, OTHER_GPU, created, person, with_gpu
from tests.needs import SOCKET

# ruff: noqa: F811 - fixtures are parameters
pytestmark = pytest.mark.docker

Body = dict[str, Any]
SAME = object()


@dataclass(frozen=True)
class Attack:
    """One thing in a create request, and where the engine's inspection shows that it worked."""

    id: str
    change: Callable[[Body, str], Any]
    shown: Callable[[Body], Any]


def host(key: str, value: Any, *, id: str = "", shown: Any = SAME, **others: Any) -> Attack:
    """`HostConfig.key` set to `value`, and `others`; "P/" in it stands for the project."""

    def change(body: Body, project: str) -> None:
        body["HostConfig"] |= others | {key: in_project(value, project)}
        if str(value).startswith("container:"):
            del body["ExposedPorts"]  # the engine allows no port where the network is another's

    def is_shown(seen: Body) -> bool:
        found, project = seen["HostConfig"][key], seen["Name"][1:].partition("-user-")[0]
        if str(value).startswith("container:"):
            return str(found).startswith("container:")  # the name, or the id of that name
        return holds(found, in_project(value if shown is SAME else shown, project))

    return Attack(id or f"HostConfig.{key}={json.dumps(value)}"[:60], change, is_shown)


def holds(found: Any, wanted: Any) -> bool:
    """Whether `found` is `wanted`, with what the engine adds of its own."""
    if isinstance(wanted, dict) and isinstance(found, dict):
        return all(holds(found.get(key), value) for key, value in wanted.items())
    if isinstance(wanted, list) and wanted and isinstance(found, list):
        return all(map(holds, found, wanted))
    return found == wanted


def in_project(value: Any, project: str) -> Any:
    return json.loads(json.dumps(value).replace("P/", project))


def config(key: str, value: Any, shown: Callable[[Body], Any]) -> Attack:
    def change(body: Body, project: str) -> None:
        body[key] = value

    return Attack(f"{key}={json.dumps(value)}"[:60], change, shown)


def bind(text: str) -> Attack:
    def change(body: Body, project: str) -> None:
        body["HostConfig"]["Binds"].append(text.replace("P/", project))

    def shown(seen: Body) -> bool:
        return text.split(":")[1] in [mount["Destination"] for mount in seen["Mounts"]]

    return Attack(f"bind {text}", change, shown)


def user(text: str) -> Attack:
    return config("User", text, lambda seen: seen["Config"]["User"] == text)


def variable(text: str) -> Attack:
    def change(body: Body, project: str) -> None:
        body["Env"].append(text)

    return Attack(f"Env {text}", change, lambda seen: text in seen["Config"]["Env"])


def device(**request: Any) -> Attack:
    full = {"Driver": "nvidia", "DeviceIDs": [GPU], "Capabilities": [["gpu"]]} | request

    def change(body: Body, project: str) -> None:
        with_gpu(body)
        body["HostConfig"]["DeviceRequests"] = [full]

    return Attack(f"device {request}", change, lambda seen: seen["HostConfig"]["DeviceRequests"])


def label(key: str, value: str) -> Attack:
    def change(body: Body, project: str) -> None:
        body["Labels"][key] = value

    return Attack(f"label {key}", change, lambda seen: seen["Config"]["Labels"][key] == value)


def own_home(instead: str) -> Attack:
    def change(body: Body, project: str) -> None:
        body["HostConfig"]["Binds"][0] = instead.replace("P/", project)

    return Attack(
        f"home {instead}",
        change,
        lambda seen: all("home_alice" not in (mount.get("Name") or "") for mount in seen["Mounts"]),
    )


DB = "container:P/-db-1"
LOCAL_BIND = {"Name": "local", "Options": {"type": "none", "o": "bind", "device": "/"}}
ATTACKS = [
    host("Privileged", True),
    # Folders of the host and other parts' volumes
    *map(
        bind, ["/:/host", "/:/host:rw", "/etc:/srv/etc:ro", "/var/run/docker.sock:/run/d.sock:rw"]
    ),
    *map(bind, ["P/_home_bob:/srv/bob:rw", "P/_home_bob:/srv/bob:ro", "P/_db:/srv/db:rw"]),
    *map(bind, ["P/_hub:/srv/hub:ro", "P/_course:/srv/course:rw", "P/_people:/srv/people:ro"]),
    *map(bind, ["P/_db_socket:/run/postgresql:ro", "P/_executor_socket:/run/executor:rw"]),
    *map(bind, ["P/_guard_socket:/run/guard:rw", "P/_exchange:/srv/exchange:ro", "xx:/srv/x:rw"]),
    own_home("P/_home_bob:/home/student:rw"),
    own_home("/home:/home/student:rw"),
    own_home("P/_home_alic:/home/student:rw"),
    host("Mounts", [{"Type": "bind", "Source": "/", "Target": "/host"}]),
    host("Mounts", [{"Type": "volume", "Source": "P/_db", "Target": "/srv/db"}]),
    host(
        "Mounts",
        [{"Type": "volume", "Target": "/h", "VolumeOptions": {"DriverConfig": LOCAL_BIND}}],
        id="a volume of its own that is the host's root",
    ),
    host("VolumesFrom", ["P/-db-1"]),
    config("Volumes", {"/var/lib/x": {}}, lambda seen: len(seen["Mounts"]) > 3),
    host("Tmpfs", {"/opt": "size=1m"}),
    host("Tmpfs", {"/tmp": "size=1m,dev"}),
    host("Tmpfs", {"/tmp": ""}),
    host("Tmpfs", {"/tmp": "rw,nosuid,nodev"}),
    # The host's namespaces and those of other containers
    *(host(key, "host") for key in ("PidMode", "IpcMode", "UTSMode", "UsernsMode", "NetworkMode")),
    *(host(key, DB) for key in ("PidMode", "IpcMode", "NetworkMode")),
    host("CgroupnsMode", "host"),
    host("NetworkMode", "bridge"),
    host("NetworkMode", "default"),
    config(
        "NetworkingConfig",
        {"EndpointsConfig": {"bridge": {}}},
        lambda seen: (
            "bridge" in json.dumps(seen["NetworkSettings"]["Networks"]) or seen["NetworkSettings"]
        ),
    ),
    host("ExtraHosts", ["proxy:10.0.0.1"]),
    host("Dns", ["8.8.8.8"]),
    host("PublishAllPorts", True),
    host("PortBindings", {"8888/tcp": [{"HostPort": "80"}]}),
    # Rights
    host("CapAdd", ["SYS_ADMIN"]),
    host("CapAdd", ["ALL"]),
    host("CapDrop", [], id="no capability dropped"),
    host("CapDrop", ["NET_RAW"]),
    host("SecurityOpt", ["no-new-privileges", "seccomp=unconfined"]),
    host("SecurityOpt", ["seccomp=unconfined"]),
    host("SecurityOpt", ["no-new-privileges:false"]),
    host("SecurityOpt", ["no-new-privileges", "label=disable"]),
    host("SecurityOpt", [], id="new privileges"),
    host("MaskedPaths", [], id="no path masked"),
    host("ReadonlyPaths", [], id="no path read-only"),
    host("ReadonlyRootfs", False),
    host("GroupAdd", ["0"]),
    *map(user, ["root", "0", "0:0", "", "20001", "20001:0", "20001:20002", "912:912", "910:910"]),
    *map(user, ["30001:30001", "19999:19999", "020001:020001", "student"]),
    host("Devices", [{"PathOnHost": "/dev/mem", "PathInContainer": "/dev/mem"}]),
    host("DeviceCgroupRules", ["a *:* rwm"]),
    host("Sysctls", {"net.ipv4.ip_forward": "1"}),
    host("Runtime", "io.containerd.runc.v2"),
    host("CgroupParent", "/"),
    # GPUs that were not handed out
    device(DeviceIDs=[], Count=-1),
    device(DeviceIDs=None, Count=1),
    device(DeviceIDs=[OTHER_GPU]),
    device(DeviceIDs=[GPU, OTHER_GPU]),
    device(DeviceIDs=["all"]),
    device(DeviceIDs=["0"]),
    device(Capabilities=[["gpu", "display"]]),
    device(Capabilities=[["gpu"], ["utility"]]),
    device(Options={"x": "y"}),
    device(Driver="cdi"),
    device(Driver=""),
    *map(variable, ["NVIDIA_VISIBLE_DEVICES=all", f"NVIDIA_VISIBLE_DEVICES={OTHER_GPU}"]),
    *map(variable, ["NVIDIA_DRIVER_CAPABILITIES=all", "nvidia_visible_devices=all"]),
    *map(variable, ["CUDA_VERSION=12", "LD_PRELOAD=/home/student/x.so", "LD_LIBRARY_PATH=/home"]),
    *map(variable, ["DOCKER_HOST=tcp://1.2.3.4", "DOCKER_RESOURCE_GPU=0"]),
    # Another program
    config("Entrypoint", ["sh", "-c", "id"], lambda seen: seen["Config"]["Entrypoint"]),
    config("Entrypoint", "sh", lambda seen: seen["Config"]["Entrypoint"]),
    config("Cmd", ["sh", "-c", "id"], lambda seen: seen["Config"]["Cmd"][0] == "sh"),
    config("Cmd", "id", lambda seen: seen["Config"]["Cmd"] == ["id"]),
    config("Healthcheck", {"Test": ["CMD-SHELL", "id"]}, lambda s: s["Config"]["Healthcheck"]),
    config("WorkingDir", "/proc/1", lambda seen: seen["Config"]["WorkingDir"] == "/proc/1"),
    config("Domainname", "x", lambda seen: seen["Config"]["Domainname"] == "x"),
    # More than its share
    host("Memory", 2**42, MemorySwap=2**42),
    host("Memory", 0, MemorySwap=0, id="no memory limit"),
    host("MemorySwap", -1),
    host("CpuQuota", 0, id="no cpu limit"),
    host("CpuShares", 262144),
    host("PidsLimit", -1, shown=None),
    host("PidsLimit", 0, shown=None, id="no pids limit"),
    host("OomScoreAdj", -1000),
    host("OomKillDisable", True),
    host("Ulimits", [{"Name": "core", "Soft": -1, "Hard": -1}]),
    host("CpusetCpus", "0"),
    host("ShmSize", 2**42),
    # Out of the hub's hands
    host("RestartPolicy", {"Name": "always"}),
    host("AutoRemove", True),
    host("LogConfig", {"Type": "none"}),
    host("LogConfig", {"Type": "syslog", "Config": {"syslog-address": "udp://127.0.0.1:514"}}),
    host("LogConfig", {"Type": "json-file", "Config": {}}),
    host("ContainerIDFile", "/tmp/x"),
    label("logitlab.project", "other"),
    label("logitlab.user", "bob"),
    label("logitlab.gpu", GPU),
    label("com.docker.compose.project", "x"),
]


def name_of(guard: Guarded, who: str = "alice") -> str:
    return person(who, policy=guard.policy).name


def try_create(guard: Guarded, socket, body: Any, name: str = "") -> tuple[int, Any]:
    name = name or name_of(guard)
    return ask(socket, "POST", f"/v1.41/containers/create?name={name}", body)


@pytest.mark.parametrize("attack", ATTACKS, ids=[attack.id for attack in ATTACKS])
def test_no_container_is_created_that_has_more_than_a_students(guard, attack):
    if "P/-db" in attack.id:
        guard.make_database()
    body = created("alice", policy=guard.policy)
    attack.change(body, guard.policy.project)

    status, answer = try_create(guard, guard.socket, body)
    assert status == 403, answer
    assert "refused by the guard" in answer["message"]
    assert guard.engine.containers(all=True, filters={"name": name_of(guard)}) == []

    if str(body["HostConfig"]["NetworkMode"]).startswith("container:"):
        del body["HostConfig"]["Dns"]  # the engine allows none where the network is another's
    status, answer = try_create(guard, SOCKET, body)
    assert status == 201, answer
    assert attack.shown(guard.engine.inspect_container(answer["Id"]))


def test_the_same_request_without_an_attack_passes(guard):
    for who in ("alice", "a.b@x"):
        body = created(who, policy=guard.policy)
        assert try_create(guard, guard.socket, body, name_of(guard, who))[0] == 201
    body = with_gpu(created("bob", policy=guard.policy))
    assert try_create(guard, guard.socket, body, name_of(guard, "bob"))[0] == 201


def test_another_parts_name_or_image_is_refused(guard):
    guard.engine.tag(guard.policy.student_image, guard.policy.project, "db")
    body = created("alice", policy=guard.policy)
    try:
        for image in (
            f"{guard.policy.project}:db",
            body["Image"] + "@sha256:0",
            "logitlab/student",
        ):
            status, answer = try_create(guard, guard.socket, body | {"Image": image})
            assert status == 403 and "Image" in answer["message"]
        whole = guard.engine.inspect_image(body["Image"])["Id"]
        assert try_create(guard, guard.socket, body | {"Image": whole})[0] == 403
        for name in (f"{guard.policy.project}-db-1", name_of(guard, "bob"), name_of(guard) + "-2"):
            status, answer = try_create(guard, guard.socket, body, name)
            assert status == 403 and "name" in answer["message"]
            assert try_create(guard, SOCKET, body, name)[0] == 201  # positive control
        status, _ = try_create(guard, SOCKET, body | {"Image": f"{guard.policy.project}:db"})
        assert status == 201  # positive control
    finally:
        guard.clear()
        guard.engine.remove_image(f"{guard.policy.project}:db")


def test_a_student_gets_nothing_of_the_graders(guard):
    graders = created("grader-mech", "grader", guard.policy)
    body = created("alice", policy=guard.policy)
    assert try_create(guard, guard.socket, body | {"Image": graders["Image"]})[0] == 403
    body["HostConfig"]["Binds"] = graders["HostConfig"]["Binds"]
    assert try_create(guard, guard.socket, body)[0] == 403
    name = name_of(guard, "grader-mech")
    assert try_create(guard, guard.socket, graders, name)[0] == 201  # positive control


def test_a_grader_of_one_course_is_not_made_for_another(guard):
    body = created("grader-mech", "grader", guard.policy)
    body["Labels"]["logitlab.course"] = "maths"
    status, answer = try_create(guard, guard.socket, body, name_of(guard, "grader-mech"))
    assert status == 403 and "not the grader of maths" in answer["message"]


# Spellings that the engine understands and a careless reader does not


def spelled(text: str) -> Callable[[str], str]:
    return lambda body: body[:-1] + "," + text + "}"


def inside_host(text: str) -> Callable[[str], str]:
    return lambda body: body.replace('"HostConfig": {', '"HostConfig": {' + text + ",", 1)


SPELLINGS: dict[str, Callable[[str], str]] = {
    "a small letter": inside_host('"privileged":true'),
    "capitals": inside_host('"PRIVILEGED":true'),
    "the letter long s": inside_host('"Binds":null,"PidMode":"host","U\u017fernsMode":"host"'),
    "an escaped letter": inside_host('"Privil\\u0065ged":true'),
    "a second HostConfig": spelled('"HostConfig":{"Privileged":true}'),
    "a second hostconfig": spelled('"hostconfig":{"Privileged":true}'),
    "a HostConfig with long s": spelled('"Ho\u017ftConfig":{"Privileged":true}'),
    "twice, the last counts": lambda body: inside_host('"Privileged":false')(body).replace(
        '"Privileged":false', '"Privileged":false,"Privileged":true'
    ),
    "twice in two cases": inside_host('"Privileged":false,"privileged":true'),
    "outside of HostConfig": spelled('"VolumeDriver":"local"'),
    "HostConfig in HostConfig": inside_host('"HostConfig":{"Privileged":true}'),
}
NOT_PRIVILEGED = {"the letter long s", "outside of HostConfig", "HostConfig in HostConfig"}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_no_spelling_of_a_key_gets_past(guard, spelling):
    body = SPELLINGS[spelling](json.dumps(created("alice", policy=guard.policy))).encode()
    status, answer = try_create(guard, guard.socket, body)
    assert status == 403 and "refused by the guard" in answer["message"]
    status, answer = try_create(guard, SOCKET, body)
    assert status == 201, answer
    if spelling not in NOT_PRIVILEGED:
        assert guard.engine.inspect_container(answer["Id"])["HostConfig"]["Privileged"]


@pytest.mark.parametrize(
    "body", [b"", b"null", b"[]", b"{", b"\xff", b"{}", b"{" + b" " * 300_000 + b"}", b'"x"']
)
def test_a_bad_body_is_refused_and_the_guard_lives(guard, body):
    assert try_create(guard, guard.socket, body)[0] == 403
    assert ask(guard.socket, "GET", "/_ping") == (200, "OK")


def test_a_packed_body_is_refused_and_a_chunked_one_is_read(guard):
    body = json.dumps(created("alice", policy=guard.policy)).encode()
    target = f"/v1.41/containers/create?name={name_of(guard)}"
    packed = {"Content-Encoding": "gzip"}
    assert ask(guard.socket, "POST", target, gzip.compress(body), packed)[0] in (400, 403)
    assert ask(guard.socket, "POST", target, body, packed)[0] in (400, 403)
    head = f"POST {target} HTTP/1.1\r\nHost: d\r\nTransfer-Encoding: chunked\r\n"
    chunks = b"%x\r\n%s\r\n%x\r\n%s\r\n0\r\n\r\n" % (10, body[:10], len(body) - 10, body[10:])
    answer = output(guard.socket, head.encode() + b"Connection: close\r\n\r\n" + chunks)
    assert answer.startswith(b"HTTP/1.1 201")
