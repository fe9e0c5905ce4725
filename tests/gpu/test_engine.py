"""Real containers with real device requests, on an engine whose NVIDIA hook is a stand-in."""

from __future__ import annotations

import asyncio
import os
import shutil
import time
from collections.abc import Iterator

import pytest
from docker.api import APIClient
from docker.errors import APIError

from hub.core.settings import GpuSettings
from hub.facts.containers import GPU_LABEL as LABEL
from hub.facts.gpu_devices import Device
from hub.host.deploy.gpus import HOOK
from hub.jupyterhub.spawners.gpu.claim import GpuStart, failure_text
from hub.jupyterhub.spawners.gpu.failures import gpu_failure
from hub.jupyterhub.spawners.gpu.placement import FULL, NONE_WORKS
from hub.jupyterhub.spawners.gpu.request import Placement
from hub.jupyterhub.spawners.gpu.slots import ListedContainer, Slots
from hub.services.gpuwatch import processes
from hub.services.gpuwatch.usage import GpuProcess, Use
from hub.services.gpuwatch.verdict import HeldSlot, over_budget
from tests.gpu.engine import IMAGE, PROJECT, GpuEngine, gpu_engine
from tests.guard.engine import an_engine, tiny_image

pytestmark = pytest.mark.docker
A, B = Device("GPU-aaaa-1111", 40960, "A100"), Device("MIG-bbbb-2222", 19968, "A100 MIG 3g.20gb")


@pytest.fixture(scope="module")
def running_engine() -> Iterator[GpuEngine]:
    with gpu_engine() as engine:
        yield engine


@pytest.fixture
def engine(running_engine: GpuEngine) -> Iterator[GpuEngine]:
    running_engine.exist(A.uuid, B.uuid)
    yield running_engine
    running_engine.clear()


class Hub:
    """As much of a spawner as a start with a GPU needs."""

    def __init__(self, client: APIClient, image: str = IMAGE, **rules) -> None:
        self.client, self.image = client, image
        report = GpuSettings.model_validate({"students_per_device": 2} | rules)
        self.slots = Slots([A, B], report, self.listed)

    async def listed(self) -> list[ListedContainer]:
        found = await asyncio.to_thread(
            self.client.containers, filters={"label": f"logitlab.project={PROJECT}"}
        )
        return [
            ListedContainer(each["Labels"]["logitlab.user"], each["Labels"][LABEL], each["Id"])
            for each in found
        ]

    async def start(self, user: str) -> str:
        """Start `user`'s container; its id."""

        async def start(placement: Placement) -> tuple[str, str]:
            container = await asyncio.to_thread(self._start, user, placement)
            return container, container

        return await GpuStart(self.slots, user).start(None, start)

    def _start(self, user: str, placement: Placement) -> str:
        name = f"{PROJECT}-user-{user}"
        for left in self.client.containers(all=True, filters={"name": f"^/{name}$"}):
            self.client.remove_container(left["Id"], force=True)
        made = self.client.create_container(
            self.image,
            name=name,
            environment=placement.environment,
            labels={"logitlab.project": PROJECT, "logitlab.user": user, **placement.labels},
            host_config=self.client.create_host_config(
                network_mode="none", device_requests=placement.device_requests
            ),
        )
        self.client.start(made["Id"])
        return made["Id"]

    def given(self) -> dict[str, str]:
        """User -> device as the engine has it in the container's host configuration."""
        given = {}
        for each in self.client.containers(filters={"label": f"logitlab.project={PROJECT}"}):
            inspected = self.client.inspect_container(each["Id"])
            requests = inspected["HostConfig"]["DeviceRequests"] or []
            assert len(requests) <= 1
            ids = requests[0]["DeviceIDs"] if requests else ["cpu"]
            assert each["Labels"][LABEL] == ids[0]
            assert not requests or requests[0]["Count"] == 0
            given[each["Labels"]["logitlab.user"]] = ids[0]
        return given


def test_students_spread_over_the_gpus_and_the_last_one_is_reported_that_all_are_taken(engine):
    async def test() -> None:
        hub = Hub(engine.client)
        users = [f"s{number}" for number in range(5)]
        ids = await asyncio.gather(*(hub.start(user) for user in users))
        given = hub.given()
        assert sorted(given.values()) == [A.uuid, A.uuid, B.uuid, B.uuid, "cpu"]
        assert sorted(engine.asked_for()) == [A.uuid, A.uuid, B.uuid, B.uuid]
        for user, container in zip(users, ids, strict=True):
            output = engine.inside(container, "sh", "-c", "nvidia-smi; echo $LOGITLAB_GPU")
            if given[user] == "cpu":
                assert "not found" in output
                assert f"cpu: {FULL}" in output
            else:
                assert output.count("UUID:") == 1
                assert f"(UUID: {given[user]})" in output

    asyncio.run(test())


def test_a_device_that_the_host_lacks_is_refused_with_a_message_that_are_understood(engine):
    placement = Placement(Device("GPU-nowhere", 1))
    with pytest.raises(APIError) as refused:
        Hub(engine.client)._start("alice", placement)
    assert gpu_failure(failure_text(refused.value)) == "device", refused.value


def test_a_gpu_that_fell_off_costs_one_try_and_then_the_next_is_used(engine):
    async def test() -> None:
        hub = Hub(engine.client)
        engine.exist(B.uuid)
        await hub.start("alice")
        await hub.start("bob")
        assert hub.given() == {"alice": B.uuid, "bob": B.uuid}
        assert engine.asked_for() == [A.uuid, B.uuid, B.uuid]
        # The last one falls off too.
        engine.exist()
        hub.slots.release("bob")
        await hub.start("carl")
        assert hub.given()["carl"] == "cpu"
        container = engine.client.inspect_container(f"{PROJECT}-user-carl")
        assert f"LOGITLAB_GPU=cpu: {NONE_WORKS}" in container["Config"]["Env"]
        # Who runs, runs on.
        assert hub.given()["alice"] == B.uuid

    asyncio.run(test())


def test_a_restarted_hub_finds_the_slot_as_they_are(engine):
    async def test() -> None:
        before = Hub(engine.client)
        for user in ("alice", "bob", "carl"):
            await before.start(user)
        given = before.given()
        after = Hub(engine.client)
        await after.start("dora")
        assert after.slots.state.taken == {**given, "dora": B.uuid}
        assert (await after.slots.reserve("eve")).reason == FULL
        # A container that ends behind the hub's back frees its slot.
        engine.client.remove_container(f"{PROJECT}-user-alice", force=True)
        await after.slots.reconcile()
        assert (await after.slots.reserve("eve")).device == A

    asyncio.run(test())


def test_an_image_that_asks_for_all_gpus_gets_none_without_a_slot(engine):
    made = engine.client.create_container(IMAGE)
    greedy = ["ENV NVIDIA_VISIBLE_DEVICES=all"]
    engine.client.commit(made["Id"], "llgpu/greedy", "test", changes=greedy)
    engine.client.remove_container(made["Id"])
    hub = Hub(engine.client, image="llgpu/greedy:test")
    without = hub._start("alice", Placement(None, reason=FULL))
    assert engine.inside(without, "sh", "-c", "echo $NVIDIA_VISIBLE_DEVICES").strip() == "void"
    assert engine.asked_for() == []
    with_one = hub._start("bob", Placement(A, 1000))
    assert engine.inside(with_one, "nvidia-smi").count("UUID:") == 1
    assert engine.asked_for() == [A.uuid]


def test_the_watcher_traces_a_process_to_its_container_and_stops_it_alone(engine):
    hub = Hub(engine.client)
    alice = hub._start("alice", Placement(A, 10000))
    bob = hub._start("bob", Placement(A, 10000))
    for container in (alice, bob):
        run = engine.client.exec_create(container, ["sleep", "300"])
        engine.client.exec_start(run["Id"], detach=True)
    pids = {container: _sleeper(engine.client, container) for container in (alice, bob)}
    assert {processes.owner(pid): pid for pid in pids.values()} == pids
    assert processes.owner(os.getpid()) not in pids
    use = Use(A.uuid, 40000, 40960, (GpuProcess(pids[alice], 15000), GpuProcess(pids[bob], 9000)))
    positions = {alice: HeldSlot("alice", A.uuid, 10000), bob: HeldSlot("bob", A.uuid, 10000)}
    (worst,) = over_budget(use, {pid: container for container, pid in pids.items()}, positions)
    assert processes.stop(worst.largest.pid, worst.container) in ("it exited", "it was killed")
    assert _sleeper(engine.client, bob) == pids[bob]
    # The kernel is gone, the server is not.
    assert engine.client.inspect_container(alice)["State"]["Running"]


def _sleeper(client: APIClient, container: str) -> int:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        listed = client.top(container)
        pid, command = listed["Titles"].index("PID"), listed["Titles"].index("CMD")
        for process in listed["Processes"]:
            if process[command] == "sleep 300":
                return int(process[pid])
        time.sleep(0.1)
    raise AssertionError("no sleep in the container")


def test_an_engine_without_nvidia_starts_everybody_without_a_gpu():
    if shutil.which(HOOK):
        pytest.skip("this machine's engine has NVIDIA's toolkit")
    client = an_engine()
    tiny_image(client, IMAGE)

    async def test() -> None:
        hub = Hub(client)
        await hub.start("alice")
        await hub.start("bob")
        assert hub.given() == {"alice": "cpu", "bob": "cpu"}
        assert hub.slots.state.unhealthy == {A.uuid, B.uuid}
        container = client.inspect_container(f"{PROJECT}-user-bob")
        assert f"LOGITLAB_GPU=cpu: {NONE_WORKS}" in container["Config"]["Env"]

    try:
        asyncio.run(test())
    finally:
        for each in client.containers(all=True, filters={"label": f"logitlab.project={PROJECT}"}):
            client.remove_container(each["Id"], force=True)
        client.remove_image(IMAGE, force=True)
