"""Putting models into the models folder: from the model hub, from a folder, and what can fail."""

import fcntl
import json
import os
import shutil
import time

import pytest
import torch
from click.testing import CliRunner

from course import models
from hub.cli import main
from hub.facts.disk import NoRoom
from hub.host import models as hub_models
from hub.host.models import PUBLISHED, ModelsError, Published, add, check, problems
from tests.models.samples import published_layout, stand_in_hub


@pytest.fixture
def source(tmp_path):
    return published_layout(tmp_path, "source")


@pytest.fixture
def there(tmp_path, monkeypatch):
    """The models folder, which does not exist yet."""
    monkeypatch.setenv("COURSE_MODELS", str(tmp_path / "data" / "models"))
    return tmp_path / "data" / "models"


@pytest.fixture
def no_retries(monkeypatch):
    monkeypatch.setattr(time, "sleep", lambda seconds: None)


def test_a_folder_that_the_admin_names_is_checked_copied_and_loads(source, there):
    lines = list(add("mine", source))
    assert lines[-1] == f"mine: ready in {there / 'mine'}"
    assert (there / "mine" / "model.safetensors").stat().st_mode & 0o777 == 0o644
    assert list(check(["mine"])) == ["mine: checksums match"]
    assert models.model("mine")(torch.tensor([[0, 1]])).shape == (1, 2, 3)
    assert sorted(p.name for p in there.iterdir()) == ["mine"]


def test_students_can_read_a_model_whatever_the_admin_s_umask(source, there):
    before = os.umask(0o077)
    try:
        list(add("mine", source))
    finally:
        os.umask(before)
    for folder in (there, there / "mine"):
        assert folder.stat().st_mode & 0o777 == 0o755
    for file in (there / "mine").iterdir():
        assert file.stat().st_mode & 0o777 == 0o644


def test_a_folder_of_other_weights_under_a_pinned_name_is_named_as_such(source, there):
    assert any("not the published files" in line for line in add("gpt2", source))


def test_adding_again_changes_nothing(source, there):
    list(add("mine", source))
    before = (there / "mine" / "model.safetensors").stat()
    assert list(add("mine", source)) == [f"mine: already in {there}, OK"]
    after = (there / "mine" / "model.safetensors").stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)


def test_a_damaged_model_is_found_and_replaced(source, there):
    list(add("mine", source))
    weights = there / "mine" / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    with pytest.raises(ModelsError, match="has changed since it was added"):
        list(check(["mine"]))
    assert "damaged" in next(add("mine", source))
    list(add("mine", source))
    assert list(check(["mine"])) == ["mine: checksums match"]


def _cut(folder):
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-1])


def _no_header(folder):
    (folder / "model.safetensors").write_bytes(b"<html>sign in first</html>" * 9)


def _lfs_pointer(folder):
    (folder / "model.safetensors").write_text("version 1\noid sha256:0\n")


def _other_shape(folder):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"n_embd": 8}))


def _more_layers(folder):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"n_layer": 2}))


def _other_kind(folder):
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"model_type": "llama"}))


def _no_config(folder):
    (folder / "config.json").unlink()


def _broken_config(folder):
    (folder / "config.json").write_text("{")


def _pickle(folder):
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")


def _no_tokenizer(folder):
    (folder / "tokenizer.json").unlink()


def _tokenizer_of_another_model(folder):
    file = folder / "tokenizer.json"
    tokenizer = json.loads(file.read_text())
    tokenizer["model"]["vocab"]["c"] = 3
    file.write_text(json.dumps(tokenizer))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (_cut, "its header says"),
        (_no_header, "truncated, or not a safetensors"),
        (_lfs_pointer, "truncated, or not a safetensors"),
        (_other_shape, "the config says"),
        (_more_layers, "lacks h.1.ln_1.weight and 11 more"),
        (_other_kind, "model_type 'llama', not 'gpt2'"),
        (_no_config, "config.json is missing"),
        (_broken_config, "Expecting property name"),
        (_pickle, "such a file can run code"),
        (_no_tokenizer, "no tokenizer"),
        (_tokenizer_of_another_model, "ids up to 3, but the config has 3 tokens"),
    ],
)
def test_a_folder_that_would_not_load_is_refused_and_nothing_is_made(source, there, spoil, said):
    spoil(source)
    assert said in "\n".join(problems(source))
    with pytest.raises(ModelsError, match="cannot be added"):
        list(add("mine", source))
    assert not there.parent.exists()


def test_shipped_checkpoints_are_in_order():
    assert len(list(check([]))) == len(models.available())


@pytest.mark.parametrize("name", ["", "../gpt2", "a/b", ".hidden"])
def test_a_name_that_is_a_path_is_refused(source, there, name):
    with pytest.raises(ModelsError, match="is not a valid model name"):
        list(add(name, source))


def test_a_name_that_is_not_pinned_needs_a_folder(there):
    with pytest.raises(ModelsError, match="Name its folder with --from"):
        list(add("gpt5"))


def test_two_at_once_do_not_meet(source, there):
    (there / ".mine.partial").mkdir(parents=True)
    handle = os.open(there / ".mine.partial", os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        with pytest.raises(ModelsError, match="another process"):
            list(add("mine", source))
    finally:
        os.close(handle)


def test_a_full_disk_is_noticed_before_anything_is_copied(source, there, monkeypatch):
    usage = shutil.disk_usage("/")._replace(free=10)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(NoRoom, match="0 MB free"):
        list(add("mine", source))
    assert not there.parent.exists()


def test_a_model_is_fetched_from_the_hub_and_every_file_checked(source, there):
    with stand_in_hub(source) as hub:
        lines = list(add("small", published={"small": hub.published()}))
    assert lines[0] == f"small: from somebody/model at {'0' * 40} (licence: MIT)"
    assert list(check(["small"])) == ["small: checksums match"]
    assert [p.name for p in there.iterdir()] == ["small"]
    assert not [p for p in (there / "small").iterdir() if p.is_dir()]
    assert models.model("small")(torch.tensor([[0]])).shape == (1, 1, 3)


def test_a_file_that_is_not_the_pinned_one_is_thrown_away(source, there):
    with stand_in_hub(source) as hub:
        pinned = hub.published()
        data = bytearray((source / "model.safetensors").read_bytes())
        data[-1] ^= 1
        (source / "model.safetensors").write_bytes(data)
        with pytest.raises(ModelsError, match=r"model\.safetensors .* does not match its pin"):
            list(add("small", published={"small": pinned}))
    assert not (there / "small").exists()
    assert not (there / ".small.partial" / "model.safetensors").exists()
    assert models.available() == [p.name for p in sorted(models.SHIPPED.iterdir())]


def test_a_fetch_that_was_broken_off_is_continued(source, there, no_retries):
    with stand_in_hub(source) as hub:
        pinned = {"small": hub.published()}
        hub.cut_after = 1000
        with pytest.raises(ModelsError, match="--from FOLDER"):
            list(add("small", published=pinned))
        assert not (there / "small").exists()
        hub.cut_after = None
        hub.asked.clear()
        list(add("small", published=pinned))
        fetched = [line for line in hub.asked if line.startswith("GET")]
    assert "GET config.json 0" not in fetched  # it was whole
    assert list(check(["small"])) == ["small: checksums match"]


def test_a_hub_that_cannot_be_reached_leaves_nothing_and_the_error_says_what_to_do(
    there, no_retries
):
    gone = Published("somebody/model", "0" * 40, "MIT", {"config.json": (1, "0")}, "http://[::1]:9")
    with pytest.raises(ModelsError) as refused:
        list(add("small", published={"small": gone}))
    assert "could not download config.json from the model hub" in str(refused.value)
    assert "logitlab models add small --from FOLDER" in str(refused.value)
    assert not there.parent.exists()


def test_a_hub_without_the_file_says_so(source, there, no_retries):
    with stand_in_hub(source) as hub:
        pinned = hub.published()
        (source / "config.json").unlink()
        with pytest.raises(ModelsError, match=r"could not download config\.json"):
            list(add("small", published={"small": pinned}))


def test_gpt2_is_pinned_by_revision_size_and_checksum():
    gpt2 = PUBLISHED["gpt2"]
    assert len(gpt2.revision) == 40
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= set(gpt2.files)
    for size, digest in gpt2.files.values():
        assert size > 0 and len(bytes.fromhex(digest)) == 32


def test_the_shapes_of_a_gpt2_are_those_of_the_library(tmp_path):
    """The published model's 124,439,808 parameters, from its config."""
    config = {"n_embd": 768, "n_layer": 12, "n_positions": 1024, "vocab_size": 50257}
    shapes = hub_models.gpt2_shapes(config).values()
    assert sum(torch.Size(shape).numel() for shape in shapes) == 124_439_808


def test_the_command_line_adds_lists_and_checks(source, there):
    run = CliRunner().invoke
    assert run(main, ["models", "add", "mine", "--from", str(source)]).exit_code == 0
    listed = run(main, ["models", "list"]).output
    assert f"{there}" in listed and "impostor" in listed
    assert "gpt2" in listed and "absent" in listed
    assert "mine: checksums match" in run(main, ["models", "check"]).output
    (there / "mine" / "tokenizer.json").unlink()
    refused = run(main, ["models", "check", "mine"])
    assert refused.exit_code == 1
    assert "mine: no tokenizer" in refused.output
