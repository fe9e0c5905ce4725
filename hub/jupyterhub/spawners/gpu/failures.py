"""Classifies the engine's error message if a container cannot have its GPU. Pure."""

from __future__ import annotations

from typing import Literal

Reach = Literal["device", "host"]

# (text of the message, what is broken). Checked in this order.
FAILURES: list[tuple[str, Reach]] = [
    # dockerd has no NVIDIA driver: the toolkit was missing when it started.
    ("could not select device driver", "host"),
    ("unknown runtime", "host"),
    ("unknown or invalid runtime name", "host"),
    # nvidia-container-cli, in its prestart hook.
    ("driver not loaded", "host"),
    ("driver/library version mismatch", "host"),
    ("nvidia-container-cli: initialization error", "host"),
    ("unknown device", "device"),
    ("nvidia-container-cli", "device"),
    ("nvidia-container-runtime-hook", "device"),
    # Container Device Interface, the same toolkit's newer method.
    ("unresolvable cdi devices", "device"),
    ("failed to inject cdi devices", "device"),
    ("cdi device injection failed", "device"),
]


def gpu_failure(message: str) -> Reach | None:
    """What `message` blames: this GPU device, all of the host's, or (None) neither."""
    lower = message.lower()
    return next((reach for text, reach in FAILURES if text in lower), None)
