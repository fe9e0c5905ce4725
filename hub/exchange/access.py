"""Access control: the store as one caller sees it.

The service and the in-process transport both go through `Access`, the one place that
decides. The caller's identity comes from the Hub, never from the request.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hub.exchange import names
from hub.exchange.blobs import Upload
from hub.exchange.errors import NotAllowed, NotFound, TooLarge
from hub.exchange.limits import size_text
from hub.exchange.records import DueDate, Extension, Feedback, Points, Release, Submission
from hub.exchange.renamed import warning
from hub.exchange.store import Store

STUDENT, INSTRUCTOR = "student", "instructor"
_GROUP_OF_ROLE = {STUDENT: "nbgrader-", INSTRUCTOR: "formgrade-"}


@dataclass(frozen=True)
class Caller:
    """A Hub user and their Hub groups."""

    name: str
    groups: frozenset[str]

    def roles(self, course: str) -> frozenset[str]:
        """The caller's roles in a course: none, student, instructor or both."""
        return frozenset(
            role for role, prefix in _GROUP_OF_ROLE.items() if prefix + course in self.groups
        )


class Access:
    """What `caller` may do with `store`, in the courses that this exchange serves.

    Every method raises NotAllowed for callers without the required role. The `may_` methods
    decide before any byte of an upload is read.
    """

    def __init__(self, store: Store, caller: Caller, courses: Collection[str]) -> None:
        self._store = store
        self._courses = courses
        self.caller = caller

    def _need(self, course: str, *roles: str) -> None:
        names.check_course(course)
        held = self.caller.roles(course) if course in self._courses else frozenset()
        if held.isdisjoint(roles):
            raise NotAllowed(
                f"{self.caller.name!r} is not {' or '.join(roles)} of the course {course!r}.",
                "Check the course's name, or ask the instructor to add you.",
            )

    def courses(self) -> list[dict[str, Any]]:
        """The caller's courses, each with roles, limits and bytes used; for instructors with a
        warning where its id was changed."""
        return [
            {
                "course": course,
                "roles": sorted(roles),
                "limits": self._store.limits.as_json(),
                "used_bytes": self._store.used_bytes(course, self.caller.name),
                "warning": self._warning(course) if INSTRUCTOR in roles else "",
            }
            for course in sorted(self._courses)
            if (roles := self.caller.roles(course))
        ]

    def _warning(self, course: str) -> str:
        return warning(course, self._courses, self._store.kept())

    # For everybody in the course

    def assignments(self, course: str) -> list[Release]:
        """With the caller's own due dates."""
        self._need(course, STUDENT, INSTRUCTOR)
        return self._store.releases(course, student=self.caller.name)

    def fetch(self, course: str, assignment: str) -> Release:
        self._need(course, STUDENT, INSTRUCTOR)
        return self._store.release_of(course, names.check_assignment(assignment))

    def my_submissions(self, course: str, assignment: str | None = None) -> list[Submission]:
        self._need(course, STUDENT, INSTRUCTOR)
        return self._store.submissions(course, assignment=assignment, student=self.caller.name)

    def my_feedback(self, course: str, receipt: str) -> Feedback:
        """Feedback on the caller's own submission; does not reveal whether others' exist."""
        self._need(course, STUDENT, INSTRUCTOR)
        names.check_receipt(receipt)
        nothing = NotFound(
            f"There is no feedback for you on {receipt!r}.",
            "Check again once your instructor has released it.",
        )
        try:
            submission = self._store.submission(course, receipt)
        except NotFound:
            raise nothing from None
        if submission.student != self.caller.name or submission.feedback is None:
            raise nothing
        return submission.feedback

    def my_feedback_page(self, course: str, receipt: str, page: str) -> bytes:
        """One page of the feedback on the caller's own submission, as HTML that nobody checked."""
        return self._store.feedback_page(self.my_feedback(course, receipt), page)

    # For students

    def may_submit(self, course: str, assignment: str, key: str, size: int) -> None:
        self._need(course, STUDENT)
        names.check_student(self.caller.name)
        names.check_key(key)
        self._check_size(size)
        names.check_assignment(assignment)
        if not self._store.has_key(self.caller.name, key):  # a repeat is already stored
            self._store.release_of(course, assignment)
            self._store.check_room(course, self.caller.name, size)

    def submit(
        self, course: str, assignment: str, key: str, upload: Upload, sha256: str
    ) -> Submission:
        self._need(course, STUDENT)
        return self._store.submit(course, assignment, self.caller.name, key, upload, sha256)

    # For instructors

    def may_release(self, course: str, assignment: str, size: int) -> None:
        self._need(course, INSTRUCTOR)
        names.check_assignment(assignment)
        self._check_size(size)

    def release(
        self,
        course: str,
        assignment: str,
        upload: Upload,
        sha256: str,
        *,
        due: datetime | None,
        force: bool,
    ) -> Release:
        self._need(course, INSTRUCTOR)
        return self._store.release(
            course, assignment, upload, sha256, by=self.caller.name, due=due, force=force
        )

    def unrelease(self, course: str, assignment: str) -> Release:
        self._need(course, INSTRUCTOR)
        return self._store.unrelease(course, assignment, by=self.caller.name)

    def due_dates(self, course: str) -> list[DueDate]:
        self._need(course, INSTRUCTOR)
        return self._store.due_dates(course)

    def set_due(self, course: str, assignment: str, due: datetime | None) -> DueDate:
        self._need(course, INSTRUCTOR)
        names.check_assignment(assignment)
        return self._store.set_due(course, assignment, due, by=self.caller.name)

    def extensions(self, course: str) -> list[Extension]:
        self._need(course, INSTRUCTOR)
        return self._store.extensions(course)

    def extend(self, course: str, assignment: str, student: str, due: datetime | None) -> Extension:
        self._need(course, INSTRUCTOR)
        names.check_assignment(assignment)
        return self._store.extend(course, assignment, student, due, by=self.caller.name)

    def all_submissions(
        self, course: str, assignment: str | None = None, student: str | None = None
    ) -> list[Submission]:
        self._need(course, INSTRUCTOR)
        return self._store.submissions(course, assignment=assignment, student=student)

    def download(self, course: str, receipt: str) -> Submission:
        self._need(course, INSTRUCTOR)
        return self._store.submission(course, names.check_receipt(receipt))

    def may_put_feedback(self, course: str, receipt: str, size: int) -> None:
        self._need(course, INSTRUCTOR)
        self._check_size(size)
        self._store.submission(course, names.check_receipt(receipt))

    def put_feedback(
        self,
        course: str,
        receipt: str,
        upload: Upload,
        sha256: str,
        *,
        student: str,
        assignment: str,
        points: Points | None,
    ) -> Feedback:
        self._need(course, INSTRUCTOR)
        return self._store.put_feedback(
            course,
            receipt,
            upload,
            sha256,
            student=student,
            assignment=assignment,
            by=self.caller.name,
            points=points,
        )

    # Uploads

    def begin_upload(self) -> Upload:
        return self._store.begin_upload(self.caller.name)

    def _check_size(self, size: int) -> None:
        limit = self._store.limits.submission_bytes
        if size > limit:
            raise TooLarge(
                f"The upload is {size_text(size)}; the limit is {size_text(limit)}.",
                "Clear large outputs, or remove files that do not belong to the assignment.",
            )
