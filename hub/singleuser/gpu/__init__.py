"""A kernel's share of a GPU, and what its owner is told about it."""
