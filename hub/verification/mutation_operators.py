"""Mutation operators: the kinds of change that `mutants` makes, as edits of a text. Pure.

Every function here takes a node of the syntax tree and the text, and yields edits. What no test
on a CPU can notice is left alone: devices, `strict=` of `zip`, error messages, annotations.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

EINSUM, EINOPS = frozenset({"einsum"}), frozenset({"rearrange", "reduce", "repeat"})

# Calls that change their object so little that leaving one out is a plausible mistake rather than
# nonsense: as a method (or an attribute, such as .T), and as a function.
METHODS = frozenset(
    {
        *("clone", "detach", "contiguous", "copy", "float", "double", "long", "bool", "cpu"),
        *("item", "tolist", "abs", "square", "sqrt", "exp", "log", "tanh", "relu", "sigmoid"),
        *("softmax", "log_softmax", "cumsum", "sort", "flip", "triu", "tril", "real"),
        *("transpose", "permute", "swapaxes", "T", "mT", "squeeze", "unsqueeze", "removeprefix"),
    }
)
FUNCTIONS = frozenset(
    {
        *("float", "int", "list", "tuple", "dict", "set", "abs", "sorted", "reversed"),
        *("sqrt", "exp", "log", "tanh", "square", "softmax", "log_softmax"),
    }
)
OTHERS = dict(
    pair
    for a, b in (
        *(("sum", "mean"), ("max", "min"), ("amax", "amin"), ("argmax", "argmin")),
        *(("triu", "tril"), ("zeros", "ones"), ("zeros_like", "ones_like"), ("any", "all")),
        ("softmax", "log_softmax"),
    )
    for pair in ((a, b), (b, a))
)
MATRICES = {"W_Q": "W_K", "W_K": "W_Q", "W_V": "W_K", "b_Q": "b_K", "b_K": "b_Q", "b_V": "b_K"}
ALIKE = frozenset(
    {
        *("transpose", "swapaxes", "equal", "allclose", "isclose", "maximum", "minimum", "max"),
        *("min", "gcd", "isinstance", "print"),
    }
)  # the order of their arguments does not matter
UNSEEN = frozenset({"device", "strict", "layout", "height", "width", "template"})  # keywords

SIGNS = {
    ast.Add: ("+", "-"),
    ast.Sub: ("-", "+"),
    ast.Mult: ("*", "/"),
    ast.Div: ("/", "*"),
    ast.FloorDiv: ("//", "/"),
    ast.BitAnd: ("&", "|"),
    ast.BitOr: ("|", "&"),
}
COMPARISONS = {
    ast.Lt: ("<", ("<=", ">")),
    ast.LtE: ("<=", ("<", ">")),
    ast.Gt: (">", (">=", "<")),
    ast.GtE: (">=", (">", "<")),
    ast.Eq: ("==", ("!=",)),
    ast.NotEq: ("!=", ("==",)),
    ast.Is: ("is", ("is not",)),
    ast.IsNot: ("is not", ("is",)),
    ast.In: ("in", ("not in",)),
    ast.NotIn: ("not in", ("in",)),
}
COMPOUND = (ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Compare, ast.IfExp, ast.Lambda, ast.Await)


@dataclass(frozen=True)
class Edit:
    """A replacement of the bytes `start` to `end` of a text, which are in these lines."""

    start: int
    end: int
    new: str
    what: str
    line: int
    last_line: int


class Text:
    """A program's text, indexed by the syntax tree's positions (lines and byte offsets in them)."""

    def __init__(self, source: str) -> None:
        self._bytes = source.encode()
        self._starts = [0]
        for line in self._bytes.split(b"\n"):
            self._starts.append(self._starts[-1] + len(line) + 1)

    def start(self, node: ast.AST) -> int:
        return self._starts[node.lineno - 1] + node.col_offset  # type: ignore[attr-defined]

    def end(self, node: ast.AST) -> int:
        return self._starts[node.end_lineno - 1] + node.end_col_offset  # type: ignore[attr-defined]

    def of(self, node: ast.AST) -> str:
        return self.between(self.start(node), self.end(node))

    def between(self, start: int, end: int) -> str:
        return self._bytes[start:end].decode()

    def operand(self, node: ast.AST) -> str:
        """The text of a node, in parentheses if it might otherwise be split by precedence."""
        return f"({self.of(node)})" if isinstance(node, COMPOUND) else self.of(node)

    def edit(self, start: int, end: int, new: str, what: str) -> Edit:
        line, last = (self._bytes.count(b"\n", 0, offset) + 1 for offset in (start, end))
        return Edit(start, end, new, what, line, last)

    def instead(self, node: ast.AST, new: str, what: str) -> Edit:
        return self.edit(self.start(node), self.end(node), new, what)

    def token(self, a: ast.AST, b: ast.AST, old: str, new: str, what: str) -> Iterator[Edit]:
        """Replace the word or sign `old` between two nodes by `new`."""
        start = self.end(a)
        offset = self.between(start, self.start(b)).find(old)
        if offset >= 0:
            yield self.edit(start + offset, start + offset + len(old), new, what)

    def swap(self, a: ast.AST, b: ast.AST, what: str) -> Iterator[Edit]:
        if self.of(a) != self.of(b):
            middle = self.between(self.end(a), self.start(b))
            new = f"{self.of(b)}{middle}{self.of(a)}"
            yield self.edit(self.start(a), self.end(b), new, what)

    def changed(self, edit: Edit) -> str:
        whole = self._bytes
        return (whole[: edit.start] + edit.new.encode() + whole[edit.end :]).decode()


def mutations(tree: ast.AST, text: Text) -> Iterator[Edit]:
    """Every edit of a program by an operator; some may not parse, some may be duplicates."""
    for node, parents in _nodes(tree, ()):
        for kind in (_patterns, _numbers, _slices, _terms, _comparisons, _calls, _orders):
            if kind is _orders and parents and getattr(parents[-1], "iter", None) is node:
                continue  # a loop over a few names in another order is usually equivalent
            for edit in kind(node, text):
                yield _in_place(edit, node, parents, text)
        if not any(isinstance(parent, ast.While) for parent in parents):
            yield from _statements(node, text)  # in a `while` it would usually never end


def _nodes(
    node: ast.AST, parents: tuple[ast.AST, ...]
) -> Iterator[tuple[ast.AST, tuple[ast.AST, ...]]]:
    """The nodes of a program that determine what it does, each with its ancestors."""
    yield node, parents
    if _is_number(node):
        return  # the 1 of -1 is not a number by itself
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list", "msg", "type_params"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and not _is_words(child):
                yield from _nodes(child, (*parents, node))


def _is_words(node: ast.AST) -> bool:
    docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    unseen = isinstance(node, ast.keyword) and node.arg in UNSEEN
    return docstring or unseen or isinstance(node, ast.Raise | ast.Import | ast.ImportFrom)


def _in_place(edit: Edit, node: ast.AST, parents: Sequence[ast.AST], text: Text) -> Edit:
    """An edit of a whole node, in parentheses if its surroundings would otherwise split it."""
    whole = hasattr(node, "lineno") and (edit.start, edit.end) == (text.start(node), text.end(node))
    around = (ast.BinOp, ast.UnaryOp, ast.Attribute, ast.Compare, ast.BoolOp)
    if not whole or not parents or not isinstance(parents[-1], around):
        return edit
    if text.between(edit.start - 1, edit.start) + text.between(edit.end, edit.end + 1) == "()":
        return edit
    try:
        loose = isinstance(ast.parse(edit.new, mode="eval").body, COMPOUND)
    except SyntaxError:
        return edit
    return text.instead(node, f"({edit.new})", edit.what) if loose else edit


def _name(call: ast.AST) -> str:
    """The last name of what a call calls, or of an attribute."""
    function = call.func if isinstance(call, ast.Call) else call
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def _patterns(node: ast.AST, text: Text) -> Iterator[Edit]:
    """Neighbouring letters of an einsum swapped, in each operand and in the result, and one left
    out of the result; the same with the axes of an einops pattern."""
    if not isinstance(node, ast.Call) or _name(node) not in EINSUM | EINOPS:
        return
    for argument in node.args:
        if not (isinstance(argument, ast.Constant) and isinstance(argument.value, str)):
            continue
        pattern, arrow, _ = argument.value.partition("->")
        axes = list(re.finditer(r"\w+" if " " in argument.value else r"\w", argument.value))
        sides = re.split(r",|->", argument.value)
        for a, b in pairwise(axes):
            joined = argument.value[a.end() : b.start()]
            if a[0] != b[0] and "," not in joined and "->" not in joined and len(sides) > 1:
                new = (
                    f"{argument.value[: a.start()]}{b[0]}{joined}{a[0]}{argument.value[b.end() :]}"
                )
                yield text.instead(argument, f'"{new}"', f"{a[0]} and {b[0]} swapped")
        for axis in axes if arrow else []:
            if axis.start() > len(pattern) and _name(node) in EINSUM:
                new = argument.value[: axis.start()] + argument.value[axis.end() :]
                yield text.instead(argument, f'"{new}"', f"{axis[0]} summed over")


def _numbers(node: ast.AST, text: Text) -> Iterator[Edit]:
    """An integer plus and minus one, another number doubled, a boolean negated."""
    negative = isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub)
    value = node.operand if isinstance(node, ast.UnaryOp) and negative else node
    if isinstance(node, ast.UnaryOp) and negative and not isinstance(value, ast.Constant):
        yield text.instead(node, text.of(value), "a sign left out")
    if not isinstance(value, ast.Constant):
        return
    number = value.value
    if isinstance(number, bool):
        yield text.instead(node, str(not number), f"{not number} for {number}")
    elif isinstance(number, int):
        number = -number if negative else number
        for near in (number + 1, number - 1):
            yield text.instead(node, str(near), f"{near} for {number}")
    elif isinstance(number, float):
        number = -number if negative else number
        twice = 2 * number if number else 1.0
        yield text.instead(node, repr(twice), f"{twice!r} for {number!r}")
    elif number in ("inf", "-inf"):
        other = "inf" if number == "-inf" else "-inf"
        yield text.instead(node, f'"{other}"', f"{other} for {number}")


def _slices(node: ast.AST, text: Text) -> Iterator[Edit]:
    """A slice that begins one later or ends one earlier; likewise `range`."""
    if isinstance(node, ast.Slice):
        whole = text.of(node)
        if node.lower is None:
            yield text.instead(node, f"1{whole}", "the first one left out")
        elif not _is_number(node.lower):
            yield text.instead(node.lower, f"{text.operand(node.lower)} + 1", "begins one later")
        if node.upper is None and node.lower is not None and node.step is None:
            yield text.instead(node, f"{whole}-1", "the last one left out")
        elif node.upper is not None and not _is_number(node.upper):
            yield text.instead(node.upper, f"{text.operand(node.upper)} - 1", "ends one earlier")
    elif isinstance(node, ast.Call) and _name(node) in ("range", "arange") and node.args:
        end = node.args[0] if len(node.args) == 1 else node.args[1]
        if not _is_number(end):
            yield text.instead(end, f"{text.operand(end)} - 1", "ends one earlier")
        if len(node.args) == 1:
            yield text.instead(end, f"1, {text.of(end)}", "begins one later")


def _is_number(node: ast.AST) -> bool:
    return isinstance(node.operand if isinstance(node, ast.UnaryOp) else node, ast.Constant)


def _terms(node: ast.AST, text: Text) -> Iterator[Edit]:
    """A sign changed, a term or factor left out, a non-commutative operation reversed."""
    if isinstance(node, ast.AugAssign) and type(node.op) in SIGNS:
        old, new = SIGNS[type(node.op)]
        yield from text.token(node.target, node.value, old, new, f"{new} for {old}")
    if not isinstance(node, ast.BinOp):
        return
    left, right, kind = text.of(node.left), text.of(node.right), type(node.op)
    if kind in SIGNS:
        old, new = SIGNS[kind]
        yield from text.token(node.left, node.right, old, new, f"{new} for {old}")
    yield text.instead(node, left, f"without {right}")
    if kind in (ast.Add, ast.Mult, ast.BitAnd, ast.BitOr):
        yield text.instead(node, right, f"without {left}")
    elif kind is ast.Sub:
        yield text.instead(node, f"-{text.operand(node.right)}", f"without {left}")
    if kind in (ast.MatMult, ast.Sub, ast.Div, ast.Pow):
        sign = text.between(text.end(node.left), text.start(node.right)).strip(" ()\n")
        new = f"{text.operand(node.right)} {sign} {text.operand(node.left)}"
        yield text.instead(node, new, "the other way round")


def _comparisons(node: ast.AST, text: Text) -> Iterator[Edit]:
    """Another comparison, `and` for `or`, a condition left out or negated."""
    if isinstance(node, ast.Compare):
        for a, operator, b in zip(
            [node.left, *node.comparators], node.ops, node.comparators, strict=False
        ):
            old, others = COMPARISONS[type(operator)]
            for new in others:
                yield from text.token(a, b, old, new, f"{new} for {old}")
    elif isinstance(node, ast.BoolOp):
        old, new = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
        for a, b in pairwise(node.values):
            yield from text.token(a, b, old, new, f"{new} for {old}")
        for value in node.values:
            kept = [text.operand(other) for other in node.values if other is not value]
            yield text.instead(node, f" {old} ".join(kept), f"without {text.of(value)}")
    elif isinstance(node, ast.If | ast.IfExp | ast.While) and not isinstance(
        node.test, ast.Compare
    ):
        yield text.instead(node.test, f"not {text.operand(node.test)}", "the condition negated")


def _calls(node: ast.AST, text: Text) -> Iterator[Edit]:
    """A call left out or replaced by a similar one, arguments swapped or a keyword one left out."""
    if isinstance(node, ast.Attribute) and node.attr in ("T", "mT", "real"):
        yield text.instead(node, text.of(node.value), f"without .{node.attr}")
    elif isinstance(node, ast.Attribute) and (other := MATRICES.get(node.attr)):
        yield text.instead(node, f"{text.of(node.value)}.{other}", f"{other} for {node.attr}")
    if not isinstance(node, ast.Call):
        return
    name = _name(node)
    if isinstance(node.func, ast.Attribute) and name in METHODS and not _is_module(node.func.value):
        yield text.instead(node, text.of(node.func.value), f"without .{name}()")
    elif name in FUNCTIONS and node.args and not isinstance(node.args[0], ast.GeneratorExp):
        yield text.instead(node, text.of(node.args[0]), f"without {name}()")
    if name in OTHERS:
        end = text.end(node.func)
        yield text.edit(end - len(name), end, OTHERS[name], f"{OTHERS[name]} for {name}")
    if name not in ALIKE:
        for a, b in pairwise(node.args):
            if not (isinstance(a, ast.Constant) and isinstance(a.value, str)):
                yield from text.swap(a, b, "arguments swapped")
    named = [keyword for keyword in node.keywords if keyword.arg and keyword.arg not in UNSEEN]
    for first, second in pairwise(named):
        yield from text.swap(first.value, second.value, "arguments swapped")
    for keyword in named:
        if not (isinstance(keyword.value, ast.Constant) and isinstance(keyword.value.value, bool)):
            yield _without(node, keyword, text)


def _is_module(node: ast.AST) -> bool:
    """Whether `name.function(…)` is a module's function rather than a method."""
    return _name(node) in ("torch", "math", "np", "numpy", "F", "functional", "linalg", "einops")


def _without(call: ast.Call, keyword: ast.keyword, text: Text) -> Edit:
    """The call without a keyword argument and the comma before or after it."""
    before = [
        text.end(n) for n in (*call.args, *call.keywords) if text.end(n) <= text.start(keyword)
    ]
    start, end = max(before, default=text.start(keyword)), text.end(keyword)
    if not before:
        comma = re.match(r"\s*,\s*", text.between(end, text.end(call)))
        end += len(comma[0]) if comma else 0
    return text.edit(start, end, "", f"without {keyword.arg}=")


def _orders(node: ast.AST, text: Text) -> Iterator[Edit]:
    """Neighbours swapped in a tuple, a list, an index or the values of a dict, or one left out
    of what a loop runs over."""
    looped = node.iter if isinstance(node, ast.For | ast.comprehension) else None
    if isinstance(looped, ast.Tuple | ast.List) and len(looped.elts) > 1:
        for one in looped.elts:
            kept = [text.of(other) for other in looped.elts if other is not one]
            yield text.instead(looped, f"({', '.join(kept)},)", f"without {text.of(one)}")
    elements: Sequence[ast.AST | None] = ()
    if isinstance(node, ast.Tuple | ast.List):
        elements = node.elts
    elif isinstance(node, ast.Dict):
        elements = node.values
    for a, b in pairwise(elements):
        if a is not None and b is not None:
            yield from text.swap(a, b, "neighbours swapped")


def _statements(node: ast.AST, text: Text) -> Iterator[Edit]:
    """A statement left out that changes an existing object."""
    what = "left out"
    if isinstance(node, ast.AugAssign) or (
        isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
    ):
        yield text.instead(node, "pass", what)
    elif isinstance(node, ast.Assign) and len(node.targets) == 1:
        target = node.targets[0]
        if isinstance(target, ast.Subscript | ast.Attribute):
            yield text.instead(node, "pass", what)
        elif isinstance(target, ast.Name):
            used = {n.id for n in ast.walk(node.value) if isinstance(n, ast.Name)}
            if target.id in used and not _only_copies(node.value):
                yield text.instead(node, "pass", what)


def _only_copies(value: ast.AST) -> bool:
    """Whether a value is a `name.method()` that another operator leaves out."""
    method = isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute)
    return method and _name(value) in METHODS and isinstance(value.func.value, ast.Name)  # type: ignore[attr-defined]
