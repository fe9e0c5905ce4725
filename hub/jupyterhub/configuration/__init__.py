"""Pure functions from settings to the configuration of JupyterHub, nbgrader and JupyterLab.

Each only *sets* values, so that calling it twice changes nothing.
"""
