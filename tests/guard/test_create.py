"""Which containers may be created: a decision about data, without an engine."""

from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from hub.guard.body import parse
from hub.guard.create import check_create
from hub.guard.errors import Refused
from hub.guard.policy import Policy
from tests.attacks.test_guard import ATTACKS
from tests.guard.samples import GPU, OTHER_GPU, POLICY, created, person, with_gpu

CDI = Policy(project="lab", tag="1", gpus=(GPU,), gpu_driver="cdi")
PEOPLE = [
    ("alice", "student"),
    ("ida", "instructor"),
    ("a.b@x", "student"),
    ("grader-mech", "grader"),
]

# Keys of a create request in the engine's API that the guard knows and the hub does not use.
UNUSED = {
    "": ["Shell", "OnBuild", "ArgsEscaped"],
    "HostConfig": [
        *("Privileged", "PublishAllPorts", "PortBindings", "VolumesFrom", "CapAdd", "Devices"),
        *("DeviceCgroupRules", "DnsOptions", "DnsSearch", "ExtraHosts", "GroupAdd", "Cgroup"),
        *("CgroupParent", "PidMode", "UTSMode", "UsernsMode", "Runtime", "Sysctls", "Ulimits"),
        *("StorageOpt", "VolumeDriver", "OomKillDisable", "ContainerIDFile", "Isolation"),
        *("MemoryReservation", "NanoCpus", "ShmSize", "OomScoreAdj", "AutoRemove", "Init"),
        *("RestartPolicy", "CgroupnsMode", "IpcMode", "DeviceRequests"),
    ],
    "Labels": [],
}
# Of these, those that say how a container is limited or kept apart: if given, then in full.
NEVER_EMPTY = {
    *("MemoryReservation", "NanoCpus", "ShmSize", "OomScoreAdj", "AutoRemove", "Init"),
    *("CgroupnsMode", "IpcMode"),
}


def checked(body, user="alice", part="student", policy=POLICY):
    return check_create(person(user, part, policy).name, body, policy)


def refused(body, reason, user="alice", part="student", policy=POLICY):
    with pytest.raises(Refused, match=reason):
        checked(body, user, part, policy)


@pytest.mark.parametrize(("user", "part"), PEOPLE)
def test_what_the_hub_asks_for_is_accepted_and_kept(user, part):
    asked = created(user, part)
    clean = checked(asked, user, part)
    for key in ("Image", "User", "Cmd", "Env", "Labels", "WorkingDir"):
        assert clean[key] == asked[key]
    said_nothing: tuple = (None, [], {}, False, "")
    host = {key: value for key, value in asked["HostConfig"].items() if value not in said_nothing}
    assert clean["HostConfig"] == host


@pytest.mark.parametrize(("user", "part"), PEOPLE)
def test_what_was_accepted_is_accepted_again(user, part):
    clean = checked(created(user, part), user, part)
    assert checked(json.loads(json.dumps(clean)), user, part) == clean


@given(st.data())
@settings(max_examples=100)
def test_no_key_that_is_not_known_passes_anywhere(data):
    body = created("alice")
    place = data.draw(st.sampled_from(["", "HostConfig", "Labels"]))
    tree = body[place] if place else body
    # The engine reads keys in any case.
    key = data.draw(st.text(max_size=12) | st.sampled_from(sorted(tree)).map(str.swapcase))
    assume(key not in tree and key not in UNUSED[place])
    tree[key] = data.draw(st.sampled_from([None, True, 1, "", "host", [], {}, ["/:/host"]]))
    refused(body, "Labels: found" if place == "Labels" else "is not accepted")


@pytest.mark.parametrize(
    ("place", "key"), [(place, key) for place, keys in UNUSED.items() for key in keys]
)
def test_a_known_key_may_be_given_with_nothing_and_is_left_out(place, key):
    """As the engine's other clients do: the command line sends every key."""
    body = created("alice")
    (body[place] if place else body)[key] = None
    if key in NEVER_EMPTY:
        refused(body, key)
    else:
        assert checked(body) == checked(created("alice"))


@given(st.data())
@settings(max_examples=100)
def test_every_value_is_looked_at(data):
    body = created("alice")
    place = data.draw(st.sampled_from(["", "HostConfig"]))
    tree = body[place] if place else body
    key = data.draw(st.sampled_from(sorted(set(tree) - {"HostConfig", "Hostname"})))
    old = tree[key]
    tree[key] = data.draw(
        st.sampled_from(["root", -1, 10**13, ["ALL", "x"], {"a": 1}, [["x"]], [None], {"/": {}}])
    )
    if tree[key] != old:
        refused(body, key)


@pytest.mark.parametrize("attack", ATTACKS, ids=[attack.id for attack in ATTACKS])
def test_no_attack_passes(attack):
    """Those of tests/attacks/test_guard.py, which shows on an engine what each would do."""
    body = created("alice")
    attack.change(body, POLICY.project)
    with pytest.raises(Refused):
        checked(body)


def test_a_gpu_of_the_list_may_be_handed_out_and_the_label_tells_it():
    clean = checked(with_gpu(created("alice")))
    assert clean["HostConfig"]["DeviceRequests"] == [
        {"Driver": "nvidia", "DeviceIDs": [GPU], "Capabilities": [["gpu"]]}
    ]
    clean = checked(with_gpu(created("alice"), driver="cdi"), policy=CDI)
    assert clean["HostConfig"]["DeviceRequests"][0]["DeviceIDs"] == [f"nvidia.com/gpu={GPU}"]


def test_each_driver_passes_only_where_it_is_set():
    refused(with_gpu(created("alice"), driver="cdi"), "Driver")
    refused(with_gpu(created("alice")), "Driver", policy=CDI)


def test_the_label_and_the_device_agree():
    body = with_gpu(created("alice"))
    body["Labels"]["logitlab.gpu"] = OTHER_GPU
    refused(body, "the device that is asked for")
    body["Labels"]["logitlab.gpu"] = "cpu"
    refused(body, "the device that is asked for")
    body = created("alice")
    body["Labels"]["logitlab.gpu"] = GPU
    refused(body, "the device that is asked for")


def test_a_gpu_that_is_not_on_the_list_is_refused():
    refused(with_gpu(created("alice"), "GPU-00000000"), "Labels.logitlab.gpu")


def test_the_limits_cannot_be_left_out():
    host = (
        "ReadonlyRootfs CapDrop SecurityOpt NetworkMode Binds Memory PidsLimit CpuShares LogConfig"
    )
    for key in [*host.split(), "CpuQuota", "CpuPeriod"]:
        body = created("alice")
        del body["HostConfig"][key]
        refused(body, "must be given")
    for key in ("User", "Cmd", "Env"):
        body = created("alice")
        del body[key]
        refused(body, "must be given")


def test_cores_are_limited_in_one_of_two_ways():
    body = created("alice")
    del body["HostConfig"]["CpuQuota"], body["HostConfig"]["CpuPeriod"]
    body["HostConfig"]["NanoCpus"] = 1_500_000_000
    assert checked(body)["HostConfig"]["NanoCpus"] == 1_500_000_000
    body["HostConfig"]["NanoCpus"] = 2_500_000_000
    refused(body, "NanoCpus")


def test_the_reason_names_the_key_and_what_is_accepted():
    body = created("alice")
    body["HostConfig"]["Binds"] = ["/:/home/student:rw"]
    refused(body, r"HostConfig\.Binds: found '/:/home/student:rw', accepted: lab_home_alice:")


def test_the_reason_never_tells_a_variables_value():
    body = created("alice")
    body["Env"].append("NVIDIA_SECRET=hunter2")
    with pytest.raises(Refused) as reason:
        checked(body)
    assert "NVIDIA_SECRET" in str(reason.value) and "hunter2" not in str(reason.value)


def test_a_person_gets_no_graders_container_and_the_grader_no_persons_uid():
    refused(created("alice", "grader"), "not a course's grader", "alice", "grader")
    body = created("grader-mech", "grader")
    body["User"] = "20001:20001"
    refused(body, "User", "grader-mech", "grader")


def test_a_container_has_its_owners_name_and_no_other():
    for name in ("lab-user-bob", "lab-user-alice-2", "lab-db-1", "alice", ""):
        with pytest.raises(Refused, match="name"):
            check_create(name, created("alice"), POLICY)


def test_two_volumes_do_not_share_a_place():
    body = created("alice")
    body["HostConfig"]["Binds"].append("lab_config_instructor:/srv/config:ro")
    refused(body, "one volume at a place")


def test_a_number_is_no_truth_value():
    for key, value in (("ReadonlyRootfs", 1), ("AutoRemove", 0), ("PidsLimit", True)):
        body = created("alice")
        body["HostConfig"][key] = value
        refused(body, key)


@pytest.mark.parametrize("key", ["Driver", "DeviceIDs", "Capabilities"])
def test_a_device_request_says_everything(key):
    body = with_gpu(created("alice"))
    del body["HostConfig"]["DeviceRequests"][0][key]
    refused(body, "DeviceRequests")


def test_each_image_runs_its_own_program():
    body = created("alice")
    body["Cmd"] = created("grader-mech", "grader")["Cmd"]
    refused(body, "Cmd")
    body = created("grader-mech", "grader")
    body["Cmd"] = ["jupyterhub-singleuser"]
    refused(body, "Cmd", "grader-mech", "grader")
    body["Cmd"] = ["python", "-m", "hub.containers", "setup"]
    refused(body, "Cmd", "grader-mech", "grader")


@pytest.mark.parametrize(
    "text",
    [
        *("", "null", "[]", "1", "{", "{}{}", '{"a":1,"a":2}', '{"a":1,"A":2}', '{"a":NaN}'),
        *('{"s":1,"\u017f":2}', '{"k":1,"\u212a":2}', '{"a":{"b":1,"B":1}}', '{"a":Infinity}'),
        *('{"a":"\\u0000"}', '{"a":"\\ud800"}', '{"\\u0000":1}', "[" * 100_000, '{"a":' * 5000),
        *('{"a":' + "[" * 20 + "]" * 20 + "}", '{"a":' + "9" * 10_000 + "}", "\ufeff{}"),
    ],
)
def test_a_body_that_two_readers_could_read_differently_is_refused(text):
    with pytest.raises(Refused):
        parse(text.encode("utf-8"))


def test_bytes_that_are_not_text_are_refused():
    with pytest.raises(Refused):
        parse(b'{"a":"\xff"}')


@given(st.binary(max_size=200) | st.text(alphabet='{}[]",:aA1\\', max_size=60).map(str.encode))
def test_any_bytes_are_an_object_or_refused(content):
    with contextlib.suppress(Refused):
        assert isinstance(parse(content), dict)
