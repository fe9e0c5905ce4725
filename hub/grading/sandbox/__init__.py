"""Where students' code runs, and within which limits."""
