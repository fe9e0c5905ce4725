"""One deployment for all tests of a file, where the machine can have one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docker.stage import Deployed, deployed, reserved_subnet


@pytest.fixture(scope="module")
def stack(request, tmp_path_factory) -> Iterator[Deployed]:
    """A deployment of this file's own; what it needs besides is in the file's SETTINGS."""
    module = request.module
    folder = tmp_path_factory.mktemp("deployment")
    with deployed(folder, module.PROJECT, getattr(module, "SETTINGS", "")) as made:
        yield made


@pytest.fixture
def students_subnet() -> Iterator[str]:
    with reserved_subnet() as subnet:
        yield subnet


@pytest.fixture(scope="session")
def artifacts() -> Path:
    return Path(__file__).parents[2] / "artifacts"
