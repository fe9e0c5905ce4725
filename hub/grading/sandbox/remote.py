"""The client of the executor (`hub.services.executor`), and the frames that both sides speak.

A frame is four bytes of length, big-endian, and msgpack: a list whose first item says what it is.

    client    hello NAME | status            then, when told to go: request BYTES*, (file NAME,
              data BYTES*)*, run
    executor  position N*, go                    then: busy*, answer BYTES*,
                                              done (KIND WORDS | nil) SECONDS
              or refused WORDS at any time, or status DICT

An execution is pure: whenever the connection breaks, the same one is asked for again.
"""

from __future__ import annotations

import json
import os
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgpack

from hub.grading.sandbox.run import RunOutcome

CHUNK = 1024 * 1024
FRAME_LIMIT = CHUNK + 1000
ANSWER_LIMIT = 512 * 1024 * 1024
ALIVE_SECONDS = 10.0
"""How often the executor says something, at least."""

RETRY_SECONDS = 60.0
"""How long an executor that does not answer is waited for: it is started again meanwhile."""

ATTEMPTS = 3
"""How often an execution is asked for that breaks off each time."""

OnPosition = Callable[[int], None]


class ExecutorAway(Exception):
    """The executor cannot be reached, or broke off; the message says what to do."""


class _Broken(Exception):
    """The connection ended before the answer; `begun`: while the execution ran."""

    def __init__(self, begun: bool) -> None:
        super().__init__("the connection to the executor broke off")
        self.begun = begun


class _Outage:
    """Since when the executor is away: who comes later does not wait the whole time again."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._since: float | None = None

    def over(self) -> None:
        with self._lock:
            self._since = None

    def lasts_too_long(self) -> bool:
        with self._lock:
            now = time.monotonic()
            self._since = self._since or now
            return now - self._since > RETRY_SECONDS


_outage = _Outage()
_name = f"{os.getpid()}-{os.urandom(8).hex()}"


def run_there(
    executor: Path,
    request: Mapping[str, Any],
    files: Mapping[str, Path],
    on_position: OnPosition = lambda position: None,
) -> RunOutcome:
    """Have the executor run a request (see `worker`); returns what `run_here` would.

    on_position: called with the position in the executor's queue, from 1, whenever it changes.

    Raises:
        ExecutorAway: it could not be reached for a minute, refused, or broke off three times.
    """
    attempts = 0
    while True:
        try:
            return _attempt(executor, request, files, on_position)
        except _Broken as broken:
            attempts += broken.begun
            if attempts >= ATTEMPTS:
                raise ExecutorAway(
                    f"The executor ended {ATTEMPTS} times while it ran this notebook. "
                    "`make logs` says why, `make status` whether it is running now."
                ) from broken
        except OSError as error:
            if _outage.lasts_too_long():
                raise ExecutorAway(
                    f"The executor, which runs students' notebooks, cannot be reached "
                    f"({error.strerror or error}). See `make status`, and grade again when it runs."
                ) from error
        time.sleep(0.5)


def status(executor: Path) -> dict[str, Any]:
    """What the executor says of itself: boxes, running and waiting executions. Raises OSError."""
    with _connected(executor) as connection:
        _send(connection, ["status"])
        for kind, *rest in frames(connection):
            if kind == "status":
                return rest[0]
    raise ConnectionResetError("the executor did not answer")


def _connected(executor: Path) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(6 * ALIVE_SECONDS)
    try:
        connection.connect(str(executor))
    except BaseException:
        connection.close()
        raise
    return connection


def _attempt(
    executor: Path, request: Mapping[str, Any], files: Mapping[str, Path], on_position: OnPosition
) -> RunOutcome:
    begun, parts = False, []
    with _connected(executor) as connection:
        try:
            _send(connection, ["hello", _name])
            for kind, *rest in frames(connection):
                _outage.over()
                if kind == "position":
                    on_position(rest[0])
                elif kind == "go":
                    begun = True
                    for frame in _upload(request, files):
                        _send(connection, frame)
                elif kind == "answer":
                    parts.append(rest[0])
                    if len(parts) * CHUNK > ANSWER_LIMIT:
                        raise ExecutorAway("The executor's answer is too large.")
                elif kind == "done":
                    stopped, seconds = rest
                    return RunOutcome(b"".join(parts), stopped and tuple(stopped), seconds)
                elif kind == "refused":
                    raise ExecutorAway(f"The executor refused this notebook: {rest[0]}.")
        except OSError as error:
            raise _Broken(begun) from error
    raise _Broken(begun)


def _upload(request: Mapping[str, Any], files: Mapping[str, Path]) -> Iterator[list[Any]]:
    text = json.dumps(request).encode()
    for start in range(0, len(text), CHUNK):
        yield ["request", text[start : start + CHUNK]]
    for name, path in files.items():
        if path.is_symlink() or not path.is_file():
            continue
        yield ["file", name]
        with open(path, "rb") as file:
            while chunk := file.read(CHUNK):
                yield ["data", chunk]
    yield ["run"]


def packed(frame: list[Any]) -> bytes:
    data = msgpack.packb(frame)
    return struct.pack(">I", len(data)) + data


def _send(connection: socket.socket, frame: list[Any]) -> None:
    connection.sendall(packed(frame))


def frames(connection: socket.socket) -> Iterator[list[Any]]:
    """The frames that arrive, until the other side closes. Raises OSError."""
    while (head := _exactly(connection, 4)) is not None:
        data = _exactly(connection, length_of(head))
        if data is None:
            return
        yield unpacked(data)


def length_of(head: bytes) -> int:
    (length,) = struct.unpack(">I", head)
    if length > FRAME_LIMIT:
        raise ConnectionAbortedError("a frame is over the limit")
    return length


def unpacked(data: bytes) -> list[Any]:
    try:
        frame = msgpack.unpackb(data)
    except (ValueError, msgpack.UnpackException) as error:
        raise ConnectionAbortedError("received something that is not a frame") from error
    if not isinstance(frame, list) or not frame:
        raise ConnectionAbortedError("received something that is not a frame")
    return frame


def _exactly(connection: socket.socket, count: int) -> bytes | None:
    parts = bytearray()
    while len(parts) < count:
        part = connection.recv(count - len(parts))
        if not part:
            return None
        parts += part
    return bytes(parts)
