"""Mutants of a reference: each kind of slip is made, each mutant runs, and none comes twice."""

from __future__ import annotations

import ast
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.verification.mutants import mutants, one_line, sample


def after(source: str) -> set[str]:
    """The changed lines of all mutants of a text."""
    return {mutant.after for mutant in mutants(source)}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (
            'torch.einsum("qe,ke->qk", q, k)',
            {
                'torch.einsum("eq,ke->qk", q, k)',
                'torch.einsum("qe,ek->qk", q, k)',
                'torch.einsum("qe,ke->kq", q, k)',
                'torch.einsum("qe,ke->q", q, k)',
                'torch.einsum("qe,ke->qk", k, q)',
            },
        ),
        (
            'rearrange(z, "pos (head d) -> head pos d")',
            {
                'rearrange(z, "pos (d head) -> head pos d")',
                'rearrange(z, "head (pos d) -> head pos d")',
                'rearrange(z, "pos (head d) -> pos head d")',
            },
        ),
        ("x.mean(dim=-1)", {"x.mean(dim=0)", "x.mean(dim=-2)", "x.mean()", "x.sum(dim=-1)"}),
        ("x.mean(dim=1)", {"x.mean(dim=2)", "x.mean(dim=0)"}),
        ("y = x[1:]", {"y = x[2:]", "y = x[0:]", "y = x[1:-1]"}),
        ("y = x[:n]", {"y = x[1:n]", "y = x[:n - 1]"}),
        (
            "y = x[a : a + n]",
            {"y = x[a + 1 : a + n]", "y = x[a : (a + n) - 1]", "y = x[a : a - n]"},
        ),
        ("y = a + b - c", {"y = a + b", "y = b - c", "y = a - b - c", "y = a + b + c"}),
        ("y = (a + b) * c", {"y = (a) * c", "y = a + b", "y = c", "y = (a + b) / c"}),
        ("y = a / b", {"y = a * b", "y = b / a", "y = a"}),
        ("y = a @ b", {"y = b @ a", "y = a"}),
        ("y = -x", {"y = x"}),
        ('y = float("-inf")', {'y = float("inf")'}),
        ("y = x.clone()", {"y = x"}),
        ("y = x.detach().contiguous()", {"y = x.contiguous()", "y = x.detach()"}),
        ("y = dict(x)", {"y = x"}),
        ("y = f(a, b)", {"y = f(b, a)"}),
        ("y = f(one=1, two=2)", {"y = f(one=2, two=1)", "y = f(two=2)", "y = f(one=1)"}),
        ("y = a < b", {"y = a <= b", "y = a > b"}),
        ("y = a is not None", {"y = a is None"}),
        ("y = a and b", {"y = a or b", "y = a", "y = b"}),
        ("y = f(keep=True)", {"y = f(keep=False)"}),
        ("y = 1e-5", {"y = 2e-05"}),
        ("y = range(n)", {"y = range(n - 1)", "y = range(1, n)"}),
        ("y = model.W_Q[i, j]", {"y = model.W_K[i, j]", "y = model.W_Q[j, i]"}),
        ("for x in (a, b):\n    f(x)", {"for x in (a,):", "for x in (b,):", "pass"}),
        ("x += y", {"x -= y", "pass"}),
        ("x[0] = y", {"x[1] = y", "pass"}),
        ("if a:\n    f()", {"if not a:", "pass"}),
        ("y = {1: a, 2: b}", {"y = {1: b, 2: a}"}),
        ("y = x.T", {"y = x"}),
        ("y = x.tril()", {"y = x.triu()", "y = x"}),
    ],
)
def test_each_kind_of_mistake_is_made(source: str, expected: set[str]) -> None:
    assert expected <= after(source)


@pytest.mark.parametrize(
    "source",
    [
        'raise ValueError("1 + 1", n + 1)',
        "def f(x: A[1]) -> B[2]:\n    return x",
        "import torch",
        "[x for x in (a,)]",
        '"""A docstring."""',
        "y = f(device=x.device)",
        "y = torch.equal(a, b)",
    ],
)
def test_code_that_no_test_can_see_is_left_alone(source: str) -> None:
    assert mutants(source) == []


def test_only_the_solution_is_changed() -> None:
    source = (
        "def f(x, n=1):\n    given = n + 1\n    ### BEGIN SOLUTION\n    return x + given\n"
        "    ### END SOLUTION\n\n\nafterwards = f(2)"
    )
    found = mutants(source)
    assert {mutant.line for mutant in found} == {4}
    assert "return x - given" in {mutant.after for mutant in found}
    assert all(mutant.before == "return x + given" for mutant in found)
    assert all("afterwards = f(2)" in mutant.source for mutant in found)


def test_a_change_over_several_lines_is_shown_in_one() -> None:
    source = "y = f(\n    a,  # the first\n    b,\n)\nz = 1\n"
    swapped = next(mutant for mutant in mutants(source) if mutant.what == "arguments swapped")
    assert swapped.line == 2
    assert swapped.before == "a, # the first b,"
    assert swapped.after == "b, # the first a,"
    assert swapped.source == "y = f(\n    b,  # the first\n    a,\n)\nz = 1\n"


def test_letters_of_more_than_a_byte_move_no_place() -> None:
    assert "größe = β - α" in after("größe = β + α")


def test_text_that_is_not_python_has_no_mutants() -> None:
    assert mutants("%%bash\nls") == []


EXPRESSIONS = st.recursive(
    st.sampled_from(["a", "b", "1", "-1", "2.5", "x[1:]", "x[:, -1]", "f(a, b)", "x.clone()"]),
    lambda inner: (
        st.builds(
            "({} {} {})".format,
            inner,
            st.sampled_from(["+", "-", "*", "/", "@", "<", "and"]),
            inner,
        )
        | st.builds("-{}".format, inner)
        | st.builds("f({}, dim={})".format, inner, inner)
        | st.builds("({}).T".format, inner)
    ),
    max_leaves=6,
)


@given(EXPRESSIONS)
def test_all_mutants_parse_and_all_are_different_programs(expression: str) -> None:
    source = f"y = {expression}\nz = y\n"
    found = mutants(source)
    assert found == mutants(source)
    programs = {ast.dump(ast.parse(mutant.source)) for mutant in found}
    assert len(programs) == len(found)
    assert ast.dump(ast.parse(source)) not in programs


def test_a_sample_is_the_same_each_time_and_from_all_parts() -> None:
    found = mutants("\n".join(f"y{n} = -a{n}" for n in range(50)))
    chosen = sample(found, 10, "name")
    assert chosen == sample(found, 10, "name")
    assert chosen != sample(found, 10, "another")
    lines = [mutant.line for mutant in chosen]
    assert all(1 <= after - before <= 12 for before, after in pairwise([0, *lines, 51]))
    assert {*lines} > {mutant.line for mutant in sample(found, 4, "name")}
    assert sample(found, 1000, "name") == found


def test_lines_are_compared_without_their_spaces() -> None:
    assert one_line("    a  =\n        1") == "a = 1"


def test_no_statement_of_a_while_loop_is_left_out() -> None:
    assert "pass" in after("if a < b:\n    a += 1")
    assert "pass" not in after("while a < b:\n    a += 1")
