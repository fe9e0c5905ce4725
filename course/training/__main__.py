"""`python -m course.training train [NAME…]` and `python -m course.training check`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Generator, Iterator
from pathlib import Path

import torch

from course.models import SHIPPED
from course.training.gates import Gate
from course.training.making import RECIPES, make, shipped_gates


def train_and_save(names: list[str], target: Path = SHIPPED) -> Generator[str, None, bool]:
    """Train, check and save each model; yields progress, returns whether all gates passed.

    A model that fails a gate is reported and not saved: the one that is there stays.
    """
    good = True
    for name in names:
        recipe = RECIPES[name]
        made = yield from make(recipe)
        yield from report(name, made.gates)
        if all(gate.passed for gate in made.gates):
            made.save(target / name)
            yield f"{name}: saved in {target / name}"
        else:
            good = False
            yield f"{name}: not saved, a gate failed with seed {recipe.seed}"
    return good


def check(names: list[str]) -> Generator[str, None, bool]:
    """Measure the shipped checkpoints; yields a report, returns whether all gates passed."""
    good = True
    for name in names:
        gates = shipped_gates(name)
        yield from report(name, gates)
        good = good and all(gate.passed for gate in gates)
    return good


def report(name: str, gates: list[Gate]) -> Iterator[str]:
    """One line a gate."""
    for gate in gates:
        verdict = "ok  " if gate.passed else "FAIL"
        yield f"{name}: {verdict} {gate.demand}: {gate.value:.3f} ({gate.bound})"


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m course.training", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text in (
        ("train", "train models, check the gates, save those that pass"),
        ("check", "check the gates on the shipped models"),
    ):
        command = commands.add_parser(name, help=text, description=text)
        command.add_argument("names", nargs="*", metavar="NAME", help="default: all")
        if name == "train":
            command.add_argument(
                "--to",
                type=Path,
                default=SHIPPED,
                metavar="FOLDER",
                help="the models folder; default: the shipped checkpoints are replaced",
            )
    chosen = parser.parse_args(arguments)
    unknown = sorted(set(chosen.names) - set(RECIPES))
    if unknown:
        parser.error(f"no recipe for {', '.join(unknown)}; there are: {', '.join(RECIPES)}")
    torch.set_num_threads(1)
    names = chosen.names or list(RECIPES)
    work = train_and_save(names, chosen.to) if chosen.command == "train" else check(names)
    while True:
        try:
            print(next(work), flush=True)
        except StopIteration as finished:
            return 0 if finished.value else 1


if __name__ == "__main__":
    sys.exit(main())
