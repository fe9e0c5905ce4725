"""nbgrader's lists: released assignments, one's own submissions, and all for instructors.

The records have the keys that JupyterLab's *Assignment List* extension and the formgrader read.
"""

from __future__ import annotations

import fnmatch
import hashlib
from pathlib import Path
from typing import Any

from nbgrader.exchange.abc import ExchangeList as ABCExchangeList

from hub.exchange.client.base import Exchange
from hub.exchange.client.transport import Record

Info = dict[str, Any]


class ExchangeList(Exchange, ABCExchangeList):
    """Lists, and withdraws releases with ``--remove``."""

    def init_src(self) -> None:
        pass

    def init_dest(self) -> None:
        pass

    def copy_files(self) -> None:
        pass

    def _courses(self) -> list[str]:
        if self.coursedir.course_id:
            return [self.coursedir.course_id]
        return [record["course"] for record in self.transport.courses()]

    def _wanted(self, record: Record) -> bool:
        return self.coursedir.assignment_id in ("", "*", record["assignment"])

    def list_files(self) -> list[Info]:
        """The released assignments, or the submissions grouped by student and assignment."""
        return self._submissions() if self.inbound or self.cached else self._releases()

    def remove_files(self) -> list[Info]:
        """Withdraw one release. Submissions are never removed."""
        if self.inbound or self.cached:
            self.fail("Submissions cannot be removed: receipts were issued for them.")
        if self.coursedir.assignment_id in ("", "*"):
            self.fail("Name the assignment to withdraw.")
        releases = self._releases()
        for info in releases:
            self.transport.unrelease(info["course_id"], info["assignment_id"])
            info["status"] = "removed"
            self.log.info("Withdrawn: %s %s", info["course_id"], info["assignment_id"])
        return releases

    def _releases(self) -> list[Info]:
        self.log.info("Released assignments:")
        found = [
            self._release(record)
            for course in self._courses()
            for record in self.transport.assignments(course)
            if self._wanted(record)
        ]
        for info in found:
            notes = " (already downloaded)" if info["status"] == "fetched" else ""
            own = ", your extension" if info["extended"] else ""
            notes += f" (due {info['due']}{own})" if info["due"] else ""
            self.log.info("%s %s%s", info["course_id"], info["assignment_id"], notes)
        return found

    def _release(self, record: Record) -> Info:
        folder = self.assignment_path(record["course"], record["assignment"])
        fetched = folder.is_dir()
        if fetched:
            notebooks = [_notebook(path.stem, str(path)) for path in sorted(folder.glob("*.ipynb"))]
        else:
            notebooks = [_notebook(name, f"{name}.ipynb") for name in record["notebooks"]]
        return {
            "course_id": record["course"],
            "assignment_id": record["assignment"],
            "status": "fetched" if fetched else "released",
            "path": str(folder),
            "notebooks": notebooks,
            "due": record["due"],
            "extended": record["extended"],
        }

    def _submissions(self) -> list[Info]:
        self.log.info("Submitted assignments:")
        groups: dict[tuple[str, str, str], list[Info]] = {}
        for course in self._courses():
            for record in self._records(course):
                info = self._submission(record)
                key = (info["course_id"], info["student_id"], info["assignment_id"])
                groups.setdefault(key, []).append(info)
                self.log.info("%s", _line(info))
        return [
            {
                "course_id": course,
                "student_id": student,
                "assignment_id": assignment,
                "status": "submitted",
                "submissions": submissions,
            }
            for (course, student, assignment), submissions in sorted(groups.items())
        ]

    def _records(self, course: str) -> list[Record]:
        if self.cached:
            found = self.transport.my_submissions(course)
        else:
            wanted = self.coursedir.student_id or "*"
            found = [
                record
                for record in self.transport.all_submissions(course, None)
                if fnmatch.fnmatchcase(record["student"], wanted)
            ]
        return [record for record in found if self._wanted(record)]

    def _submission(self, record: Record) -> Info:
        folder = self.assignment_path(record["course"], record["assignment"])
        timestamp = self.timestamp_text(record)
        local = folder / "feedback" / timestamp
        pages = record["feedback"]["files"] if record["feedback"] else {}
        # Feedback on a notebook submitted under another name is under the released name.
        names = [*record["notebooks"], *(page.removesuffix(".html") for page in sorted(pages))]
        notebooks = [_feedback_state(name, local, pages) for name in dict.fromkeys(names)]
        # A notebook added by the student has no feedback, and must not hide that of the others.
        graded = [book for book in notebooks if book["has_exchange_feedback"]]
        fetched = bool(graded) and all(book["has_local_feedback"] for book in graded)
        return {
            "course_id": record["course"],
            "student_id": record["student"],
            "assignment_id": record["assignment"],
            "timestamp": timestamp,
            "status": "submitted",
            "path": str(folder),
            "notebooks": notebooks,
            "has_local_feedback": fetched,
            "has_exchange_feedback": bool(graded),
            "feedback_updated": any(book["feedback_updated"] for book in graded),
            "local_feedback_path": str(local) if fetched else None,
            "receipt": record["receipt"],
            "sha256": record["sha256"],
            "late": record["late"],
        }


def _notebook(name: str, path: str) -> Info:
    return {"notebook_id": name, "path": path}


def _feedback_state(name: str, local: Path, pages: dict[str, str]) -> Info:
    """The state of the feedback on one notebook, here and on the server."""
    page = local / f"{name}.html"
    here = hashlib.sha256(page.read_bytes()).hexdigest() if page.is_file() else None
    there = pages.get(page.name)
    return {
        **_notebook(name, f"{name}.ipynb"),
        "has_local_feedback": here is not None,
        "has_exchange_feedback": there is not None,
        "local_feedback_path": str(page) if here else None,
        "feedback_updated": here is not None and there is not None and here != there,
    }


def _line(info: Info) -> str:
    text = "{course_id} {student_id} {assignment_id} {timestamp}".format(**info)
    if info["has_local_feedback"] and not info["feedback_updated"]:
        text += " (feedback already fetched)"
    elif info["has_exchange_feedback"]:
        text += " (feedback ready to be fetched)"
    else:
        text += " (no feedback available)"
    return text + (" (late)" if info["late"] else "")
