"""Which containers may be created: a decision about data, without an engine."""

from __future__ import annotations

import contextlib
import json
import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from hub.services.guard.body import parse
from hub.services.guard.create import check_create
from hub.services.guard.errors import RequestRefused
from tests.attacks.test_guard import ATTACKS
from tests.guard.samples import COURSES, GPU, OTHER_GPU, POLICY, created, person, with_gpu

CDI = replace(POLICY, gpus=(GPU,), gpu_driver="cdi")
PEOPLE = [
    ("alice", "student"),
    ("ida", "instructor"),
    ("a.b@x", "student"),
    ("grader-mech", "grader"),
    ("grader-maths", "grader"),
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


def checked(body, user="alice", role="student", policy=POLICY):
    return check_create(person(user, role, policy).name, body, policy)


def refused(body, reason, user="alice", role="student", policy=POLICY):
    with pytest.raises(RequestRefused, match=reason):
        checked(body, user, role, policy)


@pytest.mark.parametrize(("user", "role"), PEOPLE)
def test_the_hubs_requests_are_accepted_and_kept(user, role):
    asked = created(user, role)
    clean = checked(asked, user, role)
    for key in ("Image", "User", "Cmd", "Env", "Labels", "WorkingDir"):
        assert clean[key] == asked[key]
    said_nothing: tuple = (None, [], {}, False, "")
    host = {key: value for key, value in asked["HostConfig"].items() if value not in said_nothing}
    assert clean["HostConfig"] == host


@pytest.mark.parametrize(("user", "role"), PEOPLE)
def test_an_accepted_request_is_accepted_again(user, role):
    clean = checked(created(user, role), user, role)
    assert checked(json.loads(json.dumps(clean)), user, role) == clean


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_no_key_that_is_not_known_passes_anywhere(data):
    body = created("alice")
    folder = data.draw(st.sampled_from(["", "HostConfig", "Labels"]))
    tree = body[folder] if folder else body
    # The engine reads keys in any case.
    key = data.draw(st.text(max_size=12) | st.sampled_from(sorted(tree)).map(str.swapcase))
    assume(key not in tree and key not in UNUSED[folder])
    tree[key] = data.draw(st.sampled_from([None, True, 1, "", "host", [], {}, ["/:/host"]]))
    refused(body, "Labels: found" if folder == "Labels" else "is not accepted")


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
@settings(max_examples=100, deadline=None)
def test_every_value_is_looked_at(data):
    body = created("alice")
    folder = data.draw(st.sampled_from(["", "HostConfig"]))
    tree = body[folder] if folder else body
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
    with pytest.raises(RequestRefused):
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
    refused(body, "the requested device")
    body["Labels"]["logitlab.gpu"] = "cpu"
    refused(body, "the requested device")
    body = created("alice")
    body["Labels"]["logitlab.gpu"] = GPU
    refused(body, "the requested device")


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
    with pytest.raises(RequestRefused) as reason:
        checked(body)
    assert "NVIDIA_SECRET" in str(reason.value) and "hunter2" not in str(reason.value)


def test_a_person_gets_no_graders_container_and_the_grader_no_persons_uid():
    refused(created("alice", "grader"), "^Image: alice is not the grader", "alice", "grader")
    body = created("grader-mech", "grader")
    body["User"] = "20001:20001"
    refused(body, "User", "grader-mech", "grader")


def test_a_container_has_its_owners_name_and_no_other():
    for name in ("lab-user-bob", "lab-user-alice-2", "lab-db-1", "alice", ""):
        with pytest.raises(RequestRefused, match="name"):
            check_create(name, created("alice"), POLICY)


def test_two_volumes_do_not_share_a_place():
    body = created("alice")
    body["HostConfig"]["Binds"].append("lab_config_instructor:/srv/config:ro")
    refused(body, "one volume per path")


def test_a_number_does_not_count_as_a_truth_value():
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
    with pytest.raises(RequestRefused):
        parse(text.encode("utf-8"))


def test_bytes_that_are_not_text_are_refused():
    with pytest.raises(RequestRefused):
        parse(b'{"a":"\xff"}')


@given(st.binary(max_size=200) | st.text(alphabet='{}[]",:aA1\\', max_size=60).map(str.encode))
def test_any_bytes_are_an_object_or_refused(content):
    with contextlib.suppress(RequestRefused):
        assert isinstance(parse(content), dict)


MIB = 2**20
LIMITS = [
    ("Memory", 64 * MIB, POLICY.max_memory),
    ("MemorySwap", 64 * MIB, POLICY.max_memory),
    ("MemoryReservation", 64 * MIB, POLICY.max_memory),
    ("NanoCpus", 1, 2_000_000_000),
    ("CpuQuota", 1000, 200_000),
    ("CpuShares", 2, 512),
    ("PidsLimit", 16, 4096),
    ("ShmSize", 1, POLICY.max_memory),
    ("OomScoreAdj", 0, 1000),
]


@pytest.mark.parametrize(("key", "least", "most"), LIMITS)
def test_a_limit_may_have_its_ends_and_nothing_beyond(key, least, most):
    body = created("alice")
    if key == "NanoCpus":
        del body["HostConfig"]["CpuQuota"], body["HostConfig"]["CpuPeriod"]
    for value in (least, most):
        body["HostConfig"][key] = value
        assert checked(body)["HostConfig"][key] == value
    for value in (least - 1, most + 1, float(most), str(most), None):
        body["HostConfig"][key] = value
        refused(body, rf"HostConfig\.{key}: found .*, accepted: {least} to {most}$")


def test_limits_that_policies_set_are_kept_to():
    policy = replace(POLICY, gpus=(), max_cpus=1.5, max_memory=512 * MIB, max_pids=512)
    body = created("alice")
    assert checked(body, policy=policy)
    body["HostConfig"]["CpuQuota"] = 150_000
    assert checked(body, policy=policy)
    body["HostConfig"]["CpuQuota"] = 150_001
    refused(body, "CpuQuota", policy=policy)


# Key, values that are kept as they are, values that are accepted and left out, values refused.
VALUES = [
    ("", "WorkingDir", ["", "/home/student", "/srv/course"], [None], ["/", "/home", 1]),
    ("", "Hostname", ["", "a-1", "a" * 63], [None], ["a" * 64, "A", "a.b", 1, ["a"]]),
    ("", "AttachStdin", [], [False], [True, None, 0]),
    ("", "AttachStdout", [], [True, False], [None, 1]),
    ("", "AttachStderr", [], [True, False], [None, 1]),
    ("", "Tty", [], [None, False, "", [], {}], [True, 1, 0, "x", ["x"], {"a": None}]),
    ("HostConfig", "Privileged", [], [None, False, "", [], {}], [True, 1, 0, "x"]),
    ("HostConfig", "ReadonlyRootfs", [True], [], [False, None, 1]),
    ("HostConfig", "CapDrop", [["ALL"]], [], [["all"], [], None, "ALL", ["ALL", "ALL"]]),
    (
        "HostConfig",
        "SecurityOpt",
        [["no-new-privileges"], ["no-new-privileges:true"]],
        [],
        [[], None, ["no-new-privileges:false"], ["no-new-privileges", "seccomp=unconfined"]],
    ),
    ("HostConfig", "CpuPeriod", [100_000], [], [99_999, 100_001, None]),
    ("HostConfig", "AutoRemove", [False], [], [True, 0]),
    ("HostConfig", "Init", [True], [], [False, 1]),
    ("HostConfig", "CgroupnsMode", ["private"], [], ["host", ""]),
    ("HostConfig", "IpcMode", ["private", "none"], [], ["host", "shareable", "container:x", ""]),
    ("HostConfig", "NetworkMode", ["lab_students"], [], ["host", "bridge", "", None]),
    (
        "HostConfig",
        "RestartPolicy",
        [],
        [None, {}, {"Name": ""}, {"Name": "no"}, {"Name": "no", "MaximumRetryCount": 0}],
        [{"Name": "always"}, {"Name": "no", "MaximumRetryCount": 1}, "no", []],
    ),
    ("HostConfig", "Dns", [["127.0.0.1"]], [None, []], [["127.0.0.2"], ["8.8.8.8"], "", False]),
    (
        "HostConfig",
        "Tmpfs",
        [
            {},
            {"/tmp": "size=1m", "/var/tmp": "rw,size=1", "/run": "size=1g,mode=1777"},
            {"/tmp": "size=1k,noexec,exec,nosuid,nodev,mode=700,uid=1,gid=1"},
        ],
        [],
        [{"/tmp": ""}, {"/tmp": "rw"}, {"/tmp": "size=1m,suid"}, {"/": "size=1m"}, {"/tmp": None}],
    ),
    (
        "HostConfig",
        "LogConfig",
        [
            {"Type": "json-file", "Config": {"max-size": "10m"}},
            {"Type": "json-file", "Config": {"max-size": "999k", "max-file": "9"}},
        ],
        [],
        [
            {"Type": "syslog", "Config": {"max-size": "10m"}},
            {"Type": "json-file", "Config": {"max-file": "2"}},
            {"Type": "json-file", "Config": {"max-size": "10m", "tag": "x"}},
            {"Type": "json-file", "Config": {"max-size": "10g"}},
            {"Type": "json-file", "Config": {"max-size": 10}},
            {"Type": "json-file", "Config": {"max-size": "10m"}, "x": 1},
            {"Type": "json-file", "Config": []},
            {"Type": "json-file"},
            {"Config": {"max-size": "10m"}},
            {},
            [],
        ],
    ),
    (
        "",
        "ExposedPorts",
        [{}, {"1/tcp": {}, "65535/tcp": {}}],
        [],
        [{"8888/udp": {}}, {"0/tcp": {}}, {"888888/tcp": {}}, {"8888/tcp": {"x": 1}}, [], {"": {}}],
    ),
    ("", "Volumes", [{}, {"/home/student": {}}], [], [{"/home/student": {"a": 1}}, {"/x": {}}, []]),
    ("HostConfig", "DeviceRequests", [], [None, []], [{}, [{}], ["gpu"], [{}, {}], ""]),
]


@pytest.mark.parametrize(
    ("place", "key", "kept", "left_out", "others"), VALUES, ids=[row[1] for row in VALUES]
)
def test_which_values_pass(place, key, kept, left_out, others):
    path = f"{place}.{key}" if place else key
    for value, passes in [(v, True) for v in kept + left_out] + [(v, False) for v in others]:
        body = created("alice")
        (body[place] if place else body)[key] = value
        if passes:
            clean = checked(body)
            found = (clean[place] if place else clean).get(key)
            assert found == (value if value in kept else None)
        else:
            refused(body, rf"^{re.escape(path)}\b")


def test_null_counts_as_an_empty_object():
    body = created("alice")
    body["ExposedPorts"], body["Volumes"] = {"8888/tcp": None}, {"/home/student": None}
    assert checked(body)["ExposedPorts"] == {"8888/tcp": {}}
    assert checked(body)["Volumes"] == {"/home/student": {}}
    body["ExposedPorts"] = body["Volumes"] = body["HostConfig"]["Tmpfs"] = None
    clean = checked(body)
    assert clean["ExposedPorts"] == clean["Volumes"] == clean["HostConfig"]["Tmpfs"] == {}


@pytest.mark.parametrize("host", [None, [], "", "absent"])
def test_a_container_without_host_config_is_none(host):
    body = created("alice") | {"HostConfig": host}
    if host == "absent":
        del body["HostConfig"]
    refused(body, "HostConfig is missing")


def test_a_student_has_a_students_number_as_user_and_group():
    body = created("alice")
    for number in (20_000, 29_999):
        body["User"] = f"{number}:{number}"
        assert checked(body)["User"] == f"{number}:{number}"
    for user in ("19999:19999", "30000:30000", "912:912", "20001:0", "20001", "", None, 20_001):
        body["User"] = user
        refused(body, "^User: found .*, accepted: 20000:20000 to 29999:29999$")


def test_the_grader_has_its_number():
    body = created("grader-mech", "grader")
    assert checked(body, "grader-mech", "grader")["User"] == "912:912"
    body["User"] = "20001:20001"
    refused(body, "accepted: 912:912$", "grader-mech", "grader")


def test_the_environment_has_at_most_256_variables_of_16_kib():
    body = created("alice")
    body["Env"] = [f"A{number}={number}" for number in range(256)]
    assert checked(body)["Env"] == body["Env"]
    body["Env"].append("B=1")
    refused(body, "Env: a list of at most 256 strings")
    body["Env"] = ["A=" + "x" * (16 * 1024 - 2)]
    assert checked(body)["Env"] == body["Env"]
    body["Env"] = ["A=" + "x" * (16 * 1024 - 1)]
    refused(body, "Env: strings of at most 16384 characters")
    body["Env"].append("B=1")
    refused(body, "Env: strings of at most 16384 characters")
    values: tuple[Any, ...] = (None, {}, "A=1", [1], [None])
    for wrong in values:
        body["Env"] = wrong
        refused(body, "^Env: ")


def test_a_variable_has_a_name_and_a_value():
    body = created("alice")
    body["Env"] = ["A=", "_b1=x=y", "NVIDIA_VISIBLE_DEVICES=void"]
    assert checked(body)["Env"] == body["Env"]
    for wrong in ("A", "1A=x", "=x", "A-B=x", "é=x", "A =x", "NVIDIA_VISIBLE_DEVICES=all"):
        body["Env"] = [wrong]
        refused(body, "^Env: ")


def test_a_command_is_the_images_program_with_arguments():
    body = created("alice")
    body["Cmd"] = ["jupyterhub-singleuser", *["--x"] * 255]
    assert checked(body)["Cmd"] == body["Cmd"]
    body["Cmd"].append("--x")
    refused(body, "Cmd: a list of at most 256 strings")
    others: list[Any] = [[], ["sh"], "jupyterhub-singleuser", None, [["jupyterhub-singleuser"]]]
    for wrong in others:
        body["Cmd"] = wrong
        refused(body, "^Cmd: ")
    grader = created("grader-mech", "grader")
    grader["Cmd"] = ["python", "-m", "hub.containers", "formgrader"]
    assert checked(grader, "grader-mech", "grader")["Cmd"] == grader["Cmd"]


def test_labels_name_project_course_user_and_gpu_and_nothing_else():
    for name in ("x", "x" * 255):
        assert checked(created(name), name)["Labels"]["logitlab.user"] == name
    for user in ("", "x" * 256, None, 1, ["alice"]):
        body = created("alice")
        body["Labels"]["logitlab.user"] = user
        refused(body, "Labels.logitlab.user: found")
    body = created("alice")
    for known in COURSES:
        body["Labels"]["logitlab.course"] = known
        assert checked(body)["Labels"]["logitlab.course"] == known
    for course in ("", "other", "Mech", "mech\n", None, 1, ["mech"]):
        body["Labels"]["logitlab.course"] = course
        refused(body, "Labels.logitlab.course: found")
    several: tuple[Any, ...] = (None, [], {}, {"logitlab.user": "alice"})
    for labels in several:
        refused(created("alice") | {"Labels": labels}, "^Labels: found")
    named = "logitlab.project, logitlab.course, logitlab.user, logitlab.gpu"
    refused(created("alice") | {"Labels": {}}, f"^Labels: found .*, accepted: {named}$")
    body = created("alice")
    body["Labels"]["logitlab.project"] = "other"
    refused(body, "Labels.logitlab.project: found 'other', accepted: 'lab'")


def test_one_whole_device_of_the_list_is_asked_for_or_none():
    for change in ({"Count": 1}, {"Count": -1}, {"Options": {"a": "b"}}, {"x": 1}):
        body = with_gpu(created("alice"))
        body["HostConfig"]["DeviceRequests"][0] |= change
        refused(body, r"^HostConfig\.DeviceRequests\.")
    for key in ("Driver", "DeviceIDs", "Capabilities", "Count", "Options"):
        body = with_gpu(created("alice"))
        body["HostConfig"]["DeviceRequests"][0][key] = "x"
        refused(body, rf"^HostConfig\.DeviceRequests\.{key}: found 'x'")
    others: list[Any] = [{"0": {}}, {0: {}}, "x", [[]], [None]]
    for wrong in others:
        body = with_gpu(created("alice"))
        body["HostConfig"]["DeviceRequests"] = wrong
        refused(body, r"^HostConfig\.DeviceRequests: found .*accepted: one request for one GPU")
    body = with_gpu(created("alice"))
    body["HostConfig"]["DeviceRequests"] *= 2
    refused(body, r"^HostConfig\.DeviceRequests: found .*accepted: one request for one GPU")
    body = with_gpu(created("alice"))
    del body["HostConfig"]["DeviceRequests"][0]["Driver"]
    refused(body, r"^HostConfig\.DeviceRequests: found .'Capabilities', 'DeviceIDs'.")
    for gpu in (GPU, OTHER_GPU):
        assert checked(with_gpu(created("alice"), gpu))["Labels"]["logitlab.gpu"] == gpu


def test_the_grader_may_have_all_of_its_volumes_at_once():
    body = created("grader-mech", "grader")
    every = [mount.bind for mount in POLICY.mounts("grader-mech", body["Image"], "mech")]
    body["HostConfig"]["Binds"] = every
    assert checked(body, "grader-mech", "grader")["HostConfig"]["Binds"] == every
    body["HostConfig"]["Binds"] = [*every, every[0]]
    refused(body, "Binds: a list of at most 7 strings", "grader-mech", "grader")


def test_cores_are_limited_and_not_twice():
    body = created("alice")
    body["HostConfig"]["NanoCpus"] = 1_000_000_000
    refused(body, "either NanoCpus or CpuPeriod and CpuQuota must be given")
    for key in ("NanoCpus", "CpuQuota", "CpuPeriod"):
        del body["HostConfig"][key]
    refused(body, "either NanoCpus or CpuPeriod and CpuQuota must be given")


def test_a_reason_is_short_whatever_was_sent():
    body = created("alice") | {"k" * 61: None}
    refused(body, f"^'{'k' * 60}' is not accepted$")
    body = created("alice")
    body["Env"] = ["-" * 61]
    refused(body, f"^Env: '{'-' * 60}' is not a variable with a value$")


@pytest.mark.parametrize(
    "user", ["grader", "grader-", "grader-Mech", "grader-" + "a" * 42, "bob", "grader-other"]
)
def test_a_graders_image_is_for_its_courses_grader(user):
    body = created(user, "grader")
    body["Labels"]["logitlab.course"] = "mech"
    refused(body, "^Image: .* is not the grader of mech$", user, "grader")


def test_a_graders_name_may_have_48_characters():
    user = "grader-" + "a" * 41
    policy = replace(POLICY, courses=("mech", "a" * 41))
    assert checked(created(user, "grader", policy), user, "grader", policy)


def test_a_grader_mounts_its_own_courses_volumes_and_no_others():
    first, second = (created(f"grader-{course}", "grader") for course in COURSES)
    mounted = {bind.split(":")[0] for bind in second["HostConfig"]["Binds"]}
    assert {"lab_course_maths", "lab_people_maths", "lab_config_grader_maths"} <= mounted
    for volume in ("lab_course", "lab_people", "lab_config_grader"):
        one, other = created("grader-mech", "grader"), created("grader-maths", "grader")
        of_first = [b for b in first["HostConfig"]["Binds"] if b.startswith(f"{volume}:")]
        of_second = [b for b in second["HostConfig"]["Binds"] if b.startswith(f"{volume}_maths:")]
        assert len(of_first) == len(of_second) == 1
        one["HostConfig"]["Binds"] = of_second
        other["HostConfig"]["Binds"] = of_first
        refused(one, "^HostConfig.Binds: found", "grader-mech", "grader")
        refused(other, "^HostConfig.Binds: found", "grader-maths", "grader")


def test_no_container_is_made_while_no_course_is_known():
    refused(created("alice"), "^Labels.logitlab.course: found", policy=replace(POLICY, courses=()))
