"""Ways in which a notebook is executed."""

from typing import Literal

Tests = Literal["isolated", "in_kernel"]
"""Where test cells run: isolated from the student's interpreter, or in it."""
