"""A server's start with a GPU: connects `Slots` and a spawner."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from typing import Any, TypeVar

from hub.jupyterhub.spawners.gpu import messages
from hub.jupyterhub.spawners.gpu.failures import gpu_failure
from hub.jupyterhub.spawners.gpu.placement import QueueChoice
from hub.jupyterhub.spawners.gpu.request import Placement
from hub.jupyterhub.spawners.gpu.slots import Slots, SlotTaken

log = logging.getLogger(__name__)
Started = TypeVar("Started")


class GpuStart:
    """Acquires a GPU slot for `holder`, and releases it."""

    def __init__(self, slots: Slots, holder: str) -> None:
        self.slots, self.holder = slots, holder

    async def start(
        self,
        answer: QueueChoice | None,
        start: Callable[[Placement], Awaitable[tuple[str, Started]]],
    ) -> Started:
        """Reserve a slot, then `start(placement)`; if that fails, try another GPU, then none.

        `start` starts the container with the placement's device requests, environment and
        labels, and returns (its id, whatever the spawner needs). It is called again after a
        failure of the GPU, and must then remove what the last call left. Waiting for a slot
        happens before, outside of `start`. If `start` raises SlotTaken, another slot is
        reserved. Any other failure releases the slot and is raised.
        """
        placement = await self.slots.reserve(self.holder, answer)
        tries = len(self.slots.devices)
        while True:
            try:
                container, started = await start(placement)
            except SlotTaken as error:
                log.info("%s", error)
                self.slots.release(self.holder)
                placement = await self.slots.reserve(self.holder, answer, first=True)
                continue
            except BaseException as error:
                reach = gpu_failure(failure_text(error))
                if placement.device is None or reach is None or not isinstance(error, Exception):
                    self.slots.release(self.holder)
                    raise
                failed = placement.device.uuid if reach == "device" else None
                self.slots.failed(self.holder, failed, failure_text(error))
            else:
                self.slots.started(self.holder, container)
                return started
            tries -= 1
            if tries > 0:
                placement = await self.slots.reserve(self.holder, answer, first=True)
            else:
                placement = self.slots.without(self.holder)

    def stopped(self) -> None:
        """The server is gone. May be called again."""
        self.slots.release(self.holder)

    def message(self) -> str | None:
        """One line for the spawn page about the current state."""
        view = self.slots.view(self.holder)
        return messages.message(view) if view else None

    def watching(self) -> AbstractContextManager[None]:
        """Around the spawner's `progress`: a page is open."""
        return self.slots.watching(self.holder)

    async def form(self) -> str:
        """JupyterHub's options form: the question of `when_full: ask`, or empty."""
        position = await self.slots.offer(self.holder)
        return messages.form(position) if position else ""

    @staticmethod
    def answer(user_options: dict[str, Any]) -> QueueChoice | None:
        """Set the answer to `form`, which may be from an earlier start."""
        given = user_options.get("gpu")
        return given if given in ("cpu", "wait") else None


def failure_text(error: BaseException) -> str:
    """An error's full message; docker-py keeps the engine's in `explanation`."""
    explanation = getattr(error, "explanation", None)
    if isinstance(explanation, bytes):
        explanation = explanation.decode(errors="replace")
    return f"{error} {explanation or ''}"
