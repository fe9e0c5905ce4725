"""nbgrader's gradebook on PostgreSQL: a course from release to feedback, and graders at once."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest
from nbgrader import dbutil
from nbgrader.api import Gradebook
from nbgrader.apps import NbGraderAPI
from sqlalchemy import make_url
from sqlalchemy.exc import InternalError
from traitlets.config import Config

from hub.core.gradebook import open_gradebook
from hub.grading.pipeline.batch import autograde
from hub.upstream.nbgrader import end_transaction
from tests.grading.tiny_course import (
    ASSIGNMENT,
    NOTEBOOK,
    ONLY_HIDDEN_FAILS,
    answered,
    course_config,
    make_course,
    submit,
)
from tests.postgres.server import shared

pytestmark = pytest.mark.kernel

STUDENTS = ("alice", "bob", "carol", "dave")


@pytest.fixture(scope="module", name="url")
def _url() -> str:
    return shared().new_database()


@pytest.fixture(scope="module", name="course")
def _course(tmp_path_factory: pytest.TempPathFactory, url: str) -> Path:
    """A released assignment with four submissions, graded by the batch."""
    root = tmp_path_factory.mktemp("course")
    with open_gradebook(url, "tiny") as gradebook:
        gradebook.add_student("alice", first_name="Ali", last_name="Ce")
    make_course(root, url)
    submit(root, "alice", answered(root))
    submit(root, "bob", answered(root, double=ONLY_HIDDEN_FAILS))
    list(autograde(root, ASSIGNMENT, workers=2, config=configured(root, url)))
    return root


def configured(root: Path, url: str) -> Config:
    config = course_config(root)
    config.CourseDirectory.db_url = url
    return config


def scores(url: str) -> dict[str, float]:
    with Gradebook(url, "tiny") as gradebook:
        submissions = gradebook.assignment_submissions(ASSIGNMENT)
        return {one.student.id: float(one.score) for one in submissions}


def test_submissions_are_scored(course: Path, url: str) -> None:
    found = scores(url)
    assert (found["alice"], found["bob"]) == (5, 3)


def test_the_formgraders_lists_are_answered(course: Path, url: str) -> None:
    api = NbGraderAPI(config=configured(course, url))
    (assignment,) = api.get_assignments()
    assert (assignment["name"], assignment["num_submissions"]) == (ASSIGNMENT, 2)
    assert api.get_assignment(ASSIGNMENT)["average_score"] == 4
    (book,) = api.get_notebooks(ASSIGNMENT)
    assert book["average_code_score"] == 4
    assert {one["student"] for one in api.get_submissions(ASSIGNMENT)} == {"alice", "bob"}
    submitted = api.get_notebook_submissions(ASSIGNMENT, NOTEBOOK)
    assert [one["code_score"] for one in submitted] in ([5, 3], [3, 5])
    assert [one["score"] for one in api.get_students() if one["id"] == "alice"] == [5]
    (of_bob,) = api.get_student_submissions("bob")
    assert of_bob["needs_manual_grade"] and of_bob["max_code_score"] == 5
    assert api.get_student_notebook_submissions("bob", ASSIGNMENT)[0]["failed_tests"]


def test_a_grade_given_by_hand_and_a_comment_are_kept(course: Path, url: str) -> None:
    with Gradebook(url, "tiny") as gradebook:
        gradebook.find_grade("why", NOTEBOOK, ASSIGNMENT, "alice").manual_score = 3.5
        comment = gradebook.find_comment("why", NOTEBOOK, ASSIGNMENT, "alice")
        comment.manual_comment = "Nearly — ß 💡"
        gradebook.db.commit()
    lines = list(
        autograde(course, ASSIGNMENT, ["alice"], force=True, config=configured(course, url))
    )
    assert any("8.5/9" in line for line in lines)
    with Gradebook(url, "tiny") as gradebook:
        comment = gradebook.find_comment("why", NOTEBOOK, ASSIGNMENT, "alice")
        assert comment.comment == "Nearly — ß 💡"
    result = NbGraderAPI(config=configured(course, url)).generate_feedback(ASSIGNMENT, "alice")
    assert result["success"], result["log"]
    assert (course / "feedback" / "alice" / ASSIGNMENT / f"{NOTEBOOK}.html").is_file()


GRADER = """
import sys
from pathlib import Path
from hub.grading.pipeline.batch import autograde
from tests.postgres.test_gradebook import configured
root, url, *students = sys.argv[1:]
for line in autograde(Path(root), "ps1", students, 1, True, configured(Path(root), url)):
    print(line)
"""


def test_two_graders_at_once_grade_everybody(course: Path, url: str) -> None:
    for student in ("carol", "dave"):
        submit(course, student, answered(course))
    graders = [
        subprocess.Popen(
            [sys.executable, "-c", GRADER, str(course), url, *students],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for students in (("carol", "alice"), ("dave", "bob"))
    ]
    for grader in graders:
        words, _ = grader.communicate(timeout=120)
        assert grader.returncode == 0 and "2 of 2 submissions graded" in words, words
    found = scores(url)
    assert (found["bob"], found["carol"], found["dave"]) == (3, 5, 5)


def test_the_gradebook_is_upgraded_in_place(course: Path, url: str) -> None:
    """From the state before the column of LMS accounts, and again when nothing is to be done."""
    before = scores(url)
    conninfo = make_url(url).set(drivername="postgresql").render_as_string(False)
    with psycopg.connect(conninfo) as connection:
        (newest,) = connection.execute("SELECT version_num FROM alembic_version").fetchone() or ()
        connection.execute("ALTER TABLE student DROP COLUMN lms_user_id")
        connection.execute("UPDATE alembic_version SET version_num = '167914646830'")
    dbutil.upgrade(url, "282d30a0218e")
    with psycopg.connect(conninfo) as connection:
        assert connection.execute("SELECT lms_user_id FROM student").fetchall()
        connection.execute("UPDATE alembic_version SET version_num = %s", [newest])
    upgrade = [sys.executable, "-m", "nbgrader", "db", "upgrade", f"--db={url}"]
    done = subprocess.run(upgrade, cwd=course, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert scores(url) == before


def test_the_formgraders_pages_work_after_a_break_of_the_one_who_grades(course, url):
    """The database closes a connection that did nothing for long in an open transaction."""
    timeout = {"options": "-c idle_in_transaction_session_timeout=300"}
    short = make_url(url).update_query_dict(timeout).render_as_string(hide_password=False)
    with Gradebook(short, "tiny") as gradebook:
        settings = {"nbgrader_gradebook": gradebook}
        for _ in range(2):
            assert gradebook.find_student("alice")
            end_transaction(settings)
            time.sleep(0.6)
        assert gradebook.find_student("alice")
        time.sleep(0.6)
        with pytest.raises(InternalError, match="idle-in-transaction"):
            gradebook.find_student("alice")
        gradebook.db.rollback()


def test_before_the_first_page_there_is_no_transaction_to_end():
    end_transaction({"nbgrader_gradebook": None})
