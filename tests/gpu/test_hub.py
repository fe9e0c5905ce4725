"""The question 'without a GPU, or wait?' and the queue, on a real JupyterHub's pages."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from hub.serve import free_port

pytestmark = [
    pytest.mark.hub,
    pytest.mark.slow,
]
ROOT = Path(__file__).parents[2]

CONFIG = """
import sys
sys.path.insert(0, {root!r})
from tests.gpu.tiny_hub import GpuSpawner

c = get_config()
c.JupyterHub.bind_url = "http://127.0.0.1:{port}"
c.JupyterHub.hub_port = {hub_port}
c.ConfigurableHTTPProxy.command = [{proxy!r}]
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:{api_port}"
c.JupyterHub.authenticator_class = "dummy"
c.DummyAuthenticator.password = "secret"
c.Authenticator.allow_all = True
c.JupyterHub.spawner_class = GpuSpawner
c.SimpleLocalProcessSpawner.home_dir_template = {folder!r} + "/homes/{{username}}"
c.Spawner.cmd = [{python!r}, "-m", "tests.exchange.tiny_server"]
c.Spawner.environment = {{"PYTHONPATH": {root!r}, "TINY_SERVER_FOLDER": {folder!r}}}
"""


class Person:
    """Somebody's browser, without its JavaScript."""

    def __init__(self, url: str, name: str, folder: Path) -> None:
        self.url, self.name, self.folder = url, name, folder
        self.client = httpx.Client(
            base_url=f"{url}/hub", follow_redirects=True, trust_env=False, timeout=60
        )
        self.client.get("/login")
        self.post("/login", username=name, password="secret")

    def post(self, path: str, **data: str) -> httpx.Response:
        return self.client.post(path, params=self._xsrf, data=data)

    @property
    def _xsrf(self) -> dict[str, str]:
        found = [each.value for each in self.client.cookies.jar if each.name == "_xsrf"]
        return {"_xsrf": found[-1] or ""}

    def spawn_page(self) -> str:
        """What starting one's server shows: the question, or the start itself."""
        return self.client.get("/spawn").text

    def choose(self, answer: str) -> None:
        self.client.get("/spawn")
        assert self.post("/spawn", gpu=answer).status_code < 400

    def progress(self, until: str) -> list[str]:
        """The messages of the spawn page, up to one with `until`; closes the page then."""
        output = []
        path = f"/api/users/{self.name}/server/progress"
        with self.client.stream("GET", path, params=self._xsrf) as events:
            for line in events.iter_lines():
                if line.startswith("data: "):
                    event = json.loads(line.removeprefix("data: "))
                    output.append(event.get("message", ""))
                    if until in output[-1]:
                        break
        return output

    def environment(self) -> dict[str, str]:
        """What the person's server was started with."""
        shown = self.folder / f"{self.name}.json"
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            if shown.exists() and (text := shown.read_text()):
                return json.loads(text)
            time.sleep(0.2)
        raise AssertionError(f"{self.name}'s server did not start")

    def stop(self) -> None:
        path = f"/api/users/{self.name}/server"
        assert self.client.delete(path, params=self._xsrf).status_code in (202, 204)

    def is_pending(self) -> bool:
        user = self.client.get(f"/api/users/{self.name}", params=self._xsrf).json()
        return user.get("pending") == "spawn"


@pytest.fixture(scope="module")
def hub(tmp_path_factory) -> Iterator[tuple[str, Path]]:
    folder, port = tmp_path_factory.mktemp("hub"), free_port()
    numbers = {"port": port, "hub_port": free_port(), "api_port": free_port()}
    names = {
        "proxy": shutil.which("configurable-http-proxy"),
        "python": sys.executable,
        "root": str(ROOT),
        "folder": str(folder),
    }
    (folder / "jupyterhub_config.py").write_text(CONFIG.format(**numbers, **names))
    with (folder / "hub.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "jupyterhub", "--config", "jupyterhub_config.py"],
            cwd=folder,
            stdout=log,
            stderr=log,
        )
        url, deadline = f"http://localhost:{port}", time.monotonic() + 120
        try:
            while True:
                try:
                    if httpx.get(f"{url}/hub/health", trust_env=False).status_code == 200:
                        break
                except httpx.TransportError:
                    pass
                assert time.monotonic() < deadline, (folder / "hub.log").read_text()[-3000:]
                time.sleep(0.3)
            yield url, folder
        finally:
            process.terminate()
            process.wait(60)


def test_people_are_asked_wait_with_their_slot_in_sight_and_leave_with_their_page(hub):
    url, folder = hub
    alice, bob = Person(url, "alice", folder), Person(url, "bob", folder)
    # There is room: nothing is asked.
    assert 'name="gpu"' not in alice.spawn_page()
    assert alice.environment()["LOGITLAB_GPU"] == "GPU-aaaa: A100"
    assert alice.environment()["LOGITLAB_GPU_MIB"] == "40960"
    # There is none: wait, or start without.
    page = bob.spawn_page()
    assert "All GPU slots are taken" in page
    assert "Wait for a GPU (position 1)" in page
    bob.choose("wait")
    with ThreadPoolExecutor() as pool:
        shown = pool.submit(Person(url, "bob", folder).progress, "Server ready")
        _others_come_and_go(url, folder, alice)
        output = shown.result(timeout=100)
    assert "you are number 1 of 1 in the queue (you are next)" in output[1]
    assert "you are number 1 of 2 in the queue (you are next)" in "".join(output)
    assert bob.environment()["LOGITLAB_GPU"] == "GPU-aaaa: A100"


def _others_come_and_go(url: str, folder: Path, alice: Person) -> None:
    """While Bob's page shows the queue."""
    carl, dora = Person(url, "carl", folder), Person(url, "dora", folder)
    assert "Wait for a GPU (position 2)" in carl.spawn_page()
    carl.choose("cpu")
    assert carl.environment()["LOGITLAB_GPU"] == "cpu: you chose not to wait for one"
    # Somebody who closes the page gives up the position in the queue.
    dora.choose("wait")
    dora.progress("number")
    deadline = time.monotonic() + 60
    while dora.is_pending() and time.monotonic() < deadline:
        time.sleep(0.2)
    assert not dora.is_pending()
    alice.stop()
