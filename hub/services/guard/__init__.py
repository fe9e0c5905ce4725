"""What stands between the hub and the Docker engine: an allow-list, key by key."""
