"""Pictures of attention, heads, tokens, losses, predictions, maps and surfaces, as Plotly figures.

All functions take torch tensors, numpy arrays or nested lists, and write plain numbers into the
figure, so that `fig.data[0].z` reads as rows of floats. Attention is rounded to four decimals,
which keeps a saved notebook small.

Colours are safe for colour-blind readers: viridis for what is never negative, purple to orange
through white for what has a sign. A figure is as wide as its page, and in the course's JupyterLab
it has the theme's paper and ink (`course.plots.style`).
"""

from course.plots.attention import attention_heads, attention_heatmap
from course.plots.heads import composition, head_grid
from course.plots.matrices import matrix
from course.plots.planes import complex_plane, moved_grids
from course.plots.positions import (
    lens_table,
    loss_strip,
    position_grid,
    position_losses,
    token_strip,
)
from course.plots.predictions import contributions, curves, next_tokens
from course.plots.style import INK, LINES, MOST_CELLS
from course.plots.surfaces import descents

__all__ = [
    "INK",
    "LINES",
    "MOST_CELLS",
    "attention_heads",
    "attention_heatmap",
    "complex_plane",
    "composition",
    "contributions",
    "curves",
    "descents",
    "head_grid",
    "lens_table",
    "loss_strip",
    "matrix",
    "moved_grids",
    "next_tokens",
    "position_grid",
    "position_losses",
    "token_strip",
]
