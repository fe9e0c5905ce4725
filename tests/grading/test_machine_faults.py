"""A failing disk or database, or a path that is no file, is reported and changes no points."""

from __future__ import annotations

import errno
import os
import socket
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hub.facts import files
from hub.grading.pipeline import ungraded
from hub.grading.pipeline.batch import BatchError, Graded, _summary
from hub.grading.pipeline.regular import check_regular
from hub.grading.sandbox.trouble import CannotGrade
from tests.grading.test_trust import _made, _root, grade, points  # noqa: F401 (fixtures)
from tests.grading.tiny_course import ASSIGNMENT, NOTEBOOK, submit
from tests.grading.trust_course import answered

pytestmark = pytest.mark.kernel


def _socket(path: Path) -> None:
    here = Path.cwd()
    os.chdir(path.parent)  # a socket's path is short
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(path.name)
    finally:
        os.chdir(here)


ODD: dict[str, Callable[[Path], object]] = {
    "a named pipe": os.mkfifo,
    "a socket": _socket,
    "a folder": Path.mkdir,
    "a device": lambda path: path.symlink_to("/dev/zero"),
    "a link that leads nowhere": lambda path: path.symlink_to("gone"),
    "a link to a file elsewhere": lambda path: path.symlink_to("/etc/passwd"),
}


def put(path: Path, what: str) -> None:
    path.unlink(missing_ok=True)
    ODD[what](path)


@pytest.mark.parametrize("what", ODD)
def test_an_entry_that_is_not_a_file_is_named_and_not_read(what: str, tmp_path: Path) -> None:
    put(tmp_path / "a.ipynb", what)
    with pytest.raises(CannotGrade, match=f"`a.ipynb` in the submission's folder is {what}"):
        check_regular(tmp_path)


@pytest.mark.parametrize("what", ["a named pipe", "a device"])
def test_a_pipe_or_device_beside_a_notebook_is_not_read_either(what: str, tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    put(tmp_path / "more" / "data.txt", what)
    with pytest.raises(CannotGrade, match=f"`more/data.txt` in .* is {what}"):
        check_regular(tmp_path)


def test_files_folders_and_a_link_to_a_notebook_beside_it_are_in_order(tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    (tmp_path / "other.ipynb").touch()
    (tmp_path / "a.ipynb").symlink_to("other.ipynb")
    check_regular(tmp_path)
    check_regular(tmp_path / "not there")


def test_a_notebook_that_is_not_a_file_keeps_its_points_and_holds_up_nobody(root: Path) -> None:
    for student in ("alice", "bob", "carol"):
        submit(root, student, answered(root))
    grade(root, "alice", "bob")
    for student, what in (("alice", "a named pipe"), ("bob", "a folder")):
        folder = submit(root, student, answered(root), "2027-01-02 10:00:00 UTC")
        put(folder / f"{NOTEBOOK}.ipynb", what)
    with pytest.raises(BatchError) as error:
        grade(root)
    assert "alice: `tiny.ipynb` in the submission's folder is a named pipe" in str(error.value)
    assert "bob: `tiny.ipynb` in the submission's folder is a folder" in str(error.value)
    assert [points(root, student) for student in ("alice", "bob", "carol")] == [3, 3, 3]


def full_disk(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """From now on files whose path holds `name` cannot be written."""
    opened = os.open

    def refuse(path: Any, flags: int, *rest: Any, **more: Any) -> int:
        if name in str(path) and flags & (os.O_WRONLY | os.O_RDWR):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        return opened(path, flags, *rest, **more)

    monkeypatch.setattr(os, "open", refuse)


@pytest.mark.parametrize("place", ["server/references", "server/ungraded"])
def test_a_full_disk_is_reported_and_costs_no_points(
    root: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    submit(root, "alice", answered(root, f1="pass"))
    grade(root)
    for known in (root / "server" / "references").iterdir():
        known.unlink()
    folder = submit(root, "alice", answered(root), "2027-01-02 10:00:00 UTC")
    if place == "server/ungraded":
        put(folder / f"{NOTEBOOK}.ipynb", "a folder")
    with monkeypatch.context() as patch:
        full_disk(patch, place)
        with pytest.raises(BatchError) as error:
            grade(root)
    words = str(error.value)
    if place == "server/ungraded":
        assert "alice: `tiny.ipynb` in the submission's folder is a folder" in words
    else:
        assert "No space left on device" in words
    assert points(root) == 2


def test_a_disk_that_fills_up_while_points_are_written_costs_no_points(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit(root, "alice", answered(root, f1="pass"))
    grade(root)
    submit(root, "alice", answered(root), "2027-01-02 10:00:00 UTC")
    from nbconvert.writers import FilesWriter

    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "tiny.ipynb")

    with monkeypatch.context() as patch:
        patch.setattr(FilesWriter, "write", refuse)
        with pytest.raises(BatchError, match="could not be graded") as error:
            grade(root)
    assert "alice: this machine could not read or write a file (No space left on device)" in str(
        error.value
    )
    assert points(root) == 2
    grade(root)
    assert points(root) == 3


def test_a_gradebook_that_another_process_writes_costs_no_points(root: Path) -> None:
    submit(root, "alice", answered(root, f1="pass"))
    grade(root)
    submit(root, "alice", answered(root), "2027-01-02 10:00:00 UTC")
    with sqlite3.connect(root / "gradebook.db", isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")  # it can be read meanwhile, and not written
        with pytest.raises(BatchError, match="database could not be reached") as error:
            grade(root)
        other.execute("ROLLBACK")
    assert "sqlite" not in str(error.value)
    assert points(root) == 2
    grade(root)
    assert points(root) == 3


def test_a_notebook_edited_between_two_tries_is_graded_as_it_is(root: Path) -> None:
    folder = submit(root, "alice", answered(root, f1="pass"))
    put(folder / "data.sock", "a socket")
    with pytest.raises(BatchError):
        grade(root)
    assert points(root) is None
    (folder / "data.sock").unlink()
    submit(root, "alice", answered(root))
    grade(root)
    assert points(root) == 3
    assert not list((root / "server" / "ungraded" / ASSIGNMENT).iterdir())


def test_the_state_is_written_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = ungraded.UngradedFolder(tmp_path / "ps1")
    folder.put("alice", ungraded.Ungraded("then", 1, "a"))
    with monkeypatch.context() as patch:
        patch.setattr(files.os, "fsync", lambda _: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            folder.put("alice", ungraded.Ungraded("then", 2, "b"))
    assert folder.get("alice") == ungraded.Ungraded("then", 1, "a")
    assert [path.name for path in (tmp_path / "ps1").iterdir()] == ["alice.json"]


def test_the_table_is_straight_with_long_names_and_every_state() -> None:
    graded = [
        Graded("bo", 3, 5),
        Graded("a-student-with-a-very-long-name-of-a-mail-address", ungraded="no disk"),
        Graded("eve", problems=["Not graded: why"]),
    ]
    table = [
        line for line in _summary("ps1", graded) if line.startswith("  ") and "-  " not in line
    ]
    rows = [line for line in table if line.split()[0] in {one.student for one in graded}]
    assert len({len(line) for line in rows}) == 1, rows
