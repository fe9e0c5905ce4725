"""Runs the commands of an installation and passes on their output, line by line."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

from hub.host.install.errors import InstallError

HEARTBEAT = 10.0  # seconds of silence before `heartbeat` is asked for a line
INTERRUPTIONS = (signal.SIGINT, signal.SIGTERM)
TAIL = 15  # lines of output that an error repeats
ADVICE = (
    "Run the same command again to resume. Behind a proxy, set HTTPS_PROXY; with a "
    "package mirror, set PIP_INDEX_URL, UV_DEFAULT_INDEX and npm_config_registry."
)


def run(
    command: list[str | Path],
    *,
    cwd: Path,
    extra_env: dict[str, str] | None = None,
    keep_open: int | None = None,
    say: tuple[str, ...] = (),
    heartbeat: Callable[[], str] | None = None,
) -> Iterator[str]:
    """Run `command`, yielding the lines of its output that start with one of `say`.

    `keep_open` is a file descriptor that the command inherits: the lock of the installation is
    held until the last command has exited, even if the installer itself was killed.
    Raises InstallError with the last lines of the output if the command fails. Closing the
    generator early, for example by Ctrl-C, ends the command.
    """
    tail: deque[str] = deque(maxlen=TAIL)
    process = None
    try:
        # An interrupt while the command is starting must find it in `process`.
        signal.pthread_sigmask(signal.SIG_BLOCK, INTERRUPTIONS)
        process = subprocess.Popen(
            [str(part) for part in command],
            cwd=cwd,
            env={**os.environ, **(extra_env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=() if keep_open is None else (keep_open,),
            preexec_fn=_let_interruptions_through,
        )
        _let_interruptions_through()
        for line in _lines(process, heartbeat):
            if line is None:
                yield heartbeat() if heartbeat else ""
                continue
            tail.append(line)
            if line.strip().startswith(say):
                yield line.strip()
        if process.wait():
            raise InstallError(
                f"{Path(command[0]).name} failed (exit {process.returncode}). Its output:\n"
                + "\n".join(f"    {line}" for line in tail),
                ADVICE,
            )
    finally:
        _let_interruptions_through()
        if process and process.poll() is None:
            process.terminate()
            process.wait()


def _let_interruptions_through() -> None:
    signal.pthread_sigmask(signal.SIG_UNBLOCK, INTERRUPTIONS)


def _lines(process: subprocess.Popen, heartbeat: Callable[[], str] | None) -> Iterator[str | None]:
    """Lines of output as they arrive, and None after every HEARTBEAT seconds of silence."""
    assert process.stdout is not None
    unfinished = b""
    with selectors.DefaultSelector() as waiting, process.stdout as output:
        waiting.register(output, selectors.EVENT_READ)
        while True:
            if not waiting.select(HEARTBEAT if heartbeat else None):
                yield None
                continue
            read = os.read(output.fileno(), 65536)
            *whole, unfinished = (unfinished + read).replace(b"\r", b"\n").split(b"\n")
            for line in whole if read else [*whole, unfinished]:
                if line.strip():
                    yield line.decode(errors="replace")
            if not read:
                return
