"""What the glossary is made of besides terms.toml, and what is made of it.

`python -m tests.course.glossary` writes course/terms/exercises.toml, from the headings and names of
the notebooks in source/, and docs/glossary.md.
"""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

from nbformat.notebooknode import NotebookNode

from course.terms.page import page
from course.terms.terms import FOLDER, terms
from hub.authoring.catalogue import available, shipped_sources
from hub.authoring.notebook import text_to_notebook

ROOT = Path(__file__).parents[2]
EXERCISES = FOLDER / "exercises.toml"
PAGE = ROOT / "docs" / "glossary.md"
HEADING = re.compile(r"^##+ (.+)$", re.M)
CODE = re.compile(r"```.*?```|`[^`\n]*`", re.S)
BOLD = re.compile(r"\*\*(?!\s)(.+?)(?<!\s)\*\*", re.S)


def notebooks() -> Iterator[tuple[str, NotebookNode]]:
    """Each shipped notebook, with its path as a student has it."""
    for assignment in available():
        for text in sorted((shipped_sources() / assignment).glob("*.py")):
            if text.name != "answers.py":
                notebook = text_to_notebook(text.read_text(encoding="utf-8"))
                yield f"{assignment}/{text.stem}.ipynb", notebook


def exercises() -> dict[str, list[str]]:
    """For each function to write: its notebook, and the heading that it stands under."""
    found: dict[str, list[str]] = {}
    for path, notebook in notebooks():
        heading = ""
        for cell in notebook.cells:
            if cell.cell_type == "markdown":
                heading = (HEADING.findall(cell.source) or [heading])[-1]
            marks = cell.metadata.get("nbgrader", {})
            if cell.cell_type == "code" and marks.get("solution"):
                name = marks["grade_id"]
                assert name not in found, f"two exercises are called {name}"
                found[name] = [path, heading]
    return found


def exercises_file() -> str:
    """Those that terms name, so that an exercise nobody refers to changes nothing here."""
    read = tomllib.loads((FOLDER / "terms.toml").read_text(encoding="utf-8"))
    used = {name for term in read["term"] for name in term.get("exercises", ())}
    places = exercises()
    assert used <= places.keys(), f"no exercise is called {sorted(used - places.keys())}"
    lines = [
        f"{name} = {json.dumps(where, ensure_ascii=False)}"
        for name, where in places.items()
        if name in used
    ]
    return "\n".join(["# Made of source/ by `make glossary`: change it there.", *lines, ""])


def bold_words() -> dict[str, str]:
    """Every text in bold of at most three words, and the notebook where it stands last.

    More than three words, or a full stop, are a sentence; code is no word.
    """
    found = {}
    for path, notebook in notebooks():
        for cell in notebook.cells:
            if cell.cell_type == "markdown":
                for bold in BOLD.findall(CODE.sub("`", cell.source)):
                    words = " ".join(bold.split())
                    if len(words.split()) <= 3 and not re.search(r"[`.?!:]", words):
                        found[words.casefold()] = path
    return found


if __name__ == "__main__":
    EXERCISES.write_text(exercises_file(), encoding="utf-8")
    terms.cache_clear()
    PAGE.write_text(page(terms()), encoding="utf-8")
