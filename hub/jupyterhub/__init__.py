"""Our JupyterHub: configuration, spawners, pages."""
