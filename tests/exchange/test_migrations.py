"""Databases of older and of newer versions of LogitLab, in SQLite and in PostgreSQL."""

from __future__ import annotations

import hashlib
import os
import re
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import make_url

from hub.exchange.errors import SchemaError, ServiceAway
from hub.exchange.migrations import upgrade as machinery
from hub.exchange.records import Base
from hub.exchange.store import Store
from tests.exchange.old_course import COURSES, SAID, OldCourse, old_course, output
from tests.exchange.samples import notebook, release, submit
from tests.postgres.server import Postgres, shared

DATABASES = ["sqlite", "postgresql"]

NEXT = """
import sqlalchemy as sa
from alembic import op

revision, down_revision = {revision!r}, {before!r}


def upgrade():
    op.create_table("later", sa.Column("student", sa.String(255), primary_key=True))
    with op.batch_alter_table("submissions") as table:
        table.add_column(sa.Column("words", sa.Integer))
        table.alter_column("files", new_column_name="members")
    op.execute("UPDATE submissions SET size = size + 1")
{then}
"""


@pytest.fixture(params=DATABASES, name="course")
def _course(request, tmp_path) -> OldCourse:
    return old_course(request.param, tmp_path / "store")


@pytest.fixture(name="later")
def _later(tmp_path, monkeypatch) -> Callable[..., Path]:
    """Makes this a later LogitLab, with one more revision, which ends with the lines `then`."""
    folder = tmp_path / "revisions"
    folder.mkdir()
    monkeypatch.setattr(machinery, "VERSIONS", [*machinery.VERSIONS, folder])

    def write(then: str = "") -> Path:
        lines = "\n".join(f"    {line}" for line in then.splitlines())
        text = NEXT.format(revision="next", before=newest(), then=lines)
        (folder / "next.py").write_text(text, encoding="utf-8")
        return folder

    return write


def newest() -> str:
    """The revision that this LogitLab ships."""
    return sorted(path.stem for path in (machinery.HERE / "versions").glob("0*.py"))[-1][:4]


def at(course: OldCourse) -> str:
    """The revision that the database says it is at."""
    ((revision,),) = course.rows()["alembic_version"]
    return revision


def without_due(releases):
    """Rows of 2d81227's releases, as they are since due dates have a table of their own."""
    return sorted((*row[:5], *row[6:]) for row in releases)


def without_points(feedback):
    """Rows of feedback, without the columns that 2d81227's did not have."""
    return [row[:6] for row in feedback]


def test_what_2d81227_kept_is_all_there_after_an_upgrade(course):
    before = course.rows()
    store = course.open()
    assert output(store) == SAID
    for one in SAID["submissions"]:
        assert store.submission(one["course"], one["receipt"]).as_json() == one
    kept = [one for kind in SAID.values() for one in kind]
    kept += [one["feedback"] for one in kept if one.get("feedback")]
    for one in kept:
        data = store.blob_path(one["sha256"]).read_bytes()
        assert (hashlib.sha256(data).hexdigest(), len(data)) == (one["sha256"], one["bytes"])
    assert len(kept) == 10
    now = course.rows()
    assert now["submissions"] == before["submissions"]
    assert without_points(now["feedback"]) == before["feedback"]
    assert now["releases"] == without_due(before["releases"])
    # Of what is released, and of what was handed in and then withdrawn.
    assert {row[:3] for row in now["due_dates"]} == {
        *((*row[:2], row[5]) for row in before["releases"]),
        ("mechinterp", "06-induction-heads", "None"),
    }
    store.close()


def test_a_class_goes_on_after_an_upgrade(course):
    store = course.open()
    release(store)
    new = submit(store, notebook("after the upgrade"))
    assert store.submissions(COURSES[0])[-1] == new
    assert len(store.submissions(COURSES[0])) == 4
    store.close()


def test_a_copy_is_taken_first_and_has_every_row(course):
    before = course.rows()
    store = course.open()
    (copy,) = course.copies()
    assert copy in store.upgraded and course.rows(copy) == before
    assert re.search(r"20\d\d-?\d\d-?\d\dt\d{6}z[._]0001$", copy, re.I)
    store.close()


def test_nothing_is_done_and_copied_where_all_is_up_to_date(course):
    course.open().close()
    before = course.rows()
    store = course.open()
    assert store.upgraded == "" and len(course.copies()) == 1 and course.rows() == before
    store.close()


def test_a_copy_in_sqlite_has_what_lies_in_the_write_ahead_log_only(tmp_path):
    course = old_course("sqlite", tmp_path / "store")
    course.file.chmod(0o600)
    writer = sqlite3.connect(course.file)  # open, so that nothing is moved out of the log
    writer.execute("UPDATE releases SET released_by = 'new'")
    writer.commit()
    (course.folder / "exchange.sqlite.copying").write_bytes(b"of a start that was killed")
    course.open().close()
    (copy,) = course.copies()
    assert {row[-1] for row in course.rows(copy)["releases"]} == {"new"}
    assert stat.S_IMODE(os.stat(copy).st_mode) == 0o600
    assert not list(tmp_path.glob("store/*copying*"))
    writer.close()


@pytest.mark.parametrize("kind", DATABASES)
def test_a_new_database_has_the_tables_of_an_upgraded_one(kind, tmp_path):
    old = old_course(kind, tmp_path / "old")
    new_url = shared().new_database() if kind == "postgresql" else f"sqlite:///{tmp_path}/new"
    new = OldCourse(tmp_path / "new-store", new_url)
    for course in (old, new):
        course.open().close()
    assert new.tables() == old.tables()
    assert new.copies() == []


def test_no_table_of_the_code_lacks_a_revision(course):
    """Red after a change of `records`? `python -m hub.exchange.migrations "what changes"`."""
    course.open().close()
    with course.connected() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []


def test_a_later_revision_changes_the_tables_and_keeps_the_rows(course, later):
    later()
    old = course.rows()
    store = course.open()
    rows = course.rows()
    assert at(course) == "next" and rows["later"] == [] and len(rows["submissions"]) == 5
    assert without_points(rows["feedback"]) == old["feedback"]
    assert rows["releases"] == without_due(old["releases"])
    assert [int(row[-5]) for row in rows["submissions"]] == [3073] * 5
    (copy,) = course.copies()
    assert course.rows(copy) == old
    store.close()


def test_each_upgrade_has_a_copy_of_its_own(course, later):
    course.open().close()
    before = course.rows()
    later()
    course.open().close()
    first, second = course.copies()
    assert first != second and course.rows(second) == before


def test_a_database_of_a_newer_logitlab_is_refused_and_left_alone(course, later, monkeypatch):
    shipped = machinery.VERSIONS[:1]
    later()
    course.open().close()
    before, tables = course.rows(), course.tables()
    monkeypatch.setattr(machinery, "VERSIONS", shipped)
    with pytest.raises(SchemaError) as refused:
        course.open()
    words = str(refused.value)
    assert "newer LogitLab" in words and "at revision next" in words and newest() in words
    assert course.copies()[0] in words and "docs/upgrading.md" in words
    assert (course.rows(), course.tables()) == (before, tables) and len(course.copies()) == 1


def test_a_newer_database_without_a_copy_is_reported_to_restore_a_backup(course):
    course.open().close()
    course.sql("UPDATE alembic_version SET version_num = '9999'")
    for copy in course.copies():
        if course.sqlite:
            os.unlink(copy)
        else:
            course.sql(f"DROP SCHEMA {copy} CASCADE")
    with pytest.raises(SchemaError, match="a backup made before the upgrade"):
        course.open()


def test_an_upgrade_that_fails_leaves_the_database_as_it_was_and_names_the_copy(course, later):
    later("op.execute('INSERT INTO later SELECT course FROM submissions')")  # one twice
    before, tables = course.rows(), course.tables()
    for _ in range(2):  # a service is started again at once, and no start fills the disk
        with pytest.raises(SchemaError, match="could not be brought from revision 0001") as failed:
            course.open()
        (copy,) = course.copies()
        assert copy in str(failed.value) and course.rows(copy) == before
        assert "INSERT" not in str(failed.value) and "[SQL" not in str(failed.value)
        assert (course.rows(), course.tables()) == (before, tables)


def test_what_comes_in_between_two_failed_upgrades_is_in_a_copy_too(course, later):
    later("raise ValueError('no')")
    for _ in range(2):
        with pytest.raises(SchemaError, match="no"):
            course.open()
        course.sql("UPDATE releases SET released_by = 'again'")
    first, second = course.copies()
    assert {row[-1] for row in course.rows(first)["releases"]} == {"prof"}
    assert {row[-1] for row in course.rows(second)["releases"]} == {"again"}


def test_a_mended_revision_completes_what_failed(course, later):
    later("raise ValueError('no')")
    with pytest.raises(SchemaError):
        course.open()
    later()
    store = course.open()
    assert at(course) == "next" and len(course.copies()) == 1
    store.close()


OPEN = """
import sys
from pathlib import Path
from hub.exchange.migrations import upgrade
upgrade.VERSIONS.append(Path(sys.argv[1]))
from hub.exchange.store import Store
print(Store(Path(sys.argv[2]), database=sys.argv[3]).upgraded, flush=True)
"""


def opening(course: OldCourse, revisions: Path) -> subprocess.Popen[str]:
    """Another process of the later LogitLab, which opens the store."""
    return subprocess.Popen(
        [sys.executable, "-c", OPEN, str(revisions), str(course.folder), course.url],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for(path: Path) -> None:
    deadline = time.monotonic() + 60
    while not path.exists():
        assert time.monotonic() < deadline, f"no {path}"
        time.sleep(0.02)


@pytest.mark.slow
def test_an_upgrade_that_is_killed_in_the_middle_starts_over(course, later, tmp_path):
    before = course.rows()
    reached = tmp_path / "reached"
    revisions = later(f"open({str(reached)!r}, 'w'); __import__('time').sleep(60)")
    process = opening(course, revisions)
    wait_for(reached)
    process.kill()
    process.communicate()
    assert course.rows() == before
    later()
    course.open().close()
    assert at(course) == "next" and len(course.rows()["submissions"]) == 5
    assert course.rows(course.copies()[-1]) == before


def test_a_server_that_goes_away_in_the_middle_is_reported_and_the_next_start_upgrades(
    tmp_path, later
):
    shared()  # or skip
    server = Postgres()
    course = OldCourse(tmp_path / "store", server.new_database())
    course.open().close()
    before = course.rows()
    reached = tmp_path / "reached"
    later(f"open({str(reached)!r}, 'w').close(); op.execute('SELECT pg_sleep(60)')")

    def kill_when_reached() -> None:
        wait_for(reached)
        server.kill()

    killing = threading.Thread(target=kill_when_reached)
    killing.start()
    with pytest.raises(ServiceAway):
        course.open()
    killing.join()
    server.start()
    assert course.rows() == before and course.copies() == []
    later()
    course.open().close()
    assert at(course) == "next" and len(course.copies()) == 1
    server.remove()


@pytest.mark.slow
def test_processes_that_start_at_once_upgrade_once(course, later, tmp_path):
    reached = tmp_path / "reached"
    revisions = later(f"open({str(reached)!r}, 'a').write('x'); __import__('time').sleep(1)")
    processes = [opening(course, revisions) for _ in range(3)]
    report = []
    for process in processes:
        out, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
        report.append(out.strip())
    assert sorted(map(bool, report)) == [False, False, True]
    assert reached.read_text() == "x" and len(course.copies()) == 1
    assert [int(row[-5]) for row in course.rows()["submissions"]] == [3073] * 5


def test_a_database_of_something_else_is_refused(course):
    course.sql("DROP TABLE feedback")
    before = course.rows()
    with pytest.raises(SchemaError, match="only some of its own"):
        course.open()
    assert course.rows() == before and course.copies() == []


def test_without_a_copy_there_is_no_upgrade_in_sqlite(tmp_path):
    course = old_course("sqlite", tmp_path / "store")
    (course.folder / "exchange.sqlite.copying").mkdir()
    before = course.rows()
    with pytest.raises(SchemaError, match="could not be copied"):
        course.open()
    assert course.rows() == before


def test_without_a_copy_there_is_no_upgrade_in_postgresql(tmp_path):
    course = old_course("postgresql", tmp_path / "store")
    role = f"role_{make_url(course.url).database}"
    course.sql(
        f"CREATE ROLE {role} LOGIN",
        f"GRANT ALL ON SCHEMA public TO {role}",
        f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}",
    )
    before = course.rows()
    url = make_url(course.url).set(username=role).render_as_string()
    with pytest.raises(SchemaError, match=r"could not be copied \(permission denied"):
        Store(course.folder, database=url)
    assert course.rows() == before


def test_a_database_that_somebody_else_writes_to_all_the_time_is_reported(tmp_path, monkeypatch):
    course = old_course("sqlite", tmp_path / "store")
    monkeypatch.setattr("hub.exchange.database.LOCK_SECONDS", 0)
    writer = sqlite3.connect(course.file, isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    with pytest.raises(ServiceAway):
        course.open()
    writer.close()
