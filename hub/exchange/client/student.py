"""What a student does: fetch an assignment, submit it, fetch feedback."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from nbgrader.exchange.abc import ExchangeFetchAssignment as ABCExchangeFetchAssignment
from nbgrader.exchange.abc import ExchangeFetchFeedback as ABCExchangeFetchFeedback
from nbgrader.exchange.abc import ExchangeSubmit as ABCExchangeSubmit

from hub.exchange import archive, names
from hub.exchange.client.base import Exchange
from hub.exchange.client.outbox import RECEIPTS_FILE, Outbox, receipt_line
from hub.exchange.client.remarks import leave_remarks, remarks, take_remarks
from hub.exchange.client.transport import Record, sha256_of
from hub.exchange.errors import NotFound, Refusal, ServiceAway
from hub.exchange.limits import ExchangeLimits


class ExchangeFetchAssignment(Exchange, ABCExchangeFetchAssignment):
    """Copies a released assignment into the student's folder."""

    def init_src(self) -> None:
        self.server_limits = self.limits()

    def init_dest(self) -> None:
        self.dest_path = self.assignment_path(self.course(), self.coursedir.assignment_id)
        if self.dest_path.exists() and not self.replace_missing_files:
            self.fail(
                f"You already have a copy of the assignment in this directory: {self.dest_path}"
            )

    def copy_files(self) -> None:
        assignment = self.coursedir.assignment_id
        self.dest_path.parent.mkdir(parents=True, exist_ok=True)
        new = Path(tempfile.mkdtemp(prefix=".fetching-", dir=self.dest_path.parent))
        try:
            with tempfile.TemporaryFile() as file:
                self.transport.fetch(self.course(), assignment, file)
                archive.extract(file, new, archive.read(file, self.server_limits))
            new.chmod(0o755)  # mkdtemp's folders are closed to others
            if self.dest_path.exists():
                self._add_missing(new)
            else:
                os.rename(new, self.dest_path)
        finally:
            shutil.rmtree(new, ignore_errors=True)
        self.log.info("Fetched as: %s %s", self.course(), assignment)

    def _add_missing(self, new: Path) -> None:
        for source in sorted(path for path in new.rglob("*") if path.is_file()):
            target = self.dest_path / source.relative_to(new)
            if not target.exists():
                self.log.warning("Replacing missing file %s", target)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, target, follow_symlinks=False)


class ExchangeSubmit(Exchange, ABCExchangeSubmit):
    """Sends the student's folder and shows the receipt, which is also kept in the home folder."""

    def init_src(self) -> None:
        self.src_path = self.assignment_path(self.course(), self.coursedir.assignment_id)
        self.coursedir.assignment_id = self.src_path.name
        if not self.src_path.is_dir():
            self.fail(f"Assignment not found at: {self.src_path}")

    def init_dest(self) -> None:
        named, own = self.coursedir.student_id, self.environment.hub_user or None
        if named not in ("*", own):
            self.fail(f"You can submit only for yourself, not for {named}.")
        self.server_limits = self.limits()
        self.outbox = Outbox(Path(self.state_dir), Path.home() / RECEIPTS_FILE)
        take_remarks(Path(self.state_dir))  # of an earlier submission, if they were never shown

    def copy_files(self) -> None:
        course, assignment = self.course(), self.coursedir.assignment_id
        earlier = self._send_unsent(course, assignment)
        files = names.composed(archive.files_in(self.src_path, self.ignored()))
        sentences = remarks(files, self._released_notebooks(course, assignment, files))
        pending = self.outbox.pack(course, assignment, files, self.server_limits)
        with open(pending.path, "rb") as file:
            if sha256_of(file) in earlier:
                pending.path.unlink()
                self._remark(sentences)
                return
        try:
            self._show(self.outbox.send(pending, self.transport))
            self._remark(sentences)
        except ServiceAway as away:
            raise ServiceAway(
                away.message,
                f"Your work is saved here but NOT submitted yet: submit {assignment} again in a "
                "minute.",
            ) from None

    def _send_unsent(self, course: str, assignment: str) -> set[str]:
        """Finish interrupted submissions; returns the SHA-256 of those now submitted."""
        sent = set()
        for pending in self.outbox.unsent(course, assignment):
            self.log.info("Finishing an earlier submission that was interrupted")
            try:
                receipt = self.outbox.send(pending, self.transport)
            except ServiceAway:
                raise
            except Refusal as refusal:
                self.log.warning("The interrupted submission was not accepted: %s", refusal)
            else:
                self._show(receipt)
                sent.add(receipt["sha256"])
        return sent

    def _show(self, receipt: Record) -> None:
        self.log.info("Submitted as: %s %s", receipt["course"], receipt["assignment"])
        self.log.info("Receipt (also in ~/%s): %s", RECEIPTS_FILE, receipt_line(receipt))
        if receipt["late"]:
            self.log.warning("This submission is late: it was due %s", receipt["due"])

    def _remark(self, remarks: list[str]) -> None:
        """Report remarks on the submission, here and in JupyterLab."""
        for sentence in remarks:
            self.log.warning("%s", sentence)
        leave_remarks(Path(self.state_dir), remarks)

    def _released_notebooks(self, course: str, assignment: str, files: dict[str, Path]) -> set[str]:
        """The names of the released notebooks. Fails if `strict` is set and one is missing."""
        releases = {
            release["assignment"]: release for release in self.transport.assignments(course)
        }
        if assignment not in releases:
            raise NotFound(
                f"There is no released assignment {assignment!r} in {course}.",
                f"Released: {', '.join(releases) or 'none'}.",
            )
        expected = {f"{notebook}.ipynb" for notebook in releases[assignment]["notebooks"]}
        if self.strict and expected - files.keys():
            missing = ", ".join(sorted(expected - files.keys()))
            self.fail(f"{assignment} is not submitted: missing {missing}")
        return expected


class ExchangeFetchFeedback(Exchange, ABCExchangeFetchFeedback):
    """Saves feedback pages in ``<assignment>/feedback/<time of the submission>/``."""

    def init_src(self) -> None:
        wanted = self.coursedir.assignment_id
        self.submissions = [
            submission
            for submission in self.transport.my_submissions(self.course())
            if wanted in ("", "*", submission["assignment"])
        ]

    def init_dest(self) -> None:
        self.server_limits = self.limits()

    def copy_files(self) -> None:
        for submission in self.submissions:
            if submission["feedback"]:
                self._fetch(submission, self.server_limits)
            else:
                self.log.warning(
                    "There is no feedback yet for %s submitted at %s",
                    *(submission["assignment"], self.timestamp_text(submission)),
                )

    def _fetch(self, submission: Record, limits: ExchangeLimits) -> None:
        folder = self.assignment_path(submission["course"], submission["assignment"])
        folder = folder / "feedback" / self.timestamp_text(submission)
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile() as file, tempfile.TemporaryDirectory(dir=folder) as new:
            self.transport.my_feedback(submission["course"], submission["receipt"], file)
            archive.extract(file, Path(new), archive.read(file, limits))
            for page in sorted(Path(new).iterdir()):
                os.replace(page, folder / page.name)
                self.log.info("Fetched feedback: %s", folder / page.name)
