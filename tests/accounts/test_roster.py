"""A list of students from an office: read, refused with line numbers, compared, imported."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.core.course_folder import CourseFolder, new_course
from hub.core.environment import Environment
from hub.core.roster.file import RosterError, csv_lines, read_roster, write_roster
from hub.core.roster.merge import everybody, with_roster
from hub.core.roster.student import Student, student
from hub.core.settings import Settings
from hub.people.roster.changes import changes, described
from hub.people.roster.spreadsheet import read_spreadsheet

ADA = Student("ada", "Ada", "Lovelace, Countess of", "ada@example.org", "17")
ZOE = Student("zoe", "Zoé", "Müller", "zoe@example.org")


def listed(tmp_path: Path, content: str | bytes, reserved: set[str] | None = None):
    path = tmp_path / "students.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_spreadsheet(path, reserved or set())


def refusal(tmp_path: Path, content: str | bytes, reserved: set[str] | None = None) -> str:
    with pytest.raises(RosterError) as error:
        listed(tmp_path, content, reserved)
    return str(error.value)


PLAIN = (
    "username,first_name,last_name,email,lms_id\n"
    'ada,Ada,"Lovelace, Countess of",ada@example.org,17\n'
    "zoe,Zoé,Müller,zoe@example.org,\n"
)


@pytest.mark.parametrize(
    "content",
    [
        PLAIN,
        PLAIN.replace("\n", "\r\n"),
        "\ufeff" + PLAIN,
        PLAIN.encode("utf-16"),
        b"\xfe\xff" + PLAIN.encode("utf-16-be"),
        PLAIN.encode("cp1252"),
        PLAIN.replace(
            "username,first_name,last_name,email,lms_id",
            "User Name,First name,LAST-NAME,E-mail, LMS ID ",
        ),
        PLAIN.replace(",", ";").replace("Lovelace;", "Lovelace,"),
        "sep=;\r\n" + PLAIN.replace(",", ";").replace("Lovelace;", "Lovelace,"),
        PLAIN.replace(",", "\t").replace("Lovelace\t", "Lovelace,"),
        PLAIN.replace("ada,Ada", " ADA , Ada "),
        PLAIN.replace("zoe,Zoé", "zoe,Zoe\u0301"),  # the accent as a character of its own
        "\n" + PLAIN + "\n,,,,\n",
    ],
    ids=[
        *("plain", "windows-lines", "bom", "utf-16", "utf-16-big-endian", "windows-1252"),
        *("other-headers", "semicolons", "excel-sep", "tabs", "capitals-and-spaces"),
        *("combining-accent", "empty-lines"),
    ],
)
def test_the_usual_forms_of_a_list_say_the_same(tmp_path, content):
    assert listed(tmp_path, content).students == (ADA, ZOE)


def test_a_list_in_an_old_encoding_is_read_and_the_reader_reported(tmp_path):
    remarks = listed(tmp_path, PLAIN.encode("cp1252")).remarks
    assert any("not UTF-8" in remark and "accents" in remark for remark in remarks)
    assert listed(tmp_path, PLAIN).remarks == ()


def test_columns_that_are_not_used_are_named(tmp_path):
    remarks = listed(tmp_path, "username,Group\nada,B\n").remarks
    assert remarks == ("columns not used: Group",)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("username\nada\nGrace Hopper\nzoë\n", ["line 3", "'grace hopper'", "line 4", "'zoë'"]),
        ("username\nada\nADA\n", ["line 3: ada is already in line 2"]),
        ("username\nboss\n", ["line 2", "admin"]),
        ("username,email\nada,ada\n", ["line 2", "ada@example.org"]),
        ("username,first_name\nada,=1+1\n", ["line 2", "formula"]),
        ("username,last_name\nada,＝cmd\n", ["line 2", "formula"]),
        ("username,last_name\nada,a\u202eb\n", ["line 2", "unprintable"]),
        ("username,last_name\nada,a\x1b[2Jb\n", ["line 2", "unprintable"]),
        ("username,last_name\nada,Lovelace, Countess\n", ["line 2: 3 fields", "quotes"]),
        ('username,last_name\nada,"Love\n', ["line 2"]),
        ('username,last_name\nzoe,"a\nb"\n!,c\n', ["line 4"]),
        ("login,user\nada,b\n", ["line 1", "two columns for username"]),
        ("name,mail\nada,b\n", ["line 1", "no column username", "name"]),
        ("username\n", ["contains no students"]),
        ("", ["empty"]),
        (b"PK\x03\x04rest", ["CSV UTF-8"]),
        (b"\xd0\xcf\x11\xe0rest", ["CSV UTF-8"]),
        (b"a\0d\0a\0", ["zero bytes"]),
        (b"username\nada\x81\n", ["line 2", "CSV UTF-8"]),
        ("username,last_name\nada," + 200 * "x", ["line 2", "longer than 128"]),
    ],
)
def test_an_unreadable_line_is_refused_with_its_number(tmp_path, content, expected):
    message = refusal(tmp_path, content, {"boss"})
    for words in expected:
        assert words in message


def test_every_wrong_line_is_named_at_once_and_a_flood_is_cut(tmp_path):
    assert refusal(tmp_path, "username\n" + "!\n" * 3).count("line ") == 3
    assert "and 30 more" in refusal(tmp_path, "username\n" + "!\n" * 50)


def test_the_roster_is_read_as_it_was_written(tmp_path):
    path = tmp_path / "people" / "roster.csv"
    assert read_roster(path) == ()
    write_roster(path, (ZOE, ADA))
    assert read_roster(path) == (ADA, ZOE)
    assert [path.name for path in path.parent.iterdir()] == ["roster.csv"]


@pytest.mark.parametrize(
    "content",
    [
        "ada\n",
        "username,first_name,last_name,email,lms_id\nada\n",
        "username,first_name,last_name,email,lms_id\nADA/..,a,b,,\n",
        "username,first_name,last_name,email,lms_id\nada,,,,\nada,,,,\n",
        "username,first_name,last_name,email,lms_id\nada,=1,,,\n",
        "x" * 5_000_000,
    ],
)
def test_a_roster_that_somebody_wrote_by_other_means_is_refused(tmp_path, content):
    path = tmp_path / "roster.csv"
    path.write_text(content)
    with pytest.raises(RosterError):
        read_roster(path)


def test_a_roster_that_is_a_link_to_somewhere_else_is_refused(tmp_path):
    write_roster(tmp_path / "real.csv", (ADA,))
    (tmp_path / "roster.csv").symlink_to(tmp_path / "real.csv")
    assert read_roster(tmp_path / "real.csv") == (ADA,)
    with pytest.raises(RosterError):
        read_roster(tmp_path / "roster.csv")


def test_changes_say_who_comes_goes_stays_and_is_called_otherwise():
    ada = Student("ada", "Ada", "King", "ada@example.org", "17")
    found = changes((ADA, ZOE, Student("ian")), (ada, ZOE, Student("new")))
    assert found.added == (Student("new"),)
    assert found.renamed == ((ADA, ada),)
    assert found.left == (Student("ian"),)
    assert found.unchanged == (ZOE,)
    text = "\n".join(described(found))
    assert "last_name Lovelace, Countess of → King" in text
    assert "1 added, 1 renamed, 1 left, 1 unchanged" in text
    assert not changes((ADA, ZOE), (ZOE, ADA))


def test_a_new_user_name_for_the_same_person_is_pointed_out():
    text = "\n".join(described(changes((ADA,), (Student("alovelace", lms_id="17"),))))
    assert "same lms_id 17" in text


def settings(**people: list[str]) -> Settings:
    return Settings.model_validate({"course": {"id": "m"}, "people": people})


def test_course_yaml_and_roster_are_one_list():
    merged = with_roster(
        settings(admins=["a"], instructors=["i"], students=["s", "ada"]), (ADA, ZOE)
    )
    assert merged.people.students == ["s", "ada", "zoe"]
    assert everybody(merged) == ["a", "i", "s", "ada", "zoe"]


def test_a_roster_takes_nobodys_part_away_and_gives_none_above_a_students():
    roster = tuple(Student(name) for name in ("a", "i", "grader-m", "zoe"))
    merged = with_roster(settings(admins=["a"], instructors=["i"]), roster)
    assert merged.people.students == ["zoe"]
    assert merged.people.instructors == ["i"]
    assert merged.people.admins == ["a"]


def test_a_course_folders_people_come_from_both_files(tmp_path):
    list(new_course(tmp_path / "course"))
    write_roster(tmp_path / "course" / "people" / "roster.csv", (ADA,))
    assert "ada" in CourseFolder(tmp_path / "course").settings.people.students
    write_roster(tmp_path / "elsewhere" / "roster.csv", (ZOE,))
    elsewhere = Environment(people=tmp_path / "elsewhere")
    students = CourseFolder(tmp_path / "course", elsewhere).settings.people.students
    assert "zoe" in students and "ada" not in students


@pytest.mark.parametrize("field", ["first_name", "last_name", "email", "lms_id"])
@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t=", "\r=", " ="])
def test_no_field_that_a_spreadsheet_would_run_is_ever_written(field, start):
    with pytest.raises(ValueError, match=r"formula|email"):
        student({"username": "ada", field: f'{start}HYPERLINK("x")'})
    written = "\n".join(csv_lines((ADA, ZOE)))
    assert 'ada,Ada,"Lovelace, Countess of"' in written
