"""Everybody's answers are judged on the same inputs, in every run."""

from __future__ import annotations

import stat
import threading
from pathlib import Path

import nbformat
import pytest
from click.testing import CliRunner, Result
from nbformat.v4 import new_code_cell, new_notebook

from hub.cli import main
from hub.grading.isolation.modes import seed_of_test
from hub.grading.pipeline.batch import autograde
from hub.grading.pipeline.seeds import new_seed, seed_of
from tests.grading.tiny_course import (
    ASSIGNMENT,
    NOTEBOOK,
    answered,
    course_config,
    make_course,
    marks,
    submit,
)

DRAWS = """import random
import secrets
import numpy
import torch
drawn = random.random(), numpy.random.rand(), torch.rand(1).item()
drawn += secrets.randbelow(10**6), secrets.choice(range(10**6)), secrets.token_hex()
assert f(0) == 0, drawn"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    cells = [
        new_code_cell("SIZE = 1", metadata=marks("given", locked=True), id="given"),
        new_code_cell("def f(x):\n    return 0", metadata=marks("f", solution=True), id="f"),
        new_code_cell(
            DRAWS, metadata=marks("f_test", grade=True, locked=True, points=1), id="f_test"
        ),
    ]
    book = new_notebook(cells=cells)
    book.nbformat_minor = 5
    make_course(tmp_path, source=book)
    return tmp_path


def inputs(root: Path, student: str) -> str:
    """What the failed test of a graded submission has drawn."""
    path = root / "autograded" / student / ASSIGNMENT / f"{NOTEBOOK}.ipynb"
    book = nbformat.read(path, as_version=4)
    (test,) = (cell for cell in book.cells if cell.get("id") == "f_test")
    (error,) = (output for output in test.outputs if output.output_type == "error")
    return error.evalue


@pytest.mark.kernel
@pytest.mark.slow
def test_two_students_and_a_repeated_grading_get_the_same_inputs_until_there_is_a_new_seed(
    root: Path,
) -> None:
    for student in ("ann", "bea"):
        submit(root, student, answered(root, f=f"def f(x):\n    return '{student}'"))
    config = course_config(root)
    list(autograde(root, ASSIGNMENT, config=config))
    first = inputs(root, "ann")
    assert inputs(root, "bea") == first
    list(autograde(root, ASSIGNMENT, students=["ann"], force=True, config=config))
    assert inputs(root, "ann") == first
    new_seed(root, ASSIGNMENT)
    list(autograde(root, ASSIGNMENT, force=True, config=config))
    assert inputs(root, "ann") == inputs(root, "bea") != first


def test_a_seed_is_made_once_and_closed_to_others(tmp_path: Path) -> None:
    found: list[str] = []
    threads = [
        threading.Thread(target=lambda: found.append(seed_of(tmp_path, "a"))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 1
    assert seed_of(tmp_path, "b") not in found
    for path in (tmp_path / "server" / "seeds").iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert new_seed(tmp_path, "a") == seed_of(tmp_path, "a") not in found


def test_a_corrected_test_draws_other_inputs_and_all_others_the_same() -> None:
    before = {name: seed_of_test("seed", name, f"assert {name}") for name in ("f", "g")}
    assert seed_of_test("seed", "f", "assert corrected") != before["f"]
    assert seed_of_test("seed", "g", "assert g") == before["g"] != before["f"]
    assert seed_of_test("other", "g", "assert g") != before["g"]


def test_without_a_seed_each_run_draws_other_inputs() -> None:
    assert seed_of_test("", "f", "assert f") != seed_of_test("", "f", "assert f")


def test_the_command_shows_the_seed_and_makes_a_new_one(tmp_path: Path) -> None:
    def command(*arguments: str) -> Result:
        return CliRunner().invoke(main, ["seed", *arguments, "--course", str(tmp_path)])

    (tmp_path / "course.yaml").write_text("course: {id: c}\n")
    (tmp_path / "source" / "a").mkdir(parents=True)
    first = command("a").stdout
    assert command("a").stdout == first == f"{seed_of(tmp_path, 'a')}\n"
    renewed = command("a", "--new")
    assert renewed.stdout != first
    assert "logitlab autograde a --force" in renewed.stderr
    unknown = command("b")
    assert unknown.exit_code == 1 and "no assignment" in unknown.output
