"""Every number that a notebook's text says was measured, with the code that measures it.

    python -m tests.course.numbers 06        # each sentence of 06, with what is measured now

One module for each notebook holds its claims. A claim is a sentence of the text, with braces around
each number that it quotes, and a function that computes those numbers from the names that the
notebook binds: given cells and reference solutions are run as a student runs them.
`test_numbers.py` compares, so neither a text nor a checkpoint can change alone.
"""

from __future__ import annotations

import ast
import contextlib
import io
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from hub.authoring.notebook import text_to_notebook
from hub.authoring.pairing import ANSWERS_FILE
from hub.facts.cell_names import names_of
from hub.facts.cell_roles import role

SOURCE = Path(__file__).parents[3] / "source"
Names = dict[str, Any]
Measure = Callable[[Names], float | Sequence[float]]

# {1.33}, {>90} (the text says "above 90"), {0.9~0.05} (to 0.05, where half a unit of the last digit
# is not meant), {two thirds=0.667~0.05} (in words).
BRACES = re.compile(r"\{(?:([^{}=]+)=)?([<>]?)([^{}~]+)(?:~([^{}]+))?\}")
# Takes long and only shows something: cells are run without calls of these.
NOT_RUN = frozenset({"race", "write"})


@dataclass(frozen=True)
class Quoted:
    """A number as a text gives it: `words` in the text, `bound` "<" or ">" for a limit."""

    words: str
    value: float
    tolerance: float
    bound: str = ""

    def fits(self, measured: float) -> bool:
        """Whether the text may say so of this number."""
        if self.bound == "<":
            return measured < self.value
        if self.bound == ">":
            return measured > self.value
        return abs(measured - self.value) <= self.tolerance


@dataclass(frozen=True)
class Claim:
    """A sentence of a notebook's text, and what measures the numbers in its braces, in order."""

    marked: str
    measure: Measure

    @property
    def sentence(self) -> str:
        """The sentence as it stands in the text."""
        return BRACES.sub(lambda found: found[1] or found[3], self.marked)

    @property
    def quoted(self) -> list[Quoted]:
        """Its numbers."""
        return [_quoted(*found.groups()) for found in BRACES.finditer(self.marked)]

    def measured(self, names: Names) -> list[float]:
        """The same numbers, measured now."""
        import torch

        with torch.no_grad():
            found = self.measure(names)
        return [float(n) for n in (found if isinstance(found, Sequence) else [found])]


def _quoted(words: str | None, bound: str, number: str, tolerance: str | None) -> Quoted:
    plain = number.replace("−", "-").replace(",", "")
    digits, _, exponent = plain.partition("e")
    decimals = len(digits.partition(".")[2])
    # Half a unit of the last digit, and a little for the rounding of another processor.
    half = 0.51 * 10.0 ** (int(exponent or 0) - decimals)
    return Quoted(words or number, float(plain), float(tolerance) if tolerance else half, bound)


@dataclass
class Claims:
    """The claims of one notebook; a decorator of the functions that measure them."""

    assignment: str
    listed: list[Claim] = field(default_factory=list)
    # Decimals of the text that nobody measured here, each with the reason.
    not_measured: dict[str, str] = field(default_factory=dict)

    def __call__(self, *marked: str) -> Callable[[Measure], Measure]:
        def register(measure: Measure) -> Measure:
            """A later sentence repeats a number of the first, measured in the same way."""
            self.listed += [Claim(sentence, measure) for sentence in marked]
            return measure

        return register


def text_of(assignment: str) -> str:
    """The notebook's Markdown on one line, without links and hints."""
    cells = text_to_notebook(_file(assignment).read_text(encoding="utf-8")).cells
    prose = " ".join(cell.source for cell in cells if cell.cell_type == "markdown")
    prose = re.sub(r"<details><summary>Hint.*?</details>", "", prose, flags=re.DOTALL)
    return " ".join(re.sub(r"\]\s*\(https?:[^)]*\)", "]", prose).split())


@cache
def names_in(assignment: str) -> Names:
    """The names that the notebook's given cells and reference solutions bind."""
    import plotly.graph_objects as go
    import torch

    names: Names = {}
    shown, gradients = go.Figure.show, torch.is_grad_enabled()
    go.Figure.show = lambda *_, **__: None
    try:
        torch.set_grad_enabled(True)
        with contextlib.redirect_stdout(io.StringIO()):
            for source in _sources(assignment):
                exec(compile(source, f"a cell of {assignment}", "exec"), names)
    finally:
        go.Figure.show = shown
        torch.set_grad_enabled(gradients)
    return names


def _file(assignment: str) -> Path:
    (text,) = (p for p in (SOURCE / assignment).glob("*.py") if p.name != ANSWERS_FILE)
    return text


def _sources(assignment: str) -> Iterator[str]:
    """The cells to run, without the statements that need something of NOT_RUN."""
    missing = set(NOT_RUN)
    for cell in text_to_notebook(_file(assignment).read_text(encoding="utf-8")).cells:
        if cell.cell_type != "code" or role(cell) not in ("released", "solution"):
            continue
        kept = []
        for statement in ast.parse(cell.source).body:
            loads, stores = names_of(compile(ast.Module([statement], []), "", "exec"))
            if isinstance(statement, ast.FunctionDef) or not loads & missing:
                kept.append(ast.unparse(statement))
            else:
                missing |= stores
        yield "\n".join(kept)


def all_claims() -> list[Claims]:
    """The claims of every notebook."""
    from tests.course.numbers import framework, induction, scratch, start, transformerlens

    modules = (start, scratch, transformerlens, framework, induction)
    return [module.CLAIMS for module in modules]
