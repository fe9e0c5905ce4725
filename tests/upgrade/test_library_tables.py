"""The hub's database and the gradebook, where JupyterHub's or nbgrader's version has risen."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from alembic.script import ScriptDirectory
from click.testing import CliRunner
from jupyterhub import orm
from sqlalchemy import MetaData, NullPool, create_engine, inspect, select

from hub.cli import main
from hub.core.course_folder import CourseFolder
from hub.core.gradebook import GRADEBOOK, open_gradebook
from hub.core.tables import Tables, TablesError, revision
from hub.jupyterhub.tables import HUB
from hub.serve import serve
from tests.postgres.server import shared

WAY_BACK = "Go back."


def hub_with_anna(url: str) -> None:
    session = orm.new_session_factory(url)()
    session.add(orm.User(name="anna"))
    session.commit()
    session.get_bind().dispose()
    session.close()


def gradebook_with_anna(url: str) -> None:
    with open_gradebook(url, "tiny") as gradebook:
        gradebook.add_assignment("ps1")
        gradebook.add_notebook("w1", "ps1")
        gradebook.add_grade_cell("sum", "w1", "ps1", max_score=2, cell_type="code")
        gradebook.add_student("anna")


@dataclass(frozen=True)
class Library:
    """One of the two, as it is and as a later version of it would be."""

    now: Tables
    later: Tables
    make: Callable[[str], None]
    people: str  # the table that anna is in


REVISION = """
import sqlalchemy as sa
from alembic import op

revision, down_revision = "later", {head!r}


def upgrade():
    op.add_column({table!r}, sa.Column("since", sa.Integer))
"""


def later(now: Tables, table: str, folder: Path) -> Tables:
    """The library with one more revision, which gives `table` a column."""
    revisions = folder / "alembic"
    shutil.copytree(now.revisions, revisions)
    head = ScriptDirectory(now.revisions).get_current_head()
    text = REVISION.format(head=head, table=table)
    (revisions / "versions" / "later.py").write_text(text, encoding="utf-8")

    def write_settings(path: str, url: str) -> None:
        now.write_settings(path, url)
        settings = Path(path)
        settings.write_text(settings.read_text().replace(now.revisions, str(revisions)))

    return Tables(now.name, str(revisions), write_settings)


@pytest.fixture(scope="module", name="libraries")
def _libraries(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Library]:
    def library(now: Tables, make: Callable[[str], None], people: str) -> Library:
        return Library(now, later(now, people, tmp_path_factory.mktemp("later")), make, people)

    return {
        "hub": library(HUB, hub_with_anna, "users"),
        "gradebook": library(GRADEBOOK, gradebook_with_anna, "student"),
    }


@pytest.fixture(params=["hub", "gradebook"], name="library")
def _library(request: pytest.FixtureRequest, libraries: dict[str, Library]) -> Library:
    return libraries[request.param]


@pytest.fixture(params=["sqlite", "postgresql"], name="url")
def _url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgresql":
        return shared().new_database()
    return f"sqlite:///{tmp_path / 'kept.sqlite'}"


def sql(url: str, *statements: str) -> None:
    engine = create_engine(url, poolclass=NullPool)
    with engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


def rows(url: str, schema: str | None = None) -> dict[str, list[tuple[str, ...]]]:
    """Every row of every table."""
    tables = MetaData(schema=schema)
    engine = create_engine(url, poolclass=NullPool)
    with engine.begin() as connection:
        tables.reflect(connection)
        return {
            table.name: sorted(tuple(map(str, row)) for row in connection.execute(select(table)))
            for table in tables.sorted_tables
        }


def kept(library: Library, url: str) -> dict[str, Any]:
    """Make the database, with anna in it; its rows."""
    library.make(url)
    return rows(url)


def newer(library: Library, url: str) -> dict[str, Any]:
    """As a version would leave it that nobody here knows."""
    library.make(url)
    sql(url, "UPDATE alembic_version SET version_num = 'ffff00000000'")
    return rows(url)


def copies(url: str) -> list[str]:
    """Paths of files, or names of schemas."""
    if url.startswith("sqlite"):
        path = Path(url.removeprefix("sqlite:///"))
        return [str(found) for found in path.parent.glob(f"{path.name}.*")]
    engine = create_engine(url, poolclass=NullPool)
    return [name for name in inspect(engine).get_schema_names() if "_copy_" in name]


def rows_of_copy(url: str, copy: str) -> dict[str, Any]:
    return rows(f"sqlite:///{copy}") if url.startswith("sqlite") else rows(url, copy)


def test_an_older_database_is_brought_to_the_current_tables_after_a_copy(library, url):
    before = kept(library, url)
    at = revision(url)
    assert list(library.now.upgrade(url, WAY_BACK)) == []
    (output,) = library.later.upgrade(url, WAY_BACK)
    (copy,) = copies(url)
    assert output.startswith(f"{library.now.name}: brought from {at} to later. A copy of it as it ")
    assert copy in output and rows_of_copy(url, copy) == before
    after = rows(url)
    assert after["alembic_version"] == [("later",)]
    assert {name: len(there) for name, there in after.items()} == {
        name: len(there) for name, there in before.items()
    }
    assert any("anna" in row for row in after[library.people])
    assert list(library.later.upgrade(url, WAY_BACK)) == [] and copies(url) == [copy]


def test_a_copy_in_postgresql_outlives_the_tables_it_was_made_of(library):
    url = shared().new_database()
    before = kept(library, url)
    list(library.later.upgrade(url, WAY_BACK))
    (copy,) = copies(url)
    sql(url, "DROP SCHEMA public CASCADE", f'ALTER SCHEMA "{copy}" RENAME TO public')
    assert rows(url) == before
    assert list(library.now.upgrade(url, WAY_BACK)) == []


def test_a_database_of_a_newer_version_is_refused_and_left_alone(library, url):
    before = newer(library, url)
    for refused in (
        lambda: list(library.now.upgrade(url, WAY_BACK)),
        lambda: library.now.check(url),
    ):
        with pytest.raises(TablesError, match="newer version: its tables are at ffff00000000"):
            refused()
    assert rows(url) == before and copies(url) == []


def test_commands_beside_a_server_do_not_upgrade(library, tmp_path):
    url = f"sqlite:///{tmp_path / 'kept.sqlite'}"
    before = kept(library, url)
    library.now.check(url)
    with pytest.raises(TablesError, match=r"earlier version.* Start the course's server once"):
        library.later.check(url)
    assert rows(url) == before


def test_a_database_that_is_not_there_yet_is_left_to_the_library(library, url):
    assert list(library.now.upgrade(url, WAY_BACK)) == []
    library.now.check(url)
    assert rows(url) == {} and copies(url) == []


def test_a_step_that_fails_says_where_the_copy_is(library, url):
    kept(library, url)
    sql(url, f"ALTER TABLE {library.people} ADD COLUMN since INTEGER")
    before = rows(url)
    with pytest.raises(TablesError) as failed:
        list(library.later.upgrade(url, WAY_BACK))
    (copy,) = copies(url)
    assert copy in str(failed.value) and str(failed.value).endswith(WAY_BACK)
    assert re.search(r"could not be brought from \w+ to later \(.*since.*\)", str(failed.value))
    assert rows(url) == before


def test_without_a_copy_there_is_no_upgrade(library, tmp_path):
    url = f"sqlite:///{tmp_path / 'kept.sqlite'}"
    before = kept(library, url)
    (tmp_path / "kept.sqlite.copying").mkdir()
    with pytest.raises(TablesError, match="could not be copied"):
        list(library.later.upgrade(url, WAY_BACK))
    assert rows(url) == before


@pytest.fixture(name="folder")
def _folder(tmp_path: Path) -> CourseFolder:
    folder = CourseFolder(tmp_path)
    folder.settings_file.write_text("course: {id: tiny}\n")
    folder.server.mkdir()
    return folder


def test_the_embedded_server_upgrades_both_and_refuses_newer_ones(folder, libraries, monkeypatch):
    urls = {"hub": folder.hub_database_url, "gradebook": folder.gradebook_url}
    with monkeypatch.context() as as_later:
        for name, url in urls.items():
            kept(libraries[name], url)
            as_later.setattr(f"hub.serve.{name.upper()}", libraries[name].later)
        output = list(islice(serve(folder), 2))
        for line, name in zip(output, urls, strict=True):
            assert line.startswith(f"{libraries[name].now.name}: brought from")
    for name, url in urls.items():
        with pytest.raises(TablesError, match=f"The {libraries[name].now.name} is of a newer"):
            next(serve(folder))
        head = ScriptDirectory(libraries[name].now.revisions).get_current_head()
        sql(url, f"UPDATE alembic_version SET version_num = '{head}'")


@pytest.mark.parametrize(
    "command", [["export"], ["autograde", "ps1"], ["generate", "ps1"], ["course", "add", "start"]]
)
def test_commands_refuse_a_gradebook_of_a_newer_version(folder, libraries, command):
    before = newer(libraries["gradebook"], folder.gradebook_url)
    done = CliRunner().invoke(main, [*command, f"--course={folder.root}"])
    assert done.exit_code == 1 and "The gradebook is of a newer version" in done.output
    assert rows(folder.gradebook_url) == before and not (folder.root / "grades.csv").exists()


def test_the_formgrader_in_containers_refuses_a_gradebook_of_a_newer_version(folder, libraries):
    before = newer(libraries["gradebook"], folder.gradebook_url)
    done = subprocess.run(
        [sys.executable, "-m", "hub.containers", "formgrader"],
        env=os.environ | {"LOGITLAB_COURSE": str(folder.root)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert "The gradebook is of a newer version" in done.stderr and "LOGITLAB_TAG" in done.stderr
    assert rows(folder.gradebook_url) == before
