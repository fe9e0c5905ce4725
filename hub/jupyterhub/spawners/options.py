"""One person's container as data: image, user, volumes, limits, environment.

The guard in front of the Docker socket (`hub.services.guard`) accepts nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hub.core.settings import Settings
from hub.facts import accounts, env
from hub.facts.container_names import container_name, home_volume
from hub.facts.container_paths import (
    CONFIG,
    COURSE,
    DATABASE,
    DEPLOYMENTS_MODELS,
    EXECUTOR,
    EXECUTOR_SOCKET,
    HOME,
    PEOPLE,
)
from hub.facts.containers import (
    COURSE_LABEL,
    CPU_PERIOD,
    GPU_LABEL,
    NO_GPU,
    NO_RESOLVER,
    PROJECT_LABEL,
    USER_LABEL,
    CourseStorage,
)
from hub.facts.deployment import (
    INSIDE,
    Deployment,
    models_folders,
)
from hub.facts.limits import MIB
from hub.jupyterhub.configuration.jupyterlab import Role
from hub.jupyterhub.spawners.environment import common
from hub.people.roles import EXCHANGE

# A CPU share that keeps hub and proxy responsive while a class computes; without
# it the hub once did not respond for over a minute while twenty servers started.
CPU_SHARES = 128
LOG_MIB = 10
TMP_MIB = 1024


@dataclass(frozen=True)
class Options:
    """One container, with DockerSpawner's traits as fields."""

    image: str
    name: str
    environment: dict[str, str]
    volumes: dict[str, Any]
    read_only_volumes: dict[str, Any]
    create: dict[str, Any]
    host: dict[str, Any]

    @property
    def root(self) -> str:
        """The folder that JupyterLab shows."""
        return COURSE if COURSE in self.volumes.values() else HOME


def options(
    user: str,
    role: Role,
    uid: int,
    course: str,
    storage: CourseStorage,
    settings: Settings,
    deployment: Deployment,
) -> Options:
    """The container of `user`.

    uid: a student's; the grader has its own.
    course: the id of the course that it is started for.
    storage: of that course.
    settings: of the hub's first course, whose limits are the hub's.
    """
    grader = role == "grader"
    number = accounts.GRADER if grader else uid
    limits = settings.containers
    return Options(
        image=deployment.grader_image if grader else deployment.student_image,
        name=container_name(deployment.project, user),
        environment=_environment(user, role, storage, settings, deployment),
        volumes=_volumes(user, role, storage, deployment),
        read_only_volumes=_read_only_volumes(role, storage, deployment),
        create={
            "user": f"{number}:{number}",
            "labels": {
                PROJECT_LABEL: deployment.project,
                USER_LABEL: user,
                COURSE_LABEL: course,
                GPU_LABEL: NO_GPU,
            },
            "working_dir": COURSE if grader else HOME,
        },
        host={
            "auto_remove": False,  # engines before 23 kill such containers when they restart
            "cap_drop": ["ALL"],
            "security_opt": ["no-new-privileges:true"],
            "read_only": True,
            "tmpfs": {"/tmp": f"rw,nosuid,nodev,size={TMP_MIB}m"},
            "dns": [] if deployment.internet else [NO_RESOLVER],
            "pids_limit": limits.pids,
            "cpu_shares": CPU_SHARES,
            "mem_limit": limits.memory_mib * MIB,
            "memswap_limit": limits.memory_mib * MIB,
            "cpu_period": CPU_PERIOD,
            "cpu_quota": int(limits.cpus * CPU_PERIOD),
            "log_config": {
                "type": "json-file",
                "config": {"max-size": f"{LOG_MIB}m", "max-file": "2"},
            },
        },
    )


def _environment(
    user: str, role: Role, storage: CourseStorage, settings: Settings, deployment: Deployment
) -> dict[str, str]:
    variables = common(settings, f"{INSIDE}/services/{EXCHANGE}") | {
        "HOME": HOME,
        "USER": user,
        "LOGNAME": user,
        "SHELL": "/bin/bash",
        "JUPYTER_CONFIG_PATH": CONFIG,
    }
    if deployment.models_volume:
        variables[env.MODELS] = models_folders(volume=True)
    if role == "grader":
        variables |= {
            env.SHAPE: "containers",
            env.URL: deployment.url,
            env.COURSE: COURSE,
            env.PEOPLE: PEOPLE,
            env.GRADEBOOK: storage.gradebook_url,
            env.EXECUTOR: EXECUTOR_SOCKET,
        }
    return variables


def _volumes(
    user: str, role: Role, storage: CourseStorage, deployment: Deployment
) -> dict[str, Any]:
    mine = {home_volume(deployment.project, user): HOME}
    if role == "grader":
        mine |= {
            deployment.volume(storage.folder): COURSE,
            deployment.volume(storage.people): PEOPLE,
        }
    return mine


def _read_only_volumes(
    role: Role, storage: CourseStorage, deployment: Deployment
) -> dict[str, Any]:
    config = storage.config if role == "grader" else f"config_{role}"
    mine = {deployment.volume(config): CONFIG}
    if deployment.models_volume:
        mine[deployment.volume("models")] = DEPLOYMENTS_MODELS
    if role == "grader":
        # Through a read-only mount, a socket can be connected to but not replaced.
        mine |= {
            deployment.volume("db_socket"): DATABASE,
            deployment.volume("executor_socket"): EXECUTOR,
        }
    return mine
