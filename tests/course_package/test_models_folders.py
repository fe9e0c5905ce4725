"""The loader: several folders, snapshots, devices, the published layout, one copy for all."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from course import models
from tests.course_package.test_models import gpt2_checkpoint, own_checkpoint
from tests.models.samples import published_layout


@pytest.fixture(autouse=True)
def nothing_else_installed(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.delenv("COURSE_MODELS", raising=False)
    monkeypatch.delenv("COURSE_DEVICE", raising=False)


def test_several_folders_are_searched_and_the_first_that_has_the_name_wins(tmp_path, monkeypatch):
    for folder, names in (("one", ["a", "b"]), ("two", ["b", "c"])):
        (tmp_path / folder).mkdir()
        for name in names:
            own_checkpoint(tmp_path / folder, name)
    monkeypatch.setenv("COURSE_MODELS", f"{tmp_path / 'one'}:{tmp_path / 'two'}")
    assert {"a", "b", "c", "induction-2l2h"} <= set(models.available())
    assert models.folder_of("b") == tmp_path / "one" / "b"
    assert models.folder_of("c") == tmp_path / "two" / "c"
    assert models.folder_of("impostor") == models.SHIPPED / "impostor"


def test_the_folder_of_models_add_is_searched_where_nothing_else_is_said(tmp_path):
    (tmp_path / "data" / "logitlab" / "models").mkdir(parents=True)
    own_checkpoint(tmp_path / "data" / "logitlab" / "models", "added")
    assert "added" in models.available()
    assert models.model("added", device="cpu").course_name == "added"


@pytest.fixture
def with_snapshots(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_MODELS", str(tmp_path))
    own_checkpoint(tmp_path, "tiny")
    (tmp_path / "tiny" / "snapshots").mkdir()
    tensors = load_file(tmp_path / "tiny" / "model.safetensors")
    for step in (0, 20, 100):
        halves = {name: (tensor + step).half() for name, tensor in tensors.items()}
        save_file(halves, tmp_path / "tiny" / "snapshots" / f"{step}.safetensors")
    return tensors


def test_a_snapshot_is_loaded_by_name_and_step_in_single_precision(with_snapshots):
    assert models.snapshots("tiny") == [0, 20, 100]
    early = models.model("tiny@20", device="cpu")
    assert early is models.model("tiny@20", device="cpu")
    assert early is not models.model("tiny", device="cpu")
    assert early.course_name == models.name_of(early) == "tiny@20"
    assert models.name_of(models.weights("tiny@100")) == "tiny@100"
    weight = early.state_dict()["embed.weight"]
    assert weight.dtype == torch.float32
    assert torch.allclose(weight, with_snapshots["embed.weight"] + 20, atol=0.02)


@pytest.mark.parametrize("step", ["21", "", "020", "../model", "-1"])
def test_a_step_without_a_snapshot_is_answered_with_those_that_exist(with_snapshots, step):
    for load in (models.model, models.weights):
        with pytest.raises(models.ModelNotFound, match="there are: 0, 20, 100"):
            load(f"tiny@{step}")


def test_snapshots_are_not_listed_as_models(with_snapshots):
    assert not [name for name in models.available() if "@" in name or name == "snapshots"]
    assert models.snapshots("impostor") == []


def test_a_small_model_stays_on_the_cpu_beside_a_gpu_and_a_large_one_does_not(tmp_path):
    def asked() -> bool:
        raise AssertionError("a small model asked for a GPU, which starts CUDA")

    file = tmp_path / "model.safetensors"
    file.touch()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch.cuda, "is_available", asked)
        assert models._default_device(file) == "cpu"
        with file.open("r+b") as stream:
            stream.truncate(models.GPU_BYTES)
        patch.setattr(torch.cuda, "is_available", lambda: True)
        assert models._default_device(file) == "cuda"
        patch.setattr(torch.cuda, "is_available", lambda: False)
        assert models._default_device(file) == "cpu"
        patch.setenv("COURSE_DEVICE", "cuda:3")
        assert models._default_device(file) == "cuda:3"


def test_the_published_layout_and_the_library_s_give_the_same_names_and_logits(
    tmp_path, monkeypatch
):
    monkeypatch.setenv("COURSE_MODELS", str(tmp_path))
    gpt2_checkpoint(tmp_path, "library")
    published_layout(tmp_path, "published")
    file = (tmp_path / "published" / "model.safetensors").read_bytes()
    assert (8 + int.from_bytes(file[:8], "little")) % 4 != 0
    library, published = models.weights("library"), models.weights("published")
    assert library.keys() == published.keys()
    assert all(torch.equal(library[key], published[key]) for key in library)
    tokens = torch.tensor([[0, 1, 2]])
    logits = [models.model(name, device="cpu")(tokens) for name in ("library", "published")]
    assert torch.equal(*logits)


READER = """
import sys, torch
from course import models
bridge = models.model("large", device="cpu")
tensors = models.weights("large")
with torch.no_grad():
    bridge(torch.arange(8)[None])
sum(t.sum() for t in tensors.values())
if "change" in sys.argv:
    with torch.no_grad():
        for p in bridge.parameters(): p.add_(1)
total, here = {}, False
for line in open("/proc/self/smaps"):
    first, *rest = line.split()
    if not first.endswith(":"):
        here = line.rstrip().endswith("large/model.safetensors")
    elif here and rest[-1] == "kB":
        total[first] = total.get(first, 0) + int(rest[0])
print(total["Rss:"], total["Private_Dirty:"], flush=True)
sys.stdin.read()
"""


@pytest.fixture
def large_model(tmp_path, monkeypatch):
    """A GPT-2-shaped folder of 30 MB, written out to the disk."""
    import os

    from transformers import GPT2Config, GPT2LMHeadModel

    gpt2_checkpoint(tmp_path, "large")
    config = GPT2Config(n_layer=2, n_head=4, n_embd=512, n_positions=64, vocab_size=2000)
    GPT2LMHeadModel(config).save_pretrained(tmp_path / "large")
    file = tmp_path / "large" / "model.safetensors"
    with file.open("rb") as stream:
        os.fsync(stream.fileno())  # pages that are not on the disk yet count as written to
    monkeypatch.setenv("COURSE_MODELS", str(tmp_path))
    return file


def read(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", READER, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(models.__file__).parent.parent,
    )


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/smaps").exists(), reason="needs Linux' /proc")
def test_a_model_is_mapped_from_its_file_and_what_a_process_changes_is_its_own(large_model):
    size = large_model.stat().st_size / 1024
    before = large_model.read_bytes()
    with read() as reader, read("change") as writer:
        for process, of_its_own in ((reader, 0.0), (writer, size)):
            assert process.stdout is not None and process.stdin is not None
            resident, dirty = map(int, process.stdout.readline().split())
            # The model and weights() map the file once each.
            assert resident > 1.5 * size
            assert dirty == pytest.approx(of_its_own, abs=0.05 * size)
        for process in (reader, writer):
            process.communicate()
    assert large_model.read_bytes() == before
