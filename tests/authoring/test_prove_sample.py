"""CI checks a part of the answers, chosen by the commit: always equivalent, and in turn all."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
from click.testing import CliRunner

from hub.authoring.notebook import notebook_to_text
from hub.cli import main
from hub.grading.pipeline.execute import ExecutionLimits
from hub.verification.answers import Answer, chosen
from hub.verification.prove import prove
from hub.verification.sampling import ALL, Sample
from tests.grading.tiny_course import source_notebook

ANSWERS = [
    Answer("wrong", exercise, f"slip {number}", f"{number}")
    for exercise in ("embed", "attend")
    for number in range(30)
]


def titles(sample: Sample) -> set[tuple[str | None, str]]:
    return {(one.exercise, one.title) for one in chosen(sample, ANSWERS)}


def test_the_same_commit_checks_the_same_answers_and_another_one_others():
    first = Sample(Fraction(1, 3), "a1b2")
    assert titles(first) == titles(Sample.parse("1/3", "a1b2"))
    assert titles(first) != titles(Sample(Fraction(1, 3), "c3d4"))


def test_each_exercise_has_its_share_rounded_up():
    found = titles(Sample(Fraction(1, 4), "a1b2"))
    assert [sum(name == one for name, _ in found) for one in ("embed", "attend")] == [8, 8]
    assert len(chosen(Sample(Fraction(1, 100)), ANSWERS)) == 2


def test_an_answer_that_is_added_changes_the_choice_of_the_others_hardly():
    sample = Sample(Fraction(1, 3), "a1b2")
    more = [Answer("wrong", "embed", "a new one", "new"), *ANSWERS]
    assert len({(one.exercise, one.title) for one in chosen(sample, more)} ^ titles(sample)) <= 2


def test_over_many_commits_every_answer_has_its_turn():
    found = [titles(Sample(Fraction(1, 4), f"{number:040x}")) for number in range(60)]
    assert set.union(*found) == titles(ALL)


def test_the_chosen_stand_in_their_order():
    found = chosen(Sample(Fraction(1, 2), "a1b2"), ANSWERS)
    assert [ANSWERS.index(one) for one in found] == sorted(map(ANSWERS.index, found))


@pytest.mark.parametrize("share", ["0", "2", "-1/3", "1/0", "a third", ""])
def test_a_malformed_share_is_refused_with_a_message(share):
    done = CliRunner().invoke(main, ["prove", f"--sample={share}"])
    assert done.exit_code == 2 and "not a share" in done.output


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "ps1"
    folder.mkdir()
    (folder / "tiny.py").write_text(notebook_to_text(source_notebook()))
    cells = [
        f"# %% [wrong] double: plus {number}\ndef double(x):\n    return x + {number}\n"
        for number in range(10, 18)
    ]
    (folder / "answers.py").write_text("\n\n".join(cells))
    return folder


@pytest.mark.kernel
def test_a_sample_is_tried_and_counted_and_the_reference_and_the_stub_always(source: Path):
    sample = Sample(Fraction(1, 4), "a1b2")
    output = list(prove(source, workers=2, limits=ExecutionLimits(20, 120), sample=sample))
    assert "tiny: 3 of 10 answers" in output  # two of eight, and one of two stubs of an exercise
    assert len([line for line in output if line.startswith("[wrong] double: plus")]) == 2
    assert {"[reference] reference: passes"} <= set(output)
    assert any(line.startswith("[stub] stub: fails") for line in output)
    assert "2/2 wrong caught" in output[-1]


@pytest.mark.kernel
def test_all_of_an_assignment_that_was_changed_is_tried(source: Path):
    sample = Sample(Fraction(1, 4), "a1b2", frozenset({"ps1"}))
    output = list(prove(source, workers=2, limits=ExecutionLimits(20, 120), sample=sample))
    assert "tiny: 10 of 10 answers" in output and "8/8 wrong caught" in output[-1]
