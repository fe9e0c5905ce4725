"""The notebooks that have to be executed to prove an assignment. Pure.

The answers to one exercise are tried one after the other in one notebook, so that imports and
given cells are paid once. Between them the reference is tried: where it no longer has full marks,
the answer before it left something behind, nothing that was seen later in that notebook counts,
and the answers from there on are tried in another one.
"""

from __future__ import annotations

import ast
import copy
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from nbformat import NotebookNode

from hub.grading.hidden import split_hidden
from hub.grading.roles import role

Kind = Literal["reference", "stub", "broken", "wrong", "right", "control"]

HEADER = re.compile(r"^# %% \[(wrong|right)\] (\w+): (.+)$", re.MULTILINE)
HIDDEN_HALF = "-hidden"  # ends the name of the hidden half of a test cell
ANSWERS_OF_A_TRIAL = 20


class AnswersError(Exception):
    """`answers.py` cannot be read; the message says where."""


@dataclass(frozen=True)
class Answer:
    """One thing that is tried: a listed answer to an exercise, or a whole notebook.

    text replaces the solution cell of `exercise`; a whole notebook has none.
    """

    kind: Kind
    exercise: str | None
    title: str
    text: str | None = None


@dataclass(frozen=True)
class Part:
    """A test cell, or the visible or hidden half of one."""

    name: str
    exercise: str | None  # None for a cell that tests several exercises together
    points: float
    hidden: bool


@dataclass(frozen=True)
class Trial:
    """One notebook to execute: several answers, and for each cell the answer that it tests.

    source: what the notebook is checked against where tests run apart.
    """

    answers: tuple[Answer, ...]
    tries: tuple[int, ...]  # of each cell, a place in `answers`
    notebook: NotebookNode
    source: NotebookNode

    @property
    def exercise(self) -> str | None:
        """The exercise whose answers are tried; None for a whole notebook."""
        return self.answers[0].exercise


def read_answers(path: Path) -> list[Answer]:
    """The answers of a percent text; none if there is no file."""
    if not path.is_file():
        return []
    text = path.read_text(encoding="utf-8")
    headers = list(HEADER.finditer(text))
    cells = len(re.findall(r"^# %%", text, re.MULTILINE))
    if cells != len(headers):
        raise AnswersError(
            f"{path}: {cells - len(headers)} cell(s) do not begin with "
            "'# %% [wrong] <exercise>: <what is wrong>' or '# %% [right] …'"
        )
    ends = [header.start() for header in headers[1:]] + [len(text)]
    return [
        Answer(
            "wrong" if header[1] == "wrong" else "right",
            header[2],
            header[3].strip(),
            text[header.end() : end].strip(),
        )
        for header, end in zip(headers, ends, strict=True)
    ]


def split_tests(notebook: NotebookNode) -> tuple[NotebookNode, dict[str, Part]]:
    """A copy in which the visible and the hidden half of a test cell are cells of their own.

    So a wrong answer shows by which half it is caught. A hidden region that is no program by
    itself stays in its cell, which then counts as hidden as a whole.
    """
    parts = copy.deepcopy(notebook)
    names = exercises(notebook)
    cells, tests = [], {}
    for cell in parts.cells:
        if cell.cell_type != "code" or role(cell) != "test":
            cells.append(cell)
            continue
        for half, hidden in _halves(cell):
            marks = half.metadata.nbgrader
            tests[marks.grade_id] = Part(
                marks.grade_id, _exercise_of(marks.grade_id, names), float(marks.points), hidden
            )
            cells.append(half)
    parts.cells = cells
    return parts, tests


def _halves(cell: NotebookNode) -> Iterator[tuple[NotebookNode, bool]]:
    visible, lines = split_hidden(cell.source)
    hidden = "\n".join(lines)
    if not _has_code(hidden):
        yield cell, bool(lines)
    elif not _has_code(visible):
        yield cell, True
    else:
        second = copy.deepcopy(cell)
        cell.source, second.source = visible, hidden
        cell.metadata.nbgrader.points = second.metadata.nbgrader.points / 2
        second.metadata.nbgrader.points /= 2
        second.metadata.nbgrader.grade_id += HIDDEN_HALF
        second.id = f"{cell.id[:57]}{HIDDEN_HALF}"
        yield cell, False
        yield second, True


def _has_code(source: str) -> bool:
    """Whether a text is a program that does something."""
    try:
        return bool(ast.parse(source).body)
    except SyntaxError:
        return False


def exercises(notebook: NotebookNode) -> list[str]:
    """The names of the solution cells that tests judge, in order."""
    return [
        cell.metadata.nbgrader.grade_id
        for cell in notebook.cells
        if cell.cell_type == "code" and role(cell) == "solution" and not _by_hand(cell)
    ]


def _by_hand(cell: NotebookNode) -> bool:
    return bool(cell.metadata.nbgrader.get("grade"))


def _exercise_of(test: str, names: list[str]) -> str | None:
    """The exercise whose name the test cell's name begins with (`<exercise>_test…`)."""
    return next((name for name in names if test.startswith(f"{name}_test")), None)


def make_trials(
    parts: NotebookNode, stub: NotebookNode, answers: Sequence[Answer]
) -> Iterator[Trial]:
    """Every notebook that has to be executed; `parts` as `split_tests` returned it."""
    stubs = {
        cell.metadata.nbgrader.grade_id: cell.source
        for cell in stub.cells
        if cell.cell_type == "code" and role(cell) == "solution"
    }
    yield _whole(Answer("reference", None, "reference"), parts, {})
    yield _whole(Answer("stub", None, "stub"), parts, stubs)
    for name in exercises(parts):
        broken = Answer("broken", name, f"{name}: only the stub")
        yield _whole(broken, parts, {name: stubs[name]})
        listed = [answer for answer in answers if answer.exercise == name]
        for start in range(0, len(listed), ANSWERS_OF_A_TRIAL):
            yield in_turn(parts, name, listed[start : start + ANSWERS_OF_A_TRIAL])


def _whole(answer: Answer, parts: NotebookNode, texts: dict[str, str]) -> Trial:
    notebook = _with(parts, texts)
    return Trial((answer,), (0,) * len(notebook.cells), notebook, parts)


def in_turn(parts: NotebookNode, exercise: str, answers: Sequence[Answer]) -> Trial:
    """One notebook in which the answers to `exercise` are tried in turn, each with its tests.

    The reference, as the control, stands before each.
    """
    control = Answer("control", exercise, "the reference before other answers")
    answers = [tried for answer in answers for tried in (control, answer)]
    needed = only_what_tests(parts, exercise)
    start = next(i for i, cell in enumerate(needed.cells) if _name(cell) == exercise)
    notebook = copy.deepcopy(needed)
    block = notebook.cells[start:]
    notebook.cells = notebook.cells[:start]
    tries = [0] * start
    for number, answer in enumerate(answers):
        for cell in copy.deepcopy(block):
            cell.id = f"{cell.id[:57]}-{number}"
            if _name(cell) == exercise and answer.text is not None:
                cell.source = answer.text
            notebook.cells.append(cell)
            tries.append(number)
    return Trial(tuple(answers), tuple(tries), notebook, needed)


def _name(cell: NotebookNode) -> str | None:
    return cell.metadata.get("nbgrader", {}).get("grade_id")


def _with(notebook: NotebookNode, texts: dict[str, str]) -> NotebookNode:
    changed = copy.deepcopy(notebook)
    for cell in changed.cells:
        name = cell.metadata.get("nbgrader", {}).get("grade_id")
        if name in texts:
            cell.source = texts[name]
    return changed


def only_what_tests(parts: NotebookNode, exercise: str) -> NotebookNode:
    """The cells that decide about one exercise: what stands before its tests, and these tests.

    Tests of other exercises, cells to play with and text are left out.
    """
    names = exercises(parts)
    needed = copy.deepcopy(parts)
    last = max(i for i, cell in enumerate(needed.cells) if _tests(cell, exercise, names))
    needed.cells = [
        cell
        for cell in needed.cells[: last + 1]
        if cell.cell_type == "code"
        and (role(cell) in ("released", "solution") or _tests(cell, exercise, names))
    ]
    return needed


def _tests(cell: NotebookNode, exercise: str, names: list[str]) -> bool:
    name = cell.metadata.get("nbgrader", {}).get("grade_id", "")
    return (
        cell.cell_type == "code" and role(cell) == "test" and _exercise_of(name, names) == exercise
    )
