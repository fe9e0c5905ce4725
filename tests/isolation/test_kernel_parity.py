"""Cells that are graded show what a kernel shows: every kind of cell on both, compared."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from nbclient import NotebookClient
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook

from hub.grading.pipeline.execute import execute
from hub.grading.sandbox.run import students_environment
from tests.isolation.kinds_of_cells import DIFFERENT, KINDS

pytestmark = [pytest.mark.kernel, pytest.mark.slow]

MOST_DIFFERENT = 6

# What differs from run to run: addresses, the files of cells, identifiers; and ends of lines, which
# a kernel's commands write for a terminal.
VARIES = (
    (re.compile(r"0x[0-9a-f]{6,}"), "0x…"),
    (re.compile(r"/[\w/-]+/ipykernel_\d+/\d+\.py"), "CELL"),
    (re.compile(r"\b[0-9a-f]{32}\b"), "ID"),
    (re.compile(r"\\r\\n"), r"\\n"),
)


def all_kinds() -> NotebookNode:
    return new_notebook(cells=[new_code_cell(text) for texts in KINDS.values() for text in texts])


@pytest.fixture(scope="module")
def on_a_kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Any]]:
    folder: Path = tmp_path_factory.mktemp("kernel")
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in students_environment(home).items():
            patch.setenv(name, value)
        for name in ("home", "tmp"):
            (home / name).mkdir()
        book = all_kinds()
        client = NotebookClient(book, allow_errors=True, resources={"metadata": {"path": folder}})
        client.execute()
    yield [shown(cell) for cell in book.cells]


@pytest.fixture(scope="module")
def graded() -> list[Any]:
    return [shown(cell) for cell in execute(all_kinds()).notebook.cells]


def shown(cell: NotebookNode) -> Any:
    """The outputs of a cell, without what varies; texts to one stream in one piece."""
    outputs: list[dict[str, Any]] = []
    for output in json.loads(json.dumps(cell.outputs)):
        output.get("metadata", {}).clear()
        if (
            output["output_type"] == "stream"
            and outputs
            and outputs[-1].get("name") == output["name"]
        ):
            outputs[-1]["text"] += output["text"]
        else:
            outputs.append(output)
    text = json.dumps(outputs, ensure_ascii=False)
    for pattern, mark in VARIES:
        text = pattern.sub(mark, text)
    return json.loads(text)


def cells_of(kind: str, shown: list[Any]) -> list[Any]:
    before = sum(len(KINDS[name]) for name in list(KINDS)[: list(KINDS).index(kind)])
    return shown[before : before + len(KINDS[kind])]


@pytest.mark.parametrize("kind", KINDS)
def test_a_graded_cell_shows_what_a_kernel_shows(
    kind: str, on_a_kernel: list[Any], graded: list[Any]
) -> None:
    if kind in DIFFERENT:
        assert cells_of(kind, graded) != cells_of(kind, on_a_kernel)
    else:
        assert cells_of(kind, graded) == cells_of(kind, on_a_kernel)


def test_only_a_few_kinds_of_cells_differ_from_a_kernel() -> None:
    assert len(DIFFERENT) <= MOST_DIFFERENT
    assert DIFFERENT.keys() <= KINDS.keys()
