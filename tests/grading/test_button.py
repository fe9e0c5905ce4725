"""The formgrader's Autograde button, pressed on a real server with its own configuration."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.grading.grader_server import Server
from tests.grading.tiny_course import ASSIGNMENT, make_course, submit
from tests.grading.trust_course import GIVEN_2, answered, source


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
