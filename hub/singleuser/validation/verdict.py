"""The verdict of *Validate* in sentences. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from nbformat import NotebookNode

from hub.facts.cell_names import bound_names, names_used
from hub.facts.cell_roles import marks, role
from hub.grading.isolation.errors import BoundaryError
from hub.grading.pipeline.merge import cell_name, lower_first, upper_first

LATER = "hidden tests run when it is graded"
PASSED = "Visible tests passed"
UNDEFINED = "name '"  # begins what Python says of a name that nothing has bound
MOST_ANSWERS = 3  # that a sentence names
NOT_WRITTEN = "NotImplementedError"  # what stubs raise
# Errors whose message is a sentence of ours, or of the test's author.
TOLD = {"AssertionError", "CellStopped", "CellTimeout", "OutputLost", "ScoreOutOfRange", ""} | {
    kind.__name__ for kind in BoundaryError.__subclasses__()
}


@dataclass(frozen=True)
class Failure:
    """A test that failed, or a question without an answer.

    sentence: which, why, and the cell that is to blame.
    source: the test's text, as far as students have it.
    error: the traceback, with the colours of terminals.
    """

    sentence: str
    source: str
    error: str
    is_test: bool = True


def verdict(passed: int, failed: int, hidden_ran: bool) -> str:
    """What is to be said of all tests.

    hidden_ran: whether the hidden ones were among them, as in an instructor's notebook.
    """
    if not passed + failed:
        return f"There is no visible test in this notebook; {LATER}."
    if hidden_ran:
        result = f"{failed} of {passed + failed} tests failed"
        return f"{result}." if failed else "Tests passed, hidden ones too."
    result = f"{failed} of {passed + failed} visible tests failed" if failed else PASSED
    return f"{result}; {LATER}."


def sentence(notebook: NotebookNode, index: int) -> str:
    """Why the graded cell at `index` of an executed notebook has not all its points.

    If it is a test, a cell before it that failed, and was to bind what it uses, is to blame.
    """
    test = notebook.cells[index]
    if not marks(test).is_test:
        return f"The question `{marks(test).name}` has no answer yet."
    error = _error(test) or {"ename": "", "evalue": "it passed some of its checks, not all"}
    name = f"the test `{marks(test).name}`"
    if error["ename"] == "NotRun":
        why = error["evalue"].removeprefix("This cell was not run. ")
        return upper_first(f"{name} was not run. {_ended(why)}")
    why = _ended(_words(error))
    before = list(_before(notebook, index, names_used(test.source) | _undefined(error)))
    for cell, at in before:
        if cause := _error(cell):
            failed = lower_first(cell_name(notebook, at))
            return upper_first(f"{failed} failed: {_ended(_words(cause))} So {name} failed: {why}")
    answers = [f"`{marks(cell).name}`" for cell, _ in before if marks(cell).solution]
    tested = ", ".join(sorted(answers[:MOST_ANSWERS]))
    return upper_first(f"{name}{f' of {tested}' if tested else ''} failed: {why}")


def _before(
    notebook: NotebookNode, index: int, names: frozenset[str]
) -> Iterator[tuple[NotebookNode, int]]:
    """The code cells before the test at `index` that bind one of `names`, or are the answer that it
    is named for; the nearest first."""
    test = marks(notebook.cells[index]).name
    for at in reversed(range(index)):
        cell = notebook.cells[at]
        if cell.cell_type == "code" and role(cell) != "test":
            is_answer = marks(cell).solution and test.startswith(f"{marks(cell).name}_test")
            if is_answer or bound_names(cell.source) & names:
                yield cell, at


def _error(cell: NotebookNode) -> Mapping[str, str] | None:
    return next((output for output in cell.outputs if output.output_type == "error"), None)


def _words(error: Mapping[str, str]) -> str:
    """An error as its author, or Python, says it in one line."""
    message = " ".join(error["evalue"].split())
    if error["ename"] in TOLD and message:
        return message
    if error["ename"] == NOT_WRITTEN and not message:
        return f"{NOT_WRITTEN} (not written yet)"
    return f"{error['ename']}: {message}" if message else error["ename"]


def _undefined(error: Mapping[str, str]) -> frozenset[str]:
    """The name that a NameError is about."""
    if error["ename"] != "NameError" or not error["evalue"].startswith(UNDEFINED):
        return frozenset()
    return frozenset({error["evalue"].removeprefix(UNDEFINED).partition("'")[0]})


def _ended(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."
