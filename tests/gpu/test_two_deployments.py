"""Two deployments on one host, each behind a guard of its own, share the host's GPUs."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress

import pytest
from docker.errors import NotFound

from hub.core.settings import GpuSettings
from hub.facts.gpu_devices import Device
from hub.jupyterhub.spawners.container import as_listed
from hub.jupyterhub.spawners.gpu.claim import GpuStart
from hub.jupyterhub.spawners.gpu.request import Placement
from hub.jupyterhub.spawners.gpu.slots import ListedContainer, Slots, SlotTaken
from tests.gpu.engine import GpuEngine, gpu_engine
from tests.guard.engine import Guarded, ask, guarded
from tests.guard.samples import GPU, OTHER_GPU, created, person, with_gpu

pytestmark = pytest.mark.docker
A, B = Device(GPU, 40960, "A100"), Device(OTHER_GPU, 40960, "A100")


@pytest.fixture(scope="module")
def engine() -> Iterator[GpuEngine]:
    with gpu_engine() as engine:
        engine.exist(A.uuid, B.uuid)
        yield engine


@pytest.fixture
def two(engine: GpuEngine) -> Iterator[tuple[Guarded, Guarded]]:
    gpus = (A.uuid, B.uuid)
    with (
        guarded(engine.client, engine.socket, gpus) as one,
        guarded(engine.client, engine.socket, gpus) as other,
    ):
        yield one, other


class Hub:
    """As much of a hub behind its guard as a start with a GPU needs."""

    def __init__(self, guard: Guarded, per_device: int = 1) -> None:
        self.guard, self.client = guard, guard.client()
        rules = GpuSettings(students_per_device=per_device)
        self.slots = Slots([A, B], rules, self.listed)

    async def listed(self) -> list[ListedContainer]:
        found = await asyncio.to_thread(
            self.client.containers, all=True, filters={"label": ["logitlab.gpu"]}
        )
        return [as_listed(each, self.guard.policy.project) for each in found]

    async def start(self, user: str) -> None:
        """Start `user`'s container, as ContainerSpawner does: created, confirmed, started."""

        async def start(placement: Placement) -> tuple[str, None]:
            container = await asyncio.to_thread(self._create, user, placement)
            try:
                await self.slots.confirm(user, container)
            except SlotTaken:
                await asyncio.to_thread(self.stop, user)
                raise
            await asyncio.to_thread(self.client.start, container)
            return container, None

        await GpuStart(self.slots, user).start(None, start)

    def _create(self, user: str, placement: Placement) -> str:
        policy = self.guard.policy
        body = created(user, policy=policy)
        if placement.device:
            body = with_gpu(body, placement.device.uuid)
        target = f"/v1.41/containers/create?name={person(user, policy=policy).name}"
        status, answer = ask(self.guard.socket, "POST", target, body)
        assert status == 201, answer
        return answer["Id"]

    def stop(self, user: str) -> None:
        name = person(user, policy=self.guard.policy).name
        with suppress(NotFound):
            self.client.remove_container(name, force=True)


def on_devices(engine: GpuEngine) -> dict[str, int]:
    """Device -> containers that run on it, by the engine."""
    found = [each["Labels"]["logitlab.gpu"] for each in engine.client.containers()]
    return {device: found.count(device) for device in {A.uuid, B.uuid, "cpu"} & set(found)}


def test_the_second_deployment_sees_the_firsts_slots_and_gets_what_it_leaves(engine, two):
    async def test() -> None:
        one, other = (Hub(guard) for guard in two)
        await one.start("alice")
        await other.start("alice")
        await other.start("carl")
        assert on_devices(engine) == {A.uuid: 1, B.uuid: 1, "cpu": 1}
        assert other.slots.state.elsewhere == {A.uuid: 1}
        one.stop("alice")
        await other.slots.reconcile()
        await other.start("dora")
        assert on_devices(engine) == {A.uuid: 1, B.uuid: 1, "cpu": 1}

    asyncio.run(test())


def test_two_classes_that_start_at_the_same_moment_never_share_a_slot(engine, two):
    async def test() -> None:
        one, other = (Hub(guard, per_device=2) for guard in two)
        names = [f"s{number}" for number in range(4)]
        await asyncio.gather(*(hub.start(name) for hub in (one, other) for name in names))
        found = on_devices(engine)
        assert sum(found.values()) == 8
        # Two that yield to each other may leave a slot free; none is ever taken twice.
        assert 1 <= found[A.uuid] <= 2 and 1 <= found[B.uuid] <= 2

    asyncio.run(test())
