"""The judge process's side of the conversation with the student process: strictly nested requests,
under one deadline per cell.

It trusts nothing that the student process sends. After an answer to anything but the last request,
an invalid value, or a message out of turn, the student process is killed. A value that is
merely odd fails the test that asked for it. The student process may only call, or advance, what the
judge process lent with a request of the same cell.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from types import ModuleType
from typing import Any, NoReturn

from hub.grading.isolation.errors import (
    PLAIN_DATA,
    BadValue,
    BoundaryError,
    NotPlainData,
    OddValue,
    StudentProcessDied,
    TooSlow,
    Unsendable,
    clean,
    described,
    rebuilt,
    require,
)
from hub.grading.isolation.handles import KINDS, Handle
from hub.grading.isolation.values import Decoder, Encoder
from hub.grading.isolation.wire import Channel, Closed, FrameTooLarge, Malformed, TimedOut
from hub.grading.sandbox.clock import Deadline
from hub.grading.sandbox.users import SignalTarget

NESTING_LIMIT = 30
GRACE = 2.0  # seconds between the interrupt and the kill

DEAF = "deaf"
DIED = "the process that ran your cells has ended"
SLOW = "your code did not finish in the time that a cell has"


class Conversation:
    """Requests to the student process, and its callbacks."""

    def __init__(self, channel: Channel, process: SignalTarget) -> None:
        """`process` is the student process."""
        self.alive = True
        self.killed = ""
        """Why we killed the student process: DEAF if it did not react at the end of a
        cell's time, or the rule that it broke; empty if we did not."""
        self.deadline: Deadline | None = None
        self.failure: BoundaryError | None = None
        """What went wrong at the boundary in this cell, even if the test swallowed it."""
        self.late_answer: Any = None
        """The student process's answer to a request that was interrupted at the deadline."""
        self._channel = channel
        self._process = process
        self._waiting: list[int] = []  # numbers of open requests to the student process, nested
        self._asked = 0
        self._lent: list[Any] = []
        self._given: dict[str, Any] = {}
        self._names: dict[int, tuple[str, Any]] = {}  # by id, with the object to keep it alive

    def start_cell(self, deadline: Deadline) -> None:
        """Begin a cell that ends at `deadline`."""
        self.deadline = deadline
        self.failure = None
        self.late_answer = None
        # Never cleared, so that no number is lent twice.
        self._lent = [None] * len(self._lent)

    def give(self, name: str, value: Any) -> None:
        """An object that a given cell bound: unless it is plain data, it crosses by name."""
        if not isinstance(value, ModuleType):
            self._given[name] = value
            self._names[id(value)] = name, value

    def call(self, f: Handle, args: tuple, kwargs: dict) -> Any:
        """Call a function of the student's, with the judge process's choice of recording
        gradients."""
        return self.request("call", (f, args, kwargs, grad_enabled()))

    def service(self, name: str, *args: Any) -> Any:
        """Run a function of `course.calls` in the student process."""
        return self.request("service", (name, args, grad_enabled()))

    def request(self, kind: str, payload: tuple) -> Any:
        """Send the student process one request and wait for its answer.

        Raises:
            BoundaryError: there is no valid answer.
            Exception: the student's code raised; see `errors.rebuilt`.
        """
        if len(self._waiting) >= NESTING_LIMIT:
            self._fail(NotPlainData(f"calls are nested more than {NESTING_LIMIT} deep"))
        return self.finish(self.begin(kind, payload))

    def begin(self, kind: str, payload: tuple) -> int:
        """Send a request; returns its number, for `finish`."""
        if self.failure is not None:
            raise self.failure
        if not self.alive:
            self._fail(StudentProcessDied(DIED))
        self._asked += 1
        try:
            self._send(kind, self._asked, payload)
        except (Unsendable, FrameTooLarge) as error:
            self._fail(NotPlainData(f"the test would have sent {error}"))
        self._waiting.append(self._asked)
        return self._asked

    def finish(self, number: int) -> Any:
        """The answer to an open request."""
        while True:
            kind, about, payload = self._receive()
            if kind in ("call", "next"):
                self._serve(kind, about, payload)
                continue
            if about != number or self._waiting[-1] != number:
                self.distrust("it answered a request that was not made")
            self._waiting.pop()
            if self.failure is not None:
                raise self.failure
            if kind == "return":
                return payload
            if kind == "raise":
                raise self._exception(payload)
            self._fail(
                NotPlainData(f"your code returned {clean(str(payload))}; a test takes {PLAIN_DATA}")
            )

    def distrust(self, why: str) -> NoReturn:
        """The student process broke the rules: kill it and fail the cell."""
        self.kill(why)
        self._fail(StudentProcessDied(f"{DIED}: {why}"))

    def _gone(self) -> NoReturn:
        """The student process is about to exit: do not kill it, so that its exit
        status shows how."""
        self.alive = False
        self._waiting.clear()
        self._fail(StudentProcessDied(DIED))

    def kill(self, why: str) -> None:
        """Kill the student process and note why; see `killed`."""
        self.alive = False
        self.killed = self.killed or why
        self._waiting.clear()
        with suppress(ProcessLookupError):
            self._process.kill()

    def end_cell(self) -> None:
        """Leave the student process ready for further requests, or kill it."""
        if self.alive and (self._waiting or self._channel.cut):
            self.kill(DEAF)

    def _fail(self, failure: BoundaryError) -> NoReturn:
        self.failure = self.failure or failure
        raise failure

    def _send(self, kind: str, number: int, value: Any) -> None:
        encoder = Encoder(self._shared, self._lend)
        tree = encoder.encode(value)
        try:
            self._channel.send([kind, number, tree], encoder.blobs, self.deadline)
        except TimedOut:
            self.kill(DEAF)
            self._fail(TooSlow(SLOW))
        except Closed:
            self._gone()

    def _receive(self) -> tuple[str, int, Any]:
        try:
            head, blobs = self._channel.receive(self.deadline)
            return self._checked(head, blobs)
        except TimedOut:
            self._interrupt()
            self._fail(TooSlow(SLOW))
        except Closed:
            self._gone()
        except (Malformed, BadValue) as error:
            self.distrust(f"it sent something unreadable ({clean(str(error))})")

    def _checked(self, head: Any, blobs: list[bytearray]) -> tuple[str, int, Any]:
        require(type(head) is list and len(head) == 3)
        kind, number, tree = head
        require(kind in ("return", "raise", "unsendable", "call", "next") and type(number) is int)
        try:
            return kind, number, Decoder(blobs, self._resolve).decode(tree)
        except OddValue as error:
            return ("unsendable" if kind == "return" else kind), number, error

    def _interrupt(self) -> None:
        """Interrupt the student process, and kill it unless it answers soon.

        Only if one request is open: at deeper nesting it may be waiting for us.
        """
        if self.deadline is not None and len(self._waiting) == 1:
            grace = Deadline.after(GRACE, self.deadline.clock)
            self._process.interrupt()
            with suppress(TimedOut, Closed, Malformed, BadValue):
                while True:
                    kind, number, self.late_answer = self._checked(*self._channel.receive(grace))
                    if kind in ("return", "raise", "unsendable") and number == self._waiting[0]:
                        self._waiting.clear()
                        return
                    require(kind in ("call", "next"))
                    stop = described(TimeoutError("the time of the cell is over"), "")
                    encoder = Encoder()
                    self._channel.send(
                        ["raise", number, encoder.encode(stop)], encoder.blobs, grace
                    )
        self.kill(DEAF)

    def _serve(self, kind: str, number: int, payload: Any) -> None:
        """Carry out a callback."""
        try:
            result = self._carried_out(kind, payload)
        except BoundaryError as error:
            self.failure = self.failure or error
            if not self.alive:
                raise
            self._send("raise", number, described(RuntimeError("the test failed"), ""))
        except Exception as error:
            self._send("raise", number, described(error, ""))
        else:
            try:
                self._send("return", number, result)
            except (Unsendable, FrameTooLarge) as error:
                self.failure = NotPlainData(f"the test would have sent {error}")
                self._send("raise", number, described(RuntimeError("the test failed"), ""))

    def _carried_out(self, kind: str, payload: Any) -> Any:
        if self.deadline is not None and self.deadline.remaining() <= 0:
            raise TooSlow(SLOW)
        if isinstance(payload, OddValue):
            raise payload
        if not self._waiting or type(payload) is not tuple or not payload:
            self.distrust("it called a function out of turn")
        target, *rest = payload
        if target is not ended and not any(target is lent for lent in self._lent):
            self.distrust("it called a function that no test had lent")
        if kind == "next":
            if not isinstance(target, Iterator):
                self.distrust("it advanced something that is not an iterator of the test")
            return next(((True, item) for item in target), (False, None))
        args, kwargs = rest if len(rest) == 2 else (None, None)
        if type(args) is not tuple or type(kwargs) is not dict:
            self.distrust("it made a malformed call")
        return target(*args, **kwargs)

    def _exception(self, payload: Any) -> Exception:
        if type(payload) is tuple and len(payload) == 3:
            names, message, where = payload
            if type(names) is list and all(type(text) is str for text in (*names, message, where)):
                return rebuilt(names, message, where)
        self.distrust("it raised something that is not an exception")

    def _shared(self, value: Any) -> list | None:
        """How a value crosses that the student process also has."""
        if isinstance(value, Handle):
            return ["x", "S", value._number]
        models = sys.modules.get("course.models")
        checkpoint = models.name_of(value) if models else None
        if checkpoint is None:
            return None
        if isinstance(value, dict):
            return ["w", checkpoint]
        left = [name for name, point in value.hook_dict.items() if point.has_hooks()]
        if left:
            raise Unsendable(f"a model that carries hooks ({', '.join(left[:3])})")
        return ["m", checkpoint]

    def _lend(self, value: Any) -> list | None:
        """How an object crosses that is not plain data."""
        if id(value) in self._names:
            return ["g", self._names[id(value)][0]]
        if isinstance(value, Iterator):
            return ["x", "T", self._lent_number(value), "iterator"]
        if callable(value) and not isinstance(value, type):
            return ["x", "T", self._lent_number(value)]
        return None

    def _lent_number(self, value: Callable | Iterator) -> int:
        self._lent.append(value)
        return len(self._lent) - 1

    def _resolve(self, tag: str, arguments: list) -> Any:
        if tag == "x":
            return self._reference(*arguments)
        (name,) = arguments
        require(type(name) is str)
        if tag == "g":
            require(name in self._given)
            return self._given[name]
        from course import models

        return models.weights(name) if tag == "w" else models.model(name)

    def _reference(self, owner: Any, number: Any, kind: Any = None, label: Any = "") -> Any:
        require(type(number) is int and number >= 0)
        if owner == "T":
            require(number < len(self._lent))
            return ended if self._lent[number] is None else self._lent[number]
        require(owner == "S" and type(kind) is str and kind in KINDS and type(label) is str)
        return KINDS[kind](self, number, clean(label)[:100])


def ended(*_: Any, **__: Any) -> NoReturn:
    """Stands in for a function that a test of an earlier cell lent."""
    raise RuntimeError("the test that lent this function has ended")


def grad_enabled() -> bool:
    """Whether gradients are enabled in the judge process."""
    torch = sys.modules.get("torch")
    return torch is None or torch.is_grad_enabled()
