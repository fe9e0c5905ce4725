"""Undocumented uses and patches of nbgrader and JupyterHub, in one module each.

`tests/test_upstream_surface.py` calls everything that is used this way: upgrades break there first.
"""
