"""`python -m course.training train [NAME…]` and `python -m course.training check`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Generator, Iterator

import torch

from course.models import SHIPPED, model
from course.training.card import save
from course.training.gates import GATES, Gate, measure
from course.training.recipes import RECIPES
from course.training.trainer import train


def train_and_save(names: list[str]) -> Generator[str, None, bool]:
    """Train, check and save each model; yields progress, returns whether all gates passed.

    A model that fails a gate is reported and not saved: the shipped one stays.
    """
    good = True
    for name in names:
        recipe = RECIPES[name]
        bridge = yield from train(recipe)
        measured = measure(bridge)
        gates = GATES[name](measured)
        yield from report(name, gates)
        if all(gate.passed for gate in gates):
            folder = SHIPPED / name
            save(bridge, recipe, measured, gates, folder)
            yield f"{name}: saved in {folder}"
        else:
            good = False
            yield f"{name}: not saved, a gate failed with seed {recipe.seed}"
    return good


def check(names: list[str]) -> Generator[str, None, bool]:
    """Measure the shipped checkpoints; yields a report, returns whether all gates passed."""
    good = True
    for name in names:
        gates = GATES[name](measure(model(name, device="cpu")))
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
    chosen = parser.parse_args(arguments)
    unknown = sorted(set(chosen.names) - set(RECIPES))
    if unknown:
        parser.error(f"no recipe for {', '.join(unknown)}; there are: {', '.join(RECIPES)}")
    torch.set_num_threads(1)
    work = (train_and_save if chosen.command == "train" else check)(chosen.names or list(RECIPES))
    while True:
        try:
            print(next(work), flush=True)
        except StopIteration as finished:
            return 0 if finished.value else 1


if __name__ == "__main__":
    sys.exit(main())
