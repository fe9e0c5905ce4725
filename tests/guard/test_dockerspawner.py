"""Unmodified DockerSpawner works through the guard, against a real engine."""

from __future__ import annotations

import asyncio
import types

import pytest
from docker.errors import APIError, ImageNotFound
from dockerspawner import DockerSpawner

from tests.guard.samples import COMMANDS, GPU, POLICY, created, person, with_gpu

pytestmark = pytest.mark.docker


class Spawner(DockerSpawner):
    """DockerSpawner for somebody whom no hub has ever seen."""

    def get_env(self):
        return {
            "JUPYTERHUB_API_TOKEN": f"token-of-{self.user.name}",
            "JUPYTER_IMAGE_SPEC": self.image,
        }

    def get_args(self):
        return ["--ServerApp.root_dir=/home/student"]


def spawner(guard, user="alice", role="student", **host) -> Spawner:
    made = person(user, role, guard.policy)
    # DockerSpawner's client is one for the whole process.
    DockerSpawner._client = None
    start = Spawner(
        user=types.SimpleNamespace(name=user, settings={}, id=1),
        cmd=COMMANDS[role],
        client_kwargs={"base_url": f"unix://{guard.socket}"},
        network_name=guard.policy.network,
        use_internal_ip=True,
        pull_policy="never",
        remove=True,
    )
    start.image, start.object_name = made.image, made.name
    start.volumes, start.read_only_volumes = made.volumes, made.read_only_volumes
    start.extra_create_kwargs, start.extra_host_config = made.create, {**made.host, **host}
    return start


@pytest.mark.parametrize(
    ("user", "role", "uid"),
    [("alice", "student", 20001), ("a.b@x", "instructor", 20001), ("grader-mech", "grader", 912)],
)
def test_dockerspawner_starts_finds_and_stops_a_server(guard, user, role, uid):
    async def life():
        one = spawner(guard, user, role)
        ip, port = await one.start()
        assert ip.count(".") == 3 and port == 8888
        assert await one.poll() is None
        inside = guard.engine.inspect_container(one.object_id)
        assert inside["Config"]["User"] == f"{uid}:{uid}"
        assert f"JUPYTERHUB_API_TOKEN=token-of-{user}" in inside["Config"]["Env"]
        assert inside["HostConfig"]["ReadonlyRootfs"] and inside["HostConfig"]["PidsLimit"] == 512

        after_a_restart = spawner(guard, user, role)
        after_a_restart.load_state(one.get_state())
        assert await after_a_restart.poll() is None
        await after_a_restart.stop()
        assert await one.poll() == 0

    asyncio.run(life())


def test_dockerspawner_replaces_a_container_that_was_left_over(guard):
    async def life():
        first = spawner(guard)
        await first.start()
        await first.stop_object()
        second = spawner(guard)
        await second.start()
        assert second.object_id != first.object_id
        await second.stop()

    asyncio.run(life())


def test_a_refusal_reaches_the_hub_with_its_reason(guard):
    async def life():
        with pytest.raises(APIError, match=r"HostConfig\.Privileged"):
            await spawner(guard, privileged=True).start()

    asyncio.run(life())
    assert "refused: HostConfig.Privileged" in guard.log.read_text()


def test_a_gpu_that_the_engine_does_not_have_is_reported_in_the_engines_words(guard):
    async def life():
        one = spawner(
            guard, device_requests=with_gpu(created("alice"))["HostConfig"]["DeviceRequests"]
        )
        one.extra_create_kwargs["labels"]["logitlab.gpu"] = GPU
        with pytest.raises(APIError, match="could not select device driver"):
            await one.start()
        await one.remove_object()

    asyncio.run(life())


def test_a_missing_image_is_distinguished_from_a_refused_one(guard):
    guard.engine.remove_image(guard.policy.grader_image)
    try:
        with pytest.raises(ImageNotFound):
            guard.client().inspect_image(guard.policy.grader_image)
    finally:
        guard.engine.tag(guard.policy.student_image, "logitlab/grader", guard.policy.tag)
    with pytest.raises(APIError, match="accepted:"):
        guard.client().inspect_image("logitlab/db:1")


def test_the_placement_on_gpus_is_read_from_the_list_of_containers(guard):
    body = with_gpu(created("alice", policy=guard.policy))
    client = guard.client()
    client.create_container_from_config(body, person("alice", policy=guard.policy).name)
    guard.engine.create_container(
        guard.policy.student_image, "sh", name=f"{guard.policy.project}-db-1"
    )
    listed = client.containers(all=True, filters={"label": ["logitlab.gpu"]})
    assert [each["Labels"]["logitlab.gpu"] for each in listed] == [GPU]
    seen = client.inspect_container(listed[0]["Id"])
    assert seen["HostConfig"]["DeviceRequests"][0]["DeviceIDs"] == [GPU]
    # What is about to start counts too: by then it is too late to give the GPU to somebody else.
    assert [each["State"] for each in listed] == ["created"]
    assert client.containers(filters={"label": "logitlab.user"}) == []  # it does not run


def test_the_log_has_a_line_for_each_request_and_no_token(guard):
    asyncio.run(spawner(guard, "carol").start())
    log = guard.log.read_text()
    assert f"create {guard.policy.project}-user-carol: 201" in log
    assert "token-of" not in log


def test_the_policy_of_the_tests_is_the_deployments():
    for role in ("student", "instructor", "grader"):
        user = "grader-mech" if role == "grader" else "alice"
        made = person(user, role)
        allowed = {mount.bind for mount in POLICY.mounts(user, made.image, "mech")}
        asked = {f"{v}:{p}:rw" for v, p in made.volumes.items()}
        asked |= {f"{v}:{p}:ro" for v, p in made.read_only_volumes.items()}
        assert asked <= allowed
