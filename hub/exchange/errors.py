"""What the exchange refuses, each with the HTTP status it travels as and what to do about it."""

from __future__ import annotations


class Refusal(Exception):
    """The exchange says no. `error` says what is wrong, `what_to_do` how to put it right."""

    status = 400

    def __init__(self, error: str, what_to_do: str, status: int | None = None) -> None:
        super().__init__(f"{error} {what_to_do}".strip())
        self.error = error
        self.what_to_do = what_to_do
        if status is not None:
            self.status = status

    def as_json(self) -> dict[str, str]:
        return {"error": self.error, "what_to_do": self.what_to_do}


class InvalidName(Refusal):
    """A course, assignment, student or file name that the exchange does not take."""

    status = 400


class InvalidArchive(Refusal):
    """Bytes that are not exactly an archive of the exchange's format."""

    status = 400


class NotAllowed(Refusal):
    status = 403


class NotFound(Refusal):
    status = 404


class Conflict(Refusal):
    """What is asked contradicts what is already kept."""

    status = 409


class LengthRequired(Refusal):
    status = 411


class TooLarge(Refusal):
    """A size limit or a quota would be passed."""

    status = 413


class TooManyUploads(Refusal):
    status = 429


class ServiceAway(Refusal):
    """The exchange or the Hub behind it cannot be reached just now; trying again may help."""

    status = 503


class SchemaError(Refusal):
    """The database's tables are not what this LogitLab works with, and it was left as it was."""

    status = 503


class DiskFull(Refusal):
    status = 507
