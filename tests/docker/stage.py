"""A whole deployment of its own for tests: images that are there, `up`, people with passwords."""

from __future__ import annotations

import csv
import fcntl
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from hub.host.deploy.subnet import host_routes, overlapping
from hub.serve import free_port
from tests.needs import SOCKET, TAG

CHECKOUT = Path(__file__).parents[2]
PEOPLE = ("admin", "instructor", "alice", "bob")
ASSIGNMENTS = ("start", "06-induction-heads")
UP_SECONDS = 400


@dataclass
class Deployed:
    """A running deployment."""

    folder: Path
    project: str
    url: str
    passwords: dict[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        return os.environ | {"LOGITLAB_DEPLOYMENT": str(self.folder)}

    def deploy(self, *arguments: str, check: bool = True) -> str:
        """`python -m hub.host.deploy …` on this deployment; what it said."""
        done = subprocess.run(
            [sys.executable, "-m", "hub.host.deploy", *arguments],
            cwd=CHECKOUT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=UP_SECONDS,
            stdin=subprocess.DEVNULL,
        )
        if check and done.returncode:
            raise RuntimeError(f"{arguments}:\n{done.stdout}{done.stderr}")
        return done.stdout + done.stderr

    def container(self, service: str) -> str:
        """Id of the container of a service."""
        labels = {"project": self.project, "service": service}
        filters = [f"--filter=label=com.docker.compose.{k}={v}" for k, v in labels.items()]
        return docker("ps", "-aq", *filters).split()[0]

    def exec(self, container: str, *command: str, user: str = "", check: bool = True) -> str:
        """Run `command` in a container, by its id or name; what it printed."""
        as_user = [f"--user={user}"] if user else []
        return docker("exec", *as_user, container, *command, check=check)

    def server_of(self, user: str) -> str:
        """Name of the container of a person's server."""
        wanted = [
            f"--filter=label=logitlab.{k}={v}"
            for k, v in {"project": self.project, "user": user}.items()
        ]
        return docker("ps", "-a", "--format={{.Names}}", *wanted).strip()

    def set_passwords(self) -> None:
        """Open everybody's one-time link and choose a password, as people do."""
        table = self.deploy("links")
        lines = [line for line in table.splitlines() if "," in line]
        for row in csv.DictReader(lines):
            self.passwords[row["name"]] = f"a long password of {row['name']}"[:72]
            open_link(row["link"], self.passwords[row["name"]])


def open_link(link: str, password: str) -> None:
    """Set a password at a one-time link."""
    with httpx.Client(follow_redirects=True, timeout=60) as http:
        page = http.get(link)
        page.raise_for_status()
        fields = dict(re.findall(r'<input[^>]*name="([^"]+)"[^>]*value="([^"]*)"', page.text))
        fields |= {"password": password, "again": password}
        answer = http.post(link.partition("?")[0], data=fields)
        answer.raise_for_status()


def docker(*arguments: str, check: bool = True) -> str:
    """Run `docker …`; what it printed."""
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True, timeout=300)
    if check and done.returncode:
        raise RuntimeError(f"docker {' '.join(arguments)}:\n{done.stdout}{done.stderr}")
    return done.stdout


def course_yaml(more: str = "") -> str:
    return (
        "course: {id: mechinterp, title: Mechanistic interpretability}\n"
        "people: {admins: [admin], instructors: [instructor], students: [alice, bob]}\n"
        f"{more}"
    )


@contextmanager
def reserved_subnet() -> Iterator[str]:
    """A private network for students' servers that no other test and no interface here uses.

    A run that was cut off leaves its networks; until somebody clears them, theirs are passed over.
    """
    for number in range(216, 256):
        subnet = f"10.{number}.0.0/16"
        with open(Path(tempfile.gettempdir()) / f"logitlab-test-subnet-{number}", "w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            if not overlapping(subnet, host_routes()):
                yield subnet
                return
    raise RuntimeError(
        "No subnet for tests is free. `python -m tests.docker.stage` removes what tests that were "
        "cut off have left."
    )


@contextmanager
def deployed(folder: Path, project: str, settings: str = "", **env: str) -> Iterator[Deployed]:
    """A deployment in `folder`, up and with everybody's password set; removed afterwards."""
    port = free_port()
    folder.mkdir(parents=True, exist_ok=True)
    with reserved_subnet() as subnet:
        values = {
            "LOGITLAB_PROJECT": project,
            "LOGITLAB_TAG": TAG,
            "HTTP_PORT": str(port),
            "STUDENTS_SUBNET": subnet,
            "DOCKER_SOCKET": str(SOCKET),
            **env,
        }
        lines = [f"{name}={value}" for name, value in values.items()]
        (folder / ".env").write_text("\n".join(lines) + "\n", encoding="utf-8")
        (folder / "course.yaml").write_text(course_yaml(settings), encoding="utf-8")
        made = Deployed(folder, project, f"http://localhost:{port}")
        remove(made)  # what a run that was cut off has left
        try:
            made.deploy("up")
            made.set_passwords()
            yield made
        finally:
            remove(made)


def remove(made: Deployed) -> None:
    """Take the deployment away, with its volumes."""
    made.deploy("down", check=False)
    volumes = docker("volume", "ls", "-q").split()
    mine = [name for name in volumes if name.startswith(f"{made.project}_")]
    if mine:
        docker("volume", "rm", "-f", *mine, check=False)


def fill_course(made: Deployed, instructor, assignments: tuple[str, ...] = ASSIGNMENTS) -> None:
    """What an instructor does first, in a terminal of the formgrader's JupyterLab."""
    instructor.start_server("grader-mechinterp")
    server = made.server_of("grader-mechinterp")
    made.exec(server, "logitlab", "course", "add", *assignments)
    for name in assignments:
        made.exec(server, "logitlab", "generate", name)
    made.exec(server, "logitlab", "release", "--hand-out", *assignments)


def exported_grades(made: Deployed) -> str:
    """What `logitlab export` writes."""
    server = made.server_of("grader-mechinterp")
    made.exec(server, "logitlab", "export", "/tmp/grades.csv")
    return made.exec(server, "cat", "/tmp/grades.csv")


def clear() -> None:
    """Remove what tests that were cut off have left on this engine; none may be running."""
    of_tests = [f"--filter=name={start}" for start in ("^/?llt", "^/?llguard")]
    for kind, show, drop in (
        ("container", ("ls", "-aq"), ("rm", "-f")),
        ("network", ("ls", "-q"), ("rm",)),
        ("volume", ("ls", "-q"), ("rm", "-f")),
    ):
        left = docker(kind, *show, *of_tests).split()
        if left:
            print(f"removing {len(left)} {kind}s that earlier tests have left")
            # An engine that was restarted can hold on to a volume until its next start.
            docker(kind, *drop, *left, check=False)
    images = docker("image", "ls", "--format={{.Repository}}:{{.Tag}}", "*/*:llguard*").split()
    if images:
        print(f"removing {len(images)} image tags that earlier tests have left")
        docker("image", "rm", *images)


if __name__ == "__main__":
    clear()
