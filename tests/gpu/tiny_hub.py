"""A spawner of local processes that takes slots on GPUs as ContainerSpawner does."""

from __future__ import annotations

import asyncio
from typing import Any

from jupyterhub.spawner import SimpleLocalProcessSpawner

from hub.core.settings import GpuSettings
from hub.facts.gpu_devices import Device
from hub.jupyterhub.spawners.gpu.claim import GpuStart
from hub.jupyterhub.spawners.gpu.messages import read_form
from hub.jupyterhub.spawners.gpu.request import Placement
from hub.jupyterhub.spawners.gpu.slots import ListedContainer, Slots, Timeouts


async def nothing_runs() -> list[ListedContainer]:
    return []


SLOTS = Slots(
    [Device("GPU-aaaa", 40960, "A100")],
    GpuSettings(students_per_device=1, when_full="ask"),
    nothing_runs,
    times=Timeouts(away=1),
)


class GpuSpawner(SimpleLocalProcessSpawner):
    """One slot on one GPU for everybody."""

    start_timeout = 300
    given: dict[str, str]  # environment of the slot

    def get_env(self) -> dict[str, str]:
        return {**super().get_env(), **self.given}

    @property
    def gpu(self) -> GpuStart:
        return GpuStart(SLOTS, self.user.name)

    async def options_form(self, spawner: Any) -> str:
        return await self.gpu.form()

    def options_from_form(self, data: dict[str, list[str]]) -> dict[str, str]:
        return read_form(data)

    async def start(self) -> Any:
        async def start(placement: Placement) -> tuple[str, Any]:
            self.given = placement.environment
            return self.user.name, await super(GpuSpawner, self).start()

        return await self.gpu.start(GpuStart.answer(self.user_options), start)

    async def stop(self, now: bool = False) -> None:
        await super().stop(now)
        self.gpu.stopped()

    async def progress(self) -> Any:
        with self.gpu.watching():
            while self.pending == "spawn":
                yield {"progress": 10, "message": self.gpu.message()}
                await asyncio.sleep(0.2)
