"""Calls to a student's work that mean the same wherever that work lives.

A test cell runs in one of two places: in the student's own process (`tests: in_kernel`), or in a
process apart from the student's, where everything crosses as a copy and nothing is shared. Code
that relies on identity, on changes made to an argument, on gradients or on the global random state
would mean different things in the two. These functions mean the same in both, so a test cell that
needs one of those things asks for it here:

    got, (x_after,) = call_keeping(masked_softmax, x)
    assert torch.equal(x_after, x), "the input was changed"

Every function hands its work to `backend`. As imported that is `InProcess`; the process that runs
test cells apart installs one of its own.
"""

from __future__ import annotations

import itertools
import os
import random
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from course.numbers import plain_number

if TYPE_CHECKING:
    from torch import Tensor

WIDENING: dict[type, tuple[type, ...]] = {
    int: (int,),
    float: (int, float),
    complex: (int, float, complex),
}
"""Which kinds of number each kind holds, the narrowest first."""

__all__ = [
    "Cost",
    "as_hook",
    "call_keeping",
    "cost",
    "live",
    "obj",
    "plain",
    "raises",
    "read_file",
    "remove_hooks",
    "seed",
    "set_params",
    "state",
    "take",
    "theirs",
    "vjp",
]


@dataclass(frozen=True)
class Cost:
    """What a call took. `ops` and `largest` are counted where the student's code runs."""

    result: Any
    ops: int
    """Number of torch operations that were dispatched."""
    largest: int
    """Elements in the largest tensor that an operation made."""
    cpu: float
    """Processor time of all threads and finished children, in seconds, to a hundredth."""
    peak: int
    """Highest resident memory during the call above that before it, in bytes."""


def call_keeping(f: Callable, /, *args: Any, **kwargs: Any) -> tuple[Any, tuple]:
    """Call `f` on copies of the arguments, and return its result and the copies as it left them.

    The second part holds the positional arguments and then the values of the keyword arguments,
    in order. Use it to test that an input survives, or that a change in place is right.
    """
    return backend.call_keeping(f, args, kwargs)


def cost(f: Callable, /, *args: Any, **kwargs: Any) -> Cost:
    """Call `f` and measure it. A first call pays for imports: measure the second."""
    return backend.cost(f, args, kwargs)


def vjp(f: Callable, args: Sequence, cotangent: Any = None) -> tuple[Any, tuple]:
    """Call `f(*args)` and pull `cotangent` back to the arguments.

    Args:
        f: returns a tensor, or tuples, lists and dicts of tensors.
        args: its arguments; each floating-point or complex tensor gets a gradient, also one in a
            tuple, list or dict.
        cotangent: shaped as the result; may be left out for a result of one element.

    Returns:
        The result, detached, and a tuple with the gradient for each tensor argument that can have
        one, in order; None where the result does not depend on it, or was computed without
        gradients.
    """
    return backend.vjp(f, args, cotangent)


def set_params(module: Any, values: Mapping[str, Tensor]) -> None:
    """Copy `values` into the parameters and buffers of a student's module, by their names.

    Raises:
        KeyError: the module has no such parameter; the message lists those it has.
        ValueError: a shape is not the parameter's.
    """
    backend.set_params(module, values)


def state(module: Any) -> dict[str, Tensor]:
    """Copies of all parameters and buffers of a student's module, by name."""
    return backend.state(module)


def remove_hooks(model: Any) -> list[str]:
    """Take the hooks off a TransformerLens model; the names of the points that carried one.

    A test begins with it, so that a hook which another exercise has left costs nothing here, and
    ends with it to see whether its own exercise has left one:

        assert not (left := remove_hooks(net)), f"hooks are still on the model: {left}"

    Permanent hooks that a model was built with stay. A model of `course.models.model` is put back
    as it was loaded: weights that were edited, permanent hooks and all else.
    """
    return backend.remove_hooks(model)


def seed(n: int) -> None:
    """Seed the global random states (random, and numpy and torch where they are in use)."""
    backend.seed(n)


def read_file(path: str | os.PathLike, limit: int = 1_000_000) -> bytes:
    """Contents of a file that the student's code made.

    Raises:
        OSError: it cannot be read.
        ValueError: it is longer than `limit` bytes.
    """
    return backend.read_file(str(path), limit)


def theirs(cls: type) -> Any:
    """A class that was given in the notebook, as the student's code sees it.

    Make an instance for student code with it: `a = theirs(Value)(2.0)`.
    """
    return backend.theirs(cls)


def obj(x: Any) -> Any:
    """`x`, an object that student code returned, with its attributes readable."""
    return backend.obj(x)


def live(x: Any) -> Any:
    """`x` with its attributes readable and its arithmetic, indexing and length usable.

    What such an operator returns is live again. Judge only data read off it, with `plain`.
    """
    return backend.live(x)


def plain(x: Any, *types: type) -> Any:
    """`x`, if it is plain data of one of `types`; a bool is no int.

    A number of another kind will do by its value, and comes back as Python's own: `Decimal`,
    `Fraction`, numpy's or sympy's numbers, an int where a float is wanted. A number with a part
    after the point is no int, nor is a float.

    Raises:
        AssertionError: it is something else; the message says what.
    """
    if isinstance(x, types) and not (isinstance(x, bool) and bool not in types):
        return x.detach() if hasattr(x, "detach") else x
    wanted = " or ".join(t.__name__ for t in types)
    try:
        return _by_value(x, types)
    except (ValueError, OverflowError) as error:
        raise AssertionError(f"expected {wanted}, got {error}") from None
    except TypeError:
        raise AssertionError(f"expected {wanted}, got {type(x).__name__}") from None


def _by_value(x: Any, types: tuple[type, ...]) -> Any:
    """The number `x` as the first of `types` that holds it, in the order bool, int, float, complex.

    Raises:
        TypeError: none does. ValueError, OverflowError: it has too many digits.
    """
    if type(x).__name__ == "bool" and hasattr(x, "dtype") and bool in types:  # numpy's
        return bool(x)
    number = plain_number(x)
    for kind, from_kinds in WIDENING.items():
        if kind in types and type(number) in from_kinds:
            return kind(number)
    raise TypeError


def raises(kind: str | type[BaseException], f: Callable, /, *args: Any, **kwargs: Any) -> str:
    """Require that `f(*args, **kwargs)` raises `kind`, and return the exception's message.

    Args:
        kind: an exception type, or the name of one; use the name where the student defines it.
            A subclass will do.

    Raises:
        AssertionError: nothing was raised, or something else was.
    """
    wanted = kind if isinstance(kind, str) else kind.__name__
    try:
        f(*args, **kwargs)
    except Exception as error:
        if any(base.__name__ == wanted for base in type(error).__mro__):
            return str(error)
        message = f"expected {wanted}, got {type(error).__name__}: {error}"
        raise AssertionError(message) from error
    raise AssertionError(f"expected {wanted}, but nothing was raised")


def take(iterator: Iterable, n: int) -> list:
    """The next `n` items of an iterator, or fewer where it ends sooner. Asks for no more."""
    return list(itertools.islice(iterator, n))


def as_hook(f: Callable, /, **fixed: Any) -> Callable:
    """A student's hook function as one that a TransformerLens model of the test cell can carry.

    `f(value, hook=…, **fixed)` may return the new value, or edit `value` in place and return None,
    as TransformerLens allows. Of its hook point it sees `name` and `layer()`.
    """
    return backend.as_hook(f, fixed)


class Backend(Protocol):
    """What carries the calls out: one method for each function that depends on the place."""

    def call_keeping(self, f: Callable, args: tuple, kwargs: dict) -> tuple[Any, tuple]: ...
    def cost(self, f: Callable, args: tuple, kwargs: dict) -> Cost: ...
    def vjp(self, f: Callable, args: Sequence, cotangent: Any) -> tuple[Any, tuple]: ...
    def set_params(self, module: Any, values: Mapping[str, Tensor]) -> None: ...
    def state(self, module: Any) -> dict[str, Tensor]: ...
    def remove_hooks(self, model: Any) -> list[str]: ...
    def seed(self, n: int) -> None: ...
    def read_file(self, path: str, limit: int) -> bytes: ...
    def theirs(self, cls: type) -> Any: ...
    def obj(self, x: Any) -> Any: ...
    def live(self, x: Any) -> Any: ...
    def as_hook(self, f: Callable, fixed: dict) -> Callable: ...


class InProcess:
    """The student's work is in this very process: plain calls."""

    def call_keeping(self, f: Callable, args: tuple, kwargs: dict) -> tuple[Any, tuple]:
        args, kwargs = copied(args), copied(kwargs)
        result = f(*args, **kwargs)
        return result, (*args, *kwargs.values())

    def cost(self, f: Callable, args: tuple, kwargs: dict) -> Cost:
        pid = os.getpid()
        before = Usage.start(pid)
        result, ops, largest = self.counted(f, args, kwargs)
        cpu, peak = before.until_now()
        return Cost(result, ops, largest, cpu, peak)

    def counted(self, f: Callable, args: tuple, kwargs: dict) -> tuple[Any, int, int]:
        """The result of a call, its number of torch operations, its largest tensor's elements."""
        from torch import Tensor
        from torch.utils._python_dispatch import TorchDispatchMode
        from torch.utils._pytree import tree_leaves

        class Counter(TorchDispatchMode):
            ops = largest = 0

            def __torch_dispatch__(self, func, types, args=(), kwargs=None):
                out = func(*args, **(kwargs or {}))
                self.ops += 1
                sizes = [leaf.numel() for leaf in tree_leaves(out) if isinstance(leaf, Tensor)]
                self.largest = max([self.largest, *sizes])
                return out

        with Counter() as counter:
            result = f(*args, **kwargs)
        return result, counter.ops, counter.largest

    def vjp(self, f: Callable, args: Sequence, cotangent: Any) -> tuple[Any, tuple]:
        import torch
        from torch.utils._pytree import tree_leaves, tree_map

        def differentiable(x: Any) -> bool:
            return isinstance(x, torch.Tensor) and (x.is_floating_point() or x.is_complex())

        args = tree_map(
            lambda x: x.detach().clone().requires_grad_() if differentiable(x) else x, list(args)
        )
        leaves = [x for x in tree_leaves(args) if differentiable(x)]
        with torch.enable_grad():
            y = f(*args)
        outputs = [x for x in tree_leaves(y) if isinstance(x, torch.Tensor)]
        pulled = tree_leaves(cotangent) if cotangent is not None else [None] * len(outputs)
        # One that was computed without gradients depends on nothing, as far as autograd knows.
        pairs = [(x, c) for x, c in zip(outputs, pulled, strict=True) if x.requires_grad]
        grads: tuple = (None,) * len(leaves)
        if pairs:
            with_grad, cotangents = zip(*pairs, strict=True)
            grads = torch.autograd.grad(with_grad, leaves, cotangents, allow_unused=True)
        return tree_map(lambda x: x.detach() if isinstance(x, torch.Tensor) else x, y), grads

    def set_params(self, module: Any, values: Mapping[str, Tensor]) -> None:
        import torch

        there = {**dict(module.named_parameters()), **dict(module.named_buffers())}
        for name, value in values.items():
            if name not in there:
                raise KeyError(f"no parameter {name!r}; there are: {', '.join(sorted(there))}")
            if there[name].shape != value.shape:
                has, given = tuple(there[name].shape), tuple(value.shape)
                raise ValueError(f"parameter {name!r} has shape {has}, the values {given}")
            with torch.no_grad():
                there[name].copy_(value)

    def state(self, module: Any) -> dict[str, Tensor]:
        return {name: value.detach().clone() for name, value in module.state_dict().items()}

    def remove_hooks(self, model: Any) -> list[str]:
        def carrying(permanent: bool) -> set[str]:
            points = model.hook_dict.items()
            return {name for name, hp in points if hp.has_hooks(including_permanent=permanent)}

        found, removable = carrying(permanent=True), carrying(permanent=False)
        model.reset_hooks()
        if "course.models" in sys.modules:
            sys.modules["course.models"].put_back(model)
        return sorted(found - carrying(permanent=True) | removable)

    def seed(self, n: int) -> None:
        random.seed(n)
        if "numpy" in sys.modules:
            sys.modules["numpy"].random.seed(n)
        if "torch" in sys.modules:
            sys.modules["torch"].manual_seed(n)

    def read_file(self, path: str, limit: int) -> bytes:
        with open(path, "rb") as file:
            content = file.read(limit + 1)
        if len(content) > limit:
            raise ValueError(f"{path} is longer than {limit} bytes")
        return content

    def theirs(self, cls: type) -> Any:
        return cls

    def obj(self, x: Any) -> Any:
        return x

    def live(self, x: Any) -> Any:
        return x

    def as_hook(self, f: Callable, fixed: dict) -> Callable:
        def hook_function(value: Any, hook: Any) -> Any:
            return f(value, hook=hook, **fixed)

        return hook_function


def copied(value: Any) -> Any:
    """`value` with its containers, tensors and arrays copied; anything else is kept as it is."""
    if isinstance(value, (list, tuple, set)) and not hasattr(value, "_fields"):
        return type(value)(copied(item) for item in value)
    if isinstance(value, dict):
        return {key: copied(item) for key, item in value.items()}
    torch, numpy = sys.modules.get("torch"), sys.modules.get("numpy")
    if torch is not None and isinstance(value, torch.Tensor):
        return value.detach().clone().requires_grad_(value.requires_grad)
    if numpy is not None and isinstance(value, numpy.ndarray):
        return value.copy()
    return value


@dataclass(frozen=True)
class Usage:
    """Processor time and memory of a process at one moment, from /proc (Linux)."""

    pid: int
    cpu: float
    resident: int

    @staticmethod
    def reset_peak(pid: int) -> None:
        """Set the high-water mark of a process's memory back to what it has now."""
        Path(f"/proc/{pid}/clear_refs").write_text("5")

    @classmethod
    def start(cls, pid: int, *, reset_peak: bool = True) -> Usage:
        """Start measuring process `pid`; its memory's high-water mark is set back first."""
        if reset_peak:
            cls.reset_peak(pid)
        return cls(pid, cls._cpu(pid), cls._memory(pid, "VmRSS"))

    def until_now(self) -> tuple[float, int]:
        """Seconds of processor time, and bytes of memory at the peak above that at the start."""
        peak = self._memory(self.pid, "VmHWM") - self.resident
        return self._cpu(self.pid) - self.cpu, max(0, peak)

    @staticmethod
    def _cpu(pid: int) -> float:
        # The command name may hold spaces and parentheses: fields count from its last one.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        own_and_children = fields[11:15]  # utime, stime, cutime, cstime: proc(5)
        return sum(map(int, own_and_children)) / os.sysconf("SC_CLK_TCK")

    @staticmethod
    def _memory(pid: int, field: str) -> int:
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith(field + ":"):
                return int(line.split()[1]) * 1024
        raise OSError(f"process {pid} has ended")


backend: Backend = InProcess()
