"""Finds a notebook that was submitted under another name by its cells.

nbgrader identifies notebooks by file name only. So the found file gets a link beside it with the
name that nbgrader looks for; the link shows from which file the notebook was taken.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from nbgrader.coursedir import CourseDirectory

from hub.grading.pipeline.matching import match
from hub.grading.pipeline.parsing import Cell, Unreadable
from hub.grading.pipeline.reading import read
from hub.grading.pipeline.report import quoted

MAX_FILES = 20  # maximum other notebooks of one submission to inspect


class Undecided(Exception):
    """Several notebooks could be a missing one, or one could be several; a person decides."""


@dataclass(frozen=True)
class Likeness:
    """How much of a released notebook is in one file of a submission.

    cells: how many of its answers and tests were found, not counting those known by position.
    answers: how many of the answers were worked on.
    """

    notebook: str
    file: str
    cells: int
    answers: int


def take_renamed(coursedir: CourseDirectory, assignment: str, student: str) -> None:
    """Link each released notebook that a submission lacks to the file with its cells.

    If the released name exists, it counts. Raises Undecided, and
    ReadingError if this machine cannot inspect a file.
    """
    released, folder = (
        _folder(coursedir, "release", assignment),
        _folder(coursedir, "submitted", assignment, student),
    )
    names = sorted(path.stem for path in released.glob("*.ipynb"))
    missing = [name for name in names if not (folder / f"{name}.ipynb").exists()]
    if not missing or not folder.is_dir():
        return
    others = _other_notebooks(folder, names)
    books = {name: nbformat.read(released / f"{name}.ipynb", as_version=4) for name in missing}
    found = _likenesses(books, others)
    digests = {file: hashlib.sha256(path.read_bytes()).hexdigest() for file, path in others.items()}
    for name, file in decide(found, digests).items():
        link = folder / f"{name}.ipynb"
        link.unlink(missing_ok=True)  # one whose file is gone
        link.symlink_to(file)


def taken_from(submitted: Path) -> str | None:
    """The message about a notebook that was submitted under another name; None under its own."""
    if not submitted.is_symlink():
        return None
    return (
        f"There was no `{submitted.name}`; {quoted(os.readlink(submitted))} contains its cells and "
        "was used instead."
    )


def decide(found: Sequence[Likeness], digests: Mapping[str, str]) -> dict[str, str]:
    """Which file is used for each missing notebook; never one file for two.

    found: every non-zero likeness.
    digests: equal for files with equal contents.

    Raises Undecided if the best candidates are equally alike.
    """
    left = sorted(found, key=lambda one: (-one.cells, one.notebook, one.file))
    taken: dict[str, str] = {}
    while left:
        best = left[0]
        equal = [one for one in left if one.cells == best.cells]
        files = [one for one in equal if one.notebook == best.notebook]
        if any(one.answers for one in files):
            # An unchanged copy of the release is nobody's answer.
            files = [one for one in files if one.answers]
        if len({digests[one.file] for one in files}) > 1:
            listed = ", ".join(quoted(one.file) for one in files)
            raise Undecided(
                f"{best.notebook}.ipynb is missing, and several notebooks contain its cells: "
                f"{listed}. Rename the one that counts to {best.notebook}.ipynb."
            )
        file = files[0].file
        notebooks = [one.notebook for one in equal if one.file == file]
        if len(notebooks) > 1:
            raise Undecided(
                f"{quoted(file)} could be {' or '.join(f'{name}.ipynb' for name in notebooks)}. "
                "Rename it to the one that it is."
            )
        taken[best.notebook] = file
        left = [one for one in left if one.notebook != best.notebook and one.file != file]
    return taken


def _folder(coursedir: CourseDirectory, step: str, assignment: str, student: str = ".") -> Path:
    return Path(coursedir.format_path(getattr(coursedir, f"{step}_directory"), student, assignment))


def _other_notebooks(folder: Path, names: Iterable[str]) -> dict[str, Path]:
    """The notebooks of a submission without a released name, by relative name."""
    known = {folder / f"{name}.ipynb" for name in names}
    found: dict[str, Path] = {}
    for path in sorted(folder.rglob("*.ipynb")):
        inside = path.relative_to(folder)
        hidden = any(part.startswith(".") for part in inside.parts)  # Jupyter's checkpoints
        if path not in known and not hidden and path.is_file() and not path.is_symlink():
            found[inside.as_posix()] = path
    return dict(list(found.items())[:MAX_FILES])


def _likenesses(released: Mapping[str, NotebookNode], files: Mapping[str, Path]) -> list[Likeness]:
    found = []
    for file, path in files.items():
        try:
            cells = read(path.read_bytes()).cells
        except Unreadable:
            continue
        alike = (_likeness(name, book, file, cells) for name, book in released.items())
        found += [one for one in alike if one.cells]
    return found


def _likeness(name: str, released: NotebookNode, file: str, cells: Sequence[Cell]) -> Likeness:
    matched = match(cells, released)
    marked = [
        target
        for target in matched.released
        # Given cells have the same names in every notebook.
        if (target.is_open or target.is_test)
        and matched.how.get(target.name, "position") != "position"
    ]
    worked = [
        target
        for target in marked
        if target.is_open and not target.untouched(cells[matched.chosen[target.name]].text)
    ]
    return Likeness(name, file, len(marked), len(worked))
