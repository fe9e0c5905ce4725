"""Makes the environment that LogitLab runs in: `python3 -m hub.host.install server notebook dev`.

Run by the system's own Python before anything is installed, so this package uses nothing but the
standard library, and only what Python 3.8 has: a too old Python must get as far as being told so.
"""
