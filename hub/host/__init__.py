"""What an admin runs on the host, before anything is installed."""
