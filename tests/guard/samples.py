"""Create requests as Docker's own client writes them for the hub's options."""

from __future__ import annotations

import json
from typing import Any

from docker.types import ContainerConfig, DeviceRequest, HostConfig

from hub.core.settings import Settings
from hub.facts.containers import CourseStorage
from hub.facts.deployment import Deployment
from hub.jupyterhub.configuration.jupyterlab import Role
from hub.jupyterhub.spawners.options import Options, options
from hub.services.guard.policy import Policy

VERSION = "1.41"
SETTINGS = Settings.model_validate(
    {"course": {"id": "mech"}, "containers": {"memory_mib": 512, "cpus": 1}}
)
GPU = "GPU-8f7c1a52-0000-4000-8000-aaaaaaaaaaaa"
OTHER_GPU = "GPU-8f7c1a52-0000-4000-8000-bbbbbbbbbbbb"
COURSES = ("mech", "maths")
POLICY = Policy(project="lab", tag="1", gpus=(GPU, OTHER_GPU), courses=COURSES)
UID = 20001
COMMANDS: dict[Role, list[str]] = {
    "student": ["jupyterhub-singleuser"],
    "instructor": ["jupyterhub-singleuser"],
    "grader": ["python", "-m", "hub.containers", "formgrader"],
}


def person(user: str, role: Role = "student", policy: Policy = POLICY) -> Options:
    folder = Deployment(policy.project, policy.tag, "http://localhost", models_volume=True)
    course = user.removeprefix("grader-") if user.startswith("grader-") else "mech"
    storage = CourseStorage.of(course, COURSES)
    return options(user, role, UID, course, storage, SETTINGS, folder)


def created(user: str, role: Role = "student", policy: Policy = POLICY) -> dict[str, Any]:
    """The body of DockerSpawner's create request for `user`."""
    made = person(user, role, policy)
    binds = {volume: {"bind": folder, "mode": "rw"} for volume, folder in made.volumes.items()}
    binds |= {v: {"bind": folder, "mode": "ro"} for v, folder in made.read_only_volumes.items()}
    host = HostConfig(
        version=VERSION,
        binds=binds,
        links={},
        mounts=[],
        network_mode=policy.network,
        **made.host,
    )
    config = ContainerConfig(
        VERSION,
        image=made.image,
        command=[*COMMANDS[role], f"--ServerApp.root_dir={made.root}"],
        environment={**made.environment, "JUPYTERHUB_API_TOKEN": "token-of-" + user},
        ports={"8888/tcp": None},
        volumes=[bind["bind"] for bind in binds.values()],
        host_config=host,
        **made.create,
    )
    return json.loads(json.dumps(config))


def with_gpu(body: dict[str, Any], gpu: str = GPU, driver: str = "nvidia") -> dict[str, Any]:
    device = gpu if driver == "nvidia" else f"nvidia.com/gpu={gpu}"
    request = DeviceRequest(driver=driver, device_ids=[device], capabilities=[["gpu"]])
    body["HostConfig"]["DeviceRequests"] = [dict(request)]
    body["Labels"]["logitlab.gpu"] = gpu
    return body
