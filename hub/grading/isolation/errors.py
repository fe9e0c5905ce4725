"""Errors at the process boundary, and how a student's exception crosses it."""

from __future__ import annotations

import builtins
import re
import traceback
from collections import deque
from collections.abc import Sequence

MESSAGE_LIMIT = 500

PLAIN_DATA = "numbers, texts, lists, tuples, sets and dicts of them, dense tensors and arrays"

# Student code must not be able to raise an exception that silently ends a loop.
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

    Not a subclass of `Exception`, so that a test that expects an exception cannot swallow it.
    """


class StudentProcessDied(BoundaryError):
    """The student process has exited."""


class TooSlow(BoundaryError):
    """The student's code, or the test itself, ran past the deadline of the cell."""


class NotPlainData(BoundaryError):
    """A test used, or would have sent, something that cannot cross between the processes."""


class Unsendable(Exception):
    """A value cannot cross; the message names it, to follow "your code returned"."""


class BadValue(Exception):
    """The input is not a valid value."""


class OddValue(BadValue):
    """The input is a value that cannot exist on this side, such as a set of unhashable items."""


def require(condition: bool) -> None:
    """Raise `BadValue` unless the condition holds."""
    if not condition:
        raise BadValue("not a value")


def class_name(value: object) -> str:
    """The name of a value's class, bypassing overrides by the class."""
    return type.__dict__["__name__"].__get__(type(value))[:100]


def described(error: BaseException, cell_prefix: str) -> tuple[list[str], str, str]:
    """An exception as data: names of its classes, nearest first; its message; where it happened.

    Of the traceback, only frames in cells are included: file names that start with `cell_prefix`.
    """
    mro = type.__dict__["__mro__"].__get__(type(error))
    names = [type.__dict__["__name__"].__get__(c)[:100] for c in mro[:20]]
    names = [name for name in names if name not in ("BaseException", "object")]
    try:
        message = str.__str__(str(error))
    except KeyboardInterrupt:  # the judge process's: it takes too long
        raise
    except BaseException:  # a student's __str__ may do anything
        message = ""
    frames = ((f.f_code, line) for f, line in traceback.walk_tb(error.__traceback__))
    found = (f"line {n}, in {c.co_name[:100]}" for c, n in frames if cell_prefix in c.co_filename)
    lines = "; ".join(deque(found, maxlen=5))
    return names, message[:MESSAGE_LIMIT], lines[:MESSAGE_LIMIT]


def rebuilt(names: Sequence[str], message: str, where: str = "") -> Exception:
    """An exception to raise on this side, from the other side's `described`.

    It is an instance of the nearest built-in exception, and its class and the classes between have
    the names that they had there, so that `except ValueError` and `raises("Bad", …)` both work.
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
    """`text` from the student process without control characters, truncated."""
    return _CONTROL.sub("", text[:MESSAGE_LIMIT])
