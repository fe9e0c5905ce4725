"""A real executor in a container, as compose starts it, with this checkout's code."""

from __future__ import annotations

import os
import secrets
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hub.facts import env
from hub.grading.sandbox.remote import status
from tests.needs import TAG, need

CHECKOUT = Path(__file__).parents[2]
APP = "/opt/logitlab/app"
IMAGE = f"logitlab/grader:{TAG}"
CAPABILITIES = ("SETUID", "SETGID", "CHOWN", "DAC_OVERRIDE")


def docker(*arguments: str, check: bool = True, seconds: float = 60) -> str:
    done = subprocess.run(
        ["docker", *arguments], capture_output=True, text=True, timeout=seconds, check=False
    )
    if check and done.returncode:
        raise RuntimeError(f"docker {arguments[0]}: {done.stderr[-2000:]}")
    return done.stdout + done.stderr


class Executor:
    """A container that runs `python -m hub.services.executor`."""

    def __init__(self, folder: Path, *, options: tuple[str, ...] = (), workers: int = 2) -> None:
        self.name = f"logitlab-test-executor-{secrets.token_hex(4)}"
        self.socket = folder / "socket"
        docker(
            *("run", "--detach", "--name", self.name, "--label", "logitlab.test=executor"),
            *("--restart", "unless-stopped", "--network", "none", "--read-only"),
            *("--cap-drop", "ALL", *(f"--cap-add={name}" for name in CAPABILITIES)),
            *("--security-opt", "no-new-privileges", "--user", "root"),
            *("--memory", "4g", "--pids-limit", "2048"),
            *("--tmpfs", "/scratch:mode=0711,exec,size=512m"),
            *("--volume", f"{folder}:/run/executor"),
            *("--volume", f"{CHECKOUT / 'hub'}:{APP}/hub:ro"),
            *("--volume", f"{CHECKOUT / 'course' / 'calls.py'}:{APP}/course/calls.py:ro"),
            *options,
            *(IMAGE, "python", "-m", "hub.services.executor"),
            *("--workers", str(workers), "--grader", str(os.getuid())),
        )

    def wait(self, seconds: float = 30) -> None:
        """Wait until it answers."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                status(self.socket)
                return
            except OSError:
                time.sleep(0.1)
        raise TimeoutError(self.log())

    def cleared(self, seconds: float = 30) -> None:
        """Wait until it has put away what executions left: it does so after it has answered."""
        deadline = time.monotonic() + seconds
        while status(self.socket)["running"]:
            if time.monotonic() > deadline:
                raise TimeoutError(self.log())
            time.sleep(0.1)

    def log(self) -> str:
        return docker("logs", self.name)

    def inside(self, *command: str, user: str = "root", check: bool = True) -> str:
        """Run a command in the container, beside the executor."""
        return docker("exec", "--user", user, self.name, *command, check=check)

    def job_processes(self) -> list[str]:
        """The lines of `top` of processes with users of executions."""
        lines = docker("top", self.name, "-eo", "uid,pid,args").splitlines()[1:]
        return [line for line in lines if line.split()[0].isdigit() and int(line.split()[0]) >= 3e4]

    def remove(self) -> None:
        docker("rm", "--force", "--volumes", self.name, check=False)


@contextmanager
def executor(folder: Path, **options) -> Iterator[Executor]:
    """An executor that answers, and that what nbgrader makes uses meanwhile."""
    need("images")
    running = Executor(folder, **options)
    try:
        running.wait()
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv(env.EXECUTOR, str(running.socket))
            yield running
    finally:
        running.remove()
