"""Code that runs in a person's Jupyter server and its kernels."""
