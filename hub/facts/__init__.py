"""Values that several programs must agree on, each in one place; the standard library only."""
