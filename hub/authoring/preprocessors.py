"""nbgrader's preprocessors from an instructor's notebook to a student's, with two of ours."""

from typing import Any

from nbformat.notebooknode import NotebookNode, from_dict
from nbgrader.preprocessors import (
    CheckCellMetadata,
    ClearHiddenTests,
    ClearMarkScheme,
    ClearOutput,
    ClearSolutions,
    ComputeChecksums,
    LockCells,
    NbGraderPreprocessor,
)

from hub.authoring.notebook import complete

RELEASED_METADATA = ("nbgrader", "deletable", "editable", "tags", "jupyter")


class CompleteCells(NbGraderPreprocessor):
    """Gives every cell, even one just added in JupyterLab, its role and id, and drops all other
    notebook metadata, so that the result depends on the source alone."""

    def preprocess(
        self, nb: NotebookNode, resources: dict[str, Any]
    ) -> tuple[NotebookNode, dict[str, Any]]:
        return complete(nb), resources


class OnlyReleasedMetadata(NbGraderPreprocessor):
    """Removes cell metadata that students have no use for."""

    def preprocess_cell(
        self, cell: NotebookNode, resources: dict[str, Any], index: int
    ) -> tuple[NotebookNode, dict[str, Any]]:
        cell.metadata = NotebookNode(
            {key: cell.metadata[key] for key in RELEASED_METADATA if key in cell.metadata}
        )
        return cell, resources


# nbgrader's own order, without header and footer notebooks, and without AUTOTEST directives,
# which run the solutions in a kernel to generate tests.
TO_GRADEBOOK: list[type[NbGraderPreprocessor]] = [
    CompleteCells,
    LockCells,
    ClearSolutions,
    ClearOutput,
    CheckCellMetadata,
    ComputeChecksums,
]
TO_STUDENT: list[type[NbGraderPreprocessor]] = [
    ClearHiddenTests,  # after the gradebook has stored the complete tests
    ClearMarkScheme,
    ComputeChecksums,
    CheckCellMetadata,
    OnlyReleasedMetadata,
]


def run(
    preprocessors: list[type[NbGraderPreprocessor]],
    notebook: NotebookNode,
    resources: dict[str, Any],
) -> NotebookNode:
    """The notebook after these preprocessors; the given one is not changed."""
    notebook = from_dict(notebook)
    for preprocessor in preprocessors:
        notebook, resources = preprocessor().preprocess(notebook, resources)
    return notebook
