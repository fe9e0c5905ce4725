"""Frames arrive whole, or not at all, and by the deadline."""

import os
import socket
import struct
import threading
import time

import msgpack
import pytest

from hub.grading.isolation.wire import MAGIC, Channel, Closed, FrameTooLarge, Malformed, TimedOut
from hub.grading.sandbox.clock import CodeClock, Deadline, process_tree


@pytest.fixture
def ends():
    left, right = socket.socketpair()
    yield Channel(left), right
    left.close()
    right.close()


def frame(head: bytes, *lengths: int) -> bytes:
    table = struct.pack(f"<{len(lengths)}Q", *lengths)
    return struct.pack("<4sII", MAGIC, len(head), len(lengths)) + table + head


def soon(seconds: float = 5) -> Deadline:
    return Deadline.after(seconds, CodeClock(process_tree(os.getpid())))


def test_a_frame_larger_than_the_sockets_buffer_crosses(ends):
    channel, other = ends
    receiver = Channel(other)
    blob = bytes(range(256)) * 10_000
    sender = threading.Thread(target=channel.send, args=(["head", 1], [blob, b""], soon()))
    sender.start()
    head, blobs = receiver.receive(soon())
    sender.join()
    assert head == ["head", 1] and [bytes(b) for b in blobs] == [blob, b""]


@pytest.mark.parametrize(
    "sent",
    [
        b"HTTP/1.1 200",
        struct.pack("<4sII", MAGIC, 2**31, 0),
        struct.pack("<4sII", MAGIC, 1, 2**20),
        frame(b"\x90", 2**62, 2**62),
        frame(msgpack.packb({"a": 1})),
        frame(b"\xc1"),
        frame(b"\xdd\xff\xff\xff\xff"),
        frame(msgpack.packb(msgpack.ExtType(5, b"x"))),
        frame(b"\x91" * 100_000 + b"\x90"),
    ],
    ids=["magic", "head", "count", "blobs", "map", "junk", "huge array", "extension", "deep"],
)
def test_bytes_that_are_not_a_frame_are_refused(ends, sent):
    channel, other = ends
    other.sendall(sent)
    with pytest.raises(Malformed):
        channel.receive(soon())


def test_one_byte_at_a_time_does_not_move_the_deadline(ends):
    channel, other = ends
    done = threading.Event()

    def trickle():
        for byte in frame(b"\x90" + b"x" * 1000):
            if done.wait(0.05):
                return
            other.send(bytes([byte]))

    thread = threading.Thread(target=trickle)
    thread.start()
    started = time.monotonic()
    with pytest.raises(TimedOut):
        channel.receive(soon(0.3))
    assert time.monotonic() - started < 2
    done.set()
    thread.join()


def test_a_frame_can_be_waited_for_again_after_a_timeout(ends):
    channel, other = ends
    whole = frame(msgpack.packb("late"))
    other.sendall(whole[:7])
    with pytest.raises(TimedOut):
        channel.receive(soon(0.05))
    other.sendall(whole[7:])
    assert channel.receive(soon()) == ("late", [])


def test_a_frame_cut_short_is_a_closed_channel(ends):
    channel, other = ends
    other.sendall(frame(b"\x90", 100))
    other.close()
    with pytest.raises(Closed):
        channel.receive(soon())


def test_a_reader_that_does_not_read_stops_the_sender_at_the_deadline(ends):
    channel, _ = ends
    with pytest.raises(TimedOut):
        channel.send("head", [bytes(10_000_000)], soon(0.2))
    assert channel.cut


def test_a_value_that_is_too_large_is_not_sent_at_all(ends):
    channel, other = ends
    with pytest.raises(FrameTooLarge):
        channel.send("x" * 5_000_000)
    assert not channel.cut
    channel.send("small", deadline=soon())
    assert Channel(other).receive(soon())[0] == "small"
