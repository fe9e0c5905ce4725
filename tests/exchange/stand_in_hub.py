"""A tiny stand-in for the Hub's ``/hub/api/user``: says whose token it is, with which scopes."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

SCOPE = "access:services!service=exchange"
COURSE = "mechinterp"

STUDENTS, INSTRUCTORS = f"nbgrader-{COURSE}", f"formgrade-{COURSE}"


def user(name: str, *groups: str, scopes: tuple[str, ...] = (SCOPE,)) -> dict[str, Any]:
    return {"kind": "user", "name": name, "groups": list(groups), "scopes": list(scopes)}


# Token: what the Hub says about it. A token is named after the role that it plays.
PEOPLE: dict[str, dict[str, Any]] = {
    "student": user("alice", STUDENTS),
    "other-student": user("bob", STUDENTS),
    "student-without-scope": user("alice", STUDENTS, scopes=("read:users:name!user=alice",)),
    "student-with-other-scope": user(
        "alice", STUDENTS, scopes=("access:services!service=other", "access:servers!user=alice")
    ),
    "unenrolled": user("mallory"),
    "instructor": user("prof", INSTRUCTORS),
    "other-instructor": user("dean", "formgrade-other", "nbgrader-other", "formgrade-nowhere"),
    "grader": user(f"grader-{COURSE}", INSTRUCTORS),
    "hub-service": {"kind": "service", "name": "cull", "scopes": [SCOPE]},
}


class StandInHub:
    """The stand-in, answering on a free port of localhost until `close`."""

    def __init__(self, people: dict[str, dict[str, Any]] | None = None) -> None:
        known = PEOPLE if people is None else people
        self.down = False
        hub = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                token = self.headers.get("Authorization", "").partition(" ")[2]
                answer = known.get(token)
                self.send_response(500 if hub.down else 200 if answer else 403)
                self.end_headers()
                self.wfile.write(json.dumps(answer or {"message": "no"}).encode())

            def log_message(self, *_arguments: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.api_url = f"http://127.0.0.1:{self._server.server_port}/hub/api"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
