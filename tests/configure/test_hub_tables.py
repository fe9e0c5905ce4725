"""JupyterHub's version may rise: `logitlab serve` brings its database along, after a copy."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from alembic.script import ScriptDirectory
from jupyterhub import dbutil, orm

from hub.core.course_folder import CourseFolder
from hub.jupyterhub.tables import HubTablesError, revision, upgrade
from hub.serve import serve

HEAD = "f460b0348206"
BEFORE = "ff1860e38070"


@pytest.fixture(name="folder")
def _folder(tmp_path: Path) -> CourseFolder:
    folder = CourseFolder(tmp_path)
    folder.settings_file.write_text("course: {id: tiny}\n")
    folder.server.mkdir()
    return folder


@pytest.fixture(name="database")
def _database(folder: CourseFolder) -> Path:
    """The database of a hub before its newest revision, with anna in it."""
    session = orm.new_session_factory(folder.hub_database_url)()
    session.add(orm.User(name="anna"))
    session.commit()
    session.close()
    path = folder.server / "jupyterhub.sqlite"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("ALTER TABLE spawners DROP COLUMN display_name")
        connection.execute("UPDATE alembic_version SET version_num = ?", [BEFORE])
    return path


def names(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return [name for (name,) in connection.execute("SELECT name FROM users")]


def test_the_newest_revision_is_the_one_that_these_tests_take_away():
    assert ScriptDirectory(dbutil.ALEMBIC_DIR).get_current_head() == HEAD


def test_serve_brings_an_older_database_to_the_current_tables_after_a_copy(folder, database):
    output = next(serve(folder))
    copy = next(folder.server.glob(f"jupyterhub.sqlite.*.{BEFORE}"))
    assert output == (
        f"hub's database: brought from {BEFORE} to {HEAD}. A copy of it as it was: {copy}."
    )
    assert revision(folder.hub_database_url) == HEAD and names(database) == ["anna"]
    assert revision(f"sqlite:///{copy}") == BEFORE and names(copy) == ["anna"]
    orm.new_session_factory(folder.hub_database_url)().query(orm.Spawner).all()
    assert list(upgrade(folder.hub_database_url, "")) == []


def test_serve_refuses_the_database_of_a_newer_jupyterhub_with_a_message(folder, database):
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = 'ffff00000000'")
    before = database.read_bytes()
    with pytest.raises(
        HubTablesError, match="newer version: its tables are at ffff00000000"
    ) as report:
        next(serve(folder))
    assert "Go back to the LogitLab version that ran here" in str(report.value)
    assert database.read_bytes() == before


def test_a_database_that_is_not_there_yet_is_left_to_jupyterhub(folder):
    assert list(upgrade(folder.hub_database_url, "")) == []
    assert not list(folder.server.glob("*.sqlite.*"))


def test_a_step_that_fails_says_where_the_copy_is(folder, database):
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("DROP TABLE spawners")
    with pytest.raises(
        HubTablesError, match=r"\(no such table: spawners\)\. A copy of it as it was: /"
    ):
        list(upgrade(folder.hub_database_url, "Go back."))
