"""Registers an assignment in the gradebook: its notebooks, cells, points and due date.

nbgrader does this while generating a release; a course that starts from a shipped release
needs it separately, before there are any students.
"""

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from nbformat.notebooknode import NotebookNode
from nbgrader.api import Assignment, Gradebook, MissingEntry
from nbgrader.preprocessors import SaveCells

from hub.authoring.errors import SubmissionsExist
from hub.authoring.pairing import sync
from hub.authoring.preprocessors import TO_GRADEBOOK, run
from hub.authoring.release import make_release, source_notebooks
from hub.core.gradebook import open_gradebook
from hub.facts.cell_roles import marks


def register(
    course_root: Path,
    assignment: str,
    *,
    course_id: str,
    db_url: str,
    due: datetime | None = None,
) -> Iterator[str]:
    """Register `source/<assignment>` in the gradebook. Yields progress. Safe to repeat.

    `due` must have a time zone; it does not replace one that is recorded, which may be the
    exchange's.
    Submissions and grades are kept. Raises SubmissionsExist, before changing anything, if
    cells or notebooks were added or removed after students submitted.
    """
    if due is not None and due.tzinfo is None:
        raise ValueError(f"The due date {due} has no time zone.")
    notebooks = source_notebooks(course_root / "source" / assignment)
    with open_gradebook(db_url, course_id) as gradebook:
        refuse_after_submissions(gradebook, assignment, notebooks)
        recorded = gradebook.update_or_create_assignment(assignment)
        if due is not None and recorded.duedate is None:
            gradebook.update_or_create_assignment(assignment, duedate=due.isoformat())
        for gone in sorted({old.name for old in recorded.notebooks} - notebooks.keys()):
            gradebook.remove_notebook(gone, assignment)
            yield f"{assignment}: notebook {gone} removed from the gradebook"
    for name, notebook in notebooks.items():
        resources = {"nbgrader": {"notebook": name, "assignment": assignment, "db_url": db_url}}
        run([*TO_GRADEBOOK, SaveCells], notebook, resources)
    with open_gradebook(db_url, course_id) as gradebook:
        points = gradebook.find_assignment(assignment).max_score
    yield f"{assignment}: {len(notebooks)} notebook(s), {points:g} points in the gradebook"


def release_in_course(
    course_root: Path,
    assignment: str,
    *,
    course_id: str,
    db_url: str,
    due: datetime | None = None,
) -> Iterator[str]:
    """Make `release/<assignment>` of a course and register it in the gradebook, or neither.

    Raises what `make_release` and `register` raise, leaving the release and the gradebook
    unchanged.
    """
    source_folder = course_root / "source" / assignment
    yield from sync(source_folder)
    with open_gradebook(db_url, course_id) as gradebook:
        refuse_after_submissions(gradebook, assignment, source_notebooks(source_folder))
    yield from make_release(course_root / "source", assignment, course_root / "release")
    yield from register(course_root, assignment, course_id=course_id, db_url=db_url, due=due)


def refuse_after_submissions(
    gradebook: Gradebook, assignment: str, notebooks: dict[str, NotebookNode]
) -> None:
    """Raise SubmissionsExist if registering these notebooks would add or remove cells of an
    assignment that somebody has submitted."""
    try:
        recorded = gradebook.find_assignment(assignment)
    except MissingEntry:
        return
    if not recorded.submissions:
        return
    before, after = _recorded_cells(recorded), _source_cells(notebooks)
    changes = [f"{cell} was removed" for cell in sorted(before - after)]
    changes += [f"{cell} was added" for cell in sorted(after - before)]
    if changes:
        raise SubmissionsExist(assignment, len(recorded.submissions), changes)


def _recorded_cells(assignment: Assignment) -> set[str]:
    cells = set()
    for notebook in assignment.notebooks:
        cells.add(f"notebook {notebook.name}")
        cells |= {f"cell {notebook.name}/{cell.name}" for cell in notebook.source_cells}
        cells |= {f"points of {notebook.name}/{cell.name}" for cell in notebook.grade_cells}
        cells |= {f"points of {notebook.name}/{cell.name}" for cell in notebook.task_cells}
    return cells


def _source_cells(notebooks: dict[str, NotebookNode]) -> set[str]:
    cells = set()
    for name, notebook in notebooks.items():
        cells.add(f"notebook {name}")
        for cell in notebook.cells:
            if "nbgrader" not in cell.metadata:
                continue
            cells.add(f"cell {name}/{marks(cell).name}")
            if marks(cell).has_points:
                cells.add(f"points of {name}/{marks(cell).name}")
    return cells
