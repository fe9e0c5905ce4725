"""Generates mutants: the reference solution with one small change, at every position. Pure.

Each mutant differs in one thing: two letters of an einsum or einops pattern, a
dimension or another number, a bound of a slice, a term, a sign, an argument, a `.clone()`, a
comparison. Tests that no mutant survives check everything that the reference does (DeMillo,
Lipton and Sayward 1978, "Hints on Test Data Selection").
"""

from __future__ import annotations

import ast
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from hub.facts.regions import Region, lines_of
from hub.verification.mutation_operators import Edit, Text, mutations

Operators = Callable[[ast.AST, Text], Iterator[Edit]]
GOLDEN = (5**0.5 - 1) / 2


@dataclass(frozen=True)
class Mutant:
    """A changed reference.

    line: number of the first line that is changed, from 1.
    before, after: the changed lines, joined into one line without indentation.
    source: the whole text.
    """

    what: str
    line: int
    before: str
    after: str
    source: str


def mutants(source: str, operators: Operators = mutations) -> list[Mutant]:
    """Every mutant of a solution cell, by position; none if the text is not plain Python.

    If there are BEGIN SOLUTION and END SOLUTION lines, only the text between them is
    changed. All mutants parse, and no two are the same program. `operators` make the edits.
    """
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return []
    text = Text(source)
    first, last = _solution(source)
    known = {ast.dump(tree)}
    found = []
    edits = [edit for edit in operators(tree, text) if first <= edit.line <= edit.last_line <= last]
    for edit in sorted(edits, key=lambda edit: (edit.start, edit.end)):
        changed = text.changed(edit)
        try:
            program = ast.dump(ast.parse(changed))
        except (SyntaxError, ValueError):
            continue
        if program not in known:
            known.add(program)
            found.append(_mutant(source, changed, edit))
    return found


def sample(found: Sequence[Mutant], most: int, seed: str) -> list[Mutant]:
    """At most `most` of `found`, spread evenly; the same for the same seed.

    A smaller sample is a subset of a larger one: steps of the golden ratio, from a random start,
    leave gaps of at most three lengths, however many there are.
    """
    numbers: set[int] = set()
    fraction = random.Random(seed).random()
    while len(numbers) < min(most, len(found)):
        numbers.add(int(fraction * len(found)))
        fraction = (fraction + GOLDEN) % 1
    return [found[number] for number in sorted(numbers)]


def _solution(source: str) -> tuple[int, int]:
    """The first and the last line of the solution, counted from 1."""
    lines = list(lines_of(source))
    own = [number for number, line in enumerate(lines, 1) if line.region is Region.SOLUTION]
    return (own[0], own[-1]) if own else (1, len(lines))


def _mutant(source: str, changed: str, edit: Edit) -> Mutant:
    lines, after = source.splitlines(), changed.splitlines()
    rest = len(lines) - edit.last_line  # lines after the change, equal in both
    return Mutant(
        edit.what,
        edit.line,
        one_line("\n".join(lines[edit.line - 1 : edit.last_line])),
        one_line("\n".join(after[edit.line - 1 : len(after) - rest])),
        changed,
    )


def one_line(text: str) -> str:
    """A piece of a program as it is printed and justified: on one line, with single spaces."""
    return " ".join(text.split())
