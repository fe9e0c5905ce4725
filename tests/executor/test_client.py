"""The client of the executor: what it does when the executor is away, breaks off or refuses."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from hub.grading.pipeline.execute import execute
from hub.grading.sandbox import remote
from hub.grading.sandbox.remote import ExecutorAway, frames, packed
from tests.grading.test_execute import notebook, text

Script = Callable[[socket.socket], object]


class Stand:
    """Stands in for the executor: each connection is served by the next of its scripts."""

    def __init__(self, path: Path, *scripts: Script) -> None:
        self._listening = socket.socket(socket.AF_UNIX)
        self._listening.bind(str(path))
        self._listening.listen()
        self.served = 0
        threading.Thread(target=self._serve, args=(scripts,), daemon=True).start()

    def _serve(self, scripts: tuple[Script, ...]) -> None:
        for script in scripts:
            connection, _ = self._listening.accept()
            with connection:
                script(connection)
            self.served += 1
        self._listening.close()


def say(connection: socket.socket, *frame: object) -> None:
    connection.sendall(packed(list(frame)))


def uploaded(connection: socket.socket) -> dict[str, bytes]:
    """Let the client go, and take what it uploads."""
    say(connection, "position", 1)
    say(connection, "go")
    parts: dict[str, bytes] = {"request": b""}
    name = ""
    for kind, *rest in frames(connection):
        if kind == "request":
            parts["request"] += rest[0]
        elif kind == "file":
            name = rest[0]
            parts[name] = b""
        elif kind == "data":
            parts[name] += rest[0]
        elif kind == "run":
            return parts
    raise AssertionError("the client went away")


def answering(*lines: dict) -> Script:
    def script(connection: socket.socket) -> None:
        uploaded(connection)
        for line in lines:
            say(connection, "answer", (json.dumps(line) + "\n").encode())
        say(connection, "done", None, 1.5)

    return script


DONE = answering(
    {"cell": 0, "outputs": [{"output_type": "stream", "name": "stdout", "text": "1\n"}]},
    {"finished": True},
)


@pytest.fixture(name="path")
def _path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(remote, "_outage", remote._Outage())
    monkeypatch.setattr(remote.time, "sleep", lambda seconds: None)
    return tmp_path / "socket"


def test_the_executors_answer_is_the_outcome(path):
    Stand(path, DONE)
    execution = execute(notebook("print(1)"), executor=path)
    assert text(execution.notebook.cells[0]) == "1\n"
    assert (execution.problems, execution.seconds) == ([], 1.5)


def test_files_are_sent_to_the_executor_and_links_are_not(path, tmp_path):
    seen = {}

    def script(connection: socket.socket) -> None:
        seen.update(uploaded(connection))
        say(connection, "answer", json.dumps({"finished": True}).encode())
        say(connection, "done", None, 0.0)

    (tmp_path / "data").write_bytes(bytes(3_000_000))
    (tmp_path / "link").symlink_to("/etc/passwd")
    Stand(path, script)
    files = {"a/data": tmp_path / "data", "link": tmp_path / "link"}
    execute(notebook("1"), executor=path, files=files)
    assert seen.keys() == {"request", "a/data"} and len(seen["a/data"]) == 3_000_000


def test_a_connection_that_breaks_off_is_retried(path):
    stand = Stand(path, lambda connection: None, lambda c: uploaded(c) and None, DONE)
    assert text(execute(notebook("print(1)"), executor=path).notebook.cells[0]) == "1\n"
    assert stand.served == 2 or stand.served == 3


def test_a_connection_that_breaks_off_three_times_is_reported(path):
    Stand(path, *[lambda c: uploaded(c) and None] * 3)
    with pytest.raises(ExecutorAway, match=r"ended 3 times.*make status"):
        execute(notebook("print(1)"), executor=path)


def test_an_executor_that_is_away_is_waited_for_once_and_reported(path, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(remote.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(remote.time, "sleep", lambda seconds: now.__setitem__(0, now[0] + seconds))
    with pytest.raises(ExecutorAway, match="make status"):
        execute(notebook("1"), executor=path)
    waited = now[0]
    assert 60 < waited < 62
    with pytest.raises(ExecutorAway):  # the next of a batch does not wait another minute
        execute(notebook("1"), executor=path)
    assert now[0] == waited


def test_a_refusal_is_reported(path):
    def script(connection: socket.socket) -> None:
        uploaded(connection)
        say(connection, "refused", "it is larger than 256 MiB")

    Stand(path, script)
    with pytest.raises(ExecutorAway, match="larger than 256 MiB"):
        execute(notebook("1"), executor=path)


@pytest.mark.parametrize(
    "line",
    [
        {"cell": 5, "outputs": []},
        {"cell": 0, "outputs": [{"output_type": "stream", "text": {"a": 1}}, 7, None]},
        {"cell": True, "outputs": "x"},
        [1],
        {"problem": {"html": "<script>"}},
    ],
    ids=str,
)
def test_the_executors_answers_are_checked_like_any_workers(path, line):
    Stand(path, answering(line, {"finished": True}))
    execution = execute(notebook("print(1)"), executor=path)
    for output in execution.notebook.cells[0].outputs:
        assert output.output_type in ("stream", "error") and isinstance(
            output.get("text", output.get("evalue")), str
        )
