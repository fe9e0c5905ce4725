"""Student code of a course without containers against the processes and files that grade it.

There everything runs under one account. Each attack is the answer to an exercise and goes through
`autograde`; beside it stands its control, the same code where the wall it meets is not.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import nbformat
import pytest
from nbgrader.api import Gradebook

from hub.grading.batch import autograde
from tests.grading.conftest import _alembic_on_path, course, pristine  # noqa: F401
from tests.grading.tiny_course import ASSIGNMENT, answered, course_config, settings, submit

MODES = ("apart", "together")
SECRET = "4_711"  # in a hidden test of the tiny course

DESCRIPTORS = """
import glob, os
ancestors, pid = [], os.getpid()
while pid > 1:
    pid = int(open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[1])
    ancestors.append(pid)
files = [f for a in ancestors for f in glob.glob(f"/proc/{a}/fd/*")]
nameless = []
for file in files:
    try:
        if "deleted" in os.readlink(file):
            nameless.append(file)
    except OSError:
        pass
"""
READ_REQUEST = f"""{DESCRIPTORS}
for file in nameless:
    if "4_" + "711" in open(file, errors="replace").read():
        print("GOT the hidden tests")
"""
WRITE_RESULTS = f"""{DESCRIPTORS}
import json
lines = [json.dumps({{"cell": cell, "outputs": [], "execution_count": 1}}) for cell in range(8)]
for file in nameless:
    with open(file, "a") as results:
        results.write("\\n".join(["", *lines, json.dumps({{"finished": True}}), ""]))
os.kill(os.getppid(), 9)
"""
NOTHING = "def double(x):\n    return 0"


def _graded(root: Path, attack: str, tests: str, students: tuple[str, ...] = ("mallory",)) -> str:
    """The lines of a batch in which each student hands in the attack and answers nothing."""
    for student in students:
        cells = {"double": f"{attack}\n{NOTHING}", "square": "", "why": ""}
        submit(root, student, answered(root, **cells))
    config = course_config(root, settings(grading={"tests": tests}))
    lines = list(autograde(root, ASSIGNMENT, config=config))
    return "\n".join(lines)


def _printed(root: Path, student: str = "mallory") -> str:
    """All that the cells of an autograded notebook printed."""
    path = next((root / "autograded" / student / ASSIGNMENT).glob("*.ipynb"))
    outputs = [o for c in nbformat.read(path, 4).cells for o in c.get("outputs", [])]
    return "".join(output.get("text", "") for output in outputs)


def _score(root: Path, student: str = "mallory") -> float:
    with Gradebook(f"sqlite:///{root / 'gradebook.db'}", "tiny") as gradebook:
        return gradebook.find_submission(ASSIGNMENT, student).score


def _as_before(tmp_path: Path, attack: str, held: str) -> tuple[str, str]:
    """Run an attack below a process that holds a file without a name, in which `held` stands: what
    the attack prints, and the file afterwards."""
    script = tmp_path / "attack.py"
    script.write_text(attack)
    keeper = "import subprocess, sys; subprocess.run([sys.executable, sys.argv[1]])"
    with tempfile.TemporaryFile("w+") as file:
        file.write(held)
        file.flush()
        printed = subprocess.run(
            [sys.executable, "-c", keeper, str(script)],
            capture_output=True,
            text=True,
            pass_fds=[file.fileno()],
            check=False,
        ).stdout
        file.seek(0)
        return printed, file.read()


@pytest.mark.parametrize("tests", MODES)
def test_no_cell_reads_the_request_that_its_worker_was_sent(
    course: Path,  # noqa: F811
    tests: str,
) -> None:
    _graded(course, READ_REQUEST, tests)
    assert "GOT" not in _printed(course)


def test_the_request_would_be_read_in_a_file_without_a_name(tmp_path: Path) -> None:
    assert "GOT" in _as_before(tmp_path, READ_REQUEST, SECRET)[0]


@pytest.mark.parametrize("tests", MODES)
def test_no_cell_writes_into_the_results_of_its_worker(
    course: Path,  # noqa: F811
    tests: str,
) -> None:
    _graded(course, WRITE_RESULTS, tests)
    assert _score(course) == 0


def test_results_would_be_written_in_a_file_without_a_name(tmp_path: Path) -> None:
    assert "finished" in _as_before(tmp_path, WRITE_RESULTS, "")[1]
