"""Empty gradebooks. Making one starts processes, so each is made once."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path

from hub.core.gradebook import open_gradebook


@cache
def empty_gradebook(course_id: str) -> bytes:
    """The file of a SQLite gradebook that knows its course."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "gradebook.db")
        with open_gradebook(f"sqlite:///{path}", course_id):
            pass
        return path.read_bytes()
