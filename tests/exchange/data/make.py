"""Writes what a version of LogitLab leaves behind in the exchange, for the tests of upgrades.

With that version's checkout as the working directory, and PostgreSQL installed:

    PYTHONPATH=. python …/tests/exchange/data/make.py COMMIT

writes, beside this file, COMMIT.sqlite.sql and COMMIT.postgresql.sql (dumps of the same course in
either database), COMMIT.blobs.tar.gz (the bytes) and COMMIT.json (what that version's store says
of them). Uses of LogitLab only what 2d81227 has.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import subprocess
import sys
import tarfile
import tempfile
import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import make_url

from hub.exchange import archive
from hub.exchange.store import Store
from tests.needs import POSTGRESQL
from tests.postgres.server import Postgres

HERE = Path(__file__).parent
COURSES = {"mechinterp": ["start", "06-induction-heads"], "uebung-2": ["start"]}


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 11, 2, 9, 0, 0, 123456, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.now += timedelta(hours=7)
        return self.now


def packed(files: dict[str, bytes]) -> bytes:
    parts = []
    for path in sorted(files):
        data = files[path]
        parts += [archive.header(path, len(data)), data, bytes(-len(data) % archive.BLOCK)]
    return b"".join(parts) + archive.END


def notebook(text: str) -> bytes:
    source = json.dumps({"cells": [], "metadata": {"text": text}}, ensure_ascii=False)
    return packed({"induction-heads.ipynb": source.encode(), "figures/one.txt": text.encode()})


def fill(store: Store) -> None:
    """Releases, submissions and feedback of two courses; some repeated, late, or with odd names."""

    def upload(owner: str, data: bytes):
        upload = store.begin_upload(owner)
        upload.write(data)
        return upload, hashlib.sha256(data).hexdigest()

    def submit(course: str, assignment: str, student: str, data: bytes):
        key = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{course} {assignment} {student}"))
        given, sha256 = upload(student, data)
        try:
            return store.submit(course, assignment, student, key, given, sha256)
        finally:
            given.close()

    def give_feedback(submission, data: bytes) -> None:
        given, sha256 = upload("prof", data)
        try:
            store.put_feedback(
                submission.course,
                submission.receipt,
                given,
                sha256,
                student=submission.student,
                assignment=submission.assignment,
                by="prof",
            )
        finally:
            given.close()

    for course, assignments in COURSES.items():
        for assignment in assignments:
            given, sha256 = upload("prof", notebook(f"{course} {assignment}"))
            due = datetime(2026, 11, 4, 12, tzinfo=UTC) if assignment == "start" else None
            store.release(course, assignment, given, sha256, by="prof", due=due)
            given.close()
    first = submit("mechinterp", "start", "alice", notebook("ça va"))
    submit("mechinterp", "06-induction-heads", "alice", notebook("second"))
    same = submit("mechinterp", "start", "bob@example.org", notebook("ça va"))
    late = submit("uebung-2", "start", "zoë", notebook("late"))
    submit("uebung-2", "start", "alice", notebook("uebung-2 start"))  # as it was released
    give_feedback(first, packed({"induction-heads.html": b"<p>4 of 5"}))
    give_feedback(first, packed({"induction-heads.html": b"<p>5 of 5"}))
    give_feedback(same, packed({"a.html": b"<p>1", "b.html": "<p>näher".encode()}))
    give_feedback(late, packed({"induction-heads.html": b"<p>late"}))
    store.unrelease("mechinterp", "06-induction-heads", by="prof")


def output(store: Store) -> dict[str, list[dict]]:
    """What the store says of everything, as it would travel to a client."""
    return {
        "releases": [one.as_json() for course in COURSES for one in store.releases(course)],
        "submissions": [one.as_json() for course in COURSES for one in store.submissions(course)],
    }


def main(commit: str) -> None:
    # The same receipt numbers in both databases.
    numbers = [uuid.UUID(int=number * 0x123456789ABCDEF0F1E2D3C4B5) for number in range(1, 1000)]
    with tempfile.TemporaryDirectory() as work:
        server = Postgres()
        url = server.new_database()
        answers = []
        for name, database in (("sqlite", None), ("postgresql", url)):
            uuid.uuid4 = iter(numbers).__next__
            store = Store(Path(work) / name, database=database, clock=Clock())
            fill(store)
            answers.append(output(store))
            store.close()
        assert answers[0] == answers[1]
        connection = sqlite3.connect(Path(work) / "sqlite" / "exchange.sqlite")
        dump = "\n".join(connection.iterdump()) + "\n"
        (HERE / f"{commit}.sqlite.sql").write_text(dump, encoding="utf-8")
        (HERE / f"{commit}.postgresql.sql").write_text(_dumped(server, url), encoding="utf-8")
        answer = json.dumps(answers[0], indent=1, ensure_ascii=False, sort_keys=True)
        (HERE / f"{commit}.json").write_text(answer + "\n", encoding="utf-8")
        with tarfile.open(HERE / f"{commit}.blobs.tar.gz", "w:gz") as out:
            for path in sorted((Path(work) / "sqlite" / "blobs").glob("*/*")):
                out.add(path, f"blobs/{path.parent.name}/{path.name}")
        server.remove()


def _dumped(server: Postgres, url: str) -> str:
    """The whole of a database as SQL, without psql's own commands and pg_dump's remarks."""
    name = str(make_url(url).database)
    dump = subprocess.run(
        [
            *(POSTGRESQL[-1] / "pg_dump", "--host", server.folder, "--username", "logitlab"),
            *("--no-owner", "--no-privileges", "--inserts", name),
        ],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    lines = [line for line in dump.splitlines() if line and not line.startswith(("--", "\\"))]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main(sys.argv[1])
