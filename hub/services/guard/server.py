"""The guard as a server: one unix socket in front of another.

Each request is read completely, checked, and rebuilt for the engine from accepted values;
no byte of it is passed through.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp
from aiohttp import web
from yarl import URL

from hub.services.guard import body, responses
from hub.services.guard.calls import Call, call, list_query
from hub.services.guard.create import check_create
from hub.services.guard.errors import RequestRefused
from hub.services.guard.policy import Policy, PolicyError, courses_in

log = logging.getLogger(__name__)

LARGEST_BODY = 256 * 1024  # bytes of a request
LARGEST_ANSWER = 16 * 1024 * 1024  # bytes of the engine's answer
BODY_SECONDS = 20
# A start waits for a volume to be populated and a GPU to be attached; a stop for the server.
ENGINE_SECONDS = responses.START_SECONDS
REQUESTS_AT_ONCE = 64


class EngineFailed(Exception):
    """The engine gave no answer."""


class Engine:
    """The Docker engine behind its unix socket."""

    def __init__(self, socket: Path) -> None:
        # One connection per request, so that an engine restart leaves none half open.
        connector = aiohttp.UnixConnector(str(socket), limit=REQUESTS_AT_ONCE, force_close=True)
        timeout = aiohttp.ClientTimeout(total=ENGINE_SECONDS, sock_connect=5)
        self._session = aiohttp.ClientSession(connector=connector, timeout=timeout)
        self._socket = socket

    async def close(self) -> None:
        await self._session.close()

    async def is_there(self) -> bool:
        """Whether somebody listens. An engine that is merely slow counts as listening."""
        try:
            _, writer = await asyncio.wait_for(asyncio.open_unix_connection(self._socket), 5)
        except (ConnectionRefusedError, FileNotFoundError):
            return False
        except (OSError, TimeoutError):
            return True
        writer.close()
        return True

    async def ask(
        self,
        method: str,
        path: str,
        query: dict[str, str] | None = None,
        content: dict[str, Any] | None = None,
    ) -> tuple[int, bytes]:
        """Status and body of the engine's answer. Raises EngineFailed if there is none."""
        target = path + ("?" + urlencode(query) if query else "")
        try:
            async with self._session.request(
                method, URL(f"http://engine{target}", encoded=True), json=content
            ) as response:
                answer = await response.content.read(LARGEST_ANSWER + 1)
                while len(answer) <= LARGEST_ANSWER and not response.content.at_eof():
                    answer += await response.content.read(LARGEST_ANSWER + 1)
                if len(answer) > LARGEST_ANSWER:
                    raise EngineFailed("its answer is too long")
                return response.status, answer
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise EngineFailed(str(error) or type(error).__name__) from error


class Guard:
    """Checks each request against `policy` and sends the accepted ones to `engine`.

    courses: the file that names the hub's, read for each container that is created, as `setup`
        may write it anew while the guard runs.
    """

    def __init__(self, policy: Policy, engine: Engine, courses: Path) -> None:
        self.policy, self.courses = policy, courses
        self.engine = engine
        self._turns = asyncio.Semaphore(REQUESTS_AT_ONCE)
        self._actions: dict[str, Callable[[Call, bytes], Awaitable[web.Response]]] = {
            "ping": self._ping,
            "version": self._version,
            "image": self._image,
            "list": self._list,
            "create": self._create,
            "inspect": self._inspect,
            "start": self._start,
            "stop": self._stop,
            "delete": self._delete,
        }

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Handle one request and log one line, never with content of the body or the answer."""
        begin = time.monotonic()
        what = f"{request.method} {request.raw_path[:200]!a}"
        try:
            async with self._turns:
                wanted = call(request.method, request.raw_path, self.policy)
                what = " ".join(filter(None, (wanted.route.action, wanted.name)))
                what = f"create {wanted.query['name']}" if what == "create" else what
                content = await _body_of(request, wanted)
                response = await self._actions[wanted.route.action](wanted, content)
        except RequestRefused as refused:
            log.warning("%s: refused: %s", what, refused)
            response = _message(403, f"refused by the guard: {refused}")
        except EngineFailed as error:
            log.error("%s: the engine does not answer: %s", what, error)
            # Never 500, which DockerSpawner takes for a missing container.
            response = _message(503, f"the Docker engine does not answer: {error}")
        except Exception:
            log.exception("%s", what)
            response = _message(503, "the guard failed; see its log")
        else:
            log.info("%s: %d in %.2f s", what, response.status, time.monotonic() - begin)
        return response

    async def _ping(self, wanted: Call, _content: bytes) -> web.Response:
        status, answer = await self.engine.ask("GET", "/_ping")
        return web.Response(status=status, body=answer[:64], content_type="text/plain")

    async def _version(self, wanted: Call, _content: bytes) -> web.Response:
        return _filtered(
            await self.engine.ask("GET", wanted.version + "/version"), responses.version
        )

    async def _image(self, wanted: Call, _content: bytes) -> web.Response:
        path = f"{wanted.version}/images/{wanted.name}/json"
        return _filtered(await self.engine.ask("GET", path), responses.image)

    async def _list(self, wanted: Call, _content: bytes) -> web.Response:
        path = wanted.version + "/containers/json"
        query, is_count = list_query(wanted.query, self.policy)
        answer = await self.engine.ask("GET", path, query)
        if is_count:
            now = time.time()
            return _filtered(
                answer, lambda each: responses.containers_on_devices(each, self.policy, now)
            )
        return _filtered(answer, lambda each: responses.containers(each, self.policy))

    async def _create(self, wanted: Call, content: bytes) -> web.Response:
        name = wanted.query["name"]
        try:
            policy = replace(self.policy, courses=courses_in(self.courses))
        except PolicyError as error:
            raise RequestRefused(str(error)) from error
        clean = check_create(name, body.parse(content), policy)
        path = wanted.version + "/containers/create"
        return _passed(await self.engine.ask("POST", path, {"name": name}, clean))

    async def _inspect(self, wanted: Call, _content: bytes) -> web.Response:
        return _filtered(await self._own(wanted), responses.container)

    async def _start(self, wanted: Call, _content: bytes) -> web.Response:
        return await self._on_own("POST", wanted, "/start")

    async def _stop(self, wanted: Call, _content: bytes) -> web.Response:
        return await self._on_own("POST", wanted, "/stop")

    async def _delete(self, wanted: Call, _content: bytes) -> web.Response:
        return await self._on_own("DELETE", wanted, "")

    async def _on_own(self, method: str, wanted: Call, verb: str) -> web.Response:
        status, answer = await self._own(wanted)
        if status != 200:
            return _passed((status, answer))
        # By id, as the name could belong to another container by now.
        path = f"{wanted.version}/containers/{json.loads(answer)['Id']}{verb}"
        return _passed(await self.engine.ask(method, path, wanted.query))

    async def _own(self, wanted: Call) -> tuple[int, bytes]:
        """The engine's answer about the container. Raises RequestRefused if it is not ours."""
        path = f"{wanted.version}/containers/{wanted.name}/json"
        status, answer = await self.engine.ask("GET", path)
        if status == 200 and not responses.is_own(_tree(answer), self.policy):
            raise RequestRefused(f"{wanted.name} is not a user's server in {self.policy.project}")
        return status, answer


async def _body_of(request: web.BaseRequest, wanted: Call) -> bytes:
    if "Upgrade" in request.headers:
        raise RequestRefused("connection upgrades are not accepted")
    if "Content-Encoding" in request.headers:
        raise RequestRefused("compressed bodies are not accepted")
    too_long = RequestRefused(f"the body is longer than {LARGEST_BODY} bytes")
    try:
        content = await asyncio.wait_for(request.read(), BODY_SECONDS)
    except web.HTTPRequestEntityTooLarge:
        raise too_long from None
    except TimeoutError:
        raise RequestRefused(f"the body did not arrive within {BODY_SECONDS} s") from None
    if len(content) > LARGEST_BODY:
        raise too_long
    if content and wanted.route.action != "create":
        raise RequestRefused(f"{wanted.route.action} takes no body")
    return content


def _tree(answer: bytes) -> dict[str, Any]:
    try:
        tree = json.loads(answer)
    except ValueError:
        raise EngineFailed("its answer is not JSON") from None
    return tree if isinstance(tree, dict) else {}


def _filtered(
    answer: tuple[int, bytes], keep: Callable[[Any], dict[str, Any] | list[dict[str, Any]]]
) -> web.Response:
    status, content = answer
    if status != 200:
        return _passed(answer)
    try:
        tree = json.loads(content)
    except ValueError:
        raise EngineFailed("its answer is not JSON") from None
    return web.json_response(keep(tree))


def _passed(answer: tuple[int, bytes]) -> web.Response:
    status, content = answer
    return web.Response(
        status=status,
        body=content if status not in (204, 304) else None,
        content_type="application/json",
    )


def _message(status: int, message: str) -> web.Response:
    return web.json_response({"message": message}, status=status)
