"""GPUs and MIG devices of a host, from what `nvidia-smi` prints. Standard library only, as the
host's own tool reads it too.

Formats: `nvidia-smi -L` (one line a device; MIG devices below their GPU, which drivers before
470 named MIG-GPU-<uuid>/<instance>/<instance>) and `nvidia-smi -q -x` (XML, with memory).
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

UUID = re.compile(r"(GPU|MIG)-[0-9a-zA-Z-]+(/\d+/\d+)?")
GPU_LINE = re.compile(r"GPU (?P<index>\d+): (?P<name>.+?) \(UUID: (?P<uuid>[^\s)]+)\)")
MIG_LINE = re.compile(
    r"\s+MIG (?P<profile>\S+)\s+Device\s+(?P<index>\d+): \(UUID: (?P<uuid>[^\s)]+)\)"
)
GIGABYTES = re.compile(r"(\d+)gb")


@dataclass(frozen=True)
class Device:
    """Something that one container can ask for: a GPU, or a MIG device of one."""

    uuid: str
    mib: int  # memory; 0: unknown
    name: str = "GPU"


@dataclass(frozen=True)
class Gpu:
    """One GPU of the host, and what it is divided into."""

    device: Device
    mig: bool = False
    mig_devices: tuple[Device, ...] = ()

    @property
    def usable(self) -> tuple[Device, ...]:
        """What containers can ask for. A GPU in MIG mode computes only through its parts."""
        return self.mig_devices if self.mig or self.mig_devices else (self.device,)


def read_gpus(listing: str, xml: str = "") -> list[Gpu]:
    """GPUs of `nvidia-smi -L`, with the memory and MIG mode that `nvidia-smi -q -x` adds.

    Without XML, the memory of a GPU is unknown and that of a MIG device is told from its profile.
    """
    memory, in_mig_mode = _memory(xml)
    gpus: list[Gpu] = []
    for line in listing.splitlines():
        if found := GPU_LINE.match(line):
            uuid = found["uuid"]
            device = Device(uuid, memory.get((uuid, None), 0), found["name"])
            gpus.append(Gpu(device, uuid in in_mig_mode))
        elif (found := MIG_LINE.match(line)) and gpus:
            last = gpus[-1]
            mib = memory.get((last.device.uuid, int(found["index"]))) or _nominal(found["profile"])
            part = Device(found["uuid"], mib, f"{last.device.name} MIG {found['profile']}")
            gpus[-1] = Gpu(last.device, last.mig, (*last.mig_devices, part))
    return gpus


def _memory(xml: str) -> tuple[dict[tuple[str, int | None], int], set[str]]:
    """MiB by (GPU, MIG index or None), and the GPUs in MIG mode."""
    memory: dict[tuple[str, int | None], int] = {}
    in_mig_mode: set[str] = set()
    if not xml.strip():
        return memory, in_mig_mode
    for gpu in ET.fromstring(xml).iter("gpu"):
        uuid = gpu.findtext("uuid", "")
        memory[uuid, None] = mebibytes(gpu.findtext("fb_memory_usage/total"))
        if gpu.findtext("mig_mode/current_mig") == "Enabled":
            in_mig_mode.add(uuid)
        for part in gpu.iter("mig_device"):
            index = int(part.findtext("index", "0"))
            memory[uuid, index] = mebibytes(part.findtext("fb_memory_usage/total"))
    return memory, in_mig_mode


def mebibytes(text: str | None) -> int:
    """The number of '4864 MiB'; 0 for 'N/A' and the like."""
    found = re.fullmatch(r"(\d+) MiB", (text or "").strip())
    return int(found[1]) if found else 0


def _nominal(profile: str) -> int:
    # A 1g.5gb device has 4864 MiB, a 1g.10gb one 9728: 95 % of what its name says.
    found = GIGABYTES.search(profile)
    return int(found[1]) * 1024 * 95 // 100 if found else 0


def usable(gpus: Sequence[Gpu]) -> list[Device]:
    """Every device that a container can ask for, in the host's order."""
    return [device for gpu in gpus for device in gpu.usable]


def to_variable(devices: Sequence[Device]) -> str:
    """`LOGITLAB_GPUS`, by which the host's tool tells the hub: uuid:MiB:name, with commas."""
    return ",".join(f"{each.uuid}:{each.mib}:{_plain(each.name)}" for each in devices)


def _plain(name: str) -> str:
    """A name without what separates devices, or what Compose takes for a variable."""
    return re.sub(r"[^\w .()/+-]", " ", name)


def from_variable(text: str) -> list[Device]:
    """The devices of `LOGITLAB_GPUS`; name and memory may be missing.

    Raises ValueError with the part that is none.
    """
    devices = []
    for part in filter(None, (part.strip() for part in text.split(","))):
        uuid, mib, name = [*part.split(":", 2), "", ""][:3]
        if not UUID.fullmatch(uuid) or not (mib or "0").isdigit():
            raise ValueError(f"LOGITLAB_GPUS: {part!r}: uuid:MiB:name, e.g. GPU-1234:40960:A100")
        devices.append(Device(uuid, int(mib or 0), name or "GPU"))
    return devices


def chosen(devices: Sequence[Device], setting: str | Sequence[str]) -> list[Device]:
    """Those of the host's `devices` that `gpus.devices` names, in its order; `auto`: all.

    A named device that the host lacks is left out; `missing` names it.
    """
    if setting == "none":
        return []
    if setting == "auto":
        return list(devices)
    known: Mapping[str, Device] = {device.uuid: device for device in devices}
    return [known[uuid] for uuid in dict.fromkeys(setting) if uuid in known]


def missing(devices: Sequence[Device], setting: str | Sequence[str]) -> list[str]:
    """The devices that `gpus.devices` names and the host lacks."""
    if isinstance(setting, str):
        return []
    known = {device.uuid for device in devices}
    return [uuid for uuid in dict.fromkeys(setting) if uuid not in known]
