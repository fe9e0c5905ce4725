"""`prove` on other models: what holds for one head or one set of weights only is found."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from nbformat.v4 import new_code_cell, new_notebook

from course.models import SHIPPED
from hub.grading.pipeline.execute import ExecutionLimits, execute
from hub.verification.prove import NotProved, prove
from hub.verification.symmetric_models import ModelVariant, concerns, model_variants

pytestmark = pytest.mark.kernel

LIMITS = ExecutionLimits(cell_seconds=60, total_seconds=200)

# What a notebook reads of a model is read off its file here: that needs no torch.
NOTEBOOK = """# %%
import json
import os
from pathlib import Path


def config(name):
    folders = [Path(folder) for folder in os.environ["COURSE_MODELS"].split(os.pathsep)]
    found = next(folder / name for folder in folders if (folder / name).exists())
    return json.loads((found / "config.json").read_text())


NAME = "tiny-gpt2"

# %% nbgrader={"grade_id": "layers", SOLUTION, "task": false, "schema_version": 3}
def layers(config):
    ### BEGIN SOLUTION
    return config["n_layer"]
    ### END SOLUTION

# %% nbgrader={"grade_id": "layers_test", TEST, "task": false, "schema_version": 3}
### BEGIN HIDDEN TESTS
assert layers({"n_layer": 7}) == 7
assert layers(config(NAME)) == WANTED
### END HIDDEN TESTS
""".replace("SOLUTION,", '"grade": false, "locked": false, "solution": true,').replace(
    "TEST,", '"grade": true, "locked": true, "points": 1, "solution": false,'
)


@pytest.fixture(name="source")
def _source(tmp_path: Path) -> Path:
    folder = tmp_path / "ps1"
    folder.mkdir()
    (folder / "tiny.py").write_text(NOTEBOOK.replace("WANTED", "2"))
    return folder


@pytest.fixture(name="other")
def _other(tmp_path: Path) -> ModelVariant:
    """A GPT-2 of three layers instead of two, as far as its configuration goes."""
    folder = tmp_path / "models" / "tiny-gpt2"
    folder.mkdir(parents=True)
    config = (SHIPPED / "tiny-gpt2" / "config.json").read_text()
    (folder / "config.json").write_text(config.replace('"n_layer": 2', '"n_layer": 3'))
    return ModelVariant("another model", folder.parent, trained=False)


def lines_of(lines: Iterator[str]) -> tuple[list[str], bool]:
    """What prove said, and whether it found faults."""
    output = []
    try:
        for line in lines:
            output.append(line)
    except NotProved:
        return output, True
    return output, False


def test_a_number_that_holds_for_one_model_only_is_a_fault(
    source: Path, other: ModelVariant
) -> None:
    lines, faulty = lines_of(prove(source, limits=LIMITS, workers=1, others=[other]))
    assert faulty
    assert "[reference] reference: passes" in lines
    assert "[reference] reference on another model: fails layers_test" in lines
    assert any(
        line.startswith("FAULT  (whole notebook): reference on another model: fails layers_test")
        for line in lines
    )


def test_what_needs_a_trained_model_may_say_so(source: Path, other: ModelVariant) -> None:
    (source / "answers.py").write_text("# %% [trained] layers: it counts what was trained\n")
    lines, faulty = lines_of(prove(source, limits=LIMITS, workers=1, others=[other]))
    assert not faulty
    assert "[reference] reference on another model: passes" in lines
    copy = ModelVariant("a copy", other.folder, trained=True)
    assert lines_of(prove(source, limits=LIMITS, workers=1, others=[copy]))[1]


def test_an_excuse_that_is_not_needed_is_named(source: Path, other: ModelVariant) -> None:
    (source / "tiny.py").write_text(NOTEBOOK.replace("WANTED", 'config(NAME)["n_layer"]'))
    (source / "answers.py").write_text("# %% [trained] layers: it does not\n")
    lines, faulty = lines_of(prove(source, limits=LIMITS, workers=1, others=[other]))
    assert not faulty
    assert "layers keeps its points on another model: [trained] can be removed" in lines


def test_an_executor_is_not_given_other_models(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="its own models"):
        execute(new_notebook(), models=tmp_path, executor=tmp_path / "socket")


def test_random_weights_concern_a_notebook_about_gpt2_and_copies_concern_all() -> None:
    about = new_notebook(cells=[new_code_cell('net = model("tiny-gpt2")')])
    other = new_notebook(cells=[new_code_cell('net = model("induction-2l2h")')])
    random = ModelVariant("random", Path(), trained=False)
    assert concerns(random, about) and not concerns(random, other)
    assert concerns(ModelVariant("copies", Path(), trained=True), other)


def test_copies_of_all_models_that_come_with_logitlab_are_made(tmp_path: Path) -> None:
    symmetric, random = model_variants(tmp_path)
    assert symmetric.trained and not random.trained
    names = {folder.name for folder in SHIPPED.iterdir() if (folder / "config.json").is_file()}
    assert {folder.name for folder in symmetric.folder.iterdir()} == names
    sizes = {(folder / "config.json").read_text() for folder in random.folder.iterdir()}
    assert {folder.name for folder in random.folder.iterdir()} == {"gpt2", "tiny-gpt2"}
    assert len(sizes) == 2
