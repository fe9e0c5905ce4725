"""Prove an assignment: its tests award and deduct the right points.

For every exercise the reference gets full marks, the unchanged stub gets none, every
listed wrong answer fails a hidden test, every listed right one passes all, and breaking one
exercise costs only its own points. Every answer is actually executed, as a submission would be.
Mutants of the reference are executed too: each fails a test, or `answers.py` says why none can
tell it from the reference.
"""

from __future__ import annotations

import os
import textwrap
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field, replace
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from hub.authoring.release import source_notebooks, student_version
from hub.facts.cell_roles import role
from hub.facts.errors import UserError
from hub.grading.pipeline.execute import (
    CannotGrade,
    ExecutionLimits,
    IsolationError,
    Tests,
    execute,
    files_below,
)
from hub.verification.answers import (
    Answer,
    AnswersError,
    EquivalentMutant,
    Trained,
    chosen,
    read_answers,
    read_equivalent,
    read_trained,
)
from hub.verification.batches import STOPPED, Outcome, Seen, Weighed, faults, weigh
from hub.verification.fairness import (
    caught_too_little,
    is_own_error,
    listed_too_little,
    unclear_messages,
    words_of,
)
from hub.verification.mutants import Mutant
from hub.verification.sampling import ALL, Sample
from hub.verification.symmetric_models import ModelVariant, concerns
from hub.verification.trials import (
    Batches,
    Group,
    SplitTest,
    Trial,
    broken_answers,
    exercises,
    groups,
    make_trials,
    mutant_answers,
    mutants_of,
    split_tests,
    whole,
)

__all__ = ["AnswersError", "NotProved", "prove"]

LIMITS = ExecutionLimits(cell_seconds=120, total_seconds=600)
IN_WORDS: dict[Tests, str] = {"in_kernel": "in the kernel", "isolated": "isolated"}
COLUMNS = 100  # width of the terminal that the table is for
LONGEST_NAME = 18  # in the table, so that its lines fit
MUTANT_CELL_SECONDS = 60  # cost of an endless loop; imports on a busy machine take long


class NotProved(UserError):
    """Some answer got points that it should not, or lost some; the table shows which."""


@dataclass
class ExerciseRow:
    """The findings about one exercise."""

    exercise: str
    points: float = 0.0
    wrong: int = 0
    caught_visibly: int = 0
    caught_hidden: int = 0
    right: int = 0
    kept: int = 0
    killed: int = 0
    equivalent: int = 0
    survived: int = 0
    seconds: float = 0.0
    faults: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def prove(
    source_folder: Path,
    tests: Tests = "in_kernel",
    workers: int | None = None,
    limits: ExecutionLimits = LIMITS,
    mutants: int = 0,
    others: Sequence[ModelVariant] = (),
    sample: Sample = ALL,
    executor: Path | None = None,
) -> Iterator[str]:
    """Prove the notebooks of an assignment. Yields progress and, at the end, a table for each.

    source_folder: holds the notebook's text and `answers.py`.
    tests: "in_kernel" or "isolated", as in `execute`.
    workers: notebooks executed at once; one per core if None.
    limits: of a notebook with one answer; the time limit grows with the number of batches.
    mutants: maximum of each reference, spread over it, always the same ones; 0 for none.
    others: other models, on which the reference must also keep its points.
    sample: of the answers and mutants; the reference and the stub are always tried.
    executor: as in `execute`.

    Raises:
        NotProved: after the table, if anything is not as expected; before it, if the
            notebook breaks the rules for isolated tests.
        AnswersError: an answer in `answers.py` has no proper header, or names no exercise.
    """
    notebooks = source_notebooks(source_folder)
    listed = read_answers(source_folder / "answers.py")
    equivalent = read_equivalent(source_folder / "answers.py")
    trained = read_trained(source_folder / "answers.py")
    _check_names([*listed, *equivalent, *trained], list(notebooks.values()), source_folder)
    stubs = student_version(source_folder).files
    run = Runner(
        files_below(source_folder, ["*.py"]),
        limits,
        tests,
        workers or os.cpu_count() or 1,
        sample=ALL if source_folder.name in sample.whole else sample,
        executor=executor,
    )
    wrongs = 0
    for name, notebook in notebooks.items():
        stub = nbformat.reads(stubs[f"{name}.ipynb"].decode(), as_version=4)
        book, found = split_tests(notebook)
        outcomes: list[Outcome] = []
        excused = {one.exercise for one in trained} & {*exercises(notebook)}
        started = time.monotonic()
        try:
            answers = [*broken_answers(book, stub), *listed]
            tried = chosen(run.sample, answers)
            yield f"{name}: {len(tried)} of {len(answers)} answers"
            batches, trials = make_trials(book, stub, tried)
            yield from run.all(batches, trials, found, outcomes)
            for other in (other for other in others if concerns(other, book)):
                yield from run.on(other, excused, book, found, outcomes)
            if mutants:
                yield from run.mutants(notebook, mutants, batches, found, outcomes)
        except IsolationError as error:
            raise NotProved(f"{source_folder.name}: tests cannot run isolated: {error}") from error
        except CannotGrade as error:
            raise NotProved(f"{source_folder.name}: {error}.", "Prove it again.") from error
        rows = judge(exercises(notebook), found, outcomes, equivalent)
        add_unfair(rows, notebook, found, outcomes, listed, all_tried=len(tried) == len(answers))
        if mutants:
            add_unknown(rows, notebook, equivalent)
        title = f"{name}, tests {IN_WORDS[tests]}"
        yield from table(title, rows)
        yield total(title, rows, time.monotonic() - started)
        wrongs += sum(len(row.faults) for row in rows)
    if wrongs:
        proofs = "1 proof" if wrongs == 1 else f"{wrongs} proofs"
        raise NotProved(f"{source_folder.name}: {proofs} failed (see the table)")


def _check_names(
    answers: Sequence[Answer | EquivalentMutant | Trained],
    notebooks: list[NotebookNode],
    folder: Path,
) -> None:
    known = [name for notebook in notebooks for name in exercises(notebook)]
    for answer in answers:
        if answer.exercise not in known:
            raise AnswersError(
                f"{folder / 'answers.py'}: no exercise is called {answer.exercise!r} "
                f"(there are {', '.join(known) or 'none'})"
            )


@dataclass(frozen=True)
class Runner:
    """Executes trials, `workers` at once."""

    files: dict[str, Path]
    limits: ExecutionLimits
    tests: Tests
    workers: int
    models: Path | None = None
    sample: Sample = ALL
    executor: Path | None = None

    def all(
        self,
        batches: Batches,
        trials: Sequence[Trial],
        tests: Mapping[str, SplitTest],
        outcomes: list[Outcome],
    ) -> Iterator[str]:
        """Fill `outcomes`; yields a line per answer. What does not count is retried."""
        with ThreadPoolExecutor(self.workers) as pool:
            running = {pool.submit(self.one, trial, tests) for trial in trials}
            while running:
                done = next(as_completed(running))
                running.remove(done)
                weighed = done.result()
                outcomes += weighed.counted
                yield from map(_progress, weighed.counted)
                yield from weighed.messages
                for again in weighed.again:
                    trial = batches.trial(again.groups, again.alone, again.cause)
                    running.add(pool.submit(self.one, trial, tests))

    def on(
        self,
        other: ModelVariant,
        excused: set[str],
        book: NotebookNode,
        tests: Mapping[str, SplitTest],
        outcomes: list[Outcome],
    ) -> Iterator[str]:
        """Execute the reference with other models.

        excused: exercises whose tests may fail on untrained models.
        """
        answer = Answer("reference", None, f"reference on {other.title}")
        (outcome,) = replace(self, models=other.folder).one(whole(answer, book, {}), tests).counted
        if not other.trained:
            needed = {name for name in outcome.failed if tests[name].exercise in excused}
            for exercise in sorted({*excused} - {tests[name].exercise for name in needed}):
                yield f"{exercise} keeps its points on {other.title}: [trained] can be removed"
            kept = {name: why for name, why in outcome.failed.items() if name not in needed}
            outcome = replace(outcome, failed=kept)
        outcomes.append(outcome)
        yield _progress(outcome)

    def mutants(
        self,
        notebook: NotebookNode,
        most: int,
        batches: Batches,
        tests: Mapping[str, SplitTest],
        outcomes: list[Outcome],
    ) -> Iterator[str]:
        """Execute mutants of the references in batches, once the references pass.

        A cell has less time than usual, as a mutant can be an endless loop; but twice that
        of the reference's whole notebook, if this machine is slow.
        """
        reference = next(one for one in outcomes if one.answer.kind == "reference")
        if reference.failed:
            yield "no mutants were tried, as the reference itself fails tests"
            return
        found = mutant_answers(notebook, most)
        answers = chosen(self.sample, found)
        yield f"{len(answers)} of {len(found)} mutants of {len(exercises(notebook))} references"
        seconds = min(self.limits.cell_seconds, max(MUTANT_CELL_SECONDS, 2 * reference.seconds))
        bounded = replace(self, limits=replace(self.limits, cell_seconds=seconds))
        trials = batches.narrow_trials([tuple(group) for group in groups(answers) if group])
        yield from bounded.all(batches, trials, tests, outcomes)

    def one(self, trial: Trial, tests: Mapping[str, SplitTest]) -> Weighed:
        """Execute a trial and evaluate its batches."""
        execution = execute(
            trial.notebook,
            source=trial.source if self.tests == "isolated" else None,
            files=self.files,
            limits=replace(
                self.limits,
                total_seconds=self.limits.total_seconds * len(trial.batches),
                output_mib=self.limits.output_mib * len(trial.batches),
            ),
            tests=self.tests,
            models=self.models,
            executor=self.executor,
        )
        seen = [Seen() for _ in trial.batches]
        # Only a kernel's traceback shows the student's functions beside the test.
        shown = trial.batches if self.tests == "in_kernel" else ((),) * len(trial.batches)
        for cell, position in zip(execution.notebook.cells, trial.positions, strict=True):
            if cell.cell_type == "code" and role(cell) == "test":
                _record(cell, seen[position], shown[position], tests)
        weighed = weigh(trial, seen, tests)
        share = execution.seconds / max(1, len(weighed.counted))
        weighed.counted = [replace(outcome, seconds=share) for outcome in weighed.counted]
        return weighed


def _record(cell: NotebookNode, seen: Seen, tried: Group, tests: Mapping[str, SplitTest]) -> None:
    name = cell.metadata.nbgrader.grade_id
    errors = [output for output in cell.outputs if output.output_type == "error"]
    if not errors:
        seen.passed.add(name)
        return
    seen.failed[name] = f"{errors[0].ename}: {errors[0].evalue}"
    if any(error.ename in STOPPED for error in errors):
        seen.stopped.add(name)
    for answer in tried:
        own = answer.text is not None and tests[name].exercise == answer.exercise
        if own and is_own_error(errors[0], answer.text or ""):
            seen.leaked.add(name)


def judge(
    names: list[str],
    tests: Mapping[str, SplitTest],
    outcomes: list[Outcome],
    equivalent: Sequence[EquivalentMutant] = (),
) -> list[ExerciseRow]:
    """The rows of the table, one per exercise, and one for the notebook as a whole. Pure."""
    justified = {(one.exercise, one.line) for one in equivalent}
    whole = ExerciseRow("(whole notebook)")
    rows = {name: ExerciseRow(name) for name in names}
    for test in tests.values():
        rows.get(test.exercise or "", whole).points += test.points
    for outcome in outcomes:
        row = rows.get(outcome.answer.exercise or "", whole)
        row.seconds += outcome.seconds
        for fault in faults(outcome, tests):
            text = f"{outcome.answer.title}: {fault}"
            if text not in row.faults:  # the reference can fail in many notebooks
                row.faults.append(text)
        if outcome.answer.kind == "wrong":
            row.wrong += 1
            row.caught_visibly += any(not tests[name].hidden for name in outcome.failed)
            row.caught_hidden += any(tests[name].hidden for name in outcome.failed)
        elif outcome.answer.kind == "right":
            row.right += 1
            row.kept += not outcome.failed
        elif mutant := outcome.answer.mutant:
            _judge_mutant(row, outcome, mutant, (row.exercise, mutant.after) in justified)
    return [*rows.values(), whole]


def _judge_mutant(row: ExerciseRow, outcome: Outcome, mutant: Mutant, justified: bool) -> None:
    if outcome.failed:
        row.killed += 1
        if justified:
            row.notes.append(f"a test notices it, so answers.py need not justify: {mutant.after}")
    elif justified:
        row.equivalent += 1
    else:
        row.survived += 1
        row.faults.append(
            f"no test notices a mutant: {outcome.answer.title}\n- {mutant.before}\n+ {mutant.after}"
        )


def add_unknown(
    rows: list[ExerciseRow], notebook: NotebookNode, equivalent: Sequence[EquivalentMutant]
) -> None:
    """Add to the faults what `answers.py` justifies but is not a mutant of its reference."""
    for row in rows:
        lines = {mutant.after for mutant in mutants_of(notebook, row.exercise)}
        row.faults += [
            f"answers.py justifies something that is not a mutant: {one.line}"
            for one in equivalent
            if one.exercise == row.exercise and one.line not in lines
        ]


def add_unfair(
    rows: list[ExerciseRow],
    notebook: NotebookNode,
    tests: Mapping[str, SplitTest],
    outcomes: Sequence[Outcome],
    listed: Sequence[Answer],
    all_tried: bool,
) -> None:
    """Add what `fairness` sees, as warnings; of a sample of the answers no shares are judged."""
    by_name = {row.exercise: row for row in rows}
    for exercise in exercises(notebook):
        row = by_name[exercise]
        row.warnings += listed_too_little(exercise, listed)
        if all_tried:
            row.warnings += caught_too_little(row.wrong, row.caught_visibly)
    for exercise, finding in unclear_messages(outcomes, tests, words_of(notebook)):
        by_name[exercise].warnings.append(finding)


def _progress(outcome: Outcome) -> str:
    answer = outcome.answer
    about = (
        answer.title
        if answer.kind not in ("wrong", "right", "mutant")
        else f"{answer.exercise}: {answer.title}"
    )
    verdict = f"fails {', '.join(outcome.failed)}" if outcome.failed else "passes"
    if answer.kind == "mutant":
        verdict = "killed" if outcome.failed else "survives"
    return f"[{answer.kind}] {about}: {verdict}"


def table(title: str, rows: list[ExerciseRow]) -> Iterator[str]:
    """The rows as lines of text, with the faults below them.

    visible, hidden: wrong answers that a visible or hidden test catches. right: right ones that
    keep their points, of all. killed, equiv., survived: mutants that a test catches, that are
    justified, and that are neither.
    """
    width = min(LONGEST_NAME, max(len(row.exercise) for row in rows))
    yield ""
    yield title
    yield f"{'':<{width}}          -- wrong answers --            ------ mutants -----"
    yield (
        f"{'exercise':<{width}}  points  visible  hidden  missed  right  killed  equiv.  survived"
        "    time  faults"
    )
    for row in rows:
        name = row.exercise if len(row.exercise) <= width else f"{row.exercise[: width - 1]}…"
        missed = row.wrong - row.caught_hidden
        yield (
            f"{name:<{width}}  {row.points:>6g}  {row.caught_visibly:>7}  {row.caught_hidden:>6}"
            f"  {missed:>6}  {f'{row.kept}/{row.right}':>5}  {row.killed:>6}  {row.equivalent:>6}"
            f"  {row.survived:>8}  {row.seconds:>4.0f} s  {len(row.faults) or 'none':>6}"
        )
    for row in rows:
        shown = (("FAULT", row.faults), ("WARNING", row.warnings), ("note", row.notes))
        for kind, texts in shown:
            for text in texts:
                yield from _below(f"{kind}  {row.exercise}: {text}", " " * (len(kind) + 2))


def _below(text: str, indent: str) -> Iterator[str]:
    """A text below the table: its first line wrapped, the others (lines of code) unchanged."""
    title, *lines = text.splitlines()
    yield from textwrap.wrap(title, COLUMNS, subsequent_indent=indent)
    yield from (f"{indent}{line}" for line in lines)


def total(title: str, rows: list[ExerciseRow], seconds: float) -> str:
    """One line that sums up all rows; `seconds` of wall time."""
    caught, wrong = sum(row.caught_hidden for row in rows), sum(row.wrong for row in rows)
    kept, right = sum(row.kept for row in rows), sum(row.right for row in rows)
    faults, warnings = (sum(len(getattr(row, x)) for row in rows) for x in ("faults", "warnings"))
    return (
        f"{title}: {sum(row.points for row in rows):g} points, {caught}/{wrong} wrong caught, "
        f"{kept}/{right} right kept, {_mutants(rows)}"
        f"{f'{warnings} warnings, ' if warnings else ''}{seconds:.0f} s, "
        f"{f'{faults} FAULTS' if faults else 'ok'}"
    )


def _mutants(rows: list[ExerciseRow]) -> str:
    killed, equivalent, survived = (
        sum(getattr(row, name) for row in rows) for name in ("killed", "equivalent", "survived")
    )
    if not killed + equivalent + survived:
        return ""
    return f"mutants: {killed} killed, {equivalent} equivalent, {survived} survived, "
