"""Whose a name is, from the instructor's notebook alone."""

import pytest

from hub.grading.isolation.manifest import ManifestError, read
from tests.isolation.notebooks import notebook


def test_solution_names_are_the_students_and_given_names_are_not():
    manifest = read(
        notebook(
            ("released", "import math\nTAU = 2 * math.pi"),
            ("solution", "def area(r):\n    half = TAU / 2\n    return half * r * r"),
            ("test", "assert area(1) == TAU / 2"),
        )
    )
    assert manifest.students == {"area"}
    assert manifest.wanted("test-3") == {"area"}


def test_given_cells_that_use_a_students_name_hand_it_on():
    manifest = read(
        notebook(
            ("solution", "def f(): return 1"),
            ("released", "def shown():\n    return f()"),
            ("released", "y = shown()"),
            ("released", "z = 3"),
            ("test", "assert y == 1 and z == 3"),
        )
    )
    assert manifest.students == {"f", "shown", "y"}
    assert [manifest.runs_isolated(manifest.cell(f"released-{k}")) for k in (2, 3, 4)] == [
        False,
        False,
        True,
    ]


def test_a_cell_with_a_magic_is_the_students():
    manifest = read(notebook(("released", "%time x = 1"), ("released", "!ls")))
    assert not any(manifest.runs_isolated(facts) for facts in manifest.cells)


def test_a_test_sees_the_names_that_earlier_tests_use():
    manifest = read(
        notebook(
            ("solution", "def f(): return 1\ndef g(): return 2"),
            ("test", "def h():\n    return [f() for _ in range(2)]"),
            ("test", "assert h() == [1, 1]"),
            ("test", "assert g() == 2"),
        )
    )
    assert manifest.wanted("test-3") == {"f"}
    assert manifest.wanted("test-4") == {"f", "g"}


def test_classes_are_distinguished_from_other_names():
    manifest = read(notebook(("solution", "class A:\n    x = 1\n    y = x\nB = type('B', (), {})")))
    assert manifest.student_classes == {"A"}
    assert manifest.students == {"A", "B"}


def test_a_module_that_solution_and_given_cell_both_import_stays_given():
    manifest = read(
        notebook(
            ("released", "import math"),
            ("solution", "import math\ndef f(x): return math.sqrt(x)"),
            ("test", "import cmath\nassert f(4) == math.sqrt(4)"),
        )
    )
    assert manifest.students == {"f"}
    assert manifest.runs_isolated(manifest.cell("released-1"))


@pytest.mark.parametrize(
    ("cells", "complaint"),
    [
        ([("released", "a = 1"), ("solution", "a = 2")], "solution-2 redefines a"),
        ([("solution", "def sum(x): return x")], "solution-1 redefines sum"),
        ([("test", "assert nowhere == 1")], "test-1 uses nowhere, which nothing binds"),
        ([("solution", "f = 1"), ("test", "f = 2")], "test-2 binds f, which is the student's"),
        ([("released", "a = 1"), ("test", "a = 2")], "test-2 binds a, which is given"),
        ([("test", "t = 1"), ("released", "print(t)")], "released-2 uses t, which only a test"),
        ([("released", "from math import *")], r"released-1 imports \*"),
        (
            [("solution", "import math\ndef f(): return 1"), ("test", "assert math.pi > f()")],
            "test-2 uses the module math",
        ),
        ([("released", "def broken(:")], "released-1 is not Python"),
    ],
)
def test_an_author_is_reported_which_rule_a_cell_breaks(cells, complaint):
    with pytest.raises(ManifestError, match=complaint):
        read(notebook(*cells))
