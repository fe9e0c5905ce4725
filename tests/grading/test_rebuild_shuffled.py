"""Mixed-up names and ids cost no right answer its points; unclear answers wait for a person."""

from __future__ import annotations

import copy
import itertools
import json
import random

import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell

from hub.grading.pipeline.rebuild import rebuild
from tests.grading.test_rebuild import as_bytes
from tests.grading.test_rebuild_matching import (
    ALL,
    ANSWERS,
    answered,
    make_released,
    name_of,
    named,
    rebuilt_from,
    run,
    texts,
    waits_for_a_person,
)

CELLS = range(len(make_released().cells))
ANSWER_CELLS = [i for i in CELLS if name_of(make_released().cells[i]) in ANSWERS]


def with_metadata_of(order: list[int], ids: bool) -> NotebookNode:
    """Right answers; each cell has the metadata, and the id, of the one that `order` says."""
    submitted = answered()
    metadata = [copy.deepcopy(cell.metadata) for cell in submitted.cells]
    names = [cell.id for cell in submitted.cells]
    for index, cell in enumerate(submitted.cells):
        cell.metadata = metadata[order[index]]
        cell.id = names[order[index]] if ids else cell.id
    return submitted


def check_nothing_is_lost(submitted: NotebookNode) -> None:
    rebuilt, report = rebuilt_from(submitted)
    assert run(rebuilt) == ALL, report
    for name in ("why", "plot"):
        assert texts(rebuilt)[name] == ANSWERS[name] or waits_for_a_person(rebuilt, name), report


@pytest.mark.parametrize("ids", [True, False])
@pytest.mark.parametrize("seed", range(25))
def test_shuffled_names_cost_nothing(seed: int, ids: bool) -> None:
    order = list(CELLS)
    random.Random(seed).shuffle(order)
    check_nothing_is_lost(with_metadata_of(order, ids))


@pytest.mark.parametrize("cycle", list(itertools.permutations(ANSWER_CELLS, 3)))
def test_three_answers_with_each_others_names_cost_nothing(cycle: tuple[int, ...]) -> None:
    order = list(CELLS)
    for cell, other in zip(cycle, [*cycle[1:], cycle[0]], strict=True):
        order[cell] = other
    check_nothing_is_lost(with_metadata_of(order, ids=True))


@pytest.mark.parametrize("name", list(ANSWERS))
def test_a_heading_with_the_name_of_an_answer_is_not_the_answer(name: str) -> None:
    for index, cell in enumerate(make_released().cells):
        if not name_of(cell):
            order = list(CELLS)
            answer = next(i for i in ANSWER_CELLS if name_of(make_released().cells[i]) == name)
            order[index], order[answer] = answer, index
            rebuilt, report = rebuilt_from(with_metadata_of(order, ids=True))
            assert texts(rebuilt)[name] == ANSWERS[name], report


def test_one_id_for_all_cells_without_names_costs_nothing() -> None:
    submitted = answered()
    for cell in submitted.cells:
        cell.metadata, cell.id = {}, "f"
    check_nothing_is_lost(submitted)


@pytest.mark.parametrize("kind", ["notebook", "file"])
def test_a_notebook_wrapped_by_the_contents_api_is_read_without_ids_too(kind: str) -> None:
    notebook = json.loads(as_bytes(answered()))
    for cell in notebook["cells"]:
        del cell["id"]
        cell["metadata"] = {}
    about = {"name": "a.ipynb", "path": "a.ipynb", "type": kind, "mimetype": None}
    if kind == "file":
        content = json.dumps(notebook, indent=1)
        wrapped = {**about, "format": "text", "content": content}
    else:
        wrapped = {**about, "format": "json", "content": notebook}
    rebuilt, report = rebuild(json.dumps(wrapped).encode(), make_released())
    assert run(rebuilt) == ALL, report
    assert texts(rebuilt)["why"] == ANSWERS["why"]


def test_every_answer_at_the_end_counts_or_waits_if_the_stubs_were_left() -> None:
    submitted = make_released()
    submitted.cells += [
        new_markdown_cell(text) if name == "why" else new_code_cell(text)
        for name, text in ANSWERS.items()
    ]
    check_nothing_is_lost(submitted)


def test_an_answer_whose_stub_says_no_name_counts_after_its_test() -> None:
    submitted = answered()
    named(submitted, "axes").source = named(make_released(), "axes").source
    submitted.cells.append(new_code_cell(ANSWERS["axes"]))
    rebuilt, report = rebuilt_from(submitted)
    assert run(rebuilt) == ALL
    assert "The answer cell `axes` was not worked on, but a cell of yours after its test" in report


def test_an_edited_copy_of_a_given_cell_is_kept_whole() -> None:
    submitted = answered()
    edited = "import math\n\n\ndef helper(x):\n    return x + 1\n\n# mine"
    made = copy.deepcopy(named(submitted, "released-1"))
    made.id, made.source = "new", edited.replace("import math", "import math as m")
    submitted.cells.insert(2, made)
    named(submitted, "g").source = "def g(x):\n    return helper(x)"
    rebuilt, _ = rebuilt_from(submitted)
    assert made.source in [cell.source for cell in rebuilt.cells if not name_of(cell)]
    assert run(rebuilt) == ALL


def test_an_edited_test_without_a_name_is_not_taken_for_the_answer_at_its_position() -> None:
    submitted = answered()
    submitted.cells.remove(named(submitted, "plot"))
    test = named(make_released(), "axes_test").source
    submitted.cells.append(new_code_cell(f"{test}\nx = 1"))
    submitted.cells.remove(named(submitted, "axes_test"))
    rebuilt, _ = rebuilt_from(submitted)
    assert waits_for_a_person(rebuilt, "plot")
    assert test not in texts(rebuilt)["plot"].partition("[")[0]


def test_text_in_a_code_cell_stays_there_if_no_name_is_wrong() -> None:
    submitted = answered()
    cell = named(submitted, "plot")
    cell.cell_type, cell.source = "markdown", "I drew it on paper."
    del cell["outputs"], cell["execution_count"]
    rebuilt, report = rebuilt_from(submitted)
    assert texts(rebuilt)["plot"] == "I drew it on paper."
    assert "`plot` had become a markdown cell" in report
