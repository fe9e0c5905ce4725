"""A kernel's share of a GPU, and the notices to its owner about it."""
