"""A course folder with one tiny assignment, released and registered, for tests of grading."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from nbgrader.apps import NbGraderAPI
from traitlets.config import Config

from hub.core.settings import Settings
from hub.grading.pipeline.configuration import update_grading
from tests.gradebooks import empty_gradebook

ASSIGNMENT = "ps1"
NOTEBOOK = "tiny"
HIDDEN_SECRET = "4_711"  # stands in a hidden test only

GIVEN = "import warnings\n\nSIZE = 3"
DOUBLE = "def double(x):\n    ### BEGIN SOLUTION\n    return 2 * x\n    ### END SOLUTION"
DOUBLE_TEST = "assert double(SIZE) == 6, 'double(3) must be 6'"
DOUBLE_HIDDEN = (
    "assert callable(double)\n"
    "### BEGIN HIDDEN TESTS\n"
    f"secret_value = {HIDDEN_SECRET}\n"
    "assert double(secret_value) == secret_value + secret_value, 'double fails on a large number'\n"
    "### END HIDDEN TESTS"
)
SQUARE = "def square(x):\n    ### BEGIN SOLUTION\n    return x * x\n    ### END SOLUTION"
SQUARE_TEST = (
    "assert square(3) == 9\n### BEGIN HIDDEN TESTS\nassert square(-2) == 4\n### END HIDDEN TESTS"
)

RIGHT_DOUBLE = "def double(x):\n    return x + x"
RIGHT_SQUARE = "def square(x):\n    return x**2"
ONLY_HIDDEN_FAILS = "def double(x):\n    return 6"


def marks(name: str, **marks: Any) -> dict[str, Any]:
    plain = {"grade": False, "solution": False, "locked": False, "task": False}
    return {"nbgrader": {"schema_version": 3, "grade_id": name, **plain, **marks}}


def source_notebook() -> NotebookNode:
    """The instructor's notebook: 5 points by tests, 4 by hand."""
    test = {"grade": True, "locked": True}
    cells = [
        new_markdown_cell("# Doubling", id="intro"),
        new_code_cell(GIVEN, metadata=marks("released-1", locked=True), id="released-1"),
        new_code_cell(DOUBLE, metadata=marks("double", solution=True), id="double"),
        new_code_cell(
            DOUBLE_TEST, metadata=marks("double_test", points=1, **test), id="double_test"
        ),
        new_code_cell(
            DOUBLE_HIDDEN, metadata=marks("double_test_2", points=2, **test), id="double_test_2"
        ),
        new_code_cell(SQUARE, metadata=marks("square", solution=True), id="square"),
        new_code_cell(
            SQUARE_TEST, metadata=marks("square_test", points=2, **test), id="square_test"
        ),
        new_markdown_cell(
            "An essay",
            metadata=marks("why", grade=True, solution=True, points=4),
            id="why",
        ),
    ]
    spec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = new_notebook(cells=cells, metadata={"kernelspec": spec})
    notebook.nbformat_minor = 5
    return notebook


def settings(**sections: Any) -> Settings:
    grading = {"cell_seconds": 3, "notebook_seconds": 60, **sections.pop("grading", {})}
    return Settings.model_validate({"course": {"id": "tiny"}, "grading": grading, **sections})


def course_config(root: Path, chosen: Settings | None = None) -> Config:
    config = Config()
    config.CourseDirectory.root = str(root)
    config.CourseDirectory.course_id = "tiny"
    config.CourseDirectory.db_url = f"sqlite:///{root / 'gradebook.db'}"
    update_grading(config, chosen or settings())
    return config


def make_course(
    root: Path, database: str | None = None, source: NotebookNode | None = None
) -> None:
    folder = root / "source" / ASSIGNMENT
    folder.mkdir(parents=True)
    nbformat.write(source or source_notebook(), folder / f"{NOTEBOOK}.ipynb")
    (folder / "data.txt").write_text("given data\n")
    config = course_config(root)
    if database is None:
        (root / "gradebook.db").write_bytes(empty_gradebook("tiny"))
    else:
        config.CourseDirectory.db_url = database
    result = NbGraderAPI(config=config).generate_assignment(ASSIGNMENT)
    assert result["success"], result


def released(root: Path) -> NotebookNode:
    return nbformat.read(root / "release" / ASSIGNMENT / f"{NOTEBOOK}.ipynb", as_version=4)


def answered(root: Path, **answers: str) -> NotebookNode:
    """The released notebook with right answers, or those given by grade id."""
    texts = {"double": RIGHT_DOUBLE, "square": RIGHT_SQUARE, "why": "Because.", **answers}
    notebook = released(root)
    for cell in notebook.cells:
        name = cell.metadata.get("nbgrader", {}).get("grade_id")
        if name in texts:
            cell.source = texts[name]
    return notebook


def cell_named(notebook: NotebookNode, name: str) -> NotebookNode:
    return next(
        cell for cell in notebook.cells if cell.metadata.get("nbgrader", {}).get("grade_id") == name
    )


def submit(
    root: Path,
    student: str,
    notebook: NotebookNode | bytes,
    timestamp: str = "2027-01-01 10:00:00 UTC",
    *,
    assignment: str = ASSIGNMENT,
    name: str = NOTEBOOK,
) -> Path:
    """Put a notebook where the exchange's collect puts it."""
    folder = root / "submitted" / student / assignment
    folder.mkdir(parents=True, exist_ok=True)
    data = notebook if isinstance(notebook, bytes) else json.dumps(notebook).encode()
    (folder / f"{name}.ipynb").write_bytes(data)
    (folder / "timestamp.txt").write_text(timestamp)
    return folder
