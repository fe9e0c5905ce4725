"""The formgrader's dialog that adds an assignment, in a real browser."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from playwright.sync_api import expect

from tests.day.browser import PATIENCE, launched
from tests.formgrader_server import formgrader_of

pytestmark = [pytest.mark.slow, pytest.mark.browser]


def put(http: httpx.Client, name: str) -> httpx.Response:
    """What the dialog's Save sends."""
    http.get("/formgrader/manage_assignments")
    return http.put(
        f"/formgrader/api/assignment/{name}", json={"name": name, "duedate_notimezone": None}
    )


def test_a_name_that_students_could_not_fetch_is_refused_in_the_dialog(tmp_path: Path) -> None:
    with formgrader_of(tmp_path) as http, launched() as browser:
        context = browser.new_context(extra_http_headers={"Authorization": "token t"})
        context.set_default_timeout(PATIENCE)
        page = context.new_page()
        page.goto(f"{str(http.base_url).rstrip('/')}/formgrader/manage_assignments")
        page.click('a:has-text("Add new assignment...")')
        dialog, problem = page.locator("#add-assignment-modal"), page.locator("#create-error")
        for name in ("week 1", "hw+1", "lab (a)", "été"):
            dialog.locator("input.name").fill(name)
            dialog.locator(".save").click()
            expect(problem).to_contain_text(f"'{name}' cannot be the name of an assignment")
            assert not (tmp_path / "source" / name).exists()
            assert put(http, name).status_code == 400
            assert "cannot be the name" in put(http, name).json()["message"]
        assert not (tmp_path / "source").exists()
        dialog.locator("input.name").fill("week-1")
        dialog.locator(".save").click()
        expect(page.locator("#main-table")).to_contain_text("week-1", timeout=PATIENCE)
        expect(dialog).to_be_hidden()
    assert (tmp_path / "source" / "week-1").is_dir()
