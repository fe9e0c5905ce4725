"""From the login over the course's page into a notebook, in a real browser against the real hub."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.e2e.browser import PATIENCE, Desk, launched
from tests.e2e.embedded import RunningServer

pytestmark = [
    pytest.mark.hub,
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.timeout(600),
]


def test_the_course_page_opens_an_assignment_that_was_never_fetched(
    server: RunningServer, artifacts: Path
):
    with launched() as browser:
        desk = Desk(browser, server.url, "bob", artifacts / "course-page")
        page = desk.page
        page.goto(f"{server.url}/services/exchange/")
        page.fill("#username_input", "bob")
        page.fill("#password_input", server.passwords["bob"])
        page.click("#login_submit")
        page.wait_for_selector("main h1")
        desk.picture("page")
        page.get_by_role("link", name="Open Start here").click()
        page.wait_for_selector(".jp-Notebook .jp-Cell")
        expect(page.get_by_role("heading", name="Start here")).to_be_visible(timeout=PATIENCE)
        assert page.url.startswith(f"{server.url}/user/bob/lab/tree/start/start.ipynb")
        desk.picture("opened")
        page.goto(f"{server.url}/hub/home")
        desk.picture("home")
        page.click("#course-page")
        expect(page.get_by_role("link", name="Open Start here")).to_be_visible(timeout=PATIENCE)
        assert desk.errors == []
        desk.close()
    assert (server.course / "server/homes/bob/start/start.ipynb").is_file()
