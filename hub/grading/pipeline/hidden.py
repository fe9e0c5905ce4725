"""Removes hidden tests from what students see. Pure.

Their text is removed from the cells, and each of their lines from tracebacks and warnings. Names
and messages of errors stay, as the author wrote a test's message to be read.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from nbformat import NotebookNode

from hub.facts.cell_roles import role
from hub.facts.regions import Region, lines_of

MARKERS = [f"{word} {Region.HIDDEN_TESTS.value}" for word in ("BEGIN", "END")]
NOTE = "# (hidden tests ran here)"
HIDDEN_LINE = "      (a line of a hidden test)"
ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
NUMBER = re.compile(r"\s*(?:-+>\s*)?(?:\d+\s)?")
# Such lines are in any code and reveal nothing.
SHORT = re.compile(r"[\s()\[\]{},:]*|else:|try:|pass|return|continue|break")


def split_hidden(source: str) -> tuple[str, list[str]]:
    """The visible text of a cell, and the lines of its hidden tests."""
    visible: list[str] = []
    hidden: list[str] = []
    for line in lines_of(source):
        if line.region is not Region.HIDDEN_TESTS:
            visible.append(line.text)
        elif line.kind == "begin":
            visible.append(line.indent + NOTE)
        elif line.kind == "text":
            hidden.append(line.text)
    return "\n".join(visible), hidden


def hide_tests(notebook: NotebookNode) -> NotebookNode:
    """Remove hidden tests from the cells and their outputs, in place, and return `notebook`."""
    hidden: set[str] = set()
    for cell in notebook.cells:
        if cell.cell_type == "code" and role(cell) == "test":
            cell.source, lines = split_hidden(cell.source)
            hidden |= {line.strip() for line in lines if not SHORT.fullmatch(line)}
    for cell in notebook.cells:
        if cell.cell_type == "code" and hidden:
            for output in cell.outputs:
                _hide_in_output(output, hidden)
    return notebook


def _hide_in_output(output: NotebookNode, hidden: set[str]) -> None:
    if output.output_type == "stream":
        output.text = _without(output.text, hidden)
    elif output.output_type == "error":
        output.traceback = [_without(frame, hidden) for frame in output.traceback]
    else:
        for kind, value in output.data.items():
            if isinstance(value, str) and kind.startswith("text/"):
                output.data[kind] = _without(value, hidden)


def _without(text: str, hidden: set[str]) -> str:
    return "\n".join(_replaced(text.split("\n"), hidden))


def _replaced(lines: Iterable[str], hidden: set[str]) -> Iterator[str]:
    """The lines, with each run of hidden ones replaced by a note."""
    last_hidden = False
    for line in lines:
        is_hidden = _shows(line, hidden)
        if not is_hidden:
            yield line
        elif not last_hidden:
            yield HIDDEN_LINE
        last_hidden = is_hidden


def _shows(line: str, hidden: set[str]) -> bool:
    plain = ANSI.sub("", line)
    match = NUMBER.match(plain)
    code = plain[match.end() :] if match else plain
    is_marker = any(marker in plain for marker in MARKERS)
    return is_marker or code.strip() in hidden or plain.strip() in hidden
