"""One deployment for all tests of a file, where the machine can have one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docker.stage import Deployed, deployed


@pytest.fixture(scope="module")
def stack(request, tmp_path_factory) -> Iterator[Deployed]:
    """A deployment of this file's own; what it needs besides is in the file's SETTINGS."""
    module = request.module
    folder = tmp_path_factory.mktemp("deployment")
    with deployed(folder, module.PROJECT, module.NUMBER, getattr(module, "SETTINGS", "")) as made:
        yield made


@pytest.fixture(scope="session")
def artifacts() -> Path:
    return Path(__file__).parents[2] / "artifacts"
