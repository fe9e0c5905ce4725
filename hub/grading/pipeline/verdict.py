"""What a test cell's outputs mean for points. Pure.

nbgrader scores a test cell by its outputs: an error or any text on stderr is 0, else the first
result that is a number is partial credit, else full marks. These functions adapt outputs so that
its rule works as intended: warnings cost nothing, an error is an error wherever it is.
"""

from __future__ import annotations

from typing import Any

from nbformat import NotebookNode, from_dict

from hub.facts.cell_roles import role
from hub.grading.sandbox.outputs import error_output

STDERR_NOTE = "[A warning or message on stderr; it costs no points]\n"


def judge(cell: NotebookNode) -> None:
    """Put judged outputs into a cell that is a test, in place."""
    if cell.cell_type == "code" and role(cell) == "test":
        points = float(cell.metadata.nbgrader.points)
        cell.outputs = judged_outputs(cell.outputs, points)


def judged_outputs(outputs: list[NotebookNode], points: float) -> list[NotebookNode]:
    """The outputs of a test cell worth `points`, adapted for nbgrader's rule.

    - stderr becomes stdout under a line that says so: it stays visible and costs nothing;
    - beside an error no result counts: a result shown before it could be forged;
    - a result that is a number outside 0 to `points` becomes an error that says so.
    """
    judged = [_as_stdout(output) for output in outputs]
    if any(output.output_type == "error" for output in judged):
        return [output for output in judged if output.output_type != "execute_result"]
    return [_in_range(output, points) for output in judged]


def _as_stdout(output: NotebookNode) -> NotebookNode:
    if output.output_type == "stream" and output.name == "stderr":
        return from_dict({**output, "name": "stdout", "text": STDERR_NOTE + output.text})
    return output


def _in_range(output: NotebookNode, points: float) -> NotebookNode:
    if output.output_type != "execute_result":
        return output
    # nbgrader reads this text and does not accept an empty one.
    text = output.data.get("text/plain") or "(no text)"
    value = _number(text)
    if value is not None and not 0 <= value <= points:
        message = f"The test cell returned {text}, which is not a score between 0 and {points:g}."
        return from_dict(error_output("ScoreOutOfRange", message))
    return from_dict({**output, "data": {**output.data, "text/plain": text}})


def _number(text: Any) -> float | None:
    try:
        return float(text)
    except (TypeError, ValueError):
        return None
