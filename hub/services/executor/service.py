"""The executor's socket: access, the queue, and one execution per box."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import socket
import struct
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from hub.facts.limits import MIB
from hub.grading.sandbox.gate import is_open, memory_to_spare
from hub.grading.sandbox.remote import ALIVE_SECONDS, CHUNK, length_of, packed, unpacked
from hub.grading.sandbox.run import Busy, RunOutcome, WorkerRequest, inside
from hub.services.executor.boxes import Box, NotClean, remove
from hub.services.executor.fair_queue import FairQueue

log = logging.getLogger(__name__)

HELLO_SECONDS = 10.0
UPLOAD_SECONDS = 120.0
REQUEST_LIMIT = 256 * MIB
MOST_FILES = 10_000


class InvalidRequest(Exception):
    """A request that cannot be run; the message says why."""


class Service:
    """Serves `boxes`, one execution in each at a time, to the users `allowed`.

    workers: executions that may need a CPU at once; those that sleep lend theirs, as in
        `hub.grading.sandbox.gate`.
    """

    def __init__(self, boxes: Sequence[Box], allowed: set[int], workers: int) -> None:
        self._workers = workers
        # Numbers of the boxes whose execution needs a CPU, and of those that have just begun one.
        self._busy: set[int] = set()
        self._beginning: set[int] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._boxes = len(boxes)
        self._free = list(boxes)
        self._allowed = allowed
        self._queue: FairQueue[asyncio.Future[Box]] = FairQueue()
        self._moved = asyncio.Condition()
        self.failed = asyncio.Event()
        """Set once no box is usable."""

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        client = Connection(reader, writer)
        try:
            if client.user not in self._allowed:
                log.warning("refused user=%d", client.user)
                return
            async with asyncio.timeout(HELLO_SECONDS):
                kind, *rest = await client.receive()
            if kind == "status":
                await client.send("status", self.status())
            elif kind == "hello" and len(rest) == 1 and isinstance(rest[0], str):
                await self._execute(client, rest[0])
        except InvalidRequest as refused:
            with suppress(OSError):
                await client.send("refused", str(refused))
        except (OSError, EOFError, TimeoutError) as error:
            log.info("connection ended: %s", error or type(error).__name__)
        finally:
            writer.close()

    def status(self) -> dict[str, Any]:
        return {
            "boxes": self._boxes,
            "workers": self._workers,
            "running": self._boxes - len(self._free),
            "waiting": len(self._queue),
        }

    async def _execute(self, client: Connection, name: str) -> None:
        async with self._box(client, name) as box:
            path = await asyncio.to_thread(box.folder)
            await client.send("go")
            async with asyncio.timeout(UPLOAD_SECONDS):
                request = await receive_files(client, path)
            answer = await run(client, box, path, request, busy=self._busy_reporter(box))
            log.info("executed box=%d seconds=%.1f", box.number, answer.seconds)
            for start in range(0, len(answer.lines), CHUNK):
                await client.send("answer", answer.lines[start : start + CHUNK])
            await client.send("done", answer.stopped, answer.seconds)

    @asynccontextmanager
    async def _box(self, client: Connection, name: str) -> AsyncIterator[Box]:
        """Wait for a box; it is free again once nothing of the execution is left."""
        ticket: asyncio.Future[Box] = asyncio.get_running_loop().create_future()
        self._queue.add(name, ticket)
        await self._hand_out()
        try:
            await self._report_position(client, ticket)
            yield ticket.result()
        finally:
            self._queue.remove(name, ticket)
            if ticket.done() and not ticket.cancelled():
                await self._take_back(ticket.result())
            await self._hand_out()

    async def _hand_out(self) -> None:
        while self._is_open() and (ticket := self._queue.take()) is not None:
            box = self._free.pop()
            self._beginning.add(box.number)
            ticket.set_result(box)
        async with self._moved:
            self._moved.notify_all()

    def _is_open(self) -> bool:
        busy, beginning = len(self._busy), len(self._beginning)
        sleeping = self._boxes - len(self._free) - busy - beginning
        return bool(self._free) and is_open(
            self._workers, busy, beginning, sleeping, memory_to_spare
        )

    def _busy_reporter(self, box: Box) -> Busy:
        """A callback for other threads to say whether the execution in a box needs a CPU."""
        loop = asyncio.get_running_loop()

        def note(busy: bool) -> None:
            self._beginning.discard(box.number)
            (self._busy.add if busy else self._busy.discard)(box.number)
            task = asyncio.ensure_future(self._hand_out())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

        def tell(busy: bool) -> None:
            loop.call_soon_threadsafe(note, busy)

        return tell

    async def _take_back(self, box: Box) -> None:
        self._busy.discard(box.number)
        self._beginning.discard(box.number)
        try:
            await asyncio.to_thread(box.clear)
        except NotClean as error:
            log.error("box=%d is not used again: %s", box.number, error)
            self._boxes -= 1
            if self._boxes == 0:
                self.failed.set()
        else:
            self._free.append(box)

    async def _report_position(self, client: Connection, ticket: asyncio.Future[Box]) -> None:
        """Tell the client its position whenever it moves, until the ticket has a box."""
        while not ticket.done():
            if client.gone():
                raise EOFError("the client has gone")
            await client.send("position", self._queue.order().index(ticket) + 1)
            async with self._moved:
                with suppress(TimeoutError):
                    async with asyncio.timeout(ALIVE_SECONDS):
                        await self._moved.wait()


class Connection:
    """One connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        sock: socket.socket = writer.get_extra_info("socket")
        credentials = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        self.user: int = struct.unpack("3i", credentials)[1]

    def gone(self) -> bool:
        return self._reader.at_eof() or self._writer.is_closing()

    async def send(self, *frame: Any) -> None:
        self._writer.write(packed(list(frame)))
        async with asyncio.timeout(6 * ALIVE_SECONDS):
            await self._writer.drain()

    async def receive(self) -> list[Any]:
        head = await self._reader.readexactly(4)
        return unpacked(await self._reader.readexactly(length_of(head)))


async def receive_files(client: Connection, path: Path) -> WorkerRequest:
    """Receive request and files of an execution; the files go into the scratch folder `path`."""
    request, upload = bytearray(), InputFiles(path)
    while True:
        kind, *rest = await client.receive()
        if kind == "run":
            return understood(bytes(request), upload.size)
        if kind == "request" and isinstance(rest[0], bytes):
            request += rest[0]
            if len(request) > REQUEST_LIMIT:
                raise InvalidRequest(f"it is larger than {REQUEST_LIMIT // MIB} MiB")
        elif kind == "file" and isinstance(rest[0], str):
            upload.begin(rest[0])
        elif kind == "data" and isinstance(rest[0], bytes):
            await asyncio.to_thread(upload.write, rest[0])
        else:
            raise InvalidRequest("it is not in the executor's format")


class InputFiles:
    """Input files on their way into a scratch folder. `size` in bytes."""

    def __init__(self, scratch: Path) -> None:
        self._scratch = scratch
        self._target: Path | None = None
        self._files = 0
        self.size = 0

    def begin(self, name: str) -> None:
        self._files += 1
        if self._files > MOST_FILES:
            raise InvalidRequest(f"it has more than {MOST_FILES} files")
        try:
            self._target = inside(self._scratch, name)
            if self._target is not None:
                self._target.touch(mode=0o600)
        except OSError as error:
            raise InvalidRequest(
                f"the file {name!r} cannot be created ({error.strerror})"
            ) from error

    def write(self, data: bytes) -> None:
        self.size += len(data)
        if self._target is not None:
            try:
                with open(self._target, "ab") as file:
                    file.write(data)
            except OSError as error:
                raise InvalidRequest(f"no space for its files ({error.strerror})") from error


def understood(request: bytes, size: int) -> WorkerRequest:
    try:
        asked = WorkerRequest.of(json.loads(request), request)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise InvalidRequest("it is not in the executor's format") from error
    if size > asked.limits.files_mib * MIB:
        raise InvalidRequest(f"its files are larger than {asked.limits.files_mib} MiB")
    return asked


async def run(
    client: Connection,
    box: Box,
    path: Path,
    asked: WorkerRequest,
    busy: Busy,
) -> RunOutcome:
    """Run it in a thread; kill it if the client disconnects."""
    cancelled = threading.Event()
    work = asyncio.ensure_future(asyncio.to_thread(box.run, path, asked, cancelled.is_set, busy))
    try:
        while not work.done():
            await asyncio.wait([work], timeout=ALIVE_SECONDS / 10)
            if client.gone():
                raise EOFError("the client has gone")
            await client.send("busy")
        return work.result()
    except NotClean as error:
        raise InvalidRequest(f"its processes could not be killed ({error})") from error
    finally:
        cancelled.set()
        if not work.done():
            with suppress(Exception):
                await work


async def serve(
    path: Path,
    boxes: Sequence[Box],
    allowed: set[int],
    group: int,
    stop: asyncio.Event,
    workers: int,
) -> None:
    """Serve on the socket `path`, accessible only to root and `group`, until `stop` is set."""
    for box in boxes:
        await asyncio.to_thread(box.clear)
    for left in boxes[0].scratch.iterdir():
        remove(left)
    path.unlink(missing_ok=True)
    service = Service(boxes, allowed, workers)
    os.chown(path.parent, 0, group)
    os.chmod(path.parent, 0o710)
    before = os.umask(0o117)
    try:
        server = await asyncio.start_unix_server(service.handle, str(path), limit=2 * CHUNK)
    finally:
        os.umask(before)
    os.chown(path, 0, group)
    log.info("serving %s with %d workers, %d boxes", path, workers, len(boxes))
    async with server:
        waits = [asyncio.ensure_future(event.wait()) for event in (stop, service.failed)]
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
    if service.failed.is_set():
        raise NotClean("no box is left; restart the executor")
