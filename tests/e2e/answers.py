"""What the students of the day hand in, taken from the assignment's reference and its lists."""

from __future__ import annotations

import re
from pathlib import Path

import jupytext

from hub.authoring import catalogue

HEADER = re.compile(r"# %% \[(wrong|right)\] (\w+): (.+)")


def reference(assignment: str) -> dict[str, str]:
    """Solution cells of the shipped source by grade id, as an author's solution reads."""
    found = {}
    for path in _texts(assignment):
        for cell in jupytext.read(path).cells:
            metadata = cell.metadata.get("nbgrader", {})
            if cell.cell_type == "code" and metadata.get("solution"):
                lines = cell.source.splitlines()
                kept = [line for line in lines if not line.strip().startswith("### ")]
                found[metadata["grade_id"]] = "\n".join(kept)
    return found


def wrong(assignment: str, grade_id: str, title: str) -> str:
    """The listed wrong answer with that title."""
    text = (catalogue.shipped_sources() / assignment / "answers.py").read_text(encoding="utf-8")
    for part in re.split(r"(?m)^(?=# %% \[)", text):
        match = HEADER.match(part)
        if match and match[1] == "wrong" and (match[2], match[3].strip()) == (grade_id, title):
            return part.split("\n", 1)[1].strip() + "\n"
    raise KeyError(f"{assignment}: no wrong answer {grade_id}: {title}")


def _texts(assignment: str) -> list[Path]:
    folder = catalogue.shipped_sources() / assignment
    return [path for path in folder.glob("*.py") if path.name != "answers.py"]
