"""Every route with every role, against the real service and a stand-in Hub."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from hub.exchange.store import Store
from tests.exchange.running import ServiceThread
from tests.exchange.samples import (
    ASSIGNMENT,
    COURSE,
    give_feedback,
    key,
    notebook,
    packed,
    release,
    sha256,
    submit,
)
from tests.exchange.stand_in_hub import PEOPLE, StandInHub

ROLES = [
    "anonymous",
    "bad-token",
    "student-without-scope",
    "student-with-other-scope",
    "hub-service",
    "unenrolled",
    "other-instructor",
    "student",
    "other-student",
    "instructor",
    "grader",
]
BARRED = dict.fromkeys(ROLES[:4], 403)
MEMBERS = {"student": 200, "other-student": 200, "instructor": 200, "grader": 200}
NOBODY = dict.fromkeys(ROLES, 403)

# Route: (method, path under the prefix, {role: status}); the student's receipt is put in.
ROUTES: dict[str, tuple[str, str, dict[str, int]]] = {
    "health": ("GET", "/api/health", dict.fromkeys(ROLES, 200)),
    "page": (
        "GET",
        "/",
        {**dict.fromkeys(ROLES, 200), **BARRED, "anonymous": 302, "bad-token": 302},
    ),
    "feedback page": (
        "GET",
        f"/feedback/{COURSE}/{{receipt}}/induction-heads.html",
        {
            **{**NOBODY, "anonymous": 302, "bad-token": 302},
            **{"student": 200, "other-student": 404, "instructor": 404, "grader": 404},
        },
    ),
    "courses": ("GET", "/api/courses", {**dict.fromkeys(ROLES, 200), **BARRED}),
    "list": ("GET", f"/api/courses/{COURSE}/assignments", {**NOBODY, **MEMBERS}),
    "fetch": ("GET", f"/api/courses/{COURSE}/assignments/{ASSIGNMENT}", {**NOBODY, **MEMBERS}),
    "submit": (
        "PUT",
        f"/api/courses/{COURSE}/assignments/{ASSIGNMENT}/submissions/{{key}}",
        {**NOBODY, "student": 201, "other-student": 201},
    ),
    "my submissions": ("GET", f"/api/courses/{COURSE}/my-submissions", {**NOBODY, **MEMBERS}),
    "my feedback": (
        "GET",
        f"/api/courses/{COURSE}/submissions/{{receipt}}/feedback",
        {**NOBODY, "student": 200, "other-student": 404, "instructor": 404, "grader": 404},
    ),
    "all submissions": (
        "GET",
        f"/api/courses/{COURSE}/submissions",
        {**NOBODY, "instructor": 200, "grader": 200},
    ),
    "download": (
        "GET",
        f"/api/courses/{COURSE}/submissions/{{receipt}}",
        {**NOBODY, "instructor": 200, "grader": 200},
    ),
    "put feedback": (
        "PUT",
        f"/api/courses/{COURSE}/submissions/{{receipt}}/feedback?student=alice&assignment={ASSIGNMENT}",
        {**NOBODY, "instructor": 201, "grader": 201},
    ),
    "release": (
        "PUT",
        f"/api/courses/{COURSE}/assignments/{ASSIGNMENT}?force=1",
        {**NOBODY, "instructor": 201, "grader": 201},
    ),
    "due dates": (
        "GET",
        f"/api/courses/{COURSE}/due",
        {**NOBODY, "instructor": 200, "grader": 200},
    ),
    "change a due date": (
        "PUT",
        f"/api/courses/{COURSE}/assignments/{ASSIGNMENT}/due?due=none",
        {**NOBODY, "instructor": 200, "grader": 200},
    ),
    "extensions": (
        "GET",
        f"/api/courses/{COURSE}/extensions",
        {**NOBODY, "instructor": 200, "grader": 200},
    ),
    "extend": (
        "PUT",
        f"/api/courses/{COURSE}/assignments/{ASSIGNMENT}/extensions/bob?due=2199-01-01T00:00Z",
        {**NOBODY, "instructor": 409, "grader": 409},  # there is no due date to extend
    ),
    "unrelease": (
        "DELETE",
        f"/api/courses/{COURSE}/assignments/{ASSIGNMENT}",
        {**NOBODY, "instructor": 200, "grader": 200},
    ),
    "unknown address": (
        "GET",
        "/api/secrets",
        {**dict.fromkeys(ROLES, 404), **BARRED},
    ),
    "unknown method": (
        "POST",
        f"/api/courses/{COURSE}/submissions",
        {**dict.fromkeys(ROLES, 405), **BARRED},
    ),
    "course of somebody else": (
        "GET",
        "/api/courses/other/submissions",
        {**NOBODY, "other-instructor": 200},
    ),
    "course that is not served": ("GET", "/api/courses/nowhere/assignments", NOBODY),
}
CASES = [(route, role) for route in ROUTES for role in ROLES]


@pytest.fixture(scope="module")
def shared(tmp_path_factory, stand_in_hub: StandInHub) -> Iterator[ServiceThread]:
    store = Store(tmp_path_factory.mktemp("routes"))
    release(store)
    with ServiceThread(store, stand_in_hub) as running:
        yield running
    store.close()


@pytest.fixture(scope="module")
def receipt(shared: ServiceThread) -> str:
    submission = submit(shared.store, notebook("the student's"))
    give_feedback(shared.store, submission)
    return submission.receipt


def headers_of(role: str) -> dict[str, str]:
    return {} if role == "anonymous" else {"Authorization": f"token {role}"}


def ask(service: ServiceThread, role: str, method: str, path: str, body: bytes | None = None):
    headers = headers_of(role)
    if body is not None:
        headers["X-Content-SHA256"] = sha256(body)
    return httpx.request(
        method, service.url + path, headers=headers, content=body, trust_env=False, verify=False
    )


@pytest.mark.parametrize(("route", "role"), CASES)
def test_each_route_answers_each_role_as_the_table_says(shared, receipt, route, role):
    method, path, expected = ROUTES[route]
    body = {
        "submit": notebook(role),
        "release": notebook("released"),
        "put feedback": packed({"induction-heads.html": b"<p>well done"}),
    }.get(route)
    response = ask(shared, role, method, path.format(receipt=receipt, key=key()), body)
    if route == "unrelease" and response.status_code == 200:
        release(shared.store)
    assert response.status_code == expected[role], response.text
    assert "Traceback" not in response.text
    if "page" not in route and response.status_code >= 400:
        assert set(response.json()) == {"error", "what_to_do"}
    if response.status_code == 302:
        assert "/hub/api/oauth2/authorize" in response.headers["Location"]


def test_the_table_knows_every_role_of_the_stand_in_hub_and_every_route():
    assert set(ROLES) == {*PEOPLE, "anonymous", "bad-token"}
    assert all(set(expected) == set(ROLES) for _, _, expected in ROUTES.values())


def test_a_student_reads_back_what_was_released(service):
    response = ask(service, "student", "GET", f"/api/courses/{COURSE}/assignments/{ASSIGNMENT}")
    assert response.content == notebook("released")
    assert response.headers["X-Content-SHA256"] == sha256(response.content)


def test_a_receipt_comes_back_and_the_instructor_gets_the_same_bytes(service):
    data = notebook("mine")
    path = f"/api/courses/{COURSE}/assignments/{ASSIGNMENT}/submissions/{key()}"
    first = ask(service, "student", "PUT", path, data)
    again = ask(service, "student", "PUT", path, data)
    assert first.json() == again.json()
    assert first.json()["student"] == "alice" and first.json()["sha256"] == sha256(data)
    download = f"/api/courses/{COURSE}/submissions/{first.json()['receipt']}"
    assert ask(service, "instructor", "GET", download).content == data


def test_the_same_key_with_other_bytes_is_409(service):
    path = f"/api/courses/{COURSE}/assignments/{ASSIGNMENT}/submissions/{key()}"
    ask(service, "student", "PUT", path, notebook("one"))
    response = ask(service, "student", "PUT", path, notebook("two"))
    assert response.status_code == 409 and "new key" in response.json()["what_to_do"]


POINTS = "&score=51.5&max_score=54&late_penalty=3"


def feedback_path(receipt: str) -> str:
    who = f"student=alice&assignment={ASSIGNMENT}"
    return f"/api/courses/{COURSE}/submissions/{receipt}/feedback?{who}"


def test_points_come_with_the_feedback_and_are_listed_for_its_owner(service, store):
    mine = submit(store, notebook("mine"))
    body = packed({"a.html": b"good"})
    told = {"score": 51.5, "max_score": 54.0, "late_penalty": 3.0}
    kept = ask(service, "instructor", "PUT", feedback_path(mine.receipt) + POINTS, body)
    assert kept.status_code == 201 and kept.json()["points"] == told
    (listed,) = ask(service, "student", "GET", f"/api/courses/{COURSE}/my-submissions").json()
    assert listed["feedback"]["points"] == told
    again = ask(service, "instructor", "PUT", feedback_path(mine.receipt), body)
    assert again.json()["points"] is None


@pytest.mark.parametrize(
    "points",
    [
        *("&score=3", "&score=3&max_score=4", "&score=a&max_score=4&late_penalty=0"),
        *(f"&score={x}&max_score=4&late_penalty=0" for x in ("nan", "inf", "-1", "1e999")),
    ],
)
def test_points_that_are_none_are_refused(service, store, points):
    mine = submit(store, notebook("mine"))
    body = packed({"a.html": b"good"})
    answer = ask(service, "instructor", "PUT", feedback_path(mine.receipt) + points, body)
    assert answer.status_code == 400 and "max_score" in answer.json()["what_to_do"]
    assert store.submission(COURSE, mine.receipt).feedback is None


def test_lists_say_the_due_date(service, store, clock):
    release(store, due=clock.now)
    response = ask(service, "student", "GET", f"/api/courses/{COURSE}/assignments")
    assert response.json()[0]["due"] == "2027-03-01T12:00:00.000000+00:00"


def test_a_due_date_without_an_offset_is_refused_with_a_message(service):
    path = f"/api/courses/{COURSE}/assignments/{ASSIGNMENT}?force=1&due=2027-03-01"
    response = ask(service, "instructor", "PUT", path, notebook("released"))
    assert response.status_code == 400 and "offset" in response.json()["error"]


def test_a_due_date_that_is_moved_shows_everywhere_at_once(service, store, clock):
    path = f"/api/courses/{COURSE}/assignments/{ASSIGNMENT}"
    mine = submit(store, notebook("mine"))
    receipt = f"/api/courses/{COURSE}/my-submissions"

    def late() -> bool:
        ((late,),) = [(one["late"],) for one in ask(service, "student", "GET", receipt).json()]
        return late

    assert not late()
    for due, is_late in (("2027-03-01T11:59:59Z", True), ("2027-03-01T13:00:00%2B01:00", False)):
        moved = ask(service, "instructor", "PUT", f"{path}/due?due={due}").json()
        assert moved["set_by"] == "prof"
        (listed,) = ask(service, "student", "GET", f"/api/courses/{COURSE}/assignments").json()
        assert listed["due"] == moved["due"] and late() == is_late
        assert store.submission(COURSE, mine.receipt).late == is_late
    assert ask(service, "instructor", "PUT", f"{path}/due?due=none").json()["due"] is None
    assert not late()


@pytest.mark.parametrize(
    "due", ["", "?due=", "?due=2027-03-01", "?due=soon", "?due=0001-01-01T00:00%2B05:00"]
)
def test_a_due_date_is_not_removed_by_a_request_that_lacks_it(service, store, clock, due):
    release(store, due=clock.now)
    path = f"/api/courses/{COURSE}/assignments/{ASSIGNMENT}/due{due}"
    response = ask(service, "instructor", "PUT", path)
    assert response.status_code == 400 and "what_to_do" in response.json()
    assert store.release_of(COURSE, ASSIGNMENT).due == clock.now


def test_the_page_shows_own_submissions_only_and_escapes_them(service, store):
    mine = submit(store, notebook("mine"))
    other = submit(store, notebook("other"), student="bob")
    page = ask(service, "student", "GET", "/").text
    assert mine.receipt in page and mine.sha256 in page
    assert other.receipt not in page and "alice" in page


def test_health_says_nothing_but_ok(service):
    response = httpx.get(service.url + "/api/health", trust_env=False, verify=False)
    assert response.json() == {"status": "ok"}
    assert "Server" not in response.headers


def test_a_hub_that_does_not_answer_is_503_not_500(store):
    hub = StandInHub()
    with ServiceThread(store, hub) as running:
        hub.down = True
        for path in ("/", "/api/courses"):
            assert ask(running, "student", "GET", path).status_code == 503
        hub.close()
        assert ask(running, "grader", "GET", "/api/courses").status_code == 503


def test_without_access_scopes_the_service_does_not_start(store):
    from jupyterhub.services.auth import HubOAuth

    from hub.exchange.service import application

    hub_auth = HubOAuth(api_token="x", oauth_client_id="service-exchange", access_scopes=set())
    with pytest.raises(ValueError, match="every token"):
        application(store, {COURSE}, hub_auth, b"s" * 32)
