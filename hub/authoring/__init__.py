"""From an instructor's text to what students get: pairing, releasing, checking, registering."""

from hub.authoring.errors import AuthoringError

__all__ = ["AuthoringError"]
