"""Which request lines are calls, and what the hub sees of the responses."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.services.guard import responses
from hub.services.guard.calls import ROUTES, call, list_query
from hub.services.guard.errors import RequestRefused
from hub.services.guard.policy import PolicyError, policy_from
from tests.guard.samples import GPU, POLICY

DOCKERSPAWNERS = [
    ("GET", "/_ping", "ping"),
    ("HEAD", "/_ping", "ping"),
    ("GET", "/version", "version"),
    ("GET", "/v1.41/images/logitlab/student:1/json", "image"),
    ("POST", "/v1.41/containers/create?name=lab-user-alice", "create"),
    ("GET", "/v1.45/containers/lab-user-alice/json", "inspect"),
    ("POST", "/v1.41/containers/lab-user-alice/start", "start"),
    ("POST", "/v1.41/containers/0123abcd/stop?t=10", "stop"),
    ("POST", "/v1.41/containers/0123abcd/stop", "stop"),
    ("DELETE", "/v1.41/containers/0123abcd?v=True&link=False&force=False", "delete"),
    ("GET", "/v1.41/containers/json?limit=-1&all=1&size=0&trunc_cmd=0&filters=%7B%7D", "list"),
]


@pytest.mark.parametrize(("method", "target", "action"), DOCKERSPAWNERS)
def test_every_request_of_dockerspawner_is_a_known_call(method, target, action):
    assert call(method, target, POLICY).route.action == action


@pytest.mark.parametrize(("method", "target", "action"), DOCKERSPAWNERS)
def test_the_same_with_another_method_is_none(method, target, action):
    for other in ("PUT", "PATCH", "OPTIONS", "CONNECT", "TRACE", method.lower()):
        with pytest.raises(RequestRefused):
            call(other, target, POLICY)


@pytest.mark.parametrize(
    "version", ["/v1.40", "/v1.24", "/v1.9", "/v2.41", "/v1.041", "/v1", "/v1.41/v1.41", "/v"]
)
def test_another_version_of_the_api_is_none(version):
    with pytest.raises(RequestRefused):
        call("GET", version + "/containers/lab-user-alice/json", POLICY)


@pytest.mark.parametrize(
    "target",
    [
        *(
            "/containers/a/json?size=0&size=0",
            "/containers/a/json?x=1",
            "/containers/a/json?size=1",
        ),
        *("/images/logitlab/db:1/json", "/images/logitlab/student:2/json"),
        *("/images/logitlab/student/json", "/containers/a/json?size", "/containers/a/json?%"),
    ],
)
def test_a_parameter_or_image_that_is_not_needed_is_refused(target):
    with pytest.raises(RequestRefused):
        call("GET", target, POLICY)


def test_a_container_is_not_created_without_a_name():
    for query in ("", "?name=", "?name=a&name=b", "?Name=a", "?name=a%2Fb", "?name=a&platform=x"):
        with pytest.raises(RequestRefused):
            call("POST", "/v1.41/containers/create" + query, POLICY)


@given(st.text(alphabet="/.%?&=#;\\ avc1json_ping2Fe\t\0é", max_size=60))
def test_a_made_up_target_names_at_most_a_call_in_plain_words(target):
    try:
        found = call("GET", target, POLICY)
    except RequestRefused:
        return
    assert found.route in ROUTES and "/" not in found.name and "%" not in found.name


@pytest.mark.parametrize(
    "labels",
    [
        [],
        ["logitlab.gpu=GPU-1"],
        ["logitlab.gpu", "logitlab.gpu"],
        ["logitlab.gpu", "logitlab.user"],
        ["logitlab.project=other"],
    ],
)
def test_a_list_is_of_this_deployment(labels):
    asked, is_count = list_query({"filters": json.dumps({"label": labels})}, POLICY)
    filters = json.loads(asked["filters"])
    assert filters == {"label": ["logitlab.project=lab", "logitlab.user", *labels]}
    assert asked["all"] == "0" and not is_count
    assert list_query({"all": "1"}, POLICY)[0]["all"] == "1"


@pytest.mark.parametrize("labels", ['["logitlab.gpu"]', '{"logitlab.gpu":true}'])
def test_a_list_by_the_gpu_label_alone_is_of_the_hosts_containers_that_have_a_device(labels):
    asked, is_count = list_query({"filters": f'{{"label":{labels}}}'}, POLICY)
    filters = json.loads(asked["filters"])
    assert is_count and asked["all"] == "1"
    assert filters["label"] == ["logitlab.gpu"]
    assert filters["status"] == ["created", "running", "paused", "restarting"]


def others_container(**changes) -> dict:
    """A container of another deployment as the engine lists it."""
    listed = {
        "Id": "secret",
        "Names": ["/secret-user-eve"],
        "Image": "logitlab/student:secret",
        "Command": "jupyterhub-singleuser --token=secret",
        "Created": 1000,
        "State": "running",
        "Status": "Up since the secret",
        "Labels": {"logitlab.project": "secret", "logitlab.user": "secret", "logitlab.gpu": GPU},
        "Mounts": [{"Name": "secret_home_eve"}],
        "NetworkSettings": {"Networks": {"secret_students": {"IPAddress": "10.1.2.4"}}},
    }
    return listed | changes


def test_another_deployments_container_shows_its_device_and_nothing_else():
    told = responses.containers_on_devices([others_container()], POLICY, now=1001)
    assert told == [{"Labels": {"logitlab.gpu": GPU}}]


@pytest.mark.parametrize(
    "labels",
    [{"logitlab.gpu": "cpu"}, {"logitlab.gpu": "GPU-of-somebody"}, {"logitlab.gpu": ["x"]}, None],
)
def test_a_container_on_none_of_our_devices_is_not_shown(labels):
    listed = [others_container(Labels=labels)]
    assert responses.containers_on_devices(listed, POLICY, now=1001) == []


@pytest.mark.parametrize(
    ("changes", "now", "counts"),
    [
        ({"State": "created"}, 1300, True),
        ({"State": "created"}, 1301, False),
        ({"State": "created", "Created": None}, 1301, True),
        ({"State": "running"}, 99999, True),
    ],
)
def test_a_container_that_never_started_holds_its_device_for_as_long_as_starts_take(
    changes, now, counts
):
    told = responses.containers_on_devices([others_container(**changes)], POLICY, now)
    assert len(told) == counts


def test_a_count_keeps_the_engines_order_and_the_hubs_own_containers_whole():
    own = {
        "Id": "0123",
        "Names": ["/lab-user-alice"],
        "State": "created",
        "Created": 1,
        "Labels": {"logitlab.project": "lab", "logitlab.user": "alice", "logitlab.gpu": "cpu"},
    }
    told = responses.containers_on_devices([others_container(), own], POLICY, now=1001)
    assert [each.get("Id") for each in told] == [None, "0123"]
    assert told[1]["Labels"] == own["Labels"] and told[1]["State"] == "created"


@pytest.mark.parametrize(
    "filters",
    ['{"name":["db"]}', "[]", "{", '{"label":"x"}', '{"label":[1]}', '{"label":["com.docker"]}'],
)
def test_other_filters_of_a_list_are_refused(filters):
    with pytest.raises(RequestRefused):
        list_query({"filters": filters}, POLICY)


INSPECTED = {
    "Id": "0123",
    "Name": "/lab-user-alice",
    "Path": "jupyterhub-singleuser",
    "Args": ["--token=secret"],
    "State": {"Running": True, "Status": "running", "Health": {"Log": ["secret"]}},
    "LogPath": "/var/lib/docker/secret",
    "Config": {
        "Env": ["JUPYTERHUB_API_TOKEN=secret"],
        "Cmd": ["--token=secret"],
        "Labels": {"logitlab.project": "lab", "logitlab.user": "alice", "logitlab.gpu": GPU},
    },
    "HostConfig": {"DeviceRequests": [{"DeviceIDs": [GPU]}], "LogConfig": {"secret": "secret"}},
    "NetworkSettings": {"Networks": {"lab_students": {"IPAddress": "10.1.2.3"}}, "Ports": "secret"},
}


def test_an_inspected_container_tells_nothing_secret_and_what_the_hub_reads():
    seen = responses.container(INSPECTED)
    assert "secret" not in json.dumps(seen)
    assert seen["Config"]["Env"] == []
    assert seen["State"]["Running"] is True
    assert seen["NetworkSettings"]["Networks"]["lab_students"]["IPAddress"] == "10.1.2.3"
    assert seen["HostConfig"]["DeviceRequests"][0]["DeviceIDs"] == [GPU]
    assert seen["Config"]["Labels"]["logitlab.gpu"] == GPU


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        ("/lab-db-1", {"logitlab.project": "lab"}),
        ("/lab-db-1", {"logitlab.project": "lab", "logitlab.user": "alice"}),
        ("/lab-user-bob", {"logitlab.project": "lab", "logitlab.user": "alice"}),
        ("/lab-user-alice", {"logitlab.project": "other", "logitlab.user": "alice"}),
        ("/lab-user-alice", {"logitlab.user": "alice"}),
        ("/lab-user-alice", {"logitlab.project": "lab", "logitlab.user": ""}),
        ("/lab-user-alice", {}),
    ],
)
def test_a_container_is_ours_by_label_user_and_name_together(name, labels):
    assert responses.is_own(INSPECTED, POLICY)
    assert not responses.is_own({"Name": name, "Config": {"Labels": labels}}, POLICY)
    listed = [{"Id": "1", "Names": [name], "Labels": labels}]
    assert responses.containers(listed, POLICY) == []


def test_a_container_from_before_labels_named_courses_is_still_ours():
    labels = INSPECTED["Config"]["Labels"]  # type: ignore[index]
    assert "logitlab.course" not in labels
    assert responses.is_own(INSPECTED, POLICY)
    named = INSPECTED | {"Config": {"Labels": {**labels, "logitlab.course": "mech"}}}
    assert responses.is_own(named, POLICY)


def test_strange_responses_are_nobodys():
    responses_of_none: list[dict] = [
        {},
        {"Config": None},
        {"Config": {"Labels": None}},
        {"Config": []},
    ]
    for strange in responses_of_none:
        assert not responses.is_own(strange, POLICY)


ENVIRONMENT = {"LOGITLAB_PROJECT": "lab", "LOGITLAB_TAG": "1.2"}


def test_the_policy_is_read_from_the_environment():
    policy = policy_from(
        ENVIRONMENT | {"LOGITLAB_GPUS": f"{GPU}:40960:A100,MIG-1", "GUARD_MAX_MEMORY_MIB": "100"}
    )
    assert policy.gpus == (GPU, "MIG-1") and policy.max_memory == 100 * 2**20
    assert policy.student_image == "logitlab/student:1.2" and policy.network == "lab_students"
    assert policy_from(ENVIRONMENT).gpus == ()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LOGITLAB_PROJECT", ""),
        ("LOGITLAB_PROJECT", "Lab"),
        ("LOGITLAB_TAG", "1/2"),
        ("LOGITLAB_GPUS", "all"),
        ("LOGITLAB_GPUS", "0"),
        ("LOGITLAB_GPU_DRIVER", "amd"),
        ("GUARD_MAX_PIDS", "-1"),
        ("GUARD_MAX_CPUS", "nan"),
        ("GUARD_MAX_MEMORY_MIB", "inf"),
        ("GUARD_MAX_MEMORY_MIB", "4g"),
    ],
)
def test_a_wrong_policy_is_refused_by_the_name_of_its_variable(name, value):
    with pytest.raises(PolicyError, match=name):
        policy_from(ENVIRONMENT | {name: value})
