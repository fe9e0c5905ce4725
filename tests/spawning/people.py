"""A course and its people, for spawners that start nothing."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace

sleep = asyncio.sleep

COURSE = """\
course: {id: mech}
people: {students: [alice, bob], instructors: [ida]}
"""


def course(folder: Path) -> Path:
    """A course folder with settings only."""
    (folder / "course.yaml").write_text(COURSE, encoding="utf-8")
    return folder


def user(name: str) -> SimpleNamespace:
    """As much of JupyterHub's user as a spawner asks for before it starts anything."""
    return SimpleNamespace(name=name, escaped_name=name, id=1, settings={}, url=f"/user/{name}/")


async def no_sleep(seconds: float) -> None:
    """In place of `asyncio.sleep`, for those who would wait long: others have their turn."""
    await sleep(0)
