"""The root of every error that is shown to the person who gave the command."""

from __future__ import annotations


class UserError(Exception):
    """Something that people put right themselves; a command line shows it without a traceback.

    message: what is wrong.
    fix: what to do about it, in sentences of its own; "" where nothing more is known.
    """

    def __init__(self, message: str, fix: str = "") -> None:
        super().__init__(f"{message} {fix}".strip())
        self.message = message
        self.fix = fix

    @property
    def shown(self) -> str:
        """For a terminal: what is wrong, and below it what to do."""
        return "\n".join(filter(None, (self.message, self.fix)))
