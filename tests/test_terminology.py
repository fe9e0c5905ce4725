"""Each name has one meaning: docs/terminology.md, as far as a program can check it."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from pathlib import Path

CHECKOUT = Path(__file__).parents[1]


def test_the_name_of_a_class_stands_for_one_thing():
    found: dict[str, list[str]] = defaultdict(list)
    for folder in ("hub", "course"):
        for path in (CHECKOUT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ClassDef):
                    found[node.name].append(f"{path.relative_to(CHECKOUT)}:{node.lineno}")
    assert {name: where for name, where in found.items() if len(where) > 1} == {}


def test_each_term_stands_in_one_row():
    rows = (CHECKOUT / "docs" / "terminology.md").read_text(encoding="utf-8").splitlines()
    terms = [
        term
        for row in rows
        if row.startswith("| **")
        for term in re.findall(r"\*\*(.+?)\*\*", row.split("|")[1])
    ]
    assert len(terms) > 60 and len(terms) == len(set(terms))
