"""The course's page as its person sees it, from the real service."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import httpx
import pytest

from hub.exchange.overview import CourseInfo
from hub.exchange.records import Points
from hub.exchange.store import Store
from tests.exchange.running import ServiceThread
from tests.exchange.samples import (
    ASSIGNMENT,
    COURSE,
    give_feedback,
    notebook,
    packed,
    release,
    sha256,
    submit,
)
from tests.exchange.stand_in_hub import StandInHub

INFO = CourseInfo("Reading <models>", ZoneInfo("Europe/Berlin"), ("start",))


def book(title: str, points: float = 0, **rest: object) -> bytes:
    cells = [
        {"cell_type": "markdown", "source": f"# {title}\n\nText."},
        {"cell_type": "code", "metadata": {"nbgrader": {"grade": True, "points": points}}},
        {"cell_type": "code", "metadata": {"nbgrader": {"grade": False, "points": 100}}},
    ]
    return json.dumps({"cells": cells, **rest}).encode()


def hand_out(store: Store, name: str, title: str, points: float = 0, due: datetime | None = None):
    data = packed({f"{name}.ipynb": book(title, points)})
    upload = store.begin_upload("prof")
    try:
        upload.write(data)
        store.release(COURSE, name, upload, sha256(data), by="prof", due=due, force=True)
    finally:
        upload.close()


@pytest.fixture
def service(store: Store, stand_in_hub: StandInHub) -> Iterator[ServiceThread]:
    with ServiceThread(store, stand_in_hub, {COURSE: INFO}) as running:
        yield running


def seen(
    service: ServiceThread, role: str = "student", at: str = "/", **headers: str
) -> httpx.Response:
    headers["Authorization"] = f"token {role}"
    return httpx.get(service.url + at, headers=headers, trust_env=False, verify=False, timeout=60)


def words(response: httpx.Response) -> str:
    """What the page says, without its marks."""
    main = response.text.partition("<main>")[2]
    return " ".join(re.sub(r"<[^>]*>", " ", main).split())


def test_a_released_assignment_is_shown_by_its_title_with_its_date_in_the_courses_zone(
    store, service, clock
):
    due = datetime(2027, 3, 14, 22, 59, tzinfo=UTC)
    release(store, packed({"a.ipynb": book("Induction & heads", 54)}), due=due)
    shown = words(seen(service))
    assert "Reading &lt;models&gt;" in shown and "Induction &amp; heads" in shown
    assert "due Sun 14 Mar, 23:59 · in 13 days" in shown
    assert "Nothing handed in yet" in shown and "Times are those of Europe/Berlin" in shown
    assert "UTC" not in shown and COURSE not in shown


def test_an_extension_is_shown_to_its_student_only(store, service, clock):
    release(store, due=clock.now + timedelta(days=1))
    store.extend(COURSE, ASSIGNMENT, "alice", clock.now + timedelta(days=3), by="prof")
    assert "due Thu 4 Mar, 13:00 · in 3 days · extended for you" in words(seen(service))
    other = words(seen(service, "other-student"))
    assert "due Tue 2 Mar, 13:00 · in 24 hours" in other and "extended" not in other


def test_an_assignment_without_a_date_says_so(service):
    assert "no due date" in words(seen(service))


def test_start_comes_first_and_the_rest_by_name(store, service):
    for name, title in (("start", "Start here"), ("01-a", "First"), ("10-b", "Tenth")):
        hand_out(store, name, title)
    titles = re.findall(r'class="title">([^<]*)<', seen(service).text)
    assert titles == ["Start here", "First", "06-induction-heads", "Tenth"]


def test_a_hand_in_says_when_and_whether_it_was_late_with_its_receipt(store, service, clock):
    release(store, due=clock.now + timedelta(minutes=30))
    first = submit(store, notebook("first"))
    assert "Handed in Mon 1 Mar, 13:00 on time Receipt" in words(seen(service))
    clock.now += timedelta(hours=3)
    second = submit(store, notebook("second"))
    page = seen(service)
    assert "Handed in Mon 1 Mar, 16:00 late 2 receipts" in words(page)
    assert page.text.index(second.receipt) < page.text.index(first.receipt)
    assert second.sha256 in page.text


def test_without_a_date_a_hand_in_is_neither_late_nor_on_time(store, service):
    submit(store, notebook("mine"))
    shown = words(seen(service))
    assert "on time" not in shown and "late" not in shown


def test_what_was_handed_in_stays_on_the_page_after_the_release_is_withdrawn(store, service):
    submit(store, notebook("mine"))
    store.unrelease(COURSE, "06-induction-heads", by="prof")
    shown = words(seen(service))
    assert "no longer handed out" in shown and "Handed in" in shown


def test_where_nothing_is_released_the_page_says_so(store, service):
    store.unrelease(COURSE, "06-induction-heads", by="prof")
    assert "Nothing has been released yet" in words(seen(service))


def test_somebody_in_no_course_is_told_whom_to_ask(service):
    assert "Ask your instructor to add you" in words(seen(service, "unenrolled"))


def test_somebody_in_two_courses_has_both_on_one_page(store):
    people = {"both": {"kind": "user", "name": "ada", "scopes": [], "groups": []}}
    groups = [f"nbgrader-{COURSE}", "nbgrader-other"]
    people["both"] |= {"groups": groups, "scopes": ["access:services!service=exchange"]}
    hub = StandInHub(people)
    with ServiceThread(store, hub, {COURSE: INFO}) as running:
        page = seen(running, "both").text
    hub.close()
    assert re.findall(r"<(h\d)", page) == ["h1", "h2", "h3", "h2"]
    assert "Your courses" in page and "<h2>other</h2>" in page


def test_the_formgrader_is_linked_for_instructors_only(service):
    link = f"/hub/spawn/grader-{COURSE}?next=/user/grader-{COURSE}/formgrader"
    assert link in seen(service, "instructor").text
    assert "formgrade" not in seen(service).text


def test_the_page_has_no_script_and_one_first_heading_and_allows_nothing_from_elsewhere(service):
    page = seen(service)
    assert "<script" not in page.text and not re.search(r"\son\w+=", page.text)
    assert len(re.findall("<h1", page.text)) == 1 and len(re.findall("<main", page.text)) == 1
    assert page.headers["Content-Security-Policy"] == (
        "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; "
        "form-action 'none'"
    )


@pytest.mark.parametrize("destination", ["empty", "iframe", "image", "script"])
def test_no_other_page_can_read_the_page_or_show_it_in_a_frame(service, destination):
    """Pages on people's servers have the address of the hub, and a visitor's cookies."""
    page = seen(service, **{"Sec-Fetch-Dest": destination})
    assert page.status_code == 403 and "06-induction" not in page.text
    assert seen(service, **{"Sec-Fetch-Dest": "document"}).status_code == 200


def test_released_feedback_is_one_click_away(store, service, clock):
    first = submit(store, notebook("first"))
    assert "Feedback" not in words(seen(service))
    give_feedback(store, first, packed({"a b.html": b"<p>good", "c.html": b"<p>better"}))
    clock.now += timedelta(days=1)
    submit(store, notebook("second"))
    page = seen(service)
    assert "on what you handed in Mon 1 Mar, 13:00" in words(page)
    addresses = re.findall(r'href="(feedback/[^"]*)"', page.text)
    assert addresses == [f"feedback/{COURSE}/{first.receipt}/{n}" for n in ("a%20b.html", "c.html")]
    assert [seen(service, at=f"/{each}").text for each in addresses] == ["<p>good", "<p>better"]


def test_points_are_shown_once_they_are_released_and_their_maximum_before(store, service):
    release(store, packed({"a.ipynb": book("Induction heads", 54)}))
    assert "not graded yet, of – / 54 points" in words(seen(service))
    mine = submit(store, notebook("mine"))
    give_feedback(store, mine, points=Points(51.5, 54))
    shown = words(seen(service))
    assert "51.5 / 54 points" in shown and "not graded" not in shown and "lost" not in shown
    assert "Graded so far: 51.5 / 54 points" in shown
    give_feedback(store, mine, points=Points(50, 54, 5))
    assert "45 / 54 points 5 lost for being late Feedback" in words(seen(service))
    give_feedback(store, mine)
    shown = words(seen(service))
    assert "– / 54 points Feedback" in shown and "so far" not in shown


def test_each_assignment_opens_in_jupyterlab_and_the_next_one_is_marked(store, service):
    for name, title in (("start", "Start here"), ("01-a", "First")):
        hand_out(store, name, title)
    page = seen(service).text
    address = f"/hub/user-redirect/logitlab/open?course={COURSE}&amp;assignment="
    links = re.findall(r'class="button([^"]*)" href="([^"]*)">(.*?)</a>', page)
    assert [(mark, re.sub("<[^>]*>", "", text)) for mark, _, text in links] == [
        *((" next", "Open Start here"), ("", "Open First"), ("", "Open 06-induction-heads"))
    ]
    assert [link for _, link, _ in links] == [
        address + name for name in ("start", "01-a", "06-induction-heads")
    ]
    submit(store, notebook("mine"))
    store.unrelease(COURSE, "06-induction-heads", by="prof")
    assert "assignment=06" not in seen(service).text


def test_nobody_sees_anothers_points(store, service):
    other = submit(store, notebook("other"), student="bob")
    give_feedback(store, other, points=Points(7, 54))
    assert "7 / 54" in words(seen(service, "other-student"))
    for role in ("student", "instructor", "unenrolled"):
        assert "54" not in words(seen(service, role))


def test_a_feedback_page_has_no_origin_and_no_scripts(store, service):
    mine = submit(store, notebook("mine"))
    give_feedback(store, mine)
    at = f"/feedback/{COURSE}/{mine.receipt}/induction-heads.html"
    answer = seen(service, at=at)
    assert answer.headers["Content-Type"] == "text/html; charset=UTF-8"
    policy = answer.headers["Content-Security-Policy"].split("; ")
    assert policy[:2] == ["sandbox", "default-src 'none'"] and "script" not in " ".join(policy)
    assert answer.headers["Cache-Control"] == "no-store"
    missing = seen(service, "other-student", at=at)
    assert missing.status_code == 404 and "There is no feedback for you" in missing.text
    assert seen(service, at=at, **{"Sec-Fetch-Dest": "iframe"}).status_code == 403


def test_the_list_of_assignments_says_title_and_points(store, service):
    release(store, packed({"a.ipynb": book("Induction heads", 54)}))
    address = f"{service.url}/api/courses/{COURSE}/assignments"
    headers = {"Authorization": "token student"}
    answer = httpx.get(address, headers=headers, trust_env=False, verify=False, timeout=60)
    (record,) = answer.json()
    assert (record["title"], record["points"]) == ("Induction heads", 54.0)
