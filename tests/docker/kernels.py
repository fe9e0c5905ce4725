"""Kernels of a running server, used over a websocket as a notebook uses them."""

from __future__ import annotations

import asyncio
import json
import uuid

from tornado.httpclient import HTTPRequest
from tornado.websocket import websocket_connect

from tests.e2e.hub_client import Person


class KernelError(Exception):
    """The code raised; the message is what."""


class Kernel:
    """A new kernel in the running server of `person`."""

    def __init__(self, person: Person) -> None:
        answer = person.server("POST", "/api/kernels", json={"name": "python3"})
        answer.raise_for_status()
        self.address = (
            f"{person.url.replace('http', 'ws', 1)}/user/{person.name}"
            f"/api/kernels/{answer.json()['id']}/channels"
        )
        self.token = person.token(note="kernel", expires_in=7200)

    def run(self, code: str, seconds: float = 120) -> str:
        """Run `code` over a connection of its own; what it printed.

        Raises KernelError where the code raises, ConnectionError where the connection ends
        first, and TimeoutError.
        """
        return asyncio.run(asyncio.wait_for(self._run(code), seconds))

    async def _run(self, code: str) -> str:
        headers = {"Authorization": f"token {self.token}"}
        connection = await websocket_connect(HTTPRequest(self.address, headers=headers))
        message = uuid.uuid4().hex
        try:
            await connection.write_message(json.dumps(_request(message, code)))
            printed = ""
            while (text := await connection.read_message()) is not None:
                answer = json.loads(text)
                if answer["parent_header"].get("msg_id") != message:
                    continue
                kind, content = answer["msg_type"], answer["content"]
                if kind == "stream":
                    printed += content["text"]
                elif kind == "error":
                    raise KernelError(f"{content['ename']}: {content['evalue']}")
                elif kind == "status" and content["execution_state"] == "idle":
                    return printed
            raise ConnectionError("the connection to the kernel ended before the code did")
        finally:
            connection.close()


def _request(message: str, code: str) -> dict:
    header = {
        "msg_id": message,
        "msg_type": "execute_request",
        "username": "",
        "session": message,
        "date": "",
        "version": "5.3",
    }
    content = {"code": code, "silent": False, "store_history": False, "user_expressions": {}}
    content |= {"allow_stdin": False, "stop_on_error": True}
    return {
        "header": header,
        "parent_header": {},
        "metadata": {},
        "content": content,
        "channel": "shell",
    }
