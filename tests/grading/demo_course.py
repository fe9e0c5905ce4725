"""nbgrader's own demonstration course and its two students' submissions, in an environment that has
nbgrader and the wheel `logitlab-grading` and nothing else."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import time
import venv
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
ASSIGNMENT = "ps1"
CONFIGURATION = """
from hub.grading.plain import configure
configure(c)
"""
SCORES = """
import json, sys
from nbgrader.api import Gradebook
with Gradebook(f"sqlite:///{sys.argv[1]}/gradebook.db") as gradebook:
    print(json.dumps({
        f"{student.student_id}/{notebook.name}/{grade.cell.name}": [
            grade.auto_score, grade.manual_score, grade.needs_manual_grade, grade.max_score
        ]
        for student in gradebook.assignment_submissions(sys.argv[2])
        for notebook in student.notebooks
        for grade in notebook.grades
    }))
"""
Scores = dict[str, list[float | bool | None]]


@dataclass(frozen=True)
class Cost:
    """Of one command: CPU seconds of all its processes, and wall seconds."""

    cpu: float
    wall: float


class Environment:
    """A virtual environment with nbgrader and the wheel, made in `folder`."""

    def __init__(self, folder: Path) -> None:
        venv.create(folder / "venv", with_pip=True)
        self.python = folder / "venv" / "bin" / "python"
        wheels = folder / "wheels"
        self.run("-m", "hub.host.wheel", str(wheels), cwd=ROOT)
        (self.wheel,) = wheels.glob("logitlab_grading-*.whl")
        pip = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check")
        self.run(*pip, "nbgrader==0.9.6", str(self.wheel), cwd=folder)

    def run(self, *arguments: str, cwd: Path, status: int = 0) -> str:
        done = subprocess.run(
            [self.python, *arguments],
            cwd=cwd,
            env={
                **{name: text for name, text in os.environ.items() if name != "PYTHONPATH"},
                "PATH": f"{self.python.parent}:/usr/bin:/bin",
                "JUPYTER_CONFIG_DIR": str(cwd),
                "JUPYTER_DATA_DIR": str(cwd),
                "OMP_NUM_THREADS": "1",
            },
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == status, f"{arguments}: {done.stdout}\n{done.stderr}"[-4000:]
        return done.stdout + done.stderr


def make_course(environment: Environment, folder: Path) -> Path:
    """The course that `nbgrader quickstart` makes, with its assignment generated."""
    environment.run("-m", "nbgrader", "quickstart", "demo", cwd=folder)
    environment.run("-m", "nbgrader", "generate_assignment", ASSIGNMENT, cwd=folder / "demo")
    return folder / "demo"


def hand_in(environment: Environment, course: Path, students: int) -> None:
    """Hand in the submissions that nbgrader's manual has, by turns, for so many students.

    Each is made another's by a comment in its code cells.
    """
    found = environment.run("-c", "import nbgrader; print(nbgrader.__path__[0])", cwd=course)
    manual = Path(found.strip(), "docs", "source", "user_guide", "submitted")
    theirs = sorted(manual.iterdir())
    for number in range(students):
        source = theirs[number % len(theirs)]
        name = f"{source.name}{number}"
        shutil.copytree(source / ASSIGNMENT, course / "submitted" / name / ASSIGNMENT)
        for path in (course / "submitted" / name / ASSIGNMENT).glob("*.ipynb"):
            document = json.loads(path.read_text(encoding="utf-8"))
            for cell in document["cells"]:
                if cell["cell_type"] == "code":
                    cell["source"] = [*cell["source"], f"\n# {name}"]
            path.write_text(json.dumps(document), encoding="utf-8")


def configured(course: Path, lines: str = CONFIGURATION) -> Path:
    """A copy of a course whose nbgrader_config.py has our lines."""
    copy = course.with_name("configured")
    shutil.copytree(course, copy)
    with (copy / "nbgrader_config.py").open("a") as file:
        file.write(lines)
    return copy


def autograde(environment: Environment, course: Path) -> tuple[Cost, str]:
    """What `nbgrader autograde` took, and its log."""
    before, began = used_by_ended(), time.monotonic()
    log = environment.run("-m", "nbgrader", "autograde", ASSIGNMENT, cwd=course)
    return Cost(used_by_ended() - before, time.monotonic() - began), log


def scores(environment: Environment, course: Path) -> Scores:
    """What the gradebook has of each graded cell of each submission."""
    found: Scores = json.loads(
        environment.run("-c", SCORES, str(course), ASSIGNMENT, cwd=course).splitlines()[-1]
    )
    return found


def used_by_ended() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
