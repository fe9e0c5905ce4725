"""Programs beside the hub, each in a container of its own."""
