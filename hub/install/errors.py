"""What can stop an installation."""

from __future__ import annotations


class InstallError(Exception):
    """Something is missing or failed; the message says what, and what to do about it."""
