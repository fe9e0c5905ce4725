"""A slot for Docker and the server: device request, environment, label. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hub.facts import env
from hub.facts.containers import GPU_LABEL, NO_GPU
from hub.facts.gpu_devices import Device


@dataclass(frozen=True)
class Placement:
    """What one server gets: a slot on `device` with `mib` of its memory, or none for `reason`."""

    device: Device | None
    mib: int = 0
    reason: str = ""

    @property
    def device_requests(self) -> list[dict[str, Any]]:
        """Docker's HostConfig.DeviceRequests.

        By UUID: `Count: 1` would not pick a free GPU, and indexes change at reboots. The driver
        uses only this list; an image's own NVIDIA_VISIBLE_DEVICES has no effect.
        """
        if self.device is None:
            return []
        return [
            {
                "Driver": "nvidia",
                "DeviceIDs": [self.device.uuid],
                "Capabilities": [["gpu"]],
            }
        ]

    @property
    def environment(self) -> dict[str, str]:
        """The device request alone decides what the server sees of the host's GPUs.

        Without a slot it sees none, even if the image requests all of them, or the engine's
        default runtime exposes them to everybody.
        """
        if self.device is None:
            return {env.GPU: f"cpu: {self.reason}", "NVIDIA_VISIBLE_DEVICES": "void"}
        variables = {env.GPU: f"{self.device.uuid}: {self.device.name}"}
        return variables | ({env.GPU_MIB: str(self.mib)} if self.mib else {})

    @property
    def labels(self) -> dict[str, str]:
        """The container's label, from which the hub rebuilds the slots after a restart."""
        return {GPU_LABEL: self.device.uuid if self.device else NO_GPU}
