"""What can go wrong at the boundary, and how a student's exception crosses it."""

from __future__ import annotations

import builtins
import re
import traceback
from collections import deque
from collections.abc import Sequence

MESSAGE_LIMIT = 500

PLAIN_DATA = "numbers, texts, lists, tuples, sets and dicts of them, dense tensors and arrays"

# An exception that ends a loop in silence must not be raised at the student's will.
_BUILTIN = {
    name: kind
    for name, kind in vars(builtins).items()
    if isinstance(kind, type)
    and issubclass(kind, Exception)
    and not issubclass(kind, (StopIteration, StopAsyncIteration, ExceptionGroup))
}
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_NAME = re.compile(r"\w{1,100}")


class BoundaryError(BaseException):
    """A test cell could not reach the student's work.

    No subclass of `Exception`: a test that expects a ValueError is not satisfied by it.
    """


class StudentProcessDied(BoundaryError):
    """The process with the student's cells has ended."""


class TooSlow(BoundaryError):
    """The student's code, or the test itself, ran past the deadline of the cell."""


class NotPlainData(BoundaryError):
    """A test used, or would have sent, something that does not cross between the processes."""


class Unsendable(Exception):
    """A value does not cross; the message names it, to follow "your code returned"."""


class BadValue(Exception):
    """What came is no value."""


class OddValue(BadValue):
    """What came is a value that cannot be had on this side, such as a set of what has no hash."""


def require(condition: bool) -> None:
    """Raise `BadValue` unless the condition holds."""
    if not condition:
        raise BadValue("not a value")


def class_name(value: object) -> str:
    """The name of a value's class, whatever the class says itself."""
    return type.__dict__["__name__"].__get__(type(value))[:100]


def described(error: BaseException, cell_prefix: str) -> tuple[list[str], str, str]:
    """An exception as data: names of its classes, nearest first; its message; where it happened.

    Of the traceback only the places in cells are told: file names that start with `cell_prefix`.
    """
    mro = type.__dict__["__mro__"].__get__(type(error))
    names = [type.__dict__["__name__"].__get__(c)[:100] for c in mro[:20]]
    names = [name for name in names if name not in ("BaseException", "object")]
    try:
        message = str.__str__(str(error))
    except KeyboardInterrupt:  # T's: it takes too long
        raise
    except BaseException:  # a student's own __str__ may do anything
        message = ""
    frames = ((f.f_code, line) for f, line in traceback.walk_tb(error.__traceback__))
    found = (f"line {n}, in {c.co_name[:100]}" for c, n in frames if cell_prefix in c.co_filename)
    lines = "; ".join(deque(found, maxlen=5))
    return names, message[:MESSAGE_LIMIT], lines[:MESSAGE_LIMIT]


def rebuilt(names: Sequence[str], message: str, where: str = "") -> Exception:
    """An exception to raise on this side, from what `described` said on the other.

    It is an instance of the nearest built-in exception, and its class and the classes between have
    the names that they had there: `except ValueError` and `raises("Bad", …)` both work.
    """
    names = [name for name in names if _NAME.fullmatch(name)][:20] or ["Exception"]
    known = next((i for i, name in enumerate(names) if name in _BUILTIN), len(names))
    kind = _BUILTIN[names[known]] if known < len(names) else Exception
    for name in reversed(names[:known]):
        kind = type(name, (kind,), {"__module__": "student"})
    try:
        error = kind(clean(message))
    except TypeError:  # such as UnicodeDecodeError, which wants five arguments
        error = type(names[0], (Exception,), {"__module__": "student"})(clean(message))
    if where:
        error.add_note(f"raised by the student's code: {clean(where)}")
    return error


def clean(text: str) -> str:
    """`text` from the student's process without control characters, cut to a bearable length."""
    return _CONTROL.sub("", text[:MESSAGE_LIMIT])
