"""A course folder whose class hands in one assignment, graded by us and by nbgrader."""

from __future__ import annotations

import copy
import json
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import click
import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_notebook

from hub.authoring.contents import add_assignments
from hub.core.course_folder import new_course, open_course
from hub.core.environment import Environment
from hub.facts.cell_roles import marks, role
from tests.bench.models import gpt2_shaped
from tests.grading.tiny_course import marks as cell_marks
from tests.grading.tiny_course import submit

STUBS_EVERY = 3  # submission
LOGITLAB = (sys.executable, "-c", "from hub.cli import main; main()")
NBGRADER = (sys.executable, "-m", "nbgrader")
NBGRADER_CONFIG = """\
c = get_config()
c.CourseDirectory.course_id = "bench"
c.CourseDirectory.root = {root!r}
c.ExecutePreprocessor.timeout = 600
c.ClearSolutions.code_stub = {{"python": "pass"}}
"""
FLOOR = """
import json, resource, sys
from hub.grading.isolation.shell import NotebookShell
def used():
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime
cells = json.load(open(sys.argv[1]))
result = open(sys.argv[2], "w")
shell = NotebookShell()
for _ in range(2):
    before = used()
    for number, text in enumerate(cells, 1):
        shell.run(text, number)
result.write(str(used() - before))
"""

GPT2_SHAPED = "gpt2-shaped"
"""An assignment that is not shipped: its given cell loads a model of GPT-2 small's shape."""
LOADS = f"""\
import torch
from course.models import model

gpt2 = model({GPT2_SHAPED!r}, device="cpu")
tokens = torch.arange(8)[None]"""
ANSWER = """\
def top_token(logits):
    ### BEGIN SOLUTION
    return logits[0, -1].argmax()
    ### END SOLUTION"""
TEST = """\
with torch.no_grad():
    logits = gpt2(tokens)
assert top_token(logits) == logits[0, -1].topk(1).indices[0]"""


@dataclass(frozen=True)
class Cost:
    """CPU seconds of all processes, and wall seconds."""

    cpu: float
    wall: float


@contextmanager
def measured(costs: list[Cost]) -> Iterator[None]:
    """Append the cost of what is done and ended in between."""
    before, began = used_by_ended(), time.monotonic()
    yield
    costs.append(Cost(used_by_ended() - before, time.monotonic() - began))


class Course:
    """A course folder with one released assignment, shipped or GPT2_SHAPED, and copies to grade."""

    def __init__(self, folder: Path, assignment: str) -> None:
        self._folder, self._assignment = folder, assignment
        self._root = folder / "course"
        list(new_course(self._root))
        if assignment == GPT2_SHAPED:
            self._write_gpt2_shaped()
        else:
            list(add_assignments(open_course(self._root, Environment()), [assignment]))
        (source,) = (self._root / "source" / assignment).glob("*.ipynb")
        self._notebook = source.stem
        self._source = nbformat.read(source, as_version=4)
        self._released = nbformat.read(
            self._root / "release" / assignment / source.name, as_version=4
        )

    def ours(self, count: int) -> Cost:
        """Grade a class of so many as LogitLab's instructor does."""
        root = self._class("ours", count)
        costs: list[Cost] = []
        with measured(costs):
            for command in ("autograde", "feedback"):
                run([*LOGITLAB, command, self._assignment, "--course", str(root)], root)
        return costs[0]

    def nbgraders(self, count: int) -> Cost:
        """Grade a class of so many as nbgrader's instructor does."""
        root = self._class("nbgrader", count)
        for name in ("gradebook.db", "nbgrader_config.py", "course.yaml"):
            (root / name).unlink(missing_ok=True)
        (root / "nbgrader_config.py").write_text(NBGRADER_CONFIG.format(root=str(root)))
        shutil.rmtree(root / "release")
        run([*NBGRADER, "generate_assignment", self._assignment], root)
        costs: list[Cost] = []
        with measured(costs):
            for command in ("autograde", "generate_feedback"):
                run([*NBGRADER, command, self._assignment], root)
        return costs[0]

    def floor(self) -> float:
        """CPU seconds of all cells of the reference in a process that has run them before."""
        cells = self._folder / "cells.json"
        answer = self._folder / "floor"
        texts = [cell.source for cell in self._source.cells if cell.cell_type == "code"]
        cells.write_text(json.dumps(texts))
        run([sys.executable, "-c", FLOOR, str(cells), str(answer)], self._folder)
        return float(answer.read_text())

    def _class(self, name: str, count: int) -> Path:
        """A copy of the course in which so many have submitted."""
        root = self._folder / f"{name}-{count}"
        shutil.copytree(self._root, root)
        for number in range(count):
            submit(
                root,
                f"s{number:04}",
                self._submission(number),
                assignment=self._assignment,
                name=self._notebook,
            )
        return root

    def _submission(self, number: int) -> NotebookNode:
        """The reference with a comment in each answer; every third has half of them as stubs."""
        answers = {marks(c).name: c.source for c in self._source.cells if is_answer(c)}
        stubs = set(sorted(answers)[::2]) if number % STUBS_EVERY == STUBS_EVERY - 1 else set()
        book = copy.deepcopy(self._released)
        for cell in book.cells:
            name = marks(cell).name
            if is_answer(cell) and name not in stubs:
                cell.source = f"{answers[name]}\n# {number}"
        return book

    def _write_gpt2_shaped(self) -> None:
        weights = self._folder / "models" / GPT2_SHAPED
        weights.mkdir(parents=True)
        gpt2_shaped(weights)
        os.environ["COURSE_MODELS"] = str(weights.parent)
        test = {"grade": True, "locked": True, "points": 1}
        cells = [
            new_code_cell(LOADS, metadata=cell_marks("model", locked=True)),
            new_code_cell(ANSWER, metadata=cell_marks("top_token", solution=True)),
            new_code_cell(TEST, metadata=cell_marks("top_token_test", **test)),
        ]
        spec = {"name": "python3", "display_name": "Python 3", "language": "python"}
        notebook = new_notebook(cells=cells, metadata={"kernelspec": spec})
        folder = self._root / "source" / self._assignment
        folder.mkdir(parents=True)
        nbformat.write(notebook, folder / "notebook.ipynb")
        run([*LOGITLAB, "generate", self._assignment, "--course", str(self._root)], self._root)


def is_answer(cell: NotebookNode) -> bool:
    return cell.cell_type == "code" and role(cell) == "solution"


def run(command: Sequence[str], folder: Path) -> None:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"  # nbgrader calls alembic
    done = subprocess.run(
        command,
        cwd=folder,
        env=os.environ | {"PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise click.ClickException(
            f"{' '.join(command[-3:])}: {done.stdout}\n{done.stderr}"[-2000:]
        )


def used_by_ended() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
