"""Errors that stop an installation."""

from __future__ import annotations

from hub.facts.errors import UserError


class InstallError(UserError):
    """Something is missing or failed; the message says what, and how to fix it."""
