"""One guard in front of the real engine for all tests of a session that ask for it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.guard.engine import Guarded, guarded


@pytest.fixture(scope="session")
def shared_guard() -> Iterator[Guarded]:
    with guarded() as folder:
        yield folder


@pytest.fixture
def guard(shared_guard: Guarded) -> Iterator[Guarded]:
    """The guard, with no container of an earlier test left."""
    yield shared_guard
    shared_guard.clear()
