"""Processes of this host: which container each is of, and ending one."""

from __future__ import annotations

import os
import re
import select
import signal
from pathlib import Path

CONTAINER = re.compile(r"(?:docker[-/])?\b([0-9a-f]{64})\b")
GRACE = 5.0  # seconds between telling a kernel and ending it


def container_of(cgroup: str) -> str | None:
    """The container id in the text of /proc/<pid>/cgroup; None for a process of the host.

    Version 1 has a line a controller (`8:pids:/docker/<id>`), version 2 one
    (`0::/system.slice/docker-<id>.scope`; from inside another container, `0::/../<id>`). The
    innermost id counts: an engine inside a container has its own below it.
    """
    for line in cgroup.splitlines():
        ids = CONTAINER.findall(line.rpartition(":")[2])
        if ids:
            return ids[-1]
    return None


def owner(pid: int, proc: Path = Path("/proc")) -> str | None:
    """The container of process `pid`; None also where it is gone."""
    try:
        return container_of((proc / str(pid) / "cgroup").read_text())
    except OSError:
        return None


def stop(pid: int, container: str, grace: float = GRACE) -> str:
    """End process `pid` if it is of `container` (still); what happened, in a few words.

    First SIGUSR1, at which a kernel says why on its page and ends
    (`hub.singleuser.gpu.exit_message`) and any other program ends; after `grace` seconds SIGKILL.
    The process is held by a descriptor, so that a number used again in the meantime hits nobody
    else.
    """
    try:
        held = os.pidfd_open(pid)
    except ProcessLookupError:
        return "it had ended"
    try:
        if owner(pid) != container:
            return "it had ended"
        signal.pidfd_send_signal(held, signal.SIGUSR1)
        if _ended(held, grace):
            return "it ended"
        signal.pidfd_send_signal(held, signal.SIGKILL)
        return "it was killed" if _ended(held, grace) else "it does not end (in the driver?)"
    except ProcessLookupError:
        return "it ended"
    finally:
        os.close(held)


def _ended(held: int, seconds: float) -> bool:
    poll = select.poll()
    poll.register(held, select.POLLIN)
    return bool(poll.poll(seconds * 1000))
