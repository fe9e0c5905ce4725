"""The deployment's folder of models: what is checked, what is refused, and what fetches."""

from __future__ import annotations

import json
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from hub.host.deploy import folder, images
from hub.host.deploy import models as deployment_models
from hub.host.deploy.environment import Site
from hub.host.deploy.folder import DeployError, prepare
from hub.host.deploy.models import check, fetch_command, need, settle_volume
from hub.host.models import add


def smallest(folder: Path) -> Path:
    """A folder that is a model, as far as can be said without loading it: no tensors at all."""
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"transformer_bridge": {}}))
    header = b'{"__metadata__": {"format": "pt"}}'
    (folder / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header)
    return folder


@pytest.fixture
def models(tmp_path):
    """A folder of models with one that was added to it."""
    list(add("one", smallest(tmp_path / "source"), tmp_path / "models"))
    return tmp_path / "models"


def test_every_model_is_named_while_it_is_checked_and_what_is_half_there_is_passed_over(models):
    (models / ".two.partial").mkdir()
    assert list(check(models)) == ["checking model one, 0 MB"]


def test_a_file_that_differs_from_what_was_added_is_refused_with_the_command_that_fixes(models):
    file = models / "one" / "config.json"
    file.write_text(file.read_text() + " ")
    with pytest.raises(DeployError, match=r"one: config\.json has changed since.* `make add-model"):
        list(check(models))


def test_all_that_is_wrong_is_reported_at_once(models):
    smallest(models / "two").joinpath("model.safetensors").write_bytes(b"cut")
    (models / "one").chmod(0o700)
    models.chmod(0o750)
    with pytest.raises(DeployError) as error:
        list(check(models))
    assert f"chmod a+rx {models}" in str(error.value)
    assert f"one: closed to others: `chmod -R a+rX {models / 'one'}`" in str(error.value)
    assert "two: model.safetensors is truncated" in str(error.value)


def test_a_file_that_students_could_not_read_is_refused(models):
    (models / "one" / "model.safetensors").chmod(0o640)
    with pytest.raises(DeployError, match="closed to others"):
        list(check(models))


@pytest.mark.parametrize("what", ["folder", "file"])
def test_a_link_is_refused_as_a_container_would_not_find_what_it_means(models, tmp_path, what):
    other = smallest(tmp_path / "elsewhere")
    if what == "folder":
        (models / "two").symlink_to(other)
    else:
        smallest(models / "two").joinpath("model.safetensors").unlink()
        (models / "two" / "model.safetensors").symlink_to(other / "model.safetensors")
    with pytest.raises(DeployError, match="is a symbolic link, which containers cannot follow"):
        list(check(models))


def test_a_model_to_bake_in_must_be_there_and_as_it_was(models):
    need(models, ["one"])
    with pytest.raises(DeployError, match="add-model NAME=gpt2"):
        need(models, ["one", "gpt2"])
    (models / "one" / "model.safetensors").write_bytes(b"")
    with pytest.raises(DeployError, match=r"one is damaged: model\.safetensors is truncated"):
        images.stage_inputs(
            images.plan({"MODELS": "one"}), Site({}), models, models.parent / "stage"
        )


def test_a_new_deployment_has_a_folder_that_others_can_read_whatever_the_admins_umask(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(folder, "host_routes", lambda: ())
    list(prepare(tmp_path))
    assert (tmp_path / "models").stat().st_mode & 0o777 == 0o755
    assert list(check(tmp_path / "models")) == [
        f"no models in {tmp_path / 'models'} yet: `make add-model NAME=gpt2`"
    ]


# -- the volume that is this folder ---------------------------------------------------------------


class Engine:
    """An engine with one volume: of the folder `device`, or with files of its own, or absent."""

    def __init__(self, device: str | None, used: bool = False) -> None:
        self.device, self.used, self.removed = device, used, False

    def __call__(self, *arguments: str) -> CompletedProcess:
        if arguments[:2] == ("volume", "inspect"):
            return CompletedProcess((), self.device is None, stdout=f"{self.device or ''}\n")
        assert arguments == ("volume", "rm", "p_models")
        self.removed = not self.used
        return CompletedProcess((), self.used, stdout="")


def test_a_volume_of_this_folder_or_none_is_left_to_compose(tmp_path):
    for engine in (Engine(str(tmp_path)), Engine(None)):
        settle_volume(engine, "p_models", tmp_path)
        assert not engine.removed


def test_after_a_move_the_volume_of_the_old_folder_makes_room(tmp_path):
    engine = Engine("/before/models")
    settle_volume(engine, "p_models", tmp_path)
    assert engine.removed
    with pytest.raises(DeployError, match="make down"):
        settle_volume(Engine("/before/models", used=True), "p_models", tmp_path)


def test_a_volume_with_files_of_its_own_is_never_removed(tmp_path):
    engine = Engine("")
    with pytest.raises(DeployError, match="has files of its own"):
        settle_volume(engine, "p_models", tmp_path)
    assert not engine.removed


# -- fetching -------------------------------------------------------------------------------------


def test_the_fetching_container_sees_the_models_folder_and_nothing_else_of_this_host(tmp_path):
    site = Site({}, bundle=tmp_path / "ca.pem", proxies=("HTTPS_PROXY",))
    command = fetch_command("gpt2", tmp_path, "dev", site, ["HTTPS_PROXY", "HF_ENDPOINT", "HOME"])
    volumes = [part for part in command if part.startswith("--volume=")]
    assert volumes == [
        f"--volume={tmp_path}:/srv/models",
        f"--volume={tmp_path / 'ca.pem'}:/run/certificates.pem:ro",
    ]
    assert {"--cap-drop=ALL", "--read-only", "--env=HTTPS_PROXY", "--env=HF_ENDPOINT"} < {*command}
    assert command[-6:] == ["models", "add", "--to", "/srv/models", "--", "gpt2"]


def test_before_the_images_are_made_nothing_fetches_and_it_says_so(tmp_path, monkeypatch):
    gone: CompletedProcess[str] = CompletedProcess((), 1)
    monkeypatch.setattr(deployment_models.subprocess, "run", lambda *a, **k: gone)
    with pytest.raises(DeployError, match="make images"):
        list(deployment_models.fetch("gpt2", tmp_path, "dev"))
