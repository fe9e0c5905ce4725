"""Which names a cell reads and binds: compiled where it is an instructor's, by line where not."""

from __future__ import annotations

import pytest

from hub.facts.cell_names import bound_names, names_of, names_used


@pytest.mark.parametrize(
    ("code", "names"),
    [
        ("a, (b, *c), = [d] = 1", "abcd"),
        ("a: int = 1; b = 2", "ab"),
        ("try:\n    a = 1\nexcept E:\n    b = 1\nelse: c = 1", "abc"),
        ("def a():\n    b = 1\nclass c:\n    d = 1", "ac"),
        ("if 1:\n    def a():\n        b = 1\n    c = 1", "ac"),
        ("f(\n    a=1)\na[b] = c.d = 1\nprint('; a = 1')  # ; b = 1\na == b", ""),
        ("import a.b as c, d", "cd"),
    ],
)
def test_the_names_that_a_cell_binds(code: str, names: str) -> None:
    assert bound_names(code) == set(names)


@pytest.mark.parametrize(
    "code",
    [
        "a = b = 1",
        "a, (b, *c) = [1, (2, 3)]",
        "import os.path as p, sys",
        "from math import pi as number, e",
        "async def f(x, y=1):\n    z = x\n    return z",
        "class A:\n    inner = 1\n    def m(self):\n        local = 1",
        "if given:\n    x = 1\nelse:\n    y = 2",
        "try:\n    a = 1\nexcept ValueError:\n    b = 2",
        "x: int = 1",
        "print('a = 1')",
    ],
)
def test_both_ways_to_read_a_cell_agree_where_it_is_python(code: str) -> None:
    assert bound_names(code) == names_of(compile(code, "", "exec"))[1]


@pytest.mark.parametrize("code", ["def f(:\n  x =", "a = 1\nb = = 2", "%matplotlib inline\na = 1"])
def test_only_reading_by_line_finds_names_in_what_is_no_python(code: str) -> None:
    assert names_used(code) == frozenset()
    assert bound_names(code) & {"a", "f"} or code.startswith("def")


def test_names_of_functions_and_classes_of_a_cell_are_not_global() -> None:
    code = "def f(x):\n    y = x + outside\n    return [z for z in y]\nclass A:\n    own = other\n"
    loads, stores = names_of(compile(code, "", "exec"))
    assert (loads, stores) == ({"outside", "other"}, {"f", "A"})


def test_what_a_test_uses_is_what_it_reads_and_does_not_bind() -> None:
    code = "import math\nwant = math.pi\nassert abs(area(2) - 4 * want) < eps"
    assert names_used(code) == {"abs", "area", "eps"}


def test_a_name_that_is_bound_in_a_function_only_is_still_used() -> None:
    assert "answer" in names_used("def f(answer):\n    return answer\nassert answer == 1")
