"""The judge process's handles for objects that live in the student process.

A handle can be called or advanced, if the object can, and passed back to the student's code. It
does nothing else: comparing, truth value, hash, conversion to a number, and reading attributes
raise, unless the test asked for an object (`obj`, a class of the student's) or for a live one.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NoReturn

from hub.grading.isolation.errors import PLAIN_DATA, NotPlainData

if TYPE_CHECKING:
    from hub.grading.isolation.conversation import Conversation


class Handle:
    """An object of the student process, by its number there."""

    def __init__(
        self,
        conversation: Conversation,
        number: int,
        label: str,
        readable: bool = False,
        live: bool = False,
        makes_objects: bool = False,
    ) -> None:
        vars(self).update(
            _conversation=conversation,
            _number=number,
            _label=label,
            _readable=readable or live,
            _live=live,
            _makes_objects=makes_objects,
        )

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        if not self._readable:
            raise NotPlainData(
                f"{self._not_taken()} (for the author: the test read its attribute {name!r}; "
                "mark it with obj())"
            )
        return self._conversation.request("attribute", (self, name))

    def __repr__(self) -> str:
        return f"the student's object of class {self._label!r}"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return repr(self)

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise NotPlainData(self._not_taken())

    def _not_taken(self) -> str:
        return f"your code gave an object of class {self._label!r}; here a test takes {PLAIN_DATA}"

    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = _refuse
    __bool__ = __contains__ = __float__ = __int__ = __complex__ = __index__ = _refuse
    __hash__ = _refuse
    __copy__ = __deepcopy__ = __reduce_ex__ = _refuse
    __setattr__ = __delattr__ = __setitem__ = __delitem__ = _refuse

    def _operate(self, name: str, *operands: Any) -> Any:
        if not self._live:
            raise NotPlainData(
                f"{self._not_taken()} (for the author: the test computed with it; mark it "
                "with live())"
            )
        result = self._conversation.request("operate", (name, operands))
        return marked(result, live=True)

    def __len__(self) -> int:
        length = self._operate("len", self)
        if type(length) is not int or length < 0:
            self._refuse()
        return length

    def __getitem__(self, key: Any) -> Any:
        return self._operate("getitem", self, key)

    def __iter__(self) -> Iterator:
        return self._refuse()


class CallableHandle(Handle):
    """A function, class or callable object of the student process."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        result = self._conversation.call(self, args, kwargs)
        return marked(result, readable=True) if self._makes_objects else result


class IteratorHandle(Handle):
    """An iterator or generator of the student process."""

    def __iter__(self) -> Iterator:
        return self

    def __next__(self) -> Any:
        reply = self._conversation.request("next", (self,))
        if type(reply) is not tuple or len(reply) != 2 or type(reply[0]) is not bool:
            self._conversation.distrust("its answer is not an item of an iterator")
        if not reply[0]:
            raise StopIteration
        return reply[1]


for kind in (Handle, CallableHandle, IteratorHandle):
    kind.__name__ = "object of your code"  # so Python's own messages call it, which students read

KINDS = {"opaque": Handle, "callable": CallableHandle, "iterator": IteratorHandle}


def marked(value: Any, **marks: bool) -> Any:
    """A copy of a handle with more rights (`readable`, `live`, `makes_objects`); data unchanged."""
    if not isinstance(value, Handle):
        return value
    kept = {
        "readable": value._readable,
        "live": value._live,
        "makes_objects": value._makes_objects,
    }
    return type(value)(value._conversation, value._number, value._label, **(kept | marks))


def _operators() -> None:
    """Give `Handle` the arithmetic operators, direct and reflected."""

    def forward(name: str) -> Any:
        return lambda self, *other: self._operate(name, self, *other)

    def reflected(name: str) -> Any:
        return lambda self, other: self._operate(name, other, self)

    for name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "matmul"):
        setattr(Handle, f"__{name}__", forward(name))
        setattr(Handle, f"__r{name}__", reflected(name))
    for name in ("neg", "pos", "abs"):
        setattr(Handle, f"__{name}__", forward(name))


_operators()
