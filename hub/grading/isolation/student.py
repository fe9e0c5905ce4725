"""The student process, which runs the student's cells. Nobody trusts it.

It is given a descriptor, one end of a socket whose other end the judge process holds. The student
process answers requests, one at a time; while student code runs it may ask the judge process to
call a function or to advance an iterator that the judge process lent with a request.
"""

from __future__ import annotations

import operator
import os
import signal
import socket
import sys
import threading
from base64 import b64encode as to_base64
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from json import dumps as to_json  # under a name that student code cannot rebind
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

import msgpack

from course import calls
from course.numbers import plain_number
from hub.grading.isolation.errors import MESSAGE_LIMIT, Unsendable, class_name, described, rebuilt
from hub.grading.isolation.given_models import GivenModels
from hub.grading.isolation.shell import NotebookShell
from hub.grading.isolation.values import KEY_LIMIT, Decoder, Encoder
from hub.grading.isolation.wire import (
    BLOB_COUNT_LIMIT,
    BLOB_LIMIT,
    HEAD_LIMIT,
    Channel,
    Closed,
    FrameTooLarge,
)
from hub.grading.sandbox.outputs import LEFT_OUT
from hub.grading.sandbox.trouble import CANNOT_ANSWER

if TYPE_CHECKING:
    from hub.grading.isolation.prefix import Prefix

OUTPUT_LIMIT = 16 * 2**20  # bytes of one cell's outputs as JSON
NAMES_ROOM = 65_536  # maximum bytes of the names in a look-up
INTERRUPTED = (["KeyboardInterrupt"], "", "")
CELL_FILES = "ipykernel_"  # the folder of a cell in tracebacks

OPERATORS: dict[str, Callable] = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "truediv": operator.truediv,
    "floordiv": operator.floordiv,
    "mod": operator.mod,
    "pow": operator.pow,
    "matmul": operator.matmul,
    "neg": operator.neg,
    "pos": operator.pos,
    "abs": operator.abs,
    "getitem": operator.getitem,
    "len": len,
}


class Lent:
    """A function of a test cell, as student code sees it: it can only be called."""

    def __init__(self, student: StudentProcess, number: int) -> None:
        self._student, self._number = student, number

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._student.ask("call", (self, args, kwargs))


class LentIterator(Lent):
    """An iterator of a test cell, as student code sees it."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError("an iterator is not callable")

    def __iter__(self) -> Iterator:
        return self

    def __next__(self) -> Any:
        more, item = self._student.ask("next", (self,))
        if not more:
            raise StopIteration
        return item


class HookPointView:
    """What a student's hook function sees of a hook point in the judge process's model."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.ctx: dict = {}

    def layer(self) -> int:
        """The number of the hook point's block."""
        return int(self.name.split(".")[1])


class StudentProcess:
    """Carries out the judge process's requests on the student's notebook."""

    def __init__(self, channel: Channel, shell: NotebookShell) -> None:
        self.shell = shell
        self._channel = channel
        self._objects: list[Any] = []  # objects with handles in the judge process, by number
        self._numbers: dict[int, int] = {}
        self._given: dict[str, Any] = {}  # objects of given cells, as released
        self._names: dict[int, tuple[str, Any]] = {}  # by id, with the object to keep it alive
        self._hook_points: dict[str, HookPointView] = {}
        self._models = GivenModels()
        self._asked = 0
        self._process = os.getpid()

    def serve(self) -> None:
        """Answer the judge process until it exits."""
        while True:
            self._answer(*self._channel.receive())

    def ask(self, kind: str, payload: Any) -> Any:
        """Ask the judge process to `call` or to advance (`next`) what it lent, and wait for its
        answer."""
        if threading.current_thread() is not threading.main_thread():
            raise RuntimeError("a function of the test cannot be called from a thread")
        self._asked += 1
        number = self._asked
        tree, blobs = self._encoded(payload)
        ignore_interrupts()
        try:
            self._channel.send([kind, number, tree], blobs)
            while True:
                (reply, about, tree), blobs = self._channel.receive()
                if reply in ("return", "raise") and about == number:
                    break
                self._answer([reply, about, tree], blobs)
        finally:
            accept_interrupts()
        content = self._decoded(tree, blobs)
        if reply == "raise":
            raise rebuilt(*content)
        return content

    def _answer(self, head: list, blobs: list[bytearray]) -> None:
        """Carry out a request of the judge process's, and answer it whatever the student's code
        and objects do."""
        kind, number, tree = head
        if kind == "cell" or kind == "look_up":
            self.shell.kept.put_back()  # what was taken away since the last cell ended
        try:
            accept_interrupts()
            answer = self._carried_out(kind, tree, blobs)
            ignore_interrupts()
            if os.getpid() != self._process:  # student code forked, and the child returned too
                os._exit(0)
        except BaseException:  # an interrupt that arrived just before or after its code
            ignore_interrupts()
            answer = "raise", *plainly(INTERRUPTED)
        reply, tree, blobs = answer
        try:
            self._channel.send([reply, number, tree], blobs)
        except FrameTooLarge as error:  # nothing was sent
            message, _ = plainly(f"more than can cross: {error}")
            self._channel.send(["unsendable", number, message])

    def _carried_out(self, kind: str, tree: Any, blobs: list[bytearray]) -> tuple[str, Any, list]:
        """The answer to a request: its kind, tree and blobs."""
        try:
            result = getattr(self, f"do_{kind}")(*self._decoded(tree, blobs))
        except BaseException as error:  # SystemExit and KeyboardInterrupt end only the call
            return "raise", *plainly(described(error, CELL_FILES))
        try:
            return "return", *self._encoded(result)
        except BaseException as error:
            return "unsendable", *plainly(why_not(result, error))

    def _encoded(self, value: Any) -> tuple[Any, list]:
        encoder = self._encoder()
        return encoder.encode(value), encoder.blobs

    def _decoded(self, tree: Any, blobs: list[bytearray]) -> Any:
        return Decoder(blobs, self._resolve).decode(tree)

    def do_cell(self, text: str, number: int, given: list[str]) -> bytes:
        """Run a cell; `given` are the names that it binds as a given cell. Outputs as JSON."""
        self._models.put_back_after_a_test()
        self.shell.discard()
        outputs = self.shell.run(text, number)
        self.do_adopt(given)
        encoded = as_json(outputs).encode()
        if len(encoded) > OUTPUT_LIMIT:
            note = {"output_type": "stream", "name": "stderr", "text": f"{LEFT_OUT}\n"}
            encoded = to_json([note]).encode()
        return encoded

    def do_adopt(self, given: list[str]) -> None:
        """Names that given cells have bound."""
        for name in given:
            if name in self.shell.names:
                self._remember(name, self.shell.names[name])

    def do_look_up(self, names: list[str]) -> dict[str, Any]:
        """The bound ones of these global names, with their values, at the start of a test.

        What cannot cross becomes a handle, and so does the largest value if all together are
        too large, so that one name does not affect the others.
        """
        self._models.put_back_before_a_test()
        there = {name: self.shell.names[name] for name in names if name in self.shell.names}
        sizes = {name: self._size(value) for name, value in there.items()}
        for name in set(there) - set(chosen(sizes)):
            there[name] = _Held(there[name], "opaque")
        return there

    def do_call(self, f: Callable, args: tuple, kwargs: dict, grad: bool) -> Any:
        torch = sys.modules.get("torch")
        if torch is None:
            return f(*args, **kwargs)
        with torch.set_grad_enabled(grad):
            return f(*args, **kwargs)

    def do_next(self, iterator: Iterator) -> tuple[bool, Any]:
        try:
            return True, next(iterator)
        except StopIteration:
            return False, None

    def do_attribute(self, value: Any, name: str) -> Any:
        return getattr(value, name)

    def do_operate(self, name: str, operands: tuple) -> Any:
        return OPERATORS[name](*operands)

    def do_service(self, name: str, args: tuple, grad: bool) -> Any:
        """A function of `course.calls` that must run in the student process."""
        return self.do_call(getattr(calls.InProcess(), name), args, {}, grad)

    def do_reset_peak(self) -> None:
        calls.Usage.reset_peak(os.getpid())

    def do_theirs(self, cls: type) -> Any:
        """A class of a given cell, to become a handle instead of crossing by name."""
        return _Held(cls, "callable")

    def do_hook(self, f: Callable, value: Any, hook_name: str, fixed: dict) -> Any:
        """A hook function's new value: what it returns, or else `value` as it left it."""
        hook = self._hook_points.setdefault(hook_name, HookPointView(hook_name))
        result = f(value, hook=hook, **fixed)
        return value if result is None else result

    def _remember(self, name: str, value: Any) -> None:
        """Make an object that a given cell bound cross by name from now on."""
        if not isinstance(value, ModuleType):
            self._given[name] = value
            self._names[id(value)] = name, value
            self._models.given(name, value)

    def _size(self, value: Any) -> Size | None:
        """The size of a value in a message; None if it cannot cross."""
        try:
            encoder = self._encoder()
            tree = encoder.encode(value, depth=1)
            packed = len(msgpack.packb(tree))
        except KeyboardInterrupt:
            raise
        except BaseException:  # see `_carried_out`
            return None
        return Size(packed, encoder.nbytes, len(encoder.blobs), encoder.keys)

    def _encoder(self) -> Encoder:
        return Encoder(self._shared, self._held)

    def _shared(self, value: Any) -> list | None:
        """How a value crosses that the judge process also has, or lent."""
        if type(value) is _Held:
            return self._held(value.value, value.kind)
        if type(value) in (Lent, LentIterator):
            return ["x", "T", value._number]
        models = sys.modules.get("course.models")
        checkpoint = models.name_of(value) if models else None
        if checkpoint is not None:
            return ["w" if isinstance(value, dict) else "m", checkpoint]
        return None

    def _held(self, value: Any, kind: str | None = None) -> Any:
        """How an object crosses that is not plain data: by its given name, as a number if it is
        a number of another type, or as a handle."""
        if kind is None and id(value) in self._names:
            return ["g", self._names[id(value)][0]]
        number = number_in(value) if kind is None else None
        if number is not None:
            return Encoder().encode(number)
        if id(value) not in self._numbers:
            self._objects.append(value)
            self._numbers[id(value)] = len(self._objects) - 1
        if kind is None:
            iterator = hasattr(type(value), "__next__")
            kind = "iterator" if iterator else "callable" if callable(value) else "opaque"
        return ["x", "S", self._numbers[id(value)], kind, class_name(value)]

    def _resolve(self, tag: str, arguments: list) -> Any:
        if tag == "x":
            owner, number, *rest = arguments
            if owner == "S":
                return self._objects[number]
            return LentIterator(self, number) if rest == ["iterator"] else Lent(self, number)
        (name,) = arguments
        if tag == "g":
            return self._given[name]
        from course import models

        return models.weights(name) if tag == "w" else models.model(name)


class _Held:
    """Marks an object to become a handle of the given kind in the judge process."""

    def __init__(self, value: Any, kind: str) -> None:
        self.value, self.kind = value, kind


class Size(NamedTuple):
    """The size of a value in a message: bytes of its head and blobs, number of blobs and keys."""

    head: int
    nbytes: int
    blobs: int
    keys: int


def chosen(sizes: Mapping[str, Size | None]) -> list[str]:
    """The names whose values fit into one message, smallest first."""
    limits = Size(HEAD_LIMIT - NAMES_ROOM, BLOB_LIMIT, BLOB_COUNT_LIMIT, KEY_LIMIT - len(sizes))
    parts = {
        name: [part / limit for part, limit in zip(size, limits, strict=True)]
        for name, size in sizes.items()
        if size is not None
    }
    fit: list[str] = []
    taken = [0.0] * len(limits)
    for name in sorted(parts, key=lambda name: max(parts[name])):
        after = [a + b for a, b in zip(taken, parts[name], strict=True)]
        if max(after) > 1:
            break
        fit.append(name)
        taken = after
    return fit


def as_json(outputs: list[dict[str, Any]]) -> str:
    """A cell's outputs as a kernel sends them: pictures may be bytes."""
    return to_json(outputs, default=_in_json)


def _in_json(value: Any) -> str:
    return to_base64(value).decode() if isinstance(value, bytes) else str(value)


def number_in(value: Any) -> int | float | complex | None:
    """`value` as a plain number if it is a number of another type."""
    try:
        return plain_number(value)
    except ValueError as error:
        raise Unsendable(str(error)) from error


def plainly(value: Any) -> tuple[Any, list]:
    """Tree and blobs of a value of ours."""
    encoder = Encoder()
    return encoder.encode(value), encoder.blobs


def why_not(value: Any, error: BaseException) -> str:
    """Why a value cannot cross, to follow "your code returned"."""
    if isinstance(error, Unsendable):
        return str(error)[:MESSAGE_LIMIT]
    if isinstance(error, KeyboardInterrupt):
        raise error
    return f"an object of class {class_name(value)!r} that cannot be read ({class_name(error)})"


def accept_interrupts() -> None:
    """From now on SIGINT, with which the judge process interrupts code that runs too long, raises
    KeyboardInterrupt."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def ignore_interrupts() -> None:
    """From now on ignore SIGINT, as no student code is running."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def main(arguments: Sequence[int], prefix: Prefix | None = None) -> None:
    """Serve the judge process at the descriptor in `arguments`.

    prefix: the cells that have been run, if this process was forked from one that ran them.
    """
    ignore_interrupts()
    (descriptor,) = arguments
    channel = Channel(socket.socket(fileno=descriptor))
    student = StudentProcess(channel, prefix.for_student() if prefix else NotebookShell())
    with suppress(Closed):
        student.serve()
    sys.exit(CANNOT_ANSWER)  # which nobody sees where it is the judge process that has gone


if __name__ == "__main__":
    main(list(map(int, sys.argv[1:])))
