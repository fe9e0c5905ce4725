"""The rules for test cells and exercises that can be read off the text, each a pure function.

They are the contract that lets a test cell run in the student's own process and in one apart from
it, and the promises that every exercise keeps: a visible and a hidden test, wrong answers, hints.
Each rule yields the sentences to show an author; an empty answer means that the rule is kept.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from nbformat import NotebookNode

from hub.authoring.notebook import text_to_notebook
from hub.authoring.pairing import ANSWERS_FILE
from hub.facts.cell_roles import role
from hub.grading.isolation.manifest import CellFacts, Manifest, ManifestError, read
from hub.verification.answers import Answer, read_answers
from hub.verification.fairness import listed_too_little

# Each could tell which mode a test runs in, reach past the boundary, or trust the student's word.
FORBIDDEN_NAMES = frozenset(
    {
        *("eval", "exec", "compile", "globals", "locals", "vars", "inspect", "gc", "sys", "ctypes"),
        *("setattr", "delattr", "deepcopy", "mock", "monkeypatch", "print", "get_ipython"),
    }
)
BROAD = {"Exception", "BaseException"}
LOADER, CLEANER = "model", "remove_hooks"
# What a model's attributes with such names give has not passed a hook point.
UNHOOKED = ("cfg", "tokenizer", "to_", "W_", "b_")
FEWEST_WRONG, FEWEST_RIGHT, FEWEST_HINTS = 4, 1, 2
TOGETHER = "together_test"  # begins the name of a cell that tests all of a student's parts at once
LARGEST_SHARE = 0.1  # of the points, for such cells: there a slip costs a second time
DOTS = {
    "difficulty": re.compile(r"Difficulty [●○]{5}"),
    "importance": re.compile(r"Importance [●○]{5}"),
    "expected minutes": re.compile(r"\b\d+ minutes\b"),
}


@dataclass(frozen=True)
class ShippedAssignment:
    """A notebook of `source/` and the answers listed beside it."""

    name: str
    notebook: NotebookNode
    answers: tuple[Answer, ...]

    def cells(self, kind: str) -> list[NotebookNode]:
        """The code cells of one role, in order."""
        code = [cell for cell in self.notebook.cells if cell.cell_type == "code"]
        return [cell for cell in code if role(cell) == kind]

    def exercises(self) -> list[str]:
        """The grade_ids of the code cells that students fill in and tests grade."""
        return [grade_id(cell) for cell in self.cells("solution")]


def grade_id(cell: NotebookNode) -> str:
    """The cell's grade_id, or "" without one."""
    return cell.metadata.get("nbgrader", {}).get("grade_id", "")


def load(text_file: Path) -> ShippedAssignment:
    """The notebook text `text_file` with the answers.py beside it, if there is one."""
    notebook = text_to_notebook(text_file.read_text(encoding="utf-8"))
    listed = read_answers(text_file.with_name(ANSWERS_FILE))
    return ShippedAssignment(text_file.parent.name, notebook, tuple(listed))


def code_cells_have_one_of_four_roles(assignment: ShippedAssignment) -> Iterator[str]:
    """Given, solution, test, or the student's own: a graded cell is locked, a solution is not."""
    for cell in assignment.notebook.cells:
        marks = cell.metadata.get("nbgrader", {})
        if cell.cell_type != "code":
            continue
        if role(cell) == "test" and not marks["locked"]:
            yield f"{grade_id(cell)} is graded, so it must be locked"
        if role(cell) == "solution" and (marks["grade"] or marks["locked"]):
            yield f"{grade_id(cell)} is the student's: it is neither locked nor graded by itself"
        if role(cell) == "student" and "play" not in cell.metadata.get("tags", []):
            yield f"a cell without a role: {cell.source[:40]!r}"


def exercises_have_a_visible_and_a_hidden_test(assignment: ShippedAssignment) -> Iterator[str]:
    """Test cells are named after their exercise; one shows what it checks, one does not."""
    tests = {grade_id(cell): cell.source for cell in assignment.cells("test")}
    names = assignment.exercises()
    for exercise in names:
        own = [source for name, source in tests.items() if name.startswith(f"{exercise}_test")]
        if not any("### BEGIN HIDDEN TESTS" in source for source in own):
            yield f"{exercise} has no hidden test"
        if not any("### BEGIN HIDDEN TESTS" not in source for source in own):
            yield f"{exercise} has no visible test"
    for name in tests:
        if not any(name.startswith((f"{part}_test", TOGETHER)) for part in names):
            yield f"{name} is named after no exercise"


def a_test_of_all_parts_together_costs_little(assignment: ShippedAssignment) -> Iterator[str]:
    """A slip in one exercise costs its own points, and few where everything is used together."""
    points = {grade_id(c): c.metadata.nbgrader.points for c in assignment.cells("test")}
    together = sum(p for name, p in points.items() if name.startswith(TOGETHER))
    if together > LARGEST_SHARE * sum(points.values()):
        yield f"{together} of {sum(points.values())} points are for all parts together"


def exercises_have_wrong_and_right_answers(assignment: ShippedAssignment) -> Iterator[str]:
    """For each exercise at least four plausible wrong answers and one other right one, typed before
    its author saw the reference."""
    names = assignment.exercises()
    for exercise in names:
        for kind, fewest in (("wrong", FEWEST_WRONG), ("right", FEWEST_RIGHT)):
            count = sum((a.kind, a.exercise) == (kind, exercise) for a in assignment.answers)
            if count < fewest:
                yield f"{exercise} has {count} {kind} answers, {fewest} are asked for"
        for lack in listed_too_little(exercise, assignment.answers):
            yield f"{exercise}: {lack}"
    for answer in assignment.answers:
        if answer.exercise not in names:
            yield f"there is no exercise {answer.exercise} for the answer {answer.title!r}"


def answers_bind_what_the_solution_binds(assignment: ShippedAssignment) -> Iterator[str]:
    """An answer replaces the whole solution cell, so it defines the same global names."""
    want = {grade_id(cell): _bound(cell.source) for cell in assignment.cells("solution")}
    for answer in assignment.answers:
        bound = _bound(answer.text or "")
        if bound != want.get(answer.exercise or ""):
            yield f"{answer.exercise}, {answer.title!r}: it defines {bound}"


def exercises_say_what_they_ask_of_the_student(assignment: ShippedAssignment) -> Iterator[str]:
    """Difficulty, importance, minutes and a ladder of hints stand in the text before the cell."""
    for before, cell in _with_text_before(assignment):
        for what, dots in DOTS.items():
            if not dots.search(before):
                yield f"{grade_id(cell)} does not say its {what}"
        hints = before.count("<details><summary>Hint ")
        if hints < FEWEST_HINTS:
            yield f"{grade_id(cell)} has {hints} hints, {FEWEST_HINTS} are asked for"
        if before.count("<details>") != before.count("</details>"):
            yield f"{grade_id(cell)}: a <details> block is not closed"


def tests_use_nothing_forbidden(assignment: ShippedAssignment) -> Iterator[str]:
    """No way around the boundary, no printing, no catch-all that hides a broken call."""
    for cell in assignment.cells("test"):
        for node in ast.walk(ast.parse(cell.source)):
            name = _name(node)
            if name in FORBIDDEN_NAMES:
                yield f"{grade_id(cell)} uses {name}"
            if isinstance(node, ast.ExceptHandler) and _is_broad(node):
                yield f"{grade_id(cell)} catches every exception"


def tests_end_with_an_assert(assignment: ShippedAssignment) -> Iterator[str]:
    """nbgrader would read the value of a last expression as partial credit."""
    for cell in assignment.cells("test"):
        last: ast.AST = ast.parse(cell.source).body[-1]
        while isinstance(last, ast.For | ast.If | ast.With):
            last = last.body[-1]
        if not isinstance(last, ast.Assert):
            yield f"{grade_id(cell)} ends with {type(last).__name__}, not with an assert"


def tests_draw_fresh_inputs_and_say_the_seed(assignment: ShippedAssignment) -> Iterator[str]:
    """A seed typed into a test can be learnt; one that is not shown cannot be tried again."""
    for cell in assignment.cells("test"):
        if re.search(r"(manual_seed|Random|default_rng|\bseed)\(\s*\d", cell.source):
            yield f"{grade_id(cell)} has a fixed seed"
        if "manual_seed(" in cell.source and "seed {seed}" not in cell.source:
            yield f"{grade_id(cell)} does not show its seed in a message"


def tests_begin_with_models_without_hooks(assignment: ShippedAssignment) -> Iterator[str]:
    """A slip costs once: a hook that another exercise or a cell to play with left is taken off."""
    given = {name for cell in assignment.cells("released") for name in _models(cell.source)}
    for cell in assignment.cells("test"):
        known, clean = _models(cell.source) | dict.fromkeys(given), set()
        for use, text in _uses_of_models(ast.parse(cell.source), known):
            if use == CLEANER:
                clean |= {text, known.get(text)}
            elif text not in clean:
                yield f"{grade_id(cell)} uses {text} before {CLEANER}({text})"
                break


def names_are_bound_by_one_kind_of_cell(assignment: ShippedAssignment) -> Iterator[str]:
    """Given cells, solutions and tests share no name that they bind."""
    try:
        manifest = read(assignment.notebook)
    except ManifestError as error:
        yield str(error)
        return
    binders: dict[str, set[str]] = {}
    for facts in manifest.cells:
        for name in facts.stores:
            binders.setdefault(name, set()).add(_binder(manifest, facts))
    for name, kinds in sorted(binders.items()):
        if len(kinds) > 1:
            yield f"{name} is bound by {' and '.join(sorted(kinds))} cells"


def at_most_one_question_is_marked_by_hand(assignment: ShippedAssignment) -> Iterator[str]:
    """A person's time is the scarcest thing in the course."""
    by_hand = [
        grade_id(cell)
        for cell in assignment.notebook.cells
        if (marks := cell.metadata.get("nbgrader", {}))
        and (marks.get("task") or (marks.get("grade") and marks.get("solution")))
    ]
    if len(by_hand) > 1:
        yield f"marked by hand: {', '.join(by_hand)}"


RULES = (
    code_cells_have_one_of_four_roles,
    exercises_have_a_visible_and_a_hidden_test,
    a_test_of_all_parts_together_costs_little,
    exercises_have_wrong_and_right_answers,
    answers_bind_what_the_solution_binds,
    exercises_say_what_they_ask_of_the_student,
    tests_use_nothing_forbidden,
    tests_end_with_an_assert,
    tests_draw_fresh_inputs_and_say_the_seed,
    tests_begin_with_models_without_hooks,
    names_are_bound_by_one_kind_of_cell,
    at_most_one_question_is_marked_by_hand,
)


def _with_text_before(assignment: ShippedAssignment) -> Iterator[tuple[str, NotebookNode]]:
    """Each solution cell with the Markdown between it and the exercise before it."""
    text = ""
    for cell in assignment.notebook.cells:
        if cell.cell_type == "markdown":
            text += cell.source + "\n"
        elif role(cell) in ("solution", "test"):
            if role(cell) == "solution":
                yield text, cell
            text = ""


def _bound(source: str) -> set[str]:
    """The functions, classes and variables that a cell's statements define at its top level."""
    bound: set[str] = set()
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            bound.add(node.name)
        elif isinstance(node, ast.Assign):
            bound |= {t.id for t in node.targets if isinstance(t, ast.Name)}
    return bound


def _models(source: str) -> dict[str, str | None]:
    """The names that a cell's statements give to a model, each with the text of the call."""
    return {
        target.id: ast.unparse(node.value)
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Assign) and _loads_model(node.value)
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def _loads_model(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and _name(node.func) == LOADER


def _uses_of_models(node: ast.AST, known: Collection[str]) -> Iterator[tuple[str, str]]:
    """What is done with models, in order: CLEANER, or another use; and the text of the model.

    Left out are functions that a test defines: they run later.
    """
    if isinstance(node, ast.FunctionDef | ast.Lambda):
        return
    if isinstance(node, ast.Assign) and _loads_model(node.value):
        return
    if isinstance(node, ast.Attribute) and node.attr.startswith(UNHOOKED):
        return
    if isinstance(node, ast.Call) and _name(node.func) == CLEANER:
        yield CLEANER, ast.unparse(node.args[0])
    elif _loads_model(node) or (isinstance(node, ast.Name) and node.id in known):
        yield "use", ast.unparse(node)
    else:
        for child in ast.iter_child_nodes(node):
            yield from _uses_of_models(child, known)


def _name(node: ast.AST) -> str:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return node.attr
    if isinstance(node, ast.alias):
        return node.name.rpartition(".")[2]
    return ""


def _is_broad(handler: ast.ExceptHandler) -> bool:
    caught = handler.type
    listed = caught.elts if isinstance(caught, ast.Tuple) else [caught]
    return any(kind is None or _name(kind) in BROAD for kind in listed)


def _binder(manifest: Manifest, facts: CellFacts) -> str:
    """The kind of cell for rule 4; given cells that use a student's name run with the student."""
    if facts.role == "released":
        return "given" if manifest.runs_isolated(facts) else "given cells that use a student's name"
    return facts.role
