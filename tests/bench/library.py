"""How long from an idea to its picture: every drawing cell of a notebook, timed.

    python -m tests.bench.library [--notebook 04-transformerlens] [--rounds 3]

The reference notebook runs in this process, cell by cell, as a kernel would run it. A row is one
cell whose result is a figure: what one changes and runs again while exploring. Its time includes
turning the figure into the JSON that the browser draws, and not the browser's drawing. The first
cell is apart: it pays for the imports and the loading of the model, once in a session. With
`--rounds` above 1 the given cells are repeated and the median is shown.
"""

from __future__ import annotations

import ast
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from hub.authoring.notebook import text_to_notebook
from hub.facts.cell_roles import role

SOURCE = Path(__file__).parents[2] / "source"


@dataclass(frozen=True)
class Step:
    """One cell that draws: what it shows, its lines of code, its time and the figure's size."""

    title: str
    lines: int
    seconds: float
    size: int
    """Bytes of the figure in a saved notebook."""


def steps(text: Path, rounds: int = 1) -> Iterator[Step]:
    """Run a notebook text's code cells in order and yield each that draws, with its median time.

    Tests are left out: they measure the student, not the library. A cell is repeated `rounds`
    times, but for the first one, which imports and loads.
    """
    names: dict[str, Any] = {"__name__": "__main__"}
    first = True
    for cell in text_to_notebook(text.read_text(encoding="utf-8")).cells:
        if cell.cell_type != "code" or role(cell) == "test":
            continue
        found = [_run(cell.source, names) for _ in range(1 if first else rounds)]
        first = False
        figure = found[-1][0]
        if hasattr(figure, "to_json"):
            seconds = statistics.median(took for _, took in found)
            code = [line for line in cell.source.splitlines() if line.strip()]
            yield Step(figure.layout.title.text, len(code), seconds, len(figure.to_json()))


def _run(source: str, names: dict[str, Any]) -> tuple[Any, float]:
    """The value of a cell's last expression (None without one), and its time in seconds."""
    tree = ast.parse(source)
    last = tree.body.pop() if isinstance(tree.body[-1], ast.Expr) else None
    began = time.perf_counter()
    exec(compile(tree, "cell", "exec"), names)
    value = None
    if isinstance(last, ast.Expr):
        value = eval(compile(ast.Expression(last.value), "cell", "eval"), names)
        if hasattr(value, "to_json"):
            value.to_json()
    return value, time.perf_counter() - began


@click.command()
@click.option("--notebook", default="04-transformerlens", show_default=True)
@click.option("--rounds", default=3, show_default=True)
def main(notebook: str, rounds: int) -> None:
    """Print the table."""
    (text,) = (p for p in (SOURCE / notebook).glob("*.py") if p.name != "answers.py")
    click.echo(f"{'seconds':>8} {'lines':>6} {'kB':>6}  picture")
    total = 0.0
    for number, step in enumerate(steps(text, rounds)):
        once = "  (imports and loads, once)" if number == 0 else ""
        total += 0 if once else step.seconds
        size = step.size / 1000
        click.echo(f"{step.seconds:8.3f} {step.lines:6d} {size:6.1f}  {step.title}{once}")
    click.echo(f"{total:8.3f} seconds for all but the first")


if __name__ == "__main__":
    main()
