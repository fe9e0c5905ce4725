import pytest

from hub.authoring.mistakes import Mistake, find_mistakes, names
from hub.authoring.notebook import text_to_notebook
from tests.authoring.conftest import TEXT

SOLUTION = '"grade_id": "double", "locked": false'
TEST = '"grade_id": "double_test", "locked": true, "points": 2'


def mistakes(old: str = "", new: str = "") -> list[Mistake]:
    assert old in TEXT
    return find_mistakes(text_to_notebook(TEXT.replace(old, new) if old else TEXT), "doubling")


def test_a_good_source_has_no_mistakes():
    assert mistakes() == []


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (TEST, TEST.replace("double_test", "double"), "2 cells have this id"),
        (TEST, TEST.replace(', "points": 2', ""), 'no "points"'),
        (SOLUTION, SOLUTION.replace("double", "released-7"), "reserved for given cells"),
        (SOLUTION, SOLUTION.replace("double", "my double"), "letters, digits"),
        ("    ### END SOLUTION\n", "", "BEGIN SOLUTION has no END SOLUTION"),
        ("    ### BEGIN SOLUTION\n", "", "END SOLUTION has no BEGIN SOLUTION"),
        ("### END HIDDEN TESTS\n", "", "BEGIN HIDDEN TESTS has no END HIDDEN TESTS"),
        ("result_of_adding = x + x", "### BEGIN SOLUTION", "stands inside a SOLUTION region"),
        ("GIVEN = 3", "### BEGIN SOLUTION\n### END SOLUTION", "not a solution cell"),
        ("GIVEN = 3", "### BEGIN HIDDEN TESTS\n### END HIDDEN TESTS", "not a graded cell"),
        ("GIVEN = 3", "GIVEN = = 3", "does not compile"),
        (' tags=["play"]', f' tags=["play"] nbgrader={{{TEST.replace("double_test", "p")}, '
         '"grade": true, "schema_version": 3, "solution": false, "task": false}', "tagged play"),
        (f'{TEST}, "schema_version": 3', f'{TEST}, "schema_version": 2', '"schema_version": 3'),
        ("    ### END SOLUTION\n", "    ### END SOLUTION\n  return 1\n", "does not compile"),
        ("    ### BEGIN SOLUTION\n    result_of_adding = x + x\n",
         "    result_of_adding = (\n### BEGIN SOLUTION\n    x + x)\n", "compile for students"),
    ],
)  # fmt: skip
def test_a_mistake_is_found_and_named(old: str, new: str, message: str):
    found = mistakes(old, new)
    assert any(message in str(mistake) and mistake.fatal for mistake in found), found


def test_a_solution_that_nothing_tests_is_a_mistake():
    without = TEXT[: TEXT.index('# %% nbgrader={"grade": true')]
    (mistake,) = find_mistakes(text_to_notebook(without), "doubling")
    assert mistake.fatal and "add one with id double_test" in str(mistake)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"points": 2', '"points": 0', "worth 0 points"),
        ("    ### BEGIN SOLUTION\n    result_of_adding = x + x\n    return result_of_adding"
         "  # what students never see\n"
         "    ### END SOLUTION\n", "    return x + x\n", "loses the whole cell"),
    ],
)  # fmt: skip
def test_doubtful_things_are_warnings(old: str, new: str, message: str):
    (found,) = mistakes(old, new)
    assert message in str(found) and not found.fatal


def test_a_given_cell_may_call_the_function_that_students_write():
    assert mistakes("GIVEN + 1", "double(3)") == []


def test_a_given_cell_that_needs_a_name_only_a_solution_binds_is_a_warning():
    more = "    ### END SOLUTION\n\n### BEGIN SOLUTION\nONLY_HERE = 1\n### END SOLUTION\n"
    text = TEXT.replace("    ### END SOLUTION\n", more).replace("GIVEN + 1", "ONLY_HERE")
    (mistake,) = find_mistakes(text_to_notebook(text), "doubling")
    assert not mistake.fatal
    assert "uses ONLY_HERE" in str(mistake) and "released-2" in str(mistake)


def test_names_are_those_bound_at_the_top_and_read_anywhere():
    binds, uses = names("%time x = a\ndef f(p):\n    q = p\n    return g(q)\nclass C: y = h")
    assert binds >= {"f", "C"} and not binds & {"q", "p", "y"}
    assert uses >= {"g", "h"} and "p" not in uses
