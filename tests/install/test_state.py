"""Markers: what has been installed is known without asking a package manager."""

import ast
from pathlib import Path

import pytest

from hub.host.install import __main__, state, steps
from hub.host.install.errors import InstallError
from hub.host.install.state import TARGETS, Place

ALL = TARGETS["all"]


@pytest.fixture
def place(tmp_path):
    """An environment whose every step is marked as done."""
    place = Place(tmp_path / "venv")
    (place.venv / "bin").mkdir(parents=True)
    place.python.touch()
    for step in ALL:
        state.mark_started(step, place)
        state.mark_done(step, place)
    return place


class Performed:
    """The steps that were carried out, each with whether it was told to repair; nothing is done."""

    def __init__(self) -> None:
        self.steps: list[tuple[str, bool]] = []
        self.failing = ""

    def perform(self, name, place, again, keep_open):
        self.steps.append((name, again))
        if name == self.failing:
            raise InstallError("no network\nsee above")
        yield f"did {name}"


@pytest.fixture
def performed(monkeypatch):
    performed = Performed()
    monkeypatch.setattr(steps, "_perform", performed.perform)
    return performed


def test_nothing_is_left_to_do_after_every_step_is_marked(place):
    assert state.outstanding(ALL, place) == ()
    assert state.notebook_ready(place.venv)


def test_a_second_run_does_nothing(place, performed, capsys):
    assert __main__.main(["all", "--venv", str(place.venv)]) == 0
    assert performed.steps == []
    assert capsys.readouterr().out == ""


def test_a_changed_lock_runs_its_step_again_and_no_other(place, tmp_path, monkeypatch):
    changed = tmp_path / "repository"
    (changed / "requirements").mkdir(parents=True)
    for file in (state.ROOT / "requirements").iterdir():
        (changed / "requirements" / file.name).write_bytes(file.read_bytes())
    (changed / "requirements" / "notebook.lock").write_text("numpy==1.0\n")
    (changed / "pyproject.toml").write_bytes((state.ROOT / "pyproject.toml").read_bytes())
    monkeypatch.setattr(state, "ROOT", changed)
    # The checkout has moved too, so the project, which is installed by reference, is done again.
    assert state.outstanding(ALL, place) == ("project", "notebook")


def test_an_environment_that_moved_is_made_anew(place):
    moved = place.venv.rename(place.venv.with_name("elsewhere"))
    assert state.outstanding(ALL, Place(moved)) == ALL
    assert not state.notebook_ready(moved)


def test_an_environment_whose_python_was_removed_is_made_anew(place):
    place.python.unlink()
    place.python.symlink_to("/usr/bin/python3.11-that-was-upgraded")
    assert state.outstanding(ALL, place) == ALL


def test_any_build_of_the_pinned_torch_counts_unless_one_is_insisted_on(place):
    cuda = Place(place.venv, "cu130")
    assert state.outstanding(("torch",), cuda) == ("torch",)
    state.mark_done("torch", cuda)
    assert state.outstanding(("torch",), cuda) == ()
    assert state.outstanding(("torch",), place) == ()


def test_a_step_that_fails_is_not_marked_and_the_next_run_goes_on_from_it(place, performed, capsys):
    for step in ("proxy", "dev"):
        (place.records / f"{step}.done").unlink()
    performed.failing = "dev"
    assert __main__.main(["all", "--venv", str(place.venv)]) == 1
    assert "no network" in capsys.readouterr().err
    assert state.outstanding(ALL, place) == ("dev",)
    performed.failing = ""
    assert __main__.main(["all", "--venv", str(place.venv)]) == 0
    assert performed.steps == [("proxy", False), ("dev", False), ("dev", True)]
    assert state.outstanding(ALL, place) == ()


def test_the_spawn_page_sees_how_far_the_notebook_libraries_are(place, performed):
    (place.records / "notebook.done").unlink()
    assert not state.notebook_ready(place.venv)
    assert state.notebook_progress(place.venv) == ""
    assert __main__.main(["notebook", "--venv", str(place.venv)]) == 0
    assert state.notebook_progress(place.venv) == "did notebook"
    assert state.notebook_ready(place.venv)


def test_the_spawn_page_sees_that_the_installation_stopped(place, performed):
    performed.failing = "dev"
    for step in ("notebook", "dev"):
        (place.records / f"{step}.done").unlink()
    assert __main__.main(["all", "--venv", str(place.venv)]) == 1
    assert state.notebook_progress(place.venv) == "stopped: no network"


def test_a_machine_that_is_too_full_is_told_before_anything_happens(
    place, performed, monkeypatch, capsys
):
    (place.records / "server.done").unlink()
    monkeypatch.setattr(steps, "_free_mb", lambda place: 100)
    assert __main__.main(["server", "--venv", str(place.venv)]) == 1
    assert "100 MB free" in capsys.readouterr().err
    assert performed.steps == []


def test_every_step_of_every_target_has_a_title_and_a_size():
    assert {step for target in TARGETS.values() for step in target} == set(steps.STEPS)


def test_the_installer_is_read_by_a_python_too_old_to_run_the_rest():
    for path in Path(steps.__file__).parent.glob("*.py"):
        ast.parse(path.read_text(), feature_version=(3, 8))
