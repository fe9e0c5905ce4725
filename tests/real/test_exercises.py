"""A student does the first exercise of an assignment, from the list to the points, in a browser."""

from __future__ import annotations

import csv
import io
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e import answers
from tests.e2e.browser import StudentDesk, launched
from tests.e2e.embedded import LOGITLAB, RunningServer, exported_grades, served
from tests.e2e.hub_client import Person, write_answers

# Assignment -> its notebook, an exercise, and the points of its tests.
EXERCISES = {
    "00-python-and-tools": ("python-and-tools", "running_mean", 3),
    "01-linear-algebra": ("linear-algebra", "matrix_of", 3),
    "02-probability-information-calculus": (
        "probability-information-calculus",
        "sample_categorical",
        3,
    ),
    "03-transformer-from-scratch": ("transformer-from-scratch", "embed", 3),
    "04-transformerlens": ("transformerlens", "token_report", 3),
    "05-mathematical-framework": ("mathematical-framework", "direct_path", 3),
    "06-induction-heads": ("induction-heads", "repeated_tokens", 3),
}
GRADER = "grader-mechinterp"

pytestmark = [
    pytest.mark.hub,
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.long,
]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """One of its own: the day of the course, too, begins with everything yet to be fetched."""
    with served(tmp_path_factory.mktemp("exercises") / "course") as running:
        yield running


@pytest.fixture(scope="module")
def desk(server: RunningServer, artifacts: Path) -> Iterator[StudentDesk]:
    with launched() as browser:
        at_work = StudentDesk(browser, server.url, "alice", artifacts / "exercises")
        at_work.log_in(server.passwords["alice"])
        at_work.reach_assignments()
        yield at_work
        at_work.close()


@pytest.fixture(scope="module")
def alice(server: RunningServer, desk: StudentDesk) -> Iterator[Person]:
    person = Person(server.url, "alice", server.passwords["alice"])
    yield person
    person.close()


def grade(server: RunningServer, assignment: str) -> None:
    """The formgrader's button *Collect*, and the command that grades what it brought."""
    teacher = Person(server.url, "instructor", server.passwords["instructor"])
    teacher.start_server(GRADER)
    done = teacher.server("POST", f"/formgrader/api/assignment/{assignment}/collect", owner=GRADER)
    assert done.is_success and done.json()["success"], done.text
    teacher.close()
    command = [str(LOGITLAB), "autograde", f"--course={server.course}", assignment]
    subprocess.run(command, check=True, timeout=500)


def figure_after(cells: list[dict[str, Any]], exercise: str) -> int:
    """The first given cell with a picture after the tests of the exercise."""
    ids = [cell["metadata"].get("nbgrader", {}).get("grade_id", "") for cell in cells]
    last = max(k for k, name in enumerate(ids) if name.startswith(f"{exercise}_test"))
    return next(k for k in range(last, len(cells)) if "plots." in "".join(cells[k]["source"]))


def kinds(cell: dict[str, Any]) -> set[str]:
    """What the outputs of a cell are: names of errors, and formats of what is shown."""
    found = set()
    for output in cell["outputs"]:
        found |= {output["ename"]} if output["output_type"] == "error" else set()
        found |= set(output.get("data", {}))
    return found


@pytest.mark.row
@pytest.mark.parametrize("assignment", EXERCISES)
def test_a_first_exercise_from_the_list_to_its_points(server, desk, alice, assignment):
    name, exercise, points = EXERCISES[assignment]
    path = f"{assignment}/{name}.ipynb"
    desk.open_assignments()
    desk.fetch(assignment)
    notebook = alice.read_notebook(path)
    right = answers.reference(assignment)
    write_answers(notebook, {exercise: right[exercise]})
    alice.write_notebook(path, notebook)
    end = figure_after(notebook["cells"], exercise)
    desk.open_notebook(path)
    desk.run_through(end + 1)
    desk.picture(assignment)
    desk.save()
    ran = [c for c in alice.read_notebook(path)["cells"][: end + 1] if c["cell_type"] == "code"]
    assert all(cell["execution_count"] for cell in ran)
    assert not any(kind.endswith("Error") for cell in ran for kind in kinds(cell))
    assert "application/vnd.plotly.v1+json" in kinds(ran[-1])
    desk.open_assignments()
    desk.submit(assignment)
    grade(server, assignment)
    rows = csv.DictReader(io.StringIO(exported_grades(server.course)))
    score = {(row["assignment"], row["student_id"]): row["score"] for row in rows}
    assert float(score[assignment, "alice"]) == points
