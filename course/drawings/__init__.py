"""Drawings of what a transformer is made of, each an SVG that follows JupyterLab's theme.

    from course import drawings

    drawings.residual_stream(layers=2)

A cell that ends with one shows it. In feedback, where nothing of a page's style reaches a picture,
it is the same drawing in dark ink. `drawings.hook_map().svg()` is the text of a file.
"""

from course.drawings.graph import backward_pass
from course.drawings.hooks import hook_map, hook_points
from course.drawings.induction import induction, two_back
from course.drawings.models import attention_head, c_attn, circuits, residual_stream
from course.drawings.phrase import arcs
from course.drawings.shapes import attention_shape, superposition
from course.drawings.svg import Drawing

__all__ = [
    "Drawing",
    "arcs",
    "attention_head",
    "attention_shape",
    "backward_pass",
    "c_attn",
    "circuits",
    "hook_map",
    "hook_points",
    "induction",
    "residual_stream",
    "superposition",
    "two_back",
]
