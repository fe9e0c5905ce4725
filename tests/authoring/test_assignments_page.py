"""The formgrader's page of assignments, in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, Route, expect

from hub.core.gradebook import open_gradebook
from hub.exchange.store import Store
from tests.e2e.browser import PATIENCE, launched
from tests.exchange.samples import COURSE, release
from tests.formgrader_server import formgrader_of
from tests.gradebooks import empty_gradebook

pytestmark = [pytest.mark.slow, pytest.mark.browser]


def put(http: httpx.Client, name: str) -> httpx.Response:
    """What the dialog's Save sends."""
    http.get("/formgrader/manage_assignments")
    return http.put(
        f"/formgrader/api/assignment/{name}", json={"name": name, "duedate_notimezone": None}
    )


@contextmanager
def opened(root: Path) -> Iterator[tuple[httpx.Client, Page]]:
    """The page of assignments of the course `tiny` in the folder `root`."""
    with formgrader_of(root) as http, launched() as browser:
        context = browser.new_context(extra_http_headers={"Authorization": "token t"})
        context.set_default_timeout(PATIENCE)
        page = context.new_page()
        page.goto(f"{str(http.base_url).rstrip('/')}/formgrader/manage_assignments")
        yield http, page


def test_a_name_that_students_could_not_fetch_is_refused_in_the_dialog(tmp_path: Path) -> None:
    with opened(tmp_path) as (http, page):
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


def test_a_course_whose_id_was_changed_is_reported_above_the_list(tmp_path: Path) -> None:
    store = Store(tmp_path / "server" / "exchange")
    release(store)
    store.close()
    with opened(tmp_path) as (_, page):
        expect(page.locator("#course-warning")).to_contain_text(
            "Nothing was released in the course 'tiny', but there is work under another id: "
            f"'{COURSE}' has 1",
            timeout=PATIENCE,
        )
        expect(page.locator("#course-warning code").last).to_have_text(
            "logitlab release --hand-out NAME"
        )


def test_a_row_comes_back_when_the_server_did_not_answer_after_a_button(tmp_path: Path) -> None:
    (tmp_path / "source" / "week-1").mkdir(parents=True)
    refused: list[str] = []

    def refuse_twice(route: Route) -> None:
        if route.request.method == "GET" and len(refused) < 2:
            refused.append(route.request.url)
            route.fulfill(status=500)
        else:
            route.continue_()

    with opened(tmp_path) as (_, page):
        row = page.locator("#main-table tr").first
        expect(row.locator("td.name")).to_have_text("week-1", timeout=PATIENCE)
        page.route("**/formgrader/api/assignment/week-1", refuse_twice)
        row.locator("td.assign a").click()
        expect(page.locator("#error-modal")).to_be_visible(timeout=PATIENCE)
        expect(row.locator("td.name")).to_have_text("week-1", timeout=2_000)
        (tmp_path / "release" / "week-1").mkdir(parents=True)
        expect(row.locator("td.preview a")).to_be_visible(timeout=PATIENCE)
    assert len(refused) == 2


def test_a_date_that_the_exchange_does_not_take_is_reported_and_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "course.yaml").write_text("course: {id: tiny, timezone: Europe/Berlin}\n")
    (tmp_path / "source" / "week-1").mkdir(parents=True)
    (tmp_path / "gradebook.db").write_bytes(empty_gradebook("tiny"))
    with open_gradebook(f"sqlite:///{tmp_path / 'gradebook.db'}", "tiny") as gradebook:
        gradebook.add_assignment("week-1", duedate="2027-05-01 12:00")
    monkeypatch.setenv("LOGITLAB_EXCHANGE_URL", "http://127.0.0.1:9/services/exchange")
    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", "nobody's")
    with opened(tmp_path) as (_, page):
        row = page.locator("#main-table tr").first
        expect(row.locator("td.duedate")).to_contain_text("2027-05-01", timeout=PATIENCE)
        row.locator("td.edit a").click()
        dialog = page.locator("#edit-assignment-modal")
        expect(dialog).to_contain_text("Due date (optional), in Europe/Berlin")
        expect(dialog.locator("input.modal-duedate")).to_have_value("2027-05-01T14:00")
        expect(dialog.locator("input.modal-timezone")).to_be_hidden()
        page.locator("input.modal-duedate").fill("2027-06-01T12:00")
        page.locator("#edit-assignment-modal .save").click()
        problem = page.locator("#error-modal")
        expect(problem).to_contain_text("The due date was not changed.", timeout=PATIENCE)
        expect(problem).to_contain_text("does not answer")
        expect(row.locator("td.duedate")).to_contain_text("2027-05-01", timeout=PATIENCE)
