"""The secret seed of an assignment, from which its isolated tests draw their inputs.

It is made once, so that everybody's answers are judged on the same inputs, however often and
whenever they are graded. It lies with the grades in the course folder, closed to students.
"""

from __future__ import annotations

import os
import secrets
import tempfile
from contextlib import suppress
from pathlib import Path

from hub.facts import files


def seed_of(root: Path, assignment: str) -> str:
    """The seed of an assignment in the course folder `root`; made if there is none."""
    path = _path(root, assignment)
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile("w", dir=path.parent) as made:
            made.write(_random())
            made.flush()
            with suppress(FileExistsError):  # another process was faster
                os.link(made.name, path)
    return path.read_text().strip()


def new_seed(root: Path, assignment: str) -> str:
    """Replace the seed: what is graded from now on is judged on other inputs."""
    path = _path(root, assignment)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    seed = _random()
    files.replace(path, seed, mode=0o600)
    return seed


def _random() -> str:
    return secrets.token_hex(16)


def _path(root: Path, assignment: str) -> Path:
    return root / "server" / "seeds" / assignment
