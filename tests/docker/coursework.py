"""A course with one small assignment, whose work takes seconds: submitted, collected, graded.

Grading waits on purpose, so that a test can end a service in the middle of it.
"""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import dataclass
from typing import Any

from tests.docker.stage import Deployed
from tests.e2e.hub_client import Person, write_answers

COURSE, GRADER = "mechinterp", "grader-mechinterp"
ASSIGNMENT, NOTEBOOK = "small", "small"
PATH = f"{ASSIGNMENT}/{NOTEBOOK}.ipynb"
GRADING_SECONDS = 3  # of one notebook, spent waiting
RIGHT = "def double(x):\n    return 2 * x"
HALF = "def double(x):\n    return 6"  # what the hidden test refuses
SCORES = {"alice": 1.0, "bob": 3.0}
RECEIPT = re.compile(r"receipt (\S+)  sha256 ([0-9a-f]{64})")


def source() -> dict[str, Any]:
    """The instructor's notebook: 3 points, 2 of them by a hidden test."""

    def cell(name: str, text: str, **marks: Any) -> dict[str, Any]:
        plain = {"grade": False, "solution": False, "locked": False, "task": False}
        named = {"schema_version": 3, "grade_id": name, **plain, **marks}
        return {
            "cell_type": "code",
            "id": name.replace("_", "-"),
            "metadata": {"nbgrader": named},
            "source": text,
            "outputs": [],
            "execution_count": None,
        }

    test = {"grade": True, "locked": True}
    solution = "def double(x):\n    ### BEGIN SOLUTION\n    return 2 * x\n    ### END SOLUTION"
    hidden = "### BEGIN HIDDEN TESTS\nassert double(5) == 10\n### END HIDDEN TESTS"
    return {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {
            "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}
        },
        "cells": [
            cell("released-1", f"import time\n\ntime.sleep({GRADING_SECONDS})", locked=True),
            cell("double", solution, solution=True),
            cell("double_test", "assert double(3) == 6", points=1, **test),
            cell("double_test_2", hidden, points=2, **test),
        ],
    }


def prepare(made: Deployed, instructor: Person) -> None:
    """What the instructor does first: write the assignment, release it, let people fetch it."""
    instructor.start_server(GRADER)
    server = made.server_of(GRADER)
    folder = f"/srv/course/source/{ASSIGNMENT}"
    put = f"mkdir -p {folder} && cat > {folder}/{NOTEBOOK}.ipynb"
    subprocess.run(
        ["docker", "exec", "-i", server, "sh", "-c", put],
        input=json.dumps(source()),
        text=True,
        check=True,
        timeout=60,
    )
    made.exec(server, "logitlab", "generate", ASSIGNMENT)
    made.exec(server, "logitlab", "release", "--hand-out", ASSIGNMENT)


def fetch(person: Person) -> None:
    """The Fetch button of the assignment list."""
    _press(person, "fetch")


def answer(person: Person, text: str) -> None:
    """Write the answer into the fetched notebook."""
    notebook = person.read_notebook(PATH)
    write_answers(notebook, {"double": text})
    person.write_notebook(PATH, notebook)


def submit(person: Person) -> None:
    """The Submit button of the assignment list; returns when the work was acknowledged.

    Raises httpx.HTTPError or RuntimeError where it was not.
    """
    _press(person, "submit")


def _press(person: Person, button: str) -> None:
    body = {"course_id": COURSE, "assignment_id": ASSIGNMENT}
    output = person.server("POST", f"/assignments/{button}", data=body)
    output.raise_for_status()
    if not output.json()["success"]:
        raise RuntimeError(output.text)


def collect(instructor: Person) -> None:
    """The formgrader's Collect button."""
    instructor.server(
        "POST", f"/formgrader/api/assignment/{ASSIGNMENT}/collect", owner=GRADER
    ).raise_for_status()


def autograde(made: Deployed, *options: str) -> str:
    """Grade all that was collected, in the formgrader's server; what that said."""
    return made.exec(made.server_of(GRADER), "logitlab", "autograde", ASSIGNMENT, *options)


def scores(instructor: Person) -> dict[str, float]:
    """The formgrader's scores by student."""
    found = instructor.server("GET", f"/formgrader/api/submissions/{ASSIGNMENT}", owner=GRADER)
    found.raise_for_status()
    return {one["student"]: one["score"] for one in found.json() if one["autograded"]}


def open_for_grading(instructor: Person, student: str) -> list[dict[str, Any]]:
    """What the page on which the instructor grades the student's work by hand asks for."""
    listed = instructor.server(
        "GET", f"/formgrader/api/submitted_notebooks/{ASSIGNMENT}/{NOTEBOOK}", owner=GRADER
    )
    listed.raise_for_status()
    number = next(one["id"] for one in listed.json() if one["student"] == student)
    grades = instructor.server(
        "GET", f"/formgrader/api/grades?submission_id={number}", owner=GRADER
    )
    grades.raise_for_status()
    return list(grades.json())


@dataclass(frozen=True)
class Receipt:
    """What a student has in hand for a submission."""

    number: str
    sha256: str


def receipts_in_home(made: Deployed, user: str) -> set[Receipt]:
    """Every receipt that was written down in the home of `user`, whose server runs."""
    script = "cat ~/submission-receipts.txt 2>/dev/null || true"
    text = made.exec(made.server_of(user), "sh", "-c", script)
    return {Receipt(*found) for found in RECEIPT.findall(text)}


def receipts_in_exchange(person: Person, token: str) -> set[Receipt]:
    """Every submission of `person` that the exchange has, by its API. Raises httpx.HTTPError."""
    address = f"/services/exchange/api/courses/{COURSE}/my-submissions"
    found = person.http.get(address, headers={"Authorization": f"token {token}"})
    found.raise_for_status()
    return {Receipt(one["receipt"], one["sha256"]) for one in found.json()}
