"""A Jupyter server with the formgrader of a course, configured as a course's is."""

from __future__ import annotations

import json
import secrets
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

from tests.grading.tiny_course import ASSIGNMENT

ROOT = Path(__file__).resolve().parents[2]

EXTENSIONS = {"hub.singleuser.formgrader": True, "nbgrader.server_extensions.formgrader": False}

CONFIG = """
import sys
from pathlib import Path

sys.path.insert(0, {root!r})
from tests.grading.tiny_course import course_config, settings

chosen = settings(grading=dict(cell_seconds=30, notebook_seconds=300))
c.merge(course_config(Path({course!r}), chosen))
"""


class Server:
    """A Jupyter server with the formgrader, on a free port of localhost."""

    def __init__(self, course: Path) -> None:
        self.token = secrets.token_hex(16)
        self._course = course
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self.start()

    def start(self) -> None:
        course = self._course
        (course / "nbgrader_config.py").write_text(
            CONFIG.format(root=str(ROOT), course=str(course))
        )
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "jupyter_server", "--allow-root", "--no-browser"),
                *(
                    "--ip=127.0.0.1",
                    f"--port={self._port}",
                    f"--IdentityProvider.token={self.token}",
                ),
                f"--ServerApp.jpserver_extensions={EXTENSIONS}",
                "--ServerApp.disable_check_xsrf=True",
            ],
            cwd=course,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._wait()

    def _wait(self) -> None:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            try:
                self.get("/formgrader/api/status")
                return
            except OSError:
                time.sleep(0.3)
        raise TimeoutError("the server did not start")

    def get(self, path: str) -> Any:
        return self._ask(urllib.request.Request(self.address(path)))

    def press(self, student: str) -> dict[str, Any]:
        path = f"/formgrader/api/submission/{ASSIGNMENT}/{student}/autograde"
        return self._ask(urllib.request.Request(self.address(path), method="POST"))

    def address(self, path: str) -> str:
        return f"http://127.0.0.1:{self._port}{path}"

    def _ask(self, request: urllib.request.Request) -> Any:
        request.add_header("Authorization", f"token {self.token}")
        with urllib.request.urlopen(request, timeout=300) as answer:
            return json.load(answer)

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(30)

    def kill(self) -> None:
        """End it at once, as a machine that loses its power does."""
        self._process.kill()
        self._process.wait(30)
