"""What the rest of the hub builds on: settings, course folder, roster, databases."""
