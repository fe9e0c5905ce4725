"""The real service on a free port: in a thread of the test, or as a process of its own."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

import httpx
from jupyterhub.services.auth import HubOAuth
from tornado.testing import bind_unused_port

from hub.exchange.overview import CourseInfo
from hub.exchange.service import application, server
from hub.exchange.store import Store
from hub.serve import free_port
from tests.exchange.stand_in_hub import COURSE, SCOPE, StandInHub

PREFIX = "/services/exchange/"


class ServiceThread:
    """The service around `store`, asking `hub`, in a thread; `url` has no slash at its end."""

    def __init__(
        self, store: Store, hub: StandInHub, infos: Mapping[str, CourseInfo] | None = None
    ) -> None:
        started = threading.Event()
        self.store = store

        async def serve() -> None:
            self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
            hub_auth = HubOAuth(
                api_url=hub.api_url,
                api_token="of-the-service",
                base_url=PREFIX,
                oauth_client_id="service-exchange",
                access_scopes={"access:services", SCOPE},
                cache_max_age=1,
            )
            http = server(application(store, {COURSE, "other"}, hub_auth, b"s" * 32, infos))
            listening, port = bind_unused_port(address="127.0.0.1")
            http.add_socket(listening)
            self.url = f"http://127.0.0.1:{port}{PREFIX.rstrip('/')}"
            started.set()
            await self._stop.wait()
            http.stop()
            await http.close_all_connections()

        self._thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
        self._thread.start()
        assert started.wait(10)

    def __enter__(self) -> ServiceThread:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)


class ServiceProcess:
    """``python -m hub.exchange`` on one port, to be killed and started again."""

    def __init__(
        self, folder: Path, hub: StandInHub, log: BinaryIO, database: str | None = None
    ) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}{PREFIX.rstrip('/')}"
        self._log = log
        self._command = [
            *(sys.executable, "-m", "hub.exchange"),
            *("--store", str(folder), "--course", COURSE),
            *(("--database", database) if database else ()),
        ]
        self._environment = {
            **os.environ,
            "JUPYTERHUB_SERVICE_URL": f"http://127.0.0.1:{self.port}",
            "JUPYTERHUB_SERVICE_PREFIX": PREFIX,
            "JUPYTERHUB_SERVICE_NAME": "exchange",
            "JUPYTERHUB_CLIENT_ID": "service-exchange",
            "JUPYTERHUB_API_TOKEN": "of-the-service",
            "JUPYTERHUB_API_URL": hub.api_url,
        }
        self.start()

    def start(self) -> None:
        """Start it and wait until it answers."""
        self._process = subprocess.Popen(
            self._command, env=self._environment, stdout=self._log, stderr=self._log
        )
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                if (
                    httpx.get(f"{self.url}/api/health", trust_env=False, verify=False).status_code
                    == 200
                ):
                    return
            except httpx.TransportError:
                time.sleep(0.02)
        raise TimeoutError("the exchange did not start in a minute")

    def kill(self) -> None:
        """``kill -9``, and wait until it is gone."""
        self._process.send_signal(signal.SIGKILL)
        self._process.wait()

    def stop(self) -> int:
        self._process.terminate()
        return self._process.wait(20)
