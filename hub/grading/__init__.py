"""Executing and scoring: a notebook in, an executed notebook and its scores out."""
