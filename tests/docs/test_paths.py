"""The files that the pages for contributors name are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDERS = ("course", "docker", "docs", "hub", "requirements", "source", "tests")


@pytest.mark.parametrize("page", ["CONTRIBUTING.md", "docs/architecture.md"])
def test_every_file_and_module_that_a_page_names_is_there(page: str) -> None:
    named = re.findall(r"`([\w./]+)`", (ROOT / page).read_text(encoding="utf-8"))
    paths = [name for name in named if name.startswith(tuple(f"{each}/" for each in FOLDERS))]
    modules = [name.replace(".", "/") for name in named if re.fullmatch(r"hub(\.\w+)+", name)]
    missing = [name for name in paths if not (ROOT / name).exists()]
    missing += [name for name in modules if not _is_module_or_in_one(ROOT / name)]
    assert len(paths) > 5 and missing == []


def _is_module_or_in_one(path: Path) -> bool:
    """A package, a module, or a name in a module."""
    return path.is_dir() or any(each.with_suffix(".py").is_file() for each in (path, path.parent))
