"""The assignments of this repository: what students get is committed, fresh and free of leaks."""

import re
import shutil
from pathlib import Path

import nbformat
import pytest

from hub.authoring.catalogue import available, shipped_sources
from hub.authoring.leaks import find_leaks, read_secrets
from hub.authoring.mistakes import find_mistakes
from hub.authoring.notebook import notebook_to_text, text_to_notebook
from hub.authoring.pairing import is_notebook_text
from hub.authoring.register import register
from hub.authoring.release import differences
from tests.authoring.conftest import COURSE_ID

SOURCE = shipped_sources()
RELEASE = SOURCE.parent / "release"
TEXTS = sorted(path for path in SOURCE.glob("*/*.py") if is_notebook_text(path))


def test_there_are_assignments():
    assert {"start", "06-induction-heads"} <= set(available())


def test_the_release_is_what_the_source_generates():
    assert differences(SOURCE, RELEASE) == []


@pytest.mark.parametrize("assignment", available())
def test_the_release_gives_nothing_away(assignment: str):
    assert find_leaks(RELEASE / assignment, SOURCE / assignment) == []


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.stem)
def test_what_a_release_says_of_names_has_none_that_is_hidden(path: Path):
    released = nbformat.read(RELEASE / path.parent.name / f"{path.stem}.ipynb", as_version=4)
    source = text_to_notebook(path.read_text(encoding="utf-8"))
    shown = _words("\n".join(cell.source for cell in released.cells))
    hidden = _words("\n".join(cell.source for cell in source.cells)) - shown
    assert hidden, "there are solutions and hidden tests"
    said = released.metadata.logitlab
    assert set(said) == {"names", "classes"}
    assert said.names
    assert not hidden & {*said.names, *said.classes}


def _words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text))


def test_the_check_knows_the_secrets_of_an_assignment():
    kinds = set(read_secrets(SOURCE / "06-induction-heads").lines.values())
    assert kinds == {"solution", "hidden test", "a line of answers.py"}


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.stem)
def test_a_round_trip_leaves_the_text_byte_identical(path: Path):
    text = path.read_text(encoding="utf-8")
    notebook = nbformat.reads(nbformat.writes(text_to_notebook(text)), as_version=4)
    assert notebook_to_text(notebook, like=text) == text


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.stem)
def test_the_source_has_no_mistakes(path: Path):
    assert find_mistakes(text_to_notebook(path.read_text(encoding="utf-8")), path.stem) == []


@pytest.mark.slow
def test_every_assignment_goes_into_an_empty_gradebook(tmp_path: Path, empty_gradebook: Path):
    (tmp_path / "source").symlink_to(SOURCE)
    db_url = f"sqlite:///{shutil.copy(empty_gradebook, tmp_path)}"
    for assignment in available():
        (line,) = register(tmp_path, assignment, course_id=COURSE_ID, db_url=db_url)
        assert "points in the gradebook" in line
