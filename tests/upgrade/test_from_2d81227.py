"""A course that 2d81227 has run, started by today's LogitLab: nothing of it is lost.

By what people use: `logitlab`, pages, the formgrader's buttons and the exchange's API. README.md
says what is in the data.
"""

from __future__ import annotations

import csv
import os
import re
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import NullPool, create_engine, inspect

from hub.serve import free_port
from tests.accounts.running import Browser
from tests.e2e.embedded import LOGITLAB, RunningServer, stop
from tests.e2e.hub_client import Person, source_of
from tests.upgrade.class_before import (
    COMMENT,
    COURSE,
    ESSAY,
    GRADER,
    KERNEL,
    MANUAL_SCORE,
    NOTEBOOK,
    PASSWORDS,
    SPACED,
    START,
    WARMUP,
    WITH_LINK,
    WITHOUT_LINK,
    as_told,
    exchange,
    formgrader,
    observed,
    without_zone,
)
from tests.upgrade.restored import OldCourse, old_course

pytestmark = [
    pytest.mark.hub,
    pytest.mark.kernel,
    pytest.mark.slow,
    pytest.mark.timeout(900),
]

OLD_SPELLINGS = {
    f"assignments.{KERNEL}.tests": ("together", "in_kernel"),
    "grading.tests": ("apart", "isolated"),
    "gpus.staff_places": ("staff_places", "staff_slots"),
}


@dataclass
class Upgraded:
    """The course under today's LogitLab.

    checked: what `logitlab check` said before its start.
    exporting, exported: what `logitlab export` said and wrote after that, still before the start.
    """

    course: OldCourse
    server: RunningServer
    checked: str
    exporting: str
    exported: list[dict[str, str]]
    people: dict[str, Person]

    def logitlab(self, *arguments: object) -> str:
        return logitlab(self.course, *arguments)

    def order(self, path: str, method: str = "POST", **json: Any) -> None:
        """A button of the formgrader."""
        given = {"json": json} if json else {}
        answer = self.people["prof"].server(
            method, f"/formgrader/api/{path}", owner=GRADER, **given
        )
        answer.raise_for_status()
        told = answer.json() if answer.content else {}
        assert told.get("success", True), told


def logitlab(course: OldCourse, *arguments: object) -> str:
    done = subprocess.run(
        [str(LOGITLAB), *map(str, arguments), f"--course={course.root}"],
        env=os.environ | course.environment,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def grades(course: OldCourse) -> list[dict[str, str]]:
    return export(course)[1]


def export(course: OldCourse) -> tuple[str, list[dict[str, str]]]:
    path = course.root.parent / "grades.csv"
    output = logitlab(course, "export", path)
    with path.open(encoding="utf-8", newline="") as file:
        return output, list(csv.DictReader(file))


def as_before(rows: list[dict[str, str]], course: OldCourse) -> list[dict[str, str]]:
    """Exported grades without the columns that 2d81227 did not have."""
    columns = course.seen["grades"][0]
    return [{column: row[column] for column in columns} for row in rows]


def start(course: OldCourse) -> RunningServer:
    port = free_port()
    process = subprocess.Popen(
        [str(LOGITLAB), "serve", f"--course={course.root}"],
        env=os.environ | course.environment | {"LOGITLAB_PORT": str(port)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    running = RunningServer(course.root, f"http://localhost:{port}", process, [])
    assert process.stdout
    for line in process.stdout:
        running.said.append(line.rstrip("\n"))
        if line.startswith("Press Ctrl-C"):
            return running
    stop(running)
    raise RuntimeError("\n".join(running.said))


@pytest.fixture(scope="module", params=["sqlite", "postgresql"], name="upgraded")
def _upgraded(request, tmp_path_factory) -> Iterator[Upgraded]:
    course = old_course(request.param, tmp_path_factory.mktemp("upgraded"))
    checked, (exporting, exported) = logitlab(course, "check"), export(course)
    server = start(course)
    try:
        people = {name: Person(server.url, name, word) for name, word in PASSWORDS.items()}
        people["prof"].start_server(GRADER)
        yield Upgraded(course, server, checked, exporting, exported, people)
        for person in people.values():
            person.close()
    finally:
        stop(server)


def test_everybody_sees_again_what_they_saw(upgraded):
    """Accounts log in with their passwords, and have their roles, work, receipts and grades."""
    before = {key: upgraded.course.seen[key] for key in ("people", "exchange", "formgrader")}
    now = observed(upgraded.people)
    assert now["people"] == before["people"]
    assert as_told(now["exchange"], before["exchange"]) == before["exchange"]
    for what, told in before["formgrader"].items():
        seen = now["formgrader"][what]
        if what == "assignments":
            told, seen = without_zone(told), without_zone(seen)
        assert seen == told, what


def test_the_data_has_what_these_tests_are_about(upgraded):
    """Of the data itself: a manual grade and its comment, a late submission, feedback."""
    told = upgraded.course.seen["formgrader"]
    essays = [one for one in told[f"grades of {WARMUP} of alice"] if one["name"] == ESSAY]
    assert [one["manual_score"] for one in essays] == [MANUAL_SCORE]
    comments = [one for one in told[f"comments of {WARMUP} of alice"] if one["name"] == ESSAY]
    assert [one["manual_comment"] for one in comments] == [COMMENT]
    late = {
        (one["assignment"], one["student_id"]): float(one["seconds_late"] or 0) > 0
        for one in upgraded.exported
    }
    assert late[WARMUP, "bob"] and not late[WARMUP, "alice"]
    assert {item["name"] for item in told["assignments"]} >= {WARMUP, KERNEL, START, SPACED}


def test_grades_are_exported_as_before_also_before_the_first_start(upgraded):
    assert as_before(upgraded.exported, upgraded.course) == upgraded.course.seen["grades"]


def test_every_file_is_as_it_was(upgraded):
    """Sources, releases, submissions, feedback, homes, blobs and the roster, byte for byte."""
    files = upgraded.course.files()
    changed = {
        path
        for path, data in files.items()
        if path != "server/address" and (upgraded.course.root / path).read_bytes() != data
    }
    assert len(files) > 40 and not changed


def test_old_spellings_are_reported_with_their_lines_and_new_names(upgraded):
    lines = (upgraded.course.root / "course.yaml").read_text().splitlines()
    for output in (upgraded.checked, "\n".join(upgraded.server.said)):
        for key, (old, new) in OLD_SPELLINGS.items():
            pattern = (
                rf"line (\d+): {re.escape(key)}: {old} is now called {new}; the old name still"
            )
            (number,) = re.findall(pattern, output)
            assert old in lines[int(number) - 1]


def test_the_first_command_that_upgrades_the_exchange_says_where_the_copy_is(upgraded):
    if upgraded.course.environment:
        engine = create_engine(upgraded.course.urls["exchange"], poolclass=NullPool)
        assert [n for n in inspect(engine).get_schema_names() if n.startswith("public_copy_")]
    else:
        (copy,) = upgraded.course.root.glob("server/exchange/exchange.sqlite.*.0001")
        assert str(copy) in upgraded.exporting


def test_an_assignment_that_could_never_be_handed_out_is_named_and_keeps_nothing_from_working(
    upgraded,
):
    assert f"'{SPACED}' cannot be the name of an assignment" in upgraded.checked
    assert (upgraded.course.root / "source" / SPACED / f"{NOTEBOOK}.ipynb").exists()


def test_an_open_password_link_still_works_once(upgraded):
    browser = Browser(upgraded.server.url)
    link = upgraded.course.seen["link"]
    assert browser.set_password(link, "a password of dana").status_code == 200
    browser.log_in(WITH_LINK, "a password of dana")
    assert browser.who() == WITH_LINK
    assert browser.set_password(link, "another password").status_code != 200
    browser.close()


def test_a_token_that_somebody_made_still_works(upgraded):
    headers = {"Authorization": f"token {upgraded.course.seen['token']}"}
    answer = httpx.get(f"{upgraded.server.url}/hub/api/user", headers=headers)
    assert answer.json()["name"] == "alice"


def test_roles_are_kept(upgraded):
    path = "/formgrader/api/assignments"
    assert upgraded.people["prof"].server("GET", path, owner=GRADER).status_code == 200
    assert upgraded.people["alice"].server("GET", path, owner=GRADER).status_code == 403
    assert upgraded.people["root"].api("GET", "/users").status_code == 200
    with pytest.raises(PermissionError):
        Person(upgraded.server.url, WITHOUT_LINK, "a password of erik")


def action(student: Person, button: str, assignment: str) -> None:
    """A button of a student's list of assignments."""
    body = {"course_id": COURSE, "assignment_id": assignment}
    answer = student.server("POST", f"/assignments/{button}", data=body).json()
    assert answer["success"], answer


def pages_of(student: Person, assignment: str) -> list[str]:
    """The pages of feedback in somebody's home."""
    folder = student.server("GET", f"/api/contents/{assignment}/feedback").json()["content"]
    paths = [f"/api/contents/{one['path']}/{NOTEBOOK}.html?content=1" for one in folder]
    return [student.server("GET", path).json()["content"] for path in paths]


def test_students_reach_the_feedback_that_was_returned(upgraded):
    bob = upgraded.people["bob"]
    bob.start_server()
    action(bob, "fetch_feedback", WARMUP)
    (page,) = pages_of(bob, WARMUP)
    assert "double" in page and "<html" in page
    alice = upgraded.people["alice"]
    alice.start_server()
    (page,) = pages_of(alice, WARMUP)  # fetched before the upgrade
    assert COMMENT in page


def test_what_was_graded_before_is_returned_now(upgraded):
    upgraded.order(f"assignment/{KERNEL}/generate_feedback")
    upgraded.order(f"assignment/{KERNEL}/release_feedback")
    alice = upgraded.people["alice"]
    alice.start_server()
    action(alice, "fetch_feedback", KERNEL)
    (page,) = pages_of(alice, KERNEL)
    assert "double" in page


def test_work_goes_on_where_it_was_left(upgraded):
    """Carol's submission waits to be collected; bob answers again what he had fetched."""
    bob = upgraded.people["bob"]
    bob.start_server()
    path = f"{WARMUP}/{NOTEBOOK}.ipynb"
    notebook = bob.read_notebook(path)
    assert any("return 6" in source_of(cell) for cell in notebook["cells"])
    bob.write_notebook(path, notebook)
    time.sleep(1.1)
    action(bob, "submit", WARMUP)
    mine = exchange(bob, f"courses/{COURSE}/my-submissions").json()
    listed = mine["submissions"] if isinstance(mine, dict) else mine
    assert len(listed) == 2
    upgraded.order(f"assignment/{WARMUP}/collect")
    upgraded.order(f"submission/{WARMUP}/carol/autograde")
    found = formgrader(upgraded.people["prof"], f"submission/{WARMUP}/carol")
    assert found["score"] == 5 and found["needs_manual_grade"]


def test_grading_again_gives_the_same_scores_and_keeps_what_was_given_by_hand(upgraded):
    for assignment in (WARMUP, KERNEL):
        output = upgraded.logitlab("autograde", assignment, "--student", "alice", "--force")
        assert "1 of 1 submissions graded" in output
    told = upgraded.course.seen["formgrader"]
    prof = upgraded.people["prof"]
    for assignment in (WARMUP, KERNEL):
        before = {one["student"]: one for one in told[f"submissions of {assignment}"]}["alice"]
        now = formgrader(prof, f"submission/{assignment}/alice")
        assert (now["score"], now["needs_manual_grade"]) == (
            before["score"],
            before["needs_manual_grade"],
        )
    (notebook,) = (
        one["id"]
        for one in formgrader(prof, f"submitted_notebooks/{WARMUP}/{NOTEBOOK}")
        if one["student"] == "alice"
    )
    essay = {
        kind: next(
            one
            for one in formgrader(prof, f"{kind}?submission_id={notebook}")
            if one["name"] == ESSAY
        )
        for kind in ("grades", "comments")
    }
    assert essay["grades"]["manual_score"] == MANUAL_SCORE
    assert essay["grades"]["extra_credit"] == 0.5
    assert essay["comments"]["manual_comment"] == COMMENT


def test_a_second_start_upgrades_nothing_and_loses_nothing(tmp_path: Path):
    course = old_course("sqlite", tmp_path)
    first = start(course)
    stop(first)
    again = start(course)
    stop(again)
    copies = list(course.root.glob("server/exchange/exchange.sqlite.*.0001"))
    assert len(copies) == 1 and "brought to" not in "\n".join(again.said)
    assert as_before(grades(course), course) == course.seen["grades"]
