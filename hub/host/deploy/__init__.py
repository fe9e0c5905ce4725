"""Runs a course server in containers: `python3 -m hub.host.deploy images|up|down|status|…`.

Run on the host by the system's own Python, so this package uses nothing but the standard library.
"""
