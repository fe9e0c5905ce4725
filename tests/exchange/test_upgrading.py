"""The commands of docs/upgrading.md, for upgrading and going back."""

from __future__ import annotations

import os
import re
import socket
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from hub.exchange.migrations import upgrade as machinery
from tests.exchange.old_course import SAID, OldCourse, old_course, output
from tests.exchange.test_client import CONFIG

PAGE = (Path(__file__).parents[2] / "docs" / "upgrading.md").read_text("utf-8")
BIN = Path(sys.executable).parent


def block(language: str) -> str:
    (found,) = re.findall(rf"```{language}\n(.*?)```", PAGE, re.S)
    return found


def command(*arguments: object, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        list(map(str, arguments)),
        env=os.environ | {"PATH": f"{BIN}:{os.environ['PATH']}"} | variables,
        capture_output=True,
        text=True,
        timeout=120,
    )


def exchange(course: OldCourse) -> subprocess.CompletedProcess[str]:
    """The service, as JupyterHub starts it; on a port that is taken, so that it ends by itself."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return command(
            *(sys.executable, "-m", "hub.exchange"),
            *("--store", course.folder, "--database", course.url, "--course", "mechinterp"),
            JUPYTERHUB_SERVICE_URL=f"http://127.0.0.1:{taken.getsockname()[1]}",
            JUPYTERHUB_API_TOKEN="of-the-service",
            JUPYTERHUB_API_URL="http://127.0.0.1:9/hub/api",
            JUPYTERHUB_SERVICE_PREFIX="/services/exchange/",
            JUPYTERHUB_CLIENT_ID="service-exchange",
        )


def made_newer(course: OldCourse) -> None:
    """As if a newer LogitLab had upgraded the database, with a column that this one cannot fill."""
    course.open().close()
    course.sql(
        "UPDATE alembic_version SET version_num = '9999'",
        "ALTER TABLE releases ADD COLUMN new INTEGER NOT NULL DEFAULT 1",
    )


def is_refused(done: subprocess.CompletedProcess[str], course: OldCourse) -> bool:
    text = done.stdout + done.stderr
    words = ("newer LogitLab", "at revision 9999", course.copies()[0], "docs/upgrading.md")
    return done.returncode != 0 and all(w in text for w in words) and "Traceback" not in text


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_the_exchange_does_not_start_with_a_newer_database_and_says_why(kind, tmp_path):
    course = old_course(kind, tmp_path / "store")
    made_newer(course)
    before = course.rows()
    done = exchange(course)
    assert is_refused(done, course), done
    assert course.rows() == before


def test_the_exchange_says_where_the_copy_is(tmp_path):
    course = old_course("sqlite", tmp_path / "store")
    done = exchange(course)
    assert course.copies()[0] in done.stderr and "brought to revision" in done.stderr


@pytest.mark.slow
def test_the_embedded_server_and_handing_out_refuse_a_newer_database(tmp_path):
    root = tmp_path / "course"
    assert command("logitlab", "course", "new", root).returncode == 0
    course = old_course("sqlite", root / "server" / "exchange")
    made_newer(course)
    (root / "release" / "start").mkdir(parents=True)
    before = course.rows()
    for arguments in (("serve",), ("release", "--hand-out", "start")):
        done = command("logitlab", *arguments, "--course", root)
        assert is_refused(done, course), done
    assert course.rows() == before


@pytest.mark.slow
def test_nbgraders_commands_refuse_a_newer_database(tmp_path):
    course = old_course("sqlite", tmp_path / "store")
    made_newer(course)
    config = f"{CONFIG}c.Exchange.local_store = {str(course.folder)!r}\n"
    (tmp_path / "nbgrader_config.py").write_text(config)
    done = command("sh", "-c", f"cd {tmp_path} && nbgrader list", HOME=str(tmp_path))
    assert is_refused(done, course), done


def test_the_page_leads_back_from_a_newer_database_in_sqlite(tmp_path):
    (tmp_path / "mycourse" / "server").mkdir(parents=True)
    course = old_course("sqlite", tmp_path / "mycourse" / "server" / "exchange")
    made_newer(course)
    left_open = sqlite3.connect(course.file)  # a log that nobody moved into the file
    left_open.execute("UPDATE releases SET released_by = 'after the upgrade'")
    left_open.commit()
    (copy,) = course.copies()
    script = block("sh").replace("exchange.sqlite.2027-02-01T080000Z.0001", Path(copy).name)
    done = command("bash", "-ec", f"cd {tmp_path}\n{script}")
    assert done.returncode == 0, done
    store = course.open()
    assert output(store) == SAID
    store.close()
    left_open.close()


def test_the_page_leads_back_from_a_newer_database_in_postgresql(tmp_path):
    course = old_course("postgresql", tmp_path / "store")
    tables = course.tables()
    made_newer(course)
    (copy,) = course.copies()
    course.sql(block("sql").replace("public_copy_20270201t080000z_0001", copy))
    assert course.tables() == tables
    store = course.open()
    assert output(store) == SAID
    last = max(int(row[0]) for row in course.rows()["submissions"])
    course.sql(
        "INSERT INTO submissions SELECT nextval('submissions_number_seq'), 'next', course, "
        "assignment, 'next', key, sha256, size, files, notebooks, received_at FROM submissions "
        "WHERE number = 1"
    )
    assert max(int(row[0]) for row in course.rows()["submissions"]) == last + 1
    store.close()


def test_a_change_of_the_tables_is_written_as_the_next_revision(tmp_path):
    """`python -m hub.exchange.migrations`, as CONTRIBUTING.md names it."""
    script = (
        "import sys\nfrom pathlib import Path\n"
        "from sqlalchemy.orm import Mapped, mapped_column\n"
        "from hub.exchange import records\n"
        "from hub.exchange.migrations import __main__ as command, upgrade\n"
        "class Remark(records.Base):\n"
        "    __tablename__ = 'remarks'\n"
        "    student: Mapped[str] = mapped_column(primary_key=True)\n"
        "    until: Mapped[records.datetime]\n"
        f"upgrade.VERSIONS.insert(0, Path({str(tmp_path)!r}))\n"
        "command.main(['remarks on students'])\n"
    )
    shipped = sorted((machinery.HERE / "versions").iterdir())
    done = command(sys.executable, "-c", script)
    assert done.returncode == 0, done
    (written,) = tmp_path.glob("*.py")
    text = written.read_text("utf-8")
    assert "create_table('remarks'" in text and "sa.DateTime()" in text and "hub." not in text
    assert sorted((machinery.HERE / "versions").iterdir()) == shipped
    compile(text, str(written), "exec")
