"""The pages of accounts in a real browser: from a link to one's own password."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.accounts.running import COURSE, PASSWORD, import_roster, link, log, served, within
from tests.e2e.browser import launched

pytestmark = [
    pytest.mark.hub,
    pytest.mark.browser,
    pytest.mark.slow,
]
PICTURES = Path(__file__).parents[2] / "artifacts" / "accounts"


def test_from_a_link_to_ones_own_password(tmp_path):
    PICTURES.mkdir(parents=True, exist_ok=True)
    with served(tmp_path / "course", COURSE) as hub, launched() as browser:
        import_roster(hub, "username,first_name,last_name\neve,<img src=x onerror=evil()>,E\n")
        within(60, lambda: "eve joined the course" in log(hub))
        context = browser.new_context(viewport={"width": 1200, "height": 800})
        context.set_default_timeout(60_000)
        page = context.new_page()
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))

        first = link(hub, "prof")
        page.goto(first)
        assert page.inner_text("#account") == "prof"
        for password in ("1234567890", PASSWORD):
            page.fill("#password", password)
            page.fill("#again", password)
            page.screenshot(path=PICTURES / "set-password.png")
            page.click("#set")
        page.click("#log-in")
        page.wait_for_selector("#password_input")
        assert page.input_value("#username_input") == "prof"
        page.screenshot(path=PICTURES / "login.png")
        page.fill("#password_input", PASSWORD)
        page.click("#login_submit")

        page.click("#open-people")
        page.locator("tr", has_text="evil").get_by_role("button", name="New link").click()
        page.wait_for_selector("#new-link")
        page.screenshot(path=PICTURES / "people.png")
        assert "/hub/set-password?key=" in page.input_value("#new-link")
        assert page.locator("#people img").count() == 0

        second = page.input_value("#new-link")
        page.goto(first)
        assert "This link is not valid" in page.inner_text(".error")
        page.screenshot(path=PICTURES / "void-link.png")
        page.goto(second)
        assert "prof is logged in in this browser" in page.inner_text("#other-account")
        page.goto(f"{hub.url}/hub/home")
        page.click("#change-password")
        page.fill("#old", PASSWORD)
        page.fill("#password", "another horse 8")
        page.fill("#again", "another horse 8")
        page.screenshot(path=PICTURES / "change-password.png")
        page.click("#change")
        page.wait_for_selector("text=Password set")
        page.click("text=Continue")
        page.wait_for_selector("#change-password")
        assert errors == []
