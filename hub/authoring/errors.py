"""Every error of the authoring package; each message says what to do next."""

from collections.abc import Sequence
from pathlib import Path

from hub.facts.errors import UserError


class AuthoringError(UserError):
    """Something an instructor can fix."""


class AssignmentNotFound(AuthoringError):
    """The requested assignment has no source folder, or no notebook in it."""


class InvalidAssignmentName(AuthoringError):
    """The folder of an assignment has a name that the exchange does not accept."""

    def __init__(self, assignment: str, message: str, fix: str):
        super().__init__(message, f"Rename the folder source/{assignment}. {fix}")


class UnreadableNotebook(AuthoringError):
    """An .ipynb file is not a notebook (broken JSON, another format)."""

    def __init__(self, path: Path, reason: str):
        super().__init__(
            f"{path} cannot be read as a notebook ({reason}).",
            "Repair it, or delete it to have it made again from its .py text.",
        )


class NotRepresentable(AuthoringError):
    """A notebook holds something that its text half cannot represent."""


class SyncConflict(AuthoringError):
    """Both halves of a pair changed since they were last equal."""

    def __init__(self, text: Path, notebook: Path):
        self.text = text
        self.notebook = notebook
        first, second = (Path(*path.parts[-3:]) for path in (text, notebook))
        command = f"logitlab notebook {text.parent.name} --keep"
        super().__init__(
            f"{first} and {second} both changed since they were last equivalent, so neither was "
            "updated from the other.",
            f"Say which one wins: '{command} text' (the .py file) or '{command} notebook' (the "
            ".ipynb file). The other is kept beside it as a .bak copy.",
        )


class AuthoringMistakes(AuthoringError):
    """The source of an assignment breaks a rule of authoring; nothing was generated."""

    def __init__(self, assignment: str, mistakes: Sequence[object]):
        self.mistakes = list(mistakes)
        lines = "\n".join(f"  {mistake}" for mistake in mistakes)
        super().__init__(f"{assignment} was not generated, its source has mistakes:\n{lines}")


class LeaksFound(AuthoringError):
    """The student version reveals what only instructors may see; nothing was generated."""

    def __init__(self, assignment: str, leaks: Sequence[object]):
        self.leaks = list(leaks)
        lines = "\n".join(f"  {leak}" for leak in leaks)
        super().__init__(f"{assignment} was not generated, students would see:\n{lines}")


class SubmissionsExist(AuthoringError):
    """Cells or notebooks were added or removed although students have already submitted."""

    def __init__(self, assignment: str, submissions: int, changes: Sequence[str]):
        self.changes = list(changes)
        lines = "\n".join(f"  {change}" for change in changes)
        super().__init__(
            f"{assignment} already has {submissions} submission(s), so its set of cells is fixed:\n"
            f"{lines}",
            "The text and the points of existing cells may still change. Bring these cells back, "
            "or make a new assignment under another name.",
        )
