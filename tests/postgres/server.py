"""A real PostgreSQL of the tests' own: under a temporary folder, by its socket only."""

from __future__ import annotations

import atexit
import functools
import os
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import psycopg

from tests.needs import POSTGRESQL, need


class Postgres:
    """A server that can be killed and started again. `folder` holds its data and its socket."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="logitlab-postgres-"))
        self._bin = POSTGRESQL[-1]
        # PostgreSQL does not run as root.
        self._user = "postgres" if os.getuid() == 0 else None
        if self._user:
            shutil.chown(self.folder, self._user, self._user)
        self.folder.chmod(0o755)
        self._run("initdb", "--auth=trust", "--no-sync", "--username=logitlab", "--encoding=UTF8")
        self._databases = 0
        self.start()

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [self._bin / program, "--pgdata", str(self.folder / "data"), *arguments],
            check=True,
            capture_output=True,
            timeout=60,
            cwd=self.folder,
            user=self._user,
        )

    def start(self) -> None:
        """Start it and wait until it takes connections."""
        with open(self.folder / "log", "ab") as log:
            self._process = subprocess.Popen(
                [
                    *(self._bin / "postgres", "-D", self.folder / "data"),
                    *("-k", self.folder, "-c", "listen_addresses=", "-c", "fsync=off"),
                    *("-c", "max_connections=60", "-c", "shared_buffers=16MB"),
                ],
                stdout=log,
                stderr=log,
                cwd=self.folder,
                user=self._user,
                start_new_session=True,
            )
        deadline = time.monotonic() + 60
        while True:
            try:
                psycopg.connect(self._conninfo("postgres"), connect_timeout=5).close()
                return
            except psycopg.OperationalError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    def kill(self) -> None:
        """``kill -9`` the server and all of its processes.

        The first one first: it tells the others to end in order when it sees one of them die.
        """
        processes = subprocess.run(
            ["ps", "-o", "pid=", "--ppid", str(self._process.pid)], capture_output=True, text=True
        ).stdout.split()
        self._process.kill()
        self._process.wait()
        for process in processes:
            with suppress(ProcessLookupError):
                os.kill(int(process), signal.SIGKILL)

    def new_schema(self) -> str:
        """A SQLAlchemy URL with no tables: a schema of its own, which is made in no time."""
        self._databases += 1
        name = f"test{self._databases}"
        with psycopg.connect(self._conninfo("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE SCHEMA {name}")
        options = f"host={self.folder}&options=-csearch_path%3D{name}"
        return f"postgresql+psycopg://logitlab@/postgres?{options}"

    def new_database(self) -> str:
        """A SQLAlchemy URL of an empty database."""
        self._databases += 1
        name = f"test{self._databases}"
        with psycopg.connect(self._conninfo("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} STRATEGY FILE_COPY")
        return f"postgresql+psycopg://logitlab@/{name}?host={self.folder}"

    def _conninfo(self, database: str) -> str:
        return f"host={self.folder} user=logitlab dbname={database}"

    def remove(self) -> None:
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)


@functools.cache
def shared() -> Postgres:
    """The one server of a test run."""
    need("postgresql")
    server = Postgres()
    atexit.register(server.remove)
    return server
