"""tiny-gpt2: the shipped files pass the gates, are GPT-2's format, and the trainer is seeded."""

import dataclasses
import hashlib
import re

import pytest
import torch

from course.models import SHIPPED, model
from course.training import __main__ as command_line
from course.training import language_gates
from course.training.gpt2 import TINY_GPT2, sinusoids, train, untrained
from course.training.language_gates import language_gates as gates_of
from course.training.tokenizer import train_tokenizer

FOLDER = SHIPPED / "tiny-gpt2"


@pytest.fixture(scope="module")
def bridge():
    return model("tiny-gpt2", device="cpu")


@pytest.fixture(scope="module")
def measured(bridge):
    return language_gates.measure(bridge)


@pytest.fixture(scope="module")
def tokenizer():
    return train_tokenizer(TINY_GPT2.context)


@pytest.mark.slow
def test_the_shipped_model_passes_its_gates(measured):
    assert [gate for gate in gates_of(measured) if not gate.passed] == []


def test_the_card_belongs_to_the_weights_and_tells_the_truth(measured):
    card = (FOLDER / "README.md").read_text()
    digest = hashlib.sha256((FOLDER / "model.safetensors").read_bytes()).hexdigest()
    assert f"`{digest}`" in card
    assert f"Seed {TINY_GPT2.seed}." in card
    assert f"{TINY_GPT2.steps} steps" in card
    for gate in gates_of(measured):
        (figure,) = re.findall(re.escape(f"| {gate.demand} |") + r" [^|]+ \| ([\d.]+) \|", card)
        assert float(figure) == pytest.approx(gate.value, abs=0.02)


def test_the_library_reads_the_folder_and_gives_the_same_logits(bridge):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    theirs = AutoModelForCausalLM.from_pretrained(FOLDER, attn_implementation="eager").eval()
    tokenizer = AutoTokenizer.from_pretrained(FOLDER)
    ids = tokenizer("The capital of France is", return_tensors="pt")["input_ids"]
    assert theirs.config.model_type == "gpt2"
    assert theirs.config.activation_function == "gelu_new"
    with torch.no_grad():
        assert torch.allclose(theirs(ids).logits, bridge(ids), atol=1e-5)
    assert tokenizer.decode(theirs(ids).logits[0, -1].argmax()) == " Paris"
    assert bridge.to_tokens("The capital")[0, 0] == tokenizer.bos_token_id == 1279


def test_the_shipped_tokenizer_is_the_one_that_its_seed_gives(tokenizer, tmp_path):
    tokenizer.save_pretrained(tmp_path)
    assert (tmp_path / "tokenizer.json").read_bytes() == (FOLDER / "tokenizer.json").read_bytes()


def short(**changed):
    changed = {"steps": 2, "batch": 2, "warm_up": 1} | changed
    return dataclasses.replace(TINY_GPT2, **changed)


def trained(recipe, tokenizer):
    work = train(recipe, tokenizer)
    while True:
        try:
            next(work)
        except StopIteration as finished:
            return finished.value.state_dict()


def test_training_twice_gives_the_same_weights_and_another_seed_others(tokenizer):
    torch.manual_seed(1)
    first = trained(short(), tokenizer)
    torch.manual_seed(2)
    second = trained(short(), tokenizer)
    assert all(torch.equal(first[key], second[key]) for key in first)
    other = trained(short(seed=5), tokenizer)
    assert not torch.equal(
        first["transformer.h.0.mlp.c_fc.weight"], other["transformer.h.0.mlp.c_fc.weight"]
    )


@pytest.mark.slow
def test_training_lowers_the_loss_and_reports_it(tokenizer):
    (line,) = train(short(steps=100, batch=4, warm_up=20, learning_rate=5e-3), tokenizer)
    step, _, loss = line.removesuffix(" nats").partition(", loss ")
    assert step == "tiny-gpt2: step 100/100"
    assert float(loss) < 6.8  # a uniform guess costs 7.15


def test_positions_begin_as_waves_in_which_a_neighbour_is_a_rotation():
    waves = sinusoids(128, 16)
    assert waves.shape == (128, 16)
    assert torch.allclose(waves.pow(2).sum(1), torch.full((128,), 8.0))
    products = waves @ waves.T
    for distance in (1, 7):
        diagonal = products.diagonal(distance)
        assert torch.allclose(diagonal, diagonal[:1], atol=1e-4)
    model = untrained(TINY_GPT2, 1280)
    size = model.transformer.wpe.weight.detach().pow(2).mean().sqrt()
    assert size.item() == pytest.approx(TINY_GPT2.embedding_spread, rel=0.01)


def test_the_command_line_trains_measures_and_saves(tokenizer, measured, tmp_path, monkeypatch):
    monkeypatch.setitem(command_line.RECIPES, "tiny-gpt2", short())
    monkeypatch.setattr(language_gates, "measure", lambda bridge: measured)
    assert command_line.main(["train", "tiny-gpt2", "--to", str(tmp_path)]) == 0
    monkeypatch.setenv("COURSE_MODELS", str(tmp_path))
    assert model("tiny-gpt2", device="cpu").cfg.d_vocab == 1280
    for file in (tmp_path / "tiny-gpt2").iterdir():
        assert file.stat().st_mode & 0o777 == 0o644
    assert "# tiny-gpt2" in (tmp_path / "tiny-gpt2" / "README.md").read_text()
