"""A notebook under another name is accepted only if it is clear which one it is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from nbgrader.coursedir import CourseDirectory
from traitlets.config import Config

from hub.grading.pipeline.renamed import Likeness, Undecided, decide, take_renamed, taken_from
from tests.grading.test_rebuild_matching import answered, make_released, without_both


def like(notebook: str, file: str, cells: int, answers: int = 1) -> Likeness:
    return Likeness(notebook, file, cells, answers)


def different(found: list[Likeness]) -> dict[str, str]:
    return {one.file: one.file for one in found}


def test_the_notebook_with_the_most_cells_is_taken() -> None:
    found = [like("w1", "a", 3), like("w1", "b", 8), like("w1", "c", 5)]
    assert decide(found, different(found)) == {"w1": "b"}


def test_one_file_is_never_taken_for_two_notebooks() -> None:
    found = [like("w1", "a", 8), like("w2", "a", 3)]
    assert decide(found, different(found)) == {"w1": "a"}
    found = [like("w1", "a", 8), like("w2", "a", 5), like("w2", "b", 2)]
    assert decide(found, different(found)) == {"w1": "a", "w2": "b"}


def test_a_file_that_could_be_either_of_two_notebooks_is_undecided() -> None:
    found = [like("w1", "a", 8), like("w2", "a", 8)]
    with pytest.raises(Undecided, match=r"could be w1.ipynb or w2.ipynb"):
        decide(found, different(found))


def test_two_files_that_could_be_one_notebook_are_undecided() -> None:
    found = [like("w1", "a", 8), like("w1", "b", 8)]
    with pytest.raises(Undecided, match=r"`a`, `b`\. Rename the one that counts to w1.ipynb"):
        decide(found, different(found))


def test_equal_files_and_untouched_copies_make_nothing_undecided() -> None:
    found = [like("w1", "a", 8), like("w1", "b", 8), like("w1", "c", 8, answers=0)]
    assert decide(found, {"a": "same", "b": "same", "c": "other"}) == {"w1": "a"}


def _course(root: Path, files: dict[str, Any]) -> CourseDirectory:
    for name, content in {"release/ps/w1": make_released(), **files}.items():
        path = root / f"{name}.ipynb"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content))
    (root / "submitted" / "eve" / "ps").mkdir(parents=True, exist_ok=True)
    return CourseDirectory(config=Config({"CourseDirectory": {"root": str(root)}}))


def _submitted(root: Path) -> Path:
    return root / "submitted" / "eve" / "ps" / "w1.ipynb"


def test_the_released_name_wins_whatever_else_is_there(tmp_path: Path) -> None:
    files = {"submitted/eve/ps/w1": "{", "submitted/eve/ps/other": answered()}
    take_renamed(_course(tmp_path, files), "ps", "eve")
    assert _submitted(tmp_path).read_text() == "{"
    assert taken_from(_submitted(tmp_path)) is None


def test_a_renamed_notebook_is_found_without_names_of_cells_too(tmp_path: Path) -> None:
    notebook = answered()
    without_both(notebook)
    files = {"submitted/eve/ps/notes": "{", "submitted/eve/ps/deep/w1-eve": notebook}
    take_renamed(_course(tmp_path, files), "ps", "eve")
    assert json.loads(_submitted(tmp_path).read_text()) == notebook
    assert "`deep/w1-eve.ipynb` contains its cells" in (taken_from(_submitted(tmp_path)) or "")


def test_unrelated_notebooks_and_jupyters_checkpoints_are_not_taken_for_the_assignments(
    tmp_path: Path,
) -> None:
    files = {
        "submitted/eve/ps/scratch": {"cells": [{"cell_type": "code", "source": "1"}]},
        "submitted/eve/ps/.ipynb_checkpoints/w1-checkpoint": answered(),
    }
    take_renamed(_course(tmp_path, files), "ps", "eve")
    assert not _submitted(tmp_path).exists()
