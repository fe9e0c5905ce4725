"""What *Validate* asks to be executed: what grading asks for, without the instructor's notebook."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat import NotebookNode
from traitlets.config import Config

from hub.authoring.release import student_version
from hub.core.course_folder import new_course, open_course
from hub.core.environment import Environment
from hub.exchange.errors import NotFound
from hub.grading.pipeline.autograde import ExecuteSubmission
from hub.grading.pipeline.execute import Execution, ExecutionLimits
from hub.grading.pipeline.seeds import seed_of
from hub.jupyterhub.configuration.jupyterlab import grader_config, nbgrader_config
from hub.singleuser.validation import release, validator
from hub.singleuser.validation.validator import CourseValidator
from tests.grading.tiny_course import ASSIGNMENT, HIDDEN_SECRET, NOTEBOOK, source_notebook

Edit = Callable[[NotebookNode], None]


class Server:
    """A student's server with the released notebook of an assignment, which executes nothing."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: list[dict[str, Any]] = []
        self.notebook = folder / "home" / ASSIGNMENT / f"{NOTEBOOK}.ipynb"
        self._exchange = folder / "exchange"
        source = folder / "source" / ASSIGNMENT
        for each in (source, self._exchange, self.notebook.parent):
            each.mkdir(parents=True)
        nbformat.write(source_notebook(), source / self.notebook.name)
        self._released = student_version(source).files[self.notebook.name]
        monkeypatch.setattr(release, "_fetch", self._fetch)
        monkeypatch.setattr(validator, "execute", self._execute)

    def _fetch(self, assignment: str, config: Config, folder: Path) -> None:
        if not list(self._exchange.iterdir()):
            raise NotFound("There is nothing.", "Wait.")
        shutil.copytree(self._exchange, folder, dirs_exist_ok=True)

    def _execute(self, notebook: NotebookNode, **asked: Any) -> Execution:
        self.asked.append({"notebook": notebook, **asked})
        return Execution(notebook, [], 0.0)

    def released(self, edit: Edit = lambda notebook: None) -> bytes:
        notebook = nbformat.reads(self._released.decode(), as_version=4)
        edit(notebook)
        return json.dumps(notebook).encode()

    def validate(
        self, own: bytes, released: bytes | None = None, config: Config | None = None
    ) -> dict[str, Any]:
        """What is asked for a student's notebook; `released`: the exchange's, if it answers."""
        self.notebook.write_bytes(own)
        if released is not None:
            (self._exchange / self.notebook.name).write_bytes(released)
        CourseValidator(config=config or Config()).validate(str(self.notebook))
        return self.asked[-1]


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Server:
    return Server(tmp_path, monkeypatch)


def _no_names(notebook: NotebookNode) -> None:
    del notebook.metadata["logitlab"]


def _other_names(notebook: NotebookNode) -> None:
    notebook.metadata["logitlab"] = {"names": ["SIZE"], "classes": ["SIZE"]}


def test_tests_run_isolated_by_what_the_release_says_of_names(server: Server) -> None:
    asked = server.validate(server.released(), server.released())
    assert asked["tests"] == "isolated"
    assert asked["names"].as_data() == {"names": ["double", "square"], "classes": []}
    assert HIDDEN_SECRET not in json.dumps(asked["source"])


def test_what_a_student_edits_of_it_is_not_read_where_the_release_is_to_be_had(
    server: Server,
) -> None:
    asked = server.validate(server.released(_other_names), server.released())
    assert asked["names"].as_data() == {"names": ["double", "square"], "classes": []}


def test_a_release_that_says_nothing_of_names_is_validated_in_the_students_kernel(
    server: Server,
) -> None:
    asked = server.validate(server.released(), server.released(_no_names))
    assert (asked["tests"], asked["names"]) == ("in_kernel", None)


def test_without_the_exchange_the_students_copy_says_it(server: Server) -> None:
    assert server.validate(server.released())["tests"] == "isolated"


@pytest.mark.parametrize(
    "edit",
    [
        _no_names,
        lambda notebook: notebook.metadata.update(logitlab="names"),
        lambda notebook: notebook.metadata.update(logitlab={"names": 3, "classes": {}}),
        lambda notebook: notebook.cells[3].update(source="this is no Python"),  # a test
    ],
)
def test_a_damaged_copy_is_validated_in_the_students_kernel(server: Server, edit: Edit) -> None:
    asked = server.validate(server.released(edit))
    assert (asked["tests"], asked["names"]) == ("in_kernel", None)


def test_an_instructors_notebook_is_validated_with_its_own_names_and_hidden_tests(
    server: Server, tmp_path: Path
) -> None:
    path = tmp_path / "source" / ASSIGNMENT / f"{NOTEBOOK}.ipynb"
    CourseValidator().validate(str(path))
    (asked,) = server.asked
    assert (asked["tests"], asked["names"].names) == ("isolated", {"double", "square"})
    assert HIDDEN_SECRET in json.dumps(asked["notebook"])


def test_limits_and_the_place_of_tests_are_gradings_and_the_seed_is_not(
    server: Server, tmp_path: Path
) -> None:
    root = tmp_path / "course"
    list(new_course(root))
    path = root / "course.yaml"
    text = path.read_text().replace("cell_seconds: 60", "cell_seconds: 7")
    path.write_text(text.replace("assignments: {}", "assignments: {ps2: {tests: in_kernel}}"))
    folder = open_course(root, Environment())
    grading = ExecuteSubmission(config=grader_config(folder))
    config = Config(nbgrader_config("student", folder))
    for name in (ASSIGNMENT, "ps2"):
        server.notebook = server.notebook.parents[1] / name / f"{NOTEBOOK}.ipynb"
        server.notebook.parent.mkdir(exist_ok=True)
        asked = server.validate(server.released(), server.released(), config)
        assert asked["limits"] == ExecutionLimits(**grading.limits)
        assert asked["limits"].cell_seconds == 7
        assert asked["tests"] == grading.where(name)
        assert asked["seed"], "the same inputs in each run"
        assert asked["seed"] != seed_of(root, name)
        assert not (root / "server" / "seeds" / name).read_text().startswith(asked["seed"])
