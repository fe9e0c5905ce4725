"""Where torch comes from."""

import pytest

from hub.facts.disk import NoRoom
from hub.host.install import state, torch_build
from hub.host.install.errors import InstallError
from hub.host.install.state import InstallTarget

PINNED = state.pinned_torch()


def ways(installed="", backend="", nvidia=False, system="Linux"):
    builds = torch_build.ways(installed, backend, nvidia, system)
    return [build.backend or "pip" for build in builds]


def test_a_torch_of_the_pinned_version_is_kept_whatever_its_build():
    assert ways(PINNED) == ways(f"{PINNED}+cpu") == ways(f"{PINNED}+cu130") == []


def test_without_a_gpu_the_small_build_is_tried_first_and_pip_is_the_fallback():
    assert ways() == ways("2.1.0+cpu") == ["cpu", "pip"]
    assert ways(nvidia=True) == ways(system="Darwin") == ["pip"]


def test_a_deployment_can_insist_on_a_build():
    assert ways(f"{PINNED}+cpu", backend="cu130") == ["cu130"]
    assert ways(f"{PINNED}+cu130", backend="cu130") == []


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An environment whose uv and pip only write down that they were called."""
    folder = InstallTarget(tmp_path / "venv")
    (folder.venv / "bin").mkdir(parents=True)
    folder.records.mkdir()
    for name in ("uv", "python"):
        executable = folder.venv / "bin" / name
        executable.write_text(
            f'#!/bin/sh\necho {name} "$@" >> {tmp_path}/calls\ntest ! -e {tmp_path}/{name}-fails\n'
        )
        executable.chmod(0o755)
    (tmp_path / "calls").touch()

    def importable(python):
        installing = [line for line in calls(tmp_path) if "--dry-run" not in line]
        return PINNED if installing else ""

    monkeypatch.setattr(torch_build, "importable", importable)
    monkeypatch.setattr(torch_build, "has_nvidia", lambda: False)
    monkeypatch.setattr(torch_build.platform, "system", lambda: "Linux")
    return folder


def calls(tmp_path):
    return (tmp_path / "calls").read_text().splitlines()


def install(folder, free_mb=50_000, again=False):
    return list(torch_build.install(folder, free_mb, again, None))


def test_where_the_index_of_cpu_builds_answers_the_small_build_is_installed(folder, tmp_path):
    lines = install(folder)
    asked, installed = calls(tmp_path)
    assert "--torch-backend cpu" in asked
    assert asked == f"{installed} --dry-run"
    assert "the CPU build, about 200 MB; 50.0 GB free" in lines[0]


def test_where_it_does_not_answer_pip_is_asked_after_saying_what_it_may_cost(folder, tmp_path):
    (tmp_path / "uv-fails").touch()
    lines = install(folder)
    assert calls(tmp_path)[-1].startswith(f"python -m pip install torch=={PINNED}")
    assert "does not answer" in lines[0]
    assert "2.7 GB" in lines[1]
    assert not (folder.records / "scratch").exists()


def test_the_large_build_is_refused_where_it_does_not_fit(folder, tmp_path):
    (tmp_path / "uv-fails").touch()
    with pytest.raises(NoRoom, match="TORCH_BACKEND=cpu"):
        install(folder, free_mb=5000)
    assert len(calls(tmp_path)) == 1


def test_a_torch_that_an_interruption_left_in_pieces_is_reinstalled(folder, tmp_path):
    (tmp_path / "uv-fails").touch()
    install(folder, again=True)
    assert "--force-reinstall" in calls(tmp_path)[-1]


def test_a_build_that_is_insisted_on_is_not_replaced_by_another(folder, tmp_path):
    (tmp_path / "uv-fails").touch()
    with pytest.raises(InstallError, match="uv failed"):
        install(InstallTarget(folder.venv, "cu130"))
    assert all(call.startswith("uv") for call in calls(tmp_path))
