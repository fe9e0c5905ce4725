"""The exchange's refusals, each with its HTTP status and what to do about it."""

from __future__ import annotations

from hub.facts.errors import UserError


class Refusal(UserError):
    """The exchange refuses a request; every refusal says how to fix it."""

    status = 400

    def __init__(self, message: str, fix: str, status: int | None = None) -> None:
        super().__init__(message, fix)
        if status is not None:
            self.status = status

    def as_json(self) -> dict[str, str]:
        return {"error": self.message, "what_to_do": self.fix}


class InvalidName(Refusal):
    """A course, assignment, student or file name that the exchange does not accept."""

    status = 400


class InvalidArchive(Refusal):
    """Bytes that are not exactly an archive in the exchange's format."""

    status = 400


class NotAllowed(Refusal):
    status = 403


class NotFound(Refusal):
    status = 404


class Conflict(Refusal):
    """The request contradicts what is already stored."""

    status = 409


class LengthRequired(Refusal):
    status = 411


class TooLarge(Refusal):
    """A size limit or a quota would be exceeded."""

    status = 413


class TooManyUploads(Refusal):
    status = 429


class ServiceAway(Refusal):
    """The exchange or the Hub behind it cannot be reached at the moment; retrying may help."""

    status = 503


class SchemaError(Refusal):
    """This LogitLab version cannot use the database's tables; they were left unchanged."""

    status = 503


class DiskFull(Refusal):
    status = 507
