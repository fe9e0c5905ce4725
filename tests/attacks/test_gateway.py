"""A page on one student's server that would stay in the browsers of all who opened it."""

from __future__ import annotations

import time
from collections.abc import Iterator

import httpx
import pytest

from tests.docker.stage import CHECKOUT, TAG, docker, why_not

pytestmark = [
    pytest.mark.docker,
    pytest.mark.skipif(why_not() is not None, reason=str(why_not())),
]
ADDRESS = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}"


@pytest.fixture(name="gateway", scope="module")
def _gateway() -> Iterator[str]:
    """The gateway, with the page that says it is healthy behind it."""
    rules = CHECKOUT / "docker" / "gateway" / "server.Caddyfile"
    started = docker(
        *("run", "--detach", "--rm", "--env=UPSTREAM=http://127.0.0.1:8082"),
        f"--volume={rules}:/opt/logitlab/gateway/server.Caddyfile:ro",
        f"logitlab/gateway:{TAG}",
    ).strip()
    try:
        url = f"http://{docker('inspect', '--format', ADDRESS, started).strip()}:8080"
        for _ in range(60):
            try:
                httpx.get(url)
                break
            except httpx.HTTPError:
                time.sleep(0.5)
        yield url
    finally:
        docker("rm", "--force", started)


def test_no_server_leaves_a_worker_in_a_browser_that_would_see_all_pages(gateway: str) -> None:
    path = f"{gateway}/user/mallory/files/worker.js"
    assert httpx.get(path).is_success
    # What browsers send with the request for a worker's script, and no page can leave out.
    assert httpx.get(path, headers={"Service-Worker": "script"}).status_code == 403
