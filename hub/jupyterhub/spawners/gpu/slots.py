"""The hub's list of GPU slots: asyncio and the engine around `placement`'s decisions.

The engine is authoritative: before the first reservation, and every few seconds, the slots are
compared with the running containers (by their labels). In between, every decision is made in
one step of the event loop, so that two people never get the same slot; starting a container
happens outside, and releases the slot if it fails.

Other deployments of the host have lists of their own. The engine arbitrates between them: a
container that requests a device is created, the host's containers are listed, and it is started
only if those created before it leave it room (`confirm`).
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from hub.facts import files
from hub.facts.gpu_devices import Device
from hub.jupyterhub.spawners.gpu import placement
from hub.jupyterhub.spawners.gpu.messages import InQueue, OnGpu, View, WithoutGpu
from hub.jupyterhub.spawners.gpu.placement import (
    FULL,
    NONE_WORKS,
    Ask,
    Cpu,
    QueueChoice,
    Slot,
    SlotRequest,
    SlotsState,
    Wait,
)
from hub.jupyterhub.spawners.gpu.request import Placement

log = logging.getLogger(__name__)


class Rules(Protocol):
    """The fields of `hub.core.settings.GpuSettings` that this needs."""

    @property
    def students_per_device(self) -> int: ...
    @property
    def mib_per_student(self) -> int | str: ...
    @property
    def when_full(self) -> placement.WhenFull: ...
    @property
    def staff_slots(self) -> int: ...


@dataclass(frozen=True)
class ListedContainer:
    """A container with our GPU label as the engine lists it."""

    holder: str | None  # label logitlab.user; None: another deployment's
    device: str  # label logitlab.gpu: a UUID, or cpu
    container: str = ""  # its full id
    runs: bool = True  # False: created but not started yet


@dataclass(frozen=True)
class Timeouts:
    """Seconds. The lease is a safety net under the spawner, which releases slots itself."""

    heal: float = 300  # until a failed device is retried
    lease: float = 3900  # of a reservation whose container never came; longer than any start
    away: float = 120  # until somebody who closed the page leaves the queue
    reconcile: float = 15  # interval; delays noticing that another deployment released a slot


class GaveUp(Exception):
    """Somebody in the queue no longer waits."""

    jupyterhub_message = "You left the queue for a GPU. Start again to rejoin it at the end."


class SlotTaken(Exception):
    """Another deployment got the device first; another slot must be reserved."""


def slots_of(device: Device, rules: Rules) -> int:
    """How many servers share `device`: as set, but no more than their memory allows."""
    wanted = rules.mib_per_student
    fits = device.mib // wanted if isinstance(wanted, int) and device.mib else None
    return rules.students_per_device if fits is None else min(rules.students_per_device, fits)


def budget_of(device: Device, rules: Rules) -> int:
    """GPU memory of one slot, MiB; 0: unknown, no budget."""
    if isinstance(rules.mib_per_student, int):
        return rules.mib_per_student
    return device.mib // rules.students_per_device


class Slots:
    """GPU slots of one hub.

    `listed` lists the host's containers with our GPU label, newest first, running and
    about to run; `staff` tells whether a user name is an instructor's or
    the grader's; `map_file` is written for the watcher (`hub.services.gpuwatch`): container id ->
    its user and how much GPU memory it may use.
    """

    def __init__(
        self,
        devices: Sequence[Device],
        rules: Rules,
        listed: Callable[[], Awaitable[Iterable[ListedContainer]]],
        *,
        staff: Callable[[str], bool] = lambda holder: False,
        map_file: Path | None = None,
        times: Timeouts | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.devices = {device.uuid: device for device in devices}
        self.rules, self.times = rules, times or Timeouts()
        self._listed, self._staff, self._clock = listed, staff, clock
        self._map_file, self._map_text = map_file, ""
        self._state = SlotsState(
            capacity={device.uuid: slots_of(device, rules) for device in devices},
            when_full=rules.when_full,
            staff_slots=rules.staff_slots,
        )
        self._rebuilding = asyncio.Lock()
        self._rebuilt = not self.devices
        self._waiters: dict[str, asyncio.Future[Slot | Cpu]] = {}
        self._reserved: dict[str, float] = {}  # since when a container is expected
        self._changed: dict[str, float] = {}  # when a holder's slot last changed
        self._containers: dict[str, str] = {}
        self._without: dict[str, str] = {}
        self._broken: dict[str, float] = {}
        self._watchers: dict[str, int] = {}

    @property
    def state(self) -> SlotsState:
        return self._state

    async def ready(self) -> None:
        """Return once the slots are those of the running containers.

        Raises what `listed` raises: no slot is assigned before the engine was asked.
        """
        if self._rebuilt:
            return
        async with self._rebuilding:
            if not self._rebuilt:
                await self._reconcile()
                self._rebuilt = True

    async def reserve(
        self, holder: str, answer: QueueChoice | None = None, *, first: bool = False
    ) -> Placement:
        """A slot for `holder`, or none with a reason; waits in the queue if so configured.

        If cancelled while waiting, it leaves the queue. `first`: at the head of the queue.
        Raises GaveUp if `holder` was released, or closed the page, while waiting.
        """
        await self.ready()
        request = SlotRequest(holder, self._staff(holder), answer)
        decision = placement.decide(self._state, request)
        if isinstance(decision, Ask):  # nobody to ask
            decision = Cpu(FULL)
        if isinstance(decision, Slot):
            self._state = placement.take(self._state, request, decision.device)
        if isinstance(decision, Wait):
            decision = await self._wait(holder, first)
        return self._placed(holder, decision)

    async def _wait(self, holder: str, first: bool) -> Slot | Cpu:
        self._give_up(holder)
        served: asyncio.Future[Slot | Cpu] = asyncio.get_running_loop().create_future()
        self._waiters[holder] = served
        self._state = placement.wait(self._state, holder, first=first)
        try:
            return await served
        except BaseException:
            if self._waiters.get(holder) is served:
                self.release(holder)
            raise
        finally:
            if self._waiters.get(holder) is served:
                del self._waiters[holder]

    def _placed(self, holder: str, decision: Slot | Cpu) -> Placement:
        now = self._clock()
        self._changed[holder] = now
        if isinstance(decision, Cpu):
            self._without[holder] = decision.reason
            return Placement(None, reason=decision.reason)
        self._without.pop(holder, None)
        self._reserved[holder] = now
        device = self.devices[decision.device]
        return Placement(device, budget_of(device, self.rules))

    async def confirm(self, holder: str, container: str) -> None:
        """Return if `holder`'s `container`, created but not yet started, may have its device.

        Raises SlotTaken if containers of other deployments, created before it, leave no room.
        """
        device = self._state.taken.get(holder)
        if device is None:
            return
        listed = list(await self._listed())
        self._state = placement.count_elsewhere(self._state, _elsewhere(listed))
        ids = [each.container for each in listed]
        older = listed[ids.index(container) + 1 :] if container in ids else listed
        before = _elsewhere(older)[device]
        if self._state.held(device) + before > self._state.capacity.get(device, 0):
            raise SlotTaken(f"{holder}: {device} was taken by another deployment meanwhile")

    def started(self, holder: str, container: str) -> None:
        """`holder`'s container is running."""
        self._reserved.pop(holder, None)
        self._changed[holder] = self._clock()
        if holder in self._state.taken:
            self._containers[holder] = container
            self._write_map()

    def release(self, holder: str) -> None:
        """`holder`'s server is gone, or never came. May be called again."""
        self._changed[holder] = self._clock()
        self._reserved.pop(holder, None)
        self._containers.pop(holder, None)
        self._without.pop(holder, None)
        self._state = placement.release(self._state, holder)
        self._give_up(holder)
        self._settle()

    def failed(self, holder: str, device: str | None, why: str) -> None:
        """`device` (None: any device) could not be attached to `holder`'s container."""
        until = self._clock() + self.times.heal
        for uuid in [device] if device else self.devices:
            self._broken[uuid] = until
        log.warning("GPU %s not used for %ds: %s", device or "(all)", self.times.heal, why)
        asyncio.get_running_loop().call_later(self.times.heal + 0.05, self._settle)
        self.release(holder)

    def without(self, holder: str, reason: str = NONE_WORKS) -> Placement:
        """`holder` starts without a GPU after all."""
        return self._placed(holder, Cpu(reason))

    async def offer(self, holder: str) -> int | None:
        """The queue position to ask `holder` about; None if there is nothing to ask."""
        await self.ready()
        decision = placement.decide(self._state, SlotRequest(holder, self._staff(holder)))
        return decision.position if isinstance(decision, Ask) else None

    def view(self, holder: str) -> View | None:
        """What to show `holder` now; None if undecided, or if there are no GPUs."""
        state = self._state
        if holder in state.waiting:
            return InQueue(state.waiting.index(holder) + 1, len(state.waiting))
        uuid = state.taken.get(holder)
        if uuid in self.devices:
            number = list(self.devices).index(uuid) + 1
            device = self.devices[uuid]
            return OnGpu(device.name, number, len(self.devices), state.load(uuid) - 1)
        reason = self._without.get(holder)
        return WithoutGpu(reason) if reason and self.devices else None

    @contextmanager
    def watching(self, holder: str) -> Iterator[None]:
        """Context in which a page of `holder`'s shows the queue; closing it for long leaves it."""
        self._watchers[holder] = self._watchers.get(holder, 0) + 1
        try:
            yield
        finally:
            self._watchers[holder] -= 1
            if not self._watchers[holder]:
                del self._watchers[holder]
                if holder in self._waiters:
                    loop = asyncio.get_running_loop()
                    loop.call_later(self.times.away, self._away, holder, self._waiters[holder])

    def _away(self, holder: str, waiter: asyncio.Future[Slot | Cpu]) -> None:
        if self._waiters.get(holder) is waiter and holder not in self._watchers:
            self.release(holder)

    def _give_up(self, holder: str) -> None:
        waiter = self._waiters.pop(holder, None)
        if waiter and not waiter.done():
            waiter.set_exception(GaveUp())

    def _settle(self) -> None:
        now = self._clock()
        self._broken = {uuid: until for uuid, until in self._broken.items() if until > now}
        state = placement.mark(self._state, frozenset(self._broken))
        self._state, served = placement.serve(state)
        for holder, decision in served.items():
            self._changed[holder] = now
            waiter = self._waiters.get(holder)
            if waiter and not waiter.done():
                waiter.set_result(decision)
        self._write_map()

    async def keep_in_step(self) -> None:
        """Compare with the engine forever; a background task of the hub."""
        while True:
            await asyncio.sleep(self.times.reconcile)
            try:
                await self.reconcile()
            except Exception as error:  # the engine is away; retry
                log.warning("GPU slots not compared with the engine: %s", error)

    async def reconcile(self) -> None:
        """Set the slots from the running containers, except for those that are changing."""
        async with self._rebuilding:
            await self._reconcile()
            self._rebuilt = True

    async def _reconcile(self) -> None:
        asked = self._clock()
        answer = list(await self._listed())
        listed = {each.holder: each for each in answer if each.holder and each.runs}
        now = self._clock()
        on = {holder: each.device for holder, each in listed.items()}
        self._reserved = {
            holder: since
            for holder, since in self._reserved.items()
            if now - since < self.times.lease
        }
        for holder in {*on, *self._state.taken}:
            # The list may be older than events that happened during the request.
            newer = self._changed.get(holder, asked - 1) >= asked
            # People who wait have no server; a listed one is left over and removed at the start.
            if holder in self._reserved or holder in self._waiters or newer:
                on.pop(holder, None)
                if holder in self._state.taken:
                    on[holder] = self._state.taken[holder]
        staff = frozenset(holder for holder in on if self._staff(holder))
        self._state = placement.count_elsewhere(self._state, _elsewhere(answer))
        self._state = placement.rebuild(self._state, on, staff)
        self._containers = {
            holder: listed[holder].container if holder in listed else self._containers[holder]
            for holder in self._state.taken
            if holder in listed or holder in self._containers
        }
        self._settle()

    def _write_map(self) -> None:
        if self._map_file is None:
            return
        entries = {
            container: {
                "user": holder,
                "device": self._state.taken[holder],
                "mib": self._budget(self._state.taken[holder]),
            }
            for holder, container in sorted(self._containers.items())
            if holder in self._state.taken
        }
        text = json.dumps(entries, indent=1) + "\n"
        if text == self._map_text:
            return
        try:
            files.replace(self._map_file, text, durable=False)
            self._map_text = text
        except OSError as error:  # only the watcher lacks it until the next change
            log.error("%s: cannot be written: %s", self._map_file, error)

    def _budget(self, uuid: str) -> int:
        device = self.devices.get(uuid)
        return budget_of(device, self.rules) if device else 0


def _elsewhere(listed: Iterable[ListedContainer]) -> Counter[str]:
    """Device -> number of other deployments' containers that have it."""
    return Counter(each.device for each in listed if each.holder is None)
