"""A class done from the command line alone: release, collect, autograde, feedback."""

from __future__ import annotations

import tempfile
from pathlib import Path
from uuid import uuid4

import nbformat
import pytest
from click.testing import CliRunner, Result

from hub.cli import main
from hub.core.course_folder import CourseFolder, new_course, open_course
from hub.core.environment import Environment
from hub.exchange import archive
from hub.exchange.access import Caller
from hub.exchange.client.transport import InProcessTransport
from hub.exchange.hand_out import exchange_limits
from hub.exchange.store import Store

NAME = "sums"
MARKS = '"schema_version": 3, "task": false, "points": 2'
SOURCE = """# %% [markdown]
# # Sums

# %% nbgrader={_MARKS, "grade": false, "grade_id": "add", "locked": false, "solution": true}
def add(a, b):
    ### BEGIN SOLUTION
    return a + b
    ### END SOLUTION

# %% nbgrader={_MARKS, "grade": true, "grade_id": "add_test", "locked": true, "solution": false}
assert add(1, 2) == 3
""".replace("_MARKS", MARKS)


def logitlab(folder: CourseFolder, *words: str) -> Result:
    return CliRunner().invoke(main, [*words, "--course", str(folder.root)])


def done(folder: CourseFolder, *words: str) -> str:
    result = logitlab(folder, *words)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture(name="folder")
def _folder(tmp_path: Path) -> CourseFolder:
    list(new_course(tmp_path))
    folder = open_course(tmp_path, Environment())
    (folder.source / NAME).mkdir()
    (folder.source / NAME / f"{NAME}.py").write_text(SOURCE)
    done(folder, "generate", NAME)
    done(folder, "release", "--hand-out", NAME)
    return folder


def as_student(folder: CourseFolder, store: Store) -> InProcessTransport:
    course = folder.settings.course.id
    caller = Caller("alice", frozenset({f"nbgrader-{course}"}))
    return InProcessTransport(store, caller, {course})


def submit(folder: CourseFolder, work: Path, answer: str) -> str:
    """Hand in `answer`; the receipt."""
    notebook = nbformat.read(folder.release / NAME / f"{NAME}.ipynb", as_version=4)
    for cell in notebook.cells:
        if cell.metadata.get("nbgrader", {}).get("solution"):
            cell.source = answer
    work.mkdir(exist_ok=True)
    nbformat.write(notebook, work / f"{NAME}.ipynb")
    store = Store(folder.exchange)
    try:
        with tempfile.TemporaryFile() as packed:
            archive.pack({f"{NAME}.ipynb": work / f"{NAME}.ipynb"}, packed, exchange_limits(folder))
            course = folder.settings.course.id
            made = as_student(folder, store).submit(course, NAME, str(uuid4()), packed)
    finally:
        store.close()
    return str(made["receipt"])


def pages(folder: CourseFolder, receipt: str) -> bool:
    """Whether the student has feedback on a submission."""
    store = Store(folder.exchange)
    try:
        with tempfile.TemporaryFile() as page:
            as_student(folder, store).my_feedback(folder.settings.course.id, receipt, page)
            return page.tell() > 0
    except Exception:
        return False
    finally:
        store.close()


@pytest.mark.kernel
def test_a_class_is_done_from_the_command_line_and_each_step_can_be_repeated(
    folder: CourseFolder, tmp_path: Path
) -> None:
    receipt = submit(folder, tmp_path / "work", "def add(a, b):\n    return a + b")
    collected = folder.root / "submitted" / "alice" / NAME / f"{NAME}.ipynb"
    assert "1 submissions checked, 0 failed" in done(folder, "collect", NAME)
    assert collected.is_file()
    assert "No newer submission to collect: alice" in done(folder, "collect", NAME)
    assert "2/2" in done(folder, "autograde", NAME)
    for _ in range(2):
        said = done(folder, "feedback", NAME)
        assert "feedback on 1 submission is in feedback/" in said
        assert f"Students get nothing yet: logitlab feedback --hand-out {NAME}" in said
    assert not pages(folder, receipt)
    for _ in range(2):
        assert f"Feedback released: alice {NAME}" in done(folder, "feedback", "--hand-out", NAME)
    assert pages(folder, receipt)
    submit(folder, tmp_path / "work", "def add(a, b):\n    return b + a")
    assert "Updating submission: alice" in done(folder, "collect", NAME)
    assert "return b + a" in collected.read_text()


def test_without_submissions_nothing_is_done_and_the_command_says_so(folder: CourseFolder) -> None:
    assert f"No submissions of {NAME}" in done(folder, "collect", NAME)
    said = done(folder, "feedback", "--hand-out", NAME)
    assert f"{NAME}: no submission is graded yet; run `logitlab autograde {NAME}`" in said


def test_a_server_that_has_never_started_completely_is_waited_for(
    folder: CourseFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hub.exchange.hand_out.is_running", lambda _: True)
    failed = logitlab(folder, "collect", NAME)
    assert failed.exit_code == 1 and "Wait until it has started" in failed.output
    assert not (folder.server / "jupyterhub.sqlite").exists()
