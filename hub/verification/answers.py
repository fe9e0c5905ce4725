"""`answers.py`: answers that an author lists beside an assignment, as cells with a header each.

`[wrong]` and `[right]` answers replace a solution cell, `[equivalent]` names mutants that no test
can notice, `[trained]` marks an exercise about something that only a trained model does.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from hub.facts.errors import UserError
from hub.verification.mutants import Mutant, one_line
from hub.verification.sampling import Sample

Kind = Literal["reference", "stub", "broken", "wrong", "right", "mutant", "control", "combined"]

HEADER = re.compile(r"^# %% \[(wrong|right|equivalent|same|trained)\] (\w+): (.+)$", re.MULTILINE)


class AnswersError(UserError):
    """`answers.py` cannot be read; the message says where."""


@dataclass(frozen=True)
class Answer:
    """One thing to try: a listed answer to an exercise, or a whole notebook.

    text replaces the solution cell of `exercise`; a whole notebook has none.
    mutant: what was changed, if the text is a mutant of the reference.
    """

    kind: Kind
    exercise: str | None
    title: str
    text: str | None = None
    mutant: Mutant | None = None


def chosen(sample: Sample, answers: Sequence[Answer]) -> list[Answer]:
    """A sample of the answers: some of each kind for each exercise, and some of the stubs."""
    return sample.of(
        answers,
        name=lambda one: f"{one.kind} {one.exercise}: {one.title}\n{one.text}",
        list_of=lambda one: one.kind if one.kind == "broken" else (one.kind, one.exercise),
    )


@dataclass(frozen=True)
class EquivalentMutant:
    """An equivalent mutant, which no test can tell from the reference: its changed lines, and
    why."""

    exercise: str
    line: str
    why: str


@dataclass(frozen=True)
class Trained:
    """An exercise whose tests hold only for trained models, and why."""

    exercise: str
    why: str


def read_answers(path: Path) -> list[Answer]:
    """The answers of a percent text; none if there is no file."""
    return [
        Answer("wrong" if kind == "wrong" else "right", exercise, title, text)
        for kind, exercise, title, text in _cells(path)
        if kind in ("wrong", "right")
    ]


def read_trained(path: Path) -> list[Trained]:
    """The exercises that a percent text marks as true only of trained models."""
    return [Trained(exercise, why) for kind, exercise, why, _ in _cells(path) if kind == "trained"]


def read_equivalent(path: Path) -> list[EquivalentMutant]:
    """The mutants that a percent text justifies: comments, each with a mutant's changed lines."""
    return [
        EquivalentMutant(exercise, one_line(line.strip().removeprefix("# ")), why)
        for kind, exercise, why, text in _cells(path)
        if kind in ("equivalent", "same")  # its old spelling
        for line in text.splitlines()
        if line.strip()
    ]


def _cells(path: Path) -> list[tuple[str, str, str, str]]:
    """For each cell of `answers.py`: kind, exercise, the header's description, the text below."""
    if not path.is_file():
        return []
    text = path.read_text(encoding="utf-8")
    headers = list(HEADER.finditer(text))
    cells = len(re.findall(r"^# %%", text, re.MULTILINE))
    if cells != len(headers):
        raise AnswersError(
            f"{path}: {cells - len(headers)} cell(s) do not begin with "
            "'# %% [wrong] <exercise>: <what is wrong>', or [right], [equivalent] or [trained]"
        )
    ends = [header.start() for header in headers[1:]] + [len(text)]
    return [
        (header[1], header[2], header[3].strip(), text[header.end() : end].strip())
        for header, end in zip(headers, ends, strict=True)
    ]
