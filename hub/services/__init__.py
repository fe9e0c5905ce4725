"""Programs that run beside the hub, each in its own container."""
