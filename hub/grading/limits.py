"""What one notebook may use while it is executed."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

Tests = Literal["apart", "together"]
"""Where test cells run: apart from the student's interpreter, or in it."""


@dataclass(frozen=True)
class Limits:
    """Limits of one execution; each is enforced by the process that starts it or by the kernel.

    cell_seconds: time of one cell, seconds. A cell that takes longer is interrupted.
    total_seconds: time of the whole notebook, seconds, without the start of the kernel.
    memory_mib: private memory of each process (RLIMIT_DATA), MiB; all together have twice that.
    files_mib: what the notebook keeps in its folders, MiB.
    output_mib: output kept of the whole notebook, MiB.
    processes: processes alive at once in the tree of one execution, kernel included.
    """

    cell_seconds: float = 60
    total_seconds: float = 600
    memory_mib: int = 4096
    output_mib: float = 16
    processes: int = 128
    files_mib: int = 1024

    @property
    def output_bytes(self) -> int:
        return int(self.output_mib * 1024 * 1024)

    def as_data(self) -> dict[str, Any]:
        return asdict(self)
