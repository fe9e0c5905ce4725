"""The demonstration course that `make serve` makes on its first start."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from hub.authoring import catalogue
from hub.authoring.contents import add_assignments
from hub.core.course_folder import CourseFolder, new_course, open_course
from hub.core.environment import Environment
from hub.exchange.hand_out import hand_out_in_process


def demo_course(root: Path, environment: Environment) -> Iterator[str]:
    """Make the demonstration course at `root`, with every shipped assignment in it and released.

    Repeating it resumes an interrupted run; a finished course is left alone.
    """
    done = CourseFolder(root).server / "demo.done"
    if done.exists():
        return
    yield f"Making a demonstration course in {root}"
    yield from new_course(root)
    folder = open_course(root, environment)
    names = catalogue.available()
    yield from add_assignments(folder, names)
    yield from hand_out_in_process(folder, names)
    done.touch()
