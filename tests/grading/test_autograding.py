"""What the formgrader says of a grading that was cut off, or whose page was left."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from hub.singleuser import autograding
from hub.singleuser.autograding import Presses
from tests.e2e.browser import PATIENCE, launched, load
from tests.grading.grader_server import Server
from tests.grading.tiny_course import ASSIGNMENT, answered, course_config, make_course, submit


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "server" / "autograding.json"


def shown(file: Path) -> list[dict[str, str]]:
    return [press.shown() for press in Presses(file).of(ASSIGNMENT)]


def another_server_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(autograding, "THIS_SERVER", "another")


def test_a_grading_that_outlived_its_server_was_cut_off(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Presses(file).begin(ASSIGNMENT, "alice")
    assert [one["state"] for one in shown(file)] == ["running"]
    another_server_starts(monkeypatch)
    (one,) = shown(file)
    assert one["state"] == "failed"
    assert one["sentence"].startswith("Grading alice was cut off (Autograde was pressed at 20")
    assert "Press Autograde again" in one["log"]


def test_a_failure_stays_until_somebody_has_seen_it_even_after_a_restart(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    presses = Presses(file)
    presses.begin(ASSIGNMENT, "alice")
    presses.begin("another", "alice")
    presses.end(ASSIGNMENT, "alice", "the machine is out of memory")
    another_server_starts(monkeypatch)
    (one,) = shown(file)
    assert one["state"] == "failed" and one["log"] == "the machine is out of memory"
    Presses(file).forget(ASSIGNMENT, "alice")
    assert shown(file) == [] and len(Presses(file).of("another")) == 1


def test_a_submission_that_was_graded_is_no_longer_noted(file: Path) -> None:
    presses = Presses(file)
    presses.begin(ASSIGNMENT, "alice")
    presses.end(ASSIGNMENT, "alice", None)
    assert shown(file) == []


@pytest.mark.parametrize("text", ["", "{", "[1]", '[{"student": "alice"}]', "{}"])
def test_notes_that_cannot_be_read_do_not_keep_the_formgrader_from_starting(
    file: Path, text: str
) -> None:
    file.parent.mkdir()
    file.write_text(text)
    assert shown(file) == []


def test_a_press_of_the_button_is_kept_in_memory_if_the_disk_cannot_be_written(file: Path) -> None:
    file.parent.write_text("a file where the folder should be")
    presses = Presses(file)
    presses.begin(ASSIGNMENT, "alice")
    assert [press.student for press in presses.of(ASSIGNMENT)] == ["alice"]


def test_an_unexpected_error_is_reported_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(*_: object) -> Iterator[str]:
        yield "checking the reference of tiny"
        raise RuntimeError("wheels came off")

    monkeypatch.setattr(autograding, "autograde", breaks)
    outcome = autograding._graded(course_config(tmp_path), ASSIGNMENT, "alice")
    assert not outcome["success"]
    assert outcome["log"].startswith("An unexpected error occurred")
    assert "checking the reference of tiny" in outcome["log"]
    assert "wheels came off" in outcome["error"]


# On a real server, in a real browser -------------------------------------------------------------


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with launched() as browser:
        yield browser


@pytest.fixture
def course(tmp_path: Path) -> Path:
    """alice's submission takes a while, and a file of brian's is a pipe."""
    root = tmp_path / "course"
    make_course(root)
    submit(root, "alice", answered(root, double="import time; time.sleep(20)"))
    os.mkfifo(submit(root, "brian", answered(root)) / "notes.txt")
    return root


@pytest.fixture
def server(course: Path) -> Iterator[Server]:
    server = Server(course)
    yield server
    server.stop()


@pytest.fixture
def page(browser: Browser, server: Server) -> Iterator[Page]:
    """The page of submissions."""
    headers = {"Authorization": f"token {server.token}"}
    context = browser.new_context(extra_http_headers=headers)
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    load(page, server.address(f"/formgrader/manage_submissions/{ASSIGNMENT}"))
    yield page
    context.close()


def press(page: Page, student: str) -> None:
    page.locator("tr", has_text=student).locator("td.autograde a").click()


def noted(course: Path) -> list[dict[str, str]]:
    file = course / "server" / "autograding.json"
    return json.loads(file.read_text()) if file.is_file() else []


def wait_for_note(course: Path) -> None:
    deadline = time.monotonic() + 30
    while not noted(course):
        assert time.monotonic() < deadline, "the press was not noted"
        time.sleep(0.1)


@pytest.mark.kernel
@pytest.mark.slow
@pytest.mark.browser
def test_a_server_that_stops_during_grading_is_reported_in_the_dialog_and_above_the_list(
    page: Page, course: Path, server: Server
) -> None:
    press(page, "alice")
    wait_for_note(course)
    server.kill()
    dialog = page.locator("#error-modal")
    expect(dialog).to_contain_text("could not be reached, or stopped before it was done")
    expect(dialog).to_contain_text("press the button again")
    server.start()
    box = page.locator("#autograding .alert-danger")
    expect(box).to_contain_text("Grading alice was cut off", timeout=PATIENCE)
    expect(box).to_contain_text("Press Autograde again")
    page.reload()
    expect(box).to_contain_text("Grading alice was cut off", timeout=PATIENCE)
    box.locator("button.close").click()
    expect(box).to_have_count(0)
    page.reload()
    expect(page.locator("td.student-id", has_text="alice")).to_be_visible()
    expect(box).to_have_count(0)
    assert noted(course) == []


@pytest.mark.kernel
@pytest.mark.slow
@pytest.mark.browser
def test_a_page_that_is_left_says_how_the_grading_ended_when_it_is_opened_again(
    page: Page, course: Path
) -> None:
    press(page, "alice")
    wait_for_note(course)
    press(page, "brian")
    page.goto("about:blank")
    page.go_back()
    expect(page.locator("#autograding")).to_contain_text("alice is being graded")
    failed = page.locator("#autograding .alert-danger")
    expect(failed).to_contain_text("brian was not graded", timeout=PATIENCE)
    row = page.locator("tr", has_text="alice")
    expect(row.locator("td.status")).to_have_text("needs manual grading", timeout=PATIENCE)
    expect(page.locator("#autograding .alert-info")).to_have_count(0, timeout=PATIENCE)


@pytest.mark.kernel
@pytest.mark.slow
@pytest.mark.browser
def test_an_outcome_already_shown_in_a_dialog_is_not_reported_again(
    page: Page, course: Path
) -> None:
    press(page, "brian")
    expect(page.locator("#error-modal")).to_contain_text("notes.txt", timeout=PATIENCE)
    page.reload()
    expect(page.locator("td.student-id", has_text="brian")).to_be_visible()
    expect(page.locator("#autograding > div")).to_have_count(0)
    assert noted(course) == []


@pytest.mark.slow
@pytest.mark.browser
def test_names_in_backticks_are_code_in_the_dialogs(page: Page) -> None:
    log = "`given-2` fails: run\n`logitlab check`, not a ` alone\nor `<b>two`"
    page.evaluate("log => createLogModal('error-modal', 'Error', 'It failed:', log)", log)
    shown = page.locator("#error-modal pre")
    expect(shown).to_have_text("given-2 fails: run logitlab check, not a ` alone or <b>two")
    assert shown.locator("code").all_inner_texts() == ["given-2", "logitlab check", "<b>two"]
