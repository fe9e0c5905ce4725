"""The global names that a cell reads and binds: of code that compiles, and of what need not.

Instructors' cells are compiled, so that scopes are Python's own (`names_of`). What a student wrote
is never compiled where it is graded, and may be no Python yet: it is read line by line
(`bound_names`), in time that goes with its length.
"""

from __future__ import annotations

import ast
import dis
import re
from collections.abc import Iterable
from contextlib import suppress
from types import CodeType

_DEFINES = re.compile(r"(?:async\s+def|def|class)\s+(\w+)")
_TARGET = r"[*(\[\s]*+\w++[)\]\s]*+"
_ASSIGNS = re.compile(rf"({_TARGET}(?:,{_TARGET})*+,?\s*+)(?::[^=]*)?=(?!=)")
_BLOCK = re.compile(
    r"(?:(?:async\s+)?(?:if|elif|else|try|except|finally|for|while|with)\b[^:]*):(.*)"
)
_CONTINUED = re.compile(r"\\\n")
_STRING_OR_COMMENT = re.compile(r"'[^'\n]*'|\"[^\"\n]*\"|#.*")
_IMPORTS = re.compile(r"(?:from\s+\S+\s+)?import\s+(.+)")


def names_of(code: CodeType, top: bool = True) -> tuple[frozenset[str], frozenset[str]]:
    """The global names that a cell's code, with all functions and classes in it, loads and stores.

    `top` says that `code` is the cell itself: there a plain store is a global one.
    """
    loads: set[str] = set()
    stores: set[str] = set()
    own: set[str] = set()  # what a class body binds as its own
    for step in dis.get_instructions(code):
        name = step.argval
        if step.opname in ("STORE_NAME", "DELETE_NAME"):
            (stores if top else own).add(name)
        elif step.opname in ("STORE_GLOBAL", "DELETE_GLOBAL"):
            stores.add(name)
        elif step.opname in ("LOAD_NAME", "LOAD_GLOBAL", "LOAD_FROM_DICT_OR_GLOBALS"):
            loads.add(name)
    loads -= own
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            inner_loads, inner_stores = names_of(constant, top=False)
            loads |= inner_loads
            stores |= inner_stores
    return _named(loads), _named(stores)


def _named(names: set[str]) -> frozenset[str]:
    """`names` without those that the compiler makes, such as `__annotations__`."""
    return frozenset(name for name in names if not name.startswith("__"))


def names_used(code: str) -> frozenset[str]:
    """The names that an instructor's code reads and does not bind; none if it is no Python."""
    try:
        found = compile(code, "", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    except (SyntaxError, ValueError, RecursionError):
        return frozenset()
    loads, stores = names_of(found)
    return loads - stores


def bound_names(code: str) -> frozenset[str]:
    """The names that a cell binds at the left margin or in blocks, such as `if`, that stand there.

    By line, so that it works for code that is no Python yet, and takes time in its length only.
    """
    names: set[str] = set()
    in_block, body = False, float("inf")  # body: the indentation of the definition it belongs to
    for line in _CONTINUED.sub(" ", code).splitlines():
        statement = line[:1000].strip()
        indentation = len(line) - len(line.lstrip())
        if not statement or indentation > body or (indentation and not in_block):
            continue
        body = indentation if _DEFINES.match(statement) else float("inf")
        block = _BLOCK.match(statement)
        if not indentation:
            in_block = bool(block)
        for part in _STRING_OR_COMMENT.sub("''", block[1] if block else statement).split(";"):
            names |= _bound_by(part.strip())
    return frozenset(names)


def _bound_by(statement: str) -> set[str]:
    if match := _DEFINES.match(statement):
        return {match[1]}
    if match := _IMPORTS.match(statement):
        parts = (part.split() for part in match[1].strip("() \t").split(","))
        return {words[-1].partition(".")[0] for words in parts if words}
    names: set[str] = set()
    position = 0
    while match := _ASSIGNS.match(statement, position):  # once for each of a = b = ...
        names |= set(re.findall(r"\w+", match[1]))
        position = match.end()
    return names


def imported_by(cells: Iterable[str]) -> list[str]:
    """The modules that these cells import."""
    found: set[str] = set()
    for text in cells:
        with suppress(SyntaxError, ValueError):
            for node in ast.walk(ast.parse(_without_magics(text))):
                if isinstance(node, ast.Import):
                    found.update(alias.name for alias in node.names)
                elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                    found.add(node.module)
    return sorted(found)


def _without_magics(text: str) -> str:
    lines = text.splitlines()
    return "\n".join("pass" if line.startswith(("%", "!")) else line for line in lines)
