"""A person at the course server, over HTTP as a browser would: log in, start a server, use it."""

from __future__ import annotations

import asyncio
import json
import re
import time
from typing import Any
from urllib.parse import quote

import httpx
from tornado.httpclient import HTTPRequest
from tornado.websocket import websocket_connect

START_SECONDS = 180


class Person:
    """Somebody logged in at the hub at `url` (such as http://localhost:8000)."""

    def __init__(self, url: str, name: str, password: str) -> None:
        self.url = url.rstrip("/")
        self.name = name
        self.http = httpx.Client(
            base_url=self.url,
            follow_redirects=True,
            timeout=120,
            headers={"Accept": "text/html,*/*;q=0.8"},
        )
        self._tokens: dict[str, str] = {}
        page = self.http.get("/hub/login")
        self.http.post(
            "/hub/login?next=/hub/home",
            data={"username": name, "password": password, "_xsrf": _xsrf(page.text)},
        )
        self.load_page()

    def load_page(self) -> None:
        """Load the hub's page, also anew: the one from before an outage may press no buttons."""
        home = self.http.get("/hub/home")
        home.raise_for_status()
        if "/hub/login" in str(home.url):
            raise PermissionError(f"{self.name} cannot log in")
        self.xsrf = re.search(r'xsrf_token: "([^"]+)"', home.text)[1]  # type: ignore[index]

    def close(self) -> None:
        self.http.close()

    def api(self, method: str, path: str, **kwargs: Any) -> httpx.Response:
        """A call of the hub's own API with the rights of this person's browser."""
        headers = {"X-XSRFToken": self.xsrf, "Referer": f"{self.url}/hub/home"}
        return self.http.request(method, f"/hub/api{path}", headers=headers, **kwargs)

    def token(self, **request: Any) -> str:
        """A new API token of this person; `request` as in the hub's API (scopes, note, …)."""
        answer = self.api("POST", f"/users/{self.name}/tokens", json=request)
        answer.raise_for_status()
        return str(answer.json()["token"])

    def start_server(self, owner: str | None = None) -> float:
        """Start the server of `owner` (default: one's own); seconds until it answers."""
        owner = owner or self.name
        began = time.monotonic()
        self.http.get(f"/hub/spawn/{owner}").raise_for_status()
        while time.monotonic() - began < START_SECONDS:
            answer = self.server("GET", "/api/status", owner=owner)
            if answer.status_code == 200 and answer.headers["content-type"].startswith(
                "application/json"
            ):
                return time.monotonic() - began
            time.sleep(0.2)
        raise TimeoutError(f"the server of {owner} did not start in {START_SECONDS} s")

    def server(
        self, method: str, path: str, owner: str | None = None, **kwargs: Any
    ) -> httpx.Response:
        """A call of a running single-user server's API."""
        owner = owner or self.name
        if owner not in self._tokens:
            self._tokens[owner] = self.token(note="day of a course", expires_in=7200)
        headers = {"Authorization": f"token {self._tokens[owner]}"}
        return self.http.request(method, f"/user/{owner}{path}", headers=headers, **kwargs)

    def read_notebook(self, path: str) -> dict[str, Any]:
        answer = self.server("GET", f"/api/contents/{quote(path)}?type=notebook")
        answer.raise_for_status()
        return dict(answer.json()["content"])

    def write_notebook(self, path: str, notebook: dict[str, Any]) -> None:
        body = {"type": "notebook", "format": "json", "content": notebook}
        self.server("PUT", f"/api/contents/{quote(path)}", json=body).raise_for_status()

    def type_into_terminal(self, name: str, text: str) -> None:
        """Type into a running terminal of one's own server."""

        async def type_in() -> None:
            address = f"{self.url.replace('http', 'ws', 1)}/user/{self.name}/terminals/websocket/"
            request = HTTPRequest(
                f"{address}{name}", headers={"Authorization": f"token {self._tokens[self.name]}"}
            )
            connection = await websocket_connect(request)
            await connection.read_message()
            await connection.write_message(json.dumps(["stdin", text]))
            await asyncio.sleep(2)
            connection.close()

        asyncio.run(type_in())


def _xsrf(page: str) -> str:
    return re.search(r'name="_xsrf"\s+value="([^"]+)"', page)[1]  # type: ignore[index]


def source_of(cell: dict[str, Any]) -> str:
    source = cell["source"]
    return source if isinstance(source, str) else "".join(source)


def write_answers(notebook: dict[str, Any], answers: dict[str, str]) -> None:
    """Put each text of `answers` into the cell with that grade id."""
    missing = set(answers)
    for cell in notebook["cells"]:
        grade_id = cell["metadata"].get("nbgrader", {}).get("grade_id")
        if grade_id in answers:
            cell["source"] = answers[grade_id]
            missing.discard(grade_id)
    if missing:
        raise KeyError(f"no cells for {sorted(missing)}")
