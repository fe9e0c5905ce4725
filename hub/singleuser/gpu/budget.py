"""A kernel's share of its server's GPU memory, set when PyTorch starts to use the GPU.

Every kernel imports this (`startup`), so it needs only the standard library and does nothing
until torch is imported. Then it registers a callback with torch, which sets the allocator's limit
(`torch.cuda.set_per_process_memory_fraction`) when it first uses CUDA and not before, so that
kernels start as fast as ever and can still fork.

It is a soft limit. It counts what PyTorch's allocator takes, not CUDA's own context, for which
`CONTEXT_MIB` is set aside; it is divided by the kernels running when this one starts, and not
again when others start later; and a program can raise it deliberately. What stops a
server that uses too much anyway is `hub.services.gpuwatch`.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from hub.facts import env
from hub.singleuser.gpu.exit_message import listen

CONTEXT_MIB = 512
# A minimum for each kernel of a server with many.
LEAST_MIB = 256
# In the command line of the process that kernels are forked from, and so in theirs.
TEMPLATE = b"hub.singleuser.warm_kernels.template"


def fraction(budget_mib: int, device_mib: int, kernels: int) -> float:
    """The argument of `torch.cuda.set_per_process_memory_fraction`, in (0, 1]."""
    share = max(budget_mib / max(kernels, 1) - CONTEXT_MIB, LEAST_MIB)
    return min(1.0, share / max(device_mib, 1))


def kernels(proc: Path = Path("/proc"), me: int | None = None) -> int:
    """The number of notebook kernels of this kernel's server, itself included."""
    server = _server(proc, os.getpid() if me is None else me)
    pids = (int(process.name) for process in proc.glob("[0-9]*"))
    return max(1, sum(_is_kernel(proc, pid) and _server(proc, pid) == server for pid in pids))


def _is_kernel(proc: Path, pid: int) -> bool:
    command = _command(proc, pid)
    if TEMPLATE in command:  # also of what is forked from it
        return TEMPLATE in _command(proc, _parent(proc, pid))
    return b"ipykernel" in command


def _server(proc: Path, kernel: int) -> int | None:
    """The number of the server that a kernel was started by, or that its template was."""
    parent = _parent(proc, kernel)
    return _parent(proc, parent) if TEMPLATE in _command(proc, parent) else parent


def _command(proc: Path, pid: int | None) -> bytes:
    try:
        return (proc / str(pid) / "cmdline").read_bytes()
    except OSError:
        return b""


def _parent(proc: Path, pid: int | None) -> int | None:
    try:
        # The name in brackets may contain anything; the parent is the second field after it.
        return int((proc / str(pid) / "stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, ValueError, IndexError):
        return None


def limit(torch: Any, budget_mib: int, count: Callable[[], int] = kernels) -> None:
    """Make `torch` limit itself when it first uses CUDA."""

    def now() -> None:
        try:
            mib = torch.cuda.get_device_properties(0).total_memory // 2**20
            torch.cuda.set_per_process_memory_fraction(fraction(budget_mib, mib, count()), 0)
        except Exception as error:  # a kernel without a limit is better than none
            print(f"GPU memory limit not set: {error}", file=sys.stderr)

    # torch defers such calls until CUDA is initialised; it sets its random seeds this way too.
    torch.cuda._lazy_call(now)


class _AfterTorch:
    """Delegates finding torch to the other finders, and calls `then` once it is loaded."""

    def __init__(self, then: Callable[[Any], None]) -> None:
        self.then = then

    def find_spec(self, name: str, path: Sequence[str] | None, target: Any = None) -> Any:
        if name != "torch":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is None or spec.loader is None:
            return spec
        load = spec.loader.exec_module

        def load_and_tell(module: Any) -> None:
            load(module)
            try:
                self.then(module)
            except Exception as error:
                print(f"GPU memory limit not set: {error}", file=sys.stderr)

        spec.loader.exec_module = load_and_tell  # type: ignore[method-assign]
        return spec


def begin(environ: Mapping[str, str] = os.environ) -> None:
    """Set this kernel's share when it imports torch, if the server has a budget."""
    text = environ.get(env.GPU_MIB, "")
    if not text.isdigit() or not int(text):
        return
    listen(text)
    budget = int(text)
    if "torch" in sys.modules:
        limit(sys.modules["torch"], budget)
    elif not any(isinstance(finder, _AfterTorch) for finder in sys.meta_path):
        sys.meta_path.insert(0, _AfterTorch(lambda torch: limit(torch, budget)))
