"""Corrects nbgrader's formgrader, as an extension at its own hooks.

Formulas are already MathML (`hub.grading.pipeline.sanitise`), so its pages get no MathJax; students
without a name go by their user name; its logs are for people who grade; no file that a student
submitted can run scripts; names are text, whatever they contain; without containers it warns what
is not protected; its Generate and Autograde buttons do what `logitlab generate` and `logitlab
autograde` do; and an assignment can only be added under a name that students can fetch.
"""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any

from jupyter_server.utils import url_path_join
from nbgrader.server_extensions.formgrader.apihandlers import (
    AssignHandler,
    AssignmentCollectionHandler,
    AssignmentHandler,
    AutogradeHandler,
)
from nbgrader.server_extensions.formgrader.base import (
    BaseApiHandler,
    check_notebook_dir,
    check_xsrf,
)
from nbgrader.server_extensions.formgrader.formgrader import FormgradeExtension
from nbgrader.server_extensions.formgrader.handlers import SubmissionFilesHandler, template_path
from tornado import web
from tornado.ioloop import PeriodicCallback
from traitlets.config import Config

from hub.authoring.errors import AuthoringError
from hub.authoring.register import release_in_course
from hub.core.course_folder import CourseFolder
from hub.core.environment import Environment
from hub.exchange.course_id import changed_id
from hub.exchange.due import settings_differ
from hub.exchange.errors import Refusal
from hub.facts.errors import UserError
from hub.facts.names import IDENTIFIER, IDENTIFIER_RULE, assignment_name_fault
from hub.grading.sandbox.landlock import describe, landlock_version
from hub.singleuser.autograding import Autograde, add_routes
from hub.singleuser.due_dates import (
    ENVIRONMENT,
    CourseApi,
    copied_due_dates,
    entered_date,
    in_utc,
    move_due_date,
    zone_of,
)
from hub.singleuser.protection import NEVER, add_page
from hub.upstream.nbgrader import end_transaction, put_pages_before, replace_handler

IDLE_SECONDS = 60
PAGES = Path(__file__).parents[1] / "grading" / "pipeline" / "pages"


class SubmittedFile(SubmissionFilesHandler):
    """A file that a student submitted, to which the notebook may link: it is shown, but a page
    has no origin and no scripts."""

    @property
    def content_security_policy(self) -> str:
        return "default-src 'none'; img-src data:; style-src 'unsafe-inline'; sandbox"


class Generate(AssignHandler):
    """Generates as `logitlab generate` does, in a thread; the dialog shows what that prints."""

    _turn = asyncio.Lock()

    @web.authenticated
    @check_xsrf
    @check_notebook_dir
    async def post(self, assignment_id: str) -> None:
        course = self.coursedir
        async with self._turn:
            outcome = await asyncio.to_thread(
                _generated, Path(course.root), assignment_id, course.course_id, course.db_url
            )
        end_transaction(self.settings)
        self.write(json.dumps(outcome))


def _generated(root: Path, assignment: str, course_id: str, db_url: str) -> dict[str, Any]:
    """The outcome, in the form of the formgrader's dialogs."""
    lines: list[str] = []
    try:
        for line in release_in_course(root, assignment, course_id=course_id, db_url=db_url):
            lines.append(line)
    except AuthoringError as error:
        return {"success": False, "log": "\n".join([*lines, str(error)])}
    return {"success": True, "log": "\n".join(lines)}


class _InCoursesZone(BaseApiHandler):
    """Shows due dates in the course's time zone."""

    @property
    def api(self) -> CourseApi:
        theirs = super().api  # which reads the configuration again
        api = CourseApi(self.coursedir, self.authenticator, parent=self.coursedir.parent)
        api.log_level = theirs.log_level
        return api


class AddAssignment(_InCoursesZone, AssignmentHandler):
    """Adds an assignment, or changes its due date: the exchange's first, if it was released.

    Refuses names that students cannot fetch, and a date that the exchange does not take.
    """

    @web.authenticated
    @check_xsrf
    @check_notebook_dir
    async def put(self, assignment_id: str) -> None:
        name = assignment_id.strip()
        if fault := assignment_name_fault(name):
            self.set_status(400)
            self.finish({"message": " ".join(fault)})
            return
        course, environment = self.coursedir, self.settings[ENVIRONMENT]
        try:
            body = self.get_json_body() or {}
            due = entered_date(body, zone_of(course.root))
            await asyncio.to_thread(
                move_due_date, environment, course.course_id, course.db_url, name, due
            )
        except UserError as error:
            self.set_status(error.status if isinstance(error, Refusal) else 409)
            self.finish({"message": f"The due date was not changed. {error}"})
            return
        end_transaction(self.settings)
        self.request.body = json.dumps({**body, **in_utc(due)}).encode()
        super().put(assignment_id)


class Assignments(_InCoursesZone, AssignmentCollectionHandler):
    """The list of assignments, after the gradebook's due dates were made the exchange's."""

    @web.authenticated
    @check_xsrf
    @check_notebook_dir
    async def get(self) -> None:
        lines = await asyncio.to_thread(copied_due_dates, self.settings, self.coursedir.root)
        for line in lines:
            self.log.warning("%s", line)
        end_transaction(self.settings)
        super().get()


class CourseWarning(BaseApiHandler):
    """Messages above the list of assignments, requested by the page's script, as the exchange may
    be slow to answer."""

    @web.authenticated
    async def get(self) -> None:
        course = self.coursedir
        folder = CourseFolder(Path(course.root), self.settings[ENVIRONMENT])
        output = await asyncio.to_thread(_warnings, course.course_id, folder)
        self.write({"message": output})


def _warnings(course: str, folder: CourseFolder) -> str:
    found = [changed_id(course, folder)]
    if folder.settings_file.is_file():
        try:
            found += settings_differ(folder)
        except UserError as error:
            found.append(str(error))
    return "\n".join(filter(None, found))


class CourseFormgrader(FormgradeExtension):
    """The formgrader, with our templates before nbgrader's."""

    def build_extra_config(self) -> Config:
        config = super().build_extra_config()
        config.HTMLExporter.extra_template_basedirs = [str(PAGES), template_path]
        return config

    def init_tornado_settings(self, webapp: Any) -> None:
        super().init_tornado_settings(webapp)
        environment = put_pages_before(webapp, PAGES / "formgrader")
        environment.globals["protection"] = (
            "" if webapp.settings[ENVIRONMENT].executor else describe(landlock_version())
        )
        environment.globals["never"] = NEVER
        try:
            environment.globals["zone"] = str(zone_of(self.coursedir.root))
        except UserError:  # the page says what is wrong in course.yaml
            environment.globals["zone"] = "UTC"
        environment.globals["assignment_name"] = IDENTIFIER
        environment.globals["assignment_name_rule"] = IDENTIFIER_RULE

    def init_handlers(self, webapp: Any) -> None:
        # Before nbgrader's, the last of which is a catch-all below /formgrader.
        route = url_path_join(webapp.settings["base_url"], "/formgrader/api/course-warning")
        webapp.add_handlers(".*$", [(route, CourseWarning)])
        add_routes(webapp, Path(self.coursedir.root))
        add_page(webapp)
        super().init_handlers(webapp)
        replace_handler(webapp, SubmissionFilesHandler, SubmittedFile)
        replace_handler(webapp, AutogradeHandler, Autograde)
        replace_handler(webapp, AssignHandler, Generate)
        replace_handler(webapp, AssignmentHandler, AddAssignment)
        replace_handler(webapp, AssignmentCollectionHandler, Assignments)


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "hub.singleuser.formgrader"}]


def _load_jupyter_server_extension(server: Any) -> None:
    formgrader = CourseFormgrader(parent=server)
    formgrader.root_dir = server.root_dir
    formgrader.log = server.log
    # The dialogs show everything that is logged while a button works. The server's logger passes
    # everything on, and leaves filtering debug messages to its handlers.
    server.log.setLevel(server.log_level)
    server.web_app.settings[ENVIRONMENT] = Environment.read(os.environ)
    formgrader.initialize([])
    formgrader.init_tornado_settings(server.web_app)
    formgrader.init_handlers(server.web_app)
    settings = server.web_app.settings
    # Between requests: handlers never await anything while they use the gradebook.
    PeriodicCallback(lambda: end_transaction(settings), 1000 * IDLE_SECONDS).start()
