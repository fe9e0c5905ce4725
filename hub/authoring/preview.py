"""Previews what a student would fetch, for an instructor to try before releasing it."""

import shutil
from pathlib import Path
from typing import Any

from tornado.web import HTTPError

from hub.authoring.pairing import sync
from hub.authoring.release import student_version, write_checked

PREVIEW_FOLDER = "preview"


def preview(course_root: Path, assignment: str) -> Path:
    """Recreate `preview/<assignment>`, with the same bytes and the same refusals as a release.

    Neither `release/` nor the gradebook changes. Anything done in an earlier preview
    is lost. Raises AuthoringMistakes, LeaksFound, SyncConflict, AssignmentNotFound.
    """
    source_folder = course_root / "source" / assignment
    sync(source_folder)
    student = student_version(source_folder)
    destination = course_root / PREVIEW_FOLDER / assignment
    if destination.exists():
        shutil.rmtree(destination)
    write_checked(student, source_folder, destination)
    return destination


def keep_release(model: dict[str, Any], path: str, contents_manager: Any, **_: Any) -> None:
    """Jupyter's `pre_save_hook`: refuses to save over the student version.

    The formgrader's Preview opens `release/` itself; a cell run there must not change what the
    next student fetches.
    """
    if path.strip("/").startswith("release/"):
        raise HTTPError(
            403,
            "release/ is generated, so your changes are not saved. Edit the notebook in source/ "
            "and generate it again.",
        )
