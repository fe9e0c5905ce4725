"""Files that are read again only after they were written."""

from __future__ import annotations

import os
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from hub.grading.pipeline.file_states import file_states, read_once


def write(path: Path, text: str) -> None:
    nbformat.write(new_notebook(cells=[new_code_cell(text, id="a")]), path)


def test_a_notebook_is_read_once_and_again_when_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "tiny.ipynb"
    write(path, "1")
    assert read_once(path) is read_once(path)
    write(path, "2")
    assert read_once(path).cells[0].source == "2"
    path.unlink()
    with pytest.raises(FileNotFoundError):
        read_once(path)


def test_a_notebook_that_another_one_has_replaced_is_read_again(tmp_path: Path) -> None:
    path, other = tmp_path / "tiny.ipynb", tmp_path / "other.ipynb"
    write(path, "1")
    write(other, "2")
    os.utime(other, ns=(0, path.stat().st_mtime_ns))
    assert read_once(path).cells[0].source == "1"
    other.replace(path)
    assert read_once(path).cells[0].source == "2"


def test_the_state_of_a_folder_changes_with_each_file_in_it(tmp_path: Path) -> None:
    below = tmp_path / "data"
    below.mkdir()
    seen = [file_states(tmp_path)]
    (below / "a.txt").write_text("1")
    seen.append(file_states(tmp_path))
    os.utime(below / "a.txt", ns=(0, 1))
    seen.append(file_states(tmp_path))
    (below / "a.txt").rename(below / "b.txt")
    seen.append(file_states(tmp_path))
    (below / "c.txt").symlink_to("nowhere")
    assert file_states(tmp_path) == seen[-1]
    assert len(set(seen)) == len(seen)
