"""The hub's list of GPU slots: live, in step with the engine, and given back whatever happens."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable

import pytest

from hub.core.settings import GpuSettings
from hub.facts.gpu_devices import Device
from hub.facts.gpu_environment import NONE_HERE
from hub.jupyterhub.spawners.gpu import messages
from hub.jupyterhub.spawners.gpu.claim import GpuStart
from hub.jupyterhub.spawners.gpu.messages import InQueue, OnGpu, WithoutGpu
from hub.jupyterhub.spawners.gpu.placement import FULL, NONE_WORKS, Wait
from hub.jupyterhub.spawners.gpu.request import Placement
from hub.jupyterhub.spawners.gpu.slots import GaveUp, ListedContainer, Slots, SlotTaken, Timeouts

A, B = Device("GPU-aaaa", 40960, "A100"), Device("GPU-bbbb", 40960, "A100")
SHORT = Timeouts(heal=0.1, lease=0.2, away=0.05, reconcile=0.02)


class Engine:
    """A stand-in for the list of our containers."""

    def __init__(self, *containers: ListedContainer) -> None:
        self.containers = list(containers)
        self.asked = 0
        self.while_asked: Callable[[], None] = lambda: None

    async def listed(self) -> list[ListedContainer]:
        self.asked += 1
        answer = list(self.containers)
        await asyncio.sleep(0)
        self.while_asked()
        return answer


def slots(engine: Engine, *devices: Device, per: int = 1, full: str = "queue", **more) -> Slots:
    report = {
        "students_per_device": per,
        "when_full": full,
        "mib_per_student": more.pop("mib", "auto"),
    }
    rules = GpuSettings.model_validate(report)
    more.setdefault("times", SHORT)
    return Slots(devices or (A, B), rules, engine.listed, **more)


def run(test: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(asyncio.wait_for(test(), 20))


def uuid(placement: Placement) -> str | None:
    return placement.device.uuid if placement.device else None


def test_reservations_that_come_together_never_share_a_slot():
    async def test():
        gpus = slots(Engine(), A, B, per=3, full="cpu")
        got = await asyncio.gather(*(gpus.reserve(f"s{number}") for number in range(8)))
        assert [uuid(each) for each in got].count(A.uuid) == 3
        assert [uuid(each) for each in got].count(B.uuid) == 3
        assert [each.reason for each in got if not each.device] == [FULL, FULL]
        assert got[0].mib == 40960 // 3

    run(test)


def test_slot_are_those_of_the_running_containers_before_the_first_reservation():
    async def test():
        engine = Engine(
            ListedContainer("bob", B.uuid, "c2"),
            ListedContainer("eve", "cpu", "c3"),
            ListedContainer("alice", A.uuid, "c1"),
        )
        gpus = slots(engine, full="cpu")
        got = await asyncio.gather(gpus.reserve("carl"), gpus.reserve("alice"))
        assert uuid(got[0]) is None
        assert uuid(got[1]) == A.uuid
        assert engine.asked == 1

    run(test)


def test_no_slot_is_given_while_the_engine_does_not_answer():
    async def test():
        async def away() -> list[ListedContainer]:
            raise ConnectionRefusedError

        gpus = Slots([A], GpuSettings(), away)
        with pytest.raises(ConnectionRefusedError):
            await gpus.reserve("alice")
        assert not gpus.state.taken

    run(test)


def test_a_waiting_person_sees_the_slots_live_and_is_served_in_order():
    async def test():
        gpus = slots(Engine(), A)
        await gpus.reserve("alice")
        waits = {name: asyncio.create_task(gpus.reserve(name)) for name in ("bob", "carl", "dora")}
        await asyncio.sleep(0)
        assert gpus.view("carl") == InQueue(2, 3)
        waits["bob"].cancel()
        await asyncio.sleep(0)
        assert gpus.view("carl") == InQueue(1, 2)
        gpus.release("alice")
        assert uuid(await waits["carl"]) == A.uuid
        assert gpus.view("carl") == OnGpu("A100", 1, 1, 0)
        assert gpus.view("dora") == InQueue(1, 1)
        gpus.release("carl")
        gpus.release("carl")
        assert uuid(await waits["dora"]) == A.uuid

    run(test)


def test_a_start_that_is_cancelled_just_as_it_is_served_gives_the_slot_on():
    async def test():
        gpus = slots(Engine(), A)
        await gpus.reserve("alice")
        bob = asyncio.create_task(gpus.reserve("bob"))
        carl = asyncio.create_task(gpus.reserve("carl"))
        await asyncio.sleep(0)
        gpus.release("alice")
        bob.cancel()
        assert uuid(await carl) == A.uuid
        assert gpus.state.taken == {"carl": A.uuid}

    run(test)


def test_a_released_server_does_not_go_on_waiting():
    async def test():
        gpus = slots(Engine(), A)
        await gpus.reserve("alice")
        bob = asyncio.create_task(gpus.reserve("bob"))
        await asyncio.sleep(0)
        gpus.release("bob")
        with pytest.raises(GaveUp):
            await bob

    run(test)


def test_closing_the_page_leaves_the_queue_and_reloading_it_does_not():
    async def test():
        gpus = slots(Engine(), A)
        await gpus.reserve("alice")
        bob, carl = (asyncio.create_task(gpus.reserve(name)) for name in ("bob", "carl"))
        await asyncio.sleep(0)
        with gpus.watching("bob"), gpus.watching("carl"):
            pass
        with gpus.watching("carl"):
            await asyncio.sleep(0.1)
            with pytest.raises(GaveUp):
                await bob
            assert gpus.view("carl") == InQueue(1, 1)
        carl.cancel()

    run(test)


def test_a_reservation_whose_container_never_came_expires():
    async def test():
        gpus = slots(Engine(), A)
        await gpus.reserve("alice")
        keeper = asyncio.create_task(gpus.keep_in_step())
        bob = asyncio.create_task(gpus.reserve("bob"))
        await asyncio.sleep(0.1)
        assert not bob.done()
        assert uuid(await bob) == A.uuid
        keeper.cancel()

    run(test)


def test_a_container_that_is_gone_frees_its_slot_and_an_unknown_one_takes_it():
    async def test():
        engine = Engine()
        gpus = slots(engine, A)
        await gpus.reserve("alice")
        gpus.started("alice", "c1")
        engine.containers = [ListedContainer("bob", A.uuid, "c2")]
        await gpus.reconcile()
        assert gpus.state.taken == {"bob": A.uuid}

    run(test)


def test_what_happens_while_the_engine_is_asked_is_not_undone_by_its_older_answer():
    async def test():
        engine = Engine(ListedContainer("alice", A.uuid, "c1"))
        gpus = slots(engine)
        await gpus.ready()

        reserving = []

        def meanwhile() -> None:
            gpus.release("alice")
            reserving.append(asyncio.create_task(gpus.reserve("bob")))

        engine.while_asked = meanwhile
        await gpus.reconcile()
        assert "alice" not in gpus.state.taken
        await asyncio.gather(*reserving)
        engine.containers = []
        engine.while_asked = lambda: gpus.started("bob", "c2")
        await gpus.reconcile()
        assert list(gpus.state.taken) == ["bob"]
        engine.while_asked = lambda: None
        await gpus.reconcile()
        assert list(gpus.state.taken) == []

    run(test)


def test_a_waiting_person_is_served_though_an_old_container_of_theirs_is_listed():
    async def test():
        engine = Engine()
        gpus = slots(engine, A)
        await gpus.reserve("alice")
        bob = asyncio.create_task(gpus.reserve("bob"))
        await asyncio.sleep(0)
        engine.containers = [ListedContainer("bob", A.uuid, "old")]
        await gpus.reconcile()
        gpus.release("alice")
        assert uuid(await bob) == A.uuid

    run(test)


def test_the_map_for_the_watcher_says_whose_each_container_is(tmp_path):
    async def test():
        path = tmp_path / "slots.json"
        gpus = slots(Engine(ListedContainer("bob", B.uuid, "c2")), per=2, map_file=path)
        await gpus.reserve("alice")
        gpus.started("alice", "c1")
        assert json.loads(path.read_text()) == {
            "c1": {"user": "alice", "device": A.uuid, "mib": 20480},
            "c2": {"user": "bob", "device": B.uuid, "mib": 20480},
        }
        gpus.release("alice")
        assert list(json.loads(path.read_text())) == ["c2"]

    run(test)


def test_memory_of_a_slot_limits_how_many_share_a_device():
    async def test():
        small, tiny = Device("GPU-small", 10000), Device("GPU-tiny", 4000)
        gpus = slots(Engine(), A, small, tiny, per=4, mib=5000)
        assert gpus.state.capacity == {A.uuid: 4, "GPU-small": 2, "GPU-tiny": 0}
        assert (await gpus.reserve("alice")).mib == 5000

    run(test)


# --- two deployments on one host -------------------------------------------------------------


def others(device: Device) -> ListedContainer:
    return ListedContainer(None, device.uuid)


def test_slots_of_another_deployment_are_taken_and_come_back():
    async def test():
        engine = Engine(others(A))
        gpus = slots(engine, A)
        waits = asyncio.create_task(gpus.reserve("alice"))
        keeper = asyncio.create_task(gpus.keep_in_step())
        await asyncio.sleep(0.1)
        assert gpus.view("alice") == InQueue(1, 1)
        assert gpus.state.taken == {}
        engine.containers = []
        assert uuid(await waits) == A.uuid
        keeper.cancel()

    run(test)


def test_the_spawn_page_counts_who_shares_a_gpu_from_another_deployment():
    async def test():
        gpus = slots(Engine(others(A), others(A)), A, per=4)
        await gpus.reserve("alice")
        assert gpus.view("alice") == OnGpu("A100", 1, 1, 2)

    run(test)


def test_of_two_deployments_that_start_at_once_the_first_created_gets_the_slot():
    """Neither saw the other's reservation: the order of their containers decides."""

    async def test():
        ours = ListedContainer("alice", A.uuid, "c1", runs=False)
        for listed, starts in [([others(A), ours], True), ([ours, others(A)], False)]:
            engine = Engine()
            gpus = slots(engine, A, full="cpu")
            await gpus.reserve("alice")
            engine.containers = listed  # the newest first
            if starts:
                await gpus.confirm("alice", "c1")
            else:
                with pytest.raises(SlotTaken):
                    await gpus.confirm("alice", "c1")
            assert gpus.state.elsewhere == {A.uuid: 1}

    run(test)


def test_a_start_whose_slot_another_deployment_took_goes_to_the_next_gpu():
    async def test():
        engine, tried = Engine(), []
        gpus = slots(engine, A, B)

        async def start(placement: Placement) -> tuple[str, str]:
            tried.append(uuid(placement))
            if len(tried) == 1:
                engine.containers = [others(A)]
            await gpus.confirm("alice", f"c{len(tried)}")
            return f"c{len(tried)}", "address"

        await GpuStart(gpus, "alice").start(None, start)
        assert tried == [A.uuid, B.uuid]
        assert gpus.state.taken == {"alice": B.uuid}
        assert not gpus.state.unhealthy

    run(test)


def test_a_start_whose_last_slot_another_deployment_took_waits_for_it_where_that_is_the_rule():
    async def test():
        engine, tried = Engine(others(A)), []
        gpus = slots(engine, A)

        async def start(placement: Placement) -> tuple[str, str]:
            tried.append(uuid(placement))
            await gpus.confirm("alice", "c")
            return "c", "address"

        gpus._rebuilt = True  # what is listed came after this hub had looked
        keeper = asyncio.create_task(gpus.keep_in_step())
        waits = asyncio.create_task(GpuStart(gpus, "alice").start(None, start))
        await asyncio.sleep(0.1)
        assert tried == [A.uuid] and gpus.view("alice") == InQueue(1, 1)
        engine.containers = []
        assert await waits == "address"
        assert tried == [A.uuid, A.uuid]
        keeper.cancel()

    run(test)


def test_a_container_of_ours_that_never_started_holds_no_slot():
    async def test():
        gpus = slots(Engine(ListedContainer("bob", A.uuid, "c", runs=False)), A, full="cpu")
        assert uuid(await gpus.reserve("alice")) == A.uuid

    run(test)


# --- a start, with a GPU that cannot be had -------------------------------------------------

NO_DRIVER = 'could not select device driver "nvidia" with capabilities: [[gpu]]'
UNKNOWN = "error running hook #0: nvidia-container-cli: device error: GPU-aaaa: unknown device"


class Starts:
    """A stand-in for a spawner's start: fails where a device is broken."""

    def __init__(self, **broken: str) -> None:
        self.broken, self.tried = broken, list[str | None]()

    async def __call__(self, placement: Placement) -> tuple[str, str]:
        self.tried.append(uuid(placement))
        await asyncio.sleep(0)
        words = self.broken.get(str(uuid(placement)).replace("-", "_"))
        if words:
            raise RuntimeError(words)
        return f"container-{len(self.tried)}", "address"


def test_a_gpu_that_fell_off_is_left_alone_for_a_while_and_the_next_one_is_taken():
    async def test():
        gpus = slots(Engine(), A, B, per=2)
        starts = Starts(GPU_aaaa=UNKNOWN)
        assert await GpuStart(gpus, "alice").start(None, starts) == "address"
        assert starts.tried == [A.uuid, B.uuid]
        # The next person does not pay for it.
        await GpuStart(gpus, "bob").start(None, starts)
        assert starts.tried == [A.uuid, B.uuid, B.uuid]
        gpus.release("alice")
        await asyncio.sleep(0.2)
        assert A.uuid in gpus.state.capacity
        gpus._settle()
        assert not gpus.state.unhealthy

    run(test)


def test_without_a_driver_people_start_without_a_gpu_and_are_reported_so():
    async def test():
        gpus = slots(Engine(), A, B)
        starts = Starts(GPU_aaaa=NO_DRIVER, GPU_bbbb=NO_DRIVER)
        part = GpuStart(gpus, "alice")
        await part.start(None, starts)
        assert starts.tried == [A.uuid, None]
        assert gpus.view("alice") == WithoutGpu(NONE_WORKS)
        assert part.message() == f"Starting without a GPU: {NONE_WORKS}."
        assert gpus.state.taken == {}

    run(test)


def test_when_each_gpu_fails_in_turn_the_last_try_is_without():
    async def test():
        gpus = slots(Engine(), A, B)
        starts = Starts(GPU_aaaa=UNKNOWN, GPU_bbbb=UNKNOWN)
        await GpuStart(gpus, "alice").start(None, starts)
        assert starts.tried == [A.uuid, B.uuid, None]

    run(test)


def test_a_failure_that_has_nothing_to_do_with_the_gpu_is_raised_and_gives_the_slot_back():
    async def test():
        gpus = slots(Engine(), A)
        with pytest.raises(RuntimeError, match="no space left"):
            await GpuStart(gpus, "alice").start(None, Starts(GPU_aaaa="no space left on device"))
        assert not gpus.state.taken
        assert not gpus.state.unhealthy

    run(test)


def test_a_start_that_is_cancelled_gives_the_slot_back():
    async def test():
        gpus = slots(Engine(), A)

        async def hangs(placement: Placement) -> tuple[str, str]:
            await asyncio.sleep(60)
            raise AssertionError

        start = asyncio.create_task(GpuStart(gpus, "alice").start(None, hangs))
        await asyncio.sleep(0.01)
        assert gpus.state.taken == {"alice": A.uuid}
        start.cancel()
        with pytest.raises(asyncio.CancelledError):
            await start
        assert gpus.state.taken == {}

    run(test)


def test_starts_are_not_one_after_the_other():
    async def test():
        gpus = slots(Engine(), A, per=3)
        together = asyncio.Barrier(3)

        async def start(placement: Placement) -> tuple[str, None]:
            await asyncio.wait_for(together.wait(), 5)
            return "c", None

        await asyncio.gather(
            *(GpuStart(gpus, f"s{number}").start(None, start) for number in range(3))
        )

    run(test)


def test_the_answer_to_the_question_decides():
    async def test():
        gpus = slots(Engine(), A, full="ask")
        alice, bob = GpuStart(gpus, "alice"), GpuStart(gpus, "bob")
        assert await alice.form() == ""
        await alice.start(None, Starts())
        form = await bob.form()
        assert "Start now, without a GPU" in form
        assert "Wait for a GPU (position 1)" in form
        options = messages.read_form({"gpu": ["cpu"]})
        starts = Starts()
        await bob.start(GpuStart.answer(options), starts)
        assert starts.tried == [None]
        bob.stopped()
        waits = asyncio.create_task(
            bob.start(GpuStart.answer(messages.read_form({"gpu": ["wait"]})), starts)
        )
        await asyncio.sleep(0)
        assert "you are number 1 of 1 in the queue (you are next)" in (bob.message() or "")
        alice.stopped()
        assert await waits == "address"
        assert starts.tried == [None, A.uuid]

    run(test)


def test_a_server_starts_without_a_gpu_where_nobody_can_be_asked():
    async def test():
        gpus = slots(Engine(), A, full="ask")
        await gpus.reserve("alice")
        assert (await gpus.reserve("bob")).reason == FULL

    run(test)


def test_anything_else_than_an_answer_is_none():
    assert messages.read_form({}) == {}
    assert messages.read_form({"gpu": ["<script>"]}) == {}
    assert GpuStart.answer({"gpu": ["wait"]}) is None


def test_a_server_without_gpus_says_nothing_of_them():
    async def test():
        async def never() -> list[ListedContainer]:
            raise AssertionError("the engine need not be asked")

        part = GpuStart(Slots([], GpuSettings(), never), "alice")
        starts = Starts()
        await part.start(None, starts)
        assert starts.tried == [None]
        assert part.message() is None
        assert (await part.slots.reserve("alice")).environment[
            "LOGITLAB_GPU"
        ] == f"cpu: {NONE_HERE}"

    run(test)


def test_the_graders_server_never_takes_the_last_slot_of_the_students():
    async def test():
        gpus = slots(Engine(), A, staff=lambda name: name.startswith("grader"))
        assert (await gpus.reserve("grader-mechinterp")).device is None
        assert uuid(await gpus.reserve("alice")) == A.uuid

    run(test)


def test_a_broken_gpu_that_heals_serves_who_waits():
    async def test():
        gpus = slots(Engine(), A, B)
        await gpus.reserve("alice")
        await gpus.reserve("bob")
        gpus.failed("bob", B.uuid, "fell off")
        carl = asyncio.create_task(gpus.reserve("carl"))
        await asyncio.sleep(0)
        assert gpus.view("carl") == InQueue(1, 1)
        assert uuid(await carl) == B.uuid

    run(test)


def test_a_decision_is_not_a_wait_for_a_second_start():
    async def test():
        gpus = slots(Engine(), A)
        await gpus.reserve("alice")
        first = asyncio.create_task(gpus.reserve("bob"))
        await asyncio.sleep(0)
        second = asyncio.create_task(gpus.reserve("bob"))
        with pytest.raises(GaveUp):
            await first
        gpus.release("alice")
        assert uuid(await second) == A.uuid
        assert not isinstance(gpus.view("bob"), Wait)

    run(test)
