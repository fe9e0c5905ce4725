"""Whose a name is, from the instructor's notebook alone."""

import copy
import json

import pytest

from hub.facts.manifest import Manifest, StudentNames, names_for_release
from hub.grading.isolation.manifest import ManifestError, given_alone, read
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


def test_a_manifest_as_data_says_the_same_and_holds_no_answer():
    manifest = read(
        notebook(
            ("released", "import math"),
            ("solution", "class Circle:\n    def area(self, r): return math.pi * r * r  # ANSWER"),
            ("released", "circle = Circle()"),
            ("test", "assert circle.area(0) == 0"),
        )
    )
    data = json.dumps(manifest.as_data())
    again = Manifest.from_data(json.loads(data))
    assert "ANSWER" not in data
    assert again.students == manifest.students == {"Circle", "circle"}
    assert again.student_classes == {"Circle"} and again.wanted("test-4") == {"circle"}
    for name in ("released-1", "released-3", "test-4"):
        assert again.cell(name) == manifest.cell(name)


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


SOURCE = notebook(
    ("released", "import math\nTAU = 2 * math.pi"),
    ("solution", "import cmath\nclass Disk:\n    pass\ndef helper(r):\n    return Disk"),
    ("solution", "def area(r):\n    return helper(r)\nsecret = 3"),
    ("released", "shown = area(1)"),
    ("test", "assert area(1) == TAU / 2 and Disk() and shown"),
    ("test", "assert True\n### BEGIN HIDDEN TESTS\nassert secret == 3\n### END HIDDEN TESTS"),
)
RELEASE = copy.deepcopy(SOURCE)
RELEASE.cells[1].source = RELEASE.cells[2].source = "raise NotImplementedError()"
RELEASE.cells[5].source = "assert True"


def plain(text: str) -> str:
    return text


def test_a_release_says_whose_the_names_are_that_it_shows_and_no_others():
    names = names_for_release(SOURCE, RELEASE, plain)
    assert names.as_data() == {"names": ["Disk", "area", "shown"], "classes": ["Disk"]}


def test_with_these_names_a_release_has_the_manifest_of_the_source_as_far_as_it_shows_it():
    names = names_for_release(SOURCE, RELEASE, plain)
    ours, whole = read(RELEASE, names), read(SOURCE)
    assert [facts.role for facts in ours.cells] == ["released", "released", "test", "test"]
    for facts in ours.cells[:2]:
        assert ours.runs_isolated(facts) == whole.runs_isolated(whole.cell(facts.name))
    assert ours.wanted("test-5") == whole.wanted("test-5")
    assert ours.student_classes == whole.student_classes
    assert given_alone(RELEASE, names) == given_alone(SOURCE) == {"released-1"}
    assert given_alone(RELEASE) != given_alone(SOURCE), "the stubs do not show it"


def test_a_notebook_that_breaks_the_rules_says_nothing_of_its_names():
    source = notebook(("released", "a = 1"), ("solution", "a = 2"))
    with pytest.raises(ManifestError):
        names_for_release(source, source, plain)


@pytest.mark.parametrize(
    "data",
    [
        None,
        "names",
        [],
        {},
        {"names": ["f"]},
        {"names": "f", "classes": []},
        {"names": [1], "classes": []},
    ],
)
def test_what_a_student_made_of_the_names_is_none(data):
    assert StudentNames.from_data(data) is None
