"""The exchange over HTTP: a Hub service that JupyterHub starts and proxies.

Handlers are thin: identify the caller, call `Access`, write JSON. Every API response is JSON or
an archive; a refusal is ``{"error": …, "what_to_do": …}`` with a matching status.
"""

from __future__ import annotations

import asyncio
import json
import logging
import math
from collections.abc import Collection, Mapping
from dataclasses import fields
from datetime import datetime
from typing import Any

from jupyterhub.services.auth import HubAuth, HubOAuth
from tornado.httpserver import HTTPServer
from tornado.web import Application, HTTPError, RequestHandler, stream_request_body

from hub.exchange import names
from hub.exchange.access import Access
from hub.exchange.blobs import Upload
from hub.exchange.browser import CallbackHandler, FeedbackPageHandler, HomeHandler
from hub.exchange.errors import InvalidName, LengthRequired, Refusal
from hub.exchange.headers import SecureHeaders
from hub.exchange.identity import caller_of
from hub.exchange.overview import CourseInfo
from hub.exchange.records import NEVER, Points, parse_time
from hub.exchange.store import Store

log = logging.getLogger(__name__)

REFUSED_BODY_BYTES = (
    1024 * 1024
)  # how much of a refused upload is read, so that the response arrives
BODY_SECONDS = 600  # how long one upload may take
_CHUNK_BYTES = 256 * 1024


class ApiHandler(SecureHeaders):
    """Identifies the caller by token before anything else, and responds in JSON."""

    access: Access

    def initialize(self, store: Store, courses: Collection[str], hub_auth: HubAuth) -> None:
        self.store, self.courses, self.hub_auth = store, courses, hub_auth

    async def prepare(self) -> None:
        caller = await caller_of(self.request.headers, self.hub_auth)
        self.access = Access(self.store, caller, self.courses)

    def answer(self, value: Any, status: int = 200) -> None:
        self.set_status(status)
        self.set_header("Content-Type", "application/json")
        self.finish(json.dumps(value))

    async def send_archive(self, sha256: str, size: int) -> None:
        """Stream a stored archive, with its SHA-256 in a header."""
        self.set_header("Content-Type", "application/x-tar")
        self.set_header("Content-Disposition", "attachment")
        self.set_header("Content-Length", str(size))
        self.set_header("X-Content-SHA256", sha256)
        with open(self.store.blob_path(sha256), "rb") as file:
            while chunk := await asyncio.to_thread(file.read, _CHUNK_BYTES):
                self.write(chunk)
                await self.flush()

    def query(self, name: str) -> str | None:
        """The last value of a query argument, or None."""
        values = self.get_query_arguments(name)
        return values[-1] if values else None

    def log_exception(self, kind: Any, value: Any, trace: Any) -> None:
        if not isinstance(value, Refusal):
            super().log_exception(kind, value, trace)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        error = kwargs.get("exc_info", (None, None, None))[1]
        if isinstance(error, Refusal):
            self.answer(error.as_json(), error.status)
        elif isinstance(error, HTTPError):
            self.answer({"error": self._reason, "what_to_do": "Check the address."}, status_code)
        else:
            self.answer(
                {
                    "error": "The exchange failed; nothing was acknowledged.",
                    "what_to_do": "Try again; if it persists, tell the administrator the time.",
                },
                500,
            )

    async def run(self, function: Any, *arguments: Any, **options: Any) -> Any:
        """Database and disk work, off the event loop."""
        return await asyncio.to_thread(function, *arguments, **options)


@stream_request_body
class UploadHandler(ApiHandler):
    """Receives one archive. `admit` may refuse it before its bytes are read, `keep` stores it.

    An early refusal is held back until a small body has been read, because a client that
    is still sending often loses a response that comes with a closed connection.
    """

    upload: Upload | None = None
    refusal: Refusal | None = None
    arrived = False

    async def prepare(self) -> None:
        if self.request.method != "PUT":
            await super().prepare()
            return
        length = self._length()
        self.request.connection.set_max_body_size(max(length, REFUSED_BODY_BYTES))  # type: ignore[union-attr]
        try:
            await super().prepare()
            self.digest = self._digest()
            await self.admit(length, **{k: v or "" for k, v in self.path_kwargs.items()})
            self.upload = self.access.begin_upload()
        except Refusal as refusal:
            if length > REFUSED_BODY_BYTES:
                raise
            self.refusal = refusal

    def _length(self) -> int:
        text = self.request.headers.get("Content-Length", "")
        if not text.isascii() or not text.isdigit() or "Transfer-Encoding" in self.request.headers:
            raise LengthRequired("The upload has no size.", "Send a Content-Length.")
        return int(text)

    def _digest(self) -> str:
        return names.check_sha256(self.request.headers.get("X-Content-SHA256", ""))

    def data_received(self, chunk: bytes) -> None:
        if self.upload is not None and self.refusal is None:
            try:
                self.upload.write(chunk)
            except Refusal as refusal:
                self.refusal = refusal

    async def put(self, **path: str) -> None:
        self.arrived = True
        try:
            if self.refusal is not None:
                raise self.refusal
            assert self.upload is not None
            kept = await self.keep(self.upload, **path)
        finally:
            self._close()
        self.answer(kept, 201)

    async def admit(self, size: int, **path: str) -> None:
        raise NotImplementedError

    async def keep(self, upload: Upload, **path: str) -> dict[str, Any]:
        raise NotImplementedError

    def on_connection_close(self) -> None:
        super().on_connection_close()
        if not self.arrived:  # else `put` is working on it, and closes it
            self._close()

    def _close(self) -> None:
        if self.upload is not None:
            self.upload.close()


class HealthHandler(SecureHeaders):
    """Tells anybody that the process is alive, and nothing else."""

    def get(self) -> None:
        self.finish({"status": "ok"})


class CoursesHandler(ApiHandler):
    async def get(self) -> None:
        self.answer(await self.run(self.access.courses))


class AssignmentsHandler(ApiHandler):
    async def get(self, course: str) -> None:
        releases = await self.run(self.access.assignments, course)
        self.answer([release.as_json() for release in releases])


class AssignmentHandler(UploadHandler):
    """GET fetches a release, PUT releases, DELETE withdraws."""

    async def get(self, course: str, assignment: str) -> None:
        release = await self.run(self.access.fetch, course, assignment)
        await self.send_archive(release.sha256, release.size)

    async def delete(self, course: str, assignment: str) -> None:
        gone = await self.run(self.access.unrelease, course, assignment)
        self.answer(gone.as_json())

    async def admit(self, size: int, **path: str) -> None:
        await self.run(self.access.may_release, path["course"], path["assignment"], size)
        text = self.query("due")
        self.due = None if text is None else _time(text)

    async def keep(self, upload: Upload, **path: str) -> dict[str, Any]:
        release = await self.run(
            self.access.release,
            path["course"],
            path["assignment"],
            upload,
            self.digest,
            due=self.due,
            force=self.query("force") == "1",
        )
        return release.as_json()


class DueDatesHandler(ApiHandler):
    async def get(self, course: str) -> None:
        dates = await self.run(self.access.due_dates, course)
        self.answer([date.as_json() for date in dates])


class DueHandler(ApiHandler):
    async def put(self, course: str, assignment: str) -> None:
        text = self.query("due") or ""
        due = None if text == NEVER else _time(text)
        date = await self.run(self.access.set_due, course, assignment, due)
        self.answer(date.as_json())


class ExtensionsHandler(ApiHandler):
    async def get(self, course: str) -> None:
        found = await self.run(self.access.extensions, course)
        self.answer([extension.as_json() for extension in found])


class ExtensionHandler(ApiHandler):
    async def put(self, course: str, assignment: str, student: str) -> None:
        text = self.query("due") or ""
        due = None if text == NEVER else _time(text)
        extension = await self.run(self.access.extend, course, assignment, student, due)
        self.answer(extension.as_json())


def _time(text: str) -> datetime:
    try:
        return parse_time(text)
    except ValueError as error:
        raise InvalidName(f"{error}.", "Send `due` as 2027-03-01T22:00:00Z.") from None


class SubmitHandler(UploadHandler):
    """PUT with a client-made key: repeating it is safe and returns the same receipt."""

    async def admit(self, size: int, **path: str) -> None:
        await self.run(
            self.access.may_submit, path["course"], path["assignment"], path["key"], size
        )

    async def keep(self, upload: Upload, **path: str) -> dict[str, Any]:
        receipt = await self.run(
            self.access.submit,
            path["course"],
            path["assignment"],
            path["key"],
            upload,
            self.digest,
        )
        return receipt.as_json()


class MySubmissionsHandler(ApiHandler):
    async def get(self, course: str) -> None:
        mine = await self.run(self.access.my_submissions, course, self.query("assignment"))
        self.answer([submission.as_json() for submission in mine])


class AllSubmissionsHandler(ApiHandler):
    async def get(self, course: str) -> None:
        found = await self.run(
            self.access.all_submissions, course, self.query("assignment"), self.query("student")
        )
        self.answer([submission.as_json() for submission in found])


class DownloadHandler(ApiHandler):
    async def get(self, course: str, receipt: str) -> None:
        submission = await self.run(self.access.download, course, receipt)
        await self.send_archive(submission.sha256, submission.size)


class FeedbackHandler(UploadHandler):
    """GET returns feedback to the submission's owner; PUT is for instructors."""

    async def get(self, course: str, receipt: str) -> None:
        feedback = await self.run(self.access.my_feedback, course, receipt)
        await self.send_archive(feedback.sha256, feedback.size)

    async def admit(self, size: int, **path: str) -> None:
        await self.run(self.access.may_put_feedback, path["course"], path["receipt"], size)
        self.points = self._points()

    def _points(self) -> Points | None:
        texts = {field.name: self.query(field.name) for field in fields(Points)}
        if not any(texts.values()):
            return None
        try:
            numbers = {name: float(text or "") for name, text in texts.items()}
        except ValueError:
            numbers = {}
        if not numbers or not all(0 <= number < math.inf for number in numbers.values()):
            raise InvalidName("These are no points.", f"Send {', '.join(texts)}, from 0 on.")
        return Points(**numbers)

    async def keep(self, upload: Upload, **path: str) -> dict[str, Any]:
        feedback = await self.run(
            self.access.put_feedback,
            path["course"],
            path["receipt"],
            upload,
            self.digest,
            student=self.query("student") or "",
            assignment=self.query("assignment") or "",
            points=self.points,
        )
        return feedback.as_json()


class UnknownHandler(ApiHandler):
    """Any other address: known callers get 404, the rest 403."""

    async def get(self, _path: str) -> None:
        raise HTTPError(404)

    post = put = patch = delete = head = options = get


def application(
    store: Store,
    courses: Collection[str],
    hub_auth: HubOAuth,
    cookie_secret: bytes,
    infos: Mapping[str, CourseInfo] | None = None,
) -> Application:
    """The service's routes under ``hub_auth.base_url``.

    infos: what the page says of courses.
    """
    if not hub_auth.access_scopes:
        raise ValueError("without access scopes every token would be accepted")
    shared = {"store": store, "courses": courses, "hub_auth": hub_auth}
    pages = {**shared, "infos": infos or {}}
    name = r"(?P<course>[^/]+)"
    course, assignment = rf"courses/{name}", r"assignments/(?P<assignment>[^/]+)"
    submissions = rf"{course}/submissions"
    receipt = r"(?P<receipt>[^/]+)"
    api = [
        (r"courses", CoursesHandler),
        (rf"{course}/assignments", AssignmentsHandler),
        (rf"{course}/{assignment}", AssignmentHandler),
        (rf"{course}/due", DueDatesHandler),
        (rf"{course}/{assignment}/due", DueHandler),
        (rf"{course}/extensions", ExtensionsHandler),
        (rf"{course}/{assignment}/extensions/(?P<student>[^/]+)", ExtensionHandler),
        (rf"{course}/{assignment}/submissions/(?P<key>[^/]+)", SubmitHandler),
        (rf"{course}/my-submissions", MySubmissionsHandler),
        (submissions, AllSubmissionsHandler),
        (rf"{submissions}/{receipt}", DownloadHandler),
        (rf"{submissions}/{receipt}/feedback", FeedbackHandler),
    ]
    base = hub_auth.base_url
    return Application(
        [
            (base, HomeHandler, pages),
            (base + rf"feedback/{name}/{receipt}/(?P<page>[^/]+)", FeedbackPageHandler, pages),
            (base + r"oauth_callback", CallbackHandler, {"hub_auth": hub_auth}),
            (base + r"api/health", HealthHandler),
            *((base + "api/" + pattern, handler, shared) for pattern, handler in api),
            (r"/(.*)", UnknownHandler, shared),
        ],
        cookie_secret=cookie_secret,
        log_function=_log_request,
    )


def _log_request(handler: RequestHandler) -> None:
    """Log only failures here: the store logs state changes."""
    if handler.get_status() >= 500:
        request = handler.request
        log.error("failed status=%d %s %r", handler.get_status(), request.method, request.path)


def server(app: Application) -> HTTPServer:
    """Bodies are limited except where `UploadHandler` allows more."""
    return HTTPServer(
        app, max_body_size=REFUSED_BODY_BYTES, body_timeout=BODY_SECONDS, xheaders=False
    )
