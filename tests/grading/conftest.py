"""One tiny course, made once and copied for each test that changes it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.grading.tiny_course import make_course


@pytest.fixture(scope="session")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("pristine") / "course"
    make_course(root)
    return root


@pytest.fixture
def course(pristine: Path, tmp_path: Path) -> Path:
    """A course folder of the test's own."""
    return Path(shutil.copytree(pristine, tmp_path / "course"))
