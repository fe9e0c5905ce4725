"""Scores entered on a submission's page, on a server that is slow or does not answer."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from nbgrader.api import Gradebook
from playwright.sync_api import Dialog, Page, Route, expect

from hub.grading.pipeline.batch import autograde
from tests.e2e.browser import PATIENCE, launched
from tests.formgrader_server import formgrader_of
from tests.grading.tiny_course import ASSIGNMENT, NOTEBOOK, answered, course_config, submit

pytestmark = [pytest.mark.slow, pytest.mark.browser, pytest.mark.kernel]

SCORE, COMMENT, BOX = "input.score#why", "textarea#why-comment", "#not-saved"
GRADES, GRADE = "**/api/grades?*", "**/api/grade/*"


@pytest.fixture(name="graded", scope="module")
def _graded(pristine: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A course in which alice's essay waits for a score."""
    root = Path(shutil.copytree(pristine, tmp_path_factory.mktemp("graded") / "course"))
    for student in ("alice", "bob"):
        submit(root, student, answered(root))
    list(autograde(root, ASSIGNMENT, config=course_config(root)))
    return root


@pytest.fixture(name="course")
def _course(graded: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(graded, tmp_path / "course"))


@dataclass
class Held:
    """Requests that have not reached the server yet."""

    routes: list[Route] = field(default_factory=list)

    def hold(self, page: Page, url: str) -> None:
        page.route(url, lambda route: self.routes.append(route))  # it takes no built-in function

    def let_through(self, page: Page, url: str) -> None:
        page.unroute(url)  # which lets those through that wait


@contextmanager
def opened(root: Path, held: Held | None = None) -> Iterator[Page]:
    """The page of alice's submission; with `held`, its scores have not arrived yet."""
    with formgrader_of(root) as http, launched() as browser:
        base = str(http.base_url).rstrip("/")
        path = f"/formgrader/api/submitted_notebooks/{ASSIGNMENT}/{NOTEBOOK}"
        (one,) = (row["id"] for row in http.get(path).json() if row["student"] == "alice")
        context = browser.new_context(extra_http_headers={"Authorization": "token t"})
        context.set_default_timeout(PATIENCE)
        page = context.new_page()
        if held:
            held.hold(page, GRADES)
        page.goto(f"{base}/formgrader/submissions/{one}")
        yield page


def enter(page: Page, score: str) -> None:
    page.locator(SCORE).fill(score)
    page.locator(SCORE).press("Tab")


def score_of(root: Path) -> float | None:
    with Gradebook(f"sqlite:///{root / 'gradebook.db'}", "tiny") as gradebook:
        grade = gradebook.find_grade("why", NOTEBOOK, ASSIGNMENT, "alice")
        return None if grade.manual_score is None else float(grade.manual_score)


def test_nothing_can_be_entered_before_the_scores_that_stand_have_arrived(course: Path) -> None:
    held = Held()
    with opened(course, held) as page:
        expect(page.locator(COMMENT)).to_be_enabled()
        expect(page.locator(SCORE)).to_be_disabled()
        held.let_through(page, GRADES)
        expect(page.locator(SCORE)).to_be_enabled()
        with page.expect_response(GRADE):
            enter(page, "3")
    assert score_of(course) == 3


def test_a_click_on_next_waits_until_the_score_is_saved(course: Path) -> None:
    held = Held()
    with opened(course) as page:
        held.hold(page, GRADE)
        address = page.url
        enter(page, "3")
        page.click("text=Next →")
        page.wait_for_timeout(1000)
        assert page.url == address and score_of(course) is None
        held.let_through(page, GRADE)
        page.wait_for_url(lambda url: url != address)
    assert score_of(course) == 3


def test_a_score_that_was_not_saved_is_reported_and_can_be_saved_again(course: Path) -> None:
    with opened(course) as page:
        page.route(GRADE, lambda route: route.abort())
        enter(page, "3")
        expect(page.locator(BOX)).to_contain_text(
            "is not saved. The course's server did not answer"
        )
        page.unroute(GRADE)
        page.route(GRADE, lambda route: route.fulfill(status=403, body=""))
        page.click("text=Save again")
        expect(page.locator(BOX)).to_contain_text("You are no longer logged in")
        page.unroute(GRADE)
        page.click("text=Save again")
        expect(page.locator(BOX)).to_be_hidden()
    assert score_of(course) == 3


def test_closing_the_page_asks_first_while_something_is_not_saved(course: Path) -> None:
    with opened(course) as page:
        questions: list[str] = []

        def dismiss(dialog: Dialog) -> None:
            questions.append(dialog.type)
            dialog.dismiss()

        page.on("dialog", dismiss)
        page.route(GRADE, lambda route: route.abort())
        page.locator(SCORE).fill("3")  # and the cursor is still in it
        page.close(run_before_unload=True)
        page.wait_for_timeout(500)
        assert questions == ["beforeunload"]
