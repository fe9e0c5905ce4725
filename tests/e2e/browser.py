"""The same people in a real browser: headless Chromium, clicking what they would click."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, Request, Response, expect, sync_playwright

from tests.needs import chromium

# Chromium must not look for its maker's hosts while it is under test.
ARGUMENTS = [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-gpu",
]
PATIENCE = 90_000  # milliseconds; two busy cores are slow


def load(page: Page, address: str, attempts: int = 3) -> None:
    """Go to a page, and again if one of its scripts did not arrive, without which it is no page.

    Seen once in some hundred runs, on a machine with a load of 15.
    """
    missing: list[str] = []
    note = missing.append

    def failed(request: Request) -> None:
        if request.resource_type == "script":
            note(f"{request.url}: {request.failure}")

    def answered(response: Response) -> None:
        if response.request.resource_type == "script" and not response.ok:
            note(f"{response.url}: {response.status}")

    page.on("requestfailed", failed)
    page.on("response", answered)
    for attempt in range(1, attempts + 1):
        missing.clear()
        page.goto(address)
        if not missing:
            break
        print(f"attempt {attempt} at {address}: {missing}")
    page.remove_listener("requestfailed", failed)
    page.remove_listener("response", answered)
    assert not missing, missing


@contextmanager
def launched() -> Iterator[Browser]:
    """A headless browser; its sandbox cannot run as root, and only then is left out."""
    arguments = [*ARGUMENTS, *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=arguments)
        try:
            yield browser
        finally:
            browser.close()


class Desk:
    """One person's browser window at the course server; keeps a screenshot of each step."""

    def __init__(self, browser: Browser, url: str, name: str, pictures: Path) -> None:
        self.context = browser.new_context(viewport={"width": 1400, "height": 900})
        self.context.set_default_timeout(PATIENCE)
        self.page = self.context.new_page()
        self.errors: list[str] = []  # of scripts on the pages that were open
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.url, self.name, self.pictures = url.rstrip("/"), name, pictures
        pictures.mkdir(parents=True, exist_ok=True)

    def close(self) -> None:
        self.context.close()

    def picture(self, title: str, page: Page | None = None) -> None:
        number = len(list(self.pictures.glob("*.png"))) + 1
        (page or self.page).screenshot(
            path=self.pictures / f"{number:02}-{self.name}-{title}.png", animations="disabled"
        )

    def log_in(self, password: str) -> None:
        self.page.goto(self.url)
        self.page.fill("#username_input", self.name)
        self.page.fill("#password_input", password)
        if self.name == "alice":
            self.picture("login")
        self.page.click("#login_submit")


class StudentDesk(Desk):
    """A student in JupyterLab."""

    def reach_assignments(self) -> None:
        """Wait for JupyterLab, which opens the assignment list by itself."""
        self.page.wait_for_selector("#nbgrader-assignment-list")
        self.page.wait_for_selector("#nbgrader-assignment-list >> text=Released assignments")

    def _row(self, section: str, assignment: str):
        panel = self.page.locator("#nbgrader-assignment-list .panel", has_text=section)
        return panel.locator(".list_item", has_text=assignment).first

    def fetch(self, assignment: str) -> None:
        row = self._row("Released assignments", assignment)
        row.get_by_role("button", name="Fetch").click()
        expect(self._row("Downloaded assignments", assignment)).to_be_visible(timeout=PATIENCE)
        self.picture("fetched")

    def open_notebook(self, path: str) -> None:
        self.page.goto(f"{self.url}/user/{self.name}/lab/tree/{path}")
        self.page.wait_for_selector(".jp-Notebook .jp-Cell")
        self.page.wait_for_selector(".jp-NotebookPanel-toolbar >> text=Validate")
        # Shift-Enter is lost while the kernel is still coming up.
        self.page.wait_for_selector("#jp-main-statusbar >> text=/\\| Idle/")

    def run_cells(self, count: int) -> None:
        """Run the first `count` code cells: click into each and press Shift-Enter."""
        for number in range(count):
            cell = self.page.locator(".jp-Notebook .jp-CodeCell").nth(number)
            cell.locator(".jp-InputArea-editor").click()
            cell.locator(".cm-content:focus").wait_for(state="attached")
            self.page.keyboard.press("Shift+Enter")
            begun = cell.locator(".jp-InputPrompt").get_by_text(re.compile(r"\[(\*|\d+)\]"))
            begun.wait_for()

    def run_through(self, count: int) -> None:
        """Press Shift-Enter through the first `count` cells, texts too; until the last has drawn
        its Plotly figure."""
        self.page.locator(".jp-Notebook .jp-Cell").first.click(position={"x": 4, "y": 4})
        active = self.page.locator(".jp-Notebook .jp-Cell.jp-mod-active")
        for _ in range(count):
            active.wait_for()
            self.page.keyboard.press("Shift+Enter")
            self.page.wait_for_timeout(100)
        before = active.locator("xpath=preceding-sibling::*[contains(@class,'jp-Cell')][1]")
        before.locator(".js-plotly-plot .main-svg").first.wait_for(state="attached")
        before.scroll_into_view_if_needed()

    def wait_for_figure(self) -> None:
        """Until a Plotly figure has been drawn."""
        figure = self.page.locator(".jp-OutputArea .js-plotly-plot .main-svg").first
        figure.wait_for(state="attached")
        figure.scroll_into_view_if_needed()

    def save(self) -> None:
        self.page.keyboard.press("Control+s")
        self.page.wait_for_timeout(500)

    def validate(self) -> str:
        with self.page.expect_response(lambda answer: "logitlab/validation" in answer.url):
            self.page.locator(".jp-NotebookPanel-toolbar >> text=Validate").first.click()
        dialog = self.page.locator(".jp-Dialog-content")
        dialog.wait_for()
        self.page.wait_for_timeout(500)  # for what was answered to be in the dialog
        text = dialog.inner_text()
        self.picture("validated")
        dialog.get_by_role("button").last.click()
        return text

    def open_assignments(self) -> None:
        """A JupyterLab with nothing open, which shows the assignment list."""
        self.page.goto(f"{self.url}/user/{self.name}/lab?reset")
        self.reach_assignments()

    def submit(self, assignment: str) -> None:
        row = self._row("Downloaded assignments", assignment)
        row.get_by_role("button", name="Submit").click()
        expect(self._row("Submitted assignments", assignment)).to_be_visible(timeout=PATIENCE)
        self.picture("submitted")

    def read_feedback(self, assignment: str) -> str:
        """Fetch feedback, open its page and return the text on it."""
        self._row("Submitted assignments", assignment).get_by_role(
            "button", name="Fetch Feedback"
        ).click()
        self.page.locator("#submitted_assignments_list").get_by_text(
            "view feedback"
        ).first.wait_for()
        self.picture("feedback-fetched")
        person_path = f"/user/{self.name}/api/contents/{assignment}/feedback"
        listing = self.page.request.get(self.url + person_path).json()["content"]
        newest = max(listing, key=lambda item: item["name"])["path"]
        pages = self.page.request.get(f"{self.url}/user/{self.name}/api/contents/{newest}").json()
        page = self.context.new_page()
        page.goto(f"{self.url}/user/{self.name}/files/{pages['content'][0]['path']}")
        page.wait_for_load_state()
        self.picture("feedback", page)
        text = page.inner_text("body")
        page.close()
        return text


class InstructorDesk(Desk):
    """An instructor in the course's formgrader; of its pages' own requests, each must succeed."""

    grader = ""

    def __init__(self, browser: Browser, url: str, name: str, pictures: Path) -> None:
        super().__init__(browser, url, name, pictures)
        self.page.on("response", self._note_failure)

    def _note_failure(self, response: Response) -> None:
        of_a_script = response.request.resource_type in ("xhr", "fetch")
        failed = not response.ok and response.status != 304
        if of_a_script and failed and "/formgrader/" in response.url:
            self.errors.append(f"{response.status} {response.request.method} {response.url}")

    def open_formgrader(self, assignment: str) -> None:
        self.page.click("#formgrader-button")
        self.page.wait_for_selector(f"table >> text={assignment}")
        self.grader = self.page.url.split("/user/")[1].split("/")[0]
        self.picture("formgrader")

    def go(self, path: str) -> None:
        self.page.goto(f"{self.url}/user/{self.grader}/formgrader{path}")

    def api(self, path: str) -> Any:
        return self.page.request.get(f"{self.url}/user/{self.grader}/formgrader/api{path}").json()

    def press(self, button: str, row: str) -> str:
        """Click a formgrader table's icon in the row that names `row`; the log it then shows."""
        line = self.page.locator("tr", has_text=row).first
        # A button before may have left the server busy, and its row without its icons.
        line.locator(f"td.{button} a").click(timeout=3 * PATIENCE)
        dialog = self.page.locator("#success-modal, #error-modal")
        # Autograde executes a submission, and before the first one of an assignment the reference.
        dialog.wait_for(timeout=3 * PATIENCE)
        text = dialog.inner_text()
        if dialog.get_attribute("id") == "error-modal":
            self.picture("error")
            raise RuntimeError(text)
        dialog.locator(
            "button.close, button:has-text('Close'), button:has-text('OK')"
        ).first.click()
        dialog.wait_for(state="hidden")
        return text

    def collect(self, assignment: str) -> str:
        return self.press("collect", assignment)

    def autograde(self, assignment: str, student: str) -> tuple[str, str]:
        """Press the button; returns the name that the student goes by, and the log shown."""
        self.go(f"/manage_submissions/{assignment}")
        self.page.wait_for_selector(f"td.student-id >> text={student}")
        name = self.page.locator("tr", has_text=student).locator("td.student-name").inner_text()
        log = self.press("autograde", student)
        self.picture("autograded")
        return name, log

    def grade_by_hand(
        self,
        assignment: str,
        notebook: str,
        student: str,
        question: str,
        points: float,
        comment: str,
    ) -> None:
        """Type a score and a comment for one open question on the submission's page."""
        found = self.api(f"/submitted_notebooks/{assignment}/{notebook}")
        submission = next(item["id"] for item in found if item["student"] == student)
        self.go(f"/submissions/{submission}")
        score = self.page.locator(f"input.score#{question}")
        score.scroll_into_view_if_needed()
        score.fill(str(points))
        with self.page.expect_response("**/api/grade/*"):
            score.press("Tab")
        box = self.page.locator(f".nbgrader_cell:has(input#{question}) textarea.comment").first
        if box.count():
            box.fill(comment)
            with self.page.expect_response("**/api/comment/*"):
                box.press("Tab")
        self.picture("graded-by-hand")

    def score(self, assignment: str, student: str) -> float:
        return float(self.api(f"/submission/{assignment}/{student}")["score"])
