"""Kinds of unfair exercises that a machine can see. Pure.

A right answer typed from the text alone is not listed; the visible tests catch too few of the
listed slips; a message says nothing that belongs to the exercise; a test ends with an error of its
own instead of saying what is wrong.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterator, Mapping, Sequence

from nbformat import NotebookNode

from hub.authoring.regions import student_text
from hub.facts.cell_roles import marks, role
from hub.verification.answers import Answer
from hub.verification.batches import STOPPED, Outcome
from hub.verification.trials import SplitTest

FROM_THE_TEXT = "from the text alone"  # in the title of a right answer, says how it came about
CAUGHT_VISIBLY = 1 / 2  # of the listed wrong answers, at least
# Words that fit any message, so that one of no others says nothing of its exercise.
_GENERAL = """
a an and any are argument array as assertion at be been bool both but by call called can cell
class correct did differ different do does done each else entries entry equal error every expect
expected fail failed fails false first float for from function gave get give given gives got had
has have here how if in incorrect input int is it its last less list mistake more most must nan
neither no none nor not number object of off on one only or other output pass property rather
receive received result return returned returns right same seed shape should some something str
string such tensor test than that the their them then there these they thing this those to true
tuple two type value was were what when where which who why with wrong you your
"""
GENERAL = frozenset(_GENERAL.split())
_WORD = re.compile(r"[a-z]+")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_FRAME = re.compile(r", in ([\w<>.]+)\(")
_OWN_CALL = re.compile(r"(?:[\w<>]+\.)*(\w+)\(\)")  # begins Python's message about a wrong call


def words_of(notebook: NotebookNode) -> dict[str, frozenset[str]]:
    """For each exercise the words of its text and of its cell as students see it."""
    found: dict[str, frozenset[str]] = {}
    text = ""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            text += f"\n{cell.source}"
        elif role(cell) == "solution":
            found[marks(cell).name] = _words(f"{text}\n{student_text(cell.source)}")
            text = ""
        elif role(cell) == "test":
            text = ""
    return found


def _words(text: str) -> frozenset[str]:
    """Words in small letters, plurals as singulars; identifiers are cut at their underscores."""
    plain = (word.removesuffix("s") for word in _WORD.findall(text.lower()) if len(word) > 1)
    return frozenset(plain) - {word.removesuffix("s") for word in GENERAL}


def listed_too_little(exercise: str, listed: Sequence[Answer]) -> Iterator[str]:
    """Whether a right answer is missing that was typed before its author saw the reference."""
    right = [one.title for one in listed if (one.kind, one.exercise) == ("right", exercise)]
    if not any(FROM_THE_TEXT in title for title in right):
        yield f"answers.py lists no right answer that is typed “{FROM_THE_TEXT}”"


def caught_too_little(wrong: int, caught_visibly: int) -> Iterator[str]:
    """Whether students submit most slips without having seen a message."""
    if caught_visibly < CAUGHT_VISIBLY * wrong:
        yield f"its visible tests catch {caught_visibly} of {wrong} wrong answers, less than half"


def unclear_messages(
    outcomes: Sequence[Outcome],
    tests: Mapping[str, SplitTest],
    words: Mapping[str, Collection[str]],
) -> Iterator[tuple[str, str]]:
    """Exercises with a message to a wrong answer that names nothing of the exercise, or with an
    error of a test's own; each once, however often it is seen."""
    seen: set[tuple[str, str, str]] = set()
    for outcome in outcomes:
        exercise = outcome.answer.exercise
        if outcome.answer.kind != "wrong" or exercise is None:
            continue
        for name, why in outcome.failed.items():
            kind, _, message = why.partition(": ")
            if tests[name].exercise != exercise or kind in STOPPED:
                continue
            if name in outcome.leaked:
                finding = f"{name} ends with an error of its own"
            elif kind == "AssertionError" and not _words(message) & set(words[exercise]):
                finding = f"{name} names nothing of the exercise"
            else:
                continue
            key = (name, kind, re.sub(r"[\d.]+", "0", message))
            if key not in seen:
                seen.add(key)
                yield (
                    exercise,
                    f"{finding} ({why[:200].strip()}), seen with: {outcome.answer.title}",
                )


def is_own_error(output: Mapping[str, object], answer: str) -> bool:
    """Whether a test's error was raised by the test, and not in a call of the answer.

    output: an error of the kernel, whose traceback names the functions that were running.
    answer: the text whose functions were called.
    """
    if output["ename"] in STOPPED or output["ename"] in ("AssertionError", "NotImplementedError"):
        return False
    defined = _functions(answer)
    wrong_call = _OWN_CALL.match(str(output["evalue"]))
    if wrong_call and wrong_call[1] in defined:
        return False
    lines = output["traceback"]
    assert isinstance(lines, list)
    running = _FRAME.findall(_COLOUR.sub("", "\n".join(lines)))
    return not defined & {name.rpartition(".")[2] for name in running}


def _functions(text: str) -> set[str]:
    """The names that tracebacks give to the functions of a program."""
    try:
        nodes = list(ast.walk(ast.parse(text)))
    except SyntaxError:
        return set()
    named = {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    return named | {"<lambda>" for node in nodes if isinstance(node, ast.Lambda)}
