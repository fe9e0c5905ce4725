"""Due dates entered in the formgrader's page of assignments, which an exchange stands behind."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from zoneinfo import ZoneInfo

import httpx
import pytest

from hub.core.environment import Environment
from hub.core.gradebook import open_gradebook
from hub.exchange.client.transport import HttpTransport
from hub.exchange.errors import InvalidName, NotAllowed, Refusal, ServiceAway
from hub.exchange.store import Store
from hub.singleuser.due_dates import entered_date, move_due_date
from tests.exchange.running import ServiceThread
from tests.exchange.samples import ASSIGNMENT, COURSE
from tests.exchange.stand_in_hub import StandInHub
from tests.formgrader_server import formgrader_of
from tests.gradebooks import empty_gradebook

MAY = dt.datetime(2027, 5, 1, 21, 59, tzinfo=dt.UTC)
JUNE = dt.datetime(2027, 6, 1, 12, 0, tzinfo=dt.UTC)
NOBODY = "http://127.0.0.1:9/services/exchange"


@pytest.fixture(name="url")
def _url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Of a gradebook with the assignment, due in May."""
    monkeypatch.setattr(HttpTransport, "delays", ())
    (tmp_path / "gradebook.db").write_bytes(empty_gradebook(COURSE))
    url = f"sqlite:///{tmp_path / 'gradebook.db'}"
    with open_gradebook(url, COURSE) as gradebook:
        gradebook.add_assignment(ASSIGNMENT, duedate=MAY.isoformat())
    return url


def as_person(token: str, url: str) -> Environment:
    return Environment(exchange_url=url, hub_token=token)


def test_a_date_that_is_edited_moves_at_the_exchange(
    url: str, store: Store, service: ServiceThread
) -> None:
    grader = as_person("grader", service.url)
    for due in (JUNE, None):
        move_due_date(grader, COURSE, url, ASSIGNMENT, due)
        assert store.release_of(COURSE, ASSIGNMENT).due == due


def test_a_date_that_the_page_only_shows_moves_nothing(
    url: str, store: Store, service: ServiceThread
) -> None:
    store.set_due(COURSE, ASSIGNMENT, JUNE, by="prof")  # by a command, since the page was opened
    move_due_date(as_person("grader", service.url), COURSE, url, ASSIGNMENT, MAY)
    assert store.release_of(COURSE, ASSIGNMENT).due == JUNE


def test_before_the_first_release_the_exchange_takes_no_date(
    url: str, store: Store, service: ServiceThread
) -> None:
    move_due_date(as_person("grader", service.url), COURSE, url, "not-released", JUNE)
    assert [one.assignment for one in store.due_dates(COURSE)] == [ASSIGNMENT]


def test_an_exchange_that_is_away_or_refuses_is_reported(url: str, service: ServiceThread) -> None:
    with pytest.raises(ServiceAway):
        move_due_date(as_person("grader", NOBODY), COURSE, url, ASSIGNMENT, JUNE)
    with pytest.raises(Refusal, match="is not instructor") as refused:
        move_due_date(as_person("student", service.url), COURSE, url, ASSIGNMENT, JUNE)
    assert refused.value.status == NotAllowed.status


@pytest.mark.parametrize("offset", ["", None, "+0200"])
def test_what_the_dialog_sends_is_read_in_the_courses_zone(offset: str | None) -> None:
    berlin = ZoneInfo("Europe/Berlin")
    sent = {"duedate_notimezone": "2027-05-01T23:59", "duedate_timezone": offset}
    assert entered_date(sent, berlin) == MAY
    winter = {"duedate_notimezone": "2027-12-01T12:00", "duedate_timezone": ""}
    assert entered_date(winter, berlin) == dt.datetime(2027, 12, 1, 11, tzinfo=dt.UTC)
    assert entered_date({"duedate_notimezone": None, "duedate_timezone": offset}, berlin) is None
    with pytest.raises(InvalidName):
        entered_date({"duedate_notimezone": "soon", "duedate_timezone": offset}, berlin)


@pytest.mark.slow
def test_the_page_moves_the_date_of_the_exchange_and_shows_it(
    url: str,
    tmp_path: Path,
    store: Store,
    stand_in_hub: StandInHub,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    service = ServiceThread(store, stand_in_hub)
    (tmp_path / "course.yaml").write_text(
        f"course: {{id: {COURSE}, timezone: Europe/Berlin}}\n"
        f"assignments: {{{ASSIGNMENT}: {{due: 2027-04-01 12:00}}}}\n"
    )
    (tmp_path / "source" / ASSIGNMENT).mkdir(parents=True)
    monkeypatch.setenv("LOGITLAB_EXCHANGE_URL", service.url)
    monkeypatch.setenv("JUPYTERHUB_API_TOKEN", "grader")
    with formgrader_of(tmp_path, COURSE) as http:

        def edit(date: str) -> httpx.Response:
            http.get("/formgrader/manage_assignments")
            sent = {"duedate_notimezone": date, "duedate_timezone": ""}
            return http.put(f"/formgrader/api/assignment/{ASSIGNMENT}", json=sent)

        store.set_due(COURSE, ASSIGNMENT, MAY, by="prof")
        edited = edit("2027-06-01T14:00").json()
        assert edited["duedate"] == "2027-06-01T12:00:00"
        assert edited["display_duedate"] == "2027-06-01 14:00:00 CEST"
        assert edited["duedate_notimezone"] == "2027-06-01T14:00:00"
        assert store.release_of(COURSE, ASSIGNMENT).due == JUNE
        store.set_due(COURSE, ASSIGNMENT, MAY, by="prof")
        (listed,) = http.get("/formgrader/api/assignments").json()
        assert listed["duedate"] == "2027-05-01T21:59:00"
        assert listed["display_duedate"] == "2027-05-01 23:59:00 CEST"
        warning = http.get("/formgrader/api/course-warning").json()["message"]
        assert f"`logitlab due {ASSIGNMENT} --from-settings`" in warning
        settings = (tmp_path / "course.yaml").read_text()
        (tmp_path / "course.yaml").write_text(settings + "oops: 1\n")
        (listed,) = http.get("/formgrader/api/assignments").json()
        assert listed["display_duedate"] == "2027-05-01 21:59:00 UTC"
        assert "oops" in http.get("/formgrader/api/course-warning").json()["message"]
        assert "oops" in edit("2027-06-01T14:00").json()["message"]
        (tmp_path / "course.yaml").write_text(settings)
        service.__exit__(None, None, None)
        refused = edit("2027-06-01T12:00")
        assert refused.status_code == 503 and "was not changed" in refused.json()["message"]
        (listed,) = http.get("/formgrader/api/assignments").json()
        assert listed["duedate"] == "2027-05-01T21:59:00"
