"""The wheel `logitlab-grading` beside nbgrader alone, on nbgrader's own demonstration course."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from hub.host.wheel import ROOT, modules
from tests.grading.demo_course import (
    CONFIGURATION,
    Environment,
    autograde,
    configured,
    hand_in,
    make_course,
    scores,
)

MAY_IMPORT = ("course", "hub.core", "hub.facts", "hub.grading", "hub.upstream.nbgrader")
INSTALLED = """
import importlib, pkgutil, sys
from importlib.metadata import distributions
import course, hub
for package in (course, hub):
    for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if found.name not in ("hub.grading.worker", "hub.grading.template"):
            importlib.import_module(found.name)
print(*sorted(found.name for found in distributions()))
print(*sorted(name for name in ("torch", "jupyterhub", "pydantic") if name in sys.modules))
"""


def name_of(module: Path) -> str:
    name = ".".join(module.relative_to(ROOT).with_suffix("").parts)
    return name.removesuffix(".__init__")


def test_grading_needs_of_ours_only_what_its_wheel_has() -> None:
    names = {name_of(path) for path in modules()}
    assert {"hub.grading.plain", "hub.grading.template", "course.models"} <= names
    for name in names - {"hub", "hub.upstream"}:
        assert any(f"{name}.".startswith(f"{allowed}.") for allowed in MAY_IMPORT), name


def test_the_configuration_is_five_lines_at_most_and_quick_to_read() -> None:
    assert len(CONFIGURATION.strip().splitlines()) <= 5
    text = f"from traitlets.config import Config\nc = Config()\n{CONFIGURATION}\nimport sys\n"
    text += "print('nbgrader' in sys.modules, 'nbformat' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", text], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["False", "False"]


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Environment]:
    yield Environment(tmp_path_factory.mktemp("plain"))


plain = [
    pytest.mark.slow,
    pytest.mark.long,
    pytest.mark.kernel,
    pytest.mark.needs("index"),
    pytest.mark.timeout(1800),
]


class TestInstalled:
    pytestmark = plain

    def test_the_wheel_brings_neither_a_hub_nor_torch_and_all_of_it_can_be_imported(
        self, environment: Environment, tmp_path: Path
    ) -> None:
        installed, loaded = environment.run("-c", INSTALLED, cwd=tmp_path).splitlines()
        assert "logitlab-grading" in installed.split()
        assert not {"torch", "jupyterhub", "logitlab", "pydantic"} & set(installed.split())
        assert not loaded

    def test_nbgraders_demo_course_gets_the_same_scores_cell_by_cell(
        self, environment: Environment, tmp_path: Path
    ) -> None:
        course = make_course(environment, tmp_path)
        hand_in(environment, course, 4)
        ours = configured(course)
        autograde(environment, course)
        _, log = autograde(environment, ours)
        stock, found = scores(environment, course), scores(environment, ours)
        assert len(stock) == 4 * 9
        assert {score[0] for score in stock.values()} > {0.0, 1.0}
        assert found == stock
        assert "its tests run in the student's kernel" in log
        # Of what it says, nothing is about a command or a file that is not there.
        assert "logitlab" not in log.lower().replace(str(tmp_path).lower(), "")

    def test_a_test_that_cannot_run_isolated_is_named_with_the_line_that_lets_it_run(
        self, environment: Environment, tmp_path: Path
    ) -> None:
        course = make_course(environment, tmp_path)
        hand_in(environment, course, 2)
        isolated = CONFIGURATION.replace("(c)", "(c, tests='isolated')")
        log = environment.run(
            *("-m", "nbgrader", "autograde", "ps1"), cwd=configured(course, isolated), status=1
        )
        assert "sum_of_squares_uses_squares binds squares, which is the student's" in log
        assert """c.ExecuteSubmission.tests_of = {"ps1": "in_kernel"}""" in log
        assert "course.yaml" not in log
