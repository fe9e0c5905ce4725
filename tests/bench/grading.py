"""`python -m tests.bench.grading`: what executing one more submission costs, beside nbgrader.

The baseline is what `nbgrader autograde` does with it: its `Execute` preprocessor, with a kernel of
its own for each submission. Ours is `execute` with isolated tests, after the first submissions of a
class. Both in this run, CPU seconds of all processes, the reference as the submission. Not in it:
rebuilding, scoring, and the feedback page.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import click
import nbformat
import psutil
from nbformat import NotebookNode

from hub.authoring.catalogue import shipped_sources
from hub.authoring.notebook import complete, text_to_notebook
from hub.grading.pipeline.execute import execute

STOCK = """
import sys
import nbformat
from nbgrader.preprocessors import Execute
if sys.argv[1:]:
    book = nbformat.read(sys.argv[1], 4)
    Execute().preprocess(book, {"metadata": {"path": sys.argv[2]}})
"""
BEFORE = 3  # submissions, after which everything has been imported


@click.command(help=__doc__)
@click.argument("assignments", nargs=-1)
@click.option("--submissions", default=5, show_default=True, help="counted, of each")
def main(assignments: tuple[str, ...], submissions: int) -> None:
    chosen = assignments or ("start", "05-mathematical-framework", "06-induction-heads")
    click.echo("assignment                    nbgrader      ours   ratio   CPU s a submission")
    for name in chosen:
        stock, ours = stock_cost(reference(name)), our_cost(reference(name), submissions)
        click.echo(f"{name:28}  {stock:8.2f}  {ours:8.2f}  {stock / ours:6.1f}")


def reference(assignment: str) -> NotebookNode:
    folder = shipped_sources() / assignment
    (text,) = (path for path in folder.glob("*.py") if path.stem != "answers")
    return complete(text_to_notebook(text.read_text(encoding="utf-8")))


def stock_cost(book: NotebookNode) -> float:
    """CPU seconds of one execution by nbgrader, the start of its program left out."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "submission.ipynb")
        nbformat.write(book, path)
        costs = []
        for arguments in ([str(path), folder], []):
            before = used_by_ended()
            subprocess.run([sys.executable, "-c", STOCK, *arguments], check=True)
            costs.append(used_by_ended() - before)
    return costs[0] - costs[1]


def our_cost(book: NotebookNode, submissions: int) -> float:
    """CPU seconds of a further execution by us."""
    for _ in range(BEFORE):
        execute(book, source=book, tests="isolated")
    before = used()
    for _ in range(submissions):
        execute(book, source=book, tests="isolated")
    return (used() - before) / submissions


def used_by_ended() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def used() -> float:
    """CPU seconds of this process, of the template, and of all that has ended below them."""
    return sum(
        sum(process.cpu_times()[:4])
        for process in (psutil.Process(), *psutil.Process().children())
        if process.is_running()
    )


if __name__ == "__main__":
    main()
