"""A hub that was taken over asks the guard for other calls than those that servers need.

Positive control of each: the engine, asked the same without the guard, answers.
"""

from __future__ import annotations

import json
import socket
from typing import Any

import pytest

from tests.guard.conftest import guard, shared_guard  # noqa: F401 - fixtures
from tests.guard.engine import Guarded, ask, output
from tests.guard.samples import GPU, created, person
from tests.needs import SOCKET

# ruff: noqa: F811 - fixtures are parameters
pytestmark = pytest.mark.docker

TOKEN = "token-of-alice"


def start_alice(guard: Guarded) -> str:
    """A running container of alice's, made through the guard. Returns its name."""
    name = person("alice", policy=guard.policy).name
    client = guard.client()
    client.create_container_from_config(created("alice", policy=guard.policy), name)
    client.start(name)
    return name


@pytest.fixture
def alice(guard) -> str:
    return start_alice(guard)


@pytest.fixture
def database(guard) -> str:
    return guard.make_database()


# Other calls, on a container of the hub's own: (method, target, body)
EXEC = {"Cmd": ["id"], "AttachStdout": True}
OTHER_CALLS: list[tuple[str, str, Any]] = [
    ("POST", "/v1.41/containers/ALICE/exec", EXEC),
    ("POST", "/v1.41/exec/0123/start", {"Detach": True}),
    ("GET", "/v1.41/containers/ALICE/archive?path=/bin/sh", None),
    ("HEAD", "/v1.41/containers/ALICE/archive?path=/bin/sh", None),
    ("PUT", "/v1.41/containers/ALICE/archive?path=/home/student", b"\0" * 1024),
    ("GET", "/v1.41/containers/ALICE/export", None),
    ("GET", "/v1.41/containers/ALICE/logs?stdout=1", None),
    ("GET", "/v1.41/containers/ALICE/top", None),
    ("GET", "/v1.41/containers/ALICE/changes", None),
    ("GET", "/v1.41/containers/ALICE/stats?stream=0", None),
    ("POST", "/v1.41/containers/ALICE/attach?logs=1", None),
    ("GET", "/v1.41/containers/ALICE/attach/ws?logs=1", None),
    ("POST", "/v1.41/containers/ALICE/resize?h=1&w=1", None),
    ("POST", "/v1.41/containers/ALICE/pause", None),
    ("POST", "/v1.41/containers/ALICE/unpause", None),
    ("POST", "/v1.41/containers/ALICE/rename?name=ALICE-2", None),
    ("POST", "/v1.41/containers/ALICE-2/rename?name=ALICE", None),
    ("POST", "/v1.41/containers/ALICE/update", {"PidsLimit": -1}),
    ("POST", "/v1.41/containers/ALICE/kill?signal=HUP", None),
    ("POST", "/v1.41/containers/ALICE/restart?t=0", None),
    ("POST", "/v1.41/commit?container=ALICE&repo=PROJECT&tag=stolen", {}),
    ("DELETE", "/v1.41/images/PROJECT:stolen", None),
    ("POST", "/v1.41/build?remote=http://localhost:1/", None),
    ("POST", "/v1.41/images/create?fromImage=localhost:1/x", None),
    ("POST", "/v1.41/images/load", b""),
    ("POST", "/v1.41/images/logitlab/student:PROJECT/tag?repo=PROJECT&tag=x", None),
    ("DELETE", "/v1.41/images/PROJECT:x", None),
    ("GET", "/v1.41/images/json", None),
    ("GET", "/v1.41/images/logitlab/student:PROJECT/get", None),
    ("GET", "/v1.41/images/logitlab/student:PROJECT/history", None),
    ("GET", "/v1.41/volumes", None),
    ("POST", "/v1.41/volumes/create", {"Name": "PROJECT_x"}),
    ("GET", "/v1.41/volumes/PROJECT_x", None),
    ("DELETE", "/v1.41/volumes/PROJECT_x", None),
    ("GET", "/v1.41/networks", None),
    ("POST", "/v1.41/networks/create", {"Name": "PROJECT_x", "Internal": True}),
    ("POST", "/v1.41/networks/PROJECT_x/connect", {"Container": "ALICE"}),
    ("POST", "/v1.41/networks/PROJECT_x/disconnect", {"Container": "ALICE"}),
    ("DELETE", "/v1.41/networks/PROJECT_x", None),
    ("GET", "/v1.41/info", None),
    ("GET", "/v1.41/system/df", None),
    ("GET", "/v1.41/events?until=1", None),
    ("GET", "/v1.41/plugins", None),
    ("GET", "/v1.41/swarm", None),
    ("GET", "/v1.41/secrets", None),
    ("GET", "/v1.41/services", None),
    ("POST", "/v1.41/auth", {"username": "x", "password": "y", "serveraddress": "localhost:1"}),
    ("GET", "/v1.41/distribution/localhost:1/x/json", None),
    # The same calls by other ways of writing a path
    ("GET", "/info", None),
    ("GET", "/v1.24/info", None),
    ("GET", "/v1.41//info", None),
    ("GET", "//info", None),
    ("GET", "/v1.41/containers/../info", None),
    ("GET", "/v1.41/containers/ALICE/../../info", None),
    ("GET", "/v1.41/containers/ALICE/json/../../../info", None),
    ("GET", "/v1.41/%69nfo", None),
    ("GET", "/v1.41/%2e%2e/v1.41/info", None),
    ("GET", "/v1.41/containers/ALICE%2Fjson", None),
    ("GET", "/%76%31.41/info", None),
    ("GET", "http://docker/v1.41/info", None),
    ("GET", "/v1.41/info?x=/_ping", None),
    # Calls of the hub's own, with more than it needs
    ("GET", "/v1.24/containers/ALICE/json", None),
    ("GET", "/v1.040/containers/json", None),
    ("GET", "/v1.41/containers/ALICE/json?size=1", None),
    ("GET", "/v1.41/containers/json?size=1", None),
    ("GET", '/v1.41/containers/json?all=1&filters={"name":["db"]}', None),
    ("POST", "/v1.41/containers/ALICE/start?checkpoint=x&checkpoint-dir=/", None),
    ("POST", "/v1.41/containers/ALICE/start?detachKeys=a", None),
    ("POST", "/v1.24/containers/ALICE/start", {"Binds": ["/:/host"], "Privileged": True}),
    ("POST", "/v1.41/containers/ALICE/stop?t=0&t=0", None),
    ("POST", "/v1.41/containers/create", {"Image": "logitlab/student:PROJECT"}),
    ("GET", "/v1.41/images/logitlab/student/../student:PROJECT/json", None),
    ("DELETE", "/v1.41/containers/ALICE?v=1&link=0&force=0&force=1", None),
]


def test_no_other_call_passes_and_none_by_another_way_of_writing_it(guard, alice):
    """One running container for all of them, in this order: some need what one before made."""
    wrong = []
    for method, target, body in OTHER_CALLS:
        here = target.replace("ALICE", alice).replace("PROJECT", guard.policy.project)
        text = json.dumps(body) if isinstance(body, dict) else body
        content = (
            text.replace("ALICE", alice).replace("PROJECT", guard.policy.project).encode()
            if isinstance(text, str)
            else text
        )
        guarded, answer = ask(guard.socket, method, here, content)
        direct, control = ask(SOCKET, method, here, content)
        known = direct not in (403, 405) and "page not found" not in str(control)
        if guarded not in (400, 403) or not known:
            wrong.append((method, target, guarded, answer, direct, control))
    assert not wrong, "\n".join(map(str, wrong))
    assert ask(guard.socket, "GET", "/_ping") == (200, "OK")


def test_the_hubs_own_calls_pass(guard, alice):
    client = guard.client()
    assert client.inspect_container(alice)["State"]["Running"]
    assert [each["Names"] for each in client.containers()] == [["/" + alice]]
    client.stop(alice, timeout=5)
    client.start(alice)
    client.remove_container(alice, v=True, force=True)
    assert ask(guard.socket, "GET", f"/v1.41/containers/{alice}/json")[0] == 404


# Other services' containers


@pytest.mark.parametrize("how", ["name", "id", "short id"])
def test_the_databases_container_is_out_of_reach(guard, database, how):
    name = {"name": f"{guard.policy.project}-db-1", "id": database, "short id": database[:12]}[how]
    calls = [("GET", "/json"), ("POST", "/stop?t=1"), ("POST", "/start"), ("DELETE", "?force=1")]
    for method, verb in calls:
        status, answer = ask(guard.socket, method, f"/v1.41/containers/{name}{verb}")
        assert status == 403 and "secret" not in json.dumps(answer)
    running = guard.engine.inspect_container(database)
    assert running["State"]["Running"] and "POSTGRES_PASSWORD=secret" in running["Config"]["Env"]
    for method, verb in calls:  # positive control
        assert ask(SOCKET, method, f"/v1.41/containers/{name}{verb}")[0] in (200, 204)


def test_a_list_shows_students_containers_only(guard, database, alice):
    for query in ("", "?all=1", '?all=1&filters={"label":["logitlab.project"]}', "?limit=-1"):
        status, listed = ask(guard.socket, "GET", "/v1.41/containers/json" + query)
        assert status == 200 and [each["Names"] for each in listed] == [["/" + alice]]
    listed = ask(SOCKET, "GET", "/v1.41/containers/json")[1]
    assert database in [each["Id"] for each in listed]  # positive control


def test_the_count_of_gpu_slots_tells_of_other_deployments_what_is_counted_and_nothing_else(
    guard, database, alice
):
    """Whoever took over one deployment's hub learns nobody's name in the host's other ones."""
    labels = {"logitlab.project": "mathsecret", "logitlab.user": "eve-secret"}
    made = guard.engine.create_container(
        guard.policy.student_image,
        ["jupyterhub-singleuser"],
        name=f"{guard.policy.project}-of-another-deployment",
        environment={"JUPYTERHUB_API_TOKEN": "token-secret"},
        labels=labels | {"logitlab.gpu": GPU, "course": "secret"},
    )
    guard.engine.start(made["Id"])
    told = {"Labels": {"logitlab.gpu": GPU}}
    for query in (
        '?filters={"label":["logitlab.gpu"]}',
        '?all=1&filters={"label":{"logitlab.gpu":true}}',
    ):
        status, listed = ask(guard.socket, "GET", "/v1.41/containers/json" + query)
        assert status == 200 and listed[0] == told
        assert [each["Names"] for each in listed[1:]] == [["/" + alice]]
        assert "secret" not in json.dumps(listed)
    others = (
        *("logitlab.gpu=" + GPU, "logitlab.project=mathsecret", "logitlab.user=eve-secret"),
        *("logitlab.project", "logitlab.user"),
    )
    for label in others:
        query = "?all=1&filters=" + json.dumps({"label": [label]}).replace(" ", "")
        listed = ask(guard.socket, "GET", "/v1.41/containers/json" + query)[1]
        assert told not in listed and "secret" not in json.dumps(listed)
    for filters in ('{"label":["logitlab.gpu"],"name":["e"]}', '{"label":["course"]}'):
        target = f"/v1.41/containers/json?filters={filters}"
        assert ask(guard.socket, "GET", target)[0] == 403
    for name in (made["Id"], f"{guard.policy.project}-of-another-deployment"):
        assert ask(guard.socket, "GET", f"/v1.41/containers/{name}/json")[0] == 403
    whole = ask(SOCKET, "GET", f"/v1.41/containers/{made['Id']}/json")[1]
    assert "token-secret" in json.dumps(whole)  # positive control


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        ("-user-bob", {"logitlab.project": "other", "logitlab.user": "bob"}),
        ("-user-bob", {"logitlab.user": "bob"}),
        ("-user-bob", {"logitlab.project": "PROJECT", "logitlab.user": "alice"}),
        ("-hub-1", {"logitlab.project": "PROJECT", "logitlab.user": "hub"}),
    ],
)
def test_a_container_that_looks_like_a_students_is_out_of_reach(guard, name, labels):
    labels = {key: value.replace("PROJECT", guard.policy.project) for key, value in labels.items()}
    name = guard.policy.project + name
    guard.engine.create_container(guard.policy.student_image, "sh", name=name, labels=labels)
    for method, verb in [("GET", "/json"), ("POST", "/start"), ("DELETE", "")]:
        assert ask(guard.socket, method, f"/v1.41/containers/{name}{verb}")[0] == 403
    assert ask(SOCKET, "GET", f"/v1.41/containers/{name}/json")[0] == 200  # positive control


def test_no_answer_tells_a_containers_environment(guard, alice):
    targets = [
        f"/v1.41/containers/{alice}/json",
        "/v1.41/containers/json?all=1",
        f"/v1.41/images/{guard.policy.student_image}/json",
        f"/v1.41/containers/{alice}/logs?stdout=1&stderr=1",
    ]
    for target in targets:
        assert TOKEN not in json.dumps(ask(guard.socket, "GET", target)[1])
    assert TOKEN in json.dumps(ask(SOCKET, "GET", targets[0])[1])  # positive control
    assert TOKEN not in guard.log.read_text()


def test_a_server_cannot_be_taken_by_creating_it_again(guard, alice):
    body = created("alice", policy=guard.policy)
    status, answer = ask(guard.socket, "POST", f"/v1.41/containers/create?name={alice}", body)
    assert status == 409 and TOKEN not in json.dumps(answer)


# What a connection carries


@pytest.mark.parametrize(
    "head",
    [
        "POST /v1.41/containers/ALICE/attach?stream=1&stdin=1&stdout=1 HTTP/1.1",
        "POST /v1.41/session HTTP/1.1",
        "POST /v1.41/grpc HTTP/1.1",
    ],
)
def test_no_connection_is_handed_over(guard, alice, head):
    request = (
        head.replace("ALICE", alice)
        + "\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: PROTO\r\nContent-Length: 0\r\n\r\n"
    )
    request = request.replace("PROTO", "tcp" if "attach" in head else "h2c")
    answer = output(guard.socket, request.encode(), 1)
    assert answer.startswith((b"HTTP/1.1 403", b"HTTP/1.1 400")), answer
    assert b"101" in output(SOCKET, request.encode(), 1).split(b"\r\n")[0]  # positive control


def test_an_accepted_call_is_not_handed_over_either(guard, alice):
    for target in ("/_ping", f"/v1.41/containers/{alice}/json", f"/v1.41/containers/{alice}/start"):
        method = "POST" if target.endswith("start") else "GET"
        request = (
            f"{method} {target} HTTP/1.1\r\nHost: d\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n"
        )
        answer = output(guard.socket, f"{request}Content-Length: 0\r\n\r\n".encode(), 1)
        assert answer.startswith((b"HTTP/1.1 403", b"HTTP/1.1 400")), answer


INFO = b"GET /v1.41/info HTTP/1.1\r\nHost: d\r\nConnection: close\r\n\r\n"


def test_each_of_two_requests_on_a_connection_is_checked(guard):
    both = b"GET /_ping HTTP/1.1\r\nHost: d\r\n\r\n" + INFO
    answer = output(guard.socket, both)
    assert answer.startswith(b"HTTP/1.1 200") and b"HTTP/1.1 403" in answer
    assert b"KernelVersion" not in answer
    assert b"KernelVersion" in output(SOCKET, both)  # positive control


@pytest.mark.parametrize(
    "smuggled",
    [
        b"Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"Content-Length: 0\r\nContent-Length: 4\r\n\r\n",
        b"Transfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding: xchunked\r\nContent-Length: 0\r\n\r\n",
        b"Content-Length: +0\r\n\r\n",
        b"X: a\nContent-Length: 0\r\n\r\n",
        b"X: a\rb\r\n\r\n",
        b" folded: a\r\n\r\n",
    ],
)
def test_no_request_is_smuggled_past_in_another(guard, smuggled):
    answer = output(guard.socket, b"GET /_ping HTTP/1.1\r\nHost: d\r\n" + smuggled + INFO, 1)
    assert b"KernelVersion" not in answer
    assert ask(guard.socket, "GET", "/_ping") == (200, "OK")


@pytest.mark.parametrize(
    "request_line",
    [
        b"GET /v1.41/info\r\n\r\n",
        b"GET /v1.41/info HTTP/0.9\r\n\r\n",
        b"GET  /v1.41/info HTTP/1.1\r\nHost: d\r\n\r\n",
        b"get /v1.41/info HTTP/1.1\r\nHost: d\r\n\r\n",
        b"GET /_ping /v1.41/info HTTP/1.1\r\nHost: d\r\n\r\n",
        b"GET /_ping%20HTTP/1.1%0d%0aX:y HTTP/1.1\r\nHost: d\r\n\r\n",
        b"CONNECT docker:80 HTTP/1.1\r\nHost: d\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nHost: d\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET /_ping HTTP/1.1\r\nHost: d\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
        b"GET /" + b"a" * 100_000 + b" HTTP/1.1\r\nHost: d\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"\0" * 1000,
    ],
)
def test_a_strange_request_line_gets_nothing_and_the_guard_lives(guard, request_line):
    answer = output(guard.socket, request_line, 1)
    assert b" 200 " not in answer and b"KernelVersion" not in answer
    assert ask(guard.socket, "GET", "/_ping") == (200, "OK")


def test_connections_that_say_nothing_hold_up_nobody(guard):
    waiting = []
    for _ in range(200):
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(str(guard.socket))
        connection.sendall(b"POST /v1.41/containers/create?name=x HTTP/1.1\r\nHost: d\r\n")
        waiting.append(connection)
    try:
        assert ask(guard.socket, "GET", "/_ping") == (200, "OK")
    finally:
        for connection in waiting:
            connection.close()
