"""What holds for all tests: what they need, their order, and that none leaves a trace."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.verification.sampling import Sample
from tests.needs import IMPLIED, need
from tests.order import heaviest_first, shuffled
from tests.traces import Traces

# The proxy, `alembic` and `jupyter` are started by name, also where the venv is not activated.
os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
# Two BLAS threads a process on a busy machine are slower than one.
os.environ.setdefault("OMP_NUM_THREADS", "1")

SAMPLE = pytest.StashKey[Sample]()
TOLD = pytest.StashKey[list[str]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("logitlab", "LogitLab")
    group.addoption("--shuffle", metavar="SEED", help="run the files in an order of this seed")
    group.addoption("--sample", default="1", metavar="SHARE", help="of the tests marked `row`")
    group.addoption("--seed", default="", help="which ones: the same for the same words")
    group.addoption("--whole", action="append", default=[], metavar="ASSIGNMENT", help="in full")


def pytest_configure(config: pytest.Config) -> None:
    option = config.option
    try:
        config.stash[SAMPLE] = Sample.parse(option.sample, option.seed, option.whole)
    except ValueError as error:
        raise pytest.UsageError(f"--sample: {error}") from error
    config.stash[TOLD] = []


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Choose and sort. Tests that are long for people who wait run with LOGITLAB_TEST_LONG."""
    _take_sample(config, items)
    if config.option.shuffle is not None:
        positions = shuffled((item.path for item in items), config.option.shuffle)
        items.sort(key=lambda item: positions[item.path])
    else:
        heaviest_first(items)
    if not os.environ.get("LOGITLAB_TEST_LONG"):
        skip = pytest.mark.skip(reason="takes minutes: LOGITLAB_TEST_LONG=1, as CI does")
        for item in items:
            if item.get_closest_marker("long"):
                item.add_marker(skip)


def _take_sample(config: pytest.Config, items: list[pytest.Item]) -> None:
    rows = [item for item in items if item.get_closest_marker("row")]
    chosen = config.stash[SAMPLE].of(
        rows, name=lambda item: item.nodeid, list_of=lambda item: item.nodeid.partition("[")[0]
    )
    if len(chosen) < len(rows):
        left = set(rows) - set(chosen)
        items[:] = [item for item in items if item not in left]
        config.hook.pytest_deselected(items=sorted(left, key=lambda item: item.nodeid))
        config.stash[TOLD].append(f"checked {len(chosen)} of {len(rows)} rows of long lists")


def pytest_report_collectionfinish(config: pytest.Config) -> list[str]:
    return config.stash[TOLD]


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what this machine cannot run, before any fixture is made."""
    for marker in item.iter_markers("needs"):
        need(*marker.args)
    need(*(name for kind, name in IMPLIED.items() if item.get_closest_marker(kind)))


@pytest.fixture(scope="session")
def sample(request: pytest.FixtureRequest) -> Sample:
    """Of a long list, what is checked in this run."""
    return request.config.stash[SAMPLE]


@pytest.fixture(scope="module", autouse=True)
def _file_leaves_no_trace() -> Iterator[None]:
    """What the fixtures of a file change ends with it."""
    yield from _putting_back()


@pytest.fixture(autouse=True)
def _test_leaves_no_trace(_file_leaves_no_trace: None) -> Iterator[None]:
    """No test passes or fails by what another left: in the environment, above all."""
    yield from _putting_back()


def _putting_back() -> Iterator[None]:
    before = Traces.now()
    yield
    if changed := before.restore():
        pytest.fail(f"left changed in the process of all tests: {', '.join(changed)}")
