"""`doctor` names what would stop the server, and the fix."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from hub.host.deploy import doctor
from hub.host.deploy.doctor import HostFacts, findings
from hub.host.deploy.people import roster_command
from hub.host.deploy.stack import Stack, gpu_devices

ENGINE = {
    "ServerVersion": "26.1.5",
    "Driver": "overlay2",
    "MemoryLimit": True,
    "PidsLimit": True,
    "CpuCfsQuota": True,
    "CgroupVersion": "2",
    "LiveRestoreEnabled": True,
    "SecurityOptions": ["name=seccomp,profile=default"],
}
GOOD = HostFacts(
    engine=ENGINE,
    compose="docker compose",
    buildkit=True,
    free_gib=100,
    memory_gib=64,
    routes=("10.0.0.0/24", "172.17.0.0/16"),
)


def test_a_good_host_is_reported_so():
    assert {finding.level for finding in findings(GOOD)} == {"good"}


def findings_that_stop(facts):
    return [finding for finding in findings(facts) if finding.level == "stops"]


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"engine": {}, "engine_error": "refused"}, "Docker engine does not answer"),
        ({"engine": {**ENGINE, "ServerVersion": "19.03.8"}}, "19.03.8"),
        ({"engine": {**ENGINE, "MemoryLimit": False}}, "memory"),
        ({"engine": {**ENGINE, "PidsLimit": False}}, "processes"),
        ({"engine": {**ENGINE, "SecurityOptions": ["name=rootless"]}}, "rootless"),
        ({"compose": ""}, "Compose is missing"),
        ({"bridge_filter": False}, "students could reach each other"),
        ({"routes": ("172.30.4.0/24",)}, "STUDENTS_SUBNET"),
        ({"used_ports": (8000,)}, "port 8000"),
        ({"domain": "course.example"}, "does not resolve in DNS"),
        ({"course_error": "course.yaml, line 3: people.students"}, "line 3"),
        ({"free_gib": 3, "missing_images": ("logitlab/student:1",)}, "GiB free"),
    ],
)
def test_each_obstacle_to_the_server_is_named_with_its_fix(changed, words):
    stops = findings_that_stop(replace(GOOD, **changed))
    assert len(stops) == 1
    assert words in stops[0].what
    assert stops[0].fix


def test_images_of_another_version_do_not_judge_the_settings_of_this_one():
    old = replace(GOOD, course_error="line 27: server.new: unknown key", images_differ=True)
    assert not findings_that_stop(old)
    (advice,) = [finding for finding in findings(old) if finding.level == "advice"]
    assert "server.new" in advice.what and "make images" in advice.fix


def test_a_subnet_that_clashes_comes_with_one_that_is_free():
    (clash,) = findings_that_stop(replace(GOOD, routes=("172.30.4.0/24", "10.201.0.0/24")))
    assert "10.202.0.0/16 is free" in clash.fix
    (clash,) = findings_that_stop(replace(GOOD, routes=("172.16.0.0/12", "10.0.0.0/8")))
    assert "free" not in clash.fix


def test_the_ports_of_a_running_deployment_count_as_its_own():
    running = replace(GOOD, used_ports=(8000,), routes=("172.30.0.0/16",), running=True)
    assert all(finding.level == "good" for finding in findings(running))


def test_advice_does_not_stop():
    host = replace(
        GOOD,
        engine={**ENGINE, "LiveRestoreEnabled": False},
        buildkit=False,
        domain="course.example",
        domain_addresses=("203.0.113.5",),
        own_addresses=("10.0.0.4",),
    )
    levels = [finding.level for finding in findings(host)]
    assert levels.count("advice") == 3 and "stops" not in levels


class FakeStack(Stack):
    """A deployment whose containers say `said`."""

    def __init__(self, output: str = "") -> None:
        super().__init__(Path("/nowhere"))
        values = {"LOGITLAB_TAG": "t", "LOGITLAB_PROJECT": "p", "LOGITLAB_URL": "", "DOMAIN": ""}
        self.__dict__ |= {"said": output, "variables": values}

    def docker(self, *arguments, **options):
        assert "--network=none" in arguments and "logitlab/server:t" in arguments
        return SimpleNamespace(returncode=0, stdout=self.__dict__["said"], stderr="")


def test_the_gpus_that_course_yaml_names_are_those_looked_for():
    assert gpu_devices(FakeStack('["GPU-0a1b"]\n')) == ["GPU-0a1b"]


def test_gpus_are_tried_with_the_image_of_students_servers(monkeypatch):
    seen = replace(GOOD, gpu_devices=["GPU-0a1b"], trial_image="logitlab/student:t")
    asked: list[tuple] = []

    def doctor_of_gpus(*how):
        asked.append(how)
        return []

    monkeypatch.setattr(doctor, "opened", FakeStack)
    monkeypatch.setattr(doctor, "facts", lambda stack: seen)
    monkeypatch.setattr(doctor.gpus, "doctor", doctor_of_gpus)
    assert doctor.run("doctor", Namespace()) == 0
    assert asked == [(["GPU-0a1b"], "logitlab/student:t")]


def test_a_list_of_students_goes_by_its_own_name():
    command = roster_command(FakeStack(), Path("/home/admin/students.csv"), yes=True)
    assert command[-5:] == ["logitlab", "roster", "import", "students.csv", "--yes"]
    assert "--workdir=/tables" in command
    assert "--volume=/home/admin/students.csv:/tables/students.csv:ro" in command
