"""Another version of all images while people work, and the way back."""

from __future__ import annotations

import io
import json
import re
import subprocess
import tarfile
from collections.abc import Iterator

import pytest

from hub.host.deploy.stack import IMAGES
from tests.docker import coursework
from tests.docker.kernels import Kernel
from tests.docker.stage import Deployed, docker
from tests.docker.survival import (
    MEMORY,
    Class,
    eventually,
    gather,
    healthy,
    start_again,
    stop_server,
)
from tests.e2e.hub_client import Person
from tests.needs import TAG

PROJECT = "lltsurvu"
NEXT = "lltsurv-next"
VERSION = "/opt/logitlab/version"
LAST_CHANGE = ("f460b0348206", "ff1860e38070", "ALTER TABLE spawners DROP COLUMN display_name")
PARTS = {"hub": "server", "exchange": "server", "proxy": "proxy", "db": "db", "gateway": "gateway"}

pytestmark = [
    pytest.mark.docker,
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.needs("deployments"),
]


def build_next(image: str) -> None:
    """The image as it is with one file more, as a second version."""
    files = {
        "Dockerfile": f"FROM logitlab/{image}:{TAG}\nCOPY version {VERSION}\n",
        "version": NEXT,
    }
    context = io.BytesIO()
    with tarfile.open(fileobj=context, mode="w") as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(text), 0o644
            archive.addfile(entry, io.BytesIO(text.encode()))
    subprocess.run(
        ["docker", "build", "--quiet", f"--tag=logitlab/{image}:{NEXT}", "-"],
        input=context.getvalue(),
        check=True,
        capture_output=True,
        timeout=300,
    )


@pytest.fixture(scope="module")
def course(stack) -> Iterator[Class]:
    """A class at work on the version before, and the next version's images."""
    try:
        for image in IMAGES:
            build_next(image)
        gathered = gather(stack)
        stop_server(stack, gathered.bob)
        yield gathered
        gathered.close()
    finally:
        # What still runs of it is taken away with the deployment, the names of the images now.
        docker("image", "rm", "-f", *(f"logitlab/{image}:{NEXT}" for image in IMAGES), check=False)


def change_tag(made: Deployed, tag: str) -> None:
    """What an administrator edits in .env, and `up`."""
    path = made.folder / ".env"
    text = re.sub(r"LOGITLAB_TAG=.*", f"LOGITLAB_TAG={tag}", path.read_text(encoding="utf-8"))
    path.write_text(text, encoding="utf-8")
    made.deploy("up")


def image_of(container: str) -> str:
    return docker("inspect", "--format={{.Config.Image}}", container).strip()


def version_in(made: Deployed, user: str) -> str:
    """What the version file in the person's container says; empty: there is none."""
    return made.exec(made.server_of(user), "sh", "-c", f"cat {VERSION} 2>/dev/null || true")


def services_run(made: Deployed, tag: str) -> None:
    for role, image in PARTS.items():
        assert image_of(made.container(role)) == f"logitlab/{image}:{tag}"


@pytest.fixture(scope="module")
def upgraded(course) -> Class:
    """The next version is up; alice's server is the one of before."""
    change_tag(course.made, NEXT)
    return course


def test_a_server_of_the_version_before_goes_on_and_new_ones_are_of_the_next(upgraded):
    made = upgraded.made
    services_run(made, NEXT)
    assert upgraded.memory() == MEMORY
    assert version_in(made, "alice") == ""
    start_again(upgraded.bob)
    assert version_in(made, "bob") == NEXT
    for person in (upgraded.alice, upgraded.bob):
        coursework.answer(person, coursework.RIGHT)
        coursework.submit(person)
    assert not upgraded.lost()


def test_a_server_of_the_version_before_can_be_stopped_and_comes_back_as_the_next(upgraded):
    made = upgraded.made
    stop_server(made, upgraded.instructor, coursework.GRADER)
    upgraded.instructor.start_server(coursework.GRADER)
    assert version_in(made, coursework.GRADER) == NEXT
    coursework.collect(upgraded.instructor)
    assert "2 of 2 submissions graded" in coursework.autograde(made)


@pytest.fixture(scope="module")
def taken_back(upgraded) -> tuple[Class, Kernel]:
    """The version before is up again, while bob's server is one of the next."""
    kernel = Kernel(upgraded.bob)
    kernel.run("memory = 'of the next version'")
    change_tag(upgraded.made, TAG)
    return upgraded, kernel


def test_the_way_back_is_the_same_way(taken_back):
    course, kernel = taken_back
    made = course.made
    services_run(made, TAG)
    assert kernel.run("print(memory)") == "of the next version\n"
    assert course.memory() == MEMORY
    assert version_in(made, "bob") == NEXT
    stop_server(made, course.bob)
    start_again(course.bob)
    assert version_in(made, "bob") == ""
    assert coursework.scores(course.instructor) == {"alice": 3.0, "bob": 3.0}
    assert not course.lost()


def sql(made: Deployed, statement: str) -> str:
    """A statement in the hub's database."""
    return made.exec(made.container("db"), "psql", "-qAt", "-d", "jupyterhub", "-c", statement)


def revision(made: Deployed) -> str:
    return sql(made, "SELECT version_num FROM alembic_version").strip()


def since(made: Deployed, moment: str) -> str:
    """What the hub said since `moment`."""
    container = made.container("hub")
    done = subprocess.run(
        ["docker", "logs", f"--since={moment}", container],
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.stdout + done.stderr


def restarted_at(made: Deployed) -> str:
    hub = made.container("hub")
    docker("start", hub)
    return json.loads(docker("inspect", hub))[0]["State"]["StartedAt"]


def test_tables_of_an_older_hub_are_brought_up_to_date(taken_back):
    """JupyterHub's last change of its tables is undone here, as if its version before had run."""
    course, _ = taken_back
    made = course.made
    head, before, undo = LAST_CHANGE
    assert revision(made) == head, "JupyterHub changed its tables: undo that change here"
    docker("stop", made.container("hub"))
    sql(made, f"{undo}; UPDATE alembic_version SET version_num = '{before}'")
    began = restarted_at(made)
    eventually("the hub is well", lambda: healthy(made, "hub"))
    assert f"from {before} to {head}" in since(made, began)
    assert revision(made) == head
    Person(made.url, "alice", made.passwords["alice"]).close()
    assert course.memory() == MEMORY


def test_tables_of_a_newer_hub_are_left_as_they_are_and_words_say_what_to_do(taken_back):
    course, _ = taken_back
    made = course.made
    head = revision(made)
    docker("stop", made.container("hub"))
    sql(made, "UPDATE alembic_version SET version_num = 'ffffffffffff'")
    began = restarted_at(made)
    try:
        eventually("the hub says why", lambda: "of a newer version" in since(made, began))
        output = since(made, began)
        assert "restore the backup" in output
        assert "Traceback" not in output
        assert revision(made) == "ffffffffffff"
        assert course.memory() == MEMORY
    finally:
        sql(made, f"UPDATE alembic_version SET version_num = '{head}'")
    eventually("the hub is well", lambda: healthy(made, "hub"))
