"""JupyterHub as this course has it: configuration, spawners, pages."""
