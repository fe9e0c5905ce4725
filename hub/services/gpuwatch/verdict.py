"""Decides who is over the budget of their slot, and who is stopped. Pure.

Using more than one's share of an empty GPU costs nobody anything. Only if a device is nearly
full is anybody reported, and one process stopped: the largest of whoever is furthest over. Servers
within their budget are never stopped, however full the device is, and neither is a process that
belongs to none of our containers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hub.services.gpuwatch.usage import GpuProcess, Use

NEARLY_FULL = 0.95


@dataclass(frozen=True)
class HeldSlot:
    """A container's owner, and how much of its device it may use, MiB (0: no budget)."""

    user: str
    device: str
    mib: int


@dataclass(frozen=True)
class Over:
    """Somebody over their budget: `used` of `mib` MiB."""

    container: str
    slot: HeldSlot
    used: int
    largest: GpuProcess

    def __str__(self) -> str:
        return (
            f"{self.slot.user} uses {self.used} MiB of GPU memory, {self.used - self.slot.mib} "
            f"MiB more than the {self.slot.mib} MiB of the slot on {self.slot.device}"
        )


def over_budget(
    use: Use, owners: Mapping[int, str], slots: Mapping[str, HeldSlot]
) -> tuple[Over, ...]:
    """Those over their budget if `use`'s device is nearly full, the worst first.

    `owners`: pid -> container id; `slots`: container id -> slot.
    """
    if not use.total or use.used < NEARLY_FULL * use.total:
        return ()
    mine: dict[str, list[GpuProcess]] = {}
    for process in use.processes:
        container = owners.get(process.pid)
        if container is not None and container in slots:
            mine.setdefault(container, []).append(process)
    found = []
    for container, processes in mine.items():
        slot = slots[container]
        used = sum(process.mib for process in processes)
        if slot.mib and used > slot.mib:
            largest = max(processes, key=lambda process: (process.mib, process.pid))
            found.append(Over(container, slot, used, largest))
    return tuple(sorted(found, key=lambda over: (over.slot.mib - over.used, over.slot.user)))
