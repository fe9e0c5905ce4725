"""The released notebook that a student's notebook is validated against."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
from jsonschema import ValidationError
from nbformat import NotebookNode
from nbformat.v4 import new_notebook
from nbgrader.coursedir import CourseDirectory
from nbgrader.nbgraderformat import MetadataValidator
from nbgrader.nbgraderformat.common import SchemaMismatchError
from nbgrader.utils import compute_checksum
from traitlets.config import Config

from hub.exchange import archive
from hub.exchange.client import Exchange
from hub.exchange.errors import Refusal
from hub.facts import manifest
from hub.facts.cell_roles import marks
from hub.facts.manifest import ManifestError, StudentNames
from hub.grading.isolation.manifest import read
from hub.grading.pipeline.execute import files_below

AUTHORS_FOLDER = "source"  # of a course; its notebooks are newer than their release


@dataclass(frozen=True)
class Released:
    """A release that a notebook is rebuilt from.

    notebook: has the course's cells.
    names: what it says of its names; None if it says nothing, so that its tests cannot run
        isolated.
    has_hidden: whether its tests have their hidden parts.
    files: the files that students get with it, by relative name.
    remarks: what to know about it, one sentence each.
    """

    notebook: NotebookNode
    names: StudentNames | None = None
    has_hidden: bool = False
    files: Mapping[str, Path] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)


@contextmanager
def released(path: Path, config: Config) -> Iterator[Released]:
    """The release of the notebook at `path`, in the folder of its assignment.

    Fetched from the exchange; if that fails, the course's cells in the notebook itself
    serve instead. The files are removed afterwards.
    """
    with tempfile.TemporaryDirectory(prefix="logitlab-") as folder:
        if path.parent.parent.name == AUTHORS_FOLDER:
            yield _authors(own_cells(path.read_bytes()))
            return
        try:
            _fetch(path.parent.name, config, Path(folder))
        except Refusal as refusal:
            remark = (
                "The release could not be fetched, so this notebook was checked against itself and "
                f"missing cells of the course go unnoticed. {refusal}"
            )
            yield _student_version(own_cells(path.read_bytes()), remarks=[remark])
            return
        yield _in_release(path, Path(folder))


def _authors(notebook: NotebookNode) -> Released:
    """An instructor's notebook as if it were its own release."""
    try:
        found = read(notebook)
    except ManifestError:
        return Released(notebook, has_hidden=True)
    names = StudentNames(found.students, found.student_classes)
    return Released(notebook, names, has_hidden=True)


def _student_version(
    notebook: NotebookNode,
    files: Mapping[str, Path] | None = None,
    remarks: list[str] | None = None,
) -> Released:
    names = StudentNames.from_data(notebook.metadata.get(manifest.KEY))
    if names is not None:
        try:
            read(notebook, names)
        except ManifestError:  # in a student's own copy, which a test was changed in
            names = None
    return Released(notebook, names, files=files or {}, remarks=remarks or [])


def _fetch(assignment: str, config: Config, folder: Path) -> None:
    exchange = Exchange(coursedir=CourseDirectory(config=config), config=config)
    with tempfile.TemporaryFile() as file:
        exchange.transport.fetch(exchange.course(), assignment, file)
        archive.extract(file, folder, archive.read(file, exchange.limits()))


def _in_release(path: Path, folder: Path) -> Released:
    files = files_below(folder)
    name = path.name if (folder / path.name).is_file() else most_alike(path, folder)
    if name is None:
        remark = f"{path.name} is not part of {path.parent.name}: this notebook is not graded."
        return _student_version(own_cells(path.read_bytes()), files, [remark])
    remarks = [] if name == path.name else [f"{path.name} was checked as {name}."]
    return _student_version(nbformat.read(folder / name, as_version=4), files, remarks)


def most_alike(path: Path, folder: Path) -> str | None:
    """The notebook of a release that has the most graded cells in common with a file without a
    released name; None if none has any."""
    own = _graded(own_cells(path.read_bytes()))
    common = {
        other.name: len(own & _graded(nbformat.read(other, as_version=4)))
        for other in sorted(folder.glob("*.ipynb"))
    }
    best = max(common, key=lambda name: common[name], default=None)
    return best if best is not None and common[best] else None


def _graded(notebook: NotebookNode) -> set[str]:
    found = [marks(cell) for cell in notebook.cells]
    return {one.name for one in found if one.grade or one.solution}


def own_cells(data: bytes) -> NotebookNode:
    """The course's cells in a student's file, each once, as if it had been released that way.

    An unchanged copy counts as the original. Empty if nothing can be
    read. Pure.
    """
    try:
        notebook = nbformat.reads(data.decode("utf-8-sig"), as_version=4)
        chosen: dict[str, NotebookNode] = {}
        for cell in notebook.cells:
            if _is_marked(cell):
                name = cell.metadata.nbgrader.grade_id
                if name not in chosen or (_untouched(cell) and not _untouched(chosen[name])):
                    chosen[name] = cell
    except Exception:
        # JSON of any shape; `rebuild` reports what is wrong with it.
        return new_notebook()
    notebook.cells = list(chosen.values())
    return notebook


def _is_marked(cell: NotebookNode) -> bool:
    """Whether a cell has the complete metadata of a cell of the course."""
    if "nbgrader" not in cell.metadata:
        return False
    try:
        MetadataValidator().validate_cell(cell)
    except (ValidationError, SchemaMismatchError, AttributeError):
        return False
    return True


def _untouched(cell: NotebookNode) -> bool:
    return cell.metadata.nbgrader.get("checksum") == compute_checksum(cell)
