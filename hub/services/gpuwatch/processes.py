"""Processes of this host: which container each belongs to, and stopping one."""

from __future__ import annotations

import os
import re
import select
import signal
from pathlib import Path

CONTAINER = re.compile(r"(?:docker[-/])?\b([0-9a-f]{64})\b")
GRACE = 5.0  # seconds between notifying a kernel and killing it


def container_of(cgroup: str) -> str | None:
    """The container id in the text of /proc/<pid>/cgroup; None for a process of the host.

    Version 1 has a line per controller (`8:pids:/docker/<id>`), version 2 a single one
    (`0::/system.slice/docker-<id>.scope`; from inside another container, `0::/../<id>`). The
    innermost id counts, as an engine inside a container has its own below it.
    """
    for line in cgroup.splitlines():
        ids = CONTAINER.findall(line.rpartition(":")[2])
        if ids:
            return ids[-1]
    return None


def owner(pid: int, proc: Path = Path("/proc")) -> str | None:
    """The container of process `pid`; None if it has none or the process is gone."""
    try:
        return container_of((proc / str(pid) / "cgroup").read_text())
    except OSError:
        return None


def stop(pid: int, container: str, grace: float = GRACE) -> str:
    """Stop process `pid` if it is (still) in `container`; returns what happened, as text.

    First sends SIGUSR1, at which a kernel shows why on its page and exits
    (`hub.singleuser.gpu.exit_message`) and other programs exit; after `grace` seconds SIGKILL.
    A pidfd holds the process, so that a reused pid cannot hit
    another process.
    """
    try:
        held = os.pidfd_open(pid)
    except ProcessLookupError:
        return "it had already exited"
    try:
        if owner(pid) != container:
            return "it had already exited"
        signal.pidfd_send_signal(held, signal.SIGUSR1)
        if _ended(held, grace):
            return "it exited"
        signal.pidfd_send_signal(held, signal.SIGKILL)
        return (
            "it was killed" if _ended(held, grace) else "it cannot be killed (stuck in the driver?)"
        )
    except ProcessLookupError:
        return "it exited"
    finally:
        os.close(held)


def _ended(held: int, seconds: float) -> bool:
    poll = select.poll()
    poll.register(held, select.POLLIN)
    return bool(poll.poll(seconds * 1000))
