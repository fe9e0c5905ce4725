"""Checks whether an assignment is graded by its current source.

Submissions are graded by the cells in the gradebook, registered when the student version was
generated. A test corrected in the source since then has no effect until it is generated again, so
the difference is reported wherever an assignment is graded or checked.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from nbformat import NotebookNode
from nbgrader.api import Gradebook, MissingEntry
from nbgrader.coursedir import CourseDirectory

from hub.authoring.errors import AuthoringError
from hub.authoring.preprocessors import TO_GRADEBOOK, run
from hub.authoring.release import source_notebooks
from hub.facts.cell_roles import marks

MOST_NAMED = 5


@dataclass(frozen=True)
class GivenCell:
    """A cell of the course as released.

    what: what an author calls it.
    content: nbgrader's checksum over text, kind and points; the text if nbgrader computes none.
    """

    what: str
    content: str


def not_released(coursedir: CourseDirectory, assignment: str) -> list[str]:
    """How the source of `assignment` differs from what its submissions are graded by; a sentence
    per notebook. Empty if there is no source, or nothing released, to compare."""
    source = Path(coursedir.format_path(coursedir.source_directory, ".", assignment))
    if not source.is_dir():
        return []
    with Gradebook(coursedir.db_url, coursedir.course_id) as gradebook:
        try:
            notebooks = gradebook.find_assignment(assignment).notebooks
        except MissingEntry:
            return []
        released = {
            book.name: {cell.name: cell.checksum or cell.source for cell in book.source_cells}
            for book in notebooks
        }
    try:
        written = _written(source, _state(source))
    except AuthoringError as error:
        return [f"{assignment}: its source cannot be compared with its release. {error}"]
    return [
        _sentence(assignment, name, changes)
        for name, cells in written.items()
        if (changes := list(differences(cells, released.get(name, {}))))
    ]


@lru_cache(maxsize=4)
def _written(source: Path, state: frozenset[object]) -> dict[str, dict[str, GivenCell]]:
    """The course's cells of each notebook in a source folder; cached, as a class is scored one
    submission at a time. Raises AuthoringError."""
    return {name: given_cells(notebook) for name, notebook in source_notebooks(source).items()}


def _state(folder: Path) -> frozenset[object]:
    """A value that changes whenever a file in the folder is written."""
    found = [(path.name, path.stat()) for path in folder.iterdir()]
    return frozenset((name, status.st_mtime_ns, status.st_size) for name, status in found)


def given_cells(source: NotebookNode) -> dict[str, GivenCell]:
    """The course's cells of an instructor's notebook by grade id, solutions left out. Pure."""
    found = {}
    for cell in run(TO_GRADEBOOK, source, {}).cells:
        if marks(cell).locked or not marks(cell).is_given:
            content = cell.metadata.nbgrader.get("checksum") or cell.source
            found[marks(cell).name] = GivenCell(_what(cell), content)
    return found


def differences(written: Mapping[str, GivenCell], released: Mapping[str, str]) -> Iterator[str]:
    """Messages about cells whose content differs from the release. Pure."""
    for name, cell in written.items():
        if name not in released:
            yield f"{cell.what} `{name}` is new"
        elif cell.content != released[name]:
            yield f"{cell.what} `{name}` has changed"
    for name in released:
        if name not in written:
            yield f"cell `{name}` was removed"


def _what(cell: NotebookNode) -> str:
    found = marks(cell)
    if found.task:
        return "task"
    if found.solution:
        return "answer cell"
    return "test cell" if found.grade else "given cell"


def _sentence(assignment: str, notebook: str, changes: list[str]) -> str:
    more = len(changes) - MOST_NAMED
    named = ", ".join(changes[:MOST_NAMED]) + (f", and {more} more" if more > 0 else "")
    return (
        f"{assignment}: {notebook}.ipynb is not graded as its source says: {named} since the "
        f"release. `logitlab generate {assignment}`, or Generate in the formgrader, applies it; "
        f"`logitlab autograde {assignment} --force` then regrades what is already graded."
    )
