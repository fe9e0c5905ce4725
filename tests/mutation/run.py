"""Runs tests against one module with another text, in a process of their own.

The processes are forked from one that has imported every library which the tests need, so that a
mutant costs what its tests cost: an interpreter and its imports take five times as long.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.abc
import importlib.util
import json
import os
import resource
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from tests.mutation.modules import MutatedModule


class Changed(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Imports `module` with `source` for its text."""

    def __init__(self, module: str, source: str) -> None:
        self.module, self.source = module, source

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        if name != self.module:
            return None
        return importlib.util.spec_from_loader(name, self, origin=f"<mutant of {name}>")

    def exec_module(self, module: Any) -> None:
        exec(compile(self.source, f"<mutant of {self.module}>", "exec"), module.__dict__)


class Quickest:
    """A pytest plugin: notes how long tests take, and runs them in that order."""

    def __init__(self, seconds: dict[str, float]) -> None:
        self.seconds = seconds

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        items.sort(key=lambda item: self.seconds.get(item.nodeid, 0.0))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if not self.seconds.get(report.nodeid) or report.when == "call":
            self.seconds[report.nodeid] = report.duration


@dataclass
class Baseline:
    """Of the tests as they are: whether they pass, and what each takes."""

    code: int
    seconds: dict[str, float] = field(default_factory=dict)
    cpu: float = 0.0  # seconds


def baseline(module: MutatedModule, scratch: Path) -> Baseline:
    """Runs the tests once, and imports here what they use and `module` has no part in."""
    told = scratch / "baseline.json"
    child = os.fork()
    if child == 0:
        seconds: dict[str, float] = {}
        code = _tests(module.tests, seconds, scratch / "baseline.log")
        told.write_text(json.dumps([seconds, list(sys.modules)]))
        os._exit(code)
    _, status, used = os.wait4(child, 0)
    seconds, modules = json.loads(told.read_text())
    # What imports `module` fails to, and is left to each child.
    sys.meta_path.insert(0, absent := Changed(module.name, "raise ImportError"))
    for name in modules:
        if not name.startswith(("tests", "__main__", module.name)):
            with contextlib.suppress(Exception):
                importlib.import_module(name)
    sys.meta_path.remove(absent)
    return Baseline(os.waitstatus_to_exitcode(status), seconds, used.ru_utime + used.ru_stime)


def tested(
    module: MutatedModule,
    sources: Iterable[str],
    known: Baseline,
    scratch: Path,
    at_once: int,
) -> Iterator[tuple[int, bool]]:
    """Of each text, as they end: its number, and whether a test failed (or did not end)."""
    running: dict[int, int] = {}  # process -> number
    left = iter(enumerate(sources))
    while True:
        while len(running) < at_once and (one := next(left, None)) is not None:
            number, source = one
            child = os.fork()
            if child == 0:
                # Counts what the tests used, not how long a busy machine made them wait.
                most = int(10 + 3 * known.cpu)
                resource.setrlimit(resource.RLIMIT_CPU, (most, most))
                sys.meta_path.insert(0, Changed(module.name, source))
                os._exit(_tests(module.tests, dict(known.seconds), scratch / f"{os.getpid()}.log"))
            running[child] = number
        if not running:
            return
        child, status = os.wait()
        (scratch / f"{child}.log").unlink(missing_ok=True)
        yield running.pop(child), os.waitstatus_to_exitcode(status) != 0


def _tests(tests: Sequence[str], seconds: dict[str, float], log: Path) -> int:
    out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(out, 1)
    os.dup2(out, 2)
    hypothesis.settings.register_profile(
        "mutants",
        derandomize=True,
        database=None,
        deadline=None,
        phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate],
    )
    hypothesis.settings.load_profile("mutants")
    options = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:randomly"]
    try:
        return int(pytest.main([*options, *tests], plugins=[Quickest(seconds)]))
    except BaseException:  # SystemExit of a mutant's, say
        return 1
