"""The shipped assignments in the executor's container, as submissions are graded by default.

What each answer must earn is the same as in processes of this machine, where `logitlab prove`
says it: the reference everything, the stub nothing, a listed wrong answer less than its exercise
has, a listed right one all of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.authoring.catalogue import available, shipped_sources
from hub.verification.prove import NotProved, prove
from hub.verification.sampling import Sample
from tests.executor.container import Executor, executor
from tests.executor.halves import halves

pytestmark = [
    pytest.mark.docker,
    pytest.mark.slow,
    pytest.mark.timeout(1200),
    pytest.mark.needs("deployments"),
]


@pytest.fixture(name="running", scope="module")
def _running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Executor]:
    with executor(tmp_path_factory.mktemp("executor")) as running:
        yield running


def proved(folder: Path, sample: Sample, executor: Path) -> str:
    lines = []
    try:
        for line in prove(folder, tests="isolated", workers=2, sample=sample, executor=executor):
            lines.append(line)
            print(line)
    except NotProved as error:
        lines.append(str(error))
    return "\n".join(lines)


@pytest.mark.parametrize("assignment", available(shipped_sources()))
def test_answers_earn_what_they_should_in_the_container(
    assignment: str, sample: Sample, running: Executor
) -> None:
    if assignment not in halves(available(shipped_sources()), sample)[1]:
        pytest.skip("in this sample, `logitlab prove` checks its answers in processes")
    output = proved(shipped_sources() / assignment, sample, running.socket)
    assert re.search(
        r"tests isolated: \d+ points, (\d+)/\1 wrong caught, (\d+)/\2 right kept", output
    )
    assert output.splitlines()[-1].endswith(", ok")
