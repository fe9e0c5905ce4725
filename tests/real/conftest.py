"""One running embedded server for all tests of this folder."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.embedded import RunningServer, served

ARTIFACTS = Path(__file__).parents[2] / "artifacts"


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    with served(tmp_path_factory.mktemp("real") / "course") as running:
        yield running


@pytest.fixture(scope="session")
def artifacts() -> Path:
    """Where screenshots are kept to be looked at; ignored by git."""
    ARTIFACTS.mkdir(exist_ok=True)
    return ARTIFACTS
