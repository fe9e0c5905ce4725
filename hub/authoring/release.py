"""Generates the student version of an assignment from its source."""

import fnmatch
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from nbformat.notebooknode import NotebookNode

from hub.authoring.errors import (
    AssignmentNotFound,
    AuthoringMistakes,
    InvalidAssignmentName,
    LeaksFound,
)
from hub.authoring.leaks import RELEASED_SUFFIXES, find_leaks
from hub.authoring.manifest import add_names
from hub.authoring.mistakes import Mistake, find_mistakes
from hub.authoring.modules import PYTHON_FILES, modules_left_out
from hub.authoring.pairing import (
    ANSWERS_FILE,
    current,
    is_notebook_text,
    notebook_json,
    pairs,
    sync,
)
from hub.authoring.preprocessors import TO_GRADEBOOK, TO_STUDENT, run
from hub.facts.names import assignment_name_fault

# Names of files or folders that are never meant for students and are skipped silently.
IGNORED = (".*", "__pycache__", "*.pyc", "*.bak", "*.bak[0-9]*")


@dataclass(frozen=True)
class StudentVersion:
    """The student version of an assignment: file contents by path within its folder."""

    files: dict[str, bytes]
    left_out: list[str] = field(default_factory=list)
    warnings: list[Mistake] = field(default_factory=list)


def source_notebooks(source_folder: Path) -> dict[str, NotebookNode]:
    """The complete instructor notebooks of an assignment by name; writes nothing.

    Raises InvalidAssignmentName, AssignmentNotFound if there is no notebook, SyncConflict.
    """
    if fault := assignment_name_fault(source_folder.name):
        raise InvalidAssignmentName(source_folder.name, *fault)
    notebooks = {pair.name: current(pair) for pair in pairs(source_folder)}
    if not notebooks:
        raise AssignmentNotFound(f"There is no notebook in {source_folder}.")
    return notebooks


def student_version(source_folder: Path) -> StudentVersion:
    """The student version of an assignment's source folder, in memory; depends on nothing else.

    Raises AuthoringMistakes, InvalidAssignmentName, AssignmentNotFound, SyncConflict.
    """
    notebooks = source_notebooks(source_folder)
    mistakes = [
        mistake
        for name, notebook in notebooks.items()
        for mistake in [
            *find_mistakes(notebook, name),
            *modules_left_out(notebook, name, source_folder),
        ]
    ]
    if fatal := [mistake for mistake in mistakes if mistake.fatal]:
        raise AuthoringMistakes(source_folder.name, fatal)
    files = {
        f"{name}.ipynb": notebook_json(_student_notebook(notebook)).encode()
        for name, notebook in notebooks.items()
    }
    left_out = []
    for path in _other_files(source_folder):
        name = path.relative_to(source_folder).as_posix()
        if path.suffix in RELEASED_SUFFIXES and not path.is_symlink():
            files[name] = path.read_bytes()
        else:
            left_out.append(name)
    return StudentVersion(dict(sorted(files.items())), left_out, mistakes)


def _student_notebook(notebook: NotebookNode) -> NotebookNode:
    released = run([*TO_GRADEBOOK, *TO_STUDENT], notebook, {})
    add_names(released, notebook)
    return released


def make_release(source: Path, assignment: str, release: Path) -> Iterator[str]:
    """Generate `release/<assignment>` from `source/<assignment>`. Yields progress.

    The two halves of each notebook are synchronised first. The old release stays in place
    until the new version is complete and free of leaks, and is then replaced as a whole.
    Raises AuthoringMistakes, LeaksFound, SyncConflict, InvalidAssignmentName, AssignmentNotFound.
    """
    yield from sync(source / assignment)
    student = student_version(source / assignment)
    yield from _remarks(student)
    yield write_checked(student, source / assignment, release / assignment)


def write_checked(student: StudentVersion, source_folder: Path, destination: Path) -> str:
    """Replace whatever is at `destination` with a student version, unless it leaks."""
    with written(student, destination.parent) as scratch:
        if leaks := find_leaks(scratch, source_folder):
            raise LeaksFound(source_folder.name, leaks)
        if _contents(scratch) == _contents(destination):
            return f"{destination.name}: release unchanged"
        if destination.exists():
            destination.rename(scratch.with_name("old"))
        scratch.rename(destination)
    return f"{destination.name}: {len(student.files)} file(s) in {destination}"


@contextmanager
def written(student: StudentVersion, beside: Path) -> Iterator[Path]:
    """The student version as a folder on the file system of `beside`, removed afterwards unless it
    was moved."""
    beside.mkdir(parents=True, exist_ok=True)
    root = Path(tempfile.mkdtemp(dir=beside.parent, prefix=".release-"))
    try:
        scratch = root / "new"
        scratch.mkdir(mode=0o755)
        for name, content in student.files.items():
            path = scratch / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            os.chmod(path, 0o644)
        yield scratch
    finally:
        shutil.rmtree(root)


def differences(source: Path, release: Path) -> list[str]:
    """How a release folder differs from what its sources generate; writes nothing."""
    sources = {path.name for path in source.iterdir() if path.is_dir() and path.name[0] not in "._"}
    released = {path.name for path in release.iterdir()} if release.is_dir() else set()
    found = [f"{name} is released but has no source" for name in sorted(released - sources)]
    for name in sorted(sources):
        wanted, there = student_version(source / name).files, _contents(release / name)
        for file in sorted(wanted.keys() | there.keys()):
            if file not in there:
                found.append(f"{name}/{file} is missing from the release")
            elif file not in wanted:
                found.append(f"{name}/{file} is not generated from the source")
            elif wanted[file] != there[file]:
                found.append(f"{name}/{file} differs from what the source generates")
    return found


def _remarks(student: StudentVersion) -> Iterator[str]:
    yield from (f"warning: {mistake}" for mistake in student.warnings)
    for name in student.left_out:
        why = f" ({PYTHON_FILES})" if name.endswith(".py") else ""
        yield f"left out of the student version: {name}{why}"


def _other_files(folder: Path) -> Iterator[Path]:
    """Files beside the notebooks that may have been meant for students."""
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        ignored = any(fnmatch.fnmatch(part, glob) for part in parts for glob in IGNORED)
        if path.is_file() and not ignored and not (len(parts) == 1 and _is_source(path)):
            yield path


def _is_source(path: Path) -> bool:
    """Whether a file at the top level of a source folder is half of a notebook, or its answers."""
    return (
        path.suffix == ".ipynb"
        or path.name == ANSWERS_FILE
        or (path.suffix == ".py" and is_notebook_text(path))
    )


def _contents(folder: Path) -> dict[str, bytes]:
    if not folder.is_dir():
        return {}
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
