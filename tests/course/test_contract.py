"""Every assignment in `source/` keeps the contract, and the contract notices when one does not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hub.authoring.notebook import text_to_notebook
from hub.authoring.pairing import ANSWERS_FILE, is_notebook_text
from hub.verification.answers import Answer
from tests.course import contract
from tests.course.contract import ShippedAssignment

SOURCE = Path(__file__).parents[2] / "source"
TEXTS = sorted(
    path for path in SOURCE.glob("*/*.py") if path.name != ANSWERS_FILE and is_notebook_text(path)
)

GOOD = """# %% [markdown]
# Difficulty ●○○○○ · Importance ●●○○○ · 5 minutes
#
# <details><summary>Hint 1: look</summary>
#
# text
# </details>
# <details><summary>Hint 2: look again</summary>
#
# text
# </details>

# %%
import secrets

import torch

# %% nbgrader={"grade": false, "grade_id": "double", "locked": false, "schema_version": 3, "solution": true, "task": false}
def double(x):
    ### BEGIN SOLUTION
    return 2 * x
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "double_test", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
assert double(2) == 4

# %% nbgrader={"grade": true, "grade_id": "double_test_2", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
### BEGIN HIDDEN TESTS
seed = secrets.randbelow(1000)
raw = torch.randn(3, generator=torch.Generator().manual_seed(seed))
for i in range(3):
    assert torch.equal(double(raw[i]), raw[i] + raw[i]), f"wrong [seed {seed}]"
### END HIDDEN TESTS

# %% tags=["play"]
double(21)
"""  # noqa: E501

ANSWERS = (
    *(Answer("wrong", "double", f"slip {n}", "def double(x):\n    return x") for n in range(4)),
    Answer("right", "double", "typed from the text alone", "def double(x):\n    return x + x"),
)


BY_HAND = """
# %% [markdown] nbgrader={"grade": true, "grade_id": "why_NUMBER", "locked": false, "points": 2, "schema_version": 3, "solution": true, "task": false}
# Your answer
"""  # noqa: E501


def parsed(text: str = GOOD, answers: tuple[Answer, ...] = ANSWERS) -> ShippedAssignment:
    return ShippedAssignment("sample", text_to_notebook(text), answers)


def with_last_line(statement: str) -> str:
    return GOOD.replace("### END HIDDEN TESTS", statement + "\n### END HIDDEN TESTS")


@pytest.mark.parametrize("text", TEXTS, ids=lambda path: path.parent.name)
@pytest.mark.parametrize("rule", contract.RULES, ids=lambda rule: rule.__name__)
def test_every_assignment_keeps_the_contract(
    rule: Callable[[ShippedAssignment], Iterator[str]], text: Path
) -> None:
    assert list(rule(contract.load(text))) == []


def test_there_are_assignments_to_check() -> None:
    assert {"start", "03-transformer-from-scratch", "06-induction-heads"} <= {
        path.parent.name for path in TEXTS
    }


@pytest.mark.parametrize("rule", contract.RULES, ids=lambda rule: rule.__name__)
def test_the_sample_keeps_the_contract(rule: Callable[[ShippedAssignment], Iterator[str]]) -> None:
    assert list(rule(parsed())) == []


BROKEN = {
    "an_unlocked_test": (
        contract.code_cells_have_one_of_four_roles,
        parsed(GOOD.replace('_test_2", "locked": true', '_test_2", "locked": false')),
    ),
    "no_hidden_test": (
        contract.exercises_have_a_visible_and_a_hidden_test,
        parsed(GOOD.replace("### BEGIN HIDDEN TESTS\n", "").replace("### END HIDDEN TESTS", "")),
    ),
    "a_test_of_nothing": (
        contract.exercises_have_a_visible_and_a_hidden_test,
        parsed(GOOD.replace('"double_test"', '"triple_test"')),
    ),
    "a_costly_test_of_all_parts_together": (
        contract.a_test_of_all_parts_together_costs_little,
        parsed(GOOD.replace('"double_test"', '"together_test"')),
    ),
    "too_few_wrong_answers": (
        contract.exercises_have_wrong_and_right_answers,
        parsed(answers=ANSWERS[1:]),
    ),
    "no_answer_typed_from_the_text": (
        contract.exercises_have_wrong_and_right_answers,
        parsed(answers=(*ANSWERS[:4], Answer("right", "double", "a sum", ANSWERS[4].text))),
    ),
    "an_answer_to_no_exercise": (
        contract.exercises_have_wrong_and_right_answers,
        parsed(answers=(*ANSWERS, Answer("wrong", "triple", "no such", "def triple(x): ..."))),
    ),
    "an_answer_that_defines_something_else": (
        contract.answers_bind_what_the_solution_binds,
        parsed(answers=(*ANSWERS, Answer("wrong", "double", "a typo", "def dubble(x): ..."))),
    ),
    "no_minutes": (
        contract.exercises_say_what_they_ask_of_the_student,
        parsed(GOOD.replace("5 minutes", "soon")),
    ),
    "one_hint": (
        contract.exercises_say_what_they_ask_of_the_student,
        parsed(GOOD.replace("Hint 2", "More")),
    ),
    "eval": (contract.tests_use_nothing_forbidden, parsed(with_last_line('assert eval("1")'))),
    "deepcopy": (
        contract.tests_use_nothing_forbidden,
        parsed(with_last_line("from copy import deepcopy\nassert seed >= 0")),
    ),
    "a_bare_except": (
        contract.tests_use_nothing_forbidden,
        parsed(with_last_line("try:\n    double(1)\nexcept:\n    pass\nassert seed >= 0")),
    ),
    "a_trailing_expression": (contract.tests_end_with_an_assert, parsed(with_last_line("seed"))),
    "a_fixed_seed": (
        contract.tests_draw_fresh_inputs_and_say_the_seed,
        parsed(GOOD.replace("manual_seed(seed)", "manual_seed(0)")),
    ),
    "a_seed_that_is_not_shown": (
        contract.tests_draw_fresh_inputs_and_say_the_seed,
        parsed(GOOD.replace(" [seed {seed}]", "")),
    ),
    "a_model_with_hooks_of_another_exercise": (
        contract.tests_begin_with_models_without_hooks,
        parsed(with_last_line('m = model("tiny-gpt2")\nassert m(raw) == 0')),
    ),
    "a_given_model_whose_hooks_come_off_too_late": (
        contract.tests_begin_with_models_without_hooks,
        parsed(
            with_last_line("got = double(net)\nassert not remove_hooks(net)").replace(
                "import torch", 'import torch\nnet = model("tiny-gpt2")'
            )
        ),
    ),
    "a_test_that_rebinds_a_given_name": (
        contract.names_are_bound_by_one_kind_of_cell,
        parsed(with_last_line("torch = None\nassert seed >= 0")),
    ),
    "a_play_cell_that_uses_a_tests_name": (
        contract.names_are_bound_by_one_kind_of_cell,
        parsed(GOOD + "seed = 1\n"),
    ),
    "two_questions_marked_by_hand": (
        contract.at_most_one_question_is_marked_by_hand,
        parsed(GOOD + "".join(BY_HAND.replace("NUMBER", n) for n in "12")),
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_the_contract_notices(name: str) -> None:
    rule, assignment = BROKEN[name]
    assert list(rule(assignment))
