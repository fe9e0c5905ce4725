"""What the engine says when a container cannot have its GPU, read from its message. Pure."""

from __future__ import annotations

from typing import Literal

Reach = Literal["device", "host"]

# (part of the message, what is out of order). Checked in this order.
FAILURES: list[tuple[str, Reach]] = [
    # dockerd has no NVIDIA driver: no toolkit when it started.
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
    # Container Device Interface, the newer way of the same toolkit.
    ("unresolvable cdi devices", "device"),
    ("failed to inject cdi devices", "device"),
    ("cdi device injection failed", "device"),
]


def gpu_failure(message: str) -> Reach | None:
    """Whether `message` blames the GPU: this device, or all of the host's; None: neither."""
    lower = message.lower()
    return next((reach for text, reach in FAILURES if text in lower), None)
