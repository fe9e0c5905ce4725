"""Encodes plain data as msgpack trees and blobs, and decodes it.

Scalars stand for themselves; everything else is a list whose first item is a tag:

    I  integer over 64 bits       S, B  long text or bytes, as a blob      C  complex
    l t s f d  list, tuple, set, frozenset, dict        r c  range, slice  Z  torch.Size
    D  torch dtype                T  dense tensor: dtype, shape, requires_grad, bytes as a blob
    A  numeric numpy array        N  numpy scalar       O  numpy array of objects, item by item
    F  Plotly figure: traces, layout                    M  FactoredMatrix: its two factors
    m w  model and weights of a checkpoint, by name     g  an object of a given cell, by name
    R  the n-th compound of this message once more      x  an object that stays where it is

What is decoded has exactly the types above, whatever the other side says: a subclass crosses as
its base. torch, numpy and plotly are imported only if a value needs them.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from hub.grading.isolation.arrays import (
    ARRAY_TYPES,
    array_of,
    array_parts,
    as_known_type,
    objects_of,
    sendable_type,
    shape_of,
    tensor_of,
    tensor_parts,
    torch_type,
)
from hub.grading.isolation.errors import (
    BadValue,
    NotPlainData,
    OddValue,
    Unsendable,
    class_name,
    require,
)
from hub.grading.isolation.wire import BLOB_COUNT_LIMIT, BLOB_LIMIT, HEAD_LIMIT

DEPTH_LIMIT = 40
KEY_LIMIT = 10_000  # keys of dicts and elements of sets in one message: they may all collide
INTEGER_LIMIT = 4096  # bytes
INLINE_LIMIT = 65_536  # bytes of a text or bytes object in the head

IN_SET = "a set that holds"
IN_KEYS = "a dict whose keys are, or hold,"
NO_HASH = "which cannot be compared outside your notebook"


class Encoder:
    """Encodes one message's value as a tree and blobs.

    `name` gives a tagged name for an object that both sides have, and `lend` a tree for an object
    that is not plain data, such as a tagged reference to it; either may return None. Calls no
    method of a value that its class could have overridden.
    """

    def __init__(
        self,
        name: Callable[[Any], list | None] = lambda value: None,
        lend: Callable[[Any], Any] = lambda value: None,
    ) -> None:
        self.blobs: list[Any] = []
        self.keys = self.nodes = self.nbytes = 0
        self._name, self._lend = name, lend
        self._seen: dict[int, tuple[int, Any, str]] = {}
        self._open: set[int] = set()
        self._holder = ""  # what must hold plain data only, in words; with `_hashed`, comparable
        self._hashed = False

    def encode(self, value: Any, depth: int = 0) -> Any:
        """The tree for `value`.

        Raises:
            Unsendable: it, or something in it, cannot cross.
        """
        self.nodes += 1
        if depth > DEPTH_LIMIT:
            raise Unsendable(f"containers more than {DEPTH_LIMIT} deep")
        if self.nodes > HEAD_LIMIT:  # each takes a byte
            raise Unsendable("millions of values; put numbers into a tensor or an array")
        kind = type(value)
        if value is None or kind is bool:
            return value
        numpy = sys.modules.get("numpy")
        if numpy is not None and issubclass(kind, numpy.generic):
            return self._scalar(value, numpy)
        if issubclass(kind, int):
            return self._integer(int.__int__(value))
        if issubclass(kind, float):
            return float.__float__(value)
        if issubclass(kind, complex):
            number = complex.__complex__(value)
            return ["C", number.real, number.imag]
        if issubclass(kind, str):
            return self._text(str.__str__(value))
        if issubclass(kind, bytes | bytearray):
            base = bytes if issubclass(kind, bytes) else bytearray
            return self._bytes(bytes(base.__getitem__(value, slice(None))))
        return self._compound(value, depth)

    def _compound(self, value: Any, depth: int) -> Any:
        if id(value) in self._seen:
            index, _, tag = self._seen[id(value)]
            self._check_hash(tag)
            return ["R", index]
        if id(value) in self._open:
            raise Unsendable("a value that contains itself")
        tree = self._name(value)
        if tree is not None:
            self._check_hash(tree[0])
            return tree
        self._open.add(id(value))
        tree = self._contents_or_why_not(value, depth + 1)
        self._open.discard(id(value))
        if tree is None:
            return self._lent(value)
        self._check_hash(tree[0])
        if tree[0] in COUNTED:
            self._seen[id(value)] = len(self._seen), value, tree[0]
        return tree

    def _contents_or_why_not(self, value: Any, depth: int) -> list | None:
        try:
            return self._contents(value, depth)
        except Unsendable:
            raise
        except Exception as error:  # a library's object may be in any state
            what = f"an object of class {class_name(value)!r} that cannot be read"
            raise Unsendable(f"{what} ({class_name(error)})") from error

    def _lent(self, value: Any) -> Any:
        tree = self._lend(value)
        reference = type(tree) is list and tree[:2] == ["x", "S"]
        if tree is None or (self._holder and reference):
            what = f"an object of class {class_name(value)!r}"
            why = f", {NO_HASH}" if self._hashed else ""
            raise Unsendable(f"{self._holder} {what}{why}".lstrip())
        return tree

    def _check_hash(self, tag: str) -> None:
        if self._hashed and tag in WITHOUT_HASH:
            raise Unsendable(f"{self._holder} {WITHOUT_HASH[tag]}, {NO_HASH}")

    def _plain(self, values: Iterable, depth: int, holder: str, hashed: bool = False) -> list:
        """The trees of `values`, which must not contain objects that stay here."""
        outer = self._holder, self._hashed
        self._holder, self._hashed = holder, hashed
        trees = [self.encode(value, depth) for value in values]
        self._holder, self._hashed = outer
        return trees

    def _contents(self, value: Any, depth: int) -> list | None:
        kind = type(value)
        torch = sys.modules.get("torch")
        if torch is not None:
            if issubclass(kind, torch.Tensor):
                dtype, shape, leaf, content = tensor_parts(value, torch)
                return ["T", dtype, shape, leaf, self._blob(content)]
            if issubclass(kind, torch.Size):
                return ["Z", *shape_of([int(n) for n in tuple.__iter__(value)])]
            if kind is torch.dtype:
                return ["D", sendable_type(value)]
        if issubclass(kind, dict):
            self._count_keys(dict.__len__(value))
            items = list(dict.items(value))
            keys = self._plain((key for key, _ in items), depth, IN_KEYS, hashed=True)
            return ["d", *keys, *(self.encode(item, depth) for _, item in items)]
        base: Any
        for tag, base in (("l", list), ("t", tuple)):
            if issubclass(kind, base):
                return [tag, *(self.encode(item, depth) for item in base.__iter__(value))]
        for tag, base in (("s", set), ("f", frozenset)):
            if issubclass(kind, base):
                self._count_keys(base.__len__(value))
                return [tag, *self._plain(base.__iter__(value), depth, IN_SET, hashed=True)]
        if kind is range or kind is slice:
            parts = (value.start, value.stop, value.step)
            return ["r" if kind is range else "c", *(self.encode(part, depth) for part in parts)]
        numpy = sys.modules.get("numpy")
        if numpy is not None and issubclass(kind, numpy.ndarray):
            return self._array(value, depth, numpy)
        return self._library_object(value, depth)

    def _library_object(self, value: Any, depth: int) -> list | None:
        figures = sys.modules.get("plotly.graph_objects")
        if figures is not None and issubclass(type(value), figures.Figure):
            traces = [trace.to_plotly_json() for trace in value.data]
            layout = {k: v for k, v in value.layout.to_plotly_json().items() if k != "template"}
            return ["F", *self._plain((traces, layout), depth, "a figure that holds")]
        factored = getattr(sys.modules.get("transformer_lens"), "FactoredMatrix", None)
        if factored is not None and issubclass(type(value), factored):
            factored(value.A, value.B)  # its factors may have changed since it was created
            return ["M", *self._plain((value.A, value.B), depth, "a FactoredMatrix that holds")]
        return None

    def _count_keys(self, count: int) -> None:
        self.keys += count
        if self.keys > KEY_LIMIT:
            raise Unsendable(f"more than {KEY_LIMIT:,} keys of dicts and elements of sets")

    def _integer(self, value: int) -> Any:
        if -(2**63) <= value < 2**63:
            return value
        length = value.bit_length() // 8 + 1
        if length > INTEGER_LIMIT:
            raise Unsendable(f"an integer of more than {INTEGER_LIMIT:,} bytes")
        return ["I", value.to_bytes(length, "little", signed=True)]

    def _text(self, value: str) -> Any:
        encoded = value.encode("utf-8", "surrogatepass")
        try:
            plain = len(encoded) <= INLINE_LIMIT and encoded.decode("utf-8")
        except UnicodeDecodeError:
            plain = False
        return plain if isinstance(plain, str) else ["S", self._blob(encoded)]

    def _bytes(self, value: bytes) -> Any:
        return value if len(value) <= INLINE_LIMIT else ["B", self._blob(value)]

    def _blob(self, content: Any) -> int:
        self.blobs.append(content)
        self.nbytes += memoryview(content).nbytes
        if self.nbytes > BLOB_LIMIT or len(self.blobs) > BLOB_COUNT_LIMIT:
            sizes = f"{len(self.blobs):,} arrays and long texts of {self.nbytes // 2**20:,} MiB"
            allowed = f"{BLOB_COUNT_LIMIT:,} of together {BLOB_LIMIT // 2**20} MiB are allowed"
            raise Unsendable(f"{sizes}; {allowed}")
        return len(self.blobs) - 1

    def _array(self, value: Any, depth: int, numpy: Any) -> list:
        plain = numpy.ndarray.view(value, numpy.ndarray)
        if plain.dtype.kind not in "OU":
            dtype, shape, content = array_parts(plain, numpy)
            return ["A", dtype, shape, self._blob(content)]
        shape = list(shape_of(list(plain.shape)))
        if plain.nbytes > BLOB_LIMIT:
            raise Unsendable(f"a numpy array of {plain.nbytes // 2**20:,} MiB")
        items = [self.encode(item, depth) for item in plain.reshape(-1).tolist()]
        return ["O", plain.dtype.kind, shape, items]

    def _scalar(self, value: Any, numpy: Any) -> Any:
        one = as_known_type(numpy.generic.__array__(value))
        if one.dtype.kind in "US":
            return self.encode(one.item())
        if one.dtype.name not in ARRAY_TYPES:
            raise Unsendable(f"a numpy scalar of type {one.dtype.name}")
        return ["N", one.dtype.name, one.astype(one.dtype.newbyteorder("=")).tobytes()]


COUNTED = frozenset("ltsfdTAO")

WITHOUT_HASH = {
    **{"l": "a list", "s": "a set", "d": "a dict", "c": "a slice", "A": "an array"},
    **{"O": "an array", "F": "a figure", "w": "a dict of weights"},
}


class Decoder:
    """Decodes a message's tree and blobs, checking every bit.

    `resolve(tag, arguments)` gives the object for the tags m, w, g and x, or raises `BadValue`;
    without it these tags are invalid.
    """

    def __init__(
        self, blobs: Sequence[bytearray], resolve: Callable[[str, list], Any] | None = None
    ) -> None:
        self._blobs = blobs
        self._resolve = resolve
        self._seen: list[Any] = []
        self._keys = 0

    def decode(self, tree: Any) -> Any:
        """The value of `tree`.

        Raises:
            BadValue: it is not a valid value. `OddValue`: it is one that cannot exist here.
        """
        try:
            return self._value(tree, 0)
        except BadValue:
            raise
        except (Exception, NotPlainData) as error:
            # The checks below raise whatever their types raise: any failure means the same.
            raise BadValue(f"{type(error).__name__}: {error}") from error

    def _value(self, tree: Any, depth: int) -> Any:
        if tree is None or type(tree) in (bool, int, float, str, bytes):
            return tree
        require(type(tree) is list and len(tree) > 0 and depth <= DEPTH_LIMIT + 1)
        tag, arguments = tree[0], tree[1:]
        if tag in ("m", "w", "g", "x") and self._resolve is not None:
            return self._resolve(tag, arguments)
        require(type(tag) is str and tag in DECODERS)
        value = DECODERS[tag](self, arguments, depth + 1)
        if tag in COUNTED:
            self._seen.append(value)
        return value

    def _values(self, trees: list, depth: int) -> list:
        return [self._value(tree, depth) for tree in trees]

    def _blob(self, index: Any) -> bytearray:
        require(type(index) is int and 0 <= index < len(self._blobs))
        return self._blobs[index]

    def _count_keys(self, count: int) -> None:
        self._keys += count
        require(self._keys <= KEY_LIMIT)

    def _integer(self, arguments: list, depth: int) -> int:
        (content,) = arguments
        require(type(content) is bytes and len(content) <= INTEGER_LIMIT)
        return int.from_bytes(content, "little", signed=True)

    def _text(self, arguments: list, depth: int) -> str:
        (index,) = arguments
        return self._blob(index).decode("utf-8", "surrogatepass")

    def _bytes(self, arguments: list, depth: int) -> bytes:
        (index,) = arguments
        return bytes(self._blob(index))

    def _complex(self, arguments: list, depth: int) -> complex:
        real, imaginary = arguments
        require(type(real) is float and type(imaginary) is float)
        return complex(real, imaginary)

    def _list(self, arguments: list, depth: int) -> list:
        return self._values(arguments, depth)

    def _tuple(self, arguments: list, depth: int) -> tuple:
        return tuple(self._values(arguments, depth))

    def _set(self, arguments: list, depth: int) -> set:
        self._count_keys(len(arguments))
        values = self._values(arguments, depth)
        return had(f"{IN_SET} objects, {NO_HASH}", set, values)

    def _frozenset(self, arguments: list, depth: int) -> frozenset:
        return frozenset(self._set(arguments, depth))

    def _dict(self, arguments: list, depth: int) -> dict:
        count, odd = divmod(len(arguments), 2)
        require(not odd)
        self._count_keys(count)
        parts = self._values(arguments, depth)
        items = zip(parts[:count], parts[count:], strict=True)
        return had(f"{IN_KEYS} objects, {NO_HASH}", dict, items)

    def _range(self, arguments: list, depth: int) -> range:
        return range(*self._values(arguments, depth))

    def _slice(self, arguments: list, depth: int) -> slice:
        start, stop, step = self._values(arguments, depth)
        return slice(start, stop, step)

    def _size(self, arguments: list, depth: int) -> Any:
        import torch

        return torch.Size(shape_of(arguments))

    def _dtype(self, arguments: list, depth: int) -> Any:
        (name,) = arguments
        return torch_type(name)

    def _tensor(self, arguments: list, depth: int) -> Any:
        name, shape, requires_grad, index = arguments
        return tensor_of(name, shape, requires_grad, self._blob(index))

    def _array(self, arguments: list, depth: int) -> Any:
        name, shape, index = arguments
        return array_of(name, shape, self._blob(index))

    def _scalar(self, arguments: list, depth: int) -> Any:
        name, content = arguments
        require(type(content) is bytes)
        return array_of(name, [1], bytearray(content))[0]

    def _objects(self, arguments: list, depth: int) -> Any:
        kind, shape, items = arguments
        return objects_of(kind, shape, self._values(items, depth))

    def _figure(self, arguments: list, depth: int) -> Any:
        import plotly.graph_objects as figures

        traces, layout = self._values(arguments, depth)
        return had("a figure that cannot be drawn", figures.Figure, traces, layout)

    def _factored(self, arguments: list, depth: int) -> Any:
        from transformer_lens import FactoredMatrix

        left, right = self._values(arguments, depth)
        return had("a FactoredMatrix whose factors do not fit", FactoredMatrix, left, right)

    def _reference(self, arguments: list, depth: int) -> Any:
        (index,) = arguments
        require(type(index) is int and 0 <= index < len(self._seen))
        return self._seen[index]


DECODERS: dict[str, Callable[[Decoder, list, int], Any]] = {
    "I": Decoder._integer,
    "S": Decoder._text,
    "B": Decoder._bytes,
    "C": Decoder._complex,
    "l": Decoder._list,
    "t": Decoder._tuple,
    "s": Decoder._set,
    "f": Decoder._frozenset,
    "d": Decoder._dict,
    "r": Decoder._range,
    "c": Decoder._slice,
    "Z": Decoder._size,
    "D": Decoder._dtype,
    "T": Decoder._tensor,
    "A": Decoder._array,
    "N": Decoder._scalar,
    "O": Decoder._objects,
    "F": Decoder._figure,
    "M": Decoder._factored,
    "R": Decoder._reference,
}


def had(otherwise: str, make: Callable, *parts: Any) -> Any:
    """The result of `make` for decoded values.

    Raises:
        OddValue: `make` failed; the message is `otherwise`.
    """
    try:
        return make(*parts)
    except (Exception, NotPlainData) as error:
        raise OddValue(otherwise) from error
