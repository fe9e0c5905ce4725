"""The formgrader's Autograde button, pressed on a real server with its own configuration."""

from __future__ import annotations

import json
import secrets
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.grading.tiny_course import ASSIGNMENT, make_course, submit
from tests.grading.trust_course import GIVEN_2, answered, source

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
        self._token = secrets.token_hex(16)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        (course / "nbgrader_config.py").write_text(
            CONFIG.format(root=str(ROOT), course=str(course))
        )
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", "jupyter_server", "--allow-root", "--no-browser"),
                *(
                    "--ip=127.0.0.1",
                    f"--port={self._port}",
                    f"--IdentityProvider.token={self._token}",
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
        return self._ask(urllib.request.Request(self._address(path)))

    def press(self, student: str) -> dict[str, Any]:
        path = f"/formgrader/api/submission/{ASSIGNMENT}/{student}/autograde"
        return self._ask(urllib.request.Request(self._address(path), method="POST"))

    def _address(self, path: str) -> str:
        return f"http://127.0.0.1:{self._port}{path}"

    def _ask(self, request: urllib.request.Request) -> Any:
        request.add_header("Authorization", f"token {self._token}")
        with urllib.request.urlopen(request, timeout=300) as answer:
            return json.load(answer)

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(30)


@pytest.fixture(name="made")
def _made(tmp_path: Path) -> Iterator[tuple[Path, Path, Server]]:
    """A course, a file while which is there a given cell fails, and the server."""
    root, flag = tmp_path / "course", tmp_path / "flag"
    given = f"import os\nassert not os.path.exists({str(flag)!r}), 'no disk'\n{GIVEN_2}"
    make_course(root, source=source(given_2=given))
    submit(root, "alice", answered(root))
    server = Server(root)
    yield root, flag, server
    server.stop()


@pytest.mark.kernel
@pytest.mark.slow
def test_the_dialog_is_red_unless_the_submission_was_graded(
    made: tuple[Path, Path, Server],
) -> None:
    _, flag, server = made
    good = server.press("alice")
    assert good["success"] and "alice" in good["log"] and "3/5" in good["log"]
    flag.touch()
    bad = server.press("alice")
    assert not bad["success"] and "`given-2`" in bad["log"] and "alice" in bad["log"]
    (one,) = server.get(f"/formgrader/api/submissions/{ASSIGNMENT}")
    assert one["score"] == 3


@pytest.mark.kernel
@pytest.mark.slow
def test_other_pages_answer_while_a_submission_is_graded(made: tuple[Path, Path, Server]) -> None:
    root, _, server = made
    submit(root, "alice", answered(root, own={"f1": "import time; time.sleep(8)"}))
    pressed = threading.Thread(target=server.press, args=("alice",))
    pressed.start()
    answered_meanwhile = 0
    while pressed.is_alive():
        began = time.monotonic()
        server.get("/formgrader/api/status")
        answered_meanwhile += time.monotonic() - began < 3
        time.sleep(0.5)
    assert answered_meanwhile >= 5
