"""The glossary as a notebook shows it: HTML, and the same as text.

As in `course.viewer`, the HTML is what is left of it where no script runs, as in feedback:
`<details>` that open by mouse or keyboard. The script adds the search, the links between terms and
the drawings, which a feedback page would reduce to loose words.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from html import escape
from itertools import groupby
from pathlib import Path
from typing import Any
from urllib.parse import quote

from course import drawings
from course.terms.terms import FOLDER, Exercise, Term

SCRIPT = (FOLDER / "glossary.js").read_text(encoding="utf-8")
STYLE = (FOLDER / "glossary.css").read_text(encoding="utf-8")
_LINE = 88  # characters of a line of text
_ALONE = 3  # so many terms are open, each with its drawing; more are closed, and can be searched
_LIGHT = 5_000  # characters of a drawing that the list of all terms has, too


@dataclass(frozen=True, repr=False)
class Glossary:
    """What a cell shows: some terms, or all."""

    terms: tuple[Term, ...]

    def html(self) -> str:
        alone = len(self.terms) <= _ALONE
        names = {term.name for term in self.terms}
        entries = "".join(_entry(term, alone, names) for term in self.terms)
        return (
            f'<section class="ll-glossary" data-search="{"" if alone else "yes"}" '
            f'aria-label="Glossary"><div class="ll-terms">{entries}</div></section>'
            f"<style>{STYLE}</style><script>{SCRIPT}</script>"
        )

    def __repr__(self) -> str:
        return "\n\n".join("\n".join(_lines(term)) for term in self.terms)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return {"text/html": self.html(), "text/plain": repr(self)}


def call(drawing: tuple[str, ...]) -> str:
    """The code that draws it."""
    name, *arguments = drawing
    quoted = ", ".join(f'"{argument}"' for argument in arguments)
    return f"drawings.{name}({quoted})"


def _lines(term: Term) -> Iterator[str]:
    also = f" (also {', '.join(term.also)})" if term.also else ""
    yield f"{term.name}{also}"
    indent = "    "
    yield textwrap.fill(
        term.says.replace("`", ""), _LINE, initial_indent=indent, subsequent_indent=indent
    )
    if term.code:
        yield f"{indent}>>> {term.code}"
    if term.drawing:
        yield f"{indent}>>> {call(term.drawing)}"
    for exercise in term.exercises:
        yield f"{indent}exercise: {exercise.assignment}, {exercise.heading}: {exercise.name}"
    if term.see:
        others = f"see also: {', '.join(term.see)}"
        yield textwrap.fill(others, _LINE, initial_indent=indent, subsequent_indent=2 * indent)
    if term.paper:
        yield f"{indent}paper: {term.paper}"


def _entry(term: Term, alone: bool, names: set[str]) -> str:
    also = f" <small>also <i>{escape(', '.join(term.also))}</i></small>" if term.also else ""
    parts = [f"<p>{_inline(term.says)}</p>"]
    if term.code:
        parts.append(f"<pre><code>{escape(term.code)}</code></pre>")
    if term.drawing:
        parts.append(f"<p>Draw it: <code>{escape(call(term.drawing))}</code></p>")
        name, *arguments = term.drawing
        drawing = getattr(drawings, name)(*arguments).svg()
        if alone or len(drawing) < _LIGHT:
            parts.append(f"<template>{drawing}</template>")
    if term.exercises:
        parts.append(f"<p>Exercises: {'; '.join(_links(term.exercises))}</p>")
    if term.see:
        others = ", ".join(
            f"<span{' data-term' if name in names else ''}>{escape(name)}</span>"
            for name in term.see
        )
        parts.append(f"<p>See also: {others}</p>")
    if term.paper:
        parts.append(f"<p>Paper: {escape(term.paper)}</p>")
    # What the search finds besides the words that are shown.
    return (
        f'<details data-names="{escape("|".join(term.forms))}"{" open" if alone else ""}>'
        f"<summary><b>{escape(term.name)}</b>{also}</summary>{''.join(parts)}</details>"
    )


def _inline(text: str) -> str:
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))


def _links(exercises: Iterable[Exercise]) -> Iterator[str]:
    """For each assignment its exercises, each a link if its notebook is on this machine."""
    for assignment, group in groupby(exercises, lambda exercise: exercise.assignment):
        yield f"{escape(assignment)}: {', '.join(map(_link, group))}"


def _link(exercise: Exercise) -> str:
    """A link if the notebook is there, beside this one or in the folder beside this one's."""
    label = f"{escape(exercise.heading)} (<code>{escape(exercise.name)}</code>)"
    for folder in ("..", "."):
        if Path(folder, exercise.notebook).is_file():
            fragment = quote(exercise.heading.replace(" ", "-"))  # JupyterLab's id of a heading
            return f'<a href="{folder}/{exercise.notebook}#{fragment}">{label}</a>'
    return label
