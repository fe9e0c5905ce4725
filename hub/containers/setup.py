"""The first container of every `up`: volumes with the settings of today and the right owners.

It runs as root inside its container with nothing but the capabilities to give files away, has no
network, and ends before any other service starts.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from hub.core.course_folder import CourseFolder, new_course
from hub.core.environment import Environment
from hub.core.settings import load_settings, old_spellings
from hub.facts import accounts, files
from hub.jupyterhub.configuration.jupyterlab import Role, write_files

COURSE = Path("/srv/course")
HUB = Path("/srv/hub")
ROLES: tuple[Role, ...] = ("student", "instructor", "grader")


@dataclass(frozen=True)
class VolumeFolder:
    """A volume's folder: who owns it, and who else may enter."""

    path: Path
    uid: int
    mode: int


FOLDERS = [
    VolumeFolder(HUB, accounts.HUB, 0o700),
    VolumeFolder(HUB / "server", accounts.HUB, 0o700),
    VolumeFolder(COURSE, accounts.GRADER, 0o700),
    VolumeFolder(Path("/srv/people"), accounts.GRADER, 0o755),
    VolumeFolder(Path("/srv/exchange"), accounts.EXCHANGE, 0o700),
    # The hub alone may speak to the guard: it has the group.
    VolumeFolder(Path("/run/guard"), accounts.GUARD, 0o750),
    VolumeFolder(Path("/run/executor"), 0, 0o755),
    VolumeFolder(Path("/run/gpu"), accounts.HUB, 0o755),
]


def setup(settings_file: Path, environment: Environment) -> Iterator[str]:
    """Check `course.yaml` and put what follows from it into the volumes. Repeatable.

    Raises SettingsError where `course.yaml` cannot be used: nothing was changed then.
    """
    settings = load_settings(settings_file)
    for volume in FOLDERS:
        volume.path.mkdir(parents=True, exist_ok=True)
        os.chown(
            volume.path, volume.uid, accounts.HUB if volume.uid == accounts.GUARD else volume.uid
        )
        volume.path.chmod(volume.mode)
    for root, uid in ((HUB, accounts.HUB), (COURSE, accounts.GRADER)):
        _copy(settings_file, root / "course.yaml", uid)
    first = not (COURSE / "source").exists()
    for _ in new_course(COURSE):
        pass
    for path in (COURSE / "source", COURSE / "release", COURSE / "server"):
        os.chown(path, accounts.GRADER, accounts.GRADER)
    _copy_extras(settings_file.parent / "jupyterhub.d", HUB / "jupyterhub.d")
    for role in ROLES:
        write_files(role, CourseFolder(COURSE, environment), Path(f"/srv/config_{role}"))
    yield from old_spellings(settings_file)
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
