"""The Docker engine itself is restarted while people work.

Only where the engine was started by hand for these tests, as CI does: with --live-restore, and
nothing else on it. LOGITLAB_TEST_RESTART_ENGINE=1 says so.
"""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.docker import coursework
from tests.docker.coursework import receipts_in_home, submit
from tests.docker.stage import docker
from tests.docker.survival import (
    MEMORY,
    Class,
    Submitting,
    eventually,
    executes,
    first_process,
    gather,
    healthy,
    press_start,
    start_again,
    stop_server,
    wait_until_back,
)

# Another one each time: an engine that was restarted can hold on to a volume until its next start,
# and a deployment of the same name would find it.
PROJECT = f"lltsurve{secrets.token_hex(2)}"
PIDFILE = Path(os.environ.get("LOGITLAB_TEST_ENGINE_PIDFILE", "/var/run/docker.pid"))
GRADING = "/tmp/grading.log"
ENGINE_SECONDS = 90

pytestmark = [
    pytest.mark.docker,
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.needs("restarts"),
]


@dataclass(frozen=True)
class Engine:
    """A running dockerd, as somebody started it."""

    pid: int
    command: list[str]
    environment: dict[str, str]
    log: str

    @staticmethod
    def found() -> Engine:
        pid = int(PIDFILE.read_text(encoding="utf-8"))
        process = Path("/proc") / str(pid)
        variables = (process / "environ").read_text(encoding="utf-8").split("\0")
        return Engine(
            pid,
            (process / "cmdline").read_text(encoding="utf-8").rstrip("\0").split("\0"),
            dict(line.split("=", 1) for line in variables if "=" in line),
            os.readlink(process / "fd" / "1"),
        )

    def stop(self) -> None:
        os.kill(self.pid, signal.SIGTERM)
        eventually("the engine ended", lambda: not _runs(self.pid), ENGINE_SECONDS)

    def start(self) -> None:
        log = self.log if os.path.isfile(self.log) else os.devnull
        with open(log, "ab") as out:
            subprocess.Popen(
                self.command,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                cwd="/",
                start_new_session=True,
            )
        eventually("the engine answers", lambda: docker("info"), ENGINE_SECONDS)


def _runs(pid: int) -> bool:
    """A process that ended and was not yet waited for does not run."""
    try:
        state = (Path("/proc") / str(pid) / "stat").read_text(encoding="utf-8")
    except FileNotFoundError:
        return False
    return state.rpartition(")")[2].split()[0] != "Z"


@pytest.fixture(scope="module")
def course(stack) -> Iterator[Class]:
    if docker("info", "--format={{.LiveRestoreEnabled}}").strip() != "true":
        pytest.skip("the engine runs without --live-restore")
    gathered = gather(stack)
    yield gathered
    gathered.close()


def restart_engine(course: Class) -> None:
    """Stop the engine and start it again; until everything answers."""
    guard, engine = first_process(course.made, "guard"), Engine.found()
    engine.stop()
    try:
        time.sleep(1)
    finally:
        engine.start()
    wait_until_back(course, "guard", guard)


def test_servers_go_on_over_a_restart_of_the_engine_and_the_guard_finds_its_new_socket(course):
    made = course.made
    submit(course.alice)
    acknowledged = receipts_in_home(made, "alice")
    identity = "--format={{.Id}} {{.State.Pid}} {{.State.StartedAt}}"
    before = docker("inspect", identity, made.server_of("alice"))
    restart_engine(course)
    assert docker("inspect", identity, made.server_of("alice")) == before
    assert course.memory() == MEMORY
    assert acknowledged and receipts_in_home(made, "alice") == acknowledged
    assert not course.lost()
    eventually("the firewall stands", lambda: healthy(made, "firewall"))
    stop_server(made, course.bob)
    start_again(course.bob)


def test_restarted_amid_a_start_submissions_and_grading_nothing_is_lost(course):
    made = course.made
    stop_server(made, course.bob)
    server = made.server_of(coursework.GRADER)
    # Detached, as in a terminal of the formgrader: who asks for it through the engine loses it.
    command = f"logitlab autograde {coursework.ASSIGNMENT} --force > {GRADING} 2>&1"
    docker("exec", "--detach", server, "sh", "-c", f"{command}; echo ended >> {GRADING}")
    with ThreadPoolExecutor(1) as pool, Submitting(course) as submitting:
        eventually("a notebook is executed", lambda: executes(made))
        starting = pool.submit(press_start, course.bob)
        eventually("bob's container is there", lambda: made.server_of("bob"))
        amid = executes(made) and not starting.done()
        restart_engine(course)
        submitting.wait_for_one_more()
        start_again(course.bob)
        output = eventually("grading ended", lambda: _ended(made.exec(server, "cat", GRADING)))
    assert amid, "the restart came too late to be in the middle of things"
    assert "2 of 2 submissions graded" in output
    assert coursework.scores(course.instructor) == coursework.SCORES, output
    assert len(receipts_in_home(made, "alice")) >= submitting.acknowledged
    assert not course.lost()
    assert course.memory() == MEMORY


def _ended(output: str) -> str:
    return output if output.rstrip().endswith("ended") else ""
