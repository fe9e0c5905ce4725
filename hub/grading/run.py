"""Runs one notebook's worker in a scratch folder, and ends all that it started.

Used by `execute` in this process, and by the executor, which gives each run users of its own.
What the worker says comes back as bytes that nobody has believed yet.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from course.models import models_folders
from hub.grading.landlock import PACKAGES, STUDENTS_FOLDERS
from hub.grading.limits import Limits
from hub.grading.processes import MARKER, Watch, descendants, end_tree, hide_memory
from hub.grading.transport import Line

GRACE_SECONDS = 90  # start of the kernel and the end of the tree, on top of the total time
LOG_BYTES = 500  # of what the worker wrote to stderr last

# In the scratch folder: `work`, `home` and `tmp` are the student code's, sockets of the kernel
# are in `run`, and `tests` belongs to what judges.
TESTS_FOLDER = "tests"


@dataclass(frozen=True)
class Answer:
    """What came of a run.

    lines: what the worker wrote; `hub.grading.execute` reads it.
    stopped: why the worker had to be ended or ended by itself, in a sentence; None if it says it.
    seconds: wall time.
    """

    lines: bytes
    stopped: str | None
    seconds: float


def run_here(
    request: Mapping[str, Any],
    files: Mapping[str, Path],
    limits: Limits,
    models: Path | None = None,
) -> Answer:
    """Run a request (see `worker`) as the user who calls, in a temporary folder.

    models: a folder of checkpoints that is tried before all others.

    This process's memory, environment and descriptors are closed to other processes of the same
    user from here on: student code is one of them.
    """
    hide_memory()
    with tempfile.TemporaryDirectory(prefix="logitlab-", ignore_cleanup_errors=True) as scratch:
        make_folders(Path(scratch))
        for name, path in files.items():
            if not path.is_symlink() and path.is_file() and (target := inside(scratch, name)):
                shutil.copyfile(path, target)
        marker = secrets.token_hex(16)
        environment = {MARKER: marker}
        if models is not None:
            folders = [models.resolve(), *models_folders()]
            environment["COURSE_MODELS"] = os.pathsep.join(map(str, folders))
        most = answer_bytes(limits, len(request["notebook"]["cells"]))
        with worker(json.dumps(request).encode(), Path(scratch), environment, most) as running:
            try:
                running.wait(limits, lambda: [one.pid for one in descendants(running.process.pid)])
            finally:
                end_tree(running.process.pid, marker)
                running.process.wait()
            return running.answer()


def make_folders(scratch: Path) -> None:
    for name in (*STUDENTS_FOLDERS, TESTS_FOLDER):
        (scratch / name).mkdir(mode=0o700)


def inside(scratch: Path | str, name: str) -> Path | None:
    """Where the file `name` goes in a scratch folder; None for a name that leads out of it."""
    relative = PurePosixPath(name)
    if relative.is_absolute() or ".." in relative.parts or not relative.name or "\0" in name:
        return None
    target = Path(scratch, "work", relative)
    target.parent.mkdir(parents=True, exist_ok=True)
    return target


class Running:
    """A worker, the line to it, and the line on which its stderr comes."""

    def __init__(
        self, process: subprocess.Popen[bytes], scratch: Path, results: Line, log: Line
    ) -> None:
        self.process = process
        self._scratch, self._results, self._log = scratch, results, log
        self._stopped: str | None = None
        self._started = time.monotonic()

    def wait(
        self,
        limits: Limits,
        tree: Callable[[], list[int]],
        cancelled: Callable[[], bool] = lambda: False,
    ) -> None:
        """Wait for the worker to end, or for a limit to be passed by the processes of `tree`."""
        deadline = self._started + limits.total_seconds + GRACE_SECONDS
        watch = Watch(limits, self._scratch)
        while self._stopped is None:
            try:
                self.process.wait(timeout=0.25)
                return
            except subprocess.TimeoutExpired:
                pass
            if cancelled():
                self._stopped = "Nobody waits for the outcome any more"
            elif time.monotonic() > deadline:
                self._stopped = (
                    f"The notebook was not finished {GRACE_SECONDS} s after its time limit"
                )
            else:
                self._stopped = watch.beyond(tree())

    def answer(self) -> Answer:
        """What the worker, which has ended, wrote; also where it was killed."""
        self._results.close()
        self._log.close()
        stopped = self._stopped or _last_words(self._log.received())
        return Answer(self._results.received(), stopped, time.monotonic() - self._started)


def answer_bytes(limits: Limits, cells: int) -> int:
    """Bytes that are kept of a worker's answer about a notebook of so many cells."""
    return 4 * limits.output_bytes + 100_000 * (cells + 10)


@contextmanager
def worker(
    request: bytes, scratch: Path, environment: Mapping[str, str], most: int, **options: Any
) -> Iterator[Running]:
    """A worker that is sent `request`, and of whose answer `most` bytes are kept.

    `options` go to Popen, `arguments` among them to the worker.
    """
    arguments = options.pop("arguments", ())
    results, log = Line(most, request), Line(LOG_BYTES, newest=True)
    try:
        process = subprocess.Popen(
            [sys.executable, "-P", "-s", "-m", "hub.grading.worker", *map(str, arguments)],
            stdin=results.theirs.fileno(),
            stdout=results.theirs.fileno(),
            stderr=log.theirs.fileno(),
            cwd=scratch / TESTS_FOLDER,
            env={**students_environment(scratch), **own_environment(scratch), **environment},
            start_new_session=True,
            **options,
        )
        results.start()
        log.start()
        yield Running(process, scratch, results, log)
    finally:
        results.close()
        log.close()


def students_environment(scratch: Path) -> dict[str, str]:
    """What student code may see: nothing of the grader's own environment but the models."""
    environment = {
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), "/usr/bin", "/bin"]),
        "PYTHONPATH": str(PACKAGES),
        "HOME": str(scratch / "home"),
        "TMPDIR": str(scratch / "tmp"),
        "JUPYTER_RUNTIME_DIR": str(scratch / "tmp"),
        "USER": "student",  # its number has no name
        "LANG": "C.UTF-8",
        "LC_ALL": "C.UTF-8",
        "OMP_NUM_THREADS": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "HF_HUB_OFFLINE": "1",
        # Figures as data: the default of Plotly puts 4.8 MB of script into the output as well.
        "PLOTLY_RENDERER": "plotly_mimetype",
        "NBGRADER_EXECUTION": "autograde",
    }
    # Named, as a job's own data folder holds none.
    environment["COURSE_MODELS"] = os.pathsep.join(map(str, models_folders()))
    if device := os.environ.get("COURSE_DEVICE"):
        environment["COURSE_DEVICE"] = device
    return environment


def own_environment(scratch: Path) -> dict[str, str]:
    """Where it differs for the worker and the trusted process of tests apart."""
    own = str(scratch / TESTS_FOLDER)
    return {"HOME": own, "TMPDIR": own, "JUPYTER_RUNTIME_DIR": own}


def _last_words(log: bytes) -> str:
    lines = log.decode("utf-8", "replace").strip().splitlines()
    return "The process that ran the notebook ended early" + (f" ({lines[-1]})" if lines else "")
