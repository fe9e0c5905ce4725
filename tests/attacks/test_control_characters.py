"""Control characters in a submission, against the grader's terminal and the pages that show it."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from nbconvert.exporters import HTMLExporter
from nbformat.v4 import new_code_cell
from nbgrader.apps import NbGraderAPI

from tests.e2e.embedded import LOGITLAB
from tests.grading.conftest import course, pristine  # noqa: F401
from tests.grading.tiny_course import ASSIGNMENT, NOTEBOOK, answered, course_config, submit

NASTY = "\x1b]0;taken\x07\x1b[2J\x1b[31mred\x1b[0m\x9b2J\u202e\x00\x08"
FILE_NAME = NASTY.replace("\x00", "")
OBEYED = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")

ANSWER = f"""
import sys
nasty = {NASTY!r}
print(nasty)
print(nasty, file=sys.stderr)
class Nasty(Exception):
    pass
Nasty.__name__ = nasty
def double(x):
    raise Nasty(nasty)
raise Nasty(nasty)
"""


@pytest.mark.parametrize("tests", ["isolated", "in_kernel"])
def test_nothing_a_student_wrote_controls_a_terminal_or_a_page(
    course: Path,  # noqa: F811
    tests: str,
) -> None:
    notebook = answered(course, double=ANSWER, why=f"# Why {NASTY}")
    # It is named by its first line where it ends the process.
    notebook.cells.append(new_code_cell(f"# {FILE_NAME}\nimport os\nos._exit(3)"))
    folder = submit(course, "mallory", notebook)
    (folder / f"{FILE_NAME}.ipynb").write_text("{}")
    (course / "course.yaml").write_text(f"course:\n  id: tiny\ngrading:\n  tests: {tests}\n")
    done = subprocess.run(
        [LOGITLAB, "autograde", ASSIGNMENT, f"--course={course}"],
        capture_output=True,
        check=False,
    )
    terminal = (done.stdout + done.stderr).decode()
    assert "1 of 1 submissions graded" in terminal, terminal
    assert not OBEYED.search(terminal)

    config = course_config(course)
    result = NbGraderAPI(config=config).generate_feedback(ASSIGNMENT, "mallory")
    assert result["success"], result
    feedback = next((course / "feedback").rglob("*.html")).read_text()
    graded = course / "autograded" / "mallory" / ASSIGNMENT / f"{NOTEBOOK}.ipynb"
    review, _ = HTMLExporter(config=config).from_filename(str(graded))
    for page in (feedback, review):
        assert "ansi-red-fg" in page
        assert not OBEYED.search(page)
