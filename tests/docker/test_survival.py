"""Every service is ended in the middle of things, and nothing that was acknowledged is lost."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.docker import coursework
from tests.docker.coursework import SCORES, receipts_in_home
from tests.docker.stage import docker
from tests.docker.survival import (
    MEMORY,
    Class,
    Submitting,
    eventually,
    executes,
    first_process,
    gather,
    kill,
    press_start,
    start_again,
    stop_server,
    wait_until_back,
)

PROJECT = "lltsurv"
PARTS = ("hub", "proxy", "exchange", "executor", "db", "guard", "firewall", "gateway")
ON_THE_WAY = ("proxy", "gateway")  # a browser's connection goes through them and has to be new

pytestmark = [
    pytest.mark.docker,
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.needs("deployments"),
]


@pytest.fixture(scope="module")
def course(stack) -> Iterator[Class]:
    gathered = gather(stack)
    coursework.autograde(stack)
    assert coursework.open_for_grading(gathered.instructor, "alice")
    yield gathered
    gathered.close()


@pytest.fixture(scope="module")
def table(artifacts) -> Iterator[dict[str, dict[str, float]]]:
    """Seconds until everything answered again, by service and moment."""
    seen: dict[str, dict[str, float]] = {role: {} for role in PARTS}
    yield seen
    if all(len(seconds) == 2 for seconds in seen.values()):  # not those of a part of the tests
        artifacts.mkdir(exist_ok=True)
        (artifacts / "survival.json").write_text(json.dumps(seen, indent=1), encoding="utf-8")
    for role, seconds in seen.items():
        print(f"{role:<10}", *(f"{moment} {value:5.1f} s" for moment, value in seconds.items()))


@pytest.mark.row
@pytest.mark.parametrize("role", PARTS)
def test_killed_while_a_kernel_computes_it_comes_back_and_the_kernel_goes_on(course, table, role):
    with ThreadPoolExecutor(1) as pool:
        cell = pool.submit(course.kernel.run, "import time\ntime.sleep(4)\nprint(memory)")
        time.sleep(1.5)
        began, killed = time.monotonic(), kill(course.made, role)
        assert not cell.done()
        wait_until_back(course, role, killed)
        table[role]["idle"] = time.monotonic() - began
    if role not in ON_THE_WAY:
        assert cell.result() == MEMORY
    assert course.memory() == MEMORY
    assert not course.lost()
    page = "the page for grading by hand"
    assert eventually(page, lambda: coursework.open_for_grading(course.instructor, "alice"), 20)


@pytest.mark.row
@pytest.mark.parametrize("role", PARTS)
def test_killed_amid_a_start_submissions_and_grading_nothing_is_lost(course, table, role):
    made = course.made
    stop_server(made, course.bob)
    with ThreadPoolExecutor(2) as pool, Submitting(course) as submitting:
        grading = pool.submit(coursework.autograde, made, "--force")
        eventually("a notebook is executed", lambda: executes(made) or grading.done())
        starting = pool.submit(press_start, course.bob)
        eventually("bob's container is there", lambda: made.server_of("bob"))
        began, killed = time.monotonic(), kill(made, role)
        amid = not grading.done() and not starting.done()
        wait_until_back(course, role, killed)
        table[role]["busy"] = time.monotonic() - began
        submitting.wait_for_one_more()
        start_again(course.bob)
        output = grading.result(timeout=240)
    assert amid, "the kill came too late to be in the middle of things"
    assert "2 of 2 submissions graded" in output
    assert coursework.scores(course.instructor) == SCORES, output
    assert len(receipts_in_home(made, "alice")) >= submitting.acknowledged
    assert not course.lost()
    assert course.memory() == MEMORY


def test_a_hub_that_starts_before_the_engine_answers_forgets_no_server(course):
    """As after a start of the machine, where nothing says which service comes first."""
    made = course.made
    docker("stop", made.container("guard"))
    killed = kill(made, "hub")
    eventually("the hub is started again", lambda: first_process(made, "hub") not in (0, killed))
    eventually("the login page", lambda: course.alice.http.get("/hub/health").status_code == 200)
    docker("start", made.container("guard"))
    eventually("the hub looked at alice's server", lambda: _ready(course.alice))
    assert course.memory() == MEMORY


def _ready(person) -> bool:
    """Whether the hub says that the person's server runs."""
    model = person.api("GET", f"/users/{person.name}").json()
    server = model["servers"].get("", {})
    return server.get("ready", False) and not server.get("stopped", False)


def test_after_all_that_up_has_nothing_to_do(course):
    """Restarts that are long past are no reason to give up on a part."""
    before = {role: course.made.container(role) for role in PARTS}
    course.made.deploy("up")
    assert {role: course.made.container(role) for role in PARTS} == before
    assert course.memory() == MEMORY


def test_an_idle_server_is_culled_and_comes_back_to_the_same_files(course):
    made = course.made
    made.exec(made.server_of("alice"), "sh", "-c", "echo kept > ~/kept.txt")
    _cull_once(made)
    eventually("alice's container is gone", lambda: not made.server_of("alice"))
    start_again(course.alice)
    assert made.exec(made.server_of("alice"), "sh", "-c", "cat ~/kept.txt") == "kept\n"
    assert course.alice.read_notebook(coursework.PATH)


CULL = """
import os, pathlib, subprocess, sys
for process in pathlib.Path("/proc").glob("[0-9]*"):
    try:
        if b"jupyterhub_idle_culler" in (process / "cmdline").read_bytes():
            break
    except OSError:
        continue
else:
    sys.exit("the hub runs no culler")
environ = (process / "environ").read_bytes().decode().split(chr(0))
environ = dict(line.split("=", 1) for line in environ if "=" in line)
command = [sys.executable, "-m", "jupyterhub_idle_culler", "--timeout=1", "--cull-every=60"]
try:
    subprocess.run(command, env=environ, timeout=20, check=True)
except subprocess.TimeoutExpired:
    pass
"""


def _cull_once(made) -> None:
    """The hub's own culler with its own rights, but for people who were idle for a second."""
    time.sleep(1.5)
    made.exec(made.container("hub"), "python", "-c", CULL)
