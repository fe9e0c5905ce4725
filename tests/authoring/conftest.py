"""A tiny assignment with one of everything: given, play, solution, tests, an open question."""

import json
import shutil
from pathlib import Path

import pytest

from hub.core.gradebook import open_gradebook


def header(grade_id: str, *, grade: bool, solution: bool, points: int | None = None) -> str:
    """nbgrader metadata as it stands in a cell's header line."""
    meta = {
        "grade": grade,
        "grade_id": grade_id,
        "locked": grade and not solution,
        "points": points,
        "schema_version": 3,
        "solution": solution,
        "task": False,
    }
    given = {key: value for key, value in meta.items() if value is not None}
    return f"nbgrader={json.dumps(given)}"


TEXT = f'''\
# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Doubling
#
# Write `double`. Picture: ![a line](line.png)

# %%
import math

GIVEN = 3


# %% tags=["play"]
print(math.pi)

# %% {header("double", grade=False, solution=True)}
def double(x):
    """Twice `x`."""
    ### BEGIN SOLUTION
    result_of_adding = x + x
    return result_of_adding  # what students never see
    ### END SOLUTION


# %% {header("double_test", grade=True, solution=False, points=2)}
assert double(2) == 4, "twice 2 is 4"
### BEGIN HIDDEN TESTS
assert double(-17) == -34, "negative numbers count"
assert double(GIVEN / 2) == GIVEN, "fractions count"
### END HIDDEN TESTS

# %% [markdown] {header("why", grade=True, solution=True, points=3)}
# Because adding a number to itself doubles it.

# %%
# %matplotlib inline
GIVEN + 1
'''

ANSWERS = '''\
# %% [wrong] double: squares instead of doubling
def double(x):
    """Twice `x`."""
    squared_by_mistake = x * x
    return squared_by_mistake


# %% [right] double: multiplies
def double(x):
    return multiplied_by_two(x)
'''

COURSE_ID = "mechinterp"


def make_source(folder: Path, text: str = TEXT) -> Path:
    """An assignment's source folder with text, answers, a picture and things to leave out."""
    folder.mkdir(parents=True)
    (folder / "doubling.py").write_text(text)
    (folder / "answers.py").write_text(ANSWERS)
    (folder / "line.png").write_bytes(b"\x89PNG\r\n\x1a\n not really")
    (folder / "old.py.bak").write_text("old")
    (folder / ".secret").write_text("hidden")
    return folder


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """The source folder of the tiny assignment `01-double` in a course folder."""
    return make_source(tmp_path / "course" / "source" / "01-double")


@pytest.fixture
def course(source: Path) -> Path:
    return source.parent.parent


@pytest.fixture(scope="session")
def empty_gradebook(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A gradebook that knows nothing yet, made where `alembic` is not on the PATH. Making one
    starts a process, so tests copy this."""
    path = tmp_path_factory.mktemp("gradebook") / "gradebook.db"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PATH", "/usr/bin:/bin")
        with open_gradebook(f"sqlite:///{path}", COURSE_ID):
            return path


@pytest.fixture
def db_url(course: Path, empty_gradebook: Path) -> str:
    shutil.copy(empty_gradebook, course / "gradebook.db")
    return f"sqlite:///{course / 'gradebook.db'}"
