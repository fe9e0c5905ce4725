"""The formgrader's Autograde button: grades in a thread, and keeps what nobody has seen of it.

A page may be left, lose its connection or outlive the server while a submission is graded. So each
press is noted until its outcome was shown, and the page asks for the notes when it is opened.
"""

from __future__ import annotations

import asyncio
import copy
import datetime as dt
import json
import secrets
import traceback
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from jupyter_server.utils import url_path_join
from nbgrader.server_extensions.formgrader.apihandlers import AutogradeHandler
from nbgrader.server_extensions.formgrader.base import (
    BaseApiHandler,
    check_notebook_dir,
    check_xsrf,
)
from tornado import web
from traitlets.config import Config

from hub.facts import files
from hub.grading.pipeline.batch import BatchError, autograde
from hub.singleuser.due_dates import copied_due_dates
from hub.upstream.nbgrader import end_transaction

NOTES = "logitlab_autograding"  # key of the server's settings
THIS_SERVER = secrets.token_hex(8)

CUT_OFF = (
    "The course's server stopped before the submission was graded. Press Autograde again: it "
    "grades the submission from the start, and replaces whatever is half done."
)
UNEXPECTED = (
    "An unexpected error occurred, so the submission was not graded. Press Autograde again. If "
    "it happens again, send your admin the text below."
)


@dataclass(frozen=True)
class Press:
    """One press of Autograde whose outcome nobody has seen.

    began: its time, UTC.
    server: the server that was asked, of those that ran one after the other.
    log: what an unsuccessful grading printed; None while it goes on.
    """

    assignment: str
    student: str
    began: str
    server: str
    log: str | None = None

    def shown(self) -> dict[str, str]:
        """For the page: the student, a state, a sentence, and what was printed."""
        state, sentence, log = "running", f"{self.student} is being graded", ""
        if self.log is not None:
            state, sentence, log = "failed", f"{self.student} was not graded", self.log
        elif self.server != THIS_SERVER:
            state, sentence, log = "failed", f"Grading {self.student} was cut off", CUT_OFF
        sentence = f"{sentence} (Autograde was pressed at {self.began} UTC)."
        return {"student": self.student, "state": state, "sentence": sentence, "log": log}


class Presses:
    """The presses that nobody has seen the outcome of, in a file that outlives the server.

    On a disk that is full they are kept in memory only.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._presses = {(press.assignment, press.student): press for press in self._read()}

    def _read(self) -> Iterator[Press]:
        with suppress(OSError, ValueError, TypeError):
            for fields in json.loads(self._file.read_text(encoding="utf-8")):
                yield Press(**fields)

    def of(self, assignment: str) -> list[Press]:
        return [press for press in self._presses.values() if press.assignment == assignment]

    def begin(self, assignment: str, student: str) -> None:
        now = dt.datetime.now(dt.UTC).strftime("%Y-%m-%d %H:%M")
        self._presses[assignment, student] = Press(assignment, student, now, THIS_SERVER)
        self._write()

    def end(self, assignment: str, student: str, failed: str | None) -> None:
        """failed: what an unsuccessful grading printed."""
        press = self._presses.get((assignment, student))
        if press and failed is not None:
            self._presses[assignment, student] = replace(press, log=failed)
            self._write()
        else:
            self.forget(assignment, student)

    def forget(self, assignment: str, student: str) -> None:
        if self._presses.pop((assignment, student), None):
            self._write()

    def _write(self) -> None:
        text = json.dumps([asdict(press) for press in self._presses.values()])
        with suppress(OSError):
            self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            files.replace(self._file, text, mode=0o600)


class Autograde(AutogradeHandler):
    """Grades submissions one at a time, in a thread, so that other pages respond meanwhile.

    The dialog is red unless the submission was graded, and shows what the command would print.
    """

    _turn = asyncio.Lock()

    @web.authenticated
    @check_xsrf
    @check_notebook_dir
    async def post(self, assignment_id: str, student_id: str) -> None:
        config = copy.deepcopy(self.coursedir.parent.config)
        config.CourseDirectory.root = self.coursedir.root
        presses: Presses = self.settings[NOTES]
        presses.begin(assignment_id, student_id)
        async with self._turn:
            outcome = await asyncio.to_thread(_graded, config, assignment_id, student_id)
            # The extension of a student who is in the gradebook only since now.
            lines = await asyncio.to_thread(copied_due_dates, self.settings, self.coursedir.root)
        for line in lines:
            self.log.warning("%s", line)
        end_transaction(self.settings)
        error = outcome.get("error", "")
        if error:
            self.log.error(error)
        failed = None if outcome["success"] else f"{outcome['log']}\n{error}".strip()
        presses.end(assignment_id, student_id, failed)
        self.write(json.dumps(outcome))


def _graded(config: Config, assignment: str, student: str) -> dict[str, Any]:
    """The outcome, in the form of the formgrader's dialogs."""
    lines: list[str] = []
    try:
        for line in autograde(
            Path(config.CourseDirectory.root), assignment, [student], 1, True, config
        ):
            lines.append(line)
    except BatchError as error:
        return {"success": False, "log": "\n".join([error.shown, "", *lines])}
    except Exception:
        log = "\n".join([UNEXPECTED, "", *lines])
        return {"success": False, "log": log, "error": traceback.format_exc()}
    done = any(line.endswith(" 1 of 1 submissions graded") for line in lines)
    return {"success": done, "log": "\n".join(lines)}


class UnseenGradings(BaseApiHandler):
    """What the page of submissions shows above its list: gradings whose outcome was not seen."""

    @web.authenticated
    def get(self, assignment_id: str) -> None:
        presses: Presses = self.settings[NOTES]
        self.write(json.dumps([press.shown() for press in presses.of(assignment_id)]))


class SeenGrading(BaseApiHandler):
    """Told by the page once somebody has seen an outcome."""

    @web.authenticated
    @check_xsrf
    def delete(self, assignment_id: str, student_id: str) -> None:
        presses: Presses = self.settings[NOTES]
        presses.forget(assignment_id, student_id)
        self.set_status(204)


def add_routes(webapp: Any, course: Path) -> None:
    """Routes of what the page of submissions asks about gradings in the course folder `course`."""
    webapp.settings[NOTES] = Presses(course / "server" / "autograding.json")
    below = url_path_join(webapp.settings["base_url"], "/formgrader/api/autograding")
    routes = [(rf"{below}/([^/]+)", UnseenGradings), (rf"{below}/([^/]+)/([^/]+)", SeenGrading)]
    webapp.add_handlers(".*$", routes)
