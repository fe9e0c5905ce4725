"""What is done to nbgrader and JupyterHub at places that they do not document, in one module each.

`tests/test_upstream_surface.py` calls everything that is used so: an upgrade breaks there first.
"""
