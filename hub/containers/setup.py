"""The first container of every `up`: volumes with the settings of today and the right owners.

It runs as root inside its container with nothing but the capabilities to give files away, has no
network, and ends before any other service starts.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from hub.core.course_folder import CourseFolder, new_course
from hub.core.environment import Environment
from hub.core.settings import Settings, load_settings, old_spellings
from hub.facts import accounts, files
from hub.facts.container_paths import COURSES_FILE
from hub.facts.containers import CourseStorage
from hub.jupyterhub.configuration.jupyterlab import Role, write_files

ROLES: tuple[Role, ...] = ("student", "instructor")  # whose configuration is the hub's


@dataclass(frozen=True)
class VolumeFolder:
    """A volume's folder: who owns it, and who else may enter."""

    path: str
    uid: int
    mode: int


FOLDERS = (
    VolumeFolder("srv/hub", accounts.HUB, 0o700),
    VolumeFolder("srv/hub/server", accounts.HUB, 0o700),
    VolumeFolder("srv/exchange", accounts.EXCHANGE, 0o700),
    # The hub alone may speak to the guard: it has the group.
    VolumeFolder("run/guard", accounts.GUARD, 0o750),
    VolumeFolder("run/executor", 0, 0o755),
    VolumeFolder("run/gpu", accounts.HUB, 0o755),
)


def folders_of(storage: CourseStorage) -> tuple[VolumeFolder, ...]:
    """Those of one course."""
    return (
        VolumeFolder(f"srv/{storage.folder}", accounts.GRADER, 0o700),
        VolumeFolder(f"srv/{storage.people}", accounts.GRADER, 0o755),
    )


def setup(
    settings_files: Sequence[Path], environment: Environment, root: Path = Path("/")
) -> Iterator[str]:
    """Check each `course.yaml` and put what follows from it into the volumes. Repeatable.

    settings_files: of the hub's courses, its first one first.
    root: below it, the volumes are at `srv` and `run`.

    Raises SettingsError where a `course.yaml` cannot be used: nothing was changed then.
    """
    courses = {file: load_settings(file) for file in settings_files}
    ids = [settings.course.id for settings in courses.values()]
    _make(root, FOLDERS)
    known = "".join(f"{name}\n" for name in ids)
    files.replace(root / COURSES_FILE[1:], known, mode=0o400, owner=accounts.GUARD)
    first = settings_files[0]
    _copy(first, root / "srv/hub/course.yaml", accounts.HUB)
    _copy_extras(first.parent / "jupyterhub.d", root / "srv/hub/jupyterhub.d")
    for file, settings in courses.items():
        storage = CourseStorage.of(settings.course.id, ids)
        yield from _set_up_course(file, settings, storage, environment, root)
    hub = CourseFolder(root / "srv" / CourseStorage.of(ids[0], ids).folder, environment)
    for role in ROLES:
        write_files(role, hub, root / f"srv/config_{role}")


def _set_up_course(
    file: Path, settings: Settings, storage: CourseStorage, environment: Environment, root: Path
) -> Iterator[str]:
    """Bring about the folder of one course, and the configuration of its grader's server."""
    _make(root, folders_of(storage))
    folder = root / "srv" / storage.folder
    _copy(file, folder / "course.yaml", accounts.GRADER)
    what = "kept" if (folder / "source").exists() else "made"
    for _ in new_course(folder):
        pass
    for path in (folder / "source", folder / "release", folder / "server"):
        os.chown(path, accounts.GRADER, accounts.GRADER)
    told = replace(environment, gradebook=storage.gradebook_url)
    write_files("grader", CourseFolder(folder, told), root / "srv" / storage.config)
    yield from old_spellings(file)
    yield f"course {settings.course.id}: settings in order, course folder {what}"


def _make(root: Path, folders: Sequence[VolumeFolder]) -> None:
    for each in folders:
        path = root / each.path
        path.mkdir(parents=True, exist_ok=True)
        os.chown(path, each.uid, accounts.HUB if each.uid == accounts.GUARD else each.uid)
        path.chmod(each.mode)


def _copy(source: Path, target: Path, uid: int) -> None:
    files.replace(target, source.read_bytes(), mode=0o400, owner=uid)


def _copy_extras(source: Path, target: Path) -> None:
    shutil.rmtree(target, ignore_errors=True)
    if source.is_dir():
        shutil.copytree(source, target)
        for path in target.glob("*.py"):
            path.chmod(0o444)
