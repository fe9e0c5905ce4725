"""Finds Python files beside a notebook that its cells need but students do not get.

`.py` files are never released, as the text of the notebook and its answers are such
files. A given cell that imports one works for the author but for nobody else.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

from IPython.core.inputtransformer2 import TransformerManager
from nbformat.notebooknode import NotebookNode

from hub.authoring.mistakes import Mistake, where
from hub.authoring.pairing import ANSWERS_FILE, is_notebook_text
from hub.authoring.regions import student_text
from hub.facts.cell_roles import marks

PYTHON_FILES = "Python files are not released: put what students need from it into a given cell"


def modules_left_out(notebook: NotebookNode, name: str, folder: Path) -> list[Mistake]:
    """The cells of a source notebook that need a Python file in its folder; `name` is for the
    messages."""
    there = python_files(folder)
    return [
        Mistake(
            name,
            where(cell, position),
            f"it needs {there[module]}; {PYTHON_FILES}",
        )
        for position, cell in enumerate(notebook.cells, start=1)
        if cell.cell_type == "code"
        for module in sorted(needed(_kept(cell)) & there.keys())
    ]


def python_files(folder: Path) -> dict[str, str]:
    """What can be imported from a source folder, by module name: files and packages."""
    files = {
        path.stem: path.name
        for path in folder.glob("*.py")
        if path.name == ANSWERS_FILE or not is_notebook_text(path)
    }
    return files | {
        path.name: f"{path.name}/"
        for path in folder.iterdir()
        if path.is_dir() and not path.name.startswith((".", "_")) and any(path.glob("*.py"))
    }


def needed(source: str) -> set[str]:
    """The modules that a cell imports, and the Python files that it names (`%run x.py`)."""
    try:
        tree = ast.parse(TransformerManager().transform_cell(source))
    except (SyntaxError, ValueError):
        return set()  # reported as a separate mistake
    return {module.partition(".")[0] for node in ast.walk(tree) for module in _modules(node)}


def _modules(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        yield from [node.module] if node.module else (alias.name for alias in node.names)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        yield from (Path(word).stem for word in node.value.split()[:1] if word.endswith(".py"))


def _kept(cell: NotebookNode) -> str:
    """The code of a cell that runs when a student's notebook is graded."""
    return student_text(cell.source) if marks(cell).solution else cell.source
