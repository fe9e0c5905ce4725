"""What crosses comes out as it went in; what is no value is refused."""

import math
import struct

import msgpack
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hub.grading.isolation.errors import BadValue, OddValue, Unsendable
from hub.grading.isolation.handles import Handle
from hub.grading.isolation.values import Decoder, Encoder
from hub.grading.isolation.wire import _unpacked


def crossed(value):
    """`value` as the other side gets it."""
    encoder = Encoder()
    tree = _unpacked(bytearray(msgpack.packb(encoder.encode(value))))
    return Decoder([bytearray(memoryview(b).cast("B")) for b in encoder.blobs]).decode(tree)


SCALARS = st.none() | st.booleans() | st.integers() | st.text() | st.binary() | st.floats()
VALUES = st.recursive(
    SCALARS | st.complex_numbers(),
    lambda inner: (
        st.lists(inner)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text() | st.integers() | st.tuples(st.booleans()), inner)
    ),
    max_leaves=20,
)


@given(VALUES)
def test_plain_values_cross_exactly(value):
    assert repr(crossed(value)) == repr(value)


def has_hash(items):
    """Whether the first of the items has a hash."""
    try:
        return hash(items[0]) is not None
    except TypeError:
        return False


def as_objects(items):
    array = np.empty(len(items), object)
    for i, item in enumerate(items):
        array[i] = item
    return array


def nested(value_and_depth):
    value, depth = value_and_depth
    for _ in range(depth):
        value = [value]
    return value


ODD_LEAVES: list = [int, repr, ..., NotImplemented, torch.float32, torch.ones(2), np.ones(2)]
ODD_LEAVES += [torch.empty(1, device="meta"), torch.eye(2).to_sparse(), range(3), np.float32(1)]
ODD_LEAVES += [np.datetime64("2024"), 1 << 9_000]
ODD_VALUES = st.recursive(
    SCALARS | st.builds(object) | st.sampled_from(ODD_LEAVES),
    lambda inner: (
        st.lists(inner)
        | st.tuples(inner, inner)
        | st.lists(st.tuples(inner, inner)).map(lambda items: dict(filter(has_hash, items)))
        | st.lists(st.tuples(inner)).map(lambda items: {*filter(has_hash, items)})
        | st.lists(inner).map(as_objects)
        | st.tuples(inner, st.integers(0, 60)).map(nested)
    ),
    max_leaves=20,
)


def lent(value):
    return ["x", "S", 0, "opaque", "object"]


def handle(tag, arguments):
    return Handle(None, 0, "object")  # type: ignore[arg-type]


@given(ODD_VALUES)
def test_any_value_crosses_or_is_refused_by_the_sender(value):
    encoder = Encoder(lend=lent)
    try:
        tree = encoder.encode(value)
    except Unsendable as error:
        assert str(error)
        return
    tree = _unpacked(bytearray(msgpack.packb(tree)))
    blobs = [bytearray(memoryview(blob).cast("B")) for blob in encoder.blobs]
    got = Decoder(blobs, handle).decode(tree)
    assert type(got) is type(value) or isinstance(got, Handle)


def test_the_bits_of_a_float_survive():
    (odd_nan,) = struct.unpack("<d", struct.pack("<Q", 0x7FF8000000000123))
    assert struct.pack("<d", crossed(odd_nan)) == struct.pack("<d", odd_nan)
    assert math.copysign(1, crossed(-0.0)) == -1


@pytest.mark.parametrize(
    "value",
    [
        {1, 2},
        frozenset("ab"),
        range(3, 9, 2),
        slice(None, 4),
        2**5000,
        -(2**63) - 1,
        "\ud800",
        "x" * 100_000,
        b"x" * 100_000,
        torch.float32,
        torch.Size([2, 3]),
        np.float32(1.5),
        np.bool_(True),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_value_crosses_with_its_type(value):
    got = crossed(value)
    assert type(got) is type(value) and got == value


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "bool", "complex64", "int8", "float64"])
@pytest.mark.parametrize("shape", [(), (0, 3), (2, 3), (4, 1, 2)])
def test_a_tensor_crosses_bit_by_bit(dtype, shape):
    tensor = (torch.randn(shape) * 3).to(getattr(torch, dtype))
    got = crossed(tensor)
    assert type(got) is torch.Tensor and got.dtype == tensor.dtype and got.shape == tensor.shape
    assert torch.equal(got.reshape(-1).view(torch.uint8), tensor.reshape(-1).view(torch.uint8))


def test_views_and_conjugates_cross_as_their_values():
    tensor = torch.arange(6.0).reshape(2, 3)
    assert torch.equal(crossed(tensor.T), tensor.T)
    wave = torch.tensor([1 + 2j]).conj()
    assert torch.equal(crossed(wave), wave)


def test_one_number_cut_out_of_a_large_tensor_crosses_in_spite_of_its_stride():
    large = torch.arange(50.0).reshape(2, 5, 5)
    for one in (large[1:, 0, 0], torch.zeros_like(large[:1, 0, 0]), large[:1, 2:3, 4:]):
        assert torch.equal(crossed(one), one)


def test_leaves_keep_requires_grad_and_results_lose_it():
    parameter = torch.nn.Parameter(torch.ones(2))
    assert type(crossed(parameter)) is torch.Tensor and crossed(parameter).requires_grad
    assert not crossed(parameter * 2).requires_grad


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6).reshape(2, 3).T,
        np.array(2.5, ">f8"),
        np.zeros((0, 2), "float32"),
        np.array([True, False]),
        np.array(["a", "bc"]),
        np.array(["a", None, 2], object),
    ],
    ids=lambda array: str(array.dtype),
)
def test_an_array_crosses_with_shape_and_type(array):
    got = crossed(array)
    assert got.shape == array.shape and got.dtype == array.dtype.newbyteorder("=")
    assert got.tolist() == array.tolist()


def test_a_figure_crosses_with_arrays_as_arrays():
    import plotly.graph_objects as go

    z = np.random.default_rng().random((2, 3))
    figure = crossed(go.Figure(go.Heatmap(z=z, x=["a", "b", "c"]), layout={"title": "T"}))
    assert isinstance(figure, go.Figure)
    assert np.array_equal(figure.data[0].z, z)
    assert list(figure.data[0].x) == ["a", "b", "c"] and figure.layout.title.text == "T"


def test_sharing_within_one_value_survives():
    row = [1]
    tensor = torch.ones(2)
    got = crossed([row, row, {"t": tensor, "again": tensor}])
    assert got[0] is got[1] and got[2]["t"] is got[2]["again"]


def test_a_value_that_doubles_forty_times_stays_small():
    value: list = [0]
    for _ in range(38):
        value = [value, value]
    encoder = Encoder()
    assert len(repr(encoder.encode(value))) < 2000


def test_subclasses_cross_as_their_base():
    class Sly(dict):
        def __eq__(self, other):
            return True

        __hash__ = None

    assert type(crossed(Sly(a=1))) is dict
    assert type(crossed(type("F", (float,), {})(1.5))) is float


def endless():
    value: list = []
    value.append(value)
    return value


def deep():
    value: list = []
    for _ in range(50):
        value = [value]
    return value


@pytest.mark.parametrize(
    "value",
    [
        endless(),
        deep(),
        object(),
        2**40_000,
        dict.fromkeys(range(10_001)),
        torch.eye(2).to_sparse(),
        np.array([1], "datetime64[s]"),
    ],
    ids=["cycle", "deep", "object", "integer", "keys", "sparse", "dates"],
)
def test_a_value_that_cannot_cross_is_refused_by_the_sender(value):
    with pytest.raises(Unsendable):
        Encoder().encode(value)


@pytest.mark.parametrize(
    "tree",
    [
        ["T", "float32", [2, 2], False, 0],
        ["T", "float32", [-1, -2], False, 0],
        ["T", "float32", [2], True, 0],
        ["T", "int64", [1], True, 0],
        ["T", "object", [1], False, 0],
        ["T", "float32", [2], False, 5],
        ["T", "float32", [2], False, -1],
        ["A", "object", [1], 0],
        ["A", "float64", [2], 0],
        ["I", b"x" * 5000],
        ["s", *range(10_001)],
        ["d", "odd"],
        ["s", ["l"]],
        ["R", 0],
        ["R", -1],
        ["x", "S", 0, "callable", ""],
        ["g", "name"],
        ["F", ["l", ["d", "type", "no such trace"]], ["d"]],
        ["?"],
        [],
        [["l"]],
        {"map": 1},
    ],
    ids=repr,
)
def test_bytes_that_are_not_a_value_are_refused_by_the_reader(tree):
    blobs = [bytearray(8)]
    if tree == ["T", "float32", [2], True, 0]:
        assert Decoder(blobs).decode(tree).requires_grad  # the one good tree: checks the others
        return
    with pytest.raises(BadValue):
        Decoder(blobs).decode(tree)


OPAQUE = ["x", "S", 0, "opaque", "object"]


@pytest.mark.parametrize(
    "tree",
    [
        ["s", OPAQUE],
        ["f", ["t", 1, OPAQUE]],
        ["d", OPAQUE, 1],
        ["d", ["l"], 1],
        ["F", ["l", ["d", "type", "scatter"]], ["d", "no such", 1]],
        ["F", ["l", OPAQUE], ["d"]],
        ["M", 1, OPAQUE],
    ],
    ids=repr,
)
def test_a_value_that_is_unavailable_here_is_distinguished_from_a_malformed_one(tree):
    with pytest.raises(OddValue):
        Decoder([], handle).decode(tree)


def test_a_range_of_objects_is_not_a_value():
    with pytest.raises(BadValue):
        Decoder([], handle).decode(["r", OPAQUE, 1, 1])


def test_wide_texts_take_no_more_memory_here_than_they_took_to_send():
    tree = ["O", "U", [20_000], [["S", 0], *[""] * 19_999]]
    with pytest.raises(BadValue):
        Decoder([bytearray(b"x" * 100_000)]).decode(tree)


def test_a_bool_tensor_holds_only_zeros_and_ones_whatever_bytes_came():
    got = Decoder([bytearray([0, 1, 2, 255])]).decode(["T", "bool", [4], False, 0])
    assert got.view(torch.uint8).tolist() == [0, 1, 1, 1]
