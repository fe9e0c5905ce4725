"""What one notebook may use while it is executed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from hub.facts import limits
from hub.facts.limits import MIB


@dataclass(frozen=True)
class ExecutionLimits:
    """Limits of one execution; each is enforced by the process that starts it or by the kernel.

    Seconds are those that code has used, see `hub.grading.sandbox.clock`. What is given has a time
    of its own, see `ReferenceTimes`.

    cell_seconds: time of one cell. A cell that takes longer is interrupted.
    total_seconds: time of all cells of the student and all tests together.
    memory_mib: private memory of each process (RLIMIT_DATA), MiB; all together have twice that.
    files_mib: what the notebook keeps in its folders, MiB.
    output_mib: output kept of the whole notebook, MiB.
    processes: processes alive at once in the tree of one execution, kernel included.
    """

    cell_seconds: float = limits.CELL_SECONDS
    total_seconds: float = limits.NOTEBOOK_SECONDS
    memory_mib: int = limits.KERNEL_MIB
    output_mib: float = limits.OUTPUT_MIB
    processes: int = limits.PROCESSES
    files_mib: int = limits.NOTEBOOK_FILES_MIB

    @property
    def output_bytes(self) -> int:
        return int(self.output_mib * MIB)

    def as_data(self) -> dict[str, Any]:
        return asdict(self)


UNKNOWN_GIVEN_SECONDS = 300.0  # for a given cell that no reference has run
LEAST_GIVEN_SECONDS = 60.0
GIVEN_FACTOR = 10.0


@dataclass(frozen=True)
class ReferenceTimes:
    """What the given cells of a notebook did in runs of the reference, by their names.

    seconds: that each has used.
    failing: those that failed, with the reference's answers or without any: they are meant to, or
        use what answers leave behind, such as a file.
    failing_answered: those of them that failed with the reference's answers, as they will in
        everybody's notebook.
    shares: whether the reference did the same where the first given cells were run for all.
    """

    seconds: Mapping[str, float] = field(default_factory=dict)
    failing: frozenset[str] = frozenset()
    failing_answered: frozenset[str] = frozenset()
    shares: bool = False

    def budget(self, name: str) -> float:
        """The time of a given cell that uses nothing of the student's, seconds."""
        if name not in self.seconds:
            return UNKNOWN_GIVEN_SECONDS
        return LEAST_GIVEN_SECONDS + GIVEN_FACTOR * self.seconds[name]

    @property
    def all_given_seconds(self) -> float:
        """The time of all given cells together, after which something else is wrong."""
        return UNKNOWN_GIVEN_SECONDS + GIVEN_FACTOR * sum(self.seconds.values())

    def as_data(self) -> dict[str, Any]:
        return {
            "seconds": dict(self.seconds),
            "failing": sorted(self.failing),
            "failing_answered": sorted(self.failing_answered),
            "shares": self.shares,
        }

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> ReferenceTimes:
        return cls(
            dict(data["seconds"]),
            frozenset(data["failing"]),
            frozenset(data["failing_answered"]),
            bool(data["shares"]),
        )
