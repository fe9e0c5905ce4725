"""Creates LogitLab's environment: `python3 -m hub.host.install server notebook dev`.

Runs under the system Python before anything is installed, so this package uses only the standard
library, as of Python 3.8: a Python that is too old must get far enough to be told so.
"""
