"""Submissions that could not be graded, through no fault of their students.

Their earlier points are kept. Each is retried, alone at the end of its batch and by the next runs,
until it has been tried `MOST_TRIES` times; then it waits for a person. A new submission, or
`--force`, resets the count.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from hub.facts import files

MOST_TRIES = 4  # the first, and three more


@dataclass(frozen=True)
class Ungraded:
    """What is stored about a submission that could not be graded.

    submission: its time, as in its timestamp.txt; empty if it has none.
    tries: how often it was tried.
    why: what went wrong the last time, in a sentence.
    """

    submission: str
    tries: int
    why: str

    @property
    def waits_for_a_person(self) -> bool:
        return self.tries >= MOST_TRIES


class UngradedFolder:
    """A file for each student of an assignment, each complete or absent."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, student: str) -> Ungraded | None:
        try:
            return Ungraded(**json.loads(self._path(student).read_text()))
        except (FileNotFoundError, ValueError, TypeError):
            return None

    def put(self, student: str, ungraded: Ungraded) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        files.replace(self._path(student), json.dumps(asdict(ungraded)))

    def forget(self, student: str) -> None:
        self._path(student).unlink(missing_ok=True)

    def all(self) -> Iterator[tuple[str, Ungraded]]:
        for path in sorted(self._folder.glob("*.json")):
            if (found := self.get(path.stem)) is not None:
                yield path.stem, found

    def _path(self, student: str) -> Path:
        return self._folder / f"{student}.json"


def submitted_at(folder: Path) -> str:
    """The text of the timestamp in a submission's folder; empty if it has none."""
    try:
        return (folder / "timestamp.txt").read_text(errors="replace").strip()
    except OSError:
        return ""
