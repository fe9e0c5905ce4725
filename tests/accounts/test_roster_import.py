"""`logitlab roster`: what it shows, asks, writes and leaves alone."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from jupyterhub import orm

from hub.cli import main
from hub.core.course_folder import CourseFolder, new_course
from hub.core.gradebook import open_gradebook
from hub.core.roster.file import read_roster, write_roster
from hub.grading.pipeline.export import COLUMNS, export_csv
from hub.people.accounts import password_links
from hub.people.accounts.issue import hub_database
from hub.people.roster.importing import plan_import

LIST = """\
Username,First name,Last name,Email
ada,Ada,"Lovelace, Countess",ada@example.org
zoe,Zoé,M,
"""


@pytest.fixture
def folder(tmp_path: Path, empty_databases: Path) -> CourseFolder:
    folder = course(tmp_path / "course", "native")
    shutil.copy(empty_databases / "gradebook.db", folder.root)
    shutil.copy(empty_databases / "jupyterhub.sqlite", folder.server)
    return folder


def course(root: Path, login: str) -> CourseFolder:
    list(new_course(root))
    people = "people:\n  admins: [admin]\n  instructors: [prof]\n  students: [bob]\n"
    text = f"course:\n  id: m\n{people}accounts:\n  login: {login}\n"
    (root / "course.yaml").write_text(text)
    return CourseFolder(root)


def roster(folder: CourseFolder, *words: str) -> Result:
    return CliRunner().invoke(main, ["roster", *words, f"--course={folder.root}"])


def imported(folder: CourseFolder, content: str = LIST, *words: str) -> Result:
    path = folder.root.parent / "students.csv"
    path.write_text(content)
    return roster(folder, "import", str(path), *(words or ["--yes"]))


def gradebook(folder: CourseFolder) -> dict[str, tuple[str | None, ...]]:
    with open_gradebook(folder.gradebook_url, "m") as book:
        return {one.id: (one.first_name, one.last_name, one.email) for one in book.students}


def links_open(folder: CourseFolder) -> set[str]:
    with hub_database(folder) as session:
        return set(password_links.open_links(session))


def test_without_an_answer_nothing_changes(folder):
    result = imported(folder, LIST, "--course", str(folder.root))
    assert result.exit_code == 1
    assert "+ ada (Ada Lovelace, Countess) ada@example.org" in result.output
    assert "2 added, 0 renamed, 0 left, 0 unchanged" in result.output
    assert "--yes" in result.output
    assert not folder.roster_file.exists()


def test_an_import_makes_roster_gradebook_rows_and_links(folder):
    result = imported(folder)
    assert result.exit_code == 0, result.output
    assert [one.username for one in read_roster(folder.roster_file)] == ["ada", "zoe"]
    rows = gradebook(folder)
    assert rows["ada"] == ("Ada", "Lovelace, Countess", "ada@example.org")
    assert rows["bob"] == (None, None, None)
    assert result.output.count("/hub/set-password?key=") == 2
    assert links_open(folder) == {"ada", "zoe"}


def test_an_import_can_be_repeated(folder):
    imported(folder)
    again = imported(folder)
    assert again.exit_code == 0
    assert "0 added, 0 renamed, 0 left, 2 unchanged" in again.output
    assert "set-password" not in again.output, "a second link would void the one in somebody's mail"


def test_an_interrupted_import_is_brought_to_its_end_by_the_next(folder):
    path = folder.root.parent / "students.csv"
    path.write_text(LIST)
    write_roster(folder.roster_file, plan_import(folder, path).students)  # and then the power went
    result = imported(CourseFolder(folder.root))
    assert result.exit_code == 0
    assert set(gradebook(folder)) == {"ada", "zoe", "bob"}
    assert links_open(folder) == {"ada", "zoe"}


def test_a_renamed_student_is_renamed_in_the_gradebook(folder):
    imported(folder)
    result = imported(folder, LIST.replace("Ada,", "Augusta Ada,"))
    assert "~ ada: first_name Ada → Augusta Ada" in result.output
    assert gradebook(folder)["ada"][0] == "Augusta Ada"


def test_a_student_who_leaves_the_list_keeps_the_gradebooks_row_and_comes_back_to_it(folder):
    imported(folder)
    result = imported(folder, "username\nzoe\n")
    assert "- ada (Ada Lovelace, Countess)" in result.output
    assert "ada" in gradebook(folder)
    assert "ada" not in CourseFolder(folder.root).settings.people.students
    imported(folder)
    assert "ada" in CourseFolder(folder.root).settings.people.students


def test_a_wrong_list_changes_nothing(folder):
    imported(folder)
    before = folder.roster_file.read_bytes()
    result = imported(folder, "username\nada\n../evil\nprof\n")
    assert result.exit_code == 1
    assert "line 3" in result.output and "line 4" in result.output
    assert folder.roster_file.read_bytes() == before


def test_in_a_demonstration_new_students_get_a_password_like_the_others(folder):
    course(folder.root, "demo")
    folder = CourseFolder(folder.root)
    result = imported(folder)
    accounts = (folder.server / "accounts.json").read_text()
    assert '"ada"' in accounts
    assert "ada" in result.output and "set-password" not in result.output
    assert roster(folder, "links", "--missing").exit_code == 1


def test_in_containers_the_graders_container_makes_no_links(folder, monkeypatch):
    monkeypatch.setenv("LOGITLAB_SHAPE", "containers")
    (folder.server / "jupyterhub.sqlite").unlink()
    result = imported(folder)
    assert result.exit_code == 0, result.output
    assert "make links" in result.output
    assert not (folder.server / "jupyterhub.sqlite").exists()


def test_the_roster_is_listed_as_csv(folder):
    imported(folder)
    rows = list(csv.DictReader(roster(folder, "list").output.splitlines()))
    assert rows[0]["last_name"] == "Lovelace, Countess"


def test_links_are_written_for_their_owner_alone(folder, tmp_path):
    target = tmp_path / "links.csv"
    result = roster(folder, "links", "--missing", "--to", str(target))
    assert result.exit_code == 0, result.output
    assert target.stat().st_mode & 0o777 == 0o600
    rows = list(csv.DictReader(target.read_text().splitlines()))
    assert [row["name"] for row in rows] == ["admin", "prof", "bob"]
    assert rows[0]["link"].startswith("http://localhost:8000/hub/set-password?key=")
    assert rows[0]["expires_utc"].endswith("Z")
    assert result.output.count("key=") == 0


def test_links_begin_with_the_address_that_people_open(folder, monkeypatch):
    monkeypatch.setenv("LOGITLAB_URL", "https://course.example.org")
    output = roster(folder, "links", "--new", "bob").output
    assert "https://course.example.org/hub/set-password?key=" in output


def test_a_link_for_nobody_of_the_course_is_refused(folder):
    result = roster(folder, "links", "--new", "bob", "--new", "mallory")
    assert result.exit_code == 1
    assert "mallory" in result.output
    assert links_open(folder) == set()
    assert roster(folder, "links").exit_code == 1


def test_links_made_before_the_hubs_first_start_leave_it_a_database_of_its_own_version(folder):
    (folder.server / "jupyterhub.sqlite").unlink()
    roster(folder, "links", "--missing")
    with hub_database(folder) as session:
        assert session.query(orm.User).count() == 0


def test_exported_grades_carry_the_rosters_names(folder, tmp_path):
    imported(folder)
    with open_gradebook(folder.gradebook_url, "m") as book:
        book.add_assignment("ps1")
    export_csv(folder.gradebook_url, "m", tmp_path / "grades.csv")
    rows = list(csv.DictReader((tmp_path / "grades.csv").read_text().splitlines()))
    assert set(COLUMNS) == set(rows[0])
    ada = next(row for row in rows if row["student_id"] == "ada")
    assert (ada["first_name"], ada["last_name"]) == ("Ada", "Lovelace, Countess")
    assert ada["email"] == "ada@example.org"
