"""Tools that an admin runs on the host, before anything is installed."""
