"""Finds leaks: anything in a release that only instructors may see.

The check is independent of how the release was made. It collects the secrets of the source
folder (solutions, hidden tests, mark schemes, the list of answers), reads every file of the
release, and compares line by line, ignoring white space and trailing comments.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import nbformat
from nbformat.notebooknode import NotebookNode
from nbgrader.preprocessors import ClearSolutions

from hub.authoring.notebook import text_to_notebook
from hub.authoring.pairing import ANSWERS_FILE, is_notebook_text
from hub.authoring.preprocessors import RELEASED_METADATA
from hub.authoring.regions import split
from hub.facts import manifest
from hub.facts.cell_roles import marks
from hub.facts.regions import Region

SHORTEST_LINE = 8  # characters without white space; shorter lines (`else:`) prove nothing
SHORTEST_REGION = 16
# File types that students get beside notebooks. Code is not one: notebooks import `course`.
RELEASED_SUFFIXES = frozenset(
    {".png", ".jpg", ".jpeg", ".svg", ".gif", ".csv", ".tsv", ".json", ".txt", ".md", ".npy"}
)
MARKER = re.compile(r"(BEGIN|END) (SOLUTION|HIDDEN TESTS|MARK SCHEME)|\bAUTOTEST\b")
TRAINING = re.compile(r"course[./]training|from\s+course\s+import\b[^\n]*\btraining\b")
BLOB = re.compile(r"data:[\w/+.-]*;base64,|[A-Za-z0-9+/]{200,}")
COMMENT = re.compile(r"(^|\s)#.*$")
ANSWER_HEADER = re.compile(
    r"^# %%[^:\n]*:", re.MULTILINE
)  # the rest of the line says what is wrong
NOTEBOOK_METADATA = ("kernelspec", "language_info", manifest.KEY)


@dataclass(frozen=True)
class Leak:
    """One finding: the file (and cell) of the release, the kind of secret, the text found."""

    where: str
    kind: str
    text: str = ""

    def __str__(self) -> str:
        return f"{self.where}: {self.kind}" + (f": {self.text[:100]}" if self.text else "")


@dataclass(frozen=True)
class Secrets:
    """What to look for, by kind: single lines, and regions that are secret as a whole even
    if an author repeated their lines in the open. All texts are squeezed."""

    lines: dict[str, str]
    regions: dict[str, str]


def find_leaks(release_folder: Path, source_folder: Path) -> list[Leak]:
    """Everything in a release folder that reveals secrets of its source folder."""
    secrets = read_secrets(source_folder)
    found: list[Leak] = []
    for path in sorted(release_folder.rglob("*")):
        name = path.relative_to(release_folder).as_posix()
        if path.name.startswith(".") or path.is_symlink():
            found.append(Leak(name, "a hidden file or a link"))
        if not path.is_file():
            continue
        if path.suffix not in RELEASED_SUFFIXES | {".ipynb"}:
            found.append(Leak(name, "a type of file that is never released"))
        text = path.read_bytes().decode("utf-8", errors="ignore")
        if path.suffix == ".ipynb":
            found += _in_notebook(nbformat.reads(text, as_version=4), name, secrets)
        else:
            found += _in_text(text, name, secrets)
    return found


def read_secrets(source_folder: Path) -> Secrets:
    """The secrets of a source folder, from both halves of its notebooks and from answers.py."""
    public = _stub_lines()
    lines: dict[str, str] = {}
    regions: dict[str, str] = {}
    for notebook in _source_notebooks(source_folder):
        for cell in notebook.cells:
            open_lines, hidden = _secret_parts(cell)
            public += open_lines
            for kind, secret in hidden:
                lines |= _lines(secret, kind)
                whole = _region(secret)
                short = kind == "hidden test" and len(secret) < 2
                if len(whole) >= SHORTEST_REGION and not short:
                    regions[whole] = kind
    answers = source_folder / ANSWERS_FILE
    if answers.is_file():
        text = answers.read_text(encoding="utf-8")
        remarks = ANSWER_HEADER.sub("", text)
        lines |= _lines(remarks.splitlines(), "a line of answers.py")
    in_the_open = "\n".join(squeeze(line) for line in public)
    secret_lines = {
        line: kind
        for line, kind in lines.items()
        if len(line) >= SHORTEST_LINE and line not in in_the_open
    }
    return Secrets(secret_lines, regions)


def squeeze(line: str) -> str:
    """A line without white space and without a leading comment sign or prompt."""
    return re.sub(r"\s+", "", line).lstrip("#>")


def _lines(secret: list[str], kind: str) -> dict[str, str]:
    """Each line squeezed, both with and without its trailing comment."""
    return {squeeze(form): kind for line in secret for form in (line, COMMENT.sub("", line))}


def _region(lines: list[str]) -> str:
    """Lines squeezed, without comments and empty lines."""
    return "\n".join(code for line in lines if (code := squeeze(COMMENT.sub("", line))))


def _source_notebooks(folder: Path) -> Iterator[NotebookNode]:
    for path in sorted(folder.glob("*.py")):
        if is_notebook_text(path):
            yield text_to_notebook(path.read_text(encoding="utf-8"))
    for path in sorted(folder.glob("*.ipynb")):
        yield nbformat.read(path, as_version=4)


def _stub_lines() -> list[str]:
    stubs = ClearSolutions()
    return [*stubs.code_stub["python"].splitlines(), *stubs.text_stub.splitlines()]


def _secret_parts(cell: NotebookNode) -> tuple[list[str], list[tuple[str, list[str]]]]:
    """The public lines of a source cell, and its secrets as (kind, lines)."""
    parts = split(cell.source)
    kinds = {
        Region.SOLUTION: "solution",
        Region.HIDDEN_TESTS: "hidden test",
        Region.MARK_SCHEME: "mark scheme",
    }
    hidden = [(kinds[marked.region], list(marked.lines)) for marked in parts.marked]
    if marks(cell).solution and not any(
        marked.region is Region.SOLUTION for marked in parts.marked
    ):
        return [], [*hidden, ("solution", list(parts.public))]
    return list(parts.public), hidden


def _in_notebook(notebook: NotebookNode, name: str, secrets: Secrets) -> Iterator[Leak]:
    for key in notebook.metadata:
        if key not in NOTEBOOK_METADATA:
            yield Leak(name, "metadata that does not belong in a release", key)
    yield from _in_names(notebook, name)
    for position, cell in enumerate(notebook.cells, start=1):
        where = f"{name}, cell {position}"
        yield from _in_text(cell.source, where, secrets)
        yield from _in_text(json.dumps(cell.metadata, ensure_ascii=False), where, secrets)
        for key in cell.metadata:
            if key not in RELEASED_METADATA:
                yield Leak(where, "metadata that does not belong in a release", key)
        if cell.get("outputs") or cell.get("execution_count") is not None:
            yield Leak(where, "an output or execution count")
        if cell.get("attachments"):
            yield Leak(where, "an embedded file")


def _in_names(notebook: NotebookNode, name: str) -> Iterator[Leak]:
    """What the notebook says of names that none of its cells shows, or beside names."""
    if (data := notebook.metadata.get(manifest.KEY)) is None:
        return
    names = manifest.StudentNames.from_data(data)
    if names is None or names.as_data() != data:
        yield Leak(name, "metadata that does not belong in a release", manifest.KEY)
        return
    code = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    shown = set(re.findall(r"\w+", code))
    for hidden in sorted((names.names | names.classes) - shown):
        yield Leak(name, "a name that no cell shows", hidden)


def _in_text(text: str, where: str, secrets: Secrets) -> Iterator[Leak]:
    for pattern, kind in (
        (MARKER, "a BEGIN/END marker"),
        (TRAINING, "course.training, where answers live"),
        (BLOB, "an encoded blob"),
    ):
        if found := pattern.search(text):
            yield Leak(where, kind, found.group())
    squeezed = "\n".join(squeeze(line) for line in text.splitlines())
    lines = [(line, kind) for line, kind in secrets.lines.items() if line in squeezed]
    yield from (Leak(where, kind, line) for line, kind in lines)
    code = _region(text.splitlines())
    for region, kind in secrets.regions.items():
        if not lines and region in code:
            yield Leak(where, f"a whole {kind} repeated in the open", region.splitlines()[0])
