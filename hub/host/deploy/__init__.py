"""Runs a course server in containers: `python3 -m hub.host.deploy images|up|down|status|…`.

Runs under the host's system Python, so this package uses only the standard library.
"""
