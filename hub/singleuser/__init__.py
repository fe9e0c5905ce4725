"""What runs in a person's Jupyter server, and in the kernels of it."""
