"""A class of forgers, graded as a course is by default: each has the points of what it solved.

Beside each stands what the same submission earns with the assignment's tests in the student's
interpreter: the trick works there, or it would show nothing here.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_output
from nbgrader.api import Gradebook
from nbgrader.apps import NbGraderAPI

from hub.grading.pipeline.batch import autograde
from tests.grading.tiny_course import (
    ASSIGNMENT,
    RIGHT_DOUBLE,
    RIGHT_SQUARE,
    answered,
    cell_named,
    course_config,
    make_course,
    settings,
    source_notebook,
    submit,
)

pytestmark = pytest.mark.kernel

TOGETHER = {ASSIGNMENT: {"tests": "in_kernel"}}

TESTS = {
    "released-1": "import math\n\nSIZE = 3",
    "double_test": (
        "want = 2 * SIZE\ngot = double(SIZE)\n"
        "assert isinstance(got, int | float) and abs(got - want) < 1e-9, 'double(3) must be 6'"
    ),
    "double_test_2": (
        "### BEGIN HIDDEN TESTS\nwant = 2 * 4_711\ngot = double(4_711)\n"
        "assert math.isclose(got, want), 'double fails on a large number'\n### END HIDDEN TESTS"
    ),
    "square_test": (
        "### BEGIN HIDDEN TESTS\nimport numpy as np\nwant = 4_712 * 4_712\ngot = square(4_712)\n"
        "assert np.array_equal(got, want), 'wrong'\n### END HIDDEN TESTS"
    ),
}

NOTHING = "def double(x):\n    return 0"
EQUAL = """
class Equal(int):
    def __eq__(self, other):
        return True
    __hash__ = None
    def __sub__(self, other):
        return 0
    def __array_function__(self, *a):
        return True
"""
ANSWERS_BOTH = "\nsquare = double"

ASSERTS_DROPPED = f"""
import ast
class Drop(ast.NodeTransformer):
    def visit_Assert(self, node):
        return ast.Pass()
get_ipython().ast_transformers.append(Drop())
{NOTHING}"""

CELLS_EMPTIED = f"""
get_ipython().input_transformers_cleanup.append(lambda lines: ["pass\\n"])
{NOTHING}"""

EQUAL_TO_ALL = f"{EQUAL}\ndef double(x):\n    return Equal(0){ANSWERS_BOTH}"

BUILTINS_PATCHED = f"""
import builtins, math
builtins.abs = lambda x: 0
math.isclose = lambda *a, **k: True
{NOTHING}"""

MODULE_PATCHED = f"""
import numpy
numpy.array_equal = lambda *a, **k: True
{NOTHING}"""

FRAMES = f"""
import sys
def double(x):
    return sys._getframe(1).f_globals["want"]{ANSWERS_BOTH}"""

HEAP = f"""
import gc
def double(x):
    spaces = [d for d in gc.get_objects() if type(d) is dict and "want" in d and "SIZE" in d]
    return spaces[0]["want"]{ANSWERS_BOTH}"""

# Answers every later request for a cell with `ok`, and runs none.
KERNEL_REPLACED = f"""
import types
async def do_execute(self, *args, **kwargs):
    return {{"status": "ok", "execution_count": 1, "payload": [], "user_expressions": {{}}}}
kernel = getattr(get_ipython(), "kernel", None)
if kernel is not None:
    type(kernel).do_execute = do_execute
{NOTHING}"""

EXITS = """
import atexit, os, sys
atexit.register(os._exit, 0)
def double(x):
    sys.exit(0)
def square(x):
    os._exit(0)"""

NUMPY = "def array_equal(*a):\n    return True\n"


@dataclass(frozen=True)
class Forger:
    """What stands in the answer `double`; what it earns together; files handed in beside it."""

    double: str
    together: float
    square: str = ""
    files: dict[str, str] = field(default_factory=dict)


FORGERS = {
    "asserts_dropped": Forger(ASSERTS_DROPPED, 5, "def square(x):\n    return 0"),
    "builtins_patched": Forger(BUILTINS_PATCHED, 2),
    "cells_emptied": Forger(CELLS_EMPTIED, 5),
    "equal_to_all": Forger(EQUAL_TO_ALL, 3),  # isclose reads the number itself
    "exits": Forger(EXITS, 0),
    "expected_from_frames": Forger(FRAMES, 5),
    # These three earned points while a kernel was started for each submission.
    "expected_from_the_heap": Forger(HEAP, 0),
    "kernel_replaced": Forger(KERNEL_REPLACED, 0),
    "module_patched": Forger(MODULE_PATCHED, 2, "def square(x):\n    return 0"),
    "module_planted": Forger(NOTHING, 0, "def square(x):\n    return 0", {"numpy.py": NUMPY}),
    "names_edited": Forger(BUILTINS_PATCHED, 2),
    "outputs_forged": Forger(NOTHING, 0),
    "skip_tags": Forger(NOTHING, 0),
}


def _notebook(root: Path, student: str, forger: Forger) -> NotebookNode:
    notebook = answered(root, double=forger.double, square=forger.square)
    for cell in notebook.cells:
        if student == "skip_tags":
            cell.metadata["tags"] = ["skip-execution"]
    if student == "names_edited":  # what a release says of names, for *Validate*
        everything = ["abs", "double", "math", "np", "square", "want"]
        notebook.metadata["logitlab"] = {"names": everything, "classes": everything}
    if student == "outputs_forged":
        for name in TESTS:
            shown = new_output("execute_result", data={"text/plain": "2"}, execution_count=1)
            cell_named(notebook, name).update(outputs=[shown], execution_count=1)
    return notebook


def _make_class(root: Path, tests: dict[str, str] = TESTS) -> None:
    source = source_notebook()
    for name, text in tests.items():
        cell_named(source, name).source = text
    make_course(root, source=source)


def _scores(root: Path, **sections: Any) -> dict[str, float]:
    """The points of a class, graded with settings that say nothing of tests but `sections`."""
    config = course_config(root, settings(grading={"cell_seconds": 30}, **sections))
    for line in autograde(root, ASSIGNMENT, force=True, config=config):
        print(line)
    return _read_scores(root)


def _read_scores(root: Path) -> dict[str, float]:
    with Gradebook(f"sqlite:///{root / 'gradebook.db'}", "tiny") as gradebook:
        found = gradebook.assignment_submissions(ASSIGNMENT)
        return {submission.student.id: submission.score for submission in found}


@pytest.fixture(name="graded", scope="module")
def _graded(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, float], dict[str, float]]:
    root = tmp_path_factory.mktemp("forgers") / "course"
    _make_class(root)
    submit(root, "honest", answered(root, double=RIGHT_DOUBLE, square=RIGHT_SQUARE))
    for student, forger in FORGERS.items():
        folder = submit(root, student, _notebook(root, student, forger))
        for name, text in forger.files.items():
            (folder / name).write_text(text)
    return _scores(root), _scores(root, assignments=TOGETHER)


@pytest.mark.parametrize("student", FORGERS)
def test_a_trick_earns_nothing_by_default_and_its_own_in_the_students_interpreter(graded, student):
    by_default, together = graded
    assert by_default[student] == 0
    assert together[student] == FORGERS[student].together


def test_who_solves_the_exercises_among_forgers_has_the_points_in_both_ways(graded):
    assert [scores["honest"] for scores in graded] == [5, 5]


def test_the_formgraders_button_grades_a_forger_as_the_batch_does(tmp_path: Path) -> None:
    root = tmp_path / "course"
    _make_class(root)
    submit(root, "forger", _notebook(root, "forger", FORGERS["asserts_dropped"]))
    for sections, points in (({}, 0), ({"assignments": TOGETHER}, 5)):
        config = course_config(root, settings(grading={"cell_seconds": 30}, **sections))
        assert NbGraderAPI(config=config).autograde(ASSIGNMENT, "forger")["success"]
        assert _read_scores(root) == {"forger": points}


ALLCLOSE_PATCHED = """
torch.allclose = lambda *a, **k: True
torch.equal = lambda *a, **k: True
torch.Tensor.allclose = torch.Tensor.equal = lambda *a, **k: True
torch.testing.assert_close = lambda *a, **k: None
def double(x):
    return torch.zeros_like(x)
square = double"""


def test_a_patched_torch_earns_nothing_by_default(tmp_path: Path) -> None:
    call = "x = torch.arange(12.0).reshape(3, 4)\n"
    tests = {
        "released-1": "import torch",
        "double_test": f"{call}assert torch.allclose(double(x), 2 * x)",
        "double_test_2": f"{call}torch.testing.assert_close(double(-x), -2 * x)",
        "square_test": f"{call}want = x * x\nassert torch.equal(square(x), want)",
    }
    root = tmp_path / "course"
    _make_class(root, tests)
    submit(root, "forger", answered(root, double=ALLCLOSE_PATCHED, square=""))
    submit(root, "honest", answered(root))
    assert _scores(root) == {"forger": 0, "honest": 5}
    assert _scores(root, assignments=TOGETHER) == {"forger": 5, "honest": 5}
