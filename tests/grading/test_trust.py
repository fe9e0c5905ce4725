"""A right answer loses no point to the machine, nor to another exercise's slip.

Each test goes the whole way of `autograde`: from submissions to points and words in the gradebook.
"""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import nbformat
import pytest
from nbformat.v4 import new_code_cell
from nbgrader.api import Gradebook

from hub.grading.pipeline.batch import BatchError, autograde
from tests.grading.tiny_course import (
    ASSIGNMENT,
    NOTEBOOK,
    course_config,
    make_course,
    settings,
    submit,
)
from tests.grading.trust_course import (
    BOMB,
    BREAKS,
    GIVEN_2,
    RIGHT,
    SLIPS,
    TAKES_AWAY,
    answered,
    source,
)

pytestmark = pytest.mark.kernel


def grade(root: Path, *students: str, force: bool = False, **grading: Any) -> list[str]:
    chosen = settings(grading={"cell_seconds": 30, "notebook_seconds": 300, **grading})
    config = course_config(root, chosen)
    return list(autograde(root, ASSIGNMENT, students or None, force=force, config=config))


def points(root: Path, student: str = "alice") -> float | None:
    with Gradebook(f"sqlite:///{root / 'gradebook.db'}", "tiny") as gradebook:
        found = {s.student_id: s.score for s in gradebook.assignment_submissions(ASSIGNMENT)}
    return float(found[student]) if student in found else None


def report(root: Path, student: str = "alice") -> str:
    path = root / "autograded" / student / ASSIGNMENT / f"{NOTEBOOK}.ipynb"
    return " ".join(nbformat.read(path, 4).metadata.get("logitlab", {}).get("problems", []))


@pytest.fixture(scope="module", name="made")
def _made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("trust") / "course"
    make_course(root, source=source())
    return root


@pytest.fixture(name="root")
def _root(made: Path, tmp_path: Path) -> Iterator[Path]:
    root = tmp_path / "course"
    subprocess.run(["cp", "-a", made, root], check=True)
    yield root
    # What the reference did is known to the next test that grades the same with the same limits.
    if (known := root / "server" / "references").is_dir():
        shutil.copytree(known, made / "server" / "references", dirs_exist_ok=True)


LOGITLAB = (sys.executable, "-c", "from hub.cli import main; main()")

BOTH = pytest.mark.parametrize("tests", ["isolated", "in_kernel"])


@BOTH
@pytest.mark.parametrize(("slip", "expected"), SLIPS.values(), ids=SLIPS)
def test_a_cell_that_crashes_the_process_costs_no_later_exercise(
    root: Path, slip: str, expected: str, tests: str
) -> None:
    submit(root, "alice", answered(root, own={"f1_test": slip}))
    grade(root, cell_seconds=2, tests=tests)
    assert points(root) == 3
    words = report(root)
    # The interrupt can come where the loop does not swallow it: then that was enough.
    stopped = "was stopped after 2 s, its time limit" in words
    assert stopped or (expected in words and "without it" in words)
    assert "signal" not in words and "exit status 0" not in words
    assert stopped or words.startswith("Cell 4 of the notebook")


@BOTH
@pytest.mark.parametrize(
    "sets",
    [
        "import resource, time\nused = int(time.process_time())\n"
        "resource.setrlimit(resource.RLIMIT_CPU, (used + 2, used + 2))",
        "import signal\nsignal.setitimer(signal.ITIMER_VIRTUAL, 1.5)",
    ],
    ids=["limit", "timer"],
)
def test_a_limit_that_a_cell_sets_itself_costs_no_answer_that_reaches_it(
    root: Path, tests: str, sets: str
) -> None:
    computes = (
        "import time\nend = time.process_time() + 4\nwhile time.process_time() < end: pass\n"
        + RIGHT["f3"]
    )
    submit(root, "alice", answered(root, own={"given-3": sets}, f3=computes))
    grade(root, tests=tests)
    assert points(root) == 3
    words = report(root)
    assert words.startswith("Because of cell 8 of the notebook (`import")
    assert "that was set in" in words and "memory" not in words


@BOTH
@pytest.mark.parametrize("takes", TAKES_AWAY.values(), ids=TAKES_AWAY)
def test_a_cell_that_deletes_parts_of_python_costs_no_later_exercise(
    root: Path, takes: str, tests: str
) -> None:
    """In the last exercise, so that no given cell after it tells."""
    needs = "import json, re\nclass A: pass\ndef f3(x):\n    print(x)\n    return x + len('123')"
    submit(root, "alice", answered(root, own={"given-3": takes}, f3=needs))
    grade(root, tests=tests)
    assert points(root) == 3
    assert report(root).startswith("Cell 8 of the notebook")
    assert "had taken away modules or functions of Python itself; they were put back" in report(
        root
    )


def test_modules_beside_the_notebook_can_be_imported_afresh(root: Path) -> None:
    afresh = (
        "import sys, mine\ndel sys.modules['mine']\n"
        "open('mine.py', 'w').write('three = 3  # now')\nimport mine"
    )
    f3 = "def f3(x):\n    return x + mine.three"
    folder = submit(root, "alice", answered(root, own={"given-3": afresh}, f3=f3))
    (folder / "mine.py").write_text("three = 4")
    grade(root)
    assert points(root) == 3 and report(root) == ""


def test_a_function_that_takes_modules_away_costs_no_other_exercise(root: Path) -> None:
    takes = "import sys\ndef f2(x):\n    sys.modules.clear()\n    return x + 2"
    submit(root, "alice", answered(root, f2=takes, f3="import json\n" + RIGHT["f3"]))
    grade(root)
    assert points(root) == 3


def test_an_answer_that_ends_the_process_costs_its_own_exercise(root: Path) -> None:
    ends = "def f2(x):\n    import os\n    os._exit(1)"
    submit(root, "alice", answered(root, f2=ends))
    grade(root)
    assert points(root) == 2
    assert "`f2_test`" in report(root)


@BOTH
def test_an_answer_whose_child_process_returns_too_costs_no_exercise(
    root: Path, tests: str
) -> None:
    forks = "import os\ndef f2(x):\n    os.fork()\n    return x + 2"
    submit(root, "alice", answered(root, f2=forks))
    grade(root, tests=tests)
    assert points(root) == 3 and report(root) == ""


@BOTH
@pytest.mark.parametrize("breaks", BREAKS.values(), ids=BREAKS)
def test_a_student_who_breaks_a_given_cell_gets_the_points_of_the_rest_and_a_message(
    root: Path, breaks: str, tests: str
) -> None:
    submit(root, "alice", answered(root, own={"f1_test": breaks}))
    grade(root, tests=tests)
    assert points(root) == 3
    assert "cell 4 of the notebook" in report(root).lower()


@BOTH
def test_a_cell_that_ends_the_process_a_moment_later_costs_no_other(root: Path, tests: str) -> None:
    wait = f"{RIGHT['f2']}\nimport time\ntime.sleep(1)"
    again = f"{RIGHT['f3']}\nimport time\ntime.sleep(1)"
    submit(root, "alice", answered(root, own={"f1_test": BOMB}, f2=wait, f3=again))
    grade(root, tests=tests)
    assert points(root) == 3


def test_a_file_that_hides_a_library_does_not_keep_the_old_points(root: Path) -> None:
    submit(root, "alice", answered(root))
    grade(root)
    folder = submit(root, "alice", answered(root, f1="pass"), "2027-01-02 10:00:00 UTC")
    (folder / "json.py").write_text("1 / 0")
    grade(root)
    assert points(root) == 2


@BOTH
def test_a_given_cell_slower_than_a_cell_may_be_costs_nothing(tmp_path: Path, tests: str) -> None:
    root = tmp_path / "course"
    make_course(root, source=source("import json, time\ntime.sleep(3)\nSIZE = 3"))
    submit(root, "alice", answered(root))
    grade(root, cell_seconds=1, tests=tests)
    assert points(root) == 3


@pytest.fixture(name="flag")
def _flag(tmp_path: Path) -> Path:
    """While this file is there, a given cell fails: the machine's fault."""
    return tmp_path / "flag"


@pytest.fixture(name="flagged")
def _flagged(tmp_path: Path, flag: Path) -> Path:
    root = tmp_path / "course"
    given = f"import os\nassert not os.path.exists({str(flag)!r}), 'no disk'\n{GIVEN_2}"
    make_course(root, source=source(given_2=given))
    return root


@BOTH
def test_a_submission_that_could_not_be_graded_keeps_its_points_and_is_graded_by_the_next_run(
    flagged: Path, flag: Path, tests: str
) -> None:
    root = flagged
    submit(root, "alice", answered(root, f3="pass"))
    submit(root, "bob", answered(root))
    grade(root, "alice", tests=tests)
    assert points(root) == 2
    submit(root, "alice", answered(root), "2027-01-02 10:00:00 UTC")
    flag.touch()
    with pytest.raises(BatchError) as error:
        grade(root, tests=tests)
    report = str(error.value)
    assert "2 submissions could not be graded" in report and "alice:" in report and "bob:" in report
    assert "`given-2`, which is given, failed (AssertionError: no disk)" in report
    assert "the next run retries it" in report
    assert (points(root), points(root, "bob")) == (2, None)
    flag.unlink()
    assert "2 of 2 submissions graded" in " ".join(grade(root, tests=tests))
    assert (points(root), points(root, "bob")) == (3, 3)
    assert grade(root, tests=tests) == ["ps1: nothing new to grade"]


def test_after_three_more_tries_a_person_is_reported_and_may_try_again(
    flagged: Path, flag: Path
) -> None:
    root = flagged
    submit(root, "alice", answered(root))
    grade(root)
    flag.touch()
    submit(root, "alice", answered(root), "2027-01-02 10:00:00 UTC")
    for _ in range(2):
        with pytest.raises(BatchError):
            grade(root)
    with pytest.raises(BatchError, match=r"needs manual attention: .*--student alice --force"):
        assert grade(root) == []  # not even tried
    flag.unlink()
    with pytest.raises(BatchError, match="needs manual attention"):
        grade(root)
    grade(root, "alice", force=True)
    assert points(root) == 3 and grade(root) == ["ps1: nothing new to grade"]


def test_the_exit_status_of_autograde_reports_ungraded_submissions(
    flagged: Path, flag: Path
) -> None:
    root = flagged
    (root / "course.yaml").write_text("course: {id: tiny}\n")
    submit(root, "alice", answered(root))
    command = [*LOGITLAB, "autograde", ASSIGNMENT, "--course", str(root)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr
    flag.touch()
    done = subprocess.run([*command, "--force"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "alice" in done.stderr and "`given-2`" in done.stderr


def test_a_database_that_is_away_is_reported_with_a_message_and_nothing_is_half_scored(
    root: Path,
) -> None:
    for student in ("alice", "bob"):
        submit(root, student, answered(root))
    grade(root, "alice")
    submit(root, "alice", answered(root, f1="pass"), "2027-01-02 10:00:00 UTC")
    with sqlite3.connect(root / "gradebook.db", isolation_level=None) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        with pytest.raises(BatchError, match="database could not be reached") as error:
            grade(root)
        connection.execute("ROLLBACK")
    assert "SELECT" not in str(error.value) and "sqlalchemy" not in str(error.value)
    assert points(root) == 3
    grade(root)
    assert (points(root), points(root, "bob")) == (2, 3)


def test_an_honest_second_exercise_after_a_return_value_that_is_odd(root: Path) -> None:
    submit(root, "alice", answered(root, f1="def f1(x):\n    return {object()}"))
    grade(root)
    assert points(root) == 2


def test_twenty_loops_and_sleeps_end_at_the_limit_of_their_cells(root: Path) -> None:
    sleeps = "import time\ntime.sleep(1e6)"
    loops = "while True: pass"
    submit(root, "alice", answered(root, own={"given-1": sleeps, "f1": loops}))
    grade(root, cell_seconds=2)
    assert points(root) == 3
    assert report(root).count("was stopped after 2 s") == 2


@BOTH
def test_loops_that_use_up_the_time_of_the_notebook_cost_no_exercise(
    root: Path, tests: str
) -> None:
    notebook = answered(root, own={"f1_test": "while True: pass"})
    folder = next(i for i, cell in enumerate(notebook.cells) if cell.source.startswith("while"))
    notebook.cells[folder:folder] = [
        new_code_cell("while True: pass", id=f"loop-{number}") for number in range(5)
    ]
    submit(root, "alice", notebook)
    grade(root, cell_seconds=1, notebook_seconds=4, tests=tests)
    assert points(root) == 3
    words = report(root)
    assert "the time for the whole notebook, 4 s, was over" in words
    # Each loop in the run that stopped it, and never with what was left of the notebook's time.
    assert words.count("was stopped after 1 s, its time limit") >= 3 and "0." not in words


@BOTH
@pytest.mark.parametrize("leave", ["import os; os._exit(1)", "import os; os.kill(os.getpid(), 9)"])
def test_an_answer_that_is_right_the_second_time_only_gains_nothing_from_another_run(
    root: Path, tests: str, leave: str
) -> None:
    note = Path("/dev/shm", f"logitlab-{uuid4().hex}")  # student code may write there
    second = (
        f"import os\nsecond = os.path.exists({str(note)!r})\nopen({str(note)!r}, 'w').close()\n"
    )
    answer = f"{second}def f1(x):\n    return x + 1 if second else x"
    submit(root, "alice", answered(root, own={"f1_test": leave}, f1=answer))
    try:
        grade(root, tests=tests)
        assert note.exists()
    finally:
        note.unlink(missing_ok=True)
    assert points(root) == 2


@BOTH
def test_a_given_cell_that_fails_for_everybody_is_reported_and_costs_nothing(
    tmp_path: Path, tests: str
) -> None:
    root = tmp_path / "course"
    root.mkdir()
    make_course(root, source=source(given_2=f"{GIVEN_2}\nraise OSError('no model file')"))
    submit(root, "alice", answered(root))
    lines = grade(root, tests=tests)
    assert points(root) == 3
    (line,) = (line for line in lines if "`given-2` fails with the reference's answers" in line)
    assert "costs nobody any points" in line
    assert report(root) == ""
