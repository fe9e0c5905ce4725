"""One tiny course, made once and copied for each test that changes it."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.grading.tiny_course import make_course


@pytest.fixture(scope="session", autouse=True)
def _alembic_on_path() -> Iterator[None]:
    """nbgrader starts `alembic` by name."""
    with pytest.MonkeyPatch.context() as patch:
        folder = str(Path(sys.executable).parent)
        patch.setenv("PATH", os.pathsep.join([folder, os.environ.get("PATH", "")]))
        yield


@pytest.fixture(scope="session")
def pristine(tmp_path_factory: pytest.TempPathFactory, _alembic_on_path: None) -> Path:
    root = tmp_path_factory.mktemp("pristine") / "course"
    make_course(root)
    return root


@pytest.fixture
def course(pristine: Path, tmp_path: Path) -> Path:
    """A course folder of the test's own."""
    return Path(shutil.copytree(pristine, tmp_path / "course"))
