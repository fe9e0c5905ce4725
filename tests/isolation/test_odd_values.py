"""A function that returns something odd costs its own exercise, and nothing after it."""

from collections.abc import Iterable
from pathlib import Path

import pytest
from nbformat import NotebookNode

from hub.grading.pipeline.execute import ExecutionLimits, execute
from tests.isolation.notebooks import (
    answered,
    failed,
    failures,
    notebook,
    run_in_kernel,
    run_isolated,
)
from tests.isolation.odd_values import ODD, SETUP, function

AFTER = [("solution", "def g(x):\n    return 3 * x"), ("test", "assert g(4) == 12")]


def exercises(test: str, count: int) -> NotebookNode:
    """`count` exercises with this test of `f`, each followed by one that is answered rightly."""
    pair = [("solution", "def f(x):\n    return 1"), ("test", test), *AFTER]
    return notebook(("released", SETUP), *pair * count)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """For each odd value, what is said of its own test and of the one after it."""
    source = exercises("assert f(1) == 1", len(ODD))
    answers = [text for row in ODD.values() for text in (function(row), AFTER[0][1])]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("odd"))
        executed = run_isolated(source, answered(source, *answers), seconds=30, total=600)
    tests = [cell for cell in executed.cells if cell.metadata.get("nbgrader", {}).get("grade")]
    output = [" ".join(o.evalue for o in cell.outputs if "evalue" in o) for cell in tests]
    lost = [bool(cell.outputs) for cell in tests]
    return {
        name: [
            output[2 * k] if lost[2 * k] else "passed",
            output[2 * k + 1] if lost[2 * k + 1] else "",
        ]
        for k, name in enumerate(ODD)
    }


@pytest.mark.parametrize("name", ODD)
def test_an_odd_value_costs_its_own_exercise_only(report: dict[str, list[str]], name: str) -> None:
    own, after = report[name]
    assert own != "passed"
    assert after == ""
    assert len(own) <= 800


def test_there_are_a_hundred_odd_values() -> None:
    assert len(ODD) > 100


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_message_says_what_was_returned_and_what_a_test_accepts(
    report: dict[str, list[str]],
) -> None:
    assert report["a set of objects"][0] == (
        "your code returned a set that holds an object of class 'object', which cannot be "
        "compared outside your notebook; a test takes numbers, texts, lists, tuples, sets and "
        "dicts of them, dense tensors and arrays"
    )
    assert "on the device 'meta', which has no numbers" in report["a tensor on meta"][0]
    assert "only inside torch.vmap" in report["a tensor kept from vmap"][0]
    assert "contains itself" in report["a list that holds itself"][0]
    assert "gave an object of class 'Colour'" in report["an enum member"][0]


VARIABLES = [
    "a set of objects",
    "a tensor on meta",
    "a list that holds itself",
    "twenty thousand keys",
]
VARIABLES += ["a tensor of a gigabyte", "a tensor kept from vmap", "a figure with objects"]


def test_odd_variables_cost_their_own_exercises_only(folder: Path) -> None:
    source = notebook(
        ("released", SETUP),
        *[
            cell
            for k in range(len(VARIABLES))
            for cell in (("solution", f"v{k} = 1"), ("test", f"assert v{k} == 1"))
        ],
        *AFTER,
    )
    odd = [function(ODD[name]) + f"v{k} = f(1)" for k, name in enumerate(VARIABLES)]
    executed = run_isolated(source, answered(source, *odd, AFTER[0][1]))
    assert len(failures(executed)) == len(VARIABLES)


def test_variables_that_are_too_large_together_cost_the_largest(folder: Path) -> None:
    sizes = {"a": 30, "b": 4_000, "c": 9_000, "d": 50}
    source = notebook(
        *[
            cell
            for name, n in sizes.items()
            for cell in (
                ("solution", f"{name} = dict.fromkeys(range({n}))"),
                ("test", f"assert {name} == dict.fromkeys(range({n}))"),
            )
        ]
    )
    assert failed(run_isolated(source)) == ["test-6"]


def test_an_odd_argument_of_a_call_back_costs_its_own_exercise_only(folder: Path) -> None:
    names = ["a set of objects", "a tensor on meta", "a list that holds itself", "a lock"]
    names += ["a figure spoilt by hand", "ten million numbers", "an integer of a million bits"]
    source = exercises("assert f(lambda x: x) == 1", len(names))
    answers = [
        text
        for name in names
        for text in (
            function(ODD[name], "odd") + "def f(g):\n    g(odd(1))\n    return 2",
            AFTER[0][1],
        )
    ]
    executed = run_isolated(source, answered(source, *answers))
    assert failed(executed) == [f"test-{4 * k + 3}" for k in range(len(names))]


def test_a_conversion_that_never_ends_is_interrupted(folder: Path) -> None:
    endless = {
        "an exception": "class Bad(Exception):\n    def __str__(self):\n        while True: pass\n"
        "def f(x):\n    raise Bad",
        "a number": "import numbers\nclass N(numbers.Real):\n"
        "    def __float__(self):\n        while True: pass\n"
        "N.__abstractmethods__ = frozenset()\ndef f(x):\n    return N()",
    }
    source = exercises("assert f(1) == 1", len(endless))
    answers = [text for bad in endless.values() for text in (bad, AFTER[0][1])]
    executed = run_isolated(source, answered(source, *answers), seconds=3)
    assert failed(executed) == ["test-3", "test-7"]


# Each is equal to 3 or to 0.5, in the student's own interpreter too.
NUMBERS = {
    "a Decimal": ("Decimal(3)", "Decimal('0.5')"),
    "a Decimal of another form": ("Decimal('0.3E+1')", "Decimal('0.500')"),
    "a Fraction": ("Fraction(3)", "Fraction(1, 2)"),
    "long integers and floats of numpy": ("np.int64(3)", "np.float64(0.5)"),
    "short ones": ("np.uint8(3)", "np.float16(0.5)"),
    "very long ones": ("np.uint64(3)", "np.longdouble(0.5)"),
    "sympy's": ("sympy.Integer(3)", "sympy.Float('0.5')"),
    "mpmath's": ("3", "mpmath.mpf('0.5')"),
    "Python's own": ("3", "0.5"),
    "enums and flags that are ints": ("enum.IntEnum('E', 'A B C').C", "0.5"),
}
NUMBERS_GIVEN = """
import enum, math, mpmath, sympy
import numpy as np
from decimal import Decimal
from fractions import Fraction
from course.calls import plain
"""
NUMBERS_TEST = """
whole, half = f(1), g(1)
assert whole == 3 and half == 0.5 and whole != 4 and half < 1 and sorted([whole, half])[1] == 3
assert math.isclose(whole, 3.0) and math.isclose(half, 0.5)
assert abs(plain(f(1), int) - 3) == 0 and type(plain(f(1), int)) is not float
assert abs(plain(g(1), float) - 0.5) < 1e-9 and abs(plain(f(1), float) - 3.0) < 1e-9
assert plain(f(1), int, float) == 3 and plain(g(1), int, float) == 0.5
assert [f(1)] == [3] and {"a": f(1)} == {"a": 3} and (f(1), g(1)) == (3, 0.5) and {f(1)} == {3}
"""
NUMBERS_SOURCE = notebook(
    ("released", NUMBERS_GIVEN),
    *[
        cell
        for _ in NUMBERS
        for cell in (
            ("solution", "def f(x): return 3\ndef g(x): return 0.5"),
            ("test", NUMBERS_TEST),
        )
    ],
)


def with_numbers(pairs: Iterable[tuple[str, str]]) -> NotebookNode:
    texts = [f"def f(x): return {whole}\ndef g(x): return {half}" for whole, half in pairs]
    return answered(NUMBERS_SOURCE, *texts)


@pytest.mark.parametrize("mode", ["isolated", "in_kernel"])
def test_right_answers_of_every_honest_number_type_keep_their_points(
    mode: str, folder: Path
) -> None:
    right = with_numbers(NUMBERS.values())
    executed = (
        run_in_kernel(right, folder) if mode == "in_kernel" else run_isolated(NUMBERS_SOURCE, right)
    )
    assert failures(executed) == []


@pytest.mark.parametrize("mode", ["isolated", "in_kernel"])
def test_wrong_answers_of_every_number_type_earn_nothing(mode: str, folder: Path) -> None:
    wrong = with_numbers((half, whole) for whole, half in NUMBERS.values())
    executed = (
        run_in_kernel(wrong, folder) if mode == "in_kernel" else run_isolated(NUMBERS_SOURCE, wrong)
    )
    assert len(failed(executed)) == len(NUMBERS)


@pytest.mark.parametrize("mode", ["isolated", "in_kernel"])
def test_a_number_that_sympy_finds_unequal_to_a_float_counts_as_equal(
    mode: str, folder: Path
) -> None:
    source = notebook(
        ("released", NUMBERS_GIVEN),
        ("solution", "def f(x): return 0.5"),
        ("test", "assert plain(f(1), float) == 0.5 and plain(f(1), int, float) == 0.5"),
    )
    for value in ("sympy.Rational(1, 2)", "sympy.Float('0.5', 50)", "sympy.S.Half"):
        right = answered(source, f"def f(x): return {value}")
        executed = (
            run_in_kernel(right, folder) if mode == "in_kernel" else run_isolated(source, right)
        )
        assert failures(executed) == []


def test_numbers_cross_in_arithmetic_of_a_test(folder: Path) -> None:
    source = notebook(
        ("solution", "def f(x):\n    return x / 3"),
        ("test", "assert abs(f(1.0) - 1 / 3) < 1e-12 and f(3.0) * 2.0 == 2 and f(1) == 1 / 3"),
    )
    for kind in ("from decimal import Decimal as N", "from fractions import Fraction as N"):
        submission = answered(source, f"{kind}\ndef f(x):\n    return N(x) / 3")
        assert failures(run_isolated(source, submission)) == []


FOR_STUDENTS = {
    "a mock": "from unittest.mock import MagicMock\ndef f(x):\n    return MagicMock()",
    "a generator": "def f(x):\n    yield x",
    "an object": "def f(x):\n    return object()",
    "a number without a value": (
        "import numbers\nclass Odd(numbers.Integral):\n    def __int__(self):\n        return 'a'\n"
        "Odd.__abstractmethods__ = frozenset()\ndef f(x):\n    return Odd()"
    ),
}


@pytest.mark.parametrize(
    "test",
    [
        "assert f(1) == 1",
        "assert f(1) + 1 == 2",
        "assert max(f(1), 2)",
        "assert pow(2, f(1))",
        "import torch\nassert torch.tensor(f(1)) == 1",
        "assert 'a' + f(1)",
        "assert f(1).x == 1",
    ],
)
def test_students_messages_are_about_their_object_and_free_of_jargon(
    test: str, folder: Path
) -> None:
    source = exercises(test, len(FOR_STUDENTS))
    answers = [text for f in FOR_STUDENTS.values() for text in (f, AFTER[0][1])]
    executed = run_isolated(source, answered(source, *answers))
    tests = [cell for cell in executed.cells if cell.metadata.get("nbgrader", {}).get("grade")]
    for what, cell in zip(FOR_STUDENTS, tests[::2], strict=True):
        words = " ".join(output.evalue for output in cell.outputs)
        assert words, what
        assert "Handle" not in words and "the student's object" not in words, words
        assert "beyond what a float holds" not in words
    assert not any(cell.outputs for cell in tests[1::2])


def test_an_odd_value_in_the_students_kernel_costs_its_own_exercise_only() -> None:
    some = dict(list(ODD.items())[::6])  # all of them pass, and take a minute
    source = exercises("assert f(1) == 1", len(some))
    answers = [text for row in some.values() for text in (function(row), AFTER[0][1])]
    executed = execute(
        answered(source, *answers),
        source=source,
        tests="in_kernel",
        limits=ExecutionLimits(cell_seconds=30, total_seconds=600),
    ).notebook
    tests = [cell for cell in executed.cells if cell.metadata.get("nbgrader", {}).get("grade")]
    lost = [
        name
        for name, cell in zip(some, tests[1::2], strict=True)
        if any(output.output_type == "error" for output in cell.outputs)
    ]
    assert lost == []
