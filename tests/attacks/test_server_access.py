"""A student's malicious server, opened in other people's browsers.

Bob's server answers every request with a page of his own, as a student's can: its configuration is
a file in his home. Each attack has its control, by which the page is seen to be served: its owner,
the same request at the proxy behind the gateway, or the browser's own leave.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx
import pytest

from tests.docker import starts
from tests.docker.kernels import Kernel
from tests.docker.stage import Deployed, deployed, docker
from tests.e2e.browser import Desk, launched
from tests.e2e.hub_client import Person

PROJECT = "lltvisit"
GRADER = "grader-mechinterp"
MARK = "page-of-bob"

pytestmark = [
    pytest.mark.docker,
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.needs("deployments"),
]

# Read by JupyterLab's server when it starts: from here on it is another program.
EVIL = f"""
import http.server, os, urllib.parse

class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.headers.get("Upgrade"):
            self.send_response(101)
            self.send_header("Upgrade", "websocket")
            self.send_header("Connection", "Upgrade")
            self.send_header("X-Mark", "{MARK}")
            self.end_headers()
            return
        body = b"<script>document.title = '{MARK}'</script>"
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

url = urllib.parse.urlsplit(os.environ["JUPYTERHUB_SERVICE_URL"])
http.server.ThreadingHTTPServer((url.hostname or "", url.port), Page).serve_forever()
"""


@dataclass
class Class:
    """A deployment in which bob's server is what bob has made of it."""

    stack: Deployed
    people: dict[str, Person]
    proxy: str  # where it is reached without the gateway

    def __getitem__(self, name: str) -> Person:
        return self.people[name]

    def raw(self, person: Person, target: str, *headers: str, gateway: bool = True) -> str:
        """The answer to a request whose target nothing puts right, with a browser's cookies."""
        address = urlsplit(self.stack.url if gateway else self.proxy)
        kept = [each for each in person.http.cookies.jar if each.path == "/"]
        cookies = "; ".join(f"{each.name}={each.value}" for each in kept)
        lines = [
            *(f"GET {target} HTTP/1.1", f"Host: {urlsplit(self.stack.url).netloc}"),
            *(f"Cookie: {cookies}", *headers),
        ]
        with socket.create_connection((address.hostname, address.port), 30) as connection:
            connection.sendall("\r\n".join([*lines, "", ""]).encode())
            return connection.recv(65536).decode(errors="replace")


@pytest.fixture(scope="module")
def room(tmp_path_factory) -> Iterator[Class]:
    with deployed(tmp_path_factory.mktemp("deployment"), PROJECT) as stack:
        names = ("alice", "bob", "instructor", "admin")
        people = {name: Person(stack.url, name, stack.passwords[name]) for name in names}
        people["alice"].start_server()
        people["bob"].start_server()
        put = f"mkdir -p ~/.jupyter && cat > ~/.jupyter/jupyter_server_config.py <<'.'\n{EVIL}\n."
        stack.exec(stack.server_of("bob"), "sh", "-c", put)
        starts.stop(people["bob"])
        assert starts.start(people["bob"]).ready
        template = f'{{{{(index .NetworkSettings.Networks "{PROJECT}_front").IPAddress}}}}'
        address = docker("inspect", "--format", template, stack.container("proxy")).strip()
        yield Class(stack, people, f"http://{address}:8000")
        for person in people.values():
            person.close()


@pytest.fixture
def fresh(room: Class) -> Iterator[dict[str, Person]]:
    """Browsers in which people have just logged in."""
    stack = room.stack
    made = {name: Person(stack.url, name, stack.passwords[name]) for name in ("admin", "bob")}
    yield made
    for person in made.values():
        person.close()


def grants(person: Person) -> set[str]:
    """Whose servers a browser may visit."""
    names = [each.name for each in person.http.cookies.jar]
    return {name.removeprefix("visit-") for name in names if name.startswith("visit-")}


# -- the attack ------------------------------------------------------------------------------------


def test_a_students_page_is_not_shown_to_an_instructor(room):
    path = "/user/bob/evil.html"
    answer = room["instructor"].http.get(path)
    assert answer.status_code == 403 and MARK not in answer.text
    assert "somebody else" in answer.text
    assert MARK in room["bob"].http.get(path).text
    assert MARK in room.raw(room["instructor"], path, gateway=False)


@pytest.mark.browser
def test_a_link_to_it_runs_nothing_in_an_instructors_chromium(room, tmp_path):
    with launched() as browser:
        titles = {}
        for name in ("bob", "instructor"):
            desk = Desk(browser, room.stack.url, name, tmp_path)
            desk.log_in(room.stack.passwords[name])
            desk.page.wait_for_url(lambda url: "/hub/login" not in url)
            desk.page.goto(f"{room.stack.url}/user/bob/evil.html#part")
            titles[name] = desk.page.title()
            desk.close()
    assert titles["bob"] == MARK != titles["instructor"]


@pytest.mark.parametrize("mode", ["no-cors", "cors", "same-origin", "websocket"])
def test_neither_does_what_a_page_of_another_site_loads_from_there(room, mode):
    output = room.raw(room["instructor"], "/user/bob/evil.js", f"Sec-Fetch-Mode: {mode}")
    assert output.startswith("HTTP/1.1 403") and MARK not in output
    own = room.raw(room["bob"], "/user/bob/evil.js", f"Sec-Fetch-Mode: {mode}")
    assert MARK in own


def test_a_form_of_another_site_reaches_no_students_server(room):
    headers = {"Sec-Fetch-Mode": "navigate", "Content-Type": "application/x-www-form-urlencoded"}
    answer = room["instructor"].http.post("/user/bob/", content="a=b", headers=headers)
    assert answer.status_code == 403 and MARK not in answer.text
    assert MARK in room["bob"].http.post("/user/bob/", content="a=b", headers=headers).text


def test_a_websocket_opens_with_leave_only(room):
    upgrade = (
        *("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"),
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    )
    output = room.raw(room["instructor"], "/user/bob/socket", *upgrade)
    assert output.startswith("HTTP/1.1 403") and MARK not in output
    assert room.raw(room["bob"], "/user/bob/socket", *upgrade).startswith("HTTP/1.1 101")
    assert Kernel(room["alice"]).run("print(6 * 7)") == "42\n"  # by a token


# The proxy leads all of these to bob's server, as the control shows.
LEAD_TO_BOB = [
    *("/user/bob/", "/user/bob", "/user/bob?x", "//x/user/bob/", "/./user/bob/"),
    *("/%2Fuser/bob/", "/%75ser/bob/", "/user%2Fbob/", "/user/%62ob/", "/user/bob%2Fx"),
    *("/hub/../user/bob/", "/hub/%2e%2E/user/bob/", "/hub/.%2e/user/bob/", "/hub\\..\\user\\bob\\"),
    *("/user/instructor/../bob/", "/user/instructor/%2e%2e/bob/"),
    *("http://x/user/bob/", "/services/exchange/../../user/bob/"),
    f"/user/{GRADER}/../bob/",
]


@pytest.mark.parametrize("target", LEAD_TO_BOB)
def test_no_way_of_writing_the_address_leads_there(room, target):
    own = (f"/user/{name}/" for name in ("instructor", GRADER))
    for path in own:  # what this browser may visit helps nowhere else
        room["instructor"].http.get(path)
    assert grants(room["instructor"]) == {"instructor", GRADER}
    assert MARK in room.raw(room["instructor"], target, gateway=False)
    for more in ((), ("Accept: text/html",), ("Sec-Fetch-Mode: navigate",)):
        assert MARK not in room.raw(room["instructor"], target, *more)


# -- leave -----------------------------------------------------------------------------------------


def test_a_server_opens_for_its_owner_without_a_question(room, fresh):
    assert grants(fresh["bob"]) == set()
    answer = fresh["bob"].http.get("/user/bob/lab?reset=a%20b")
    assert MARK in answer.text and str(answer.url).endswith("/user/bob/lab?reset=a%20b")
    assert grants(fresh["bob"]) == {"bob"}
    set_by = next(each for each in answer.history if "/hub/visit/" in str(each.url))
    given = next(
        each for each in set_by.headers.get_list("set-cookie") if each.startswith("visit-bob=")
    )
    assert re.search(r"; HttpOnly; Path=/; SameSite=Lax$", given)  # and until the browser closes


def test_the_formgrader_opens_for_instructors_without_a_question_and_not_for_students(room):
    room["instructor"].start_server(GRADER)
    page = room["instructor"].http.get(f"/user/{GRADER}/formgrader")
    assert page.status_code == 200 and "ormgrader" in page.text
    refused = room["alice"].http.get(f"/user/{GRADER}/formgrader")
    assert refused.status_code == 403 and GRADER not in grants(room["alice"])


def test_no_grant_is_given_for_a_server_that_its_person_may_not_open(room):
    for name in ("alice", "instructor"):
        answer = room[name].http.get("/hub/visit/user/bob/")
        assert answer.status_code == 403 and "somebody else" in answer.text
        answer = send_form(room[name], room[name].http.get("/hub/home"), "/hub/visit/user/bob/")
        assert answer.status_code == 403 and "bob" not in grants(room[name])
    with httpx.Client(base_url=room.stack.url, follow_redirects=True) as nobody:
        page = nobody.get("/user/bob/evil.html", headers={"Accept": "text/html"})
        assert "/hub/login" in str(page.url) and MARK not in page.text


def send_form(person: Person, page: httpx.Response, path: str, **more: str) -> httpx.Response:
    """Send the form on `page`, as a browser does."""
    found = re.search(r'name="_xsrf" value="([^"]+)"', page.text)
    fields = {"_xsrf": found[1] if found else person.xsrf, **more}
    return person.http.post(path, data=fields, headers={"Referer": str(page.url)})


def test_an_admin_is_asked_first_on_a_page_that_no_other_page_can_press(room, fresh):
    admin = fresh["admin"]
    page = admin.http.get("/user/bob/evil.html")
    assert page.status_code == 200 and MARK not in page.text and 'id="visit"' in page.text
    assert "controls what this server shows you" in page.text and grants(admin) == set()
    assert "frame-ancestors 'none'" in page.headers["content-security-policy"]
    path = urlsplit(str(page.url)).path
    assert path == "/hub/visit/user/bob/evil.html"
    elsewhere = {"Referer": f"{room.stack.url}/user/alice/lab"}
    for data, headers in (
        ({}, {"Referer": str(page.url)}),
        ({"_xsrf": "x"}, {"Referer": str(page.url)}),
        ({"_xsrf": admin.xsrf}, elsewhere),
        ({"_xsrf": admin.xsrf}, {}),
    ):
        assert admin.http.post(path, data=data, headers=headers).status_code == 403
        assert grants(admin) == set()
    opened = send_form(admin, page, path)
    assert MARK in opened.text and str(opened.url).endswith("/user/bob/evil.html")
    assert grants(admin) == {"bob"}
    # For this one server.
    assert 'id="visit"' in admin.http.get("/user/alice/lab").text


def test_logging_out_ends_grants_and_so_does_logging_in(room, fresh):
    admin, url = fresh["admin"], "/user/bob/evil.html"
    send_form(admin, admin.http.get(url), f"/hub/visit{url}")
    assert MARK in admin.http.get(url).text
    admin.http.get("/hub/logout")
    page = admin.http.get(url)
    assert "/hub/login" in str(page.url) and MARK not in page.text
    assert MARK not in room.raw(admin, url)  # with the cookie, without its session
    page = admin.http.get("/hub/login")
    name = {"username": "admin", "password": room.stack.passwords["admin"]}
    send_form(admin, page, "/hub/login", **name)
    assert grants(admin) == set()
    assert 'id="visit"' in admin.http.get(url).text


@pytest.mark.parametrize(
    "path",
    [
        *("//evil.example/", "/hub/home", "/user//evil.example/", "/user/bob\\@evil.example/"),
        *("/https://evil.example/", "/user/", ""),
    ],
)
def test_leave_leads_to_a_server_here_and_nowhere_else(room, path):
    output = room.raw(room["bob"], f"/hub/visit{path}", gateway=False)
    assert output.startswith("HTTP/1.1 ")
    location = re.search(r"(?im)^location: (\S+)", output)
    assert location is None or location[1].startswith("/hub/"), output


def test_a_token_gets_through_as_ever(room):
    answer = room["alice"].server("GET", "/api/status")
    assert answer.status_code == 200 and "kernels" in answer.json()
    with httpx.Client(base_url=room.stack.url) as nobody:
        assert nobody.get("/user/alice/api/status").status_code == 403
        basic = nobody.get("/user/bob/", headers={"Authorization": "Basic YTpi"})
        assert basic.status_code == 403 and MARK not in basic.text
