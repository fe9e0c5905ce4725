"""The first container of every `up`: volumes with the settings of today and the right owners.

It runs as root inside its container with nothing but the capabilities to give files away, has no
network, and ends before any other part starts.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hub.core.course_folder import CourseFolder, new_course
from hub.core.settings import load_settings
from hub.facts import accounts, files
from hub.jupyterhub.configuration.jupyterlab import Part, write_files

COURSE = Path("/srv/course")
HUB = Path("/srv/hub")
PARTS: tuple[Part, ...] = ("student", "instructor", "grader")


@dataclass(frozen=True)
class Place:
    """A volume's folder: who owns it, and who else may enter."""

    path: Path
    uid: int
    mode: int


PLACES = [
    Place(HUB, accounts.HUB, 0o700),
    Place(HUB / "server", accounts.HUB, 0o700),
    Place(COURSE, accounts.GRADER, 0o700),
    Place(Path("/srv/people"), accounts.GRADER, 0o755),
    Place(Path("/srv/exchange"), accounts.EXCHANGE, 0o700),
    # The hub alone may speak to the guard: it has the group.
    Place(Path("/run/guard"), accounts.GUARD, 0o750),
    Place(Path("/run/executor"), 0, 0o755),
    Place(Path("/run/gpu"), accounts.HUB, 0o755),
]


def setup(settings_file: Path) -> Iterator[str]:
    """Check `course.yaml` and put what follows from it into the volumes. Repeatable.

    Raises SettingsError where `course.yaml` cannot be used: nothing was changed then.
    """
    settings = load_settings(settings_file)
    for place in PLACES:
        place.path.mkdir(parents=True, exist_ok=True)
        os.chown(place.path, place.uid, accounts.HUB if place.uid == accounts.GUARD else place.uid)
        place.path.chmod(place.mode)
    for root, uid in ((HUB, accounts.HUB), (COURSE, accounts.GRADER)):
        _copy(settings_file, root / "course.yaml", uid)
    first = not (COURSE / "source").exists()
    for _ in new_course(COURSE):
        pass
    for path in (COURSE / "source", COURSE / "release", COURSE / "server"):
        os.chown(path, accounts.GRADER, accounts.GRADER)
    _copy_extras(settings_file.parent / "jupyterhub.d", HUB / "jupyterhub.d")
    for part in PARTS:
        write_files(part, CourseFolder(COURSE), Path(f"/srv/config_{part}"))
    what = "made" if first else "kept"
    yield f"course {settings.course.id}: settings in order, course folder {what}"


def _copy(source: Path, target: Path, uid: int) -> None:
    files.replace(target, source.read_bytes(), mode=0o400, owner=uid)


def _copy_extras(source: Path, target: Path) -> None:
    shutil.rmtree(target, ignore_errors=True)
    if source.is_dir():
        shutil.copytree(source, target)
        for path in target.glob("*.py"):
            path.chmod(0o444)
