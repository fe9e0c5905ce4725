"""Requests that a student makes by hand: as somebody else, at another time, without end."""

from __future__ import annotations

import io
import json
import socket
import time
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, urlsplit

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub.exchange.access import Access, Caller
from hub.exchange.client.instructor import ExchangeReleaseFeedback
from hub.exchange.client.transport import InProcessTransport
from hub.exchange.overview import CourseInfo
from hub.exchange.page import page
from tests.exchange.conftest import (  # noqa: F401 - fixtures
    LIMITS,
    clock,
    database,
    service,
    shared_service,
    stand_in_hub,
    store,
)
from tests.exchange.samples import (
    ASSIGNMENT,
    COURSE,
    give_feedback,
    key,
    notebook,
    packed,
    sha256,
    submit,
)

# ruff: noqa: F811 - fixtures are parameters
ASSIGNMENT_PATH = f"/api/courses/{COURSE}/assignments/{ASSIGNMENT}"


def ask(service, method: str, path: str, token: str | None = "student", body=None, **options):
    headers = dict(options.pop("headers", {}))
    if token is not None:
        headers.setdefault("Authorization", f"token {token}")
    if body is not None:
        headers.setdefault("X-Content-SHA256", sha256(body))
    return httpx.request(
        method,
        service.url + path,
        content=body,
        headers=headers,
        trust_env=False,
        verify=False,
        **options,
    )


def submission_path() -> str:
    return f"{ASSIGNMENT_PATH}/submissions/{key()}"


# Somebody else's


def test_a_student_cannot_read_another_students_submission(service):
    theirs = submit(service.store, notebook("alice's"))
    path = f"/api/courses/{COURSE}/submissions/{theirs.receipt}"
    assert ask(service, "GET", path, "other-student").status_code == 403
    assert ask(service, "GET", path, "student").status_code == 403


def test_a_student_cannot_read_another_students_feedback_nor_learn_that_there_is_any(service):
    theirs = submit(service.store, notebook("alice's"))
    path = f"/api/courses/{COURSE}/submissions/{theirs.receipt}/feedback"
    before = ask(service, "GET", path, "other-student")
    give_feedback(service.store, theirs)
    after = ask(service, "GET", path, "other-student")
    assert before.status_code == after.status_code == 404
    assert before.text == after.text
    assert ask(service, "GET", path, "student").status_code == 200


def test_an_instructor_of_another_course_cannot_reach_a_submission_through_his_own(service):
    theirs = submit(service.store, notebook("alice's"))
    path = f"/api/courses/other/submissions/{theirs.receipt}"
    assert ask(service, "GET", path, "other-instructor").status_code == 404
    response = ask(service, "PUT", path + "/feedback", "other-instructor", packed({"a.html": b""}))
    assert response.status_code == 404


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Forwarded-User": "prof"},
        {"X-Remote-User": "prof"},
        {"Remote-User": "prof"},
        {"X-JupyterHub-User": "prof"},
        {"X-HTTP-Method-Override": "DELETE"},
        {"X-Forwarded-For": "127.0.0.1"},
        {"Cookie": "service-exchange=instructor; jupyterhub-session-id=x"},
        {"Origin": "http://localhost", "Referer": "http://localhost/hub/admin"},
    ],
)
def test_headers_make_nobody_an_instructor(shared_service, headers):
    path = f"/api/courses/{COURSE}/submissions"
    assert ask(shared_service, "GET", path, headers=headers).status_code == 403
    assert ask(shared_service, "GET", path, None, headers=headers).status_code == 403
    body = notebook("mine")
    response = ask(shared_service, "PUT", ASSIGNMENT_PATH + "?force=1", body=body, headers=headers)
    assert response.status_code == 403
    assert shared_service.store.release_of(COURSE, ASSIGNMENT).sha256 == sha256(
        notebook("released")
    )


def test_a_submission_is_always_under_the_name_of_the_tokens_owner(service):
    path = submission_path() + "?student=bob&user=bob"
    answer = ask(service, "PUT", path, body=notebook(), headers={"X-Student": "bob"}).json()
    assert answer["student"] == "alice"
    assert service.store.submissions(COURSE, student="bob") == []


def test_another_students_key_gives_nothing_of_theirs(service):
    path = submission_path()
    theirs = ask(service, "PUT", path, body=notebook("same")).json()
    mine = ask(service, "PUT", path, "other-student", body=notebook("same")).json()
    assert mine["student"] == "bob" and mine["receipt"] != theirs["receipt"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", ASSIGNMENT_PATH),
        ("DELETE", ASSIGNMENT_PATH),
        ("PUT", f"/api/courses/{COURSE}/assignments/new"),
        ("PUT", f"/api/courses/{COURSE}/submissions/{'0' * 32}/feedback"),
    ],
)
def test_a_student_cannot_release_take_back_or_give_feedback(shared_service, method, path):
    body = notebook() if method == "PUT" else None
    assert ask(shared_service, method, path, body=body).status_code == 403
    assert [r.assignment for r in shared_service.store.releases(COURSE)] == [ASSIGNMENT]


def test_a_receipt_swapped_by_student_code_does_not_show_feedback_to_another(store, tmp_path):
    """Code of alice's that ran while grading wrote bob's receipt into her feedback folder."""
    mine, other = submit(store, notebook("a")), submit(store, notebook("b"), student="bob")
    folder = tmp_path / "feedback" / "alice" / ASSIGNMENT
    folder.mkdir(parents=True)
    (folder / "receipt.json").write_text(json.dumps({"receipt": other.receipt}))
    (folder / "induction-heads.html").write_text("alice's grade")
    from nbgrader.coursedir import CourseDirectory

    course = CourseDirectory(root=str(tmp_path), course_id=COURSE, assignment_id=ASSIGNMENT)
    prof = Caller("prof", frozenset({f"formgrade-{COURSE}"}))
    exchange = ExchangeReleaseFeedback(coursedir=course)
    exchange.__dict__["transport"] = InProcessTransport(store, prof, {COURSE})
    exchange.start()
    assert store.submission(COURSE, other.receipt).feedback is None
    assert store.submission(COURSE, mine.receipt).feedback is None


# Another time


def test_a_time_that_the_student_sends_counts_for_nothing(service, clock):
    path = submission_path() + "?received_at=2020-01-01T00:00:00Z&timestamp=2020-01-01"
    headers = {
        "Date": "Wed, 01 Jan 2020 00:00:00 GMT",
        "Last-Modified": "Wed, 01 Jan 2020 00:00:00 GMT",
        "X-Received-At": "2020-01-01T00:00:00Z",
    }
    answer = ask(service, "PUT", path, body=notebook(), headers=headers).json()
    assert answer["received_at"] == clock.now.isoformat(timespec="microseconds")


def test_a_student_cannot_move_the_due_date(service):
    response = ask(service, "PUT", ASSIGNMENT_PATH + "?due=2099-01-01T00:00Z", body=notebook())
    assert response.status_code == 403
    assert service.store.release_of(COURSE, ASSIGNMENT).due is None
    response = ask(service, "PUT", ASSIGNMENT_PATH + "/due?due=2099-01-01T00:00Z")
    assert response.status_code == 403
    assert service.store.release_of(COURSE, ASSIGNMENT).due is None


def test_a_student_cannot_extend_or_see_anybodys_due_date(service, store, clock):
    clock.now = datetime(2027, 3, 1, 12, tzinfo=UTC)
    store.set_due(COURSE, ASSIGNMENT, clock.now, by="prof")
    later = clock.now + timedelta(days=3)
    store.extend(COURSE, ASSIGNMENT, "bob", later, by="prof")
    for student in ("alice", "bob", "prof", "%2e%2e%2f"):
        path = f"{ASSIGNMENT_PATH}/extensions/{student}?due=2099-01-01T00:00Z"
        assert ask(service, "PUT", path).status_code in (403, 404)
    for path in ("due", "extensions", "extensions?student=bob", "submissions?student=bob"):
        assert ask(service, "GET", f"/api/courses/{COURSE}/{path}").status_code == 403
    submit(store, notebook("bob's"), student="bob")
    mine = ask(service, "GET", f"/api/courses/{COURSE}/my-submissions?student=bob").json()
    listed = ask(service, "GET", f"/api/courses/{COURSE}/assignments?student=bob").json()
    page = ask(service, "GET", "/").text
    assert mine == [] and listed[0]["due"].startswith("2027-03-01T12:00") and "03-04" not in page
    assert not listed[0]["extended"] and "2027-03-04" not in str(listed)
    assert [one.due for one in store.extensions(COURSE)] == [later]


# Tokens


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "token",
        "token  student",
        "Basic c3R1ZGVudA==",
        "student",
        "token student extra",
        "token student\tx",
        "token " + "a" * 5000,
        "token ../../hub/api/users",
        "token 'or'1'='1",
        b"token \xff\xfe",
        b"token student\xa0",
    ],
)
@pytest.mark.parametrize("path", ["/", "/api/courses"])
def test_a_malformed_token_is_refused_without_an_error_of_the_server(
    shared_service, authorization, path
):
    response = ask(shared_service, "GET", path, None, headers={"Authorization": authorization})
    assert response.status_code in (302, 403)


@pytest.mark.parametrize("role", ["student-without-scope", "student-with-other-scope"])
def test_a_valid_token_without_the_services_scope_opens_nothing(service, role):
    assert ask(service, "GET", "/api/courses", role).status_code == 403
    assert ask(service, "PUT", submission_path(), role, notebook()).status_code == 403
    assert service.store.submissions(COURSE) == []


def test_a_token_in_the_address_is_not_taken(service):
    assert ask(service, "GET", "/api/courses?token=instructor", None).status_code == 403
    assert ask(service, "GET", "/?token=instructor", None).status_code == 302


# Without end


def test_an_upload_announced_too_large_is_refused_before_it_is_sent(service):
    status, body = raw(service, f"Content-Length: {10**12}\r\n", b"x")
    assert status == 413 and b"2.0 MB" in body


@pytest.mark.parametrize(
    "headers",
    [
        "Transfer-Encoding: chunked\r\n",
        "Content-Length: -1\r\n",
        "Content-Length: 1e3\r\n",
        "Content-Length: 10, 20\r\n",
        "Content-Length: 10\r\nContent-Length: 20\r\n",
        "Content-Length: 10\r\nTransfer-Encoding: chunked\r\n",
        "Content-Length: 10\r\nTransfer-Encoding: identity\r\n",
        "",
    ],
)
def test_an_upload_of_unclear_length_is_refused(shared_service, headers):
    status, _ = raw(shared_service, headers, b"0\r\n\r\n")
    assert status in (400, 411)
    assert shared_service.store.submissions(COURSE) == []


def test_an_upload_that_stops_halfway_leaves_nothing(service):
    data = notebook("x" * 100_000)
    connection = open_raw(service, f"Content-Length: {len(data)}\r\n", sha256(data))
    connection.sendall(data[: len(data) // 2])
    wait_until(lambda: len(incoming(service)) == 1)
    connection.close()
    wait_until(lambda: incoming(service) == [])
    assert service.store.submissions(COURSE) == []


def test_uploads_held_open_stop_their_owner_only(service):
    data = notebook("x" * 10_000)
    held = [
        open_raw(service, f"Content-Length: {len(data)}\r\n", sha256(data))
        for _ in range(LIMITS.uploads_at_once)
    ]
    wait_until(lambda: len(incoming(service)) == LIMITS.uploads_at_once)
    assert ask(service, "PUT", submission_path(), body=notebook()).status_code == 429
    assert ask(service, "PUT", submission_path(), "other-student", notebook()).status_code == 201
    for connection in held:
        connection.close()
    wait_until(lambda: incoming(service) == [])
    assert ask(service, "PUT", submission_path(), body=notebook()).status_code == 201


def test_a_quota_used_up_stops_its_owner_only_and_says_the_figures(service):
    big = packed({"a.bin": bytes(950_000)})
    statuses = [ask(service, "PUT", submission_path(), body=big).status_code for _ in range(4)]
    assert statuses == [201, 201, 201, 413]
    answer = ask(service, "PUT", submission_path(), body=big).json()
    assert "your quota is 3.0 MB, of which 2.9 MB is used" in answer["error"]
    assert "ask your instructor" in answer["what_to_do"]
    assert ask(service, "PUT", submission_path(), "other-student", big).status_code == 201


def test_refused_uploads_fill_no_disk(service):
    for _ in range(3):
        ask(service, "PUT", submission_path(), body=packed({"a.bin": bytes(950_000)}))
    for n in range(5):
        ask(service, "PUT", submission_path(), body=packed({"a.bin": bytes([n]) * 950_000}))
    folder = service.store.blob_path("00").parents[2]
    kept = sum(path.stat().st_size for path in (folder / "blobs").rglob("*") if path.is_file())
    assert kept < 2_000_000 and incoming(service) == []


@pytest.mark.parametrize("digest", ["", "0" * 64, "x", "A" * 64, "../" * 21 + "x"])
def test_a_wrong_or_malformed_digest_is_refused(shared_service, digest):
    headers = {"X-Content-SHA256": digest}
    response = ask(shared_service, "PUT", submission_path(), body=notebook(), headers=headers)
    assert response.status_code == 400
    assert shared_service.store.submissions(COURSE) == []


# Addresses


@pytest.mark.parametrize(
    "path",
    [
        f"/api/courses/{COURSE}%2f..%2fother/submissions",
        "/api/courses/%2e%2e/assignments",
        "/api/courses/..%2f..%2fhub/assignments",
        f"/api/courses/{COURSE}/assignments/..%2f..%2fstore",
        f"/api/courses/{COURSE}/assignments/%252e%252e",
        f"/api/courses/{COURSE}/assignments/%ff%fe",
        f"/api/courses/{COURSE}/assignments/%00",
        f"/api/courses/{COURSE}/submissions/..%2f..%2fexchange.sqlite",
        f"/api/courses/{COURSE}/submissions/%27%20OR%201=1--/feedback",
        f"/api/courses/{COURSE}/my-submissions?assignment=%27%20OR%201=1--",
        f"/api/courses/{COURSE}/my-submissions?assignment=%ff",
        "/api/health/../courses",
        "//api//courses",
    ],
)
def test_an_address_made_to_escape_gives_nothing(shared_service, path):
    other = submit(shared_service.store, notebook("bob's"), student="bob")
    response = ask(shared_service, "GET", path)
    assert response.status_code in (200, 400, 403, 404)
    assert other.receipt not in response.text
    if response.status_code == 200:
        assert response.json() in ([], ask(shared_service, "GET", "/api/courses").json())


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.sampled_from(["GET", "PUT", "DELETE", "POST", "PATCH", "HEAD", "OPTIONS"]),
    st.lists(st.text(max_size=12), max_size=5),
    st.sampled_from([None, "student", "instructor", "bad"]),
)
def test_no_address_makes_the_service_fail(shared_service, method, parts, token):
    path = "/api/courses/" + "/".join(
        quote(part.encode("utf-8", "surrogatepass"), safe="") for part in parts
    )
    assert ask(shared_service, method, path, token).status_code < 500


def test_a_name_with_markup_in_it_is_only_text_on_the_page(store):
    caller = Caller("<script>alert(1)</script>", frozenset({f"nbgrader-{COURSE}"}))
    infos = {COURSE: CourseInfo("<script>alert(2)</script>")}
    assert "<script>" not in page(Access(store, caller, {COURSE}), infos, "/hub/", store.now())


# Connections by hand


def open_raw(service, length: str, digest: str = "0" * 64) -> socket.socket:
    url = urlsplit(service.url)
    connection = socket.create_connection((url.hostname, url.port), timeout=10)
    connection.sendall(
        (
            f"PUT {url.path}{submission_path()} HTTP/1.1\r\nHost: {url.netloc}\r\n"
            f"Authorization: token student\r\nX-Content-SHA256: {digest}\r\n{length}\r\n"
        ).encode()
    )
    return connection


def raw(service, length: str, body: bytes) -> tuple[int, bytes]:
    """Status and body of the answer to an upload with exactly these length headers."""
    connection = open_raw(service, length)
    with connection:
        connection.sendall(body)
        answer = io.BytesIO()
        try:
            while chunk := connection.recv(65536):
                answer.write(chunk)
                if b"}" in chunk or b"400 Bad Request" in answer.getvalue():
                    break
        except ConnectionResetError:
            pass
    head, _, rest = answer.getvalue().partition(b"\r\n\r\n")
    return int(head.split()[1]), rest


def incoming(service) -> list:
    return sorted((service.store.blob_path("00").parents[2] / "incoming").iterdir())


def wait_until(true) -> None:
    deadline = time.monotonic() + 10
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)
