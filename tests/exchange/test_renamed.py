"""A course whose id was changed after a release is reported wherever somebody looks."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from hub.cli import main
from hub.core.course_folder import CourseFolder, new_course, open_course
from hub.core.environment import Environment
from hub.exchange.access import Access, Caller
from hub.exchange.course_id import changed_id
from hub.exchange.renamed import CourseCounts, kept_in, warning
from hub.exchange.store import Store
from hub.serve import _upgrade_exchange
from tests.exchange.samples import ASSIGNMENT, COURSE, packed, release, submit

OLD = CourseCounts("old", 2, 5)


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ([], False),
        ([OLD], True),
        ([CourseCounts("old", 0, 5)], True),
        ([CourseCounts("new", 0, 1), OLD], True),
        ([CourseCounts("new", 1, 0), OLD], False),  # the new id is meant
        ([CourseCounts("served", 2, 5)], False),  # another course of the same exchange
    ],
)
def test_it_is_reported_until_something_is_released_under_the_new_id(found, said):
    assert bool(warning("new", {"new", "served"}, found)) == said


def test_it_says_how_much_there_is_and_both_ways_out():
    text = warning("new", {"new"}, [OLD])
    assert "'old' has 2 release(s) and 5 submission(s)" in text
    assert "set `id: old` in course.yaml again" in text
    assert "`logitlab release --hand-out NAME`" in text


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request):
    from tests.postgres.server import shared

    return shared().new_schema() if request.param == "postgresql" else None


def report(store: Store, group: str) -> str:
    caller = Caller("someone", frozenset({f"{group}-renamed"}))
    (course,) = Access(store, caller, {"renamed"}).courses()
    return course["warning"]


def test_the_exchange_tells_instructors_and_no_student(store: Store):
    submit(store, packed({"a.txt": b"x"}))
    assert f"{COURSE!r} has 1 release(s) and 1 submission(s)" in report(store, "formgrade")
    assert report(store, "nbgrader") == ""


@pytest.fixture
def renamed(tmp_path: Path) -> CourseFolder:
    """A course folder in which something was released before its id was changed."""
    list(new_course(tmp_path / "course"))
    folder = open_course(tmp_path / "course", Environment())
    text = folder.settings_file.read_text()
    assert f"id: {COURSE}" in text
    folder.settings_file.write_text(text.replace(f"id: {COURSE}", "id: renamed"))
    folder = open_course(tmp_path / "course", Environment())
    store = Store(folder.exchange)
    release(store)
    store.close()
    return folder


def check(folder: CourseFolder) -> str:
    done = CliRunner().invoke(main, ["check", "--course", str(folder.root)])
    assert done.exit_code == 0, done.output
    return done.output


def test_check_and_the_start_say_it_and_change_nothing(renamed: CourseFolder):
    before = kept_in(renamed.exchange)
    assert "warning: Nothing was released in the course 'renamed'" in check(renamed)
    assert any(f"set `id: {COURSE}`" in line for line in _upgrade_exchange(renamed))
    assert kept_in(renamed.exchange) == before == [CourseCounts(COURSE, 1, 0)]
    (renamed.release / ASSIGNMENT).mkdir()
    (renamed.release / ASSIGNMENT / "a.ipynb").write_text("{}")
    command = ["release", "--hand-out", ASSIGNMENT, "--course", str(renamed.root)]
    assert CliRunner().invoke(main, command).exit_code == 0
    assert "warning" not in check(renamed)
    assert list(_upgrade_exchange(renamed)) == []


def test_a_course_that_never_started_is_in_order(tmp_path: Path):
    list(new_course(tmp_path / "course"))
    assert "warning" not in check(open_course(tmp_path / "course", Environment()))
    assert not (tmp_path / "course" / "server" / "exchange").exists()


def test_an_exchange_that_is_away_does_not_hold_up_the_page(tmp_path, monkeypatch):
    monkeypatch.setattr("hub.exchange.client.transport.HttpTransport.delays", ())
    environment = Environment(exchange_url="http://127.0.0.1:9", hub_token="t")
    assert changed_id("renamed", CourseFolder(tmp_path, environment)) == ""
