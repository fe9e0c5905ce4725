"""What the gateway lets through to people's servers: a table, against its image in both shapes.

(tests/attacks/test_server_access.py has the attacks themselves, against a whole deployment.)
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.docker.stage import CHECKOUT, docker
from tests.needs import TAG

pytestmark = [
    pytest.mark.docker,
    pytest.mark.needs("deployments"),
]
ADDRESS = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"
PASSED = 200  # what stands behind the gateway here answers so to everything
SESSION = "jupyterhub-session-id=s1"


@dataclass(frozen=True)
class Gateway:
    address: str
    begins: str  # what the cookies of grants begin with
    curl: tuple[str, ...]

    def asked(self, path: str, *headers: str, method: str = "GET") -> tuple[int, str]:
        """The status, and where the answer leads to. `V-` in a header is what cookies begin with.

        Nothing of the path is put right before it is sent.
        """
        given = [each.replace("V-", self.begins) for each in headers]
        output = subprocess.run(
            [
                *("curl", "--silent", "--path-as-is", "--globoff", "--max-time", "20"),
                *(["--head"] if method == "HEAD" else ["--request", method]),
                *("--output", "/dev/null", "--write-out", "%{http_code} %header{location}"),
                *(part for each in given for part in ("--header", each)),
                *(*self.curl, f"{self.address}{path}"),
            ],
            capture_output=True,
            text=True,
            timeout=30,
        ).stdout
        status, _, location = output.partition(" ")
        return int(status or 0), location


@pytest.fixture(name="gateway", scope="module", params=["plain", "tls"])
def _gateway(request: pytest.FixtureRequest) -> Iterator[Gateway]:
    """The gateway, with the page that says it is healthy behind it. Caddy makes itself a
    certificate for localhost."""
    tls = request.param == "tls"
    rules = CHECKOUT / "docker" / "gateway"
    started = docker(
        *("run", "--detach", "--rm", "--env=UPSTREAM=http://127.0.0.1:8082"),
        *(["--env=DOMAIN=localhost", "--env=RENEW_INTERVAL=10m"] if tls else []),
        *(
            f"--volume={rules / name}:/opt/logitlab/gateway/{name}:ro"
            for name in ("server.Caddyfile", "plain.Caddyfile", "tls.Caddyfile")
        ),
        f"logitlab/gateway:{TAG}",
    ).strip()
    try:
        host = docker("inspect", "--format", ADDRESS, started).strip()
        made = Gateway(f"http://{host}:8080", "visit-", ())
        if tls:
            there = ("--insecure", "--http2", "--connect-to", f"localhost:8443:{host}:8443")
            made = Gateway("https://localhost:8443", "__Host-visit-", there)
        deadline = time.monotonic() + 60
        while made.asked("/")[0] != PASSED and time.monotonic() < deadline:
            time.sleep(0.5)
        yield made
    finally:
        docker("rm", "--force", started)


def test_no_server_leaves_a_worker_in_a_browser_that_would_see_all_pages(gateway: Gateway) -> None:
    permitted = f"Cookie: {SESSION}; V-mallory=s1"
    path = "/user/mallory/files/worker.js"
    assert gateway.asked(path, permitted)[0] == PASSED
    # What browsers send with the request for a worker's script, and no page can leave out.
    assert gateway.asked(path, permitted, "Service-Worker: script")[0] == 403


@pytest.mark.parametrize(
    "path",
    [
        *("/", "/?x=/user/mallory/", "/hub/home", "/hub/api/users/bob/server/progress"),
        *("/services/exchange/", "/tree/a//b%20c", "/hub/visit/user/mallory/lab?x"),
        *("/hub/login?next=/user/mallory/../x", "/users", "/favicon.ico"),
    ],
)
def test_everything_but_peoples_servers_is_open_to_all(gateway: Gateway, path: str) -> None:
    assert gateway.asked(path)[0] == PASSED


@pytest.mark.parametrize(
    "headers",
    [
        [f"Cookie: {SESSION}; V-mallory=s1"],
        [f"Cookie: V-mallory=s1; {SESSION}"],
        [f"Cookie: a=b; V-alice=s1; {SESSION}; V-mallory=s1; c=d"],
        ["Authorization: token abc"],
        ["authorization: Bearer abc"],
        ["Authorization: TOKEN abc"],
    ],
)
@pytest.mark.parametrize("path", ["/user/mallory", "/user/mallory/a//b?c=d", "/user/mallory?x=/y"])
def test_a_visitor_and_a_token_get_through(gateway: Gateway, path: str, headers: list[str]) -> None:
    for method in ("GET", "POST", "DELETE"):
        assert gateway.asked(path, *headers, method=method)[0] == PASSED


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [f"Cookie: {SESSION}"],
        ["Cookie: V-mallory=s1"],
        ["Cookie: V-mallory="],
        ["Cookie: V-mallory=; jupyterhub-session-id="],
        [f"Cookie: {SESSION}; V-mallory=s2"],
        [f"Cookie: {SESSION}; V-mallory=s11"],
        [f"Cookie: {SESSION}; V-mallory="],
        [f"Cookie: {SESSION}; V-alice=s1"],
        [f"Cookie: {SESSION}; V-mallor=s1; V-mallory2=s1; V-=s1"],
        [f"Cookie: {SESSION}; xV-mallory=s1"],
        [f"Cookie: {SESSION}; V-MALLORY=s1"],
        [f"Cookie: {SESSION}; x=V-mallory=s1"],
        [f"Cookie: {SESSION},V-mallory=s1"],
        ["Authorization: Basic abc"],
        ["Authorization: tokenabc"],
        ["Authorization: Basic token abc"],
        ["X-Authorization: token abc"],
    ],
)
def test_other_browsers_are_refused_and_sent_to_the_hub(
    gateway: Gateway, headers: list[str]
) -> None:
    path = "/user/mallory/evil.html?a=%20b"
    for more in (["Sec-Fetch-Mode: navigate"], ["Accept: text/html,*/*"]):
        status, location = gateway.asked(path, *headers, *more)
        assert (status, location.split("localhost:8443")[-1]) == (303, f"/hub/visit{path}")
    for more in (["Sec-Fetch-Mode: no-cors"], ["Sec-Fetch-Mode: websocket"], []):
        assert gateway.asked(path, *headers, *more)[0] == 403
    for method in ("POST", "OPTIONS", "HEAD"):
        assert gateway.asked(path, *headers, "Sec-Fetch-Mode: navigate", method=method)[0] == 403


def test_the_cookie_of_the_other_shape_opens_nothing(gateway: Gateway) -> None:
    other = {"visit-": "__Host-visit-", "__Host-visit-": "visit-"}[gateway.begins]
    headers = f"Cookie: {SESSION}; {other}mallory=s1"
    assert gateway.asked("/user/mallory/", headers)[0] == 403


def test_cookies_in_several_fields_are_one_with_http_2_and_open_nothing_without(
    gateway: Gateway,
) -> None:
    """Browsers split them with HTTP/2, and never before."""
    fields = (f"Cookie: {SESSION}", "Cookie: V-mallory=s1")
    expected = PASSED if "--http2" in gateway.curl else 403
    assert gateway.asked("/user/mallory/", *fields)[0] == expected


def test_a_name_with_an_at_sign_has_one_cookie_for_both_spellings(gateway: Gateway) -> None:
    for path in ("/user/a@b.c/x", "/user/a%40b.c/x"):
        assert gateway.asked(path, f"Cookie: {SESSION}; V-a%40b.c=s1")[0] == PASSED
        assert gateway.asked(path, f"Cookie: {SESSION}; V-a@b.c=s1")[0] == 403


@pytest.mark.parametrize(
    "path",
    [
        *("//user/mallory/", "//x/user/mallory/", "/%2Fuser/mallory/", "/./user/mallory/"),
        *("/hub/../user/mallory/", "/hub/%2e%2E/user/mallory/", "/hub/.%2e/user/mallory/"),
        *("/%75ser/mallory/", "/user%2Fmallory/", "/user/%6dallory/", "/user/mallory%2Fx/"),
        *("/user/alice/../mallory/", "/user/alice/%2e./mallory/", "/user/alice/..?x"),
        *("/user", "/user/", "/user//mallory/", "/user/..", "/user/.", "/user/Mallory/"),
        *("/hub%5C..%5Cuser/mallory/", "/user/mal%00lory/", "/user/mallory;x/"),
        *("/user/mallory%20/", "/user/mallory%09/", "/@/..", "/user/m%C3%A4llory/"),
    ],
)
def test_an_address_that_can_be_read_in_two_ways_goes_no_further(
    gateway: Gateway, path: str
) -> None:
    headers = ("Accept: text/html", f"Cookie: {SESSION}; V-alice=s1; V-mallory=s1")
    assert gateway.asked(path, *headers)[0] == 400
