"""nbgrader's gradebook: opening it, whatever the PATH, and the tables it has to have."""

import os
import shutil
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager

from nbgrader import dbutil
from nbgrader.api import Gradebook

from hub.core.tables import Tables


def _write_settings(path: str, url: str) -> None:
    # What is encoded in a URL, nbgrader takes for a reference to another setting.
    dbutil.write_alembic_ini(path, url.replace("%", "%%"))


GRADEBOOK = Tables("gradebook", dbutil.ALEMBIC_DIR, _write_settings)


@contextmanager
def open_gradebook(db_url: str, course_id: str) -> Iterator[Gradebook]:
    """The gradebook at an SQLAlchemy URL, made when it does not exist; closed afterwards.

    nbgrader finds `alembic` through PATH when it makes a gradebook. The environment's own folder
    of executables is put there first, for servers and tests that were started without it.
    """
    executables_on_path()
    with Gradebook(db_url, course_id) as gradebook:
        yield gradebook


def executables_on_path() -> None:
    """Make this environment's executables findable for this process and its children."""
    if shutil.which("alembic") is None:
        scripts = sysconfig.get_path("scripts")
        os.environ["PATH"] = os.pathsep.join([scripts, os.environ.get("PATH", os.defpath)])
