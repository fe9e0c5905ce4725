"""What the guard refuses."""

from __future__ import annotations


class RequestRefused(Exception):
    """The request does not pass; the message says why and goes to the hub's log."""
