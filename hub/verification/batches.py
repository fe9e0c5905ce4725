"""Evaluates the answers that were tried in a notebook's batches. Pure.

A verdict counts if everything was as expected: every wrong answer of a batch loses points on
a hidden test of its own exercise, every right one keeps them, and every exercise that has the
reference keeps them in this batch and in the next. Otherwise the answers in question are retried
alone, each between two batches of the reference, and the outcome of that decides.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from hub.verification.answers import Answer
from hub.verification.trials import HIDDEN_HALF, Group, SplitTest, Trial

# Errors that say nothing about an answer: a test did not run, or not to its end.
NOT_RUN = "NotRun"
STOPPED = frozenset({NOT_RUN, "CellStopped", "CellTimeout", "StudentProcessDied", "TooSlow"})


@dataclass
class Seen:
    """The tests' outcome in one batch: why each failed, by the test's name."""

    failed: dict[str, str] = field(default_factory=dict)
    passed: set[str] = field(default_factory=set)
    stopped: set[str] = field(default_factory=set)  # those of `failed` that did not finish
    leaked: set[str] = field(default_factory=set)  # those that ended with an error of their own


@dataclass(frozen=True)
class Outcome:
    """The tests' outcome for an answer: why each failed, by the test's name."""

    answer: Answer
    failed: dict[str, str]
    passed: set[str]
    seconds: float = 0.0  # an equal share of its notebook's time
    leaked: frozenset[str] = frozenset()  # of the failed ones: with an error of their own


@dataclass(frozen=True)
class Again:
    """Groups to be tried in another notebook; the rest as in `Trial`."""

    groups: list[Group]
    alone: bool = False
    cause: str | None = None


@dataclass
class Weighed:
    """The result of a notebook: outcomes that count, answers to retry, lines to report."""

    counted: list[Outcome] = field(default_factory=list)
    again: list[Again] = field(default_factory=list)
    messages: list[str] = field(default_factory=list)


def weigh(trial: Trial, seen: Sequence[Seen], tests: Mapping[str, SplitTest]) -> Weighed:
    """Evaluate the batches of a trial; `seen` has one entry per batch."""
    if len(trial.batches) == 1:
        answer = trial.batches[0][0]
        return Weighed([Outcome(answer, seen[0].failed, seen[0].passed)])
    if others := _others((), seen[0], tests):
        return _wrong_reference(trial, seen, tests, others)
    return _weigh_alone(trial, seen, tests) if trial.alone else _weigh_combined(trial, seen, tests)


def _wrong_reference(
    trial: Trial, seen: Sequence[Seen], tests: Mapping[str, SplitTest], failed: dict[str, str]
) -> Weighed:
    """Fails before any answer, so that another notebook would not help."""
    found = Weighed()
    by_exercise: dict[str | None, dict[str, str]] = {}
    for name, message in failed.items():
        # What was not run says nothing of its exercise: one cell may have taken all the time.
        exercise = None if _was_not_run(message) else tests[name].exercise
        by_exercise.setdefault(exercise, {})[name] = message
    for exercise, why in by_exercise.items():
        control = Answer("control", exercise, "the reference before other answers")
        found.counted.append(Outcome(control, why, set()))
    for group, what in zip(trial.batches, seen, strict=True):
        outcomes = (_own(answer, what, tests) for answer in group)
        found.counted += [
            one for one in outcomes if not any(map(_was_not_run, one.failed.values()))
        ]
    return found


def _was_not_run(why: str) -> bool:
    return why.startswith(f"{NOT_RUN}: ")


def _weigh_combined(trial: Trial, seen: Sequence[Seen], tests: Mapping[str, SplitTest]) -> Weighed:
    found = Weighed()
    before: Group = ()
    outcomes: list[Outcome] = []  # of the batch before, which count if this one is in order
    surprises: list[str] = []  # of the batch before; a stopped test has no message
    for number, (group, what) in enumerate(zip(trial.batches, seen, strict=True)):
        if others := _others(group, what, tests):
            why = [f"fails {n} ({w[:200]})" for n, w in others.items() if n not in what.stopped]
            _alone(found, (*before, *group), surprises + why)
            if rest := list(trial.batches[number + 1 : -1]):
                found.again.append(Again(rest))
            break
        if surprises:
            _alone(found, before, surprises)
        else:
            found.counted += outcomes
        before, outcomes = group, [_own(answer, what, tests) for answer in group]
        surprises = [message for one in outcomes for message in _surprises(one, what, tests)]
    return found


def _alone(found: Weighed, answers: Group, why: list[str]) -> None:
    if answers:
        cause = "; ".join(filter(None, why)) or None
        found.again.append(Again([(answer,) for answer in answers], alone=True, cause=cause))
        found.messages.append(
            f"{_titles(answers)}: unexpected result in a batch; retrying each alone"
        )


def _titles(answers: Sequence[Answer]) -> str:
    return ", ".join(f"{answer.title!r} of {answer.exercise}" for answer in answers)


def _surprises(outcome: Outcome, what: Seen, tests: Mapping[str, SplitTest]) -> Iterator[str]:
    """What speaks against a verdict from a combined batch; "" if a test was stopped."""
    if outcome.failed.keys() & what.stopped and outcome.answer.kind != "mutant":
        yield ""
    else:
        yield from (f"{_titles([outcome.answer])} {message}" for message in faults(outcome, tests))


def _weigh_alone(trial: Trial, seen: Sequence[Seen], tests: Mapping[str, SplitTest]) -> Weighed:
    found = Weighed()
    explained = False
    for number in range(1, len(trial.batches), 2):
        (answer,) = trial.batches[number]
        own, others = _own(answer, seen[number], tests), _others((answer,), seen[number], tests)
        for name in seen[number].stopped:
            others.pop(name, None)
        outcome = replace(own, failed=own.failed | others)
        found.counted.append(outcome)
        explained |= answer.kind == "mutant" or any(faults(outcome, tests))
        if _others((), seen[number + 1], tests):
            explained = True
            found.messages.append(
                f"{answer.exercise}: {answer.title!r} left state behind; continuing in a new "
                "notebook"
            )
            if rest := list(trial.batches[number + 2 : -1 : 2]):
                found.again.append(Again(rest, alone=True))
            break
    if trial.cause and not explained:
        together = Answer("combined", None, _titles([a for group in trial.batches for a in group]))
        found.counted.append(Outcome(together, {"": trial.cause}, set()))
    return found


def _own(answer: Answer, what: Seen, tests: Mapping[str, SplitTest]) -> Outcome:
    """The outcome of the tests of the answer's own exercise."""
    return Outcome(
        answer,
        {name: why for name, why in what.failed.items() if tests[name].exercise == answer.exercise},
        {name for name in what.passed if tests[name].exercise == answer.exercise},
        leaked=frozenset(what.leaked),
    )


def _others(group: Group, what: Seen, tests: Mapping[str, SplitTest]) -> dict[str, str]:
    """The failed tests of exercises that have the reference."""
    tried = {answer.exercise for answer in group}
    return {name: why for name, why in what.failed.items() if tests[name].exercise not in tried}


def faults(outcome: Outcome, tests: Mapping[str, SplitTest]) -> Iterator[str]:
    """What is not as expected, as messages."""
    kind, exercise = outcome.answer.kind, outcome.answer.exercise
    if kind == "combined":
        yield f"each passes alone but fails in a batch: {'; '.join(outcome.failed.values())}"
    elif kind == "stub":
        for name in sorted({name.removesuffix(HIDDEN_HALF) for name in outcome.passed}):
            if not {name, f"{name}{HIDDEN_HALF}"} & outcome.failed.keys():
                yield f"has the points of {name}"
    elif kind == "mutant":
        return  # it may break anything, as long as some test notices
    elif kind == "reference" or (kind == "control" and exercise is None):
        ran = {name: why for name, why in outcome.failed.items() if not _was_not_run(why)}
        for name, why in ran.items():
            yield f"fails {name} ({why[:200]})"
        if lost := [why for name, why in outcome.failed.items() if name not in ran]:
            yield f"{len(lost)} of its tests were not run ({lost[0][:200]})"
    else:
        own = {name for name in outcome.failed if tests[name].exercise == exercise}
        if kind in ("control", "right"):
            for name in outcome.failed:
                if name in own:
                    yield f"fails {name} ({outcome.failed[name][:200]})"
        elif kind == "wrong" and not any(tests[name].hidden for name in own):
            yield "is not caught by a hidden test"
        for name, why in outcome.failed.items():
            if tests[name].exercise not in (exercise, None):
                yield f"costs points in {tests[name].exercise}: fails {name} ({why[:200]})"
