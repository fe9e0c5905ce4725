"""Plans the notebooks to execute to prove an assignment. Pure.

Imports and given cells take most of a notebook's time, so many answers share one. In a
*batch* about half of the exercises have one of their listed answers each and the others the
reference, which must keep its points: a mistake costs only its own exercise. The next batch is the
other half's, so every exercise has the reference again before its next answer. Several batches
follow each other in one notebook, each with all cells from the first exercise to the last test.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from IPython.core.inputtransformer2 import TransformerManager
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell

from hub.facts.cell_names import names_of
from hub.facts.cell_roles import marks, role
from hub.grading.pipeline.hidden import split_hidden
from hub.verification.answers import Answer
from hub.verification.mutants import Mutant, mutants, sample

HIDDEN_HALF = "-hidden"  # suffix of the name of the hidden half of a test cell
BATCH_PAIRS_OF_A_TRIAL = 6  # of batches: one half of the exercises, then the other


@dataclass(frozen=True)
class SplitTest:
    """A test cell, or the visible or hidden half of one."""

    name: str
    exercise: str | None  # None for a cell that tests several exercises together
    points: float
    hidden: bool


Group = tuple[Answer, ...]  # tried in one batch, of different exercises; () is the reference


@dataclass(frozen=True)
class Trial:
    """One notebook to execute: its batches, and which batch each cell belongs to.

    source: what the notebook is checked against if tests run isolated.
    alone: one answer per batch, and a batch of the reference after each.
    cause: why these answers are tried alone: what went wrong when they were combined.
    """

    batches: tuple[Group, ...]
    positions: tuple[int, ...]  # of each cell, a position in `batches`
    notebook: NotebookNode
    source: NotebookNode
    alone: bool = False
    cause: str | None = None


def split_tests(notebook: NotebookNode) -> tuple[NotebookNode, dict[str, SplitTest]]:
    """A copy in which the visible and the hidden half of each test cell are separate cells.

    So it shows which half catches a wrong answer. A hidden region that is not a program by
    itself stays in its cell, which then counts as hidden as a whole.
    """
    book = copy.deepcopy(notebook)
    names = exercises(notebook)
    cells, tests = [], {}
    for cell in book.cells:
        if cell.cell_type != "code" or role(cell) != "test":
            cells.append(cell)
            continue
        for half, hidden in _halves(cell):
            marks = half.metadata.nbgrader
            tests[marks.grade_id] = SplitTest(
                marks.grade_id, _exercise_of(marks.grade_id, names), float(marks.points), hidden
            )
            cells.append(half)
    book.cells = cells
    return book, tests


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
    """Whether a text is a program that does anything."""
    try:
        return bool(ast.parse(source).body)
    except SyntaxError:
        return False


def exercises(notebook: NotebookNode) -> list[str]:
    """The names of the solution cells that tests check, in order."""
    return [
        cell.metadata.nbgrader.grade_id
        for cell in notebook.cells
        if cell.cell_type == "code" and role(cell) == "solution" and not marks(cell).by_hand
    ]


def _exercise_of(test: str, names: list[str]) -> str | None:
    """The exercise whose name the test cell's name begins with (`<exercise>_test…`)."""
    return next((name for name in names if test.startswith(f"{name}_test")), None)


def groups(answers: Sequence[Answer]) -> list[list[Answer]]:
    """The answers of each batch. Pure and deterministic.

    Each answer is in one group, and no two in a group are for one exercise. Groups come in pairs:
    the n-th answers of one half of the exercises, then those of the other half, so no exercise is
    in two consecutive groups. A group can be empty. The first half is every second
    exercise; after BATCH_PAIRS_OF_A_TRIAL pairs it is every second two, and so on, so that
    exercises that are in one half now are in different ones later.
    """
    listed: dict[str | None, list[Answer]] = {}
    for answer in answers:
        listed.setdefault(answer.exercise, []).append(answer)
    splits = max(1, (len(listed) - 1).bit_length())
    found: list[list[Answer]] = [[] for _ in range(2 * max(map(len, listed.values()), default=0))]
    for position, of_one in enumerate(listed.values()):
        for number, answer in enumerate(of_one):
            half = position >> (number // BATCH_PAIRS_OF_A_TRIAL % splits) & 1
            found[2 * number + half].append(answer)
    return found


def make_trials(
    book: NotebookNode, stub: NotebookNode, answers: Sequence[Answer]
) -> tuple[Batches, list[Trial]]:
    """Every notebook to execute, and the parts to make more of them.

    book: as `split_tests` returned it.
    answers: listed ones, for any notebook, and some of `broken_answers`.
    """
    broken = [(answer,) for answer in answers if answer.kind == "broken"]
    listed = [answer for answer in answers if answer.kind != "broken"]
    batches = Batches.of(book, listed)
    combined = groups([one for name in exercises(book) for one in listed if one.exercise == name])
    trials = [
        whole(Answer("reference", None, "reference"), book, {}),
        whole(Answer("stub", None, "stub"), book, _solutions(stub)),
    ]
    combined_trials = batches.trials([tuple(group) for group in combined])
    return batches, [*trials, *batches.trials(broken), *combined_trials]


def broken_answers(book: NotebookNode, stub: NotebookNode) -> list[Answer]:
    """For each exercise its stub, as an answer: it must cost points of this exercise only."""
    stubs = _solutions(stub)
    return [
        Answer("broken", name, f"{name}: only the stub", stubs[name]) for name in exercises(book)
    ]


def _solutions(notebook: NotebookNode) -> dict[str, str]:
    return {
        cell.metadata.nbgrader.grade_id: cell.source
        for cell in notebook.cells
        if cell.cell_type == "code" and role(cell) == "solution"
    }


def mutants_of(notebook: NotebookNode, exercise: str) -> list[Mutant]:
    """Every mutant of the reference of an exercise; none if the notebook has no such exercise."""
    cells = [cell for cell in notebook.cells if marks(cell).name == exercise]
    return [mutant for cell in cells for mutant in mutants(cell.source)]


def mutant_answers(notebook: NotebookNode, most: int) -> list[Answer]:
    """At most `most` mutants of each reference, as answers."""
    return [
        Answer("mutant", name, f"line {one.line}, {one.what}", one.source, one)
        for name in exercises(notebook)
        for one in sample(mutants_of(notebook, name), most, seed=name)
    ]


def whole(answer: Answer, book: NotebookNode, texts: dict[str, str]) -> Trial:
    """One notebook with the texts of some solutions replaced."""
    notebook = _with(book, texts)
    return Trial(((answer,),), (0,) * len(notebook.cells), notebook, book)


@dataclass(frozen=True)
class Batches:
    """The parts of notebooks with several batches.

    source: the code cells that affect points.
    start: the position of the first exercise, with which a batch begins.
    """

    source: NotebookNode
    start: int

    @classmethod
    def of(cls, book: NotebookNode, answers: Sequence[Answer]) -> Batches:
        """Leaves out text, cells to play with, tests of several exercises together, everything
        after the last test, and given cells that only show what the student's functions do."""
        names = exercises(book)
        source = copy.deepcopy(book)
        source.cells = [cell for cell in source.cells if _decides(cell, names)]
        tests = [position for position, cell in enumerate(source.cells) if role(cell) == "test"]
        source.cells = source.cells[: max(tests, default=-1) + 1]
        start = next((n for n, cell in enumerate(source.cells) if marks(cell).name in names), 0)
        batches = _without_shows(source.cells[start:], [answer.text or "" for answer in answers])
        source.cells = source.cells[:start] + batches
        return cls(source, start)

    def trial(self, tried: Sequence[Group], alone: bool = False, cause: str | None = None) -> Trial:
        """One notebook with a batch per group, after a batch of the reference and before another.

        alone: also with one between any two.
        """
        if alone:
            tried = [group for answers in tried for group in (answers, ())][:-1]
        batches: tuple[Group, ...] = ((), *tried, ())
        notebook = copy.deepcopy(self.source)
        block = notebook.cells[self.start :]
        notebook.cells = notebook.cells[: self.start]
        positions = [0] * self.start
        for number, group in enumerate(batches):
            texts = {answer.exercise: answer.text for answer in group}
            notebook.cells.append(new_code_cell(self._forget(), id=f"forget-{number}"))
            for cell in copy.deepcopy(block):
                cell.id = f"{cell.id[:57]}-{number}"
                cell.source = texts.get(marks(cell).name) or cell.source
                notebook.cells.append(cell)
            positions += [number] * (1 + len(block))
        return Trial(batches, tuple(positions), notebook, self.source, alone, cause)

    def trials(self, tried: Sequence[Group]) -> list[Trial]:
        """Notebooks with as many batches as one may have."""
        return [self.trial(batch) for batch in _batches(tried)]

    def narrow_trials(self, tried: Sequence[Group]) -> list[Trial]:
        """The same without the tests of exercises that a notebook has no answer to: they would
        only show again that a mistake costs nothing elsewhere."""
        return [
            self._only({answer.exercise for group in batch for answer in group}).trial(batch)
            for batch in _batches(tried)
        ]

    def _only(self, tested: set[str | None]) -> Batches:
        names = exercises(self.source)
        source = copy.deepcopy(self.source)
        source.cells = [
            cell
            for cell in source.cells
            if role(cell) != "test" or _exercise_of(marks(cell).name, names) in tested
        ]
        return Batches(source, self.start)

    def _forget(self) -> str:
        """A cell that unbinds the names that a batch binds, so that forgetting one shows."""
        before = {name for cell in self.source.cells[: self.start] for name in _names(cell)[1]}
        bound = {name for cell in self.source.cells[self.start :] for name in _names(cell)[1]}
        return f"for _name in {sorted(bound - before)}:\n    globals().pop(_name, None)"


def _batches(tried: Sequence[Group]) -> Iterator[Sequence[Group]]:
    """The groups, one notebook at a time."""
    size = 2 * BATCH_PAIRS_OF_A_TRIAL
    for start in range(0, len(tried), size):
        yield tried[start : start + size]


def _decides(cell: NotebookNode, names: list[str]) -> bool:
    if cell.cell_type != "code" or role(cell) == "student":
        return False
    return role(cell) != "test" or _exercise_of(marks(cell).name, names) is not None


def _without_shows(cells: list[NotebookNode], answers: list[str]) -> list[NotebookNode]:
    """Without given cells that use the student's functions but bind nothing that others use.

    Such cells only show a result, and can take longer than all tests.
    """
    facts = [(cell, *_names(cell)) for cell in cells]
    students = {name for cell, _, stores in facts if role(cell) == "solution" for name in stores}
    used = {name for text in answers for name in _names_of_text(text)[0]}
    shows = []
    for number, (cell, loads, stores) in enumerate(facts):
        if role(cell) == "released" and loads & students:
            shows.append(number)
            students |= stores
        else:
            used |= loads
    while needed := {number for number in shows if facts[number][2] & used}:
        used |= {name for number in needed for name in facts[number][1]}
        shows = [number for number in shows if number not in needed]
    return [cell for number, cell in enumerate(cells) if number not in shows]


def _names(cell: NotebookNode) -> tuple[frozenset[str], frozenset[str]]:
    return _names_of_text(cell.source)


def _names_of_text(text: str) -> tuple[frozenset[str], frozenset[str]]:
    """The global names that a cell loads and stores; none if it is not a program."""
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    try:
        return names_of(compile(TransformerManager().transform_cell(text), "", "exec", flags))
    except (SyntaxError, ValueError):
        return frozenset(), frozenset()


def _with(notebook: NotebookNode, texts: dict[str, str]) -> NotebookNode:
    changed = copy.deepcopy(notebook)
    for cell in changed.cells:
        cell.source = texts.get(marks(cell).name, cell.source)
    return changed
