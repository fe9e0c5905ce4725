"""The shipped assignments, and adding them to a course without undoing anybody's work."""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from hub.authoring.errors import AssignmentNotFound
from hub.authoring.pairing import is_notebook_text, pairs, sync
from hub.authoring.register import refuse_after_submissions, release_in_course
from hub.authoring.release import source_notebooks, student_version
from hub.core.gradebook import open_gradebook

RECORD_FILE = ".shipped.json"  # SHA-256 by file name, as last copied into a course folder


@dataclass(frozen=True)
class Update:
    """What adding a shipped assignment does to the files in a course's source folder."""

    copy: list[str] = field(default_factory=list)
    remove: list[str] = field(default_factory=list)
    keep: dict[str, str] = field(default_factory=dict)  # file name -> why it is left alone


def shipped_sources() -> Path:
    """The folder of the shipped assignments: `source/` of the checkout that this code runs from.

    Raises AssignmentNotFound if the code was installed without it.
    """
    folder = Path(__file__).resolve().parents[2] / "source"
    if not folder.is_dir():
        raise AssignmentNotFound(
            f"The shipped assignments are not installed here ({folder} does not exist).",
            "Run from a checkout of the repository.",
        )
    return folder


def available(sources: Path | None = None) -> list[str]:
    """The names of the shipped assignments, or of those in another folder of sources."""
    sources = sources or shipped_sources()
    return sorted(
        folder.name
        for folder in sources.iterdir()
        if folder.is_dir() and folder.name[0] not in "._" and pairs(folder)
    )


def plan(
    shipped: Mapping[str, str], present: Mapping[str, str], record: Mapping[str, str]
) -> Update:
    """What to do with each file, given SHA-256 by file name: as shipped now, as in the course
    folder, as it was when it was last copied there. Only files that are still exactly as they
    were copied are replaced or removed."""
    update = Update()
    for name in sorted(shipped.keys() | record.keys()):
        here, now, before = present.get(name), shipped.get(name), record.get(name)
        if here == now:
            continue
        if now is None:
            if here == before:
                update.remove.append(name)
            else:
                update.keep[name] = "no longer shipped, but modified here"
        elif here is None and before is not None:
            update.keep[name] = "deleted here"
        elif here in (None, before):
            update.copy.append(name)
        else:
            update.keep[name] = "changed here"
    return update


def add(
    course_root: Path,
    names: Iterable[str],
    *,
    course_id: str,
    db_url: str,
    due: Mapping[str, datetime] | None = None,
    sources: Path | None = None,
) -> Iterator[str]:
    """Add shipped assignments to a course: sources, release, gradebook. Safe to repeat.

    Files that an instructor changed or deleted are kept as they are and reported; a notebook
    edited in JupyterLab counts as changed, because the pair is synchronised first. `due` is by
    assignment name. `sources` replaces the shipped sources.

    Raises AssignmentNotFound for an unknown name, before anything is copied, and what `sync`,
    `release_in_course` raise. An update that the gradebook refuses (SubmissionsExist)
    or that has mistakes changes no file of that assignment.
    """
    sources = sources or shipped_sources()
    names = list(names)
    known = available(sources)
    for name in names:
        if name not in known:
            raise AssignmentNotFound(
                f"No assignment {name!r} is shipped.", f"There are: {', '.join(known)}."
            )
    for name in names:
        target = course_root / "source" / name
        if target.is_dir():
            yield from sync(target)
        yield from _update_source(
            sources / name, target, assignment=name, course_id=course_id, db_url=db_url
        )
        when = (due or {}).get(name)
        yield from release_in_course(
            course_root, name, course_id=course_id, db_url=db_url, due=when
        )


def _update_source(
    source: Path, target: Path, *, assignment: str, course_id: str, db_url: str
) -> Iterator[str]:
    new = _hashes(source)
    update = plan(new, _hashes(target), _record(target))
    for name, why in update.keep.items():
        yield f"{assignment}/{name}: kept, {why}"
    with tempfile.TemporaryDirectory(prefix="logitlab-add-") as scratch:
        staged = Path(scratch) / assignment
        _apply(update, source, target, staged)
        student_version(staged)  # refuses mistakes before anything is changed
        with open_gradebook(db_url, course_id) as gradebook:
            refuse_after_submissions(gradebook, assignment, source_notebooks(staged))
    target.mkdir(parents=True, exist_ok=True)
    for name in update.copy:
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / name, target / name)
        yield f"{assignment}/{name}: copied"
    for name in update.remove:
        _remove(target / name)
        yield f"{assignment}/{name}: removed, no longer shipped"
    kept = {name: before for name, before in _record(target).items() if name in update.keep}
    record = {name: sha for name, sha in new.items() if name not in update.keep} | kept
    (target / RECORD_FILE).write_text(
        json.dumps(record, indent=1, sort_keys=True) + "\n", encoding="utf-8"
    )


def _apply(update: Update, source: Path, target: Path, staged: Path) -> None:
    """The course's source folder as it would be after the update, in a temporary folder."""
    staged.mkdir()
    for name in _hashes(target):
        if name not in update.remove:
            (staged / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(target / name, staged / name)
    for name in update.copy:
        (staged / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source / name, staged / name)


def _remove(path: Path) -> None:
    """Delete a file, and with the text of a notebook its .ipynb (they are synchronised)."""
    if path.suffix == ".py" and is_notebook_text(path):
        path.with_suffix(".ipynb").unlink(missing_ok=True)
    path.unlink()


def _record(target: Path) -> dict[str, str]:
    path = target / RECORD_FILE
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def _hashes(folder: Path) -> dict[str, str]:
    """SHA-256 by name of the files of an assignment's source: no .ipynb generated from a
    text, no hidden files, no backups."""
    if not folder.is_dir():
        return {}
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not _is_generated(path.relative_to(folder), folder)
    }


def _is_generated(name: Path, folder: Path) -> bool:
    if any(part.startswith(".") or part == "__pycache__" for part in name.parts):
        return True
    if ".bak" in name.suffix:
        return True
    return name.suffix == ".ipynb" and (folder / name.with_suffix(".py")).is_file()
