"""Grading again: what was graded by hand waits for a person only where something changed."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_markdown_cell
from nbgrader.api import Grade, Gradebook
from nbgrader.apps import NbGraderAPI
from sqlalchemy import text

from hub.grading.pipeline.batch import autograde
from tests.grading.tiny_course import (
    ASSIGNMENT,
    NOTEBOOK,
    ONLY_HIDDEN_FAILS,
    answered,
    cell_named,
    course_config,
    make_course,
    settings,
    source_notebook,
    submit,
)

pytestmark = pytest.mark.kernel

WAITS = "(an answer needs manual grading)"
TOGETHER = settings(grading={"tests": "in_kernel"})


def gradebook(course: Path) -> Gradebook:
    return Gradebook(f"sqlite:///{course / 'gradebook.db'}", "tiny")


def graded_again(course: Path, force: bool = True) -> str:
    """What the batch says when it grades the class again."""
    config = course_config(course, TOGETHER)
    return "\n".join(autograde(course, ASSIGNMENT, force=force, config=config))


def grade_by_hand(course: Path, score: float, question: str = "why", **more: float) -> None:
    """What the formgrader saves when somebody types a score, and a comment on it."""
    with gradebook(course) as book:
        grade = book.find_grade(question, NOTEBOOK, ASSIGNMENT, "alice")
        grade.manual_score, grade.needs_manual_grade = score, False
        grade.extra_credit = more.get("extra_credit")
        if question == "why":
            comment = book.find_comment(question, NOTEBOOK, ASSIGNMENT, "alice")
            comment.manual_comment = "Well said."
        book.db.commit()


def grade_of(course: Path, question: str = "why") -> Grade:
    with gradebook(course) as book:
        grade = book.find_grade(question, NOTEBOOK, ASSIGNMENT, "alice")
        book.db.refresh(grade)
        book.db.expunge_all()
        return grade


def hand_in(course: Path, day: int, **answers: str) -> None:
    submit(course, "alice", answered(course, **answers), f"2027-01-{day:02} 10:00:00 UTC")


def with_question(text: str) -> NotebookNode:
    """The instructor's notebook with a question in the cell before the essay."""
    source = source_notebook()
    source.cells.insert(-1, new_markdown_cell(text, id="question"))
    return source


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("asked") / "course"
    make_course(root, source=with_question("Why?"))
    return root


@pytest.fixture
def graded(course: Path) -> Path:
    """A course with one submission that was graded, by its tests and by hand."""
    hand_in(course, 1)
    assert WAITS in graded_again(course)
    grade_by_hand(course, 3, extra_credit=0.5)
    return course


def test_an_answer_graded_by_hand_waits_for_nobody_when_nothing_changed(graded: Path) -> None:
    for _ in range(2):
        report = graded_again(graded)
        assert "8.5/9" in report
        assert WAITS not in report
    result = NbGraderAPI(config=course_config(graded, TOGETHER)).autograde(ASSIGNMENT, "alice")
    assert result["success"], result
    grade = grade_of(graded)
    assert (grade.manual_score, grade.extra_credit, grade.needs_manual_grade) == (3, 0.5, False)
    with gradebook(graded) as book:
        comment = book.find_comment("why", NOTEBOOK, ASSIGNMENT, "alice")
        assert comment.comment == "Well said."


def test_feedback_shows_an_answer_that_nobody_has_read_as_not_graded_yet(
    course: Path,
) -> None:
    def feedback() -> str:
        api = NbGraderAPI(config=course_config(course, TOGETHER))
        result = api.generate_feedback(ASSIGNMENT, "alice")
        assert result["success"], result
        return (course / "feedback" / "alice" / ASSIGNMENT / f"{NOTEBOOK}.html").read_text()

    hand_in(course, 1)
    graded_again(course)
    page = feedback()
    assert "not graded yet: a person will" in page and "so far" in page
    assert ">– / 4<" in page and ">0 / 4<" not in page
    grade_by_hand(course, 0)
    page = feedback()
    assert "graded by a person" in page and ">0 / 4<" in page
    assert "not graded yet" not in page and "so far" not in page


def test_another_exercise_handed_in_again_leaves_the_essay_graded(graded: Path) -> None:
    hand_in(graded, 2, double=ONLY_HIDDEN_FAILS, why="Because. \r\n")
    report = graded_again(graded, force=False)
    assert "6.5/9" in report
    assert WAITS not in report


def test_a_changed_essay_waits_until_the_graded_one_is_back(graded: Path) -> None:
    hand_in(graded, 2, why="Because it is so.")
    assert WAITS in graded_again(graded, force=False)
    assert WAITS in graded_again(graded), "nobody has read it since"
    assert grade_of(graded).manual_score == 3
    hand_in(graded, 3, why="Because.")
    assert WAITS not in graded_again(graded, force=False)
    hand_in(graded, 4, why="Because it is so.")
    assert WAITS in graded_again(graded, force=False)
    grade_by_hand(graded, 4)
    assert WAITS not in graded_again(graded)


@pytest.mark.parametrize("what", ["points", "question", "another cell"])
def test_an_essay_waits_when_its_released_question_changed(graded: Path, what: str) -> None:
    source = with_question("Why?")
    if what == "points":
        cell_named(source, "why").metadata.nbgrader.points = 5
    elif what == "question":
        source = with_question("Why, and since when?")
    else:
        cell_named(source, "square_test").source += "\nassert square(0) == 0"
    nbformat.write(source, graded / "source" / ASSIGNMENT / f"{NOTEBOOK}.ipynb")
    api = NbGraderAPI(config=course_config(graded, TOGETHER))
    assert api.generate_assignment(ASSIGNMENT)["success"]
    assert (WAITS in graded_again(graded)) == (what != "another cell")


def test_a_manual_score_replaces_a_tests_score_until_the_answer_changes(graded: Path) -> None:
    grade_by_hand(graded, 1.5, question="square_test")
    report = graded_again(graded)
    assert "8/9" in report
    assert WAITS not in report
    hand_in(graded, 2, square="def square(x):\n    return x * x")
    assert WAITS in graded_again(graded, force=False)
    assert grade_of(graded, "square_test").needs_manual_grade
    assert not grade_of(graded).needs_manual_grade


def test_a_submission_that_could_not_be_graded_forgets_no_grade(graded: Path) -> None:
    stamp = graded / "submitted" / "alice" / ASSIGNMENT / "timestamp.txt"
    kept = stamp.read_text()
    stamp.write_text("yesterday")
    assert "0 of 1 submissions graded" in graded_again(graded)
    stamp.write_text(kept)
    assert WAITS not in graded_again(graded)


def test_grades_from_versions_without_fingerprints_are_compared_with_the_graded_notebook(
    graded: Path,
) -> None:
    with gradebook(graded) as book:
        book.db.execute(text("DROP TABLE logitlab_manual_grade"))
        book.db.commit()
    assert WAITS not in graded_again(graded)
    with gradebook(graded) as book:
        book.db.execute(text("DROP TABLE logitlab_manual_grade"))
        book.db.commit()
    hand_in(graded, 2, why="Another essay.")
    assert WAITS in graded_again(graded, force=False)


def test_a_score_saved_through_nbgraders_own_interface_grades_the_answer_of_that_time(
    graded: Path,
) -> None:
    hand_in(graded, 2, why="Because it is so.")
    graded_again(graded, force=False)
    with gradebook(graded) as book:
        book.find_grade("why", NOTEBOOK, ASSIGNMENT, "alice").manual_score = 4
        book.db.commit()
    assert WAITS not in graded_again(graded)
