"""nbgrader's own ways to generate: the formgrader's button and the command in its terminal."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from nbgrader.api import Gradebook, MissingEntry

from hub.authoring.errors import InvalidAssignmentName
from hub.authoring.register import register
from hub.authoring.release import differences
from hub.cli import main
from hub.core.course_folder import CourseFolder, new_course
from hub.jupyterhub.configuration.jupyterlab import write_files
from hub.singleuser.formgrader import _generated
from tests.authoring.conftest import COURSE_ID, TEXT, make_source

BAD_NAMES = ["week 1", "hw+1", "lab (a)", "été"]


def press_generate(course: Path, db_url: str, assignment: str = "01-double") -> dict:
    """What the formgrader's button does, and its dialog shows."""
    return _generated(course, assignment, COURSE_ID, db_url)


def known(course: Path, assignment: str) -> bool:
    """Whether the gradebook has the assignment."""
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}", COURSE_ID) as gradebook:
        try:
            gradebook.find_assignment(assignment)
        except MissingEntry:
            return False
    return True


def test_the_button_generates_from_the_newer_half_what_the_command_does(
    course: Path, source: Path, db_url: str
):
    press_generate(course, db_url)
    (source / "doubling.py").write_text(TEXT.replace("GIVEN = 3", "GIVEN = 4"))
    assert press_generate(course, db_url)["success"]
    assert differences(course / "source", course / "release") == []


def test_the_buttons_log_speaks_of_no_solution_as_if_students_got_it(
    course: Path, source: Path, db_url: str
):
    (source / "helpers.py").write_text("size = 3\n")
    shown = press_generate(course, db_url)
    assert shown["success"] and "Copying" not in shown["log"]
    named = [line for line in shown["log"].splitlines() if "doubling.py" in line]
    assert all("release" not in line for line in named)
    assert "left out of the student version: helpers.py" in shown["log"]
    assert "2 file(s) in" in shown["log"]


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("hint.txt", "    result_of_adding = x + x\n", "students would see"),
        ("doubling.py", TEXT.replace("### END HIDDEN TESTS\n", ""), "its source has mistakes"),
    ],
)
def test_the_buttons_dialog_is_red_and_says_why_nothing_was_generated(
    course: Path, source: Path, db_url: str, file: str, text: str, said: str
):
    (source / file).write_text(text)
    shown = press_generate(course, db_url)
    assert not shown["success"] and said in shown["log"]
    assert "Traceback" not in shown["log"]
    assert not (course / "release" / "01-double").exists()


@pytest.mark.parametrize("name", BAD_NAMES)
def test_a_name_that_students_could_not_fetch_is_refused_before_anything_is_made(
    course: Path, db_url: str, name: str
):
    make_source(course / "source" / name)
    shown = press_generate(course, db_url, name)
    assert not shown["success"]
    assert f"{name!r} cannot be the name of an assignment" in shown["log"]
    assert f"Rename the folder source/{name}." in shown["log"]
    with pytest.raises(InvalidAssignmentName):
        list(register(course, name, course_id=COURSE_ID, db_url=db_url))
    assert not (course / "release").exists() and not known(course, name)


@pytest.fixture
def course_folder(tmp_path: Path) -> CourseFolder:
    list(new_course(tmp_path / "live"))
    return CourseFolder(tmp_path / "live")


def logitlab(folder: CourseFolder, *words: str):
    return CliRunner().invoke(main, [*words, "--course", str(folder.root)])


@pytest.mark.parametrize("name", BAD_NAMES)
@pytest.mark.parametrize("command", [["generate"], ["preview"], ["release", "--hand-out"]])
def test_every_command_refuses_such_a_name_with_a_message(
    course_folder: CourseFolder, command: list[str], name: str
):
    make_source(course_folder.source / name)
    done = logitlab(course_folder, *command, name)
    assert done.exit_code == 1, done.output
    assert f"{name!r} cannot be the name of an assignment" in done.stderr


def test_check_names_a_folder_that_cannot_become_an_assignment(course_folder: CourseFolder):
    (course_folder.source / "week 1").mkdir()
    done = logitlab(course_folder, "check")
    assert "'week 1' cannot be the name of an assignment" in done.output
    assert "for example 'week-1'" in done.output


@pytest.mark.slow
@pytest.mark.parametrize("name", ["01-double", "week 1"])
def test_nbgraders_command_generates_as_ours_does(course_folder: CourseFolder, name: str):
    make_source(course_folder.source / name)
    (course_folder.source / name / "helpers.py").write_text("size = 3\n")
    write_files("grader", course_folder, course_folder.root / "config")
    scripts = Path(sys.executable).parent
    done = subprocess.run(
        [scripts / "nbgrader", "generate_assignment", name],
        cwd=course_folder.root,
        env=os.environ
        | {
            "JUPYTER_CONFIG_PATH": str(course_folder.root / "config"),
            "HOME": str(course_folder.root),
        },
        capture_output=True,
        text=True,
        timeout=300,
    )
    output = done.stdout + done.stderr
    if name == "week 1":
        assert done.returncode == 1 and "'week 1' cannot be the name of an assignment" in output
        assert "Traceback" not in output
        assert list(course_folder.release.iterdir()) == []
    else:
        assert done.returncode == 0, output
        assert "left out of the student version: helpers.py" in output
        assert {path.name for path in (course_folder.release / name).iterdir()} == {
            "doubling.ipynb",
            "line.png",
        }
