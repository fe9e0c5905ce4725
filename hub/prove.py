"""Prove an assignment: its tests give the points that they should, and take them.

For every exercise the reference has full marks, the untouched stub none of the points, every
listed wrong answer fails a hidden test, every listed right one passes all, and breaking one
exercise costs only its own points. Every answer is really executed, as a submission would be.
"""

from __future__ import annotations

import ast
import copy
import os
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import nbformat
from nbformat import NotebookNode

from hub.authoring.release import source_notebooks, student_version
from hub.grading.execute import Limits, Tests, execute, files_below
from hub.grading.hidden import split_hidden
from hub.grading.roles import role

Kind = Literal["reference", "stub", "broken", "wrong", "right"]

HEADER = re.compile(r"^# %% \[(wrong|right)\] (\w+): (.+)$", re.MULTILINE)
HIDDEN_HALF = "-hidden"  # ends the name of the hidden half of a test cell
LIMITS = Limits(cell_seconds=120, total_seconds=600)


class NotProved(Exception):
    """Some answer got points that it should not, or lost some; the table said which."""


class AnswersError(Exception):
    """`answers.py` cannot be read; the message says where."""


@dataclass(frozen=True)
class Answer:
    """One listed answer: the text that replaces a whole solution cell."""

    kind: Literal["wrong", "right"]
    exercise: str
    title: str
    text: str


@dataclass(frozen=True)
class Part:
    """A test cell, or the visible or hidden half of one."""

    name: str
    exercise: str | None  # None for a cell that tests several exercises together
    points: float
    hidden: bool


@dataclass(frozen=True)
class Trial:
    """One notebook to execute, and what it is to show."""

    kind: Kind
    exercise: str | None
    title: str
    notebook: NotebookNode
    source: NotebookNode


@dataclass(frozen=True)
class Outcome:
    """What the tests said about a trial: why each failed one failed, by the test's name."""

    trial: Trial
    failed: dict[str, str]
    passed: set[str]
    seconds: float


@dataclass
class Row:
    """What was found about one exercise."""

    exercise: str
    points: float = 0.0
    wrong: int = 0
    caught_visibly: int = 0
    caught_hidden: int = 0
    right: int = 0
    kept: int = 0
    seconds: float = 0.0
    faults: list[str] = field(default_factory=list)


def prove(
    source_folder: Path,
    tests: Tests = "together",
    workers: int | None = None,
    limits: Limits = LIMITS,
) -> Iterator[str]:
    """Prove the notebooks of an assignment; yields progress and, at the end, a table of each.

    source_folder: with the notebook's text and `answers.py`.
    tests: "together" or "apart", as in `execute`.
    workers: notebooks executed at once; one a core if None.

    Raises:
        NotProved: after the table, if anything is not as it should be.
        AnswersError: an answer in `answers.py` names no exercise.
    """
    notebooks = source_notebooks(source_folder)
    listed = read_answers(source_folder / "answers.py")
    _check_names(listed, list(notebooks.values()), source_folder)
    stubs = student_version(source_folder).files
    files = files_below(source_folder, ["*.py"])
    faults = 0
    for name, notebook in notebooks.items():
        stub = nbformat.reads(stubs[f"{name}.ipynb"].decode(), as_version=4)
        parts, found = split_tests(notebook)
        answers = [answer for answer in listed if answer.exercise in _exercises(notebook)]
        trials = list(make_trials(parts, stub, answers))
        outcomes: list[Outcome] = []
        started = time.monotonic()
        with ThreadPoolExecutor(workers or os.cpu_count() or 1) as pool:
            running = [pool.submit(_run, trial, files, limits, tests) for trial in trials]
            for done in as_completed(running):
                outcomes.append(done.result())
                yield _progress(len(outcomes), len(trials), outcomes[-1])
        rows = judge(_exercises(notebook), found, outcomes)
        yield from table(f"{name}, tests {tests}", rows, time.monotonic() - started)
        faults += sum(len(row.faults) for row in rows)
    if faults:
        raise NotProved(f"{source_folder.name}: {faults} of the proofs failed (see the table)")


def _check_names(answers: list[Answer], notebooks: list[NotebookNode], folder: Path) -> None:
    known = [name for notebook in notebooks for name in _exercises(notebook)]
    for answer in answers:
        if answer.exercise not in known:
            raise AnswersError(
                f"{folder / 'answers.py'}: no exercise is called {answer.exercise!r} "
                f"(there are {', '.join(known) or 'none'})"
            )


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
    exercises = _exercises(notebook)
    cells, tests = [], {}
    for cell in parts.cells:
        if cell.cell_type != "code" or role(cell) != "test":
            cells.append(cell)
            continue
        for half, hidden in _halves(cell):
            marks = half.metadata.nbgrader
            tests[marks.grade_id] = Part(
                marks.grade_id, _exercise_of(marks.grade_id, exercises), float(marks.points), hidden
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


def _exercises(notebook: NotebookNode) -> list[str]:
    """The names of the solution cells that tests judge, in order."""
    return [
        cell.metadata.nbgrader.grade_id
        for cell in notebook.cells
        if cell.cell_type == "code" and role(cell) == "solution" and not _by_hand(cell)
    ]


def _by_hand(cell: NotebookNode) -> bool:
    return bool(cell.metadata.nbgrader.get("grade"))


def _exercise_of(test: str, exercises: list[str]) -> str | None:
    """The exercise whose name the test cell's name begins with (`<exercise>_test…`)."""
    return next((name for name in exercises if test.startswith(f"{name}_test")), None)


def make_trials(parts: NotebookNode, stub: NotebookNode, answers: list[Answer]) -> Iterator[Trial]:
    """Every notebook that has to be executed; `parts` as `split_tests` returned it."""
    stubs = {
        cell.metadata.nbgrader.grade_id: cell.source
        for cell in stub.cells
        if cell.cell_type == "code" and role(cell) == "solution"
    }
    yield Trial("reference", None, "reference", parts, parts)
    yield Trial("stub", None, "stub", _with(parts, stubs), parts)
    for name in _exercises(parts):
        broken = _with(parts, {name: stubs[name]})
        yield Trial("broken", name, f"{name}: only the stub", broken, parts)
    for answer in answers:
        needed = only_what_tests(parts, answer.exercise)
        tried = _with(needed, {answer.exercise: answer.text})
        yield Trial(answer.kind, answer.exercise, answer.title, tried, needed)


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
    exercises = _exercises(parts)
    needed = copy.deepcopy(parts)
    last = max(i for i, cell in enumerate(needed.cells) if _tests(cell, exercise, exercises))
    needed.cells = [
        cell
        for cell in needed.cells[: last + 1]
        if cell.cell_type == "code"
        and (role(cell) in ("released", "solution") or _tests(cell, exercise, exercises))
    ]
    return needed


def _tests(cell: NotebookNode, exercise: str, exercises: list[str]) -> bool:
    name = cell.metadata.get("nbgrader", {}).get("grade_id", "")
    return (
        cell.cell_type == "code"
        and role(cell) == "test"
        and _exercise_of(name, exercises) == exercise
    )


def _run(trial: Trial, files: dict[str, Path], limits: Limits, tests: Tests) -> Outcome:
    source = trial.source if tests == "apart" else None
    execution = execute(trial.notebook, source=source, files=files, limits=limits, tests=tests)
    failed: dict[str, str] = {}
    passed: set[str] = set()
    for cell in execution.notebook.cells:
        if cell.cell_type == "code" and role(cell) == "test":
            errors = [output for output in cell.outputs if output.output_type == "error"]
            name = cell.metadata.nbgrader.grade_id
            if errors:
                failed[name] = f"{errors[0].ename}: {errors[0].evalue}"
            else:
                passed.add(name)
    return Outcome(trial, failed, passed, execution.seconds)


def judge(exercises: list[str], tests: dict[str, Part], outcomes: list[Outcome]) -> list[Row]:
    """The rows of the table, one an exercise, and one for the notebook as a whole. Pure."""
    whole = Row("(whole notebook)", points=sum(test.points for test in tests.values()))
    rows = {name: Row(name) for name in exercises}
    for test in tests.values():
        if test.exercise is not None:
            rows[test.exercise].points += test.points
    for outcome in outcomes:
        row = rows.get(outcome.trial.exercise or "", whole)
        row.seconds += outcome.seconds
        row.faults += [f"{outcome.trial.title}: {fault}" for fault in _faults(outcome, tests)]
        if outcome.trial.kind == "wrong":
            row.wrong += 1
            row.caught_visibly += any(not tests[name].hidden for name in outcome.failed)
            row.caught_hidden += any(tests[name].hidden for name in outcome.failed)
        elif outcome.trial.kind == "right":
            row.right += 1
            row.kept += not outcome.failed
    return [*rows.values(), whole]


def _faults(outcome: Outcome, tests: dict[str, Part]) -> Iterator[str]:
    kind = outcome.trial.kind
    if kind in ("reference", "right"):
        for name, why in outcome.failed.items():
            yield f"fails {name} ({why[:200]})"
    elif kind == "stub":
        for name in sorted({_whole(name) for name in outcome.passed}):
            if not {name, f"{name}{HIDDEN_HALF}"} & outcome.failed.keys():
                yield f"has the points of {name}"
    elif kind == "broken":
        for name, why in outcome.failed.items():
            if tests[name].exercise not in (outcome.trial.exercise, None):
                yield f"costs points of {name} ({why[:200]})"
    elif not any(tests[name].hidden for name in outcome.failed):
        yield "is not caught by a hidden test"


def _whole(part: str) -> str:
    """The name of the test cell that a part was split from."""
    return part.removesuffix(HIDDEN_HALF)


def _progress(number: int, of: int, outcome: Outcome) -> str:
    trial = outcome.trial
    about = trial.title if trial.exercise is None else f"{trial.exercise}: {trial.title}"
    about = trial.title if trial.kind == "broken" else about
    verdict = f"fails {', '.join(outcome.failed)}" if outcome.failed else "passes"
    return f"{number}/{of}  [{trial.kind}] {about}: {verdict} ({outcome.seconds:.1f} s)"


def table(title: str, rows: list[Row], seconds: float) -> Iterator[str]:
    """The rows as lines of text, with what is not as it should be below them."""
    width = max(len(row.exercise) for row in rows)
    yield ""
    yield f"{title}: {seconds:.0f} s"
    yield (
        f"{'exercise':<{width}}  points  wrong  by visible  by hidden  missed  right kept"
        "      time  verdict"
    )
    for row in rows:
        missed = row.wrong - row.caught_hidden
        verdict = "ok" if not row.faults else f"{len(row.faults)} FAULTS"
        yield (
            f"{row.exercise:<{width}}  {row.points:>6g}  {row.wrong:>5}  {row.caught_visibly:>10}"
            f"  {row.caught_hidden:>9}  {missed:>6}  {f'{row.kept}/{row.right}':>10}"
            f"  {row.seconds:>6.0f} s  {verdict}"
        )
    for row in rows:
        for fault in row.faults:
            yield f"FAULT  {row.exercise}: {fault}"
