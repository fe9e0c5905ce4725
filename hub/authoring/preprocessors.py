"""nbgrader preprocessors that make a release complete at its start and reproducible at its end."""

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
    SaveCells,
)

from hub.authoring.notebook import KERNELSPEC, LANGUAGE_INFO, complete

RELEASED_METADATA = ("nbgrader", "deletable", "editable", "tags")


class CompleteCells(NbGraderPreprocessor):
    """Gives cells that were added in JupyterLab what a text's cells get: roles, locks, ids."""

    def preprocess(
        self, nb: NotebookNode, resources: dict[str, Any]
    ) -> tuple[NotebookNode, dict[str, Any]]:
        return complete(nb), resources


class Canonical(NbGraderPreprocessor):
    """Leaves nothing in a released notebook that is not decided by its source."""

    def preprocess(
        self, nb: NotebookNode, resources: dict[str, Any]
    ) -> tuple[NotebookNode, dict[str, Any]]:
        nb.metadata = from_dict({"kernelspec": KERNELSPEC, "language_info": LANGUAGE_INFO})
        nb.nbformat, nb.nbformat_minor = 4, 5
        for cell in nb.cells:
            cell.metadata = NotebookNode(
                {key: cell.metadata[key] for key in RELEASED_METADATA if key in cell.metadata}
            )
        return nb, resources


# nbgrader's own order. Left out of it: header and footer notebooks, and AUTOTEST directives,
# which run the solutions in a kernel to make tests.
TO_GRADEBOOK: list[type[NbGraderPreprocessor]] = [
    CompleteCells,
    LockCells,
    ClearSolutions,
    ClearOutput,
    CheckCellMetadata,
    ComputeChecksums,
]
TO_STUDENT: list[type[NbGraderPreprocessor]] = [
    ClearHiddenTests,  # after the gradebook has stored the tests whole
    ClearMarkScheme,
    ComputeChecksums,
    CheckCellMetadata,
    Canonical,
]
GENERATE_ASSIGNMENT = [*TO_GRADEBOOK, SaveCells, *TO_STUDENT]


def run(
    preprocessors: list[type[NbGraderPreprocessor]],
    notebook: NotebookNode,
    resources: dict[str, Any],
) -> NotebookNode:
    """The notebook after these preprocessors, the given one left as it was."""
    notebook = from_dict(notebook)
    for preprocessor in preprocessors:
        notebook, resources = preprocessor().preprocess(notebook, resources)
    return notebook
