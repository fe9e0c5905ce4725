"""`python3 -m hub.install`, which scripts and notes name: `hub.host.install` since 0.1."""

import sys

from hub.host.install.__main__ import main

if __name__ == "__main__":
    print("hub.install is now hub.host.install; this name works too.", file=sys.stderr)
    sys.exit(main())
