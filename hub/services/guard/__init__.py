"""The guard between the hub and the Docker engine: an allow-list, key by key."""
