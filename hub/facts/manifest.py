"""Which names a test may reach in the student process, from the instructor's notebook alone, or
from a release and the names that it says are the student's.

Walks the code objects of every cell for the names that it loads and stores. The student's
names are those bound by solution cells, and by given cells that themselves use one
of the student's names, or a magic: such cells run only in the student process.

Cells may have magics, which IPython makes Python of. That is passed in, as facts need no package:
`hub.grading.isolation.manifest` does it for grading.
"""

from __future__ import annotations

import ast
import builtins
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from hub.facts.cell_names import names_of
from hub.facts.cell_roles import CellRole, marks, role

_KINDS_OF_NAMES = ("loads", "stores", "imports", "classes")

# Names that a notebook has without binding them.
_AMBIENT = frozenset(dir(builtins)) | {"display", "get_ipython"}

ToPython = Callable[[str], str]
"""Makes Python of a cell that may have magics."""


KEY = "logitlab"
"""In a released notebook's metadata: the data of its `StudentNames`."""


class ManifestError(ValueError):
    """The instructor's notebook breaks the rules for isolated tests."""


@dataclass(frozen=True)
class CellFacts:
    """How one code cell of the instructor's notebook uses global names."""

    name: str
    """Its grade_id, or its position if it has none."""
    role: CellRole
    text: str
    loads: frozenset[str]
    stores: frozenset[str]
    imports: frozenset[str]
    """Those of `stores` that import statements bind."""
    classes: frozenset[str]
    """Those of `stores` that class statements bind."""
    magic: bool

    def as_data(self) -> dict[str, Any]:
        """As plain data; without the text of what students write, which is the reference's."""
        names = {kind: sorted(getattr(self, kind)) for kind in _KINDS_OF_NAMES}
        text = self.text if self.role in ("released", "test") else ""
        return {"name": self.name, "role": self.role, "text": text, "magic": self.magic, **names}

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> CellFacts:
        return cls(**{**data, **{kind: frozenset(data[kind]) for kind in _KINDS_OF_NAMES}})


@dataclass(frozen=True)
class Manifest:
    """The code cells of the instructor's notebook in order, and the owners of names."""

    cells: tuple[CellFacts, ...]
    students: frozenset[str]
    """Names that are looked up in the student process."""
    student_classes: frozenset[str]
    """Those of `students` that a solution cell binds with a class statement."""

    def as_data(self) -> dict[str, Any]:
        """As plain data, with nothing of the reference's answers but the names that they use."""
        return {
            "cells": [cell.as_data() for cell in self.cells],
            "students": sorted(self.students),
            "student_classes": sorted(self.student_classes),
        }

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Manifest:
        cells = tuple(CellFacts.from_data(cell) for cell in data["cells"])
        return cls(cells, frozenset(data["students"]), frozenset(data["student_classes"]))

    def cell(self, name: str) -> CellFacts:
        """The facts of the cell named `name`; KeyError if the notebook has none."""
        return {facts.name: facts for facts in self.cells}[name]

    def runs_isolated(self, facts: CellFacts) -> bool:
        """Whether a given cell runs in the judge process too."""
        return not facts.magic and not facts.loads & self.students

    def wanted(self, test: str) -> frozenset[str]:
        """The student's names that this test cell and those before it use."""
        loads: frozenset[str] = frozenset()
        for facts in self.cells:
            if facts.role == "test":
                loads |= facts.loads
            if facts.name == test:
                break
        return loads & self.students


@dataclass(frozen=True)
class StudentNames:
    """What a release says of the solutions that it lacks, so that its tests can run isolated: whose
    the names are that its given cells and tests use. It names nothing that those do not show.

    names: those that are the student's.
    classes: those of them that the reference binds with a class statement.
    """

    names: frozenset[str]
    classes: frozenset[str]

    def as_data(self) -> dict[str, list[str]]:
        return {"names": sorted(self.names), "classes": sorted(self.classes)}

    @classmethod
    def from_data(cls, data: Any) -> StudentNames | None:
        """None if `data`, which a student's copy of a release can have made anything, is no such
        data."""
        found = [data.get(key) for key in ("names", "classes")] if isinstance(data, dict) else []
        lists = [each for each in found if isinstance(each, list)]
        if len(lists) != 2 or not all(isinstance(name, str) for each in lists for name in each):
            return None
        return cls(frozenset(lists[0]), frozenset(lists[1]))


def read(source: Mapping[str, Any], to_python: ToPython) -> Manifest:
    """The manifest of the instructor's notebook.

    Raises:
        ManifestError: a cell is not Python, or breaks a rule; the message names cell and rule.
    """
    code = [cell for cell in source["cells"] if cell["cell_type"] == "code"]
    cells = tuple(_facts(cell, number, to_python) for number, cell in enumerate(code, 1))
    manifest = _manifest(cells)
    problems = list(_problems(manifest))
    if problems:
        raise ManifestError("; ".join(problems))
    return manifest


def read_release(release: Mapping[str, Any], names: StudentNames, to_python: ToPython) -> Manifest:
    """The manifest of the instructor's notebook as far as its release shows it: of given cells and
    tests. Raises ManifestError: one is not Python."""
    code = [cell for cell in release["cells"] if cell["cell_type"] == "code"]
    shown = [
        (cell, number) for number, cell in enumerate(code, 1) if role(cell) in ("released", "test")
    ]
    cells = tuple(_facts(cell, number, to_python) for cell, number in shown)
    return Manifest(cells, names.names, names.classes)


def names_for_release(
    source: Mapping[str, Any], release: Mapping[str, Any], to_python: ToPython
) -> StudentNames:
    """What a release of the instructor's notebook `source` has to say of its names.

    Raises ManifestError, as `read` does.
    """
    manifest = read(source, to_python)
    everything = StudentNames(manifest.students, manifest.student_classes)
    shown = read_release(release, everything, to_python)
    used = _union(facts.loads for facts in shown.cells)
    return StudentNames(everything.names & used, everything.classes & used)


def given_alone(
    source: Mapping[str, Any], to_python: ToPython, names: StudentNames | None = None
) -> frozenset[str]:
    """Names of the given cells of the instructor's notebook that use no name of the student's.

    Works even if the notebook breaks the rules for isolated tests. A given cell that is not Python
    counts as one that does.

    names: what a release says, if `source` is one.
    """
    facts = []
    for number, cell in enumerate(source["cells"], 1):
        with suppress(ManifestError, ValueError):
            facts.append(_facts(cell, number, to_python))
    manifest = _manifest(tuple(facts))
    if names is not None:
        manifest = Manifest(manifest.cells, names.names, names.classes)
    return frozenset(
        fact.name for fact in facts if fact.role == "released" and manifest.runs_isolated(fact)
    )


def _manifest(cells: tuple[CellFacts, ...]) -> Manifest:
    students = _students(cells)
    classes = _union(facts.classes for facts in cells if facts.role == "solution")
    return Manifest(cells, students, classes & students)


def _facts(cell: Mapping[str, Any], number: int, to_python: ToPython) -> CellFacts:
    name = marks(cell).name or f"cell {number}"
    return _facts_of(name, role(cell), cell["source"], to_python)


@lru_cache(maxsize=2048)
def _facts_of(name: str, role: CellRole, text: str, to_python: ToPython) -> CellFacts:
    try:
        tree = ast.parse(to_python(text))
        code = compile(tree, name, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    except (SyntaxError, ValueError) as error:
        raise ManifestError(f"{name} is not Python: {error}") from error
    loads, stores = names_of(code)
    imports, classes = _statements(tree)
    return CellFacts(
        name=name,
        role=role,
        text=text,
        loads=loads,
        stores=stores,
        imports=imports & (stores | {"*"}),
        classes=classes & stores,
        magic="get_ipython" in loads,
    )


def _statements(tree: ast.Module) -> tuple[frozenset[str], frozenset[str]]:
    """Names that import statements, and that class statements, bind anywhere in a cell."""
    imports: set[str] = set()
    classes: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            imports |= {(alias.asname or alias.name).partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ClassDef):
            classes.add(node.name)
    return frozenset(imports), frozenset(classes)


def _students(cells: Sequence[CellFacts]) -> frozenset[str]:
    """Names bound by cells of the student, and by given cells that cannot run isolated from them.

    A module that a given cell or a test imports stays theirs, even if a student cell imports it.
    """
    instructors = [f for f in cells if f.role in ("released", "test") and not f.magic]
    imported = _union(facts.imports for facts in instructors)
    given = _union(facts.stores for facts in cells if facts.role == "released")
    solved = _union(f.stores - (f.imports & imported) for f in cells if f.role == "solution")
    played = _union(f.stores - given - imported for f in cells if f.role == "student")
    students = solved | played
    while True:
        more = _union(
            facts.stores - (facts.imports & imported)
            for facts in cells
            if facts.role == "released" and (facts.magic or facts.loads & students)
        )
        if more <= students:
            return students
        students |= more


def _problems(manifest: Manifest) -> Iterator[str]:
    """Broken rules, as messages for the instructor."""
    cells, students = manifest.cells, manifest.students
    given = [f for f in cells if f.role == "released" and manifest.runs_isolated(f)]
    both = _union(f.stores for f in given)
    student_imports = _union(f.imports for f in cells if f.role != "test") & students
    tested = _union(f.stores for f in cells if f.role == "test") - both - students
    bound: frozenset[str] = both | students | _AMBIENT
    for facts in cells:
        if "*" in facts.imports:
            yield f"{facts.name} imports *, which hides what it binds"
        if facts.role == "solution":
            for name in sorted(facts.stores & (both | _AMBIENT) - facts.imports):
                yield f"{facts.name} redefines {name}, which is given"
        if facts.role in ("solution", "released"):
            for name in sorted(facts.loads & tested - facts.stores):
                yield f"{facts.name} uses {name}, which only a test binds"
        if facts.role == "test":
            for name in sorted(facts.stores & students):
                yield f"{facts.name} binds {name}, which is the student's"
            for name in sorted(facts.stores & both - facts.imports):
                yield f"{facts.name} binds {name}, which is given"
            for name in sorted(facts.loads & student_imports):
                yield f"{facts.name} uses the module {name}: import it in a given cell or the test"
            bound |= facts.stores
            for name in sorted(facts.loads - bound):
                yield f"{facts.name} uses {name}, which nothing binds before it"


def _union(sets: Any) -> frozenset[str]:
    return frozenset().union(*sets)
