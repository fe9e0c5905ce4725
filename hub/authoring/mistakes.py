"""Finds mistakes in the source of an assignment before anything is released."""

import dis
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from types import CodeType

from IPython.core.inputtransformer2 import TransformerManager
from nbformat.notebooknode import NotebookNode
from nbgrader.nbgraderformat import MetadataValidator, SchemaTooNewError, SchemaTooOldError
from nbgrader.nbgraderformat import ValidationError as NbgraderValidationError

from hub.authoring.notebook import RELEASED_ID, is_play
from hub.authoring.regions import split, student_text
from hub.facts.cell_roles import marks
from hub.facts.regions import Region

GRADE_ID = re.compile(r"[a-zA-Z0-9_-]+")


@dataclass(frozen=True)
class Mistake:
    """One finding. `fatal` ones stop the release; the others are warnings."""

    notebook: str
    cell: str
    message: str
    fatal: bool = True

    def __str__(self) -> str:
        return f"{self.notebook}, {self.cell}: {self.message}"


def find_mistakes(notebook: NotebookNode, name: str) -> list[Mistake]:
    """All mistakes in a complete source notebook; `name` is for the messages."""
    found: list[Mistake] = []
    for position, cell in enumerate(notebook.cells, start=1):
        for message, fatal in _in_cell(cell):
            found.append(Mistake(name, where(cell, position), message, fatal))
    found += [Mistake(name, f"grade id {gid}", message) for gid, message in _duplicates(notebook)]
    found += [Mistake(name, f"cell {gid}", message) for gid, message in _untested(notebook)]
    found += [Mistake(name, label, message, False) for label, message in _early_use(notebook)]
    return found


def where(cell: NotebookNode, position: int) -> str:
    """How messages name a cell."""
    name = marks(cell).name
    return f"cell {name}" if name else f"cell number {position}"


def _in_cell(cell: NotebookNode) -> Iterator[tuple[str, bool]]:
    meta = cell.metadata.get("nbgrader", {})
    found = marks(cell)
    yield from ((problem, True) for problem in split(cell.source).problems)
    yield from ((problem, True) for problem in _misplaced(cell))
    if meta and not GRADE_ID.fullmatch(str(meta.get("grade_id", ""))):
        yield "its grade_id must be made of letters, digits, - and _", True
    elif not found.is_given and RELEASED_ID.fullmatch(meta["grade_id"]):
        yield "grade ids released-<number> are reserved for given cells; choose another", True
    if found.has_points and "points" not in meta:
        yield 'it is graded but has no "points"', True
    elif found.has_points and not meta["points"]:
        yield "it is graded but worth 0 points", False
    if meta and is_play(cell):
        yield "it is tagged play, which is for cells without nbgrader metadata", True
    if "AUTOTEST" in cell.source and found.grade:
        yield "AUTOTEST directives are not supported; write the test out", True
    if cell.cell_type == "code" and found.solution:
        yield from _stub(cell)
    if cell.cell_type == "code" and (error := _syntax_error(cell.source)):
        yield f"it does not compile: {error}", True
    elif "points" in meta or not found.has_points:
        yield from _by_nbgrader(cell)


def _misplaced(cell: NotebookNode) -> Iterator[str]:
    """Markers in a type of cell from which nbgrader would not remove them."""
    found = marks(cell)
    allowed = {
        Region.SOLUTION: (found.solution, "a solution cell"),
        Region.HIDDEN_TESTS: (found.grade, "a graded cell"),
        Region.MARK_SCHEME: (found.task, "a task cell"),
    }
    for region in dict.fromkeys(marked.region for marked in split(cell.source).marked):
        fits, home = allowed[region]
        if not fits:
            yield f"it has a {region.value} region but is not {home}"


def _stub(cell: NotebookNode) -> Iterator[tuple[str, bool]]:
    """Mistakes in what students start from in a code solution cell."""
    if not any(marked.region is Region.SOLUTION for marked in split(cell.source).marked):
        yield (
            "it has no BEGIN SOLUTION: the student version loses the whole cell, even its "
            "signature",
            False,
        )
    elif not _syntax_error(cell.source) and (error := _syntax_error(student_text(cell.source))):
        yield f"with the solution cut out it does not compile for students: {error}", True


def _by_nbgrader(cell: NotebookNode) -> Iterator[tuple[str, bool]]:
    try:
        MetadataValidator().validate_cell(cell)
    except NbgraderValidationError as error:
        yield f"nbgrader refuses its metadata: {str(error).splitlines()[0]}", True
    except (SchemaTooOldError, SchemaTooNewError) as error:
        yield f'its nbgrader metadata needs "schema_version": {error.expected_version}', True


def _duplicates(notebook: NotebookNode) -> Iterator[tuple[str, str]]:
    count = Counter(marks(cell).name for cell in notebook.cells)
    for grade_id, times in count.items():
        if grade_id and times > 1:
            yield grade_id, f"{times} cells have this id; every cell needs its own"


def _untested(notebook: NotebookNode) -> Iterator[tuple[str, str]]:
    """Code solution cells without a test cell, either by name (`<id>_test…`) or by
    position before the next solution."""
    cells = [cell for cell in notebook.cells if _has_role(cell)]
    tests = {marks(cell).name for cell in cells if _is_test(cell)}
    for index, cell in enumerate(cells):
        found = marks(cell)
        if cell.cell_type != "code" or not found.solution or found.by_hand:
            continue
        following = next((c for c in cells[index + 1 :] if not marks(c).is_given), None)
        if any(test.startswith(f"{found.name}_test") for test in tests):
            continue
        if following is None or not _is_test(following):
            yield (
                found.name,
                f"no test cell grades this solution; add one with id {found.name}_test",
            )


def _early_use(notebook: NotebookNode) -> Iterator[tuple[str, str]]:
    """Given cells that use a name bound only by a solution: they fail until it is solved."""
    bound_by_solution: set[str] = set()
    bound_elsewhere: set[str] = set()
    for position, cell in enumerate(notebook.cells, start=1):
        if cell.cell_type != "code" or _syntax_error(cell.source):
            continue
        found = marks(cell)
        binds, uses = names(cell.source)
        if found.solution:
            given = student_text(cell.source)
            at_start = set() if _syntax_error(given) else names(given)[0]
            bound_by_solution |= binds - at_start
            bound_elsewhere |= at_start
            continue
        bound_elsewhere |= binds
        missing = sorted((uses & bound_by_solution) - bound_elsewhere)
        if missing and not found.grade:
            yield (
                where(cell, position),
                f"it uses {', '.join(missing)}, which only a solution binds: students who have "
                f"not solved that yet see an error here",
            )


def names(source: str) -> tuple[set[str], set[str]]:
    """The global names that a cell binds at top level, and those it reads anywhere.

    Raises SyntaxError if the cell does not compile.
    """
    return _stores_and_loads(_compile(source), top=True)


def _compile(source: str) -> CodeType:
    return compile(TransformerManager().transform_cell(source), "<cell>", "exec")


def _syntax_error(source: str) -> str | None:
    try:
        _compile(source)
    except (SyntaxError, ValueError) as error:
        return str(error)
    return None


def _stores_and_loads(code: CodeType, top: bool) -> tuple[set[str], set[str]]:
    stores: set[str] = set()
    loads: set[str] = set()
    for instruction in dis.get_instructions(code):
        if instruction.opname == "STORE_GLOBAL" or (top and instruction.opname == "STORE_NAME"):
            stores.add(instruction.argval)
        elif instruction.opname in ("LOAD_NAME", "LOAD_GLOBAL"):
            loads.add(instruction.argval)
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            inner_stores, inner_loads = _stores_and_loads(constant, top=False)
            stores |= inner_stores
            loads |= inner_loads
    return stores, loads


def _has_role(cell: NotebookNode) -> bool:
    return "nbgrader" in cell.metadata


def _is_test(cell: NotebookNode) -> bool:
    return cell.cell_type == "code" and marks(cell).is_test
