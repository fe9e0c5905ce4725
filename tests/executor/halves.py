"""Where a run that samples checks an assignment's answers: in processes, or in the executor.

    python -m tests.executor.halves [--sample SHARE] [--seed SEED] [--whole ASSIGNMENT]…

prints the assignments whose answers `logitlab prove` checks in processes; those of the others are
checked in the executor's container (tests/executor/test_assignments.py). An assignment that is
checked whole is checked in both, and without a sample all are.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from hub.authoring.catalogue import available, shipped_sources
from hub.verification.sampling import ALL, Sample


def halves(names: Sequence[str], sample: Sample) -> tuple[list[str], list[str]]:
    """Of the assignments `names`, those checked in processes and those in the container."""
    if sample.share == 1:
        return list(names), list(names)
    half = replace(sample, share=Fraction(1, 2))
    first = half.of(names, name=lambda name: name, list_of=lambda name: None)
    return (
        [name for name in names if name in first or name in sample.whole],
        [name for name in names if name not in first or name in sample.whole],
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sample", default=str(ALL.share))
    parser.add_argument("--seed", default="")
    parser.add_argument("--whole", action="append", default=[])
    given = parser.parse_args()
    sample = Sample.parse(given.sample, given.seed, given.whole)
    print(*halves(available(shipped_sources()), sample)[0], sep="\n")


if __name__ == "__main__":
    main()
