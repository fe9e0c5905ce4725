"""Checks for test cells: judge a result, and say in words what is wrong with it.

Every function takes what the student's code returned (`got`) and the name under which the message
shall speak of it (`what`), and raises `AssertionError` with the received and the expected type,
dtype or shape and the slip that fits. Expected *values* are never shown.

Results are judged with functions of this module and of torch only. Nothing that the result
brings along is called: its type must be exactly the plain one before its contents are looked at,
and methods are looked up on `torch.Tensor`, since a tensor can carry attributes that shadow them.

`check_rules` and `check_gradients` call the student's function themselves, through `course.calls`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves, tree_map

from course.calls import call_keeping, vjp

_SCALARS = (type(None), bool, int, float, str, bytes)


def check_tensor(got: Any, what: str, *, dtype: torch.dtype | None = None) -> None:
    """`got` is a plain `torch.Tensor`, of this dtype if one is given.

    A subclass is refused, `torch.nn.Parameter` included.
    """
    if type(got) is not Tensor:
        slip = {
            type(None): "Is there a return statement?",
            float: "Do not call .item() or average everything away.",
            int: "Do not call .item() or index everything away.",
            list: "Use torch.stack or torch.tensor to make a tensor of it.",
            tuple: "Return the tensor alone.",
            torch.nn.Parameter: "Return a plain tensor: call .detach().",
        }.get(type(got), "")
        _fail(what, f"got {_type_name(got)}, expected torch.Tensor", slip)
    if dtype is not None and got.dtype != dtype:
        _fail(what, f"got dtype {got.dtype}, expected {dtype}", _dtype_mistake(got.dtype, dtype))


def check_shape(got: Any, want: Sequence[int], what: str, *, axes: str = "") -> None:
    """`got` is a tensor of shape `want`; `axes` names its axes, as in "batch pos"."""
    check_tensor(got, what)
    received, expected = tuple(got.shape), tuple(want)
    if received != expected:
        named = f" [{axes}]" if axes else ""
        _fail(
            what,
            f"got shape {received}, expected {expected}{named}",
            _shape_mistake(received, expected, axes.split()),
        )


def check_close(
    got: Any,
    want: Tensor | float,
    what: str,
    *,
    hint: str = "",
    slips: Mapping[str, Tensor | float] | None = None,
    axes: str = "",
    atol: float = 1e-5,
    rtol: float = 1e-4,
) -> None:
    """`got` equals `want` up to `atol + rtol * |want|`, entry by entry.

    If `want` is a number, `got` is an int, a float or a tensor of shape (). If `want` is a tensor,
    `got` is one of the same shape and of the same kind (floating or not). NaN equals NaN only.
    `hint` is added to the message about wrong values, not to the one about a wrong shape. `slips`
    are sentences with what `got` is after each of them; the one that matches takes its place, also
    where a slip changes the shape.
    """
    if type(want) is not Tensor:
        expected = torch.tensor(float(want), dtype=torch.float64)
        received = _number(got, what)
    else:
        check_tensor(got, what)
        if got.shape != want.shape and (
            named := _named_slip(_values(got), slips or {}, atol, rtol)
        ):
            shapes = f"got shape {tuple(got.shape)}, expected {tuple(want.shape)}"
            _fail(what, shapes, named)
        check_shape(got, want.shape, what, axes=axes)
        if got.dtype.is_floating_point != want.dtype.is_floating_point:
            slip = _dtype_mistake(got.dtype, want.dtype)
            _fail(what, f"got dtype {got.dtype}, expected {want.dtype}", slip)
        received, expected = _values(got), _values(want)
    right = torch.isclose(received, expected, atol=atol, rtol=rtol, equal_nan=True)
    if not bool(right.all()):
        named = _named_slip(received, slips or {}, atol, rtol)
        slip = named or hint or _value_mistake(received, expected, atol)
        _fail(what, _where(received, expected, right), slip)


def check_no_slip(
    got: Any,
    what: str,
    slips: Mapping[str, Tensor | float],
    *,
    atol: float = 1e-5,
    rtol: float = 1e-4,
) -> None:
    """`got` is not what it is after one of these slips, which are as in `check_close`.

    For a test that students read, where the right value must not be computed.
    """
    received = _values(got) if type(got) is Tensor else _number(got, what)
    if named := _named_slip(received, slips, atol, rtol):
        _fail(what, "this is what a common slip gives", named)


def check_equal(got: Any, want: Any, what: str, *, hint: str = "") -> None:
    """`got` is the same plain data as `want`, types included: `True` is not 1, a list no tuple.

    Plain data: None, bool, int, float, str, bytes, tensors, and lists, tuples, sets and dicts of
    them. Tensors must agree in dtype, shape and every bit of their values.
    """
    if type(want) is Tensor:
        check_tensor(got, what, dtype=want.dtype)
        check_shape(got, want.shape, what)
        received, expected = _values(got), _values(want)
        right = _agree(received, expected)
        if not bool(right.all()):
            slip = hint or _value_mistake(received, expected, 0.0)
            _fail(what, _where(received, expected, right), slip)
    elif type(got) is not type(want):
        _fail(what, f"got {_type_name(got)}, expected {_type_name(want)}", hint)
    elif not _same(got, want):
        sizes = ""
        if isinstance(want, list | tuple | set | dict | str) and len(got) != len(want):
            sizes = f": it has {len(got)} entries, expected {len(want)}"
        _fail(what, f"the {_type_name(want)} is not the expected one{sizes}", hint)


def check_rules(f: Callable, args: Sequence, what: str, *, names: Sequence[str]) -> None:
    """`f(*args)` keeps the three rules of a function of tensors, whatever it computes.

    Its result has the dtype of the tensors that it is given, float32 and float64; its arguments
    stay as they are; and the right gradients reach every floating-point one of them.

    Args:
        args: tensors, containers of them, and functions and numbers, which are passed as they are.
        names: of the tensors among `args`, in order.
    """
    for dtype in (torch.float32, torch.float64):
        given = _cast(args, dtype)
        got, kept = call_keeping(f, *given)
        floats = [x for x in _tensors(got) if x.dtype.is_floating_point]
        if wrong := [x.dtype for x in floats if x.dtype != dtype]:
            finding = f"it is given {dtype} and returns {wrong[0]}"
            _fail(what, finding, "The result has the dtype of the tensors that it is given.")
        before, after = _tensors(given), _tensors(list(kept))
        if len(before) != len(after):
            _fail(what, "a list, tuple or dict that it was given is another one afterwards")
        for name, x, y in zip(names, before, after, strict=True):
            if x.shape != y.shape or not bool(_agree(_values(y), _values(x)).all()):
                _fail(what, f"its argument {name} was changed", "Make a new tensor.")
    check_gradients(f, args, what, names=names)


def check_gradients(f: Callable, args: Sequence, what: str, *, names: Sequence[str]) -> None:
    """The gradients that PyTorch finds for `f(*args)` are the slopes of what `f` computes.

    Each gradient is compared, in float64 and along one direction, with the difference of two calls
    nearby. So a part that is cut off from its inputs shows, even if the values are right.

    Args:
        args, names: as in `check_rules`.
    """
    given = _cast(args, torch.float64)
    result = call_keeping(f, *given)[0]
    outputs = [x for x in _tensors(result) if x.dtype.is_floating_point]
    # An entry that is infinite, such as a masked score, has no slope.
    cotangents = [torch.where(x.isfinite(), _wave(x, 0.4), 0.0) for x in map(_values, outputs)]
    floats = [
        (name, x)
        for name, x in zip(names, _tensors(given), strict=True)
        if x.dtype.is_floating_point
    ]
    try:
        _, slopes = vjp(f, given, cotangents)
    except NotImplementedError:
        raise
    except (RuntimeError, TypeError, ValueError) as error:
        _fail(what, f"it fails when gradients are to be computed ({error})", _CUTS)
    for (name, x), slope in zip(floats, slopes, strict=True):
        direction, step = _wave(x, 1.1), 1e-5
        ends = []
        for sign in (1, -1):
            moved = _replaced(given, x, x + sign * step * direction)
            there = [y for y in _tensors(call_keeping(f, *moved)[0]) if y.dtype.is_floating_point]
            products = (
                c * torch.where(c == 0, 0.0, y) for c, y in zip(cotangents, there, strict=True)
            )
            ends.append(math.fsum(float(product.sum()) for product in products))
        true = (ends[0] - ends[1]) / (2 * step)
        found = torch.zeros_like(x) if slope is None else _values(slope)
        shares = found * direction
        scale = abs(true) + float(shares.abs().sum())
        if abs(float(shares.sum()) - true) <= 1e-5 * scale + 1e-7:
            continue
        if bool((found == 0).all()):
            _fail(what, f"the values are right, but no gradient reaches {name}", _CUTS)
        finding = f"the gradient that reaches {name} is not the slope of what is computed"
        _fail(what, finding, f"Is a part of it cut off? {_CUTS}")


_CUTS = (
    "Gradients stop at .detach(), .item(), .tolist(), NumPy, torch.tensor(…) and torch.no_grad(): "
    "compute with PyTorch's operations on the tensors that are given."
)


def _tensors(value: Any) -> list[Tensor]:
    """The tensors in a tensor, or in tuples, lists and dicts of them, in order."""
    return [x for x in tree_leaves(value) if type(x) is Tensor]


def _cast(args: Sequence, dtype: torch.dtype) -> list:
    """`args` with every floating-point tensor in this dtype."""

    def cast(x: Any) -> Any:
        return x.to(dtype) if type(x) is Tensor and x.dtype.is_floating_point else x

    return tree_map(cast, list(args))


def _replaced(args: list, old: Tensor, new: Tensor) -> list:
    return tree_map(lambda x: new if x is old else x, args)


def _wave(x: Tensor, phase: float) -> Tensor:
    """Numbers of no particular pattern in the shape of `x`, the same each time."""
    places = torch.arange(x.numel(), dtype=torch.float64).reshape(x.shape)
    return torch.cos(phase + 2.3 * places)


def _fail(what: str, finding: str, slip: str = "") -> NoReturn:
    raise AssertionError(f"{what}: {finding}." + (f" {slip}" if slip else ""))


def _type_name(value: Any) -> str:
    kind = type(value)
    module = kind.__module__
    return kind.__name__ if module == "builtins" else f"{module}.{kind.__name__}"


def _values(tensor: Tensor) -> Tensor:
    """The tensor's numbers alone, in a type that holds every dtype's values exactly enough."""
    plain = Tensor.detach(tensor)
    exact = torch.float64 if plain.dtype.is_floating_point else torch.int64
    return Tensor.to(plain, device="cpu", dtype=torch.complex128 if plain.is_complex() else exact)


def _agree(received: Tensor, expected: Tensor) -> Tensor:
    """Which entries are exactly equal; NaN equals NaN."""
    return (received == expected) | (received.isnan() & expected.isnan())


def _number(got: Any, what: str) -> Tensor:
    if type(got) is int or type(got) is float:
        return torch.tensor(float(got), dtype=torch.float64)
    if type(got) is Tensor and tuple(got.shape) == ():
        return _values(got).double()
    found = f"a tensor of shape {tuple(got.shape)}" if type(got) is Tensor else _type_name(got)
    slip = "Is there a return statement?" if got is None else ""
    if type(got) is Tensor:
        slip = "Reduce it to one number."
    _fail(what, f"got {found}, expected a number", slip)


def _scalar(value: Any) -> bool:
    # `in` would fall back on ==, which a metaclass of the student's could answer.
    return any(type(value) is kind for kind in _SCALARS)


def _same(a: Any, b: Any) -> bool:
    """Equal plain data of exactly equal types; anything that is not plain equals nothing."""
    kind = type(b)
    if type(a) is not kind:
        return False
    if kind in _SCALARS:
        return a == b or (kind is float and math.isnan(a) and math.isnan(b))
    if kind is Tensor:
        alike = a.dtype == b.dtype and a.shape == b.shape
        return alike and bool(_agree(_values(a), _values(b)).all())
    if kind in (list, tuple):
        return len(a) == len(b) and all(map(_same, a, b))
    if kind is set:
        # Keys may be anything hashable: only plain ones may be compared.
        return all(_scalar(x) for x in a) and a == b
    if kind is dict:
        return (
            all(_scalar(key) for key in a)
            and a.keys() == b.keys()
            and all(_same(a[key], b[key]) for key in b)
        )
    return False


def _where(received: Tensor, expected: Tensor, right: Tensor) -> str:
    """Which entries are wrong and how far off, without the values that are right."""
    wrong = ~right
    gap = (received - expected).abs()[wrong]
    off = f"off by up to about {gap.max().item():.0e}" if bool(gap.isfinite().all()) else ""
    if received.dtype.is_floating_point and bool((received.isnan() & wrong).any()):
        off = "there are NaNs"
    elif not off:
        off = "off by an infinite amount"
    if received.ndim == 0:
        return f"the value is wrong ({off})"
    first = tuple(int(i) for i in wrong.nonzero()[0])
    index = first[0] if len(first) == 1 else first
    count = int(wrong.sum())
    return f"{count} of {wrong.numel()} entries are wrong ({off}), the first at index {index}"


def _named_slip(
    received: Tensor, slips: Mapping[str, Tensor | float], atol: float, rtol: float
) -> str:
    """The sentence of the first slip after which `received` is what it is, if there is one."""
    for sentence, value in slips.items():
        slipped = _values(torch.as_tensor(value, dtype=received.dtype))
        if slipped.shape == received.shape and torch.allclose(
            received, slipped, atol=atol, rtol=rtol, equal_nan=True
        ):
            return sentence
    return ""


def _dtype_mistake(got: torch.dtype, want: torch.dtype) -> str:
    if want == torch.int64:
        return "Token ids and indices are whole numbers: torch.int64."
    if want.is_floating_point and not got.is_floating_point:
        return "Was it rounded, compared or left as token ids?"
    if want.is_floating_point and got.is_floating_point:
        return "The result keeps the dtype of the input."
    return ""


def _shape_mistake(got: tuple[int, ...], want: tuple[int, ...], axes: list[str]) -> str:
    def name(axis: int) -> str:
        return axes[axis] if len(axes) == len(want) else f"axis {axis}"

    if len(got) == len(want):
        if sorted(got) == sorted(want):
            return "The axes are in another order: is something transposed?"
        wrong = [i for i, (g, w) in enumerate(zip(got, want, strict=True)) if g != w]
        if len(wrong) == 1:
            (axis,) = wrong
            more = got[axis] - want[axis]
            if abs(more) == 1:
                few_many = "one entry too many" if more > 0 else "one entry too few"
                return f"There is {few_many} along {name(axis)}: off by one?"
            if got[axis] == 1:
                return f"Only one entry is left along {name(axis)}: was it averaged or indexed?"
    if len(got) == len(want) - 1:
        for axis in range(len(want)):
            if got == want[:axis] + want[axis + 1 :]:
                return f"The {name(axis)} is missing: was it averaged or indexed away?"
    if len(got) == len(want) + 1:
        for axis in range(len(got)):
            if want == got[:axis] + got[axis + 1 :]:
                return f"Axis {axis} of the result is one too many: reduce it or squeeze it."
    return ""


def _value_mistake(received: Tensor, expected: Tensor, atol: float) -> str:
    """The usual slip that explains the difference, if one does."""

    def matches(candidate: Tensor, target: Tensor) -> bool:
        return candidate.shape == target.shape and torch.allclose(
            candidate, target, atol=max(atol, 1e-6), rtol=1e-3
        )

    if not received.dtype.is_floating_point or received.numel() == 0:
        return ""
    if bool(received.isnan().any()) and not bool(expected.isnan().any()):
        return "A NaN comes from 0/0, log(0) or inf - inf."
    if not bool(received.isfinite().all()) or not bool(expected.isfinite().all()):
        return ""
    if bool((received == 0).all()):
        return "Every entry is zero."
    if matches(-received, expected):
        return "Every sign is the opposite of what it should be."
    factor = _common_factor(received, expected)
    if factor is not None:
        return f"Everything is {factor:.3g} times what it should be: sum, mean or another base?"
    if received.ndim >= 2 and matches(received.transpose(-1, -2), expected):
        return "The last two axes are swapped."
    if received.ndim >= 1 and received.shape[-1] >= 3:
        if matches(received[..., 1:], expected[..., :-1]):
            return "Along the last axis everything comes one place too late."
        if matches(received[..., :-1], expected[..., 1:]):
            return "Along the last axis everything comes one place too early."
    return ""


def _common_factor(received: Tensor, expected: Tensor) -> float | None:
    """c if received = c * expected in at least three entries that are not zero, else None."""
    scale = expected.abs().max()
    if int((expected != 0).sum()) < 3 or scale == 0:
        return None
    factor = (received * expected).sum() / (expected * expected).sum()
    if torch.allclose(received, factor * expected, rtol=1e-3, atol=1e-4 * float(scale)):
        return float(factor)
    return None
