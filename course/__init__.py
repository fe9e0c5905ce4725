"""What course notebooks import: models by name, pictures, checks and calls."""
