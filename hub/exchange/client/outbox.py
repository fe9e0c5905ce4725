"""A submission on the student's side: kept on disk until the server has acknowledged it.

The archive is written to ``<state>/pending/`` under the key that identifies it to the server, and
removed only once the receipt is in the student's receipts file. After any interruption, the next
submit finds the archive and resends it with the same key, so nothing is lost or counted twice.
"""

from __future__ import annotations

import os
import uuid
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from hub.exchange import archive
from hub.exchange.client.transport import Record, Transport, sha256_of
from hub.exchange.errors import InvalidArchive, Refusal, TooManyUploads
from hub.exchange.limits import ExchangeLimits, size_text
from hub.facts.files import replacing

RECEIPTS_FILE = "submission-receipts.txt"


@dataclass(frozen=True)
class Pending:
    """One packed submission that has not been acknowledged yet."""

    path: Path
    course: str
    assignment: str

    @property
    def key(self) -> str:
        return self.path.stem


class Outbox:
    """The packed submissions in `state`; receipts go to `receipts`, a human-readable file."""

    def __init__(self, state: Path, receipts: Path) -> None:
        self._state = state
        self._receipts = receipts

    def _folder(self, course: str, assignment: str) -> Path:
        return self._state / "pending" / course / assignment

    def unsent(self, course: str, assignment: str) -> list[Pending]:
        """Submissions left by interrupted submits, oldest first."""
        folder = self._folder(course, assignment)
        found = sorted(folder.glob("*.tar"), key=lambda path: path.stat().st_mtime_ns)
        return [Pending(path, course, assignment) for path in found]

    def pack(
        self, course: str, assignment: str, files: dict[str, Path], limits: ExchangeLimits
    ) -> Pending:
        """Pack `files` (path in the archive: file) under a new key, complete and synced to disk."""
        folder = self._folder(course, assignment)
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{uuid.uuid4()}.tar"
        with replacing(path) as file:
            archive.pack(files, file, limits)
        return Pending(path, course, assignment)

    def send(self, pending: Pending, transport: Transport) -> Record:
        """Send it and record the receipt. Raises Refusal.

        A refusal that retrying cannot change removes the archive; if the service is
        away, full or failing, it is kept for the next attempt.
        """
        with open(pending.path, "rb") as file:
            sha256 = sha256_of(file)
            try:
                receipt = transport.submit(pending.course, pending.assignment, pending.key, file)
            except Refusal as refusal:
                if 400 <= refusal.status < 500 and refusal.status != TooManyUploads.status:
                    pending.path.unlink(missing_ok=True)
                raise
        if receipt["sha256"] != sha256:
            raise InvalidArchive(
                f"The receipt is for {receipt['sha256']}, but {sha256} was sent.",
                "Submit again, and tell your instructor.",
            )
        self._write_down(receipt)
        pending.path.unlink(missing_ok=True)
        return receipt

    def _write_down(self, receipt: Record) -> None:
        with open(self._receipts, "a", encoding="utf-8") as file:
            file.write(receipt_line(receipt) + "\n")
            file.flush()
            os.fsync(file.fileno())


def receipt_line(receipt: Record) -> str:
    """A receipt as one line of text: server's time, assignment, number, SHA-256 and size."""
    time = datetime.fromisoformat(receipt["received_at"])
    return (
        f"{time:%Y-%m-%d %H:%M:%S} UTC  {receipt['course']}/{receipt['assignment']}"
        f"{'  LATE' if receipt['late'] else ''}  receipt {receipt['receipt']}"
        f"  sha256 {receipt['sha256']}  {size_text(receipt['bytes'])}"
    )
