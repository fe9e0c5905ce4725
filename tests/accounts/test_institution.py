"""Logging in with an institution's accounts, at an institution of the test's own."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from tests.accounts.running import Browser, log, served
from tests.e2e.embedded import RunningServer

pytestmark = [pytest.mark.hub, pytest.mark.slow]

SECRET = "hush-hush-hush"
COURSE = """
course:
  id: m
people:
  admins: [root]
  students: [ada]
accounts:
  login: oauth
  oauth:
    service: Example University
    client_id: logitlab
    authorize_url: {0}/authorize
    token_url: {0}/token
    userdata_url: {0}/userinfo
"""


class Institution(BaseHTTPRequestHandler):
    """Knows everybody: whoever comes is logged in as `Institution.visitor`."""

    visitor = ""

    def do_GET(self) -> None:
        folder = urlsplit(self.path)
        if folder.path == "/authorize":
            asked = {key: values[0] for key, values in parse_qs(folder.query).items()}
            back = urlencode({"code": "a-code", "state": asked["state"]})
            self.send_response(302)
            self.send_header("Location", f"{asked['redirect_uri']}?{back}")
            self.end_headers()
        else:
            self.answer({"preferred_username": Institution.visitor, "email": "x@example.org"})

    def do_POST(self) -> None:
        body = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        right = body["client_secret"] == [SECRET] and body["code"] == ["a-code"]
        self.answer({"access_token": "t", "token_type": "Bearer"}, 200 if right else 401)

    def answer(self, body: dict[str, str], status: int = 200) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    institution = ThreadingHTTPServer(("127.0.0.1", 0), Institution)
    threading.Thread(target=institution.serve_forever, daemon=True).start()
    folder = tmp_path_factory.mktemp("institution")
    (folder / "secret").write_text(SECRET + "\n")
    settings = COURSE.format(f"http://127.0.0.1:{institution.server_port}")
    environment = {"LOGITLAB_OAUTH_SECRET_FILE": str(folder / "secret")}
    with served(folder / "course", settings, **environment) as running:
        yield running
    institution.shutdown()


def visit(hub: RunningServer, name: str) -> Browser:
    Institution.visitor = name
    browser = Browser(hub.url)
    browser.get("/hub/oauth_login?next=/hub/home")
    return browser


@pytest.mark.parametrize(("visitor", "name"), [("ada", "ada"), ("Ada", "ada"), ("root", "root")])
def test_a_person_of_the_course_gets_in(hub, visitor, name):
    assert "Example University" in Browser(hub.url).get("/hub/login").text
    assert visit(hub, visitor).who() == name


@pytest.mark.parametrize("visitor", ["mallory", "grader-m", "ada ", "", "../ada"])
def test_a_person_outside_the_course_does_not_get_in(hub, visitor):
    assert visit(hub, "ada").who() == "ada"
    assert visit(hub, visitor).who() is None


def test_an_answer_that_this_browser_did_not_ask_for_logs_nobody_in(hub):
    Institution.visitor = "ada"
    browser = Browser(hub.url)
    answer = browser.get("/hub/oauth_callback?code=a-code&state=made-up")
    assert answer.status_code == 400
    assert browser.who() is None


def test_there_are_no_passwords_here(hub):
    browser = Browser(hub.url)
    for path in ("set-password", "change-password", "signup"):
        assert browser.get(f"/hub/{path}").status_code == 404
    assert SECRET not in log(hub)


def test_the_people_page_lists_them_without_links(hub):
    root = visit(hub, "root")
    page = root.get("/hub/people")
    assert page.status_code == 200 and "New link" not in page.text
    assert root.send(page, "/hub/people", name="ada").status_code == 404
