"""Encodes tensors and numpy arrays as type names, shapes and bytes, and decodes them.

Encoding uses the methods and attributes of the base classes, never those of a subclass. Input
is checked to the byte. torch and numpy are imported only if a value needs them.
"""

from __future__ import annotations

import math
from typing import Any

from hub.grading.isolation.errors import Unsendable, require
from hub.grading.isolation.wire import BLOB_LIMIT

_COMMON = ["bool", "uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64"]
_COMMON += ["complex64", "complex128"]
TENSOR_TYPES = [*_COMMON, "bfloat16"]
ARRAY_TYPES = [*_COMMON, "uint16", "uint32", "uint64"]

DIMENSIONS_LIMIT = 32
SIZE_LIMIT = 2**40  # of one dimension


def tensor_parts(value: Any, torch: Any) -> tuple[str, list[int], bool, Any]:
    """Type name, shape, whether it is a leaf that requires gradients, and bytes of a tensor.

    Raises:
        Unsendable: it is not a dense tensor with numbers in it, or too large.
    """
    base = torch._C.TensorBase
    with torch._C.DisableTorchFunctionSubclass():
        if torch._C._functorch.is_batchedtensor(value):
            raise Unsendable("a tensor that has numbers only inside torch.vmap")
        plain = base.detach(value)
        if type(plain) is not torch.Tensor or torch._is_functional_tensor(plain):
            raise Unsendable(
                f"a tensor of class {type(value).__name__!r}, which is no plain tensor"
            )
        if plain.is_meta:
            raise Unsendable("a tensor on the device 'meta', which has no numbers")
        if plain.layout is not torch.strided or plain.is_nested:
            layout = "nested" if plain.is_nested else str(plain.layout).removeprefix("torch.")
            raise Unsendable(f"a tensor of layout {layout!r}")
        dtype = sendable_type(plain.dtype)
        shape = _sendable_shape(plain.shape, plain.itemsize)
        flat = plain.resolve_conj().resolve_neg().cpu().contiguous().reshape(-1)
        flat = flat.as_strided((flat.numel(),), (1,))  # a single number may have any stride
        leaf = base.requires_grad.__get__(value) and base.is_leaf.__get__(value)
        return dtype, shape, bool(leaf), flat.view(torch.uint8).numpy()


def sendable_type(dtype: Any) -> str:
    """The name of a torch dtype.

    Raises:
        Unsendable: its tensors cannot cross.
    """
    name = str(dtype).removeprefix("torch.")
    if name not in TENSOR_TYPES:
        raise Unsendable(f"a tensor, or the type, {name!r}")
    return name


def array_parts(value: Any, numpy: Any) -> tuple[str, list[int], Any]:
    """Type name, shape and bytes of an array of numbers.

    Raises:
        Unsendable: it holds something else, or is too large.
    """
    plain = as_known_type(numpy.ndarray.view(value, numpy.ndarray))
    if plain.dtype.name not in ARRAY_TYPES:
        raise Unsendable(f"a numpy array of type {plain.dtype.name}")
    shape = _sendable_shape(plain.shape, plain.itemsize)
    native = numpy.ascontiguousarray(plain, plain.dtype.newbyteorder("="))
    return plain.dtype.name, shape, native.reshape(-1).view("uint8")


def as_known_type(array: Any) -> Any:
    """`array` in at most double precision, as wider types differ between machines."""
    longer = {"f": "float64", "c": "complex128"}.get(array.dtype.kind)
    if longer is None or array.dtype.itemsize <= (8 if longer == "float64" else 16):
        return array
    return array.astype(longer)


def _sendable_shape(sizes: Any, itemsize: int) -> list[int]:
    shape = [int(n) for n in sizes]
    if len(shape) > DIMENSIONS_LIMIT or any(n >= SIZE_LIMIT for n in shape):
        raise Unsendable(f"an array of {len(shape)} dimensions, the largest {max(shape):,}")
    nbytes = math.prod(shape) * itemsize
    if nbytes > BLOB_LIMIT:
        raise Unsendable(f"an array of {nbytes // 2**20:,} MiB; {BLOB_LIMIT // 2**20} are allowed")
    return shape


def shape_of(sizes: Any) -> tuple[int, ...]:
    """`sizes` as a tensor's shape, if it is one."""
    require(type(sizes) is list and len(sizes) <= DIMENSIONS_LIMIT)
    require(all(type(n) is int and 0 <= n < SIZE_LIMIT for n in sizes))
    return tuple(sizes)


def torch_type(name: Any) -> Any:
    """The torch dtype of that name."""
    import torch

    require(type(name) is str and name in TENSOR_TYPES)
    return getattr(torch, name)


def tensor_of(name: Any, sizes: Any, requires_grad: Any, content: bytearray) -> Any:
    """The tensor with these parts."""
    import torch

    dtype, shape = torch_type(name), shape_of(sizes)
    require(len(content) == math.prod(shape) * dtype.itemsize)
    if not content:
        tensor = torch.empty(shape, dtype=dtype)
    elif dtype is torch.bool:  # a byte other than 0 and 1 would be no bool
        tensor = (torch.frombuffer(content, dtype=torch.uint8) != 0).reshape(shape)
    else:
        tensor = torch.frombuffer(content, dtype=dtype).reshape(shape)
    require(type(requires_grad) is bool)
    return tensor.requires_grad_() if requires_grad else tensor


def array_of(name: Any, sizes: Any, content: bytearray) -> Any:
    """The array of numbers with these parts."""
    import numpy

    require(type(name) is str and name in ARRAY_TYPES)
    dtype, shape = numpy.dtype(name), shape_of(sizes)
    require(len(content) == math.prod(shape) * dtype.itemsize)
    if name == "bool":
        return (numpy.frombuffer(content, "uint8") != 0).reshape(shape)
    return numpy.frombuffer(content, dtype).reshape(shape)


def objects_of(kind: Any, sizes: Any, values: list) -> Any:
    """The array of objects ("O") or of texts ("U") with these items."""
    import numpy

    shape = shape_of(sizes)
    require(kind in ("O", "U") and math.prod(shape) == len(values))
    if kind == "U":
        require(all(type(value) is str for value in values))
        widest = max(map(len, values), default=0)
        require(4 * widest * len(values) <= BLOB_LIMIT)  # each item takes what the widest does
        return numpy.array(values, f"U{max(widest, 1)}").reshape(shape)
    array = numpy.empty(len(values), object)
    for i, value in enumerate(values):  # at once, numpy would look into each of them
        array[i] = value
    return array.reshape(shape)
