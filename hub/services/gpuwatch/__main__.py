"""`python -m hub.services.gpuwatch`: reports and stops whoever exceeds their slot of a full GPU.

Runs as root in a container with the host's process ids (`pid: host`), the capability KILL, NVIDIA's
`utility` capability for nvidia-smi, no network, and the hub's map of slots read-only.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from xml.etree.ElementTree import ParseError

from hub.facts.container_paths import GPU_SLOTS
from hub.services.gpuwatch.processes import owner, stop
from hub.services.gpuwatch.usage import Use, read_use
from hub.services.gpuwatch.verdict import HeldSlot, Over, over_budget

INTERVAL = 10.0
SMI_SECONDS = 30


class Blind(Exception):
    """nvidia-smi or the map of slots cannot be read; the message says which, and why."""


def look() -> list[Use]:
    """The current output of nvidia-smi. Raises Blind."""
    try:
        output = [
            subprocess.run(
                ["nvidia-smi", *options],
                capture_output=True,
                text=True,
                timeout=SMI_SECONDS,
                check=True,
            ).stdout
            for options in (["-L"], ["-q", "-x"])
        ]
        return read_use(*output)
    except subprocess.CalledProcessError as error:
        raise Blind(f"nvidia-smi: {(error.stdout or error.stderr).strip()}") from error
    except (OSError, subprocess.TimeoutExpired, ParseError) as error:
        raise Blind(f"nvidia-smi: {error}") from error


def read_slots(path: Path) -> dict[str, HeldSlot]:
    """The hub's map; empty if it has not written one yet. Raises Blind."""
    try:
        entries = json.loads(path.read_text())
        return {container: HeldSlot(**entry) for container, entry in entries.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise Blind(f"{path}: {error}") from error


class GpuWatch:
    """Repeated checks; remembers what it has logged, so that each message appears once."""

    def __init__(self, slots: Path) -> None:
        self.slots = slots
        self._named: set[str] = set()
        self._blind = ""

    def check(self) -> Iterator[str]:
        """Check once, stop at most one process per device. Yields lines for the log."""
        try:
            uses, slots = look(), read_slots(self.slots)
        except Blind as error:
            if str(error) != self._blind:
                yield f"cannot watch: {error}"
            self._blind = str(error)
            return
        if self._blind:
            yield "watching again"
        self._blind = ""
        now: set[str] = set()
        for use in uses:
            owners = {each.pid: owner(each.pid) or "" for each in use.processes}
            found = over_budget(use, owners, slots)
            now |= {each.container for each in found}
            for each in found:
                if each.container not in self._named:
                    yield str(each)
            if found:
                yield self._stop(use, found[0])
        self._named = now

    def _stop(self, use: Use, worst: Over) -> str:
        pid = worst.largest.pid
        ending = stop(pid, worst.container)
        return (
            f"{use.device} is full ({use.used} of {use.total} MiB): stopped {worst.slot.user}'s "
            f"process {pid} ({worst.largest.mib} MiB): {ending}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m hub.services.gpuwatch", description=__doc__)
    parser.add_argument("--slots", type=Path, default=Path(GPU_SLOTS))
    parser.add_argument("--interval", type=float, default=INTERVAL, help="seconds")
    arguments = parser.parse_args()
    watch = GpuWatch(arguments.slots)
    print(f"watching GPU memory every {arguments.interval:g} s", flush=True)
    while True:
        for line in watch.check():
            print(line, flush=True)
        time.sleep(arguments.interval)


if __name__ == "__main__":
    main()
