"""A store with a release in it, and the real service around it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.exchange.limits import ExchangeLimits
from hub.exchange.store import Store
from tests.exchange.running import ServiceThread
from tests.exchange.samples import Clock, release
from tests.exchange.stand_in_hub import StandInHub

LIMITS = ExchangeLimits(
    submission_bytes=2_000_000, file_bytes=1_000_000, files=20, quota_bytes=3_000_000
)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def database() -> str | None:
    """The URL of the store's database: SQLite in its folder, where a module says nothing else."""
    return None


@pytest.fixture
def store(tmp_path: Path, clock: Clock, database: str | None) -> Iterator[Store]:
    store = Store(tmp_path / "store", limits=LIMITS, clock=clock, database=database)
    release(store)
    yield store
    store.close()


@pytest.fixture(scope="session")
def stand_in_hub() -> Iterator[StandInHub]:
    hub = StandInHub()
    yield hub
    hub.close()


@pytest.fixture
def service(store: Store, stand_in_hub: StandInHub) -> Iterator[ServiceThread]:
    with ServiceThread(store, stand_in_hub) as running:
        yield running


@pytest.fixture(scope="module")
def shared_service(tmp_path_factory, stand_in_hub: StandInHub) -> Iterator[ServiceThread]:
    """One service for all tests of a module, which leave nothing in it."""
    store = Store(tmp_path_factory.mktemp("shared"), limits=LIMITS)
    release(store)
    with ServiceThread(store, stand_in_hub) as running:
        yield running
    store.close()
