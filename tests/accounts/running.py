"""A hub with people who set their own passwords, and browsers in front of it."""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from hub.core.course_folder import CourseFolder, new_course
from hub.people.accounts.issue import new_links
from hub.people.roster.importing import apply_import, plan_import
from hub.serve import free_port
from tests.e2e.embedded import LOGITLAB, RunningServer, stop

PASSWORD = "correct horse 7"
COURSE = """
course:
  id: m
people:
  admins: [root]
  instructors: [prof, ta]
  students: [bob]
accounts:
  login: native
  lock_after: 5
"""


@contextmanager
def served(root: Path, settings: str = COURSE, **environment: str) -> Iterator[RunningServer]:
    """`logitlab serve` on a course of its own; yields when the login page is up."""
    list(new_course(root))
    (root / "course.yaml").write_text(settings)
    port = free_port()
    process = subprocess.Popen(
        [str(LOGITLAB), "serve", f"--course={root}"],
        env=os.environ | {"LOGITLAB_PORT": str(port)} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    running = RunningServer(root, f"http://localhost:{port}", process, [])
    try:
        assert process.stdout
        for line in process.stdout:
            running.said.append(line.rstrip("\n"))
            if line.startswith("Press Ctrl-C"):
                break
        else:
            raise RuntimeError("the server did not start:\n" + "\n".join(running.said))
        yield running
    finally:
        stop(running)


def link(running: RunningServer, name: str) -> str:
    """A new link for `name`, as `logitlab roster links --new` makes it beside the server."""
    return new_links(CourseFolder(running.course), [name])[0][1]


def import_roster(running: RunningServer, content: str) -> None:
    """What `logitlab roster import --yes` does beside the server."""
    path = running.course.parent / "students.csv"
    path.write_text(content)
    folder = CourseFolder(running.course)
    for _ in apply_import(folder, plan_import(folder, path)):
        pass


def log(running: RunningServer) -> str:
    return (running.course / "server" / "log" / "hub.log").read_text()


def within(seconds: float, done: Callable[[], Any]) -> Any:
    """What `done` says as soon as it says something true; raises after `seconds`."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := done():
            return found
        time.sleep(0.2)
    raise TimeoutError(f"not within {seconds} seconds")


class Browser:
    """One browser: cookies, forms, and the address of the page as the referrer."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.http = httpx.Client(base_url=url, follow_redirects=True, timeout=60)

    def close(self) -> None:
        self.http.close()

    def get(self, path: str, **kwargs: Any) -> httpx.Response:
        return self.http.get(path, **kwargs)

    def send(self, page: httpx.Response, path: str, **fields: str) -> httpx.Response:
        """Send the form on `page`, as a browser would."""
        data = {"_xsrf": xsrf(page.text), **fields}
        return self.http.post(path, data=data, headers={"Referer": str(page.url)})

    def log_in(self, name: str, password: str = PASSWORD) -> httpx.Response:
        self.http.cookies.clear()
        page = self.get("/hub/login")
        return self.send(page, "/hub/login?next=/hub/home", username=name, password=password)

    def set_password(self, link: str, password: str = PASSWORD) -> httpx.Response:
        page = self.get(link)
        if page.status_code != 200:
            return page
        key = re.search(r'name="key" value="([^"]*)"', page.text)[1]  # type: ignore[index]
        return self.send(page, "/hub/set-password", key=key, password=password, again=password)

    def who(self) -> str | None:
        """Who is logged in here."""
        answer = self.http.get("/hub/home")
        found = re.search(r'user: "([^"]+)"', answer.text)
        return found[1] if found and "/hub/login" not in str(answer.url) else None


def xsrf(page: str) -> str:
    found = re.search(r'name="_xsrf" value="([^"]+)"|xsrf_token: "([^"]+)"', page)
    assert found, page[:2000]
    return found[1] or found[2]
