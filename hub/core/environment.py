"""What a process is told from outside of the course that it belongs to."""

from __future__ import annotations

import os
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from hub.facts import env
from hub.facts.errors import UserError


class EnvironmentVariableError(UserError):
    """A variable has a value that cannot be used; the message names it."""


@dataclass(frozen=True)
class Environment:
    """The process's environment variables, read once where it starts and passed on from there.

    What is unset is empty: that of a course without containers, outside any person's server.
    """

    course: Path | None = None
    people: Path | None = None
    """The folder of the roster."""
    gradebook: str = ""
    """SQLAlchemy URL."""
    hub_database: str = ""
    """SQLAlchemy URL."""
    in_containers: bool = False
    url: str = ""
    """The address that people open."""
    port: int | None = None
    """The embedded server's, of localhost."""
    data_folder: Path | None = None
    """Where programs keep data for the account that runs them."""
    oauth_secret: str = field(default="", repr=False)
    oauth_secret_file: Path | None = None
    exchange_url: str = ""
    hub_token: str = field(default="", repr=False)
    """With which this process calls the hub and the exchange."""
    hub_user: str = ""
    executor: Path | None = None
    """The executor's socket; None: notebooks are run on this machine."""

    @classmethod
    def read(cls, environ: Mapping[str, str]) -> Environment:
        """The value of `environ`. Raises EnvironmentVariableError."""

        def path(name: str) -> Path | None:
            return Path(environ[name]) if environ.get(name) else None

        port = environ.get(env.PORT, "")
        if port and not port.isdecimal():
            raise EnvironmentVariableError(
                f"{env.PORT}={port}: not a port number.", "Set it to a number, or unset it."
            )
        return cls(
            course=path(env.COURSE),
            people=path(env.PEOPLE),
            gradebook=environ.get(env.GRADEBOOK, ""),
            hub_database=environ.get(env.HUB_DATABASE, ""),
            in_containers=environ.get(env.SHAPE) == "containers",
            url=environ.get(env.URL, ""),
            port=int(port) if port else None,
            data_folder=path("XDG_DATA_HOME"),
            oauth_secret=environ.get(env.OAUTH_SECRET, ""),
            oauth_secret_file=path(env.OAUTH_SECRET_FILE),
            exchange_url=environ.get(env.EXCHANGE_URL, ""),
            hub_token=environ.get(env.HUB_TOKEN, ""),
            hub_user=environ.get(env.HUB_USER, ""),
            executor=path(env.EXECUTOR),
        )


def executables_on_path() -> None:
    """Put this Python's own executables first on the PATH of this process and its children.

    nbgrader starts `alembic` and `jupyter` by name, also where the venv is not activated.
    """
    scripts = sysconfig.get_path("scripts")
    path = os.environ.get("PATH", os.defpath).split(os.pathsep)
    if path[0] != scripts:
        os.environ["PATH"] = os.pathsep.join([scripts, *path])
