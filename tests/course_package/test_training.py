"""The shipped models pass their gates; the trainer is reproducible; the card tells the truth."""

import dataclasses
import hashlib
import json
import re

import pytest
import torch

from course.models import SHIPPED, build, model, snapshots, weights
from course.training import __main__ as command_line
from course.training import gates as small_gates
from course.training.card import model_card, save
from course.training.data import periodic_rows, random_rows
from course.training.gates import GATES, Gate, Measured, impostor_gates, induction_gates, measure
from course.training.recipes import BOS, N_CTX, RECIPES, VOCAB
from course.training.smear import smearing
from course.training.trainer import train


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def shipped() -> dict[str, Measured]:
    return {name: measure(model(name, device="cpu"), RECIPES[name].smear) for name in RECIPES}


def short(steps: int = 2, **changed):
    return dataclasses.replace(RECIPES["induction-2l2h"], steps=steps, **changed)


def trained(recipe):
    work = train(recipe)
    while True:
        try:
            next(work)
        except StopIteration as finished:
            return finished.value


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_a_shipped_model_passes_its_gates(shipped, name):
    failed = [gate for gate in GATES[name](shipped[name]) if not gate.passed]
    assert failed == []


def test_the_impostor_is_distinguished_from_the_real_one_by_the_control_alone(shipped):
    real, fake = shipped["induction-2l2h"], shipped["impostor"]
    assert fake.accuracy > 0.97
    assert fake.induction.max() > real.induction.max() - 0.1
    assert (real.induction - real.control).max() > 0.5
    assert (fake.induction - fake.control).max() < 0.1


def test_the_gates_of_one_model_reject_the_other(shipped):
    assert not all(gate.passed for gate in induction_gates(shipped["impostor"]))
    assert not all(gate.passed for gate in impostor_gates(shipped["induction-2l2h"]))


def test_rows_repeat_with_periods_from_the_whole_range():
    rows = periodic_rows(500, 12, 24, generator())
    assert rows.shape == (500, N_CTX)
    assert rows.dtype == torch.int64
    assert (rows[:, 0] == BOS).all()
    assert rows[:, 1:].min() == 0 and rows[:, 1:].max() == VOCAB - 1
    text = rows[:, 1:]
    periods = set()
    for row in text:
        periods.add(next(k for k in range(1, 49) if torch.equal(row[k:], row[:-k])))
    assert periods == set(range(12, 25))


def test_random_rows_do_not_repeat():
    text = random_rows(50, generator())[:, 1:]
    assert text.shape == (50, N_CTX - 1)
    assert (text[:, 24:] == text[:, :24]).float().mean() < 0.1


def test_training_twice_gives_the_same_weights_and_another_seed_others():
    first, second = trained(short()).state_dict(), trained(short()).state_dict()
    assert all(torch.equal(first[key], second[key]) for key in first)
    other = trained(short(seed=7)).state_dict()
    assert not torch.equal(first["embed.weight"], other["embed.weight"])


def test_every_position_of_the_context_is_trained():
    recipe = short(steps=1)
    before = build(recipe.config, seed=recipe.seed).state_dict()["pos_embed.weight"]
    moved = (trained(recipe).state_dict()["pos_embed.weight"] - before).abs().mean(dim=1)
    assert moved.shape == (N_CTX,)
    # Adam's first step is one learning rate; weight decay alone moves a millionth.
    assert (moved > 1e-3).all()


def test_training_reports_progress():
    lines = list(train(short(steps=100, batch=1)))
    assert len(lines) == 1
    assert lines[0].startswith("induction-2l2h: step 100/100, loss ")


def test_a_gate_has_either_kind_of_bound():
    assert Gate("x", 0.97, at_least=0.97).passed
    assert not Gate("x", 0.96, at_least=0.97).passed
    assert Gate("x", 0.1, at_most=0.1).passed
    assert not Gate("x", 0.11, at_most=0.1).passed
    assert not Gate("x", float("nan"), at_least=0.1).passed
    assert Gate("x", 0.1, at_most=0.1).bound == "≤ 0.1"


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_the_shipped_card_config_and_weights_belong_together(shipped, name):
    folder = SHIPPED / name
    config = json.loads((folder / "config.json").read_text())
    assert config == {"transformer_bridge": RECIPES[name].config}
    card = (folder / "README.md").read_text()
    digest = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    assert f"`{digest}`" in card
    assert f"Seed {RECIPES[name].seed}." in card
    assert "BSD-3-Clause" in card
    # The figures in the card are those of these weights, to what another processor may round.
    for gate in GATES[name](shipped[name]):
        (figure,) = re.findall(re.escape(f"| {gate.demand} |") + r" [^|]+ \| ([\d.]+) \|", card)
        assert float(figure) == pytest.approx(gate.value, abs=0.02)


def test_a_saved_model_is_readable_by_everybody_and_loads_as_it_was(shipped, tmp_path, monkeypatch):
    monkeypatch.setenv("COURSE_MODELS", str(tmp_path))
    bridge = trained(short())
    save(bridge, short(), shipped["impostor"], [], tmp_path / "fresh", {})
    for file in ("config.json", "model.safetensors", "README.md"):
        assert (tmp_path / "fresh" / file).stat().st_mode & 0o777 == 0o644
    tokens = random_rows(2, generator())
    assert torch.equal(model("fresh", device="cpu")(tokens), bridge(tokens))


def test_the_card_says_how_the_model_was_made(shipped):
    gates = GATES["impostor"](shipped["impostor"])
    card = model_card(RECIPES["impostor"], shipped["impostor"], gates, "0123abcd", 45_120, "2.13.0")
    for part in ("# impostor", "24, always", "45,120 parameters", "torch 2.13.0", "`0123abcd`"):
        assert part in card
    assert card.count("\n| ") >= len(gates) + 4


@pytest.fixture
def no_waiting(shipped, monkeypatch):
    """The command line measures again what was measured; the figures are taken from here."""
    monkeypatch.setattr(
        small_gates,
        "measure",
        lambda bridge, smear: shipped[getattr(bridge, "course_name", "impostor")],
    )


def test_a_model_that_fails_a_gate_is_not_saved(no_waiting, tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(command_line.RECIPES, "induction-2l2h", short())
    assert command_line.main(["train", "induction-2l2h", "--to", str(tmp_path)]) == 1
    assert "not saved, a gate failed with seed 1" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == []


def test_a_model_that_passes_is_saved_with_its_snapshots(no_waiting, tmp_path, monkeypatch):
    recipe = short(steps=3, snapshots=(0, 2))
    monkeypatch.setitem(command_line.RECIPES, "induction-2l2h", recipe)
    monkeypatch.setitem(GATES, "induction-2l2h", lambda measured: [])
    assert command_line.main(["train", "induction-2l2h", "--to", str(tmp_path)]) == 0
    monkeypatch.setenv("COURSE_MODELS", str(tmp_path))
    assert snapshots("induction-2l2h") == [0, 2]
    first = weights("induction-2l2h@0")
    fresh = build(recipe.config, seed=recipe.seed).state_dict()
    assert all(torch.equal(first[key], fresh[key].half().float()) for key in fresh)
    assert not torch.equal(weights("induction-2l2h@2")["embed.weight"], first["embed.weight"])


def test_check_reports_every_gate_of_the_shipped_files(no_waiting, shipped, capsys):
    assert command_line.main(["check", "impostor"]) == 0
    out = capsys.readouterr().out
    assert out.count("impostor: ok ") == len(GATES["impostor"](shipped["impostor"]))


def test_check_fails_if_a_gate_fails(no_waiting, monkeypatch, capsys):
    monkeypatch.setitem(GATES, "impostor", GATES["induction-2l2h"])
    assert command_line.main(["check", "impostor"]) == 1
    assert "impostor: FAIL" in capsys.readouterr().out


def test_an_unknown_recipe_is_refused_with_those_that_exist(capsys):
    with pytest.raises(SystemExit):
        command_line.main(["train", "gpt5"])
    assert "no recipe for gpt5; there are: induction-2l2h, " in capsys.readouterr().err


@pytest.mark.slow
def test_the_snapshots_show_induction_form():
    """No head at first, one at last, and loss and score change between the same two snapshots."""
    steps = snapshots("induction-2l2h")
    assert len(steps) == 20
    measured = [measure(model(f"induction-2l2h@{step}", device="cpu")) for step in steps[::3]]
    score = [(m.induction - m.control).max().item() for m in measured]
    loss = [m.second_copy_loss for m in measured]
    assert score[0] < 0.1 and score[-1] > 0.5
    assert loss[0] > 4.0 and loss[-1] < 0.5
    jump = max(range(len(score) - 1), key=lambda i: score[i + 1] - score[i])
    fall = max(range(len(loss) - 1), key=lambda i: loss[i] - loss[i + 1])
    assert jump == fall


def test_one_layer_cannot_do_what_two_layers_can(shipped):
    assert shipped["induction-1l"].accuracy < 0.35 < 0.97 < shipped["induction-2l2h"].accuracy


def test_one_layer_can_if_its_keys_are_smeared(shipped):
    with_smear, name = shipped["induction-1l-smeared"], "induction-1l-smeared"
    assert with_smear.accuracy > 0.9
    assert measure(model(name, device="cpu")).accuracy < 0.35
    card = (SHIPPED / name / "README.md").read_text()
    assert "its own key and 3 times that of the position before" in " ".join(card.split())


def test_a_smeared_key_is_the_key_and_a_share_of_the_one_before():
    ((point, smear),) = smearing(0.5)
    keys = torch.arange(12.0).reshape(1, 3, 2, 2)
    got = smear(keys.clone(), hook=None)
    assert point == "blocks.0.attn.hook_k" and smearing(0.0) == []
    assert torch.equal(got[:, 0], keys[:, 0])
    assert torch.equal(got[:, 1:], keys[:, 1:] + keys[:, :-1] / 2)
