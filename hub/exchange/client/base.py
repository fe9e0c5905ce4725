"""What all of our exchange classes share: where the exchange is, and how to fail."""

from __future__ import annotations

import fnmatch
import getpass
import os
from collections.abc import Callable
from datetime import datetime
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from nbgrader.exchange.abc import Exchange as ABCExchange
from traitlets import Bool, Instance, Unicode, default

from hub.core.environment import Environment
from hub.exchange.access import Caller
from hub.exchange.client.transport import HttpTransport, InProcessTransport, Record, Transport
from hub.exchange.errors import NotAllowed, Refusal
from hub.exchange.limits import ExchangeLimits
from hub.exchange.store import Store

STATE_FOLDER = Path(".logitlab", "exchange")  # below the home folder


@cache
def _store(folder: str) -> Store:
    """The store in `folder`, opened once per process."""
    return Store(Path(folder))


class Exchange(ABCExchange):
    """Connects to the exchange, and turns every refusal into one message without a traceback."""

    url = Unicode(
        help="Address of the exchange, e.g. http://127.0.0.1:8000/services/exchange. "
        "By default from the environment variable LOGITLAB_EXCHANGE_URL."
    ).tag(config=True)

    local_store = Unicode(
        help="Folder of an exchange to use in this process, without a server or accounts: "
        "whoever can write there is student and instructor. Used if no url is set."
    ).tag(config=True)

    state_dir = Unicode(
        help="Folder in which submissions wait until the server has acknowledged them."
    ).tag(config=True)

    path_includes_course = Bool(
        False,
        help="Whether assignments live in <course>/<assignment> instead of <assignment>.",
    ).tag(config=True)

    environment = Instance(Environment, help="What this process was told from outside.")

    @default("environment")
    def _environment_default(self) -> Environment:
        # nbgrader makes these classes, from its applications and its server extensions.
        return Environment.read(os.environ)

    @default("url")
    def _url_default(self) -> str:
        return self.environment.exchange_url

    @default("state_dir")
    def _state_dir_default(self) -> str:
        return str(Path.home() / STATE_FOLDER)

    @cached_property
    def transport(self) -> Transport:
        """The exchange, as this process's user."""
        if self.url:
            if not self.environment.hub_token:
                raise NotAllowed(
                    "JUPYTERHUB_API_TOKEN is not set, so the exchange cannot identify you.",
                    "Run this in your server on the hub.",
                )
            return HttpTransport(self.url, self.environment.hub_token)
        if self.local_store:
            user = self.environment.hub_user or getpass.getuser()
            course = self.coursedir.course_id
            groups = frozenset({f"nbgrader-{course}", f"formgrade-{course}"})
            return InProcessTransport(_store(self.local_store), Caller(user, groups), {course})
        raise NotAllowed(
            "The address of the exchange is not set.",
            "Run this in your server on the hub, where LOGITLAB_EXCHANGE_URL is set.",
        )

    def course(self) -> str:
        """The course's id; fails if none is set."""
        if not self.coursedir.course_id:
            self.fail("No course id specified. Re-run with --course flag.")
        return self.coursedir.course_id

    def limits(self) -> ExchangeLimits:
        """The server's limits in this course. Raises NotAllowed outside the user's courses."""
        courses = {record["course"]: record for record in self.transport.courses()}
        if self.course() not in courses:
            yours = ", ".join(courses) or "none"
            raise NotAllowed(
                f"You are not in the course {self.course()!r}.",
                f"Your courses: {yours}. Ask the instructor to add you.",
            )
        return ExchangeLimits(**courses[self.course()]["limits"])

    def assignment_path(self, course: str, assignment: str) -> Path:
        """The path of a student's copy of an assignment, whether it exists or not."""
        parts = (course, assignment) if self.path_includes_course else (assignment,)
        return Path(self.assignment_dir, *parts).absolute()

    def ignored(self) -> Callable[[str, os.DirEntry], bool]:
        """Whether to leave a file out: hidden, ignored by the course directory, or an environment.

        Warns about an environment, as somebody put it there on purpose.
        """
        exclude, include = self.coursedir.ignore, self.coursedir.include

        def ignored(path: str, entry: os.DirEntry) -> bool:
            if entry.is_dir(follow_symlinks=False) and _is_environment(Path(entry.path)):
                self.log.warning(
                    "%s/ is left out: it holds installed packages, not your work", path
                )
                return True
            left_out = entry.name.startswith(".") or _matches(entry.name, exclude)
            if not left_out and not entry.is_dir(follow_symlinks=False):
                left_out = not _matches(entry.name, include)
            if left_out:
                self.log.debug("Leaving out %s", path)
            return left_out

        return ignored

    def timestamp_text(self, record: Record) -> str:
        """The server's time of a submission in nbgrader's format, in UTC."""
        return datetime.fromisoformat(record["received_at"]).strftime(self.timestamp_format)

    def start(self) -> Any:
        message = ""
        try:
            return super().start()
        except Refusal as refusal:
            message = str(refusal)
        self.fail(message)  # outside the handler, so that no exception chain is shown


def _is_environment(folder: Path) -> bool:
    """Whether a folder was made by `python -m venv`, conda or npm."""
    marks = (folder / "pyvenv.cfg", folder / "conda-meta")
    return folder.name == "node_modules" or any(mark.exists() for mark in marks)


def _matches(name: str, patterns: list[str]) -> bool:
    return any(fnmatch.fnmatch(name, pattern) for pattern in patterns)
