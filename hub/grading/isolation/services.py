"""`course.calls` in the judge process: delegates to the student process what depends on it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from course.calls import Cost, InProcess, Usage
from hub.grading.isolation.conversation import Conversation
from hub.grading.isolation.handles import Handle, marked

if TYPE_CHECKING:
    from torch import Tensor


class AcrossProcesses:
    """The backend of `course.calls` while a test cell runs isolated."""

    def __init__(self, conversation: Conversation, pid: int) -> None:
        """`pid` is the student process's."""
        self._conversation, self._pid = conversation, pid
        self._here = InProcess()

    def call_keeping(self, f: Callable, args: tuple, kwargs: dict) -> tuple[Any, tuple]:
        if not isinstance(f, Handle):
            return self._here.call_keeping(f, args, kwargs)
        result, after = self._several(2, "call_keeping", f, args, kwargs)
        if type(after) is not tuple or len(after) != len(args) + len(kwargs):
            self._conversation.distrust("it lost arguments of a call")
        return result, after

    def cost(self, f: Callable, args: tuple, kwargs: dict) -> Cost:
        if not isinstance(f, Handle):
            return self._here.cost(f, args, kwargs)
        # Only the student process itself may reset its memory's high-water mark if the judge
        # process has another user.
        self._conversation.request("reset_peak", ())
        before = Usage.start(self._pid, reset_peak=False)
        result, ops, largest = self._several(3, "counted", f, args, kwargs)
        cpu, peak = before.until_now()
        if type(ops) is not int or type(largest) is not int:
            self._conversation.distrust("its counts are not numbers")
        return Cost(result, ops, largest, cpu, peak)

    def vjp(self, f: Callable, args: Sequence, cotangent: Any) -> tuple[Any, tuple]:
        if not isinstance(f, Handle):
            return self._here.vjp(f, args, cotangent)
        y, grads = self._several(2, "vjp", f, list(args), cotangent)
        return y, grads

    def set_params(self, module: Any, values: Mapping[str, Tensor]) -> None:
        if isinstance(module, Handle):
            self._conversation.service("set_params", module, dict(values))
        else:
            self._here.set_params(module, values)

    def state(self, module: Any) -> dict[str, Tensor]:
        if isinstance(module, Handle):
            return self._conversation.service("state", module)
        return self._here.state(module)

    def remove_hooks(self, model: Any) -> list[str]:
        there = self._conversation.service("remove_hooks", model)
        if type(there) is not list or any(type(name) is not str for name in there):
            self._conversation.distrust("its hook points have no names")
        return sorted({*self._here.remove_hooks(model), *there})

    def seed(self, n: int) -> None:
        self._here.seed(n)
        self._conversation.service("seed", n)

    def read_file(self, path: str, limit: int) -> bytes:
        return self._conversation.service("read_file", path, limit)

    def theirs(self, cls: type) -> Any:
        handle = self._conversation.request("theirs", (cls,))
        return marked(handle, makes_objects=True, readable=True)

    def obj(self, x: Any) -> Any:
        return marked(x, readable=True)

    def live(self, x: Any) -> Any:
        return marked(x, live=True, readable=True)

    def as_hook(self, f: Callable, fixed: dict) -> Callable:
        if not isinstance(f, Handle):
            return self._here.as_hook(f, fixed)

        def hook_function(value: Any, hook: Any) -> Any:
            return self._conversation.request("hook", (f, value, hook.name, fixed))

        return hook_function

    def _several(self, count: int, name: str, *args: Any) -> tuple:
        """The answer of a service that returns a tuple of `count` items."""
        answer = self._conversation.service(name, *args)
        if type(answer) is not tuple or len(answer) != count:
            self._conversation.distrust(f"its answer to {name} has another form")
        return answer
