"""How people's servers start."""
