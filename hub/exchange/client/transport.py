"""How the client reaches the store: over HTTP, or in its own process, with the same interface.

Answers are what the service sends as JSON (see `hub.exchange.records`).
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict
from typing import Any, BinaryIO, Protocol, TypeVar
from urllib.parse import quote

import httpx

from hub.exchange.access import Access, Caller
from hub.exchange.blobs import Upload
from hub.exchange.errors import InvalidArchive, NotAllowed, Refusal, ServiceAway
from hub.exchange.records import NEVER, Points, parse_time
from hub.exchange.store import Store

Record = dict[str, Any]
T = TypeVar("T")

RETRY_SECONDS = 60.0  # no attempt starts later than this after the first
_COPY_BYTES = 256 * 1024


class Transport(Protocol):
    """The requests to the exchange. Any call may raise Refusal; archives are seekable files."""

    def courses(self) -> list[Record]: ...

    def assignments(self, course: str) -> list[Record]: ...

    def fetch(self, course: str, assignment: str, out: BinaryIO) -> None: ...

    def submit(self, course: str, assignment: str, key: str, archive: BinaryIO) -> Record: ...

    def my_submissions(self, course: str) -> list[Record]: ...

    def my_feedback(self, course: str, receipt: str, out: BinaryIO) -> None: ...

    def release(
        self, course: str, assignment: str, archive: BinaryIO, *, due: str | None, force: bool
    ) -> Record: ...

    def unrelease(self, course: str, assignment: str) -> Record: ...

    def due_dates(self, course: str) -> list[Record]: ...

    def set_due(self, course: str, assignment: str, due: str | None) -> Record: ...

    def extensions(self, course: str) -> list[Record]: ...

    def extend(self, course: str, assignment: str, student: str, due: str | None) -> Record: ...

    def all_submissions(self, course: str, assignment: str | None) -> list[Record]: ...

    def download(self, course: str, receipt: str, out: BinaryIO) -> None: ...

    def put_feedback(
        self,
        course: str,
        receipt: str,
        archive: BinaryIO,
        *,
        student: str,
        assignment: str,
        points: Points | None,
    ) -> Record: ...


def sha256_of(file: BinaryIO) -> str:
    """SHA-256 in hexadecimal of a whole file, which is rewound afterwards."""
    digest = hashlib.sha256()
    file.seek(0)
    while chunk := file.read(_COPY_BYTES):
        digest.update(chunk)
    file.seek(0)
    return digest.hexdigest()


class HttpTransport:
    """The exchange at `url` for the holder of `token`.

    Every call is safe to repeat, so after a lost connection, or while the service is restarting,
    it is retried after each of `delays`; then ServiceAway is raised.
    """

    delays: Sequence[float] = (0.5, 1.0, 2.0, 4.0)  # seconds between attempts

    def __init__(self, url: str, token: str) -> None:
        # No settings from the environment: a proxy or .netrc meant for the internet has no
        # place between a student's server and the hub.
        self._http = httpx.Client(
            base_url=url.rstrip("/") + "/api/",
            headers={"Authorization": f"token {token}"},
            timeout=httpx.Timeout(60, connect=5),
            trust_env=False,
            verify=url.startswith("https:"),  # no certificates to load for plain HTTP
        )

    def _path(self, *parts: str) -> str:
        return "/".join(quote(part, safe="") for part in parts)

    def _repeated(self, attempt: Callable[[], T]) -> T:
        begun = time.monotonic()
        for delay in (*self.delays, None):
            try:
                return attempt()
            except httpx.TransportError as error:
                away = ServiceAway(
                    f"The course's exchange does not answer ({type(error).__name__}).",
                    "Try again in a minute; nothing of yours is lost.",
                )
            except ServiceAway as error:
                away = error
            if delay is None or time.monotonic() - begun + delay > RETRY_SECONDS:
                break
            time.sleep(delay)
        raise away from None

    def _json(self, method: str, path: str, **params: str | None) -> Any:
        return self._repeated(lambda: self._read(method, path, params))

    def _read(self, method: str, path: str, params: dict[str, str | None], **body: Any) -> Any:
        given = {name: value for name, value in params.items() if value is not None}
        response = self._http.request(method, path, params=given, **body)
        _raise_for(response)
        return response.json()

    def _upload(self, path: str, archive: BinaryIO, **params: str | None) -> Any:
        sha256 = sha256_of(archive)

        def attempt() -> Any:
            archive.seek(0)
            headers = {"X-Content-SHA256": sha256, "Content-Type": "application/x-tar"}
            return self._read("PUT", path, params, content=archive, headers=headers)

        return self._repeated(attempt)

    def _archive(self, path: str, out: BinaryIO) -> None:
        """Download `path` to `out`, checked against the SHA-256 sent with it."""

        def attempt() -> None:
            out.seek(0)
            out.truncate()
            with self._http.stream("GET", path) as response:
                if response.status_code != 200:
                    response.read()
                _raise_for(response)
                for chunk in response.iter_bytes(_COPY_BYTES):
                    out.write(chunk)
            if sha256_of(out) != response.headers.get("X-Content-SHA256"):
                raise InvalidArchive("The download was damaged in transit.", "Try again.")

        self._repeated(attempt)

    def courses(self) -> list[Record]:
        return self._json("GET", "courses")

    def assignments(self, course: str) -> list[Record]:
        return self._json("GET", self._path("courses", course, "assignments"))

    def fetch(self, course: str, assignment: str, out: BinaryIO) -> None:
        self._archive(self._path("courses", course, "assignments", assignment), out)

    def submit(self, course: str, assignment: str, key: str, archive: BinaryIO) -> Record:
        path = self._path("courses", course, "assignments", assignment, "submissions", key)
        return self._upload(path, archive)

    def my_submissions(self, course: str) -> list[Record]:
        return self._json("GET", self._path("courses", course, "my-submissions"))

    def my_feedback(self, course: str, receipt: str, out: BinaryIO) -> None:
        self._archive(self._path("courses", course, "submissions", receipt, "feedback"), out)

    def release(
        self, course: str, assignment: str, archive: BinaryIO, *, due: str | None, force: bool
    ) -> Record:
        path = self._path("courses", course, "assignments", assignment)
        return self._upload(path, archive, due=due, force="1" if force else None)

    def unrelease(self, course: str, assignment: str) -> Record:
        return self._json("DELETE", self._path("courses", course, "assignments", assignment))

    def due_dates(self, course: str) -> list[Record]:
        return self._json("GET", self._path("courses", course, "due"))

    def set_due(self, course: str, assignment: str, due: str | None) -> Record:
        path = self._path("courses", course, "assignments", assignment, "due")
        return self._json("PUT", path, due=due or NEVER)

    def extensions(self, course: str) -> list[Record]:
        return self._json("GET", self._path("courses", course, "extensions"))

    def extend(self, course: str, assignment: str, student: str, due: str | None) -> Record:
        path = self._path("courses", course, "assignments", assignment, "extensions", student)
        return self._json("PUT", path, due=due or NEVER)

    def all_submissions(self, course: str, assignment: str | None) -> list[Record]:
        return self._json(
            "GET", self._path("courses", course, "submissions"), assignment=assignment
        )

    def download(self, course: str, receipt: str, out: BinaryIO) -> None:
        self._archive(self._path("courses", course, "submissions", receipt), out)

    def put_feedback(
        self,
        course: str,
        receipt: str,
        archive: BinaryIO,
        *,
        student: str,
        assignment: str,
        points: Points | None,
    ) -> Record:
        path = self._path("courses", course, "submissions", receipt, "feedback")
        numbers = {name: str(number) for name, number in asdict(points).items()} if points else {}
        return self._upload(path, archive, student=student, assignment=assignment, **numbers)


def _raise_for(response: httpx.Response) -> None:
    """Raise the refusal in a response. A proxy's 502, 503 and 504 mean that the service is down."""
    status = response.status_code
    if status in (200, 201):
        return
    if status in (502, 503, 504):
        raise ServiceAway(
            "The course's exchange is not running at the moment.",
            "Try again in a minute; nothing of yours is lost.",
        )
    if 300 <= status < 400:
        raise NotAllowed("The exchange asks for a login.", "Restart your server, then try again.")
    try:
        answer = response.json()
        raise Refusal(str(answer["error"]), str(answer["what_to_do"]), status)
    except (ValueError, KeyError, TypeError):
        raise Refusal(
            f"The exchange answered {status}.", "Tell the administrator.", status
        ) from None


class InProcessTransport:
    """A store in this process, under the same access rules, for local mode and tests."""

    def __init__(self, store: Store, caller: Caller, courses: Collection[str]) -> None:
        self._access = Access(store, caller, courses)
        self._store = store

    def _upload(self, archive: BinaryIO, keep: Callable[[Upload, str], T]) -> T:
        sha256 = sha256_of(archive)
        upload = self._access.begin_upload()
        try:
            while chunk := archive.read(_COPY_BYTES):
                upload.write(chunk)
            return keep(upload, sha256)
        finally:
            upload.close()

    def _copy(self, sha256: str, out: BinaryIO) -> None:
        with open(self._store.blob_path(sha256), "rb") as file:
            while chunk := file.read(_COPY_BYTES):
                out.write(chunk)

    def courses(self) -> list[Record]:
        return self._access.courses()

    def assignments(self, course: str) -> list[Record]:
        return [release.as_json() for release in self._access.assignments(course)]

    def fetch(self, course: str, assignment: str, out: BinaryIO) -> None:
        self._copy(self._access.fetch(course, assignment).sha256, out)

    def submit(self, course: str, assignment: str, key: str, archive: BinaryIO) -> Record:
        self._access.may_submit(course, assignment, key, _size(archive))
        return self._upload(
            archive,
            lambda upload, sha256: self._access.submit(course, assignment, key, upload, sha256),
        ).as_json()

    def my_submissions(self, course: str) -> list[Record]:
        return [submission.as_json() for submission in self._access.my_submissions(course)]

    def my_feedback(self, course: str, receipt: str, out: BinaryIO) -> None:
        self._copy(self._access.my_feedback(course, receipt).sha256, out)

    def release(
        self, course: str, assignment: str, archive: BinaryIO, *, due: str | None, force: bool
    ) -> Record:
        self._access.may_release(course, assignment, _size(archive))
        time = None if due is None else parse_time(due)
        return self._upload(
            archive,
            lambda upload, sha256: self._access.release(
                course, assignment, upload, sha256, due=time, force=force
            ),
        ).as_json()

    def unrelease(self, course: str, assignment: str) -> Record:
        return self._access.unrelease(course, assignment).as_json()

    def due_dates(self, course: str) -> list[Record]:
        return [date.as_json() for date in self._access.due_dates(course)]

    def set_due(self, course: str, assignment: str, due: str | None) -> Record:
        time = None if due is None else parse_time(due)
        return self._access.set_due(course, assignment, time).as_json()

    def extensions(self, course: str) -> list[Record]:
        return [extension.as_json() for extension in self._access.extensions(course)]

    def extend(self, course: str, assignment: str, student: str, due: str | None) -> Record:
        time = None if due is None else parse_time(due)
        return self._access.extend(course, assignment, student, time).as_json()

    def all_submissions(self, course: str, assignment: str | None) -> list[Record]:
        found = self._access.all_submissions(course, assignment)
        return [submission.as_json() for submission in found]

    def download(self, course: str, receipt: str, out: BinaryIO) -> None:
        self._copy(self._access.download(course, receipt).sha256, out)

    def put_feedback(
        self,
        course: str,
        receipt: str,
        archive: BinaryIO,
        *,
        student: str,
        assignment: str,
        points: Points | None,
    ) -> Record:
        self._access.may_put_feedback(course, receipt, _size(archive))
        return self._upload(
            archive,
            lambda upload, sha256: self._access.put_feedback(
                *(course, receipt, upload, sha256),
                student=student,
                assignment=assignment,
                points=points,
            ),
        ).as_json()


def _size(file: BinaryIO) -> int:
    return file.seek(0, os.SEEK_END)
