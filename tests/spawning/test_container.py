"""Servers in containers, without an engine: a stand-in plays DockerSpawner."""

from __future__ import annotations

import asyncio
import os
import time
from types import SimpleNamespace

import docker.errors
import pytest
import requests
from dockerspawner import DockerSpawner
from jupyterhub.objects import Hub
from sqlalchemy.exc import OperationalError

from hub.core.course_folder import CourseFolder
from hub.core.settings import GpuSettings
from hub.facts.deployment import Deployment
from hub.facts.gpu_devices import Device
from hub.jupyterhub.configuration import jupyterlab
from hub.jupyterhub.spawners import container
from hub.jupyterhub.spawners.container import STALE_SECONDS, CannotStart, ContainerSpawner
from hub.jupyterhub.spawners.gpu.request import Placement
from hub.jupyterhub.spawners.gpu.slots import ListedContainer, Slots
from hub.jupyterhub.spawners.queue import StartQueue
from tests.spawning.people import course, no_sleep, user

GPU = Device("GPU-aaaa", 40960, "A100")


class Engine:
    """What DockerSpawner would do; `fails` are errors of the next starts."""

    def __init__(self) -> None:
        self.began: list[str] = []
        self.removed: list[str] = []
        self.fails: list[Exception] = []
        self.status: object = None  # of poll: None runs
        self.left_over = False
        self.answered = ""

    async def start(self, spawner):
        self.began.append(spawner.object_name)
        spawner.object_id = f"id-{len(self.began)}"
        if self.fails:
            raise self.fails.pop(0)
        return "10.0.0.5", 8888


@pytest.fixture
def engine(monkeypatch):
    fake = Engine()

    async def poll(self):
        if isinstance(fake.status, Exception):
            error, fake.status = fake.status, None
            raise error
        return fake.status

    async def get_object(self):
        return {"Id": "old"} if fake.left_over else None

    async def stop_object(self):
        fake.removed.append("stopped")

    async def remove_object(self):
        fake.removed.append("removed")
        fake.left_over = False

    async def stop(self, now=False):
        fake.removed.append("stopped")

    async def answers(url, timeout):
        fake.answered = url

    monkeypatch.setattr(DockerSpawner, "start", lambda self: fake.start(self))
    monkeypatch.setattr(DockerSpawner, "poll", poll)
    monkeypatch.setattr(DockerSpawner, "stop", stop)
    monkeypatch.setattr(ContainerSpawner, "get_object", get_object)
    monkeypatch.setattr(ContainerSpawner, "stop_object", stop_object)
    monkeypatch.setattr(ContainerSpawner, "remove_object", remove_object)
    monkeypatch.setattr(container, "wait_for_http_server", answers)
    monkeypatch.setattr(container.asyncio, "sleep", no_sleep)
    return fake


async def nobody():
    return []


@pytest.fixture
def made(tmp_path, monkeypatch, engine):
    """Makes spawners of one hub, with one GPU of one slot where `gpus`."""
    course(tmp_path)
    (tmp_path / "server").mkdir()
    queue = StartQueue(2)
    monkeypatch.setattr(container, "start_queue", lambda width: queue)
    slots: list[Slots] = []

    def one(name="alice", gpus=(), **traits) -> ContainerSpawner:
        if not slots:
            rules = GpuSettings.model_validate({"students_per_device": 1, "when_full": "cpu"})
            slots.append(Slots(gpus, rules, nobody))
        monkeypatch.setattr(container, "_slots", slots[0])
        spawner = ContainerSpawner(
            user=user(name),
            hub=Hub(),
            course=CourseFolder(tmp_path),
            deployment=Deployment("lab", "1", "http://localhost"),
            **traits,
        )
        spawner.db = SimpleNamespace(execute=lambda what: None, rollback=lambda: None)
        monkeypatch.setattr(
            ContainerSpawner, "server", SimpleNamespace(base_url=f"/user/{name}/", proto="http")
        )
        return spawner

    return one


def run(coroutine):
    return asyncio.run(asyncio.wait_for(coroutine, 20))


def test_a_start_makes_the_persons_container_and_waits_until_its_server_answers(made, engine):
    assert run(made().start()) == ("10.0.0.5", 8888)
    assert engine.began == ["lab-user-alice"]
    assert engine.answered == "http://10.0.0.5:8888/user/alice/api"


def test_a_container_is_what_options_say_and_the_placement_adds(made):
    spawner = made()
    spawner.prepare(Placement(None, reason="full"))
    assert spawner.image == "logitlab/student:1"
    assert spawner.volumes == {"lab_home_alice": "/home/student"}
    assert spawner.extra_create_kwargs["user"] == "20000:20000"
    assert spawner.extra_create_kwargs["labels"]["logitlab.user"] == "alice"
    assert spawner.extra_create_kwargs["labels"]["logitlab.course"] == "mech"
    assert spawner.extra_host_config["cap_drop"] == ["ALL"]
    assert not spawner.extra_host_config["device_requests"]


def test_a_container_with_a_gpu_asks_for_it_and_is_labelled(made, engine):
    spawner = made(gpus=(GPU,))
    run(spawner.start())
    assert spawner.extra_create_kwargs["labels"]["logitlab.gpu"] == GPU.uuid
    (request,) = spawner.extra_host_config["device_requests"]
    assert GPU.uuid in str(request)
    assert spawner.slots.state.taken == {"alice": GPU.uuid}


def test_a_gpu_is_given_back_when_its_server_stops_or_is_found_gone(made, engine):
    spawner = made(gpus=(GPU,))
    run(spawner.start())
    run(spawner.stop())
    assert spawner.slots.state.taken == {}
    run(spawner.start())
    assert run(spawner.poll()) is None and spawner.slots.state.taken
    engine.status = 1
    assert run(spawner.poll()) == 1 and spawner.slots.state.taken == {}


def test_a_gpu_that_the_engine_lacks_costs_nobody_the_start(made, engine):
    engine.fails = [docker.errors.APIError("could not select device driver")]
    spawner = made(gpus=(GPU,))
    run(spawner.start())
    assert len(engine.began) == 2
    assert not spawner.extra_host_config["device_requests"]


def test_a_start_that_fails_gives_gpu_and_turn_back(made, engine):
    engine.fails = [docker.errors.APIError("no space left on device")]
    spawner = made(gpus=(GPU,))
    with pytest.raises(docker.errors.APIError):
        run(spawner.start())
    assert spawner.slots.state.taken == {}
    run(spawner.start())


def test_a_missing_image_is_reported_with_what_to_do(made, engine):
    engine.fails = [docker.errors.ImageNotFound("no such image")]
    with pytest.raises(CannotStart, match=r"student:1 is not on this machine.*make images"):
        run(made().start())


def test_leftovers_of_an_earlier_start_are_removed_first(made, engine):
    engine.left_over = True
    run(made().start())
    assert engine.removed == ["stopped", "removed"]


def test_a_server_that_stops_while_it_starts_is_reported_at_once(made, engine, monkeypatch):
    async def never(url, timeout):
        await asyncio.Event().wait()

    monkeypatch.setattr(container, "wait_for_http_server", never)
    engine.status = 137
    with pytest.raises(CannotStart, match=r"stopped while starting.*docker logs lab-user-alice"):
        run(made().start())


@pytest.mark.parametrize(("age", "starts"), [(0, True), (STALE_SECONDS + 5, False), (None, False)])
def test_no_server_starts_without_a_firewall_that_stands(made, engine, tmp_path, age, starts):
    heartbeat = tmp_path / "heartbeat"
    if age is not None:
        heartbeat.touch()
        os.utime(heartbeat, (time.time() - age,) * 2)
    spawner = made(firewall_heartbeat=str(heartbeat))
    if starts:
        run(spawner.start())
    else:
        with pytest.raises(CannotStart, match=r"firewall.*is not active"):
            run(spawner.start())
    assert bool(engine.began) == starts


def test_the_hubs_first_look_waits_for_an_engine_that_does_not_answer(made, engine):
    spawner = made()
    engine.status = requests.ConnectionError("refused")
    spawner._check_pending = True
    assert run(spawner.poll()) is None
    engine.status = requests.ConnectionError("refused")
    spawner._check_pending = False
    with pytest.raises(requests.ConnectionError):
        run(spawner.poll())


def test_a_database_that_went_away_is_waited_for(made):
    spawner, asked = made(), []

    def execute(what):
        asked.append("execute")
        if len(asked) < 3:
            raise OperationalError("SELECT 1", {}, Exception("gone"))

    rollback = lambda: asked.append("rollback")  # noqa: E731
    spawner.db = SimpleNamespace(execute=execute, rollback=rollback)
    run(spawner._database_answers())
    assert asked == ["execute", "rollback", "execute"]


def test_the_grader_runs_the_formgrader_of_its_image(made):
    grader, student = made("grader-mech"), made("alice")
    assert grader.cmd == ["python", "-m", "hub.containers", "formgrader"]
    assert student.cmd == ["jupyterhub-singleuser"]
    assert (grader.default_url, student.default_url) == ("/formgrader", "/lab")
    assert grader.made_of.image == "logitlab/grader:1"
    assert grader.made_of.create["user"] == "912:912"
    assert "--ServerApp.root_dir=/srv/course" in grader.get_args()
    assert "--ServerApp.root_dir=/home/student" in student.get_args()


def test_a_grader_gets_the_volumes_of_its_own_course(made, monkeypatch, tmp_path):
    other = tmp_path / "other"
    other.mkdir()
    (other / "course.yaml").write_text("course: {id: b}\n")
    for module in (container, jupyterlab):
        monkeypatch.setattr(module, "courses_of", lambda hub: (hub, CourseFolder(other)))
    volumes = {name: made(name).made_of.volumes for name in ("grader-mech", "grader-b")}
    assert "lab_course" in volumes["grader-mech"] and "lab_course" not in volumes["grader-b"]
    assert volumes["grader-b"]["lab_course_b"] == "/srv/course"


def test_two_people_have_numbers_of_their_own(made):
    numbers = {made(name).made_of.create["user"] for name in ("alice", "bob", "alice")}
    assert len(numbers) == 2


def test_the_listed_containers_are_the_hosts_and_only_ours_have_names(made, monkeypatch):
    spawner, asked = made(), []

    async def docker_call(self, method, **options):
        asked.append((method, options))
        ours = {"logitlab.project": "lab", "logitlab.user": "bob", "logitlab.gpu": "cpu"}
        return [
            {"Id": "c1", "Labels": ours, "State": "running"},
            {"Id": "c2", "Labels": ours, "State": "created"},
            {"Labels": {"logitlab.gpu": "GPU-aaaa"}},
        ]

    monkeypatch.setattr(ContainerSpawner, "docker", docker_call)
    assert run(spawner.listed()) == [
        ListedContainer("bob", "cpu", "c1", runs=True),
        ListedContainer("bob", "cpu", "c2", runs=False),
        ListedContainer(None, "GPU-aaaa"),
    ]
    assert asked == [("containers", {"all": True, "filters": {"label": ["logitlab.gpu"]}})]


def test_a_created_container_whose_gpu_another_deployment_took_is_removed_not_started(
    made, engine, monkeypatch
):
    spawner, started = made(gpus=(GPU,)), []

    async def create_and_start(self):
        self.object_id = "c1"
        await ContainerSpawner.start_object(self)
        return "10.0.0.5", 8888

    async def start_object(self):
        started.append(dict(self.extra_create_kwargs["labels"]))

    async def listed():
        return [ListedContainer(None, GPU.uuid)]

    monkeypatch.setattr(DockerSpawner, "start", create_and_start)
    monkeypatch.setattr(DockerSpawner, "start_object", start_object)
    run(spawner.slots.ready())
    monkeypatch.setattr(spawner.slots, "_listed", listed)
    run(spawner.start())
    assert engine.removed == ["removed"]
    assert [labels["logitlab.gpu"] for labels in started] == ["cpu"]
    assert spawner.slots.state.taken == {}


def test_the_position_in_the_queue_is_shown(made):
    spawner = made()

    async def play():
        queue = spawner.starts
        async with queue.turn("a"), queue.turn("b"):
            third = asyncio.create_task(hold(queue))
            await asyncio.wait({third}, timeout=0.05)
            report = spawner._now()
            third.cancel()
        return report, spawner._now()

    async def hold(queue):
        async with queue.turn("alice"):
            pass

    waiting, starting = run(play())
    assert waiting == (20, "Many servers are starting: yours is number 1 in the queue")
    assert starting[0] == 50
