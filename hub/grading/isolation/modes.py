"""Which process runs a cell, for both modes of tests."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from typing import Protocol

from nbformat import NotebookNode

from hub.facts.cell_roles import role
from hub.grading.isolation.manifest import Manifest

__all__ = ["InKernel", "Isolated", "MismatchError", "TestMode"]

Request = tuple[str, tuple]
"""A method of the judge process and its arguments."""


class MismatchError(ValueError):
    """A given cell or a test of the notebook is not that of the instructor's notebook."""


class TestMode(Protocol):
    """Where the test cells of a notebook run."""

    def check(self, cell: NotebookNode) -> None:
        """Refuse a cell of ours whose text is not ours. Raises MismatchError."""

    def is_given(self, index: int, cell: NotebookNode) -> bool:
        """Whether a code cell is a given one that uses nothing of the student's."""

    def stores(self, cell: NotebookNode) -> list[str]:
        """The names that a given cell binds in both processes."""

    def request(self, cell: NotebookNode, number: int, seconds: float) -> Request:
        """What the judge process is asked to do with a code cell.

        number: its position among the cells that have run, from 1.
        """


@dataclass(frozen=True)
class InKernel:
    """Test cells run in the student process, like all others.

    given: positions of the given cells that use nothing of the student's.
    """

    given: frozenset[int]

    def check(self, cell: NotebookNode) -> None:
        pass

    def is_given(self, index: int, cell: NotebookNode) -> bool:
        return index in self.given

    def stores(self, cell: NotebookNode) -> list[str]:
        return []

    def request(self, cell: NotebookNode, number: int, seconds: float) -> Request:
        return "student", (cell.source, number, seconds)


@dataclass(frozen=True)
class Isolated:
    """Test cells run in the judge process, given ones in both.

    manifest: of the instructor's notebook.
    seed: from which tests draw their inputs; empty: other ones in each run.
    """

    manifest: Manifest
    seed: str = ""

    def check(self, cell: NotebookNode) -> None:
        if role(cell) not in ("released", "test"):
            return
        name = cell.metadata.nbgrader.grade_id
        try:
            text = self.manifest.cell(name).text
        except KeyError:
            raise MismatchError(f"the instructor's notebook has no cell {name!r}") from None
        if text.strip() != cell.source.strip():
            raise MismatchError(f"cell {name!r} is not that of the instructor's notebook")

    def is_given(self, index: int, cell: NotebookNode) -> bool:
        return role(cell) == "released" and self.manifest.runs_isolated(
            self.manifest.cell(cell.metadata.nbgrader.grade_id)
        )

    def stores(self, cell: NotebookNode) -> list[str]:
        return sorted(self.manifest.cell(cell.metadata.nbgrader.grade_id).stores)

    def request(self, cell: NotebookNode, number: int, seconds: float) -> Request:
        manifest = self.manifest
        if role(cell) in ("solution", "student"):
            return "student", (cell.source, number, seconds)
        facts = manifest.cell(cell.metadata.nbgrader.grade_id)
        if facts.role == "test":
            wanted = sorted(manifest.wanted(facts.name))
            classes = sorted(manifest.student_classes)
            seed = seed_of_test(self.seed, facts.name, facts.text)
            return "test", (facts.name, facts.text, wanted, classes, seed, seconds)
        if manifest.runs_isolated(facts):
            return "given", (facts.name, facts.text, self.stores(cell), number, seconds)
        return "student", (facts.text, number, seconds)


def seed_of_test(seed: str, name: str, text: str) -> int:
    """The seed of one test's random numbers: a corrected test draws others, all others the same.

    seed: the assignment's; empty: a random one.
    """
    if not seed:
        return int.from_bytes(os.urandom(4), "little")
    digest = hashlib.sha256("\0".join((seed, name, text)).encode()).digest()
    return int.from_bytes(digest[:4], "little")
