"""What a deployment's guard accepts: names, numbers and devices, from its environment."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hub.facts import container_paths, env, limits
from hub.facts.container_names import home_volume
from hub.facts.containers import CourseStorage, image, network, volume
from hub.facts.errors import UserError
from hub.facts.gpu_devices import from_variable
from hub.facts.limits import MIB

_PROJECT = re.compile(r"[a-z0-9][a-z0-9_-]{0,30}")
MOST_PIDS = 4096
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")


class PolicyError(UserError):
    """The environment does not describe a policy; the message names the variable."""


@dataclass(frozen=True)
class Mount:
    """A volume that a container may mount, at one path only."""

    volume: str
    target: str
    mode: str

    @property
    def bind(self) -> str:
        return f"{self.volume}:{self.target}:{self.mode}"


@dataclass(frozen=True)
class Policy:
    """Everything that a create request is checked against."""

    project: str
    tag: str
    gpus: tuple[str, ...] = ()
    gpu_driver: str = "nvidia"
    max_memory: int = limits.SERVER_MIB * MIB  # bytes
    max_cpus: float = limits.SERVER_CPUS
    max_pids: int = MOST_PIDS
    max_cpu_shares: int = 512
    courses: tuple[str, ...] = ()  # of the hub, its first one first

    @property
    def student_image(self) -> str:
        return image("student", self.tag)

    @property
    def grader_image(self) -> str:
        return image("grader", self.tag)

    @property
    def images(self) -> tuple[str, str]:
        return self.student_image, self.grader_image

    @property
    def network(self) -> str:
        return network(self.project)

    def device_id(self, gpu: str) -> str:
        """How a request for the device `gpu` names it for the engine."""
        return f"nvidia.com/gpu={gpu}" if self.gpu_driver == "cdi" else gpu

    def mounts(self, user: str, image: str, course: str) -> tuple[Mount, ...]:
        """Everything that a container of `user` may mount, none of it another person's.

        course: one of `courses`; its grader gets what is of it, and nothing of another.
        """
        own = (
            Mount(home_volume(self.project, user), container_paths.HOME, "rw"),
            Mount(volume(self.project, "models"), container_paths.DEPLOYMENTS_MODELS, "ro"),
        )
        if image == self.grader_image:
            storage = CourseStorage.of(course, self.courses)
            return (
                *own,
                Mount(volume(self.project, storage.folder), container_paths.COURSE, "rw"),
                Mount(volume(self.project, storage.people), container_paths.PEOPLE, "rw"),
                Mount(volume(self.project, storage.config), container_paths.CONFIG, "ro"),
                Mount(volume(self.project, "db_socket"), container_paths.DATABASE, "ro"),
                Mount(volume(self.project, "executor_socket"), container_paths.EXECUTOR, "ro"),
            )
        return (
            *own,
            Mount(volume(self.project, "config_student"), container_paths.CONFIG, "ro"),
            Mount(volume(self.project, "config_instructor"), container_paths.CONFIG, "ro"),
        )


def courses_in(path: Path) -> tuple[str, ...]:
    """The courses that `setup` wrote to `path`. Raises PolicyError where it did not."""
    try:
        return tuple(path.read_text(encoding="utf-8").split())
    except OSError as error:
        raise PolicyError(f"{path}: {error.strerror}", "`make up` writes it.") from error


def policy_from(environ: Mapping[str, str]) -> Policy:
    """The policy that `environ` describes (see `python -m hub.services.guard --help`).

    Unset limits default to the host's own, and at least to what course.yaml's defaults request.
    Raises PolicyError.
    """
    project = _matching(environ, env.PROJECT, _PROJECT)
    tag = _matching(environ, env.TAG, _TAG)
    try:
        gpus = tuple(device.uuid for device in from_variable(environ.get(env.GPUS, "")))
    except ValueError as error:
        raise PolicyError(str(error)) from None
    driver = environ.get(env.GPU_DRIVER, "") or "nvidia"
    if driver not in ("nvidia", "cdi"):
        raise PolicyError(f"LOGITLAB_GPU_DRIVER: {driver!r} is neither nvidia nor cdi")
    host_mib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // MIB
    most_mib = max(host_mib, limits.SERVER_MIB)
    return Policy(
        project=project,
        tag=tag,
        gpus=gpus,
        gpu_driver=driver,
        max_memory=int(_number(environ, "GUARD_MAX_MEMORY_MIB", most_mib) * MIB),
        max_cpus=_number(environ, "GUARD_MAX_CPUS", max(os.cpu_count() or 1, limits.SERVER_CPUS)),
        max_pids=int(_number(environ, "GUARD_MAX_PIDS", MOST_PIDS)),
    )


def _matching(environ: Mapping[str, str], name: str, shape: re.Pattern[str]) -> str:
    value = environ.get(name, "")
    if not shape.fullmatch(value):
        raise PolicyError(f"{name}: {value!r} does not look like {shape.pattern}")
    return value


def _number(environ: Mapping[str, str], name: str, default: float) -> float:
    text = environ.get(name, "")
    try:
        value = float(text) if text else float(default)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise PolicyError(f"{name}: {text!r} is not a number above 0")
    return value
