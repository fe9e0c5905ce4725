"""What the rest of the hub stands on: settings, course folder, roster, databases."""
