"""The day: two students and an instructor, from the login page to feedback and exported grades.

    python -m tests.e2e --url http://localhost:8000 --accounts FOLDER/server/accounts.json

plays it against a running server. Student A has some points, one failure that only a hidden test
sees, a warning on stderr and an answer to the open question. Student B's notebook crashes
midway; a later and better one comes after the due date.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.e2e import answers
from tests.e2e.browser import InstructorDesk, StudentDesk, launched
from tests.e2e.hub_client import Person, write_answers

ASSIGNMENT = "06-induction-heads"
NOTEBOOK = "induction-heads"
PATH = f"{ASSIGNMENT}/{NOTEBOOK}.ipynb"
OPEN_QUESTION = "a_claim_to_examine"
ESSAY = "A stripe alone proves nothing: <b>the impostor</b> has one too. I would use a control."

# Passes the visible test of its exercise, whose patterns have four positions, and fails the hidden.
HIDDEN_FAILURE = "prev_token_score"
ONE_SIZE = f"""

right_score = {HIDDEN_FAILURE}

def {HIDDEN_FAILURE}(pattern):
    score = right_score(pattern)
    return score if pattern.shape[-1] == 4 else 1 - score
"""
WARNING = "import warnings\nwarnings.warn('only a warning, which costs nothing')\n"
# alice also spoils a test of an exercise that she has right; the original is put back.
SPOILT_TEST = {"repeated_tokens_test": "assert False"}
CRASH = "import os\nos._exit(1)\n"


@dataclass
class Day:
    """Where the day is played, and what came of it."""

    url: str
    passwords: dict[str, str]
    pictures: Path
    export: Callable[[], str]  # the course's grades as CSV, as the shape's command line gives them
    scores: dict[str, dict[str, float]] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    validation: str = ""
    feedback: dict[str, str] = field(default_factory=dict)
    grades: list[dict[str, str]] = field(default_factory=list)
    # Of the formgrader's pages: names of students, logs of its buttons, and what went wrong: errors
    # of scripts, requests that failed.
    names: dict[str, str] = field(default_factory=dict)
    logs: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


def answers_of_alice() -> dict[str, str]:
    right = answers.reference(ASSIGNMENT)
    return {
        "repeated_tokens": right["repeated_tokens"],
        "induction_score": WARNING + right["induction_score"],
        HIDDEN_FAILURE: right[HIDDEN_FAILURE] + ONE_SIZE,
        OPEN_QUESTION: ESSAY,
    }


def crashing_answers_of_bob() -> dict[str, str]:
    right = answers.reference(ASSIGNMENT)
    return {
        "repeated_tokens": right["repeated_tokens"],
        "prev_token_score": CRASH + right["prev_token_score"],
        "induction_score": right["induction_score"],
    }


def late_answers_of_bob() -> dict[str, str]:
    right = answers.reference(ASSIGNMENT)
    return {key: right[key] for key in ("repeated_tokens", "prev_token_score", "induction_score")}


def play(day: Day) -> Iterator[str]:
    """Play the day; yields what happens. The caller looks at `day` afterwards."""
    with launched() as browser:
        alice = StudentDesk(browser, day.url, "alice", day.pictures)
        yield from _alice_works(day, alice)
        bob = Person(day.url, "bob", day.passwords["bob"])
        yield from _bob_submits(bob, crashing_answers_of_bob(), first=True)
        teacher = InstructorDesk(browser, day.url, "instructor", day.pictures)
        yield from _instructor_grades(day, teacher, late=False)
        yield from _the_due_date_passes(day)
        yield from _bob_submits(bob, late_answers_of_bob(), first=False)
        yield from _instructor_grades(day, teacher, late=True)
        yield from _instructor_gives_feedback(day, teacher)
        yield from _students_read_feedback(day, alice, bob)
        yield from _grades_are_exported(day)
        day.errors = teacher.errors
        for desk in (alice, teacher):
            desk.close()
        bob.close()


def _alice_works(day: Day, alice: StudentDesk) -> Iterator[str]:
    began = time.monotonic()
    alice.log_in(day.passwords["alice"])
    alice.reach_assignments()
    day.seconds["login to JupyterLab"] = time.monotonic() - began
    alice.picture("assignments")
    yield "alice is in JupyterLab and sees her assignments"
    alice.fetch(ASSIGNMENT)
    yield "alice fetched the assignment"
    began = time.monotonic()
    alice.open_notebook(PATH)
    alice.run_cells(1)
    alice.wait_for_figure()
    day.seconds["open notebook to attention patterns"] = time.monotonic() - began
    alice.picture("attention")
    yield "alice sees attention patterns"
    alice.save()
    person = Person(day.url, "alice", day.passwords["alice"])
    notebook = person.read_notebook(PATH)
    write_answers(notebook, {**answers_of_alice(), **SPOILT_TEST})
    person.write_notebook(PATH, notebook)
    person.close()
    alice.open_notebook(PATH)
    day.validation = alice.validate()
    yield "alice validated"
    alice.open_assignments()
    alice.submit(ASSIGNMENT)
    yield "alice submitted"


def _bob_submits(bob: Person, answers_: dict[str, str], *, first: bool) -> Iterator[str]:
    if first:
        bob.start_server()
        _action(bob, "fetch")
    notebook = bob.read_notebook(PATH)
    write_answers(notebook, answers_)
    bob.write_notebook(PATH, notebook)
    _action(bob, "submit")
    yield f"bob submitted {'a notebook that crashes' if first else 'again, late and better'}"


def _action(person: Person, action: str) -> None:
    """A button of the assignment list."""
    body = {"course_id": _course(person), "assignment_id": ASSIGNMENT}
    answer = person.server("POST", f"/assignments/{action}", data=body)
    answer.raise_for_status()
    if not answer.json()["success"]:
        raise RuntimeError(answer.text)


def _course(person: Person) -> str:
    return str(person.server("GET", "/courses").json()["value"][0])


def _instructor_grades(day: Day, teacher: InstructorDesk, *, late: bool) -> Iterator[str]:
    if late:
        teacher.go("/manage_assignments")
    else:
        teacher.log_in(day.passwords["instructor"])
        teacher.page.wait_for_selector("#formgrader-button")
        teacher.picture("home")
        teacher.open_formgrader(ASSIGNMENT)
    yield f"the instructor collects: {teacher.collect(ASSIGNMENT)[:80]!r}"
    students = ("bob",) if late else ("alice", "bob")
    for student in students:
        day.names[student], log = teacher.autograde(ASSIGNMENT, student)
        day.logs.append(log)
        yield f"the instructor autograded {student}"
    if not late:
        teacher.grade_by_hand(ASSIGNMENT, NOTEBOOK, "alice", OPEN_QUESTION, 3, "Well said.")
        yield "the instructor graded alice's open question"
    day.scores["late" if late else "first"] = {
        student: teacher.score(ASSIGNMENT, student) for student in ("alice", "bob")
    }


def _the_due_date_passes(day: Day) -> Iterator[str]:
    """The instructor enters a due date in the formgrader: a moment that has just passed."""
    person = Person(day.url, "instructor", day.passwords["instructor"])
    now = dt.datetime.now(dt.UTC)
    body = {"duedate_notimezone": f"{now:%Y-%m-%dT%H:%M:%S}", "duedate_timezone": "+0000"}
    grader = f"grader-{_course_of_formgrader(person)}"
    person.server(
        "PUT", f"/formgrader/api/assignment/{ASSIGNMENT}", owner=grader, json=body
    ).raise_for_status()
    person.close()
    time.sleep(1.1)
    yield "the due date has passed"


def _course_of_formgrader(person: Person) -> str:
    groups = person.api("GET", "/user").json()["groups"]
    return next(g.removeprefix("formgrade-") for g in groups if g.startswith("formgrade-"))


def _instructor_gives_feedback(day: Day, teacher: InstructorDesk) -> Iterator[str]:
    teacher.go("/manage_assignments")
    teacher.press("generate-feedback", ASSIGNMENT)
    yield "the instructor generated feedback"
    teacher.press("release-feedback", ASSIGNMENT)
    yield "the instructor released feedback"
    teacher.picture("manage")


def _students_read_feedback(day: Day, alice: StudentDesk, bob: Person) -> Iterator[str]:
    alice.open_assignments()
    day.feedback["alice"] = alice.read_feedback(ASSIGNMENT)
    yield "alice fetched and read her feedback"
    _action(bob, "fetch_feedback")
    day.feedback["bob"] = _newest_feedback(bob)
    yield "bob fetched his feedback"


def _newest_feedback(person: Person) -> str:
    folder = f"/api/contents/{ASSIGNMENT}/feedback"
    newest = max(person.server("GET", folder).json()["content"], key=lambda item: item["name"])
    page = f"/api/contents/{newest['path']}/{NOTEBOOK}.html?content=1"
    return str(person.server("GET", page).json()["content"])


def _grades_are_exported(day: Day) -> Iterator[str]:
    day.grades = list(csv.DictReader(io.StringIO(day.export())))
    yield f"grades exported: {len(day.grades)} rows"


def summary(day: Day) -> dict[str, Any]:
    return {"scores": day.scores, "seconds": day.seconds}
