"""nbgrader's gradebook: opening it, whatever the PATH, and the tables it has to have."""

from collections.abc import Iterator
from contextlib import contextmanager

from nbgrader import dbutil
from nbgrader.api import Gradebook

from hub.core.environment import executables_on_path
from hub.core.tables import Tables


def _write_settings(path: str, url: str) -> None:
    # What is encoded in a URL, nbgrader takes for a reference to another setting.
    dbutil.write_alembic_ini(path, url.replace("%", "%%"))


GRADEBOOK = Tables("gradebook", dbutil.ALEMBIC_DIR, _write_settings)


@contextmanager
def open_gradebook(db_url: str, course_id: str) -> Iterator[Gradebook]:
    """The gradebook at an SQLAlchemy URL, created if missing; closed afterwards.

    nbgrader finds `alembic` through PATH when it creates a gradebook. The environment's own folder
    of executables is put first, for servers and tests that were started without it.
    """
    executables_on_path()
    with Gradebook(db_url, course_id) as gradebook:
        yield gradebook
