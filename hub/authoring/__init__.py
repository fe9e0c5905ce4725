"""From an instructor's text to the student version: pairing, generating, checking, registering."""

from hub.authoring.errors import AuthoringError

__all__ = ["AuthoringError"]
