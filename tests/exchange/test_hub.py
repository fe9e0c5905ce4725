"""The exchange as a managed service of a real JupyterHub, with real tokens, roles and scopes."""

from __future__ import annotations

import io
import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from hub.exchange.client.transport import HttpTransport
from hub.exchange.errors import Refusal
from hub.exchange.records import Points
from hub.serve import free_port
from tests.exchange.samples import ASSIGNMENT, COURSE, key, notebook, packed, sha256

pytestmark = [
    pytest.mark.hub,
    pytest.mark.slow,
]
ROOT = Path(__file__).parents[2]
DRIVER = "token-of-the-test-driver"
USERS = {"alice", "bob", "prof", "mallory", f"grader-{COURSE}"}

# The roles are the ones that suffice: nothing else lets anybody use the exchange.
CONFIG = """
c = get_config()
c.JupyterHub.bind_url = "http://127.0.0.1:{port}"
c.JupyterHub.hub_port = {hub_port}
c.ConfigurableHTTPProxy.command = [{proxy!r}]
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:{api_port}"
c.JupyterHub.authenticator_class = "dummy"
c.DummyAuthenticator.password = "secret"
c.Authenticator.allowed_users = {users!r}
c.JupyterHub.spawner_class = "simple"
c.SimpleLocalProcessSpawner.home_dir_template = {folder!r} + "/homes/{{username}}"
c.Spawner.cmd = [{python!r}, "-m", "tests.exchange.tiny_server"]
c.Spawner.environment = {{
    "PYTHONPATH": {root!r},
    "TINY_SERVER_FOLDER": {folder!r},
    "LOGITLAB_EXCHANGE_URL": "http://127.0.0.1:{port}/services/exchange",
}}
c.JupyterHub.services = [
    {{
        "name": "exchange",
        "url": "http://127.0.0.1:{exchange_port}",
        "command": [{python!r}, "-m", "hub.exchange", "--store", {folder!r} + "/exchange",
                    "--course", {course!r}],
        "environment": {{"PYTHONPATH": {root!r}}},
        "oauth_no_confirm": True,
    }},
    {{"name": "driver", "api_token": {driver!r}}},
]
c.JupyterHub.load_groups = {{
    "nbgrader-{course}": ["alice", "bob"],
    "formgrade-{course}": ["prof", "grader-{course}"],
}}
c.JupyterHub.load_roles = [
    {{
        "name": "server",
        "scopes": [
            "users:activity!user",
            "access:servers!server",
            "access:services!service=exchange",
        ],
    }},
    {{
        "name": "exchange",
        "scopes": ["access:services!service=exchange"],
        "groups": ["nbgrader-{course}", "formgrade-{course}"],
    }},
    {{"name": "driver", "scopes": ["admin:servers", "tokens"], "services": ["driver"]}},
]
"""


class RunningHub:
    def __init__(self, folder: Path) -> None:
        self.folder, port = folder, free_port()
        self.url = f"http://localhost:{port}"
        (folder / "jupyterhub_config.py").write_text(
            CONFIG.format(
                port=port,
                hub_port=free_port(),
                api_port=free_port(),
                exchange_port=free_port(),
                proxy=shutil.which("configurable-http-proxy"),
                python=sys.executable,
                root=str(ROOT),
                folder=str(folder),
                users=USERS,
                course=COURSE,
                driver=DRIVER,
            )
        )
        self.log = open(folder / "hub.log", "wb")  # noqa: SIM115 - closed by stop()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "jupyterhub", "--config", "jupyterhub_config.py"],
            cwd=folder,
            stdout=self.log,
            stderr=self.log,
        )
        self._wait_for(f"{self.url}/services/exchange/api/health")

    def _wait_for(self, url: str) -> None:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            try:
                if httpx.get(url, trust_env=False, verify=False).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.3)
        raise TimeoutError((self.folder / "hub.log").read_text()[-3000:])

    def _api(self, method: str, path: str, **body: Any) -> httpx.Response:
        headers = {"Authorization": f"token {DRIVER}"}
        return httpx.request(
            method,
            f"{self.url}/hub/api{path}",
            headers=headers,
            trust_env=False,
            verify=False,
            **body,
        )

    def environment_of_server(self, user: str) -> dict[str, str]:
        """Spawn the user's server; the environment that the Hub gave it."""
        assert self._api("POST", f"/users/{user}/server").status_code in (201, 202)
        shown = self.folder / f"{user}.json"
        deadline = time.monotonic() + 60
        while not shown.exists() or not shown.read_text():
            assert time.monotonic() < deadline, (self.folder / "hub.log").read_text()[-3000:]
            time.sleep(0.1)
        return json.loads(shown.read_text())

    def token(self, user: str, *scopes: str) -> str:
        answer = self._api("POST", f"/users/{user}/tokens", json={"scopes": list(scopes)})
        assert answer.status_code == 201, answer.text
        return answer.json()["token"]

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(30)
        self.log.close()


@pytest.fixture(scope="module")
def hub(tmp_path_factory) -> Iterator[RunningHub]:
    running = RunningHub(tmp_path_factory.mktemp("hub"))
    yield running
    running.stop()


@pytest.fixture(scope="module")
def servers(hub: RunningHub) -> dict[str, HttpTransport]:
    """Each user's exchange as reached from their own spawned server."""
    found = {}
    for user in sorted(USERS):
        environment = hub.environment_of_server(user)
        found[user] = HttpTransport(
            environment["LOGITLAB_EXCHANGE_URL"], environment["JUPYTERHUB_API_TOKEN"]
        )
    return found


def refused(call, *arguments, **options) -> int:
    with pytest.raises(Refusal) as caught:
        call(*arguments, **options)
    return caught.value.status


def test_a_whole_round_with_the_tokens_of_spawned_servers(servers):
    prof, alice, bob, grader = (servers[u] for u in ("prof", "alice", "bob", f"grader-{COURSE}"))
    prof.release(
        COURSE, ASSIGNMENT, io.BytesIO(notebook("released")), due="2027-03-01T22:00Z", force=False
    )
    assert [record["assignment"] for record in alice.assignments(COURSE)] == [ASSIGNMENT]
    fetched = io.BytesIO()
    alice.fetch(COURSE, ASSIGNMENT, fetched)
    assert fetched.getvalue() == notebook("released")
    mine, work = key(), notebook("work")
    receipt = alice.submit(COURSE, ASSIGNMENT, mine, io.BytesIO(work))
    assert receipt["student"] == "alice" and receipt["sha256"] == sha256(work)
    assert alice.submit(COURSE, ASSIGNMENT, mine, io.BytesIO(work)) == receipt
    (seen,) = grader.all_submissions(COURSE, ASSIGNMENT)
    assert seen["receipt"] == receipt["receipt"]
    grader.put_feedback(
        COURSE,
        receipt["receipt"],
        io.BytesIO(packed({"induction-heads.html": b"<p>good"})),
        student="alice",
        assignment=ASSIGNMENT,
        points=Points(2, 3, 1),
    )
    feedback = io.BytesIO()
    alice.my_feedback(COURSE, receipt["receipt"], feedback)
    assert b"<p>good" in feedback.getvalue()
    assert refused(bob.my_feedback, COURSE, receipt["receipt"], io.BytesIO()) == 404
    assert bob.my_submissions(COURSE) == []


def test_twenty_megabytes_pass_the_proxy(servers):
    data = packed({"induction-heads.ipynb": bytes(20_000_000)})
    receipt = servers["bob"].submit(COURSE, ASSIGNMENT, key(), io.BytesIO(data))
    assert receipt["sha256"] == sha256(data) and receipt["bytes"] == len(data)


def test_a_student_cannot_call_an_instructors_route(servers):
    bob = servers["bob"]
    assert refused(bob.all_submissions, COURSE, None) == 403
    assert refused(bob.download, COURSE, "0" * 32, io.BytesIO()) == 403
    assert refused(bob.unrelease, COURSE, ASSIGNMENT) == 403
    body = io.BytesIO(notebook("x"))
    assert refused(bob.release, COURSE, ASSIGNMENT, body, due=None, force=True) == 403


def test_the_server_of_a_user_outside_the_course_starts_and_is_refused(servers):
    assert refused(servers["mallory"].courses) == 403
    assert refused(servers["mallory"].assignments, COURSE) == 403


def test_a_valid_token_without_the_services_scope_is_refused(hub):
    url = f"{hub.url}/services/exchange"
    narrow = HttpTransport(url, hub.token("alice", "read:users:name!user=alice"))
    assert refused(narrow.my_submissions, COURSE) == 403
    right = HttpTransport(url, hub.token("alice", "access:services!service=exchange"))
    assert right.courses()[0]["roles"] == ["student"]


def test_an_anonymous_caller_gets_403_from_the_api_and_the_login_page_from_the_root(hub):
    root = f"{hub.url}/services/exchange/"
    assert httpx.get(root + "api/courses", trust_env=False, verify=False).status_code == 403
    page = httpx.get(root, follow_redirects=True, trust_env=False, verify=False)
    assert page.status_code == 200 and "/hub/login" in str(page.url)


def login(hub: RunningHub, user: str) -> httpx.Client:
    browser = httpx.Client(follow_redirects=True, trust_env=False, verify=False)
    form = browser.get(f"{hub.url}/hub/login").text
    (xsrf,) = re.findall(r'name="_xsrf" value="([^"]*)"', form)
    data = {"username": user, "password": "secret", "_xsrf": xsrf}
    assert browser.post(f"{hub.url}/hub/login", data=data).status_code == 200
    return browser


def test_a_student_in_a_browser_sees_the_page_after_the_hubs_login(hub, servers):
    page = login(hub, "alice").get(f"{hub.url}/services/exchange/")
    assert page.status_code == 200 and "alice · <a" in page.text
    assert f"<h1>{COURSE}</h1>" in page.text


def test_the_owner_of_feedback_reads_it_in_a_browser_and_nobody_else_does(hub, servers):
    work = io.BytesIO(notebook("to be read"))
    receipt = servers["alice"].submit(COURSE, ASSIGNMENT, key(), work)["receipt"]
    servers[f"grader-{COURSE}"].put_feedback(
        *(COURSE, receipt, io.BytesIO(packed({"a.html": b"<p>good"}))),
        student="alice",
        assignment=ASSIGNMENT,
        points=Points(2, 3),
    )
    address = f"{hub.url}/services/exchange/feedback/{COURSE}/{receipt}/a.html"
    browser = login(hub, "alice")
    page = browser.get(address)
    assert page.status_code == 200 and page.text == "<p>good"
    assert page.headers["Content-Security-Policy"].startswith("sandbox;")
    assert browser.get(address, headers={"Sec-Fetch-Dest": "empty"}).status_code == 403
    assert [login(hub, name).get(address).status_code for name in ("bob", "prof")] == [404, 404]


def test_a_browser_of_a_user_outside_the_course_gets_403(hub, servers):
    page = login(hub, "mallory").get(f"{hub.url}/services/exchange/")
    assert page.status_code == 403


def test_the_cookie_of_a_browser_does_not_open_the_api(hub, servers):
    browser = login(hub, "prof")
    assert browser.get(f"{hub.url}/services/exchange/").status_code == 200
    listed = browser.get(f"{hub.url}/services/exchange/api/courses/{COURSE}/submissions")
    assert listed.status_code == 403
