"""GPU memory in use, by device and process, from what `nvidia-smi` prints. Pure.

`nvidia-smi -q -x` has what `--query-compute-apps=pid,gpu_uuid,used_memory` has, and for MIG also
which instance a process is on, which that query leaves out; `-L` adds the UUIDs of MIG devices.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import dataclass

from hub.facts.gpu_devices import mebibytes, read_gpus


@dataclass(frozen=True)
class GpuProcess:
    """One process on a device; `mib`: its GPU memory, CUDA's context included."""

    pid: int
    mib: int


@dataclass(frozen=True)
class Use:
    """A device's memory, MiB, and the processes that use it."""

    device: str
    used: int
    total: int
    processes: tuple[GpuProcess, ...]


def read_use(listing: str, xml: str) -> list[Use]:
    """The use of every GPU and MIG device.

    Leaves out processes of unknown memory (N/A, inside a virtual machine): nobody is
    stopped on a guess. Raises xml.etree.ElementTree.ParseError for invalid XML.
    """
    parts = {gpu.device.uuid: [each.uuid for each in gpu.mig_devices] for gpu in read_gpus(listing)}
    uses = []
    for gpu in ET.fromstring(xml).iter("gpu"):
        uuid = gpu.findtext("uuid", "")
        by_instance: dict[tuple[str, str], list[GpuProcess]] = {}
        for entry in gpu.iter("process_info"):
            mib = mebibytes(entry.findtext("used_memory"))
            if mib and "C" in entry.findtext("type", ""):
                process = GpuProcess(int(entry.findtext("pid", "0")), mib)
                by_instance.setdefault(_instance(entry), []).append(process)
        migs = list(gpu.iter("mig_device"))
        for mig in migs:
            index = int(mig.findtext("index", "0"))
            names = parts.get(uuid, [])
            if index < len(names):
                uses.append(_use(names[index], mig, by_instance.get(_instance(mig), [])))
        if not migs:
            everybody = [process for group in by_instance.values() for process in group]
            uses.append(_use(uuid, gpu, everybody))
    return uses


def _instance(entry: ET.Element) -> tuple[str, str]:
    return entry.findtext("gpu_instance_id", ""), entry.findtext("compute_instance_id", "")


def _use(device: str, entry: ET.Element, processes: list[GpuProcess]) -> Use:
    used = mebibytes(entry.findtext("fb_memory_usage/used"))
    total = mebibytes(entry.findtext("fb_memory_usage/total"))
    return Use(device, used, total, tuple(processes))
