"""The guard's refusals."""

from __future__ import annotations


class RequestRefused(Exception):
    """The request is refused; the message says why and goes to the hub's log."""
