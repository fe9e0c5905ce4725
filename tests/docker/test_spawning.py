"""Servers as the hub starts them: names, volumes and limits, the queue, and what stops a start."""

from __future__ import annotations

import json
import os
import re
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from hub.host.deploy.images import IMAGES
from tests.docker.coursework import COURSE
from tests.docker.stage import Deployed, deployed, docker
from tests.docker.starts import Start, start, stop
from tests.e2e.hub_client import Person
from tests.needs import TAG

PROJECT = "lltspw"
OWN_TAG = "lltspw"  # names of our own for the same images, so that one can be taken away
WIDTH = 2
SETTINGS = (
    f"containers: {{starts_at_once: {WIDTH}, memory_mib: 1024, pids: 300, cpus: 1.5}}\n"
    "gpus: {devices: [GPU-00000000-0000-0000-0000-000000000000]}\n"
)
LONG = "the-longest-name-that-a-student-of-this-course-can-have.of-them"
NAMES = (
    *("ada.lovelace", "ada_lovelace", "ada-lovelace", "1815", "7up@maths.example.org"),
    *(f"{LONG[:62]}a", f"{LONG[:62]}b"),
)

pytestmark = [
    pytest.mark.docker,
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.needs("deployments"),
]


@pytest.fixture(scope="module")
def stack(tmp_path_factory) -> Iterator[Deployed]:
    folder = tmp_path_factory.mktemp("deployment")
    for name in IMAGES:
        docker("tag", f"logitlab/{name}:{TAG}", f"logitlab/{name}:{OWN_TAG}")
    try:
        with deployed(folder, PROJECT, SETTINGS, LOGITLAB_TAG=OWN_TAG) as made:
            yield made
    finally:
        docker("rmi", *(f"logitlab/{name}:{OWN_TAG}" for name in IMAGES), check=False)


@pytest.fixture(scope="module")
def people(stack, tmp_path_factory) -> Iterator[dict[str, Person]]:
    """Students with awkward names, from the roster, logged in."""
    table = tmp_path_factory.mktemp("roster") / "students.csv"
    table.write_text("username,first_name,last_name\n" + "".join(f"{n},,\n" for n in NAMES))
    stack.deploy("roster", str(table), "--yes")
    began = time.monotonic()
    while not set(NAMES) <= set(stack.passwords):  # the hub takes in a roster within seconds
        assert time.monotonic() - began < 60, "the hub does not take in the roster"
        stack.set_passwords()
        time.sleep(1)
    found = {name: Person(stack.url, name, stack.passwords[name]) for name in (*NAMES, "bob")}
    yield found
    for person in found.values():
        person.close()


@pytest.fixture(scope="module")
def starts(people) -> dict[str, Start]:
    """Everybody starts at the same moment."""
    seen: dict[str, Start] = {}
    threads = [
        threading.Thread(target=lambda name=name: seen.update({name: start(people[name])}))
        for name in NAMES
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(400)
    return seen


@pytest.fixture(scope="module")
def containers(stack, starts) -> dict[str, dict[str, Any]]:
    """What the engine says of everybody's container."""
    return {name: json.loads(docker("inspect", stack.server_of(name)))[0] for name in NAMES}


# -- the queue -------------------------------------------------------------------------------------


def test_a_class_that_starts_together_comes_up_and_nobody_is_refused(starts):
    assert set(starts) == set(NAMES)
    assert [starts[name].status for name in NAMES] == [200] * len(NAMES)
    assert [name for name in NAMES if not starts[name].ready] == []


def test_the_position_in_the_queue_is_shown_and_only_gets_better(starts):
    queued = [seen.positions for seen in starts.values() if seen.positions]
    assert len(queued) >= len(NAMES) - WIDTH - 2  # the first two, and who came when those were up
    for positions in queued:
        assert positions == sorted(positions, reverse=True) and positions[-1] >= 1
    assert max(positions[0] for positions in queued) >= 3


# -- names -----------------------------------------------------------------------------------------


def test_everybody_has_a_container_a_volume_and_a_number_of_their_own(containers):
    def home(container: dict[str, Any]) -> str:
        mounts = {mount["Destination"]: mount["Name"] for mount in container["Mounts"]}
        return mounts["/home/student"]

    every = containers.values()
    users = [container["Config"]["User"] for container in every]
    assert all(re.fullmatch(r"2\d{4}:2\d{4}", user) for user in users)
    for each in ([c["Name"] for c in every], [home(c) for c in every], users):
        assert len(set(each)) == len(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_server_is_its_owners_under_every_name(people, starts, name):
    person, other = people[name], people["bob"]
    page = person.http.get(f"/user/{name}/lab")
    assert page.status_code == 200 and f"/user/{name}/" in page.text
    body = {"type": "file", "format": "text", "content": f"of {name}"}
    path = "/api/contents/mine.txt"
    assert person.server("PUT", path, json=body).status_code == 201
    assert other.server("GET", path, owner=name).status_code in (403, 404)


def test_files_survive_a_stop_and_names_that_look_alike_do_not_mix(people, starts, stack):
    alike = ("ada.lovelace", "ada_lovelace", "ada-lovelace")
    before = {name: docker("inspect", "--format={{.Id}}", stack.server_of(name)) for name in alike}
    for name in alike:
        text = f"work of {name}"
        write = ("exec", stack.server_of(name), "sh", "-c", f"echo {text} > /home/student/work.txt")
        docker(*write)
        stop(people[name])
        assert stack.server_of(name) == ""
    for name in alike:
        assert start(people[name]).ready
        now = docker("inspect", "--format={{.Id}}", stack.server_of(name))
        assert now != before[name]
        output = docker("exec", stack.server_of(name), "cat", "/home/student/work.txt")
        assert output.strip() == f"work of {name}"


# -- what a container is made of -------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES[:1])
def test_limits_are_those_of_the_settings(containers, name):
    host = containers[name]["HostConfig"]
    assert host["Memory"] == host["MemorySwap"] == 1024 * 2**20
    assert host["PidsLimit"] == 300
    assert host["CpuQuota"] / host["CpuPeriod"] == 1.5
    assert 0 < host["CpuShares"] < 1024  # less than any service of the deployment
    assert host["CapDrop"] == ["ALL"] and not host["CapAdd"]
    assert host["SecurityOpt"] == ["no-new-privileges:true"]
    assert host["ReadonlyRootfs"] is True and host["Privileged"] is False
    assert host["NetworkMode"] == f"{PROJECT}_students"
    assert set(host["Tmpfs"]) == {"/tmp"}


def test_every_container_says_whose_it_is_and_for_which_course(containers):
    for name, container in containers.items():
        labels = container["Config"]["Labels"]
        assert {key: labels[f"logitlab.{key}"] for key in ("project", "course", "user")} == {
            "project": PROJECT,
            "course": COURSE,
            "user": name,
        }


def test_without_the_gpu_that_the_settings_name_servers_say_that_they_have_none(containers, stack):
    for container in containers.values():
        assert container["Config"]["Labels"]["logitlab.gpu"] == "cpu"
        assert not container["HostConfig"]["DeviceRequests"]
    output = docker("exec", stack.server_of(NAMES[-1]), "sh", "-c", "echo $LOGITLAB_GPU")
    assert output.strip() == "cpu: this server has no GPU"
    logs = ["docker", "logs", stack.container("hub")]
    hub = subprocess.run(logs, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True).stdout
    assert "GPU-00000000-0000-0000-0000-000000000000, which this host lacks" in hub


# -- what stops a start ----------------------------------------------------------------------------


@contextmanager
def firewall_silent(stack: Deployed) -> Iterator[Path]:
    """Nobody keeps the firewall's rules; the file that tells so."""
    volume = json.loads(docker("volume", "inspect", f"{PROJECT}_firewall_state"))[0]
    keeper = stack.container("firewall")
    docker("pause", keeper)
    try:
        yield Path(volume["Mountpoint"]) / "ok"
    finally:
        docker("unpause", keeper)


def failure(seen: Start) -> str:
    """What the page says of a start that failed."""
    assert seen.events and seen.events[-1].get("failed"), seen
    return str(seen.events[-1]["message"])


def test_no_server_starts_where_nobody_keeps_the_firewall_and_the_page_says_so(people, stack):
    with firewall_silent(stack) as heartbeat:
        long_ago = time.time() - 60
        os.utime(heartbeat, (long_ago, long_ago))
        stale = failure(start(people["bob"]))
        heartbeat.unlink()
        missing = failure(start(people["bob"]))
    for words in (stale, missing):
        assert "firewall" in words and "make status" in words
    assert stack.server_of("bob") == ""
    began = time.monotonic()
    while not heartbeat.exists():
        assert time.monotonic() - began < 30
        time.sleep(0.5)
    assert start(people["bob"]).ready  # positive control
    stop(people["bob"])


def test_a_missing_image_is_named_with_what_makes_it(people, stack):
    student = f"logitlab/student:{OWN_TAG}"
    docker("rmi", student)
    try:
        words = failure(start(people["bob"]))
    finally:
        docker("tag", f"logitlab/student:{TAG}", student)
    assert student in words and "make images" in words
    assert start(people["bob"]).ready  # positive control
