"""`python3 -m hub.host.wheel FOLDER`: builds the wheel `logitlab-grading`, for plain nbgrader.

It has the modules of this checkout that grading imports, and no others; setuptools is asked of the
package index.
"""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROJECT = ROOT / "hub" / "grading" / "pyproject.toml"
PAGE = ROOT / "docs" / "plain-nbgrader.md"

# What an nbgrader_config.py, nbgrader's configuration and our own processes name.
ENTRIES = (
    "hub.grading.plain",
    "hub.grading.pipeline.autograde",
    "hub.grading.pipeline.manual",
    "hub.grading.template",
    "hub.grading.worker",
)


def build(target: Path) -> Path:
    """Build the wheel in the folder `target`; its path. Raises CalledProcessError."""
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        for module in sorted(modules()):
            copy = folder / module.relative_to(ROOT)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(module, copy)
        shutil.copyfile(PROJECT, folder / "pyproject.toml")
        shutil.copyfile(PAGE, folder / "README.md")
        shutil.copyfile(ROOT / "LICENSE", folder / "LICENSE")
        (folder / "VERSION").write_text(version())
        built = folder / "built"
        pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "-w", str(built), made]
        subprocess.run(pip, check=True)
        (wheel,) = built.glob("*.whl")
        target.mkdir(parents=True, exist_ok=True)
        return Path(shutil.copy(wheel, target))


def version() -> str:
    """LogitLab's own."""
    lines = (ROOT / "pyproject.toml").read_text(encoding="utf-8").splitlines()
    (found,) = (line.split('"')[1] for line in lines if line.startswith("version = "))
    return found


def modules() -> set[Path]:
    """The files of the modules of ours that grading imports, at whatever time."""
    found: set[Path] = set()
    waiting = list(ENTRIES)
    while waiting:
        name = waiting.pop()
        if (file := _file(name)) and file not in found:
            found.add(file)
            waiting += [*_imported(ast.parse(file.read_text(encoding="utf-8")).body)]
            waiting.append(name.rpartition(".")[0])
    return found


def _file(name: str) -> Path | None:
    """The file of a module of ours."""
    if name.partition(".")[0] not in ("course", "hub"):
        return None
    path = ROOT.joinpath(*name.split("."))
    files = (path / "__init__.py", path.with_suffix(".py"))
    return next((file for file in files if file.is_file()), None)


def _imported(body: list[ast.stmt]) -> Iterator[str]:
    """The modules that statements import when they run, and whatever else has such a name."""
    for statement in body:
        if isinstance(statement, ast.If) and ast.unparse(statement.test) == "TYPE_CHECKING":
            continue
        for node in ast.walk(statement):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                yield node.module
                yield from (f"{node.module}.{alias.name}" for alias in node.names)


if __name__ == "__main__":
    print(build(Path(sys.argv[1])))
