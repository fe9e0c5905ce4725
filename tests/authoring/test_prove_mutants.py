"""`prove` with mutants: survivors are faults, unless `answers.py` says why nobody can see them."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.authoring.notebook import notebook_to_text
from hub.grading.pipeline.execute import ExecutionLimits
from hub.verification.answers import AnswersError, EquivalentMutant, read_answers, read_equivalent
from hub.verification.prove import NotProved, prove
from tests.grading.tiny_course import source_notebook

pytestmark = pytest.mark.kernel

LIMITS = ExecutionLimits(cell_seconds=20, total_seconds=120)


@pytest.fixture(name="source")
def _source(tmp_path: Path) -> Path:
    folder = tmp_path / "ps1"
    folder.mkdir()
    (folder / "tiny.py").write_text(notebook_to_text(source_notebook()))
    return folder


def change(source: Path, old: str, new: str) -> None:
    text = (source / "tiny.py").read_text()
    assert old in text
    (source / "tiny.py").write_text(text.replace(old, new))


def proved(
    source: Path, limits: ExecutionLimits = LIMITS, mutants: int = 20
) -> tuple[list[str], str]:
    """The lines that prove said, and what it complained about, if anything."""
    lines: list[str] = []
    try:
        for line in prove(source, workers=2, limits=limits, mutants=mutants):
            lines.append(line)
    except NotProved as error:
        return lines, f"{error}"
    return lines, ""


def row(lines: list[str], exercise: str) -> list[str]:
    """Killed, same and survived of an exercise."""
    (line,) = (line for line in lines if line.startswith(f"{exercise} "))
    return line.split()[6:9]


def test_mutants_are_tried_and_killed(source: Path) -> None:
    lines, error = proved(source)
    assert not error
    assert row(lines, "double") == ["5", "0", "0"]
    assert "[mutant] double: line 3, / for *: killed" in lines
    assert "mutants: 7 killed, 0 equivalent, 0 survived" in lines[-1] and lines[-1].endswith("ok")


def test_a_survivor_is_a_fault_with_its_lines_unless_it_is_justified(source: Path) -> None:
    change(source, "return x * x", "return x * x + 0")
    (source / "answers.py").write_text(
        "# %% [equivalent] square: zero has no sign\n# return x * x - 0\n# return x / x + 0\n"
        "# return x * y\n"
    )
    lines, error = proved(source)
    assert "2 proofs failed" in error
    assert row(lines, "square") == ["5", "1", "1"]
    folder = lines.index("FAULT  square: no test notices a mutant: line 3, without 0")
    assert lines[folder + 1 : folder + 3] == ["       - return x * x + 0", "       + return x * x"]
    assert (
        "FAULT  square: answers.py justifies something that is not a mutant: return x * y" in lines
    )
    assert (
        "note  square: a test notices it, so answers.py need not justify: return x / x + 0" in lines
    )


def test_a_justification_of_no_exercise_is_refused(source: Path) -> None:
    (source / "answers.py").write_text("# %% [equivalent] cube: x\n# return x\n")
    with pytest.raises(AnswersError, match="cube"):
        proved(source)


@pytest.mark.slow
def test_an_endless_mutant_is_killed_and_takes_no_other_verdict_with_it(source: Path) -> None:
    change(
        source,
        "return 2 * x",
        "result = 0\n    while result != 2 * x:\n        result += 1 if x > 0 else -1\n"
        "    return result",
    )
    lines, _ = proved(source, ExecutionLimits(cell_seconds=5, total_seconds=120))
    assert row(lines, "square") == ["2", "0", "0"]
    assert "[mutant] double: line 5, - for +: killed" in lines


def test_mutants_of_a_wrong_reference_are_not_tried(source: Path) -> None:
    change(source, "assert square(3) == 9", "assert square(3) == 8")
    lines, error = proved(source)
    assert error
    assert not [line for line in lines if line.startswith("[mutant]")]
    assert "no mutants were tried, as the reference itself fails tests" in lines


def test_at_most_as_many_as_asked_for_are_tried(source: Path) -> None:
    lines, _ = proved(source, mutants=2)
    assert len([line for line in lines if line.startswith("[mutant] double")]) == 2


def test_justifications_are_read_beside_the_answers(tmp_path: Path) -> None:
    path = tmp_path / "answers.py"
    path.write_text(
        "# %% [right] square: x\ndef square(x):\n    return x**2\n\n\n"
        "# %% [equivalent] square: one is as good\n# return  x\n#   return y\n"
    )
    assert read_equivalent(path) == [
        EquivalentMutant("square", "return x", "one is as good"),
        EquivalentMutant("square", "return y", "one is as good"),
    ]
    assert [answer.kind for answer in read_answers(path)] == ["right"]
    assert read_equivalent(tmp_path / "none.py") == []
