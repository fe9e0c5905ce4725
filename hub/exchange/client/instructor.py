"""What an instructor does: release an assignment, collect submissions, release feedback."""

from __future__ import annotations

import fnmatch
import glob
import json
import os
import re
import shutil
import tempfile
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING

from nbgrader.api import Gradebook, MissingEntry
from nbgrader.exchange.abc import ExchangeCollect as ABCExchangeCollect
from nbgrader.exchange.abc import ExchangeReleaseAssignment as ABCExchangeReleaseAssignment
from nbgrader.exchange.abc import ExchangeReleaseFeedback as ABCExchangeReleaseFeedback
from traitlets import Dict, Unicode

from hub.exchange import archive, names
from hub.exchange.client.base import Exchange
from hub.exchange.client.transport import Record, sha256_of
from hub.exchange.due_settings import differences, time_in
from hub.exchange.errors import InvalidArchive, Refusal, ServiceAway
from hub.exchange.records import Points, parse_time
from hub.grading.pipeline.renamed import Undecided, take_renamed

if TYPE_CHECKING:
    from hub.core.settings import Settings

# Settings and what writes to the gradebook are imported where they are used: students' clients
# import this module, and both are slow to import.


class _WithGradebook(Exchange):
    def copy_due_dates(self) -> None:
        """Copy the exchange's due dates, which count, into the gradebook.

        Autograding will report an assignment that the gradebook does not know.
        """
        from hub.exchange.gradebook_dates import copy_due_dates
        from hub.grading.pipeline.late import refresh_penalties

        course, settings = self.course(), self._settings()
        dates, own = self.transport.due_dates(course), self.transport.extensions(course)
        zone = settings.course.zone if settings else UTC
        with Gradebook(self.coursedir.db_url, course) as gradebook:
            copied = copy_due_dates(gradebook, dates, own, zone)
            if copied.changed and settings:
                late = settings.late
                refresh_penalties(gradebook, late.policy, late.percent_per_day, zone)
        for sentence in copied.kept:
            self.log.warning("%s", sentence)

    def _settings(self) -> Settings | None:
        """Those of the course folder, if this is one of ours, as they are now."""
        from hub.core.settings import SettingsError, load_settings

        file = Path(self.coursedir.root, "course.yaml")
        try:
            settings = load_settings(file) if file.is_file() else None
        except SettingsError as error:
            self.fail(error.shown)
        return settings if settings and settings.course.id == self.course() else None


class ExchangeReleaseAssignment(_WithGradebook, ABCExchangeReleaseAssignment):
    """Lets students fetch ``release/<assignment>``."""

    due = Dict(
        key_trait=Unicode(),
        value_trait=Unicode(),
        help="Due dates at the first release by assignment, with their offset, e.g. "
        "{'start': '2027-03-01T22:00:00Z'}; for other assignments, that of course.yaml is used, "
        "or the gradebook's.",
    ).tag(config=True)

    def init_src(self) -> None:
        course, assignment = self.coursedir, self.coursedir.assignment_id
        self.src_path = Path(course.format_path(course.release_directory, ".", assignment))
        if not self.src_path.is_dir():
            self.fail(
                f"{self.src_path} does not exist. Generate it: `logitlab generate {assignment}`."
            )

    def init_dest(self) -> None:
        self.server_limits = self.limits()

    def copy_files(self) -> None:
        assignment = self.coursedir.assignment_id
        settings = self._settings()
        written = settings and settings.due_utc(assignment)
        due = self.due.get(assignment) or (
            written.isoformat() if written else self._due_in_gradebook(assignment)
        )
        files = archive.files_in(self.src_path, self.ignored())
        with tempfile.TemporaryFile() as file:
            archive.pack(files, file, self.server_limits)
            release = self.transport.release(
                self.course(), assignment, file, due=due, force=self.force
            )
        self.log.info("Released as: %s %s", self.course(), assignment)
        zone = settings.course.zone if settings else UTC
        stored = release["due"] and parse_time(release["due"])
        self.log.info("Due: %s", time_in(zone, stored))
        if written:
            for sentence in differences({assignment: written}, {assignment: stored}, zone):
                self.log.warning("%s", sentence)
        self.copy_due_dates()

    def _due_in_gradebook(self, assignment: str) -> str | None:
        """The due date that the instructor entered in the formgrader."""
        from hub.exchange.gradebook_dates import due_in_gradebook

        with Gradebook(self.coursedir.db_url, self.course()) as gradebook:
            due = due_in_gradebook(gradebook, assignment)
        return due.isoformat() if due else None


class ExchangeCollect(_WithGradebook, ABCExchangeCollect):
    """Puts each student's newest submission under ``submitted/``, with the server's time.

    `check_owner` is not needed: the server knows whose submission it is.
    """

    def init_src(self) -> None:
        self.server_limits = self.limits()
        wanted = self.coursedir.student_id or "*"
        by_student: dict[str, list[Record]] = {}
        for record in self.transport.all_submissions(self.course(), self.coursedir.assignment_id):
            if fnmatch.fnmatchcase(record["student"], wanted):
                by_student.setdefault(record["student"], []).append(record)
        self.chosen = [self._choose(records) for _, records in sorted(by_student.items())]

    def _choose(self, records: list[Record]) -> Record:
        """The newest, or the newest on-time one if requested and there is one."""
        in_time = [record for record in records if not record["late"]]
        return in_time[-1] if self.before_duedate and in_time else records[-1]

    def init_dest(self) -> None:
        if self.chosen:
            self.copy_due_dates()

    def copy_files(self) -> None:
        assignment, failed = self.coursedir.assignment_id, 0
        if not self.chosen:
            self.log.warning("No submissions of %s in %s to collect", assignment, self.course())
        for record in self.chosen:
            try:
                self._collect(record)
            except ServiceAway:
                raise
            except Refusal as refusal:  # one bad submission affects only its owner
                failed += 1
                self.log.error("Not collected: %s %s: %s", record["student"], assignment, refusal)
        self.log.info("%d submissions checked, %d failed", len(self.chosen), failed)

    def _collect(self, record: Record) -> None:
        student = names.check_student(record["student"])
        assignment = names.check_assignment(record["assignment"])
        directory = self.coursedir.submitted_directory
        target = Path(self.coursedir.format_path(directory, student, assignment))
        what = f"{student} {assignment}"
        if target.exists() and _receipt_in(target) == record["receipt"]:
            self.log.info("No newer submission to collect: %s", what)
            return
        if target.exists() and not (self.update or self.before_duedate):
            self.log.info("Submission already exists, use --update to update: %s", what)
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        new = Path(tempfile.mkdtemp(prefix=".collecting-", dir=target.parent))
        try:
            self._write(record, new)
            if target.exists():
                self.log.info("Updating submission: %s", what)
                shutil.rmtree(target)
            else:
                self.log.info("Collecting submission: %s", what)
            os.rename(new, target)
        finally:
            shutil.rmtree(new, ignore_errors=True)
        try:
            take_renamed(self.coursedir, assignment, student)
        except Undecided as undecided:
            self.log.warning("%s: %s", what, undecided)

    def _write(self, record: Record, folder: Path) -> None:
        with tempfile.TemporaryFile() as file:
            self.transport.download(self.course(), record["receipt"], file)
            if sha256_of(file) != record["sha256"]:
                raise InvalidArchive(
                    f"The bytes of {record['receipt']} do not match its receipt.",
                    "Tell the administrator: the exchange's disk may be failing.",
                )
            archive.extract(file, folder, archive.read(file, self.server_limits))
        (folder / names.TIMESTAMP_FILE).write_text(self.timestamp_text(record))
        receipt = {key: record[key] for key in ("receipt", "sha256", "received_at", "late")}
        (folder / names.RECEIPT_FILE).write_text(json.dumps(receipt, indent=1) + "\n")
        folder.chmod(0o755)  # mkdtemp's folders are closed to others


class ExchangeReleaseFeedback(Exchange, ABCExchangeReleaseFeedback):
    """Sends the pages in ``feedback/``, and the points, to the owners of their submissions."""

    def init_src(self) -> None:
        course = self.coursedir
        directory, assignment = course.feedback_directory, course.assignment_id
        wanted = course.format_path(directory, course.student_id or "*", assignment)
        student = course.format_path(directory, "(?P<student>.*)", assignment, escape=True)
        excluded = set(course.student_id_exclude.split(","))
        self.folders = {
            match["student"]: Path(path)
            for path in sorted(glob.glob(wanted))
            if (match := re.fullmatch(student, path)) and match["student"] not in excluded
        }

    def init_dest(self) -> None:
        self.server_limits = self.limits()

    def copy_files(self) -> None:
        assignment = self.coursedir.assignment_id
        if not self.folders:
            self.log.warning("There is no generated feedback for %s", assignment)
        points = self._points()
        for student, folder in self.folders.items():
            receipt = _receipt_in(folder)
            pages = {page.name: page for page in sorted(folder.glob("*.html"))}
            if receipt is None or not pages:
                self.log.error(
                    "No feedback released for %s %s: %s has no receipt from the exchange or no "
                    "page",
                    *(student, assignment, folder),
                )
                continue
            self._put(student, receipt, pages, points.get(student))

    def _points(self) -> dict[str, Points]:
        """The points in the gradebook, where they are those of the submission of the pages.

        They are not known while an answer waits for a person.
        """
        course, assignment = self.coursedir, self.coursedir.assignment_id
        graded = [
            student
            for student, folder in self.folders.items()
            if (receipt := _receipt_in(folder))
            and receipt == _receipt_in(self._autograded(student))
        ]
        if not graded:
            return {}
        with Gradebook(course.db_url, self.course()) as gradebook:
            found = {student: _points_in(gradebook, assignment, student) for student in graded}
        return {student: points for student, points in found.items() if points}

    def _autograded(self, student: str) -> Path:
        course = self.coursedir
        folder = course.format_path(course.autograded_directory, student, course.assignment_id)
        return Path(folder)

    def _put(
        self, student: str, receipt: str, pages: dict[str, Path], points: Points | None
    ) -> None:
        course, assignment = self.course(), self.coursedir.assignment_id
        try:
            with tempfile.TemporaryFile() as file:
                archive.pack(pages, file, self.server_limits)
                self.transport.put_feedback(
                    course, receipt, file, student=student, assignment=assignment, points=points
                )
        except ServiceAway:
            raise
        except Refusal as refusal:  # a failure for one student must not keep feedback from the rest
            self.log.error("No feedback released for %s %s: %s", student, assignment, refusal)
        else:
            self.log.info("Feedback released: %s %s", student, assignment)


def _points_in(gradebook: Gradebook, assignment: str, student: str) -> Points | None:
    try:
        submission = gradebook.find_submission(assignment, student)
    except MissingEntry:
        return None
    if submission.needs_manual_grade:
        return None
    numbers = (submission.score, submission.max_score, submission.late_submission_penalty or 0)
    return Points(*map(float, numbers))


def _receipt_in(folder: Path) -> str | None:
    """The receipt number that `ExchangeCollect` wrote into a folder, or nbgrader copied there."""
    try:
        return str(json.loads((folder / names.RECEIPT_FILE).read_text())["receipt"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
