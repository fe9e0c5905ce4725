"""Plain data as msgpack trees and blobs, and back.

Scalars stand for themselves; everything else is a list whose first item is a tag:

    I  integer over 64 bits       S, B  long text or bytes, as a blob      C  complex
    l t s f d  list, tuple, set, frozenset, dict        r c  range, slice  Z  torch.Size
    D  torch dtype                T  dense tensor: dtype, shape, requires_grad, bytes as a blob
    A  numeric numpy array        N  numpy scalar       O  numpy array of objects, item by item
    F  Plotly figure: traces, layout                    M  FactoredMatrix: its two factors
    m w  model and weights of a checkpoint, by name     g  an object of a given cell, by name
    R  the n-th compound of this message once more      x  an object that stays where it is

What is decoded has exactly the types above, whatever the other side says: a subclass crosses as
its base. torch, numpy and plotly are only imported where a value needs them.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from typing import Any

DEPTH_LIMIT = 40
KEY_LIMIT = 10_000  # keys of dicts and elements of sets in one message: they may all collide
INTEGER_LIMIT = 4096  # bytes
INLINE_LIMIT = 65_536  # bytes of a text or bytes object in the head

_COMMON = ["bool", "uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64"]
_COMMON += ["complex64", "complex128"]
TENSOR_TYPES = [*_COMMON, "bfloat16"]
ARRAY_TYPES = [*_COMMON, "uint16", "uint32", "uint64"]


class Unsendable(Exception):
    """A value does not cross; the message says why."""


class BadValue(Exception):
    """What came is no value."""


class Encoder:
    """Turns one message's value into a tree and blobs.

    `name` gives a tagged name for an object that both sides have, and `lend` a tagged reference to
    an object that stays here; either may return None.
    """

    def __init__(
        self,
        name: Callable[[Any], list | None] = lambda value: None,
        lend: Callable[[Any], list | None] = lambda value: None,
    ) -> None:
        self.blobs: list[Any] = []
        self._name, self._lend = name, lend
        self._seen: dict[int, tuple[int, Any]] = {}
        self._open: set[int] = set()
        self._keys = 0

    def encode(self, value: Any, depth: int = 0) -> Any:
        """The tree for `value`.

        Raises:
            Unsendable: it, or something in it, does not cross.
        """
        if depth > DEPTH_LIMIT:
            raise Unsendable(f"containers more than {DEPTH_LIMIT} deep")
        if value is None or isinstance(value, bool):
            return value
        numpy = sys.modules.get("numpy")
        if numpy is not None and isinstance(value, numpy.generic):
            return self._scalar(value)
        if isinstance(value, int):
            return self._integer(int(value))
        if isinstance(value, float):
            return float(value)
        if isinstance(value, complex):
            return ["C", value.real, value.imag]
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, (bytes, bytearray)):
            return self._bytes(bytes(value))
        return self._compound(value, depth)

    def _compound(self, value: Any, depth: int) -> Any:
        if id(value) in self._seen:
            return ["R", self._seen[id(value)][0]]
        if id(value) in self._open:
            raise Unsendable("a value that contains itself")
        tree = self._name(value)
        if tree is not None:
            return tree
        self._open.add(id(value))
        tree = self._contents(value, depth + 1)
        self._open.discard(id(value))
        if tree is None:
            tree = self._lend(value)
            if tree is None:
                raise Unsendable(f"an object of class {type(value).__name__!r}")
        elif tree[0] in COUNTED:
            self._seen[id(value)] = len(self._seen), value
        return tree

    def _contents(self, value: Any, depth: int) -> list | None:
        torch = sys.modules.get("torch")
        if torch is not None:
            if isinstance(value, torch.Tensor):
                return self._tensor(value, torch)
            if isinstance(value, torch.Size):
                return ["Z", *(int(n) for n in value)]
            if isinstance(value, torch.dtype):
                return ["D", str(value).removeprefix("torch.")]
        if isinstance(value, dict):
            self._count_keys(len(value))
            flat = [part for item in dict.items(value) for part in item]
            return ["d", *(self.encode(part, depth) for part in flat)]
        sequences: tuple[tuple[str, Any], ...] = (
            ("l", list),
            ("t", tuple),
            ("s", set),
            ("f", frozenset),
        )
        for tag, kind in sequences:
            if isinstance(value, kind):
                self._count_keys(len(value) if tag in "sf" else 0)
                return [tag, *(self.encode(item, depth) for item in kind.__iter__(value))]
        if isinstance(value, range | slice):
            parts = (value.start, value.stop, value.step)
            tag = "r" if isinstance(value, range) else "c"
            return [tag, *(self.encode(part, depth) for part in parts)]
        numpy = sys.modules.get("numpy")
        if numpy is not None and isinstance(value, numpy.ndarray):
            return self._array(value, depth)
        return self._library_object(value, depth)

    def _library_object(self, value: Any, depth: int) -> list | None:
        figures = sys.modules.get("plotly.graph_objects")
        if figures is not None and isinstance(value, figures.Figure):
            traces = [trace.to_plotly_json() for trace in value.data]
            layout = {k: v for k, v in value.layout.to_plotly_json().items() if k != "template"}
            return ["F", self.encode(traces, depth), self.encode(layout, depth)]
        factored = getattr(sys.modules.get("transformer_lens"), "FactoredMatrix", None)
        if factored is not None and isinstance(value, factored):
            return ["M", self.encode(value.A, depth), self.encode(value.B, depth)]
        return None

    def _count_keys(self, count: int) -> None:
        self._keys += count
        if self._keys > KEY_LIMIT:
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
        return len(self.blobs) - 1

    def _tensor(self, value: Any, torch: Any) -> list:
        dtype = str(value.dtype).removeprefix("torch.")
        if value.layout is not torch.strided or dtype not in TENSOR_TYPES:
            raise Unsendable(f"a tensor of type {dtype} and layout {value.layout}")
        flat = value.detach().resolve_conj().resolve_neg().cpu().contiguous().reshape(-1)
        flat = flat.as_strided((flat.numel(),), (1,))  # a single number may have any stride
        blob = self._blob(flat.view(torch.uint8).numpy())
        return ["T", dtype, list(value.shape), bool(value.requires_grad and value.is_leaf), blob]

    def _array(self, value: Any, depth: int) -> list:
        numpy = sys.modules["numpy"]
        if value.dtype.kind in "OU":
            items = [self.encode(item, depth) for item in value.reshape(-1).tolist()]
            return ["O", value.dtype.kind, list(value.shape), items]
        if value.dtype.name not in ARRAY_TYPES:
            raise Unsendable(f"a numpy array of type {value.dtype.name}")
        native = numpy.ascontiguousarray(value, value.dtype.newbyteorder("="))
        return [
            "A",
            value.dtype.name,
            list(value.shape),
            self._blob(native.reshape(-1).view("uint8")),
        ]

    def _scalar(self, value: Any) -> Any:
        if value.dtype.kind in "US":
            return self.encode(value.item())
        if value.dtype.name not in ARRAY_TYPES:
            raise Unsendable(f"a numpy scalar of type {value.dtype.name}")
        return ["N", value.dtype.name, value.astype(value.dtype.newbyteorder("=")).tobytes()]


COUNTED = frozenset("ltsfdTAO")


class Decoder:
    """Turns a message's tree and blobs back into a value, and checks every bit of it.

    `resolve(tag, arguments)` gives the object for the tags m, w, g and x, or raises `BadValue`;
    without it these tags are bad.
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
            BadValue: it is no value.
        """
        try:
            return self._value(tree, 0)
        except BadValue:
            raise
        except Exception as error:
            # The checks below fail as the types they rely on do: any failure means the same.
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
        return set(self._values(arguments, depth))

    def _frozenset(self, arguments: list, depth: int) -> frozenset:
        return frozenset(self._set(arguments, depth))

    def _dict(self, arguments: list, depth: int) -> dict:
        self._count_keys(len(arguments) // 2)
        parts = self._values(arguments, depth)
        return dict(zip(parts[::2], parts[1::2], strict=True))

    def _range(self, arguments: list, depth: int) -> range:
        return range(*self._values(arguments, depth))

    def _slice(self, arguments: list, depth: int) -> slice:
        start, stop, step = self._values(arguments, depth)
        return slice(start, stop, step)

    def _size(self, arguments: list, depth: int) -> Any:
        import torch

        return torch.Size(shape_of(arguments))

    def _dtype(self, arguments: list, depth: int) -> Any:
        import torch

        (name,) = arguments
        require(type(name) is str and name in TENSOR_TYPES)
        return getattr(torch, name)

    def _tensor(self, arguments: list, depth: int) -> Any:
        import torch

        name, shape, requires_grad, index = arguments
        dtype = self._dtype([name], depth)
        shape, content = shape_of(shape), self._blob(index)
        require(len(content) == math.prod(shape) * dtype.itemsize)
        if not content:
            tensor = torch.empty(shape, dtype=dtype)
        elif dtype is torch.bool:  # a byte other than 0 and 1 would be no bool
            tensor = (torch.frombuffer(content, dtype=torch.uint8) != 0).reshape(shape)
        else:
            tensor = torch.frombuffer(content, dtype=dtype).reshape(shape)
        require(type(requires_grad) is bool)
        return tensor.requires_grad_() if requires_grad else tensor

    def _array(self, arguments: list, depth: int) -> Any:
        import numpy

        name, shape, index = arguments
        require(type(name) is str and name in ARRAY_TYPES)
        dtype, shape, content = numpy.dtype(name), shape_of(shape), self._blob(index)
        require(len(content) == math.prod(shape) * dtype.itemsize)
        if name == "bool":
            return (numpy.frombuffer(content, "uint8") != 0).reshape(shape)
        return numpy.frombuffer(content, dtype).reshape(shape)

    def _scalar(self, arguments: list, depth: int) -> Any:
        import numpy

        name, content = arguments
        require(type(name) is str and name in ARRAY_TYPES and type(content) is bytes)
        require(len(content) == numpy.dtype(name).itemsize)
        if name == "bool":
            return numpy.bool_(content != b"\0")
        return numpy.frombuffer(content, name)[0]

    def _objects(self, arguments: list, depth: int) -> Any:
        import numpy

        kind, shape, items = arguments
        shape, values = shape_of(shape), self._values(items, depth)
        require(kind in ("O", "U") and math.prod(shape) == len(values))
        require(kind == "O" or all(type(value) is str for value in values))
        array = numpy.empty(len(values), object)
        array[:] = values
        return (array.astype(str) if kind == "U" else array).reshape(shape)

    def _figure(self, arguments: list, depth: int) -> Any:
        import plotly.graph_objects as figures

        traces, layout = self._values(arguments, depth)
        return figures.Figure(data=traces, layout=layout)

    def _factored(self, arguments: list, depth: int) -> Any:
        from transformer_lens import FactoredMatrix

        left, right = self._values(arguments, depth)
        return FactoredMatrix(left, right)

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


def require(condition: bool) -> None:
    """Raise `BadValue` unless the condition holds."""
    if not condition:
        raise BadValue("not a value")


def shape_of(sizes: Any) -> tuple[int, ...]:
    """`sizes` as a tensor's shape, if it is one."""
    require(type(sizes) is list and len(sizes) <= 32)
    require(all(type(n) is int and 0 <= n < 2**40 for n in sizes))
    return tuple(sizes)
