"""Servers as containers, through DockerSpawner; `options` says what each is made of."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Mapping
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import docker.errors
import requests
from dockerspawner import DockerSpawner
from jupyterhub.utils import wait_for_http_server
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from traitlets import Instance, Unicode, default

from hub.core.course_folder import CourseFolder, courses_of
from hub.facts.container_paths import GPU_SLOTS
from hub.facts.containers import (
    GPU_LABEL,
    GRADERS_COMMAND,
    PERSONS_COMMAND,
    PROJECT_LABEL,
    USER_LABEL,
    CourseStorage,
)
from hub.facts.deployment import Deployment
from hub.facts.gpu_devices import chosen, from_variable, missing
from hub.jupyterhub.configuration.jupyterlab import course_of, role_of
from hub.jupyterhub.spawners.environment import arguments
from hub.jupyterhub.spawners.gpu.claim import GpuStart
from hub.jupyterhub.spawners.gpu.messages import read_form
from hub.jupyterhub.spawners.gpu.request import Placement
from hub.jupyterhub.spawners.gpu.slots import ListedContainer, Slots, SlotTaken
from hub.jupyterhub.spawners.options import Options, options
from hub.jupyterhub.spawners.queue import StartQueue
from hub.jupyterhub.spawners.uids import keep_uid
from hub.people.roles import SERVER_TOKEN_SCOPES, grader_token_scopes

# Waiting in the queue counts as starting, so this is the longest wait of a large class.
START_SECONDS = 3600
BOOT_SECONDS = 180
STALE_SECONDS = 30


@cache
def start_queue(width: int) -> StartQueue:
    """This hub's queue of starts."""
    return StartQueue(width)


def gpu_slots(spawner: ContainerSpawner) -> Slots:
    """This hub's list of GPU slots, kept in sync with the engine from then on."""
    global _slots
    if _slots is None:
        settings, deployment = spawner.folder.settings, spawner.deployment
        devices = chosen(from_variable(deployment.gpus), settings.gpus.devices)
        _slots = Slots(
            devices,
            settings.gpus,
            spawner.listed,
            staff=lambda name: role_of(name, spawner.folder) != "student",
            map_file=Path(GPU_SLOTS) if devices else None,
        )
        for uuid in missing(from_variable(deployment.gpus), settings.gpus.devices):
            spawner.log.warning("course.yaml names the GPU %s, which this host lacks", uuid)
        if devices:
            _keeping.append(asyncio.ensure_future(_slots.keep_in_step()))
    return _slots


_slots: Slots | None = None
_keeping: list[asyncio.Future[None]] = []


def as_listed(answer: Mapping[str, Any], project: str) -> ListedContainer:
    """One entry of the guard's list; another deployment's has only a device."""
    labels = answer["Labels"]
    if labels.get(PROJECT_LABEL) != project:
        return ListedContainer(None, labels[GPU_LABEL])
    runs = answer["State"] != "created"
    return ListedContainer(labels[USER_LABEL], labels[GPU_LABEL], answer["Id"], runs)


class CannotStart(Exception):
    """A failed start; the message is for the person who waits."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.jupyterhub_message = message


class ContainerSpawner(DockerSpawner):
    """One container per person, equal except for what `options` says."""

    course = Instance(CourseFolder, help="The hub's course.").tag(config=True)
    deployment = Instance(Deployment, help="That the hub is a service of.").tag(config=True)
    firewall_heartbeat = Unicode(
        help=(
            "File that the firewall touches; without a fresh one no server starts. Empty: no "
            "firewall."
        )
    ).tag(config=True)

    start_timeout = START_SECONDS
    http_timeout = BOOT_SECONDS
    remove = True
    pull_policy = "never"
    use_internal_ip = True

    @cached_property
    def folder(self) -> CourseFolder:
        return self.course.reread()

    @property
    def made_of(self) -> Options:
        settings = self.folder.settings
        role = role_of(self.user.name, self.folder)
        path = self.folder.server / "uids.json"
        uid = 0 if role == "grader" else keep_uid(self.user.name, path)
        course = course_of(self.user.name, self.folder).settings.course.id
        courses = [each.settings.course.id for each in courses_of(self.folder)]
        storage = CourseStorage.of(course, courses)
        return options(self.user.name, role, uid, course, storage, settings, self.deployment)

    @property
    def starts(self) -> StartQueue:
        width = self.folder.settings.containers.starts_at_once
        return start_queue(2 * (os.cpu_count() or 1) if width == "auto" else width)

    @default("network_name")
    def _network_name(self) -> str:
        return self.deployment.network

    @default("object_name")
    def _object_name(self) -> str:
        return self.made_of.name

    @default("cmd")
    def _cmd(self) -> list[str]:
        if role_of(self.user.name, self.folder) == "grader":
            return list(GRADERS_COMMAND)
        return list(PERSONS_COMMAND)

    @default("server_token_scopes")
    def _server_token_scopes(self) -> list[str]:
        if role_of(self.user.name, self.folder) == "grader":
            return grader_token_scopes(course_of(self.user.name, self.folder).settings)
        return SERVER_TOKEN_SCOPES

    @default("default_url")
    def _default_url(self) -> str:
        grader = role_of(self.user.name, self.folder) == "grader"
        return "/formgrader" if grader else "/lab"

    async def listed(self) -> list[ListedContainer]:
        """Every container of the host with our GPU label that is running or about to."""
        found = await self.docker("containers", all=True, filters={"label": [GPU_LABEL]})
        return [as_listed(each, self.deployment.project) for each in found]

    def get_args(self) -> list[str]:
        role = role_of(self.user.name, self.folder)
        return [*super().get_args(), *arguments(role, self.made_of.root)]

    def get_env(self) -> dict[str, str]:
        return {**super().get_env(), **self.made_of.environment}

    @property
    def slots(self) -> Slots:
        return gpu_slots(self)

    @cached_property
    def gpu(self) -> GpuStart:
        return GpuStart(self.slots, self.user.name)

    @default("options_form")
    def _options_form(self) -> Any:
        return lambda spawner: spawner.gpu.form()

    @default("options_from_form")
    def _options_from_form(self) -> Any:
        return read_form

    def prepare(self, placement: Placement) -> None:
        """Set DockerSpawner's traits for this start."""
        made = self.made_of
        self.image = made.image
        self.object_name = made.name
        self.volumes, self.read_only_volumes = made.volumes, made.read_only_volumes
        self.environment = placement.environment
        labels = {**made.create["labels"], **placement.labels}
        self.extra_create_kwargs = {**made.create, "labels": labels}
        self.extra_host_config = {**made.host, "device_requests": placement.device_requests}

    async def start(self) -> tuple[str, int]:
        """Wait for a GPU if so configured, then for a turn, and start the container.

        Raises CannotStart with a message for the person who waits.
        """
        return await self.gpu.start(GpuStart.answer(self.user_options), self._start_with)

    async def _start_with(self, placement: Placement) -> tuple[str, tuple[str, int]]:
        """The container's id and its server's address. The turn ends when the server answers."""
        async with self.starts.turn(self.user.name):
            self._check_firewall()
            self.prepare(placement)
            await self._remove_left_over()
            path = self.server.base_url  # read now, as the database may go away meanwhile
            try:
                ip, port = await super().start()
            except docker.errors.ImageNotFound:
                raise CannotStart(
                    f"The image {self.image} is not on this machine: the administrator must run "
                    "`make images`."
                ) from None
            await self._answers(f"http://{ip}:{port}{path}api")
        await self._database_answers()
        return self.object_id, (ip, port)

    async def start_object(self) -> None:
        """Start the created container, unless another deployment has its GPU by now."""
        try:
            await self.slots.confirm(self.user.name, self.object_id)
        except SlotTaken:
            await self.remove_object()  # at once, as it counts as long as it exists
            raise
        await super().start_object()

    async def stop(self, now: bool = False) -> None:
        await super().stop(now)
        self.gpu.stopped()

    async def poll(self) -> Any:
        status = await self._status()
        if status is not None and self.pending != "spawn":
            self.gpu.stopped()
        return status

    async def _status(self) -> Any:
        """As DockerSpawner's, but a hub that starts before the engine answers waits for it.

        JupyterHub takes an error of this first check for a server that has stopped, and would
        forget everybody's.
        """
        while True:
            try:
                return await super().poll()
            except (requests.RequestException, docker.errors.DockerException) as error:
                if not self._check_pending:
                    raise
                self.log.warning("%s: waiting for the engine: %s", self._log_name, error)
                await asyncio.sleep(1)

    async def get_url(self) -> str:
        """The server's address, from the engine: a hub that was killed during the
        start has not stored it, and finds it here after its restart."""
        ip, port = await self.get_ip_and_port()
        return f"{self.server.proto}://{ip}:{port}{self.server.base_url}"

    async def _remove_left_over(self) -> None:
        """Remove what an earlier start left, even if it is still running."""
        if await self.get_object():
            await self.stop_object()
            await self.remove_object()

    async def _answers(self, url: str) -> None:
        waiting = asyncio.ensure_future(wait_for_http_server(url, timeout=BOOT_SECONDS))
        try:
            while not waiting.done():
                await asyncio.wait({waiting}, timeout=2)
                if not waiting.done() and await self.poll() is not None:
                    raise CannotStart(
                        "Your server stopped while starting. Try again; if it happens again, "
                        f"ask the administrator to check `docker logs {self.object_name}`."
                    )
            await waiting
        finally:
            waiting.cancel()

    async def _database_answers(self) -> None:
        """Wait for a database that went away while the container started.

        JupyterHub's next write must not fail, or it would neither finish the start nor undo it.
        """
        while True:
            try:
                self.db.execute(text("SELECT 1"))
                return
            except SQLAlchemyError as error:
                self.db.rollback()
                self.log.warning("%s: waiting for the database: %s", self.object_name, error)
                await asyncio.sleep(1)

    def _check_firewall(self) -> None:
        if not self.firewall_heartbeat:
            return
        try:
            age = time.time() - os.stat(self.firewall_heartbeat).st_mtime
        except FileNotFoundError:
            age = float("inf")
        if age > STALE_SECONDS:
            raise CannotStart(
                "The firewall between students' servers is not active, so servers cannot start: "
                "ask the administrator to check `make status` and `make logs SERVICE=firewall`."
            )

    async def progress(self) -> AsyncIterator[dict[str, Any]]:
        """Shown on the spawn page while the person waits."""
        last, seconds = None, 1
        with self.gpu.watching():
            while self.pending == "spawn":
                percent, message = self._now()
                if message != last:
                    yield {"progress": percent, "message": message}
                elif seconds % 10 == 0:  # only writing reveals that a page was closed
                    yield {"progress": percent}
                last, seconds = message, seconds + 1
                await asyncio.sleep(1)

    def _now(self) -> tuple[int, str]:
        """The progress of this start: per cent and a message."""
        if position := self.starts.position(self.user.name):
            return 20, f"Many servers are starting: yours is number {position} in the queue"
        if self.user.name in self.slots.state.waiting:
            return 10, self.gpu.message() or ""
        return 50, self.gpu.message() or "Starting your JupyterLab"
