"""The guard in front of an engine that fails, says strange things, or is gone."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from hub.services.guard import __main__ as main
from hub.services.guard import server
from hub.services.guard.server import Engine, Guard
from tests.guard.samples import COURSES, POLICY, created, person

NAME = person("alice").name
OURS = {"Id": "0123", "Name": "/" + NAME, "Config": {"Labels": created("alice")["Labels"]}}


class StandInEngine:
    """Answers every request with what `answer` returns, and keeps what it was asked."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.asked: list[tuple[str, str, bytes]] = []
        self.answer = lambda request: web.json_response(OURS)

    async def __aenter__(self) -> StandInEngine:
        self.runner = web.ServerRunner(web.Server(self._handle))
        await self.runner.setup()
        await web.UnixSite(self.runner, str(self.path)).start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.runner.cleanup()

    async def _handle(self, request: web.BaseRequest) -> web.StreamResponse:
        self.asked.append((request.method, request.raw_path, await request.read()))
        return self.answer(request)


class Asking:
    """A guard of this process, and its client."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    async def __aenter__(self) -> Asking:
        self.engine = Engine(self.folder / "engine")
        (self.folder / "courses").write_text("\n".join(COURSES))
        guard = Guard(replace(POLICY, courses=()), self.engine, self.folder / "courses")
        self.runner = web.ServerRunner(web.Server(guard.handle, lingering_time=0.1))
        await self.runner.setup()
        await web.UnixSite(self.runner, str(self.folder / "guard")).start()
        connector = aiohttp.UnixConnector(str(self.folder / "guard"))
        self.session = aiohttp.ClientSession("http://guard", connector=connector)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.session.close()
        await self.runner.cleanup()
        await self.engine.close()

    async def __call__(self, method: str, target: str, body: object = None) -> tuple[int, str]:
        async with self.session.request(method, target, json=body) as answer:
            return answer.status, await answer.text()


INSPECT = f"/v1.41/containers/{NAME}/json"
CREATE = f"/v1.41/containers/create?name={NAME}"


def test_an_engine_that_is_gone_is_distinguished_from_a_container_that_is_gone(tmp_path):
    async def story():
        async with Asking(tmp_path) as ask:
            # DockerSpawner takes 404 and 500 for a container that is gone, and forgets it.
            assert (await ask("GET", INSPECT))[0] == 503
            async with StandInEngine(tmp_path / "engine"):
                assert (await ask("GET", INSPECT))[0] == 200
            assert (await ask("GET", INSPECT))[0] == 503
            (tmp_path / "engine").unlink(missing_ok=True)
            async with StandInEngine(tmp_path / "engine"):
                assert (await ask("GET", INSPECT))[0] == 200

    asyncio.run(story())


@pytest.mark.parametrize("text", ["", "null", "[]", "{", "<html>", '{"Config":1}', '"x"'])
def test_an_answer_that_is_none_opens_nothing(tmp_path, text):
    async def story():
        async with Asking(tmp_path) as ask, StandInEngine(tmp_path / "engine") as engine:
            engine.answer = lambda request: web.Response(text=text)
            for method, target in [("GET", INSPECT), ("DELETE", f"/v1.41/containers/{NAME}")]:
                assert (await ask(method, target))[0] in (403, 503)
            assert [asked[0] for asked in engine.asked] == ["GET", "GET"]

    asyncio.run(story())


def test_an_endless_answer_is_cut_off(tmp_path, monkeypatch):
    monkeypatch.setattr(server, "LARGEST_ANSWER", 1000)

    async def story():
        async with Asking(tmp_path) as ask, StandInEngine(tmp_path / "engine") as engine:
            engine.answer = lambda request: web.Response(text=json.dumps(OURS | {"x": "y" * 1000}))
            status, text = await ask("GET", INSPECT)
            assert status == 503 and "too long" in text

    asyncio.run(story())


def test_a_forwarded_request_is_written_anew_and_by_id(tmp_path):
    async def story():
        async with Asking(tmp_path) as ask, StandInEngine(tmp_path / "engine") as engine:
            await ask("POST", CREATE, created("alice"))
            await ask("POST", f"/v1.41/containers/{NAME}/stop?t=3")
            (_, created_at, body), _, (method, stopped_at, _) = engine.asked
            assert created_at == CREATE
            assert "AttachStdout" not in json.loads(body) and b"token-of-alice" in body
            assert (method, stopped_at) == ("POST", "/v1.41/containers/0123/stop?t=3")

    asyncio.run(story())


def test_the_courses_are_those_that_setup_has_written_last(tmp_path):
    async def story():
        async with Asking(tmp_path) as ask, StandInEngine(tmp_path / "engine") as engine:
            body = created("alice")
            assert (await ask("POST", CREATE, body))[0] == 200
            (tmp_path / "courses").write_text("other\n")
            status, text = await ask("POST", CREATE, body)
            assert status == 403 and "accepted: 'other'" in text
            (tmp_path / "courses").unlink()
            status, text = await ask("POST", CREATE, body)
            assert status == 403 and "`make up` writes it" in text
            assert len(engine.asked) == 1

    asyncio.run(story())


def test_the_engines_own_refusals_reach_the_hub(tmp_path):
    async def story():
        async with Asking(tmp_path) as ask, StandInEngine(tmp_path / "engine") as engine:
            engine.answer = lambda request: web.json_response({"message": "no space"}, status=507)
            assert await ask("POST", CREATE, created("alice")) == (507, '{"message": "no space"}')
            engine.answer = lambda request: web.json_response({"message": "No such"}, status=404)
            assert (await ask("GET", INSPECT))[0] == 404

    asyncio.run(story())


def test_a_body_that_does_not_come_is_not_waited_for(tmp_path, monkeypatch):
    monkeypatch.setattr(server, "BODY_SECONDS", 0.2)

    async def story():
        async with Asking(tmp_path):
            reader, writer = await asyncio.open_unix_connection(str(tmp_path / "guard"))
            writer.write(
                f"POST {CREATE} HTTP/1.1\r\nHost: d\r\nContent-Length: 9\r\n\r\n{{".encode()
            )
            assert b" 403 " in await asyncio.wait_for(reader.readline(), 10)
            writer.close()

    asyncio.run(story())


def test_a_mistake_of_the_guards_own_is_no_answer_about_a_container(tmp_path, monkeypatch):
    def broken(*_: object) -> None:
        raise RuntimeError("a mistake")

    monkeypatch.setattr(server.responses, "container", broken)

    async def story():
        async with Asking(tmp_path) as ask, StandInEngine(tmp_path / "engine"):
            status, text = await ask("GET", INSPECT)
            assert status == 503 and "a mistake" not in text

    asyncio.run(story())


def test_the_guard_ends_when_the_engine_stays_away_so_that_it_is_started_anew(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(main, "CHECK_SECONDS", 0.05)
    by_a_signal = asyncio.run(
        asyncio.wait_for(
            main.serve(POLICY, tmp_path / "guard", tmp_path / "engine", tmp_path / "courses"), 20
        )
    )
    assert not by_a_signal


def test_an_engine_that_is_slow_is_not_gone(tmp_path, monkeypatch):
    monkeypatch.setattr(main, "CHECK_SECONDS", 0.02)

    async def story():
        # Listens, and never answers: connections are made by the kernel.
        slow = await asyncio.start_unix_server(lambda *_: asyncio.sleep(60), tmp_path / "engine")
        stop, engine = asyncio.Event(), Engine(tmp_path / "engine")
        asyncio.get_running_loop().call_later(1, stop.set)
        assert await main.stopped(stop, engine)
        slow.close()
        await engine.close()

    asyncio.run(story())


def test_help_names_every_variable_and_a_missing_one_is_named():
    guard = [sys.executable, "-m", "hub.services.guard"]
    report = subprocess.run(
        [*guard, "--help"], capture_output=True, text=True, timeout=60, check=True
    )
    for name in ("LOGITLAB_PROJECT", "LOGITLAB_GPUS", "GUARD_MAX_MEMORY_MIB", "--engine"):
        assert name in report.stdout
    guard += ["--engine", os.devnull]  # may be asked by whoever may not ask the machine's engine
    report = subprocess.run(guard, env={}, capture_output=True, text=True, timeout=60, check=False)
    assert report.returncode == 2 and "LOGITLAB_PROJECT" in report.stderr
