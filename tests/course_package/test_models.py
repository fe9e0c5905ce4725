"""The loader: names, errors, memoisation, no network."""

import json
import random
import socket
import stat
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from course import models

SHIPPED = sorted(path.name for path in models.SHIPPED.iterdir())


@pytest.fixture(autouse=True)
def nothing_else_installed(tmp_path, monkeypatch):
    """This machine's own models folder must not count."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.delenv("COURSE_MODELS", raising=False)


@pytest.fixture
def empty_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_MODELS", str(tmp_path))
    return tmp_path


def own_checkpoint(folder: Path, name: str, **changed: int) -> None:
    config = {
        "n_layers": 1,
        "n_heads": 3,
        "d_model": 6,
        "d_head": 2,
        "n_ctx": 7,
        "d_vocab": 11,
        "attn_only": True,
        "normalization_type": "LN",
    }
    (folder / name).mkdir()
    save_file(models.build(config, seed=5).state_dict(), folder / name / "model.safetensors")
    text = json.dumps({"transformer_bridge": config | changed})
    (folder / name / "config.json").write_text(text)


def gpt2_checkpoint(folder: Path, name: str) -> None:
    from tokenizers import Tokenizer
    from tokenizers.models import BPE
    from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

    torch.manual_seed(0)
    config = GPT2Config(n_layer=1, n_head=2, n_embd=6, n_positions=8, vocab_size=3)
    GPT2LMHeadModel(config).save_pretrained(folder / name)
    tokenizer = Tokenizer(BPE(vocab={"a": 0, "b": 1, "<|endoftext|>": 2}, merges=[]))
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<|endoftext|>", eos_token="<|endoftext|>"
    ).save_pretrained(folder / name)


@pytest.mark.parametrize("module", ["course", "course.models"])
def test_importing_the_package_or_the_loader_does_not_import_torch(module):
    program = (
        f"import sys, {module}; "
        "print([m for m in ('torch', 'transformer_lens', 'transformers') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "[]"


def test_a_notebook_import_never_reaches_the_trainers():
    program = (
        "import sys, course.models, course.plots, course.checks; "
        "print([m for m in sys.modules if m.startswith('course.training')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "[]"


def test_what_a_notebook_without_models_imports_costs_little_beside_torch():
    # Drawing takes plotly's other half a second, loading a model seconds: both wait for their call.
    program = (
        "import sys, torch; before = set(sys.modules); "
        "import course.calls, course.checks, course.models, course.plots; "
        "heavy = ('transformer_lens', 'transformers', 'plotly.basedatatypes', 'narwhals'); "
        "print([m for m in heavy if m in set(sys.modules) - before])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "[]"


def test_the_shipped_models_are_available():
    assert {"impostor", "induction-1l", "induction-2l2h", "tiny-gpt2"} <= set(models.available())
    assert models.available() == SHIPPED


def test_a_model_is_the_same_object_at_every_call_and_carries_its_name():
    first = models.model("induction-2l2h", device="cpu")
    assert models.model("induction-2l2h", device="cpu") is first
    assert first.course_name == "induction-2l2h"
    assert not first.training
    assert models.model("impostor", device="cpu") is not first


def test_the_name_of_a_model_and_of_its_weights_can_be_asked():
    assert models.name_of(models.model("impostor", device="cpu")) == "impostor"
    assert models.name_of(models.weights("induction-2l2h")) == "induction-2l2h"


def test_a_copy_has_no_name_since_it_may_have_been_changed():
    import copy

    assert models.name_of(dict(models.weights("impostor"))) is None
    assert models.name_of(copy.deepcopy(models.model("impostor", device="cpu"))) is None
    assert models.name_of("impostor") is None


def test_weights_are_the_same_dict_at_every_call_and_share_nothing_with_the_model(empty_folder):
    own_checkpoint(empty_folder, "tiny")
    tensors = models.weights("tiny")
    assert models.weights("tiny") is tensors
    loaded = models.model("tiny", device="cpu")
    before = loaded.state_dict()["embed.weight"].clone()
    assert torch.equal(before, tensors["embed.weight"])
    tensors["embed.weight"].add_(1)
    assert torch.equal(loaded.state_dict()["embed.weight"], before)


@pytest.mark.parametrize(
    "name", ["../induction-2l2h", "..", ".", "", "a/b", "/etc", "induction-2l2h/", ".hidden", None]
)
def test_a_name_is_never_a_path(name):
    for load in (models.model, models.weights):
        with pytest.raises(models.ModelNotFound, match="induction-2l2h"):
            load(name)


def test_an_unknown_name_is_answered_with_the_names_that_exist(empty_folder):
    own_checkpoint(empty_folder, "tiny")
    there = ", ".join(sorted([*SHIPPED, "tiny"]))
    with pytest.raises(models.ModelNotFound, match=rf"no model named 'gtp2'.*there are: {there}$"):
        models.model("gtp2")
    with pytest.raises(models.ModelNotFound, match="`logitlab models add gpt2` puts it there"):
        models.model("gpt2")


def test_a_folder_without_weights_is_not_a_model(empty_folder):
    own_checkpoint(empty_folder, "tiny")
    (empty_folder / "tiny" / "model.safetensors").unlink()
    assert models.available() == SHIPPED
    with pytest.raises(models.ModelNotFound):
        models.model("tiny")


def test_a_missing_models_folder_holds_no_models(monkeypatch, tmp_path):
    monkeypatch.setenv("COURSE_MODELS", str(tmp_path / "nowhere"))
    assert models.available() == SHIPPED


def test_weights_that_do_not_fit_the_config_are_refused(empty_folder):
    own_checkpoint(empty_folder, "tiny", d_vocab=12)
    with pytest.raises(RuntimeError, match="size mismatch"):
        models.model("tiny", device="cpu")


def test_a_config_of_another_kind_is_refused_by_name(empty_folder):
    own_checkpoint(empty_folder, "tiny")
    (empty_folder / "tiny" / "config.json").write_text("{}")
    with pytest.raises(ValueError, match="neither 'model_type' nor 'transformer_bridge'"):
        models.model("tiny", device="cpu")


def test_a_changed_models_folder_is_honoured(tmp_path, monkeypatch):
    for seed_folder in ("one", "two"):
        (tmp_path / seed_folder).mkdir()
        own_checkpoint(tmp_path / seed_folder, "tiny")
    monkeypatch.setenv("COURSE_MODELS", str(tmp_path / "one"))
    first = models.model("tiny", device="cpu")
    monkeypatch.setenv("COURSE_MODELS", str(tmp_path / "two"))
    assert models.model("tiny", device="cpu") is not first


def test_both_kinds_of_checkpoint_load_and_run_without_a_socket(empty_folder, monkeypatch):
    own_checkpoint(empty_folder, "tiny")
    gpt2_checkpoint(empty_folder, "small-gpt2")

    def refuse(*args, **kwargs):
        raise AssertionError("the loader opened a connection")

    for function in ("connect", "connect_ex"):
        monkeypatch.setattr(socket.socket, function, refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    tokens = torch.tensor([[0, 1, 0, 2]])
    assert models.model("tiny", device="cpu")(tokens).shape == (1, 4, 11)
    gpt2 = models.model("small-gpt2", device="cpu")
    assert gpt2(tokens).shape == (1, 4, 3)
    assert gpt2.to_tokens("ab").tolist() == [[2, 0, 1]]
    assert models.weights("small-gpt2")["wte.weight"].shape == (3, 6)


def test_loading_leaves_the_random_states_and_the_grad_mode_alone(empty_folder):
    own_checkpoint(empty_folder, "tiny")
    torch.manual_seed(3)
    np.random.seed(3)
    random.seed(3)
    want = (torch.rand(1).item(), np.random.rand(), random.random())
    torch.manual_seed(3)
    np.random.seed(3)
    random.seed(3)
    models.model("tiny", device="cpu")
    assert (torch.rand(1).item(), np.random.rand(), random.random()) == want
    assert torch.is_grad_enabled()


def test_two_runs_of_a_model_agree_to_the_bit():
    tokens = torch.arange(49)[None]
    bridge = models.model("induction-2l2h", device="cpu")
    assert torch.equal(bridge(tokens), bridge(tokens))


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_files_can_be_read_by_everybody(name):
    files = [path for path in (models.SHIPPED / name).rglob("*") if path.is_file()]
    assert {"config.json", "model.safetensors", "README.md"} <= {path.name for path in files}
    assert all(path.stat().st_mode & stat.S_IROTH for path in files)


def test_all_shipped_checkpoints_together_are_under_10_mb():
    files = [path for path in models.SHIPPED.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 10_000_000
