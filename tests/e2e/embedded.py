"""The embedded server as a stage: `logitlab serve` on a course folder and port of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hub.serve import free_port

LOGITLAB = Path(sys.executable).parent / "logitlab"
START_SECONDS = 240
STOP_SECONDS = 60


@dataclass
class RunningServer:
    """A running embedded server."""

    course: Path
    url: str
    process: subprocess.Popen[str]
    said: list[str]

    @property
    def passwords(self) -> dict[str, str]:
        path = self.course / "server" / "accounts.json"
        return dict(json.loads(path.read_text(encoding="utf-8")))


def start(course: Path, port: int) -> RunningServer:
    """Start the demonstration course at `course`, as `make serve` does; returns when it is up."""
    environment = os.environ | {"LOGITLAB_COURSE": str(course), "LOGITLAB_PORT": str(port)}
    process = subprocess.Popen(
        [str(LOGITLAB), "serve"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    running = RunningServer(course, f"http://localhost:{port}", process, [])
    deadline = time.monotonic() + START_SECONDS
    assert process.stdout
    for line in process.stdout:
        running.said.append(line.rstrip("\n"))
        if line.startswith("Press Ctrl-C"):
            return running
        if time.monotonic() > deadline:
            break
    stop(running)
    raise RuntimeError("the server did not start:\n" + "\n".join(running.said))


def stop(running: RunningServer) -> str:
    """Press Ctrl-C; returns what the server still said."""
    if running.process.poll() is None:
        running.process.send_signal(signal.SIGINT)
    try:
        output, _ = running.process.communicate(timeout=STOP_SECONDS)
    except subprocess.TimeoutExpired:
        running.process.kill()
        raise
    return output


@contextmanager
def served(course: Path, port: int | None = None) -> Iterator[RunningServer]:
    running = start(course, port or free_port())
    try:
        yield running
    finally:
        stop(running)


def exported_grades(course: Path) -> str:
    """What `logitlab export` writes."""
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "grades.csv"
        command = [str(LOGITLAB), "export", f"--course={course}", str(target)]
        subprocess.run(command, check=True, timeout=120)
        return target.read_text(encoding="utf-8")
