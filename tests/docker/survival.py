"""Ends services of a deployment as accidents do, and waits until everything answers again."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import httpx

from tests.docker import coursework
from tests.docker.coursework import receipts_in_exchange, receipts_in_home
from tests.docker.kernels import Kernel
from tests.docker.stage import Deployed, docker
from tests.e2e.hub_client import Person

RECOVERY_SECONDS = 180
NOT_YET = (httpx.HTTPError, OSError, RuntimeError, ValueError)

T = TypeVar("T")


def eventually(what: str, holds: Callable[[], T], seconds: float = RECOVERY_SECONDS) -> T:
    """What `holds` returns, as soon as it is true. Raises TimeoutError."""
    deadline, last = time.monotonic() + seconds, None
    while time.monotonic() < deadline:
        try:
            if found := holds():
                return found
        except NOT_YET as error:
            last = error
        time.sleep(0.3)
    raise TimeoutError(f"{what}: not within {seconds} seconds" + (f" ({last!r})" if last else ""))


@dataclass
class Class:
    """Alice with work in a kernel, bob, the instructor, and a course that was graded once."""

    made: Deployed
    alice: Person
    bob: Person
    instructor: Person
    kernel: Kernel
    token: str  # of alice, for the exchange

    def memory(self) -> str:
        """What alice's kernel remembers."""
        return self.kernel.run("print(memory)")

    def lost(self) -> set[coursework.Receipt]:
        """Receipts in alice's home that the exchange knows nothing of."""
        have = receipts_in_home(self.made, "alice")
        return have - receipts_in_exchange(self.alice, self.token)

    def close(self) -> None:
        for person in (self.alice, self.bob, self.instructor):
            person.close()


MEMORY = "what alice computed\n"


def gather(made: Deployed) -> Class:
    """The class at work: everybody's server runs, both students submitted and were collected."""
    alice, bob, instructor = (
        Person(made.url, name, made.passwords[name]) for name in ("alice", "bob", "instructor")
    )
    coursework.prepare(made, instructor)
    for person, text in ((alice, coursework.HALF), (bob, coursework.RIGHT)):
        person.start_server()
        coursework.fetch(person)
        coursework.answer(person, text)
        coursework.submit(person)
    coursework.collect(instructor)
    kernel = Kernel(alice)
    kernel.run(f"memory = {MEMORY.strip()!r}")
    return Class(made, alice, bob, instructor, kernel, alice.token(expires_in=7200))


def kill(made: Deployed, part: str) -> int:
    """SIGKILL to the first process of a service, from the host; its id.

    Not `docker kill`, which the engine takes for an administrator's wish that it stay down.
    """
    pid = first_process(made, part)
    os.kill(pid, signal.SIGKILL)
    return pid


def first_process(made: Deployed, part: str) -> int:
    return int(docker("inspect", "--format={{.State.Pid}}", made.container(part)))


def healthy(made: Deployed, part: str) -> bool:
    """Whether the service's own check of its health, made now, says that it is well."""
    container = made.container(part)
    kind, *command = json.loads(
        docker("inspect", "--format={{json .Config.Healthcheck.Test}}", container)
    )
    made.exec(container, *(["sh", "-c"] if kind == "CMD-SHELL" else []), *command)
    return True


def wait_until_back(course: Class, part: str, killed: int) -> None:
    """Until the service runs again, and the hub, alice's server and the exchange answer."""
    made = course.made
    eventually(f"{part} is started again", lambda: first_process(made, part) not in (0, killed))
    eventually(f"{part} is well", lambda: healthy(made, part))
    eventually("the login page", lambda: _is_ok(course.alice.http.get("/hub/health")))
    eventually("alice's server", lambda: is_up(course.alice))
    eventually("the exchange", lambda: receipts_in_exchange(course.alice, course.token))


def _is_ok(answer: httpx.Response) -> bool:
    return answer.status_code == 200


def is_up(person: Person) -> bool:
    """Whether the person's server answers."""
    answer = person.server("GET", "/api/status")
    return _is_ok(answer) and "started" in answer.json()


def press_start(person: Person) -> Any:
    """What the Start button asks of the hub, on a page that was just loaded."""
    person.load_page()
    return person.api("POST", f"/users/{person.name}/server")


def start_again(person: Person) -> None:
    """Until the person's server is up; presses Start as long as it is not."""

    def up() -> bool:
        if is_up(person):
            return True
        press_start(person)
        return False

    eventually(f"the server of {person.name}", up)


def executes(made: Deployed) -> bool:
    """Whether somebody's notebook is executed at this moment."""
    # The student process, and the template from which it is forked.
    return docker("top", made.container("executor")).count("hub.grading.template") > 1


def stop_server(made: Deployed, person: Person, owner: str = "") -> None:
    """Stop the server of `owner`, by default the person's own; until its container is gone."""
    owner = owner or person.name
    person.load_page()
    person.api("DELETE", f"/users/{owner}/server")
    eventually(f"{owner}'s container is gone", lambda: not made.server_of(owner))


@dataclass
class Submitting:
    """Alice submits again and again, each time something else, until she is stopped."""

    course: Class
    acknowledged: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)

    def __enter__(self) -> Submitting:
        self._thread = threading.Thread(target=self._submit_all, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(120)
        assert not self._thread.is_alive()

    def _submit_all(self) -> None:
        number = 0
        while not self._stop.is_set():
            number += 1
            try:
                self._submit(number)
                self.acknowledged += 1
            except NOT_YET:
                time.sleep(0.2)

    def _submit(self, number: int) -> None:
        made = self.course.made
        script = f"echo {number} > ~/{coursework.ASSIGNMENT}/try.txt"
        made.exec(made.server_of("alice"), "sh", "-c", script)
        coursework.submit(self.course.alice)

    def wait_for_one_more(self) -> None:
        before = self.acknowledged
        eventually("one more submission is acknowledged", lambda: self.acknowledged > before)
