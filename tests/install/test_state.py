"""Markers: what has been installed is known without asking a package manager."""

import ast
from pathlib import Path

import pytest

from hub.host.install import __main__, state, steps
from hub.host.install.errors import InstallError
from hub.host.install.state import TARGETS, InstallTarget

ALL = TARGETS["all"]


@pytest.fixture
def folder(tmp_path):
    """An environment whose every step is marked as done."""
    folder = InstallTarget(tmp_path / "venv")
    (folder.venv / "bin").mkdir(parents=True)
    folder.python.touch()
    for step in ALL:
        state.mark_started(step, folder)
        state.mark_done(step, folder)
    return folder


class Performed:
    """The steps that were carried out, each with whether it was told to repair; nothing is done."""

    def __init__(self) -> None:
        self.steps: list[tuple[str, bool]] = []
        self.failing = ""

    def perform(self, name, folder, again, keep_open):
        self.steps.append((name, again))
        if name == self.failing:
            raise InstallError("no network\nsee above")
        yield f"did {name}"


@pytest.fixture
def performed(monkeypatch):
    performed = Performed()
    monkeypatch.setattr(steps, "_perform", performed.perform)
    return performed


def test_nothing_is_left_to_do_after_every_step_is_marked(folder):
    assert state.outstanding(ALL, folder) == ()
    assert state.notebook_ready(folder.venv)


def test_a_second_run_does_nothing(folder, performed, capsys):
    assert __main__.main(["all", "--venv", str(folder.venv)]) == 0
    assert performed.steps == []
    assert capsys.readouterr().out == ""


def test_a_changed_lock_runs_its_step_again_and_no_other(folder, tmp_path, monkeypatch):
    changed = tmp_path / "repository"
    (changed / "requirements").mkdir(parents=True)
    for file in (state.ROOT / "requirements").iterdir():
        (changed / "requirements" / file.name).write_bytes(file.read_bytes())
    (changed / "requirements" / "notebook.lock").write_text("numpy==1.0\n")
    (changed / "pyproject.toml").write_bytes((state.ROOT / "pyproject.toml").read_bytes())
    monkeypatch.setattr(state, "ROOT", changed)
    # The checkout has moved too, so the project, which is installed by reference, is done again.
    assert state.outstanding(ALL, folder) == ("project", "notebook")


def test_an_environment_that_moved_is_made_anew(folder):
    moved = folder.venv.rename(folder.venv.with_name("elsewhere"))
    assert state.outstanding(ALL, InstallTarget(moved)) == ALL
    assert not state.notebook_ready(moved)


def test_an_environment_whose_python_was_removed_is_made_anew(folder):
    folder.python.unlink()
    folder.python.symlink_to("/usr/bin/python3.11-that-was-upgraded")
    assert state.outstanding(ALL, folder) == ALL


def test_any_build_of_the_pinned_torch_counts_unless_one_is_insisted_on(folder):
    cuda = InstallTarget(folder.venv, "cu130")
    assert state.outstanding(("torch",), cuda) == ("torch",)
    state.mark_done("torch", cuda)
    assert state.outstanding(("torch",), cuda) == ()
    assert state.outstanding(("torch",), folder) == ()


def test_a_step_that_fails_is_not_marked_and_the_next_run_goes_on_from_it(
    folder, performed, capsys
):
    for step in ("proxy", "dev"):
        (folder.records / f"{step}.done").unlink()
    performed.failing = "dev"
    assert __main__.main(["all", "--venv", str(folder.venv)]) == 1
    assert "no network" in capsys.readouterr().err
    assert state.outstanding(ALL, folder) == ("dev",)
    performed.failing = ""
    assert __main__.main(["all", "--venv", str(folder.venv)]) == 0
    assert performed.steps == [("proxy", False), ("dev", False), ("dev", True)]
    assert state.outstanding(ALL, folder) == ()


def test_the_spawn_page_sees_how_far_the_notebook_libraries_are(folder, performed):
    (folder.records / "notebook.done").unlink()
    assert not state.notebook_ready(folder.venv)
    assert state.notebook_progress(folder.venv) == ""
    assert __main__.main(["notebook", "--venv", str(folder.venv)]) == 0
    assert state.notebook_progress(folder.venv) == "did notebook"
    assert state.notebook_ready(folder.venv)


def test_the_spawn_page_sees_that_the_installation_stopped(folder, performed):
    performed.failing = "dev"
    for step in ("notebook", "dev"):
        (folder.records / f"{step}.done").unlink()
    assert __main__.main(["all", "--venv", str(folder.venv)]) == 1
    assert state.notebook_progress(folder.venv) == "stopped: no network"


def test_a_machine_that_is_too_full_is_reported_before_anything_happens(
    folder, performed, monkeypatch, capsys
):
    (folder.records / "server.done").unlink()
    monkeypatch.setattr(steps, "free_mb", lambda path: 100)
    assert __main__.main(["server", "--venv", str(folder.venv)]) == 1
    assert "100 MB free" in capsys.readouterr().err
    assert performed.steps == []


def test_every_step_of_every_target_has_a_title_and_a_size():
    assert {step for target in TARGETS.values() for step in target} == set(steps.STEPS)


def test_the_installer_is_read_by_a_python_too_old_to_run_the_rest():
    for path in Path(steps.__file__).parent.glob("*.py"):
        ast.parse(path.read_text(), feature_version=(3, 8))
