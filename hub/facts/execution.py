"""Ways in which a notebook is executed."""

from typing import Literal

Tests = Literal["apart", "together"]
"""Where test cells run: apart from the student's interpreter, or in it."""
