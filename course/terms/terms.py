"""The terms of the glossary, read from terms.toml and exercises.toml beside this file."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Exercise:
    """Where a term is used: a function to write, in which notebook, under which heading."""

    name: str
    notebook: str  # such as "06-induction-heads/induction-heads.ipynb"
    heading: str  # such as "4 · The stripe as a number"

    @property
    def assignment(self) -> str:
        return self.notebook.split("/")[0]


@dataclass(frozen=True)
class Term:
    """One entry, as terms.toml describes its fields."""

    name: str
    says: str
    also: tuple[str, ...] = ()
    forms: tuple[str, ...] = ()
    code: str = ""
    drawing: tuple[str, ...] = ()
    exercises: tuple[Exercise, ...] = ()
    see: tuple[str, ...] = ()
    paper: str = ""

    @property
    def names(self) -> tuple[str, ...]:
        """All that leads here, without regard to capitals."""
        return tuple(name.casefold() for name in (self.name, *self.also, *self.forms))

    def mentions(self, words: str) -> bool:
        text = " ".join((*self.names, self.says)).casefold()
        return all(word in text for word in words.casefold().split())


@lru_cache
def terms() -> tuple[Term, ...]:
    """All terms, in alphabetical order."""
    read = tomllib.loads((FOLDER / "terms.toml").read_text(encoding="utf-8"))
    places = tomllib.loads((FOLDER / "exercises.toml").read_text(encoding="utf-8"))
    papers = {key: f"{who} {year}, {title}" for key, (who, year, title) in read["papers"].items()}
    return tuple(_term(entry, papers, places) for entry in read["term"])


def _term(entry: dict[str, Any], papers: dict[str, str], places: dict[str, list[str]]) -> Term:
    def several(field: str) -> tuple[str, ...]:
        return tuple(entry.get(field, ()))

    return Term(
        name=entry["name"],
        says=entry["says"],
        also=several("also"),
        forms=several("forms"),
        code=entry.get("code", ""),
        drawing=several("drawing"),
        exercises=tuple(Exercise(name, *places[name]) for name in several("exercises")),
        see=several("see"),
        paper=papers[entry["paper"]] if "paper" in entry else "",
    )


def find(words: str) -> list[Term]:
    """The term of that name; if none has it, all that mention these words, names before texts.

    Raises:
        LookupError: there is none; the message names those that are spelled alike.
    """
    wanted = re.sub(r"\s+", " ", words).strip().casefold()
    named = [term for term in terms() if wanted in term.names]
    if named:
        return named
    found = [term for term in terms() if term.mentions(wanted)]
    if wanted and found:
        return sorted(found, key=lambda term: not any(wanted in name for name in term.names))
    names = [name for term in terms() for name in term.names]
    alike = get_close_matches(wanted, names, n=3, cutoff=0.6)
    tail = f"; do you mean {' or '.join(map(repr, alike))}?" if alike else "; glossary() shows all"
    raise LookupError(f"the glossary has no {words!r}{tail}")
