"""Mutation operators for rules of a server, beside those for exercises. Pure."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from itertools import chain, pairwise

from hub.verification.mutation_operators import Edit, Text, mutations

COLLECTIONS = (ast.Tuple, ast.List, ast.Set)
TYPES = {"Callable", "Literal", "Mapping", "dict", "frozenset", "list", "set", "tuple"}


def server_mutations(tree: ast.AST, text: Text) -> Iterator[Edit]:
    """The edits of `mutations`, and a refusal, a member of a collection or an entry left out.

    Not the order of constants, nor of what a value is looked for in: neither means anything in
    rules. Not types.
    """
    spans = [(text.start(node), text.end(node)) for node in ast.walk(tree) if _is_type(node)]
    tables = {
        (text.start(one), text.end(two))
        for node in ast.walk(tree)
        if isinstance(node, COLLECTIONS)
        for one, two in pairwise(node.elts)
        if isinstance(one, ast.Constant) and isinstance(two, ast.Constant)
    }
    tables |= {
        (text.start(one), text.end(two))
        for node in ast.walk(tree)
        if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.In | ast.NotIn)
        for sought_in in node.comparators
        if isinstance(sought_in, COLLECTIONS)
        for one, two in pairwise(sought_in.elts)
    }
    for edit in chain(mutations(tree, text), _left_out(tree, text)):
        if edit.what == "neighbours swapped" and (edit.start, edit.end) in tables:
            continue
        if not any(start <= edit.start and edit.end <= end for start, end in spans):
            yield edit


def _is_type(node: ast.AST) -> bool:
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):  # one class or another
        return isinstance(node.right, ast.Name) and node.right.id[:1].isupper()
    return (
        isinstance(node, ast.Subscript)
        and isinstance(node.value, ast.Name)
        and node.value.id in TYPES
    )


def _left_out(tree: ast.AST, text: Text) -> Iterator[Edit]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Raise):
            yield text.instead(node, "pass", "a refusal left out")
        elif isinstance(node, COLLECTIONS):
            for member in node.elts:
                # Nothing, unpacked: commas stay as they are, and a set of one is no dictionary.
                yield text.instead(member, "*()", f"without {text.of(member)}")
        elif isinstance(node, ast.Dict):
            for key, value in zip(node.keys, node.values, strict=True):
                if key is not None:
                    span = text.start(key), text.end(value)
                    yield text.edit(*span, "**{}", f"without {text.of(key)}")
