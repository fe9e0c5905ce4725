"""Servers as local processes of the account that runs the hub: for people who trust each other."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
from collections.abc import AsyncIterator
from functools import cached_property
from pathlib import Path
from subprocess import DEVNULL, STDOUT
from typing import Any

from jupyterhub.spawner import LocalProcessSpawner
from traitlets import Bool, Instance, Unicode, default

from hub.core.course_folder import CourseFolder
from hub.host.install.state import notebook_progress, notebook_ready
from hub.jupyterhub.configuration.jupyterlab import Role, config_path, course_of, role_of
from hub.jupyterhub.spawners.environment import KEPT, arguments, environment, home
from hub.people.roles import SERVER_TOKEN_SCOPES, grader_token_scopes

INSTALL_SECONDS = 3600


class LocalSpawner(LocalProcessSpawner):
    """One `jupyterhub-singleuser` per person, in a home folder below `<course>/server/homes`."""

    course = Instance(CourseFolder, help="The hub's course.").tag(config=True)
    exchange_url = Unicode(help="URL of the exchange service.").tag(config=True)
    libraries_are_coming = Bool(
        False, help="The notebook libraries are being installed: servers wait for them."
    ).tag(config=True)

    env_keep = KEPT
    # The first start may wait for the notebook libraries to be installed.
    start_timeout = INSTALL_SECONDS

    @cached_property
    def folder(self) -> CourseFolder:
        return self.course.reread()

    @property
    def role(self) -> Role:
        return role_of(self.user.name, self.folder)

    @default("cmd")
    def _cmd(self) -> list[str]:
        server = str(Path(sys.executable).parent / "jupyterhub-singleuser")
        if self.role != "student":
            return [server]
        # Isolated: nothing in a student's home may run before it is confined.
        launcher = [sys.executable, "-I", "-m", "hub.singleuser.confined"]
        config = config_path(self.role, course_of(self.user.name, self.folder))
        theirs = {"home": home(self.user.name, self.folder), "tmp": self._tmp, "read": config}
        theirs |= {"hide": self.folder.root}
        return [*launcher, *(f"--{name}={path}" for name, path in theirs.items()), "--", server]

    @property
    def _tmp(self) -> Path:
        return self.folder.server / "tmp" / self.user.name

    @default("server_token_scopes")
    def _server_token_scopes(self) -> list[str]:
        if self.role == "grader":
            return grader_token_scopes(course_of(self.user.name, self.folder).settings)
        return SERVER_TOKEN_SCOPES

    @default("default_url")
    def _default_url(self) -> str:
        return "/formgrader" if self.role == "grader" else "/lab"

    def is_waiting(self) -> bool:
        """Whether the notebook libraries are still being installed."""
        return self.libraries_are_coming and not notebook_ready(Path(sys.prefix))

    def make_preexec_fn(self, name: str) -> Any:
        folder = home(name, self.folder)

        def enter_home() -> None:
            os.chdir(folder)

        return enter_home

    def user_env(self, env: dict[str, str]) -> dict[str, str]:
        folder = str(home(self.user.name, self.folder))
        env = {**env, "USER": self.user.name, "HOME": folder, "SHELL": "/bin/bash"}
        return env | environment(self.user.name, self.folder, self.exchange_url)

    def get_args(self) -> list[str]:
        folder = str(home(self.user.name, self.folder))
        args = [*super().get_args(), *arguments(self.role, folder)]
        if os.geteuid() == 0:
            # Servers run under the hub's account, even if that is root.
            args.append("--ServerApp.allow_root=True")
        return args

    async def start(self) -> Any:
        while self.is_waiting():
            await asyncio.sleep(1)
        # Somebody's role may have changed since the last start.
        self.__dict__.pop("folder", None)
        self.cmd = self._cmd()
        # Nothing of theirs runs now, and nobody else empties it.
        await asyncio.to_thread(shutil.rmtree, self._tmp, ignore_errors=True)
        for folder in {
            home(self.user.name, self.folder),
            self.folder.server / "homes" / self.user.name,
            self._tmp,
        }:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Not the hub's own log, which whoever has it open can empty.
        log = self.folder.server / "log" / "servers" / f"{self.user.name}.log"
        log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with log.open("ab") as output:
            self.popen_kwargs = {"stdin": DEVNULL, "stdout": output, "stderr": STDOUT}
            return await super().start()

    async def progress(self) -> AsyncIterator[dict[str, Any]]:
        """Shown on the spawn page while the person waits."""
        last = ""
        while self.is_waiting():
            line = notebook_progress(Path(sys.prefix))
            if line != last:
                yield {"progress": 10, "message": f"Installing the notebook libraries: {line}"}
            last = line
            await asyncio.sleep(1)
        yield {"progress": 50, "message": "Starting your JupyterLab"}
