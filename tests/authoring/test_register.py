import sqlite3
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from hub.authoring.errors import LeaksFound, SubmissionsExist
from hub.authoring.register import register, release_in_course
from hub.core.gradebook import open_gradebook
from tests.authoring.conftest import COURSE_ID, TEXT

DUE = datetime(2030, 5, 1, 18, tzinfo=timezone(timedelta(hours=2)))
CELL = ("double_test", "doubling", "01-double")


def put(course: Path, db_url: str, **options) -> list[str]:
    return list(register(course, "01-double", course_id=COURSE_ID, db_url=db_url, **options))


def submit_and_grade(db_url: str) -> None:
    """A student's submission with a manual grade and a comment."""
    with open_gradebook(db_url, COURSE_ID) as gradebook:
        gradebook.add_student("alice")
        gradebook.add_submission("01-double", "alice")
        grade = gradebook.find_grade(*CELL, "alice")
        grade.manual_score = 1.5
        gradebook.find_comment("why", "doubling", "01-double", "alice").manual_comment = "good"
        gradebook.db.commit()


def test_an_empty_gradebook_knows_points_cells_and_due_date_afterwards(course: Path, db_url: str):
    assert put(course, db_url, due=DUE) == ["01-double: 1 notebook(s), 5 points in the gradebook"]
    with open_gradebook(db_url, COURSE_ID) as gradebook:
        assignment = gradebook.find_assignment("01-double")
        assert (assignment.max_score, assignment.max_written_score) == (5, 3)
        assert assignment.course_id == COURSE_ID
        assert assignment.duedate == DUE.astimezone(UTC).replace(tzinfo=None)
        assert gradebook.find_grade_cell(*CELL).max_score == 2
        (notebook,) = assignment.notebooks
        assert {cell.name for cell in notebook.source_cells} == {
            "released-1", "released-2", "double", "double_test", "why",
        }  # fmt: skip
        (test,) = [cell for cell in notebook.source_cells if cell.name == "double_test"]
        assert "negative numbers count" in test.source


def test_a_gradebook_is_made_where_the_environment_is_not_on_the_path(empty_gradebook: Path):
    with sqlite3.connect(empty_gradebook) as database:
        ((version,),) = database.execute("SELECT version_num FROM alembic_version")
    assert version


def test_registering_writes_no_release(course: Path, db_url: str):
    put(course, db_url)
    assert not (course / "release").exists()


def test_registering_again_keeps_submissions_manual_grades_and_the_due_date(
    course: Path, db_url: str, source: Path
):
    put(course, db_url, due=DUE)
    submit_and_grade(db_url)
    changed = TEXT.replace('"points": 2', '"points": 4').replace("fractions count", "halves count")
    (source / "doubling.py").write_text(changed)
    put(course, db_url)
    with open_gradebook(db_url, COURSE_ID) as gradebook:
        assert gradebook.find_assignment("01-double").duedate is not None
        assert gradebook.find_grade(*CELL, "alice").manual_score == 1.5
        comment = gradebook.find_comment("why", "doubling", "01-double", "alice")
        assert comment.manual_comment == "good"
        assert gradebook.find_grade_cell(*CELL).max_score == 4
        test = gradebook.find_source_cell(*CELL)
        assert "halves count" in test.source


def test_cells_may_come_and_go_before_anybody_submitted(course: Path, db_url: str, source: Path):
    put(course, db_url)
    (source / "doubling.py").write_text(TEXT + "\n# %%\nmore = 1\n")
    put(course, db_url)
    with open_gradebook(db_url, COURSE_ID) as gradebook:
        assert gradebook.find_source_cell("released-3", "doubling", "01-double").locked


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (TEXT + "\n# %%\nmore = 1\n", "cell doubling/released-3 was added"),
        (TEXT.replace("double_test", "double_check_test"), "doubling/double_test was removed"),
    ],
)
def test_adding_or_removing_cells_after_a_submission_is_refused_and_changes_nothing(
    course: Path, db_url: str, source: Path, text: str, message: str
):
    put(course, db_url)
    submit_and_grade(db_url)
    (source / "doubling.py").write_text(text)
    with pytest.raises(SubmissionsExist, match=message):
        put(course, db_url, due=DUE)
    with open_gradebook(db_url, COURSE_ID) as gradebook:
        assert gradebook.find_grade(*CELL, "alice").manual_score == 1.5
        assert gradebook.find_assignment("01-double").duedate is None


def test_a_notebook_that_is_gone_leaves_the_gradebook(course: Path, db_url: str, source: Path):
    (source / "second.py").write_text(TEXT)
    put(course, db_url)
    (source / "second.py").unlink()
    assert "01-double: notebook second removed from the gradebook" in put(course, db_url)
    with open_gradebook(db_url, COURSE_ID) as gradebook:
        assert gradebook.find_assignment("01-double").max_score == 5


def test_a_date_of_course_yaml_does_not_replace_one_that_is_recorded(course: Path, db_url: str):
    put(course, db_url, due=DUE)
    put(course, db_url, due=DUE + timedelta(days=7))
    with open_gradebook(db_url, COURSE_ID) as gradebook:
        recorded = gradebook.find_assignment("01-double").duedate
    assert recorded == DUE.astimezone(UTC).replace(tzinfo=None)


def test_a_due_date_without_a_time_zone_is_refused(course: Path, db_url: str):
    with pytest.raises(ValueError, match="no time zone"):
        put(course, db_url, due=datetime(2030, 5, 1))


def test_a_refused_registration_leaves_the_release_as_it_was(
    course: Path, db_url: str, source: Path
):
    list(release_in_course(course, "01-double", course_id=COURSE_ID, db_url=db_url))
    submit_and_grade(db_url)
    released = course / "release" / "01-double" / "doubling.ipynb"
    before = released.read_bytes()
    (source / "doubling.py").write_text(TEXT + "\n# %%\nmore = 1\n")
    with pytest.raises(SubmissionsExist):
        list(release_in_course(course, "01-double", course_id=COURSE_ID, db_url=db_url))
    assert released.read_bytes() == before


def test_a_refused_release_leaves_the_gradebook_as_it_was(course: Path, db_url: str, source: Path):
    (source / "doubling.py").write_text(TEXT.replace("GIVEN = 3", "import course.training"))
    with pytest.raises(LeaksFound):
        list(release_in_course(course, "01-double", course_id=COURSE_ID, db_url=db_url))
    with open_gradebook(db_url, COURSE_ID) as gradebook:
        assert gradebook.assignments == []
