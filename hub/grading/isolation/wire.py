"""Frames over a socket: a small head of Python objects, and raw blobs beside it.

    magic "LLA1" | head length u32 | number of blobs u32 | blob lengths u64 each | head | blobs

The head is msgpack without maps, so that nobody can send colliding keys, and small, so
that its length bounds the number of Python objects. Everything large is a blob.
"""

from __future__ import annotations

import select
import socket
import struct
from collections.abc import Iterator, Sequence
from typing import Any

import msgpack

from hub.grading.sandbox.clock import TICK_SECONDS, Deadline

MAGIC = b"LLA1"
HEAD_LIMIT = 4 * 2**20
BLOB_LIMIT = 256 * 2**20
BLOB_COUNT_LIMIT = 10_000

_PREFIX = struct.Struct("<4sII")


class Closed(Exception):
    """The other process has closed the channel."""


class TimedOut(Exception):
    """The deadline passed before a complete frame was transferred."""


class Malformed(Exception):
    """The other process sent an invalid frame."""


class FrameTooLarge(Exception):
    """A frame exceeds a limit; nothing was sent."""


class Channel:
    """One end of a socket that carries frames."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self._socket = sock
        self._reader: Iterator[None] | None = None
        self._frame: tuple[Any, list[bytearray]] | None = None
        self.cut = False
        """A frame was sent only partially: the channel is unusable."""

    def send(self, head: Any, blobs: Sequence = (), deadline: Deadline | None = None) -> None:
        """Send one frame.

        Raises:
            FrameTooLarge: it exceeds a limit; nothing was sent.
            TimedOut, Closed: it was not sent, or only partially: the channel is unusable.
        """
        packed = msgpack.packb(head)
        views = [memoryview(blob).cast("B") if len(blob) else memoryview(b"") for blob in blobs]
        lengths = [view.nbytes for view in views]
        if len(packed) > HEAD_LIMIT:
            raise FrameTooLarge(f"it takes {len(packed):,} bytes of at most {HEAD_LIMIT:,}")
        if sum(lengths) > BLOB_LIMIT or len(lengths) > BLOB_COUNT_LIMIT:
            raise FrameTooLarge(f"its arrays take {sum(lengths):,} bytes of at most {BLOB_LIMIT:,}")
        prefix = _PREFIX.pack(MAGIC, len(packed), len(lengths))
        table = struct.pack(f"<{len(lengths)}Q", *lengths)
        self.cut = True
        for part in (memoryview(prefix + table + packed), *views):
            self._send_all(part, deadline)
        self.cut = False

    def _send_all(self, view: memoryview, deadline: Deadline | None) -> None:
        while view.nbytes:
            try:
                view = view[self._socket.send(view) :]
            except BlockingIOError:
                self._wait(select.POLLOUT, deadline)
            except OSError as error:
                raise Closed from error

    def receive(self, deadline: Deadline | None = None) -> tuple[Any, list[bytearray]]:
        """The next frame's head and blobs. After `TimedOut`, call again to wait for the same frame.

        Raises:
            TimedOut, Closed, Malformed
        """
        if self._reader is None:
            self._reader = self._read_frame()
        for _ in self._reader:
            self._wait(select.POLLIN, deadline)
        self._reader = None
        assert self._frame is not None
        frame, self._frame = self._frame, None
        return frame

    def _wait(self, event: int, deadline: Deadline | None) -> None:
        poll = select.poll()
        poll.register(self._socket, event)
        while deadline is not None:  # re-read each time, as it moves on a busy machine
            remaining = deadline.remaining()
            if remaining <= 0:
                raise TimedOut
            if poll.poll(min(remaining, TICK_SECONDS) * 1000 + 1):
                return
        poll.poll()

    def _read_frame(self) -> Iterator[None]:
        """Fill `self._frame`; yields whenever it has to wait for bytes."""
        prefix = bytearray(_PREFIX.size)
        yield from self._fill(prefix)
        magic, head_length, blob_count = _PREFIX.unpack(prefix)
        if magic != MAGIC or head_length > HEAD_LIMIT or blob_count > BLOB_COUNT_LIMIT:
            raise Malformed("no frame")
        table = bytearray(8 * blob_count)
        yield from self._fill(table)
        lengths = struct.unpack(f"<{blob_count}Q", table)
        if sum(lengths) > BLOB_LIMIT:
            raise Malformed("blobs over the limit")
        packed = bytearray(head_length)
        yield from self._fill(packed)
        blobs = [bytearray(length) for length in lengths]
        for blob in blobs:
            yield from self._fill(blob)
        self._frame = _unpacked(packed), blobs

    def _fill(self, buffer: bytearray) -> Iterator[None]:
        view = memoryview(buffer)
        while view.nbytes:
            yield
            try:
                count = self._socket.recv_into(view)
            except BlockingIOError:
                continue
            except OSError as error:
                raise Closed from error
            if not count:
                raise Closed
            view = view[count:]


def _unpacked(packed: bytearray) -> Any:
    try:
        return msgpack.unpackb(packed, max_map_len=0, max_ext_len=0, raw=False)
    except Exception as error:  # msgpack's errors have no common base class
        raise Malformed("the head is not msgpack") from error
