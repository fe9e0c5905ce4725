"""Modules and tensors as they were at one moment, to be put back after code has changed them.

A model that a notebook loads by its name is the same object in all of its cells: what one exercise
does to it, every later one finds. A `LoadedState` notes what a model consists of, cheaply, and
puts it back: attributes, submodules, hooks, configuration, flags, and the numbers in its tensors.
"""

from __future__ import annotations

import zlib
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

SAMPLE = 2**16
"""Elements of a tensor that are compared. Changes that torch counts are seen in any element; this
many, evenly spaced, are for those that it does not, such as through `.data`."""

CONFIGURATIONS = ("cfg", "config")


class LoadedState:
    """What some containers and tensors hold now."""

    def __init__(
        self, containers: Iterable[Any], tensors: Iterable[Tensor], fresh: Callable[[], Iterable]
    ) -> None:
        """Note the state of dicts, lists and sets, and of tensors.

        Args:
            fresh: gives tensors with the same numbers in the same order, when they are needed.
        """
        self._containers = [(container, type(container)(container)) for container in containers]
        self._tensors = [_Noted(tensor) for tensor in tensors]
        self._fresh = fresh

    def put_back(self) -> None:
        """Make everything what it was."""
        import torch

        for container, saved in self._containers:
            container.clear()
            container.extend(saved) if isinstance(container, list) else container.update(saved)
        for noted in self._tensors:
            noted.put_back_place()
        changed = [i for i, noted in enumerate(self._tensors) if noted.changed()]
        if changed:
            with torch.random.fork_rng(devices=[]):
                fresh = list(self._fresh())
            for i in changed:
                self._tensors[i].put_back_numbers(fresh[i])


class _Noted:
    """One tensor: where its numbers lie, what they are, and how it takes part in gradients."""

    def __init__(self, tensor: Tensor) -> None:
        self._tensor = tensor
        self._data = tensor.data  # shares the numbers, and keeps them when they are replaced
        self._nbytes = self._data.untyped_storage().nbytes()
        self._requires_grad, self._grad = tensor.requires_grad, tensor.grad
        self._hooks = tensor._backward_hooks
        self._note_numbers()

    def _note_numbers(self) -> None:
        self._version, self._checksum = version(self._tensor), checksum(self._data)

    def put_back_place(self) -> None:
        tensor, data = self._tensor, self._data
        if data.untyped_storage().nbytes() != self._nbytes:
            data.untyped_storage().resize_(self._nbytes)
        tensor.grad = None
        if tensor.data_ptr() != data.data_ptr() or tensor.dtype != data.dtype:
            tensor.data = data
        if tensor.shape != data.shape or tensor.stride() != data.stride():
            tensor.data = data
        if not tensor.is_leaf:
            tensor.detach_()
        tensor.requires_grad_(self._requires_grad)
        tensor.grad = self._grad
        tensor._backward_hooks = self._hooks

    def changed(self) -> bool:
        return self._version != version(self._tensor) or self._checksum != checksum(self._data)

    def put_back_numbers(self, fresh: Tensor) -> None:
        import torch

        with torch.inference_mode():  # in which any tensor may be written to
            self._data.copy_(fresh)
        self._note_numbers()


def state_of_model(model: Module, fresh: Callable[[], Iterable] | None = None) -> LoadedState:
    """The state of a model; without `fresh`, copies of its tensors are kept."""
    positions = list(containers_of(model))
    tensors = tensors_of(model)
    if fresh is None:
        kept = [tensor.detach().clone() for tensor in tensors]
        return LoadedState(positions, tensors, lambda: kept)
    return LoadedState(positions, tensors, fresh)


def containers_of(model: Module) -> Iterable[Any]:
    """What the modules of a model keep their attributes, parts and hooks in."""
    seen: set[int] = set()
    for module in model.modules():
        attributes = [vars(module)]
        configurations = (vars(module).get(name) for name in CONFIGURATIONS)
        attributes += [vars(found) for found in configurations if hasattr(found, "__dict__")]
        for kept in attributes:
            for container in (kept, *kept.values()):
                if type(container) in (dict, OrderedDict, list, set) and id(container) not in seen:
                    seen.add(id(container))
                    yield container


def tensors_of(model: Module) -> list[Tensor]:
    """Parameters, buffers and other tensors of a model, each once, in a fixed order."""
    import torch

    found: dict[int, Tensor] = {}
    for module in model.modules():
        for values in (module._parameters, module._buffers, vars(module)):
            for value in values.values():
                if isinstance(value, torch.Tensor):
                    found.setdefault(id(value), value)
    return list(found.values())


def version(tensor: Tensor) -> int:
    """How often torch has seen a tensor change; it does not count inside inference mode."""
    return 0 if tensor.is_inference() else tensor._version


def checksum(tensor: Tensor) -> int:
    """A checksum of up to about `SAMPLE` elements of a tensor, evenly spaced."""
    import torch

    flat = tensor.detach().reshape(-1)
    step = max(1, flat.numel() // SAMPLE)
    if flat.device.type != "cpu":
        flat, step = flat[::step].cpu(), 1
    # By numpy: torch would wake all its threads for this little work.
    octets = flat.view(torch.uint8).numpy().reshape(-1, tensor.itemsize)
    return zlib.crc32(octets[::step].tobytes())
